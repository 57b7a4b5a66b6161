/* SPDX-License-Identifier: Apache-2.0 */
/* fill.c - the trees of all files into one set of structs
 *
 * Files are walked in order into the same structs, so a later scalar overwrites and lists grow. Groups below the root
 * may be given by several files; whether a key that must be there is there is asked when all are read. A struct in a
 * list comes from one place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/parts.h"

struct name {
	struct map_node node;
	const struct conf_list *list;
	const struct conf_head *head;
};

static void fill_members(struct conf_load *load, const struct origin *o, void *base);

/* ---- names ---- */

struct name_key {
	const struct conf_list *list;
	const char *name;
};

static bool name_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct name *x = (const struct name *)(const void *)n; /* node is the first member */
	const struct name_key *k = key;

	(void)len;
	return x->list == k->list && !strcmp(x->head->name, k->name);
}

/* The first who has a name keeps it; a second one is at fault. */
static void claim_name(struct conf_load *load, const struct origin *o, const struct conf_list *list,
		       const struct conf_head *head, unsigned line)
{
	const struct name_key k = { list, head->name };
	const uint64_t hash = map_hash(k.name, strlen(k.name));
	struct map_node *n = map_find(&load->names, hash, name_eq, &k, 0);
	struct name *x = (struct name *)(void *)n;

	if (x) {
		fault_key(load, o, "name", -1, line, "\"%s\" is taken already at %s:%u", head->name, x->head->at.file,
			  x->head->at.line);
		return;
	}
	x = arena_alloc(&load->scratch, sizeof *x);
	if (!x || map_add(&load->names, &x->node, hash)) {
		load->no_memory = true;
		return;
	}
	x->list = list;
	x->head = head;
}

static void fill_name(struct conf_load *load, const struct origin *o, const struct conf_list *list,
		      struct conf_head *head)
{
	config_setting_t *s = config_setting_get_member(o->setting, "name");
	size_t len;

	head->name = "";
	if (!s) {
		fault_key(load, o, "name", -1, head->at.line, "required and missing");
		return;
	}
	if (!text_taken(load, o, "name", -1, s, &head->name))
		return;
	len = strlen(head->name);
	if (!len || len > CONF_NAME_MOST || strchr(head->name, '/'))
		fault_key(load, o, "name", -1, setting_line(s),
			  "a name is 1 to %d octets of printable UTF-8 without \"/\"", CONF_NAME_MOST);
	else
		claim_name(load, o, list, head, setting_line(s));
}

/* ---- lists ---- */

static const struct conf_variant *variant_find(const struct conf_item *item, const char *word)
{
	for (const struct conf_variant *v = item->variants; v && v->word; v++)
		if (!strcmp(v->word, word))
			return v;
	return NULL;
}

static size_t largest(const struct conf_item *item)
{
	size_t size = item->size;

	for (const struct conf_variant *v = item->variants; v && v->word; v++)
		if (v->size > size)
			size = v->size;
	return size;
}

/* The keys of an element that only it tells. */
static void learn_more(struct conf_load *load, struct origin *o, const struct conf_more *more, struct conf_variant *v)
{
	const char *what = NULL;

	(void)config_setting_lookup_string(o->setting, more->chooser, &what);
	if (!what)
		(void)config_setting_lookup_string(o->setting, "name", &what);
	v->items = more->of(load, what ? what : "", &v->size);
	o->loose = !v->items;
}

/* Which variant an element is; NULL: none that can be filled. What is wrong with the word is said when the key is read.
 */
static const struct conf_variant *choose(struct conf_load *load, struct origin *o, const struct conf_item *item)
{
	config_setting_t *s = config_setting_get_member(o->setting, "type");
	const char *word = s ? config_setting_get_string(s) : NULL;
	const struct conf_item *key = item_find(item->items, "type");
	const struct conf_variant *v = word ? variant_find(item, word) : NULL;

	o->loose = !v || !v->built;
	if (v && v->built)
		return v;
	if (v && key && !(key->unbuilt >> word_find(key, word) & 1))
		fault_key(load, o, "type", -1, setting_line(s), "\"%s\" is not built in this version", word);
	return NULL;
}

static void check_required(struct conf_load *load, const struct origin *o, const struct conf_item *items)
{
	for (; items && items->type != CONF_TYPE_END; items++)
		if (items->required && !config_setting_get_member(o->setting, items->name))
			fault_key(load, o, items->name, -1, setting_line(o->setting), "required and missing");
}

static struct conf_head *fill_element(struct conf_load *load, struct origin *o, const struct conf_item *item,
				      const struct conf_list *list)
{
	struct conf_variant told = { .size = item->size };
	const struct conf_variant *v = item->variants ? choose(load, o, item) : NULL;
	const struct origin *kept;
	struct conf_head *head;

	if (item->more) {
		learn_more(load, o, item->more, &told);
		v = &told;
	}
	head = arena_alloc(&load->conf->arena, v ? v->size : largest(item));

	if (!head) {
		load->no_memory = true;
		return NULL;
	}
	head->at = (struct conf_where){ o->file->name, setting_line(o->setting) };
	o->elem = head;
	o->more = v ? v->items : NULL;
	if (item->more)
		((struct conf_more_head *)(void *)head)->more = told.items;
	kept = origin_add(load, o);
	if (!kept)
		return NULL;
	fill_defaults(load, o->items, head);
	fill_defaults(load, o->more, head);
	if (o->named)
		fill_name(load, kept, list, head);
	fill_members(load, kept, head);
	check_required(load, kept, o->items);
	check_required(load, kept, o->more);
	return head;
}

/* Room for n more pointers. Lists that several files may add to are moved as they grow, the others are made in one
 * piece. */
static bool reserve(struct conf_load *load, const struct origin *o, struct conf_list *list, size_t n)
{
	struct conf_grown *g = load->conf->grown;
	void **v;

	if (!o->shared) {
		list->v = arena_alloc(&load->conf->arena, n * sizeof *list->v);
		return list->v;
	}
	while (g && g->list != list)
		g = g->next;
	if (!g) {
		g = arena_alloc(&load->conf->arena, sizeof *g);
		if (!g)
			return false;
		*g = (struct conf_grown){ load->conf->grown, list, 0 };
		load->conf->grown = g;
	}
	if (list->n + n <= g->room)
		return true;
	g->room = list->n + n + (list->n ? list->n : 0);
	v = realloc(list->v, g->room * sizeof *v);
	if (v)
		list->v = v;
	return v;
}

static void fill_list(struct conf_load *load, const struct origin *parent, const struct conf_item *item,
		      config_setting_t *s, void *base)
{
	struct conf_list *list = (struct conf_list *)(void *)((char *)base + item->offset);
	const int n = config_setting_length(s);

	if (config_setting_type(s) != CONFIG_TYPE_LIST) {
		fault_key(load, parent, item->name, -1, setting_line(s),
			  "wrong type: a list ( .. ) is expected, not %s", setting_kind(s));
		return;
	}
	if ((n || !parent->shared) &&
	    !reserve(load, parent, list, n ? (size_t)n : 1)) { /* v tells an empty one from none */
		load->no_memory = true;
		return;
	}
	for (int i = 0; i < n && !load->no_memory; i++) {
		config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		struct origin o = { .parent = parent,
				    .key = item->name,
				    .index = i,
				    .file = parent->file,
				    .setting = e,
				    .items = item->items,
				    .named = !item->unnamed };
		void *elem;

		if (!config_setting_is_group(e)) {
			fault_key(load, parent, item->name, i, setting_line(e),
				  "wrong type: a group { .. } is expected, not %s", setting_kind(e));
			continue;
		}
		elem = fill_element(load, &o, item, list);
		if (elem)
			list->v[list->n++] = elem;
	}
}

/* ---- groups ---- */

static void fill_group(struct conf_load *load, const struct origin *parent, const struct conf_item *item,
		       config_setting_t *s, void *base)
{
	void *to = (char *)base + item->offset;
	const struct origin o = { .elem = to,
				  .parent = parent,
				  .key = item->name,
				  .index = -1,
				  .file = parent->file,
				  .setting = s,
				  .items = item->items,
				  .shared = parent->shared };
	const struct origin *kept;

	if (!config_setting_is_group(s)) {
		fault_key(load, parent, item->name, -1, setting_line(s),
			  "wrong type: a group { .. } is expected, not %s", setting_kind(s));
		return;
	}
	kept = origin_add(load, &o);
	if (!kept)
		return;
	fill_members(load, kept, to);
	if (!o.shared)
		check_required(load, kept, item->items);
}

/* A group that a struct has and the file does not give: a check may still find its defaults at fault. */
static void note_absent_groups(struct conf_load *load, const struct origin *o, const struct conf_item *items,
			       const void *base)
{
	for (; items && items->type != CONF_TYPE_END; items++) {
		const struct origin g = { .elem = (const char *)base + items->offset,
					  .parent = o,
					  .key = items->name,
					  .index = -1,
					  .file = o->file,
					  .items = items->items,
					  .shared = o->shared };
		const struct origin *kept;

		if (items->type != CONF_TYPE_GROUP ||
		    (o->setting && config_setting_get_member(o->setting, items->name)))
			continue;
		kept = origin_add(load, &g);
		if (kept)
			note_absent_groups(load, kept, items->items, g.elem);
	}
}

static void unknown_key(struct conf_load *load, const struct origin *o, const config_setting_t *s)
{
	const char *name = config_setting_name(s), *near = suggest(o, name);

	if (o->loose)
		return;
	if (near)
		fault_key(load, o, name, -1, setting_line(s), "unknown key; did you mean \"%s\"?", near);
	else
		fault_key(load, o, name, -1, setting_line(s), "unknown key");
}

static void fill_member(struct conf_load *load, const struct origin *o, config_setting_t *s, void *base)
{
	const char *name = config_setting_name(s);
	const struct conf_item *item = item_find(o->items, name);

	if (!item)
		item = item_find(o->more, name);
	if (item && item->absent)
		fault_key(load, o, name, -1, setting_line(s), "this key is not built in this version");
	else if (item && item->type == CONF_TYPE_GROUP)
		fill_group(load, o, item, s, base);
	else if (item && item->type == CONF_TYPE_LIST)
		fill_list(load, o, item, s, base);
	else if (item)
		fill_value(load, o, item, s, base);
	else if (!o->named || strcmp(name, "name") != 0)
		unknown_key(load, o, s);
}

static void fill_members(struct conf_load *load, const struct origin *o, void *base)
{
	const int n = config_setting_length(o->setting);

	for (int i = 0; i < n && !load->no_memory; i++)
		fill_member(load, o, config_setting_get_elem(o->setting, (unsigned)i), base);
	note_absent_groups(load, o, o->items, base);
	note_absent_groups(load, o, o->more, base);
}

/* ---- the root ---- */

/* The last file that gives the setting at a dotted path; NULL: none does. */
static config_setting_t *last_of(const struct conf_load *load, const char *path, const struct conf_file **file)
{
	config_setting_t *last = NULL;

	for (const struct conf_file *f = load->files; f; f = f->next) {
		config_setting_t *s = f->sound ? config_lookup(&f->tree, path) : NULL;

		if (s) {
			last = s;
			*file = f;
		}
	}
	return last;
}

/* Keys that have to be there in the root and in those of its groups that are there; prefix ends with a dot or is empty.
 */
static void check_shared(struct conf_load *load, const struct conf_item *items, const char *prefix,
			 const struct conf_file *at, unsigned line)
{
	for (; items && items->type != CONF_TYPE_END; items++) {
		const struct conf_file *file = at;
		char path[256];
		config_setting_t *s;

		if ((size_t)snprintf(path, sizeof path, "%s%s", prefix, items->name) >= sizeof path - 1)
			continue;
		s = last_of(load, path, &file);
		if (!s && items->required)
			fault_file(load, at, line, "%s: required and missing", path);
		if (!s || items->type != CONF_TYPE_GROUP || !config_setting_is_group(s))
			continue;
		strcat(path, ".");
		check_shared(load, items->items, path, file, setting_line(s));
	}
}

void fill(struct conf_load *load)
{
	const struct conf_item *items = load->schema->items;
	void *root = load->conf->root;

	fill_defaults(load, items, root);
	for (const struct conf_file *f = load->files; f; f = f->next) {
		const struct origin o = { .elem = root,
					  .index = -1,
					  .file = f,
					  .items = items,
					  .shared = true,
					  .setting = f->sound ? config_root_setting(&f->tree) : NULL };
		const struct origin *kept = origin_add(load, &o);

		if (kept && f->sound)
			fill_members(load, kept, root);
		else if (kept)
			note_absent_groups(load, kept, items, root);
	}
	if (load->files && load->files->sound)
		check_shared(load, items, "", load->files, 1);
}
