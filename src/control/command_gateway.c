/* SPDX-License-Identifier: Apache-2.0 */
/* command_gateway.c - commands to the gateway */
#include <stdlib.h>
#include <string.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/loop.h"
#include "control/command_inside.h"

enum { LEVEL_MOST_S = 86400, STATS_S = 30 };

static struct timers *timers_of(const struct commands *cs)
{
	return loop_timers(cs->control->env.loop);
}

/* ---- what only reads ---- */

static void run_ping(struct command_job *j, struct device *d, const json_t *args)
{
	const struct control *c = command_control(j);
	json_t *o = json_object();

	(void)d;
	(void)args;
	render_set_text(o, "gateway", c->env.gateway_id);
	render_set_text(o, "state", render_state(c));
	render_set_uint(o, "uptime_s", (clock_now_ms() - c->started_ms) / 1000);
	command_ok(j, o, 0);
}

static void run_info(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	(void)args;
	command_ok(j, render_info(command_control(j)), 0);
}

static void run_health(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	(void)args;
	command_ok(j, render_health(command_control(j)), 0);
}

static void run_stats(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	(void)args;
	command_ok(j, render_stats(command_control(j), STATS_S), 0);
}

/* cursor and limit, as the lists of the admin listener have them. False: it has its answer. */
static bool read_page(struct command_job *j, const json_t *args, uint64_t *from, size_t *limit)
{
	const json_t *cursor = json_object_get(args, "cursor"), *most = json_object_get(args, "limit");
	json_int_t n = most ? json_integer_value(most) : LIST_PAGE;

	*from = 0;
	*limit = (size_t)n;
	if (cursor && (!json_is_string(cursor) || render_cursor(json_string_value(cursor), from)))
		command_fail(j, "bad_request", "cursor is none that was given", 0);
	else if (n < 1 || n > LIST_PAGE_MOST)
		command_fail(j, "bad_request", "limit must be 1 to 1000", 0);
	else
		return true;
	return false;
}

static void run_list(struct command_job *j, const json_t *args, render_list_fn *list)
{
	uint64_t from;
	size_t limit;

	if (read_page(j, args, &from, &limit))
		command_ok(j, list(command_control(j), from, limit), 0);
}

static void run_alarms(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	run_list(j, args, render_alarms);
}

static void run_plugins(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	run_list(j, args, render_plugins);
}

/* filter: members that a device must have with just these values, such as {"state":"registered"}. */
static bool fits(const json_t *device, const json_t *filter)
{
	const char *key;
	json_t *want;

	json_object_foreach((json_t *)(uintptr_t)filter, key,
			    want) if (!json_equal(json_object_get(device, key), want)) return false;
	return true;
}

static json_t *filtered(json_t *page, const json_t *filter)
{
	json_t *items = json_object_get(page, "items");

	for (size_t i = json_array_size(items); filter && i-- > 0;)
		if (!fits(json_array_get(items, i), filter))
			json_array_remove(items, i);
	return page;
}

static void run_devices(struct command_job *j, struct device *d, const json_t *args)
{
	const json_t *filter = json_object_get(args, "filter");
	uint64_t from;
	size_t limit;

	(void)d;
	if (filter && !json_is_object(filter))
		command_fail(j, "bad_request", "filter is no object", 0);
	else if (read_page(j, args, &from, &limit))
		command_ok(j, filtered(render_devices(command_control(j), from, limit), filter), 0);
}

/* ---- what changes something ---- */

/* A reload may close who asked for it: it runs from a timer, for all who have asked until then. */
static void on_reload(struct timer *t, uint64_t now_ms)
{
	struct commands *cs = container_of(t, struct commands, reload);
	char *report = NULL;
	int err = reload_run(cs->control, &report);

	(void)now_ms;
	for (struct command_job *j = cs->jobs; j; j = j->next) {
		if (j->final || !j->verb || strcmp(j->verb->name, "reload") != 0 || j->device)
			continue;
		if (err)
			command_fail(j, "bad_request", report && *report ? report : "refused", 0);
		else
			command_ok(j,
				   json_pack("{s:s, s:o}", "result", "ok", "report", render_text(report ? report : "")),
				   0);
	}
	free(report);
}

static void run_reload(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	(void)args;
	timer_set(timers_of(j->all), &j->all->reload, clock_now_ms(), on_reload);
}

static int level_of(const char *word)
{
	for (int i = 0; word && i < LOG_LEVEL_COUNT; i++)
		if (!strcmp(log_level_names[i], word))
			return i;
	return -1;
}

static void on_level_over(struct timer *t, uint64_t now_ms)
{
	struct commands *cs = container_of(t, struct commands, level);

	(void)now_ms;
	log_set_level(cs->level_before);
	log_ev(LOG_NOTICE, "control", "log.level", LF_STR("level", log_level_names[cs->level_before]));
}

static void run_log_level(struct command_job *j, struct device *d, const json_t *args)
{
	const json_t *for_s = json_object_get(args, "for_s");
	int level = level_of(json_string_value(json_object_get(args, "level")));
	json_int_t s = for_s ? json_integer_value(for_s) : 0;
	struct commands *cs = j->all;

	(void)d;
	if (level < 0) {
		command_fail(j, "bad_request", "level is error, warning, notice, info or debug", 0);
		return;
	}
	if (for_s && (s < 1 || s > LEVEL_MOST_S)) {
		command_fail(j, "bad_request", "for_s is 1 to 86400", 0);
		return;
	}
	if (!timer_is_set(&cs->level))
		cs->level_before = log_level();
	timer_cancel(timers_of(cs), &cs->level);
	if (s)
		timer_set(timers_of(cs), &cs->level, clock_now_ms() + (uint64_t)s * 1000, on_level_over);
	log_set_level((enum log_level)level);
	log_ev(LOG_NOTICE, "control", "log.level", LF_STR("level", log_level_names[level]), LF_INT("for_s", s));
	command_ok(j, json_pack("{s:s}", "level", log_level_names[level]), 0);
}

static void run_alarm_ack(struct command_job *j, struct device *d, const json_t *args)
{
	const char *id = json_string_value(json_object_get(args, "id")), *colon = id ? strchr(id, ':') : NULL;
	char type[128];

	(void)d;
	if (!colon || (size_t)(colon - id) >= sizeof type) {
		command_fail(j, "bad_request", "id is that of an alarm, TYPE:SOURCE", 0);
		return;
	}
	memcpy(type, id, (size_t)(colon - id));
	type[colon - id] = 0;
	if (alarm_ack(command_control(j)->env.alarms, type, colon + 1))
		command_fail(j, "not_found", "no such alarm is raised", 0);
	else
		command_ok(j, NULL, 0);
}

static void run_drain(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	(void)args;
	command_fail(j, "unsupported",
		     "this gateway is not part of a cluster: nobody is there to hand its devices over to", 0);
}

static void run_plugin_restart(struct command_job *j, struct device *d, const json_t *args)
{
	const char *name = json_string_value(json_object_get(args, "name"));
	struct plugins *p = command_control(j)->env.plugins;

	(void)d;
	if (!name)
		command_fail(j, "bad_request", "name is missing", 0);
	else if (!p || !plugins_has(p, name))
		command_fail(j, "not_found", "no such plug-in", 0);
	else if (!(j->restart = strdup(name)))
		command_fail(j, "internal", "out of memory", 0);
	else
		command_ok(j, NULL, 0);
}

const struct verb command_gateway_verbs[] = {
	{ "ping", false, true, run_ping },
	{ "info", false, true, run_info },
	{ "health", false, true, run_health },
	{ "stats", false, true, run_stats },
	{ "alarms", false, true, run_alarms },
	{ "devices", false, true, run_devices },
	{ "plugins", false, true, run_plugins },
	{ "reload", false, false, run_reload },
	{ "log-level", false, false, run_log_level },
	{ "alarm-ack", false, false, run_alarm_ack },
	{ "drain", false, false, run_drain },
	{ "plugin-restart", false, false, run_plugin_restart },
	{ 0 },
};
