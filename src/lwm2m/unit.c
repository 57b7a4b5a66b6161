/* SPDX-License-Identifier: Apache-2.0 */
/* unit.c - which unit a value is in */
#include "lwm2m/unit.h"

#include <string.h>

/* What 5701 of an instance speaks for: the measured value or its axes, their extremes and ranges, a set point, a
 * calibration. */
static bool is_measured(uint16_t resource)
{
	static const uint16_t ids[] = { 5508, 5509, 5510, 5511, 5512, 5513, 5601, 5602,
					5603, 5604, 5700, 5702, 5703, 5704, 5821, 5900 };

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (ids[i] == resource)
			return true;
	return false;
}

static bool is_number(const struct lwm2m_value *v)
{
	return v->kind == LWM2M_VALUE_INTEGER || v->kind == LWM2M_VALUE_UNSIGNED || v->kind == LWM2M_VALUE_FLOAT;
}

const struct lwm2m_text *lwm2m_unit_told(const struct lwm2m_value *v)
{
	if (v->path.depth != 3 || v->path.id[2] != LWM2M_UNITS_RESOURCE || v->kind != LWM2M_VALUE_STRING ||
	    !v->text.len)
		return NULL;
	return &v->text;
}

static bool same_instance(const struct lwm2m_value *a, const struct lwm2m_value *b)
{
	return a->path.id[0] == b->path.id[0] && a->path.id[1] == b->path.id[1] && a->prefix.len == b->prefix.len &&
		(!a->prefix.len || !memcmp(a->prefix.p, b->prefix.p, a->prefix.len));
}

/* The last one that the report holds for v's instance. */
static struct lwm2m_text told_here(const struct lwm2m_value *v, const struct lwm2m_unit_sources *s)
{
	for (size_t i = s->n; i--;) {
		const struct lwm2m_text *t = lwm2m_unit_told(&s->report[i]);

		if (t && same_instance(&s->report[i], v))
			return *t;
	}
	return (struct lwm2m_text){ 0 };
}

struct lwm2m_text lwm2m_unit_of(const struct lwm2m_value *v, const struct lwm2m_unit_sources *s)
{
	struct lwm2m_text t = { 0 };

	if (v->unit.len)
		return v->unit;
	if (is_number(v) && is_measured(v->path.id[2])) {
		t = told_here(v, s);
		if (!t.len)
			t = s->last;
	}
	if (!t.len)
		t = s->site;
	if (!t.len && s->registry)
		t = (struct lwm2m_text){ s->registry, strlen(s->registry) };
	return t.len ? t : (struct lwm2m_text){ 0 };
}
