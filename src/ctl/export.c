/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - device export: stored records as import takes them back, page by page */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/devices.h"

struct exporting {
	const struct device_call *call;
	json_t *keys; /* owned: the columns */
	size_t printed;
	bool faulty;
};

/* ---- CSV, RFC 4180 ---- */

static void print_field(const char *text)
{
	if (!strpbrk(text, ",\"\r\n") && *text != ' ' && (!*text || text[strlen(text) - 1] != ' ')) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

/* Entries of a list with ";" between them. NULL: one has a ";" in itself. */
static char *joined(const json_t *list)
{
	const json_t *entry;
	size_t i, len = 1;
	char *text, *at;

	json_array_foreach(list, i, entry)
	{
		if (!json_string_value(entry) || strchr(json_string_value(entry), ';'))
			return NULL;
		len += strlen(json_string_value(entry)) + 1;
	}
	text = malloc(len);
	at = text;
	json_array_foreach(list, i, entry) if (at) at += sprintf(at, "%s%s", i ? ";" : "", json_string_value(entry));
	return text;
}

static void print_value(struct exporting *ex, const json_t *record, const char *key)
{
	const json_t *value = json_object_get(record, key);
	char *text = NULL;

	if (json_is_string(value)) {
		print_field(json_string_value(value));
		return;
	}
	if (!json_is_array(value))
		return;
	text = joined(value);
	if (text) {
		print_field(text);
	} else {
		complain("device \"%s\": an entry of %s has a \";\" in it, which CSV cannot say: use --jsonl",
			 json_string_value(json_object_get(record, "name")), key);
		ex->faulty = true;
	}
	free(text);
}

static void print_row(struct exporting *ex, const json_t *record)
{
	const json_t *key;
	size_t i;

	json_array_foreach(ex->keys, i, key)
	{
		if (i)
			putchar(',');
		print_value(ex, record, json_string_value(key));
	}
	fputs("\r\n", stdout);
}

static void print_heads(struct exporting *ex, const json_t *page)
{
	const json_t *key;
	size_t i;

	ex->keys = json_incref(json_object_get(page, "keys"));
	json_array_foreach(ex->keys, i, key)
	{
		if (i)
			putchar(',');
		print_field(json_string_value(key) ? json_string_value(key) : "");
	}
	fputs("\r\n", stdout);
}

/* ---- pages ---- */

static void print_page(struct exporting *ex, const json_t *page, bool first)
{
	const bool csv = !ex->call->jsonl && !ex->call->json;
	const json_t *record;
	size_t i;

	if (first && csv)
		print_heads(ex, page);
	else if (first && ex->call->json)
		fputs("{\"v\":1,\"records\":[", stdout);
	json_array_foreach(json_object_get(page, "records"), i, record)
	{
		if (csv) {
			print_row(ex, record);
			continue;
		}
		if (ex->call->json)
			fputs(ex->printed ? ",\n" : "\n", stdout);
		json_dumpf(record, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		if (!ex->call->json)
			putchar('\n');
		ex->printed++;
	}
}

bool devices_export(const struct device_call *call)
{
	struct exporting ex = { .call = call };
	char *cursor = NULL;
	bool first = true, good = true;

	do {
		json_t *request = json_pack("{s:s, s:b, s:s*}", "verb", "device export", "all", call->all, "cursor",
					    cursor);
		json_t *page = client_ask(call->client, request);
		const char *next = json_string_value(json_object_get(page, "next"));

		free(cursor);
		cursor = next ? strdup(next) : NULL;
		good = page && (!next || cursor);
		if (page)
			print_page(&ex, page, first);
		first = false;
		json_decref(page);
	} while (cursor);
	if (call->json && good)
		puts("\n]}");
	json_decref(ex.keys);
	return good && !ex.faulty;
}
