/* SPDX-License-Identifier: Apache-2.0 */
/* gather.c - the values of one report while they are read
 *
 * The usual report has some ten values: they stand in the struct itself, on the caller's stack. The registry is asked
 * for one object after the other, so the last answer is kept.
 */
#include "lwm2m/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lwm2m/objects.h"
#include "lwm2m/registry_inside.h"

struct gather_block {
	struct gather_block *next;
	size_t used, size;
	char data[];
};

#define BLOCK_LEAST 2048

void gather_init(struct gather *g, const struct lwm2m_decode_in *in)
{
	/* not all of it: the values are written before they are read */
	g->in = in;
	g->v = g->first;
	g->n = 0;
	g->room = GATHER_FIRST;
	g->blocks = NULL;
	g->reason = NULL;
	g->err = 0;
	g->def = NULL;
	g->def_id = UINT32_MAX;
}

void gather_fini(struct gather *g)
{
	struct gather_block *b = g->blocks;

	while (b) {
		struct gather_block *next = b->next;

		free(b);
		b = next;
	}
	if (g->v != g->first)
		free(g->v);
}

static bool fail(struct gather *g, int err, const char *word)
{
	if (!g->err) {
		g->err = err;
		g->reason = word;
	}
	return false;
}

bool gather_fault(struct gather *g, const char *word)
{
	return fail(g, -EBADMSG, word);
}

void *gather_alloc(struct gather *g, size_t size)
{
	struct gather_block *b = g->blocks;
	size_t room;

	size = (size + 7) & ~(size_t)7;
	if (!b || b->size - b->used < size) {
		room = size > BLOCK_LEAST ? size : BLOCK_LEAST;
		b = malloc(sizeof *b + room);
		if (!b) {
			fail(g, -ENOMEM, FAULT_FORMAT);
			return NULL;
		}
		*b = (struct gather_block){ .next = g->blocks, .size = room };
		g->blocks = b;
	}
	b->used += size;
	return b->data + b->used - size;
}

enum lwm2m_kind gather_type(struct gather *g, const struct lwm2m_path *path)
{
	if (path->depth < 3 || !g->in->registry)
		return LWM2M_VALUE_NONE;
	if (g->def_id != path->id[0]) {
		g->def_id = path->id[0];
		g->def = registry_find(g->in->registry, path->id[0],
				       lwm2m_objects_version(g->in->objects, path->id[0]));
	}
	return registry_type(g->def, path->id[2]);
}

static bool grow(struct gather *g)
{
	const size_t room = g->room * 4 < LWM2M_DECODE_VALUES_MAX ? g->room * 4 : LWM2M_DECODE_VALUES_MAX;
	struct lwm2m_value *v;

	if (g->n == LWM2M_DECODE_VALUES_MAX)
		return gather_fault(g, FAULT_FORMAT);
	v = realloc(g->v == g->first ? NULL : g->v, room * sizeof *v);
	if (!v)
		return fail(g, -ENOMEM, FAULT_FORMAT);
	if (g->v == g->first)
		memcpy(v, g->first, g->n * sizeof *v);
	g->v = v;
	g->room = room;
	return true;
}

bool gather_add(struct gather *g, const struct lwm2m_value *v)
{
	if (g->err)
		return false;
	if (v->path.depth < 3 && !g->in->fetch)
		return gather_fault(g, FAULT_FORMAT); /* a value has a place of its own */
	if (g->n == g->room && !grow(g))
		return false;
	g->v[g->n++] = *v;
	return true;
}

bool gather_utf8(struct gather *g, const void *text, size_t len)
{
	const uint8_t *p = text;

	while (len) {
		size_t n = *p < 0x80 ? 1 : text_utf8(p, len);

		if (!n)
			return gather_fault(g, FAULT_UTF8);
		p += n;
		len -= n;
	}
	return true;
}
