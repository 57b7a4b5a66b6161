/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - RFC 3339 and the clock that tests turn */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

static const struct {
	const char *text;
	uint64_t wall_ms;
} good[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-01-02T03:04:05.678Z", 1767323045678 },
	{ "2026-01-02t03:04:05.6z", 1767323045600 },
	{ "2026-01-02T03:04:05.678999999Z", 1767323045678 },
	{ "2026-01-02T03:04:05+02:30", 1767314045000 },
	{ "2026-01-02T03:04:05-00:30", 1767324845000 },
	{ "2000-02-29T00:00:00Z", 951782400000 },
	{ "2016-12-31T23:59:60Z", 1483228800000 },
	{ "9999-12-31T23:59:59.999Z", 253402300799999 },
};

static const char *const bad[] = {
	"",
	"2026-01-02",
	"2026-01-02T03:04:05",
	"2026-01-02T03:04Z",
	"2026-1-02T03:04:05Z",
	"2026-02-29T03:04:05Z",
	"2100-02-29T03:04:05Z",
	"2026-13-01T03:04:05Z",
	"2026-00-01T03:04:05Z",
	"2026-01-00T03:04:05Z",
	"2026-04-31T03:04:05Z",
	"2026-01-02T24:04:05Z",
	"2026-01-02T03:60:05Z",
	"2026-01-02T03:04:61Z",
	"2026-01-02T03:04:05.Z",
	"2026-01-02T03:04:05,5Z",
	"2026-01-02T03:04:05Zx",
	"2026-01-02T03:04:05+2:30",
	"2026-01-02T03:04:05+24:00",
	"2026-01-02T03:04:05+02:60",
	"2026-01-02T03:04:05 02:00",
	"2026-01-02 03:04:05Z",
	"1969-12-31T23:59:59Z",
	"1970-01-01T00:00:00+00:01",
	"+026-01-02T03:04:05Z",
};

static void date_times_of_rfc_3339_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		uint64_t wall_ms = 1;

		assert_int_equal(clock_parse(good[i].text, &wall_ms), 0);
		assert_int_equal(wall_ms, good[i].wall_ms);
	}
}

static void anything_else_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint64_t wall_ms = 1;

		assert_int_equal(clock_parse(bad[i], &wall_ms), -EBADMSG);
		assert_int_equal(wall_ms, 1);
	}
}

static void what_is_printed_reads_back(void **state)
{
	char buf[32];
	uint64_t back;

	(void)state;
	for (uint64_t t = 0; t < 253402300799999; t += 86399999777) {
		clock_format(buf, sizeof buf, t);
		assert_int_equal(clock_parse(buf, &back), 0);
		assert_int_equal(back, t);
	}
	clock_format(buf, sizeof buf, UINT64_MAX);
	assert_int_equal(strlen(buf), 24);
}

static void a_faked_clock_stands_still(void **state)
{
	uint64_t before;

	(void)state;
	before = clock_now_ms();
	assert_true(before > 0);
	assert_true(clock_wall_ms() > 1700000000000);
	clock_forget();
	assert_true(clock_now_ms() >= before);
	clock_fake(5, 7);
	clock_tick();
	assert_int_equal(clock_now_ms(), 5);
	assert_int_equal(clock_wall_ms(), 7);
	clock_forget();
	assert_int_equal(clock_now_ms(), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(date_times_of_rfc_3339_are_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(a_faked_clock_stands_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
