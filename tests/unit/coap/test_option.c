/* SPDX-License-Identifier: Apache-2.0 */
/* test_option.c - what each option number means to a gateway, src/coap/option.c and its table together with forward.c
 *
 * The rows below are the project's reference (its table of options), written down apart from the code's own table.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "coap/option.h"
#include "unit/coap/make.h"
#include "unit/coap/vectors.h"

/* ---- the table, row by row ---- */

enum fate { SAME, GONE, LESS /* one off its value */ };

struct row {
	uint32_t number;
	const char *name;
	uint16_t least, most;
	bool repeatable;
	uint8_t request, response;    /* the code it is refused with, or 0 */
	enum fate north, south, back; /* a request to the server, a request to the device, a response */
};

#define PASSES 0, 0, SAME, SAME, SAME
#define NOT_IN_RESPONSES 0, COAP_BAD_GATEWAY
#define NEVER COAP_BAD_OPTION, COAP_BAD_GATEWAY, GONE, GONE, GONE
#define PROXY COAP_PROXYING_NOT_SUPPORTED, COAP_BAD_GATEWAY, GONE, GONE, GONE

static const struct row rows[] = {
	{ 1, "If-Match", 0, 8, true, PASSES },
	{ 3, "Uri-Host", 1, 255, false, NOT_IN_RESPONSES, SAME, GONE, GONE },
	{ 4, "ETag", 1, 8, true, PASSES },
	{ 5, "If-None-Match", 0, 0, false, PASSES },
	{ 6, "Observe", 0, 3, false, 0, 0, GONE, SAME, SAME }, /* what a device would observe does not come through */
	{ 7, "Uri-Port", 0, 2, false, NOT_IN_RESPONSES, SAME, GONE, GONE },
	{ 8, "Location-Path", 0, 255, true, PASSES },
	{ 9, "OSCORE", 0, 255, false, PASSES },
	{ 11, "Uri-Path", 0, 255, true, NOT_IN_RESPONSES, SAME, SAME, GONE },
	{ 12, "Content-Format", 0, 2, false, PASSES },
	{ 14, "Max-Age", 0, 4, false, 0, 0, GONE, GONE, SAME },
	{ 15, "Uri-Query", 0, 255, true, NOT_IN_RESPONSES, SAME, SAME, GONE },
	{ 16, "Hop-Limit", 1, 1, false, 0, 0, LESS, LESS, SAME },
	{ 17, "Accept", 0, 2, false, PASSES },
	{ 19, "Q-Block1", 0, 3, false, NEVER },
	{ 20, "Location-Query", 0, 255, true, PASSES },
	{ 21, "EDHOC", 0, 0, false, PASSES },
	{ 23, "Block2", 0, 3, false, PASSES },
	{ 27, "Block1", 0, 3, false, PASSES },
	{ 28, "Size2", 0, 4, false, PASSES },
	{ 31, "Q-Block2", 0, 3, true, NEVER },
	{ 35, "Proxy-Uri", 1, 1034, false, PROXY },
	{ 39, "Proxy-Scheme", 1, 255, false, PROXY },
	{ 60, "Size1", 0, 4, false, PASSES },
	{ 235, "Proxy-Cri", 1, 1023, false, PROXY },
	{ 239, "Proxy-Scheme-Number", 0, 3, false, PROXY },
	{ 252, "Echo", 1, 40, false, PASSES },
	{ 258, "No-Response", 0, 1, false, 0, 0, SAME, SAME, GONE },
	{ 292, "Request-Tag", 0, 8, true, PASSES },
	{ 2049, "OCF-Accept-Content-Format-Version", 0, 2, false, PASSES },
	{ 2053, "OCF-Content-Format-Version", 0, 2, false, PASSES },
};
#define ROWS (sizeof rows / sizeof rows[0])

static char filler[1100]; /* octets of 5 */

static const char *value_of(size_t len)
{
	memset(filler, 5, sizeof filler);
	assert_true(len <= sizeof filler);
	return filler;
}

static uint8_t refusal(uint8_t code, const struct opt *opts, size_t n, uint32_t *number)
{
	struct coap_view v;
	struct made in;

	make(&in, code, opts, n);
	coap_view(&v, &in.m, coap_is_request(code));
	*number = v.refused_option;
	return v.refuse;
}

/* How many options with this number come out, and the first of them. */
static unsigned crossed(struct coap_option *first, const struct opt *opts, size_t n, bool request, bool to_server,
			uint32_t number)
{
	const struct coap_crossing c = { .request = request, .to_server = to_server };
	static uint8_t out[6000];
	struct coap_builder b;
	struct coap_options it;
	struct coap_option o;
	struct coap_msg m;
	struct made in;
	unsigned found = 0;

	make(&in, request ? COAP_POST : COAP_CONTENT, opts, n);
	coap_build(&b, out, sizeof out, COAP_CON, in.m.code, 1, NULL, 0);
	coap_forward_options(&b, &in.m, &c);
	assert_int_equal(coap_parse(&m, out, (size_t)coap_build_end(&b)), 0);
	for (it = coap_options_of(&m); coap_option_next(&it, &o);)
		if (o.number == number && !found++)
			*first = o;
	return found;
}

static void check_fate(const struct row *row, enum fate fate, const struct opt *opts, size_t n, bool request,
		       bool to_server)
{
	size_t len = row->least;
	struct coap_option o;
	unsigned found = crossed(&o, opts, n, request, to_server, row->number);

	if (fate == GONE ? found != 0 : found != 1)
		fail_msg("%s: %u come out", row->name, found);
	if (fate == GONE)
		return;
	assert_int_equal(o.len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(o.value[i], fate == LESS ? 4 : 5);
}

static void each_row_is_judged_and_crosses_as_the_reference_says(void **state)
{
	uint32_t number;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		const struct opt one[] = { { r->number, value_of(r->least), r->least } };

		if (refusal(COAP_POST, one, 1, &number) != r->request ||
		    refusal(COAP_CONTENT, one, 1, &number) != r->response)
			fail_msg("%s is judged otherwise", r->name);
		check_fate(r, r->north, one, 1, true, true);
		check_fate(r, r->south, one, 1, true, false);
		check_fate(r, r->back, one, 1, false, true);
		check_fate(r, r->back, one, 1, false, false);
	}
}

static void each_row_is_judged_the_same_outside_an_oscore_message(void **state)
{
	uint32_t number;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		const struct opt mine = { r->number, value_of(r->least), r->least };
		const struct opt oscore = TEXT(COAP_OSCORE, "\x09\x01k");
		const struct opt two[] = { r->number < 9 ? mine : oscore, r->number < 9 ? oscore : mine };
		bool untouched = r->number == COAP_MAX_AGE || r->number == COAP_OBSERVE; /* the endpoints' own */

		if (r->number == COAP_OSCORE)
			continue;
		assert_int_equal(refusal(COAP_POST, two, 2, &number), r->request);
		assert_int_equal(refusal(COAP_CHANGED, two, 2, &number), r->response);
		check_fate(r, untouched ? SAME : r->north, two, 2, true, true);
		check_fate(r, untouched ? SAME : r->south, two, 2, true, false);
		check_fate(r, r->back, two, 2, false, true);
	}
}

/* The last of n options is faulty and so counts as unrecognised: what must happen follows from the bits of its number.
 */
static unsigned expected_after_fault(const struct row *r, enum fate fate, size_t n)
{
	if (!(r->number & 2))
		return (unsigned)n;
	return fate == GONE ? 0 : (unsigned)n - 1;
}

static void check_unrecognised(const struct row *r, const struct opt *opts, size_t n)
{
	bool critical = r->number & 1;
	uint32_t number;
	struct coap_option o;

	if (refusal(COAP_CONTENT, opts, n, &number) != (critical ? COAP_BAD_GATEWAY : 0))
		fail_msg("%s in a response, %zu of %zu octets", r->name, n, opts[n - 1].len);
	if (refusal(COAP_POST, opts, n, &number) != (critical ? COAP_BAD_OPTION : 0))
		fail_msg("%s in a request, %zu of %zu octets", r->name, n, opts[n - 1].len);
	assert_int_equal(number, critical ? r->number : 0);
	if (critical)
		return;
	assert_int_equal(crossed(&o, opts, n, true, true, r->number), expected_after_fault(r, r->north, n));
	assert_int_equal(crossed(&o, opts, n, false, false, r->number), expected_after_fault(r, r->back, n));
}

static void a_bad_length_counts_as_unrecognised(void **state)
{
	uint32_t number;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		struct opt o = { r->number, value_of(r->most + 1u), r->most + 1u };

		if (r->number == COAP_HOP_LIMIT)
			continue; /* has answers of its own */
		check_unrecognised(r, &o, 1);
		if (r->least) {
			o.len = r->least - 1u;
			check_unrecognised(r, &o, 1);
		}
		o.len = r->most;
		assert_int_equal(refusal(COAP_POST, &o, 1, &number), r->request);
	}
}

static void a_second_instance_counts_as_unrecognised_where_one_is_allowed(void **state)
{
	uint32_t number;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		const struct opt one = { r->number, value_of(r->least), r->least };
		const struct opt two[] = { one, one };

		if (r->repeatable)
			assert_int_equal(refusal(COAP_POST, two, 2, &number), r->request);
		else if (!r->request && !r->response)
			check_unrecognised(r, two, 2);
		else if (r->request != COAP_PROXYING_NOT_SUPPORTED)
			assert_int_equal(refusal(COAP_POST, two, 2, &number), COAP_BAD_OPTION);
	}
}

static void the_table_holds_each_registered_number_and_no_other(void **state)
{
	size_t row = 0;

	(void)state;
	for (uint32_t n = 0; n <= 65535; n++) {
		const struct coap_option_info *info = coap_option_lookup(n);

		if (row < ROWS && rows[row].number == n) {
			assert_non_null(info);
			assert_int_equal(info->number, n);
			assert_string_equal(info->name, rows[row].name);
			assert_int_equal(info->min_len, rows[row].least);
			assert_int_equal(info->max_len, rows[row].most);
			assert_int_equal(info->repeatable, rows[row].repeatable);
			row++;
		} else {
			assert_null(info);
		}
	}
	assert_int_equal(row, ROWS);
}

static void a_number_not_registered_is_judged_by_its_bits(void **state)
{
	uint32_t number;
	struct coap_option o;

	(void)state;
	for (uint32_t n = 0; n <= 65535; n++) {
		const struct opt one[] = { { n, "abc", 3 } };
		bool unsafe = n & 2;

		if (coap_option_lookup(n))
			continue;
		assert_int_equal(refusal(COAP_GET, one, 1, &number), unsafe ? COAP_BAD_OPTION : 0);
		assert_int_equal(refusal(COAP_CONTENT, one, 1, &number), unsafe ? COAP_BAD_GATEWAY : 0);
		assert_int_equal(number, unsafe ? n : 0);
		assert_int_equal(crossed(&o, one, 1, true, false, n), unsafe ? 0 : 1);
	}
}

/* ---- acceptance cases ---- */

static void coap_17_unknown_options_of_a_request_pass_when_safe_and_are_refused_when_not(void **state)
{
	struct coap_option o;
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(65001, "v")), &number), 0);
	assert_int_equal(crossed(&o, OPTIONS(TEXT(65001, "v")), true, false, 65001), 1);
	assert_memory_equal(o.value, "v", 1);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(65003, "v")), &number), COAP_BAD_OPTION);
	assert_int_equal(number, 65003);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(65002, "v")), &number), COAP_BAD_OPTION);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(65000, "v")), &number), 0);
	assert_int_equal(crossed(&o, OPTIONS(TEXT(65000, "v")), true, false, 65000), 1);
}

static void coap_18_unknown_options_of_a_response_pass_when_safe_and_are_5_02_when_not(void **state)
{
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_CONTENT, OPTIONS(TEXT(65003, "v")), &number), COAP_BAD_GATEWAY);
	assert_int_equal(refusal(COAP_CONTENT, OPTIONS(TEXT(65002, "v")), &number), COAP_BAD_GATEWAY);
	assert_int_equal(refusal(COAP_CONTENT, OPTIONS(TEXT(65001, "v")), &number), 0);
}

static void coap_19_any_number_of_critical_safe_options_passes(void **state)
{
	static const uint32_t numbers[] = { 9, 13, 21, 25, 29, 41, 45, 49, 53, 57, 61, 65 };
	struct opt opts[12] = { { 0 } };
	struct coap_option o;
	uint32_t number;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		opts[i] = (struct opt){ numbers[i], "a", numbers[i] == COAP_EDHOC ? 0 : 1 };
	assert_int_equal(refusal(COAP_GET, opts, 12, &number), 0);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(crossed(&o, opts, 12, true, false, numbers[i]), 1);
}

static void coap_20_an_etag_of_9_octets_passes_and_an_if_match_of_9_is_refused(void **state)
{
	struct coap_option o;
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(4, "123456789"), TEXT(11, "3")), &number), 0);
	assert_int_equal(crossed(&o, OPTIONS(TEXT(4, "123456789"), TEXT(11, "3")), true, false, 4), 1);
	assert_int_equal(o.len, 9);
	assert_int_equal(refusal(COAP_PUT, OPTIONS(TEXT(1, "123456789"), TEXT(11, "3")), &number), COAP_BAD_OPTION);
	assert_int_equal(number, COAP_IF_MATCH);
}

static void coap_21_a_second_uri_host_is_refused_and_a_second_etag_passes(void **state)
{
	struct coap_option o;
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(3, "a"), TEXT(3, "b")), &number), COAP_BAD_OPTION);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(4, "a"), TEXT(4, "b")), &number), 0);
	assert_int_equal(crossed(&o, OPTIONS(TEXT(4, "a"), TEXT(4, "b")), true, false, 4), 2);
}

static void coap_22_hop_limit_counts_down_and_ends(void **state)
{
	struct coap_option o;
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(16, "\x05")), &number), 0);
	assert_int_equal(crossed(&o, OPTIONS(TEXT(16, "\x05")), true, false, 16), 1);
	assert_int_equal(coap_option_uint(&o), 4);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(16, "\x01")), &number), COAP_HOP_LIMIT_REACHED);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(16, "\x00")), &number), COAP_BAD_REQUEST);
	assert_int_equal(refusal(COAP_GET, OPTIONS(BARE(16)), &number), COAP_BAD_REQUEST);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(16, "\x01\x00")), &number), COAP_BAD_REQUEST);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(16, "\x00\x05")), &number), COAP_BAD_REQUEST);
	assert_int_equal(number, COAP_HOP_LIMIT);
	assert_int_equal(refusal(COAP_CONTENT, OPTIONS(TEXT(16, "\x00")), &number),
			 0);                                                       /* nothing to count in a response */
	assert_int_equal(crossed(&o, OPTIONS(TEXT(11, "a")), true, false, 16), 0); /* never added */
}

static void coap_24_a_request_for_the_devices_own_links_passes_unchanged(void **state)
{
	const struct coap_crossing c = { .request = true };
	struct octets in = octets_of_vector("GET /.well-known/core");
	uint8_t out[64];
	struct coap_builder b;
	struct coap_view v;
	struct coap_msg m;

	(void)state;
	assert_int_equal(coap_parse(&m, in.data, in.len), 0);
	coap_view(&v, &m, true);
	assert_int_equal(v.refuse, 0);
	coap_build(&b, out, sizeof out, m.type, m.code, m.mid, m.token, m.token_len);
	coap_forward_options(&b, &m, &c);
	assert_int_equal(coap_build_end(&b), (long)in.len);
	assert_memory_equal(out, in.data, in.len);
}

static void coap_25_every_method_is_judged_alike(void **state)
{
	uint32_t number;

	(void)state;
	for (uint8_t code = 1; code < 32; code++) {
		assert_int_equal(refusal(code, OPTIONS(TEXT(11, "a"), TEXT(12, "\x70")), &number), 0);
		assert_int_equal(refusal(code, OPTIONS(TEXT(11, "a"), TEXT(65002, "")), &number), COAP_BAD_OPTION);
	}
}

static void coap_39_q_block_is_refused_and_block_is_not(void **state)
{
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_PUT, OPTIONS(TEXT(11, "5"), TEXT(19, "\x0e")), &number), COAP_BAD_OPTION);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(11, "5"), TEXT(31, "\x0e")), &number), COAP_BAD_OPTION);
	assert_int_equal(refusal(COAP_PUT, OPTIONS(TEXT(11, "5"), TEXT(27, "\x0e")), &number), 0);
}

static void the_first_fault_of_a_message_gives_the_answer(void **state)
{
	uint32_t number;

	(void)state;
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(35, "coap://a"), TEXT(65003, "")), &number),
			 COAP_PROXYING_NOT_SUPPORTED);
	assert_int_equal(number, COAP_PROXY_URI);
	assert_int_equal(refusal(COAP_GET, OPTIONS(TEXT(19, ""), TEXT(35, "coap://a")), &number), COAP_BAD_OPTION);
	assert_int_equal(number, COAP_Q_BLOCK1);
}

/* ---- the view ---- */

static void the_view_holds_what_stands_in_a_request(void **state)
{
	struct coap_view v;
	struct made in;

	(void)state;
	make(&in, COAP_FETCH,
	     OPTIONS(TEXT(3, "srv-a"), TEXT(6, "\x01"), TEXT(9, "\x09\x01k"), TEXT(11, "3303"), TEXT(11, "0"),
		     TEXT(12, "\x2d\x16"), TEXT(16, "\x07"), TEXT(23, "\x01\x26"), TEXT(27, "\x0e"), TEXT(252, "echo"),
		     TEXT(258, "\x02")));
	coap_view(&v, &in.m, true);
	assert_int_equal(v.refuse, 0);
	assert_true(v.oscore && v.has_observe && v.has_content_format && v.has_hop_limit && v.has_block2 &&
		    v.has_block1);
	assert_true(v.has_echo && v.has_no_response);
	assert_false(v.has_max_age);
	assert_int_equal(v.uri_host.len, 5);
	assert_memory_equal(v.uri_host.value, "srv-a", 5);
	assert_int_equal(v.oscore_value.len, 3);
	assert_int_equal(v.observe, 1);
	assert_int_equal(v.paths, 2);
	assert_memory_equal(v.path[0].value, "3303", 4);
	assert_int_equal(v.path[1].len, 1);
	assert_int_equal(v.content_format, 11542);
	assert_int_equal(v.hop_limit, 7);
	assert_int_equal(coap_block_num(v.block2), 0x12);
	assert_int_equal(coap_block_szx(v.block2), 6);
	assert_false(coap_block_more(v.block2));
	assert_true(coap_block_more(v.block1));
	assert_int_equal(v.no_response, 2);
}

static void the_view_of_a_message_without_options_is_empty(void **state)
{
	struct coap_view v, none = { 0 };
	struct coap_msg m;

	(void)state;
	assert_int_equal(coap_parse(&m, (const uint8_t *)"\x40\x45\x00\x01", 4), 0);
	memset(&v, 0xff, sizeof v);
	coap_view(&v, &m, false);
	assert_false(v.oscore || v.has_observe || v.has_max_age);
	assert_null(v.uri_host.value);
	assert_int_equal(v.refuse, none.refuse);
	assert_int_equal(v.paths, 0);
}

static void faulty_options_do_not_count_in_the_view(void **state)
{
	struct coap_view v;
	struct made in;

	(void)state;
	make(&in, COAP_CONTENT,
	     OPTIONS(TEXT(6, "\1\2\3\4"), TEXT(12, "\1\2\3"), TEXT(14, "\1\2\3\4\5"), TEXT(258, "\1\2")));
	coap_view(&v, &in.m, false);
	assert_int_equal(v.refuse, 0);
	assert_false(v.has_observe || v.has_content_format || v.has_max_age || v.has_no_response);
	make(&in, COAP_GET, OPTIONS(TEXT(6, "\1"), TEXT(6, "\0")));
	coap_view(&v, &in.m, true);
	assert_int_equal(v.observe, 1); /* the first counts */
}

static void hop_limit_longer_than_an_octet_reads_as_256(void **state)
{
	struct coap_view v;
	struct made in;

	(void)state;
	make(&in, COAP_GET, OPTIONS(TEXT(16, "\0\5")));
	coap_view(&v, &in.m, true);
	assert_true(v.has_hop_limit);
	assert_int_equal(v.hop_limit, 256);
}

static void s2_a_thousand_path_segments_are_counted_to_255(void **state)
{
	static struct opt opts[1000];
	struct coap_view v;
	struct made in;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		opts[i] = (struct opt){ COAP_URI_PATH, "seg", i == 7 ? 3 : 1 };
	make(&in, COAP_GET, opts, 1000);
	coap_view(&v, &in.m, true);
	assert_int_equal(v.refuse, 0);
	assert_int_equal(v.paths, 255);
	assert_int_equal(v.path[7].len, 3);
}

/* ---- blocks and texts ---- */

static void the_largest_block_that_fits_is_found(void **state)
{
	(void)state;
	assert_int_equal(coap_block_fit(1358, 60), 6);
	assert_int_equal(coap_block_fit(1084, 60), 6);
	assert_int_equal(coap_block_fit(1083, 60), 5);
	assert_int_equal(coap_block_fit(128, 60), 2);
	assert_int_equal(coap_block_fit(76, 60), 0);
	assert_int_equal(coap_block_fit(75, 60), -EMSGSIZE);
	assert_int_equal(coap_block_fit(10, 60), -EMSGSIZE);
	assert_int_equal(coap_block_size(7), 1024);
}

static void codes_are_written_as_people_read_them(void **state)
{
	char buf[5];

	(void)state;
	assert_string_equal(coap_code_text(buf, COAP_NOT_FOUND), "4.04");
	assert_string_equal(coap_code_text(buf, COAP_EMPTY), "0.00");
	assert_string_equal(coap_code_text(buf, COAP_CONTINUE), "2.31");
	assert_string_equal(coap_code_text(buf, 255), "7.31");
}

static void paths_are_written_on_one_line_and_cut(void **state)
{
	char buf[64];
	struct made in;

	(void)state;
	make(&in, COAP_GET, OPTIONS(TEXT(3, "host"), TEXT(11, "3303"), TEXT(11, "0"), TEXT(11, "5700"), TEXT(15, "q")));
	assert_string_equal(coap_path_text(buf, sizeof buf, &in.m), "/3303/0/5700");
	assert_string_equal(coap_path_text(buf, 12 + 4, &in.m), "/3303/0/5700");
	assert_string_equal(coap_path_text(buf, 12 + 3, &in.m), "/3303/0/570...");
	assert_string_equal(coap_path_text(buf, 4, &in.m), "...");
	assert_string_equal(coap_path_text(buf, 1, &in.m), "");
	make(&in, COAP_GET, OPTIONS(TEXT(15, "q")));
	assert_string_equal(coap_path_text(buf, sizeof buf, &in.m), "/");
	make(&in, COAP_GET, OPTIONS(TEXT(11, "a/b"), TEXT(11, ""), TEXT(11, "c\0 %\x7f\n")));
	assert_string_equal(coap_path_text(buf, sizeof buf, &in.m), "/a%2Fb//c%00%20%25%7F%0A");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_judged_and_crosses_as_the_reference_says),
		cmocka_unit_test(each_row_is_judged_the_same_outside_an_oscore_message),
		cmocka_unit_test(a_bad_length_counts_as_unrecognised),
		cmocka_unit_test(a_second_instance_counts_as_unrecognised_where_one_is_allowed),
		cmocka_unit_test(the_table_holds_each_registered_number_and_no_other),
		cmocka_unit_test(a_number_not_registered_is_judged_by_its_bits),
		cmocka_unit_test(coap_17_unknown_options_of_a_request_pass_when_safe_and_are_refused_when_not),
		cmocka_unit_test(coap_18_unknown_options_of_a_response_pass_when_safe_and_are_5_02_when_not),
		cmocka_unit_test(coap_19_any_number_of_critical_safe_options_passes),
		cmocka_unit_test(coap_20_an_etag_of_9_octets_passes_and_an_if_match_of_9_is_refused),
		cmocka_unit_test(coap_21_a_second_uri_host_is_refused_and_a_second_etag_passes),
		cmocka_unit_test(coap_22_hop_limit_counts_down_and_ends),
		cmocka_unit_test(coap_24_a_request_for_the_devices_own_links_passes_unchanged),
		cmocka_unit_test(coap_25_every_method_is_judged_alike),
		cmocka_unit_test(coap_39_q_block_is_refused_and_block_is_not),
		cmocka_unit_test(the_first_fault_of_a_message_gives_the_answer),
		cmocka_unit_test(the_view_holds_what_stands_in_a_request),
		cmocka_unit_test(the_view_of_a_message_without_options_is_empty),
		cmocka_unit_test(faulty_options_do_not_count_in_the_view),
		cmocka_unit_test(hop_limit_longer_than_an_octet_reads_as_256),
		cmocka_unit_test(s2_a_thousand_path_segments_are_counted_to_255),
		cmocka_unit_test(the_largest_block_that_fits_is_found),
		cmocka_unit_test(codes_are_written_as_people_read_them),
		cmocka_unit_test(paths_are_written_on_one_line_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
