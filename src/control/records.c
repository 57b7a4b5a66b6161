/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - device records over the control socket */
#include "control/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "control/inside.h"
#include "control/record_json.h"
#include "control/render.h"
#include "control/verbs.h"
#include "session/provision.h"
#include "session/session.h"

enum {
	CHECK_STEP = 2000, /* records held against the devices in one request */
	EXPORT_PAGE = 500,
};

/* ---- answers ---- */

static void add_fault(void *arg, unsigned line, const char *text)
{
	json_array_append_new(arg, json_pack("{s:I, s:s}", "line", (json_int_t)line, "text", text));
}

static void set_result(json_t *o, const struct import_result *r)
{
	render_set_uint(o, "added", r->added);
	render_set_uint(o, "replaced", r->replaced);
	render_set_uint(o, "overruled", r->overruled);
}

static json_t *with_faults(json_t *faults)
{
	json_t *o = render_new();

	json_object_set_new(o, "faults", faults);
	return o;
}

static json_t *no_import(const char *why)
{
	return verbs_error("bad_request", why);
}

static json_t *import_refused(int err)
{
	switch (err) {
	case -EBUSY:
		return verbs_error("busy", "another import is going on");
	case -EROFS:
		return verbs_error("unavailable", "the store cannot be written now: see alarms");
	case -ESTALE:
		return verbs_error("conflict", "the configuration was reloaded meanwhile: import again");
	case -ENOSPC:
		return verbs_error("too_large",
				   "more records than one import may have (1000000): import them in parts");
	case -EIO:
		return verbs_error("unavailable", "the store could not be written: nothing was imported");
	default:
		return verbs_error("internal", strerror(-err));
	}
}

static json_t *not_ready(const struct records *r)
{
	if (r->control->phase == CONTROL_READY)
		return NULL;
	return verbs_error("busy", r->control->phase == CONTROL_STARTING ? "still starting" : "stopping");
}

static void drop_import(struct records *r)
{
	import_close(r->import);
	r->import = NULL;
}

static void on_imported(void *arg, int err)
{
	struct records *r = arg;
	struct import_result result = import_result(r->import);
	json_t *o = NULL;

	drop_import(r);
	if (!err) {
		o = render_new();
		set_result(o, &result);
	}
	r->answer(r, err ? import_refused(err) : verbs_ok(o));
}

static json_t *commit(struct records *r, bool *later)
{
	int err = import_commit(r->import, on_imported, r);

	if (!err) {
		*later = true;
		return NULL;
	}
	if (err == -EINVAL)
		return no_import("there are faults, or the check has not come to its end");
	drop_import(r);
	return import_refused(err);
}

/* ---- import, step by step ---- */

/* An import that somebody began and left is given up. */
static int open_import(struct records *r)
{
	if (r->import)
		drop_import(r);
	return import_open(&r->import, r->control->env.sessions);
}

static json_t *begin(struct records *r, const json_t *request)
{
	const json_t *keys = json_object_get(request, "keys");
	json_t *faults, *key;
	size_t i;
	int err;

	err = open_import(r);
	if (err)
		return import_refused(err);
	faults = json_array();
	json_array_foreach(keys, i, key) if (json_is_string(key))(void)
		import_key(r->import, json_string_value(key), 1, add_fault, faults);
	return verbs_ok(with_faults(faults));
}

/* [LINE, {record}] */
static int take_record(struct records *r, const json_t *entry, json_t *faults)
{
	json_t *object = json_array_get(entry, 1);
	const unsigned line = (unsigned)json_integer_value(json_array_get(entry, 0));
	struct record_pairs p;

	if (!json_is_object(object))
		return -EBADMSG;
	if (record_pairs(&p, object))
		return import_add(r->import, line, p.v, p.n, add_fault, faults);
	import_fault(r->import, line,
		     "a value is neither text, number, true, false nor a list of these, or there are too many",
		     add_fault, faults);
	return 0;
}

static json_t *take_records(struct records *r, const json_t *request)
{
	const json_t *list = json_object_get(request, "records");
	json_t *faults = json_array(), *entry;
	int err = 0;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		err = take_record(r, entry, faults);
		if (err)
			break;
	}
	if (!err)
		return verbs_ok(with_faults(faults));
	json_decref(faults);
	drop_import(r);
	if (err == -EBADMSG)
		return no_import("records are pairs of a line number and an object");
	return err == -EPROTO ? no_import("the check has begun") : import_refused(err);
}

static json_t *check(struct records *r)
{
	json_t *faults = json_array(), *o;
	bool more = import_check(r->import, CHECK_STEP, add_fault, faults);
	struct import_result result = import_result(r->import);

	o = with_faults(faults);
	json_object_set_new(o, "more", json_boolean(more));
	set_result(o, &result);
	return verbs_ok(o);
}

json_t *records_import(struct records *r, const json_t *request, bool *later)
{
	const char *step = json_string_value(json_object_get(request, "step"));
	json_t *refused = not_ready(r);

	if (refused)
		return refused;
	if (!step)
		return no_import("step is missing");
	if (!strcmp(step, "begin"))
		return begin(r, request);
	if (!r->import)
		return no_import("no import has begun");
	if (!strcmp(step, "records"))
		return take_records(r, request);
	if (!strcmp(step, "check"))
		return check(r);
	if (!strcmp(step, "commit"))
		return commit(r, later);
	if (strcmp(step, "end") != 0)
		return no_import("no such step");
	drop_import(r);
	return verbs_ok(render_new());
}

/* ---- one record ---- */

json_t *records_add(struct records *r, const json_t *request, bool *later)
{
	json_t *refused = not_ready(r), *object = json_object_get(request, "device"), *faults, *entry;
	int err;

	if (refused)
		return refused;
	if (!json_is_object(object))
		return verbs_error("bad_request", "device is no object");
	err = open_import(r);
	if (err)
		return import_refused(err);
	faults = json_array();
	entry = json_pack("[i, O]", 1, object);
	err = take_record(r, entry, faults);
	json_decref(entry);
	if (!err)
		(void)import_check(r->import, CHECK_STEP, add_fault, faults);
	if (!err && !json_array_size(faults)) {
		json_decref(faults);
		return commit(r, later);
	}
	drop_import(r);
	if (!err)
		return verbs_ok(with_faults(faults));
	json_decref(faults);
	return import_refused(err);
}

static void on_removed(void *arg, int err)
{
	struct records *r = arg;

	r->removal = NULL;
	r->answer(r,
		  err ? verbs_error("unavailable",
				    "the device is gone, but the store could not be written: it comes back with the "
				    "next start")
		      : verbs_ok(render_new()));
}

json_t *records_remove(struct records *r, const json_t *request, bool *later)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	json_t *refused = not_ready(r);
	int err;

	if (refused)
		return refused;
	if (!name)
		return verbs_error("bad_request", "name is missing");
	err = sessions_remove_record(r->control->env.sessions, name, &r->removal, on_removed, r);
	switch (err) {
	case 0:
		*later = true;
		return NULL;
	case -ENOENT:
		return verbs_error("not_found", "no such device");
	case -EPERM:
		return verbs_error("conflict", "it stands in the files: remove it there and reload");
	default:
		return import_refused(err);
	}
}

/* ---- export ---- */

struct page {
	json_t *list;
	size_t limit;
	bool failed;
};

static bool add_record(void *arg, const struct device_conf *c)
{
	struct page *p = arg;

	if (json_array_size(p->list) == p->limit)
		return false;
	p->failed = json_array_append_new(p->list, record_object(c)) != 0;
	return !p->failed;
}

static bool add_device(void *arg, const struct device *d)
{
	struct device_status st;

	device_status(d, &st);
	return add_record(arg, st.conf);
}

static json_t *export_page(struct records *r, bool all, size_t from, size_t limit)
{
	const struct sessions *s = r->control->env.sessions;
	struct page p = { .list = json_array(), .limit = limit };
	json_t *o = render_new();
	size_t next = all ? sessions_each_from(s, from, add_device, &p)
			  : sessions_records_from(s, from, add_record, &p);
	bool more = all ? next < sessions_places(s) : next != 0;

	if (p.failed) {
		json_decref(p.list);
		json_decref(o);
		return NULL;
	}
	json_object_set_new(o, "records", p.list);
	if (more)
		json_object_set_new(o, "next", json_sprintf("%zu", next));
	return o;
}

static json_t *keys(void)
{
	json_t *list = json_pack("[s]", "name");

	for (const struct conf_item *it = device_items; it->type != CONF_TYPE_END; it++)
		if (!it->absent)
			json_array_append_new(list, json_string(it->name));
	return list;
}

json_t *records_export(struct records *r, const json_t *request, bool *later)
{
	const char *cursor = json_string_value(json_object_get(request, "cursor"));
	uint64_t from = 0;
	json_t *page;

	(void)later;
	if (cursor && render_cursor(cursor, &from))
		return verbs_error("bad_request", "cursor is none that was given");
	page = export_page(r, json_is_true(json_object_get(request, "all")), from, EXPORT_PAGE);
	if (page && !cursor)
		json_object_set_new(page, "keys", keys());
	return verbs_ok(page);
}

void records_end(struct records *r)
{
	import_close(r->import);
	removal_forget(r->removal);
	command_forget(r->job);
	r->import = NULL;
	r->removal = NULL;
	r->job = NULL;
}
