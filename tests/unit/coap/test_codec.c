/* SPDX-License-Identifier: Apache-2.0 */
/* test_codec.c - CoAP messages to octets and back, src/coap/codec.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "coap/codec.h"
#include "unit/coap/vectors.h"

/* Encodes a parsed message option by option. */
static long build_again(const struct coap_msg *m, uint8_t *buf, size_t size)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	struct coap_builder b;

	coap_build(&b, buf, size, m->type, m->code, m->mid, m->token, m->token_len);
	while (coap_option_next(&it, &o))
		coap_build_option(&b, o.number, o.value, o.len);
	coap_build_payload(&b, m->payload, m->payload_len);
	return coap_build_end(&b);
}

static int parse_hex(struct coap_msg *m, const char *hex)
{
	static struct octets kept; /* m points into it until the next call */

	kept = octets_of_hex(hex);
	return coap_parse(m, kept.data, kept.len);
}

static void every_vector_is_the_same_after_parsing_and_building(void **state)
{
	uint8_t out[OCTETS_MAX];
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct octets in = octets_of_hex(vectors[i].hex);

		assert_int_equal(coap_parse(&m, in.data, in.len), 0);
		assert_int_equal(build_again(&m, out, sizeof out), (long)in.len);
		assert_memory_equal(out, in.data, in.len);
	}
}

static void parts_of_a_register_are_found(void **state)
{
	struct octets in = octets_of_vector("register CON POST /rd");
	struct coap_option o;
	struct coap_msg m;

	(void)state;
	assert_int_equal(coap_parse(&m, in.data, in.len), 0);
	assert_int_equal(m.type, COAP_CON);
	assert_int_equal(m.code, COAP_POST);
	assert_int_equal(m.mid, 1);
	assert_int_equal(m.token_len, 2);
	assert_memory_equal(m.token, "\xa1\xa2", 2);
	assert_true(coap_option_find(&m, 11, &o));
	assert_int_equal(o.len, 2);
	assert_memory_equal(o.value, "rd", 2);
	assert_true(coap_option_find(&m, 12, &o));
	assert_int_equal(coap_option_uint(&o), 40);
	assert_true(coap_option_find(&m, 15, &o)); /* the first of five */
	assert_memory_equal(o.value, "lwm2m=1.1", 9);
	assert_false(coap_option_find(&m, 13, &o));
	assert_false(coap_option_find(&m, 60, &o));
	assert_int_equal(m.payload_len, 49);
	assert_memory_equal(m.payload, "</>;rt=", 7);
}

static void a_message_without_payload_has_none(void **state)
{
	struct coap_msg m;

	(void)state;
	assert_int_equal(parse_hex(&m, "4101100111b13301306170"), 0);
	assert_null(m.payload);
	assert_int_equal(m.payload_len, 0);
}

static void coap_16_another_version_or_a_torn_header_is_silence(void **state)
{
	struct coap_msg m;

	(void)state;
	assert_int_equal(parse_hex(&m, "80011234"), -EPROTO);
	assert_int_equal(parse_hex(&m, "00011234"), -EPROTO);
	assert_int_equal(parse_hex(&m, "c0011234"), -EPROTO);
	assert_int_equal(parse_hex(&m, ""), -EPROTO);
	assert_int_equal(parse_hex(&m, "40"), -EPROTO);
	assert_int_equal(parse_hex(&m, "400112"), -EPROTO);
}

/* What a code means for each type, RFC 7252 4.2, 4.3, 12.1. */
static int expected_for_code(unsigned type, unsigned code)
{
	unsigned klass = code >> 5;

	if (code == 0)
		return 0;
	if (klass == 0)
		return type == COAP_ACK || type == COAP_RST ? -ENOTSUP : 0;
	if (klass == 2 || klass == 4 || klass == 5)
		return type == COAP_RST ? -ENOTSUP : 0;
	return -ENOTSUP;
}

static void coap_16_reserved_classes_and_codes_out_of_place_are_told_apart(void **state)
{
	struct coap_msg m;

	(void)state;
	for (unsigned type = 0; type < 4; type++)
		for (unsigned code = 0; code < 256; code++) {
			const uint8_t data[4] = { (uint8_t)(0x40 | type << 4), (uint8_t)code, 0x12, 0x34 };

			assert_int_equal(coap_parse(&m, data, sizeof data), expected_for_code(type, code));
			assert_int_equal(m.type, type);
			assert_int_equal(m.code, code);
			assert_int_equal(m.mid, 0x1234);
		}
}

static void coap_15_token_length_9_to_15_is_malformed_and_leaves_type_and_id(void **state)
{
	struct coap_msg m;

	(void)state;
	for (unsigned type = 0; type < 2; type++)
		for (unsigned tkl = 9; tkl < 16; tkl++) {
			uint8_t data[24] = { (uint8_t)(0x40 | type << 4 | tkl), COAP_GET, 0xab, 0xcd };

			assert_int_equal(coap_parse(&m, data, sizeof data), -EBADMSG);
			assert_int_equal(coap_parse(&m, data, 4), -EBADMSG); /* RFC 8974 forms too */
			assert_int_equal(m.type, type);
			assert_int_equal(m.code, COAP_GET);
			assert_int_equal(m.mid, 0xabcd);
		}
}

static void an_empty_message_is_four_octets(void **state)
{
	struct coap_msg m;

	(void)state;
	assert_int_equal(parse_hex(&m, "40001234"), 0);
	assert_int_equal(parse_hex(&m, "60001234"), 0);
	assert_int_equal(parse_hex(&m, "70001234"), 0);
	assert_int_equal(parse_hex(&m, "4000123400"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "6000123400"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "70001234ff01"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "41001234aa"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "61001234"), -EBADMSG);
	assert_int_equal(m.type, COAP_ACK);
	assert_int_equal(m.mid, 0x1234);
}

static void nibble_15_is_only_a_marker(void **state)
{
	struct coap_msg m;

	(void)state;
	assert_int_equal(parse_hex(&m, "40011234f0"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "40011234f5aabbccddee"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "400112340f"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "400112341faabbccddeeaabbccddeeaabbccddee"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "40011234b16fb26162ff78"), 0);
}

static void a_marker_needs_a_payload(void **state)
{
	struct coap_msg m;

	(void)state;
	assert_int_equal(parse_hex(&m, "40011234ff"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "40011234b161ff"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "40011234b161ffff"), 0);
	assert_int_equal(m.payload_len, 1);
	assert_int_equal(m.payload[0], 0xff);
}

static void s2_option_numbers_end_at_65535(void **state)
{
	struct coap_option o;
	struct coap_msg m;

	(void)state;
	assert_int_equal(parse_hex(&m, "40011234e0fef2"), 0); /* 269 + 65266 */
	assert_true(coap_option_find(&m, 65535, &o));
	assert_int_equal(parse_hex(&m, "40011234e0fef3"), -EBADMSG);   /* 65536 in one step */
	assert_int_equal(parse_hex(&m, "40011234e0ffff"), -EBADMSG);   /* 65804 */
	assert_int_equal(parse_hex(&m, "40011234e0fef210"), -EBADMSG); /* 65535 + 1 */
	assert_int_equal(parse_hex(&m, "40011234e0fef200"), 0);        /* a second 65535 */
	assert_int_equal(parse_hex(&m, "40011234e0fef2e0ffff"), -EBADMSG);
	assert_int_equal(parse_hex(&m, "40011234e0feece600000102030405"), -EBADMSG);
}

static void s2_an_option_above_65535_octets_is_malformed(void **state)
{
	static uint8_t data[70000] = { 0x40, 0x01, 0x12, 0x34, 0x0e };
	struct coap_msg m;

	(void)state;
	for (unsigned ext = 65535 - 269 - 2; ext <= 65535; ext++) {
		size_t len = 269 + ext, total = 7 + len;

		data[5] = (uint8_t)(ext >> 8);
		data[6] = (uint8_t)ext;
		assert_int_equal(coap_parse(&m, data, total), len > 65535 ? -EBADMSG : 0);
		assert_int_equal(coap_parse(&m, data, total - 1), -EBADMSG);
	}
}

static void s2_a_thousand_path_options_are_walked_once_each(void **state)
{
	uint8_t data[4 + 2000] = { 0x40, 0x01, 0x12, 0x34, 0xb1, 'a' };
	struct coap_options it;
	struct coap_option o;
	struct coap_msg m;
	unsigned n = 0;

	(void)state;
	for (size_t i = 6; i < sizeof data; i += 2) {
		data[i] = 0x01;
		data[i + 1] = 'a';
	}
	assert_int_equal(coap_parse(&m, data, sizeof data), 0);
	for (it = coap_options_of(&m); coap_option_next(&it, &o); n++)
		assert_int_equal(o.number, 11);
	assert_int_equal(n, 1000);
}

static size_t extension(unsigned nibble)
{
	return nibble == 13 ? 1 : nibble == 14 ? 2 : 0;
}

/* The length of a well-formed option, read apart from the code under test. */
static size_t option_size(const uint8_t *p)
{
	size_t head = 1 + extension(p[0] >> 4), len = p[0] & 15;

	if (len == 13)
		len = 13u + p[head];
	else if (len == 14)
		len = 269u + p[head] * 256u + p[head + 1];
	return head + extension(p[0] & 15) + len;
}

/* Marks where a message may end and still be one: behind the token, behind each option, in the payload. */
static void find_ends(const struct coap_msg *m, const uint8_t *data, size_t len, bool *may_end)
{
	size_t at = 4u + m->token_len, options_end = (size_t)(m->options - data) + m->options_len;

	memset(may_end, 0, len + 1);
	may_end[at] = true;
	while (at < options_end) {
		at += option_size(data + at);
		may_end[at] = true;
	}
	for (size_t i = at + 2; i <= len; i++)
		may_end[i] = true;
}

static void s1_every_truncation_is_refused_unless_it_is_a_message_itself(void **state)
{
	struct guarded g = guarded_open(OCTETS_MAX);
	bool may_end[OCTETS_MAX + 1];
	struct coap_msg m;

	(void)state;
	assert_true(VECTORS >= 30);
	for (size_t i = 0; i < VECTORS; i++) {
		struct octets in = octets_of_hex(vectors[i].hex);

		assert_int_equal(coap_parse(&m, in.data, in.len), 0);
		find_ends(&m, in.data, in.len, may_end);
		for (size_t cut = 0; cut <= in.len; cut++) {
			int err = coap_parse(&m, guarded_put(&g, in.data, cut), cut);

			assert_int_equal(err, cut < 4 ? -EPROTO : may_end[cut] ? 0 : -EBADMSG);
			if (cut >= 4)
				assert_int_equal(m.mid, in.data[2] << 8 | in.data[3]);
		}
	}
	guarded_close(&g);
}

static void s1_a_token_longer_than_the_rest_is_refused(void **state)
{
	struct guarded g = guarded_open(64);
	struct coap_msg m;

	(void)state;
	for (unsigned tkl = 0; tkl < 16; tkl++)
		for (size_t there = 0; there < tkl; there++) {
			uint8_t data[24] = { (uint8_t)(0x40 | tkl), COAP_GET, 0, 9 };

			assert_int_equal(coap_parse(&m, guarded_put(&g, data, 4 + there), 4 + there), -EBADMSG);
			assert_int_equal(m.mid, 9);
		}
	guarded_close(&g);
}

/* ---- building ---- */

static void deltas_and_lengths_at_every_border_round_trip(void **state)
{
	static const uint32_t border[] = { 0, 1, 12, 13, 14, 268, 269, 270, 65534, 65535 };
	static uint8_t buf[70000], value[65535];
	struct coap_builder b;
	struct coap_option o;
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof border / sizeof border[0]; i++)
		for (size_t j = 0; j < sizeof border / sizeof border[0]; j++) {
			struct coap_options it;
			long len;

			coap_build(&b, buf, sizeof buf, COAP_NON, COAP_POST, 7, (const uint8_t *)"t", 1);
			coap_build_option(&b, border[i], value, border[j]);
			coap_build_payload(&b, "x", 1);
			len = coap_build_end(&b);
			assert_true(len > 0);
			assert_int_equal(coap_parse(&m, buf, (size_t)len), 0);
			it = coap_options_of(&m);
			assert_true(coap_option_next(&it, &o));
			assert_int_equal(o.number, border[i]);
			assert_int_equal(o.len, border[j]);
			assert_false(coap_option_next(&it, &o));
			assert_int_equal(m.payload_len, 1);
		}
}

static void s4_a_buffer_too_small_by_any_amount_is_told_and_never_left(void **state)
{
	struct guarded g = guarded_open(OCTETS_MAX);
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct octets in = octets_of_hex(vectors[i].hex);

		assert_int_equal(coap_parse(&m, in.data, in.len), 0);
		for (size_t size = 0; size < in.len; size++)
			assert_int_equal(build_again(&m, g.end - size, size), -EMSGSIZE);
		assert_int_equal(build_again(&m, g.end - in.len, in.len), (long)in.len);
	}
	guarded_close(&g);
}

static void s4_a_message_above_64_kib_is_too_long(void **state)
{
	static const uint8_t query[255];
	static uint8_t buf[65536];
	struct coap_builder b;
	unsigned n = 0;

	(void)state;
	coap_build(&b, buf, sizeof buf, COAP_CON, COAP_POST, 1, NULL, 0);
	for (; coap_build_end(&b) > 0 && n < 1000; n++)
		coap_build_option(&b, 15, query, sizeof query);
	assert_int_equal(n, (65536 - 4) / 257 + 1);
	assert_int_equal(coap_build_end(&b), -EMSGSIZE);
}

static void what_cannot_be_encoded_fails_the_build(void **state)
{
	static const uint8_t big[65536];
	static uint8_t buf[70000];
	struct coap_builder b;

	(void)state;
	coap_build(&b, buf, sizeof buf, COAP_CON, COAP_GET, 1, (const uint8_t *)"123456789", 9);
	assert_int_equal(coap_build_end(&b), -EMSGSIZE);
	coap_build(&b, buf, sizeof buf, COAP_CON, COAP_GET, 1, NULL, 0);
	coap_build_option(&b, 11, "a", 1);
	coap_build_option(&b, 8, "b", 1); /* numbers must not fall */
	assert_int_equal(coap_build_end(&b), -EMSGSIZE);
	coap_build(&b, buf, sizeof buf, COAP_CON, COAP_GET, 1, NULL, 0);
	coap_build_option(&b, 65536, "b", 1);
	assert_int_equal(coap_build_end(&b), -EMSGSIZE);
	coap_build(&b, buf, sizeof buf, COAP_CON, COAP_GET, 1, NULL, 0);
	coap_build_option(&b, 11, big, sizeof big);
	assert_int_equal(coap_build_end(&b), -EMSGSIZE);
	coap_build(&b, buf, sizeof buf, COAP_CON, COAP_GET, 1, NULL, 0);
	coap_build_payload(&b, "x", 1);
	coap_build_option(&b, 60, NULL, 0); /* behind the payload */
	assert_int_equal(coap_build_end(&b), -EMSGSIZE);
}

static void integers_are_built_in_their_shortest_form(void **state)
{
	static const struct {
		uint32_t value;
		uint16_t len;
	} rows[] = { { 0, 0 },     { 1, 1 },     { 255, 1 },      { 256, 2 },
		     { 65535, 2 }, { 65536, 3 }, { 16777216, 4 }, { UINT32_MAX, 4 } };
	uint8_t buf[32];
	struct coap_builder b;
	struct coap_option o;
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		coap_build(&b, buf, sizeof buf, COAP_CON, COAP_GET, 1, NULL, 0);
		coap_build_uint(&b, 28, rows[i].value);
		assert_int_equal(coap_parse(&m, buf, (size_t)coap_build_end(&b)), 0);
		assert_true(coap_option_find(&m, 28, &o));
		assert_int_equal(o.len, rows[i].len);
		assert_int_equal(coap_option_uint(&o), rows[i].value);
	}
}

static void an_integer_of_five_octets_reads_as_the_largest(void **state)
{
	const struct coap_option o = { 28, 5, (const uint8_t *)"\0\0\0\0\1" };

	(void)state;
	assert_int_equal(coap_option_uint(&o), UINT32_MAX);
}

/* ---- streams ---- */

#define STREAM_MAX (80u * 1024)

static long stream_of(uint8_t *buf, size_t size, size_t body)
{
	static uint8_t payload[STREAM_MAX];

	/* body counts an empty option (11), marker and payload */
	if (body < 3)
		return coap_write_stream(buf, size, COAP_POST, (const uint8_t *)"tok", 3, (const uint8_t *)"\xb0\x00",
					 body, NULL, 0);
	return coap_write_stream(buf, size, COAP_POST, (const uint8_t *)"tok", 3, (const uint8_t *)"\xb0", 1, payload,
				 body - 2);
}

static void coap_11_stream_lengths_round_trip_at_every_border(void **state)
{
	static const struct {
		size_t body, head;
	} rows[] = { { 0, 2 },   { 1, 2 },     { 12, 2 },    { 13, 3 },   { 268, 3 },
		     { 269, 4 }, { 65804, 4 }, { 65805, 6 }, { 70000, 6 } };
	static uint8_t buf[STREAM_MAX];
	struct coap_msg m;
	size_t need;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t total = rows[i].head + 3 + rows[i].body;

		assert_int_equal(stream_of(buf, total - 1, rows[i].body), -EMSGSIZE);
		assert_int_equal(stream_of(buf, sizeof buf, rows[i].body), (long)total);
		assert_int_equal(coap_parse_stream(&m, buf, sizeof buf, sizeof buf, &need), (long)total);
		assert_int_equal(m.type, COAP_CON);
		assert_int_equal(m.mid, 0);
		assert_int_equal(m.code, COAP_POST);
		assert_int_equal(m.token_len, 3);
		assert_memory_equal(m.token, "tok", 3);
		assert_int_equal(m.options_len, rows[i].body ? 1 : 0);
		assert_int_equal(m.payload_len, rows[i].body > 2 ? rows[i].body - 2 : 0);
	}
}

static void coap_11_a_stream_cut_anywhere_asks_for_what_is_missing(void **state)
{
	static const size_t bodies[] = { 0, 1, 12, 13, 268, 269, 65804, 65805 };
	static uint8_t buf[STREAM_MAX];
	struct guarded g = guarded_open(STREAM_MAX);
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		size_t total = (size_t)stream_of(buf, sizeof buf, bodies[i]), step = total > 1000 ? 977 : 1, need;
		size_t known = total - 3 - bodies[i] -
			1; /* with this much the length is there: first octet and extension */

		for (size_t cut = 0; cut < total; cut += cut < 16 ? 1 : step) {
			const uint8_t *p = guarded_put(&g, buf, cut);

			assert_int_equal(coap_parse_stream(&m, p, cut, STREAM_MAX, &need), -EAGAIN);
			assert_true(need > cut && need <= total);
			if (cut >= known)
				assert_int_equal(need, total);
		}
		guarded_put(&g, buf, total);
		assert_int_equal(coap_parse_stream(&m, g.end - total, total, STREAM_MAX, &need), (long)total);
	}
	guarded_close(&g);
}

static void coap_11_a_thousand_pipelined_messages_come_out_in_order(void **state)
{
	static uint8_t buf[1000 * 40];
	size_t len = 0, at = 0, need;
	struct coap_msg m;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		const uint8_t token[2] = { (uint8_t)(i >> 8), (uint8_t)i };
		long n = coap_write_stream(buf + len, sizeof buf - len, COAP_GET, token, 2, (const uint8_t *)"\xb1\x61",
					   i % 2 ? 2 : 0, buf, i % 30);

		assert_true(n > 0);
		len += (size_t)n;
	}
	for (unsigned i = 0; i < 1000; i++) {
		long n = coap_parse_stream(&m, buf + at, len - at, 100, &need);

		assert_true(n > 0);
		assert_int_equal(m.token[0] << 8 | m.token[1], i);
		assert_int_equal(m.payload_len, i % 30);
		at += (size_t)n;
	}
	assert_int_equal(at, len);
}

static void a_stream_message_above_the_limit_is_known_from_its_header(void **state)
{
	static uint8_t buf[STREAM_MAX];
	size_t total = (size_t)stream_of(buf, sizeof buf, 65805), need;
	struct coap_msg m;

	(void)state;
	assert_int_equal(coap_parse_stream(&m, buf, 5, total - 1, &need), -EMSGSIZE);
	assert_int_equal(coap_parse_stream(&m, buf, 5, total, &need), -EAGAIN);
	assert_int_equal(coap_parse_stream(&m, buf, total, total - 1, &need), -EMSGSIZE);
	assert_int_equal(coap_parse_stream(&m, buf, total, total, &need), (long)total);
}

static void the_largest_stream_length_does_not_wrap(void **state)
{
	const uint8_t head[] = { 0xf0, 0xff, 0xff, 0xff, 0xff, COAP_GET };
	struct coap_msg m;
	size_t need;

	(void)state;
	assert_int_equal(coap_parse_stream(&m, head, sizeof head, 1u << 20, &need), -EMSGSIZE);
	assert_int_equal(coap_parse_stream(&m, head, sizeof head, SIZE_MAX, &need), -EAGAIN);
	assert_true(need == 6 + (size_t)UINT32_MAX + 65805);
}

static void coap_15_an_empty_stream_message_is_read_and_a_long_token_is_not(void **state)
{
	struct coap_msg m;
	size_t need;

	(void)state;
	assert_int_equal(coap_parse_stream(&m, (const uint8_t *)"\x00\x00", 2, 100, &need), 2);
	assert_int_equal(m.code, COAP_EMPTY);
	for (unsigned tkl = 9; tkl < 16; tkl++)
		assert_int_equal(coap_parse_stream(&m, (const uint8_t[]){ (uint8_t)tkl }, 1, 100, &need), -EBADMSG);
}

static void signalling_is_read_from_a_stream(void **state)
{
	const uint8_t csm[] = { 0x30, COAP_CSM, 0x22, 0x08, 0x00 };
	struct coap_option o;
	struct coap_msg m;
	size_t need;

	(void)state;
	assert_int_equal(coap_parse_stream(&m, csm, sizeof csm, 100, &need), sizeof csm);
	assert_int_equal(m.code, COAP_CSM);
	assert_true(coap_option_find(&m, 2, &o)); /* Max-Message-Size */
	assert_int_equal(coap_option_uint(&o), 2048);
}

static void a_malformed_body_ends_a_stream(void **state)
{
	struct coap_msg m;
	size_t need;

	(void)state;
	assert_int_equal(coap_parse_stream(&m, (const uint8_t *)"\x10\x01\xff", 3, 100, &need), -EBADMSG);
	assert_int_equal(coap_parse_stream(&m, (const uint8_t *)"\x10\x01\xf0", 3, 100, &need), -EBADMSG);
	/* the option reaches into the next message */
	assert_int_equal(coap_parse_stream(&m, (const uint8_t *)"\x10\x01\xb2\x61\x61\x61", 6, 100, &need), -EBADMSG);
	assert_int_equal(coap_parse_stream(&m, (const uint8_t *)"\x40\x01\xe0\xfe\xf3\x00", 6, 100, &need), -EBADMSG);
}

static void a_stream_message_that_cannot_be_written_is_refused(void **state)
{
	uint8_t buf[64];

	(void)state;
	assert_int_equal(
		coap_write_stream(buf, sizeof buf, COAP_GET, (const uint8_t *)"123456789", 9, NULL, 0, NULL, 0),
		-EMSGSIZE);
	assert_int_equal(coap_write_stream(buf, sizeof buf, COAP_GET, NULL, 0, NULL, 0, buf, SIZE_MAX), -EMSGSIZE);
	assert_int_equal(coap_write_stream(buf, 1, COAP_GET, NULL, 0, NULL, 0, NULL, 0), -EMSGSIZE);
	assert_int_equal(coap_write_stream(buf, 2, COAP_GET, NULL, 0, NULL, 0, NULL, 0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_is_the_same_after_parsing_and_building),
		cmocka_unit_test(parts_of_a_register_are_found),
		cmocka_unit_test(a_message_without_payload_has_none),
		cmocka_unit_test(coap_16_another_version_or_a_torn_header_is_silence),
		cmocka_unit_test(coap_16_reserved_classes_and_codes_out_of_place_are_told_apart),
		cmocka_unit_test(coap_15_token_length_9_to_15_is_malformed_and_leaves_type_and_id),
		cmocka_unit_test(an_empty_message_is_four_octets),
		cmocka_unit_test(nibble_15_is_only_a_marker),
		cmocka_unit_test(a_marker_needs_a_payload),
		cmocka_unit_test(s2_option_numbers_end_at_65535),
		cmocka_unit_test(s2_an_option_above_65535_octets_is_malformed),
		cmocka_unit_test(s2_a_thousand_path_options_are_walked_once_each),
		cmocka_unit_test(s1_every_truncation_is_refused_unless_it_is_a_message_itself),
		cmocka_unit_test(s1_a_token_longer_than_the_rest_is_refused),
		cmocka_unit_test(deltas_and_lengths_at_every_border_round_trip),
		cmocka_unit_test(s4_a_buffer_too_small_by_any_amount_is_told_and_never_left),
		cmocka_unit_test(s4_a_message_above_64_kib_is_too_long),
		cmocka_unit_test(what_cannot_be_encoded_fails_the_build),
		cmocka_unit_test(integers_are_built_in_their_shortest_form),
		cmocka_unit_test(an_integer_of_five_octets_reads_as_the_largest),
		cmocka_unit_test(coap_11_stream_lengths_round_trip_at_every_border),
		cmocka_unit_test(coap_11_a_stream_cut_anywhere_asks_for_what_is_missing),
		cmocka_unit_test(coap_11_a_thousand_pipelined_messages_come_out_in_order),
		cmocka_unit_test(a_stream_message_above_the_limit_is_known_from_its_header),
		cmocka_unit_test(the_largest_stream_length_does_not_wrap),
		cmocka_unit_test(coap_15_an_empty_stream_message_is_read_and_a_long_token_is_not),
		cmocka_unit_test(signalling_is_read_from_a_stream),
		cmocka_unit_test(a_malformed_body_ends_a_stream),
		cmocka_unit_test(a_stream_message_that_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
