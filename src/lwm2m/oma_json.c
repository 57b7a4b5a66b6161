/* SPDX-License-Identifier: Apache-2.0 */
/* oma_json.c - application/vnd.oma.lwm2m+json, the JSON of LwM2M 1.0
 *
 * One object with a list of entries. Its base name and time stand beside the list and may follow it, so entries are
 * looked at when they have been passed over once. Names are relative to the base name or, without one, to what was
 * asked for.
 */
#include "lwm2m/formats.h"

#include <string.h>

#include "lwm2m/json.h"
#include "lwm2m/senml.h"
#include "lwm2m/typed.h"

enum member {
	OMA_BN = 1,
	OMA_BT = 2,
	OMA_E = 4,
	OMA_N = 8,
	OMA_T = 16,
	OMA_V = 32,
	OMA_BV = 64,
	OMA_SV = 128,
	OMA_OV = 256
};
#define VALUES (OMA_V | OMA_BV | OMA_SV | OMA_OV)

struct oma {
	struct jread j;
	struct lwm2m_text bn;
	char base[LWM2M_PATH_TEXT + 1]; /* in place of bn */
	double bt;
	unsigned has;
	const char *entries; /* where the list begins */
};

struct entry {
	struct lwm2m_text n;
	struct lwm2m_value value;
	double t;
	unsigned has;
};

static unsigned member_of(const struct lwm2m_text *key, bool of_entry)
{
	static const struct {
		const char *name;
		unsigned member;
		bool of_entry;
	} members[] = {
		{ "bn", OMA_BN, false }, { "bt", OMA_BT, false }, { "e", OMA_E, false },
		{ "n", OMA_N, true },    { "t", OMA_T, true },    { "v", OMA_V, true },
		{ "bv", OMA_BV, true },  { "sv", OMA_SV, true },  { "ov", OMA_OV, true },
	};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (members[i].of_entry == of_entry && strlen(members[i].name) == key->len &&
		    !memcmp(members[i].name, key->p, key->len))
			return members[i].member;
	return 0;
}

/* The next key, with what it means; a key twice is a fault, whether it means something or not. */
static bool read_key(struct jread *j, struct jread_names *unknown, bool of_entry, unsigned *has, unsigned *is)
{
	struct lwm2m_text key;

	if (!jread_key(j, &key))
		return false;
	*is = member_of(&key, of_entry);
	if (!*is)
		return jread_meet(j, unknown, &key);
	if (*has & *is)
		return gather_fault(j->g, FAULT_FORMAT);
	*has |= *is;
	return true;
}

static bool read_double(struct jread *j, double *out)
{
	struct lwm2m_value v;

	if (!jread_number(j, &v))
		return false;
	*out = value_to_double(&v);
	return true;
}

/* ---- entries ---- */

static bool read_entry_member(struct jread *j, struct entry *e, unsigned is)
{
	struct lwm2m_text text;

	switch (is) {
	case OMA_N:
		return jread_string(j, &e->n);
	case OMA_T:
		return read_double(j, &e->t);
	case OMA_V:
		return jread_number(j, &e->value);
	case OMA_BV:
		e->value.kind = LWM2M_VALUE_BOOLEAN;
		return jread_boolean(j, &e->value.boolean);
	case OMA_SV:
		e->value.kind = LWM2M_VALUE_STRING;
		return jread_string(j, &e->value.text);
	case OMA_OV:
		return jread_string(j, &text) &&
			(value_of_link(&e->value, text.p, text.len) || gather_fault(j->g, FAULT_TYPE));
	default:
		return jread_skip(j);
	}
}

/* The base name and the name, with one slash between them. */
static bool set_path(struct oma *o, struct lwm2m_value *v, const struct lwm2m_text *n)
{
	struct lwm2m_text base = o->bn;
	char with_slash[256];

	if (base.len && n->len && base.p[base.len - 1] != '/' && n->p[0] != '/') {
		if (base.len >= sizeof with_slash)
			return gather_fault(o->j.g, FAULT_FORMAT);
		memcpy(with_slash, base.p, base.len);
		with_slash[base.len++] = '/';
		base.p = with_slash;
	}
	if (!(o->has & OMA_BN) && n->len && n->p[0] == '/')
		base.len = 0; /* a whole path where a relative one is usual */
	return senml_name(o->j.g, v, &base, n);
}

static bool take_entry(struct oma *o, const struct entry *e)
{
	struct gather *g = o->j.g;
	struct lwm2m_value v = e->value;
	enum lwm2m_kind want;

	if (!(e->has & VALUES))
		return gather_fault(g, FAULT_FORMAT);
	if (!set_path(o, &v, &e->n))
		return false;
	if ((e->has & OMA_T || o->has & OMA_BT) && !senml_time(&v, o->bt + e->t, g->in->arrival_us))
		return gather_fault(g, FAULT_TYPE);
	want = gather_type(g, &v.path);
	if (want == LWM2M_VALUE_OPAQUE && v.kind == LWM2M_VALUE_STRING) {
		const struct lwm2m_text text = v.text;

		if (!value_of_base64(g, &v, text.p, text.len))
			return false;
	}
	value_settle(&v, want);
	return gather_add(g, &v);
}

static bool read_entry(struct oma *o)
{
	struct jread_names unknown = { .n = 0 };
	struct entry e = { .has = 0 };
	struct jread_list members;

	if (!jread_open(&o->j, '{', &members))
		return false;
	while (jread_more(&o->j, &members)) {
		unsigned is = 0;

		if (!read_key(&o->j, &unknown, true, &e.has, &is))
			return false;
		if (is & VALUES && (e.has & VALUES) != is)
			return gather_fault(o->j.g, FAULT_FORMAT); /* a second value */
		if (!read_entry_member(&o->j, &e, is))
			return false;
	}
	return !o->j.g->err && take_entry(o, &e);
}

static bool read_entries(struct oma *o)
{
	struct jread_list list;

	o->j.p = o->entries;
	o->j.depth = 1;
	if (!jread_open(&o->j, '[', &list))
		return false;
	while (jread_more(&o->j, &list))
		if (!read_entry(o))
			return false;
	return !o->j.g->err;
}

/* ---- the object around them ---- */

static bool read_member(struct oma *o, unsigned is)
{
	switch (is) {
	case OMA_BN:
		return jread_string(&o->j, &o->bn);
	case OMA_BT:
		return read_double(&o->j, &o->bt);
	case OMA_E:
		o->entries = o->j.p;
		return jread_skip(&o->j);
	default:
		return jread_skip(&o->j);
	}
}

static bool read_head(struct oma *o)
{
	struct jread_names unknown = { .n = 0 };
	struct jread_list members;

	if (!jread_open(&o->j, '{', &members))
		return false;
	while (jread_more(&o->j, &members)) {
		unsigned is = 0;

		if (!read_key(&o->j, &unknown, false, &o->has, &is) || !read_member(o, is))
			return false;
	}
	return jread_end(&o->j);
}

bool decode_oma_json(struct gather *g)
{
	struct oma o = { .j = jread_of(g) };

	if (!read_head(&o))
		return false;
	if (!(o.has & OMA_E))
		return gather_fault(g, FAULT_FORMAT);
	if (!(o.has & OMA_BN) && g->in->path) {
		o.bn.p = o.base;
		o.bn.len = lwm2m_path_print(o.base, g->in->path);
	}
	return read_entries(&o);
}
