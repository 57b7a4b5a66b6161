/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the option table of a library as keys of the configuration
 *
 * Each option gets a place of its own behind struct plugin_conf, large enough for any type. What a library says is held
 * against what a configuration can have, so that a table that is not sound refuses the library and nothing else.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "control/version.h"
#include "plugin/conf.h"
#include "plugin/describe_parts.h"

enum { PLACE = 16, BEFORE = (sizeof(struct plugin_conf) + PLACE - 1) / PLACE * PLACE };
_Static_assert(sizeof(struct conf_texts) <= PLACE, "the largest value");

#define WIDEST 9007199254740992.0 /* 2^53: what a double counts */

void told_refuse(struct told *t, const char *fmt, ...)
{
	va_list ap;

	if (t->d.refused)
		return;
	va_start(ap, fmt);
	vsnprintf(t->refused, sizeof t->refused, fmt, ap);
	va_end(ap);
	t->d.refused = t->refused;
}

static bool is_key(const char *name)
{
	if (!isalpha((unsigned char)*name))
		return false;
	while (isalnum((unsigned char)*name) || *name == '_')
		name++;
	return !*name;
}

static bool is_taken(const struct told *t, const char *name)
{
	if (!strcmp(name, "name"))
		return true;
	for (const struct conf_item *it = plugin_items; it->type != CONF_TYPE_END; it++)
		if (!strcmp(it->name, name))
			return true;
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->items[i].name, name))
			return true;
	return false;
}

/* ---- by type ---- */

static void take_int(struct told *t, struct conf_item *it, const struct niddgw_option *o)
{
	const bool any = !o->least && !o->most;
	char *end = NULL;
	long long v;

	it->type = CONF_TYPE_INT;
	it->least = any ? -WIDEST : (double)o->least;
	it->most = any ? WIDEST : (double)o->most;
	it->number = it->least - (any ? 2 : 1); /* none */
	if (!(it->least >= -WIDEST && it->most <= WIDEST && it->least <= it->most))
		told_refuse(t, "the range of its option \"%s\" is not sound", o->name);
	if (!o->fallback)
		return;
	errno = 0;
	v = strtoll(o->fallback, &end, 10);
	it->number = (double)v;
	if (errno || end == o->fallback || *end || it->number < it->least || it->number > it->most)
		told_refuse(t, "the default of its option \"%s\" is not in its range", o->name);
}

static bool has_word(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (!strcmp(*words, word))
			return true;
	return false;
}

static void take_text(struct told *t, struct conf_item *it, const struct niddgw_option *o)
{
	it->type = o->words ? CONF_TYPE_WORD : CONF_TYPE_TEXT;
	it->words = o->words;
	it->text = o->fallback;
	if (o->words && o->fallback && !has_word(o->words, o->fallback))
		told_refuse(t, "the default of its option \"%s\" is none of its words", o->name);
}

static void take_type(struct told *t, struct conf_item *it, const struct niddgw_option *o)
{
	static const enum conf_type types[] = {
		[NIDDGW_OPTION_BOOL] = CONF_TYPE_BOOL,     [NIDDGW_OPTION_LIST] = CONF_TYPE_TEXTS,
		[NIDDGW_OPTION_SECRET] = CONF_TYPE_SECRET, [NIDDGW_OPTION_FILE] = CONF_TYPE_FILE,
		[NIDDGW_OPTION_PATH] = CONF_TYPE_PATH,     [NIDDGW_OPTION_SECRET_FILE] = CONF_TYPE_KEYFILE,
	};

	if (o->type == NIDDGW_OPTION_INT) {
		take_int(t, it, o);
	} else if (o->type == NIDDGW_OPTION_TEXT) {
		take_text(t, it, o);
	} else if (o->type == NIDDGW_OPTION_URL) {
		it->type = CONF_TYPE_TEXT;
		it->words = o->words; /* a text with words is one for plugins_check() */
		it->text = o->fallback;
		if (!o->words)
			told_refuse(t, "its option \"%s\" names no schemes", o->name);
	} else if (o->type < sizeof types / sizeof *types) {
		it->type = types[o->type];
		it->number = o->fallback && !strcmp(o->fallback, "true");
		if (o->fallback && o->type != NIDDGW_OPTION_BOOL)
			told_refuse(t, "its option \"%s\" has a default, which its type cannot have", o->name);
	} else {
		told_refuse(t, "its option \"%s\" is of a type that this gateway does not know", o->name);
	}
}

static bool is_shown(const char *text)
{
	return !text || text_is_printable(text, strlen(text));
}

/* It is printed into files and pages. */
static bool is_printable(const struct niddgw_option *o)
{
	for (size_t i = 0; o->words && o->words[i]; i++)
		if (!is_shown(o->words[i]))
			return false;
	return is_shown(o->fallback) && is_shown(o->help);
}

/* ---- frames ---- */

static void take_option(struct told *t, struct frame *f)
{
	const char **words = calloc(FRAME_WORDS_MOST + 1, sizeof *words);
	struct conf_item *it = &t->items[t->n];
	struct niddgw_option o;

	if (!words || t->n == FRAME_OPTIONS_MOST || frame_read_option(f, &o, words)) {
		free(words);
		told_refuse(t, words ? "it describes itself in frames that are not sound" : "out of memory");
		return;
	}
	t->words[t->n] = words;
	if (!is_key(o.name) || is_taken(t, o.name))
		told_refuse(t, "its option \"%.64s\" cannot be a key, or there is one already", o.name);
	if (!is_printable(&o))
		told_refuse(t, "its option \"%.64s\" is described by what cannot be printed", o.name);
	*it = (struct conf_item){
		.name = o.name, .offset = BEFORE + PLACE * t->n, .required = o.required, .help = o.help
	};
	take_type(t, it, &o);
	t->n++;
}

static void take_hello(struct told *t, struct frame *f)
{
	struct frame_hello h;

	if (frame_read_hello(f, &h))
		told_refuse(t, "it describes itself in frames that are not sound");
	else if (h.version != FRAME_VERSION || strcmp(h.build, niddgw_build) != 0)
		told_refuse(t, "niddgw-plugin-host is \"%.64s\", this program is \"%s\"", h.build, niddgw_build);
	else
		t->d.version = h.plugin_version;
}

static void take_refused(struct told *t, struct frame *f)
{
	const char *why;

	told_refuse(t, "%.500s", frame_read_text(f, &why) ? "it describes itself in frames that are not sound" : why);
}

/* The next frame in raw; false: there is none that is whole. */
static bool next_frame(struct reader *r, struct frame *f)
{
	const uint32_t len = read_u32(r);
	const uint8_t *p = len ? read_span(r, len) : NULL;

	if (r->failed || !p)
		return false;
	*f = (struct frame){ *p, reader_of(p + 1, len - 1) };
	return true;
}

void told_read(struct told *t)
{
	struct reader r = reader_of(t->raw, t->raw_len);
	bool whole = false;
	struct frame f;

	t->items = calloc(FRAME_OPTIONS_MOST + 1, sizeof *t->items);
	if (!t->items) {
		told_refuse(t, "out of memory");
		return;
	}
	while (!t->d.refused && !whole && next_frame(&r, &f)) {
		if (f.kind == FRAME_HELLO)
			take_hello(t, &f);
		else if (f.kind == FRAME_OPTION)
			take_option(t, &f);
		else if (f.kind == FRAME_REFUSED)
			take_refused(t, &f);
		else
			whole = f.kind == FRAME_READY;
	}
	if (!whole && !t->d.refused)
		t->file = (struct stat){ 0 }; /* it may do better next time */
	if (!whole)
		told_refuse(t, "its process ended, or did not end in time, while it was loaded");
	t->items[t->n] = (struct conf_item)CONF_END;
	t->d.size = BEFORE + PLACE * t->n;
	t->d.items = t->d.refused ? NULL : t->items;
}
