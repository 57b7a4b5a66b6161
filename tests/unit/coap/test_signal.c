/* SPDX-License-Identifier: Apache-2.0 */
/* test_signal.c - signalling messages of CoAP over TCP and TLS, src/coap/signal.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "coap/signal.h"

/* Reads a whole message in stream framing. */
static void read_octets(struct coap_signal *s, struct coap_msg *m, const char *data, size_t len)
{
	size_t need;

	assert_int_equal(coap_parse_stream(m, (const uint8_t *)data, len, 1000, &need), (long)len);
	coap_signal_read(s, m);
}
#define READ(s, m, text) read_octets(s, m, text, sizeof text - 1)

static void a_csm_says_what_its_sender_takes(void **state)
{
	struct coap_signal s;
	struct coap_msg m;

	(void)state;
	READ(&s, &m, "\x40\xe1\x22\x10\x00\x20"); /* Max-Message-Size 4096, Block-Wise-Transfer */
	assert_true(s.has_max_message_size && s.blockwise);
	assert_int_equal(s.max_message_size, 4096);
	assert_int_equal(s.unknown, 0);
	READ(&s, &m, "\x00\xe1"); /* nothing new */
	assert_false(s.has_max_message_size || s.blockwise);
	READ(&s, &m, "\x10\xe1\x20"); /* of no octets: 0 */
	assert_true(s.has_max_message_size);
	assert_int_equal(s.max_message_size, 0);
}

static void coap_13_an_unknown_critical_option_is_named_and_an_elective_one_is_not(void **state)
{
	struct coap_signal s;
	struct coap_msg m;

	(void)state;
	READ(&s, &m, "\x20\xe1\x40\x10"); /* 4, 5 */
	assert_int_equal(s.unknown, 5);
	assert_true(s.blockwise);
	READ(&s, &m, "\x40\xe1\x10\x20\x21\x01"); /* 1, 3, 5 */
	assert_int_equal(s.unknown, 1);
	READ(&s, &m, "\x20\xe1\x60\x60"); /* 6: extended tokens, and 12 */
	assert_int_equal(s.unknown, 0);
	READ(&s, &m, "\x10\xe2\x40"); /* 4 means nothing in a Ping */
	assert_true(s.unknown == 0 && !s.custody && !s.blockwise);
	READ(&s, &m, "\x10\xe6\x10"); /* 1 in a code of a later document */
	assert_int_equal(s.unknown, 1);
}

static void an_option_of_bad_length_or_a_second_instance_counts_as_unknown(void **state)
{
	struct coap_signal s;
	struct coap_msg m;

	(void)state;
	READ(&s, &m, "\x60\xe1\x25\x01\x02\x03\x04\x05"); /* Max-Message-Size of 5 octets */
	assert_true(!s.has_max_message_size && s.unknown == 0);
	READ(&s, &m, "\x20\xe1\x41\x01"); /* Block-Wise-Transfer of 1 octet */
	assert_true(!s.blockwise && s.unknown == 0);
	READ(&s, &m, "\x50\xe1\x22\x04\x80\x01\x05"); /* 1152, and then 5 */
	assert_int_equal(s.max_message_size, 1152);
}

static void a_release_says_when_and_where(void **state)
{
	struct coap_signal s;
	struct coap_msg m;

	(void)state;
	READ(&s, &m, "\xa0\xe4\x22\x68\x69\x02\x68\x6f\x21\x1e\xff\x78");
	assert_true(s.has_alternative && s.has_hold_off);
	assert_int_equal(s.hold_off_s, 30);
	assert_int_equal(s.alternative.len, 2);
	assert_memory_equal(s.alternative.value, "hi", 2);
	assert_int_equal(m.payload_len, 1);
}

static void what_is_written_is_read_again(void **state)
{
	static const struct {
		uint8_t code;
		struct coap_signal s;
	} rows[] = {
		{ COAP_CSM, { .has_max_message_size = true, .max_message_size = 33792, .blockwise = true } },
		{ COAP_CSM, { .has_max_message_size = true } },
		{ COAP_PING, { .custody = true } },
		{ COAP_PONG, { .custody = true } },
		{ COAP_PONG, { .custody = false } },
		{ COAP_RELEASE, { .has_hold_off = true, .hold_off_s = 300 } },
		{ COAP_ABORT, { .has_bad_csm_option = true, .bad_csm_option = 65001 } },
	};
	struct coap_signal got;
	struct coap_msg m;
	uint8_t buf[64];
	size_t need;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		long len = coap_signal_write(buf, sizeof buf, rows[i].code, (const uint8_t *)"tok", 3, &rows[i].s,
					     i & 1 ? "why" : NULL);

		assert_true(len > 0);
		assert_int_equal(coap_signal_write(buf, (size_t)len - 1, rows[i].code, (const uint8_t *)"tok", 3,
						   &rows[i].s, i & 1 ? "why" : NULL),
				 -EMSGSIZE);
		assert_int_equal(coap_parse_stream(&m, buf, (size_t)len, sizeof buf, &need), len);
		assert_int_equal(m.code, rows[i].code);
		assert_memory_equal(m.token, "tok", 3);
		assert_int_equal(m.payload_len, i & 1 ? 3 : 0);
		coap_signal_read(&got, &m);
		assert_memory_equal(&got, &rows[i].s, sizeof got);
	}
}

static void only_what_the_code_can_say_is_written(void **state)
{
	const struct coap_signal all = { .custody = true, .blockwise = true, .has_hold_off = true, .hold_off_s = 1 };
	uint8_t buf[16];

	(void)state;
	assert_int_equal(coap_signal_write(buf, sizeof buf, COAP_PONG, (const uint8_t *)"\x42", 1, &all, NULL), 4);
	assert_memory_equal(buf, "\x11\xe3\x42\x20", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_csm_says_what_its_sender_takes),
		cmocka_unit_test(coap_13_an_unknown_critical_option_is_named_and_an_elective_one_is_not),
		cmocka_unit_test(an_option_of_bad_length_or_a_second_instance_counts_as_unknown),
		cmocka_unit_test(a_release_says_when_and_where),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(only_what_the_code_can_say_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
