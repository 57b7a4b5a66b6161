/* SPDX-License-Identifier: Apache-2.0 */
/* typed.c - what a format gave, made into the type that the registry names
 *
 * A number that is whole may be written as 21, 21.0 or 2.1e1 and is the same integer each time; an integer never passes
 * through a double on its way. Nothing is rounded to fit a type: what does not fit stays what it is.
 */
#include "lwm2m/typed.h"

#include <math.h>

#define TWO_63 9223372036854775808.0

/* ---- numbers ---- */

/* Exactly an integer of 64 bits; false: v stays. */
static bool to_integer(struct lwm2m_value *v)
{
	const double d = v->real;

	if (v->kind != LWM2M_VALUE_FLOAT)
		return v->kind == LWM2M_VALUE_INTEGER || v->kind == LWM2M_VALUE_UNSIGNED;
	if (!(d >= -TWO_63 && d < 2 * TWO_63) || d != floor(d))
		return false;
	v->single = false;
	if (d < TWO_63) {
		v->kind = LWM2M_VALUE_INTEGER;
		v->integer = (int64_t)d;
	} else {
		v->kind = LWM2M_VALUE_UNSIGNED;
		v->natural = (uint64_t)d;
	}
	return true;
}

bool value_to_time(struct lwm2m_value *v)
{
	double whole, us;

	if (v->kind == LWM2M_VALUE_TIME)
		return true;
	if (v->kind == LWM2M_VALUE_INTEGER) {
		v->kind = LWM2M_VALUE_TIME;
		v->time.s = v->integer;
		v->time.us = 0;
		return true;
	}
	if (v->kind != LWM2M_VALUE_FLOAT || !(v->real >= -TWO_63 && v->real < TWO_63))
		return false;
	whole = floor(v->real);
	us = nearbyint((v->real - whole) * 1e6);
	v->kind = LWM2M_VALUE_TIME;
	v->single = false;
	v->time.s = (int64_t)whole + (us >= 1e6); /* so large that one more would not fit has no fraction */
	v->time.us = us >= 1e6 ? 0 : (uint32_t)us;
	return true;
}

double value_to_double(const struct lwm2m_value *v)
{
	switch (v->kind) {
	case LWM2M_VALUE_INTEGER:
		return (double)v->integer;
	case LWM2M_VALUE_UNSIGNED:
		return (double)v->natural;
	case LWM2M_VALUE_FLOAT:
		return v->real;
	case LWM2M_VALUE_TIME:
		return (double)v->time.s + v->time.us / 1e6;
	default:
		return NAN;
	}
}

static bool is_number(const struct lwm2m_value *v)
{
	return v->kind == LWM2M_VALUE_INTEGER || v->kind == LWM2M_VALUE_UNSIGNED || v->kind == LWM2M_VALUE_FLOAT;
}

static __int128 wide(const struct lwm2m_value *v)
{
	return v->kind == LWM2M_VALUE_UNSIGNED ? (__int128)v->natural : (__int128)v->integer;
}

bool value_add(struct lwm2m_value *v, const struct lwm2m_value *add)
{
	__int128 sum;

	if (!is_number(v) || !is_number(add))
		return false;
	if (v->kind == LWM2M_VALUE_FLOAT || add->kind == LWM2M_VALUE_FLOAT) {
		v->real = value_to_double(v) + value_to_double(add);
		v->kind = LWM2M_VALUE_FLOAT;
		v->single = false;
		return true;
	}
	sum = wide(v) + wide(add);
	if (sum < INT64_MIN || sum > UINT64_MAX)
		return false;
	v->kind = sum > INT64_MAX ? LWM2M_VALUE_UNSIGNED : LWM2M_VALUE_INTEGER;
	if (sum > INT64_MAX)
		v->natural = (uint64_t)sum;
	else
		v->integer = (int64_t)sum;
	return true;
}

void value_settle(struct lwm2m_value *v, enum lwm2m_kind want)
{
	switch (want) {
	case LWM2M_VALUE_INTEGER:
	case LWM2M_VALUE_UNSIGNED:
		if (v->kind == LWM2M_VALUE_TIME && !v->time.us) {
			v->kind = LWM2M_VALUE_INTEGER;
			v->integer = v->time.s;
		}
		if (to_integer(v) && want == LWM2M_VALUE_UNSIGNED && v->kind == LWM2M_VALUE_INTEGER &&
		    v->integer >= 0) {
			v->kind = LWM2M_VALUE_UNSIGNED;
			v->natural = (uint64_t)v->integer;
		}
		break;
	case LWM2M_VALUE_FLOAT:
		if (v->kind == LWM2M_VALUE_INTEGER || v->kind == LWM2M_VALUE_UNSIGNED || v->kind == LWM2M_VALUE_TIME) {
			v->real = value_to_double(v);
			v->kind = LWM2M_VALUE_FLOAT;
			v->single = false;
		}
		break;
	case LWM2M_VALUE_TIME:
		(void)value_to_time(v);
		break;
	case LWM2M_VALUE_OBJLNK:
		if (v->kind == LWM2M_VALUE_STRING)
			(void)value_of_link(v, v->text.p, v->text.len);
		break;
	case LWM2M_VALUE_CORELNK:
		if (v->kind == LWM2M_VALUE_STRING)
			v->kind = LWM2M_VALUE_CORELNK;
		break;
	default:
		break;
	}
}
