/* SPDX-License-Identifier: Apache-2.0 */
/* test_oscore.c - what is read of an OSCORE option; values marked C.n are vectors of RFC 8613 Appendix C */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "coap/oscore.h"

/* Read from memory of just its size, so that a sanitizer finds what goes beyond. */
static bool read_value(struct coap_oscore *o, const void *value, size_t len)
{
	static uint8_t *last;

	free(last);
	last = malloc(len ? len : 1);
	memcpy(last, value, len);
	return coap_oscore_read(o, last, len);
}
#define READ(o, text) read_value(o, text, sizeof(text) - 1)

static void is_span(const uint8_t *p, size_t len, const char *text, size_t text_len)
{
	assert_int_equal(len, text_len);
	if (len)
		assert_memory_equal(p, text, len);
}
#define IS(p, len, text) is_span(p, len, text, sizeof(text) - 1)

static void request_with_an_empty_kid(void **state)
{
	struct coap_oscore o;

	(void)state;
	assert_true(READ(&o, "\x09\x14")); /* C.4 */
	IS(o.piv, o.piv_len, "\x14");
	assert_true(o.has_kid);
	assert_int_equal(o.kid_len, 0);
	assert_false(o.has_kid_context);
}

static void request_with_a_kid(void **state)
{
	struct coap_oscore o;

	(void)state;
	assert_true(READ(&o, "\x09\x14\x00")); /* C.5 */
	IS(o.piv, o.piv_len, "\x14");
	IS(o.kid, o.kid_len, "\x00");
	assert_false(o.group);
}

static void request_with_a_kid_context(void **state)
{
	struct coap_oscore o;

	(void)state;
	assert_true(READ(&o, "\x19\x14\x08\x37\xcb\xf3\x21\x00\x17\xa2\xd3")); /* C.6 */
	IS(o.piv, o.piv_len, "\x14");
	assert_true(o.has_kid_context && o.has_kid);
	IS(o.kid_context, o.kid_context_len, "\x37\xcb\xf3\x21\x00\x17\xa2\xd3");
	assert_int_equal(o.kid_len, 0);
}

static void responses(void **state)
{
	struct coap_oscore o;

	(void)state;
	assert_true(coap_oscore_read(&o, NULL, 0)); /* C.7 */
	assert_false(o.has_kid || o.has_kid_context);
	assert_int_equal(o.piv_len, 0);
	assert_true(READ(&o, "\x01\x00")); /* C.8 */
	IS(o.piv, o.piv_len, "\x00");
	assert_false(o.has_kid);
}

static void an_empty_context_is_a_context(void **state)
{
	struct coap_oscore o;

	(void)state;
	assert_true(READ(&o, "\x19\x14\x00\xaa"));
	assert_true(o.has_kid_context);
	assert_int_equal(o.kid_context_len, 0);
	IS(o.kid, o.kid_len, "\xaa");
}

static void a_group_message_is_read_like_the_others(void **state)
{
	struct coap_oscore o;

	(void)state;
	assert_true(READ(&o, "\x39\x01\x02\x44\x61\xaa"));
	assert_true(o.group);
	IS(o.kid_context, o.kid_context_len, "\x44\x61");
	IS(o.kid, o.kid_len, "\xaa");
}

/* S6: nothing is told of what is not of the form, not even the part before the fault. */
static void s6_faulty_values_tell_nothing(void **state)
{
	static const struct coap_oscore empty;
	static const struct {
		const char *value;
		size_t len;
	} rows[] = {
		{ "\x0e\x01\x02\x03\x04\x05\x06\xaa", 8 },     /* Partial IV of 6 octets */
		{ "\x0f\x01\x02\x03\x04\x05\x06\x07\xaa", 9 }, /* of 7 */
		{ "\x49\x14\xaa", 3 },                         /* reserved flags */
		{ "\x89\x14\xaa", 3 },
		{ "\x05\x01\x02", 3 },     /* Partial IV beyond the end */
		{ "\x19\x14", 2 },         /* no length of the context */
		{ "\x19\x14\x02\xaa", 4 }, /* context beyond the end */
		{ "\x19\x14\xff\xaa", 4 },
		{ "\x01\x14\xaa", 3 }, /* a kid that no flag announces */
		{ "\x00\xaa", 2 },
		{ "\x11\x14\x01\xcc\xaa", 5 },
	};
	struct coap_oscore o;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_false(read_value(&o, rows[i].value, rows[i].len));
		assert_memory_equal(&o, &empty, sizeof o);
	}
}

static void s6_kids_of_every_length(void **state)
{
	uint8_t value[257] = { 0x09, 0x14 };
	struct coap_oscore o;

	(void)state;
	for (size_t kid = 0; kid <= 255 - 2; kid++) {
		assert_true(read_value(&o, value, 2 + kid));
		assert_int_equal(o.kid_len, kid);
	}
	assert_false(read_value(&o, value, 256)); /* no option is that long */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_with_an_empty_kid),
		cmocka_unit_test(request_with_a_kid),
		cmocka_unit_test(request_with_a_kid_context),
		cmocka_unit_test(responses),
		cmocka_unit_test(an_empty_context_is_a_context),
		cmocka_unit_test(a_group_message_is_read_like_the_others),
		cmocka_unit_test(s6_faulty_values_tell_nothing),
		cmocka_unit_test(s6_kids_of_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
