/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - device records of a file, one at a time
 *
 * A field of CSV becomes a text under the name of its column, an empty one is left out; what the values mean is the
 * daemon's to say. A line of JSON is taken as it stands.
 */
#include "ctl/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/csv.h"

struct rows {
	int fd;
	bool jsonl;
	json_t *keys;    /* owned; NULL until they are read */
	char fault[200]; /* of the line at hand */
	struct csv csv;
};

static long read_some(void *arg, char *buf, size_t size)
{
	const struct rows *r = arg;
	ssize_t n;

	do
		n = read(r->fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n;
}

int rows_open(struct rows **out, const char *file, bool jsonl)
{
	struct rows *r = malloc(sizeof *r);

	if (!r)
		return -ENOMEM;
	r->jsonl = jsonl;
	r->keys = NULL;
	r->fd = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (r->fd < 0) {
		int err = -errno;

		free(r);
		return err;
	}
	csv_init(&r->csv, read_some, r);
	*out = r;
	return 0;
}

void rows_close(struct rows *r)
{
	if (!r)
		return;
	if (r->fd != STDIN_FILENO)
		close(r->fd);
	json_decref(r->keys);
	free(r);
}

static bool has_key(const json_t *keys, const char *key)
{
	const json_t *k;
	size_t i;

	json_array_foreach(keys, i, k) if (!strcmp(json_string_value(k), key)) return true;
	return false;
}

/* Names of columns, each once. */
static json_t *read_header(struct rows *r)
{
	json_t *keys = json_array();
	bool named = false;

	for (size_t i = 0; i < r->csv.fields; i++) {
		const char *key = r->csv.field[i];

		if (!*key || has_key(keys, key)) {
			snprintf(r->fault, sizeof r->fault,
				 *key ? "the column \"%.100s\" stands in the header twice" : "a column has no name",
				 key);
			json_decref(keys);
			return NULL;
		}
		named = named || !strcmp(key, "name");
		json_array_append_new(keys, json_string(key));
	}
	if (named)
		return keys;
	snprintf(r->fault, sizeof r->fault,
		 "no column is called \"name\": the first line names the keys of the records");
	json_decref(keys);
	return NULL;
}

json_t *rows_keys(struct rows *r, unsigned *line, const char **fault)
{
	int n;

	if (r->jsonl)
		return json_array();
	n = csv_next(&r->csv);
	*line = n ? r->csv.at_line : 1;
	*fault = r->fault;
	if (n < 0)
		snprintf(r->fault, sizeof r->fault, "%s", r->csv.fault);
	else if (n == 0)
		snprintf(r->fault, sizeof r->fault,
			 r->csv.failed ? "cannot be read" : "is empty: the first line names the keys of the records");
	r->keys = n == 1 ? read_header(r) : NULL;
	return json_incref(r->keys);
}

/* ---- records ---- */

static json_t *record_of_fields(struct rows *r)
{
	json_t *o;

	if (r->csv.fields != json_array_size(r->keys)) {
		snprintf(r->fault, sizeof r->fault, "%zu fields, and the header has %zu", r->csv.fields,
			 json_array_size(r->keys));
		return NULL;
	}
	o = json_object();
	for (size_t i = 0; i < r->csv.fields; i++)
		if (*r->csv.field[i])
			json_object_set_new(o, json_string_value(json_array_get(r->keys, i)),
					    json_string(r->csv.field[i]));
	return o;
}

static json_t *record_of_line(struct rows *r)
{
	json_error_t e;
	json_t *o = json_loadb(r->csv.text, r->csv.len, JSON_REJECT_DUPLICATES, &e);

	if (json_is_object(o))
		return o;
	if (o)
		snprintf(r->fault, sizeof r->fault, "not a JSON object");
	else
		snprintf(r->fault, sizeof r->fault, "not JSON: %s", e.text);
	json_decref(o);
	return NULL;
}

int rows_next(struct rows *r, json_t **record, unsigned *line, const char **fault)
{
	int n = r->jsonl ? csv_next_line(&r->csv) : csv_next(&r->csv);

	if (n == 0)
		return r->csv.failed ? -EIO : 0;
	*line = r->csv.at_line;
	*fault = r->fault;
	if (n < 0) {
		snprintf(r->fault, sizeof r->fault, "%s", r->csv.fault);
		return n;
	}
	*record = r->jsonl ? record_of_line(r) : record_of_fields(r);
	return *record ? 1 : -EBADMSG;
}
