/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - puts, from the call until they are durable
 *
 * Pending puts stand in a hash by table and key, so that a key which changes often is written once per tick. A tick, a
 * flush or an import seals them into a batch; until that is back its puts can still be read here, so store_each() shows
 * the last value of a key wherever it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/owner.h"

struct put_key {
	unsigned table;
	const void *key;
	size_t key_len;
};

static uint64_t put_hash(const struct put_key *k)
{
	return map_hash(k->key, k->key_len) + k->table;
}

static bool put_eq(const struct map_node *n, const void *what, size_t len)
{
	const struct put *p = (const struct put *)(const void *)n; /* node is the first member */
	const struct put_key *k = what;

	(void)len;
	return p->table == k->table && p->key_len == k->key_len && !memcmp(p->octets, k->key, k->key_len);
}

static struct put *put_find(const struct store *s, const struct put_key *k)
{
	return (struct put *)(void *)map_find(&s->pending.map, put_hash(k), put_eq, k, 0);
}

static size_t put_size(const struct put *p)
{
	return sizeof *p + p->key_len + p->len;
}

static void put_fill(struct put *p, enum store_table t, const struct store_record *r)
{
	p->table = (uint8_t)t;
	p->key_len = (uint32_t)r->key_len;
	p->len = (uint32_t)r->len;
	p->erase = !r->data;
	memcpy(p->octets, r->key, r->key_len);
	if (r->len)
		memcpy(p->octets + r->key_len, r->data, r->len);
}

static void puts_add(struct puts *l, struct put *p)
{
	p->next = NULL;
	p->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = p;
	l->last = p;
}

static void puts_remove(struct puts *l, struct put *p)
{
	*(p->prev ? &p->prev->next : &l->first) = p->next;
	*(p->next ? &p->next->prev : &l->last) = p->prev;
}

void sbatch_free(struct sbatch *b)
{
	struct put *p;

	if (!b)
		return;
	while (!b->together && (p = b->puts.first)) {
		b->puts.first = p->next;
		free(p);
	}
	free(b->arena);
	free(b);
}

/* ---- pending ---- */

static void bytes_change(struct store *s, size_t more, size_t less)
{
	s->pending.bytes += more - less;
	s->queued += more - less;
}

/* While someone walks over pending puts none of them is freed: it stays in the list, and the newer one behind it wins.
 */
static void supersede(struct store *s, struct put *p)
{
	map_remove(&s->pending.map, &p->node);
	if (s->walking)
		return;
	puts_remove(&s->pending.puts, p);
	bytes_change(s, 0, put_size(p));
	free(p);
}

static int pend(struct store *s, struct put *p)
{
	const struct put_key k = { p->table, p->octets, p->key_len };

	if (map_add(&s->pending.map, &p->node, put_hash(&k)))
		return -ENOMEM;
	puts_add(&s->pending.puts, p);
	bytes_change(s, put_size(p), 0);
	return 0;
}

static int put_new(struct store *s, enum store_table t, const struct store_record *r, struct put *old)
{
	struct put *p = malloc(sizeof *p + r->key_len + r->len);

	if (!p)
		return -ENOMEM;
	*p = (struct put){ .turn = ++s->turn };
	put_fill(p, t, r);
	if (old)
		supersede(s, old);
	if (!pend(s, p))
		return 0;
	free(p);
	return -ENOMEM;
}

static int check(const struct store_record *r)
{
	return !r->key_len || r->key_len > STORE_KEY_MOST || r->len > STORE_DATA_MOST ? -EMSGSIZE : 0;
}

static int put(struct store *s, enum store_table t, const struct store_record *r)
{
	const struct put_key k = { t, r->key, r->key_len };
	struct put *p;

	if (check(r))
		return -EMSGSIZE;
	p = put_find(s, &k);
	if (p && !s->walking && p->len == r->len) { /* the usual case: the same record again */
		p->turn = ++s->turn;
		put_fill(p, t, r);
		return 0;
	}
	if (s->queued > 4u * (size_t)STORE_QUEUE_MOST && !p)
		return -ENOBUFS;
	return put_new(s, t, r, p);
}

void store_state_put(struct store *s, enum store_table t, const struct store_record *r)
{
	const int err = put(s, t, r);

	if (err)
		store_refuse(s, NULL, err);
	else if (!timer_is_set(&s->tick))
		timer_set(loop_timers(s->loop), &s->tick, clock_now_ms() + STORE_TICK_MS, store_on_tick);
}

void store_put(struct store *s, enum store_table t, const void *key, size_t key_len, const void *data, size_t len)
{
	store_state_put(s, t, &(struct store_record){ key, len ? data : "", key_len, len });
}

void store_delete(struct store *s, enum store_table t, const void *key, size_t key_len)
{
	store_state_put(s, t, &(struct store_record){ key, NULL, key_len, 0 });
}

/* ---- batches ---- */

static void make_ready(struct store *s, struct sbatch *b)
{
	*(s->sready_last ? &s->sready_last->next_work : &s->sready) = b;
	s->sready_last = b;
	store_kick(s);
}

struct sbatch *store_seal(struct store *s)
{
	struct sbatch *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->puts = s->pending.puts;
	b->bytes = s->pending.bytes;
	map_fini(&s->pending.map);
	s->pending = (struct pending){ 0 };
	timer_cancel(loop_timers(s->loop), &s->tick);
	make_ready(s, b);
	return b;
}

void store_on_tick(struct timer *t, uint64_t now_ms)
{
	struct store *s = container_of(t, struct store, tick);

	/* After a failure the next try is that of the second; while the disk is slow, when the batch before is back. */
	if (!s->serr && !s->ssent.first && !store_seal(s))
		timer_set(loop_timers(s->loop), &s->tick, now_ms + STORE_TICK_MS, store_on_tick);
}

void store_put_back(struct store *s, struct sbatch *b)
{
	struct put *p;

	while ((p = b->puts.first)) {
		const struct put_key k = { p->table, p->octets, p->key_len };
		struct put *other = put_find(s, &k);

		puts_remove(&b->puts, p);
		if (other && other->turn < p->turn) {
			supersede(s, other);
			other = NULL;
		}
		if (other) {
			free(p);
		} else if (pend(s, p)) {
			free(p);
			store_refuse(s, NULL, -ENOMEM);
		}
	}
}

/* ---- imports ---- */

static size_t in_arena(const struct store_record *r)
{
	return (sizeof(struct put) + r->key_len + r->len + 7) & ~(size_t)7;
}

static int measure(const struct store_record *v, size_t n, size_t *size)
{
	*size = 0;
	for (size_t i = 0; i < n; i++) {
		if (check(&v[i]))
			return -EMSGSIZE;
		*size += in_arena(&v[i]);
	}
	return *size > STORE_IMPORT_MOST ? -ENOBUFS : 0;
}

static struct sbatch *import_new(struct store *s, enum store_table t, const struct store_record *v, size_t n,
				 size_t size)
{
	struct sbatch *b = calloc(1, sizeof *b);
	size_t at = 0;

	if (b)
		b->arena = malloc(size ? size : 1);
	if (!b || !b->arena) {
		sbatch_free(b);
		return NULL;
	}
	b->together = true;
	b->bytes = size;
	for (size_t i = 0; i < n; i++) {
		struct put *p = (struct put *)(void *)(b->arena + at);

		*p = (struct put){ .turn = ++s->turn };
		put_fill(p, t, &v[i]);
		puts_add(&b->puts, p);
		at += in_arena(&v[i]);
	}
	return b;
}

void store_put_all(struct store *s, enum store_table t, const struct store_record *v, size_t n, struct store_wait *w)
{
	struct sbatch *b;
	size_t size;
	int err = measure(v, n, &size);

	if (!err && s->importing + size > STORE_IMPORT_MOST)
		err = -ENOBUFS;
	if (!err && s->pending.puts.first && !store_seal(s)) /* what was put before is written before */
		err = -ENOMEM;
	b = err ? NULL : import_new(s, t, v, n, size);
	if (!b) {
		store_refuse(s, w, err ? err : -ENOMEM);
		return;
	}
	s->importing += size;
	if (w)
		waits_add(&b->waits, w, 0);
	make_ready(s, b);
}
