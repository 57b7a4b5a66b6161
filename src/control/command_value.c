/* SPDX-License-Identifier: Apache-2.0 */
/* command_value.c - the value of a Write, from JSON to what a device takes
 *
 * One resource goes as plain text, which every device knows, or as octets when it is opaque.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "control/command_inside.h"
#include "lwm2m/decode.h"
#include "mirror/json.h"

static long put(uint8_t *out, size_t size, const char *text, size_t len)
{
	if (len > size)
		return -EMSGSIZE;
	memcpy(out, text, len);
	return (long)len;
}

/* ---- one function per type ---- */

static long as_string(const json_t *v, uint8_t *out, size_t size)
{
	return json_is_string(v) ? put(out, size, json_string_value(v), json_string_length(v)) : -EINVAL;
}

/* Integers beyond what JSON readers keep exactly come as text. */
static long as_whole(const json_t *v, bool below_zero, uint8_t *out, size_t size)
{
	const char *text = json_string_value(v);
	char buf[32], *end;

	if (json_is_integer(v)) {
		snprintf(buf, sizeof buf, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		text = buf;
	}
	if (!text || !*text || strlen(text) > 20 || strspn(text, "-0123456789") != strlen(text) ||
	    (*text == '-' && !below_zero))
		return -EINVAL;
	errno = 0;
	if (below_zero)
		(void)strtoll(text, &end, 10);
	else
		(void)strtoull(text, &end, 10);
	return errno || *end ? -EINVAL : put(out, size, text, strlen(text));
}

static long as_integer(const json_t *v, uint8_t *out, size_t size)
{
	return as_whole(v, true, out, size);
}

static long as_unsigned(const json_t *v, uint8_t *out, size_t size)
{
	return as_whole(v, false, out, size);
}

static long as_float(const json_t *v, uint8_t *out, size_t size)
{
	char buf[JSON_DOUBLE_SIZE];

	if (!json_is_number(v) || !isfinite(json_number_value(v)))
		return -EINVAL;
	return put(out, size, buf, json_double(buf, json_number_value(v)));
}

static long as_boolean(const json_t *v, uint8_t *out, size_t size)
{
	return json_is_boolean(v) ? put(out, size, json_is_true(v) ? "1" : "0", 1) : -EINVAL;
}

static long as_opaque(const json_t *v, uint8_t *out, size_t size)
{
	long n;

	if (!json_is_string(v))
		return -EINVAL;
	n = base64_decode(out, size, json_string_value(v), json_string_length(v));
	return n == -EBADMSG ? -EINVAL : n;
}

static long as_time(const json_t *v, uint8_t *out, size_t size)
{
	uint64_t wall_ms;
	char buf[32];

	if (json_is_integer(v))
		return as_integer(v, out, size);
	if (!json_is_string(v) || clock_parse(json_string_value(v), &wall_ms))
		return -EINVAL;
	snprintf(buf, sizeof buf, "%" PRIu64, wall_ms / 1000);
	return put(out, size, buf, strlen(buf));
}

static long as_objlnk(const json_t *v, uint8_t *out, size_t size)
{
	const char *text = json_string_value(v);
	unsigned object, instance;
	int end = 0;

	if (!text || strspn(text, "0123456789:") != strlen(text) ||
	    sscanf(text, "%5u:%5u%n", &object, &instance, &end) != 2 || text[end] || object > 65535 || instance > 65535)
		return -EINVAL;
	return put(out, size, text, strlen(text));
}

static const struct {
	const char *word;
	enum niddgw_type type;
	long (*write)(const json_t *v, uint8_t *out, size_t size);
} types[] = {
	{ "string", NIDDGW_STRING, as_string },  { "integer", NIDDGW_INTEGER, as_integer },
	{ "int64", NIDDGW_INTEGER, as_integer }, { "uint64", NIDDGW_UNSIGNED, as_unsigned },
	{ "float", NIDDGW_FLOAT, as_float },     { "boolean", NIDDGW_BOOLEAN, as_boolean },
	{ "opaque", NIDDGW_OPAQUE, as_opaque },  { "time", NIDDGW_TIME, as_time },
	{ "objlnk", NIDDGW_OBJLNK, as_objlnk },  { "corelnk", NIDDGW_CORELNK, as_string },
};

static enum niddgw_type kind_of(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		return NIDDGW_STRING;
	case JSON_INTEGER:
		return NIDDGW_INTEGER;
	case JSON_REAL:
		return NIDDGW_FLOAT;
	case JSON_TRUE:
	case JSON_FALSE:
		return NIDDGW_BOOLEAN;
	default:
		return NIDDGW_NONE;
	}
}

long command_value(const json_t *value, const char *type, enum niddgw_type registered, uint8_t *out, size_t size,
		   unsigned *format)
{
	enum niddgw_type want = registered != NIDDGW_NONE ? registered : kind_of(value);

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (type ? strcmp(types[i].word, type) != 0 : types[i].type != want)
			continue;
		*format = types[i].type == NIDDGW_OPAQUE ? LWM2M_CF_OPAQUE : LWM2M_CF_TEXT;
		return types[i].write(value, out, size);
	}
	return -EINVAL;
}
