/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - one struct from texts by key, for records that come over a socket or from the store
 *
 * The same tables as for files, and the same words about what is wrong. There may be a million such records, so each is
 * one allocation of just the size it needs: everything is checked and measured first, then laid out as struct, arrays
 * of lists, structs of lists, texts. A small struct in a list is written as its texts with "/" between them.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/parts.h"

enum { FAULT_MOST = 1024, ITEMS_MOST = 64 /* keys of one table */ };

struct filling {
	const struct conf_item *items;
	const char *dir; /* where relative paths begin; NULL: there must be none */
	const struct conf_pair *v;
	size_t n;
	conf_pair_fault_fn *fault;
	void *arg;
	bool faulty;
	size_t texts, entries; /* octets of texts with their NULs, pointers of lists */
	size_t structs;        /* octets of structs in lists */
};

__attribute__((format(printf, 3, 4))) static void tell(struct filling *f, const char *key, const char *fmt, ...)
{
	char what[FAULT_MOST], text[2 * FAULT_MOST], safe[2 * sizeof text];
	va_list ap;

	f->faulty = true;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	snprintf(text, sizeof text, "%.128s: %s", key, what);
	text_escape(safe, sizeof safe, text);
	f->fault(f->arg, safe);
}

static bool is_name(const struct conf_pair *p)
{
	return !strcmp(p->key, "name");
}

/* Not in a table of ours: may be any key. */
static void tell_unknown(struct filling *f, const char *key)
{
	const struct origin o = { .items = f->items, .named = true };
	const char *near = suggest(&o, key);

	if (near)
		tell(f, key, "unknown key; did you mean \"%s\"?", near);
	else
		tell(f, key, "unknown key");
}

/* A list whose structs have no names and consist of texts. */
bool record_is_flat(const struct conf_item *list)
{
	for (const struct conf_item *it = list->items; it->type != CONF_TYPE_END; it++)
		if (it->type != CONF_TYPE_TEXT || it->absent)
			return false;
	return list->unnamed && !list->variants;
}

static bool takes_list(const struct conf_item *it)
{
	return it->type == CONF_TYPE_TEXTS || it->type == CONF_TYPE_LIST;
}

/* The item of a key that a record may have; NULL: it may not, which was told. */
static const struct conf_item *known(struct filling *f, const char *key)
{
	const struct conf_item *it = item_find(f->items, key);

	if (!it) {
		tell_unknown(f, key);
		return NULL;
	}
	if (it->absent) {
		tell(f, key, "this key is not built in this version");
		return NULL;
	}
	switch (it->type) {
	case CONF_TYPE_TEXT:
	case CONF_TYPE_UINT:
	case CONF_TYPE_REAL:
	case CONF_TYPE_BOOL:
	case CONF_TYPE_WORD:
	case CONF_TYPE_TEXTS:
	case CONF_TYPE_FILE:
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_SECRET:
		return it;
	case CONF_TYPE_LIST:
		if (record_is_flat(it))
			return it;
		/* fall through */
	default:
		tell(f, key, "this key can be given in the files only");
		return NULL;
	}
}

/* ---- what is right with a value ---- */

static bool check_text(struct filling *f, const char *key, const char *text, size_t len)
{
	if (len > CONF_TEXT_MOST)
		tell(f, key, "longer than %d octets", CONF_TEXT_MOST);
	else if (!text_is_printable(text, len))
		tell(f, key, "not printable UTF-8 text");
	else
		return true;
	return false;
}

static void check_name(struct filling *f, const char *name)
{
	const size_t len = strlen(name);

	if (!len || len > CONF_NAME_MOST || strchr(name, '/') || !text_is_printable(name, len))
		tell(f, "name", "a name is 1 to %d octets of printable UTF-8 without \"/\"", CONF_NAME_MOST);
	else
		f->texts += len + 1;
}

/* Octets up to the end of an entry. */
static size_t entry_len(const struct conf_pair *p, const char *at)
{
	return p->entry ? strlen(at) : strcspn(at, ";");
}

static size_t part_len(const char *at, const char *end)
{
	const char *cut = memchr(at, '/', (size_t)(end - at));

	return (size_t)((cut ? cut : end) - at);
}

/* "a/b/c": texts of a struct in the order of its table. The last ones may be left out; an empty one in the middle is
 * there, and empty. */
static void check_parts(struct filling *f, const struct conf_item *list, const char *at, size_t len)
{
	const struct conf_item *it = list->items;
	const char *end = at + len;

	for (;; at++, it++) {
		if (it->type == CONF_TYPE_END) {
			tell(f, list->name, "an entry has too many parts, which \"/\" separates");
			return;
		}
		at += part_len(at, end);
		if (at == end)
			break;
	}
	for (it++; it->type != CONF_TYPE_END; it++)
		if (it->required)
			tell(f, list->name, "an entry has no %s: its parts stand with \"/\" between them", it->name);
	f->structs += list->size;
}

static void check_entries(struct filling *f, const struct conf_item *it, const struct conf_pair *p)
{
	const char *at = p->value;

	if (!*at && !p->entry)
		return;
	for (;; at++) {
		const size_t len = entry_len(p, at);

		if (!len)
			tell(f, p->key, "an entry of the list is empty");
		else if (!check_text(f, p->key, at, len))
			return;
		else if (it->type == CONF_TYPE_LIST)
			check_parts(f, it, at, len);
		f->texts += len + 1;
		f->entries++;
		at += len;
		if (!*at)
			return;
	}
}

static bool read_uint(const char *text, double *out)
{
	const size_t len = strspn(text, "0123456789");

	if (!len || text[len] || len > 18) /* so many digits cannot overflow */
		return false;
	*out = (double)strtoull(text, NULL, 10);
	return true;
}

static bool read_real(const char *text, double *out)
{
	char *end;

	if (strspn(text, "0123456789.+-eE") != strlen(text))
		return false; /* neither hexadecimal nor infinite */
	*out = strtod(text, &end);
	return end != text && !*end;
}

static void check_number(struct filling *f, const struct conf_item *it, const char *text)
{
	const bool whole = it->type == CONF_TYPE_UINT;
	double v;

	if (!(whole ? read_uint(text, &v) : read_real(text, &v)))
		tell(f, it->name, "%s is expected, not \"%.64s\"", whole ? "an integer" : "a number", text);
	else if (!(v >= it->least))
		tell(f, it->name, "%.64s is below the least value %.15g", text, it->least);
	else if (!(v <= it->most))
		tell(f, it->name, "%.64s is above the greatest value %.15g", text, it->most);
}

static void check_word(struct filling *f, const struct conf_item *it, const char *text)
{
	const int word = word_find(it, text);

	if (word < 0)
		tell(f, it->name, "\"%.64s\" is none of its words", text);
	else if (it->unbuilt >> word & 1)
		tell(f, it->name, "\"%s\" is not built in this version", text);
}

static void check_path(struct filling *f, const struct conf_item *it, const char *text)
{
	const char *path = record_path(it->type, text);

	if (!path) /* what stands there may be the secret itself: not shown */
		tell(f, it->name, "a secret is named by its file, as \"file:PATH\"");
	else if (!*path)
		tell(f, it->name, "names no file");
	else if (*path != '/' && !f->dir)
		tell(f, it->name, "\"%.128s\" is not an absolute path", path);
	else if (check_text(f, it->name, path, strlen(path)))
		f->texts += record_path_join(NULL, 0, f->dir, path) + 1;
}

static void check_value(struct filling *f, const struct conf_item *it, const struct conf_pair *p)
{
	switch (it->type) {
	case CONF_TYPE_TEXTS:
	case CONF_TYPE_LIST:
		check_entries(f, it, p);
		break;
	case CONF_TYPE_UINT:
	case CONF_TYPE_REAL:
		check_number(f, it, p->value);
		break;
	case CONF_TYPE_BOOL:
		if (strcmp(p->value, "true") && strcmp(p->value, "false"))
			tell(f, it->name, "true or false is expected, not \"%.64s\"", p->value);
		break;
	case CONF_TYPE_WORD:
		check_word(f, it, p->value);
		break;
	case CONF_TYPE_FILE:
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_SECRET:
		check_path(f, it, p->value);
		break;
	default:
		if (check_text(f, it->name, p->value, strlen(p->value)))
			f->texts += strlen(p->value) + 1;
		break;
	}
}

/* Each key once, and all that must be there; seen has a bit per item, the last one is the name's. */
static void check_pairs(struct filling *f)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct conf_pair *p = &f->v[i];
		const struct conf_item *it = is_name(p) ? NULL : known(f, p->key);
		const uint64_t bit = it ? UINT64_C(1) << (it - f->items) : UINT64_C(1) << (ITEMS_MOST - 1);

		if (!it && !is_name(p))
			continue;
		if (seen & bit && (!it || !takes_list(it)))
			tell(f, p->key, "given twice");
		else if (it)
			check_value(f, it, p);
		else
			check_name(f, p->value);
		seen |= bit;
	}
	if (!(seen >> (ITEMS_MOST - 1)))
		tell(f, "name", "required and missing");
	for (const struct conf_item *it = f->items; it->type != CONF_TYPE_END; it++)
		if (it->required && !it->absent && !(seen >> (it - f->items) & 1))
			tell(f, it->name, "required and missing");
}

/* ---- laying it out ---- */

struct layout {
	void **entries;
	char *structs, *texts;
};

static const char *put_text(struct layout *l, const char *text, size_t len)
{
	char *to = l->texts;

	memcpy(to, text, len);
	to[len] = '\0';
	l->texts += len + 1;
	return to;
}

static const char *put_path(struct layout *l, const char *dir, const char *path)
{
	size_t len = record_path_join(NULL, 0, dir, path);
	char *to = l->texts;

	(void)record_path_join(to, len + 1, dir, path);
	l->texts += len + 1;
	return to;
}

static void *put_struct(struct layout *l, const struct conf_item *list, const char *at, size_t len)
{
	const char *end = at + len;
	char *to = l->structs;

	l->structs += list->size;
	memset(to, 0, list->size);
	fill_defaults(NULL, list->items, to);
	for (const struct conf_item *it = list->items; at <= end && it->type != CONF_TYPE_END; it++, at++) {
		const size_t n = part_len(at, end);

		*(const char **)(void *)(to + it->offset) = put_text(l, at, n);
		at += n;
	}
	return to;
}

static void put_entry(struct layout *l, const struct conf_item *it, const char *at, size_t len)
{
	*l->entries++ = it->type == CONF_TYPE_LIST ? put_struct(l, it, at, len)
						   : (void *)(uintptr_t)put_text(l, at, len);
}

/* The number of entries, and the first of them. */
static size_t put_entries(struct layout *l, const struct filling *f, const struct conf_item *it, void ***first)
{
	void **const start = l->entries;

	for (size_t i = 0; i < f->n; i++) {
		const struct conf_pair *p = &f->v[i];

		if (strcmp(p->key, it->name) != 0 || (!*p->value && !p->entry))
			continue;
		for (const char *at = p->value;; at++) {
			const size_t len = entry_len(p, at);

			put_entry(l, it, at, len);
			at += len;
			if (!*at)
				break;
		}
	}
	*first = l->entries == start ? NULL : start;
	return (size_t)(l->entries - start);
}

static void put_texts(struct layout *l, const struct filling *f, const struct conf_item *it, struct conf_texts *to)
{
	void **first;

	to->n = put_entries(l, f, it, &first);
	to->v = (const char *const *)(void *)first;
}

static void put_list(struct layout *l, const struct filling *f, const struct conf_item *it, struct conf_list *to)
{
	to->n = put_entries(l, f, it, &to->v);
}

static const struct conf_pair *pair_of(const struct filling *f, const char *key)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].key, key))
			return &f->v[i];
	return NULL;
}

static void put_value(struct layout *l, const struct filling *f, const struct conf_item *it, const char *text, void *to)
{
	double v = 0;

	switch (it->type) {
	case CONF_TYPE_TEXTS:
		put_texts(l, f, it, to);
		break;
	case CONF_TYPE_LIST:
		put_list(l, f, it, to);
		break;
	case CONF_TYPE_UINT:
		*(uint64_t *)to = strtoull(text, NULL, 10);
		break;
	case CONF_TYPE_REAL:
		(void)read_real(text, &v);
		*(double *)to = v;
		break;
	case CONF_TYPE_BOOL:
		*(bool *)to = *text == 't';
		break;
	case CONF_TYPE_WORD:
		*(int *)to = word_find(it, text);
		break;
	case CONF_TYPE_FILE:
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_SECRET:
		*(const char **)to = put_path(l, f->dir, record_path(it->type, text));
		break;
	default:
		*(const char **)to = put_text(l, text, strlen(text));
		break;
	}
}

int conf_record_new(void **out, const struct conf_item *items, size_t size, const char *dir, const struct conf_pair *v,
		    size_t n, conf_pair_fault_fn *fault, void *arg)
{
	struct filling f = { .items = items, .dir = dir, .v = v, .n = n, .fault = fault, .arg = arg };
	struct conf_head *head;
	struct layout l;

	check_pairs(&f);
	if (f.faulty)
		return -EINVAL;
	size = (size + sizeof(char *) - 1) / sizeof(char *) * sizeof(char *);
	head = malloc(size + f.entries * sizeof(char *) + f.structs + f.texts);
	if (!head)
		return -ENOMEM;
	memset(head, 0, size);
	l.entries = (void **)(void *)((char *)head + size);
	l.structs = (char *)(l.entries + f.entries); /* of pointers, so their sizes are whole pointers too */
	l.texts = l.structs + f.structs;
	fill_defaults(NULL, items, head); /* needs a load for paths only, and no path of a record has a default */
	head->name = put_text(&l, pair_of(&f, "name")->value, strlen(pair_of(&f, "name")->value));
	for (const struct conf_item *it = items; it->type != CONF_TYPE_END; it++) {
		const struct conf_pair *p = it->absent ? NULL : pair_of(&f, it->name);

		if (p)
			put_value(&l, &f, it, p->value, (char *)head + it->offset);
	}
	*out = head;
	return 0;
}

bool conf_record_key(const struct conf_item *items, const char *key, conf_pair_fault_fn *fault, void *arg)
{
	struct filling f = { .items = items, .fault = fault, .arg = arg };

	return !strcmp(key, "name") || known(&f, key);
}
