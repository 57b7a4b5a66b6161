/* SPDX-License-Identifier: Apache-2.0 */
/* render_queue.c - what waits, and the latest events, as pages of JSON objects */
#include "base/clock.h"
#include "control/events.h"
#include "control/inside.h"
#include "control/render.h"
#include "session/session.h"

struct page {
	json_t *list;
	size_t limit;
	uint64_t next; /* of what did not fit */
	bool failed, more;
};

/* False: it does not fit any more, or memory is short. */
static bool add_item(struct page *p, json_t *o)
{
	p->failed = json_array_append_new(p->list, o) != 0;
	return !p->failed;
}

static json_t *page_document(struct page *p)
{
	if (p->failed) {
		json_decref(p->list);
		p->list = NULL;
	}
	return render_page(p->list, p->more, p->next);
}

/* ---- the queue ---- */

static json_t *code_text(uint8_t code)
{
	return json_sprintf("%u.%02u", code >> 5, code & 31u);
}

static json_t *item_of(const struct queue_item *it)
{
	json_t *o = json_object();

	render_set_text(o, "device", it->device);
	render_set_text(o, "server", it->server);
	render_set_text(o, "dir", it->up ? "up" : "down");
	render_set_text(o, "kind", queue_kind_names[it->kind]);
	render_set_text(o, "state", queue_state_names[it->state]);
	render_set_text(o, "type", it->con ? "CON" : "NON");
	json_object_set_new(o, "code", code_text(it->code));
	render_set_text(o, "op", it->op);
	render_set_text(o, "path", it->path);
	render_set_uint(o, "bytes", it->bytes);
	render_set_uint(o, "age_s", it->age_ms / 1000);
	render_set_uint(o, "left_s", it->left_ms / 1000);
	return o;
}

static bool add_to_queue(void *arg, const struct queue_item *it)
{
	struct page *p = arg;

	return json_array_size(p->list) < p->limit && add_item(p, item_of(it));
}

json_t *render_queue(const struct control *c, const struct device *d, uint64_t from, size_t limit)
{
	struct page p = { .list = json_array(), .limit = limit };

	p.next = sessions_queue(c->env.sessions, d, from, add_to_queue, &p);
	p.more = p.next != 0;
	return page_document(&p);
}

/* ---- events ---- */

enum { MEMBERS_SIZE = LOG_MEMBERS_MOST + 3 };

/* What the log calls dev is a device everywhere else. */
static json_t *event_of(const struct event *ev)
{
	char text[MEMBERS_SIZE];
	int len = snprintf(text, sizeof text, "{%s}", ev->members);
	json_t *o = json_object(), *more, *dev;

	render_set_uint(o, "id", ev->id);
	render_set_time(o, "ts", ev->wall_ms);
	render_set_text(o, "level", log_level_names[ev->level]);
	render_set_text(o, "room", ev->room);
	render_set_text(o, "event", ev->word);
	if (ev->count > 1)
		render_set_uint(o, "count", ev->count);
	more = len > 0 && (size_t)len < sizeof text ? json_loadb(text, (size_t)len, 0, NULL) : NULL;
	dev = json_object_get(more, "dev");
	if (dev)
		json_object_set(o, "device", dev);
	json_object_del(more, "dev");
	json_object_update_missing(o, more);
	json_decref(more);
	return o;
}

static bool add_event(void *arg, const struct event *ev)
{
	struct page *p = arg;

	if (json_array_size(p->list) == p->limit) {
		p->more = true;
		p->next = ev->id;
		return false;
	}
	return add_item(p, event_of(ev));
}

json_t *render_events(const struct control *c, uint64_t from, size_t limit)
{
	struct page p = { .list = json_array(), .limit = limit };

	if (c->env.events)
		events_each(c->env.events, from, add_event, &p);
	return page_document(&p);
}
