/* SPDX-License-Identifier: Apache-2.0 */
/* test_forward.c - how options cross from one leg to the other, src/coap/forward.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "coap/option.h"
#include "unit/coap/make.h"
#include "unit/coap/vectors.h"

/* in, crossed by c, has to be octet for octet what the expected list encodes to. */
static void check(uint8_t code, const struct coap_crossing *c, const struct opt *opts, size_t n,
		  const struct opt *expected, size_t expected_n)
{
	static uint8_t out[6000];
	struct coap_builder b;
	struct made in, want;

	make(&in, code, opts, n);
	make(&want, code, expected, expected_n);
	coap_build(&b, out, sizeof out, COAP_CON, code, 1, NULL, 0);
	coap_forward_options(&b, &in.m, c);
	coap_build_payload(&b, in.m.payload, in.m.payload_len);
	assert_int_equal(coap_build_end(&b), want.len);
	assert_memory_equal(out, want.data, (size_t)want.len);
}

static const struct coap_crossing north = { .request = true, .to_server = true };
static const struct coap_crossing south = { .request = true };
static const struct coap_crossing answer = { 0 };

static void every_vector_crosses_byte_for_byte(void **state)
{
	uint8_t out[OCTETS_MAX];
	struct coap_builder b;
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct octets in = octets_of_hex(vectors[i].hex);
		struct coap_crossing c = { 0 };
		struct coap_option o;

		assert_int_equal(coap_parse(&m, in.data, in.len), 0);
		c.request = coap_is_request(m.code);
		/* only servers observe, or ends under OSCORE */
		c.to_server = !c.request || !coap_option_find(&m, COAP_OBSERVE, &o) ||
			coap_option_find(&m, COAP_OSCORE, &o);
		coap_build(&b, out, sizeof out, m.type, m.code, m.mid, m.token, m.token_len);
		coap_forward_options(&b, &m, &c);
		coap_build_payload(&b, m.payload, m.payload_len);
		assert_int_equal(coap_build_end(&b), (long)in.len);
		assert_memory_equal(out, in.data, in.len);
	}
}

static void uri_host_and_port_go_north_unless_stripped_and_never_south(void **state)
{
	const struct coap_crossing strip = { .request = true, .to_server = true, .strip_uri_host = true };

	(void)state;
	check(COAP_GET, &north, OPTIONS(TEXT(3, "srv"), TEXT(7, "\x16\x33"), TEXT(11, "rd")),
	      OPTIONS(TEXT(3, "srv"), TEXT(7, "\x16\x33"), TEXT(11, "rd")));
	check(COAP_GET, &strip, OPTIONS(TEXT(3, "srv"), TEXT(7, "\x16\x33"), TEXT(11, "rd")), OPTIONS(TEXT(11, "rd")));
	check(COAP_GET, &south, OPTIONS(TEXT(3, "srv"), TEXT(6, ""), TEXT(7, "\x16\x33"), TEXT(11, "3")),
	      OPTIONS(TEXT(6, ""), TEXT(11, "3")));
}

static void max_age_of_a_response_loses_the_time_it_was_held(void **state)
{
	struct coap_crossing held = { .held_s = 50 };

	(void)state;
	check(COAP_CONTENT, &held, OPTIONS(TEXT(12, "p"), TEXT(14, "\x3c"), TEXT(60, "\1")),
	      OPTIONS(TEXT(12, "p"), TEXT(14, "\x0a"), TEXT(60, "\1")));
	check(COAP_CONTENT, &held, OPTIONS(TEXT(14, "\x01\x00\x00\x31")), OPTIONS(TEXT(14, "\xff\xff\xff")));
	check(COAP_CONTENT, &held, OPTIONS(TEXT(14, "\x31")), OPTIONS(BARE(14)));
	check(COAP_CONTENT, &held, OPTIONS(TEXT(12, "p")), OPTIONS(TEXT(12, "p"))); /* never added */
	check(COAP_CONTENT, &answer, OPTIONS(TEXT(14, "\0\0\x3c")), OPTIONS(TEXT(14, "\0\0\x3c")));
	held.held_s = UINT32_MAX;
	check(COAP_CONTENT, &held, OPTIONS(TEXT(14, "\xff\xff\xff\xfe"), TEXT(252, "e")),
	      OPTIONS(BARE(14), TEXT(252, "e")));
}

static void max_age_of_a_request_is_dropped(void **state)
{
	(void)state;
	check(COAP_GET, &south, OPTIONS(TEXT(11, "3"), TEXT(14, "\x3c"), TEXT(17, "p")),
	      OPTIONS(TEXT(11, "3"), TEXT(17, "p")));
}

static void max_age_of_an_oscore_message_passes_as_it_is(void **state)
{
	const struct coap_crossing held = { .held_s = 50 };

	(void)state;
	check(COAP_UNAUTHORIZED, &held, OPTIONS(BARE(9), BARE(14)), OPTIONS(BARE(9), BARE(14)));
	check(COAP_CHANGED, &held, OPTIONS(BARE(9), TEXT(14, "\x3c")), OPTIONS(BARE(9), TEXT(14, "\x3c")));
	check(COAP_POST, &north, OPTIONS(TEXT(9, "\x09\x01k"), TEXT(14, "\x3c")),
	      OPTIONS(TEXT(9, "\x09\x01k"), TEXT(14, "\x3c")));
}

static void observe_gets_another_value_only_when_asked_and_there(void **state)
{
	struct coap_crossing c = { .set_observe = true, .observe = 70000 };

	(void)state;
	check(COAP_CONTENT, &answer, OPTIONS(TEXT(6, "\0\x07"), TEXT(12, "p")),
	      OPTIONS(TEXT(6, "\0\x07"), TEXT(12, "p")));
	check(COAP_CONTENT, &c, OPTIONS(TEXT(6, "\x07"), TEXT(12, "p")),
	      OPTIONS(TEXT(6, "\x01\x11\x70"), TEXT(12, "p")));
	check(COAP_CONTENT, &c, OPTIONS(TEXT(12, "p")), OPTIONS(TEXT(12, "p")));
	c.observe = 0;
	check(COAP_CONTENT, &c, OPTIONS(TEXT(4, "e"), TEXT(6, "\x07")), OPTIONS(TEXT(4, "e"), BARE(6)));
	c.request = true;
	check(COAP_FETCH, &c, OPTIONS(TEXT(6, "\x01"), TEXT(9, "\x09\0k")), OPTIONS(BARE(6), TEXT(9, "\x09\0k")));
}

static void observe_of_a_device_stays_behind_unless_it_is_under_oscore(void **state)
{
	(void)state;
	check(COAP_GET, &north, OPTIONS(TEXT(4, "e"), BARE(6), TEXT(11, "t")), OPTIONS(TEXT(4, "e"), TEXT(11, "t")));
	check(COAP_GET, &north, OPTIONS(TEXT(6, "\x01"), TEXT(11, "t")), OPTIONS(TEXT(11, "t")));
	check(COAP_FETCH, &north, OPTIONS(BARE(6), TEXT(9, "\x09\0k")), OPTIONS(BARE(6), TEXT(9, "\x09\0k")));
}

static void queries_are_put_in_place_of_those_that_were_there(void **state)
{
	const struct coap_text two[] = { { "b=U", 3 }, { "ep=x", 4 } };
	const struct coap_crossing c = { .request = true, .to_server = true, .queries = two, .queries_n = 2 };
	const struct coap_crossing none = { .request = true, .to_server = true, .queries = two };

	(void)state;
	check(COAP_POST, &c,
	      OPTIONS(TEXT(11, "rd"), TEXT(12, "("), TEXT(15, "b=N"), TEXT(15, "lt=9"), TEXT(17, "p"),
		      TEXT(65000, "far")),
	      OPTIONS(TEXT(11, "rd"), TEXT(12, "("), TEXT(15, "b=U"), TEXT(15, "ep=x"), TEXT(17, "p"),
		      TEXT(65000, "far")));
	check(COAP_POST, &c, OPTIONS(TEXT(11, "rd"), TEXT(17, "p")),
	      OPTIONS(TEXT(11, "rd"), TEXT(15, "b=U"), TEXT(15, "ep=x"), TEXT(17, "p")));
	check(COAP_POST, &c, OPTIONS(TEXT(11, "rd")), OPTIONS(TEXT(11, "rd"), TEXT(15, "b=U"), TEXT(15, "ep=x")));
	check(COAP_POST, &none, OPTIONS(TEXT(11, "rd"), TEXT(15, "b=N"), TEXT(15, "lt=9"), TEXT(17, "p")),
	      OPTIONS(TEXT(11, "rd"), TEXT(17, "p")));
}

static void queries_of_an_oscore_message_or_a_response_stay(void **state)
{
	const struct coap_text one[] = { { "b=U", 3 } };
	const struct coap_crossing c = { .request = true, .to_server = true, .queries = one, .queries_n = 1 };
	const struct coap_crossing back = { .queries = one, .queries_n = 1 };

	(void)state;
	check(COAP_POST, &c, OPTIONS(TEXT(9, "\x09\0k"), TEXT(15, "b=N")),
	      OPTIONS(TEXT(9, "\x09\0k"), TEXT(15, "b=N")));
	check(COAP_POST, &c, OPTIONS(TEXT(9, "\x09\0k")), OPTIONS(TEXT(9, "\x09\0k")));
	check(COAP_CREATED, &back, OPTIONS(TEXT(8, "rd"), TEXT(8, "1")), OPTIONS(TEXT(8, "rd"), TEXT(8, "1")));
}

static void s4_a_query_above_255_octets_makes_the_message_too_long(void **state)
{
	static char text[300];
	struct coap_text one = { text, 256 };
	struct coap_crossing c = { .request = true, .queries = &one, .queries_n = 1 };
	uint8_t out[1000];
	struct coap_builder b;
	struct made in;

	(void)state;
	make(&in, COAP_POST, OPTIONS(TEXT(11, "rd")));
	for (; one.len >= 255; one.len--) {
		coap_build(&b, out, sizeof out, COAP_CON, COAP_POST, 1, NULL, 0);
		coap_forward_options(&b, &in.m, &c);
		if (one.len == 256)
			assert_int_equal(coap_build_end(&b), -EMSGSIZE);
		else
			assert_int_equal(coap_build_end(&b), 4 + 3 + 2 + 255);
	}
}

static void s4_longer_queries_and_hosts_are_told_as_too_long_and_never_leave_the_buffer(void **state)
{
	static char text[255];
	struct coap_text many[300];
	struct coap_crossing c = { .request = true, .to_server = true, .queries = many };
	static const size_t mtu[] = { 64, 128, 1358, 65536 };
	struct guarded g = guarded_open(65536);
	struct made in;

	(void)state;
	memset(text, 'e', sizeof text);
	for (size_t i = 0; i < 300; i++)
		many[i] = (struct coap_text){ text, sizeof text };
	make(&in, COAP_POST, OPTIONS(TEXT(3, "host.example"), TEXT(11, "rd"), TEXT(15, "lt=9"), TEXT(17, "p")));
	for (size_t i = 0; i < sizeof mtu / sizeof mtu[0]; i++)
		for (c.queries_n = 0; c.queries_n < 300; c.queries_n++) {
			size_t want = 4 + 13 + 3 + (c.queries_n ? c.queries_n * 257 : 0) + 2;
			struct coap_builder b;

			coap_build(&b, g.end - mtu[i], mtu[i], COAP_CON, COAP_POST, 1, NULL, 0);
			coap_forward_options(&b, &in.m, &c);
			assert_int_equal(coap_build_end(&b), want > mtu[i] ? -EMSGSIZE : (long)want);
		}
	guarded_close(&g);
}

static void what_is_left_out_changes_only_the_delta_behind_it(void **state)
{
	(void)state;
	/* No-Response of 2 octets is faulty, elective and unsafe; the far one behind it needs a longer delta */
	check(COAP_GET, &south,
	      OPTIONS(TEXT(11, "a"), TEXT(258, "\1\2"), TEXT(292, "t"), TEXT(65000, "f"), TEXT(65001, "g")),
	      OPTIONS(TEXT(11, "a"), TEXT(292, "t"), TEXT(65000, "f"), TEXT(65001, "g")));
	/* first, last and only option left out */
	check(COAP_GET, &south, OPTIONS(TEXT(3, "h"), TEXT(11, "a")), OPTIONS(TEXT(11, "a")));
	check(COAP_GET, &south, OPTIONS(TEXT(11, "a"), TEXT(14, "m")), OPTIONS(TEXT(11, "a")));
	check(COAP_GET, &south, OPTIONS(TEXT(14, "m")), NULL, 0);
	/* several in a row, and number 0 */
	check(COAP_GET, &south, OPTIONS(TEXT(0, "z"), TEXT(3, "h"), TEXT(7, "p"), TEXT(7, "q"), TEXT(8, "l")),
	      OPTIONS(TEXT(0, "z"), TEXT(8, "l")));
}

static void the_first_segments_of_a_path_are_left_out(void **state)
{
	const struct coap_crossing one = { .request = true, .to_server = true, .skip_path = 1 },
				   two = { .request = true, .to_server = true, .skip_path = 2 };

	(void)state;
	check(COAP_POST, &one, OPTIONS(TEXT(3, "h"), TEXT(11, "t"), TEXT(11, "rd"), TEXT(12, "("), TEXT(15, "ep=x")),
	      OPTIONS(TEXT(3, "h"), TEXT(11, "rd"), TEXT(12, "("), TEXT(15, "ep=x")));
	check(COAP_POST, &two, OPTIONS(TEXT(11, "t"), TEXT(11, "u"), TEXT(12, "(")), OPTIONS(TEXT(12, "(")));
	check(COAP_POST, &two, OPTIONS(TEXT(11, "t"), TEXT(11, "u")), NULL, 0);
	check(COAP_POST, &two, OPTIONS(TEXT(11, "t"), TEXT(60, "1")), OPTIONS(TEXT(60, "1")));
}

static void a_location_gets_segments_in_front_when_it_is_there(void **state)
{
	const struct coap_text segments[] = { { "t", 1 }, { "longer-than-twelve", 18 } };
	struct coap_crossing c = { .locations = segments, .locations_n = 2 };

	(void)state;
	check(COAP_CREATED, &c, OPTIONS(TEXT(8, "rd"), TEXT(8, "7f"), TEXT(20, "q")),
	      OPTIONS(TEXT(8, "t"), TEXT(8, "longer-than-twelve"), TEXT(8, "rd"), TEXT(8, "7f"), TEXT(20, "q")));
	check(COAP_CREATED, &c, OPTIONS(TEXT(4, "e"), TEXT(8, "rd"), TEXT(12, "(")),
	      OPTIONS(TEXT(4, "e"), TEXT(8, "t"), TEXT(8, "longer-than-twelve"), TEXT(8, "rd"), TEXT(12, "(")));
	check(COAP_CREATED, &c, OPTIONS(TEXT(4, "e"), TEXT(12, "(")), OPTIONS(TEXT(4, "e"), TEXT(12, "(")));
	c.request = true;
	check(COAP_POST, &c, OPTIONS(TEXT(8, "rd")), OPTIONS(TEXT(8, "rd")));
}

static void no_response_passes_in_a_request(void **state)
{
	(void)state;
	check(COAP_POST, &south, OPTIONS(TEXT(11, "a"), TEXT(258, "\2")), OPTIONS(TEXT(11, "a"), TEXT(258, "\2")));
}

/* ---- against the rules written the slow way ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool is_one_of(uint32_t n, const uint32_t *list, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (list[i] == n)
			return true;
	return false;
}

/* A sound, registered option that does not cross. */
static bool stays_behind(uint32_t n, const struct coap_crossing *c, bool oscore, bool edit)
{
	static const uint32_t never[] = { 19, 31, 35, 39, 235, 239 }, request_only[] = { 3, 7, 11, 15, 258 };

	if (is_one_of(n, never, 6) || (!c->request && is_one_of(n, request_only, 5)))
		return true;
	if (n == 3 || n == 7)
		return !c->to_server || c->strip_uri_host;
	if (n == 6)
		return c->request && c->to_server && !oscore;
	return n == 14 ? c->request && !oscore : n == 15 && edit;
}

static void build_crossed(struct coap_builder *b, const struct coap_option *o, const struct coap_crossing *c,
			  bool oscore)
{
	uint32_t value = coap_option_uint(o);

	if (o->number == 6 && c->set_observe)
		coap_build_uint(b, 6, c->observe);
	else if (o->number == 14 && c->held_s && !oscore)
		coap_build_uint(b, 14, value > c->held_s ? value - c->held_s : 0);
	else if (o->number == 16 && c->request)
		coap_build_uint(b, 16, value - 1);
	else
		coap_build_option(b, o->number, o->value, o->len);
}

static void build_queries(struct coap_builder *b, const struct coap_crossing *c)
{
	for (size_t i = 0; i < c->queries_n; i++)
		coap_build_option(b, 15, c->queries[i].p, c->queries[i].len);
}

/* One option at a time, each encoded anew. */
static void forward_slowly(struct coap_builder *b, const struct coap_msg *m, const struct coap_crossing *c)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	bool oscore = coap_option_find(m, COAP_OSCORE, &o), edit = c->queries && c->request && !oscore, put = !edit;
	uint32_t last = UINT32_MAX;

	for (; coap_option_next(&it, &o); last = o.number) {
		const struct coap_option_info *info = coap_option_lookup(o.number);
		bool sound = info && !coap_option_is_faulty(info, &o, o.number == last);

		if (!put && o.number >= 15) {
			build_queries(b, c);
			put = true;
		}
		if (!sound && !coap_option_unsafe(o.number))
			coap_build_option(b, o.number, o.value, o.len);
		else if (sound && !stays_behind(o.number, c, oscore, edit))
			build_crossed(b, &o, c, oscore);
	}
	if (!put)
		build_queries(b, c);
}

static uint32_t random_number(uint64_t *seed)
{
	static const uint32_t known[] = { 0,  1,  3,  4,   5,   6,   7,   8,    9,    11,    11,    12,    14,
					  15, 15, 16, 17,  19,  20,  21,  23,   27,   28,    31,    35,    39,
					  60, 65, 96, 235, 252, 258, 292, 2049, 2053, 65000, 65001, 65002, 65003 };

	return known[next_random(seed) % (sizeof known / sizeof known[0])];
}

static int by_number(const void *a, const void *b)
{
	const struct opt *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void a_hundred_thousand_messages_cross_as_by_the_slow_rules(void **state)
{
	static const char value[] = "\5\7abcdefghijklmnopqrstuvwxyz";
	const struct coap_text two[] = { { "b=U", 3 }, { "ep=x", 4 } };
	uint64_t seed = 0x9e3779b97f4a7c15u;
	uint8_t fast[2000], slow[2000];

	(void)state;
	for (unsigned round = 0; round < 100000; round++) {
		uint64_t bits = next_random(&seed);
		struct coap_crossing c = { .request = bits & 1,
					   .to_server = bits & 2,
					   .strip_uri_host = bits & 4,
					   .set_observe = bits & 8,
					   .held_s = bits & 16 ? 3 : 0,
					   .observe = (uint32_t)(bits >> 40),
					   .queries = bits & 32 ? two : NULL,
					   .queries_n = bits >> 6 & 2 };
		struct opt opts[12] = { { 0 } };
		size_t n = (bits >> 10) % 13;
		struct coap_builder a, b;
		struct made in;

		for (size_t i = 0; i < n; i++)
			opts[i] = (struct opt){ random_number(&seed), value,
						next_random(&seed) % 4 ? next_random(&seed) % 3 : 0 };
		qsort(opts, n, sizeof opts[0], by_number);
		make(&in, c.request ? COAP_POST : COAP_CONTENT, opts, n);
		coap_build(&a, fast, sizeof fast, COAP_CON, in.m.code, 1, NULL, 0);
		coap_build(&b, slow, sizeof slow, COAP_CON, in.m.code, 1, NULL, 0);
		coap_forward_options(&a, &in.m, &c);
		forward_slowly(&b, &in.m, &c);
		assert_int_equal(coap_build_end(&a), coap_build_end(&b));
		assert_memory_equal(fast, slow, (size_t)coap_build_end(&b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_crosses_byte_for_byte),
		cmocka_unit_test(uri_host_and_port_go_north_unless_stripped_and_never_south),
		cmocka_unit_test(max_age_of_a_response_loses_the_time_it_was_held),
		cmocka_unit_test(max_age_of_a_request_is_dropped),
		cmocka_unit_test(max_age_of_an_oscore_message_passes_as_it_is),
		cmocka_unit_test(observe_gets_another_value_only_when_asked_and_there),
		cmocka_unit_test(observe_of_a_device_stays_behind_unless_it_is_under_oscore),
		cmocka_unit_test(queries_are_put_in_place_of_those_that_were_there),
		cmocka_unit_test(queries_of_an_oscore_message_or_a_response_stay),
		cmocka_unit_test(s4_a_query_above_255_octets_makes_the_message_too_long),
		cmocka_unit_test(s4_longer_queries_and_hosts_are_told_as_too_long_and_never_leave_the_buffer),
		cmocka_unit_test(what_is_left_out_changes_only_the_delta_behind_it),
		cmocka_unit_test(the_first_segments_of_a_path_are_left_out),
		cmocka_unit_test(a_location_gets_segments_in_front_when_it_is_there),
		cmocka_unit_test(no_response_passes_in_a_request),
		cmocka_unit_test(a_hundred_thousand_messages_cross_as_by_the_slow_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
