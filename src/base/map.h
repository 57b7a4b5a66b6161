/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - hash map with intrusive nodes
 *
 * The node sits in the caller's struct; the map allocates only its slot array and keeps working with longer chains when
 * that cannot grow. The hash is SipHash-1-3 under a random key per process, so a peer that chooses keys cannot build chains.
 */
#ifndef NIDDGW_BASE_MAP_H
#define NIDDGW_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

struct map {
	struct map_node **slots; /* owned; NULL while empty */
	uint8_t *marks;          /* of each slot, behind them: what its chain may hold, a bit for one of eight kinds of hashes */
	size_t mask;
	size_t count;
};

typedef bool map_eq_fn(const struct map_node *n, const void *key, size_t len);

uint64_t map_hash(const void *key, size_t len);
struct map_node *map_find(const struct map *m, uint64_t hash, map_eq_fn *eq, const void *key, size_t len);
/* A look-up or an addition of that hash is near: its memory is fetched meanwhile. */
void map_expect(const struct map *m, uint64_t hash);
/* Adds without looking for an equal key: the caller has looked. 0, or -ENOMEM while the map has no slots at all. */
int map_add(struct map *m, struct map_node *n, uint64_t hash);
void map_remove(struct map *m, struct map_node *n); /* n must be in m */
/* Walk: start with *i = 0 and n = NULL; NULL at the end. The node returned may be removed before the next step if the
 * caller fetches the next one first. */
struct map_node *map_next(const struct map *m, size_t *i, const struct map_node *n);
void map_fini(struct map *m); /* frees the slots, not the nodes */

#endif
