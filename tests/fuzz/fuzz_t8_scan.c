/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_t8_scan.c - JSON read in place against jansson: both take and refuse the same texts, and find the same values */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct t8_doc *d, const struct t8_value *v, const json_t *j);

static void compare_object(const struct t8_doc *d, const struct t8_value *v, const json_t *j)
{
	static char key[1 << 17];
	size_t n = 0;

	for (const struct t8_value *m = t8_first(d, v); m; m = t8_next(d, m)) {
		struct t8_value name = { .at = m->key, .len = m->key_len, .kind = T8_STRING };
		const json_t *other;

		n++;
		if (t8_text(d, &name, key, sizeof key))
			abort();
		other = json_object_get(j, key);
		if (!other || t8_member(d, v, key) != m)
			abort();
		compare(d, m, other);
	}
	if (n != json_object_size(j))
		abort();
}

static void compare_array(const struct t8_doc *d, const struct t8_value *v, const json_t *j)
{
	size_t n = 0;

	for (const struct t8_value *e = t8_first(d, v); e; e = t8_next(d, e))
		compare(d, e, json_array_get(j, n++));
	if (n != json_array_size(j))
		abort();
}

static void compare_string(const struct t8_doc *d, const struct t8_value *v, const json_t *j)
{
	static char text[1 << 17];
	const char *in_place = t8_text_in_place(d, v);

	if (t8_text(d, v, text, sizeof text) || strcmp(text, json_string_value(j)))
		abort();
	if (in_place && (v->len != json_string_length(j) || memcmp(in_place, text, v->len)))
		abort();
}

static void compare(const struct t8_doc *d, const struct t8_value *v, const json_t *j)
{
	static const json_type types[] = {
		[T8_NULL] = JSON_NULL, [T8_FALSE] = JSON_FALSE,   [T8_TRUE] = JSON_TRUE,   [T8_INTEGER] = JSON_INTEGER,
		[T8_REAL] = JSON_REAL, [T8_STRING] = JSON_STRING, [T8_ARRAY] = JSON_ARRAY, [T8_OBJECT] = JSON_OBJECT
	};
	int64_t n;

	if (!j || types[v->kind] != json_typeof(j))
		abort();
	if (v->kind == T8_OBJECT)
		compare_object(d, v, j);
	else if (v->kind == T8_ARRAY)
		compare_array(d, v, j);
	else if (v->kind == T8_STRING)
		compare_string(d, v, j);
	else if (v->kind == T8_INTEGER && (!t8_integer(d, v, INT64_MIN, INT64_MAX, &n) || n != json_integer_value(j)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct t8_doc d;
	int err = size < 1 << 16 ? t8_scan(&d, (const char *)data, size) : -EMSGSIZE;
	json_t *j;

	if (err == -EMSGSIZE)
		return 0;
	if (memchr(data, 0, size)) { /* jansson overlooks one behind a number */
		if (!err)
			abort();
		return 0;
	}
	j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	if ((j != NULL) != !err)
		abort();
	if (j)
		compare(&d, d.v, j);
	json_decref(j);
	return 0;
}
