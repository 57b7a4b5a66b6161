/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - bodies that pass in blocks, put together beside the way
 *
 * The blocks themselves pass on without waiting. What is kept of them is bounded in each body, in all and in time;
 * where that is not enough, or a block was not seen, the body is lost, which its last block tells.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "coap/block.h"
#include "mirror/inside.h"

static uint64_t hash_of(const struct body_key *k)
{
	return map_hash(k, sizeof *k);
}

static bool has_key(const struct map_node *n, const void *key, size_t len)
{
	return !memcmp(&container_of(n, const struct body, node)->key, key, len);
}

static struct body *find(const struct bodies *b, const struct body_key *k)
{
	struct map_node *n = map_find(&b->map, hash_of(k), has_key, k, sizeof *k);

	return n ? container_of(n, struct body, node) : NULL;
}

static void unlink_body(struct bodies *b, struct body *y)
{
	*(y->older ? &y->older->newer : &b->oldest) = y->newer;
	*(y->newer ? &y->newer->older : &b->newest) = y->older;
}

static void link_body(struct bodies *b, struct body *y)
{
	y->at_ms = clock_now_ms();
	y->newer = NULL;
	y->older = b->newest;
	*(y->older ? &y->older->newer : &b->oldest) = y;
	b->newest = y;
}

static void body_free(struct bodies *b, struct body *y)
{
	if (!y)
		return;
	unlink_body(b, y);
	map_remove(&b->map, &y->node);
	b->bytes -= y->size;
	free(y->data);
	free(y);
}

/* The oldest goes when its time is over, or its room is needed. */
static void make_room(struct bodies *b, size_t more, const struct body *but)
{
	uint64_t now = clock_now_ms();

	while (b->oldest && b->oldest != but &&
	       (b->bytes + more > BODIES_MOST || b->map.count >= BODIES_N_MOST ||
		now - b->oldest->at_ms > BODY_IDLE_MS))
		body_free(b, b->oldest);
}

static struct body *begin(struct bodies *b, const struct body_key *k, const struct body_block *p)
{
	struct body *y = calloc(1, sizeof *y);

	make_room(b, 0, NULL);
	if (!y)
		return NULL;
	if (map_add(&b->map, &y->node, hash_of(k))) {
		free(y);
		return NULL;
	}
	y->key = *k;
	y->format = p->format;
	y->op = p->op;
	y->etag_len = p->etag_len <= sizeof y->etag ? (uint8_t)p->etag_len : 0;
	if (y->etag_len)
		memcpy(y->etag, p->etag, y->etag_len);
	link_body(b, y);
	return y;
}

static bool grow(struct bodies *b, struct body *y, size_t len)
{
	size_t size = y->size ? y->size : 1024;
	uint8_t *data;

	while (size < len)
		size *= 2;
	if (size == y->size)
		return true;
	make_room(b, size - y->size, y);
	data = b->bytes + size - y->size <= BODIES_MOST ? realloc(y->data, size) : NULL;
	if (!data)
		return false;
	b->bytes += size - y->size;
	y->data = data;
	y->size = size;
	return true;
}

static bool same_tag(const struct body *y, const struct body_block *p)
{
	return y->etag_len == p->etag_len && (!y->etag_len || !memcmp(y->etag, p->etag, y->etag_len));
}

/* Does the block go on where the body ends? */
static bool fits(const struct body *y, const struct body_block *p)
{
	return y && !y->done && coap_block_offset(p->block) == y->len && y->len + p->len <= BODY_MOST && same_tag(y, p);
}

static bool is_repetition(const struct body *y, const struct body_block *p)
{
	return y && coap_block_offset(p->block) + p->len <= y->len && same_tag(y, p) && coap_block_num(p->block);
}

static bool append(struct bodies *b, struct body *y, const struct body_block *p)
{
	if (!grow(b, y, y->len + p->len))
		return false;
	if (p->len)
		memcpy(y->data + y->len, p->data, p->len);
	y->len += p->len;
	y->unit_len += p->unit_len;
	unlink_body(b, y);
	link_body(b, y);
	return true;
}

enum body_step bodies_take(struct bodies *b, const struct body_key *k, const struct body_block *p,
			   const struct body **out)
{
	bool more = p->has && coap_block_more(p->block), first = !p->has || !coap_block_num(p->block);
	struct body *y;

	if (first && !more)
		return BODY_WHOLE;
	y = find(b, k);
	if (first) {
		body_free(b, y);
		y = begin(b, k, p);
	} else if (is_repetition(y, p)) {
		return BODY_MORE;
	}
	if (!fits(y, p) || !append(b, y, p)) {
		body_free(b, y);
		return more ? BODY_MORE : BODY_LOST;
	}
	if (more)
		return BODY_MORE;
	y->done = true;
	*out = y;
	return BODY_LAST;
}

const struct body *bodies_find(const struct bodies *b, const struct body_key *k)
{
	struct body *y = find(b, k);

	return y && y->done ? y : NULL;
}

void bodies_drop(struct bodies *b, const struct body_key *k)
{
	body_free(b, find(b, k));
}

void bodies_forget(struct bodies *b, const void *leg)
{
	struct body *next;

	for (struct body *y = b->oldest; y; y = next) {
		next = y->newer;
		if (y->key.leg == leg)
			body_free(b, y);
	}
}

void bodies_fini(struct bodies *b)
{
	while (b->oldest)
		body_free(b, b->oldest);
	map_fini(&b->map);
}
