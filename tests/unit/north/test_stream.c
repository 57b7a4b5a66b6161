/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - one connection of CoAP over TCP or TLS without its socket, src/north/stream.c and stream_out.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coap/option.h"
#include "coap/signal.h"
#include "north/stream.h"

#define CSM "\x40\xe1\x22\x84\x00\x20" /* 33792, Block-Wise-Transfer */
#define CSM_LEN 6
#define EMPTY "\x00\x00"
#define OCTETS(text) text, sizeof text - 1

static struct stream_item item;
static size_t text_len; /* of the last Release or Abort */

/* What a run of the input gave, as text: one word for each thing that came of it. */
static void note(char *log, size_t size, enum stream_what what)
{
	static const char *const words[] = { "more", "ready", "message", "pong", "released", "over" };
	size_t at = strlen(log);

	text_len = item.len;
	if (what == STREAM_MESSAGE) {
		struct coap_msg m;

		assert_int_equal(coap_parse(&m, item.message, item.len), 0);
		assert_int_equal(m.type, COAP_NON);
		snprintf(log + at, size - at, "%u.%02u:%.*s:%zu ", m.code >> 5, m.code & 31u, (int)m.token_len,
			 (const char *)m.token, m.payload_len);
	} else if (what == STREAM_OVER) {
		snprintf(log + at, size - at, "over(%s) ", item.why);
	} else {
		snprintf(log + at, size - at, "%s ", words[what]);
	}
}

static void feed(struct stream *s, char *log, size_t size, const void *data, size_t len)
{
	struct reader in = reader_of(data, len);
	enum stream_what what;

	while ((what = stream_read(s, &in, &item)) != STREAM_MORE) {
		note(log, size, what);
		if (what == STREAM_OVER)
			return;
	}
	assert_int_equal(reader_left(&in), 0);
}

static void expect(struct stream *s, const void *data, size_t len, const char *what)
{
	char log[400] = "";

	feed(s, log, sizeof log, data, len);
	assert_string_equal(log, what);
}

/* All that waits for the socket, taken by it. */
static size_t output(struct stream *s, uint8_t *buf, size_t size)
{
	const uint8_t *data;
	size_t len = stream_output(s, &data);

	assert_true(len <= size);
	if (len)
		memcpy(buf, data, len);
	stream_written(s, len);
	return len;
}

static void expect_output(struct stream *s, const void *want, size_t len)
{
	static uint8_t buf[70000];

	assert_int_equal(output(s, buf, sizeof buf), len);
	if (len)
		assert_memory_equal(buf, want, len);
}

/* A connection whose CSMs have been exchanged. */
static void start(struct stream *s)
{
	memset(s, 0, sizeof *s);
	stream_init(s);
	assert_int_equal(stream_start(s), 0);
	expect_output(s, OCTETS("\x40\xe1\x22\x84\x00\x20"));
	expect(s, CSM, CSM_LEN, "ready ");
}

/* In datagram framing. */
static int send_msg(struct stream *s, enum coap_type type, uint8_t code, uint16_t mid, const char *token,
		    uint32_t option, size_t payload)
{
	static const uint8_t zeros[70000];
	static uint8_t buf[70000];
	struct coap_builder b;

	coap_build(&b, buf, sizeof buf, type, code, mid, (const uint8_t *)token, strlen(token));
	if (option)
		coap_build_uint(&b, option, 7);
	coap_build_payload(&b, zeros, payload);
	return stream_send(s, buf, (size_t)coap_build_end(&b));
}

static void expect_acks(struct stream *s, const char *want)
{
	char got[200] = "";
	struct coap_empty ack;

	while (stream_acked(s, &ack)) {
		assert_int_equal(ack.octets[0], 0x60);
		assert_int_equal(ack.octets[1], 0);
		snprintf(got + strlen(got), sizeof got - strlen(got), "%u ", ack.octets[2] << 8 | ack.octets[3]);
	}
	assert_string_equal(got, want);
}

/* ---- framing ---- */

static void coap_11_a_stream_cut_at_any_octet_says_the_same(void **state)
{
	static const char good[] = CSM EMPTY "\x22\x01sx\xb1\x61"
					     "\x22\x45"
					     "ab\xffp"
					     "\x01\xe2\x42"
					     "\xd0\x04\x02\xbd\x02mnopqrstuvwxyzz"
					     "\x10\xe4\x40";
	size_t len = sizeof good - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		char log[400] = "";
		struct stream s;

		memset(&s, 0, sizeof s);
		stream_init(&s);
		assert_int_equal(stream_start(&s), 0);
		feed(&s, log, sizeof log, good, cut);
		feed(&s, log, sizeof log, good + cut, len - cut);
		assert_string_equal(log, "ready 0.01:sx:0 2.05:ab:1 0.02::0 released ");
		assert_null(s.part);
		stream_stop(&s);
	}
}

static void coap_11_a_stream_of_single_octets_says_the_same(void **state)
{
	static uint8_t in[70000], payload[33000];
	static const size_t bodies[] = { 0, 12, 13, 268, 269, 300, 33000 };
	char log[400] = "", want[400] = "ready ";
	size_t len = CSM_LEN;
	struct stream s = { 0 };

	(void)state;
	memcpy(in, CSM, CSM_LEN);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		size_t n = bodies[i] ? bodies[i] - 1 : 0; /* without the marker */

		len += (size_t)coap_write_stream(in + len, sizeof in - len, COAP_PUT, (const uint8_t *)"t", 1, NULL, 0,
						 payload, n);
		snprintf(want + strlen(want), sizeof want - strlen(want), "0.03:t:%zu ", n);
	}
	assert_int_equal(stream_start(&s), 0);
	for (size_t i = 0; i < len; i++) {
		feed(&s, log, sizeof log, in + i, 1);
		assert_true(s.part_len <= s.part_size && s.part_size <= STREAM_MESSAGE_MAX);
		assert_true(s.part_size < 16 ||
			    s.part_size <= 2 * s.part_len); /* no more than twice of what has come */
	}
	assert_string_equal(log, want);
	stream_stop(&s);
}

static void coap_11_a_thousand_messages_in_one_write_come_out_in_order(void **state)
{
	static uint8_t in[64000];
	struct stream s;
	size_t len = 0;
	struct reader r;
	uint16_t mid = 0;

	(void)state;
	start(&s);
	for (unsigned i = 0; i < 1000; i++) {
		const uint8_t token[2] = { (uint8_t)(i >> 8), (uint8_t)i };

		len += (size_t)coap_write_stream(in + len, sizeof in - len, COAP_GET, token, 2,
						 (const uint8_t *)"\xb1\x61", 2, in, i % 40);
	}
	r = reader_of(in, len);
	for (unsigned i = 0; i < 1000; i++) {
		struct coap_msg m;

		assert_int_equal(stream_read(&s, &r, &item), STREAM_MESSAGE);
		assert_int_equal(coap_parse(&m, item.message, item.len), 0);
		assert_int_equal(m.token[0] << 8 | m.token[1], i);
		assert_int_equal(m.payload_len, i % 40);
		if (i)
			assert_int_equal(m.mid, (uint16_t)(mid + 1)); /* of this hop */
		mid = m.mid;
	}
	assert_int_equal(stream_read(&s, &r, &item), STREAM_MORE);
	assert_true(s.asking.n <= 200);
	stream_stop(&s);
}

/* The lengths at which libcoap loses a header that is cut by the end of what was read: 300 messages of each, cut every
 * 1472 octets. */
static void three_hundred_messages_of_any_size_survive_short_reads(void **state)
{
	static uint8_t in[300 * 400], payload[400];

	(void)state;
	for (size_t size = 0; size < 320; size += 17) {
		struct stream s;
		size_t len = 0;
		unsigned got = 0;

		start(&s);
		for (unsigned i = 0; i < 300; i++)
			len += (size_t)coap_write_stream(in + len, sizeof in - len, COAP_POST, (const uint8_t *)"abcd",
							 4, NULL, 0, payload, size);
		for (size_t at = 0; at < len; at += 1472) {
			struct reader r = reader_of(in + at, len - at < 1472 ? len - at : 1472);

			while (stream_read(&s, &r, &item) == STREAM_MESSAGE) {
				assert_int_equal(item.len, 8 + (size ? 1 + size : 0));
				got++;
			}
		}
		assert_int_equal(got, 300);
		stream_stop(&s);
	}
}

static void a_message_is_in_datagram_framing_and_otherwise_the_same(void **state)
{
	struct stream s;
	struct reader r = reader_of(OCTETS("\x72\x01sx\xb1\x61\x21\x62\xff\x79\x7a"));
	struct coap_msg m;

	(void)state;
	start(&s);
	assert_int_equal(stream_read(&s, &r, &item), STREAM_MESSAGE);
	assert_int_equal(item.len, 13);
	assert_memory_equal(item.message, "\x52\x01", 2);
	assert_memory_equal(item.message + 4, "sx\xb1\x61\x21\x62\xff\x79\x7a", 9);
	assert_int_equal(coap_parse(&m, item.message, item.len), 0);
	stream_stop(&s);
}

static void a_length_costs_memory_only_when_it_is_filled(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	expect(&s, OCTETS("\xe0\x80\x00\x02"), ""); /* 33037 octets are announced */
	assert_true(s.part_size <= 64);
	stream_stop(&s);
	start(&s);
	expect(&s, OCTETS("\xf0\x00\x00\x00\x00"), "over(a message is longer than our Max-Message-Size) ");
	expect_output(&s,
		      OCTETS("\xd0\x05\xe5\xff"
			     "message too large"));
	expect(&s, OCTETS("\x00\x01"), "");
	stream_stop(&s);
}

static void coap_15_what_is_malformed_aborts_and_what_is_empty_is_ignored(void **state)
{
	static const struct {
		const char *in;
		size_t len;
	} bad[] = {
		{ OCTETS("\x09") }, { OCTETS("\x0f\x01") }, { OCTETS("\x10\x01\xff") }, { OCTETS("\x10\x01\xf0") }
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct stream s;

		start(&s);
		expect(&s, OCTETS("\x00\x00\x20\x00\xff\x78"), ""); /* an empty message, also one with a payload */
		expect(&s, bad[i].in, bad[i].len, "over(a message is malformed) ");
		expect_output(&s,
			      OCTETS("\xd0\x05\xe5\xff"
				     "malformed message"));
		stream_stop(&s);
	}
}

static void a_reserved_code_class_is_ignored(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	expect(&s, OCTETS("\x00\x21\x00\x60\x00\xc1\x00\x1f"), "0.31::0 ");
	stream_stop(&s);
}

/* ---- CSM ---- */

static void coap_12_nothing_is_sent_before_the_csm_of_the_peer(void **state)
{
	struct stream s = { 0 };

	(void)state;
	stream_init(&s);
	assert_int_equal(stream_start(&s), 0);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 1, "t", 0, 0), -ENOTCONN);
	assert_int_equal(stream_ping(&s), 0);
	expect_output(&s, OCTETS(CSM));
	expect(&s, CSM, CSM_LEN, "ready ");
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 1, "t", 0, 0), 0);
	expect_output(&s, OCTETS("\x01\x02t"));
	stream_stop(&s);
}

static void a_first_message_that_is_no_csm_aborts(void **state)
{
	static const struct {
		const char *in;
		size_t len;
	} bad[] = { { OCTETS("\x00\x01") }, { OCTETS("\x00\x45") }, { OCTETS("\x00\xe2") }, { OCTETS("\x00\xe4") } };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct stream s = { 0 };

		assert_int_equal(stream_start(&s), 0);
		expect(&s, bad[i].in, bad[i].len, "over(its first message is no CSM) ");
		expect_output(&s,
			      OCTETS(CSM "\xd0\x00\xe5\xff"
					 "CSM expected"));
		stream_stop(&s);
	}
}

static void coap_13_a_csm_with_an_unknown_critical_option_aborts_and_names_it(void **state)
{
	struct stream s = { 0 };

	(void)state;
	assert_int_equal(stream_start(&s), 0);
	expect(&s, OCTETS("\x10\xe1\x50"), "over(a critical option of a signalling message is not known) ");
	expect_output(&s,
		      OCTETS(CSM "\xd0\x0d\xe5\x21\x05\xff"
				 "unknown critical option"));
	stream_stop(&s);
	start(&s);
	expect(&s, OCTETS("\x10\xe1\x60"), ""); /* elective */
	expect(&s, OCTETS("\x10\xe2\x30"), "over(a critical option of a signalling message is not known) ");
	expect_output(&s,
		      OCTETS("\xd0\x0b\xe5\xff"
			     "unknown critical option")); /* of a Ping: not named */
	stream_stop(&s);
}

static void coap_13_a_later_csm_changes_the_limit(void **state)
{
	struct stream s = { 0 };

	(void)state;
	assert_int_equal(stream_start(&s), 0);
	expect(&s, OCTETS("\x00\xe1"), "ready ");
	assert_int_equal(stream_message_max(&s), 1152);
	assert_false(s.blockwise);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 1, "t", 0, 1152 - 6), 0); /* header of 4, token, marker */
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 2, "t", 0, 1152 - 5), -EMSGSIZE);
	expect(&s, OCTETS("\x30\xe1\x22\x20\x00"), "");
	assert_int_equal(stream_message_max(&s), 8192);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 2, "t", 0, 1152 - 5), 0);
	expect(&s, OCTETS("\x10\xe1\x40"), ""); /* says nothing of the size */
	assert_int_equal(stream_message_max(&s), 8192);
	assert_true(s.blockwise);
	expect(&s, OCTETS("\x20\xe1\x21\x40"), "");
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 3, "t", 0, 64), -EMSGSIZE);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 3, "t", 0, 59), 0);
	expect(&s, OCTETS("\x50\xe1\x24\xff\xff\xff\xff"), "");
	assert_int_equal(stream_message_max(&s), 65535);
	stream_stop(&s);
}

/* Every length that the datagram framing may have fits when message_max() says so. */
static void what_the_longest_message_promises_is_kept(void **state)
{
	static const uint32_t sizes[] = { 6,   7,   12,  13,  14,  15,  16,   17,    18,    268,  269,
					  270, 271, 272, 273, 274, 275, 1152, 33792, 65535, 70000 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct stream s;
		size_t max;

		start(&s);
		s.peer_max = sizes[i];
		max = stream_message_max(&s);
		assert_int_equal(send_msg(&s, COAP_NON, COAP_POST, 1, "", 0, max > 5 ? max - 5 : 0), 0);
		assert_true(stream_waiting(&s) <= sizes[i]);
		stream_stop(&s);
	}
}

static void no_block_option_goes_to_a_peer_that_does_not_know_it(void **state)
{
	struct stream s = { 0 };

	(void)state;
	assert_int_equal(stream_start(&s), 0);
	expect(&s, OCTETS("\x00\xe1"), "ready ");
	assert_int_equal(send_msg(&s, COAP_CON, COAP_PUT, 1, "t", COAP_BLOCK1, 9), -EMSGSIZE);
	assert_int_equal(send_msg(&s, COAP_ACK, COAP_CONTENT, 1, "t", COAP_BLOCK2, 9), -EMSGSIZE);
	expect(&s, OCTETS("\x10\xe1\x40"), "");
	assert_int_equal(send_msg(&s, COAP_CON, COAP_PUT, 1, "t", COAP_BLOCK1, 9), 0);
	stream_stop(&s);
}

/* ---- what is sent, and acknowledged ---- */

static void types_and_ids_are_taken_away(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_GET, 0x1234, "ab", COAP_ACCEPT, 0), 0);
	assert_int_equal(send_msg(&s, COAP_ACK, COAP_CHANGED, 0x1234, "cd", 0, 1), 0);
	assert_int_equal(send_msg(&s, COAP_NON, COAP_CONTENT, 0x1235, "", 0, 0), 0);
	expect_output(&s,
		      OCTETS("\x32\x01"
			     "ab\xd1\x04\x07"
			     "\x22\x44"
			     "cd\xff\x00"
			     "\x00\x45"));
	assert_int_equal(stream_send(&s, (const uint8_t *)"\x60\x00\x12\x34", 4), 0);
	assert_int_equal(stream_send(&s, (const uint8_t *)"\x70\x00\x12\x34", 4), 0);
	expect_output(&s, NULL, 0);
	assert_int_equal(stream_send(&s, (const uint8_t *)"\x49\x01\x12\x34", 4), -EBADMSG);
	stream_stop(&s);
}

static void a_request_is_acknowledged_when_its_last_octet_is_written(void **state)
{
	const uint8_t *data;
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 7, "ab", 0, 10), 0);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 8, "ab", 0, 10), 0);
	assert_int_equal(send_msg(&s, COAP_NON, COAP_POST, 9, "ab", 0, 10), 0);
	expect_acks(&s, "");
	assert_int_equal(stream_output(&s, &data), 45);
	stream_written(&s, 14);
	expect_acks(&s, "");
	stream_written(&s, 1);
	expect_acks(&s, "7 ");
	assert_int_equal(stream_output(&s, &data), 30);
	stream_written(&s, 29);
	expect_acks(&s, "8 ");
	assert_null(s.owed);
	stream_written(&s, 1);
	expect_acks(&s, "");
	assert_null(s.out);
	stream_stop(&s);
}

static void a_repetition_of_what_is_owed_is_not_written_again(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 7, "ab", 0, 0), 0);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 7, "ab", 0, 0), 0);
	expect_output(&s,
		      OCTETS("\x02\x02"
			     "ab"));
	expect_acks(&s, "7 ");
	/* a connection that is lost before leaves it unacknowledged, and on the next it is another matter */
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 8, "ab", 0, 0), 0);
	stream_stop(&s);
	expect_acks(&s, "");
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 8, "ab", 0, 0), 0);
	expect_output(&s,
		      OCTETS("\x02\x02"
			     "ab"));
	expect_acks(&s, "8 ");
	stream_stop(&s);
}

static void a_notification_is_acknowledged_by_the_answer_to_a_ping_behind_it(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_CONTENT, 1, "ab", COAP_OBSERVE, 0), 0);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_CONTENT, 2, "ab", COAP_OBSERVE, 0), 0);
	expect_output(&s,
		      OCTETS("\x22\x45"
			     "ab\x61\x07"
			     "\x22\x45"
			     "ab\x61\x07"
			     "\x12\xe2\x00\x01\x20")); /* one for both */
	expect_acks(&s, "");
	assert_int_equal(send_msg(&s, COAP_CON, COAP_CONTENT, 3, "ab", COAP_OBSERVE, 0), 0);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_GET, 4, "ab", 0, 0), 0);
	expect_output(&s,
		      OCTETS("\x22\x45"
			     "ab\x61\x07"
			     "\x02\x01"
			     "ab")); /* none while one is open */
	expect_acks(&s, "4 ");
	expect(&s, OCTETS("\x02\xe3\x00\x02"), ""); /* of no Ping of ours */
	expect(&s, OCTETS("\x00\xe3"), "");
	expect_acks(&s, "");
	expect(&s, OCTETS("\x12\xe3\x00\x01\x20"), "pong ");
	expect_acks(&s, "1 2 ");
	expect_output(&s, OCTETS("\x12\xe2\x00\x02\x20"));
	expect(&s, OCTETS("\x02\xe3\x00\x02"),
	       "pong "); /* without Custody: it has come through the stream all the same */
	expect_acks(&s, "3 ");
	expect_output(&s, NULL, 0);
	expect(&s, OCTETS("\x02\xe3\x00\x02"), "");
	stream_stop(&s);
}

static void a_ping_of_the_message_layer_is_a_ping_here(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(stream_send(&s, (const uint8_t *)"\x40\x00\x12\x34", 4), 0);
	assert_int_equal(stream_send(&s, (const uint8_t *)"\x40\x00\x12\x35", 4), 0);
	expect_output(&s, OCTETS("\x02\xe2\x00\x01"));
	expect(&s, OCTETS("\x02\xe3\x00\x01"), "pong ");
	expect_acks(&s, "");
	stream_stop(&s);
}

static void output_has_a_bound(void **state)
{
	struct stream s;
	unsigned taken = 0;
	int err;

	(void)state;
	start(&s);
	while (!(err = send_msg(&s, COAP_CON, COAP_POST, (uint16_t)taken, "ab", 0, 1000)))
		taken++;
	assert_int_equal(err, -EAGAIN); /* its owner has a timer */
	assert_int_equal(taken, 66);
	assert_int_equal(send_msg(&s, COAP_NON, COAP_POST, 1, "ab", 0, 1000), -EAGAIN);
	while (!(err = send_msg(&s, COAP_NON, COAP_CONTENT, 1, "ab", 0, 30000)))
		taken++;
	assert_int_equal(err, -EPIPE); /* what nobody sends again is not lost alone */
	assert_true(s.over && stream_waiting(&s) <= STREAM_OUT_MAX);
	assert_int_equal(send_msg(&s, COAP_NON, COAP_CONTENT, 1, "ab", 0, 0), -ENOTCONN);
	stream_stop(&s);
}

/* ---- signals of the peer ---- */

static void coap_14_a_ping_is_answered_with_its_token_and_custody(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	expect(&s, OCTETS("\x01\xe2\x42"), "");
	expect_output(&s, OCTETS("\x01\xe3\x42"));
	expect(&s,
	       OCTETS("\x01\x01"
		      "r"
		      "\x18\xe2"
		      "abcdefgh\x20"),
	       "0.01:r:0 ");
	expect_output(&s,
		      OCTETS("\x18\xe3"
			     "abcdefgh\x20"));
	expect(&s, OCTETS("\x10\xe2\x40"), ""); /* an elective option that a Ping does not have */
	expect_output(&s, OCTETS("\x00\xe3"));
	stream_stop(&s);
}

static void coap_14_after_a_release_running_exchanges_finish_and_new_ones_wait(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 1, "up", 0, 0), 0);
	expect(&s,
	       OCTETS("\x04\x01"
		      "down"),
	       "0.01:down:0 ");
	expect(&s,
	       OCTETS("\xb0\xe4\x23"
		      "a:1"
		      "\x21\x1e\xff"
		      "bye"
		      "\x00"),
	       "released "); /* the rest has to come */
	assert_int_equal(item.hold_off_s, 30);
	assert_string_equal(item.alternative, "a:1");
	assert_int_equal(text_len, 4);
	assert_false(stream_is_quiet(&s));
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 2, "u2", 0, 0), -ENOTCONN);
	assert_int_equal(send_msg(&s, COAP_NON, COAP_POST, 3, "u3", 0, 0), -ENOTCONN);
	assert_int_equal(send_msg(&s, COAP_ACK, COAP_CONTENT, 4, "down", 0, 0), 0);
	expect_output(&s,
		      OCTETS("\x02\x02"
			     "up"
			     "\x04\x45"
			     "down"));
	expect_acks(&s, "1 ");
	assert_false(stream_is_quiet(&s));
	expect(&s,
	       OCTETS("\x02\x44"
		      "up"),
	       "2.04:up:0 ");
	assert_true(stream_is_quiet(&s));
	expect(&s, OCTETS("\x00\xe4"), ""); /* once is enough */
	stream_stop(&s);
}

static void coap_14_an_abort_ends_it_and_its_text_is_kept(void **state)
{
	struct stream s = { 0 };

	(void)state;
	start(&s);
	expect(&s,
	       OCTETS("\x40\xe5\xff"
		      "\x1b[1"
		      "\x01\x01t"),
	       "over(aborted by the server) ");
	assert_true(item.aborted);
	assert_int_equal(text_len, 3);
	expect(&s, OCTETS("\x01\x01t"), "");
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 2, "u2", 0, 0), -ENOTCONN);
	expect_output(&s, NULL, 0);
	stream_stop(&s);
	assert_int_equal(stream_start(&s), 0); /* before any CSM too */
	expect(&s, OCTETS("\x00\xe5"), "over(aborted by the server) ");
	stream_stop(&s);
}

static void a_signal_of_a_later_document_is_ignored_unless_it_must_be_understood(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	expect(&s, OCTETS("\x10\xe6\x20\x20\xe0\xff\x78"), "");
	expect(&s, OCTETS("\x10\xe6\x10"), "over(a critical option of a signalling message is not known) ");
	stream_stop(&s);
}

static void coap_36_a_bert_block_is_handed_on_as_it_is(void **state)
{
	static uint8_t in[40000], payload[32768];
	struct stream s;
	struct reader r;
	struct coap_msg m;
	struct coap_option o;
	long len = coap_write_stream(in, sizeof in, COAP_PUT, (const uint8_t *)"tokentok", 8,
				     (const uint8_t *)"\xd1\x0e\x0f", 3, payload, sizeof payload);

	(void)state;
	start(&s);
	r = reader_of(in, (size_t)len);
	assert_int_equal(stream_read(&s, &r, &item), STREAM_MESSAGE);
	assert_int_equal(coap_parse(&m, item.message, item.len), 0);
	assert_true(coap_option_find(&m, COAP_BLOCK1, &o));
	assert_int_equal(coap_option_uint(&o), 15);
	assert_int_equal(m.payload_len, 32768);
	stream_stop(&s);
}

static void our_abort_is_the_last_that_is_written(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 1, "t", 0, 0), 0);
	stream_abort(&s, "gone");
	stream_abort(&s, "gone");
	assert_int_equal(stream_ping(&s), 0);
	expect_output(&s,
		      OCTETS("\x01\x02t"
			     "\x50\xe5\xff"
			     "gone"));
	stream_stop(&s);
}

static void an_idle_stream_holds_no_buffer(void **state)
{
	struct stream s;

	(void)state;
	start(&s);
	assert_int_equal(send_msg(&s, COAP_CON, COAP_POST, 1, "t", 0, 100), 0);
	expect(&s,
	       OCTETS("\x04\x01"
		      "down"
		      "\x01"),
	       "0.01:down:0 ");
	expect(&s, OCTETS("\x44t"), "2.04:t:0 ");
	assert_int_equal(send_msg(&s, COAP_ACK, COAP_CONTENT, 4, "down", 0, 0), 0);
	assert_int_equal(output(&s, item.message, sizeof item.message), 105 + 6);
	expect_acks(&s, "1 ");
	assert_true(!s.part && !s.out && !s.owed && !s.asked.v && !s.asking.v);
	assert_true(sizeof s <= 144);
	stream_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coap_11_a_stream_cut_at_any_octet_says_the_same),
		cmocka_unit_test(coap_11_a_stream_of_single_octets_says_the_same),
		cmocka_unit_test(coap_11_a_thousand_messages_in_one_write_come_out_in_order),
		cmocka_unit_test(three_hundred_messages_of_any_size_survive_short_reads),
		cmocka_unit_test(a_message_is_in_datagram_framing_and_otherwise_the_same),
		cmocka_unit_test(a_length_costs_memory_only_when_it_is_filled),
		cmocka_unit_test(coap_15_what_is_malformed_aborts_and_what_is_empty_is_ignored),
		cmocka_unit_test(a_reserved_code_class_is_ignored),
		cmocka_unit_test(coap_12_nothing_is_sent_before_the_csm_of_the_peer),
		cmocka_unit_test(a_first_message_that_is_no_csm_aborts),
		cmocka_unit_test(coap_13_a_csm_with_an_unknown_critical_option_aborts_and_names_it),
		cmocka_unit_test(coap_13_a_later_csm_changes_the_limit),
		cmocka_unit_test(what_the_longest_message_promises_is_kept),
		cmocka_unit_test(no_block_option_goes_to_a_peer_that_does_not_know_it),
		cmocka_unit_test(types_and_ids_are_taken_away),
		cmocka_unit_test(a_request_is_acknowledged_when_its_last_octet_is_written),
		cmocka_unit_test(a_repetition_of_what_is_owed_is_not_written_again),
		cmocka_unit_test(a_notification_is_acknowledged_by_the_answer_to_a_ping_behind_it),
		cmocka_unit_test(a_ping_of_the_message_layer_is_a_ping_here),
		cmocka_unit_test(output_has_a_bound),
		cmocka_unit_test(coap_14_a_ping_is_answered_with_its_token_and_custody),
		cmocka_unit_test(coap_14_after_a_release_running_exchanges_finish_and_new_ones_wait),
		cmocka_unit_test(coap_14_an_abort_ends_it_and_its_text_is_kept),
		cmocka_unit_test(a_signal_of_a_later_document_is_ignored_unless_it_must_be_understood),
		cmocka_unit_test(coap_36_a_bert_block_is_handed_on_as_it_is),
		cmocka_unit_test(our_abort_is_the_last_that_is_written),
		cmocka_unit_test(an_idle_stream_holds_no_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
