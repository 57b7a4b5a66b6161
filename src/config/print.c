/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - the annotated default file, from the schema alone
 *
 * Groups stand as they are, with every default written out; a key without one, and every list, is a comment. So what is
 * printed is a sound configuration that does nothing yet; a list freed of the marks in the first column is one that
 * only waits for what is required.
 */
#include <stdarg.h>
#include <string.h>

#include "config/parts.h"

enum { WIDTH = 110, NOTE_MOST = 1024 };

struct printer {
	FILE *to;
	unsigned depth;
	bool comment; /* everything is a comment */
	void *arg;    /* the schema's */
};

void print_quoted(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

void print_number(FILE *to, const struct conf_item *item, double v)
{
	char text[40];

	if (item->type == CONF_TYPE_UINT || item->type == CONF_TYPE_INT) {
		fprintf(to, "%.0f%s", v, v > INT32_MAX || v < INT32_MIN ? "L" : "");
		return;
	}
	snprintf(text, sizeof text, "%.15g", v);
	if (strchr(text, 'e'))
		snprintf(text, sizeof text, "%.1f", v);
	fprintf(to, "%s%s", text, strchr(text, '.') ? "" : ".0");
}

/* What is commented out as a whole has its mark in the first column, a single line after the indentation. */
static void indent(const struct printer *p, bool comment)
{
	if (p->comment)
		fputs("# ", p->to);
	for (unsigned i = 0; i < p->depth; i++)
		fputs("    ", p->to);
	if (comment)
		fputs("# ", p->to);
}

static void line(const struct printer *p, const char *text)
{
	indent(p, false);
	fprintf(p->to, "%s\n", text);
}

/* A note above a key, wrapped at blanks. */
static void note(const struct printer *p, const char *text)
{
	const size_t width = WIDTH - 4 * (size_t)p->depth;

	while (*text) {
		size_t n = strlen(text);

		if (n > width) {
			for (n = width; n && text[n] != ' '; n--)
				;
			n = n ? n : width;
		}
		indent(p, true);
		fprintf(p->to, "%.*s\n", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

__attribute__((format(printf, 3, 4))) static void add(char *buf, size_t size, const char *fmt, ...)
{
	const size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
}

static void add_words(char *buf, size_t size, const struct conf_item *it)
{
	const char *between = " One of ";

	for (int i = 0; it->words[i]; i++) {
		if (it->unbuilt >> i & 1)
			continue;
		add(buf, size, "%s\"%s\"", between, it->words[i]);
		between = ", ";
	}
	add(buf, size, ".");
}

static void add_range(char *buf, size_t size, const struct conf_item *it)
{
	add(buf, size, it->type == CONF_TYPE_REAL ? " %.15g to %.15g" : " %.0f to %.0f", it->least, it->most);
	add(buf, size, "%s%s.", it->unit ? " " : "", it->unit ? it->unit : "");
}

static void add_shape(char *buf, size_t size, const struct conf_item *it)
{
	switch (it->type) {
	case CONF_TYPE_WORD:
		add_words(buf, size, it);
		break;
	case CONF_TYPE_UINT:
	case CONF_TYPE_INT:
	case CONF_TYPE_REAL:
		add_range(buf, size, it);
		break;
	case CONF_TYPE_FILE:
		add(buf, size, " A file that can be read.");
		break;
	case CONF_TYPE_KEYFILE:
		add(buf, size, " A file, mode 0640 or tighter.");
		break;
	case CONF_TYPE_SECRET:
		add(buf, size, " \"file:PATH\"; one line, mode 0640 or tighter.");
		break;
	default:
		break;
	}
}

static const char *reload_text(enum conf_reload r)
{
	return r == CONF_LIVE      ? "at once"
		: r == CONF_DEVICE ? "for each device when it is next idle"
				   : "at the next start";
}

/* A help text that begins with a plain word begins a sentence. */
static bool begins_plainly(const char *help)
{
	const size_t n = strspn(help, "abcdefghijklmnopqrstuvwxyz");

	return n && (help[n] == ' ' || !help[n]);
}

static void describe(const struct printer *p, const struct conf_item *it)
{
	const char *help = it->help ? it->help : "";
	const size_t len = strlen(help);
	char text[NOTE_MOST] = "";

	add(text, sizeof text, "%s%s", help, !len || strchr(".?!", help[len - 1]) ? "" : ".");
	add_shape(text, sizeof text, it);
	if (begins_plainly(text))
		*text = (char)(*text - 'a' + 'A');
	if (it->required)
		add(text, sizeof text, " Required.");
	if (it->type != CONF_TYPE_GROUP && it->type != CONF_TYPE_LIST)
		add(text, sizeof text, " Reload: %s.", reload_text(it->reload));
	note(p, text + strspn(text, " "));
}

static bool has_default(const struct conf_item *it)
{
	switch (it->type) {
	case CONF_TYPE_UINT:
	case CONF_TYPE_INT:
	case CONF_TYPE_REAL:
		return it->number >= it->least && it->number <= it->most;
	case CONF_TYPE_BOOL:
		return true;
	case CONF_TYPE_TEXT:
	case CONF_TYPE_WORD:
		return it->text;
	default:
		return false;
	}
}

static void print_default(FILE *to, const struct conf_item *it)
{
	switch (it->type) {
	case CONF_TYPE_UINT:
	case CONF_TYPE_INT:
	case CONF_TYPE_REAL:
		print_number(to, it, has_default(it) ? it->number : it->least);
		break;
	case CONF_TYPE_BOOL:
		fputs(it->number != 0 ? "true" : "false", to);
		break;
	case CONF_TYPE_TEXTS:
		fputs("[ ]", to);
		break;
	case CONF_TYPE_SECRET:
		print_quoted(to, "file:");
		break;
	default:
		print_quoted(to, it->text ? it->text : "");
		break;
	}
}

static void print_items(struct printer *p, const struct conf_item *items, const char *type);

static void print_group(struct printer *p, const struct conf_item *it)
{
	indent(p, false);
	fprintf(p->to, "%s = {\n", it->name);
	p->depth++;
	print_items(p, it->items, NULL);
	p->depth--;
	line(p, "};");
}

static void print_element(struct printer *p, const struct conf_item *it, const struct conf_variant *v, bool last)
{
	line(p, "{");
	p->depth++;
	if (!it->unnamed) {
		note(p, "Name, unique in the list: 1 to 128 octets of printable UTF-8 without \"/\". Required.");
		indent(p, false);
		fputs("name = ", p->to);
		print_quoted(p->to, it->more && v ? v->word : "");
		fputs(";\n", p->to);
	}
	print_items(p, it->items, v && !it->more ? v->word : NULL);
	if (v)
		print_items(p, v->items, NULL);
	p->depth--;
	line(p, last ? "}" : "},");
}

static bool is_last_built(const struct conf_variant *v)
{
	for (v++; v->word; v++)
		if (v->built)
			return false;
	return true;
}

/* An element of each kind that is known; of the common keys alone when none is. */
static void print_more(struct printer *p, const struct conf_item *it)
{
	struct conf_variant v = { 0 }, next = { 0 };

	next.items = it->more->each(p->arg, 0, &next.word);
	if (!next.items)
		print_element(p, it, NULL, true);
	for (size_t i = 1; next.items; i++) {
		v = next;
		next.items = it->more->each(p->arg, i, &next.word);
		print_element(p, it, &v, !next.items);
	}
}

static void print_list(struct printer *p, const struct conf_item *it)
{
	const bool before = p->comment;

	p->comment = true;
	indent(p, false);
	fprintf(p->to, "%s = (\n", it->name);
	p->depth++;
	if (it->more)
		print_more(p, it);
	else if (!it->variants)
		print_element(p, it, NULL, true);
	for (const struct conf_variant *v = it->variants; v && v->word; v++)
		if (v->built)
			print_element(p, it, v, is_last_built(v));
	p->depth--;
	line(p, ");");
	p->comment = before;
}

/* type: the word of the variant that an element is shown as. */
static void print_key(const struct printer *p, const struct conf_item *it, const char *type)
{
	const bool chooser = type && !strcmp(it->name, "type");

	indent(p, !has_default(it) && !chooser && !it->required);
	fprintf(p->to, "%s = ", it->name);
	if (chooser)
		print_quoted(p->to, type);
	else
		print_default(p->to, it);
	fputs(";\n", p->to);
}

static void print_items(struct printer *p, const struct conf_item *items, const char *type)
{
	for (; items && items->type != CONF_TYPE_END; items++) {
		if (items->absent)
			continue;
		if (!p->depth)
			fputc('\n', p->to);
		describe(p, items);
		if (items->type == CONF_TYPE_GROUP)
			print_group(p, items);
		else if (items->type == CONF_TYPE_LIST)
			print_list(p, items);
		else
			print_key(p, items, type);
	}
}

void conf_print_defaults(const struct conf_schema *schema, FILE *to)
{
	struct printer p = { .to = to, .arg = schema->arg };

	note(&p,
	     "Configuration of niddgwd: every key with its default. Files conf.d/*.conf and devices.d/*.conf beside "
	     "this one are "
	     "read after it: a later value wins in groups, lists grow. `niddgwd -t` checks, a SIGHUP takes over; "
	     "\"Reload\" tells "
	     "when a changed value takes effect.");
	print_items(&p, schema->items, NULL);
}
