/* SPDX-License-Identifier: Apache-2.0 */
/* lwm2m_cbor.c - application/vnd.oma.lwm2m+cbor, and CBOR of one value
 *
 * Maps stand in maps; their keys, numbers or arrays of numbers, put one behind the other make the path, which begins
 * with the object whatever was asked for. A LwM2M gateway puts a word first. The same path twice is refused, and so is
 * the same map: what was met is remembered and looked through at the end.
 */
#include "lwm2m/formats.h"

#include <stdlib.h>
#include <string.h>

#include "lwm2m/item.h"
#include "lwm2m/typed.h"

#define MAPS_MOST 1024

struct nest {
	struct items s;
	struct lwm2m_text prefix;
	uint64_t (*seen)[2]; /* of the gathering: where maps stand; grows to MAPS_MOST */
	size_t n, room;
};

/* ---- paths that were met ---- */

/* A prefix is told by where it stands: what is below it was read under this very text. */
static void pack(uint64_t out[2], const struct lwm2m_path *p, const struct lwm2m_text *prefix)
{
	out[0] = (uint64_t)(uintptr_t)prefix->p << 3 ^ p->depth;
	out[1] = (uint64_t)p->id[0] << 48 | (uint64_t)p->id[1] << 32 | (uint64_t)p->id[2] << 16 | p->id[3];
}

static int by_path(const void *a, const void *b)
{
	return memcmp(a, b, 2 * sizeof(uint64_t)); /* any order does */
}

static bool note_map(struct nest *x, const struct lwm2m_path *p)
{
	const size_t room = x->room ? x->room * 4 : 16;
	uint64_t(*more)[2];

	if (x->n == MAPS_MOST)
		return gather_fault(x->s.g, FAULT_FORMAT);
	if (x->n == x->room) {
		more = gather_alloc(x->s.g, room * sizeof *more);
		if (!more)
			return false;
		if (x->n)
			memcpy(more, x->seen, x->n * sizeof *more);
		x->seen = more;
		x->room = room;
	}
	pack(x->seen[x->n++], p, &x->prefix);
	return true;
}

static bool no_path_twice(struct nest *x)
{
	struct gather *g = x->s.g;
	const size_t n = x->n + g->n;
	uint64_t(*all)[2] = gather_alloc(g, (n + 1) * sizeof *all);

	if (!all)
		return false;
	if (x->n)
		memcpy(all, x->seen, x->n * sizeof *all);
	for (size_t i = 0; i < g->n; i++)
		pack(all[x->n + i], &g->v[i].path, &g->v[i].prefix);
	qsort(all, n, sizeof *all, by_path);
	for (size_t i = 1; i < n; i++)
		if (!by_path(all[i - 1], all[i]))
			return gather_fault(g, FAULT_FORMAT);
	return true;
}

/* ---- keys ---- */

static bool append(struct nest *x, struct lwm2m_path *path, const struct item *it)
{
	if (it->kind == ITEM_TEXT && !path->depth && !x->prefix.p && x->s.g->in->prefixes) {
		x->prefix = it->text;
		return true;
	}
	if (it->kind != ITEM_UINT || it->n > UINT16_MAX || path->depth == 4)
		return gather_fault(x->s.g, FAULT_FORMAT);
	path->id[path->depth++] = (uint16_t)it->n;
	return true;
}

static bool read_key(struct nest *x, struct lwm2m_path *path)
{
	struct item_list list;
	struct item it;

	if (!item_next(&x->s, &it))
		return false;
	if (it.kind != ITEM_ARRAY)
		return append(x, path, &it);
	if (!item_begin(&x->s, &it, &list))
		return false;
	while (item_more(&x->s, &list))
		if (!item_next(&x->s, &it) || !append(x, path, &it))
			return false;
	item_leave(&x->s);
	return !x->s.g->err;
}

/* ---- maps ---- */

static bool read_map(struct nest *x, const struct item *first, const struct lwm2m_path *at);

static bool add_value(struct nest *x, const struct item *first, const struct lwm2m_path *path)
{
	struct gather *g = x->s.g;
	struct lwm2m_value v = { .path = *path, .prefix = x->prefix };

	if (!item_value_of(&x->s, first, &v))
		return false;
	if (v.kind == LWM2M_VALUE_NONE)
		return gather_fault(g, FAULT_TYPE);
	value_settle(&v, gather_type(g, path));
	return gather_add(g, &v);
}

static bool read_pair(struct nest *x, const struct lwm2m_path *at)
{
	const struct lwm2m_text outer = x->prefix;
	struct lwm2m_path path = *at;
	struct item it;
	bool taken;

	if (!read_key(x, &path) || !item_next(&x->s, &it))
		return false;
	if (it.kind == ITEM_MAP)
		taken = (!path.depth || note_map(x, &path)) && read_map(x, &it, &path);
	else
		taken = add_value(x, &it, &path);
	x->prefix = outer;
	return taken;
}

static bool read_map(struct nest *x, const struct item *first, const struct lwm2m_path *at)
{
	struct item_list list;

	if (!item_begin(&x->s, first, &list))
		return false;
	while (item_more(&x->s, &list))
		if (!read_pair(x, at))
			return false;
	item_leave(&x->s);
	return !x->s.g->err;
}

bool decode_lwm2m_cbor(struct gather *g)
{
	const struct lwm2m_path root = { .depth = 0 };
	struct nest x = { .s = items_of(g) };
	struct item it;

	if (!item_next(&x.s, &it))
		return false;
	if (it.kind != ITEM_MAP)
		return gather_fault(g, FAULT_FORMAT);
	return read_map(&x, &it, &root) && item_end(&x.s) && no_path_twice(&x);
}

bool decode_cbor(struct gather *g)
{
	struct items s = items_of(g);
	struct lwm2m_value v = { 0 };

	if (!g->in->path || g->in->path->depth < 3)
		return gather_fault(g, FAULT_FORMAT);
	v.path = *g->in->path;
	if (!item_value(&s, &v) || !item_end(&s))
		return false;
	if (v.kind == LWM2M_VALUE_NONE)
		return gather_fault(g, FAULT_TYPE);
	value_settle(&v, gather_type(g, &v.path));
	return gather_add(g, &v);
}
