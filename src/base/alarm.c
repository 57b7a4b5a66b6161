/* SPDX-License-Identifier: Apache-2.0 */
/* alarm.c - raise, clear, list
 *
 * Alarms stand in a list in the order in which they were raised and in a hash by type and source. A raise of what is
 * raised already is logged only when it says something new, so that a fault seen every second is one line.
 */
#include "base/alarm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/text.h"

enum { TEXT_MOST = 512, KEY_MOST = 512, FULL_LOG_MS = 60000 };

const char *const alarm_severity_names[ALARM_SEVERITY_COUNT] = { "warning", "minor", "major", "critical" };
static const enum log_level levels[ALARM_SEVERITY_COUNT] = { LOG_WARNING, LOG_WARNING, LOG_ERROR, LOG_ERROR };

struct entry {
	struct map_node node;
	struct entry *next, *prev;
	uint64_t raised_ms;
	struct alarm al; /* its texts are owned, each by itself: type, source, text, action */
};

struct alarms {
	struct map map;
	struct entry *first, *last; /* owned */
	size_t most;
	uint64_t not_kept;
	struct log_limit full;
	alarm_watch_fn *watch;
	void *watch_arg;
};

struct key {
	const char *type, *source;
};

int alarms_new(struct alarms **out, size_t most)
{
	struct alarms *a = calloc(1, sizeof *a);

	if (!a)
		return -ENOMEM;
	a->most = most;
	*out = a;
	return 0;
}

static void entry_free(struct entry *e)
{
	free((char *)e->al.type);
	free((char *)e->al.source);
	free((char *)e->al.text);
	free((char *)e->al.action);
	free(e);
}

void alarms_free(struct alarms *a)
{
	struct entry *e;

	if (!a)
		return;
	while ((e = a->first)) {
		a->first = e->next;
		entry_free(e);
	}
	map_fini(&a->map);
	free(a);
}

static bool entry_eq(const struct map_node *n, const void *what, size_t len)
{
	const struct entry *e = (const struct entry *)(const void *)n; /* node is the first member */
	const struct key *k = what;

	(void)len;
	return !strcmp(e->al.type, k->type) && !strcmp(e->al.source, k->source);
}

static uint64_t key_hash(const struct key *k)
{
	const uint64_t both[2] = { map_hash(k->type, strlen(k->type)), map_hash(k->source, strlen(k->source)) };

	return map_hash(both, sizeof both);
}

static struct entry *find(const struct alarms *a, const struct key *k)
{
	return (struct entry *)(void *)map_find(&a->map, key_hash(k), entry_eq, k, 0);
}

/* A copy that is safe to print; NULL stays NULL. */
static char *copy(const char *text)
{
	char safe[TEXT_MOST];

	if (!text)
		return NULL;
	text_escape(safe, sizeof safe, text);
	return strdup(safe);
}

static struct entry *entry_new(const struct key *k)
{
	struct entry *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->al.type = strdup(k->type);
	e->al.source = strdup(k->source);
	e->al.raised_wall_ms = clock_wall_ms();
	e->raised_ms = clock_now_ms();
	if (e->al.type && e->al.source)
		return e;
	entry_free(e);
	return NULL;
}

static struct entry *add(struct alarms *a, const struct key *k)
{
	struct entry *e = a->map.count < a->most ? entry_new(k) : NULL;

	if (e && map_add(&a->map, &e->node, key_hash(k))) {
		entry_free(e);
		e = NULL;
	}
	if (!e)
		return NULL;
	e->prev = a->last;
	*(a->last ? &a->last->next : &a->first) = e;
	a->last = e;
	return e;
}

/* The raise is only counted, and said now and then. */
static void overflow(struct alarms *a, const struct key *k)
{
	uint64_t held;

	a->not_kept++;
	if (log_limit(&a->full, clock_now_ms(), FULL_LOG_MS, &held))
		log_ev(LOG_ERROR, "alarm", "alarm.not_kept", LF_STR("type", k->type), LF_STR("source", k->source),
		       LF_UINT("most", a->most), LF_UINT("not_kept", a->not_kept));
}

static void tell(const struct alarms *a, const struct entry *e, enum alarm_change what)
{
	if (a->watch)
		a->watch(a->watch_arg, &e->al, what);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Takes text and action. True when they or the severity are new. */
static bool update(struct alarm *al, enum alarm_severity severity, char *text, char *action)
{
	const bool news = !al->count || al->severity != severity || !same(al->text, text);

	free((char *)al->text);
	free((char *)al->action);
	al->text = text ? text : strdup("");
	al->action = action;
	al->severity = severity;
	al->count++;
	return news;
}

void alarm_raise(struct alarms *a, enum alarm_severity severity, const char *type, const char *source, const char *text,
		 const char *action)
{
	const struct key k = { type, source };
	struct entry *e = find(a, &k);
	const bool up = e != NULL;

	if (!e)
		e = add(a, &k);
	if (!e) {
		overflow(a, &k);
		return;
	}
	if (!update(&e->al, severity, copy(text), copy(action)))
		return;
	e->al.acked_wall_ms = 0;
	log_ev(levels[severity], "alarm", up ? "alarm.changed" : "alarm.raised", LF_STR("type", type),
	       LF_STR("source", source), LF_STR("severity", alarm_severity_names[severity]), LF_STR("text", text),
	       LF_STR("action", action));
	tell(a, e, up ? ALARM_CHANGED : ALARM_RAISED);
}

void alarm_clear(struct alarms *a, const char *type, const char *source)
{
	const struct key k = { type, source };
	struct entry *e = find(a, &k);

	if (!e)
		return;
	log_ev(LOG_NOTICE, "alarm", "alarm.cleared", LF_STR("type", type), LF_STR("source", source),
	       LF_UINT("count", e->al.count), LF_UINT("lasted_s", (clock_now_ms() - e->raised_ms) / 1000));
	*(e->prev ? &e->prev->next : &a->first) = e->next;
	*(e->next ? &e->next->prev : &a->last) = e->prev;
	map_remove(&a->map, &e->node);
	tell(a, e, ALARM_CLEARED);
	entry_free(e);
}

int alarm_ack(struct alarms *a, const char *type, const char *source)
{
	const struct key k = { type, source };
	struct entry *e = find(a, &k);

	if (!e)
		return -ENOENT;
	e->al.acked_wall_ms = clock_wall_ms();
	tell(a, e, ALARM_CHANGED);
	return 0;
}

void alarms_watch(struct alarms *a, alarm_watch_fn *fn, void *arg)
{
	a->watch = fn;
	a->watch_arg = arg;
}

void alarms_each(const struct alarms *a, alarm_each_fn *fn, void *arg)
{
	for (const struct entry *e = a->first; e; e = e->next)
		fn(arg, &e->al);
}

size_t alarms_count(const struct alarms *a)
{
	return a->map.count;
}
