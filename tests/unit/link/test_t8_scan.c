/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_scan.c - JSON read in place: what is refused, and what is found */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "link/t8/scan.h"

static struct t8_doc doc;

static int scan(const char *text)
{
	return t8_scan(&doc, text, strlen(text));
}

static void sound_texts_are_taken(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		" \t\r\n{ } \n",
		"[1,-1,0,-0,1.5,1e5,1E+5,1e-400,9223372036854775807,-9223372036854775808]",
		"{\"a\":{\"a\":[{\"a\":null}]},\"\":true,\"b\":false}",
		"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"]",
		"[\"\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\x7f\"]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(scan(texts[i]), 0);
}

static void unsound_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"1",
		"\"a\"",
		"null",
		"{",
		"[",
		"{]",
		"[}",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{1:1}",
		"{\"a\":1 \"b\":2}",
		"{}{}",
		"[]x",
		"\xef\xbb\xbf[]",
		"[01]",
		"[-]",
		"[+1]",
		"[1.]",
		"[.5]",
		"[1e]",
		"[1e+]",
		"[0x10]",
		"[NaN]",
		"[1e999]",
		"[-1e999]",
		"[9223372036854775808]",
		"[-9223372036854775809]",
		"[tru]",
		"[truex]",
		"[TRUE]",
		"['a']",
		"[\"a]",
		"[\"a\nb\"]",
		"[\"\\x\"]",
		"[\"\\\"]",
		"[\"\\u12\"]",
		"[\"\\u12g4\"]",
		"[\"\\u0000\"]",
		"[\"\\ud800\"]",
		"[\"\\ud800x\"]",
		"[\"\\ud800\\u0041\"]",
		"[\"\\udc00\"]",
		"[\"\\ud83d\\ude0\"]",
		"[\"\x80\"]",
		"[\"\xc0\xaf\"]",
		"[\"\xc1\xbf\"]",
		"[\"\xe0\x9f\xbf\"]",
		"[\"\xed\xa0\x80\"]",
		"[\"\xf0\x8f\xbf\xbf\"]",
		"[\"\xf4\x90\x80\x80\"]",
		"[\"\xf5\x80\x80\x80\"]",
		"[\"\xe2\x82\"]",
		"[\"\xe2\"",
		"// c\n[]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (scan(texts[i]) != -EBADMSG)
			fail_msg("taken: %s", texts[i]);
	assert_int_equal(t8_scan(&doc, "[\"a\0b\"]", 7), -EBADMSG);
	assert_int_equal(t8_scan(&doc, "[]\0", 3), -EBADMSG);
}

static void a_name_twice_is_refused_however_it_is_written(void **state)
{
	(void)state;
	assert_int_equal(scan("{\"data\":1,\"x\":2,\"data\":3}"), -EBADMSG);
	assert_int_equal(scan("{\"data\":1,\"d\\u0061ta\":3}"), -EBADMSG);
	assert_int_equal(scan("{\"\\u00e9\":1,\"\xc3\xa9\":3}"), -EBADMSG);
	assert_int_equal(scan("{\"a\":{\"b\":1,\"b\":2}}"), -EBADMSG);
	assert_int_equal(scan("{\"a\":{\"b\":1},\"b\":{\"b\":2},\"c\":[{\"b\":1},{\"b\":2}]}"), 0);
}

static void depth_and_number_of_values_are_bounded(void **state)
{
	static char text[8 * T8_SCAN_VALUES];
	size_t n = 0;

	(void)state;
	memset(text, '[', T8_SCAN_DEPTH);
	memset(text + T8_SCAN_DEPTH, ']', T8_SCAN_DEPTH);
	text[2 * T8_SCAN_DEPTH] = '\0';
	assert_int_equal(scan(text), 0);
	memset(text, '[', T8_SCAN_DEPTH + 1);
	memset(text + T8_SCAN_DEPTH + 1, ']', T8_SCAN_DEPTH + 1);
	text[2 * T8_SCAN_DEPTH + 2] = '\0';
	assert_int_equal(scan(text), -EMSGSIZE);
	memset(text, '[', sizeof text - 1);
	assert_int_equal(scan(text), -EMSGSIZE);
	for (int i = 0; i < T8_SCAN_VALUES - 1; i++)
		n += (size_t)sprintf(text + n, "%c0", i ? ',' : '[');
	strcpy(text + n, "]");
	assert_int_equal(scan(text), 0);
	strcpy(text + n, ",0]");
	assert_int_equal(scan(text), -EMSGSIZE);
}

static void members_are_found_and_decoded(void **state)
{
	const struct t8_value *v;
	char buf[16];
	int64_t n;

	(void)state;
	assert_int_equal(scan("{\"n\":-7,\"d\\u0061ta\":\"a\\u003d\\ud83d\\ude00\",\"o\":{\"p\":15},\"a\":[1,[2,3],4],"
			      "\"z\":null}"),
			 0);
	assert_true(t8_integer(&doc, t8_member(&doc, doc.v, "n"), -10, 10, &n));
	assert_int_equal(n, -7);
	assert_false(t8_integer(&doc, t8_member(&doc, doc.v, "n"), 0, 10, &n));
	v = t8_member(&doc, doc.v, "data");
	assert_null(t8_text_in_place(&doc, v));
	assert_int_equal(t8_text(&doc, v, buf, sizeof buf), 0);
	assert_string_equal(buf, "a=\xf0\x9f\x98\x80");
	assert_int_equal(t8_text(&doc, v, buf, 6), -EMSGSIZE); /* six octets and a NUL */
	assert_string_equal(buf, "");
	assert_int_equal(t8_text(&doc, v, buf, 7), 0);
	assert_true(t8_integer(&doc, t8_member(&doc, t8_member(&doc, doc.v, "o"), "p"), 0, 15, &n));
	v = t8_first(&doc, t8_member(&doc, doc.v, "a"));
	v = t8_next(&doc, v);
	assert_true(t8_is(v, T8_ARRAY));
	v = t8_next(&doc, v);
	assert_true(t8_integer(&doc, v, 4, 4, &n));
	assert_null(t8_next(&doc, v));
	assert_int_equal(t8_text(&doc, t8_member(&doc, doc.v, "z"), buf, sizeof buf), -ENOENT);
	assert_int_equal(t8_text(&doc, t8_member(&doc, doc.v, "none"), buf, sizeof buf), -ENOENT);
	assert_int_equal(t8_text(&doc, t8_member(&doc, doc.v, "n"), buf, sizeof buf), -EBADMSG);
	assert_null(t8_member(&doc, t8_member(&doc, doc.v, "a"), "a"));
	assert_null(t8_member(&doc, NULL, "a"));
	assert_null(t8_first(&doc, t8_member(&doc, doc.v, "z")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_texts_are_taken),
		cmocka_unit_test(unsound_texts_are_refused),
		cmocka_unit_test(a_name_twice_is_refused_however_it_is_written),
		cmocka_unit_test(depth_and_number_of_values_are_bounded),
		cmocka_unit_test(members_are_found_and_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
