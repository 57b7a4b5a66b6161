/* SPDX-License-Identifier: Apache-2.0 */
/* publish_device.c - sessions: what changes in a device is told a moment later, in portions
 *
 * A device that changes is put into a line once; when its turn comes, its state is made as it is then, with the events
 * that have gathered. So a fleet that comes back after an outage is a long line and no burst. A device whose window
 * ends by itself is looked at then: nobody tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "control/publish_inside.h"
#include "session/session.h"

enum {
	GATHER_MS = 50, /* from a change to its being told */
	TICK_MS = 5,
	TICK_MOST = 8,         /* devices told in one tick */
	EVENTS_OF_DEVICE = 16, /* kept for one; the oldest goes */
	EVENTS_MOST = 65536    /* of all */
};

struct kept_event {
	struct kept_event *next;
	enum session_event event;
	char *json;   /* owned */
	char *server; /* owned; NULL: none */
};

struct pending {
	struct map_node node; /* by device */
	struct publish *all;
	struct pending *next, **link; /* in the line; link NULL: not there */
	const struct device *dev;
	uint64_t due_ms;
	struct timer awake;        /* its window ends */
	enum device_reach reach;   /* as it was told last */
	struct kept_event *events; /* owned, oldest first */
	unsigned events_n;
	bool objects; /* there is another list */
};

static struct timers *timers_of(const struct publish *p)
{
	return loop_timers(p->control->env.loop);
}

/* ---- which devices ---- */

static bool is_of(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return container_of(n, const struct pending, node)->dev == key;
}

static uint64_t hash_of(const struct device *d)
{
	return map_hash(&d, sizeof d);
}

static struct pending *find(const struct publish *p, const struct device *d)
{
	struct map_node *n = p->devices.count ? map_find(&p->devices, hash_of(d), is_of, d, 0) : NULL;

	return n ? container_of(n, struct pending, node) : NULL;
}

static struct pending *get(struct publish *p, const struct device *d)
{
	struct pending *e = find(p, d);

	if (e)
		return e;
	e = calloc(1, sizeof *e);
	if (!e || map_add(&p->devices, &e->node, hash_of(d))) {
		free(e);
		return NULL;
	}
	e->all = p;
	e->dev = d;
	return e;
}

static void take_out(struct pending *e)
{
	struct publish *p = e->all;

	if (!e->link)
		return;
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
	else
		p->end = e->link;
	e->link = NULL;
}

static void drop_event(struct pending *e)
{
	struct kept_event *k = e->events;

	e->events = k->next;
	e->events_n--;
	e->all->events_n--;
	free(k->json);
	free(k->server);
	free(k);
}

static void forget(struct pending *e)
{
	struct publish *p = e->all;

	while (e->events)
		drop_event(e);
	take_out(e);
	timer_cancel(timers_of(p), &e->awake);
	map_remove(&p->devices, &e->node);
	free(e);
}

/* ---- telling ---- */

static void post(struct publish *p, plugin_ref to, const char *name, const struct kept_event *k, const char *state,
		 const char *objects)
{
	const struct niddgw_session s = { .size = sizeof s,
					  .device = name,
					  .event = k ? session_event_names[k->event] : NULL,
					  .server = k ? k->server : NULL,
					  .state = state,
					  .objects = objects,
					  .json = k ? k->json : NULL };

	plugins_post_session(plugins_of(p), to, &s);
}

void publish_device_to(struct publish *p, plugin_ref to, const struct device *d)
{
	char *state = publish_text(render_device(d)), *objects = publish_text(render_objects(p->control, d));

	if (state)
		post(p, to, device_name(d), NULL, state, objects);
	free(state);
	free(objects);
}

static void on_awake_over(struct timer *t, uint64_t now_ms);

/* What it looks like until its window ends needs no other look; it is forgotten where no window ends. */
static void settle(struct pending *e)
{
	struct device_status st;
	uint64_t wall = clock_wall_ms();

	device_status(e->dev, &st);
	e->reach = st.reach;
	if (st.reach == REACH_AWAKE && st.awake_until_wall_ms) {
		uint64_t in = st.awake_until_wall_ms > wall ? st.awake_until_wall_ms - wall : 0;

		timer_set(timers_of(e->all), &e->awake, clock_now_ms() + in + 1, on_awake_over);
	} else if (!timer_is_set(&e->awake)) {
		forget(e);
	}
}

static void tell(struct pending *e)
{
	struct publish *p = e->all;
	char *state = publish_text(render_device(e->dev));
	char *objects = e->objects ? publish_text(render_objects(p->control, e->dev)) : NULL;

	take_out(e);
	if (state && !e->events)
		post(p, 0, device_name(e->dev), NULL, state, objects);
	for (const char *with = objects; state && e->events; with = NULL) {
		post(p, 0, device_name(e->dev), e->events, state, with);
		drop_event(e);
	}
	e->objects = false;
	free(state);
	free(objects);
	settle(e);
}

static void on_tick(struct timer *t, uint64_t now_ms)
{
	struct publish *p = container_of(t, struct publish, tick);

	for (unsigned n = 0; n < TICK_MOST && p->first && p->first->due_ms <= now_ms; n++)
		tell(p->first);
	if (p->first)
		timer_set(timers_of(p), t, p->first->due_ms > now_ms + TICK_MS ? p->first->due_ms : now_ms + TICK_MS,
			  on_tick);
}

/* ---- what happens ---- */

static void put_in_line(struct pending *e)
{
	struct publish *p = e->all;

	if (e->link)
		return;
	e->due_ms = clock_now_ms() + GATHER_MS;
	e->next = NULL;
	e->link = p->end;
	*p->end = e;
	p->end = &e->next;
	if (!timer_is_set(&p->tick))
		timer_set(timers_of(p), &p->tick, e->due_ms, on_tick);
}

static void on_awake_over(struct timer *t, uint64_t now_ms)
{
	struct pending *e = container_of(t, struct pending, awake);
	struct device_status st;

	(void)now_ms;
	device_status(e->dev, &st);
	if (st.reach != e->reach)
		put_in_line(e);
	else if (!e->link) /* heard meanwhile: the window is another one */
		settle(e);
}

static void on_changed(void *arg, const struct device *d)
{
	struct publish *p = arg;
	struct pending *e = plugins_want(plugins_of(p), PLUGINS_SESSION) ? get(p, d) : NULL;

	if (e)
		put_in_line(e);
}

static char *event_text(struct publish *p, const struct device *d, const struct session_news *n)
{
	struct device_status st;
	struct session_event_text t = { .wall_ms = clock_wall_ms(), .news = *n };
	char id[40];

	device_status(d, &st);
	snprintf(id, sizeof id, "%012llx-%08llx", (unsigned long long)t.wall_ms, (unsigned long long)++p->next_event);
	t.id = id;
	t.device = st.name;
	t.ep = st.ep;
	return publish_text(render_session_event(&t));
}

static void on_event(void *arg, const struct device *d, const struct session_news *n)
{
	struct publish *p = arg;
	struct pending *e = plugins_want(plugins_of(p), PLUGINS_SESSION) ? get(p, d) : NULL;
	struct kept_event *k = e && p->events_n < EVENTS_MOST ? calloc(1, sizeof *k) : NULL, **end;

	if (!e)
		return;
	e->objects = e->objects || n->objects;
	put_in_line(e);
	if (!k)
		return; /* its state is told, which is what counts */
	k->event = n->event;
	k->json = event_text(p, d, n);
	k->server = n->server ? strdup(n->server) : NULL;
	for (end = &e->events; *end; end = &(*end)->next)
		;
	*end = k;
	e->events_n++;
	p->events_n++;
	if (e->events_n > EVENTS_OF_DEVICE)
		drop_event(e);
}

static void on_gone(void *arg, const struct device *d)
{
	struct publish *p = arg;
	struct pending *e = find(p, d);

	if (e)
		forget(e);
	post(p, 0, device_name(d), NULL, NULL, NULL);
}

static void on_down(void *arg, const struct device *d, const struct down_news *n)
{
	struct publish *p = arg;
	char *text = plugins_want(plugins_of(p), PLUGINS_DOWN) ? publish_text(render_down(d, n)) : NULL;
	const struct niddgw_down out = {
		.size = sizeof out, .device = device_name(d), .state = down_state_names[n->state], .json = text
	};

	if (text)
		plugins_post_down(plugins_of(p), &out);
	free(text);
}

const struct sessions_watch publish_watch = { on_changed, on_event, on_down, on_gone };

void publish_devices_close(struct publish *p)
{
	struct map_node *n;
	size_t i = 0;

	timer_cancel(timers_of(p), &p->tick);
	for (n = map_next(&p->devices, &i, NULL); n;) {
		struct map_node *next = map_next(&p->devices, &i, n);

		forget(container_of(n, struct pending, node));
		n = next;
	}
	map_fini(&p->devices);
}
