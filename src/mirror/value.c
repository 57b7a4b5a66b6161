/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - decoded values to what a report holds: names, types, units
 *
 * One block of memory serves all reports in turn, so that a report costs no allocation.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/unit.h"
#include "mirror/inside.h"

_Static_assert((int)NIDDGW_NONE == LWM2M_VALUE_NONE && (int)NIDDGW_FLOAT == LWM2M_VALUE_FLOAT &&
		       (int)NIDDGW_CORELNK == LWM2M_VALUE_CORELNK && (int)NIDDGW_TYPE_COUNT == LWM2M_VALUE_COUNT,
	       "types are told to plug-ins by the decoder's numbers");

/* ---- scratch ---- */

int scratch_init(struct scratch *s)
{
	s->values = malloc(REPORT_VALUES_MAX * sizeof *s->values);
	s->links = malloc(REPORT_VALUES_MAX * sizeof *s->links);
	s->text = malloc(SCRATCH_TEXT);
	if (s->values && s->links && s->text)
		return 0;
	scratch_fini(s);
	return -ENOMEM;
}

void scratch_fini(struct scratch *s)
{
	free(s->values);
	free(s->links);
	free(s->text);
	*s = (struct scratch){ 0 };
}

const char *scratch_text(struct scratch *s, const char *text, size_t len)
{
	char *p = s->text + s->used;

	if (len + 1 > SCRATCH_TEXT - s->used)
		return NULL;
	memcpy(p, text, len);
	p[len] = 0;
	s->used += len + 1;
	return p;
}

/* ---- units ---- */

/* "/3303/0/5700=Cel" of the device's record. */
static struct lwm2m_text site_unit(const struct mirror_who *who, const struct lwm2m_path *p)
{
	for (size_t i = 0; who->units && i < who->units->n; i++) {
		const char *text = who->units->v[i], *equals = strchr(text, '=');
		struct lwm2m_path at;

		if (equals && !lwm2m_path_parse(&at, NULL, text, (size_t)(equals - text), NULL) && at.depth &&
		    at.depth <= p->depth && !memcmp(at.id, p->id, at.depth * sizeof at.id[0]))
			return (struct lwm2m_text){ equals + 1, strlen(equals + 1) };
	}
	return (struct lwm2m_text){ 0 };
}

/* Values of one report mostly share a unit, or have the next one's: a text is kept once in a row. */
static const char *keep_unit(struct scratch *s, const struct lwm2m_text *unit, const char *before)
{
	size_t len = unit->len < LAST_UNIT_SIZE ? unit->len : 0; /* what is longer is no unit */

	if (!len || memchr(unit->p, 0, len))
		return NULL;
	if (before && strlen(before) == len && !memcmp(before, unit->p, len))
		return before;
	return scratch_text(s, unit->p, len);
}

/* ---- numbers ---- */

/* A float of 32 bits is told by few decimal digits: 0.1 rather than the 0.10000000149 that it is as a double. Up to
 * nine digits make it out, and quotients of exact numbers are the doubles next to the decimals. */
static double shortest(double v)
{
	static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	const float f = (float)v;

	if (!isfinite(v) || v == 0 || fabs(v) >= 1e9 || fabs(v) < 1e-12)
		return v;
	for (unsigned i = 0; i < sizeof tens / sizeof *tens; i++) {
		double scaled = nearbyint(v * tens[i]);

		if (fabs(scaled) >= 1e10)
			break;
		if ((float)(scaled / tens[i]) == f)
			return scaled / tens[i];
	}
	return v;
}

/* ---- values ---- */

/* What the registry says of the object, looked up once for values of the same. */
struct named {
	bool looked, known;
	uint16_t object, version;
	struct lwm2m_object_def def;
};

static void look_up(struct named *n, const struct mirror *m, const struct mirror_who *who, uint16_t object)
{
	if (n->looked && n->object == object)
		return;
	n->looked = true;
	n->object = object;
	n->version = lwm2m_objects_version(who->objects, object);
	n->known = lwm2m_registry_object(m->registry, object, n->version, &n->def);
}

static void set_value(struct niddgw_value *o, const struct lwm2m_value *v)
{
	memcpy(o->path, v->path.id, sizeof o->path);
	o->path_len = v->path.depth;
	o->type = (uint8_t)v->kind;
	o->has_time = v->timed;
	o->time_ms = v->timed ? (uint64_t)(v->time_us / 1000) : 0;
	switch (v->kind) {
	case LWM2M_VALUE_INTEGER:
		o->integer = v->integer;
		break;
	case LWM2M_VALUE_UNSIGNED:
		o->uinteger = v->natural;
		break;
	case LWM2M_VALUE_FLOAT:
		o->number = v->single ? shortest(v->real) : v->real;
		break;
	case LWM2M_VALUE_BOOLEAN:
		o->boolean = v->boolean;
		break;
	case LWM2M_VALUE_TIME:
		o->integer = v->time.s;
		break;
	case LWM2M_VALUE_OBJLNK:
		o->link[0] = v->objlnk.object;
		o->link[1] = v->objlnk.instance;
		break;
	case LWM2M_VALUE_OPAQUE:
		o->data = v->opaque.p ? v->opaque.p : (const uint8_t *)"";
		o->len = v->opaque.len;
		break;
	case LWM2M_VALUE_STRING:
	case LWM2M_VALUE_CORELNK:
		o->data = (const uint8_t *)(v->text.p ? v->text.p : "");
		o->len = v->text.len;
		break;
	default:
		break;
	}
}

struct values {
	struct mirror *m;
	const struct mirror_who *who;
	struct named named;
	struct lwm2m_unit_sources units;
	const char *unit; /* of the value before */
};

static void add_value(struct values *s, struct niddgw_value *o, const struct lwm2m_value *v)
{
	struct lwm2m_resource_def res = { 0 };
	struct lwm2m_text unit;

	*o = (struct niddgw_value){ 0 };
	set_value(o, v);
	look_up(&s->named, s->m, s->who, v->path.id[0]);
	o->object = s->named.known ? s->named.def.name : NULL;
	if (v->path.depth > 2 &&
	    lwm2m_registry_resource(s->m->registry, v->path.id[0], s->named.version, v->path.id[2], &res))
		o->resource = res.name;
	s->units.last = last_unit(&s->m->last, s->who->dev, &v->path);
	s->units.site = site_unit(s->who, &v->path);
	s->units.registry = res.units;
	unit = lwm2m_unit_of(v, &s->units);
	o->unit = unit.p ? keep_unit(&s->m->scratch, &unit, s->unit) : NULL;
	s->unit = o->unit ? o->unit : s->unit;
}

size_t report_values(struct mirror *m, const struct mirror_who *who, struct report *r, const struct lwm2m_value *v,
		     size_t n)
{
	struct values s = { .m = m, .who = who, .units = { .report = v, .n = n } };
	size_t hidden = 0;

	m->scratch.used = 0;
	for (size_t i = 0; i < n && r->values_n < REPORT_VALUES_MAX; i++) {
		const struct lwm2m_text *told = lwm2m_unit_told(&v[i]);

		if (lwm2m_path_is_secret(&v[i].path, m->registry)) {
			hidden++;
			continue;
		}
		add_value(&s, &m->scratch.values[r->values_n++], &v[i]);
		if (told)
			last_unit_keep(&m->last, who->dev, &v[i].path, told);
	}
	r->values = m->scratch.values;
	return hidden;
}

/* ---- object links ---- */

static const char *version_text(struct scratch *s, uint16_t version)
{
	char text[8];
	int len = snprintf(text, sizeof text, "%u.%u", version >> 8, version & 0xff);

	return version ? scratch_text(s, text, (size_t)len) : NULL;
}

static void add_link(struct mirror *m, struct report *r, const struct lwm2m_object *o)
{
	struct lwm2m_path p = { { o->object, o->instance }, o->instance == LWM2M_NO_ID ? 1 : 2 };
	struct report_link *k = &m->scratch.links[r->links_n];
	struct lwm2m_object_def def;
	char text[LWM2M_PATH_TEXT];
	size_t len;

	if (p.depth == 1)
		p.id[1] = 0;
	len = lwm2m_path_print(text, &p);
	*k = (struct report_link){ .path = scratch_text(&m->scratch, text, len) };
	if (!k->path)
		return;
	if (lwm2m_registry_object(m->registry, o->object, o->version, &def))
		k->object = def.name;
	k->version = version_text(&m->scratch, o->version);
	r->links_n++;
}

int report_links(struct mirror *m, struct report *r, const uint8_t *list, size_t len)
{
	struct lwm2m_objects *o;
	int err = lwm2m_objects_new(&o, (const char *)list, len);

	if (err)
		return err;
	m->scratch.used = 0;
	for (size_t i = 0; i < o->n && r->links_n < REPORT_VALUES_MAX; i++)
		add_link(m, r, &o->v[i]);
	lwm2m_objects_free(o);
	r->links = m->scratch.links;
	return 0;
}
