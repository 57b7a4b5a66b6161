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

/* ---- the gateway ---- */

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
	render_set_text(o, "state", render_state(c));
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

static json_t *features(void)
{
	static const char *const words[] = { "journal", "block-wise", "oscore-passthrough", "dtls-relay", "dtls",
					     "tcp-tls", "decoding",   "commands",           "plugins" };
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		json_array_append_new(list, json_string(words[i]));
	return list;
}

json_t *render_info(const struct control *c)
{
	json_t *o = render_new(), *config = json_object(), *servers = json_array();

	for (size_t i = 0; i < c->servers_n; i++)
		json_array_append_new(servers, render_text(north_server_conf(c->servers[i])->head.name));
	render_set_text(config, "sha256", c->config_digest);
	render_set_time(config, "loaded", c->loaded_wall_ms);
	json_object_set_new(config, "reload_error", c->reload_error ? render_text(c->reload_error) : json_null());
	render_set_text(config, "sha256", c->config_sha256);
	render_set_text(o, "gateway", c->env.gateway_id);
	render_set_text(o, "node", c->env.gateway_id);
	render_set_text(o, "version", niddgw_version);
	render_set_text(o, "os", c->os);
	json_object_set_new(o, "build", json_pack("{s:s}", "commit", niddgw_commit));
	render_set_time(o, "started", c->started_wall_ms);
	json_object_set_new(o, "config", config);
	json_object_set_new(o, "plugins", render_plugin_names(c));
	json_object_set_new(o, "transports", transports(c));
	json_object_set_new(o, "servers", servers);
	json_object_set_new(o, "features", features());
	return o;
}
