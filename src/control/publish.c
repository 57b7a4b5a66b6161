/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - the gateway itself: presence, health, information, alarms, numbers
 *
 * Nobody tells when a link or server changes its mind: a look once in a second finds it. Only what differs is told.
 */
#include "control/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/loop.h"
#include "control/publish_inside.h"
#include "session/session.h"

enum { SECOND_MS = 1000, STATS_S = 30 };

char *publish_text(json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

static struct timers *timers_of(const struct publish *p)
{
	return loop_timers(p->control->env.loop);
}

/* ---- presence, health, information ---- */

/* NULL: nothing is to be said yet. */
static const char *phase_of(const struct publish *p)
{
	const char *state = render_state(p->control);

	if (!strcmp(state, "starting"))
		return NULL;
	return strcmp(state, "unconfigured") ? state : "online"; /* idle, and there */
}

static void post(struct publish *p, plugin_ref to, enum niddgw_gateway_what what, const char *phase, json_t *o)
{
	char *text = publish_text(o);
	const struct niddgw_gateway g = { .size = sizeof g, .what = what, .phase = phase, .json = text };

	if (text)
		plugins_post_gateway(plugins_of(p), to, &g);
	free(text);
}

static uint64_t hash_of_text(char *text)
{
	uint64_t hash = text ? map_hash(text, strlen(text)) : 0;

	free(text);
	return hash ? hash : 1;
}

/* What changes all the time does not count. */
static uint64_t hash_of(json_t *o)
{
	json_t *copy = json_deep_copy(o), *one;
	size_t i;

	json_object_del(copy, "ts");
	json_array_foreach(json_object_get(copy, "components"), i, one) json_object_del(one, "last_ok");
	return hash_of_text(publish_text(copy));
}

static void tell(struct publish *p, enum niddgw_gateway_what what, const char *phase, json_t *o, uint64_t *told)
{
	uint64_t hash = hash_of(o);

	if (hash == *told) {
		json_decref(o);
		return;
	}
	*told = hash;
	post(p, 0, what, phase, o);
}

void publish_gateway_to(struct publish *p, plugin_ref to)
{
	const char *phase = phase_of(p);

	if (!phase)
		return;
	post(p, to, NIDDGW_GATEWAY_PHASE, phase, render_conn(p->control, phase, NULL));
	post(p, to, NIDDGW_GATEWAY_INFO, NULL, render_info(p->control));
	post(p, to, NIDDGW_GATEWAY_HEALTH, NULL, render_health(p->control));
}

void publish_gateway(struct publish *p)
{
	const char *phase = p ? phase_of(p) : NULL;

	if (!phase || !plugins_want(plugins_of(p), PLUGINS_GATEWAY))
		return;
	tell(p, NIDDGW_GATEWAY_PHASE, phase, render_conn(p->control, phase, NULL), &p->told_state);
	tell(p, NIDDGW_GATEWAY_INFO, NULL, render_info(p->control), &p->told_info);
	tell(p, NIDDGW_GATEWAY_HEALTH, NULL, render_health(p->control), &p->told_health);
}

void publish_stopped(struct publish *p)
{
	if (p)
		post(p, 0, NIDDGW_GATEWAY_PHASE, "stopped", render_conn(p->control, "offline", "stopped"));
}

static void on_second(struct timer *t, uint64_t now_ms)
{
	struct publish *p = container_of(t, struct publish, second);

	publish_gateway(p);
	timer_set(timers_of(p), t, now_ms + SECOND_MS, on_second);
}

/* ---- numbers ---- */

static void on_stats(struct timer *t, uint64_t now_ms)
{
	struct publish *p = container_of(t, struct publish, stats);
	char *text = plugins_want(plugins_of(p), PLUGINS_STATS) ? publish_text(render_stats(p->control, STATS_S))
								: NULL;
	const struct niddgw_stats s = { .size = sizeof s, .json = text };

	if (text)
		plugins_post_stats(plugins_of(p), &s);
	free(text);
	timer_set(timers_of(p), t, now_ms + STATS_S * 1000, on_stats);
}

/* ---- alarms ---- */

void publish_alarm_to(struct publish *p, plugin_ref to, const struct alarm *al, const char *action, bool event)
{
	bool cleared = !strcmp(action, "clear");
	char *state = cleared ? NULL : publish_text(render_alarm(al));
	char *json = event ? publish_text(render_alarm_event(al, action)) : NULL, *id = NULL;

	if (asprintf(&id, "%s:%s", al->type, al->source) >= 0 && (cleared || state)) {
		const struct niddgw_alarm_event e = { .size = sizeof e,
						      .type = al->type,
						      .source = al->source,
						      .id = id,
						      .action = action,
						      .state = state,
						      .json = json };

		plugins_post_alarm(plugins_of(p), to, &e);
		free(id);
	}
	free(state);
	free(json);
}

static void on_alarm(void *arg, const struct alarm *al, enum alarm_change what)
{
	static const char *const words[ALARM_CHANGE_COUNT] = { "raise", "change", "clear" };
	struct publish *p = arg;

	if (plugins_want(plugins_of(p), PLUGINS_ALARM))
		publish_alarm_to(p, 0, al, words[what], true);
}

/* ---- life ---- */

int publish_open(struct publish **out, struct control *c)
{
	struct publish *p = calloc(1, sizeof *p);
	uint64_t now = clock_now_ms();

	if (!p)
		return -ENOMEM;
	p->control = c;
	p->end = &p->first;
	sessions_set_watch(c->env.sessions, &publish_watch, p);
	alarms_watch(c->env.alarms, on_alarm, p);
	timer_set(timers_of(p), &p->second, now + SECOND_MS, on_second);
	timer_set(timers_of(p), &p->stats, now + STATS_S * 1000, on_stats);
	*out = p;
	return 0;
}

void publish_close(struct publish *p)
{
	if (!p)
		return;
	sessions_set_watch(p->control->env.sessions, NULL, NULL);
	alarms_watch(p->control->env.alarms, NULL, NULL);
	timer_cancel(timers_of(p), &p->second);
	timer_cancel(timers_of(p), &p->stats);
	publish_replays_close(p);
	publish_devices_close(p);
	free(p);
}
