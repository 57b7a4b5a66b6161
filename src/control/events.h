/* SPDX-License-Identifier: Apache-2.0 */
/* events.h - the latest events, in memory
 *
 * What is logged at level info and above, whatever level is written, and what is noted beside the log (log_note()): devices that register,
 * units that are dropped and why, alarms, links and servers that come and go. A bounded ring; the same event again and again is one
 * entry with a count. No payload is ever in it, because none is in the log.
 */
#ifndef NIDDGW_CONTROL_EVENTS_H
#define NIDDGW_CONTROL_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define EVENTS_KEPT 200

struct events;
struct event {
	uint64_t id;      /* 1 for the first of this process */
	uint64_t wall_ms; /* of the last time */
	uint64_t count;
	enum log_level level;
	const char *room, *word;
	const char *members; /* JSON members without braces; the device's is "dev" */
};

int events_new(struct events **out); /* watches the log from now on: one per process. 0 or -ENOMEM */
void events_free(struct events *e);  /* NULL is fine */
/* Those with an id up to `from` (0: all), the newest first; everything is borrowed for the call. fn false: stop. */
typedef bool events_each_fn(void *arg, const struct event *ev);
void events_each(const struct events *e, uint64_t from, events_each_fn *fn, void *arg);

#endif
