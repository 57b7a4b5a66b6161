/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - the downlink queue of a device (TS 29.122 4.4.5.3)
 *
 * One request of a device is under way at a time, which keeps its order. A unit stays here as long as only the peer
 * stands in its way (no configuration yet, pause, open circuit, no connection), until its deadline; what concerns the
 * device (asleep, refused, too large) goes back to the session at once, which knows what the unit is. There is no
 * idempotency key: when the outcome of a request is unknown, the peer's list of pending deliveries is read before
 * anything is sent again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

/* ---- queue ---- */
static void on_busy_timer(struct timer *t, uint64_t now_ms);

struct t8_busy *t8_busy_get(struct t8_dev *d)
{
	struct t8_busy *b = d->busy;

	if (b)
		return b;
	b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	b->d = d;
	TAILQ_INIT(&b->queue);
	LIST_INIT(&b->pending);
	d->busy = b;
	return b;
}

static void leave_ready(struct t8_busy *b)
{
	if (b->is_ready)
		TAILQ_REMOVE(&t8_of(b->d)->ready, b, ready);
	b->is_ready = false;
}

void t8_busy_put(struct t8_dev *d)
{
	struct t8_busy *b = d->busy;

	if (!b || b->queued || b->flying || b->call || b->pendings)
		return;
	leave_ready(b);
	t8_resume_leave(b);
	timer_cancel(t8_of(d)->timers, &b->timer);
	free(b);
	d->busy = NULL;
}

static void set_timer(struct t8_busy *b)
{
	struct t8_link *l = t8_of(b->d);
	uint64_t now = clock_now_ms(), at = UINT64_MAX;
	struct t8_item *it;

	TAILQ_FOREACH(it, &b->queue, next)
	if (it->deadline_ms < at)
		at = it->deadline_ms;
	if (b->queued && !b->flying && b->wait_until_ms > now && b->wait_until_ms < at)
		at = b->wait_until_ms;
	if (at == UINT64_MAX)
		timer_cancel(l->timers, &b->timer);
	else if (b->timer.at_ms != at)
		timer_set(l->timers, &b->timer, at, on_busy_timer);
}

static void unqueue(struct t8_busy *b, struct t8_item *it)
{
	TAILQ_REMOVE(&b->queue, it, next);
	b->queued--;
	t8_of(b->d)->queued--;
}

static void queue_in_order(struct t8_busy *b, struct t8_item *it)
{
	struct t8_item *before = TAILQ_LAST(&b->queue, t8_items);

	while (before && before->klass > it->klass)
		before = TAILQ_PREV(before, t8_items, next);
	if (before)
		TAILQ_INSERT_AFTER(&b->queue, before, it, next);
	else
		TAILQ_INSERT_HEAD(&b->queue, it, next);
	b->queued++;
	t8_of(b->d)->queued++;
}

/* Back to where it was: it has been first already. */
void t8_queue_again(struct t8_busy *b, struct t8_item *it)
{
	TAILQ_INSERT_HEAD(&b->queue, it, next);
	b->queued++;
	t8_of(b->d)->queued++;
}

static bool is_same(const struct t8_item *it, const struct link_down *how, const uint8_t *data, size_t len)
{
	return (!how->id || it->id == how->id) && it->len == len && !memcmp(it->data, data, len);
}

/* A retransmission of what has not even left, or is on its way just now, adds nothing; nor does the same answer once
 * more to a device that asks again. */
static bool is_under_way(struct t8_busy *b, const struct link_down *how, const uint8_t *data, size_t len)
{
	struct t8_item *it = b->flying;

	if (it && !it->cancelled && is_same(it, how, data, len))
		return true;
	TAILQ_FOREACH(it, &b->queue, next)
	if (is_same(it, how, data, len)) {
		if (how->deadline_ms)
			it->deadline_ms = how->deadline_ms;
		return true;
	}
	return false;
}

static struct t8_item *item_new(const struct link_down *how, const uint8_t *data, size_t len)
{
	struct t8_item *it = calloc(1, sizeof *it + len);

	if (!it)
		return NULL;
	it->id = how->id;
	it->key = how->key;
	it->klass = (uint8_t)how->klass;
	it->once = how->once;
	it->deadline_ms = how->deadline_ms ? how->deadline_ms : clock_now_ms() + NO_DEADLINE_MS;
	it->port_ue = how->port_ue;
	it->port_scef = how->port_scef;
	it->latency_s = how->maximum_latency_s;
	it->len = (uint16_t)len;
	memcpy(it->data, data, len);
	return it;
}

static int enqueue(struct t8_busy *b, const struct link_down *how, const uint8_t *data, size_t len)
{
	struct t8_item *it;

	if ((how->again || !how->id) && is_under_way(b, how, data, len))
		return 0;
	if (b->queued >= QUEUE_MAX || t8_of(b->d)->queued >= QUEUED_MAX)
		return -EAGAIN;
	it = item_new(how, data, len);
	if (!it)
		return -ENOMEM;
	queue_in_order(b, it);
	return 0;
}

int t8_send(struct link_dev *dev, const struct link_down *how, const uint8_t *data, size_t len)
{
	struct t8_dev *d = (struct t8_dev *)dev;
	struct t8_busy *b;
	int err;

	if ((d->flags & D_BARRED) || d->state == T8_CFG_REJECTED)
		return -ENOTCONN;
	if (!len || len > t8_dev_mtu(d))
		return -EMSGSIZE;
	b = t8_busy_get(d);
	if (!b)
		return -ENOMEM;
	err = enqueue(b, how, data, len);
	if (!err && !t8_dev_usable(d))
		t8_config_queue(d, true);
	if (!err)
		t8_deliver_kick(d);
	t8_busy_put(d);
	return err;
}

void t8_cancel(struct link_dev *dev, uint32_t id)
{
	struct t8_dev *d = (struct t8_dev *)dev;
	struct t8_busy *b = d->busy;
	struct t8_item *it, *next;

	if (!b || !id)
		return;
	for (it = TAILQ_FIRST(&b->queue); it; it = next) {
		next = TAILQ_NEXT(it, next);
		if (it->id != id)
			continue;
		unqueue(b, it);
		free(it);
	}
	if (b->flying && b->flying->id == id) {
		b->flying->id = 0;
		b->flying->key = 0;
		b->flying->cancelled = true; /* taken back when its place at the peer is known */
	}
	t8_pending_cancel(d, id, 0);
	set_timer(b);
	t8_busy_put(d);
}

void t8_cancel_key(struct link_dev *dev, uint64_t key)
{
	struct t8_dev *d = (struct t8_dev *)dev;

	if (!d->busy || !key)
		return;
	t8_pending_cancel(d, 0, key);
	t8_busy_put(d);
}

bool t8_deliver_fail_all(struct t8_dev *d, enum link_cause cause, uint64_t retry_at_ms)
{
	struct t8_items mine = TAILQ_HEAD_INITIALIZER(mine);
	struct t8_busy *b = d->busy;
	struct t8_item *it;
	bool here = true;

	if (!b)
		return true;
	while ((it = TAILQ_FIRST(&b->queue))) {
		unqueue(b, it);
		TAILQ_INSERT_TAIL(&mine, it, next);
	}
	set_timer(b);
	if (b->flying) {
		struct t8_name name = t8_name_of(b->flying);

		b->flying->id = 0;
		b->flying->key = 0;
		b->flying->cancelled = true;
		here = t8_tell_down(d, name, LINK_DOWN_FAILED, cause, retry_at_ms);
	}
	while ((it = TAILQ_FIRST(&mine))) {
		TAILQ_REMOVE(&mine, it, next);
		here = here && t8_tell_down(d, t8_name_of(it), LINK_DOWN_FAILED, cause, retry_at_ms);
		free(it);
	}
	if (here)
		t8_busy_put(d);
	return here;
}

void t8_deliver_drop(struct t8_dev *d)
{
	struct t8_busy *b = d->busy;
	struct t8_item *it;
	struct t8_pending *p;

	if (!b)
		return;
	while ((it = TAILQ_FIRST(&b->queue))) {
		unqueue(b, it);
		free(it);
	}
	t8_resume_leave(b);
	t8_call_drop(b->call);
	free(b->flying);
	while ((p = LIST_FIRST(&b->pending)))
		t8_pending_free(p);
	leave_ready(b);
	timer_cancel(t8_of(d)->timers, &b->timer);
	free(b);
	d->busy = NULL;
}

/* ---- starting ---- */
/* The peer has kept these very octets since before the restart: nothing is sent. */
static void take_twin(struct t8_busy *b, struct t8_item *it, struct t8_pending *twin)
{
	struct t8_dev *d = b->d;
	struct t8_name name = t8_name_of(it);

	twin->id = it->id;
	twin->key = it->key;
	twin->old = false;
	unqueue(b, it);
	free(it);
	t8_keep(d);
	if (!t8_tell_down(d, name, LINK_DOWN_BUFFERED, LINK_CAUSE_NONE, 0))
		return;
	t8_deliver_kick(d);
	t8_busy_put(d);
}

int t8_deliver_start(struct t8_dev *d)
{
	struct t8_busy *b = d->busy;
	uint64_t now = clock_now_ms();
	struct t8_item *it = b ? TAILQ_FIRST(&b->queue) : NULL;
	struct t8_pending *twin;
	char body[4096];
	size_t len;
	int err;

	if (!it || b->flying || (d->flags & D_LOOKUP) || !t8_dev_usable(d) || now < b->wait_until_ms ||
	    now >= it->deadline_ms)
		return 0; /* the timer, an answer, a look-up or the configuration goes on with it */
	twin = t8_resume_twin(d, it);
	if (twin) {
		take_twin(b, it, twin);
		return 0;
	}
	len = t8_body_deliver(d, it, body, sizeof body);
	err = len ? t8_request(t8_of(d), &b->call, T8_OP_DELIVER, d, d->tail, T8_DELIVERIES, body, len, NULL,
			       t8_on_delivered)
		  : -EMSGSIZE;
	if (err == -EAGAIN)
		return err;
	if (err) {
		b->wait_until_ms = now + 1000;
		set_timer(b);
		return 0;
	}
	unqueue(b, it);
	it->orphan = false;
	b->flying = it;
	set_timer(b);
	return 0;
}

void t8_deliver_kick(struct t8_dev *d)
{
	struct t8_busy *b = d->busy;

	if (!b)
		return;
	set_timer(b);
	if (!b->queued || b->flying || b->is_ready)
		return;
	if (d->flags & D_LOOKUP)
		t8_resume_soon(d);
	else if (t8_dev_usable(d) && clock_now_ms() >= b->wait_until_ms) {
		TAILQ_INSERT_TAIL(&t8_of(d)->ready, b, ready);
		b->is_ready = true;
	}
	t8_pump(t8_of(d));
}

static void on_busy_timer(struct timer *t, uint64_t now_ms)
{
	struct t8_busy *b = container_of(t, struct t8_busy, timer);
	struct t8_dev *d = b->d;
	struct t8_item *it = TAILQ_FIRST(&b->queue);

	while (it) {
		struct t8_item *next = TAILQ_NEXT(it, next);
		struct t8_name name = t8_name_of(it);

		if (it->deadline_ms <= now_ms) {
			unqueue(b, it);
			free(it);
			if (!t8_tell_down(d, name, LINK_DOWN_FAILED, LINK_CAUSE_EXPIRED, 0))
				return;
			b = d->busy;
			if (!b)
				return;
			next = TAILQ_FIRST(&b->queue); /* the session may have changed the queue */
		}
		it = next;
	}
	t8_deliver_kick(d);
	t8_busy_put(d);
}
