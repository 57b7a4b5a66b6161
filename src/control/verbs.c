/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.c - what can be asked over the control socket, as a table */
#include "control/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/inside.h"
#include "control/render.h"
#include "session/session.h"

/* Lines of a reload's report in one answer: a configuration can have more faults than anybody reads at once. */
enum { REPORT_LINES_MOST = 1000 };

static json_t *ok(json_t *data)
{
	json_t *o = render_new();

	if (!o || !data) {
		json_decref(o);
		json_decref(data);
		return NULL;
	}
	json_object_set_new(o, "status", json_string("ok"));
	json_object_set_new(o, "data", data);
	return o;
}

json_t *verbs_error(const char *code, const char *message)
{
	json_t *o = render_new();

	json_object_set_new(o, "status", json_string("error"));
	json_object_set_new(o, "error", json_pack("{s:s, s:s}", "code", code, "message", message));
	return o;
}

/* ---- the verbs ---- */

static json_t *show_status(const struct control *c, const json_t *request)
{
	(void)request;
	return ok(render_status(c));
}

static json_t *show_links(const struct control *c, const json_t *request)
{
	(void)request;
	return ok(render_links(c));
}

static json_t *show_servers(const struct control *c, const json_t *request)
{
	(void)request;
	return ok(render_servers(c));
}

static json_t *show_alarms(const struct control *c, const json_t *request)
{
	(void)request;
	return ok(render_alarms(c));
}

static json_t *list_devices(const struct control *c, const json_t *request)
{
	const json_t *limit = json_object_get(request, "limit"), *cursor = json_object_get(request, "cursor");
	json_int_t n = limit ? json_integer_value(limit) : DEVICES_PAGE;
	const char *from = cursor ? json_string_value(cursor) : "0";
	uint64_t at;

	if (n < 1 || n > DEVICES_PAGE_MOST)
		return verbs_error("bad_request", "limit must be 1 to 1000");
	if (!from || render_cursor(from, &at))
		return verbs_error("bad_request", "cursor is none that was given");
	return ok(render_devices(c, at, (size_t)n));
}

static json_t *show_device(const struct control *c, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	const struct device *d;

	if (!name)
		return verbs_error("bad_request", "name is missing");
	d = sessions_find(c->env.sessions, name);
	return d ? ok(render_device(d)) : verbs_error("not_found", "no such device");
}

static const struct verb {
	const char *name;
	json_t *(*answer)(const struct control *c, const json_t *request); /* NULL: reload */
} verbs[] = {
	{ "status", show_status }, { "device list", list_devices }, { "device show", show_device },
	{ "links", show_links },   { "servers", show_servers },     { "alarms", show_alarms },
	{ "reload", NULL },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static json_t *answer_request(const struct control *c, const json_t *request, bool *later)
{
	const char *name = json_string_value(json_object_get(request, "verb"));
	const struct verb *v = name ? find_verb(name) : NULL;

	if (!name)
		return verbs_error("bad_request", "verb is missing");
	if (!v)
		return verbs_error("unsupported", "no such verb");
	if (v->answer)
		return v->answer(c, request);
	if (c->phase != CONTROL_READY)
		return verbs_error("busy", c->phase == CONTROL_STARTING ? "still starting" : "stopping");
	*later = true;
	return NULL;
}

json_t *verbs_answer(const struct control *c, const char *line, size_t len, bool *later)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *answer;

	*later = false;
	if (!json_is_object(request)) {
		json_decref(request);
		return verbs_error("bad_request", "a request is one JSON object on one line");
	}
	answer = answer_request(c, request, later);
	json_decref(request);
	return answer;
}

/* ---- reload ---- */

static json_t *lines_of(const char *report)
{
	json_t *list = json_array();
	size_t n = 0;

	for (const char *p = report; p && *p;) {
		size_t len = strcspn(p, "\n");
		char *line = len && n++ < REPORT_LINES_MOST ? strndup(p, len) : NULL;

		if (line)
			json_array_append_new(list, render_text(line));
		free(line);
		p += len + (p[len] == '\n');
	}
	if (n > REPORT_LINES_MOST)
		json_array_append_new(list, json_sprintf("and %zu more", n - REPORT_LINES_MOST));
	return list;
}

json_t *verbs_reloaded(int err, const char *report)
{
	json_t *data = render_new();

	json_object_set_new(data, "result", json_string(err ? "refused" : "ok"));
	json_object_set_new(data, "report", lines_of(report));
	return ok(data);
}
