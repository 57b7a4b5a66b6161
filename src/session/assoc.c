/* SPDX-License-Identifier: Apache-2.0 */
/* assoc.c - one device at one server, and the north leg of the message layer */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define WITHDRAWN_MAX_AGE_S 60
#define DENIED_RETRY_MS 30000 /* what is held tries again to find its server trusted */
#define FULL_RETRY_MS 1000    /* the buffer of a stream */

void assoc_send(struct assoc *a, const uint8_t *data, size_t len)
{
	(void)north_assoc_send(a->north, data, len); /* what is lost here the peer asks for again */
	assoc_active(a);
}

void assoc_send_empty(struct assoc *a, enum coap_type type, uint16_t mid)
{
	const struct coap_empty m = coap_empty(type, mid);

	assoc_send(a, m.octets, sizeof m);
}

void assoc_ack(struct assoc *a, uint16_t mid, const uint8_t *token, size_t token_len)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, mid);

	assoc_send(a, ack.octets, sizeof ack);
	coap_peer_answered(&a->peer, mid, token, token_len, ack.octets, sizeof ack, true);
}

void assoc_heard_on(struct assoc *a, rds_ports rds, bool oscore)
{
	if (a->rds == rds && a->oscore == oscore)
		return;
	a->rds = rds & 0x1ffu;
	a->oscore = oscore;
	device_touch(a->dev);
	tell_changed(a->dev);
}

static struct assoc *assoc_of_peer(struct coap_peer *p)
{
	return container_of(p, struct assoc, peer);
}

/* The duplicate window at the server is over: a message sent again is a new one to it (INTERFACE 4, "in doubt"). */
static bool is_stale(const struct assoc *a, const struct coap_tx *tx)
{
	const struct coap_params *p = &a->srv->params;

	return !a->srv->stream &&
		clock_now_ms() - tx->first_ms >= (tx->con ? coap_exchange_lifetime_ms(p) : coap_non_lifetime_ms(p));
}

/* Whether it may go to the server once more as another message. */
static bool may_renew(const struct coap_tx *tx)
{
	if (!tx->con) /* at most once */
		return false;
	if (tx->kind == TX_NOTE)
		return !container_of(tx, const struct note, tx)->oscore;
	if (tx->kind == TX_REQUEST) {
		const struct exchange *x = container_of(tx, const struct exchange, tx);

		return !x->oscore && !x->in_doubt &&
			x->deadline_ms > clock_now_ms(); /* else its device is about to be told an error */
	}
	return false;
}

static void renew(struct assoc *a, struct coap_tx *tx)
{
	uint16_t old = tx->mid;

	tx->mid = coap_peer_mid(&a->peer);
	log_ev(LOG_INFO, ROOM, "in_doubt", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_STR("dir", "up"), LF_UINT("old_mid", old),
	       LF_UINT("north_mid", tx->mid));
	tx->data[2] = (uint8_t)(tx->mid >> 8);
	tx->data[3] = (uint8_t)tx->mid;
	tx->first_ms = clock_now_ms();
	if (tx->kind == TX_REQUEST)
		container_of(tx, struct exchange, tx)->in_doubt = true;
	keep_renewed(tx);
	count(a->dev->all, C_IN_DOUBT);
}

/* What an error of the transport means for the message: 0 it may be lost, and is repeated; -EAGAIN it waits. */
static int judge(struct assoc *a, struct coap_tx *tx, bool again, int err)
{
	bool waits;

	a->denied = err == -EACCES;
	waits = err == -ENOTCONN || (err == -EACCES && tx->kind == TX_NOTE) || (err == -EAGAIN && a->srv->stream);

	if (!waits) /* a full socket buffer is a lost datagram: the timer repeats it */
		return err == -EAGAIN ? 0 : err;
	if (!again)
		keep_stayed(a, tx);
	if (err == -ENOTCONN)
		return err;
	coap_tx_pause(tx, clock_now_ms() + (err == -EACCES ? DENIED_RETRY_MS : FULL_RETRY_MS), true);
	return -EAGAIN;
}

static int north_send(struct coap_peer *p, struct coap_tx *tx, bool again)
{
	struct assoc *a = assoc_of_peer(p);

	if (again && is_stale(a, tx)) {
		if (!may_renew(tx))
			return -ESTALE;
		renew(a, tx);
	}
	if (block_is_unknown(a, tx))
		return -EMSGSIZE;
	if (keep_departs(a, tx, again))
		return -EAGAIN;
	assoc_active(a);
	return judge(a, tx, again, north_assoc_send(a->north, tx->data, tx->len));
}

static void drop_note(struct assoc *a, struct note *n)
{
	held_dropped(a, 1, "no answer");
	coap_tx_remove(&n->tx, clock_now_ms());
	note_free(n);
}

static bool is_over(const struct assoc *a, const struct coap_tx *tx, int err)
{
	return err == -ESTALE || (is_stale(a, tx) && !may_renew(tx));
}

/* Retransmissions are used up: it waits for the server, or has waited too long to be sent at all. */
static void silent_exchange(struct assoc *a, struct exchange *x, int err)
{
	if (is_over(a, &x->tx, err))
		exchange_fail_soon(x, COAP_GATEWAY_TIMEOUT);
	else
		assoc_set_silent(a);
}

static void silent_note(struct assoc *a, struct note *n, int err)
{
	if (is_over(a, &n->tx, err))
		drop_note(a, n);
	else
		assoc_set_silent(a);
}

/* The transport does not take it at all. */
static void refused_note(struct assoc *a, struct note *n, int err)
{
	log_ev(LOG_WARNING, ROOM, "notification.lost", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_UINT("len", n->tx.len), LF_STR("reason", strerror(-err)));
	count(a->dev->all, err == -EMSGSIZE ? C_TOO_BIG : C_HOLD_DROPPED);
	coap_tx_remove(&n->tx, clock_now_ms());
	note_free(n);
}

static uint8_t code_of(const struct assoc *a, int err)
{
	return err == -EMSGSIZE ? COAP_TOO_LARGE : err == -EACCES ? assoc_denied_code(a) : COAP_BAD_GATEWAY;
}

static void north_failed(struct coap_peer *p, struct coap_tx *tx, int err)
{
	struct assoc *a = assoc_of_peer(p);
	bool silent = err == -ETIMEDOUT || err == -ESTALE;

	if (tx->kind == TX_ANSWER) /* the server does not want it any more */
		answer_acked(tx);
	else if (tx->kind == TX_NOTE && silent)
		silent_note(a, container_of(tx, struct note, tx), err);
	else if (tx->kind == TX_NOTE)
		refused_note(a, container_of(tx, struct note, tx), err);
	else if (silent)
		silent_exchange(a, container_of(tx, struct exchange, tx), err);
	else
		exchange_fail_soon(container_of(tx, struct exchange, tx), code_of(a, err));
	if (err == -ETIMEDOUT)
		north_assoc_unanswered(a->north);
}

static void north_gone(struct coap_peer *p, struct coap_tx *tx)
{
	(void)p;
	if (tx->kind == TX_NOTE)
		note_free(container_of(tx, struct note, tx));
	else if (tx->kind == TX_REQUEST)
		exchange_departed(container_of(tx, struct exchange, tx));
}

static bool north_may_leave(struct coap_peer *p, struct coap_tx *tx)
{
	(void)p;
	return note_may_leave(tx);
}

const struct coap_peer_ops assoc_peer_ops = {
	.send = north_send, .failed = north_failed, .gone = north_gone, .may_leave = north_may_leave
};

struct assoc *assoc_get_at(struct device *d, struct server *srv, uint16_t port)
{
	struct assoc *a = d->assocs;

	while (a && a->srv != srv)
		a = a->next;
	if (a)
		return a;
	a = assoc_open(d, srv, port, NULL, 0);
	if (a)
		device_touch(d);
	return a;
}

struct assoc *assoc_get(struct device *d, struct server *srv)
{
	return assoc_get_at(d, srv, 0);
}

struct assoc *assoc_open(struct device *d, struct server *srv, uint16_t port, const uint8_t *resume, size_t resume_len)
{
	struct assoc *a = calloc(1, sizeof *a);
	int err;

	if (!a)
		return NULL;
	a->dev = d;
	a->srv = srv;
	coap_peer_init(&a->peer, &srv->leg);
	assoc_restore_resumption(a, resume, resume_len);
	err = north_assoc_open(&a->north, srv->north, d->conf->head.name, port, a);
	if (err && port) { /* somebody took it while the daemon was down */
		log_ev(LOG_WARNING, ROOM, "assoc.port_taken", LF_STR("dev", d->conf->head.name), LF_UINT("port", port));
		err = north_assoc_open(&a->north, srv->north, d->conf->head.name, 0, a);
	}
	if (err) {
		log_ev(LOG_WARNING, ROOM, "assoc.failed", LF_STR("dev", d->conf->head.name),
		       LF_STR("server", srv->conf->head.name), LF_STR("reason", strerror(-err)));
		assoc_extra_free(a);
		free(a);
		return NULL;
	}
	a->next = d->assocs;
	d->assocs = a;
	assoc_watch(a);
	return a;
}

/* Whoever waits is told, once: what is withdrawn cannot repeat it. */
static void end_exchanges(struct exchange *x, const struct assoc *a)
{
	while (x) {
		struct exchange *next = x->next;

		if (x->assoc == a) {
			if (!x->over && !a->dev->all->ending)
				exchange_fail(x, COAP_UNAVAILABLE, WITHDRAWN_MAX_AGE_S, "withdrawn");
			exchange_free(x);
		}
		x = next;
	}
}

void assoc_close(struct assoc *a)
{
	a->closing = true;
	assoc_clear_silent(a);
	a->peer.ending = true;
	a->peer.away = true;
	relations_drop(a);
	end_exchanges(a->dev->up, a);
	end_exchanges(a->dev->down, a);
	block_forget(a);
	while (a->notes) {
		struct note *n = a->notes;

		coap_tx_remove(&n->tx, clock_now_ms());
		note_free(n);
	}
	coap_peer_fini(&a->peer);
	north_assoc_close(a->north);
	assoc_extra_free(a);
	registration_free(a->reg);
	own_forget(a);
	copy_forget_leg(a);
	free(a);
}
