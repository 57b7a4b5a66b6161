/* SPDX-License-Identifier: Apache-2.0 */
/* item_value.c - what an item of CBOR is as a value
 *
 * Numbers come as integers of 64 bits, as floats of three sizes and, tagged, as decimal fractions; times with a tag or
 * as plain numbers. Which of these a device chooses says nothing about the value.
 */
#include "lwm2m/item.h"

#include <math.h>

#include "lwm2m/typed.h"

/* A number as it stands; false without a fault: none is there. */
static bool number_of(const struct item *it, struct lwm2m_value *v)
{
	v->single = false;
	if (it->kind == ITEM_FLOAT) {
		v->kind = LWM2M_VALUE_FLOAT;
		v->single = it->single;
		v->real = it->real;
		return true;
	}
	if (it->kind == ITEM_UINT && it->n > INT64_MAX) {
		v->kind = LWM2M_VALUE_UNSIGNED;
		v->natural = it->n;
		return true;
	}
	if (it->kind != ITEM_UINT && (it->kind != ITEM_NEGATIVE || it->n > INT64_MAX))
		return false;
	v->kind = LWM2M_VALUE_INTEGER;
	v->integer = it->kind == ITEM_UINT ? (int64_t)it->n : -1 - (int64_t)it->n;
	return true;
}

static bool next_integer(struct items *s, int64_t *out)
{
	struct lwm2m_value v;
	struct item it;

	if (!item_next(s, &it))
		return false;
	if (!number_of(&it, &v) || v.kind != LWM2M_VALUE_INTEGER)
		return gather_fault(s->g, FAULT_TYPE);
	*out = v.integer;
	return true;
}

/* m * 10^e: exact in integers where that is possible, else the nearest double. */
static bool scale(struct items *s, int64_t m, int64_t e, struct lwm2m_value *v)
{
	int64_t exact = m;

	if (e < -400 || e > 400)
		return gather_fault(s->g, FAULT_TYPE);
	for (; e > 0 && !__builtin_mul_overflow(exact, 10, &exact); e--)
		m = exact;
	for (; e < 0 && m % 10 == 0 && m; e++)
		m /= 10;
	if (e == 0 || m == 0) {
		v->kind = LWM2M_VALUE_INTEGER;
		v->integer = m;
		return true;
	}
	v->kind = LWM2M_VALUE_FLOAT;
	v->single = false;
	v->real = e < 0 && e >= -22 ? (double)m / pow(10, (double)-e) : (double)m * pow(10, (double)e);
	return isfinite(v->real) || gather_fault(s->g, FAULT_TYPE);
}

/* Behind tag 4: [exponent, mantissa] */
static bool decimal_fraction(struct items *s, struct lwm2m_value *v)
{
	int64_t e = 0, m = 0;
	struct item_list list;
	struct item it;

	if (!item_next(s, &it))
		return false;
	if (it.kind != ITEM_ARRAY)
		return gather_fault(s->g, FAULT_TYPE);
	if (!item_begin(s, &it, &list) || !item_more(s, &list) || !next_integer(s, &e) || !item_more(s, &list) ||
	    !next_integer(s, &m) || item_more(s, &list))
		return gather_fault(s->g, FAULT_TYPE); /* keeps the first fault, when there was one */
	item_leave(s);
	return scale(s, m, e, v);
}

/* Behind tag 1: seconds since 1970. */
static bool epoch_time(struct items *s, struct lwm2m_value *v)
{
	struct lwm2m_value seconds;
	struct item it;

	if (!item_next(s, &it))
		return false;
	if (!number_of(&it, &seconds))
		return gather_fault(s->g, FAULT_TYPE);
	if (!value_to_time(&seconds))
		return gather_fault(s->g, FAULT_TYPE);
	v->kind = LWM2M_VALUE_TIME;
	v->time = seconds.time;
	return true;
}

static bool tagged(struct items *s, uint64_t tag, struct lwm2m_value *v)
{
	struct item it;
	bool taken;

	if (tag == 1)
		return epoch_time(s, v);
	if (tag == 4)
		return decimal_fraction(s, v);
	if (tag == 2 || tag == 3 || tag == 5)
		return gather_fault(s->g, FAULT_TYPE); /* numbers beyond 64 bits */
	if (s->depth == LWM2M_DECODE_DEPTH_MAX)
		return gather_fault(s->g, FAULT_DEPTH);
	s->depth++;
	taken = item_next(s, &it) && item_value_of(s, &it, v); /* other tags only say more of what follows */
	s->depth--;
	return taken;
}

bool item_value_of(struct items *s, const struct item *it, struct lwm2m_value *v)
{
	switch (it->kind) {
	case ITEM_UINT:
	case ITEM_NEGATIVE:
	case ITEM_FLOAT:
		return number_of(it, v) || gather_fault(s->g, FAULT_TYPE);
	case ITEM_TEXT:
		v->kind = LWM2M_VALUE_STRING;
		v->text = it->text;
		return true;
	case ITEM_BYTES:
		v->kind = LWM2M_VALUE_OPAQUE;
		v->opaque.p = (const uint8_t *)it->text.p;
		v->opaque.len = it->text.len;
		return true;
	case ITEM_BOOLEAN:
		v->kind = LWM2M_VALUE_BOOLEAN;
		v->boolean = it->n;
		return true;
	case ITEM_NULL:
		v->kind = LWM2M_VALUE_NONE;
		return true;
	case ITEM_TAG:
		return tagged(s, it->n, v);
	default:
		return gather_fault(s->g, it->kind == ITEM_BREAK ? FAULT_FORMAT : FAULT_TYPE);
	}
}

bool item_value(struct items *s, struct lwm2m_value *v)
{
	struct item it;

	return item_next(s, &it) && item_value_of(s, &it, v);
}
