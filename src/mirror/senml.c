/* SPDX-License-Identifier: Apache-2.0 */
/* senml.c - a report as a pack of RFC 8428
 *
 * The base name is the device, the name the path: "meter-17/3303/0/5700". SenML allows few characters in names (section
 * 4.5.1), so another octet of a device's name becomes _xNN, and so does a _ behind which that would stand: no two
 * devices share a name. A value that has no form here (none, omitted or too large octets) is left out; an integer that
 * a double cannot hold is a text, as in all payloads.
 */
#include <ctype.h>

#include "mirror/json_parts.h"

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* p[0] may stand in a name as it is. */
static bool may_stand(const char *p, bool first)
{
	if (*p == '_')
		return !first && !(p[1] == 'x' && is_hex(p[2]) && is_hex(p[3]));
	if ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
		return true;
	return !first && (*p == '-' || *p == ':' || *p == '.');
}

static void out_name(struct json_out *o, const char *device)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const char *p = device; *p; p++) {
		const uint8_t c = (uint8_t)*p;

		if (may_stand(p, p == device)) {
			out_char(o, *p);
			continue;
		}
		if (p == device)
			out_char(o, '0'); /* a name begins with a letter or digit */
		out_word(o, "_x");
		out_char(o, digits[c >> 4]);
		out_char(o, digits[c & 15]);
	}
}

static void out_base(struct json_out *o, const struct report *r)
{
	out_word(o, "{\"bn\":\"");
	out_name(o, r->device);
	out_word(o, "\",\"bt\":");
	out_seconds(o, (int64_t)r->arrival_ms);
}

static bool has_form(const struct niddgw_value *v, unsigned flags, size_t most)
{
	if (v->type == NIDDGW_NONE || v->type >= NIDDGW_TYPE_COUNT)
		return false;
	if (v->type == NIDDGW_OPAQUE && flags & NIDDGW_JSON_OMIT_OPAQUE)
		return false;
	return !json_value_is_large(v, most);
}

static void out_measure(struct json_out *o, const struct niddgw_value *v)
{
	switch (v->type) {
	case NIDDGW_INTEGER:
	case NIDDGW_UNSIGNED:
	case NIDDGW_TIME:
		out_member(o, json_wide(v) ? "vs" : "v");
		out_integer(o, v);
		break;
	case NIDDGW_FLOAT:
		out_member_text(o, "vs", json_flag(v->number)); /* v cannot say it */
		if (!json_flag(v->number)) {
			out_member(o, "v");
			out_double(o, v->number);
		}
		break;
	case NIDDGW_BOOLEAN:
		out_member(o, "vb");
		out_word(o, v->boolean ? "true" : "false");
		break;
	case NIDDGW_OPAQUE:
		out_member(o, "vd");
		out_char(o, '"');
		out_base64(o, v->data, v->len, true);
		out_char(o, '"');
		break;
	case NIDDGW_OBJLNK:
		out_member(o, "vs");
		out_char(o, '"');
		out_uint(o, v->link[0]);
		out_char(o, ':');
		out_uint(o, v->link[1]);
		out_char(o, '"');
		break;
	default:
		out_member(o, "vs");
		out_text(o, v->data, v->len);
		break;
	}
}

static void out_record(struct json_out *o, const struct report *r, const struct niddgw_value *v, bool first)
{
	if (first)
		out_base(o, r);
	out_word(o, first ? ",\"n\":\"" : ",{\"n\":\"");
	out_path(o, v);
	out_char(o, '"');
	out_member_text(o, "u", v->unit);
	out_measure(o, v);
	if (v->has_time && v->time_ms != r->arrival_ms) {
		out_member(o, "t");
		out_seconds(o, (int64_t)(v->time_ms - r->arrival_ms));
	}
	out_char(o, '}');
}

long json_senml(const struct report *r, unsigned flags, size_t most, char *buf, size_t size)
{
	struct json_out o = { buf, size, 0 };
	bool first = true;

	out_char(&o, '[');
	for (size_t i = 0; i < r->values_n; i++) {
		if (!has_form(&r->values[i], flags, most))
			continue;
		out_record(&o, r, &r->values[i], first);
		first = false;
	}
	if (first) {
		out_base(&o, r);
		out_char(&o, '}');
	}
	out_char(&o, ']');
	return out_end(&o);
}
