/* SPDX-License-Identifier: Apache-2.0 */
/* command_device.c - commands to devices
 *
 * What goes to a device goes as a request of the gateway's own server (session/ask.h), so it waits, is repeated and is
 * given up like those of any other server.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coap/option.h"
#include "control/command_inside.h"
#include "lwm2m/decode.h"
#include "lwm2m/registry.h"
#include "mirror/json.h"
#include "mirror/mirror.h"
#include "session/session.h"
#include "session/watch.h"

enum { VALUES_TEXT_MOST = 1 << 20, ARGS_TEXT_MOST = 1024, QUEUE_PAGE = 100 };

/* ---- what is shown ---- */

static void run_show(struct command_job *j, struct device *d, const json_t *args)
{
	(void)args;
	command_ok(j, render_device(d), 0);
}

static void run_queue(struct command_job *j, struct device *d, const json_t *args)
{
	(void)args;
	command_ok(j, render_queue(command_control(j), d, 0, QUEUE_PAGE), 0);
}

/* What goes to a device, or ends what others have for it, is counted. False: it has its answer. */
static bool may_ask(struct command_job *j)
{
	if (bucket_take(j->all, j->device))
		return true;
	command_fail(j, "rate_limited", "this device was asked too often: ten at once, then one in two seconds", 0);
	return false;
}

static void run_queue_drop(struct command_job *j, struct device *d, const json_t *args)
{
	(void)args;
	if (may_ask(j))
		command_ok(j, json_pack("{s:I}", "dropped", (json_int_t)device_drop_queue(d)), 0);
}

static void run_wake(struct command_job *j, struct device *d, const json_t *args)
{
	(void)d;
	(void)args;
	command_fail(j, "unsupported", "device triggers (T8, 3gpp-device-triggering) are not part of this version", 0);
}

/* ---- answers of devices ---- */

/* The values as every record has them. */
static json_t *values_of(const struct report *r)
{
	long len = json_report(r, 0, NULL, 0);
	char *text = len > 0 && len < VALUES_TEXT_MOST ? malloc((size_t)len + 1) : NULL;
	json_t *record = NULL, *values;

	if (text && json_report(r, 0, text, (size_t)len + 1) == len)
		record = json_loadb(text, (size_t)len, 0, NULL);
	free(text);
	values = json_incref(json_object_get(record, "values"));
	json_decref(record);
	return values;
}

static void on_answer(void *arg, const struct ask_answer *a)
{
	struct command_job *j = arg;
	json_t *data = json_object(), *links;

	j->ask = NULL;
	if (a->error) {
		json_decref(data);
		command_fail(j, a->error, a->message, a->code);
		return;
	}
	if (a->report)
		json_object_set_new(data, "values", values_of(a->report));
	links = a->links ? command_links(a->links, a->links_len) : NULL;
	if (links)
		json_object_set_new(data, "links", links);
	if (a->links && !links) {
		json_decref(data);
		command_fail(j, "upstream", "the answer is no link format", a->code);
		return;
	}
	command_ok(j, data, a->code);
}

/* ---- asking ---- */

static const char *message_of(const char *error)
{
	static const struct {
		const char *error, *message;
	} rows[] = { { "not_found", "it was never heard, or there is nothing to cancel" },
		     { "opaque", "its traffic is protected end to end: the gateway has no keys" },
		     { "asleep", "it is not expected to listen now" },
		     { "busy", "too many requests of the gateway are under way" },
		     { "too_big", "more than one request takes" },
		     { "upstream", "its link is not open" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].error, error))
			return rows[i].message;
	return error;
}

static void on_accepted(void *arg)
{
	command_accepted(arg);
}

/* For the next life of the process: instance, device, command, id, each with its NUL. */
static size_t note_of(const struct command_job *j, char note[ASK_NOTE_MOST])
{
	const char *const parts[] = { j->instance, j->device, j->name, j->id };
	size_t at = 0;

	for (size_t i = 0; i < 4; i++) {
		size_t len = parts[i] ? strlen(parts[i]) + 1 : 0;

		if (!len || at + len > ASK_NOTE_MOST)
			return 0;
		memcpy(note + at, parts[i], len);
		at += len;
	}
	return at;
}

static void ask(struct command_job *j, struct device *d, struct ask_request *r)
{
	char note[ASK_NOTE_MOST];
	const char *error;

	if (!may_ask(j))
		return;
	r->timeout_ms = j->timeout_ms;
	r->note_len = note_of(j, note);
	r->note = r->note_len ? note : NULL;
	r->accepted = on_accepted;
	error = ask_open(&j->ask, d, r, on_answer, j);
	if (error)
		command_fail(j, error, message_of(error), 0);
}

/* The path of a command: from least to most identifiers. False: it has its answer. */
static bool read_path(struct command_job *j, const json_t *args, unsigned least, unsigned most, struct ask_request *r)
{
	const json_t *path = json_object_get(args, "path");
	const char *text = json_string_value(path);
	const struct mirror *m = command_control(j)->env.mirror;

	if (!text || lwm2m_path_parse(&r->path, NULL, text, json_string_length(path), NULL) || r->path.depth < least ||
	    r->path.depth > most) {
		command_fail(j, "bad_request", "path is missing, or is none that this command can have", 0);
		return false;
	}
	if (!lwm2m_path_is_secret(&r->path, m ? mirror_registry(m) : NULL))
		return true;
	command_fail(j, "forbidden", "this never leaves the gateway", 0);
	return false;
}

static void run_at_path(struct command_job *j, struct device *d, const json_t *args, enum ask_verb verb, unsigned most)
{
	struct ask_request r = { .verb = verb, .depth = -1 };

	if (read_path(j, args, 1, most, &r))
		ask(j, d, &r);
}

static void run_read(struct command_job *j, struct device *d, const json_t *args)
{
	run_at_path(j, d, args, ASK_READ, 4);
}

static void run_observe(struct command_job *j, struct device *d, const json_t *args)
{
	run_at_path(j, d, args, ASK_OBSERVE, 4);
}

static void run_observe_cancel(struct command_job *j, struct device *d, const json_t *args)
{
	run_at_path(j, d, args, ASK_CANCEL, 4);
}

static void run_discover(struct command_job *j, struct device *d, const json_t *args)
{
	const json_t *depth = json_object_get(args, "depth");
	struct ask_request r = { .verb = ASK_DISCOVER, .depth = -1 };

	if (depth && (!json_is_integer(depth) || json_integer_value(depth) < 0 || json_integer_value(depth) > 3)) {
		command_fail(j, "bad_request", "depth is 0 to 3", 0);
		return;
	}
	if (depth)
		r.depth = (int)json_integer_value(depth);
	if (read_path(j, args, 1, 3, &r))
		ask(j, d, &r);
}

static enum niddgw_type registered_type(const struct command_job *j, const struct device *d, const struct lwm2m_path *p)
{
	const struct mirror *m = command_control(j)->env.mirror;
	struct lwm2m_resource_def def;
	const char *server;
	uint16_t version = lwm2m_objects_version(device_objects(d, &server), p->id[0]);

	if (!m || !lwm2m_registry_resource(mirror_registry(m), p->id[0], version, p->id[2], &def))
		return NIDDGW_NONE;
	return (enum niddgw_type)def.type;
}

static void run_write(struct command_job *j, struct device *d, const json_t *args)
{
	const json_t *value = json_object_get(args, "value"), *type = json_object_get(args, "type");
	struct ask_request r = { .verb = ASK_WRITE, .depth = -1 };
	uint8_t *body;
	long n;

	if (!read_path(j, args, 3, 4, &r))
		return;
	if (!value || (type && !json_is_string(type))) {
		command_fail(j, "bad_request", "value is missing, or type is no text", 0);
		return;
	}
	body = malloc(ASK_BODY_MOST);
	n = body ? command_value(value, json_string_value(type), registered_type(j, d, &r.path), body, ASK_BODY_MOST,
				 &r.format)
		 : -ENOMEM;
	r.body = body;
	r.len = n > 0 ? (size_t)n : 0;
	if (n == -EINVAL)
		command_fail(j, "bad_request", "value is none of the type of this resource", 0);
	else if (n < 0)
		command_fail(j, n == -EMSGSIZE ? "too_big" : "internal", "value cannot be written", 0);
	else
		ask(j, d, &r);
	free(body);
}

static void run_execute(struct command_job *j, struct device *d, const json_t *args)
{
	const json_t *text = json_object_get(args, "args");
	struct ask_request r = { .verb = ASK_EXECUTE, .depth = -1, .format = LWM2M_CF_TEXT };

	if (text && (!json_is_string(text) || json_string_length(text) > ARGS_TEXT_MOST)) {
		command_fail(j, "bad_request", "args is no text of at most 1024 octets", 0);
		return;
	}
	r.body = (const uint8_t *)json_string_value(text);
	r.len = text ? json_string_length(text) : 0;
	if (read_path(j, args, 3, 3, &r))
		ask(j, d, &r);
}

static void run_ping(struct command_job *j, struct device *d, const json_t *args)
{
	struct ask_request r = { .verb = ASK_PING, .depth = -1 };

	(void)args;
	ask(j, d, &r);
}

/* Registration Update Trigger: Execute of /1/x/8, of the first server account that it has told of. */
static void run_resync(struct command_job *j, struct device *d, const json_t *args)
{
	struct ask_request r = { .verb = ASK_EXECUTE, .depth = -1, .path = { { 1, 0, 8, 0 }, 3 } };
	const char *server;
	const struct lwm2m_objects *o = device_objects(d, &server);

	(void)args;
	for (size_t i = 0; o && i < o->n; i++)
		if (o->v[i].object == 1 && o->v[i].instance != LWM2M_NO_ID) {
			r.path.id[1] = o->v[i].instance;
			break;
		}
	ask(j, d, &r);
}

const struct verb command_device_verbs[] = {
	{ "show", true, true, run_show },
	{ "queue", true, true, run_queue },
	{ "ping", true, true, run_ping },
	{ "wake", true, false, run_wake },
	{ "queue-drop", true, false, run_queue_drop },
	{ "resync", true, false, run_resync },
	{ "read", true, false, run_read },
	{ "write", true, false, run_write },
	{ "execute", true, false, run_execute },
	{ "discover", true, false, run_discover },
	{ "observe", true, false, run_observe },
	{ "observe-cancel", true, false, run_observe_cancel },
	{ 0 },
};

/* ---- after a restart ---- */

static bool adopt(void *arg, struct ask *a, const void *note, size_t len)
{
	const char *parts[4], *p = note;
	struct command_job *j;

	for (size_t i = 0; i < 4; i++) {
		const char *end = memchr(p, 0, len);

		if (!end)
			return false;
		parts[i] = p;
		len -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	j = command_restored(arg, &(struct command_in){ .device = parts[1], .name = parts[2], .id = parts[3] },
			     parts[0]);
	if (!j)
		return false;
	j->ask = a;
	ask_set(a, on_answer, j);
	return true;
}

void commands_restore(struct commands *cs)
{
	asks_adopt(cs->control->env.sessions, adopt, cs);
}
