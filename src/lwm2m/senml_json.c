/* SPDX-License-Identifier: Apache-2.0 */
/* senml_json.c - SenML and SenML-ETCH in JSON (RFC 8428 section 5) */
#include "lwm2m/formats.h"

#include "lwm2m/json.h"
#include "lwm2m/senml.h"
#include "lwm2m/typed.h"

/* v is a number; a patch may have null. */
static bool read_v(struct json *j, struct lwm2m_value *v, bool etch)
{
	if (!json_null(j))
		return json_number(j, v);
	v->kind = LWM2M_VALUE_NONE;
	return etch || gather_fault(j->g, FAULT_TYPE);
}

static bool read_string(struct json *j, struct lwm2m_value *v)
{
	v->kind = LWM2M_VALUE_STRING;
	return json_string(j, &v->text);
}

static bool read_boolean(struct json *j, struct lwm2m_value *v)
{
	v->kind = LWM2M_VALUE_BOOLEAN;
	return json_boolean(j, &v->boolean);
}

static bool read_octets(struct json *j, struct lwm2m_value *v)
{
	struct lwm2m_text text;

	return json_string(j, &text) && value_of_base64(j->g, v, text.p, text.len);
}

static bool read_link(struct json *j, struct lwm2m_value *v)
{
	struct lwm2m_text text;

	return json_string(j, &text) && (value_of_link(v, text.p, text.len) || gather_fault(j->g, FAULT_TYPE));
}

static bool read_labelled(struct json *j, struct senml_record *r, enum senml_label label, bool etch)
{
	switch (label) {
	case SENML_BN:
		return json_string(j, &r->bn);
	case SENML_BU:
		return json_string(j, &r->bu);
	case SENML_N:
		return json_string(j, &r->n);
	case SENML_U:
		return json_string(j, &r->u);
	case SENML_BT:
		return json_number(j, &r->bt);
	case SENML_BV:
		return json_number(j, &r->bv);
	case SENML_BS:
		return json_number(j, &r->bs);
	case SENML_BVER:
		return json_number(j, &r->bver);
	case SENML_S:
		return json_number(j, &r->s);
	case SENML_T:
		return json_number(j, &r->t);
	case SENML_V:
		return read_v(j, &r->value, etch);
	case SENML_VS:
		return read_string(j, &r->value);
	case SENML_VB:
		return read_boolean(j, &r->value);
	case SENML_VD:
		return read_octets(j, &r->value);
	case SENML_VLO:
		return read_link(j, &r->value);
	default:
		return json_skip(j);
	}
}

static bool read_record(struct json *j, struct senml *to)
{
	struct senml_record r = { 0 };
	struct json_names unknown = { .n = 0 };
	struct json_list members;
	struct lwm2m_text key;

	if (!json_open(j, '{', &members))
		return false;
	while (json_more(j, &members)) {
		enum senml_label label;

		if (!json_key(j, &key))
			return false;
		label = senml_label_of_text(&key);
		if (label == SENML_UNKNOWN && !json_meet(j, &unknown, &key))
			return false;
		if (!senml_meet(j->g, &r, label) || !read_labelled(j, &r, label, to->etch))
			return false;
	}
	return !j->g->err && senml_take(to, &r);
}

bool decode_senml_json(struct gather *g, bool etch)
{
	struct json j = json_of(g);
	struct senml to = senml_of(g, etch);
	struct json_list pack;

	if (!json_open(&j, '[', &pack))
		return false;
	while (json_more(&j, &pack))
		if (!read_record(&j, &to))
			return false;
	return json_end(&j);
}
