/* SPDX-License-Identifier: Apache-2.0 */
/* render.h - what the gateway knows, as JSON objects
 *
 * The one place where they are made: the socket and HTTP show the same, and so will MQTT. Every function gives a new
 * reference, or NULL when memory is short. Members without a value are left out; times are RFC 3339 UTC; text that a peer
 * chose and that is not UTF-8 has its odd octets as \xNN.
 */
#ifndef NIDDGW_CONTROL_RENDER_H
#define NIDDGW_CONTROL_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/control.h"
#include "session/watch.h"

struct alarm;
struct device;
struct down_news;
struct health_log;

enum { LIST_PAGE = 100, LIST_PAGE_MOST = 1000 }; /* items of a list in one answer, and what may be asked for */

json_t *render_new(void); /* {"v":1,"ts":".."}: how each document begins */
json_t *render_status(const struct control *c);
json_t *render_info(const struct control *c);
json_t *render_health(const struct control *c);
json_t *render_device(const struct device *d);
const char *render_state(const struct control *c); /* "online", "degraded", "unconfigured", "starting", "stopping" */
json_t *render_alarm(const struct alarm *al);

/* ---- for plug-ins ---- */
json_t *render_conn(const struct control *c, const char *state, const char *reason); /* reason NULL: none */
json_t *render_alarm_event(const struct alarm *al, const char *event);               /* "raise", "change", "clear" */
json_t *render_stats(const struct control *c, unsigned interval_s);
json_t *render_down(const struct device *d, const struct down_news *n);
json_t *render_objects(const struct control *c, const struct device *d); /* NULL too when it has not registered any */
struct session_event_text { /* an event that is told later */
	const char *id, *device, *ep;
	uint64_t wall_ms;
	struct session_news news;
};
json_t *render_session_event(const struct session_event_text *e);

/* Since when components are as they are. */
int health_log_new(struct health_log **out); /* 0 or -ENOMEM */
void health_log_free(struct health_log *l);  /* NULL is fine */

/* ---- lists ---- */
/**
 * One page of a list.
 * @param from   the place to begin at: the number in "next" of the page before, 0 at first. Items that come or go between two pages may
 *               be missed or seen twice
 * @param limit  1 to LIST_PAGE_MOST
 * @return {"items":[..],"next":"CURSOR"}; "next" is null in the last page
 */
typedef json_t *render_list_fn(const struct control *c, uint64_t from, size_t limit);
render_list_fn render_links, render_servers, render_alarms, render_plugins;
render_list_fn render_devices; /* in order of configuration, stored ones behind them */
render_list_fn render_events;  /* the newest first */
/* What waits for a device, its servers or an answer, device by device; d NULL: of all. A page may have fewer than limit items, or none, and
 * not be the last: one call looks at so many devices only. */
json_t *render_queue(const struct control *c, const struct device *d, uint64_t from, size_t limit);
json_t *render_page(json_t *items, bool more, uint64_t next); /* items is taken; NULL: memory was short */
int render_cursor(const char *cursor, uint64_t *from); /* 0, or -EBADMSG: not one of ours */

/* ---- for the files of rendering ---- */
json_t *render_slice(json_t *all, uint64_t from, size_t limit);        /* a page of a list that is at hand as a whole, which is taken */
json_t *render_plugin_list(const struct control *c);                   /* every instance */
json_t *render_plugin_names(const struct control *c);                  /* the same, with what does not change all the time */
json_t *render_text(const char *text);                                /* NULL gives NULL */
void render_set_text(json_t *o, const char *key, const char *text);    /* NULL or "": left out */
void render_set_uint(json_t *o, const char *key, uint64_t n);          /* above 2^53: as text */
void render_set_time(json_t *o, const char *key, uint64_t wall_ms);    /* 0: left out */

#endif
