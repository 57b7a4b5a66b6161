/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - structs from the front of a chunk, texts from its back
 *
 * A configuration with 10 000 devices stays in memory as long as the daemon runs: texts carry no padding and nothing
 * has a header of its own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

enum { CHUNK = 32 << 10, LARGE = CHUNK / 4, ALIGN = 8 };

struct arena_chunk {
	struct arena_chunk *next;
	char *front, *back; /* free between them */
};

static struct arena_chunk *chunk_new(size_t room)
{
	struct arena_chunk *c = malloc(sizeof *c + room);

	if (!c)
		return NULL;
	c->front = (char *)(c + 1);
	c->back = c->front + room;
	return c;
}

/* A chunk with room for size; what is large gets one of its own, behind the current one. */
static struct arena_chunk *chunk_for(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks;

	if (c && (size_t)(c->back - c->front) >= size)
		return c;
	c = chunk_new(size > LARGE ? size : CHUNK);
	if (!c)
		return NULL;
	if (size > LARGE && a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c;
	char *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	c = chunk_for(a, size);
	if (!c)
		return NULL;
	p = c->front;
	c->front += size;
	return memset(p, 0, size);
}

const char *arena_text(struct arena *a, const char *text, size_t len)
{
	struct arena_chunk *c = chunk_for(a, len + 1);

	if (!c)
		return NULL;
	c->back -= len + 1;
	memcpy(c->back, text, len);
	c->back[len] = '\0';
	return c->back;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c;

	while ((c = a->chunks)) {
		a->chunks = c->next;
		free(c);
	}
}
