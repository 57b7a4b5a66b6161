/* SPDX-License-Identifier: Apache-2.0 */
/* delivered.c - what the answer to a downlink request leads to
 *
 * There is no idempotency key: when the outcome of a request is unknown, the peer's list of pending deliveries is read
 * before anything is sent again, and the same octets go once more at most. Every function here ends with the unit
 * freed, queued again or under way, and tells the session last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define FAULT_TRIES 3

static void go_on(struct t8_dev *d)
{
	t8_deliver_kick(d);
	t8_busy_put(d);
}

static void failed(struct t8_dev *d, struct t8_item *it, enum link_cause cause, uint64_t retry_at_ms)
{
	struct t8_name name = t8_name_of(it);

	free(it);
	if (cause == LINK_CAUSE_TEMPORARY && !retry_at_ms) {
		retry_at_ms = clock_now_ms() + t8_backoff_ms(d->refusals);
		d->refusals = (uint8_t)(d->refusals + (d->refusals < 16));
	}
	if (cause == LINK_CAUSE_ASLEEP && !t8_tell_asleep(d, retry_at_ms))
		return;
	if (t8_tell_down(d, name, LINK_DOWN_FAILED, cause, retry_at_ms))
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
	struct t8_name name = t8_name_of(it);

	free(it);
	if (t8_tell_down(d, name, LINK_DOWN_UNSURE, LINK_CAUSE_NONE, 0))
		go_on(d);
}

static void again(struct t8_dev *d, struct t8_item *it, uint64_t wait_ms)
{
	if (it->cancelled) {
		free(it);
	} else {
		t8_queue_again(d->busy, it);
		d->busy->wait_until_ms = wait_ms ? clock_now_ms() + wait_ms : 0;
	}
	go_on(d);
}

static void finished(struct t8_dev *d, struct t8_item *it, const struct t8_reply *r)
{
	struct t8_name name = t8_name_of(it);

	free(it);
	t8_config_lost(d, false);
	if (t8_tell_status(d, name, r->a.status, t8_retry_at_ms(NULL, &r->a, NULL)))
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

void t8_pending_cancel(struct t8_dev *d, uint32_t id, uint64_t key)
{
	struct t8_pending *p, *next;

	for (p = LIST_FIRST(&d->busy->pending); p; p = next) {
		next = LIST_NEXT(p, mate);
		if (id ? p->id != id : p->key != key)
			continue;
		take_back(t8_of(d), p->tail);
		t8_pending_free(p);
		t8_keep(d);
	}
}

/* The peer keeps it. A status may have come before this answer. */
static void pending(struct t8_dev *d, struct t8_item *it, const struct t8_reply *r)
{
	struct t8_link *l = t8_of(d);
	char tail[T8_TAIL_MAX] = "";
	struct t8_unmatched *early;
	struct t8_name name = t8_name_of(it);
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
	t8_config_lost(d, false);
	early = t8_unmatched_take(l, tail);
	if (cancelled) {
		take_back(l, tail);
		here = true;
	} else if (early && t8_status_class(early->status).state != LINK_DOWN_BUFFERED) {
		here = t8_tell_status(d, name, early->status,
				      early->has_retry ? t8_hint_ms(early->retry_wall_ms, NULL) : 0);
	} else if (name.id && !it->once && t8_pending_add(d, tail, it)) {
		const char *status = *r->a.status ? r->a.status : "BUFFERING";

		here = t8_tell_status(d, name, status, t8_retry_at_ms(NULL, &r->a, NULL));
	} else {
		here = t8_tell_down(d, name, LINK_DOWN_SENT, LINK_CAUSE_NONE, 0);
	}
	free(early);
	free(it);
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
		t8_queue_again(d->busy, it);
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
	} else if (!err && (it->once || t8_pending_add(d, tail, it))) {
		struct t8_name name = t8_name_of(it);

		free(it);
		if (t8_tell_down(d, name, LINK_DOWN_BUFFERED, LINK_CAUSE_NONE, 0))
			go_on(d);
	} else {
		unsure(d, it);
	}
}

static void look_up(struct t8_dev *d, struct t8_item *it)
{
	if (!t8_dev_usable(d) ||
	    t8_request(t8_of(d), &d->busy->call, T8_OP_LOOKUP, d, d->tail, T8_DELIVERIES, NULL, 0, NULL,
		       on_looked_up)) {
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

static void decide(struct t8_dev *d, const struct t8_reply *r)
{
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

void t8_on_delivered(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_watch w = { c->d, c->l->watch };
	bool noted = c->d->busy->flying->noted;

	c->l->watch = &w;
	decide(c->d, r);
	c->l->watch = w.next;
	if (noted && w.d)
		t8_keep(w.d);
}
