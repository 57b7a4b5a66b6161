/* SPDX-License-Identifier: Apache-2.0 */
/* test_text.c - UTF-8 against RFC 3629 4 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"

/* The scalar value of a character of n octets that was found well formed. */
static uint32_t value_of(const uint8_t *p, size_t n)
{
	uint32_t v = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		v = v << 6 | (p[i] & 0x3f);
	return v;
}

static size_t encode(uint8_t *p, uint32_t v)
{
	if (v < 0x80) {
		p[0] = (uint8_t)v;
		return 1;
	}
	if (v < 0x800) {
		p[0] = (uint8_t)(0xc0 | v >> 6);
		p[1] = (uint8_t)(0x80 | (v & 63));
		return 2;
	}
	if (v < 0x10000) {
		p[0] = (uint8_t)(0xe0 | v >> 12);
		p[1] = (uint8_t)(0x80 | (v >> 6 & 63));
		p[2] = (uint8_t)(0x80 | (v & 63));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | v >> 18);
	p[1] = (uint8_t)(0x80 | (v >> 12 & 63));
	p[2] = (uint8_t)(0x80 | (v >> 6 & 63));
	p[3] = (uint8_t)(0x80 | (v & 63));
	return 4;
}

static void every_scalar_value_and_nothing_else_is_utf_8(void **state)
{
	uint8_t p[4];

	(void)state;
	for (uint32_t v = 0; v < 0x200000; v++) {
		const size_t n = encode(p, v);
		const bool scalar = v < 0x110000 && !(v >= 0xd800 && v < 0xe000);

		if (v >= 0x110000 && p[0] > 0xf7)
			break;
		assert_int_equal(text_utf8(p, n), scalar ? n : 0);
		if (scalar) {
			assert_int_equal(value_of(p, n), v);
			assert_int_equal(n > 1 ? text_utf8(p, n - 1) : 0, 0);
		}
	}
}

static void overlong_and_broken_forms_are_refused(void **state)
{
	static const char *const bad[] = {
		"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
		"\x80",     "\xbf",     "\xff",         "\xc3\x28",     "\xe2\x82\x28",     "\xf4\x90\x80\x80"
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(text_utf8((const uint8_t *)bad[i], strlen(bad[i])), 0);
}

static void controls_are_not_printable(void **state)
{
	(void)state;
	assert_true(text_is_printable("a \xc3\xa4\xf0\x9f\x98\x80", 8));
	assert_true(text_is_printable("", 0));
	assert_false(text_is_printable("a\tb", 3));
	assert_false(text_is_printable("a\x7f", 2));
	assert_false(text_is_printable("\xc2\x9b", 2));
	assert_false(text_is_printable("\xe2\x80\xa8", 3));
}

static void escaping_cuts_between_characters(void **state)
{
	char buf[8];

	(void)state;
	text_escape(buf, sizeof buf, "abc\xffx");
	assert_string_equal(buf, "abc\\xff");
	text_escape(buf, sizeof buf, "abcd\xffx");
	assert_string_equal(buf, "abcd");
	text_escape(buf, sizeof buf, "abcdef\xc3\xa4");
	assert_string_equal(buf, "abcdef");
	text_escape(buf, 1, "a");
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scalar_value_and_nothing_else_is_utf_8),
		cmocka_unit_test(overlong_and_broken_forms_are_refused),
		cmocka_unit_test(controls_are_not_printable),
		cmocka_unit_test(escaping_cuts_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
