/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - what host applications ask: a birth again, or that a resource be written */
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sparkplug.h"

enum { COMMAND_METRICS_MAX = 64 };

static bool asks_rebirth(const Spb__Payload *payload)
{
	for (size_t i = 0; i < payload->n_metrics; i++) {
		const Spb__Metric *m = payload->metrics[i];

		if (m->name && !strcmp(m->name, "Node Control/Rebirth") && m->has_boolean_value && m->boolean_value)
			return true;
	}
	return false;
}

static const struct metric *metric_asked(const struct sp_device *d, const Spb__Metric *m)
{
	char name[32];

	for (size_t i = 0; i < d->metrics_n; i++) {
		metric_name(&d->metrics[i], name);
		if (m->name ? !strcmp(m->name, name) : m->has_alias && m->alias == d->metrics[i].alias)
			return &d->metrics[i];
	}
	return NULL;
}

static json_t *octets(const ProtobufCBinaryData *data)
{
	char *text = data->len <= TEXT_MAX ? malloc(data->len / 3 * 4 + 5) : NULL;
	int n = text ? EVP_EncodeBlock((unsigned char *)text, data->data, (int)data->len) : 0;
	json_t *o = text ? json_stringn(text, (size_t)n) : NULL;

	free(text);
	return o;
}

/* What JSON has no integer for goes as digits. */
static json_t *unsigned_of(uint64_t v)
{
	char digits[24];

	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
	return json_string(digits);
}

static json_t *value_of(const struct metric *known, const Spb__Metric *m)
{
	switch (known->datatype) {
	case SP_DOUBLE:
		return m->has_double_value   ? json_real(m->double_value)
			: m->has_float_value ? json_real((double)m->float_value)
					     : NULL;
	case SP_BOOLEAN:
		return m->has_boolean_value ? json_boolean(m->boolean_value) : NULL;
	case SP_STRING:
		return m->string_value ? json_string(m->string_value) : NULL;
	case SP_DATETIME:
		return m->has_long_value ? json_integer((json_int_t)(m->long_value / 1000)) : NULL;
	case SP_BYTES:
		return m->has_bytes_value ? octets(&m->bytes_value) : NULL;
	case SP_UINT64:
		return m->has_long_value   ? unsigned_of(m->long_value)
			: m->has_int_value ? json_integer(m->int_value)
					   : NULL;
	default:
		return m->has_long_value   ? json_integer((json_int_t)m->long_value)
			: m->has_int_value ? json_integer((int32_t)m->int_value)
					   : NULL;
	}
}

static void write_metric(struct sparkplug *p, const struct sp_device *d, const Spb__Metric *m)
{
	const struct metric *known = metric_asked(d, m);
	struct niddgw_command c = { .size = sizeof c, .device = d->name, .name = "write" };
	char name[32], path[40], id[40], *args;
	json_t *value = known ? value_of(known, m) : NULL, *o;

	if (!value) {
		niddgw_log(p->host, NIDDGW_INFO, "command.ignored",
			   "a metric that is not known, or a value of another type");
		return;
	}
	metric_name(known, name);
	snprintf(path, sizeof path, "/%s", name);
	snprintf(id, sizeof id, "sparkplug-%llu", (unsigned long long)++p->commands);
	o = json_pack("{s:s,s:o,s:s*}", "path", path, "value", value, "type",
		      known->datatype == SP_BYTES ? "opaque" : NULL);
	args = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	c.id = id;
	c.args = args;
	if (args && niddgw_command(p->host, &c))
		niddgw_log(p->host, NIDDGW_WARNING, "command.lost", "too many commands are under way");
	free(args);
}

/* spBv1.0/GROUP/DCMD/NODE/DEVICE */
static struct sp_device *device_of_topic(struct sparkplug *p, const char *topic)
{
	const char *level = strrchr(topic, '/');
	char name[512], known[TOPIC_LEVEL_SIZE];

	if (!level)
		return NULL;
	level++;
	if (topic_name(name, sizeof name, level, strlen(level)) > 0)
		return device_of(p, name, false);
	for (size_t i = 0; i < p->devices_n; i++)
		if (!strcmp(topic_level(known, p->devices[i]->name), level))
			return p->devices[i];
	return NULL;
}

int command_answered(struct sparkplug *p, const struct niddgw_answer *a)
{
	json_t *o = a->final && a->json ? json_loads(a->json, 0, NULL) : NULL, *error = json_object_get(o, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	char text[400];

	if (code) {
		const char *why = json_string_value(json_object_get(error, "message"));

		snprintf(text, sizeof text, "%.128s: %s%s%.200s", a->device ? a->device : "", code, why ? ", " : "",
			 why ? why : "");
		niddgw_log(p->host, NIDDGW_INFO, "command.failed", text);
	}
	json_decref(o);
	return 0;
}

void command_came(struct sparkplug *p, const struct broker_message *m)
{
	Spb__Payload *payload = m->too_big || m->retained
		? NULL
		: spb__payload__unpack(NULL, m->len, m->payload ? m->payload : (const void *)"");
	struct sp_device *d;

	niddgw_count(p->host, "sparkplug_commands_total", 1);
	if (!payload) {
		niddgw_log(p->host, NIDDGW_INFO, "command.ignored", "no payload of Sparkplug B");
		return;
	}
	if (strstr(m->topic, "/NCMD/")) {
		if (asks_rebirth(payload))
			node_birth(p);
	} else if ((d = device_of_topic(p, m->topic))) {
		for (size_t i = 0; i < payload->n_metrics && i < COMMAND_METRICS_MAX; i++)
			write_metric(p, d, payload->metrics[i]);
	}
	spb__payload__free_unpacked(payload, NULL);
}
