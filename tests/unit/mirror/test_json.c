/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - what reports look like as JSON, as a table of the rules of the monitoring reference 2.1 and 2.3 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/random.h"
#include "base/sha256.h"
#include "mirror/json.h"

#define ARRIVAL_MS UINT64_C(1767323045678) /* 2026-01-02T03:04:05.678Z */

static struct report data_report(const struct niddgw_value *values, size_t n)
{
	return (struct report){ .kind = NIDDGW_RECORD_DATA,
				.arrival_ms = ARRIVAL_MS,
				.id = "01J9ZZZZZZZZZZZZZZZZZZZZZZ",
				.device = "meter-17",
				.ep = "urn:imei:350000000000001",
				.server = "srv-a",
				.unit_bytes = 87,
				.op = "notify",
				.path = "/3303/0",
				.format = "application/senml+cbor",
				.confirmed = 1,
				.values = values,
				.values_n = n };
}

static struct niddgw_value value_of(uint8_t type)
{
	return (struct niddgw_value){ .path = { 3303, 0, 5700 }, .path_len = 3, .type = type };
}

/* For tests that hold the same documents against their schemas: kind, tabulator, document; one a line. */
static void dump(const struct report *r, unsigned flags, const char *text)
{
	const char *file = getenv("NIDDGW_JSON_DUMP");
	FILE *f = file ? fopen(file, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s\t%s\n",
		r->kind == NIDDGW_RECORD_RAW        ? "dev-event-raw"
			: flags & NIDDGW_JSON_SENML ? "dev-event-data-senml"
						    : "dev-event-data",
		text);
	fclose(f);
}

static char *render(const struct report *r, unsigned flags)
{
	const long n = json_report(r, flags, NULL, 0);
	char *text;
	json_t *j;

	assert_true(n > 0);
	text = malloc((size_t)n + 1);
	assert_non_null(text);
	assert_int_equal(json_report(r, flags, text, (size_t)n + 1), n);
	assert_int_equal(strlen(text), n);
	j = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert_non_null(j); /* sound, and no member twice */
	json_decref(j);
	dump(r, flags, text);
	return text;
}

static void assert_rendered(const struct report *r, unsigned flags, const char *expected)
{
	char *text = render(r, flags);

	assert_string_equal(text, expected);
	free(text);
}

/* ---- whole documents ---- */

static void a_report_has_the_members_of_the_reference_in_their_order(void **state)
{
	struct niddgw_value v[2] = { value_of(NIDDGW_FLOAT), value_of(NIDDGW_INTEGER) };
	const struct report r = data_report(v, 2);

	(void)state;
	v[0].number = 21.5;
	v[0].object = "Temperature";
	v[0].resource = "Sensor Value";
	v[0].unit = "Cel";
	v[0].has_time = true;
	v[0].time_ms = ARRIVAL_MS - 678;
	v[1] = (struct niddgw_value){ .path = { 3, 0, 9 }, .path_len = 3, .type = NIDDGW_INTEGER, .integer = 95 };
	v[1].object = "Device";
	v[1].resource = "Battery Level";
	v[1].unit = "/100";
	assert_rendered(
		&r, 0,
		"{\"v\":1,\"ts\":\"2026-01-02T03:04:05.678Z\",\"id\":\"01J9ZZZZZZZZZZZZZZZZZZZZZZ\","
		"\"device\":\"meter-17\",\"ep\":\"urn:imei:350000000000001\",\"server\":\"srv-a\",\"op\":\"notify\","
		"\"unit_bytes\":87,\"path\":\"/3303/0\",\"format\":\"application/senml+cbor\",\"confirmed\":true,"
		"\"values\":[{\"path\":\"/3303/0/5700\",\"object\":\"Temperature\",\"resource\":\"Sensor Value\","
		"\"type\":\"float\",\"value\":21.5,\"unit\":\"Cel\",\"time\":\"2026-01-02T03:04:05.000Z\"},"
		"{\"path\":\"/3/0/9\",\"object\":\"Device\",\"resource\":\"Battery Level\",\"type\":\"integer\","
		"\"value\":95,\"unit\":\"/100\"}]}");
}

static void what_has_no_value_is_left_out_but_confirmed_may_be_null(void **state)
{
	struct report r = data_report(NULL, 0);

	(void)state;
	r.ep = r.server = r.format = NULL;
	r.confirmed = -1;
	assert_rendered(
		&r, 0,
		"{\"v\":1,\"ts\":\"2026-01-02T03:04:05.678Z\",\"id\":\"01J9ZZZZZZZZZZZZZZZZZZZZZZ\","
		"\"device\":\"meter-17\",\"op\":\"notify\",\"unit_bytes\":87,\"path\":\"/3303/0\",\"confirmed\":"
		"null,\"values\":[]}");
}

static void a_register_shows_its_links_and_no_values(void **state)
{
	static const struct report_link links[] = { { "/3/0", "Device", "1.2" }, { "/65533/0", NULL, NULL } };
	struct report r = data_report(NULL, 0);

	(void)state;
	r.op = "register";
	r.path = "/rd";
	r.format = "application/link-format";
	r.confirmed = 0;
	r.links = links;
	r.links_n = 2;
	assert_rendered(&r, 0,
			"{\"v\":1,\"ts\":\"2026-01-02T03:04:05.678Z\",\"id\":\"01J9ZZZZZZZZZZZZZZZZZZZZZZ\","
			"\"device\":\"meter-17\",\"ep\":\"urn:imei:350000000000001\",\"server\":\"srv-a\",\"op\":"
			"\"register\",\"unit_bytes\":87,\"path\":\"/rd\",\"format\":\"application/link-format\","
			"\"confirmed\":false,\"links\":[{\"path\":\"/3/0\",\"object\":\"Device\",\"ver\":\"1.2\"},"
			"{\"path\":\"/65533/0\"}],\"values\":[]}");
}

static struct report raw_report(const char *kind)
{
	return (struct report){ .kind = NIDDGW_RECORD_RAW,
				.arrival_ms = ARRIVAL_MS,
				.id = "01J9ZZZZZZZZZZZZZZZZZZZZZZ",
				.device = "m",
				.server = "srv-a",
				.unit_bytes = 87,
				.kind_word = kind };
}

#define RAW_HEAD "{\"v\":1,\"ts\":\"2026-01-02T03:04:05.678Z\",\"id\":\"01J9ZZZZZZZZZZZZZZZZZZZZZZ\",\"device\":\"m\","

static void a_raw_unit_shows_what_is_visible_of_it(void **state)
{
	struct report r = raw_report("oscore");
	const uint8_t kid[] = { 0x0a }, octets[] = { 0, 1, 2, 0xff };

	(void)state;
	r.has_coap = true;
	r.coap_type = "CON";
	r.coap_code = 2;
	r.coap_mid = 4711;
	r.coap_token_bytes = 4;
	r.coap_options[0] = 9;
	r.coap_options_n = 1;
	r.kid = kid;
	r.kid_len = 1;
	r.has_kid = r.has_kid_context = true;
	r.piv_bytes = 1;
	assert_rendered(&r, 0,
			RAW_HEAD "\"dir\":\"up\",\"bytes\":87,\"kind\":\"oscore\",\"server\":\"srv-a\",\"coap\":{"
				 "\"type\":\"CON\",\"code\":\"0.02\",\"mid\":4711,\"token_bytes\":4,\"options\":[9]},"
				 "\"oscore\":{\"piv_bytes\":1,\"kid\":\"0a\",\"kid_context\":\"\"},\"payload\":null}");
	r = raw_report("dtls");
	r.down = true;
	r.server = NULL;
	r.dtls_content_type = 22;
	r.dtls_epoch = 1;
	assert_rendered(&r, 0,
			RAW_HEAD "\"dir\":\"down\",\"bytes\":87,\"kind\":\"dtls\",\"dtls\":{\"content_type\":22,"
				 "\"epoch\":1},\"payload\":null}");
	r = raw_report("unknown");
	r.reason = "bad_utf8";
	r.payload = octets;
	r.payload_len = sizeof octets;
	assert_rendered(&r, 0,
			RAW_HEAD "\"dir\":\"up\",\"bytes\":87,\"kind\":\"unknown\",\"reason\":\"bad_utf8\","
				 "\"server\":\"srv-a\",\"payload\":null}");
	assert_rendered(&r, NIDDGW_JSON_RAW_PAYLOAD,
			RAW_HEAD "\"dir\":\"up\",\"bytes\":87,\"kind\":\"unknown\",\"reason\":\"bad_utf8\","
				 "\"server\":\"srv-a\",\"payload\":\"AAEC/w==\"}");
	assert_int_equal(json_report(&r, NIDDGW_JSON_SENML, NULL, 0), -EINVAL);
}

/* ---- one value ---- */

struct value_case {
	struct niddgw_value v;
	unsigned flags;
	const char *json, *senml; /* from "type" on; from the path on */
};

#define AT .path = { 1, 2, 3 }, .path_len = 3
#define TEXT(t, s)                                                                  \
	{                                                                           \
		AT, .type = (t), .data = (const uint8_t *)(s), .len = sizeof(s) - 1 \
	}

static const struct value_case cases[] = {
	{ { AT, .type = NIDDGW_NONE }, 0, "\"type\":\"none\"", NULL },
	{ TEXT(NIDDGW_STRING, "abc"), 0, "\"type\":\"string\",\"value\":\"abc\"", "\"vs\":\"abc\"" },
	{ TEXT(NIDDGW_STRING, ""), 0, "\"type\":\"string\",\"value\":\"\"", "\"vs\":\"\"" },
	{ TEXT(NIDDGW_STRING, "q\"b\\n\n\t\r\b\f\x01\x1f\x7f/"), 0,
	  "\"type\":\"string\",\"value\":\"q\\\"b\\\\n\\n\\t\\r\\b\\f\\u0001\\u001f\x7f/\"",
	  "\"vs\":\"q\\\"b\\\\n\\n\\t\\r\\b\\f\\u0001\\u001f\x7f/\"" },
	{ TEXT(NIDDGW_STRING, "a\0b"), 0, "\"type\":\"string\",\"value\":\"a\\u0000b\"", "\"vs\":\"a\\u0000b\"" },
	{ TEXT(NIDDGW_STRING, "\xc3\xa9\xf0\x9f\x98\x80"), 0,
	  "\"type\":\"string\",\"value\":\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"vs\":\"\xc3\xa9\xf0\x9f\x98\x80\"" },
	{ TEXT(NIDDGW_STRING, "\xff\xc3|\xed\xa0\x80"), 0,
	  "\"type\":\"string\",\"value\":\"\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
	  "\"vs\":\"\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ { AT, .type = NIDDGW_INTEGER, .integer = -7 }, 0, "\"type\":\"integer\",\"value\":-7", "\"v\":-7" },
	{ { AT, .type = NIDDGW_INTEGER, .integer = 9007199254740991 },
	  0,
	  "\"type\":\"integer\",\"value\":9007199254740991",
	  "\"v\":9007199254740991" },
	{ { AT, .type = NIDDGW_INTEGER, .integer = 9007199254740992 },
	  0,
	  "\"type\":\"int64\",\"value\":\"9007199254740992\"",
	  "\"vs\":\"9007199254740992\"" },
	{ { AT, .type = NIDDGW_INTEGER, .integer = -9007199254740992 },
	  0,
	  "\"type\":\"int64\",\"value\":\"-9007199254740992\"",
	  "\"vs\":\"-9007199254740992\"" },
	{ { AT, .type = NIDDGW_INTEGER, .integer = INT64_MIN },
	  0,
	  "\"type\":\"int64\",\"value\":\"-9223372036854775808\"",
	  "\"vs\":\"-9223372036854775808\"" },
	{ { AT, .type = NIDDGW_UNSIGNED, .uinteger = 7 }, 0, "\"type\":\"integer\",\"value\":7", "\"v\":7" },
	{ { AT, .type = NIDDGW_UNSIGNED, .uinteger = INT64_MAX },
	  0,
	  "\"type\":\"int64\",\"value\":\"9223372036854775807\"",
	  "\"vs\":\"9223372036854775807\"" },
	{ { AT, .type = NIDDGW_UNSIGNED, .uinteger = UINT64_MAX },
	  0,
	  "\"type\":\"uint64\",\"value\":\"18446744073709551615\"",
	  "\"vs\":\"18446744073709551615\"" },
	{ { AT, .type = NIDDGW_FLOAT, .number = 21.5 }, 0, "\"type\":\"float\",\"value\":21.5", "\"v\":21.5" },
	{ { AT, .type = NIDDGW_FLOAT, .number = NAN },
	  0,
	  "\"type\":\"float\",\"value\":null,\"flag\":\"nan\"",
	  "\"vs\":\"nan\"" },
	{ { AT, .type = NIDDGW_FLOAT, .number = INFINITY },
	  0,
	  "\"type\":\"float\",\"value\":null,\"flag\":\"inf\"",
	  "\"vs\":\"inf\"" },
	{ { AT, .type = NIDDGW_FLOAT, .number = -INFINITY },
	  0,
	  "\"type\":\"float\",\"value\":null,\"flag\":\"-inf\"",
	  "\"vs\":\"-inf\"" },
	{ { AT, .type = NIDDGW_BOOLEAN, .boolean = true }, 0, "\"type\":\"boolean\",\"value\":true", "\"vb\":true" },
	{ { AT, .type = NIDDGW_BOOLEAN }, 0, "\"type\":\"boolean\",\"value\":false", "\"vb\":false" },
	{ TEXT(NIDDGW_OPAQUE, "\xfb\xff\x00"), 0, "\"type\":\"opaque\",\"value\":\"+/8A\"", "\"vd\":\"-_8A\"" },
	{ TEXT(NIDDGW_OPAQUE, "a"), 0, "\"type\":\"opaque\",\"value\":\"YQ==\"", "\"vd\":\"YQ\"" },
	{ TEXT(NIDDGW_OPAQUE, "abc"), NIDDGW_JSON_OMIT_OPAQUE, "\"type\":\"opaque\",\"bytes\":3", NULL },
	{ { AT, .type = NIDDGW_TIME, .integer = 1767323045 },
	  0,
	  "\"type\":\"time\",\"value\":\"2026-01-02T03:04:05Z\",\"epoch\":1767323045",
	  "\"v\":1767323045" },
	{ { AT, .type = NIDDGW_TIME, .integer = -1 },
	  0,
	  "\"type\":\"time\",\"value\":\"1969-12-31T23:59:59Z\",\"epoch\":-1",
	  "\"v\":-1" },
	{ { AT, .type = NIDDGW_TIME, .integer = 951782400 },
	  0,
	  "\"type\":\"time\",\"value\":\"2000-02-29T00:00:00Z\",\"epoch\":951782400",
	  "\"v\":951782400" },
	{ { AT, .type = NIDDGW_TIME, .integer = 253402300799 },
	  0,
	  "\"type\":\"time\",\"value\":\"9999-12-31T23:59:59Z\",\"epoch\":253402300799",
	  "\"v\":253402300799" },
	{ { AT, .type = NIDDGW_TIME, .integer = 253402300800 },
	  0,
	  "\"type\":\"time\",\"epoch\":253402300800",
	  "\"v\":253402300800" },
	{ { AT, .type = NIDDGW_TIME, .integer = INT64_MIN },
	  0,
	  "\"type\":\"time\",\"epoch\":\"-9223372036854775808\"",
	  "\"vs\":\"-9223372036854775808\"" },
	{ { AT, .type = NIDDGW_OBJLNK, .link = { 65, 0 } },
	  0,
	  "\"type\":\"objlnk\",\"value\":\"65:0\"",
	  "\"vs\":\"65:0\"" },
	{ TEXT(NIDDGW_CORELNK, "</3>,</4>"), 0, "\"type\":\"corelnk\",\"value\":\"</3>,</4>\"",
	  "\"vs\":\"</3>,</4>\"" },
	{ { AT, .type = NIDDGW_TYPE_COUNT }, 0, "\"type\":\"none\"", NULL },
};

static void values_of_each_type_as_the_reference_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct report r = data_report(&cases[i].v, 1);
		char expected[256], *text = render(&r, cases[i].flags);

		snprintf(expected, sizeof expected, "\"values\":[{\"path\":\"/1/2/3\",%s}]}", cases[i].json);
		assert_non_null(strstr(text, "\"values\":"));
		assert_string_equal(strstr(text, "\"values\":"), expected);
		free(text);
	}
}

static void values_of_each_type_in_senml(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct report r = data_report(&cases[i].v, 1);
		char expected[256];

		snprintf(expected, sizeof expected, "[{\"bn\":\"meter-17\",\"bt\":1767323045.678%s%s}]",
			 cases[i].senml ? ",\"n\":\"/1/2/3\"," : "", cases[i].senml ? cases[i].senml : "");
		assert_rendered(&r, cases[i].flags | NIDDGW_JSON_SENML, expected);
	}
}

static void a_senml_pack_has_one_base_and_relative_times(void **state)
{
	struct niddgw_value v[3] = { value_of(NIDDGW_FLOAT), value_of(NIDDGW_INTEGER), value_of(NIDDGW_BOOLEAN) };
	struct report r = data_report(v, 3);

	(void)state;
	r.arrival_ms = 1767323045000;
	v[0].number = 1;
	v[0].unit = "Cel";
	v[0].has_time = true;
	v[0].time_ms = r.arrival_ms - 1500;
	v[1].has_time = true;
	v[1].time_ms = r.arrival_ms;
	v[2].path_len = 4;
	v[2].path[3] = 65535;
	assert_rendered(&r, NIDDGW_JSON_SENML,
			"[{\"bn\":\"meter-17\",\"bt\":1767323045,\"n\":\"/3303/0/5700\",\"u\":\"Cel\",\"v\":1,\"t\":-1."
			"5},"
			"{\"n\":\"/3303/0/5700\",\"v\":0},{\"n\":\"/3303/0/5700/65535\",\"vb\":false}]");
}

static void names_in_senml_are_of_its_alphabet_and_unique(void **state)
{
	static const struct {
		const char *device, *name;
	} names[] = {
		{ "meter_17", "meter_17" },  { "a b", "a_x20b" },
		{ "a_x20b", "a_x5Fx20b" },   { "m17@iot.example", "m17_x40iot.example" },
		{ "-x", "0_x2Dx" },          { "_", "0_x5F" },
		{ "\xc3\xa9", "0_xC3_xA9" }, { "urn:imei:3.5", "urn:imei:3.5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct report r = data_report(NULL, 0);
		char expected[128];

		r.device = names[i].device;
		snprintf(expected, sizeof expected, "[{\"bn\":\"%s\",\"bt\":1767323045.678}]", names[i].name);
		assert_rendered(&r, NIDDGW_JSON_SENML, expected);
	}
}

static void a_value_alone_is_the_text_of_its_member(void **state)
{
	static const struct niddgw_value text = TEXT(NIDDGW_STRING, "abc");
	static const struct niddgw_value none = { AT, .type = NIDDGW_NONE };
	char buf[8], object[64];

	(void)state;
	assert_int_equal(json_value(&text, 0, buf, sizeof buf), 5);
	assert_string_equal(buf, "\"abc\"");
	assert_int_equal(json_value(&none, 0, buf, sizeof buf), 4);
	assert_string_equal(buf, "null");
	assert_int_equal(json_value(&text, 0, buf, 5), 5); /* does not fit: only the length is good */
	assert_int_equal(json_value(&text, NIDDGW_JSON_OBJECT, object, sizeof object), 47);
	assert_string_equal(object, "{\"path\":\"/1/2/3\",\"type\":\"string\",\"value\":\"abc\"}");
	assert_int_equal(json_text("a\"b", 3, buf, sizeof buf), 6);
	assert_string_equal(buf, "\"a\\\"b\"");
}

/* ---- bounds ---- */

static struct niddgw_value long_value(uint8_t type, const uint8_t *data, size_t len)
{
	struct niddgw_value v = value_of(type);

	v.data = data;
	v.len = len;
	return v;
}

static void a_value_above_the_cap_becomes_its_digest(void **state)
{
	static uint8_t data[JSON_VALUE_MOST];
	char expected[256], hex[65];
	uint8_t digest[32];

	(void)state;
	memset(data, 'x', sizeof data);
	for (unsigned at_limit = 0; at_limit < 2; at_limit++) {
		const size_t len = JSON_VALUE_MOST - 2 + 1 - at_limit;
		const struct niddgw_value v = long_value(NIDDGW_STRING, data, len);
		const long n = json_value(&v, 0, NULL, 0);

		sha256(digest, data, len);
		for (unsigned i = 0; i < 32; i++)
			snprintf(hex + 2 * i, 3, "%02x", digest[i]);
		snprintf(expected, sizeof expected, "{\"truncated\":true,\"bytes\":%zu,\"sha256\":\"%s\"}", len, hex);
		assert_int_equal(n, at_limit ? JSON_VALUE_MOST : (long)strlen(expected));
	}
}

static void several_large_values_are_replaced_until_the_whole_fits(void **state)
{
	static uint8_t data[40000];
	const struct niddgw_value v[] = { long_value(NIDDGW_STRING, data, 40000),
					  long_value(NIDDGW_OPAQUE, data, 20000),
					  long_value(NIDDGW_STRING, data, 100) };
	const struct report r = data_report(v, 3);
	char *text;

	(void)state;
	memset(data, 'y', sizeof data);
	text = render(&r, 0);
	assert_true(strlen(text) <= JSON_VALUE_MOST);
	assert_non_null(strstr(text, "\"bytes\":40000"));
	assert_null(strstr(text, "\"bytes\":20000")); /* it fits when the largest is gone */
	free(text);
	text = render(&r, NIDDGW_JSON_SENML);
	assert_true(strlen(text) <= JSON_VALUE_MOST);
	assert_non_null(strstr(text, "\"vd\":"));
	free(text);
}

static void no_buffer_is_overrun_whatever_its_size(void **state)
{
	const struct report r = data_report(&cases[3].v, 1);
	const long whole = json_report(&r, 0, NULL, 0);
	char buf[1024];

	(void)state;
	for (size_t size = 0; size <= (size_t)whole; size++) {
		memset(buf, '#', sizeof buf);
		assert_int_equal(json_report(&r, 0, buf, size), whole);
		for (size_t i = size; i < sizeof buf; i++)
			assert_int_equal(buf[i], '#');
	}
}

/* ---- numbers ---- */

static void numbers_are_short(void **state)
{
	static const struct {
		double v;
		const char *text;
	} numbers[] = {
		{ 0, "0" },
		{ -0.0, "-0.0" },
		{ 1, "1" },
		{ -21.5, "-21.5" },
		{ 0.1, "0.1" },
		{ 0.3, "0.3" },
		{ 100, "100" },
		{ 1e15, "1000000000000000" },
		{ 1e22, "1e+22" },
		{ 1e-7, "0.0000001" },
		{ 1e-12, "1e-12" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 5e-324, "4.94065645841247e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 23.45, "23.45" },
		{ 9007199254740991.0, "9007199254740991" },
		{ 9007199254740993.0, "9.00719925474099e+15" },
	};
	char buf[JSON_DOUBLE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const size_t n = json_double(buf, numbers[i].v);

		assert_int_equal(n, strlen(buf));
		if (numbers[i].v != 9007199254740993.0 && numbers[i].v != 5e-324)
			assert_string_equal(buf, numbers[i].text);
		assert_true(strtod(buf, NULL) == numbers[i].v);
	}
}

static void every_number_reads_back_as_itself(void **state)
{
	char buf[JSON_DOUBLE_SIZE];

	(void)state;
	random_seed(42);
	for (int i = 0; i < 200000; i++) {
		uint64_t bits;
		double v;

		random_bytes(&bits, sizeof bits);
		memcpy(&v, &bits, sizeof v);
		if (i % 2) /* and such as sensors report */
			v = (double)((int64_t)(bits % 2000001) - 1000000) /
				(double[]){ 1, 10, 100, 1000, 4096 }[bits % 5];
		if (!isfinite(v))
			continue;
		assert_true(json_double(buf, v) < JSON_DOUBLE_SIZE);
		assert_true(strtod(buf, NULL) == v);
	}
}

static void sha256_of_known_texts(void **state)
{
	static const struct {
		const char *text;
		uint8_t first, last;
	} known[] = {
		/* FIPS 180-4 examples and lengths around a block */
		{ "", 0xe3, 0x55 },
		{ "abc", 0xba, 0xad },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0x24, 0xc1 },
	};
	uint8_t digest[32];

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		sha256(digest, known[i].text, strlen(known[i].text));
		assert_int_equal(digest[0], known[i].first);
		assert_int_equal(digest[31], known[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_has_the_members_of_the_reference_in_their_order),
		cmocka_unit_test(what_has_no_value_is_left_out_but_confirmed_may_be_null),
		cmocka_unit_test(a_register_shows_its_links_and_no_values),
		cmocka_unit_test(a_raw_unit_shows_what_is_visible_of_it),
		cmocka_unit_test(values_of_each_type_as_the_reference_says),
		cmocka_unit_test(values_of_each_type_in_senml),
		cmocka_unit_test(a_senml_pack_has_one_base_and_relative_times),
		cmocka_unit_test(names_in_senml_are_of_its_alphabet_and_unique),
		cmocka_unit_test(a_value_alone_is_the_text_of_its_member),
		cmocka_unit_test(a_value_above_the_cap_becomes_its_digest),
		cmocka_unit_test(several_large_values_are_replaced_until_the_whole_fits),
		cmocka_unit_test(no_buffer_is_overrun_whatever_its_size),
		cmocka_unit_test(numbers_are_short),
		cmocka_unit_test(every_number_reads_back_as_itself),
		cmocka_unit_test(sha256_of_known_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
