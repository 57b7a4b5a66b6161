/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - the daemon's objects for people */
#include "ctl/show.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- values as text ---- */

enum { VALUE_MOST = 512 };

static const char *first_text(const json_t *o)
{
	const char *text = json_string_value(json_object_iter_value(json_object_iter((json_t *)o)));

	return text ? text : "";
}

static void text_of(const json_t *value, char *buf, size_t size)
{
	if (json_is_string(value))
		snprintf(buf, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_object(value)) /* {"server":"main"}: what it is called is enough for a column */
		snprintf(buf, size, "%s", first_text(value));
	else
		snprintf(buf, size, "-");
}

/* A member for a cell: text of its own, or "" when it is absent. */
static const char *member(const json_t *o, const char *key, char *buf, size_t size)
{
	const json_t *value = json_object_get(o, key);

	*buf = '\0';
	if (value)
		text_of(value, buf, size);
	return buf;
}

/* ---- one object, member by member ---- */

/* Documents of ours are three or four deep; more is not ours. */
enum { DEPTH_MOST = 8, NAME_MOST = 256 };

static void add_value(struct table *t, const char *name, const json_t *value, int depth);

static void add_members(struct table *t, const char *name, const json_t *o, int depth)
{
	char inner[NAME_MOST];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)o, key, value)
	{
		snprintf(inner, sizeof inner, "%s%s%s", name, *name ? "." : "", key);
		add_value(t, inner, value, depth);
	}
}

/* An element that has a name is shown by it: "servers.main.registered". */
static void add_elements(struct table *t, const char *name, const json_t *list, int depth)
{
	char inner[NAME_MOST];
	size_t i;
	json_t *value;

	json_array_foreach(list, i, value)
	{
		const char *own = json_string_value(json_object_get(value, "name"));

		if (own)
			snprintf(inner, sizeof inner, "%s.%s", name, own);
		else
			snprintf(inner, sizeof inner, "%s.%zu", name, i);
		add_value(t, inner, value, depth);
	}
}

static void add_value(struct table *t, const char *name, const json_t *value, int depth)
{
	char text[VALUE_MOST];

	if (depth > DEPTH_MOST)
		return;
	if (json_is_object(value)) {
		add_members(t, name, value, depth + 1);
	} else if (json_is_array(value)) {
		add_elements(t, name, value, depth + 1);
	} else {
		text_of(value, text, sizeof text);
		table_add(t, (const char *const[]){ name, text });
	}
}

void show_object(const json_t *o)
{
	struct table t;

	table_init(&t, NULL, 2);
	add_members(&t, "", o, 0);
	table_print(&t);
	table_fini(&t);
}

/* ---- lists ---- */

/* One column per key. */
static int add_keys(struct table *t, const json_t *o, const char *const *keys, size_t columns)
{
	char text[TABLE_COLUMNS_MOST][VALUE_MOST];
	const char *cells[TABLE_COLUMNS_MOST];

	for (size_t k = 0; k < columns; k++)
		cells[k] = member(o, keys[k], text[k], sizeof text[k]);
	return table_add(t, cells);
}

/* A list whose rows are members of its items: its heads, and its add(). */
#define LIST(name, heads_, keys_)                                                         \
	static int add_##name(struct table *t, const json_t *o)                           \
	{                                                                                 \
		_Static_assert(sizeof(heads_) == sizeof(keys_), "a key for each column"); \
		return add_keys(t, o, keys_, sizeof(keys_) / sizeof *(keys_));            \
	}                                                                                 \
	const struct show_list show_##name = { heads_, sizeof(heads_) / sizeof *(heads_), add_##name }

static const char *const link_heads[] = { "LINK", "TYPE", "STATE", "SINCE", "LAST OK", "DETAIL" };
static const char *const link_keys[] = { "name", "type", "state", "since", "last_ok", "detail" };
LIST(links, link_heads, link_keys);

static const char *const server_heads[] = { "SERVER", "STATE", "ROLE", "ASSOCIATIONS", "LAST HEARD", "ADDRESS", "URI" };
static const char *const server_keys[] = { "name", "state", "role", "associations", "last_heard", "address", "uri" };
LIST(servers, server_heads, server_keys);

static const char *const alarm_heads[] = { "SEVERITY", "ALARM", "SOURCE", "RAISED", "COUNT", "TEXT", "ACTION" };
static const char *const alarm_keys[] = { "severity", "type", "source", "raised", "count", "text", "action" };
LIST(alarms, alarm_heads, alarm_keys);

static const char *const plugin_heads[] = { "PLUGIN", "LIBRARY", "VERSION",  "STATE", "PID",
					    "QUEUED", "DROPPED", "RESTARTS", "REASON" };
static const char *const plugin_keys[] = { "name",   "plugin",  "version",  "state", "pid",
					   "queued", "dropped", "restarts", "reason" };
LIST(plugins, plugin_heads, plugin_keys);

static const char *const queue_heads[] = { "DEVICE", "SERVER", "DIR",  "KIND",  "STATE", "TYPE",
					   "CODE",   "OP",     "PATH", "BYTES", "AGE",   "LEFT" };
static const char *const queue_keys[] = { "device", "server", "dir",  "kind",  "state", "type",
					  "code",   "op",     "path", "bytes", "age_s", "left_s" };
LIST(queue, queue_heads, queue_keys);

/* ---- events: what all have, then the rest as KEY=VALUE ---- */

static bool is_own_column(const char *key)
{
	static const char *const keys[] = { "id", "ts", "level", "room", "event", "device", "count" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

static const char *rest_of(const json_t *event, char *buf, size_t size)
{
	char text[VALUE_MOST];
	size_t len = 0;
	const char *key;
	json_t *value;

	*buf = '\0';
	json_object_foreach((json_t *)event, key, value)
	{
		if (is_own_column(key) || len >= size)
			continue;
		text_of(value, text, sizeof text);
		len += (size_t)snprintf(buf + len, size - len, strchr(text, ' ') ? "%s%s=\"%s\"" : "%s%s=%s",
					len ? " " : "", key, text);
	}
	return buf;
}

static int add_event(struct table *t, const json_t *event)
{
	char text[6][VALUE_MOST], rest[2 * VALUE_MOST];
	const char *cells[] = {
		member(event, "ts", text[0], VALUE_MOST),    member(event, "level", text[1], VALUE_MOST),
		member(event, "room", text[2], VALUE_MOST),  member(event, "event", text[3], VALUE_MOST),
		member(event, "count", text[4], VALUE_MOST), member(event, "device", text[5], VALUE_MOST),
		rest_of(event, rest, sizeof rest),
	};

	return table_add(t, cells);
}

static const char *const event_heads[] = { "TIME", "LEVEL", "ROOM", "EVENT", "COUNT", "DEVICE", "DETAILS" };
const struct show_list show_events = { event_heads, sizeof event_heads / sizeof *event_heads, add_event };

/* ---- status ---- */

static void show_rows(const struct show_list *list, const json_t *items)
{
	struct table t;
	size_t i;
	json_t *o;

	table_init(&t, list->heads, list->columns);
	json_array_foreach(items, i, o)
	{
		list->add(&t, o);
	}
	table_print(&t);
	table_fini(&t);
}

void show_status(const json_t *status)
{
	json_t *rest = json_copy((json_t *)status);

	json_object_del(rest, "v");
	json_object_del(rest, "links");
	json_object_del(rest, "servers");
	show_object(rest);
	json_decref(rest);
	if (json_array_size(json_object_get(status, "links"))) {
		putchar('\n');
		show_rows(&show_links, json_object_get(status, "links"));
	}
	if (json_array_size(json_object_get(status, "servers"))) {
		putchar('\n');
		show_rows(&show_servers, json_object_get(status, "servers"));
	}
}

/* ---- devices ---- */

static const char *const device_heads[] = { "DEVICE",  "STATE", "REACH",   "TRANSPORT", "LINK",
					    "LAST UP", "QUEUE", "SERVERS", "EP" };

/* Where it is registered, names separated by commas. */
static const char *registered_at(const json_t *device, char *buf, size_t size)
{
	size_t i, len = 0;
	json_t *server;

	*buf = '\0';
	json_array_foreach(json_object_get(device, "servers"), i, server)
	{
		const char *name = json_string_value(json_object_get(server, "name"));

		if (!name || !json_is_true(json_object_get(server, "registered")) || len >= size)
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? "," : "", name);
	}
	return buf;
}

static int add_device(struct table *t, const json_t *device)
{
	char text[9][VALUE_MOST];
	const json_t *link = json_object_get(device, "link");
	const char *cells[] = {
		member(device, "device", text[0], VALUE_MOST),
		member(device, "state", text[1], VALUE_MOST),
		member(device, "reach", text[2], VALUE_MOST),
		member(device, "transport", text[3], VALUE_MOST),
		member(link, "name", text[4], VALUE_MOST),
		member(link, "last_up", text[5], VALUE_MOST),
		member(json_object_get(device, "queue"), "depth", text[6], VALUE_MOST),
		registered_at(device, text[7], VALUE_MOST),
		member(device, "ep", text[8], VALUE_MOST),
	};

	return table_add(t, cells);
}

const struct show_list show_devices = { device_heads, sizeof device_heads / sizeof *device_heads, add_device };
