/* SPDX-License-Identifier: Apache-2.0 */
/* registry_define.c - definitions of objects from their elements
 *
 * Only names, types and units are kept, each of a bounded length. A fault does not end the reading, so that an operator
 * sees all of them at once; only what could go on without end does.
 */
#include "lwm2m/registry_define.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lwm2m/objects.h"

#define FAULTS_MOST 32

/* ---- faults ---- */

void define_fault(struct define *d, unsigned line, const char *fmt, ...)
{
	char text[512], safe[2 * sizeof text];
	va_list ap;

	if (d->stop)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	text_escape(safe, sizeof safe, text);
	d->fault(d->arg, d->file, line, safe);
	d->stop = ++d->faults == FAULTS_MOST;
}

void define_stop(struct define *d, unsigned line, const char *text)
{
	define_fault(d, line, "%s", text);
	d->stop = true;
}

void define_out_of_memory(struct define *d)
{
	d->no_memory = true;
	d->stop = true;
}

/* ---- what a text means ---- */

static const char *keep(struct define *d, const char *text)
{
	const size_t len = strlen(text);
	char *copy = registry_alloc(d->r, len + 1);

	if (copy)
		memcpy(copy, text, len + 1);
	else
		define_out_of_memory(d);
	return copy;
}

/* Digits only, at most most; false: something else. */
static bool number_of(const char *text, unsigned long most, unsigned long *out)
{
	unsigned long n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || n > most)
			return false;
		n = n * 10 + (unsigned long)(*text - '0');
	}
	*out = n;
	return n <= most;
}

static bool version_of(char *text, uint16_t *out)
{
	char *dot = strchr(text, '.');
	unsigned long major, minor;
	bool fits;

	if (!dot)
		return false;
	*dot = '\0';
	fits = number_of(text, 255, &major) && number_of(dot + 1, 255, &minor) && (major || minor);
	*dot = '.';
	if (fits)
		*out = LWM2M_VERSION(major, minor);
	return fits;
}

static const char types_known[] = "String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk, Corelnk";

/* -1: no such type. Resources that are executed have none, which is left empty or said. */
static int type_of(const char *text)
{
	static const struct {
		const char *word;
		enum lwm2m_kind kind;
	} types[] = {
		{ "", LWM2M_VALUE_NONE },
		{ "none", LWM2M_VALUE_NONE },
		{ "String", LWM2M_VALUE_STRING },
		{ "Integer", LWM2M_VALUE_INTEGER },
		{ "Unsigned Integer", LWM2M_VALUE_UNSIGNED },
		{ "Float", LWM2M_VALUE_FLOAT },
		{ "Boolean", LWM2M_VALUE_BOOLEAN },
		{ "Opaque", LWM2M_VALUE_OPAQUE },
		{ "Time", LWM2M_VALUE_TIME },
		{ "Objlnk", LWM2M_VALUE_OBJLNK },
		{ "Corelnk", LWM2M_VALUE_CORELNK },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(text, types[i].word))
			return (int)types[i].kind;
	return -1;
}

void define_field_of_object(struct define *d, enum define_field field, unsigned line, char *text)
{
	unsigned long id;

	switch (field) {
	case FIELD_NAME:
		d->o.name = *text ? keep(d, text) : NULL;
		break;
	case FIELD_ID:
		d->has_id = true;
		if (number_of(text, UINT16_MAX, &id))
			d->o.id = (uint16_t)id;
		else
			define_fault(d, line, "ObjectID: \"%s\" is no number from 0 to 65535", text);
		break;
	case FIELD_VERSION:
		if (*text && !version_of(text, &d->o.version)) /* empty: 1.0 */
			define_fault(d, line, "ObjectVersion: \"%s\" is no version as 1.0", text);
		break;
	case FIELD_MULTIPLE:
		if (!strcmp(text, "Multiple"))
			d->o.flags |= REGISTRY_MULTIPLE;
		break;
	default:
		break;
	}
}

void define_field_of_item(struct define *d, enum define_field field, unsigned line, const char *text)
{
	int type;

	switch (field) {
	case FIELD_NAME:
		d->res.name = *text ? keep(d, text) : NULL;
		break;
	case FIELD_TYPE:
		type = type_of(text);
		if (type < 0)
			define_fault(d, line, "resource %u: Type \"%s\" is none of %s", d->res.id, text, types_known);
		else
			d->res.type = (uint8_t)type;
		break;
	case FIELD_UNITS:
		if (strlen(text) > REGISTRY_UNITS_MAX)
			define_fault(d, line, "resource %u: Units are longer than %d octets", d->res.id,
				     REGISTRY_UNITS_MAX);
		else
			d->res.units = *text ? keep(d, text) : NULL;
		break;
	case FIELD_MULTIPLE:
		if (!strcmp(text, "Multiple"))
			d->res.flags |= REGISTRY_MULTIPLE;
		break;
	default:
		break;
	}
}

/* ---- objects and resources ---- */

static uint8_t mirror_flag(struct define *d, unsigned line, const char *mirror)
{
	if (!mirror)
		return 0;
	if (strcmp(mirror, "never") != 0)
		define_fault(d, line, "Mirror: \"%.64s\" is not known; \"never\" is", mirror);
	return REGISTRY_SECRET; /* who meant to hide something has it hidden */
}

void define_begin_object(struct define *d, unsigned line, const char *mirror)
{
	d->o = (struct registry_object){ .version = LWM2M_VERSION(1, 0),
					 .flags = mirror_flag(d, line, mirror) | REGISTRY_SITE };
	d->has_id = false;
	d->line = line;
	d->v_n = 0;
}

static int by_id(const void *a, const void *b)
{
	return ((const struct registry_resource *)a)->id - ((const struct registry_resource *)b)->id;
}

static bool is_sound(struct define *d)
{
	const unsigned before = d->faults;

	if (!d->has_id)
		define_fault(d, d->line, "object without ObjectID");
	else if (!d->o.name)
		define_fault(d, d->line, "object %u has no Name", d->o.id);
	for (size_t i = 1; i < d->v_n; i++)
		if (d->v[i].id == d->v[i - 1].id)
			define_fault(d, d->line, "object %u: resource %u stands there twice", d->o.id, d->v[i].id);
	if (d->objects_n == DEFINE_OBJECTS_MOST) {
		define_fault(d, d->line, "more than %d objects in one file", DEFINE_OBJECTS_MOST);
		d->stop = true;
	}
	return d->faults == before;
}

void define_end_object(struct define *d)
{
	struct registry_resource *v;

	if (d->v_n)
		qsort(d->v, d->v_n, sizeof *d->v, by_id);
	if (!is_sound(d))
		return;
	v = registry_alloc(d->r, d->v_n * sizeof *v);
	if (!v) {
		define_out_of_memory(d);
		return;
	}
	if (d->v_n)
		memcpy(v, d->v, d->v_n * sizeof *v);
	d->o.v = v;
	d->o.n = (uint16_t)d->v_n;
	d->objects[d->objects_n++] = d->o;
}

void define_begin_item(struct define *d, unsigned line, const char *id, const char *mirror)
{
	unsigned long n = 0;

	d->res_line = line;
	if (!id)
		define_fault(d, d->res_line, "Item without ID");
	else if (!number_of(id, UINT16_MAX, &n))
		define_fault(d, d->res_line, "ID: \"%.64s\" is no number from 0 to 65535", id);
	d->res = (struct registry_resource){ .id = (uint16_t)n, .flags = mirror_flag(d, line, mirror) };
}

void define_end_item(struct define *d)
{
	const size_t room = d->v_room ? d->v_room * 2 : 32;
	struct registry_resource *v;

	if (!d->res.name)
		define_fault(d, d->res_line, "resource %u has no Name", d->res.id);
	if (d->v_n == REGISTRY_RESOURCES_MAX) {
		define_fault(d, d->res_line, "more than %d resources in one object", REGISTRY_RESOURCES_MAX);
		d->stop = true;
		return;
	}
	if (d->v_n == d->v_room) {
		v = realloc(d->v, room * sizeof *v);
		if (!v) {
			define_out_of_memory(d);
			return;
		}
		d->v = v;
		d->v_room = room;
	}
	d->v[d->v_n++] = d->res;
}

/* ---- all of them ---- */

int define_finish(struct define *d)
{
	if (d->no_memory)
		return -ENOMEM;
	if (!d->faults && !d->objects_n)
		define_fault(d, 1, "no Object is in it");
	for (size_t i = 0; !d->faults && i < d->objects_n; i++) {
		int err = registry_put(d->r, &d->objects[i]);

		if (err == -EMSGSIZE)
			define_fault(d, 1, "more than %d definitions of objects in all", REGISTRY_OBJECTS_MAX);
		else if (err)
			return err;
	}
	return d->faults ? -EINVAL : 0;
}
