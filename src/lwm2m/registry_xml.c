/* SPDX-License-Identifier: Apache-2.0 */
/* registry_xml.c - object definitions as the OMA registry publishes them, from XML
 *
 * Read as a stream of events: of a text nothing is kept but what a wanted field may hold. A document type declaration
 * is refused outright, so that no entity can grow or reach out.
 */
#include "lwm2m/registry_define.h"

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define DEPTH_MOST 16
#define FILE_MOST (4u << 20)

enum place { IN_NOTHING, IN_ROOT, IN_OBJECT, IN_RESOURCES, IN_ITEM, IN_FIELD, IN_UNKNOWN };

struct load {
	struct define d;
	XML_Parser parser;
	enum place places[DEPTH_MOST + 1]; /* of the elements that are open; the last is places[depth] */
	unsigned depth;
	enum define_field field;
	char text[REGISTRY_NAME_MAX + 1];
	size_t text_len;
	bool text_too_long;
};

static unsigned line_of(const struct load *l)
{
	return (unsigned)XML_GetCurrentLineNumber(l->parser);
}

/* At the end of each event: whether another one may come. */
static void end_event(struct load *l)
{
	if (l->d.stop)
		(void)XML_StopParser(l->parser, XML_FALSE);
}

/* The value of an attribute; NULL: it is not there. */
static const char *attribute(const XML_Char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (!strcmp(attrs[0], name))
			return attrs[1];
	return NULL;
}

/* ---- events of the parser ---- */

static enum define_field field_of(enum place in, const char *name)
{
	static const struct {
		const char *name;
		enum place in;
		enum define_field field;
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

static void enter(struct load *l, enum place is, const XML_Char **attrs)
{
	l->places[++l->depth] = is;
	l->text_len = 0;
	l->text_too_long = false;
	if (is == IN_OBJECT)
		define_begin_object(&l->d, line_of(l), attribute(attrs, "Mirror"));
	else if (is == IN_ITEM)
		define_begin_item(&l->d, line_of(l), attribute(attrs, "ID"), attribute(attrs, "Mirror"));
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct load *l = arg;
	const enum place is = place_of(l, name);

	if (!l->depth && is != IN_ROOT) {
		define_fault(&l->d, line_of(l), "the outermost element is %.64s and not LWM2M", name);
		l->d.stop = true;
	} else if (l->depth == DEPTH_MOST) {
		define_stop(&l->d, line_of(l), "elements stand deeper than 16 inside each other");
	} else {
		enter(l, is, attrs);
	}
	end_event(l);
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

/* A no-break space is one too, and none at the end is left. */
static void tidy(struct load *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->text_len; i++) {
		const bool no_break = i + 1 < l->text_len && l->text[i] == '\xc2' && l->text[i + 1] == '\xa0';
		const char c = no_break ? ' ' : l->text[i];

		i += no_break;
		if (c != ' ' || (n && l->text[n - 1] != ' '))
			l->text[n++] = c;
	}
	n -= n && l->text[n - 1] == ' ';
	l->text[n] = '\0';
	l->text_len = n;
}

static void end_field(struct load *l)
{
	tidy(l);
	if (l->text_too_long)
		define_fault(&l->d, line_of(l), "text is longer than %zu octets", sizeof l->text - 1);
	else if (!text_is_printable(l->text, l->text_len))
		define_fault(&l->d, line_of(l), "text holds what cannot be printed");
	else if (l->places[l->depth - 1] == IN_OBJECT)
		define_field_of_object(&l->d, l->field, line_of(l), l->text);
	else
		define_field_of_item(&l->d, l->field, line_of(l), l->text);
	l->field = FIELD_NONE;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct load *l = arg;

	(void)name;
	if (l->d.stop)
		return; /* an empty element ends although it was refused */
	if (l->places[l->depth] == IN_FIELD)
		end_field(l);
	else if (l->places[l->depth] == IN_ITEM)
		define_end_item(&l->d);
	else if (l->places[l->depth] == IN_OBJECT)
		define_end_object(&l->d);
	l->depth--;
	end_event(l);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
			       int internal)
{
	struct load *l = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	define_stop(&l->d, line_of(l), "a document type declaration is not taken");
	end_event(l);
}

/* ---- one file ---- */

static void parse(struct load *l, const char *xml, size_t len)
{
	XML_SetUserData(l->parser, l);
	XML_SetElementHandler(l->parser, on_start, on_end);
	XML_SetCharacterDataHandler(l->parser, on_text);
	XML_SetStartDoctypeDeclHandler(l->parser, on_doctype);
	if (XML_Parse(l->parser, xml, (int)len, XML_TRUE) == XML_STATUS_OK || l->d.stop)
		return;
	if (XML_GetErrorCode(l->parser) == XML_ERROR_NO_MEMORY)
		define_out_of_memory(&l->d);
	else
		define_fault(&l->d, line_of(l), "%s", XML_ErrorString(XML_GetErrorCode(l->parser)));
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
	l->d.r = r;
	l->d.file = file;
	l->d.fault = fault_fn;
	l->d.arg = arg;
	l->parser = XML_ParserCreate(NULL);
	if (l->parser) {
		parse(l, xml, len);
		err = define_finish(&l->d);
		XML_ParserFree(l->parser);
	}
	free(l->d.v);
	free(l);
	return err;
}
