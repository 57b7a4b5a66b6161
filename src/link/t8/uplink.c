/* SPDX-License-Identifier: Apache-2.0 */
/* uplink.c - what a notification does
 *
 * The answer to the peer is the verdict on the unit: it leaves when the session has given it. A notification about a
 * device that cannot be told yet (it uses the other identity, and our 201 is still under way) is kept back for a few
 * seconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

static void answer(struct t8_up *u, int status)
{
	static const struct http_header later[] = { { "Retry-After", "5" } };
	struct t8_link *l = u->l;

	if (l)
		metrics_observe(l->callback_seconds, (double)(clock_now_ms() - u->start_ms) / 1000);
	if (!u->req)
		return;
	if (status == 200)
		http_respond(u->req, 200, NULL, 0, "application/json", "{\"details\":\"ok\"}", 16);
	else if (status == 404)
		t8_problem(u->req, 404, "unknown device", NULL);
	else
		http_respond(u->req, status, later, status == 503, NULL, NULL, 0);
	u->req = NULL;
}

static void up_free(struct t8_up *u)
{
	if (u->l) {
		LIST_REMOVE(u, link);
		u->l->holds -= u->hold_until_ms != 0;
	}
	free(u);
}

static void finish(struct t8_up *u, int status)
{
	answer(u, status);
	up_free(u);
}

static void on_verdict(struct link_up *up, enum link_verdict v)
{
	struct t8_up *u = container_of(up, struct t8_up, up);
	int good = u->l && u->l->conf->data_ack == T8_ACK_200 ? 200 : 204;

	switch (v) {
	case LINK_TAKEN:
		finish(u, good);
		break;
	case LINK_UNKNOWN:
		finish(u, 404);
		break;
	case LINK_MALFORMED: /* well received; that it is no CoAP is between the device and us */
		finish(u, good);
		break;
	case LINK_OVERLOAD:
		finish(u, 503);
		break;
	}
}

void t8_up_gone(struct t8_up *u)
{
	u->req = NULL;
	if (u->hold_until_ms) /* nobody waits, and its body is gone with the request */
		up_free(u);
}

/* The link closes: the session may still give verdicts. */
void t8_ups_orphan(struct t8_link *l)
{
	struct t8_up *u;

	while ((u = LIST_FIRST(&l->ups))) {
		answer(u, 503);
		LIST_REMOVE(u, link);
		u->l = NULL;
		if (u->hold_until_ms)
			free(u);
	}
	l->holds = 0;
}

/* ---- whose is it ---- */
static bool is_foreign(const struct t8_link *l, const struct t8_note *n)
{
	struct t8_link *o;

	LIST_FOREACH(o, &l->shared->links, mate)
	if (o != l &&
	    ((*n->external_id && t8_dev_by_id(o, 'e', n->external_id)) ||
	     (*n->msisdn && t8_dev_by_id(o, 'm', n->msisdn))))
		return true;
	return false;
}

/* 0; -ENOENT; -EPERM it is another link's, or the peer names somebody else's configuration. */
static int identify(const struct t8_link *l, const struct t8_note *n, struct t8_dev **out)
{
	struct t8_dev *d = NULL;

	if (*n->external_id)
		d = t8_dev_by_id(l, 'e', n->external_id);
	if (!d && *n->msisdn)
		d = t8_dev_by_id(l, 'm', n->msisdn);
	if (!d) {
		if (is_foreign(l, n))
			return -EPERM;
		d = t8_dev_by_tail(l, n->tail);
		if (!d)
			return -ENOENT;
		if (d->id[0] == 'e' ? *n->external_id : *n->msisdn)
			return -EPERM;
	}
	t8_dev_learn_alias(d, n->external_id, n->msisdn);
	*out = d;
	return 0;
}

static void mismatch(struct t8_link *l, const struct t8_note *n)
{
	char text[320];

	snprintf(text, sizeof text, "the peer speaks for %.200s, which is not a device of this link",
		 *n->external_id ? n->external_id : n->msisdn);
	t8_alarm_brief(l, T8_ALARM_IDENTITY, text);
}

static struct t8_dev *provision(struct t8_link *l, const struct t8_note *n)
{
	const bool external = *n->external_id != '\0';
	const struct link_identity id = {
		.kind = external ? LINK_ID_EXTERNAL : LINK_ID_MSISDN,
		.text = external ? n->external_id : n->msisdn,
	};
	struct t8_dev *d = NULL;

	l->base.unknown_later = false;
	if (!*id.text || !l->base.env->events->unknown ||
	    !l->base.env->events->unknown(l->base.env->arg, &l->base, &id))
		return NULL;
	return identify(l, n, &d) ? NULL : d;
}

/* Nothing of ours is at the peer yet, or it is operator's: the link in the notification says where to send. */
static void learn_configuration(struct t8_dev *d, const struct t8_note *n)
{
	struct t8_link *l = t8_of(d);
	struct t8_config_answer a = { .packet_size = 0 };

	if (l->conf->config_mode == T8_CONFIG_API || t8_dev_usable(d) || !*n->tail)
		return;
	memcpy(a.tail, n->tail, sizeof a.tail);
	t8_config_event(d, T8_EV_FOUND, &a);
}

static void heard(struct t8_dev *d)
{
	bool news = d->asleep_s || !(d->flags & D_PROVEN);

	d->flags = (uint16_t)((d->flags | D_PROVEN) & ~D_TEST);
	d->asleep_s = 0;
	if (news)
		t8_keep(d);
}

static void give(struct t8_up *u, struct t8_dev *d, const struct t8_note *n)
{
	struct t8_link *l = u->l;
	struct t8_watch w = { d, l->watch };

	heard(d);
	u->up = (struct link_up){
		.verdict = on_verdict, .arrival_ms = clock_now_ms(), .port_ue = n->port_ue, .port_scef = n->port_scef
	};
	l->watch = &w;
	learn_configuration(d, n);
	if (w.d && !t8_dev_usable(d))
		t8_config_queue(d, true);
	if (w.d)
		l->base.env->events->uplink(l->base.env->arg, &u->up, d->base.dev, n->data, n->len);
	else
		finish(u, 503);
	l->watch = w.next;
	if (w.d && d->busy) { /* it listens now */
		d->busy->wait_until_ms = 0;
		t8_deliver_kick(d);
	}
	t8_pump(l);
}

static bool may_hold(const struct t8_link *l, const struct t8_up *u)
{
	return (l->creating || l->list_call) &&
		(u->hold_until_ms ? clock_now_ms() < u->hold_until_ms : l->holds < HOLD_MAX);
}

static void take_uplink(struct t8_up *u, const struct t8_note *n)
{
	struct t8_link *l = u->l;
	struct t8_dev *d = NULL;
	int err = identify(l, n, &d);

	if (err == -ENOENT && may_hold(l, u)) {
		l->holds += !u->hold_until_ms;
		if (!u->hold_until_ms)
			u->hold_until_ms = clock_now_ms() + HOLD_MS;
		return;
	}
	l->holds -= u->hold_until_ms != 0;
	u->hold_until_ms = 0;
	if (err == -ENOENT && (d = provision(l, n)))
		err = 0;
	if (err) {
		const bool later = err == -ENOENT && l->base.unknown_later;

		link_count(&l->base, later ? LINK_RES_DROPPED : LINK_RES_UNKNOWN_DEVICE);
		if (err == -EPERM)
			mismatch(l, n);
		else
			log_note(ROOM, "unknown_device", LF_STR("link", t8_name(l)),
				 LF_STR("external_id", *n->external_id ? n->external_id : NULL));
		finish(u, later ? 503 : 404);
		return;
	}
	give(u, d, n);
}

static void take_config_status(struct t8_up *u, const struct t8_note *n)
{
	struct t8_link *l = u->l;
	struct t8_dev *d = NULL;
	int err = identify(l, n, &d);
	uint64_t held;

	if (err == -EPERM)
		mismatch(l, n);
	if (err) {
		finish(u, 404);
		return;
	}
	finish(u, 204);
	if (*n->tail && d->tail && strcmp(n->tail, d->tail))
		return; /* about an older configuration of the device */
	if (!strcmp(n->status, "TERMINATED_UE_NOT_AUTHORIZED"))
		t8_config_event(d, T8_EV_UNAUTHORIZED, NULL);
	else if (!strncmp(n->status, "TERMINATED", 10))
		t8_config_event(d, T8_EV_TERMINATED, NULL);
	else if (!strcmp(n->status, "ACTIVE"))
		t8_config_event(d, T8_EV_STATUS_ACTIVE, NULL);
	else if (log_limit(&l->note_limit, clock_now_ms(), 60000, &held))
		log_ev(LOG_NOTICE, ROOM, "status.unknown", LF_STR("link", t8_name(l)), LF_STR("status", n->status),
		       LF_UINT("held", held));
	t8_pump(l);
}

static void take_test(struct t8_link *l, const struct t8_note *n)
{
	struct t8_dev *d = t8_dev_by_tail(l, n->tail);

	if (d)
		d->flags = (uint16_t)((d->flags | D_PROVEN) & ~D_TEST);
	else
		t8_unmatched_keep(l, n);
}

static void dispatch(struct t8_up *u, const struct t8_note *n)
{
	struct t8_link *l = u->l;

	log_ev(LOG_DEBUG, ROOM, "notification", LF_STR("link", t8_name(l)), LF_STR("kind", t8_note_names[n->kind]),
	       LF_STR("external_id", *n->external_id ? n->external_id : NULL), LF_UINT("len", n->len));
	switch (n->kind) {
	case T8_NOTE_UPLINK:
		take_uplink(u, n);
		return;
	case T8_NOTE_STATUS:
		take_config_status(u, n);
		return;
	case T8_NOTE_DELIVERY:
		finish(u, 204);
		t8_pending_status(l, n);
		t8_pump(l);
		return;
	case T8_NOTE_TEST:
		take_test(l, n);
		break;
	default: /* group results and port management: nothing of ours hangs on them */
		break;
	}
	finish(u, 204);
}

static void refuse(struct t8_up *u, int err, const char *fault)
{
	struct t8_link *l = u->l;
	uint64_t held;

	if (log_limit(&l->note_limit, clock_now_ms(), 10000, &held))
		log_ev(LOG_WARNING, ROOM, "notification.refused", LF_STR("link", t8_name(l)), LF_INT("err", err),
		       LF_STR("member", fault), LF_UINT("held", held));
	if (err == -EMSGSIZE)
		link_count(&l->base, LINK_RES_TOO_BIG);
	if (u->req && err != -ENOMEM) {
		t8_problem(u->req, err == -EMSGSIZE ? 413 : 400,
			   err == -EMSGSIZE ? "unit too large" : "not a notification", fault);
		u->req = NULL;
	}
	finish(u, 503);
}

static void read_and_dispatch(struct t8_up *u)
{
	struct t8_link *l = u->l;
	const char *fault;
	int err = t8_note_read(&l->note, u->body, u->len, l->scs, l->conf->lenient, &fault);

	if (err)
		refuse(u, err, fault);
	else
		dispatch(u, &l->note);
}

void t8_note_take(struct t8_link *l, struct http_request *r, const uint8_t *body, size_t len)
{
	struct t8_up *u = calloc(1, sizeof *u);

	if (!u) {
		http_respond(r, 503, NULL, 0, NULL, NULL, 0);
		return;
	}
	u->l = l;
	u->req = r;
	u->start_ms = clock_now_ms();
	u->body = body;
	u->len = len;
	http_request_set_data(r, u);
	LIST_INSERT_HEAD(&l->ups, u, link);
	read_and_dispatch(u);
}

void t8_holds_retry(struct t8_link *l, bool only_due)
{
	struct t8_up *u, *next;
	uint64_t now = clock_now_ms();

	for (u = LIST_FIRST(&l->ups); u && l->holds; u = next) {
		next = LIST_NEXT(u, link);
		if (u->hold_until_ms && (!only_due || now >= u->hold_until_ms))
			read_and_dispatch(u);
	}
}
