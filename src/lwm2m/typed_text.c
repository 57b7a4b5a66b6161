/* SPDX-License-Identifier: Apache-2.0 */
/* typed_text.c - text and octets that only the type of their resource makes a value of
 *
 * Digits are read by hand up to 64 bits; only what has a fraction or an exponent goes through strtod(), and its form is
 * checked before, because that function takes more than a number in a report may be.
 */
#include "lwm2m/typed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/octets.h"

#define DIGITS_MOST 127 /* of a number with a fraction */

/* ---- numbers and links ---- */

static size_t digits_at(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - from);
}

static bool integer_of(struct lwm2m_value *v, const char *p, const char *end, bool minus)
{
	const uint64_t most = minus ? UINT64_C(1) << 63 : UINT64_MAX;
	uint64_t n = 0;

	for (; p < end; p++) {
		const uint64_t digit = (uint64_t)(*p - '0');

		if (n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	v->kind = !minus && n > INT64_MAX ? LWM2M_VALUE_UNSIGNED : LWM2M_VALUE_INTEGER;
	if (v->kind == LWM2M_VALUE_UNSIGNED)
		v->natural = n;
	else
		v->integer = (int64_t)(minus ? 0 - n : n);
	return true;
}

static bool real_of(struct lwm2m_value *v, const char *text, size_t len)
{
	char copy[DIGITS_MOST + 1]; /* strtod() needs an end */

	if (len > DIGITS_MOST)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	v->kind = LWM2M_VALUE_FLOAT;
	v->real = strtod(copy, NULL);
	return isfinite(v->real);
}

/* What stands behind the whole part: a point with digits, an exponent; NULL: something else. */
static const char *skip_fraction(const char *p, const char *end, size_t *digits)
{
	size_t n;

	if (p < end && *p == '.') {
		n = digits_at(++p, end);
		*digits += n;
		p += n;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		n = digits_at(p, end);
		if (!n)
			return NULL;
		p += n;
	}
	return p;
}

bool value_of_digits(struct lwm2m_value *v, const char *text, size_t len, bool real)
{
	const char *p = text, *end = text + len;
	const bool minus = len && *p == '-';
	size_t digits;

	p += len && (*p == '-' || *p == '+');
	digits = digits_at(p, end);
	v->single = false;
	if (p + digits == end)
		return digits && integer_of(v, p, end, minus);
	return real && skip_fraction(p + digits, end, &digits) == end && digits && real_of(v, text, len);
}

bool value_of_link(struct lwm2m_value *v, const char *text, size_t len)
{
	const char *colon = len ? memchr(text, ':', len) : NULL;
	const char *end = text + len;
	unsigned long ids[2] = { 0, 0 };

	if (!colon || colon == text || colon + 1 == end || len > 11)
		return false;
	for (const char *p = text; p < end; p++) {
		unsigned long *id = &ids[p > colon];

		if (p == colon)
			continue;
		if (*p < '0' || *p > '9')
			return false;
		*id = *id * 10 + (unsigned long)(*p - '0');
	}
	if (ids[0] > UINT16_MAX || ids[1] > UINT16_MAX)
		return false;
	v->kind = LWM2M_VALUE_OBJLNK;
	v->objlnk.object = (uint16_t)ids[0];
	v->objlnk.instance = (uint16_t)ids[1];
	return true;
}

/* ---- text ---- */

bool value_of_base64(struct gather *g, struct lwm2m_value *v, const char *text, size_t len)
{
	const size_t most = len / 4 * 3 + 3;
	uint8_t *buf = gather_alloc(g, most);
	long n;

	if (!buf)
		return false;
	n = base64_decode(buf, most, text, len);
	if (n < 0)
		return gather_fault(g, FAULT_TYPE);
	v->kind = LWM2M_VALUE_OPAQUE;
	v->opaque.p = buf;
	v->opaque.len = (size_t)n;
	return true;
}

static bool text_string(struct gather *g, struct lwm2m_value *v, enum lwm2m_kind kind, const char *text, size_t len)
{
	v->kind = kind;
	v->text = (struct lwm2m_text){ text, len };
	return gather_utf8(g, text, len);
}

static bool text_boolean(struct lwm2m_value *v, const char *text, size_t len)
{
	v->kind = LWM2M_VALUE_BOOLEAN;
	v->boolean = len && *text == '1';
	return len == 1 && (*text == '0' || *text == '1');
}

bool value_of_text(struct gather *g, struct lwm2m_value *v, enum lwm2m_kind want, const char *text, size_t len)
{
	bool fits;

	switch (want) {
	case LWM2M_VALUE_INTEGER:
	case LWM2M_VALUE_UNSIGNED:
		fits = value_of_digits(v, text, len, false);
		break;
	case LWM2M_VALUE_FLOAT:
		fits = value_of_digits(v, text, len, true);
		break;
	case LWM2M_VALUE_TIME:
		fits = value_of_digits(v, text, len, true) && value_to_time(v);
		break;
	case LWM2M_VALUE_BOOLEAN:
		fits = text_boolean(v, text, len);
		break;
	case LWM2M_VALUE_OBJLNK:
		fits = value_of_link(v, text, len);
		break;
	case LWM2M_VALUE_OPAQUE:
		return value_of_base64(g, v, text, len);
	case LWM2M_VALUE_CORELNK:
		return text_string(g, v, LWM2M_VALUE_CORELNK, text, len);
	default:
		return text_string(g, v, LWM2M_VALUE_STRING, text, len);
	}
	if (!fits)
		return gather_fault(g, FAULT_TYPE);
	value_settle(v, want);
	return true;
}

/* ---- octets ---- */

/* Two's complement, or without a sign. False: not 1, 2, 4 or 8 octets. */
static bool octets_integer(struct lwm2m_value *v, const uint8_t *p, size_t len, bool is_signed)
{
	uint64_t n = is_signed && len && (p[0] & 0x80) ? UINT64_MAX : 0;

	if (len != 1 && len != 2 && len != 4 && len != 8)
		return false;
	for (size_t i = 0; i < len; i++)
		n = n << 8 | p[i];
	v->kind = is_signed ? LWM2M_VALUE_INTEGER : LWM2M_VALUE_UNSIGNED;
	if (is_signed)
		v->integer = (int64_t)n;
	else
		v->natural = n;
	return true;
}

static bool octets_float(struct lwm2m_value *v, const uint8_t *p, size_t len)
{
	struct reader r = reader_of(p, len);
	const uint32_t high = read_u32(&r);
	uint64_t both;
	float single;

	v->kind = LWM2M_VALUE_FLOAT;
	v->single = len == 4;
	if (len == 4) {
		memcpy(&single, &high, sizeof single);
		v->real = (double)single;
		return true;
	}
	both = (uint64_t)high << 32 | read_u32(&r);
	memcpy(&v->real, &both, sizeof v->real);
	return len == 8;
}

static bool octets_link(struct lwm2m_value *v, const uint8_t *p, size_t len)
{
	struct reader r = reader_of(p, len);

	v->kind = LWM2M_VALUE_OBJLNK;
	v->objlnk.object = read_u16(&r);
	v->objlnk.instance = read_u16(&r);
	return len == 4;
}

static bool octets_boolean(struct lwm2m_value *v, const uint8_t *p, size_t len)
{
	v->kind = LWM2M_VALUE_BOOLEAN;
	v->boolean = len && p[0] == 1;
	return len == 1 && p[0] <= 1;
}

bool value_of_octets(struct gather *g, struct lwm2m_value *v, enum lwm2m_kind want, const uint8_t *p, size_t len)
{
	bool fits;

	switch (want) {
	case LWM2M_VALUE_STRING:
	case LWM2M_VALUE_CORELNK:
		return text_string(g, v, want, (const char *)p, len);
	case LWM2M_VALUE_INTEGER:
		fits = octets_integer(v, p, len, true);
		break;
	case LWM2M_VALUE_UNSIGNED:
		fits = octets_integer(v, p, len, false);
		break;
	case LWM2M_VALUE_TIME:
		fits = octets_integer(v, p, len, true) && value_to_time(v);
		break;
	case LWM2M_VALUE_FLOAT:
		fits = octets_float(v, p, len);
		break;
	case LWM2M_VALUE_BOOLEAN:
		fits = octets_boolean(v, p, len);
		break;
	case LWM2M_VALUE_OBJLNK:
		fits = octets_link(v, p, len);
		break;
	default:
		v->kind = LWM2M_VALUE_OPAQUE;
		v->opaque.p = p;
		v->opaque.len = len;
		return true;
	}
	return fits || gather_fault(g, FAULT_TYPE);
}
