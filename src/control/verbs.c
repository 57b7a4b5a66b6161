/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.c - what can be asked over the control socket, as a table */
#include "control/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "control/inside.h"
#include "control/render.h"
#include "session/provision.h"
#include "session/session.h"

/* Lines of a reload's report in one answer: a configuration can have more faults than anybody reads at once. */
enum { REPORT_LINES_MOST = 1000 };

json_t *verbs_ok(json_t *data)
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
	return verbs_ok(render_status(c));
}

/* limit and cursor of the request. NULL: they are sound; else what is answered instead. */
static json_t *page_faults(const json_t *request, uint64_t *from, size_t *limit)
{
	const json_t *asked = json_object_get(request, "limit"), *cursor = json_object_get(request, "cursor");
	json_int_t n = asked ? json_integer_value(asked) : LIST_PAGE;
	const char *text = cursor ? json_string_value(cursor) : "0";

	if (n < 1 || n > LIST_PAGE_MOST)
		return verbs_error("bad_request", "limit must be 1 to 1000");
	*limit = (size_t)n;
	return text && !render_cursor(text, from) ? NULL : verbs_error("bad_request", "cursor is none that was given");
}

static json_t *show_list(const struct control *c, const json_t *request, render_list_fn *render)
{
	uint64_t from;
	size_t limit;
	json_t *faults = page_faults(request, &from, &limit);

	return faults ? faults : verbs_ok(render(c, from, limit));
}

static json_t *list_links(const struct control *c, const json_t *request)
{
	return show_list(c, request, render_links);
}

static json_t *list_servers(const struct control *c, const json_t *request)
{
	return show_list(c, request, render_servers);
}

static json_t *list_alarms(const struct control *c, const json_t *request)
{
	return show_list(c, request, render_alarms);
}

static json_t *list_plugins(const struct control *c, const json_t *request)
{
	return show_list(c, request, render_plugins);
}

static json_t *list_devices(const struct control *c, const json_t *request)
{
	return show_list(c, request, render_devices);
}

static json_t *list_events(const struct control *c, const json_t *request)
{
	return show_list(c, request, render_events);
}

static json_t *list_queue(const struct control *c, const json_t *request)
{
	const json_t *name = json_object_get(request, "name");
	const char *text = json_string_value(name);
	const struct device *d = text ? sessions_find(c->env.sessions, text) : NULL;
	uint64_t from;
	size_t limit;
	json_t *faults = page_faults(request, &from, &limit);

	if (name && !d && !faults)
		faults = verbs_error("not_found", "no such device");
	return faults ? faults : verbs_ok(render_queue(c, d, from, limit));
}

static json_t *show_device(const struct control *c, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	char why[320], text[400];
	const struct device *d;

	if (!name)
		return verbs_error("bad_request", "name is missing");
	d = sessions_find(c->env.sessions, name);
	if (d)
		return verbs_ok(render_device(d));
	if (!sessions_record_overruled(c->env.sessions, name, why, sizeof why))
		return verbs_error("not_found", "no such device");
	snprintf(text, sizeof text, "its stored record is not in effect: %s", why);
	return verbs_error("not_found", text);
}

/* ---- commands, as plug-ins send them ---- */

static void on_command_answered(void *arg, json_t *response, bool final)
{
	struct records *r = arg;

	if (!final)
		return; /* a client has one answer */
	r->job = NULL;
	r->answer(r, verbs_ok(json_incref(response)));
}

static json_t *run_command(struct records *r, const json_t *request, bool *later)
{
	const json_t *timeout = json_object_get(request, "timeout_s"), *args = json_object_get(request, "args");
	double s = timeout ? json_number_value(timeout) : 30;
	const struct command_in in = { .device = json_string_value(json_object_get(request, "device")),
				       .name = json_string_value(json_object_get(request, "command")),
				       .id = "socket",
				       .args = args,
				       .timeout_ms = (uint64_t)(s > 0 && s <= 86400 ? s * 1000 : 0) };

	if (!in.name || (args && !json_is_object(args)))
		return verbs_error("bad_request", "command is missing, or args is no object");
	if (!in.timeout_ms)
		return verbs_error("bad_request", "timeout_s is out of range");
	r->job = commands_run(r->control->commands, &in, on_command_answered, r);
	if (!r->job)
		return verbs_error("busy", "too many commands are under way");
	*later = true;
	return NULL;
}

static const struct verb {
	const char *name;
	json_t *(*answer)(const struct control *c, const json_t *request);
	json_t *(*act)(struct records *r, const json_t *request, bool *later); /* neither of both: reload */
} verbs[] = {
	{ "status", show_status, NULL },
	{ "device list", list_devices, NULL },
	{ "device show", show_device, NULL },
	{ "device add", NULL, records_add },
	{ "device remove", NULL, records_remove },
	{ "device import", NULL, records_import },
	{ "device export", NULL, records_export },
	{ "links", list_links, NULL },
	{ "servers", list_servers, NULL },
	{ "queue", list_queue, NULL },
	{ "alarms", list_alarms, NULL },
	{ "events", list_events, NULL },
	{ "plugins", list_plugins, NULL },
	{ "command", NULL, run_command },
	{ "reload", NULL, NULL },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static json_t *act(const struct verb *v, struct records *r, const json_t *request, enum verbs_when *when)
{
	bool later = false;
	json_t *answer = v->act(r, request, &later);

	*when = later ? VERBS_STORED : VERBS_NOW;
	return answer;
}

static json_t *answer_request(struct records *r, const json_t *request, enum verbs_when *when)
{
	const char *name = json_string_value(json_object_get(request, "verb"));
	const struct verb *v = name ? find_verb(name) : NULL;
	const struct control *c = r->control;

	if (!name)
		return verbs_error("bad_request", "verb is missing");
	if (!v)
		return verbs_error("unsupported", "no such verb");
	if (v->answer)
		return v->answer(c, request);
	if (v->act)
		return act(v, r, request, when);
	if (c->phase != CONTROL_READY)
		return verbs_error("busy", c->phase == CONTROL_STARTING ? "still starting" : "stopping");
	*when = VERBS_RELOADED;
	return NULL;
}

json_t *verbs_answer(struct records *r, const char *line, size_t len, enum verbs_when *when)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *answer;

	*when = VERBS_NOW;
	if (!json_is_object(request)) {
		json_decref(request);
		return verbs_error("bad_request", "a request is one JSON object on one line");
	}
	answer = answer_request(r, request, when);
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
	return verbs_ok(data);
}
