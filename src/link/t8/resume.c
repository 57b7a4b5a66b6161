/* SPDX-License-Identifier: Apache-2.0 */
/* resume.c - after a restart: what became of the deliveries that the peer kept
 *
 * A device with such deliveries is sent nothing before the peer's list of pending ones was read. What is listed goes on
 * as if nothing had happened; what is not has left in the time between, nobody knows with which result, and only a late
 * status can still tell. A request whose answer never came is found in the list by its octets. Few look-ups run at
 * once, those of devices with traffic first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define TRIES 5
#define LATE_MS 3600000u /* a status may come so long after its delivery has left the list */

static void enqueue(struct t8_busy *b, bool first)
{
	struct t8_link *l = t8_of(b->d);

	if (b->looks)
		TAILQ_REMOVE(&l->lookups, b, look);
	b->looks = true;
	if (first)
		TAILQ_INSERT_HEAD(&l->lookups, b, look);
	else
		TAILQ_INSERT_TAIL(&l->lookups, b, look);
}

void t8_resume_want(struct t8_dev *d)
{
	if (!d->busy)
		return;
	d->flags |= D_LOOKUP;
	enqueue(d->busy, false);
}

void t8_resume_soon(struct t8_dev *d)
{
	if (d->busy->looks)
		enqueue(d->busy, true);
}

void t8_resume_leave(struct t8_busy *b)
{
	struct t8_link *l = t8_of(b->d);

	if (!(b->d->flags & D_LOOKUP))
		return;
	if (b->looks)
		TAILQ_REMOVE(&l->lookups, b, look);
	b->looks = false;
	b->d->flags &= (uint16_t)~D_LOOKUP;
	if (!b->call) /* one of a unit cannot be under way: it waits for this */
		return;
	t8_call_drop(b->call);
	b->call = NULL;
	l->looking--;
}

struct t8_pending *t8_resume_twin(const struct t8_dev *d, const struct t8_item *it)
{
	struct t8_pending *p;
	uint64_t hash = 0;

	LIST_FOREACH(p, &d->busy->pending, mate)
	{
		if (!p->old || !p->listed || p->len != it->len || (p->key && it->key && p->key != it->key))
			continue;
		if (!hash)
			hash = t8_keep_hash((const struct t8_link *)d->base.link, it->data, it->len);
		if (p->hash == hash)
			return p;
	}
	return NULL;
}

/* ---- the peer's list against ours ---- */

struct fate { /* of one delivery, told when the list has been worked through */
	struct t8_name name;
	char status[T8_STATUS_MAX];
	uint64_t retry_at_ms;
};
struct match {
	struct t8_dev *d;
	struct fate fates[PENDING_MAX];
	unsigned n;
};

/* The delivery of ours that a listed one is: by its link, or by its octets where we were never told the link. */
static struct t8_pending *ours(struct t8_dev *d, const struct t8_pending_answer *a)
{
	struct t8_pending *p = t8_pending_by_tail(t8_of(d), a->tail), *placed;
	uint64_t hash;

	if (p || !*a->tail || !a->has_data)
		return p && p->d == d && p->old ? p : NULL;
	hash = t8_keep_hash(t8_of(d), a->data, a->len);
	LIST_FOREACH(p, &d->busy->pending, mate)
	if (p->old && !*p->tail && p->len == a->len && p->hash == hash)
		break;
	if (!p)
		return NULL;
	placed = t8_pending_restore(d, a->tail, p->key, p->hash, p->len, p->until_ms);
	if (placed)
		t8_pending_free(p);
	return placed;
}

static void on_listed(void *arg, const struct t8_pending_answer *a)
{
	struct match *m = arg;
	struct t8_pending *p = ours(m->d, a);
	struct t8_unmatched *early;
	struct fate *f;

	if (!p || p->listed || m->n == PENDING_MAX)
		return;
	p->listed = true;
	f = &m->fates[m->n++];
	f->name = (struct t8_name){ p->id, p->key };
	f->retry_at_ms = a->has_retry ? t8_hint_ms(a->retry_wall_ms, NULL) : 0;
	snprintf(f->status, sizeof f->status, "%s", *a->status ? a->status : "BUFFERING");
	early = t8_unmatched_take(t8_of(m->d), a->tail);
	if (early) {
		memcpy(f->status, early->status, sizeof f->status);
		f->retry_at_ms = early->has_retry ? t8_hint_ms(early->retry_wall_ms, NULL) : 0;
	}
	free(early);
	if (t8_status_class(f->status).state != LINK_DOWN_BUFFERED)
		t8_pending_free(p);
}

static void note_missing(struct match *m)
{
	uint64_t late_ms = clock_now_ms() + LATE_MS;
	struct t8_pending *p, *next;

	for (p = LIST_FIRST(&m->d->busy->pending); p; p = next) {
		next = LIST_NEXT(p, mate);
		if (!p->old || p->listed)
			continue;
		if (m->n < PENDING_MAX)
			m->fates[m->n++] = (struct fate){ .name = { p->id, p->key } };
		if (!*p->tail)
			t8_pending_free(p);
		else if (p->until_ms > late_ms)
			t8_pending_until(p, late_ms);
	}
}

static void tell(struct match *m)
{
	struct t8_dev *d = m->d;
	bool here = true;

	for (unsigned i = 0; i < m->n && here; i++) {
		const struct fate *f = &m->fates[i];

		here = *f->status ? t8_tell_status(d, f->name, f->status, f->retry_at_ms)
				  : t8_tell_down(d, f->name, LINK_DOWN_UNSURE, LINK_CAUSE_NONE, 0);
	}
	if (!here)
		return;
	t8_deliver_kick(d);
	t8_busy_put(d);
}

/* ---- looking up ---- */

static void over(struct t8_dev *d, struct match *m)
{
	struct t8_link *l = t8_of(d);

	note_missing(m);
	d->flags &= (uint16_t)~D_LOOKUP;
	t8_keep(d);
	log_ev(LOG_INFO, ROOM, "downlink.looked_up", LF_STR("link", t8_name(l)), LF_STR("dev", d->id + 1),
	       LF_UINT("kept", d->busy->pendings), LF_UINT("known", m->n));
	tell(m);
}

static bool may_come(int status)
{
	return status == 0 || status == 401 || status == 408 || status == 429 || (status >= 500 && status != 501);
}

static void on_looked_up(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_dev *d = c->d;
	struct t8_busy *b = d->busy;
	int status = r->http->outcome == HTTP_ANSWERED ? r->http->status : 0;
	struct match m = { .d = d };

	b->call = NULL;
	c->l->looking--;
	if (status == 404) {
		d->flags &= (uint16_t)~D_LOOKUP;
		t8_config_event(d, T8_EV_GONE, NULL);
		return;
	}
	if (may_come(status) && ++b->look_tries < TRIES) {
		b->look_at_ms = clock_now_ms() + t8_backoff_ms(b->look_tries);
		enqueue(b, false);
		return;
	}
	if (status == 200)
		t8_pendings_read(r->http->body, r->http->len, c->l->scs, on_listed, &m);
	over(d, &m);
}

void t8_resume_pump(struct t8_link *l)
{
	uint64_t now = clock_now_ms();
	struct t8_busy *b, *next;

	for (b = TAILQ_FIRST(&l->lookups); b && l->looking < LOOKUPS_MAX; b = next) {
		struct t8_dev *d = b->d;

		next = TAILQ_NEXT(b, look);
		if (now < b->look_at_ms || !t8_dev_usable(d))
			continue;
		if (t8_request(l, &b->call, T8_OP_LOOKUP, d, d->tail, T8_DELIVERIES, NULL, 0, NULL, on_looked_up))
			return;
		TAILQ_REMOVE(&l->lookups, b, look);
		b->looks = false;
		l->looking++;
	}
}
