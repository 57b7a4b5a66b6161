/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - event/data and event/raw of a report
 *
 * One pass writes the text. Only a report whose text goes above the limit of a payload is written again with its
 * largest values replaced by their digest, until it fits or nothing large is left.
 */
#include "mirror/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/base64.h"
#include "mirror/json_parts.h"

enum { VALUE_LEAST = 1024 }; /* values up to here are never replaced */

static const char *const json_type_names[NIDDGW_TYPE_COUNT] = {
	"none", "string", "integer", "integer", "float", "boolean", "opaque", "time", "objlnk", "corelnk",
};

/* ---- members ---- */

void out_member(struct json_out *o, const char *key) /* not the first one of its object */
{
	out_word(o, ",\"");
	out_word(o, key);
	out_word(o, "\":");
}

void out_member_text(struct json_out *o, const char *key, const char *text)
{
	if (!text)
		return;
	out_member(o, key);
	out_text(o, text, strlen(text));
}

void out_member_uint(struct json_out *o, const char *key, uint64_t v)
{
	out_member(o, key);
	out_uint(o, v);
}

void out_path(struct json_out *o, const struct niddgw_value *v)
{
	for (unsigned i = 0; i < v->path_len && i < 4; i++) {
		out_char(o, '/');
		out_uint(o, v->path[i]);
	}
}

void out_head(struct json_out *o, const struct report *r)
{
	out_word(o, "{\"v\":1,\"ts\":");
	if (!out_time_ms(o, r->arrival_ms))
		out_word(o, "\"9999-12-31T23:59:59.999Z\"");
	out_member_text(o, "id", r->id);
	out_member_text(o, "device", r->device);
}

/* ---- values ---- */

/* Would the octets of v make a text longer than that? */
bool json_value_is_large(const struct niddgw_value *v, size_t most)
{
	struct json_out o = { 0 };

	switch (v->type) {
	case NIDDGW_OPAQUE:
		return BASE64_LEN(v->len) + 2 > most;
	case NIDDGW_STRING:
	case NIDDGW_CORELNK:
		if (v->len + 2 > most)
			return true;
		if (6 * v->len + 2 <= most)
			return false;
		out_text(&o, v->data, v->len);
		return o.len > most;
	default:
		return false;
	}
}

static void out_truncated(struct json_out *o, const struct niddgw_value *v)
{
	uint8_t digest[32];

	sha256(digest, v->data, v->len);
	out_word(o, "{\"truncated\":true,\"bytes\":");
	out_uint(o, v->len);
	out_word(o, ",\"sha256\":\"");
	out_hex(o, digest, sizeof digest);
	out_word(o, "\"}");
}

const char *json_flag(double v)
{
	return isnan(v) ? "nan" : isinf(v) ? v > 0 ? "inf" : "-inf" : NULL;
}

void out_integer(struct json_out *o, const struct niddgw_value *v)
{
	const bool large = json_wide(v);

	if (large)
		out_char(o, '"');
	if (v->type == NIDDGW_UNSIGNED)
		out_uint(o, v->uinteger);
	else
		out_int(o, v->integer);
	if (large)
		out_char(o, '"');
}

/* Is it an integer that a double cannot hold? */
bool json_wide(const struct niddgw_value *v)
{
	const int64_t most = (INT64_C(1) << 53) - 1;

	if (v->type == NIDDGW_UNSIGNED)
		return v->uinteger > (uint64_t)most;
	return (v->type == NIDDGW_INTEGER || v->type == NIDDGW_TIME) && (v->integer > most || v->integer < -most);
}

/* What stands behind "value"; false: nothing does. */
static bool out_value(struct json_out *o, const struct niddgw_value *v, unsigned flags, size_t most)
{
	switch (v->type) {
	case NIDDGW_INTEGER:
	case NIDDGW_UNSIGNED:
		out_integer(o, v);
		return true;
	case NIDDGW_FLOAT:
		if (json_flag(v->number))
			out_word(o, "null");
		else
			out_double(o, v->number);
		return true;
	case NIDDGW_BOOLEAN:
		out_word(o, v->boolean ? "true" : "false");
		return true;
	case NIDDGW_TIME:
		return out_time_s(o, v->integer);
	case NIDDGW_OBJLNK:
		out_char(o, '"');
		out_uint(o, v->link[0]);
		out_char(o, ':');
		out_uint(o, v->link[1]);
		out_char(o, '"');
		return true;
	case NIDDGW_OPAQUE:
		if (flags & NIDDGW_JSON_OMIT_OPAQUE)
			return false;
		if (json_value_is_large(v, most)) {
			out_truncated(o, v);
			return true;
		}
		out_char(o, '"');
		out_base64(o, v->data, v->len, false);
		out_char(o, '"');
		return true;
	case NIDDGW_STRING:
	case NIDDGW_CORELNK:
		if (json_value_is_large(v, most))
			out_truncated(o, v);
		else
			out_text(o, v->data, v->len);
		return true;
	default:
		return false;
	}
}

static const char *type_name(const struct niddgw_value *v)
{
	if (v->type >= NIDDGW_TYPE_COUNT)
		return "none";
	if (v->type != NIDDGW_TIME && json_wide(v))
		return v->type == NIDDGW_UNSIGNED && v->uinteger > INT64_MAX ? "uint64" : "int64";
	return json_type_names[v->type];
}

/* Behind the value: what belongs to its type. */
static void out_more(struct json_out *o, const struct niddgw_value *v, unsigned flags)
{
	if (v->type == NIDDGW_FLOAT)
		out_member_text(o, "flag", json_flag(v->number));
	if (v->type == NIDDGW_OPAQUE && flags & NIDDGW_JSON_OMIT_OPAQUE)
		out_member_uint(o, "bytes", v->len);
	if (v->type == NIDDGW_TIME) {
		out_member(o, "epoch");
		out_integer(o, v);
	}
}

static void out_value_object(struct json_out *o, const struct niddgw_value *v, unsigned flags, size_t most)
{
	size_t before;

	out_word(o, "{\"path\":\"");
	out_path(o, v);
	out_char(o, '"');
	out_member_text(o, "object", v->object);
	out_member_text(o, "resource", v->resource);
	out_member_text(o, "type", type_name(v));
	before = o->len;
	out_member(o, "value");
	if (!out_value(o, v, flags, most))
		o->len = before;
	out_more(o, v, flags);
	out_member_text(o, "unit", v->unit);
	before = o->len;
	out_member(o, "time");
	if (!v->has_time || !out_time_ms(o, v->time_ms))
		o->len = before;
	out_char(o, '}');
}

/* ---- data ---- */

static void out_values(struct json_out *o, const struct report *r, unsigned flags, size_t most)
{
	out_member(o, "values");
	out_char(o, '[');
	for (size_t i = 0; i < r->values_n; i++) {
		if (i)
			out_char(o, ',');
		out_value_object(o, &r->values[i], flags, most);
	}
	out_char(o, ']');
}

static void out_links(struct json_out *o, const struct report *r)
{
	out_member(o, "links");
	out_char(o, '[');
	for (size_t i = 0; i < r->links_n; i++) {
		const struct report_link *l = &r->links[i];

		out_word(o, i ? ",{\"path\":" : "{\"path\":");
		out_text(o, l->path, strlen(l->path));
		out_member_text(o, "object", l->object);
		out_member_text(o, "ver", l->version);
		out_char(o, '}');
	}
	out_char(o, ']');
}

static long write_data(const struct report *r, unsigned flags, size_t most, char *buf, size_t size)
{
	static const char *const confirmed[] = { "null", "false", "true" };
	struct json_out o = { buf, size, 0 };

	out_head(&o, r);
	out_member_text(&o, "ep", r->ep);
	out_member_text(&o, "server", r->server);
	out_member_text(&o, "op", r->op);
	out_member_uint(&o, "unit_bytes", r->unit_bytes);
	out_member_text(&o, "path", r->path);
	out_member_text(&o, "format", r->format);
	out_member(&o, "confirmed");
	out_word(&o, confirmed[r->confirmed < 0 ? 0 : r->confirmed ? 2 : 1]);
	if (r->links_n || (r->op && !strcmp(r->op, "register")))
		out_links(&o, r);
	out_values(&o, r, flags, most);
	out_char(&o, '}');
	return out_end(&o);
}

static bool has_large(const struct report *r, size_t most)
{
	for (size_t i = 0; i < r->values_n; i++)
		if (json_value_is_large(&r->values[i], most))
			return true;
	return false;
}

static long write_bounded(const struct report *r, unsigned flags, char *buf, size_t size,
			  long (*write)(const struct report *, unsigned, size_t, char *, size_t))
{
	size_t most = JSON_VALUE_MOST;
	long n = write(r, flags, most, buf, size);

	while (n > JSON_VALUE_MOST && (most /= 2) >= VALUE_LEAST)
		if (has_large(r, most))
			n = write(r, flags, most, buf, size);
	return n;
}

/* ---- for others ---- */

long json_report(const struct report *r, unsigned flags, char *buf, size_t size)
{
	if (r->kind == NIDDGW_RECORD_DATA)
		return write_bounded(r, flags, buf, size, flags & NIDDGW_JSON_SENML ? json_senml : write_data);
	return flags & NIDDGW_JSON_SENML ? -EINVAL : json_raw(r, flags, buf, size);
}

long json_value(const struct niddgw_value *v, unsigned flags, char *buf, size_t size)
{
	struct json_out o = { buf, size, 0 };

	if (flags & NIDDGW_JSON_OBJECT)
		out_value_object(&o, v, flags, JSON_VALUE_MOST);
	else if (!out_value(&o, v, flags, JSON_VALUE_MOST))
		out_word(&o, "null");
	return out_end(&o);
}

long json_text(const char *text, size_t len, char *buf, size_t size)
{
	struct json_out o = { buf, size, 0 };

	out_text(&o, text, len);
	return out_end(&o);
}
