/* SPDX-License-Identifier: Apache-2.0 */
/* payload.c - values as metrics */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sparkplug.h"

static const uint8_t datatypes[NIDDGW_TYPE_COUNT] = {
	[NIDDGW_STRING] = SP_STRING, [NIDDGW_INTEGER] = SP_INT64,   [NIDDGW_UNSIGNED] = SP_UINT64,
	[NIDDGW_FLOAT] = SP_DOUBLE,  [NIDDGW_BOOLEAN] = SP_BOOLEAN, [NIDDGW_OPAQUE] = SP_BYTES,
	[NIDDGW_TIME] = SP_DATETIME, [NIDDGW_OBJLNK] = SP_STRING,   [NIDDGW_CORELNK] = SP_STRING,
};

static bool keep(struct metric *m, const void *data, size_t len)
{
	uint8_t *copy = len <= TEXT_MAX ? malloc(len + 1) : NULL;

	free(m->data);
	m->data = copy;
	m->len = copy ? len : 0;
	if (!copy)
		return false;
	if (len)
		memcpy(copy, data, len);
	copy[len] = 0;
	return true;
}

bool metric_set(struct metric *m, const struct niddgw_value *v, uint64_t arrival_ms)
{
	char link[16];

	m->datatype = datatypes[v->type];
	m->time_ms = v->has_time ? v->time_ms : arrival_ms;
	m->is_null = false;
	snprintf(m->unit, sizeof m->unit, "%s", v->unit ? v->unit : "");
	switch ((enum niddgw_type)v->type) {
	case NIDDGW_INTEGER:
		m->number = (uint64_t)v->integer;
		break;
	case NIDDGW_UNSIGNED:
		m->number = v->uinteger;
		break;
	case NIDDGW_TIME: /* in milliseconds, and not before 1970 */
		m->is_null = v->integer < 0 || v->integer > INT64_MAX / 1000;
		m->number = m->is_null ? 0 : (uint64_t)v->integer * 1000;
		break;
	case NIDDGW_FLOAT:
		m->real = v->number;
		m->is_null = !isfinite(v->number);
		break;
	case NIDDGW_BOOLEAN:
		m->boolean = v->boolean;
		break;
	case NIDDGW_STRING:
	case NIDDGW_CORELNK:
	case NIDDGW_OPAQUE:
		m->is_null = !keep(m, v->data, v->len);
		break;
	case NIDDGW_OBJLNK:
		snprintf(link, sizeof link, "%u:%u", v->link[0], v->link[1]);
		m->is_null = !keep(m, link, strlen(link));
		break;
	case NIDDGW_NONE:
	case NIDDGW_TYPE_COUNT:
		return false;
	}
	return true;
}

void metric_fini(struct metric *m)
{
	free(m->data);
}

void metric_name(const struct metric *m, char buf[32])
{
	size_t n = 0;

	buf[0] = 0;
	for (uint8_t i = 0; i < m->path_len; i++)
		n += (size_t)snprintf(buf + n, 32 - n, "%s%u", i ? "/" : "", m->path[i]);
}

static void show_value(const struct metric *m, Spb__Metric *out)
{
	out->has_is_null = m->is_null;
	out->is_null = m->is_null;
	if (m->is_null)
		return;
	switch (m->datatype) {
	case SP_DOUBLE:
		out->has_double_value = true;
		out->double_value = m->real;
		break;
	case SP_BOOLEAN:
		out->has_boolean_value = true;
		out->boolean_value = m->boolean;
		break;
	case SP_STRING:
		out->string_value = (char *)m->data;
		break;
	case SP_BYTES:
		out->has_bytes_value = true;
		out->bytes_value = (ProtobufCBinaryData){ m->len, m->data };
		break;
	default:
		out->has_long_value = true;
		out->long_value = m->number;
	}
}

void metric_show(const struct metric *m, Spb__Metric *out, struct metric_holder *holder, bool birth)
{
	spb__metric__init(out);
	out->has_alias = true;
	out->alias = m->alias;
	out->has_timestamp = true;
	out->timestamp = m->time_ms;
	out->has_datatype = true;
	out->datatype = m->datatype;
	show_value(m, out);
	if (!birth)
		return;
	metric_name(m, holder->name);
	out->name = holder->name;
	if (!*m->unit)
		return;
	static char unit_key[] = "engUnit";

	spb__property_set__init(&holder->set);
	spb__property_value__init(&holder->value);
	holder->value.has_type = true;
	holder->value.type = SP_STRING;
	holder->value.string_value = (char *)(uintptr_t)m->unit;
	holder->values[0] = &holder->value;
	holder->keys[0] = unit_key;
	holder->set.n_keys = holder->set.n_values = 1;
	holder->set.keys = holder->keys;
	holder->set.values = holder->values;
	out->properties = &holder->set;
}
