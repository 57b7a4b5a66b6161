/* SPDX-License-Identifier: Apache-2.0 */
/* render_event.c - what plug-ins are told beside reports: the gateway's presence, registrations, requests on their way,
 * numbers */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "control/inside.h"
#include "control/render.h"
#include "control/version.h"
#include "lwm2m/objects.h"
#include "lwm2m/registry.h"
#include "mirror/mirror.h"
#include "plugin/plugins.h"
#include "session/session.h"
#include "session/watch.h"

/* ---- presence ---- */

json_t *render_conn(const struct control *c, const char *state, const char *reason)
{
	json_t *o = render_new();

	render_set_text(o, "state", state);
	render_set_text(o, "reason", reason);
	render_set_text(o, "node", c->env.gateway_id);
	if (c->env.plugins)
		render_set_text(o, "boot", plugins_boot_id(c->env.plugins));
	render_set_text(o, "version", niddgw_version);
	return o;
}

/* ---- registrations ---- */

json_t *render_session_event(const struct session_event_text *e)
{
	json_t *o = render_new();

	render_set_time(o, "ts", e->wall_ms);
	render_set_text(o, "id", e->id);
	render_set_text(o, "device", e->device);
	render_set_text(o, "ep", e->ep);
	render_set_text(o, "event", session_event_names[e->news.event]);
	render_set_text(o, "server", e->news.server);
	if (e->news.has_registration) {
		render_set_uint(o, "lifetime_s", e->news.lifetime_s);
		render_set_text(o, "binding", e->news.binding);
		render_set_text(o, "lwm2m", e->news.lwm2m);
	}
	render_set_text(o, "reason", e->news.reason);
	return o;
}

static json_t *render_object(const struct control *c, const struct lwm2m_object *one)
{
	const struct lwm2m_registry *r = c->env.mirror ? mirror_registry(c->env.mirror) : NULL;
	struct lwm2m_path p = { { one->object, one->instance }, one->instance == LWM2M_NO_ID ? 1 : 2 };
	struct lwm2m_object_def def;
	char path[LWM2M_PATH_TEXT], ver[8];
	json_t *o = json_object();

	if (p.depth == 1)
		p.id[1] = 0;
	lwm2m_path_print(path, &p);
	render_set_text(o, "path", path);
	if (lwm2m_registry_object(r, one->object, one->version, &def))
		render_set_text(o, "object", def.name);
	snprintf(ver, sizeof ver, "%u.%u", one->version >> 8, one->version & 0xff);
	render_set_text(o, "ver", one->version ? ver : NULL);
	return o;
}

json_t *render_objects(const struct control *c, const struct device *d)
{
	const char *server = NULL;
	const struct lwm2m_objects *list = device_objects(d, &server);
	struct device_status st;
	json_t *o, *objects;

	if (!list)
		return NULL;
	device_status(d, &st);
	o = render_new();
	objects = json_array();
	render_set_text(o, "device", st.name);
	render_set_text(o, "ep", st.ep);
	render_set_text(o, "server", server);
	if (list->base.len)
		json_object_set_new(o, "prefix", json_stringn(list->base.p, list->base.len));
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(objects, render_object(c, &list->v[i]));
	json_object_set_new(o, "objects", objects);
	return o;
}

/* ---- requests on their way down ---- */

/* What the network said, in its own words, where it is one that has such words. */
static const char *network_word(const char *transport, const struct down_news *n)
{
	if (strcmp(transport, "t8") != 0)
		return NULL;
	if (n->state == DOWN_BUFFERED)
		return "BUFFERING";
	return n->state == DOWN_QUEUED && n->retry_wall_ms ? "FAILURE_TEMPORARILY_NOT_REACHABLE" : NULL;
}

json_t *render_down(const struct device *d, const struct down_news *n)
{
	json_t *o = render_new(), *t8;
	struct device_status st;
	const char *word;

	device_status(d, &st);
	render_set_text(o, "id", n->id);
	render_set_text(o, "device", st.name);
	render_set_text(o, "state", down_state_names[n->state]);
	render_set_uint(o, "attempt", n->attempt);
	render_set_uint(o, "bytes", n->bytes);
	render_set_text(o, "cause", n->cause);
	word = network_word(st.link_type, n);
	if (word) {
		t8 = json_object();
		render_set_text(t8, "status", word);
		render_set_time(t8, "retry_at", n->retry_wall_ms);
		json_object_set_new(o, "t8", t8);
	}
	render_set_text(o, "server", n->server);
	return o;
}

/* ---- numbers ---- */

struct sums {
	json_t *counters, *gauges;
};

static void add(json_t *o, const char *name, double value)
{
	double before = json_number_value(json_object_get(o, name)), sum = before + value;

	if (!isfinite(sum))
		return;
	if (sum == floor(sum) && fabs(sum) < 9007199254740992.0)
		json_object_set_new(o, name, json_integer((json_int_t)sum));
	else
		json_object_set_new(o, name, json_real(sum));
}

/* "devices" of state="registered" stands as devices_registered too. */
static void add_state(json_t *o, const char *name, const char *labels, double value)
{
	static const char before[] = "state=\"";
	char text[96];

	if (!labels || strncmp(labels, before, sizeof before - 1) != 0)
		return;
	labels += sizeof before - 1;
	snprintf(text, sizeof text, "%s_%.*s", name, (int)strcspn(labels, "\""), labels);
	add(o, text, value);
}

static void add_metric(void *arg, const char *name, const char *labels, double value)
{
	struct sums *s = arg;
	size_t len = strlen(name);

	if (!strcmp(name, "build_info"))
		return;
	if (len > 6 && !strcmp(name + len - 6, "_total")) {
		add(s->counters, name, value);
		return;
	}
	add(s->gauges, name, value);
	add_state(s->gauges, name, labels, value);
}

static json_t *latencies(const struct control *c)
{
	static const struct {
		const char *name, *histogram;
		double q;
	} rows[] = { { "callback_p50", "callback_seconds", 0.5 },
		     { "callback_p99", "callback_seconds", 0.99 },
		     { "t8_request_p50", "t8_request_seconds", 0.5 },
		     { "t8_request_p99", "t8_request_seconds", 0.99 },
		     { "store_p99", "store_seconds", 0.99 } };
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double s = metrics_quantile(c->env.metrics, rows[i].histogram, rows[i].q);

		if (!isnan(s))
			json_object_set_new(o, rows[i].name, json_real(round(s * 1e6) / 1e3));
	}
	return o;
}

json_t *render_stats(const struct control *c, unsigned interval_s)
{
	struct sums s = { json_object(), json_object() };
	json_t *o = render_new();

	metrics_each(c->env.metrics, add_metric, &s);
	render_set_uint(o, "interval_s", interval_s);
	render_set_uint(o, "uptime_s", (clock_now_ms() - c->started_ms) / 1000);
	json_object_set_new(o, "counters", s.counters);
	json_object_set_new(o, "gauges", s.gauges);
	json_object_set_new(o, "latency_ms", latencies(c));
	return o;
}
