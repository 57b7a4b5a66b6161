/* SPDX-License-Identifier: Apache-2.0 */
/* command_memory.c - what is remembered of commands: answers, for those that come twice; how often each device was
 * asked */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/command_inside.h"

enum {
	CACHE_MS = 600000,
	CACHE_BYTES_MOST = 4 << 20,
	CACHE_MOST = 1024,
	BURST = 10,     /* commands that a device may be asked at once .. */
	STEP_MS = 2000, /* .. and one in this time */
	BUCKETS_MOST = 4096,
};

/* ---- answers ---- */

struct cached {
	struct map_node node;
	struct cached *older, *newer;
	uint64_t at_ms;
	size_t key_len, size;
	char *text; /* owned */
	char key[]; /* instance, device, command, id, each with its NUL */
};

static size_t put_key(char *key, size_t at, const char *part)
{
	size_t len = part ? strlen(part) + 1 : 1;

	if (key)
		memcpy(key + at, part ? part : "", len);
	return at + len;
}

/* The length; key NULL: only that. */
static size_t key_of(const struct command_job *j, char *key)
{
	size_t at = put_key(key, 0, j->instance);

	at = put_key(key, at, j->device);
	at = put_key(key, at, j->name);
	return put_key(key, at, j->id);
}

static bool has_key(const struct map_node *n, const void *key, size_t len)
{
	const struct cached *k = container_of(n, const struct cached, node);

	return k->key_len == len && !memcmp(k->key, key, len);
}

static void drop(struct commands *cs, struct cached *k)
{
	*(k->older ? &k->older->newer : &cs->oldest) = k->newer;
	*(k->newer ? &k->newer->older : &cs->newest) = k->older;
	map_remove(&cs->cache, &k->node);
	cs->cache_bytes -= k->size;
	free(k->text);
	free(k);
}

static void drop_old(struct commands *cs)
{
	uint64_t now = clock_now_ms();

	while (cs->oldest && now - cs->oldest->at_ms > CACHE_MS)
		drop(cs, cs->oldest);
}

static void make_room(struct commands *cs, size_t size)
{
	while (cs->oldest && (cs->cache_bytes + size > CACHE_BYTES_MOST || cs->cache.count >= CACHE_MOST))
		drop(cs, cs->oldest);
}

const char *cache_find(struct commands *cs, const struct command_job *j)
{
	char key[4 * 1024];
	struct map_node *n;
	size_t len;

	drop_old(cs);
	if (!j->id || key_of(j, NULL) > sizeof key)
		return NULL;
	len = key_of(j, key);
	n = map_find(&cs->cache, map_hash(key, len), has_key, key, len);
	return n ? container_of(n, struct cached, node)->text : NULL;
}

void cache_keep(struct commands *cs, const struct command_job *j, const char *text)
{
	size_t len = key_of(j, NULL), size = len + strlen(text) + sizeof(struct cached);
	struct cached *k;

	if (!j->id || size > CACHE_BYTES_MOST / 16 || cache_find(cs, j))
		return;
	make_room(cs, size);
	k = calloc(1, sizeof *k + len);
	if (!k)
		return;
	k->key_len = key_of(j, k->key);
	k->size = size;
	k->at_ms = clock_now_ms();
	k->text = strdup(text);
	if (!k->text || map_add(&cs->cache, &k->node, map_hash(k->key, k->key_len))) {
		free(k->text);
		free(k);
		return;
	}
	k->older = cs->newest;
	*(k->older ? &k->older->newer : &cs->oldest) = k;
	cs->newest = k;
	cs->cache_bytes += size;
}

/* ---- how often ---- */

struct bucket {
	struct map_node node;
	uint64_t full_ms; /* when it may be asked BURST times again */
	char name[];
};

static bool has_name(const struct map_node *n, const void *name, size_t len)
{
	(void)len;
	return !strcmp(container_of(n, const struct bucket, node)->name, name);
}

static void sweep(struct commands *cs, bool all)
{
	uint64_t now = clock_now_ms();
	struct map_node *n;
	size_t i = 0;

	for (n = map_next(&cs->buckets, &i, NULL); n;) {
		struct map_node *next = map_next(&cs->buckets, &i, n);
		struct bucket *b = container_of(n, struct bucket, node);

		if (all || b->full_ms <= now) {
			map_remove(&cs->buckets, n);
			free(b);
		}
		n = next;
	}
}

static struct bucket *bucket_of(struct commands *cs, const char *name)
{
	uint64_t hash = map_hash(name, strlen(name));
	struct map_node *n = map_find(&cs->buckets, hash, has_name, name, 0);
	struct bucket *b;

	if (n)
		return container_of(n, struct bucket, node);
	if (cs->buckets.count >= BUCKETS_MOST)
		sweep(cs, false);
	b = cs->buckets.count < BUCKETS_MOST ? calloc(1, sizeof *b + strlen(name) + 1) : NULL;
	if (!b || map_add(&cs->buckets, &b->node, hash)) {
		free(b);
		return NULL;
	}
	strcpy(b->name, name);
	return b;
}

bool bucket_take(struct commands *cs, const char *device)
{
	struct bucket *b = bucket_of(cs, device);
	uint64_t now = clock_now_ms();

	if (!b)
		return false;
	if (b->full_ms < now)
		b->full_ms = now;
	if (b->full_ms + STEP_MS > now + BURST * STEP_MS)
		return false;
	b->full_ms += STEP_MS;
	return true;
}

void memory_free(struct commands *cs)
{
	while (cs->oldest)
		drop(cs, cs->oldest);
	sweep(cs, true);
	map_fini(&cs->cache);
	map_fini(&cs->buckets);
}
