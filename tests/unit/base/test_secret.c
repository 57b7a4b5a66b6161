/* SPDX-License-Identifier: Apache-2.0 */
/* test_secret.c - what is one line, and what is none */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/secret.h"

static char path[] = "/tmp/niddgw-secret-XXXXXX";

static long read_back(const char *text, size_t len, char *buf, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	return secret_read(path, buf, size);
}

static void one_line_is_taken_without_its_end(void **state)
{
	static const char *const lines[] = { "secret", "secret\n", "secret\r\n" };
	char buf[7];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(read_back(lines[i], strlen(lines[i]), buf, sizeof buf), 6);
		assert_string_equal(buf, "secret");
	}
	assert_int_equal(read_back(" a b\t\n", 6, buf, sizeof buf), 5);
	assert_string_equal(buf, " a b\t");
}

static void anything_else_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = { { "", 0 },       { "\n", 1 },   { " \t\n", 3 }, { "a\nb", 3 },
		    { "a\r\nb", 4 }, { "a\rb", 3 }, { "a\n\n", 3 }, { "a\0b", 3 } };
	const char zeros[8] = { 0 };
	char buf[8];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(read_back(bad[i].text, bad[i].len, buf, sizeof buf), -EBADMSG);
		assert_memory_equal(buf, zeros, sizeof buf);
	}
	assert_int_equal(secret_read("/tmp", buf, sizeof buf), -EBADMSG);
	assert_int_equal(secret_read("/nonexistent/x", buf, sizeof buf), -ENOENT);
}

static void what_does_not_fit_is_told(void **state)
{
	char buf[4];

	(void)state;
	assert_int_equal(read_back("abc\r\n", 5, buf, sizeof buf), 3);
	assert_int_equal(read_back("abcd", 4, buf, sizeof buf), -EMSGSIZE);
	assert_int_equal(read_back("abcd\n", 5, buf, sizeof buf), -EMSGSIZE);
	assert_int_equal(read_back("abcdefghijkl", 12, buf, sizeof buf), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_is_taken_without_its_end),
		cmocka_unit_test(anything_else_is_refused_and_leaves_nothing),
		cmocka_unit_test(what_does_not_fit_is_told),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
