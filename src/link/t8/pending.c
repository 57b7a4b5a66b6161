/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - deliveries that the peer keeps, and statuses that came before their delivery was known
 *
 * A status notification names its delivery by link. It may arrive before the 201 that tells the link, so one that
 * matches nothing is kept for a minute; a test notification may be as early, and waits in the same list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define DAY_MS (24u * 3600 * 1000)

static bool tail_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct t8_pending *p = container_of((struct map_node *)(uintptr_t)n, struct t8_pending, node);

	return strlen(p->tail) == len && !memcmp(p->tail, key, len);
}

struct t8_pending *t8_pending_by_tail(const struct t8_link *l, const char *tail)
{
	size_t len = strlen(tail);
	struct map_node *n = len ? map_find(&l->pending, map_hash(tail, len), tail_eq, tail, len) : NULL;

	return n ? container_of(n, struct t8_pending, node) : NULL;
}

void t8_pending_free(struct t8_pending *p)
{
	struct t8_link *l = t8_of(p->d);

	if (*p->tail)
		map_remove(&l->pending, &p->node);
	TAILQ_REMOVE(&l->pendings, p, age);
	LIST_REMOVE(p, mate);
	p->d->busy->pendings--;
	free(p);
}

static struct t8_pending *pending_new(struct t8_dev *d, const char *tail, uint64_t until_ms)
{
	struct t8_link *l = t8_of(d);
	struct t8_busy *b = t8_busy_get(d);
	size_t len = strlen(tail);
	struct t8_pending *p = t8_pending_by_tail(l, tail);

	if (p)
		t8_pending_free(p); /* the peer uses its links again */
	if (!b || b->pendings >= PENDING_MAX || l->pending.count >= PENDINGS_MAX)
		return NULL;
	p = calloc(1, sizeof *p + len + 1);
	if (!p)
		return NULL;
	memcpy(p->tail, tail, len + 1);
	if (len && map_add(&l->pending, &p->node, map_hash(tail, len))) {
		free(p);
		return NULL;
	}
	p->d = d;
	p->until_ms = until_ms;
	TAILQ_INSERT_TAIL(&l->pendings, p, age);
	LIST_INSERT_HEAD(&b->pending, p, mate);
	b->pendings++;
	return p;
}

bool t8_pending_add(struct t8_dev *d, const char *tail, const struct t8_item *it)
{
	uint64_t until_ms = clock_now_ms() + DAY_MS;
	struct t8_pending *p = *tail ? pending_new(d, tail, it->deadline_ms > until_ms ? it->deadline_ms : until_ms)
				     : NULL;

	if (!p)
		return false;
	p->id = it->id;
	p->key = it->key;
	p->hash = t8_keep_hash(t8_of(d), it->data, it->len);
	p->len = it->len;
	t8_keep(d);
	return true;
}

struct t8_pending *t8_pending_restore(struct t8_dev *d, const char *tail, uint64_t key, uint64_t hash, uint16_t len,
				      uint64_t until_ms)
{
	struct t8_pending *p = pending_new(d, tail, until_ms);

	if (!p) {
		t8_busy_put(d);
		return NULL;
	}
	p->key = key;
	p->hash = hash;
	p->len = len;
	p->old = true;
	return p;
}

void t8_pending_until(struct t8_pending *p, uint64_t until_ms)
{
	struct t8_link *l = t8_of(p->d);
	struct t8_pending *before;

	p->until_ms = until_ms;
	TAILQ_REMOVE(&l->pendings, p, age);
	before = TAILQ_FIRST(&l->pendings);
	while (before && before->until_ms <= until_ms)
		before = TAILQ_NEXT(before, age);
	if (before)
		TAILQ_INSERT_BEFORE(before, p, age);
	else
		TAILQ_INSERT_TAIL(&l->pendings, p, age);
}

bool t8_pending_fail_all(struct t8_dev *d, enum link_cause cause)
{
	struct t8_pending *p;

	while (d->busy && (p = LIST_FIRST(&d->busy->pending))) {
		struct t8_name name = { p->id, p->key };
		/* one of the life before may have reached the device in the time between */
		bool unsure = p->old && !p->listed && cause == LINK_CAUSE_TEMPORARY;

		t8_pending_free(p);
		if (!t8_tell_down(d, name, unsure ? LINK_DOWN_UNSURE : LINK_DOWN_FAILED,
				  unsure ? LINK_CAUSE_NONE : cause, 0))
			return false;
	}
	t8_busy_put(d);
	t8_keep(d);
	return true;
}

bool t8_tell_status(struct t8_dev *d, struct t8_name name, const char *status, uint64_t retry_at_ms)
{
	struct t8_link *l = t8_of(d);
	struct t8_status_class c = t8_status_class(status);
	bool asleep = c.cause == LINK_CAUSE_ASLEEP || !strcmp(status, "BUFFERING_TEMPORARILY_NOT_REACHABLE");
	uint64_t held;

	if (!c.known && log_limit(&l->note_limit, clock_now_ms(), 60000, &held))
		log_ev(LOG_NOTICE, ROOM, "status.unknown", LF_STR("link", t8_name(l)), LF_STR("status", status),
		       LF_UINT("held", held));
	if (c.state != LINK_DOWN_FAILED)
		d->refusals = 0;
	if (c.cause == LINK_CAUSE_TEMPORARY && !retry_at_ms) {
		retry_at_ms = clock_now_ms() + t8_backoff_ms(d->refusals);
		d->refusals = (uint8_t)(d->refusals + (d->refusals < 16));
	}
	if (asleep && !t8_tell_asleep(d, retry_at_ms))
		return false;
	return t8_tell_down(d, name, c.state, c.cause, retry_at_ms);
}

static void drop_unmatched(struct t8_link *l, struct t8_unmatched *u)
{
	TAILQ_REMOVE(&l->unmatched, u, age);
	l->unmatched_n--;
}

struct t8_unmatched *t8_unmatched_take(struct t8_link *l, const char *tail)
{
	struct t8_unmatched *u;

	TAILQ_FOREACH(u, &l->unmatched, age)
	if (!strcmp(u->tail, tail)) {
		drop_unmatched(l, u);
		return u;
	}
	return NULL;
}

void t8_unmatched_keep(struct t8_link *l, const struct t8_note *n)
{
	size_t len = strlen(n->tail);
	struct t8_unmatched *u;

	if (!len)
		return;
	free(t8_unmatched_take(l, n->tail)); /* the newer one counts */
	if (l->unmatched_n >= UNMATCHED_MAX) {
		u = TAILQ_FIRST(&l->unmatched);
		drop_unmatched(l, u);
		free(u);
	}
	u = calloc(1, sizeof *u + len + 1);
	if (!u)
		return;
	memcpy(u->tail, n->tail, len + 1);
	if (n->kind == T8_NOTE_DELIVERY)
		memcpy(u->status, n->status, sizeof u->status);
	u->has_retry = n->has_retry;
	u->retry_wall_ms = n->retry_wall_ms;
	u->until_ms = clock_now_ms() + UNMATCHED_MS;
	TAILQ_INSERT_TAIL(&l->unmatched, u, age);
	l->unmatched_n++;
}

void t8_pending_status(struct t8_link *l, const struct t8_note *n)
{
	struct t8_pending *p = t8_pending_by_tail(l, n->tail);
	uint64_t retry_at_ms = n->has_retry ? t8_hint_ms(n->retry_wall_ms, NULL) : 0;
	struct t8_dev *d;
	struct t8_name name;

	if (!p) {
		t8_unmatched_keep(l, n);
		return;
	}
	d = p->d;
	name = (struct t8_name){ p->id, p->key };
	if (t8_status_class(n->status).state != LINK_DOWN_BUFFERED) {
		t8_pending_free(p);
		t8_keep(d);
	}
	if (t8_tell_status(d, name, n->status, retry_at_ms))
		t8_busy_put(d);
}

void t8_pending_expire(struct t8_link *l)
{
	uint64_t now = clock_now_ms();
	struct t8_unmatched *u;
	struct t8_pending *p;

	while ((u = TAILQ_FIRST(&l->unmatched)) && u->until_ms <= now) {
		drop_unmatched(l, u);
		free(u);
	}
	while ((p = TAILQ_FIRST(&l->pendings)) && p->until_ms <= now) {
		struct t8_dev *d = p->d;

		t8_pending_free(p);
		t8_busy_put(d);
		t8_keep(d);
	}
}
