/* SPDX-License-Identifier: Apache-2.0 */
/* devices.c - device add, remove and import
 *
 * An import is read, sent and checked piece by piece, so that neither side ever holds the file; what is wrong is said
 * as it is found, and only when nothing was wrong the daemon is told to take it.
 */
#include "ctl/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/rows.h"

enum {
	BATCH_RECORDS = 200,
	BATCH_OCTETS = 40000, /* of the records of one request, which may have 65536 */
	RECORD_OCTETS = 60000,
	PROGRESS_EVERY = 50000,
};

struct importing {
	const struct device_call *call;
	const char *file;
	json_t *batch; /* owned */
	size_t batch_octets;
	size_t records, faults;
	bool broken; /* the daemon has refused or is gone: said already */
};

/* ---- what is wrong ---- */

static void print_fault(const char *file, unsigned line, const char *text)
{
	char raw[2048], safe[8192];

	snprintf(raw, sizeof raw, "%s:%u: %s", file, line, text);
	text_escape(safe, sizeof safe, raw);
	fprintf(stderr, "%s\n", safe);
}

static void fault(struct importing *im, unsigned line, const char *text)
{
	im->faults++;
	print_fault(im->file, line, text);
}

/* The faults of an answer, which is returned. */
static json_t *take_faults(struct importing *im, json_t *answer)
{
	const json_t *f;
	size_t i;

	im->broken = im->broken || !answer;
	json_array_foreach(json_object_get(answer, "faults"), i, f)
	{
		const char *text = json_string_value(json_object_get(f, "text"));

		fault(im, (unsigned)json_integer_value(json_object_get(f, "line")), text ? text : "faulty");
	}
	return answer;
}

/* One step; members are taken. */
static json_t *ask(struct importing *im, const char *step, const char *key, json_t *value)
{
	json_t *request = json_pack("{s:s, s:s}", "verb", "device import", "step", step);

	if (key)
		json_object_set_new(request, key, value);
	return take_faults(im, client_ask(im->call->client, request));
}

/* ---- sending ---- */

static void send_batch(struct importing *im)
{
	if (!json_array_size(im->batch))
		return;
	json_decref(ask(im, "records", "records", json_incref(im->batch)));
	json_decref(im->batch);
	im->batch = json_array();
	im->batch_octets = 0;
}

static void add_record(struct importing *im, unsigned line, json_t *record)
{
	size_t octets = json_dumpb(record, NULL, 0, JSON_COMPACT) + 16;

	if (octets > RECORD_OCTETS) {
		fault(im, line, "longer than the gateway takes");
		json_decref(record);
		return;
	}
	if (im->batch_octets + octets > BATCH_OCTETS || json_array_size(im->batch) == BATCH_RECORDS)
		send_batch(im);
	json_array_append_new(im->batch, json_pack("[I, o]", (json_int_t)line, record));
	im->batch_octets += octets;
}

static void progress(const struct importing *im, const char *what)
{
	if (im->records >= PROGRESS_EVERY)
		fprintf(stderr, "niddgwctl: %zu records %s\n", im->records, what);
}

static void send_rows(struct importing *im, struct rows *rows)
{
	while (!im->broken) {
		const char *text;
		unsigned line;
		json_t *record;
		int n = rows_next(rows, &record, &line, &text);

		if (n == 0)
			break;
		if (n == 1) {
			add_record(im, line, record);
		} else if (n == -EBADMSG) {
			fault(im, line, text);
		} else {
			complain("%s: %s", im->file, strerror(-n));
			im->broken = true;
			break;
		}
		if (++im->records % PROGRESS_EVERY == 0)
			progress(im, "read");
	}
	if (!im->broken)
		send_batch(im);
}

/* What the import comes to, or NULL. */
static json_t *check_all(struct importing *im)
{
	json_t *answer = NULL;
	bool more = true;

	while (more && !im->broken) {
		json_decref(answer);
		answer = ask(im, "check", NULL, NULL);
		more = json_is_true(json_object_get(answer, "more"));
	}
	return answer;
}

/* The header line first: without it nothing else can be judged. */
static bool begin(struct importing *im, struct rows *rows)
{
	const char *text = "";
	unsigned line = 1;
	json_t *keys = rows_keys(rows, &line, &text);

	if (!keys) {
		fault(im, line, text);
		return false;
	}
	json_decref(ask(im, "begin", "keys", keys));
	return !im->broken && !im->faults;
}

static long long count_of(const json_t *answer, const char *key)
{
	return (long long)json_integer_value(json_object_get(answer, key));
}

static void tell_result(const struct importing *im, json_t *answer)
{
	long long overruled = count_of(answer, "overruled");

	json_object_del(answer, "faults");
	json_object_del(answer, "more");
	json_object_set_new(answer, "records", json_integer((json_int_t)im->records));
	json_object_set_new(answer, "dry_run", json_boolean(im->call->dry_run));
	if (im->call->json)
		im->call->print(answer);
	else
		printf("%zu records %s: %lld added, %lld replaced\n", im->records,
		       im->call->dry_run ? "are sound" : "imported", count_of(answer, "added"),
		       count_of(answer, "replaced"));
	if (overruled)
		complain("%lld of them are not in effect as long as the files have devices of these names", overruled);
}

static bool carry_out(struct importing *im, struct rows *rows)
{
	json_t *answer = NULL;

	if (begin(im, rows)) {
		send_rows(im, rows);
		answer = im->broken ? NULL : check_all(im);
	}
	if (!im->broken && !im->faults && !im->call->dry_run) {
		json_decref(answer);
		progress(im, "are being stored");
		answer = ask(im, "commit", NULL, NULL);
	}
	if (answer && !im->broken && !im->faults)
		tell_result(im, answer);
	if (im->faults)
		complain("%s: %zu faults; nothing was imported", im->file, im->faults);
	json_decref(answer);
	return !im->broken && !im->faults;
}

static bool has_suffix(const char *file, const char *suffix)
{
	size_t len = strlen(file), own = strlen(suffix);

	return len >= own && strcmp(file + len - own, suffix) == 0;
}

bool devices_import(const struct device_call *call)
{
	struct importing im = { .call = call, .file = call->args[0], .batch = json_array() };
	struct rows *rows;
	int err = rows_open(&rows, im.file, call->jsonl || has_suffix(im.file, ".jsonl"));
	bool good;

	if (err) {
		complain("%s: %s", im.file, strerror(-err));
		json_decref(im.batch);
		return false;
	}
	good = carry_out(&im, rows);
	rows_close(rows);
	json_decref(im.batch);
	return good;
}

/* ---- one record ---- */

/* KEY=VALUE; a key that comes again makes a list. False: complained. */
static bool add_pair(json_t *o, const char *arg)
{
	const char *eq = strchr(arg, '=');
	char key[128];
	json_t *value, *before;

	if (!eq || eq == arg || (size_t)(eq - arg) >= sizeof key) {
		complain("\"%s\" is not KEY=VALUE", arg);
		return false;
	}
	memcpy(key, arg, (size_t)(eq - arg));
	key[eq - arg] = '\0';
	value = json_string(eq + 1);
	before = json_object_get(o, key);
	if (before && !json_is_array(before)) {
		before = json_pack("[O]", before);
		json_object_set_new(o, key, before);
	}
	if (value && (before ? json_array_append_new(before, value) : json_object_set_new(o, key, value)) == 0)
		return true;
	complain("\"%s\" is not UTF-8", arg);
	return false;
}

bool devices_add(const struct device_call *call)
{
	json_t *o = json_object(), *answer, *f;
	size_t i, faults;
	bool good = true;

	for (int n = 0; n < call->args_n && good; n++)
		good = add_pair(o, call->args[n]);
	if (!good) {
		json_decref(o);
		return false;
	}
	answer = client_ask(call->client, json_pack("{s:s, s:o}", "verb", "device add", "device", o));
	faults = json_array_size(json_object_get(answer, "faults"));
	json_array_foreach(json_object_get(answer, "faults"), i, f)
		complain("%s", json_string_value(json_object_get(f, "text")));
	if (answer && !faults && count_of(answer, "overruled"))
		complain("it is not in effect as long as the files have a device of this name");
	if (answer && !faults && call->json)
		call->print(answer);
	json_decref(answer);
	return answer && !faults;
}

bool devices_remove(const struct device_call *call)
{
	json_t *request = json_pack("{s:s}", "verb", "device remove"), *answer;

	if (json_object_set_new(request, "name", json_string(call->args[0]))) {
		complain("\"%s\" is not UTF-8", call->args[0]);
		json_decref(request);
		return false;
	}
	answer = client_ask(call->client, request);
	if (answer && call->json)
		call->print(answer);
	json_decref(answer);
	return answer != NULL;
}
