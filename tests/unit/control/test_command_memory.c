/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_memory.c - answers that are given again, and how often a device may be asked */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/command_inside.h"

#define MINUTE 60000

static int setup(void **state)
{
	struct commands *cs = calloc(1, sizeof *cs);

	clock_fake(CLOCK_BASE_MS, 1767225600000);
	*state = cs;
	return 0;
}

static int teardown(void **state)
{
	struct commands *cs = *state;

	memory_free(cs);
	free(cs);
	return 0;
}

static void later(uint64_t ms)
{
	clock_fake(clock_now_ms() + ms, 1767225600000);
}

static const char *const parts[] = { "a", "b", "ab", NULL };

static struct command_job job(const char *instance, const char *device, const char *name, const char *id)
{
	struct command_job j = { .instance = (char *)(uintptr_t)instance,
				 .device = (char *)(uintptr_t)device,
				 .id = (char *)(uintptr_t)id };

	snprintf(j.name, sizeof j.name, "%s", name);
	return j;
}

static void an_answer_is_of_one_instance_device_command_and_id(void **state)
{
	struct commands *cs = *state;
	const struct command_job kept = job("a", "b", "ab", "a");

	cache_keep(cs, &kept, "answer");
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 4; k++)
			for (size_t l = 0; l < 3; l++)
				for (size_t m = 0; m < 3; m++) {
					struct command_job j = job(parts[i], parts[k], parts[l], parts[m]);
					const char *found = cache_find(cs, &j);

					if (i == 0 && k == 1 && l == 2 && m == 0)
						assert_string_equal(found, "answer");
					else
						assert_null(found);
				}
}

static void what_has_no_id_is_not_remembered(void **state)
{
	struct commands *cs = *state;
	const struct command_job j = job("a", NULL, "ping", NULL);

	cache_keep(cs, &j, "answer");
	assert_null(cache_find(cs, &j));
	assert_int_equal(cs->cache.count, 0);
}

static void the_first_answer_stays_and_goes_after_some_minutes(void **state)
{
	struct commands *cs = *state;
	const struct command_job j = job("a", NULL, "ping", "1");

	cache_keep(cs, &j, "first");
	later(5 * MINUTE);
	cache_keep(cs, &j, "second");
	assert_string_equal(cache_find(cs, &j), "first");
	later(5 * MINUTE);
	assert_string_equal(cache_find(cs, &j), "first");
	later(1);
	assert_null(cache_find(cs, &j));
}

static void the_oldest_answers_make_room(void **state)
{
	struct commands *cs = *state;
	char id[16];

	for (unsigned i = 0; i < 1500; i++) {
		struct command_job j;

		snprintf(id, sizeof id, "%u", i);
		j = job("a", "b", "read", id);
		cache_keep(cs, &j, id);
	}
	assert_int_equal(cs->cache.count, 1024);
	for (unsigned i = 0; i < 1500; i++) {
		struct command_job j;

		snprintf(id, sizeof id, "%u", i);
		j = job("a", "b", "read", id);
		if (i < 1500 - 1024)
			assert_null(cache_find(cs, &j));
		else
			assert_string_equal(cache_find(cs, &j), id);
	}
}

static void large_answers_make_room_for_each_other_or_are_not_kept(void **state)
{
	const size_t most = (4 << 20) / 16;
	struct commands *cs = *state;
	char *text = calloc(1, most + 1), id[16];
	struct command_job j = job("a", "b", "read", "large");

	memset(text, 'x', most);
	cache_keep(cs, &j, text);
	assert_null(cache_find(cs, &j));
	text[most - 1000] = 0;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "%u", i);
		j = job("a", "b", "read", id);
		cache_keep(cs, &j, text);
		assert_string_equal(cache_find(cs, &j), text);
		assert_true(cs->cache_bytes <= 4 << 20);
	}
	free(text);
}

static void a_device_is_asked_ten_times_at_once_then_each_two_seconds(void **state)
{
	struct commands *cs = *state;

	for (unsigned i = 0; i < 10; i++)
		assert_true(bucket_take(cs, "d"));
	assert_false(bucket_take(cs, "d"));
	assert_true(bucket_take(cs, "other"));
	later(1999);
	assert_false(bucket_take(cs, "d"));
	later(1);
	assert_true(bucket_take(cs, "d"));
	assert_false(bucket_take(cs, "d"));
	later(3600000); /* no more than ten are saved up */
	for (unsigned i = 0; i < 10; i++)
		assert_true(bucket_take(cs, "d"));
	assert_false(bucket_take(cs, "d"));
}

static void buckets_of_many_devices_are_bounded(void **state)
{
	struct commands *cs = *state;
	char name[16];

	for (unsigned i = 0; i < 4096; i++) {
		snprintf(name, sizeof name, "d%u", i);
		assert_true(bucket_take(cs, name));
	}
	assert_false(bucket_take(cs, "one more"));
	assert_int_equal(cs->buckets.count, 4096);
	later(2000); /* full ones say nothing and go */
	assert_true(bucket_take(cs, "one more"));
	assert_int_equal(cs->buckets.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_is_of_one_instance_device_command_and_id, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_no_id_is_not_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_answer_stays_and_goes_after_some_minutes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_answers_make_room, setup, teardown),
		cmocka_unit_test_setup_teardown(large_answers_make_room_for_each_other_or_are_not_kept, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_device_is_asked_ten_times_at_once_then_each_two_seconds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(buckets_of_many_devices_are_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
