/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the life of a device's NIDD configuration at the peer (TS 29.122 4.4.5.2), a table of states
 *
 * Devices that want a request stand in one of two queues and are worked on a few at a time; one with traffic goes
 * before all others, the newest first. An action that cannot start its request leaves the state as it is, and the
 * device goes back into the queue. What the session has to be told is told after the state has changed.
 */
#include <stdio.h>
#include <string.h>

#include "link/t8/config_act.h"

const char *const t8_cfg_names[T8_CFG_COUNT] = { "absent", "creating", "conflict",   "stale",    "patching", "deleting",
						 "active", "renewing", "terminated", "rejected", "barred" };
const char *const t8_cfg_ev_names[T8_EV_COUNT] = { "turn",         "replace",    "created",      "exists",
						   "unknown_user", "missing",    "fault",        "found",
						   "found_stale",  "patched",    "not_patched",  "deleted",
						   "gone",         "terminated", "unauthorized", "status_active" };

void t8_config_lost(struct t8_dev *d, bool lost)
{
	struct t8_link *l = t8_of(d);

	if (lost == !!(d->flags & D_LOST))
		return;
	d->flags ^= D_LOST;
	if (lost) {
		char text[320];

		l->lost++;
		snprintf(text, sizeof text, "the configuration of %.200s is lost again after it was made anew",
			 d->id + 1);
		alarm_raise(l->base.env->alarms, ALARM_MAJOR, "t8.config_lost", t8_name(l), text,
			    "ask the operator why configurations vanish");
	} else if (!--l->lost) {
		alarm_clear(l->base.env->alarms, "t8.config_lost", t8_name(l));
	}
}

struct edge {
	uint8_t next;   /* 1 + state; 0: nothing happens */
	t8_act_fn *act; /* NULL: only the state changes */
};

#define TO(state, act)                  \
	{                               \
		1 + T8_CFG_##state, act \
	}

static const struct edge edges[T8_CFG_COUNT][T8_EV_COUNT] = {
	[T8_CFG_ABSENT] = {
		[T8_EV_TURN] = TO(CREATING, t8_act_post),
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_activate),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_MISSING] = TO(ABSENT, t8_act_queue),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
	},
	[T8_CFG_CREATING] = {
		[T8_EV_CREATED] = TO(ACTIVE, t8_act_created),
		[T8_EV_EXISTS] = TO(CONFLICT, t8_act_conflict),
		[T8_EV_UNKNOWN_USER] = TO(REJECTED, t8_act_reject),
		[T8_EV_FAULT] = TO(ABSENT, t8_act_queue),
	},
	[T8_CFG_CONFLICT] = {
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_activate),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_MISSING] = TO(ABSENT, t8_act_queue),
		[T8_EV_UNKNOWN_USER] = TO(REJECTED, t8_act_reject),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
		[T8_EV_STATUS_ACTIVE] = TO(CONFLICT, t8_act_conflict),
	},
	[T8_CFG_STALE] = {
		[T8_EV_TURN] = TO(PATCHING, t8_act_patch),
		[T8_EV_REPLACE] = TO(DELETING, t8_act_delete),
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_activate),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_GONE] = TO(TERMINATED, t8_act_lose),
		[T8_EV_TERMINATED] = TO(TERMINATED, t8_act_lose),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
	},
	[T8_CFG_PATCHING] = {
		[T8_EV_PATCHED] = TO(ACTIVE, t8_act_patched),
		[T8_EV_NOT_PATCHED] = TO(STALE, t8_act_replace),
		[T8_EV_FAULT] = TO(STALE, t8_act_queue),
		[T8_EV_GONE] = TO(TERMINATED, t8_act_lose),
		[T8_EV_TERMINATED] = TO(TERMINATED, t8_act_lose),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
	},
	[T8_CFG_DELETING] = {
		[T8_EV_DELETED] = TO(ABSENT, t8_act_removed),
		[T8_EV_FAULT] = TO(STALE, t8_act_queue),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
	},
	[T8_CFG_ACTIVE] = {
		[T8_EV_TURN] = TO(RENEWING, t8_act_renew),
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_refresh),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_GONE] = TO(TERMINATED, t8_act_lose),
		[T8_EV_TERMINATED] = TO(TERMINATED, t8_act_lose),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
	},
	[T8_CFG_RENEWING] = {
		[T8_EV_PATCHED] = TO(ACTIVE, t8_act_renewed),
		[T8_EV_NOT_PATCHED] = TO(ACTIVE, t8_act_renew_later),
		[T8_EV_FAULT] = TO(ACTIVE, t8_act_renew_later),
		[T8_EV_GONE] = TO(TERMINATED, t8_act_lose),
		[T8_EV_TERMINATED] = TO(TERMINATED, t8_act_lose),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
	},
	[T8_CFG_TERMINATED] = {
		[T8_EV_TURN] = TO(CREATING, t8_act_post),
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_activate),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
		[T8_EV_STATUS_ACTIVE] = TO(TERMINATED, t8_act_revive),
	},
	[T8_CFG_REJECTED] = {
		[T8_EV_TURN] = TO(CREATING, t8_act_post),
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_activate),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_UNAUTHORIZED] = TO(BARRED, t8_act_bar),
		[T8_EV_STATUS_ACTIVE] = TO(REJECTED, t8_act_revive),
	},
	[T8_CFG_BARRED] = {
		[T8_EV_TURN] = TO(CREATING, t8_act_post),
		[T8_EV_FOUND] = TO(ACTIVE, t8_act_activate),
		[T8_EV_FOUND_STALE] = TO(STALE, t8_act_stale),
		[T8_EV_STATUS_ACTIVE] = TO(BARRED, t8_act_revive),
	},
};

int t8_config_next(enum t8_cfg state, enum t8_cfg_ev ev)
{
	return (int)edges[state][ev].next - 1;
}

/* A state that ends what was on its way down. False: the device is gone. */
static bool fail_downlinks(struct t8_dev *d, enum t8_cfg old)
{
	if (d->state == T8_CFG_BARRED) {
		if (!(d->flags & D_BARRED)) {
			d->flags |= D_BARRED;
			if (!t8_tell_device(d, LINK_DEV_BARRED, 0, 0))
				return false;
		}
		return t8_deliver_fail_all(d, LINK_CAUSE_BARRED, 0) && t8_pending_fail_all(d, LINK_CAUSE_BARRED);
	}
	if (d->state == T8_CFG_REJECTED && old != T8_CFG_REJECTED)
		return t8_deliver_fail_all(d, LINK_CAUSE_NO_BEARER, 0);
	if (d->state == T8_CFG_TERMINATED && old != T8_CFG_TERMINATED) {
		/* what the peer kept, or is taking just now, is lost with it; the session knows if it is still wanted
		 */
		if (d->busy && d->busy->flying)
			d->busy->flying->orphan = true;
		return t8_pending_fail_all(d, LINK_CAUSE_TEMPORARY);
	}
	return true;
}

/* What follows from a change, with the new state in place. */
static void settle(struct t8_dev *d, enum t8_cfg old)
{
	struct t8_link *l = t8_of(d);

	if (old == T8_CFG_CREATING)
		l->creating--;
	if (d->state == T8_CFG_CREATING)
		l->creating++;
	if (!fail_downlinks(d, old))
		return;
	if (!t8_dev_usable(d))
		return;
	if (d->flags & D_BARRED) {
		d->flags &= (uint16_t)~D_BARRED;
		if (!t8_tell_device(d, LINK_DEV_ALLOWED, 0, 0))
			return;
	}
	if (d->flags & D_MTU_NEWS) {
		d->flags &= (uint16_t)~D_MTU_NEWS;
		if (!t8_tell_device(d, LINK_DEV_MTU, 0, d->mtu_peer))
			return;
	}
	if (old != d->state)
		t8_deliver_kick(d);
}

void t8_config_event(struct t8_dev *d, enum t8_cfg_ev ev, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);
	const struct edge *e = &edges[d->state][ev];
	enum t8_cfg old = d->state;
	int err;

	if (!e->next)
		return;
	err = e->act ? e->act(d, a) : 0;
	log_ev(old == (enum t8_cfg)(e->next - 1) ? LOG_DEBUG : LOG_INFO, ROOM, "config", LF_STR("link", t8_name(l)),
	       LF_STR("dev", d->id + 1), LF_STR("from", t8_cfg_names[old]), LF_STR("on", t8_cfg_ev_names[ev]),
	       LF_INT("err", err));
	if (err && old == T8_CFG_CREATING) {
		t8_config_event(d, T8_EV_FAULT, NULL); /* no memory for what was made: the list will show it */
		return;
	}
	if (err) { /* it was its turn, and nothing could be started */
		t8_config_queue(d, false);
		return;
	}
	d->state = (uint8_t)(e->next - 1);
	t8_keep(d);
	settle(d, old);
	if (old == T8_CFG_CREATING && l->holds)
		t8_holds_retry(l, false);
}

/* ---- turns ---- */
static bool wants_work(const struct t8_dev *d)
{
	switch ((enum t8_cfg)d->state) {
	case T8_CFG_ABSENT:
	case T8_CFG_TERMINATED:
	case T8_CFG_REJECTED:
	case T8_CFG_BARRED:
		return !d->retry_s && ((const struct t8_link *)d->base.link)->conf->config_mode == T8_CONFIG_API;
	case T8_CFG_STALE:
		return true;
	case T8_CFG_ACTIVE:
		return (d->flags & D_RENEW) != 0;
	default:
		return false;
	}
}

void t8_config_queue(struct t8_dev *d, bool hot)
{
	struct t8_link *l = t8_of(d);

	if (d->flags & D_QUEUED) {
		if (!hot || (d->flags & D_HOT))
			return;
		TAILQ_REMOVE(&l->cold, d, work);
	}
	d->flags |= (uint16_t)(D_QUEUED | (hot ? D_HOT : 0));
	if (hot)
		TAILQ_INSERT_HEAD(&l->hot, d, work); /* the newest traffic first */
	else
		TAILQ_INSERT_TAIL(&l->cold, d, work);
}

bool t8_config_turn(struct t8_dev *d)
{
	struct t8_link *l = t8_of(d);
	bool replace = d->state == T8_CFG_STALE && (l->conf->release < 17 || (d->flags & D_NO_PATCH));
	unsigned calls = l->config_calls;

	if (!wants_work(d))
		return true;
	if (d->flags & D_CALLING) { /* the answer to an older request is still due */
		d->flags |= D_AGAIN;
		return true;
	}
	t8_config_event(d, replace ? T8_EV_REPLACE : T8_EV_TURN, NULL);
	return l->config_calls != calls;
}

static void missing(struct t8_dev *d)
{
	enum t8_cfg_ev ev = T8_EV_MISSING;

	if (d->state == T8_CFG_CONFLICT && (d->flags & D_FORBIDDEN))
		ev = T8_EV_UNAUTHORIZED; /* refused with 403, and not there either: the peer does not want this device
					  */
	else if (d->state == T8_CFG_CONFLICT && (d->flags & D_REFUSED))
		ev = T8_EV_UNKNOWN_USER;
	t8_config_event(d, ev, NULL);
}

/* One configuration of the peer's list that is this device's. */
void t8_config_found(struct t8_dev *d, const struct t8_config_answer *a)
{
	struct t8_link *l = t8_of(d);
	bool other;

	if (!*a->tail)
		return;
	if (d->seen_run == l->run && d->tail && strcmp(d->tail, a->tail)) {
		log_ev(LOG_WARNING, ROOM, "config.second", LF_STR("link", t8_name(l)), LF_STR("dev", d->id + 1),
		       LF_STR("configuration", a->tail));
		return;
	}
	if (!strcmp(a->status, "TERMINATED_UE_NOT_AUTHORIZED")) {
		d->seen_run = l->run;
		t8_config_event(d, T8_EV_UNAUTHORIZED, a);
		return;
	}
	if (!strncmp(a->status, "TERMINATED", 10))
		return; /* as if it were not there */
	d->seen_run = l->run;
	if (d->state == T8_CFG_BARRED && strcmp(a->status, "ACTIVE"))
		return;
	other = l->conf->config_mode == T8_CONFIG_API && *a->destination && strcmp(a->destination, l->destination) &&
		(!l->echo || strcmp(a->destination, l->echo));
	t8_config_event(d, other ? T8_EV_FOUND_STALE : T8_EV_FOUND, a);
}

void t8_config_missing(struct t8_dev *d)
{
	switch ((enum t8_cfg)d->state) {
	case T8_CFG_ABSENT:
	case T8_CFG_CONFLICT:
		missing(d);
		break;
	case T8_CFG_ACTIVE:
	case T8_CFG_STALE:
		t8_config_event(d, T8_EV_GONE, NULL);
		break;
	default:
		break;
	}
}
