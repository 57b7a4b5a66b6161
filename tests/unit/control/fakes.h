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
#include "session/session.h"

struct device {
	struct device_status status;
	const char *link_text;
};

struct sessions {
	struct device *devices;
	size_t n;
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

void device_status(const struct device *d, struct device_status *st)
{
	*st = d->status;
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
