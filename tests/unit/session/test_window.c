/* SPDX-License-Identifier: Apache-2.0 */
/* test_window.c - the sliding window beside a model that keeps every time, src/session/window.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "session/window.h"

#define UNITS_MOST 20000

/* All that ever went, and the plain question about it. */
static struct model {
	uint64_t at[UNITS_MOST];
	size_t n;
	uint32_t limit, span_ms;
} model;

static size_t model_used(uint64_t now_ms)
{
	size_t used = 0;

	for (size_t i = 0; i < model.n; i++)
		used += now_ms - model.at[i] < model.span_ms;
	return used;
}

/* The earliest time at which nth more have gone, each as early as it may. */
static uint64_t model_room_at(uint64_t now_ms, uint32_t nth)
{
	size_t kept = model.n;
	uint64_t at = now_ms;

	for (uint32_t i = 0; i < nth; i++) {
		while (model_used(at) >= model.limit) { /* until the oldest that counts has gone */
			uint64_t next = UINT64_MAX;

			for (size_t j = 0; j < model.n; j++)
				if (at - model.at[j] < model.span_ms && model.at[j] + model.span_ms < next)
					next = model.at[j] + model.span_ms;
			at = next;
		}
		model.at[model.n++] = at;
	}
	model.n = kept;
	return at;
}

/* No span holds more than the limit, wherever it begins. */
static void model_is_kept(uint32_t span_s)
{
	for (size_t i = model.limit; i < model.n; i++)
		assert_true(model.at[i] - model.at[i - model.limit] > (uint64_t)span_s * 1000);
}

static void walk(uint64_t seed, uint32_t limit, uint32_t span_s, uint32_t step_ms, unsigned steps)
{
	struct window w = { 0 };
	uint64_t now = 5000000000u + seed; /* beyond 32 bits of milliseconds */

	random_seed(seed);
	window_set(&w, limit, span_s);
	model = (struct model){ .limit = limit, .span_ms = w.span_ms };
	for (unsigned i = 0; i < steps; i++) {
		uint32_t nth = 1 + random_below(3 * limit < 40 ? 3 * limit : 40);
		bool room = window_has_room(&w, now);

		assert_int_equal(window_used(&w, now), model_used(now));
		assert_int_equal(room, model_used(now) < limit);
		assert_int_equal(window_room_at(&w, now, 1) <= now, room);
		if (model_room_at(now, 1) > now)
			assert_int_equal(window_room_at(&w, now, 1), model_room_at(now, 1));
		assert_true(window_room_at(&w, now, nth) <= model_room_at(now, nth) + w.span_ms);
		if (nth <= limit)
			assert_int_equal(window_room_at(&w, now, nth), model_room_at(now, nth));
		if (room && random_below(3)) {
			window_add(&w, now);
			model.at[model.n++] = now;
		} else {
			now += random_below(20) ? random_below(step_ms) : random_below(2 * span_s * 1000);
		}
	}
	model_is_kept(span_s);
	window_fini(&w);
}

static void it_agrees_with_the_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		walk(seed, 1 + (uint32_t)(seed * 7 % 23), 1 + (uint32_t)(seed * 13 % 90), 2000, 600);
	walk(77, 10, 360, 30000, 1500);
	walk(78, 1, 1, 300, 1500);
}

static void a_span_of_a_week_and_a_rest_of_months_do_not_confuse_it(void **state)
{
	struct window w = { 0 };
	uint64_t now = UINT32_MAX - 1000; /* the low half repeats soon */

	(void)state;
	window_set(&w, 3, WINDOW_SPAN_MAX_S);
	for (unsigned i = 0; i < 3; i++)
		window_add(&w, now + i * 1000);
	assert_false(window_has_room(&w, now + 3000));
	assert_false(window_has_room(&w, now + WINDOW_SPAN_MAX_S * 1000ull));
	assert_true(window_has_room(&w, now + w.span_ms));
	assert_int_equal(window_used(&w, now + w.span_ms), 2);
	assert_int_equal(window_used(&w, now + (1ull << 32)), 0); /* the same low half again */
	window_fini(&w);
}

static void a_smaller_limit_holds_at_once_and_a_larger_one_too(void **state)
{
	struct window w = { 0 };

	(void)state;
	window_set(&w, 10, 60);
	for (unsigned i = 0; i < 8; i++)
		window_add(&w, 1000 + i * 1000);
	window_set(&w, 5, 60);
	assert_false(window_has_room(&w, 9000));
	assert_int_equal(window_room_at(&w, 9000, 1), 4000 + w.span_ms); /* four must have gone */
	window_set(&w, 9, 60);
	assert_true(window_has_room(&w, 9000));
	window_fini(&w);
}

static void more_than_the_limit_is_counted_as_it_is(void **state)
{
	struct window w = { 0 };

	(void)state;
	window_set(&w, 2, 10);
	for (unsigned i = 0; i < 5; i++)
		window_add(&w, 1000 + i);
	assert_int_equal(window_used(&w, 1010), 5);
	assert_int_equal(window_room_at(&w, 1010, 1), 1003 + w.span_ms);
	assert_int_equal(window_room_at(&w, 1010, 2), 1004 + w.span_ms);
	window_fini(&w);
}

static void a_record_of_groups_never_allows_more(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct window w = { 0 }, back = { 0 };
		struct window_group v[8];
		uint64_t now = 10000000;
		uint32_t all = 0;
		size_t n;

		random_seed(seed);
		window_set(&w, 50, 300);
		window_set(&back, 50, 300);
		for (unsigned i = random_below(60); i; i--) {
			now += random_below(9000);
			window_add(&w, now);
		}
		n = window_groups(&w, now, v, 8);
		assert_true(n <= 8);
		for (size_t i = 0; i < n; i++) {
			all += v[i].n;
			for (uint32_t j = 0; j < v[i].n; j++)
				window_add(&back, now - v[i].age_ms);
		}
		assert_int_equal(all, window_used(&w, now));
		for (uint64_t t = now; t < now + 310000; t += 1000)
			assert_true(window_used(&back, t) >= window_used(&w, t));
		window_fini(&w);
		window_fini(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_the_model),
		cmocka_unit_test(a_span_of_a_week_and_a_rest_of_months_do_not_confuse_it),
		cmocka_unit_test(a_smaller_limit_holds_at_once_and_a_larger_one_too),
		cmocka_unit_test(more_than_the_limit_is_counted_as_it_is),
		cmocka_unit_test(a_record_of_groups_never_allows_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
