/* SPDX-License-Identifier: Apache-2.0 */
/* test_timer.c - the pairing heap against a plain sorted model */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/timer.h"

enum { N = 400, STEPS = 20000 };

struct item {
	struct timer timer;
	uint64_t at, order; /* the model: 0 when not set */
	unsigned id;
};

static unsigned ran[N * 4];
static size_t ran_n;

static void note(struct timer *t, uint64_t now_ms)
{
	struct item *it = container_of(t, struct item, timer);

	(void)now_ms;
	assert_false(timer_is_set(t));
	ran[ran_n++] = it->id;
}

static void equal_times_run_in_the_order_they_were_set(void **state)
{
	struct timers ts = { 0 };
	struct item it[64] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		it[i].id = i;
		timer_set(&ts, &it[i].timer, 100 + (i % 3 == 0), note);
	}
	timer_set(&ts, &it[1].timer, 100, note); /* moved: now the last of its time */
	ran_n = 0;
	assert_int_equal(timers_next(&ts), 100);
	assert_int_equal(timers_run(&ts, 100, 0), 42);
	for (size_t i = 1; i + 1 < ran_n; i++)
		assert_true(ran[i] > ran[i - 1]);
	assert_int_equal(ran[41], 1);
	assert_int_equal(timers_run(&ts, 101, 0), 22);
	assert_int_equal(timers_next(&ts), UINT64_MAX);
	assert_int_equal(ts.count, 0);
}

static const struct item *model_first(const struct item *it)
{
	const struct item *first = NULL;

	for (size_t i = 0; i < N; i++) {
		if (!it[i].at)
			continue;
		if (!first || it[i].at < first->at || (it[i].at == first->at && it[i].order < first->order))
			first = &it[i];
	}
	return first;
}

static void random_sets_moves_and_cancels_agree_with_a_model(void **state)
{
	struct timers ts = { 0 };
	struct item *it = calloc(N, sizeof *it);
	uint64_t now = 1, order = 0;
	size_t set = 0;

	(void)state;
	random_seed(7);
	for (unsigned i = 0; i < N; i++)
		it[i].id = i;
	for (unsigned step = 0; step < STEPS; step++) {
		struct item *x = &it[random_below(N)];
		const uint32_t what = random_below(10);

		if (what < 6) {
			set += !x->at;
			x->at = now + random_below(50);
			x->order = ++order;
			timer_set(&ts, &x->timer, x->at, note);
		} else if (what < 8) {
			set -= !!x->at;
			x->at = 0;
			timer_cancel(&ts, &x->timer);
		} else {
			const struct item *first = model_first(it);

			assert_int_equal(timers_next(&ts), first ? first->at : UINT64_MAX);
			ran_n = 0;
			now += random_below(3);
			assert_int_equal(timers_run(&ts, now, 1), first && first->at <= now);
			if (ran_n) {
				assert_int_equal(ran[0], first->id);
				it[ran[0]].at = 0;
				set--;
			}
		}
		assert_int_equal(ts.count, set);
	}
	free(it);
}

struct again {
	struct timer timer;
	struct timers *ts;
	unsigned times;
};

static void set_again(struct timer *t, uint64_t now_ms)
{
	struct again *a = container_of(t, struct again, timer);

	a->times++;
	timer_set(a->ts, t, now_ms, set_again);
}

static void a_timer_that_sets_itself_for_now_is_bounded(void **state)
{
	struct timers ts = { 0 };
	struct again a = { .ts = &ts };

	(void)state;
	timer_set(&ts, &a.timer, 0, set_again);
	assert_int_equal(timers_next(&ts), 1);
	assert_int_equal(timers_run(&ts, 5, 10), 10);
	assert_int_equal(a.times, 10);
	timer_cancel(&ts, &a.timer);
	timer_cancel(&ts, &a.timer);
	assert_int_equal(ts.count, 0);
}

struct holder {
	struct timer timer;
	struct timers *ts;
	struct holder *other;
};

static void free_holder_and_other(struct timer *t, uint64_t now_ms)
{
	struct holder *h = container_of(t, struct holder, timer);

	(void)now_ms;
	timer_cancel(h->ts, &h->other->timer);
	free(h->other);
	free(h);
}

static void a_callback_may_free_its_holder_and_cancel_others(void **state)
{
	struct timers ts = { 0 };
	struct holder *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);

	(void)state;
	*a = (struct holder){ .ts = &ts, .other = b };
	timer_set(&ts, &a->timer, 5, free_holder_and_other);
	timer_set(&ts, &b->timer, 5, free_holder_and_other);
	assert_int_equal(timers_run(&ts, 5, 0), 1);
	assert_int_equal(ts.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_times_run_in_the_order_they_were_set),
		cmocka_unit_test(random_sets_moves_and_cancels_agree_with_a_model),
		cmocka_unit_test(a_timer_that_sets_itself_for_now_is_bounded),
		cmocka_unit_test(a_callback_may_free_its_holder_and_cancel_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
