/* SPDX-License-Identifier: Apache-2.0 */
/* render_device.c - a device as the session object, and pages of them */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/inside.h"
#include "control/render.h"
#include "session/session.h"

/* What a link may say of a device, in octets. */
enum { LINK_TEXT_MOST = 1024 };

static json_t *identity_of(const struct device_conf *conf)
{
	json_t *o = json_object();

	render_set_text(o, "external_id", conf->external_id);
	render_set_text(o, "msisdn", conf->msisdn);
	render_set_text(o, "address", conf->address);
	return o;
}

/* Where the record stands. */
static json_t *origin_of(const struct device_status *st)
{
	json_t *o = json_pack("{s:s}", "origin", st->stored ? "store" : "files");

	if (!st->stored && st->conf->head.at.file)
		json_object_set_new(o, "at", json_sprintf("%s:%u", st->conf->head.at.file, st->conf->head.at.line));
	return o;
}

/* The link gives members without braces; what is no JSON is left out. Ours win over members of the same name. */
static void add_link_text(json_t *o, const struct device *d)
{
	char text[LINK_TEXT_MOST + 3];
	size_t len;
	json_t *more;

	text[0] = '{';
	len = device_link_text(d, text + 1, LINK_TEXT_MOST);
	if (!len || len >= LINK_TEXT_MOST)
		return;
	text[len + 1] = '}';
	more = json_loadb(text, len + 2, JSON_REJECT_DUPLICATES, NULL);
	json_object_update_missing(o, more);
	json_decref(more);
}

static json_t *rate_of(const struct device_status *st)
{
	json_t *o = json_object();

	render_set_uint(o, "limit", st->rate_limit);
	render_set_uint(o, "window_s", st->rate_window_s);
	render_set_uint(o, "used", st->rate_used);
	render_set_text(o, "origin", "profile");
	return o;
}

static json_t *link_of(const struct device *d, const struct device_status *st)
{
	json_t *o = json_object();

	render_set_text(o, "name", st->link);
	render_set_time(o, "last_up", st->last_up_wall_ms);
	render_set_time(o, "last_down", st->last_down_wall_ms);
	render_set_time(o, "awake_until", st->awake_until_wall_ms);
	render_set_uint(o, "mtu", st->mtu);
	render_set_text(o, "mtu_origin", st->mtu_origin);
	if (st->rate)
		json_object_set_new(o, "rate", rate_of(st));
	add_link_text(o, d);
	return o;
}

static json_t *server_of(const struct device_server_status *s)
{
	json_t *o = json_object();

	render_set_text(o, "name", s->name);
	json_object_set_new(o, "registered", json_boolean(s->registered));
	if (s->registered) {
		render_set_uint(o, "lifetime_s", s->lifetime_s);
		render_set_time(o, "expires", s->expires_wall_ms);
		render_set_text(o, "lwm2m", s->lwm2m);
		render_set_text(o, "binding", s->binding);
		json_object_set_new(o, "queue_mode", json_boolean(s->queue_mode));
	}
	render_set_text(o, "security", s->security);
	if (s->switch_expected)
		json_object_set_new(o, "switch_expected", json_true());
	if (s->port)
		render_set_uint(o, "port", s->port);
	render_set_uint(o, "observations", s->observations);
	return o;
}

static json_t *servers_of(const struct device_status *st)
{
	json_t *list = json_array();

	for (size_t i = 0; i < st->servers_n; i++)
		json_array_append_new(list, server_of(&st->servers[i]));
	return list;
}

static json_t *relay_of(const struct device_status *st)
{
	json_t *o = json_object();

	render_set_text(o, "server", st->relay);
	render_set_uint(o, "port", st->relay_port);
	return o;
}

json_t *render_device(const struct device *d)
{
	struct device_status st = { 0 };
	json_t *o = render_new(), *queue = json_object();

	if (!o || !queue) {
		json_decref(o);
		json_decref(queue);
		return NULL;
	}
	device_status(d, &st);
	render_set_text(o, "device", st.name);
	render_set_text(o, "ep", st.ep);
	render_set_text(o, "transport", st.link_type);
	if (st.conf) {
		json_object_set_new(o, "identity", identity_of(st.conf));
		json_object_set_new(o, "record", origin_of(&st));
	}
	render_set_text(o, "profile", st.profile);
	render_set_text(o, "state", device_state_names[st.state]);
	render_set_text(o, "reach", device_reach_names[st.reach]);
	render_set_time(o, "since", st.since_wall_ms);
	json_object_set_new(o, "link", link_of(d, &st));
	json_object_set_new(o, "servers", servers_of(&st));
	if (st.relay)
		json_object_set_new(o, "relay", relay_of(&st));
	render_set_uint(queue, "depth", st.queue);
	if (st.queue)
		render_set_uint(queue, "oldest_s", st.queue_oldest_s);
	json_object_set_new(o, "queue", queue);
	render_set_uint(o, "exchanges", st.exchanges);
	render_set_uint(o, "units_up", st.units_up);
	render_set_uint(o, "units_down", st.units_down);
	return o;
}

struct page {
	json_t *list;
	size_t limit;
	bool failed;
};

static bool add_to_page(void *arg, const struct device *d)
{
	struct page *p = arg;

	if (json_array_size(p->list) == p->limit)
		return false;
	p->failed = json_array_append_new(p->list, render_device(d)) != 0;
	return !p->failed;
}

json_t *render_devices(const struct control *c, uint64_t from, size_t limit)
{
	struct page p = { .list = json_array(), .limit = limit };
	size_t next = sessions_each_from(c->env.sessions, (size_t)from, add_to_page, &p);

	if (p.failed) {
		json_decref(p.list);
		p.list = NULL;
	}
	return render_page(p.list, next < sessions_places(c->env.sessions), next);
}

int render_cursor(const char *cursor, uint64_t *from)
{
	uint64_t n = 0;

	if (!*cursor || strlen(cursor) > 18) /* so many digits cannot overflow */
		return -EBADMSG;
	for (; *cursor; cursor++) {
		if (*cursor < '0' || *cursor > '9')
			return -EBADMSG;
		n = n * 10 + (uint64_t)(*cursor - '0');
	}
	*from = n;
	return 0;
}
