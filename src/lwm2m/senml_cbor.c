/* SPDX-License-Identifier: Apache-2.0 */
/* senml_cbor.c - SenML and SenML-ETCH in CBOR (RFC 8428 section 6) */
#include "lwm2m/formats.h"

#include <string.h>

#include "lwm2m/item.h"
#include "lwm2m/senml.h"
#include "lwm2m/typed.h"

#define UNKNOWN_MOST 16 /* labels of one record that mean nothing here */

/* Labels that mean nothing here are remembered as they are encoded: one that stands there twice makes the map a wrong
 * one. */
struct unknown {
	struct {
		const uint8_t *p;
		size_t len;
	} v[UNKNOWN_MOST];
	size_t n;
};

static bool meet_unknown(struct gather *g, struct unknown *u, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].len == len && !memcmp(u->v[i].p, p, len))
			return gather_fault(g, FAULT_FORMAT);
	if (u->n == UNKNOWN_MOST)
		return gather_fault(g, FAULT_FORMAT);
	u->v[u->n].p = p;
	u->v[u->n++].len = len;
	return true;
}

static bool read_text(struct items *s, struct lwm2m_text *out)
{
	struct item it;

	if (!item_next(s, &it))
		return false;
	*out = it.text;
	return it.kind == ITEM_TEXT || gather_fault(s->g, FAULT_TYPE);
}

/* Some write times with their tag, and decimal fractions for numbers. */
static bool read_number(struct items *s, struct lwm2m_value *v)
{
	if (!item_value(s, v))
		return false;
	return v->kind == LWM2M_VALUE_INTEGER || v->kind == LWM2M_VALUE_UNSIGNED || v->kind == LWM2M_VALUE_FLOAT ||
		v->kind == LWM2M_VALUE_TIME || gather_fault(s->g, FAULT_TYPE);
}

/* v is a number; a time has its tag; a patch may have null, which is held against the format in senml_take(). */
static bool read_v(struct items *s, struct lwm2m_value *v, bool etch)
{
	if (!item_value(s, v))
		return false;
	if (v->kind == LWM2M_VALUE_NONE)
		return etch || gather_fault(s->g, FAULT_TYPE);
	return (v->kind != LWM2M_VALUE_STRING && v->kind != LWM2M_VALUE_OPAQUE && v->kind != LWM2M_VALUE_BOOLEAN) ||
		gather_fault(s->g, FAULT_TYPE);
}

static bool read_kind(struct items *s, struct lwm2m_value *v, enum lwm2m_kind kind)
{
	return item_value(s, v) && (v->kind == kind || gather_fault(s->g, FAULT_TYPE));
}

static bool read_link(struct items *s, struct lwm2m_value *v)
{
	if (!read_kind(s, v, LWM2M_VALUE_STRING))
		return false;
	return value_of_link(v, v->text.p, v->text.len) || gather_fault(s->g, FAULT_TYPE);
}

static bool read_labelled(struct items *s, struct senml_record *r, enum senml_label label, bool etch)
{
	switch (label) {
	case SENML_BN:
		return read_text(s, &r->bn);
	case SENML_BU:
		return read_text(s, &r->bu);
	case SENML_N:
		return read_text(s, &r->n);
	case SENML_U:
		return read_text(s, &r->u);
	case SENML_BT:
		return read_number(s, &r->bt);
	case SENML_BV:
		return read_number(s, &r->bv);
	case SENML_BS:
		return read_number(s, &r->bs);
	case SENML_BVER:
		return read_number(s, &r->bver);
	case SENML_S:
		return read_number(s, &r->s);
	case SENML_T:
		return read_number(s, &r->t);
	case SENML_V:
		return read_v(s, &r->value, etch);
	case SENML_VS:
		return read_kind(s, &r->value, LWM2M_VALUE_STRING);
	case SENML_VB:
		return read_kind(s, &r->value, LWM2M_VALUE_BOOLEAN);
	case SENML_VD:
		return read_kind(s, &r->value, LWM2M_VALUE_OPAQUE);
	case SENML_VLO:
		return read_link(s, &r->value);
	default:
		return item_skip(s);
	}
}

static bool read_label(struct items *s, struct unknown *u, enum senml_label *label)
{
	const uint8_t *from = s->p;
	struct item it;

	if (!item_next(s, &it))
		return false;
	if (it.kind == ITEM_UINT || it.kind == ITEM_NEGATIVE)
		*label = senml_label_of_number(it.kind == ITEM_NEGATIVE, it.n);
	else if (it.kind == ITEM_TEXT)
		*label = senml_label_of_text(&it.text);
	else
		return gather_fault(s->g, FAULT_FORMAT);
	return *label != SENML_UNKNOWN || meet_unknown(s->g, u, from, (size_t)(s->p - from));
}

static bool read_record(struct items *s, struct senml *to)
{
	struct senml_record r;
	struct unknown unknown = { .n = 0 };
	struct item_list map;
	struct item it;

	if (!item_next(s, &it))
		return false;
	if (it.kind != ITEM_MAP)
		return gather_fault(s->g, FAULT_FORMAT);
	if (!item_begin(s, &it, &map))
		return false;
	senml_begin(&r);
	while (item_more(s, &map)) {
		enum senml_label label = SENML_UNKNOWN;

		if (!read_label(s, &unknown, &label) || !senml_meet(s->g, &r, label) ||
		    !read_labelled(s, &r, label, to->etch))
			return false;
	}
	item_leave(s);
	return !s->g->err && senml_take(to, &r);
}

bool decode_senml_cbor(struct gather *g, bool etch)
{
	struct items s = items_of(g);
	struct senml to = senml_of(g, etch);
	struct item_list pack;
	struct item it;

	if (!item_next(&s, &it))
		return false;
	if (it.kind != ITEM_ARRAY)
		return gather_fault(g, FAULT_FORMAT);
	if (!item_begin(&s, &it, &pack))
		return false;
	while (item_more(&s, &pack))
		if (!read_record(&s, &to))
			return false;
	item_leave(&s);
	return item_end(&s);
}
