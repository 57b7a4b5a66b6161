/* SPDX-License-Identifier: Apache-2.0 */
/* senml_json.c - SenML and SenML-ETCH in JSON (RFC 8428 section 5) */
#include "lwm2m/formats.h"

#include "lwm2m/json.h"
#include "lwm2m/senml.h"
#include "lwm2m/typed.h"

/* v is a number; a patch may have null. */
static bool read_v(struct jread *j, struct lwm2m_value *v, bool etch)
{
	if (!jread_null(j))
		return jread_number(j, v);
	v->kind = LWM2M_VALUE_NONE;
	return etch || gather_fault(j->g, FAULT_TYPE);
}

static bool read_string(struct jread *j, struct lwm2m_value *v)
{
	v->kind = LWM2M_VALUE_STRING;
	return jread_string(j, &v->text);
}

static bool read_boolean(struct jread *j, struct lwm2m_value *v)
{
	v->kind = LWM2M_VALUE_BOOLEAN;
	return jread_boolean(j, &v->boolean);
}

static bool read_octets(struct jread *j, struct lwm2m_value *v)
{
	struct lwm2m_text text;

	return jread_string(j, &text) && value_of_base64(j->g, v, text.p, text.len);
}

static bool read_link(struct jread *j, struct lwm2m_value *v)
{
	struct lwm2m_text text;

	return jread_string(j, &text) && (value_of_link(v, text.p, text.len) || gather_fault(j->g, FAULT_TYPE));
}

static bool read_labelled(struct jread *j, struct senml_record *r, enum senml_label label, bool etch)
{
	switch (label) {
	case SENML_BN:
		return jread_string(j, &r->bn);
	case SENML_BU:
		return jread_string(j, &r->bu);
	case SENML_N:
		return jread_string(j, &r->n);
	case SENML_U:
		return jread_string(j, &r->u);
	case SENML_BT:
		return jread_number(j, &r->bt);
	case SENML_BV:
		return jread_number(j, &r->bv);
	case SENML_BS:
		return jread_number(j, &r->bs);
	case SENML_BVER:
		return jread_number(j, &r->bver);
	case SENML_S:
		return jread_number(j, &r->s);
	case SENML_T:
		return jread_number(j, &r->t);
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
		return jread_skip(j);
	}
}

static bool read_record(struct jread *j, struct senml *to)
{
	struct senml_record r;
	struct jread_names unknown = { .n = 0 };
	struct jread_list members;
	struct lwm2m_text key;

	if (!jread_open(j, '{', &members))
		return false;
	senml_begin(&r);
	while (jread_more(j, &members)) {
		enum senml_label label;

		if (!jread_key(j, &key))
			return false;
		label = senml_label_of_text(&key);
		if (label == SENML_UNKNOWN && !jread_meet(j, &unknown, &key))
			return false;
		if (!senml_meet(j->g, &r, label) || !read_labelled(j, &r, label, to->etch))
			return false;
	}
	return !j->g->err && senml_take(to, &r);
}

bool decode_senml_json(struct gather *g, bool etch)
{
	struct jread j = jread_of(g);
	struct senml to = senml_of(g, etch);
	struct jread_list pack;

	if (!jread_open(&j, '[', &pack))
		return false;
	while (jread_more(&j, &pack))
		if (!read_record(&j, &to))
			return false;
	return jread_end(&j);
}
