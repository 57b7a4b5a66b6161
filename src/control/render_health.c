/* SPDX-License-Identifier: Apache-2.0 */
/* render_health.c - one verdict per link, server and plug-in, one for the store, and one for all
 *
 * Since when a component is as it is, is told by itself, or seen here: then it is right to the second, because the
 * publisher looks that often.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/inside.h"
#include "control/render.h"
#include "link/link.h"
#include "north/north.h"
#include "plugin/plugins.h"
#include "store/store.h"

enum { SINCE_MOST = 4096 };

struct since {
	char *name; /* owned */
	const char *status;
	uint64_t wall_ms, seen;
};
struct health_log {
	struct since *v; /* owned */
	size_t n;
	uint64_t round;
};

struct health {
	json_t *components; /* NULL: only count */
	struct health_log *log;
	unsigned links, links_ok, servers, servers_ok;
	bool store_fails, plugin_fails;
};

/* ---- since when ---- */

int health_log_new(struct health_log **out)
{
	*out = calloc(1, sizeof **out);
	return *out ? 0 : -ENOMEM;
}

void health_log_free(struct health_log *l)
{
	for (size_t i = 0; l && i < l->n; i++)
		free(l->v[i].name);
	if (l)
		free(l->v);
	free(l);
}

static struct since *since_of(struct health_log *l, const char *name)
{
	struct since *grown;

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].name, name))
			return &l->v[i];
	grown = l->n < SINCE_MOST ? realloc(l->v, (l->n + 1) * sizeof *grown) : NULL;
	if (!grown)
		return NULL;
	l->v = grown;
	l->v[l->n] = (struct since){ .name = strdup(name) };
	return l->v[l->n].name ? &l->v[l->n++] : NULL;
}

static uint64_t seen_since(struct health_log *l, const char *name, const char *status)
{
	struct since *s = since_of(l, name);

	if (!s)
		return 0;
	if (!s->status || strcmp(s->status, status) != 0)
		s->wall_ms = clock_wall_ms();
	s->status = status;
	s->seen = l->round;
	return s->wall_ms;
}

/* Components that are no longer there. */
static void forget_others(struct health_log *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].seen == l->round)
			l->v[kept++] = l->v[i];
		else
			free(l->v[i].name);
	}
	l->n = kept;
}

/* ---- components ---- */

static void component(struct health *h, const char *kind, const char *name, const char *status, const char *detail,
		      uint64_t since_wall_ms, uint64_t last_ok_wall_ms)
{
	json_t *o;
	char text[512];

	if (!h->components)
		return;
	snprintf(text, sizeof text, "%s%s%s", kind, name ? "/" : "", name ? name : "");
	o = json_object();
	json_object_set_new(o, "name", render_text(text));
	render_set_text(o, "status", status);
	render_set_text(o, "detail", strcmp(status, "ok") != 0 ? detail : NULL);
	render_set_time(o, "since", since_wall_ms ? since_wall_ms : seen_since(h->log, text, status));
	render_set_time(o, "last_ok", last_ok_wall_ms);
	json_array_append_new(h->components, o);
}

static void look_at_links(const struct control *c, struct health *h)
{
	for (size_t i = 0; i < c->links_n; i++) {
		const struct link *l = c->links[i];
		struct link_status st = { 0 };
		bool up, starting;

		l->ops->status(l, &st);
		up = st.state && !strcmp(st.state, "up");
		starting = st.state && !strcmp(st.state, "starting");
		h->links++;
		h->links_ok += up;
		component(h, l->ops->name, l->conf->head.name,
			  up                 ? "ok"
				  : starting ? "degraded"
					     : "fail",
			  st.detail, st.since_wall_ms, st.last_ok_wall_ms);
	}
}

static void look_at_servers(const struct control *c, struct health *h)
{
	for (size_t i = 0; i < c->servers_n; i++) {
		const struct north_server *s = c->servers[i];
		struct north_server_status st = { 0 };

		north_server_status(s, &st);
		h->servers++;
		h->servers_ok += st.up;
		component(h, "server", north_server_conf(s)->head.name, st.up ? "ok" : "fail", NULL, 0,
			  st.last_heard_wall_ms);
	}
}

static void look_at_store(const struct control *c, struct health *h)
{
	struct store_status st = { 0 };

	if (!c->env.store)
		return;
	store_status(c->env.store, &st);
	h->store_fails = !st.usable;
	component(h, "store", NULL, st.usable ? "ok" : "fail", st.detail, 0, st.last_commit_wall_ms);
}

static void look_at_plugin(void *arg, const struct plugin_status *s)
{
	struct health *h = arg;
	bool runs = !strcmp(s->state, "running"),
	     starts = !strcmp(s->state, "starting") || !strcmp(s->state, "stopping");

	h->plugin_fails = h->plugin_fails || (!runs && !starts);
	component(h, "plugin", s->name, runs ? "ok" : starts ? "degraded" : "fail", s->reason, 0, 0);
}

static void look_at_all(const struct control *c, struct health *h)
{
	h->log = c->health;
	look_at_links(c, h);
	look_at_servers(c, h);
	look_at_store(c, h);
	if (c->env.plugins)
		plugins_each(c->env.plugins, look_at_plugin, h);
}

/* fail: one whole side is gone, or nothing new is taken, so nothing passes; degraded: something of it is. */
static const char *verdict_of(const struct health *h)
{
	if ((h->links && !h->links_ok) || (h->servers && !h->servers_ok) || h->store_fails)
		return "fail";
	return h->links_ok < h->links || h->servers_ok < h->servers || h->plugin_fails ? "degraded" : "ok";
}

json_t *render_health(const struct control *c)
{
	struct health h = { .components = json_array() };
	json_t *o = render_new();

	c->health->round++;
	look_at_all(c, &h);
	forget_others(c->health);
	render_set_text(o, "status", verdict_of(&h));
	json_object_set_new(o, "components", h.components);
	return o;
}

const char *render_state(const struct control *c)
{
	struct health h = { 0 };

	if (c->phase != CONTROL_READY)
		return c->phase == CONTROL_STARTING ? "starting" : "stopping";
	if (!c->links_n && !c->servers_n)
		return "unconfigured";
	look_at_all(c, &h);
	return strcmp(verdict_of(&h), "ok") ? "degraded" : "online";
}
