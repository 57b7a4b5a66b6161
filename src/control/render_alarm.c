/* SPDX-License-Identifier: Apache-2.0 */
/* render_alarm.c - what is wrong, as the alarm objects */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alarm.h"
#include "control/inside.h"
#include "control/render.h"

/* What kind of thing an alarm's source is follows from its type. */
static const char *source_kind(const char *type)
{
	static const struct {
		const char *before, *kind;
	} kinds[] = { { "device.", "device" }, { "server.", "server" }, { "plugin.", "plugin" },
		      { "mqtt.", "plugin" },   { "modem.", "port" },    { "config.", "file" } };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strncmp(type, kinds[i].before, strlen(kinds[i].before)))
			return kinds[i].kind;
	return "peer";
}

static json_t *id_of(const struct alarm *al)
{
	size_t size = strlen(al->type) + strlen(al->source) + 2;
	char *text = malloc(size);
	json_t *id;

	if (!text)
		return NULL;
	snprintf(text, size, "%s:%s", al->type, al->source);
	id = render_text(text);
	free(text);
	return id;
}

json_t *render_alarm(const struct alarm *al)
{
	json_t *o = render_new(), *source = json_object();

	json_object_set_new(o, "id", id_of(al));
	render_set_text(o, "type", al->type);
	render_set_text(o, "severity", alarm_severity_names[al->severity]);
	render_set_time(o, "raised", al->raised_wall_ms);
	render_set_uint(o, "count", al->count);
	render_set_text(source, source_kind(al->type), al->source);
	json_object_set_new(o, "source", source);
	json_object_set_new(o, "text", al->text ? render_text(al->text) : json_string(""));
	render_set_text(o, "action", al->action);
	if (al->acked_wall_ms)
		render_set_time(o, "acked", al->acked_wall_ms);
	else
		json_object_set_new(o, "acked", json_null());
	return o;
}

json_t *render_alarm_event(const struct alarm *al, const char *event)
{
	json_t *o = render_alarm(al);

	render_set_text(o, "event", event);
	return o;
}

static void add_alarm(void *arg, const struct alarm *al)
{
	json_array_append_new(arg, render_alarm(al));
}

json_t *render_alarms(const struct control *c, uint64_t from, size_t limit)
{
	json_t *list = json_array();

	if (list)
		alarms_each(c->env.alarms, add_alarm, list);
	return render_slice(list, from, limit);
}
