/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - chained hash map, SipHash-1-3 (Aumasson and Bernstein 2012, with one and three rounds)
 *
 * Slots double when there are as many nodes as slots; each node keeps its hash, so growing reads no key. Most look-ups
 * of what is not there end at the mark of the slot: a million marks stay in the cache, where nodes do not.
 */
#include "base/map.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { SLOTS_LEAST = 8 };

/* Drawn at the first hash and never changed: maps keep hashes. */
static struct {
	bool drawn;
	uint64_t k[2];
} key;

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void round_of(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	round_of(v);
	v[0] ^= word;
}

uint64_t map_hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t v[4], word, last = (uint64_t)len << 56;

	if (!key.drawn) {
		random_bytes(key.k, sizeof key.k);
		key.drawn = true;
	}
	v[0] = key.k[0] ^ 0x736f6d6570736575;
	v[1] = key.k[1] ^ 0x646f72616e646f6d;
	v[2] = key.k[0] ^ 0x6c7967656e657261;
	v[3] = key.k[1] ^ 0x7465646279746573;
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		absorb(v, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	absorb(v, last);
	v[2] ^= 0xff;
	round_of(v);
	round_of(v);
	round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The low bits choose the slot, the high ones the mark. */
static uint8_t mark_of(uint64_t hash)
{
	return (uint8_t)(1u << (hash >> 61));
}

struct map_node *map_find(const struct map *m, uint64_t hash, map_eq_fn *eq, const void *what, size_t len)
{
	struct map_node *n;

	if (!m->slots || !(m->marks[hash & m->mask] & mark_of(hash)))
		return NULL;
	n = m->slots[hash & m->mask];
	while (n && !(n->hash == hash && eq(n, what, len)))
		n = n->next;
	return n;
}

void map_expect(const struct map *m, uint64_t hash)
{
	if (!m->slots)
		return;
	__builtin_prefetch(&m->marks[hash & m->mask]);
	__builtin_prefetch(&m->slots[hash & m->mask]);
}

/* Twice the slots, or the first ones. Without memory everything stays as it is. */
static void grow(struct map *m)
{
	const size_t n = m->slots ? (m->mask + 1) * 2 : SLOTS_LEAST;
	struct map_node **slots = calloc(n, sizeof *slots + 1);
	uint8_t *marks;

	if (!slots)
		return;
	marks = (uint8_t *)(slots + n);
	for (size_t i = 0; m->slots && i <= m->mask; i++) {
		struct map_node *at = m->slots[i], *next;

		for (; at; at = next) {
			const size_t to = at->hash & (n - 1);

			next = at->next;
			at->next = slots[to];
			slots[to] = at;
			marks[to] |= mark_of(at->hash);
		}
	}
	free(m->slots);
	m->slots = slots;
	m->marks = marks;
	m->mask = n - 1;
}

int map_add(struct map *m, struct map_node *n, uint64_t hash)
{
	struct map_node **slot;

	if (!m->slots || m->count > m->mask)
		grow(m);
	if (!m->slots)
		return -ENOMEM;
	slot = &m->slots[hash & m->mask];
	n->hash = hash;
	n->next = *slot;
	*slot = n;
	m->marks[hash & m->mask] |= mark_of(hash);
	m->count++;
	return 0;
}

void map_remove(struct map *m, struct map_node *n)
{
	const size_t slot = n->hash & m->mask;
	struct map_node **at = &m->slots[slot];
	uint8_t marks = 0;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->next = NULL;
	m->count--;
	for (const struct map_node *left = m->slots[slot]; left; left = left->next)
		marks |= mark_of(left->hash);
	m->marks[slot] = marks;
}

struct map_node *map_next(const struct map *m, size_t *i, const struct map_node *n)
{
	if (n && n->next)
		return n->next;
	while (m->slots && *i <= m->mask) {
		struct map_node *first = m->slots[(*i)++];

		if (first)
			return first;
	}
	return NULL;
}

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}
