/* SPDX-License-Identifier: Apache-2.0 */
/* says.c - what a plug-in says: who it is, log lines, counters, alarms, commands
 *
 * It may come from a process that has been written over, so each part is held against its bounds here again. What an
 * honest host never sends ends the process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/version.h"
#include "mirror/json.h"
#include "plugin/find.h"
#include "plugin/parts.h"

enum { TYPE_MOST = 64, EVENT_MOST = 64 };

/* ---- log ---- */

void says_new_second(struct instance *in)
{
	in->lines = 0;
	if (in->lines_held)
		log_ev(LOG_WARNING, ROOM, "plugin.lines_held", LF_STR("plugin", in->name),
		       LF_UINT("lines", in->lines_held));
	in->lines_held = 0;
}

static bool may_log(struct instance *in)
{
	if (in->lines >= LINES_PER_S) {
		in->lines_held++;
		return false;
	}
	in->lines++;
	return true;
}

void says_line(struct instance *in, const char *text, size_t len)
{
	if (may_log(in))
		log_ev(LOG_WARNING, ROOM, "plugin.stderr", LF_STR("plugin", in->name), LF_BYTES("text", text, len));
}

static int say_log(struct instance *in, struct frame *f)
{
	static const enum log_level levels[] = { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
	struct frame_log l;
	int err = frame_read_log(f, &l);

	if (err || l.level >= sizeof levels / sizeof *levels)
		return err ? err : -EPROTO;
	if (log_on(levels[l.level]) && may_log(in)) {
		char event[EVENT_MOST];

		snprintf(event, sizeof event, "%s", *l.event ? l.event : "plugin.says");
		log_ev(levels[l.level], ROOM, event, LF_STR("plugin", in->name), LF_STR("text", l.text));
	}
	return 0;
}

/* ---- counters ---- */

static bool is_word(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(p[i] == '_' || (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') ||
		      (i && p[i] >= '0' && p[i] <= '9')))
			return false;
	return len > 0;
}

/* {word="text"}, the text without quotes, backslashes and control octets. */
static bool is_label(const char *p, size_t len)
{
	const char *eq = memchr(p, '=', len);

	if (!eq || len < 6 || p[0] != '{' || p[len - 1] != '}' || !is_word(p + 1, (size_t)(eq - p - 1)))
		return false;
	if ((size_t)(eq - p) + 4 > len || eq[1] != '"' || p[len - 2] != '"')
		return false;
	for (const char *c = eq + 2; c < p + len - 2; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return true;
}

/* The name without its label is no series of ours. */
static bool is_free(const char *name, size_t len)
{
	static const char *const taken[] = { "up", "dropped_total", "not_kept_total", "restarts_total", "queue_depth" };

	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (len == strlen(taken[i]) && !strncmp(name, taken[i], len))
			return false;
	return true;
}

/* Ours are shown by their own name when their counter begins with it. */
static bool is_own(const struct instance *in, const char *name)
{
	const size_t len = strlen(in->library);

	return find_is_ours(in->library) && !strncmp(name, in->library, len) && name[len] == '_';
}

static double read_gauge(void *arg)
{
	return (double)((const struct instance_counter *)arg)->value;
}

static void open_series(struct instance *in, struct instance_counter *c)
{
	static const char help[] = "As the plug-in counts it.";
	struct metrics *m = in->all->env.metrics;

	if (c->gauge)
		metrics_gauge(m, c->series, c->labels, help, read_gauge, c);
	else
		c->cell = metrics_counter(m, c->series, c->labels, help);
}

static struct instance_counter *add_counter(struct instance *in, const struct frame_count *count)
{
	const size_t len = strcspn(count->name, "{"), all = strlen(count->name);
	struct instance_counter *c = &in->counters[in->counters_n];

	if (all >= sizeof c->name || in->counters_n == COUNTERS_MOST || !is_word(count->name, len) ||
	    !is_free(count->name, len) || (len < all && !is_label(count->name + len, all - len)))
		return NULL;
	*c = (struct instance_counter){ .gauge = count->gauge };
	strcpy(c->name, count->name);
	snprintf(c->series, sizeof c->series, "%s%.*s", is_own(in, count->name) ? "" : "plugin_",
		 (int)(len < 80 ? len : 80), count->name);
	if (len < all)
		snprintf(c->labels, sizeof c->labels, "%.*s,%.150s", (int)(all - len - 2), count->name + len + 1,
			 in->label);
	else
		snprintf(c->labels, sizeof c->labels, "%s", in->label);
	open_series(in, c);
	in->counters_n++;
	return c;
}

static struct instance_counter *counter_of(struct instance *in, const struct frame_count *count)
{
	for (size_t i = 0; i < in->counters_n; i++)
		if (!strcmp(in->counters[i].name, count->name))
			return in->counters[i].gauge == count->gauge ? &in->counters[i] : NULL;
	return add_counter(in, count);
}

/* A name that cannot be one is let go with a word: a slip of the plug-in's author must not end it. */
static int say_count(struct instance *in, struct frame *f)
{
	struct instance_counter *c;
	struct frame_count count;
	int err = frame_read_count(f, &count);

	if (err)
		return err;
	c = counter_of(in, &count);
	if (!c && may_log(in))
		log_ev(LOG_WARNING, ROOM, "plugin.counter", LF_STR("plugin", in->name), LF_STR("name", count.name),
		       LF_STR("reason", "not a name, or there are too many"));
	if (c && c->gauge)
		c->value = (int64_t)count.value;
	else if (c)
		*c->cell += count.value;
	return 0;
}

static int say_lost(struct instance *in, struct frame *f)
{
	uint64_t n;
	int err = frame_read_lost(f, &n);

	if (!err)
		*in->not_kept += n;
	return err;
}

/* ---- alarms ---- */

static bool is_type(const char *type)
{
	const size_t len = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return len && len < TYPE_MOST && !type[len] && strcmp(type, "plugin.down") != 0;
}

static size_t alarm_at(const struct instance *in, const char *type)
{
	size_t i = 0;

	while (i < in->alarms_n && strcmp(in->alarms[i], type) != 0)
		i++;
	return i;
}

static int say_raise(struct instance *in, struct frame *f)
{
	struct frame_raise a;
	int err = frame_read_raise(f, &a);
	size_t at;

	if (err || !is_type(a.type))
		return err;
	at = alarm_at(in, a.type);
	if (!a.text) {
		if (at < in->alarms_n) {
			alarm_clear(in->all->env.alarms, a.type, in->name);
			memmove(in->alarms[at], in->alarms[--in->alarms_n], sizeof in->alarms[at]);
		}
		return 0;
	}
	if (at == ALARMS_MOST)
		return 0;
	if (at == in->alarms_n)
		strcpy(in->alarms[in->alarms_n++], a.type);
	alarm_raise(in->all->env.alarms, ALARM_MAJOR, a.type, in->name, a.text, NULL);
	return 0;
}

void says_forget(struct instance *in)
{
	for (size_t i = 0; i < in->alarms_n; i++)
		alarm_clear(in->all->env.alarms, in->alarms[i], in->name);
	in->alarms_n = 0;
	for (size_t i = 0; i < in->counters_n; i++) {
		struct instance_counter *c = &in->counters[i];

		if (c->gauge)
			metrics_gauge(in->all->env.metrics, c->series, c->labels, "", NULL, c);
	}
	in->counters_n = 0; /* cells of counters stay in the registry */
}

/* ---- commands ---- */

/* Nobody is there who could do it. */
static void answer_unsupported(struct instance *in, const struct niddgw_command *c)
{
	char json[1024], id[512], name[256];
	const struct niddgw_answer a = { sizeof a, c->cookie, c->device, c->name, c->id, true, json };

	if (json_text(c->name, strnlen(c->name, 64), name, sizeof name) >= (long)sizeof name ||
	    json_text(c->id ? c->id : "", c->id ? strnlen(c->id, 128) : 0, id, sizeof id) >= (long)sizeof id)
		return;
	snprintf(json, sizeof json,
		 "{\"v\":1,\"id\":%s,\"command\":%s,\"final\":true,\"status\":\"error\",\"error\":{\"code\":"
		 "\"unsupported\",\"message\":\"no such command\"}}",
		 id, name);
	plugins_post_answer(in->all, in->ref, &a);
}

static int say_command(struct instance *in, struct frame *f)
{
	struct niddgw_command c;
	int err = frame_read_command(f, &c);

	if (err)
		return err;
	if (in->state != INSTANCE_RUNNING && in->state != INSTANCE_STARTING)
		return 0; /* it is about to end: no answer would reach it */
	if (in->commands >= PLUGINS_COMMANDS_MOST)
		return -EPROTO; /* the host holds them back */
	in->commands++;
	if (in->all->ev->command)
		in->all->ev->command(in->all->ev_arg, in->ref, &c);
	else
		answer_unsupported(in, &c);
	return 0;
}

/* ---- its life ---- */

static int say_hello(struct instance *in, struct frame *f)
{
	struct frame_hello h;
	int err = frame_read_hello(f, &h);

	if (err || in->state != INSTANCE_STARTING || in->known)
		return err ? err : -EPROTO;
	if (h.version != FRAME_VERSION || strcmp(h.build, niddgw_build) != 0) {
		char why[256];

		snprintf(why, sizeof why, "niddgw-plugin-host is \"%.64s\", this daemon is \"%.64s\"", h.build,
			 niddgw_build);
		instance_refuse(in, why);
		return 0;
	}
	snprintf(in->version, sizeof in->version, "%s", h.plugin_version ? h.plugin_version : "");
	in->known = true;
	in->takes = h.takes;
	ring_filter(&in->ring, h.takes);
	in->setup->refs++;
	(void)ring_add_urgent(&in->ring, in->setup);
	plugins_kick(in->all);
	return 0;
}

static int say_refused(struct instance *in, struct frame *f)
{
	const char *why;
	int err = frame_read_text(f, &why);

	if (err || in->state != INSTANCE_STARTING)
		return err ? err : -EPROTO;
	if (in->known)
		instance_fail(in, "%s", why); /* its own open(), which may do better next time */
	else
		instance_refuse(in, why);
	return 0;
}

static int say_ready(struct instance *in, struct frame *f)
{
	if (reader_left(&f->body) || in->state != INSTANCE_STARTING || !in->known)
		return -EPROTO;
	instance_is_ready(in);
	return 0;
}

static int say_replay(struct instance *in, struct frame *f)
{
	in->owed = true;
	plugins_kick(in->all);
	return reader_left(&f->body) ? -EBADMSG : 0;
}

static int say_pong(struct instance *in, struct frame *f)
{
	in->silent = in->state == INSTANCE_RUNNING ? 0 : in->silent;
	return reader_left(&f->body) ? -EBADMSG : 0;
}

static const struct {
	enum frame_kind kind;
	int (*say)(struct instance *in, struct frame *f);
} all[] = {
	{ FRAME_HELLO, say_hello },     { FRAME_REFUSED, say_refused }, { FRAME_READY, say_ready },
	{ FRAME_LOG, say_log },         { FRAME_COUNT, say_count },     { FRAME_RAISE, say_raise },
	{ FRAME_COMMAND, say_command }, { FRAME_REPLAY, say_replay },   { FRAME_PONG, say_pong },
	{ FRAME_LOST, say_lost },
};

int says(struct instance *in, struct frame *f)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].kind == f->kind)
			return all[i].say(in, f);
	return -EPROTO;
}
