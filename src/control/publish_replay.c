/* SPDX-License-Identifier: Apache-2.0 */
/* publish_replay.c - all states again, for an instance that is new or whose peer has forgotten them
 *
 * It goes as fast as the instance takes it and no faster, so that what happens meanwhile has its place.
 */
#include <stdlib.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/loop.h"
#include "control/publish_inside.h"
#include "session/session.h"

enum { STEP_MS = 20, STEP_MOST = 32 };

enum stage { GATEWAY, ALARMS, DEVICES };
struct replay {
	struct replay *next;
	struct publish *all;
	plugin_ref to;
	enum stage stage;
	size_t place; /* in the stage */
	long room;    /* documents that it takes in this step */
	size_t at;    /* where a walk stands */
};

static void add_alarm(void *arg, const struct alarm *al)
{
	struct replay *r = arg;

	if (r->at++ < r->place || r->room <= 0)
		return;
	publish_alarm_to(r->all, r->to, al, "raise", false);
	r->place++;
	r->room--;
}

static bool add_device(void *arg, const struct device *d)
{
	struct replay *r = arg;

	if (r->room <= 0)
		return false;
	publish_device_to(r->all, r->to, d);
	r->room--;
	return true;
}

static void next_stage(struct replay *r, enum stage s)
{
	r->stage = s;
	r->place = 0;
}

/* True: it is through, or its instance has ended. */
static bool step(struct replay *r)
{
	static const struct niddgw_gateway end = { sizeof end, NIDDGW_GATEWAY_REPLAYED, NULL, "{}" };
	struct control *c = r->all->control;

	r->room = plugins_room(c->env.plugins, r->to);
	if (r->room < 0)
		return true;
	if (r->room > STEP_MOST)
		r->room = STEP_MOST;
	if (r->stage == GATEWAY && r->room >= 3) {
		publish_gateway_to(r->all, r->to);
		r->room -= 3;
		next_stage(r, ALARMS);
	}
	if (r->stage == ALARMS) {
		r->at = 0;
		alarms_each(c->env.alarms, add_alarm, r);
		if (r->room > 0)
			next_stage(r, DEVICES);
	}
	if (r->stage == DEVICES)
		r->place = sessions_each_from(c->env.sessions, r->place, add_device, r);
	if (r->stage != DEVICES || r->place < sessions_places(c->env.sessions))
		return false;
	plugins_post_gateway(c->env.plugins, r->to, &end);
	return true;
}

static void on_step(struct timer *t, uint64_t now_ms)
{
	struct publish *p = container_of(t, struct publish, replaying);

	for (struct replay **at = &p->replays, *r; (r = *at);) {
		if (!step(r)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		free(r);
	}
	if (p->replays)
		timer_set(loop_timers(p->control->env.loop), t, now_ms + STEP_MS, on_step);
}

void publish_replay(struct publish *p, plugin_ref to)
{
	struct replay *r = p->replays;

	while (r && r->to != to)
		r = r->next;
	if (!r) {
		r = calloc(1, sizeof *r);
		if (!r)
			return;
		r->all = p;
		r->to = to;
		r->next = p->replays;
		p->replays = r;
	}
	next_stage(r, GATEWAY);
	if (!timer_is_set(&p->replaying))
		timer_set(loop_timers(p->control->env.loop), &p->replaying, clock_now_ms() + 1, on_step);
}

void publish_replays_close(struct publish *p)
{
	timer_cancel(loop_timers(p->control->env.loop), &p->replaying);
	while (p->replays) {
		struct replay *r = p->replays;

		p->replays = r->next;
		free(r);
	}
}
