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

#define FAULT_TRIES 3

static const char deliveries[] = "/downlink-data-deliveries";

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
static void requeue(struct t8_busy *b, struct t8_item *it)
{
	TAILQ_INSERT_HEAD(&b->queue, it, next);
	b->queued++;
	t8_of(b->d)->queued++;
}

/* A retransmission of what has not even left, or is on its way just now, adds nothing. */
static bool is_under_way(struct t8_busy *b, const struct link_down *how, const uint8_t *data, size_t len)
{
	struct t8_item *it;

	if (b->flying && !b->flying->cancelled && b->flying->id == how->id && b->flying->len == len &&
	    !memcmp(b->flying->data, data, len))
		return true;
	TAILQ_FOREACH(it, &b->queue, next)
	if (it->id == how->id && it->len == len && !memcmp(it->data, data, len)) {
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
	it->klass = (uint8_t)how->klass;
	it->deadline_ms = how->deadline_ms ? how->deadline_ms : clock_now_ms() + NO_DEADLINE_MS;
	it->port_ue = how->port_ue;
	it->port_scef = how->port_scef;
	it->len = (uint16_t)len;
	memcpy(it->data, data, len);
	return it;
}

static int enqueue(struct t8_busy *b, const struct link_down *how, const uint8_t *data, size_t len)
{
	struct t8_item *it;

	if (how->again && is_under_way(b, how, data, len))
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
		b->flying->cancelled = true; /* taken back when its place at the peer is known */
	}
	t8_pending_cancel(d, id);
	set_timer(b);
	t8_busy_put(d);
}

bool t8_deliver_fail_all(struct t8_dev *d, enum link_cause cause)
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
		uint32_t id = b->flying->id;

		b->flying->id = 0;
		b->flying->cancelled = true;
		here = t8_tell_down(d, id, LINK_DOWN_FAILED, cause, 0);
	}
	while ((it = TAILQ_FIRST(&mine))) {
		TAILQ_REMOVE(&mine, it, next);
		here = here && t8_tell_down(d, it->id, LINK_DOWN_FAILED, cause, 0);
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
static void on_delivered(struct t8_call *c, const struct t8_reply *r);

int t8_deliver_start(struct t8_dev *d)
{
	struct t8_busy *b = d->busy;
	uint64_t now = clock_now_ms();
	struct t8_item *it = b ? TAILQ_FIRST(&b->queue) : NULL;
	char body[4096];
	size_t len;
	int err;

	if (!it || b->flying || !t8_dev_usable(d) || now < b->wait_until_ms || now >= it->deadline_ms)
		return 0; /* the timer, an answer or the configuration goes on with it */
	len = t8_body_deliver(d, it, body, sizeof body);
	err = len ? t8_request(t8_of(d), &b->call, T8_OP_DELIVER, d, d->tail, deliveries, body, len, NULL, on_delivered)
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
	if (t8_dev_usable(d) && clock_now_ms() >= b->wait_until_ms) {
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
		uint32_t id = it->id;

		if (it->deadline_ms <= now_ms) {
			unqueue(b, it);
			free(it);
			if (!t8_tell_down(d, id, LINK_DOWN_FAILED, LINK_CAUSE_EXPIRED, 0))
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

/* ---- answers ---- */
static void go_on(struct t8_dev *d)
{
	t8_deliver_kick(d);
	t8_busy_put(d);
}

static void failed(struct t8_dev *d, struct t8_item *it, enum link_cause cause, uint64_t retry_at_ms)
{
	uint32_t id = it->id;

	free(it);
	if (cause == LINK_CAUSE_TEMPORARY && !retry_at_ms) {
		retry_at_ms = clock_now_ms() + t8_backoff_ms(d->refusals);
		d->refusals = (uint8_t)(d->refusals + (d->refusals < 16));
	}
	if (cause == LINK_CAUSE_ASLEEP && !t8_tell_device(d, LINK_DEV_ASLEEP, retry_at_ms, 0))
		return;
	if (t8_tell_down(d, id, LINK_DOWN_FAILED, cause, retry_at_ms))
		go_on(d);
}

static void too_large(struct t8_dev *d, struct t8_item *it)
{
	t8_dev_shrink(d, it->len);
	if (d->flags & D_MTU_NEWS) {
		d->flags &= (uint16_t)~D_MTU_NEWS;
		if (!t8_tell_device(d, LINK_DEV_MTU, 0, d->mtu_peer)) {
			free(it);
			return;
		}
	}
	failed(d, it, LINK_CAUSE_TOO_LARGE, 0);
}

static void unsure(struct t8_dev *d, struct t8_item *it)
{
	uint32_t id = it->id;

	free(it);
	if (t8_tell_down(d, id, LINK_DOWN_UNSURE, LINK_CAUSE_NONE, 0))
		go_on(d);
}

static void again(struct t8_dev *d, struct t8_item *it, uint64_t wait_ms)
{
	if (it->cancelled) {
		free(it);
	} else {
		requeue(d->busy, it);
		d->busy->wait_until_ms = wait_ms ? clock_now_ms() + wait_ms : 0;
	}
	go_on(d);
}

static void finished(struct t8_dev *d, struct t8_item *it, const struct t8_reply *r)
{
	uint32_t id = it->id;

	free(it);
	t8_config_lost(d, false);
	if (t8_tell_status(d, id, r->a.status, t8_retry_at_ms(NULL, &r->a, NULL)))
		go_on(d);
}

static void on_taken_back(struct t8_call *c, const struct t8_reply *r)
{
	if (r->http->outcome == HTTP_ANSWERED && (r->http->status == 405 || r->http->status == 501))
		c->l->no_cancel = true;
}

/* DELETE of a pending delivery: 404 it is gone, 409 it is being sent now; either way nothing is left to do. */
static void take_back(struct t8_link *l, const char *tail)
{
	if (*tail && !l->no_cancel)
		t8_request(l, NULL, T8_OP_CANCEL, NULL, tail, "", NULL, 0, NULL, on_taken_back);
}

void t8_pending_cancel(struct t8_dev *d, uint32_t id)
{
	struct t8_pending *p, *next;

	for (p = LIST_FIRST(&d->busy->pending); p; p = next) {
		next = LIST_NEXT(p, mate);
		if (p->id != id)
			continue;
		take_back(t8_of(d), p->tail);
		t8_pending_free(p);
	}
}

/* The peer keeps it. A status may have come before this answer. */
static void pending(struct t8_dev *d, struct t8_item *it, const struct t8_reply *r)
{
	struct t8_link *l = t8_of(d);
	char tail[T8_TAIL_MAX] = "";
	struct t8_unmatched *early;
	uint32_t id = it->id;
	uint64_t deadline_ms = it->deadline_ms;
	bool cancelled = it->cancelled, here;

	if (it->orphan && !cancelled) { /* kept where nothing is kept any more */
		failed(d, it, LINK_CAUSE_TEMPORARY, 0);
		return;
	}
	if (!r->http->location || t8_tail(tail, r->http->location, l->scs))
		memcpy(tail, r->a.tail, sizeof tail);
	if (!cancelled && *r->a.status && t8_status_class(r->a.status).state != LINK_DOWN_BUFFERED) {
		finished(d, it, r);
		return;
	}
	free(it);
	t8_config_lost(d, false);
	early = t8_unmatched_take(l, tail);
	if (cancelled) {
		take_back(l, tail);
		here = true;
	} else if (early && t8_status_class(early->status).state != LINK_DOWN_BUFFERED) {
		here = t8_tell_status(d, id, early->status,
				      early->has_retry ? t8_hint_ms(early->retry_wall_ms, NULL) : 0);
	} else if (id && t8_pending_add(d, tail, id, deadline_ms)) {
		const char *status = *r->a.status ? r->a.status : "BUFFERING";

		here = t8_tell_status(d, id, status, t8_retry_at_ms(NULL, &r->a, NULL));
	} else {
		here = t8_tell_down(d, id, LINK_DOWN_SENT, LINK_CAUSE_NONE, 0);
	}
	free(early);
	if (here)
		go_on(d);
}

static void on_reread(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_dev *d = c->d;
	struct t8_item *it = d->busy->flying;
	struct t8_config_answer a;

	d->busy->call = NULL;
	d->busy->flying = NULL;
	if (r->http->outcome == HTTP_ANSWERED && r->http->status == 200 &&
	    !t8_config_read(&a, r->http->body, r->http->len, c->l->scs))
		t8_dev_packet_size(d, a.packet_size);
	too_large(d, it);
}

static void reread(struct t8_dev *d, struct t8_item *it)
{
	if (!t8_dev_usable(d) ||
	    t8_request(t8_of(d), &d->busy->call, T8_OP_READ, d, d->tail, "", NULL, 0, NULL, on_reread)) {
		too_large(d, it);
		return;
	}
	d->busy->flying = it;
}

/* The configuration is gone: made again once for this unit. */
static void gone(struct t8_dev *d, struct t8_item *it)
{
	struct t8_link *l = t8_of(d);
	bool again_lost = it->recreated || it->cancelled || l->conf->config_mode != T8_CONFIG_API;
	struct t8_watch w = { d, l->watch };

	it->recreated = true;
	if (again_lost && !it->cancelled)
		t8_config_lost(d, true);
	if (!again_lost)
		requeue(d->busy, it);
	l->watch = &w;
	t8_config_event(d, T8_EV_GONE, NULL);
	l->watch = w.next;
	t8_list_want(l, clock_now_ms() + 1000, false); /* perhaps all are gone */
	if (!w.d) {
		if (again_lost)
			free(it);
		return;
	}
	if (again_lost)
		failed(d, it, LINK_CAUSE_NO_BEARER, 0);
	else
		go_on(d);
}

static void on_looked_up(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_dev *d = c->d;
	struct t8_item *it = d->busy->flying;
	char tail[T8_TAIL_MAX];
	int err = -EBADMSG;

	d->busy->call = NULL;
	d->busy->flying = NULL;
	if (r->http->outcome == HTTP_ANSWERED && r->http->status == 200)
		err = t8_pending_find(tail, r->http->body, r->http->len, c->l->scs, it->data, it->len);
	if (err == -ENOENT && !it->resent && clock_now_ms() < it->deadline_ms) {
		it->resent = true; /* the device drops a duplicate: the octets are the same, message id included */
		again(d, it, 0);
	} else if (!err && it->cancelled) {
		take_back(c->l, tail);
		again(d, it, 0);
	} else if (!err && t8_pending_add(d, tail, it->id, it->deadline_ms)) {
		uint32_t id = it->id;

		free(it);
		if (t8_tell_down(d, id, LINK_DOWN_BUFFERED, LINK_CAUSE_NONE, 0))
			go_on(d);
	} else {
		unsure(d, it);
	}
}

static void look_up(struct t8_dev *d, struct t8_item *it)
{
	if (!t8_dev_usable(d) ||
	    t8_request(t8_of(d), &d->busy->call, T8_OP_LOOKUP, d, d->tail, deliveries, NULL, 0, NULL, on_looked_up)) {
		unsure(d, it);
		return;
	}
	d->busy->flying = it;
}

static void log_failed(const struct t8_dev *d, const struct t8_item *it, const struct t8_reply *r, bool clamped)
{
	log_ev(LOG_INFO, ROOM, "downlink.failed", LF_STR("dev", d->id + 1), LF_UINT("id", it->id),
	       LF_INT("status", r->http->status), LF_STR("cause", *r->a.cause ? r->a.cause : NULL),
	       LF_STR("delivery", *r->a.status ? r->a.status : NULL),
	       LF_STR("detail", *r->a.detail ? r->a.detail : NULL), LF_BOOL("retry_time_out_of_range", clamped));
}

static void on_delivered(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_dev *d = c->d;
	struct t8_item *it = d->busy->flying;
	struct t8_decision is = t8_decide(r->http, &r->a);
	bool clamped;
	uint64_t retry_at_ms = t8_retry_at_ms(r->http, &r->a, &clamped);

	d->busy->call = NULL;
	d->busy->flying = NULL;
	switch (is.outcome) {
	case T8_OUT_STATUS:
		if (*r->a.tail && t8_status_class(r->a.status).state == LINK_DOWN_BUFFERED)
			pending(d, it, r);
		else
			finished(d, it, r);
		break;
	case T8_OUT_PENDING:
		pending(d, it, r);
		break;
	case T8_OUT_FAIL:
		log_failed(d, it, r, clamped);
		failed(d, it, is.cause, retry_at_ms);
		break;
	case T8_OUT_SHRINK:
		log_failed(d, it, r, false);
		too_large(d, it);
		break;
	case T8_OUT_REREAD:
		log_failed(d, it, r, false);
		reread(d, it);
		break;
	case T8_OUT_GONE:
		gone(d, it);
		break;
	case T8_OUT_UNKNOWN:
		look_up(d, it);
		break;
	case T8_OUT_KEEP:
		again(d, it, r->http->outcome == HTTP_NOT_SENT ? t8_backoff_ms(it->tries++) : 0);
		break;
	default:
		if (++it->tries < FAULT_TRIES)
			again(d, it, t8_backoff_ms(it->tries - 1u));
		else
			failed(d, it, LINK_CAUSE_TEMPORARY, retry_at_ms);
		break;
	}
}
