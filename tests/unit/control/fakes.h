/* SPDX-License-Identifier: Apache-2.0 */
/* fakes.h - devices, links and servers that say what a test wants them to say
 *
 * control only reads them, through the functions of session.h, link.h and north.h; these stand in their place. A file
 * that includes this must not need the real rooms.
 */
#ifndef NIDDGW_TEST_CONTROL_FAKES_H
#define NIDDGW_TEST_CONTROL_FAKES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "control/inside.h"
#include "link/link.h"
#include "north/north.h"
#include "session/ask.h"
#include "session/provision.h"
#include "session/session.h"
#include "session/watch.h"

struct device {
	struct device_status status;
	const char *link_text;
	const struct lwm2m_objects *objects; /* that it registered at the server "main" */
};

struct sessions {
	struct device *devices;
	size_t n;
	struct import *import; /* the one that is open */
	struct timers *timers;
	size_t added, removed; /* records that came by commits, and that went */
	int commit_err;        /* what the next commit comes to */
	const struct queue_item *queue;
	size_t queue_n;
};

/* An import that takes everything but names that begin with "bad", and finds those that begin with "taken" only in the check. */
struct import {
	struct sessions *s;
	char names[512][32];
	unsigned lines[512];
	size_t n, checked, faults;
	bool committed, closed;
	void (*done)(void *arg, int err);
	void *arg;
	struct timer timer;
};
struct removal {
	struct timer timer;
	struct sessions *s;
	removal_fn *fn;
	void *arg;
};

struct north_server {
	struct server_conf conf;
	struct north_server_status status;
};

struct fake_link {
	struct link link;
	struct link_conf conf;
	struct link_status status;
};

const char *const device_state_names[DEVICE_STATE_COUNT] = { "unknown", "registered", "unregistered", "expired", "barred" };
const char *const device_reach_names[REACH_COUNT] = { "unknown", "awake", "sleeping" };
const char *const queue_kind_names[QUEUE_KIND_COUNT] = { "request", "notification", "answer" };
const char *const queue_state_names[QUEUE_STATE_COUNT] = { "queued", "sent", "buffered", "acked" };

size_t sessions_devices(const struct sessions *s)
{
	return s->n;
}

struct device *sessions_find(const struct sessions *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->devices[i].status.name, name))
			return &s->devices[i];
	return NULL;
}

void sessions_each(const struct sessions *s, sessions_each_fn *fn, void *arg)
{
	for (size_t i = 0; i < s->n && fn(arg, &s->devices[i]); i++)
		;
}

size_t sessions_places(const struct sessions *s)
{
	return s->n;
}

size_t sessions_each_from(const struct sessions *s, size_t place, sessions_each_fn *fn, void *arg)
{
	while (place < s->n && fn(arg, &s->devices[place]))
		place++;
	return place;
}

/* A place is a number in the queue; one call shows three of them at most. */
uint64_t sessions_queue(const struct sessions *s, const struct device *d, uint64_t from, queue_each_fn *fn, void *arg)
{
	for (size_t i = (size_t)from; i < s->queue_n; i++)
		if (i == from + 3 || ((!d || !strcmp(d->status.name, s->queue[i].device)) && !fn(arg, &s->queue[i])))
			return i;
	return 0;
}

/* ---- imports and removals ---- */

const struct conf_item device_items[] = { { .name = "link", .type = CONF_TYPE_TEXT, .offset = offsetof(struct device_conf, link) },
					  { .name = "servers", .type = CONF_TYPE_TEXTS, .offset = offsetof(struct device_conf, servers) },
					  CONF_END };

int import_open(struct import **out, struct sessions *s)
{
	if (s->import)
		return -EBUSY;
	*out = s->import = calloc(1, sizeof **out);
	assert_non_null(s->import);
	s->import->s = s;
	return 0;
}

void import_fault(struct import *im, unsigned line, const char *text, import_fault_fn *fault, void *arg)
{
	im->faults++;
	fault(arg, line, text);
}

bool import_key(struct import *im, const char *key, unsigned line, import_fault_fn *fault, void *arg)
{
	if (strcmp(key, "odd") != 0)
		return true;
	import_fault(im, line, "odd: unknown key", fault, arg);
	return false;
}

int import_add(struct import *im, unsigned line, const struct conf_pair *v, size_t n, import_fault_fn *fault, void *arg)
{
	const char *name = "";

	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].key, "name"))
			name = v[i].value;
	if (im->checked)
		return -EPROTO;
	if (im->n == 512)
		return -ENOSPC;
	if (!strncmp(name, "bad", 3)) {
		import_fault(im, line, "name: bad", fault, arg);
		return 0;
	}
	snprintf(im->names[im->n], sizeof im->names[0], "%s", name);
	im->lines[im->n++] = line;
	return 0;
}

bool import_check(struct import *im, size_t most, import_fault_fn *fault, void *arg)
{
	for (; most && im->checked < im->n; most--, im->checked++)
		if (!strncmp(im->names[im->checked], "taken", 5))
			import_fault(im, im->lines[im->checked], "name: taken", fault, arg);
	return im->checked < im->n;
}

size_t import_faults(const struct import *im)
{
	return im->faults;
}

struct import_result import_result(const struct import *im)
{
	return (struct import_result){ .added = im->n };
}

static inline void import_over(struct import *im)
{
	im->s->import = NULL;
	free(im);
}

static inline void on_fake_commit(struct timer *t, uint64_t now_ms)
{
	struct import *im = container_of(t, struct import, timer);
	int err = im->s->commit_err;

	(void)now_ms;
	im->committed = false;
	im->s->added += err ? 0 : im->n;
	if (im->closed)
		import_over(im);
	else
		im->done(im->arg, err);
}

int import_commit(struct import *im, void (*done)(void *arg, int err), void *arg)
{
	if (im->faults || im->checked < im->n)
		return -EINVAL;
	im->committed = true;
	im->done = done;
	im->arg = arg;
	timer_set(im->s->timers, &im->timer, clock_now_ms() + 1, on_fake_commit);
	return 0;
}

void import_close(struct import *im)
{
	if (im && im->committed)
		im->closed = true;
	else if (im)
		import_over(im);
}

static inline void on_fake_removal(struct timer *t, uint64_t now_ms)
{
	struct removal *r = container_of(t, struct removal, timer);
	removal_fn *fn = r->fn;
	void *arg = r->arg;
	int err = r->s->commit_err;

	(void)now_ms;
	free(r);
	fn(arg, err);
}

int sessions_remove_record(struct sessions *s, const char *name, struct removal **out, removal_fn *fn, void *arg)
{
	if (strcmp(name, "stored") != 0)
		return sessions_find(s, name) ? -EPERM : -ENOENT;
	*out = calloc(1, sizeof **out);
	assert_non_null(*out);
	**out = (struct removal){ .s = s, .fn = fn, .arg = arg };
	s->removed++;
	timer_set(s->timers, &(*out)->timer, clock_now_ms() + 1, on_fake_removal);
	return 0;
}

void removal_forget(struct removal *r)
{
	if (!r)
		return;
	timer_cancel(r->s->timers, &r->timer);
	free(r);
}

size_t sessions_records_from(const struct sessions *s, size_t place, records_each_fn *fn, void *arg)
{
	for (; place < s->n; place++)
		if (!fn(arg, s->devices[place].status.conf))
			return place;
	return 0;
}

bool sessions_record_overruled(const struct sessions *s, const char *name, char *why, size_t size)
{
	(void)s;
	snprintf(why, size, "the files have this name");
	return !strcmp(name, "overruled");
}

void device_status(const struct device *d, struct device_status *st)
{
	*st = d->status;
}

/* ---- what is told of devices, and asked of them ---- */

const char *const session_event_names[SESSION_EVENT_COUNT] = { "registered", "updated", "deregistered", "expired", "rejected" };
const char *const down_state_names[DOWN_STATE_COUNT] = { "queued", "sent", "buffered", "acked", "failed", "expired", "superseded" };

const char *device_name(const struct device *d)
{
	return d->status.name;
}

void sessions_set_watch(struct sessions *s, const struct sessions_watch *w, void *arg)
{
	(void)s;
	(void)w;
	(void)arg;
}

const struct lwm2m_objects *device_objects(const struct device *d, const char **server)
{
	*server = "main";
	return d->objects;
}

size_t device_drop_queue(struct device *d)
{
	(void)d;
	return 0;
}

const char *ask_open(struct ask **out, struct device *d, const struct ask_request *r, ask_fn *fn, void *arg)
{
	(void)out;
	(void)d;
	(void)r;
	(void)fn;
	(void)arg;
	return "not_found";
}

struct ask *ask_leave(struct ask *a)
{
	(void)a;
	return NULL;
}

void ask_close(struct ask *a)
{
	(void)a;
}

void ask_set(struct ask *a, ask_fn *fn, void *arg)
{
	(void)a;
	(void)fn;
	(void)arg;
}

void asks_adopt(struct sessions *s, ask_adopt_fn *adopt, void *arg)
{
	(void)s;
	(void)adopt;
	(void)arg;
}

size_t device_link_text(const struct device *d, char *buf, size_t size)
{
	return d->link_text ? (size_t)snprintf(buf, size, "%s", d->link_text) : 0;
}

const struct server_conf *north_server_conf(const struct north_server *s)
{
	return &s->conf;
}

void north_server_status(const struct north_server *s, struct north_server_status *st)
{
	*st = s->status;
}

static inline void fake_link_status(const struct link *l, struct link_status *st)
{
	*st = ((const struct fake_link *)(const void *)l)->status;
}

static const struct link_ops fake_t8 = { .name = "t8", .status = fake_link_status };
static const struct link_ops fake_udp = { .name = "udp", .status = fake_link_status };

static inline void fake_link(struct fake_link *f, const struct link_ops *ops, const char *name, const char *state)
{
	memset(f, 0, sizeof *f);
	f->conf.head.name = name;
	f->status.state = state;
	f->link.ops = ops;
	f->link.conf = &f->conf;
}

static inline void fake_server(struct north_server *s, const char *name, bool up)
{
	memset(s, 0, sizeof *s);
	s->conf.head.name = name;
	s->conf.uri = "coap://192.0.2.1";
	s->status.up = up;
}

/* ---- a control with all that in it, and a real loop ---- */

struct world {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct sessions sessions;
	struct control *control;
	char dir[64]; /* run_dir, removed at the end */
	int reload_result;
	const char *reload_report;
	unsigned reloads;
};

static inline int fake_reload(void *arg, FILE *report)
{
	struct world *w = arg;

	w->reloads++;
	if (w->reload_report)
		fputs(w->reload_report, report);
	return w->reload_result;
}

static inline void world_open(struct world *w)
{
	struct control_env env = { .sessions = &w->sessions, .gateway_id = "gw7", .run_dir = w->dir, .reload = fake_reload, .arg = w };

	memset(w, 0, sizeof *w);
	strcpy(w->dir, "/tmp/niddgw-control-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(metrics_new(&w->metrics), 0);
	assert_int_equal(alarms_new(&w->alarms, 16), 0);
	env.loop = w->loop;
	w->sessions.timers = loop_timers(w->loop);
	env.metrics = w->metrics;
	env.alarms = w->alarms;
	assert_int_equal(control_open(&w->control, &env), 0);
}

static inline void world_close(struct world *w)
{
	control_close(w->control);
	alarms_free(w->alarms);
	metrics_free(w->metrics);
	loop_free(w->loop);
	rmdir(w->dir); /* fails, and so is seen, when something of ours stayed in it */
	assert_int_not_equal(access(w->dir, F_OK), 0);
}

#endif
