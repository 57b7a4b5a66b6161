/* SPDX-License-Identifier: Apache-2.0 */
/* config_act.c - what the table in config.c does: requests about configurations, and what their answers are taken for
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/config_act.h"

#define HOUR_S 3600u
#define DAY_S 86400u
#define STEADY_S 600u /* a configuration that held this long was sound: its loss is the first again */

/* ---- answers to configuration requests ---- */
static void on_created(struct t8_call *c, const struct t8_reply *r);
static void on_patched(struct t8_call *c, const struct t8_reply *r);
static void on_deleted(struct t8_call *c, const struct t8_reply *r);

static int request(struct t8_dev *d, enum t8_op op, const char *tail, const char *more, const char *body, size_t len,
		   t8_done_fn *done)
{
	struct t8_link *l = t8_of(d);
	int err = t8_request(l, NULL, op, d, tail, more, body, len, NULL, done);

	if (err)
		return err;
	d->flags |= D_CALLING;
	l->config_calls++;
	return 0;
}

/* What every answer to a configuration request ends with. False: the device is gone. */
static bool answered(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_link *l = c->l;
	bool usable = r->http->outcome == HTTP_ANSWERED && r->http->status < 500 && r->http->status != 429 &&
		r->http->status != 401;

	l->config_calls--;
	if (usable) {
		l->config_faults = 0;
		l->config_wait_ms = 0;
	} else {
		l->config_wait_ms = clock_now_ms() + t8_backoff_ms(l->config_faults);
		l->config_faults = (uint8_t)(l->config_faults + (l->config_faults < 16));
	}
	if (!c->d)
		return false;
	if (c->d->flags & D_AGAIN)
		t8_config_queue(c->d, false);
	c->d->flags &= (uint16_t) ~(D_CALLING | D_AGAIN);
	return true;
}

static void log_refused(const struct t8_dev *d, const char *ev, const struct t8_reply *r)
{
	log_ev(LOG_WARNING, ROOM, ev, LF_STR("link", t8_name((const struct t8_link *)d->base.link)),
	       LF_STR("dev", d->id + 1), LF_INT("status", r->http->status),
	       LF_STR("cause", *r->a.cause ? r->a.cause : NULL), LF_STR("detail", *r->a.detail ? r->a.detail : NULL));
}

/* The resource an answer made or shows: Location before the body's own self. */
static void read_resource(const struct t8_link *l, const struct t8_reply *r, struct t8_config_answer *a)
{
	char tail[T8_TAIL_MAX];

	if (t8_config_read(a, r->http->body ? r->http->body : "", r->http->len, l->scs))
		memset(a, 0, sizeof *a);
	if (r->http->location && !t8_tail(tail, r->http->location, l->scs))
		memcpy(a->tail, tail, sizeof tail);
}

static enum t8_cfg_ev create_event(struct t8_dev *d, const struct t8_reply *r, const struct t8_config_answer *a)
{
	int status = r->http->outcome == HTTP_ANSWERED ? r->http->status : 0;

	d->flags &= (uint16_t) ~(D_FORBIDDEN | D_REFUSED);
	if (status == 404)
		return T8_EV_UNKNOWN_USER;
	if (status >= 200 && status < 300 && *a->tail)
		return T8_EV_CREATED;
	if (r->http->outcome == HTTP_UNKNOWN || status == 502 || status == 504)
		return T8_EV_EXISTS; /* it may have been made: look before making another */
	if ((status >= 300 && status < 400) || status >= 500 || status == 0 || status == 401 || status == 408 ||
	    status == 429)
		return T8_EV_FAULT;
	d->flags |= status == 403 ? D_FORBIDDEN : D_REFUSED; /* or made, and where it is only the list can tell */
	return T8_EV_EXISTS;
}

/* How the peer writes our callback address: it may have normalised it, and that is no reason to change it. */
static void note_echo(struct t8_link *l, const char *destination)
{
	if (!*destination || !strcmp(destination, l->destination) || (l->echo && !strcmp(destination, l->echo)))
		return;
	free(l->echo);
	l->echo = strdup(destination);
}

static void on_created(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_config_answer a;
	enum t8_cfg_ev ev;

	read_resource(c->l, r, &a);
	if (!answered(c, r)) {
		if (c->last && *a.tail)
			t8_config_delete(c->l, a.tail);
		return;
	}
	ev = create_event(c->d, r, &a);
	if (ev == T8_EV_UNKNOWN_USER || (c->d->flags & (D_FORBIDDEN | D_REFUSED)))
		log_refused(c->d, "config.refused", r);
	if (ev == T8_EV_CREATED)
		note_echo(c->l, a.destination);
	t8_config_event(c->d, ev, &a);
}

static void on_patched(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_config_answer a;
	int status = r->http->outcome == HTTP_ANSWERED ? r->http->status : 0;
	enum t8_cfg_ev ev = T8_EV_FAULT;

	if (!answered(c, r))
		return;
	read_resource(c->l, r, &a);
	if (status >= 200 && status < 300)
		ev = *a.destination && c->l->destination && strcmp(a.destination, c->l->destination) ? T8_EV_NOT_PATCHED
												     : T8_EV_PATCHED;
	else if (status == 404)
		ev = T8_EV_GONE;
	else if (status >= 400 && status < 500 && status != 401 && status != 408 && status != 429)
		ev = T8_EV_NOT_PATCHED;
	if (status == 501)
		ev = T8_EV_NOT_PATCHED;
	if (ev == T8_EV_NOT_PATCHED)
		log_refused(c->d, "config.not_patched", r);
	t8_config_event(c->d, ev, &a);
}

static void on_deleted(struct t8_call *c, const struct t8_reply *r)
{
	int status = r->http->outcome == HTTP_ANSWERED ? r->http->status : 0;
	bool done = (status >= 200 && status < 300) || status == 404;

	if (!answered(c, r))
		return;
	if (!done)
		log_refused(c->d, "config.not_deleted", r);
	t8_config_event(c->d, done ? T8_EV_DELETED : T8_EV_FAULT, NULL);
}

static void on_orphan_deleted(struct t8_call *c, const struct t8_reply *r)
{
	if (r->http->outcome != HTTP_ANSWERED || r->http->status >= 300)
		log_ev(LOG_WARNING, ROOM, "config.left_behind", LF_STR("link", t8_name(c->l)),
		       LF_INT("status", r->http->status));
}

void t8_config_delete(struct t8_link *l, const char *tail)
{
	struct t8_call *c;

	if (!t8_request(l, &c, T8_OP_DELETE, NULL, tail, "", NULL, 0, NULL, on_orphan_deleted))
		c->last = true;
	else
		log_ev(LOG_WARNING, ROOM, "config.left_behind", LF_STR("link", t8_name(l)),
		       LF_STR("configuration", tail));
}

/* ---- actions ---- */
int t8_act_post(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);
	char body[4096];
	size_t len = t8_body_create(d, body, sizeof body);

	(void)a;
	return len ? request(d, T8_OP_CREATE, l->scs, "/configurations", body, len, on_created) : -EMSGSIZE;
}

static int patch(struct t8_dev *d, bool destination)
{
	char body[2048];
	size_t len = t8_body_patch(d, destination, body, sizeof body);

	return len ? request(d, T8_OP_PATCH, d->tail, "", body, len, on_patched) : -EMSGSIZE;
}

int t8_act_patch(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	return patch(d, true);
}

int t8_act_renew(struct t8_dev *d, const struct t8_config_answer *a)
{
	int err = patch(d, false);

	(void)a;
	if (!err)
		d->flags &= (uint16_t)~D_RENEW;
	return err;
}

int t8_act_delete(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	return request(d, T8_OP_DELETE, d->tail, "", NULL, 0, on_deleted);
}

/* What an answer says of a configuration, taken over. */
static void take_over(struct t8_dev *d, const struct t8_config_answer *a)
{
	if (!a)
		return;
	if (*a->tail)
		t8_dev_set_tail(d, a->tail);
	t8_dev_learn_alias(d, a->external_id, a->msisdn);
	t8_dev_packet_size(d, a->packet_size);
	d->expires_s = d->renew_s = 0;
	if (a->has_duration) {
		uint64_t now = clock_wall_ms(),
			 left_s = a->duration_wall_ms > now ? (a->duration_wall_ms - now) / 1000 : 0;

		if (left_s > 10u * 365 * DAY_S)
			return; /* as good as unlimited */
		d->life_s = (uint32_t)left_s;
		d->expires_s = t8_now_s() + d->life_s;
		d->renew_s = t8_now_s() + d->life_s / 5 * 4;
	}
}

int t8_act_activate(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);

	take_over(d, a);
	if (!d->tail)
		return -ENOMEM;
	d->active_s = t8_now_s();
	d->retry_s = 0;
	d->seen_run = l->run;
	d->flags &= (uint16_t) ~(D_FORBIDDEN | D_REFUSED | D_RENEW);
	return 0;
}

/* An answer without a body: what was asked for stands. */
static void assume_duration(const struct t8_dev *d, struct t8_config_answer *a)
{
	uint64_t asked_s = ((const struct t8_link *)d->base.link)->conf->config_duration_s,
		 life_s = asked_s ? asked_s : d->life_s;

	if (a->has_duration || !life_s)
		return;
	a->has_duration = true;
	a->duration_wall_ms = clock_wall_ms() + life_s * 1000;
}

int t8_act_created(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);
	struct t8_config_answer mine = *a;
	struct t8_unmatched *early;
	int err;

	d->life_s = 0;
	assume_duration(d, &mine);
	err = t8_act_activate(d, &mine);

	if (err || !l->conf->test_notification)
		return err;
	early = t8_unmatched_take(l, d->tail);
	d->flags |= early ? D_PROVEN : D_TEST;
	free(early);
	return 0;
}

int t8_act_refresh(struct t8_dev *d, const struct t8_config_answer *a)
{
	take_over(d, a);
	return 0;
}

int t8_act_renewed(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_config_answer mine = *a;

	assume_duration(d, &mine);
	take_over(d, &mine);
	return 0;
}

int t8_act_patched(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_config_answer mine = *a;

	if (t8_of(d)->conf->config_duration_s)
		assume_duration(d, &mine); /* it was part of the patch */
	if (mine.has_duration)
		take_over(d, &mine);
	return t8_act_activate(d, NULL);
}

/* Not renewed: again in half of the time that is left; at its end it is made anew. */
int t8_act_renew_later(struct t8_dev *d, const struct t8_config_answer *a)
{
	uint32_t now = t8_now_s(), left = d->expires_s > now ? d->expires_s - now : 0;

	(void)a;
	d->renew_s = left > 60 ? now + left / 2 : 0;
	return 0;
}

int t8_act_queue(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	t8_config_queue(d, false);
	return 0;
}

int t8_act_stale(struct t8_dev *d, const struct t8_config_answer *a)
{
	int err = t8_act_activate(d, a);

	t8_config_queue(d, false);
	return err;
}

int t8_act_replace(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	d->flags |= D_NO_PATCH;
	t8_config_queue(d, true);
	return 0;
}

int t8_act_removed(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	t8_dev_set_tail(d, NULL);
	t8_config_queue(d, true);
	return 0;
}

int t8_act_conflict(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);

	(void)a;
	t8_list_want(l, clock_now_ms(), true);
	return 0;
}

int t8_act_reject(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	d->retry_s = t8_now_s() + HOUR_S;
	return 0;
}

int t8_act_bar(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	d->retry_s = t8_now_s() + DAY_S;
	log_ev(LOG_WARNING, ROOM, "device.barred", LF_STR("link", t8_name(t8_of(d))), LF_STR("dev", d->id + 1));
	return 0;
}

/* Gone: the first loss is repaired at once, the next ones wait 1 min, 2 min, up to an hour. */
int t8_act_lose(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);
	uint32_t now = t8_now_s(), wait_s = 60;

	(void)a;
	if (!d->active_s || now - d->active_s >= STEADY_S)
		d->losses = 0;
	log_ev(LOG_WARNING, ROOM, "config.lost", LF_STR("link", t8_name(l)), LF_STR("dev", d->id + 1),
	       LF_UINT("times", d->losses + 1));
	t8_dev_set_tail(d, NULL);
	d->expires_s = d->renew_s = 0;
	d->flags &= (uint16_t) ~(D_TEST | D_PROVEN | D_RENEW | D_NO_PATCH);
	if (d->losses)
		d->retry_s = now + (d->losses > 6 ? HOUR_S : wait_s << (d->losses - 1));
	else
		t8_config_queue(d, d->busy != NULL);
	d->losses = (uint8_t)(d->losses + (d->losses < 16));
	return 0;
}

int t8_act_revive(struct t8_dev *d, const struct t8_config_answer *a)
{
	(void)a;
	d->retry_s = 0;
	t8_config_queue(d, true);
	return 0;
}
