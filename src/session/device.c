/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - who a device is, its south leg, its quota */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define LEAST_TRIP_MS 100 /* no answer of a device comes sooner */
#define RETRY_MS 5000u    /* first wait after a refusal of the link, doubled to the third */
#define REFUSALS_MAX 3

const char *device_name(const struct device *d)
{
	return d->conf->head.name;
}

uint32_t device_mtu(const struct device *d)
{
	uint32_t mtu = (uint32_t)d->profile->conf->mtu;

	return d->link_mtu && d->link_mtu < mtu ? d->link_mtu : mtu;
}

/* ---- endpoint names ---- */

const char *device_ep(const struct device *d)
{
	return d->conf->ep ? d->conf->ep : d->ep_learned;
}

static bool ep_equal(const struct map_node *n, const void *key, size_t len)
{
	const char *ep = device_ep(container_of(n, struct device, by_ep));

	return strlen(ep) == len && memcmp(ep, key, len) == 0;
}

struct device *sessions_find_ep(const struct sessions *s, const void *ep, size_t len)
{
	struct map_node *n = map_find(&s->eps, map_hash(ep, len), ep_equal, ep, len);

	return n ? container_of(n, struct device, by_ep) : NULL;
}

void device_forget_ep(struct device *d)
{
	if (d->has_ep)
		map_remove(&d->all->eps, &d->by_ep);
	d->has_ep = false;
	free(d->ep_learned);
	d->ep_learned = NULL;
}

int device_index_ep(struct device *d)
{
	const char *ep = device_ep(d);
	int err;

	if (!ep || d->has_ep)
		return 0;
	err = map_add(&d->all->eps, &d->by_ep, map_hash(ep, strlen(ep)));
	d->has_ep = !err;
	return err;
}

/* A record without ep: the name that the device registers with is its own as long as nobody else has it. */
int device_learn_ep(struct device *d, const struct coap_text *ep)
{
	char *name = strndup(ep->p, ep->len);

	if (!name)
		return -ENOMEM;
	device_forget_ep(d);
	d->ep_learned = name;
	return device_index_ep(d);
}

/* ---- quota: units per minute, as a theoretical arrival time with one minute of burst ---- */

bool device_within_quota(struct device *d)
{
	uint64_t now_us = clock_now_ms() * 1000, at = d->quota_us > now_us ? d->quota_us : now_us;

	if (at - now_us > 60000000u - d->profile->quota_step_us) {
		quota_bites(d, true, "more units than quota_units_per_min come up");
		return false;
	}
	if (at == now_us)
		quota_eases(d, true);
	d->quota_us = at + d->profile->quota_step_us;
	return true;
}

/* ---- south leg ---- */

static struct link_down down_of(enum link_class klass, rds_ports rds)
{
	return (struct link_down){ .klass = klass, .port_ue = rds_ue(rds), .port_scef = rds_scef(rds) };
}

static void note_down(struct device *d)
{
	link_count_down(device_link(d), LINK_DOWN_RES_SENT);
	d->units_down++;
	d->last_down_wall_ms = clock_wall_ms();
}

uint32_t device_unit_id(struct device *d)
{
	return ++d->next_tx_id ? d->next_tx_id : ++d->next_tx_id;
}

void device_put(struct device *d, rds_ports rds, uint32_t id, const uint8_t *data, size_t len)
{
	struct link_down how = down_of(LINK_ANSWER, rds);
	bool waits = id && d->at && device_link(d)->ops->queues;
	int err;

	how.maximum_latency_s = gate_latency_s(d, NULL);
	if (waits) {
		how.id = id;
		how.key = handover_key(d, id);
		how.once = true;
	}
	err = d->at ? device_link(d)->ops->send(d->at, &how, data, len) : -ENOTCONN;
	if (!waits || err)
		handover_told(d, id);
	if (err)
		return;
	note_down(d);
	gate_sent(d, false);
}

void device_send_named(struct device *d, rds_ports rds, uint32_t id, const uint8_t *data, size_t len)
{
	if (gate_lets_unit(d, rds, id, data, len))
		device_put(d, rds, id, data, len);
}

void device_send(struct device *d, rds_ports rds, const uint8_t *data, size_t len)
{
	device_send_named(d, rds, 0, data, len);
}

void device_send_empty(struct device *d, enum coap_type type, uint16_t mid)
{
	const struct coap_empty m = coap_empty(type, mid);

	device_send(d, d->rds, m.octets, sizeof m);
}

void device_ack(struct device *d, rds_ports rds, uint16_t mid, const uint8_t *token, size_t token_len)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, mid);

	device_send(d, rds, ack.octets, sizeof ack);
	coap_peer_answered(&d->south, mid, token, token_len, ack.octets, sizeof ack, true);
	gate_answered(d);
}

static struct device *device_of_peer(struct coap_peer *p)
{
	return container_of(p, struct device, south);
}

static uint32_t tx_id(struct device *d, struct coap_tx *tx)
{
	if (!tx->id)
		tx->id = device_unit_id(d);
	return tx->id;
}

/* What is possibly sent must be known to be so after a restart: the journal says it first. */
static bool waits_for_journal(struct coap_tx *tx)
{
	struct exchange *x = container_of(tx, struct exchange, tx);

	if (tx->kind != TX_REQUEST || !x->kept.id || (x->leaving && !x->kept.waiting))
		return false;
	if (!x->kept.waiting)
		keep_leaving(x);
	coap_tx_pause(tx, 0, false);
	return true;
}

static enum link_class class_of(const struct coap_tx *tx)
{
	return tx->kind == TX_ANSWER ? LINK_ANSWER : tx->klass == COAP_TX_BULK ? LINK_BULK : LINK_REQUEST;
}

/* The duplicate window of the device is over (INTERFACE 4, "in doubt"). */
static bool is_stale(const struct device *d, const struct coap_tx *tx)
{
	return clock_now_ms() - tx->first_ms >= coap_exchange_lifetime_ms(&d->profile->params);
}

/* What it has in the link's records, also in the next life of the process. */
static uint64_t key_of(const struct coap_tx *tx)
{
	return tx->kind == TX_REQUEST ? container_of(tx, const struct exchange, tx)->kept.id : 0;
}

static const struct assoc *assoc_of(const struct coap_tx *tx)
{
	return tx->kind == TX_ANSWER ? container_of(tx, const struct answer, tx)->x->assoc
				     : container_of(tx, const struct exchange, tx)->assoc;
}

static int south_send(struct coap_peer *p, struct coap_tx *tx, bool again)
{
	struct device *d = device_of_peer(p);
	struct link_down how = down_of(class_of(tx), assoc_of(tx)->rds);
	int err;

	if (!d->at)
		return -ENOTCONN;
	how.again = again;
	how.answer_expected = tx->kind != TX_ANSWER;
	if (tx->kind != TX_ANSWER)
		how.deadline_ms = container_of(tx, struct exchange, tx)->deadline_ms;
	if (how.deadline_ms && how.deadline_ms <= clock_now_ms() + (again ? 0 : LEAST_TRIP_MS))
		return -ETIMEDOUT; /* its turn came when nobody waits for it any more, or will when the answer comes */
	if (!gate_lets(d, tx, !again)) {
		coap_tx_pause(tx, 0, true);
		tx->put_off = true;
		return -EAGAIN;
	}
	if (again && is_stale(d, tx)) {
		if (!gate_renew(d, tx))
			return -ETIMEDOUT;
		container_of(tx, struct exchange, tx)->leaving = false; /* to be marked with its new id */
	}
	how.maximum_latency_s = gate_latency_s(d, tx);
	if (waits_for_journal(tx))
		return -EAGAIN;
	how.id = tx->con ? tx_id(d, tx) : 0;
	how.key = key_of(tx);
	err = device_link(d)->ops->send(d->at, &how, tx->data, tx->len);
	if (!err) {
		tell_sent(tx, again);
		note_down(d);
		gate_sent(d, tx->kind != TX_ANSWER);
	} else if (err == -EAGAIN || err == -ENOTCONN) { /* the link may be ready before the device is heard */
		if (!again && tx->kind == TX_REQUEST)
			keep_queued(container_of(tx, struct exchange, tx));
		coap_tx_pause(tx, clock_now_ms() + RETRY_MS, true);
	} else if (!again) {
		tx->id = 0; /* the link has never had it */
	}
	return err;
}

void device_cancel(struct device *d, struct coap_tx *tx, uint64_t key)
{
	const struct link_ops *ops = d->at ? device_link(d)->ops : NULL;

	if (ops && tx->peer && tx->id && tx->first_ms && ops->cancel)
		ops->cancel(d->at, tx->id);
	else if (ops && key && ops->cancel_key && container_of(tx, struct exchange, tx)->earlier)
		ops->cancel_key(d->at, key);
	tx->id = 0;
}

static void south_failed(struct coap_peer *p, struct coap_tx *tx, int err)
{
	(void)p;
	if (tx->kind == TX_ANSWER) {
		answer_acked(tx);
		return;
	}
	if (err == -EMSGSIZE && block_shrink(container_of(tx, struct exchange, tx)))
		return;
	if (err == -EMSGSIZE)
		exchange_fail_soon(container_of(tx, struct exchange, tx), COAP_TOO_LARGE);
	else if (err != -ETIMEDOUT)
		exchange_fail_soon(container_of(tx, struct exchange, tx), COAP_BAD_GATEWAY);
	else
		exchange_fail_soon(container_of(tx, struct exchange, tx), COAP_GATEWAY_TIMEOUT);
}

static void south_gone(struct coap_peer *p, struct coap_tx *tx)
{
	(void)p;
	(void)tx; /* of an exchange, which waits for its answer */
}

static bool south_may_leave(struct coap_peer *p, struct coap_tx *tx)
{
	return gate_lets(device_of_peer(p), tx, true);
}

const struct coap_peer_ops device_peer_ops = {
	.send = south_send, .failed = south_failed, .gone = south_gone, .may_leave = south_may_leave
};

/* ---- what the link tells of a unit on its way down ---- */

static struct coap_tx *find_tx(const struct device *d, uint32_t id)
{
	for (struct coap_tx *tx = id ? d->south.head : NULL; tx; tx = tx->next)
		if (tx->id == id)
			return tx;
	return NULL;
}

/* A time that has passed means now; one network that keeps saying so is asked less and less often. */
static uint64_t retry_time(struct coap_tx *tx, uint64_t retry_at_ms)
{
	uint64_t now = clock_now_ms();

	if (!retry_at_ms || retry_at_ms > now)
		return retry_at_ms;
	return tx->refusals++ ? now + (RETRY_MS << (tx->refusals < 8 ? tx->refusals - 2 : 6)) : now;
}

/* Not reachable: wait for its time or for the device, unless the profile wants no queue of ours. */
static void on_asleep(struct device *d, struct coap_tx *tx, uint64_t retry_at_ms)
{
	struct exchange *x = tx->kind == TX_ANSWER ? NULL : container_of(tx, struct exchange, tx);

	if (x && (!reach_holds_requests(d) || !gate_may_queue(x))) {
		reach_asleep(d, retry_at_ms > clock_now_ms() ? retry_at_ms : 0);
		exchange_fail(x, COAP_UNAVAILABLE, reach_next_contact_s(d, x->assoc), "asleep");
		return;
	}
	retry_at_ms = retry_time(tx, retry_at_ms);
	reach_asleep(d, retry_at_ms);
	if (x) {
		keep_queued(x);
		tell_down_at(x, DOWN_QUEUED, "asleep", retry_at_ms);
	}
	coap_tx_pause(tx, retry_at_ms, true);
}

static void on_temporary(struct coap_tx *tx, uint64_t retry_at_ms)
{
	uint64_t least;

	if (++tx->refusals > REFUSALS_MAX) {
		if (tx->kind != TX_ANSWER)
			exchange_fail(container_of(tx, struct exchange, tx), COAP_GATEWAY_TIMEOUT, 0, "link");
		return;
	}
	least = clock_now_ms() + (RETRY_MS << (tx->refusals - 1));
	retry_at_ms = retry_at_ms > least ? retry_at_ms : least;
	if (tx->kind == TX_REQUEST) {
		keep_queued(container_of(tx, struct exchange, tx));
		tell_down_at(container_of(tx, struct exchange, tx), DOWN_QUEUED, "link", retry_at_ms);
	}
	coap_tx_pause(tx, retry_at_ms, true);
}

static void on_failed(struct device *d, struct coap_tx *tx, const struct link_down_event *ev)
{
	uint8_t code = COAP_BAD_GATEWAY;

	count(d->all, C_DOWN_FAILED);
	tx->id = 0; /* the link has done with it */
	switch (ev->cause) {
	case LINK_CAUSE_ASLEEP:
		on_asleep(d, tx, ev->retry_at_ms);
		return;
	case LINK_CAUSE_TEMPORARY:
	case LINK_CAUSE_NO_BEARER:
		on_temporary(tx, ev->retry_at_ms);
		return;
	case LINK_CAUSE_EXPIRED:
		code = COAP_GATEWAY_TIMEOUT;
		break;
	case LINK_CAUSE_TOO_LARGE:
		if (tx->kind == TX_REQUEST && block_shrink(container_of(tx, struct exchange, tx)))
			return;
		code = COAP_TOO_LARGE;
		break;
	case LINK_CAUSE_BARRED:
		code = COAP_UNAVAILABLE;
		break;
	default:
		break;
	}
	if (tx->kind == TX_ANSWER)
		coap_tx_pause(tx, 0, false);
	else
		exchange_fail(container_of(tx, struct exchange, tx), code, 0, link_cause_names[ev->cause]);
}

/* The network says that the device is there. */
static void device_reached(struct device *d)
{
	reach_heard(d);
	coap_peer_contact(&d->south, clock_now_ms());
	gate_flush(d);
}

static void count_told(struct device *d, enum link_down_state state)
{
	if (!d->at)
		return;
	if (state == LINK_DOWN_BUFFERED)
		link_count_down(device_link(d), LINK_DOWN_RES_BUFFERED);
	else if (state == LINK_DOWN_DELIVERED || state == LINK_DOWN_ACKED)
		link_count_down(device_link(d), LINK_DOWN_RES_DELIVERED);
	else if (state == LINK_DOWN_FAILED)
		link_count_down(device_link(d), LINK_DOWN_RES_FAILED);
}

static void on_link_down(void *arg, struct device *d, const struct link_down_event *ev)
{
	struct coap_tx *tx = find_tx(d, ev->id);
	uint64_t now = clock_now_ms();

	(void)arg;
	count_told(d, ev->state);
	if (!ev->id && (ev->state == LINK_DOWN_DELIVERED || ev->state == LINK_DOWN_ACKED)) { /* of the life before */
		count(d->all, C_DOWN_OK);
		device_reached(d);
	}
	if (!tx)
		handover_told(d, ev->id);
	if (!tx || tx->state == COAP_TX_QUEUED)
		return;
	log_ev(LOG_DEBUG, ROOM, "down", LF_STR("dev", device_name(d)), LF_UINT("mid", tx->mid),
	       LF_UINT("state", ev->state), LF_STR("cause", ev->cause ? link_cause_names[ev->cause] : NULL));
	switch (ev->state) {
	case LINK_DOWN_BUFFERED: /* the network keeps it: never twice */
		tell_buffered(tx, ev->retry_at_ms);
		coap_tx_pause(tx, 0, false);
		break;
	case LINK_DOWN_DELIVERED:
		count(d->all, C_DOWN_OK);
		if (tx->state == COAP_TX_PAUSED)
			coap_tx_restart(tx, now);
		device_reached(d);
		relay_contact(d);
		break;
	case LINK_DOWN_ACKED:
		count(d->all, C_DOWN_OK);
		coap_tx_pause(tx, 0, false); /* confirmed below: only the answer is awaited */
		tell_acked(tx);
		device_reached(d);
		break;
	case LINK_DOWN_UNSURE:
		if (tx->state == COAP_TX_PAUSED)
			coap_tx_restart(tx, now);
		break;
	case LINK_DOWN_FAILED:
		on_failed(d, tx, ev);
		break;
	case LINK_DOWN_SENT:
		break;
	}
}

static void fail_all_down(struct device *d, uint8_t code, const char *why)
{
	struct exchange *next;

	for (struct exchange *x = d->down; x; x = next) {
		next = x->next;
		if (!x->over)
			exchange_fail(x, code, 0, why);
	}
}

static void on_link_device(void *arg, struct device *d, const struct link_dev_event *ev)
{
	(void)arg;
	switch (ev->kind) {
	case LINK_DEV_REACHABLE:
		device_reached(d);
		break;
	case LINK_DEV_ASLEEP:
		reach_asleep(d, ev->until_ms);
		gate_flush(d);
		break;
	case LINK_DEV_MTU:
		d->link_mtu = ev->value;
		d->link_mtu_origin = ev->origin;
		block_fits(d);
		break;
	case LINK_DEV_BARRED:
		d->barred = true;
		log_ev(LOG_WARNING, ROOM, "device.barred", LF_STR("dev", device_name(d)));
		fail_all_down(d, COAP_UNAVAILABLE, "barred");
		break;
	case LINK_DEV_ALLOWED:
		d->barred = false;
		break;
	}
	tell_changed(d);
}

static struct device *on_link_unknown(void *arg, struct link *l, const struct link_identity *id)
{
	return rule_provision(arg, l, id);
}

const struct link_events session_link_events = { session_uplink, on_link_unknown, on_link_down, on_link_device };

void device_detach(struct device *d, bool gone)
{
	gate_detach(d);
	if (d->at)
		device_link(d)->ops->detach(d->at, gone);
	d->at = NULL;
	handover_end(d);
}

void device_free(struct device *d, bool gone)
{
	d->gate.closed = true;
	while (d->assocs) {
		struct assoc *a = d->assocs;

		d->assocs = a->next;
		assoc_close(a);
	}
	expire_heard(d);
	copy_forget(d);
	relay_close(d);
	block_free(d);
	fresh_end(d);
	device_detach(d, gone);
	device_forget_ep(d);
	coap_peer_fini(&d->south);
	gate_free(d);
	if (gone)
		device_forget(d);
	else
		device_clean(d);
	if (d->stored)
		free((void *)(uintptr_t)d->conf);
	free(d);
}
