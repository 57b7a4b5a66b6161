/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop.c - order of a pass: descriptors, timers, hooks */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"

struct scene {
	struct loop *l;
	int fds[2];
	struct loop_fd *w;
	struct timer timer;
	struct loop_hook hook, second;
	char log[64];
	unsigned passes;
	uint64_t set_at;
};

static struct scene *scene_open(void)
{
	static struct scene s;

	memset(&s, 0, sizeof s);
	assert_int_equal(loop_new(&s.l), 0);
	assert_int_equal(pipe(s.fds), 0);
	return &s;
}

static void scene_close(struct scene *s)
{
	loop_unwatch(s->w);
	close(s->fds[0]);
	close(s->fds[1]);
	loop_free(s->l);
}

static void say(struct scene *s, const char *what)
{
	strncat(s->log, what, sizeof s->log - strlen(s->log) - 1);
}

static void on_readable(void *arg, int fd, unsigned what)
{
	struct scene *s = arg;
	char c;

	assert_int_equal(what, LOOP_READ);
	assert_int_equal(read(fd, &c, 1), 1);
	say(s, "f");
	timer_set(loop_timers(s->l), &s->timer, clock_now_ms(), s->timer.fn);
}

static void on_time(struct timer *t, uint64_t now_ms)
{
	struct scene *s = container_of(t, struct scene, timer);

	(void)now_ms;
	say(s, "t");
}

static void on_pass(void *arg)
{
	struct scene *s = arg;

	say(s, "h");
	if (strchr(s->log, 't'))
		loop_stop(s->l);
}

static void a_pass_serves_descriptors_then_timers_then_hooks(void **state)
{
	struct scene *s = scene_open();

	(void)state;
	s->timer.fn = on_time;
	s->hook = (struct loop_hook){ .fn = on_pass, .arg = s };
	loop_hook_add(s->l, &s->hook);
	assert_int_equal(loop_watch(s->l, &s->w, s->fds[0], LOOP_READ, on_readable, s), 0);
	assert_int_equal(write(s->fds[1], "x", 1), 1);
	assert_int_equal(loop_run(s->l), 0);
	assert_string_equal(s->log, "fth");
	loop_hook_remove(s->l, &s->hook);
	scene_close(s);
}

static void stop_on_time(struct timer *t, uint64_t now_ms)
{
	struct scene *s = container_of(t, struct scene, timer);

	assert_true(now_ms >= s->set_at);
	loop_stop(s->l);
}

static void a_timer_wakes_a_sleeping_loop_and_never_early(void **state)
{
	struct scene *s = scene_open();
	struct timer never = { 0 };

	(void)state;
	timer_set(loop_timers(s->l), &never, clock_now_ms() + 100000, stop_on_time);
	s->set_at = clock_now_ms() + 30;
	timer_set(loop_timers(s->l), &s->timer, s->set_at, stop_on_time);
	assert_int_equal(loop_run(s->l), 0);
	timer_cancel(loop_timers(s->l), &never);
	scene_close(s);
}

static void stop_when_writable(void *arg, int fd, unsigned what)
{
	struct scene *s = arg;

	(void)fd;
	assert_int_equal(what, LOOP_WRITE);
	loop_unwatch(s->w);
	s->w = NULL;
	loop_stop(s->l);
}

static void a_watch_can_be_emptied_changed_and_dropped_in_its_own_call(void **state)
{
	struct scene *s = scene_open();

	(void)state;
	assert_int_equal(loop_watch(s->l, &s->w, s->fds[1], 0, stop_when_writable, s), 0);
	assert_int_equal(loop_rewatch(s->w, LOOP_WRITE), 0);
	assert_int_equal(loop_rewatch(s->w, 0), 0);
	assert_int_equal(loop_rewatch(s->w, LOOP_WRITE), 0);
	assert_int_equal(loop_run(s->l), 0);
	scene_close(s);
}

static void remove_both(void *arg)
{
	struct scene *s = arg;

	s->passes++;
	loop_hook_remove(s->l, &s->second);
	loop_hook_remove(s->l, &s->hook);
	loop_stop(s->l);
}

static void not_reached(void *arg)
{
	(void)arg;
	fail();
}

static void a_hook_may_remove_itself_and_the_next_one(void **state)
{
	struct scene *s = scene_open();

	(void)state;
	s->hook = (struct loop_hook){ .fn = remove_both, .arg = s };
	s->second = (struct loop_hook){ .fn = not_reached };
	loop_hook_add(s->l, &s->hook);
	loop_hook_add(s->l, &s->second);
	timer_set(loop_timers(s->l), &s->timer, 1, on_time);
	assert_int_equal(loop_run(s->l), 0);
	assert_int_equal(s->passes, 1);
	scene_close(s);
}

static void on_usr1(void *arg, int signo)
{
	assert_int_equal(signo, SIGUSR1);
	loop_stop(arg);
}

static void a_signal_reaches_its_function(void **state)
{
	struct scene *s = scene_open();

	(void)state;
	assert_int_equal(loop_on_signal(s->l, SIGUSR1, on_usr1, s->l), 0);
	raise(SIGUSR1);
	assert_int_equal(loop_run(s->l), 0);
	scene_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pass_serves_descriptors_then_timers_then_hooks),
		cmocka_unit_test(a_timer_wakes_a_sleeping_loop_and_never_early),
		cmocka_unit_test(a_watch_can_be_emptied_changed_and_dropped_in_its_own_call),
		cmocka_unit_test(a_hook_may_remove_itself_and_the_next_one),
		cmocka_unit_test(a_signal_reaches_its_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
