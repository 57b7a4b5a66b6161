/* SPDX-License-Identifier: Apache-2.0 */
/* test_pace.c - requests to a link at a bounded rate, devices in turn, src/session/pace.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "session/internal.h"

#define DEVICES 8

/* Devices whose gate is closed: what their turn does is seen by their leaving the line. */
static struct scene {
	struct timers timers;
	struct sessions s;
	struct link link[2];
	struct link_dev_base at[DEVICES];
	struct device d[DEVICES];
	struct gate_wait wait[DEVICES];
	uint64_t now_ms;
} sc;

static void turn_to(uint64_t now_ms)
{
	sc.now_ms = now_ms;
	clock_fake(now_ms, 1767225600000u + now_ms);
}

static int begin(void **state)
{
	(void)state;
	memset(&sc, 0, sizeof sc);
	sc.s.env.timers = &sc.timers;
	turn_to(1000000);
	for (unsigned i = 0; i < DEVICES; i++) {
		sc.d[i].all = &sc.s;
		sc.at[i].link = &sc.link[i % 2];
		sc.d[i].at = (void *)&sc.at[i];
		sc.d[i].gate.closed = true;
		sc.d[i].gate.wait = &sc.wait[i];
		sc.wait[i].dev = &sc.d[i];
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DEVICES; i++)
		pace_leave(&sc.d[i]);
	paces_sweep(&sc.s);
	assert_null(sc.s.paces);
	assert_int_equal(sc.timers.count, 0);
	return 0;
}

static unsigned take_all(struct device *d)
{
	unsigned n = 0;

	for (; pace_has_room(d); n++)
		pace_take(d);
	return n;
}

static bool is_waiting(unsigned i)
{
	return sc.wait[i].pace_link != NULL;
}

static void run_to(uint64_t now_ms)
{
	while (timers_next(&sc.timers) <= now_ms) {
		turn_to(timers_next(&sc.timers));
		timers_run(&sc.timers, sc.now_ms, 0);
	}
	turn_to(now_ms);
}

static void a_second_holds_no_more_than_rate_and_burst(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned ms = 0; ms < 1000; ms++) {
		turn_to(1000000 + ms);
		n += take_all(&sc.d[0]);
	}
	assert_in_range(n, 5000, 6010);
	for (unsigned ms = 1000; ms < 2000; ms++) {
		turn_to(1000000 + ms);
		n += take_all(&sc.d[0]);
	}
	assert_in_range(n, 10000, 11010);
}

static void links_are_paced_apart_and_all_together(void **state)
{
	(void)state;
	assert_in_range(take_all(&sc.d[0]), 1000, 1001);
	assert_in_range(take_all(&sc.d[1]), 1000, 1001); /* another link */
	assert_int_equal(take_all(&sc.d[2]), 0);
}

static void devices_have_their_turn_in_order(void **state)
{
	(void)state;
	take_all(&sc.d[0]);
	pace_wait(&sc.d[2]);
	pace_wait(&sc.d[0]);
	pace_wait(&sc.d[2]); /* it has its place already */
	pace_wait(&sc.d[4]);
	assert_true(is_waiting(2) && is_waiting(0) && is_waiting(4));
	assert_int_equal(sc.timers.count, 1);
	turn_to(sc.now_ms + 500);
	assert_false(pace_has_room(&sc.d[6])); /* nobody overtakes */
	run_to(sc.now_ms);
	assert_false(is_waiting(2) || is_waiting(0) || is_waiting(4));
	assert_true(pace_has_room(&sc.d[6]));
}

static void who_leaves_the_line_is_not_called(void **state)
{
	(void)state;
	take_all(&sc.d[0]);
	pace_wait(&sc.d[0]);
	pace_wait(&sc.d[2]);
	pace_wait(&sc.d[4]);
	pace_leave(&sc.d[2]);
	pace_leave(&sc.d[4]); /* the last one */
	pace_wait(&sc.d[6]);
	assert_true(is_waiting(0) && is_waiting(6));
	run_to(sc.now_ms + 1000);
	assert_false(is_waiting(0) || is_waiting(6));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_second_holds_no_more_than_rate_and_burst),
		T(links_are_paced_apart_and_all_together),
		T(devices_have_their_turn_in_order),
		T(who_leaves_the_line_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
