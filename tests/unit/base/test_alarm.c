/* SPDX-License-Identifier: Apache-2.0 */
/* test_alarm.c - the table of what is wrong */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"

static char list[1024];

static void note(void *arg, const struct alarm *al)
{
	const size_t len = strlen(list);

	(void)arg;
	snprintf(list + len, sizeof list - len, "%s %s %s: %s (%s) x%u;", alarm_severity_names[al->severity], al->type,
		 al->source, al->text, al->action ? al->action : "-", (unsigned)al->count);
}

static const char *listed(const struct alarms *a)
{
	list[0] = '\0';
	alarms_each(a, note, NULL);
	return list;
}

static void raising_again_counts_and_changes_the_text(void **state)
{
	struct alarms *a;

	(void)state;
	assert_int_equal(alarms_new(&a, 10), 0);
	alarm_raise(a, ALARM_MAJOR, "t8.unreachable", "op-a", "refused", "look at the peer");
	alarm_raise(a, ALARM_MINOR, "t8.unreachable", "op-b", "refused", NULL);
	alarm_raise(a, ALARM_CRITICAL, "t8.unreachable", "op-a", "timeout", NULL);
	assert_int_equal(alarms_count(a), 2);
	assert_string_equal(listed(a),
			    "critical t8.unreachable op-a: timeout (-) x2;minor t8.unreachable op-b: refused (-) x1;");
	alarms_free(a);
}

static void clearing_takes_one_away_from_any_place(void **state)
{
	static const char *const orders[] = { "abc", "bac", "cab", "bca" };
	struct alarms *a;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(alarms_new(&a, 10), 0);
		alarm_raise(a, ALARM_WARNING, "x", "a", "1", NULL);
		alarm_raise(a, ALARM_WARNING, "x", "b", "2", NULL);
		alarm_raise(a, ALARM_WARNING, "x", "c", "3", NULL);
		for (size_t k = 0; k < 3; k++) {
			const char source[2] = { orders[i][k], 0 };

			alarm_clear(a, "x", source);
			alarm_clear(a, "x", source);
			assert_int_equal(alarms_count(a), 2 - k);
		}
		assert_string_equal(listed(a), "");
		alarms_free(a);
	}
}

static void a_full_table_keeps_what_it_has(void **state)
{
	struct alarms *a;

	(void)state;
	assert_int_equal(alarms_new(&a, 1), 0);
	alarm_raise(a, ALARM_WARNING, "x", "a", "1", NULL);
	alarm_raise(a, ALARM_WARNING, "x", "b", "2", NULL);
	alarm_raise(a, ALARM_WARNING, "x", "a", "3", NULL);
	assert_string_equal(listed(a), "warning x a: 3 (-) x2;");
	alarm_clear(a, "x", "b");
	assert_int_equal(alarms_count(a), 1);
	alarms_free(a);
	alarms_free(NULL);
}

static void text_of_peers_is_kept_escaped(void **state)
{
	struct alarms *a;

	(void)state;
	assert_int_equal(alarms_new(&a, 1), 0);
	alarm_raise(a, ALARM_WARNING, "x", "a", "bad\n\xff", NULL);
	assert_string_equal(listed(a), "warning x a: bad\\x0a\\xff (-) x1;");
	alarms_free(a);
}

static char told[1024];
static const char *const changes[ALARM_CHANGE_COUNT] = { "raised", "changed", "cleared" };

static void on_change(void *arg, const struct alarm *al, enum alarm_change what)
{
	const size_t len = strlen(told);

	(void)arg;
	snprintf(told + len, sizeof told - len, "%s %s%s;", changes[what], al->text,
		 al->acked_wall_ms ? " (seen)" : "");
}

static void whoever_watches_is_told_of_what_is_new(void **state)
{
	struct alarms *a;

	(void)state;
	told[0] = '\0';
	assert_int_equal(alarms_new(&a, 1), 0);
	alarm_raise(a, ALARM_WARNING, "x", "a", "before", NULL);
	alarms_watch(a, on_change, NULL);
	alarm_raise(a, ALARM_WARNING, "x", "a", "1", NULL);
	alarm_raise(a, ALARM_WARNING, "x", "a", "1", NULL); /* nothing new */
	alarm_raise(a, ALARM_MAJOR, "x", "a", "1", NULL);
	alarm_raise(a, ALARM_WARNING, "x", "b", "no room", NULL);
	alarm_clear(a, "x", "b");
	alarm_clear(a, "x", "a");
	alarm_raise(a, ALARM_WARNING, "x", "a", "2", NULL);
	assert_string_equal(told, "changed 1;changed 1;cleared 1;raised 2;");
	alarms_watch(a, NULL, NULL);
	alarm_clear(a, "x", "a");
	assert_string_equal(told, "changed 1;changed 1;cleared 1;raised 2;");
	alarms_free(a);
}

static void what_was_seen_is_seen_until_it_says_something_new(void **state)
{
	struct alarms *a;

	(void)state;
	told[0] = '\0';
	assert_int_equal(alarms_new(&a, 2), 0);
	alarms_watch(a, on_change, NULL);
	assert_int_equal(alarm_ack(a, "x", "a"), -ENOENT);
	alarm_raise(a, ALARM_WARNING, "x", "a", "1", NULL);
	assert_int_equal(alarm_ack(a, "x", "b"), -ENOENT);
	assert_int_equal(alarm_ack(a, "x", "a"), 0);
	alarm_raise(a, ALARM_WARNING, "x", "a", "1", NULL);
	alarm_raise(a, ALARM_WARNING, "x", "a", "2", NULL);
	assert_string_equal(told, "raised 1;changed 1 (seen);changed 2;");
	alarms_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raising_again_counts_and_changes_the_text),
		cmocka_unit_test(clearing_takes_one_away_from_any_place),
		cmocka_unit_test(a_full_table_keeps_what_it_has),
		cmocka_unit_test(text_of_peers_is_kept_escaped),
		cmocka_unit_test(whoever_watches_is_told_of_what_is_new),
		cmocka_unit_test(what_was_seen_is_seen_until_it_says_something_new),
	};

	clock_fake(1000, 1767323045678);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
