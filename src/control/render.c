/* SPDX-License-Identifier: Apache-2.0 */
/* render.c - the gateway, its links, servers and alarms as JSON objects */
#include "control/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"
#include "control/inside.h"
#include "control/version.h"
#include "link/link.h"
#include "north/north.h"
#include "session/session.h"

/* Readers that keep numbers as doubles lose what is above this (ecosystem rule: then it is text). */
#define EXACT_MOST (UINT64_C(1) << 53)

static json_t *escaped(const char *text)
{
	size_t size = 4 * strlen(text) + 1;
	char *buf = malloc(size);
	json_t *s;

	if (!buf)
		return NULL;
	text_escape(buf, size, text);
	s = json_string(buf);
	free(buf);
	return s;
}

json_t *render_text(const char *text)
{
	json_t *s = text ? json_string(text) : NULL;

	return s || !text ? s : escaped(text); /* jansson refuses what is not UTF-8 */
}

void render_set_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(o, key, render_text(text));
}

void render_set_uint(json_t *o, const char *key, uint64_t n)
{
	char text[24];

	if (n <= EXACT_MOST) {
		json_object_set_new(o, key, json_integer((json_int_t)n));
		return;
	}
	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	json_object_set_new(o, key, json_string(text));
}

void render_set_time(json_t *o, const char *key, uint64_t wall_ms)
{
	char text[32];

	if (!wall_ms)
		return;
	clock_format(text, sizeof text, wall_ms);
	json_object_set_new(o, key, json_string(text));
}

json_t *render_new(void)
{
	json_t *o = json_pack("{s:i}", "v", 1);

	if (o)
		render_set_time(o, "ts", clock_wall_ms());
	return o;
}

/* ---- links and servers ---- */

static json_t *render_link(const struct link *l)
{
	struct link_status st = { 0 };
	json_t *o = json_object();

	if (!o)
		return NULL;
	l->ops->status(l, &st);
	render_set_text(o, "name", l->conf->head.name);
	render_set_text(o, "type", l->ops->name);
	render_set_text(o, "state", st.state);
	render_set_text(o, "detail", st.detail);
	render_set_time(o, "since", st.since_wall_ms);
	render_set_time(o, "last_ok", st.last_ok_wall_ms);
	return o;
}

static json_t *render_server(const struct north_server *s)
{
	const struct server_conf *conf = north_server_conf(s);
	struct north_server_status st = { 0 };
	json_t *o = json_object();

	if (!o)
		return NULL;
	north_server_status(s, &st);
	render_set_text(o, "name", conf->head.name);
	render_set_text(o, "uri", conf->uri);
	render_set_text(o, "role", conf->role == SERVER_BOOTSTRAP ? "bootstrap" : "management");
	render_set_text(o, "state", st.up ? "up" : "down");
	render_set_text(o, "address", st.address);
	render_set_uint(o, "associations", st.associations);
	render_set_time(o, "last_heard", st.last_heard_wall_ms);
	render_set_uint(o, "foreign", st.foreign);
	return o;
}

static json_t *links_array(const struct control *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->links_n; i++)
		json_array_append_new(list, render_link(c->links[i]));
	return list;
}

static json_t *servers_array(const struct control *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->servers_n; i++)
		json_array_append_new(list, render_server(c->servers[i]));
	return list;
}

json_t *render_page(json_t *items, bool more, uint64_t next)
{
	json_t *o = items ? render_new() : NULL;

	if (!o) { /* a short page would look like the last one */
		json_decref(items);
		return NULL;
	}
	json_object_set_new(o, "items", items);
	json_object_set_new(o, "next", more ? json_sprintf("%llu", (unsigned long long)next) : json_null());
	return o;
}

json_t *render_slice(json_t *all, uint64_t from, size_t limit)
{
	size_t n = json_array_size(all), end = from < n && n - from > limit ? (size_t)from + limit : n;
	json_t *items = all ? json_array() : NULL;

	for (size_t i = from < n ? (size_t)from : n; i < end; i++)
		json_array_append(items, json_array_get(all, i));
	json_decref(all);
	return render_page(items, end < n, end);
}

json_t *render_links(const struct control *c, uint64_t from, size_t limit)
{
	return render_slice(links_array(c), from, limit);
}

json_t *render_servers(const struct control *c, uint64_t from, size_t limit)
{
	return render_slice(servers_array(c), from, limit);
}

/* ---- alarms ---- */

/* What kind of thing an alarm's source is follows from its type. */
static const char *source_kind(const char *type)
{
	static const struct {
		const char *before, *kind;
	} kinds[] = { { "device.", "device" },
		      { "server.", "server" },
		      { "plugin.", "plugin" },
		      { "modem.", "port" },
		      { "config.", "file" } };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strncmp(type, kinds[i].before, strlen(kinds[i].before)))
			return kinds[i].kind;
	return "peer";
}

static void add_alarm(void *arg, const struct alarm *al)
{
	json_t *o = render_new(), *source = json_object(), *id = json_sprintf("%s:%s", al->type, al->source);

	json_object_set_new(o, "id", id ? id : render_text(al->type)); /* a source that is not UTF-8 */
	render_set_text(o, "type", al->type);
	render_set_text(o, "severity", alarm_severity_names[al->severity]);
	render_set_time(o, "raised", al->raised_wall_ms);
	render_set_uint(o, "count", al->count);
	render_set_text(source, source_kind(al->type), al->source);
	json_object_set_new(o, "source", source);
	render_set_text(o, "text", al->text);
	render_set_text(o, "action", al->action);
	json_object_set_new(o, "acked", json_null());
	json_array_append_new(arg, o);
}

json_t *render_alarms(const struct control *c, uint64_t from, size_t limit)
{
	json_t *list = json_array();

	if (list)
		alarms_each(c->env.alarms, add_alarm, list);
	return render_slice(list, from, limit);
}

/* ---- health: one verdict per link and server, and one for all ---- */

struct health {
	json_t *components; /* NULL: only count */
	unsigned links, links_ok, servers, servers_ok;
};

static void component(struct health *h, const char *kind, const char *name, const char *status, const char *detail,
		      uint64_t since_wall_ms, uint64_t last_ok_wall_ms)
{
	json_t *o;

	if (!h->components)
		return;
	o = json_object();
	json_object_set_new(o, "name", json_sprintf("%s/%s", kind, name));
	render_set_text(o, "status", status);
	render_set_text(o, "detail", detail);
	render_set_time(o, "since", since_wall_ms);
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
			  up ? NULL : st.detail, st.since_wall_ms, st.last_ok_wall_ms);
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

/* fail: one whole side is gone, so nothing passes; degraded: something of it is. */
static const char *verdict_of(const struct health *h)
{
	if ((h->links && !h->links_ok) || (h->servers && !h->servers_ok))
		return "fail";
	return h->links_ok < h->links || h->servers_ok < h->servers ? "degraded" : "ok";
}

json_t *render_health(const struct control *c)
{
	struct health h = { .components = json_array() };
	json_t *o = render_new();

	look_at_links(c, &h);
	look_at_servers(c, &h);
	render_set_text(o, "status", verdict_of(&h));
	json_object_set_new(o, "components", h.components);
	return o;
}

/* ---- the gateway ---- */

static const char *state_of(const struct control *c)
{
	struct health h = { 0 };

	if (c->phase != CONTROL_READY)
		return c->phase == CONTROL_STARTING ? "starting" : "stopping";
	if (!c->links_n && !c->servers_n)
		return "unconfigured";
	look_at_links(c, &h);
	look_at_servers(c, &h);
	return strcmp(verdict_of(&h), "ok") ? "degraded" : "online";
}

/* Devices by state are a gauge of sessions already; no pass over all of them is made for this. */
static void add_device_count(void *arg, const char *name, const char *labels, double value)
{
	static const char before[] = "state=\"";
	char state[32];
	size_t len;

	if (strcmp(name, "devices") || !labels || strncmp(labels, before, sizeof before - 1))
		return;
	labels += sizeof before - 1;
	len = strcspn(labels, "\"");
	if (len >= sizeof state)
		return;
	memcpy(state, labels, len);
	state[len] = '\0';
	render_set_uint(arg, state, (uint64_t)value);
}

static json_t *device_counts(const struct control *c)
{
	json_t *o = json_object();

	if (o) {
		render_set_uint(o, "total", sessions_devices(c->env.sessions));
		metrics_each(c->env.metrics, add_device_count, o);
	}
	return o;
}

json_t *render_status(const struct control *c)
{
	json_t *o = render_new();

	if (!o)
		return NULL;
	render_set_text(o, "gateway", c->env.gateway_id);
	render_set_text(o, "state", state_of(c));
	render_set_text(o, "version", niddgw_version);
	render_set_time(o, "started", c->started_wall_ms);
	render_set_uint(o, "uptime_s", (clock_now_ms() - c->started_ms) / 1000);
	json_object_set_new(o, "devices", device_counts(c));
	json_object_set_new(o, "links", links_array(c));
	json_object_set_new(o, "servers", servers_array(c));
	render_set_uint(o, "alarms", alarms_count(c->env.alarms));
	render_set_text(o, "reload_error", c->reload_error);
	return o;
}

/* Kinds of the links that run, each once. */
static json_t *transports(const struct control *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->links_n; i++) {
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = c->links[j]->ops == c->links[i]->ops;
		if (!seen)
			json_array_append_new(list, render_text(c->links[i]->ops->name));
	}
	return list;
}

json_t *render_info(const struct control *c)
{
	json_t *o = render_new(), *config = json_object(), *servers = json_array();

	for (size_t i = 0; i < c->servers_n; i++)
		json_array_append_new(servers, render_text(north_server_conf(c->servers[i])->head.name));
	render_set_time(config, "loaded", c->loaded_wall_ms);
	json_object_set_new(config, "reload_error", c->reload_error ? render_text(c->reload_error) : json_null());
	render_set_text(o, "gateway", c->env.gateway_id);
	render_set_text(o, "version", niddgw_version);
	json_object_set_new(o, "build", json_pack("{s:s}", "commit", niddgw_commit));
	render_set_time(o, "started", c->started_wall_ms);
	json_object_set_new(o, "config", config);
	json_object_set_new(o, "plugins", render_plugin_list(c));
	json_object_set_new(o, "transports", transports(c));
	json_object_set_new(o, "servers", servers);
	json_object_set_new(o, "features", json_array());
	return o;
}
