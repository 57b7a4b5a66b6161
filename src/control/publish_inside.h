/* SPDX-License-Identifier: Apache-2.0 */
/* publish_inside.h - what the files of publishing share */
#ifndef NIDDGW_CONTROL_PUBLISH_INSIDE_H
#define NIDDGW_CONTROL_PUBLISH_INSIDE_H

#include <jansson.h>

#include "base/map.h"
#include "base/timer.h"
#include "control/inside.h"
#include "control/publish.h"
#include "control/render.h"

struct pending;
struct replay;

struct publish {
	struct control *control; /* borrowed */
	struct timer tick, second, stats, replaying;
	struct map devices;             /* of struct pending */
	struct pending *first, **end;   /* of these, those that are to be told, in order of when */
	size_t events_n;                /* that are kept in all */
	uint64_t next_event;
	uint64_t told_state, told_health, told_info; /* hashes of what was told last */
	struct replay *replays;         /* owned */
};

static inline struct plugins *plugins_of(const struct publish *p)
{
	return p->control->env.plugins;
}
/* The text of o, which is taken; the caller's. NULL: no memory, or o is NULL. */
char *publish_text(json_t *o);

/* ---- publish.c ---- */
void publish_gateway_to(struct publish *p, plugin_ref to); /* presence, info and health; to 0: all */
void publish_alarm_to(struct publish *p, plugin_ref to, const struct alarm *al, const char *action, bool event);

/* ---- publish_device.c ---- */
extern const struct sessions_watch publish_watch; /* its arg is the struct publish */
void publish_device_to(struct publish *p, plugin_ref to, const struct device *d);
void publish_devices_close(struct publish *p);

/* ---- publish_replay.c ---- */
void publish_replays_close(struct publish *p);

#endif
