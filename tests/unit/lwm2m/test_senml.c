/* SPDX-License-Identifier: Apache-2.0 */
/* test_senml.c - SenML and SenML-ETCH in JSON and CBOR, src/lwm2m/senml*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/lwm2m/rows.h"

static struct lwm2m_decode_in like = { .arrival_us = ARRIVAL_US };

#define CBOR(name, hex, want)                              \
	{                                                  \
		name, LWM2M_CF_SENML_CBOR, NULL, hex, want \
	}
#define JSON(name, text, want)                              \
	{                                                   \
		name, LWM2M_CF_SENML_JSON, NULL, text, want \
	}
#define ONE "/3/0/9 integer 1\n"

/* ---- RFC 8428: one record, several, bases, sums ---- */

static void packs_as_the_rfc_shows_them(void **state)
{
	static const struct row rows[] = {
		JSON("one value with its unit", "[{\"n\":\"/3303/0/5700\",\"u\":\"Cel\",\"v\":23.1}]",
		     "/3303/0/5700 float 23.1 Cel\n"),
		JSON("several under one base name",
		     "[{\"bn\":\"/3303/0/\",\"n\":\"5700\",\"u\":\"Cel\",\"v\":23.5},{\"n\":\"5701\",\"vs\":\"Cel\"}]",
		     "/3303/0/5700 float 23.5 Cel\n/3303/0/5701 string \"Cel\"\n"),
		JSON("a series with base time and unit",
		     "[{\"bn\":\"/3303/0/5700\",\"bt\":1.276020076001e+09,\"bu\":\"Cel\",\"bver\":5,\"v\":20.1},"
		     "{\"t\":-5,\"v\":21.2},{\"t\":-4,\"v\":22.3,\"u\":\"K\"}]",
		     "/3303/0/5700 float 20.1 Cel @1276020076.001000\n/3303/0/5700 float 21.2 Cel @1276020071.001000\n"
		     "/3303/0/5700 float 22.3 K @1276020072.001000\n"),
		CBOR("the same in CBOR",
		     "82a621682f333330332f302f221a4c0e856c006435373030016343656c02fb40378000000000000624a20064353730300"
		     "2fb4037c00000000000",
		     "/3303/0/5700 float 23.5 Cel @1276020071.000000\n/3303/0/5700 float 23.75 @1276020076.000000\n"),
		JSON("a base name in the middle",
		     "[{\"bn\":\"/3/0/\",\"n\":\"9\",\"v\":1},{\"bn\":\"/3303/0/"
		     "\",\"n\":\"5700\",\"v\":2},{\"n\":\"5701\",\"vs\":\"K\"}]",
		     "/3/0/9 integer 1\n/3303/0/5700 float 2\n/3303/0/5701 string \"K\"\n"),
		JSON("a name that is cut within a number", "[{\"bn\":\"/3303/0/57\",\"n\":\"00\",\"v\":1}]",
		     "/3303/0/5700 float 1\n"),
		JSON("a whole name in the base name", "[{\"bn\":\"/3/0/9\",\"v\":1}]", ONE),
		JSON("each kind of value",
		     "[{\"bn\":\"/33000/1/"
		     "\",\"n\":\"0\",\"v\":-1},{\"n\":\"1\",\"vs\":\"\\u00e4\\n\"},{\"n\":\"2\",\"vb\":false},"
		     "{\"n\":\"3\",\"vd\":\"aGkgCg\"},{\"n\":\"4\",\"vlo\":\"3:0\"}]",
		     "/33000/1/0 integer -1\n/33000/1/1 string \"\xc3\xa4\\x0a\"\n/33000/1/2 boolean false\n"
		     "/33000/1/3 opaque h'6869200a'\n/33000/1/4 objlnk 3:0\n"),
		JSON("a sum beside a value, and one alone", "[{\"bn\":\"/3303/0/5700\",\"v\":1,\"s\":10.5},{\"s\":11}]",
		     "/3303/0/5700 float 1 sum 10.5\n/3303/0/5700 none - sum 11\n"),
		CBOR("a base sum is added to all",
		     "82a421682f333330332f302f006435373030250a05fb4004000000000000a20064353730300203",
		     "/3303/0/5700 none - sum 12.5\n/3303/0/5700 float 3 sum 10\n"),
		JSON("an update time is passed over", "[{\"n\":\"/3/0/9\",\"v\":1,\"ut\":60}]", ONE),
		JSON("nothing at all", "[]", ""),
		CBOR("nothing at all", "80", ""),
		CBOR("everything of indefinite length", "9fbf007f662f332f302f39ff0201ffff", ONE),
		CBOR("names in chunks", "81a2007f632f332f62302f6139ff0201", "/3/0/9 integer 1\n"),
		JSON("blanks everywhere", " [ { \"n\" : \"/3/0/9\" , \"v\" : 1 } ] \r\n", ONE),
	};

	(void)state;
	RUN(&like, rows);
}

static void the_same_name_twice_is_a_series(void **state)
{
	static const struct row rows[] = {
		JSON("series", "[{\"n\":\"/3/0/9\",\"v\":1},{\"n\":\"/3/0/9\",\"v\":2}]",
		     "/3/0/9 integer 1\n/3/0/9 integer 2\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void base_values_are_added_without_loss(void **state)
{
	static const struct row rows[] = {
		CBOR("integers beyond 2^63, below, and with a fraction",
		     "83a421692f33333030312f302f241b7fffffffffffffff0061320201a20061310224a200613302fb3fe0000000000000",
		     "/33001/0/2 integer 9223372036854775808\n/33001/0/1 integer 9223372036854775802\n"
		     "/33001/0/3 float 9.223372036854776e+18\n"),
		CBOR("beyond 64 bits", "81a421692f33333030312f302f241b8000000000000000006132021b8000000000000000",
		     "!type"),
		JSON("of a fraction", "[{\"bn\":\"/3303/0/5700\",\"bv\":20.25,\"v\":1}]", "/3303/0/5700 float 21.25\n"),
		JSON("only numbers have one",
		     "[{\"bn\":\"/33001/0/\",\"bv\":20,\"n\":\"0\",\"vs\":\"x\"},{\"n\":\"4\",\"vb\":true}]",
		     "/33001/0/0 string \"x\"\n/33001/0/4 boolean true\n"),
		JSON("text is none", "[{\"bn\":\"/3/0/9\",\"bv\":\"1\",\"v\":1}]", "!type"),
		JSON("it counts until another one",
		     "[{\"bn\":\"/3/0/9\",\"bv\":10,\"v\":1},{\"v\":2},{\"bv\":0,\"v\":3}]",
		     "/3/0/9 integer 11\n/3/0/9 integer 12\n/3/0/9 integer 3\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void decimal_fractions_are_numbers(void **state)
{
	static const struct row rows[] = {
		CBOR("9e1, 215e-1, 950e-1",
		     "83a200662f332f302f3902c4820109a2006c2f333330332f302f3537303002c4822018d7a200662f332f302f3902c4822"
		     "01903b6",
		     "/3/0/9 integer 90\n/3303/0/5700 float 21.5\n/3/0/9 integer 95\n"),
		CBOR("three parts", "81a200662f332f302f3902c483010101", "!type"),
		CBOR("one part", "81a200662f332f302f3902c48101", "!type"),
		CBOR("an exponent beyond all", "81a200662f332f302f3902c4821903e701", "!type"),
		CBOR("a number of more than 64 bits", "81a200662f332f302f3902c249010000000000000000", "!type"),
	};

	(void)state;
	RUN(&like, rows);
}

/* ---- time ---- */

static void lwm2m_20_times_become_absolute_against_the_arrival(void **state)
{
	static const struct row rows[] = {
		CBOR("one relative, one absolute",
		     "82a3006c2f333330332f302f3537303002fb403580000000000006383ba3006c2f333330332f302f3537303002fb40368"
		     "00000000000061a6955b8"
		     "ff",
		     "/3303/0/5700 float 21.5 @1767225540.000000\n/3303/0/5700 float 22.5 @1767225599.000000\n"),
		JSON("none is given", "[{\"n\":\"/3/0/9\",\"v\":1}]", ONE),
		JSON("now is given", "[{\"n\":\"/3/0/9\",\"v\":1,\"t\":0}]", "/3/0/9 integer 1 @1767225600.000000\n"),
		JSON("a moment ago", "[{\"n\":\"/3/0/9\",\"v\":1,\"t\":-0.25}]",
		     "/3/0/9 integer 1 @1767225599.750000\n"),
		JSON("soon", "[{\"n\":\"/3/0/9\",\"v\":1,\"t\":10}]", "/3/0/9 integer 1 @1767225610.000000\n"),
		JSON("a relative base", "[{\"bn\":\"/3/0/9\",\"bt\":-100,\"v\":1},{\"t\":-20,\"v\":1}]",
		     "/3/0/9 integer 1 @1767225500.000000\n/3/0/9 integer 1 @1767225480.000000\n"),
		JSON("the sum decides what is relative",
		     "[{\"bn\":\"/3/0/9\",\"bt\":268435456,\"v\":1},{\"t\":-1,\"v\":1}]",
		     "/3/0/9 integer 1 @268435456.000000\n/3/0/9 integer 1 @2035661055.000000\n"),
		CBOR("a base time in decimal fractions",
		     "81a3216c2f333330332f302f3537303022c482221b0000019b76da81ea0201",
		     "/3303/0/5700 float 1 @1767225590.250000\n"),
		CBOR("a time with its tag", "81a3006c2f333330332f302f3537303006c11a6955b8f60201",
		     "/3303/0/5700 float 1 @1767225590.000000\n"),
		CBOR("a value that is a time", "81a2006a2f33333030312f302f3602c11a6955b900",
		     "/33001/0/6 time 1767225600\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void S9_times_beyond_all_are_clamped(void **state)
{
	static const struct row rows[] = {
		CBOR("1e18, -1e18, 1e18 as a double",
		     "83a300662f332f302f390201061b0de0b6b3a7640000a300662f332f302f390201063b0de0b6b3a763ffffa300662f332"
		     "f302f39020106fb43abc1"
		     "6d674ec800",
		     "/3/0/9 integer 1 @253402300799.999999\n/3/0/9 integer 1 @0.000000\n/3/0/9 integer 1 "
		     "@253402300799.999999\n"),
		CBOR("infinite ones", "82a300662f332f302f39020106f97c00a300662f332f302f39020106f9fc00",
		     "/3/0/9 integer 1 @253402300799.999999\n/3/0/9 integer 1 @0.000000\n"),
		CBOR("one that is no number", "81a300662f332f302f39020106f97e00", "!type"),
		JSON("18446744073709551615", "[{\"n\":\"/3/0/9\",\"v\":1,\"t\":18446744073709551615}]",
		     "/3/0/9 integer 1 @253402300799.999999\n"),
		JSON("text", "[{\"n\":\"/3/0/9\",\"v\":1,\"t\":\"now\"}]", "!type"),
	};

	(void)state;
	RUN(&like, rows);
}

/* ---- what is refused, and as a whole ---- */

static void S9_records_that_cannot_be_understood_take_the_report_with_them(void **state)
{
	static const struct row rows[] = {
		JSON("no name behind a good record", "[{\"n\":\"/3/0/9\",\"v\":1},{\"v\":1,\"n\":\"\"}]", "!format"),
		CBOR("no name at all", "81a10201", "!format"),
		CBOR("an instance is no value's name", "81a200642f332f300201", "!format"),
		JSON("five levels", "[{\"n\":\"/3/0/9/0/1\",\"v\":1}]", "!format"),
		JSON("a number too large", "[{\"n\":\"/3/0/65536\",\"v\":1}]", "!format"),
		JSON("a leading zero", "[{\"n\":\"/3/0/09\",\"v\":1}]", "!format"),
		JSON("a word", "[{\"n\":\"/3/0/x\",\"v\":1}]", "!format"),
		JSON("two slashes", "[{\"n\":\"/3//9\",\"v\":1}]", "!format"),
		CBOR("a name that is a number", "81a200050201", "!type"),
		CBOR("no value", "81a100662f332f302f39", "!format"),
		CBOR("two values", "81a300662f332f302f390201036178", "!format"),
		JSON("two values", "[{\"n\":\"/3/0/9\",\"v\":1,\"vb\":true}]", "!format"),
		JSON("a value twice", "[{\"n\":\"/3/0/9\",\"v\":1,\"v\":1}]", "!format"),
		JSON("a name twice", "[{\"n\":\"/3/0/9\",\"n\":\"/3/0/9\",\"v\":1}]", "!format"),
		JSON("an unknown label twice", "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":1,\"x\":1}]", "!format"),
		CBOR("a text for a number", "81a2006a2f33333030312f302f30026178", "!type"),
		CBOR("nothing for a number", "81a2006a2f33333030312f302f3002f6", "!type"),
		JSON("nothing for a number", "[{\"n\":\"/3/0/9\",\"v\":null}]", "!type"),
		JSON("a number for a text", "[{\"n\":\"/3/0/0\",\"vs\":1}]", "!type"),
		JSON("a number for a boolean", "[{\"n\":\"/3/0/0\",\"vb\":1}]", "!type"),
		JSON("no base64", "[{\"n\":\"/3/0/0\",\"vd\":\"a\"}]", "!type"),
		CBOR("no link", "81a263766c6f6178006a2f33333030312f302f37", "!type"),
		CBOR("a number for a link", "81a263766c6f05006a2f33333030312f302f37", "!type"),
		CBOR("a label that must be understood", "81a300662f332f302f39020162785f01", "!format"),
		JSON("a label that must be understood", "[{\"n\":\"/3/0/9\",\"v\":1,\"x_\":1}]", "!format"),
		CBOR("labels that mean nothing", "81a400662f332f302f39020161788201a161614262621863c5820102", ONE),
		JSON("labels that mean nothing", "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":[1,{\"a\":null}],\"_y\":\"\"}]",
		     ONE),
		CBOR("version 11", "81a3200b00662f332f302f390201", "!format"),
		CBOR("version 10", "81a3200a00662f332f302f390201", ONE),
		CBOR("version x", "81a320617800662f332f302f390201", "!type"),
		JSON("version -1", "[{\"bver\":-1,\"n\":\"/3/0/9\",\"v\":1}]", "!format"),
		CBOR("a record that is none", "8101", "!format"),
		CBOR("a record that is an array", "8180", "!format"),
		CBOR("a map of its own", "a0", "!format"),
		CBOR("something behind", "8000", "!format"),
		CBOR("nothing", "", "!truncated"),
		JSON("nothing", "", "!truncated"),
		CBOR("a record too few", "82a200662f332f302f390201", "!truncated"),
		CBOR("a pair cut in half", "81a200662f332f302f3902", "!truncated"),
		CBOR("a key without its value at a break", "81bf00662f332f302f3902ff", "!format"),
		CBOR("a text cut off", "81a200662f332f30", "!truncated"),
		JSON("cut in a number's place", "[{\"n\":\"/3/0/9\",\"v\":", "!truncated"),
		JSON("cut in a text", "[{\"n\":\"/3/0", "!truncated"),
		JSON("cut in a word", "[{\"n\":\"/3/0/9\",\"vb\":tru", "!truncated"),
		JSON("cut behind a record", "[{\"n\":\"/3/0/9\",\"v\":1}", "!truncated"),
		JSON("a comma too many", "[{\"n\":\"/3/0/9\",\"v\":1},]", "!format"),
		JSON("no comma", "[{\"n\":\"/3/0/9\",\"v\":1}{}]", "!format"),
		JSON("no quotes", "[{n:\"/3/0/9\",\"v\":1}]", "!format"),
		JSON("a leading zero in a number", "[{\"n\":\"/3/0/9\",\"v\":01}]", "!format"),
		JSON("a plus", "[{\"n\":\"/3/0/9\",\"v\":+1}]", "!format"),
		JSON("NaN is no JSON", "[{\"n\":\"/3/0/9\",\"v\":NaN}]", "!format"),
		JSON("beyond a double", "[{\"n\":\"/3/0/9\",\"v\":1e999}]", "!type"),
		JSON("an integer of 65 bits", "[{\"n\":\"/3/0/9\",\"v\":18446744073709551616}]", "!type"),
		JSON("half a surrogate pair", "[{\"n\":\"/3/0/0\",\"vs\":\"\\ud800\"}]", "!format"),
		JSON("a whole surrogate pair", "[{\"n\":\"/3/0/0\",\"vs\":\"\\ud83d\\ude00\"}]",
		     "/3/0/0 string \"\xf0\x9f\x98\x80\"\n"),
		JSON("an unknown escape", "[{\"n\":\"/3/0/0\",\"vs\":\"\\x\"}]", "!format"),
		JSON("a control character", "[{\"n\":\"/3/0/0\",\"vs\":\"\n\"}]", "!format"),
		JSON("not UTF-8", "[{\"n\":\"/3/0/0\",\"vs\":\"\xff\"}]", "!bad_utf8"),
		CBOR("not UTF-8", "81a200662f332f302f300361ff", "!bad_utf8"),
		CBOR("a unit that is not UTF-8", "81a300662f332f302f3902010161ff", "!bad_utf8"),
	};

	(void)state;
	RUN(&like, rows);
}

static void S9_a_base_name_of_10_kB_is_refused(void **state)
{
	static char text[10100];
	int n = snprintf(text, sizeof text, "[{\"bn\":\"/%010000d/0/\",\"n\":\"9\",\"v\":1}]", 3);

	(void)state;
	assert_string_equal(report_octets(&like, LWM2M_CF_SENML_JSON, NULL, text, (size_t)n), "!format");
}

static size_t pack_of(char *text, size_t size, unsigned records)
{
	size_t len = (size_t)snprintf(text, size, "[{\"bn\":\"/3/0/9\",\"v\":0}");

	for (unsigned i = 1; i < records; i++)
		len += (size_t)snprintf(text + len, size - len, ",{\"v\":%u}", i);
	return len + (size_t)snprintf(text + len, size - len, "]");
}

static void S9_a_thousand_records_are_taken_and_more_than_the_cap_are_not(void **state)
{
	static char text[32768];
	const char *got;

	(void)state;
	got = report_octets(&like, LWM2M_CF_SENML_JSON, NULL, text, pack_of(text, sizeof text, 1000));
	assert_non_null(strstr(got, "/3/0/9 integer 999\n"));
	got = report_octets(&like, LWM2M_CF_SENML_JSON, NULL, text,
			    pack_of(text, sizeof text, LWM2M_DECODE_VALUES_MAX));
	assert_non_null(strstr(got, "/3/0/9 integer 1023\n"));
	got = report_octets(&like, LWM2M_CF_SENML_JSON, NULL, text,
			    pack_of(text, sizeof text, LWM2M_DECODE_VALUES_MAX + 1));
	assert_string_equal(got, "!format");
}

static void records_deeper_than_the_cap_are_refused(void **state)
{
	static const struct row rows[] = {
		JSON("six in a label that means nothing", "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":[[[[[[0]]]]]]}]", ONE),
		JSON("seven", "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":[[[[[[[0]]]]]]]}]", "!depth"),
		CBOR("six", "81a300662f332f302f390201617881818181818100", ONE),
		CBOR("seven", "81a300662f332f302f39020161788181818181818100", "!depth"),
		CBOR("tags on tags", "81a200662f332f302f3902d820d820d820d820d820d820d820d820d82001", "!depth"),
		CBOR("tags on tags of what means nothing",
		     "81a300662f332f302f3902016178d820d820d820d820d820d820d820d820d82001", "!depth"),
	};

	(void)state;
	RUN(&like, rows);
}

/* ---- where the objects stand ---- */

static void names_lose_the_alternate_path(void **state)
{
	static const struct row rows[] = {
		JSON("below it", "[{\"bn\":\"/lwm2m/v1/3/0/\",\"n\":\"9\",\"v\":1}]", ONE),
		JSON("without it", "[{\"n\":\"/3/0/9\",\"v\":1}]", ONE),
		JSON("half of it", "[{\"n\":\"/lwm2m/3/0/9\",\"v\":1}]", "!format"),
		JSON("a gateway's device below it", "[{\"n\":\"/lwm2m/v1/d01/3/0/9\",\"v\":1}]",
		     "/d01/3/0/9 integer 1\n"),
		{ "LwM2M CBOR has none", LWM2M_CF_LWM2M_CBOR, NULL,
		  "a183030009"
		  "01",
		  ONE },
	};
	struct lwm2m_decode_in in = like;

	(void)state;
	in.base = (struct lwm2m_text){ "/lwm2m/v1", 9 };
	in.prefixes = true;
	RUN(&in, rows);
}

static void a_gateway_s_word_is_told_apart(void **state)
{
	static const struct row rows[] = {
		JSON("one word", "[{\"bn\":\"/d01/3/0/\",\"n\":\"9\",\"v\":1},{\"bn\":\"/3/0/9\",\"n\":\"\",\"v\":2}]",
		     "/d01/3/0/9 integer 1\n/3/0/9 integer 2\n"),
		JSON("two words", "[{\"n\":\"/a/b/3/0/9\",\"v\":1}]", "!format"),
		JSON("a word alone", "[{\"n\":\"/a\",\"v\":1}]", "!format"),
		JSON("a word with what no path has", "[{\"n\":\"/a b/3/0/9\",\"v\":1}]", "!format"),
	};

	static const struct row refused[] = {
		JSON("one word", "[{\"n\":\"/d01/3/0/9\",\"v\":1}]", "!format"),
		{ "one word", LWM2M_CF_LWM2M_CBOR, NULL, "a1846364303103000901", "!format" },
	};
	struct lwm2m_decode_in in = like;

	(void)state;
	in.prefixes = true;
	RUN(&in, rows);
	RUN(&like, refused); /* nobody may take them for the gateway's own */
}

/* ---- ETCH ---- */

static void bodies_of_composite_operations(void **state)
{
	static const struct row patch[] = {
		{ "null takes an instance away", LWM2M_CF_ETCH_JSON, NULL,
		  "[{\"n\":\"/3/0/6/1\",\"v\":null},{\"n\":\"/3/0/9\",\"v\":1}]", "/3/0/6/1 none -\n" ONE },
		{ "null takes an instance away", LWM2M_CF_ETCH_CBOR, NULL, "81a200682f332f302f362f3102f6",
		  "/3/0/6/1 none -\n" },
		{ "a patch has values", LWM2M_CF_ETCH_JSON, NULL, "[{\"n\":\"/3/0/9\"}]", "!format" },
	};
	static const struct row fetch[] = {
		{ "names", LWM2M_CF_ETCH_JSON, NULL, "[{\"n\":\"/3/0\"},{\"n\":\"/3303/0/5700\"},{\"n\":\"/4\"}]",
		  "/3/0 none -\n/3303/0/5700 none -\n/4 none -\n" },
		{ "names of 1.1", LWM2M_CF_SENML_CBOR, NULL, "82a100662f332f302f39a100662f342f302f32",
		  "/3/0/9 none -\n/4/0/2 none -\n" },
		{ "all", LWM2M_CF_SENML_JSON, NULL, "[{\"n\":\"/\"}]", "/ none -\n" },
	};
	struct lwm2m_decode_in in = like;

	(void)state;
	RUN(&in, patch);
	in.fetch = true;
	RUN(&in, fetch);
}

static int set_up(void **state)
{
	(void)state;
	like.registry = test_registry();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lwm2m_registry_free((struct lwm2m_registry *)(uintptr_t)like.registry);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packs_as_the_rfc_shows_them),
		cmocka_unit_test(the_same_name_twice_is_a_series),
		cmocka_unit_test(base_values_are_added_without_loss),
		cmocka_unit_test(decimal_fractions_are_numbers),
		cmocka_unit_test(lwm2m_20_times_become_absolute_against_the_arrival),
		cmocka_unit_test(S9_times_beyond_all_are_clamped),
		cmocka_unit_test(S9_records_that_cannot_be_understood_take_the_report_with_them),
		cmocka_unit_test(S9_a_base_name_of_10_kB_is_refused),
		cmocka_unit_test(S9_a_thousand_records_are_taken_and_more_than_the_cap_are_not),
		cmocka_unit_test(records_deeper_than_the_cap_are_refused),
		cmocka_unit_test(names_lose_the_alternate_path),
		cmocka_unit_test(a_gateway_s_word_is_told_apart),
		cmocka_unit_test(bodies_of_composite_operations),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
