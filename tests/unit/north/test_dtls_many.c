/* SPDX-License-Identifier: Apache-2.0 */
/* test_dtls_many.c - many associations at one server: how fast they come, how many at once, what an idle one costs
 *
 * The clock is turned by hand, so that a rate is a count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <event2/event.h>

#include "unit/north/dtls_scene.h"

enum { MANY = 1000, RATE = 500 };

static struct peer many[MANY];

/* All that can be done without time going on. */
static void settle(struct scene *s)
{
	for (int i = 0; i < 4; i++) {
		timers_run(loop_timers(s->f.loop), clock_now_ms(), 0);
		event_base_loop(loop_base(s->f.loop), EVLOOP_NONBLOCK);
		assoc_deliver(s->f.north);
	}
}

static void turn(struct scene *s, uint64_t ms)
{
	clock_fake(clock_now_ms() + ms, clock_wall_ms() + ms);
	settle(s);
}

static unsigned count_up(void)
{
	unsigned n = 0;

	for (int i = 0; i < MANY; i++)
		n += north_assoc_is_up(many[i].assoc);
	return n;
}

static void open_many(struct scene *s)
{
	for (int i = 0; i < MANY; i++) {
		char who[16];

		snprintf(who, sizeof who, "dev-%d", i);
		many[i] = psk_peer(s);
		assert_int_equal(north_assoc_open(&many[i].assoc, s->f.server, who, 0, &many[i]), 0);
	}
}

static void close_many(void)
{
	for (int i = 0; i < MANY; i++)
		close_peer(&many[i]);
}

static void begin(struct scene *s, unsigned rate)
{
	clock_fake(clock_now_ms(), clock_wall_ms());
	secure_server(s, (struct server_conf){ .security = SERVER_PSK, .handshakes_per_s = rate });
}

/* Until all are up; in no moment were more begun than the rate allows, and no more were under way than the bound. */
static void come_up_by_the_rate(struct scene *s)
{
	unsigned before = s->peer->hellos;
	unsigned ms = 0;

	s->peer->most_running = 0;
	for (settle(s); count_up() < MANY; turn(s, 5)) {
		const unsigned begun = s->peer->hellos - before;

		assert_in_range(begun, 0, 20 * RATE / 1000 + 1 + ms * RATE / 1000);
		assert_in_range(s->f.server->slots, 0, NORTH_SLOTS);
		ms += 5;
		assert_in_range(ms, 0, 4000);
	}
	assert_in_range(s->peer->most_running, 1, NORTH_SLOTS);
	assert_int_equal(s->f.server->slots, 0);
}

/* ref/reliability.md R15 */
static void R15_server_that_lost_its_sessions_gets_no_storm(void **state)
{
	struct scene *s = *state;

	begin(s, RATE);
	open_many(s);
	come_up_by_the_rate(s);
	assert_int_equal(s->peer->handshakes, MANY);
	peer_forget(s->peer);
	peer_renew(s->peer, PSK_ALL);
	for (int i = 0; i < MANY; i++) {
		for (int k = 0; k < 3; k++)
			north_assoc_unanswered(many[i].assoc);
		many[i].up = 0;
	}
	assert_int_equal(count_up(), 0);
	come_up_by_the_rate(s);
	settle(s);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(many[i].down, 1);
		assert_int_equal(many[i].up, 1);
	}
	assert_int_equal(s->peer->handshakes, 2 * MANY);
	assert_int_equal(s->peer->resumed, 0);
	close_many();
}

static void server_that_hangs_gets_a_bounded_number_at_once(void **state)
{
	struct scene *s = *state;

	begin(s, 100000);
	s->peer->deaf = true;
	open_many(s);
	for (int i = 0; i < 100; i++)
		turn(s, 1);
	assert_int_equal(s->f.server->slots, NORTH_SLOTS);
	turn(s, 2000); /* those do not keep it busy any more: the next ones may try */
	for (int i = 0; i < 100; i++)
		turn(s, 1);
	assert_int_equal(s->f.server->slots, NORTH_SLOTS);
	close_many();
	assert_int_equal(s->f.server->slots, 0);
}

/* ref/coap.md 53, as a count: an idle association is in no list that is walked and has no timer. */
static void coap_53_idle_association_has_no_timer(void **state)
{
	struct scene *s = *state;
	size_t timers;

	begin(s, 100000);
	timers = loop_timers(s->f.loop)->count;
	open_many(s);
	for (int i = 0; i < 1000 && count_up() < MANY; i++)
		turn(s, 1);
	assert_int_equal(count_up(), MANY);
	turn(s, 10);
	assert_in_range(loop_timers(s->f.loop)->count, 0, timers + 1); /* the server's own */
	close_many();
}

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* ref/reliability.md S25 */
static void S25_ten_thousand_failed_handshakes_and_a_good_one(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	unsigned before;

	begin(s, 100000);
	s->peer->mangles = true;
	before = descriptors();
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(north_assoc_open(&p.assoc, s->f.server, "meter-17", 0, &p), 0);
		for (int k = 0; k < 10 && !secure_of(&p)->failing; k++)
			turn(s, 1);
		assert_int_equal(secure_of(&p)->failing, SECURE_FAILED + 1);
		close_peer(&p);
	}
	assert_int_equal(handshakes(s, SECURE_FAILED), 10000);
	assert_int_equal(s->f.server->slots, 0);
	assert_int_equal(s->f.server->auth_failed, 0);
	assert_int_equal(descriptors(), before);
	assert_int_equal(alarms_count(s->f.alarms), 0);
	s->peer->mangles = false;
	assert_int_equal(north_assoc_open(&p.assoc, s->f.server, "meter-17", 0, &p), 0);
	for (int k = 0; k < 10 && !p.up; k++)
		turn(s, 1);
	assert_int_equal(p.up, 1);
	close_peer(&p);
}

/* ref/reliability.md R9: back-off doubles to a minute, with jitter in it, and one alarm is raised and cleared. */
static void R9_server_that_never_answers_is_tried_with_back_off(void **state)
{
	static const uint32_t steps[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000 };
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint64_t ended, begun;

	begin(s, 100000);
	s->f.server_conf.handshake_timeout_s = 1;
	s->peer->deaf = true;
	assert_int_equal(north_assoc_open(&p.assoc, s->f.server, "meter-17", 0, &p), 0);
	settle(s);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		assert_non_null(secure_of(&p)->ssl);
		while (secure_of(&p)->ssl)
			turn(s, 50);
		ended = clock_now_ms();
		while (!secure_of(&p)->ssl)
			turn(s, 50);
		begun = clock_now_ms();
		assert_in_range(begun - ended, steps[i] * 3 / 4 - 50, steps[i] * 5 / 4 + 100);
		assert_int_equal(alarms_count(s->f.alarms), 1);
		assert_false(north_server_is_up(s->f.server));
	}
	expect_alarm(s, "server.unreachable/main");
	s->peer->deaf = false;
	for (int i = 0; i < 200 && !p.up; i++) {
		turn(s, 500);
	}
	assert_int_equal(p.up, 1);
	assert_int_equal(s->f.back, 1);
	assert_int_equal(alarms_count(s->f.alarms), 0);
	close_peer(&p);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_dtls, tear_down_dtls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R15_server_that_lost_its_sessions_gets_no_storm),
		T(server_that_hangs_gets_a_bounded_number_at_once),
		T(coap_53_idle_association_has_no_timer),
		T(S25_ten_thousand_failed_handshakes_and_a_good_one),
		T(R9_server_that_never_answers_is_tried_with_back_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
