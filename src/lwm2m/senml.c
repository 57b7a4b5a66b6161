/* SPDX-License-Identifier: Apache-2.0 */
/* senml.c - what SenML means, apart from how it is written
 *
 * Base fields hold from their record on until another one replaces them. Numbers of 64 bits stay integers through the
 * sum with their base value; times are doubles, which are exact to a microsecond for some centuries to come.
 */
#include "lwm2m/senml.h"

#include <math.h>
#include <string.h>

#include "lwm2m/typed.h"

#define NAME_MOST 255
#define BVER_MOST 10
#define RELATIVE_BELOW 268435456.0 /* 2^28 s, RFC 8428 4.5.3 */
#define VALUES (1u << SENML_V | 1u << SENML_VS | 1u << SENML_VB | 1u << SENML_VD | 1u << SENML_VLO)

/* ---- labels ---- */

/* With the number of each in CBOR, RFC 8428 section 6; "vlo" is LwM2M's and has none. */
static const struct {
	const char *name;
	int number;
} labels[SENML_LABEL_COUNT] = {
	[SENML_BN] = { "bn", -2 },     [SENML_BT] = { "bt", -3 }, [SENML_BU] = { "bu", -4 },
	[SENML_BV] = { "bv", -5 },     [SENML_BS] = { "bs", -6 }, [SENML_BVER] = { "bver", -1 },
	[SENML_N] = { "n", 0 },        [SENML_U] = { "u", 1 },    [SENML_V] = { "v", 2 },
	[SENML_VS] = { "vs", 3 },      [SENML_VB] = { "vb", 4 },  [SENML_S] = { "s", 5 },
	[SENML_T] = { "t", 6 },        [SENML_UT] = { "ut", 7 },  [SENML_VD] = { "vd", 8 },
	[SENML_VLO] = { "vlo", 9999 },
};

enum senml_label senml_label_of_text(const struct lwm2m_text *t)
{
	for (unsigned i = 0; i < SENML_LABEL_COUNT; i++)
		if (strlen(labels[i].name) == t->len && !memcmp(labels[i].name, t->p, t->len))
			return (enum senml_label)i;
	return t->len && t->p[t->len - 1] == '_' ? SENML_MUST : SENML_UNKNOWN;
}

enum senml_label senml_label_of_number(bool negative, uint64_t n)
{
	static const uint8_t low[] = { SENML_BVER, SENML_BN, SENML_BT, SENML_BU, SENML_BV, SENML_BS };
	static const uint8_t high[] = { SENML_N, SENML_U, SENML_V,  SENML_VS, SENML_VB,
					SENML_S, SENML_T, SENML_UT, SENML_VD };

	if (negative)
		return n < sizeof low ? (enum senml_label)low[n] : SENML_UNKNOWN;
	return n < sizeof high ? (enum senml_label)high[n] : SENML_UNKNOWN;
}

bool senml_meet(struct gather *g, struct senml_record *r, enum senml_label label)
{
	const uint32_t bit = 1u << label;

	if (label == SENML_UNKNOWN)
		return true;
	if (label == SENML_MUST || r->has & bit || (bit & VALUES && r->has & VALUES))
		return gather_fault(g, FAULT_FORMAT);
	r->has |= bit;
	return true;
}

/* ---- names ---- */

bool senml_name(struct gather *g, struct lwm2m_value *v, const struct lwm2m_text *bn, const struct lwm2m_text *n)
{
	char name[NAME_MOST];
	const size_t len = bn->len + n->len;
	char *kept;

	if (!len || len > sizeof name)
		return gather_fault(g, FAULT_FORMAT);
	if (bn->len)
		memcpy(name, bn->p, bn->len);
	if (n->len)
		memcpy(name + bn->len, n->p, n->len);
	if (lwm2m_path_parse(&v->path, &v->prefix, name, len, &g->in->base))
		return gather_fault(g, FAULT_FORMAT);
	if (!v->prefix.len)
		return true;
	if (!g->in->prefixes)
		return gather_fault(g, FAULT_FORMAT);
	kept = gather_alloc(g, v->prefix.len);
	if (!kept)
		return false;
	memcpy(kept, v->prefix.p, v->prefix.len);
	v->prefix.p = kept;
	return true;
}

/* ---- time ---- */

bool senml_time(struct lwm2m_value *v, double seconds, int64_t arrival_us)
{
	double us = seconds * 1e6 + (seconds < RELATIVE_BELOW ? (double)arrival_us : 0);

	if (isnan(seconds))
		return false;
	v->timed = true;
	if (us <= 0)
		v->time_us = 0;
	else if (us >= (double)LWM2M_TIME_MOST_US)
		v->time_us = LWM2M_TIME_MOST_US;
	else
		v->time_us = (int64_t)nearbyint(us);
	return true;
}

/* ---- records ---- */

static bool has(const struct senml_record *r, enum senml_label label)
{
	return r->has >> label & 1;
}

/* A time or a sum; infinite ones are taken where they can be clamped. */
static bool number(struct gather *g, const struct lwm2m_value *v, double *out)
{
	*out = value_to_double(v);
	return !isnan(*out) || gather_fault(g, FAULT_TYPE);
}

static bool keep_base(struct senml *s, const struct senml_record *r)
{
	if (has(r, SENML_BVER) &&
	    (r->bver.kind != LWM2M_VALUE_INTEGER || r->bver.integer < 0 || r->bver.integer > BVER_MOST))
		return gather_fault(s->g, FAULT_FORMAT);
	if (has(r, SENML_BN))
		s->bn = r->bn;
	if (has(r, SENML_BU))
		s->bu = r->bu;
	if (has(r, SENML_BV)) {
		s->bv = r->bv;
		s->has_bv = true;
		if (isnan(value_to_double(&s->bv)) && s->bv.kind != LWM2M_VALUE_FLOAT)
			return gather_fault(s->g, FAULT_TYPE);
	}
	s->has_bt |= has(r, SENML_BT);
	s->has_bs |= has(r, SENML_BS);
	return (!has(r, SENML_BT) || number(s->g, &r->bt, &s->bt)) &&
		(!has(r, SENML_BS) || number(s->g, &r->bs, &s->bs));
}

static bool set_time(struct senml *s, const struct senml_record *r, struct lwm2m_value *v)
{
	double t = 0;

	if (!s->has_bt && !has(r, SENML_T))
		return true;
	if (has(r, SENML_T) && !number(s->g, &r->t, &t))
		return false;
	return senml_time(v, s->bt + t, s->g->in->arrival_us) || gather_fault(s->g, FAULT_TYPE);
}

static bool set_sum(struct senml *s, const struct senml_record *r, struct lwm2m_value *v)
{
	double sum = 0;

	if (!s->has_bs && !has(r, SENML_S))
		return true;
	if (has(r, SENML_S) && !number(s->g, &r->s, &sum))
		return false;
	v->has_sum = true;
	v->sum = s->bs + sum;
	return true;
}

/* A number alone has a base; what was read for v, vs, vb, vd and vlo has been held against its label already. */
static bool set_value(struct senml *s, const struct senml_record *r, struct lwm2m_value *v)
{
	const bool removed = s->etch && has(r, SENML_V) && r->value.kind == LWM2M_VALUE_NONE;

	if (removed)
		return true; /* a patch takes this resource instance away, RFC 8790 */
	if (!has(r, SENML_V) || !s->has_bv)
		return true;
	return value_add(v, &s->bv) || gather_fault(s->g, FAULT_TYPE);
}

static bool is_complete(const struct senml *s, const struct senml_record *r, const struct lwm2m_value *v)
{
	return r->has & VALUES || v->has_sum || s->g->in->fetch;
}

bool senml_take(struct senml *s, const struct senml_record *r)
{
	struct lwm2m_value v;

	if (!keep_base(s, r))
		return false;
	v = r->value; /* kind NONE when the record has none */
	v.unit = has(r, SENML_U) ? r->u : s->bu;
	if (!senml_name(s->g, &v, &s->bn, &r->n) || !set_value(s, r, &v) || !set_time(s, r, &v) || !set_sum(s, r, &v))
		return false;
	if (!is_complete(s, r, &v))
		return gather_fault(s->g, FAULT_FORMAT);
	value_settle(&v, gather_type(s->g, &v.path));
	return gather_add(s->g, &v);
}
