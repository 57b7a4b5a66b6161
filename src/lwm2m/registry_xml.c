/* SPDX-License-Identifier: Apache-2.0 */
/* registry_xml.c - object definitions as the OMA registry publishes them, from XML
 *
 * Read as a stream of events: nothing but the names, types and units that are wanted is ever kept, each in a buffer of
 * its bound. A document type declaration is refused outright, so that no entity can grow or reach out. All objects of a
 * file are taken together at its end, or none of them.
 */
#include "lwm2m/registry_inside.h"

#include <errno.h>
#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lwm2m/objects.h"

#define DEPTH_MOST 16
#define FAULTS_MOST 32
#define OBJECTS_MOST 256 /* of one file */
#define FILE_MOST (4u << 20)

enum field { FIELD_NONE, FIELD_NAME, FIELD_ID, FIELD_VERSION, FIELD_MULTIPLE, FIELD_TYPE, FIELD_UNITS };
enum place { IN_NOTHING, IN_ROOT, IN_OBJECT, IN_RESOURCES, IN_ITEM, IN_FIELD, IN_UNKNOWN };

struct load {
	struct lwm2m_registry *r;
	XML_Parser parser;
	const char *file;
	lwm2m_registry_fault_fn *fault;
	void *arg;
	unsigned faults;
	bool stopped, no_memory;

	enum place places[DEPTH_MOST + 1]; /* of the elements that are open; the last is places[depth] */
	unsigned depth;
	enum field field;
	char text[REGISTRY_NAME_MAX + 1];
	size_t text_len;
	bool text_too_long;

	struct registry_object objects[OBJECTS_MOST]; /* finished */
	size_t objects_n;
	struct registry_object o; /* the one that is read */
	bool has_id;
	unsigned line; /* where it begins */
	struct registry_resource res;
	unsigned res_line;
	struct registry_resource *v; /* owned: resources of o so far */
	size_t v_n, v_room;
};

/* ---- faults ---- */

static void stop(struct load *l)
{
	l->stopped = true;
	(void)XML_StopParser(l->parser, XML_FALSE);
}

__attribute__((format(printf, 3, 4))) static void fault(struct load *l, unsigned line, const char *fmt, ...)
{
	char text[512], safe[2 * sizeof text];
	va_list ap;

	if (l->stopped)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	text_escape(safe, sizeof safe, text);
	l->fault(l->arg, l->file, line, safe);
	if (++l->faults == FAULTS_MOST)
		stop(l);
}

static unsigned line_of(const struct load *l)
{
	return (unsigned)XML_GetCurrentLineNumber(l->parser);
}

static void out_of_memory(struct load *l)
{
	l->no_memory = true;
	stop(l);
}

/* ---- what a text means ---- */

static const char *keep(struct load *l, const char *text)
{
	const size_t len = strlen(text);
	char *copy = registry_alloc(l->r, len + 1);

	if (copy)
		memcpy(copy, text, len + 1);
	else
		out_of_memory(l);
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

static void set_object(struct load *l, enum field field)
{
	unsigned long id;

	switch (field) {
	case FIELD_NAME:
		l->o.name = *l->text ? keep(l, l->text) : NULL;
		break;
	case FIELD_ID:
		l->has_id = true;
		if (number_of(l->text, UINT16_MAX, &id))
			l->o.id = (uint16_t)id;
		else
			fault(l, line_of(l), "ObjectID: \"%s\" is no number from 0 to 65535", l->text);
		break;
	case FIELD_VERSION:
		if (*l->text && !version_of(l->text, &l->o.version)) /* empty: 1.0 */
			fault(l, line_of(l), "ObjectVersion: \"%s\" is no version as 1.0", l->text);
		break;
	case FIELD_MULTIPLE:
		if (!strcmp(l->text, "Multiple"))
			l->o.flags |= REGISTRY_MULTIPLE;
		break;
	default:
		break;
	}
}

static void set_resource(struct load *l, enum field field)
{
	int type;

	switch (field) {
	case FIELD_NAME:
		l->res.name = *l->text ? keep(l, l->text) : NULL;
		break;
	case FIELD_TYPE:
		type = type_of(l->text);
		if (type < 0)
			fault(l, line_of(l),
			      "resource %u: Type \"%s\" is none of String, Integer, Unsigned Integer, Float, Boolean, "
			      "Opaque, Time, Objlnk, Corelnk",
			      l->res.id, l->text);
		else
			l->res.type = (uint8_t)type;
		break;
	case FIELD_UNITS:
		if (l->text_len > REGISTRY_UNITS_MAX)
			fault(l, line_of(l), "resource %u: Units are longer than %d octets", l->res.id,
			      REGISTRY_UNITS_MAX);
		else
			l->res.units = *l->text ? keep(l, l->text) : NULL;
		break;
	case FIELD_MULTIPLE:
		if (!strcmp(l->text, "Multiple"))
			l->res.flags |= REGISTRY_MULTIPLE;
		break;
	default:
		break;
	}
}

/* ---- objects and resources ---- */

/* The value of an attribute; NULL: it is not there. */
static const char *attribute(const XML_Char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (!strcmp(attrs[0], name))
			return attrs[1];
	return NULL;
}

static uint8_t mirror_flag(struct load *l, const XML_Char **attrs)
{
	const char *mirror = attribute(attrs, "Mirror");

	if (!mirror)
		return 0;
	if (strcmp(mirror, "never") != 0)
		fault(l, line_of(l), "Mirror: \"%.64s\" is not known; \"never\" is", mirror);
	return REGISTRY_SECRET; /* who meant to hide something has it hidden */
}

static void begin_object(struct load *l, const XML_Char **attrs)
{
	l->o = (struct registry_object){ .version = LWM2M_VERSION(1, 0),
					 .flags = mirror_flag(l, attrs) | REGISTRY_SITE };
	l->has_id = false;
	l->line = line_of(l);
	l->v_n = 0;
}

static int by_id(const void *a, const void *b)
{
	return ((const struct registry_resource *)a)->id - ((const struct registry_resource *)b)->id;
}

static bool is_sound(struct load *l)
{
	const unsigned before = l->faults;

	if (!l->has_id)
		fault(l, l->line, "object without ObjectID");
	else if (!l->o.name)
		fault(l, l->line, "object %u has no Name", l->o.id);
	for (size_t i = 1; i < l->v_n; i++)
		if (l->v[i].id == l->v[i - 1].id)
			fault(l, l->line, "object %u: resource %u stands there twice", l->o.id, l->v[i].id);
	if (l->objects_n == OBJECTS_MOST) {
		fault(l, l->line, "more than %d objects in one file", OBJECTS_MOST);
		stop(l);
	}
	return l->faults == before;
}

static void end_object(struct load *l)
{
	struct registry_resource *v;

	if (l->v_n)
		qsort(l->v, l->v_n, sizeof *l->v, by_id);
	if (!is_sound(l))
		return;
	v = registry_alloc(l->r, l->v_n * sizeof *v);
	if (!v) {
		out_of_memory(l);
		return;
	}
	if (l->v_n)
		memcpy(v, l->v, l->v_n * sizeof *v);
	l->o.v = v;
	l->o.n = (uint16_t)l->v_n;
	l->objects[l->objects_n++] = l->o;
}

static void begin_item(struct load *l, const XML_Char **attrs)
{
	const char *id = attribute(attrs, "ID");
	unsigned long n = 0;

	l->res_line = line_of(l);
	if (!id)
		fault(l, l->res_line, "Item without ID");
	else if (!number_of(id, UINT16_MAX, &n))
		fault(l, l->res_line, "ID: \"%.64s\" is no number from 0 to 65535", id);
	l->res = (struct registry_resource){ .id = (uint16_t)n, .flags = mirror_flag(l, attrs) };
}

static void end_item(struct load *l)
{
	const size_t room = l->v_room ? l->v_room * 2 : 32;
	struct registry_resource *v;

	if (!l->res.name)
		fault(l, l->res_line, "resource %u has no Name", l->res.id);
	if (l->v_n == REGISTRY_RESOURCES_MAX) {
		fault(l, l->res_line, "more than %d resources in one object", REGISTRY_RESOURCES_MAX);
		stop(l);
		return;
	}
	if (l->v_n == l->v_room) {
		v = realloc(l->v, room * sizeof *v);
		if (!v) {
			out_of_memory(l);
			return;
		}
		l->v = v;
		l->v_room = room;
	}
	l->v[l->v_n++] = l->res;
}

/* ---- events of the parser ---- */

static enum field field_of(enum place in, const char *name)
{
	static const struct {
		const char *name;
		enum place in;
		enum field field;
	} fields[] = {
		{ "Name", IN_OBJECT, FIELD_NAME },
		{ "ObjectID", IN_OBJECT, FIELD_ID },
		{ "ObjectVersion", IN_OBJECT, FIELD_VERSION },
		{ "MultipleInstances", IN_OBJECT, FIELD_MULTIPLE },
		{ "Name", IN_ITEM, FIELD_NAME },
		{ "MultipleInstances", IN_ITEM, FIELD_MULTIPLE },
		{ "Type", IN_ITEM, FIELD_TYPE },
		{ "Units", IN_ITEM, FIELD_UNITS },
	};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].in == in && !strcmp(fields[i].name, name))
			return fields[i].field;
	return FIELD_NONE;
}

/* What an element of that name is where it stands. */
static enum place place_of(struct load *l, const char *name)
{
	static const struct {
		enum place in;
		const char *name;
		enum place is;
	} known[] = {
		{ IN_NOTHING, "LWM2M", IN_ROOT },
		{ IN_ROOT, "Object", IN_OBJECT },
		{ IN_OBJECT, "Resources", IN_RESOURCES },
		{ IN_RESOURCES, "Item", IN_ITEM },
	};
	const enum place in = l->places[l->depth];

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].in == in && !strcmp(known[i].name, name))
			return known[i].is;
	l->field = field_of(in, name);
	return l->field ? IN_FIELD : IN_UNKNOWN;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct load *l = arg;
	enum place is;

	if (l->depth == DEPTH_MOST) {
		fault(l, line_of(l), "elements stand deeper than %d inside each other", DEPTH_MOST);
		stop(l);
		return;
	}
	is = place_of(l, name);
	if (!l->depth && is != IN_ROOT) {
		fault(l, line_of(l), "the outermost element is %.64s and not LWM2M", name);
		stop(l);
		return;
	}
	l->places[++l->depth] = is;
	if (is == IN_OBJECT)
		begin_object(l, attrs);
	else if (is == IN_ITEM)
		begin_item(l, attrs);
	l->text_len = 0;
	l->text_too_long = false;
}

/* Runs of white space become one blank; at the ends there is none. */
static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
	struct load *l = arg;

	if (l->places[l->depth] != IN_FIELD)
		return;
	for (int i = 0; i < len; i++) {
		const bool space = text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';

		if (space && (!l->text_len || l->text[l->text_len - 1] == ' '))
			continue;
		if (l->text_len == sizeof l->text - 1)
			l->text_too_long = true;
		else
			l->text[l->text_len++] = space ? ' ' : text[i];
	}
}

static void end_field(struct load *l)
{
	if (l->text_len && l->text[l->text_len - 1] == ' ')
		l->text_len--;
	l->text[l->text_len] = '\0';
	if (l->text_too_long)
		fault(l, line_of(l), "text is longer than %zu octets", sizeof l->text - 1);
	else if (!text_is_printable(l->text, l->text_len))
		fault(l, line_of(l), "text holds what cannot be printed");
	else if (l->places[l->depth - 1] == IN_OBJECT)
		set_object(l, l->field);
	else
		set_resource(l, l->field);
	l->field = FIELD_NONE;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct load *l = arg;

	(void)name;
	if (l->places[l->depth] == IN_FIELD)
		end_field(l);
	else if (l->places[l->depth] == IN_ITEM)
		end_item(l);
	else if (l->places[l->depth] == IN_OBJECT)
		end_object(l);
	l->depth--;
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
			       int internal)
{
	struct load *l = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	fault(l, line_of(l), "a document type declaration is not taken");
	stop(l);
}

/* ---- one file ---- */

static int finish(struct load *l)
{
	if (l->no_memory)
		return -ENOMEM;
	if (!l->faults && !l->objects_n)
		fault(l, 1, "no Object is in it");
	for (size_t i = 0; !l->faults && i < l->objects_n; i++) {
		int err = registry_put(l->r, &l->objects[i]);

		if (err == -EMSGSIZE)
			fault(l, 1, "more than %d definitions of objects in all", REGISTRY_OBJECTS_MAX);
		else if (err)
			return err;
	}
	return l->faults ? -EINVAL : 0;
}

static void parse(struct load *l, const char *xml, size_t len)
{
	XML_SetUserData(l->parser, l);
	XML_SetElementHandler(l->parser, on_start, on_end);
	XML_SetCharacterDataHandler(l->parser, on_text);
	XML_SetStartDoctypeDeclHandler(l->parser, on_doctype);
	if (XML_Parse(l->parser, xml, (int)len, XML_TRUE) == XML_STATUS_OK || l->stopped)
		return;
	if (XML_GetErrorCode(l->parser) == XML_ERROR_NO_MEMORY)
		l->no_memory = true;
	else
		fault(l, line_of(l), "%s", XML_ErrorString(XML_GetErrorCode(l->parser)));
}

int lwm2m_registry_add_xml_text(struct lwm2m_registry *r, const char *file, const char *xml, size_t len,
				lwm2m_registry_fault_fn *fault_fn, void *arg)
{
	struct load *l;
	int err = -ENOMEM;

	if (len > FILE_MOST) {
		fault_fn(arg, file, 1, "longer than 4 MiB");
		return -EINVAL;
	}
	l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->r = r;
	l->file = file;
	l->fault = fault_fn;
	l->arg = arg;
	l->parser = XML_ParserCreate(NULL);
	if (l->parser) {
		parse(l, xml, len);
		err = finish(l);
		XML_ParserFree(l->parser);
	}
	free(l->v);
	free(l);
	return err;
}
