/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - a Register's list of objects, link format of RFC 6690
 *
 * The list is walked twice: what a link is called depends on the alternate path, which need not be named first. Devices
 * quote attributes or do not, and put blanks between links; all of that is read. Links to anything else than an object
 * or an instance are skipped.
 */
#include "lwm2m/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/path.h"

struct link {
	struct lwm2m_text path;
	struct lwm2m_text rt, ver; /* p NULL: not there */
};

struct links {
	const char *p, *end;
	int err;
};

static bool bad(struct links *l)
{
	l->err = -EBADMSG;
	return false;
}

static void skip_blanks(struct links *l)
{
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t' || *l->p == '\r' || *l->p == '\n'))
		l->p++;
}

/* The next character is c, and is taken. */
static bool take(struct links *l, char c)
{
	skip_blanks(l);
	if (l->p == l->end || *l->p != c)
		return false;
	l->p++;
	return true;
}

/* Up to one of the octets in stop, or to the end. */
static struct lwm2m_text take_until(struct links *l, const char *stop)
{
	const char *from = l->p;

	while (l->p < l->end && *l->p && !strchr(stop, *l->p))
		l->p++;
	return (struct lwm2m_text){ from, (size_t)(l->p - from) };
}

/* A text in quotes; a backslash takes the next octet as it is, and stays in the text. */
static bool take_quoted(struct links *l, struct lwm2m_text *out)
{
	const char *from = l->p;

	while (l->p < l->end && *l->p != '"')
		l->p += *l->p == '\\' && l->p + 1 < l->end ? 2 : 1;
	if (l->p == l->end)
		return bad(l);
	*out = (struct lwm2m_text){ from, (size_t)(l->p - from) };
	l->p++;
	return true;
}

static bool is(const struct lwm2m_text *t, const char *word)
{
	return t->len == strlen(word) && !memcmp(t->p, word, t->len);
}

static bool take_attribute(struct links *l, struct link *k)
{
	struct lwm2m_text name, value = { "", 0 };

	skip_blanks(l);
	name = take_until(l, "=;, \t\r\n");
	if (!name.len)
		return bad(l);
	if (take(l, '=')) {
		skip_blanks(l);
		if (l->p < l->end && *l->p == '"') {
			l->p++;
			if (!take_quoted(l, &value))
				return false;
		} else {
			value = take_until(l, ";, \t\r\n");
		}
	}
	if (is(&name, "rt") && !k->rt.p)
		k->rt = value;
	else if (is(&name, "ver") && !k->ver.p)
		k->ver = value;
	return true;
}

/* false: the end of the list, or a fault in l->err. */
static bool next_link(struct links *l, struct link *k)
{
	*k = (struct link){ 0 };
	skip_blanks(l);
	if (l->p == l->end)
		return false;
	if (!take(l, '<'))
		return bad(l);
	k->path = take_until(l, ">");
	if (!take(l, '>'))
		return bad(l);
	while (take(l, ';'))
		if (!take_attribute(l, k))
			return false;
	skip_blanks(l);
	if (l->p < l->end && !take(l, ','))
		return bad(l);
	return true;
}

/* rt is a list of words; "oma.lwm2m" marks where the objects stand. */
static bool marks_base(const struct lwm2m_text *rt)
{
	static const char word[] = "oma.lwm2m";
	const size_t len = sizeof word - 1;

	for (size_t i = 0; rt->p && i + len <= rt->len; i++)
		if (!memcmp(rt->p + i, word, len) && (i == 0 || rt->p[i - 1] == ' ') &&
		    (i + len == rt->len || rt->p[i + len] == ' '))
			return true;
	return false;
}

/* A short path of printable octets; what else is called one cannot stand in front of a name. */
static bool is_base(const struct lwm2m_text *t)
{
	if (!t->len || t->len > LWM2M_BASE_MAX || t->p[0] != '/')
		return false;
	for (size_t i = 0; i < t->len; i++)
		if (t->p[i] <= ' ' || t->p[i] > '~')
			return false;
	return true;
}

static int find_base(struct lwm2m_text *base, size_t *links, const char *text, size_t len)
{
	struct links l = { .p = text, .end = text + len };
	struct link k;

	while (next_link(&l, &k)) {
		++*links;
		if (!base->p && marks_base(&k.rt) && is_base(&k.path))
			*base = k.path;
	}
	if (base->p && base->len == 1)
		base->len = 0; /* "/": as if nothing was said */
	return l.err;
}

static unsigned number(const char **p, const char *end)
{
	unsigned n = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && n <= 255; (*p)++)
		n = n * 10 + (unsigned)(**p - '0');
	return n;
}

/* 0: none that can be read. */
static uint16_t version_of(const struct lwm2m_text *t)
{
	const char *p = t->p, *end = t->p ? t->p + t->len : NULL;
	unsigned major, minor;

	if (!t->len)
		return 0;
	major = number(&p, end);
	if (p == t->p || p == end || *p++ != '.' || p == end)
		return 0;
	minor = number(&p, end);
	return p == end && major <= 255 && minor <= 255 ? LWM2M_VERSION(major, minor) : 0;
}

static bool stays_out(const struct lwm2m_path *p)
{
	return p->id[0] == 0 || p->id[0] == 21 || p->id[0] == 23;
}

static bool object_of(const struct link *k, const struct lwm2m_text *base, struct lwm2m_object *out)
{
	struct lwm2m_path path;

	if (lwm2m_path_parse(&path, NULL, k->path.p, k->path.len, base) || !path.depth || path.depth > 2 ||
	    stays_out(&path))
		return false;
	*out = (struct lwm2m_object){ path.id[0], path.depth == 2 ? path.id[1] : LWM2M_NO_ID, version_of(&k->ver) };
	return true;
}

static int read_objects(struct lwm2m_objects *o, const char *text, size_t len)
{
	struct links l = { .p = text, .end = text + len };
	struct link k;

	while (next_link(&l, &k)) {
		struct lwm2m_object one;

		if (!object_of(&k, &o->base, &one))
			continue;
		if (o->n == LWM2M_OBJECTS_MAX)
			return -EMSGSIZE;
		o->v[o->n++] = one;
	}
	return l.err;
}

/* An instance says nothing of its version: that stands with its object, often before it. */
static void hand_down_versions(struct lwm2m_objects *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->v[i].instance != LWM2M_NO_ID || !o->v[i].version)
			continue;
		for (size_t k = 0; k < o->n; k++)
			if (o->v[k].object == o->v[i].object && !o->v[k].version)
				o->v[k].version = o->v[i].version;
	}
}

int lwm2m_objects_new(struct lwm2m_objects **out, const char *text, size_t len)
{
	struct lwm2m_text base = { 0 };
	struct lwm2m_objects *o;
	size_t links = 0;
	int err = len > LWM2M_OBJECTS_LEN_MAX ? -EMSGSIZE : find_base(&base, &links, text, len);

	if (err)
		return err;
	if (links > LWM2M_OBJECTS_MAX)
		links = LWM2M_OBJECTS_MAX;
	o = malloc(sizeof *o + links * sizeof o->v[0] + base.len);
	if (!o)
		return -ENOMEM;
	o->n = 0;
	o->base = (struct lwm2m_text){ (char *)&o->v[links], base.len };
	if (base.len)
		memcpy(&o->v[links], base.p, base.len);
	err = read_objects(o, text, len);
	if (err) {
		free(o);
		return err;
	}
	hand_down_versions(o);
	*out = o;
	return 0;
}

void lwm2m_objects_free(struct lwm2m_objects *o)
{
	free(o);
}

uint16_t lwm2m_objects_version(const struct lwm2m_objects *o, uint16_t object)
{
	for (size_t i = 0; o && i < o->n; i++)
		if (o->v[i].object == object)
			return o->v[i].version;
	return 0;
}
