/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_value.c - values of a Write, from JSON to what a device gets */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/command_inside.h"

struct row {
	const char *json, *type;
	enum niddgw_type registered;
	const char *want; /* NULL: none of the type */
};

static const struct row rows[] = {
	/* by the registry */
	{ "\"x\"", NULL, NIDDGW_STRING, "x" },
	{ "\"\"", NULL, NIDDGW_STRING, "" },
	{ "1", NULL, NIDDGW_STRING, NULL },
	{ "-5", NULL, NIDDGW_INTEGER, "-5" },
	{ "\"9223372036854775807\"", NULL, NIDDGW_INTEGER, "9223372036854775807" },
	{ "\"-9223372036854775808\"", NULL, NIDDGW_INTEGER, "-9223372036854775808" },
	{ "\"9223372036854775808\"", NULL, NIDDGW_INTEGER, NULL },
	{ "1.5", NULL, NIDDGW_INTEGER, NULL },
	{ "true", NULL, NIDDGW_INTEGER, NULL },
	{ "\"18446744073709551615\"", NULL, NIDDGW_UNSIGNED, "18446744073709551615" },
	{ "\"18446744073709551616\"", NULL, NIDDGW_UNSIGNED, NULL },
	{ "-1", NULL, NIDDGW_UNSIGNED, NULL },
	{ "\"-1\"", NULL, NIDDGW_UNSIGNED, NULL },
	{ "\"1 \"", NULL, NIDDGW_INTEGER, NULL },
	{ "\"1-2\"", NULL, NIDDGW_INTEGER, NULL },
	{ "\"-\"", NULL, NIDDGW_INTEGER, NULL },
	{ "\"\"", NULL, NIDDGW_INTEGER, NULL },
	{ "21.5", NULL, NIDDGW_FLOAT, "21.5" },
	{ "21", NULL, NIDDGW_FLOAT, "21" },
	{ "\"21\"", NULL, NIDDGW_FLOAT, NULL },
	{ "true", NULL, NIDDGW_BOOLEAN, "1" },
	{ "false", NULL, NIDDGW_BOOLEAN, "0" },
	{ "1", NULL, NIDDGW_BOOLEAN, NULL },
	{ "\"AQID\"", NULL, NIDDGW_OPAQUE, "\1\2\3" },
	{ "\"no base64\"", NULL, NIDDGW_OPAQUE, NULL },
	{ "1767225600", NULL, NIDDGW_TIME, "1767225600" },
	{ "\"2026-01-01T00:00:00Z\"", NULL, NIDDGW_TIME, "1767225600" },
	{ "\"yesterday\"", NULL, NIDDGW_TIME, NULL },
	{ "1.5", NULL, NIDDGW_TIME, NULL },
	{ "\"3:65535\"", NULL, NIDDGW_OBJLNK, "3:65535" },
	{ "\"3:65536\"", NULL, NIDDGW_OBJLNK, NULL },
	{ "\" 3: 1\"", NULL, NIDDGW_OBJLNK, NULL },
	{ "\"3\"", NULL, NIDDGW_OBJLNK, NULL },
	{ "\"3:1:2\"", NULL, NIDDGW_OBJLNK, NULL },
	{ "\"</3/0>\"", NULL, NIDDGW_CORELNK, "</3/0>" },
	/* by what it looks like, when nobody knows the resource */
	{ "\"x\"", NULL, NIDDGW_NONE, "x" },
	{ "7", NULL, NIDDGW_NONE, "7" },
	{ "0.1", NULL, NIDDGW_NONE, "0.1" },
	{ "true", NULL, NIDDGW_NONE, "1" },
	{ "null", NULL, NIDDGW_NONE, NULL },
	{ "[1]", NULL, NIDDGW_NONE, NULL },
	{ "{}", NULL, NIDDGW_NONE, NULL },
	/* by its word, which goes before both */
	{ "\"9\"", "int64", NIDDGW_NONE, "9" },
	{ "\"9\"", "uint64", NIDDGW_STRING, "9" },
	{ "\"AQID\"", "opaque", NIDDGW_STRING, "\1\2\3" },
	{ "9", "string", NIDDGW_INTEGER, NULL },
	{ "9", "blob", NIDDGW_INTEGER, NULL },
};

static long write_of(const struct row *r, uint8_t *out, size_t size, unsigned *format)
{
	json_t *v = json_loads(r->json, JSON_DECODE_ANY, NULL);
	long n;

	assert_non_null(v);
	n = command_value(v, r->type, r->registered, out, size, format);
	json_decref(v);
	return n;
}

static void each_value_is_written_as_its_type_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t out[64];
		unsigned format;
		long n = write_of(&rows[i], out, sizeof out, &format);

		if (!rows[i].want) {
			if (n != -EINVAL)
				fail_msg("%s as %s: %ld", rows[i].json, rows[i].type ? rows[i].type : "-", n);
			continue;
		}
		if (n != (long)strlen(rows[i].want) || memcmp(out, rows[i].want, (size_t)n) != 0)
			fail_msg("%s as %s: %ld", rows[i].json, rows[i].type ? rows[i].type : "-", n);
	}
}

static void octets_go_as_octets_and_the_rest_as_text(void **state)
{
	const struct row opaque = { "\"AQID\"", NULL, NIDDGW_OPAQUE, NULL }, text = { "1", NULL, NIDDGW_INTEGER, NULL };
	uint8_t out[64];
	unsigned format;

	(void)state;
	assert_int_equal(write_of(&opaque, out, sizeof out, &format), 3);
	assert_int_equal(format, 42);
	assert_int_equal(write_of(&text, out, sizeof out, &format), 1);
	assert_int_equal(format, 0);
}

static void what_does_not_fit_is_said(void **state)
{
	const struct row r = { "\"abcd\"", NULL, NIDDGW_STRING, NULL },
			 opaque = { "\"AQIDBA==\"", NULL, NIDDGW_OPAQUE, NULL };
	uint8_t out[3];
	unsigned format;

	(void)state;
	assert_int_equal(write_of(&r, out, sizeof out, &format), -EMSGSIZE);
	assert_int_equal(write_of(&opaque, out, sizeof out, &format), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_written_as_its_type_says),
		cmocka_unit_test(octets_go_as_octets_and_the_rest_as_text),
		cmocka_unit_test(what_does_not_fit_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
