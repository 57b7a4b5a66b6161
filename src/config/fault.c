/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c - faults with file, line and path, gathered and printed in order
 *
 * A room's check names a struct that was filled and a key; the map of origins leads from the address of the struct back
 * to the settings it came from. One address can stand for several: a group that several files give, and a group that is
 * the first member of another.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/parts.h"

enum { TEXT_MOST = 1024, PATH_MOST = 512 };

static void keep(struct conf_load *load, const struct conf_file *f, unsigned line, const char *text)
{
	struct fault *ft;

	if (load->fault_count == load->fault_room) {
		const size_t room = load->fault_room ? load->fault_room * 2 : 16;
		struct fault *grown = realloc(load->faults, room * sizeof *grown);

		if (!grown) {
			load->no_memory = true;
			return;
		}
		load->faults = grown;
		load->fault_room = room;
	}
	ft = &load->faults[load->fault_count];
	*ft = (struct fault){
		.file = f->index, .line = line, .order = (unsigned)load->fault_count, .text = strdup(text)
	};
	if (ft->text)
		load->fault_count++;
	else
		load->no_memory = true;
}

__attribute__((format(printf, 5, 0))) static void add(struct conf_load *load, const struct conf_file *f, unsigned line,
						      const char *path, const char *fmt, va_list ap)
{
	char what[TEXT_MOST], text[TEXT_MOST + PATH_MOST], safe[2 * sizeof text];

	vsnprintf(what, sizeof what, fmt, ap);
	snprintf(text, sizeof text, "%s%s%s", path, *path ? ": " : "", what);
	text_escape(safe, sizeof safe, text);
	keep(load, f, line, safe);
}

void fault_file(struct conf_load *load, const struct conf_file *f, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(load, f, line, "", fmt, ap);
	va_end(ap);
}

static size_t put(char *buf, size_t len, const char *text)
{
	const size_t n = strlen(text), most = PATH_MOST - 1 - len;

	memcpy(buf + len, text, n < most ? n : most);
	len += n < most ? n : most;
	buf[len] = '\0';
	return len;
}

static size_t put_index(char *buf, size_t len, int index)
{
	char text[16];

	if (index < 0)
		return len;
	snprintf(text, sizeof text, "[%d]", index);
	return put(buf, len, text);
}

/* "links[1].callback"; nothing for the root. Nesting is as deep as the schema. */
static size_t put_origin(char *buf, size_t len, const struct origin *o)
{
	if (!o->parent)
		return len;
	len = put_origin(buf, len, o->parent);
	if (len)
		len = put(buf, len, ".");
	return put_index(buf, put(buf, len, o->key), o->index);
}

__attribute__((format(printf, 6, 0))) static void add_at(struct conf_load *load, const struct origin *o,
							 const char *key, int index, unsigned line, const char *fmt,
							 va_list ap)
{
	char path[PATH_MOST] = "";
	size_t len = put_origin(path, 0, o);

	if (key && len)
		len = put(path, len, ".");
	if (key)
		put_index(path, put(path, len, key), index);
	add(load, o->file, line, path, fmt, ap);
}

void fault_key(struct conf_load *load, const struct origin *o, const char *key, int index, unsigned line,
	       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_at(load, o, key, index, line, fmt, ap);
	va_end(ap);
}

struct origin *origin_add(struct conf_load *load, const struct origin *o)
{
	struct origin *copy = arena_alloc(&load->scratch, sizeof *copy);

	if (copy)
		*copy = *o;
	if (!copy || map_add(&load->origins, &copy->node, map_hash(&o->elem, sizeof o->elem))) {
		load->no_memory = true;
		return NULL;
	}
	return copy;
}

static bool origin_eq(const struct map_node *n, const void *elem, size_t len)
{
	const struct origin *o = (const struct origin *)(const void *)n; /* node is the first member */

	(void)len;
	return o->elem == elem;
}

/* How well an origin fits a key: the one that gives it, before one that could give it, before any other. */
static unsigned fitness(const struct origin *o, const char *key)
{
	const bool known = key &&
		((o->named && !strcmp(key, "name")) || item_find(o->items, key) || item_find(o->more, key));

	if (known && o->setting && config_setting_get_member(o->setting, key))
		return 3;
	return known ? 2 : o->setting ? 1 : 0;
}

static const struct origin *origin_find(const struct conf_load *load, const void *elem, const char *key)
{
	const uint64_t hash = map_hash(&elem, sizeof elem);
	const struct map_node *n = map_find(&load->origins, hash, origin_eq, elem, 0);
	const struct origin *best = NULL;

	for (; n; n = n->next) {
		const struct origin *o = (const struct origin *)(const void *)n;
		unsigned fits, so_far;

		if (n->hash != hash || o->elem != elem)
			continue;
		fits = fitness(o, key);
		so_far = best ? fitness(best, key) : 0;
		if (!best || fits > so_far || (fits == so_far && o->file->index > best->file->index))
			best = o;
	}
	return best;
}

static unsigned line_of(const struct origin *o, const char *key, int index)
{
	config_setting_t *s = key && o->setting ? config_setting_get_member(o->setting, key) : NULL, *e;

	if (s && index >= 0 && config_setting_is_aggregate(s)) {
		e = config_setting_get_elem(s, (unsigned)index);
		s = e ? e : s;
	}
	for (; !s && o; o = o->parent) /* a key that is not given: the group it is missing in */
		s = o->setting;
	return s && setting_line(s) ? setting_line(s) : 1;
}

void conf_fault(struct conf_load *load, const void *elem, const char *key, int index, const char *fmt, ...)
{
	const struct origin *o = origin_find(load, elem, key);
	va_list ap;

	va_start(ap, fmt);
	if (o)
		add_at(load, o, key, index, line_of(o, key, index), fmt, ap);
	else
		add(load, load->files, 1, key ? key : "", fmt, ap);
	va_end(ap);
}

static int in_order(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void faults_print(struct conf_load *load, FILE *to)
{
	const struct conf_file *f = load->files;

	if (load->fault_count)
		qsort(load->faults, load->fault_count, sizeof *load->faults, in_order);
	for (size_t i = 0; i < load->fault_count; i++) {
		while (f->index < load->faults[i].file)
			f = f->next;
		fprintf(to, "%s:%u: %s\n", f->name, load->faults[i].line, load->faults[i].text);
	}
}
