/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - retransmission, order and NSTART of one leg
 *
 * One list per peer: those that hold a place (in flight, paused, silent) stand before those that wait. A place is given
 * back only when its tx is taken out, so a message that found nobody keeps everything behind it in order. Answers hold
 * no place, since they belong to an exchange that is open already; they are queued only while the owner lets none
 * leave.
 */
#include "coap/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define RANDOM_FACTOR_PERMILLE 1500u /* ACK_RANDOM_FACTOR, RFC 7252 4.8 */

uint64_t coap_transmit_span_ms(const struct coap_params *p)
{
	return (uint64_t)p->ack_timeout_ms * ((1u << p->max_retransmit) - 1) * RANDOM_FACTOR_PERMILLE / 1000;
}

uint64_t coap_transmit_wait_ms(const struct coap_params *p)
{
	return (uint64_t)p->ack_timeout_ms * ((2u << p->max_retransmit) - 1) * RANDOM_FACTOR_PERMILLE / 1000;
}

uint64_t coap_exchange_lifetime_ms(const struct coap_params *p)
{
	return coap_transmit_span_ms(p) + 2ull * p->max_latency_ms + p->ack_timeout_ms;
}

uint64_t coap_non_lifetime_ms(const struct coap_params *p)
{
	return coap_transmit_span_ms(p) + p->max_latency_ms;
}

void coap_peer_init(struct coap_peer *p, const struct coap_leg *leg)
{
	*p = (struct coap_peer){ .leg = leg };
	random_bytes(&p->next_mid, sizeof p->next_mid);
	p->mid_limit = p->next_mid;
}

#define MID_MARGIN 64 /* left when the next reservation is asked for */

uint16_t coap_peer_mid(struct coap_peer *p)
{
	if ((uint16_t)(p->mid_limit - p->next_mid) <= MID_MARGIN)
		p->mids_low = true;
	return p->next_mid++;
}

uint16_t coap_peer_reserve(struct coap_peer *p)
{
	p->mid_limit = (uint16_t)(p->next_mid + COAP_MIDS_RESERVED);
	p->mids_low = false;
	return p->mid_limit;
}

void coap_peer_restore_mid(struct coap_peer *p, uint16_t limit)
{
	p->next_mid = limit;
	p->mid_limit = limit;
	p->mids_low = true;
}

void coap_peer_skip_mid(struct coap_peer *p, uint16_t mid)
{
	if ((uint16_t)(mid - p->next_mid) >= 2 * COAP_MIDS_RESERVED)
		return; /* behind already, or so far ahead that its window has passed when it would be reached */
	p->next_mid = (uint16_t)(mid + 1);
	if ((uint16_t)(p->mid_limit - p->next_mid) > COAP_MIDS_RESERVED)
		p->mid_limit = p->next_mid;
	p->mids_low = true;
}

int coap_tx_set(struct coap_tx *tx, const uint8_t *data, size_t len, enum coap_tx_class klass)
{
	uint8_t *copy = malloc(len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	free(tx->data);
	*tx = (struct coap_tx){ .data = copy,
				.len = (uint16_t)len,
				.mid = (uint16_t)(data[2] << 8 | data[3]),
				.klass = (uint8_t)klass,
				.con = (data[0] >> 4 & 3) == COAP_CON };
	return 0;
}

void coap_tx_clear(struct coap_tx *tx)
{
	free(tx->data);
	tx->data = NULL;
	tx->len = 0;
}

/* ---- the list ---- */

static bool is_active(const struct coap_tx *tx)
{
	return tx->state > COAP_TX_QUEUED;
}

static bool is_stuck(const struct coap_tx *tx)
{
	return tx->state == COAP_TX_PAUSED || tx->state == COAP_TX_SILENT;
}

/* Only requests and notifications hold places; answers come and go beside them. */
static bool holds_place(const struct coap_tx *tx)
{
	return tx->klass != COAP_TX_ANSWER && is_active(tx);
}

static void set_state(struct coap_tx *tx, enum coap_tx_state state)
{
	struct coap_peer *p = tx->peer;
	bool held = holds_place(tx), stuck = held && is_stuck(tx);

	tx->state = (uint8_t)state;
	p->active = (uint8_t)(p->active + holds_place(tx) - held);
	p->stuck = (uint8_t)(p->stuck + (holds_place(tx) && is_stuck(tx)) - stuck);
}

static void insert_after(struct coap_peer *p, struct coap_tx *at, struct coap_tx *tx)
{
	tx->prev = at;
	tx->next = at ? at->next : p->head;
	*(tx->next ? &tx->next->prev : &p->tail) = tx;
	*(at ? &at->next : &p->head) = tx;
	tx->peer = p;
}

static void unlink_tx(struct coap_tx *tx)
{
	struct coap_peer *p = tx->peer;

	*(tx->prev ? &tx->prev->next : &p->head) = tx->next;
	*(tx->next ? &tx->next->prev : &p->tail) = tx->prev;
	tx->next = tx->prev = NULL;
	tx->peer = NULL;
}

static struct coap_tx *queue_place(struct coap_peer *p, enum coap_tx_class klass)
{
	struct coap_tx *at = p->tail;

	while (at && at->state == COAP_TX_QUEUED && at->klass > klass)
		at = at->prev;
	return at;
}

static struct coap_tx *first_queued(const struct coap_peer *p)
{
	struct coap_tx *tx = p->head;

	while (tx && tx->state != COAP_TX_QUEUED)
		tx = tx->next;
	return tx;
}

/* ---- sending ---- */

static void on_tx_timer(struct timer *t, uint64_t now_ms);

static void start_timer(struct coap_tx *tx, uint64_t now_ms)
{
	timer_set(tx->peer->leg->shared->timers, &tx->timer, now_ms + tx->timeout_ms, on_tx_timer);
}

static uint32_t first_timeout(const struct coap_params *p)
{
	return p->ack_timeout_ms + random_below(p->ack_timeout_ms * (RANDOM_FACTOR_PERMILLE - 1000) / 1000 + 1);
}

/* A NON leaves the peer with its first transmission. */
static void release_non(struct coap_tx *tx)
{
	struct coap_peer *p = tx->peer;

	set_state(tx, COAP_TX_IDLE);
	unlink_tx(tx);
	p->leg->ops->gone(p, tx);
}

static void transmit(struct coap_tx *tx, uint64_t now_ms)
{
	struct coap_peer *p = tx->peer;
	bool again = tx->first_ms != 0;
	int err;

	set_state(tx, COAP_TX_FLIGHT); /* the transport's events may come from within */
	if (!again)
		tx->first_ms = now_ms ? now_ms : 1;
	else
		p->leg->shared->retransmissions++;
	err = p->leg->ops->send(p, tx, again);
	if (err == -EAGAIN || err == -ENOTCONN) {
		if (!again)
			tx->first_ms = 0; /* it has not left */
		if (tx->state == COAP_TX_FLIGHT)
			coap_tx_pause(tx, 0, true);
		return;
	}
	if (err) {
		set_state(tx, COAP_TX_SILENT);
		p->leg->ops->failed(p, tx, err);
		return;
	}
	if (!tx->con)
		release_non(tx);
	else if (tx->state == COAP_TX_FLIGHT && !timer_is_set(&tx->timer))
		start_timer(tx, now_ms);
}

static void begin_cycle(struct coap_tx *tx, uint64_t now_ms)
{
	tx->retries = 0;
	tx->put_off = false;
	tx->timeout_ms = first_timeout(tx->peer->leg->params);
	timer_cancel(tx->peer->leg->shared->timers, &tx->timer);
	transmit(tx, now_ms);
}

static bool is_let(struct coap_peer *p, struct coap_tx *tx)
{
	return !p->leg->ops->may_leave || p->leg->ops->may_leave(p, tx);
}

static bool may_leave(struct coap_peer *p, struct coap_tx *tx)
{
	if (tx->klass != COAP_TX_ANSWER) {
		bool turn = tx->con ? p->active < p->leg->params->nstart : !p->stuck && !p->away;

		if (!turn || p->ending)
			return false;
	}
	return is_let(p, tx);
}

/* A message that fails at once is taken out by its owner, which comes back here: the first call goes on for all. */
static void send_queued(struct coap_peer *p, uint64_t now_ms)
{
	struct coap_tx *tx;

	if (p->sending)
		return;
	p->sending = true;
	while ((tx = first_queued(p)) && may_leave(p, tx))
		begin_cycle(tx, now_ms);
	p->sending = false;
}

/* A NON that was stuck gives its place back when it leaves. */
static void go(struct coap_tx *tx, uint64_t now_ms)
{
	struct coap_peer *p = tx->peer;

	begin_cycle(tx, now_ms);
	send_queued(p, now_ms);
}

static void on_tx_timer(struct timer *t, uint64_t now_ms)
{
	struct coap_tx *tx = container_of(t, struct coap_tx, timer);
	struct coap_peer *p = tx->peer;

	if (tx->state != COAP_TX_FLIGHT) {
		go(tx, now_ms);
		return;
	}
	if (tx->retries >= p->leg->params->max_retransmit) {
		set_state(tx, COAP_TX_SILENT);
		p->leg->ops->failed(p, tx, -ETIMEDOUT);
		return;
	}
	tx->retries++;
	tx->timeout_ms *= 2;
	transmit(tx, now_ms);
}

static bool answers_wait(const struct coap_peer *p)
{
	const struct coap_tx *tx = first_queued(p);

	return tx && tx->klass == COAP_TX_ANSWER;
}

void coap_tx_submit(struct coap_peer *p, struct coap_tx *tx, uint64_t now_ms)
{
	if (tx->klass == COAP_TX_ANSWER && !answers_wait(p) && is_let(p, tx)) {
		insert_after(p, NULL, tx);
		begin_cycle(tx, now_ms);
		return;
	}
	insert_after(p, queue_place(p, tx->klass), tx);
	tx->state = COAP_TX_QUEUED;
	send_queued(p, now_ms);
}

void coap_tx_remove(struct coap_tx *tx, uint64_t now_ms)
{
	struct coap_peer *p = tx->peer;

	if (!p)
		return;
	timer_cancel(p->leg->shared->timers, &tx->timer);
	set_state(tx, COAP_TX_IDLE);
	unlink_tx(tx);
	send_queued(p, now_ms);
}

void coap_tx_pause(struct coap_tx *tx, uint64_t at_ms, bool on_contact)
{
	if (!tx->peer || tx->state == COAP_TX_QUEUED)
		return;
	timer_cancel(tx->peer->leg->shared->timers, &tx->timer);
	set_state(tx, COAP_TX_PAUSED);
	tx->on_contact = on_contact;
	tx->put_off = false;
	if (at_ms)
		timer_set(tx->peer->leg->shared->timers, &tx->timer, at_ms, on_tx_timer);
}

void coap_tx_go(struct coap_tx *tx, uint64_t now_ms)
{
	if (tx->peer && is_stuck(tx))
		go(tx, now_ms);
}

void coap_tx_restart(struct coap_tx *tx, uint64_t now_ms)
{
	if (!tx->peer || tx->state == COAP_TX_QUEUED)
		return;
	set_state(tx, COAP_TX_FLIGHT);
	timer_cancel(tx->peer->leg->shared->timers, &tx->timer);
	start_timer(tx, now_ms);
}

#define STUCK_MOST 160 /* the largest NSTART, and an answer for each open exchange */

typedef bool go_fn(const struct coap_tx *tx);

static bool is_heard(const struct coap_tx *tx)
{
	return tx->state == COAP_TX_PAUSED && tx->on_contact;
}

static bool is_put_off(const struct coap_tx *tx)
{
	return tx->state == COAP_TX_PAUSED && tx->put_off;
}

/* Sending one may take it, or any other, out of the list, so what is to go is noted first and looked up again. Answers
 * go first; they stand in the list with the latest at its head. */
static void go_all(struct coap_peer *p, uint64_t now_ms, go_fn *wanted)
{
	struct coap_tx *list[STUCK_MOST];
	size_t n = 0;

	for (struct coap_tx *tx = p->tail; tx && n < sizeof list / sizeof *list; tx = tx->prev)
		if (tx->klass == COAP_TX_ANSWER && wanted(tx))
			list[n++] = tx;
	for (struct coap_tx *tx = p->head; tx && n < sizeof list / sizeof *list; tx = tx->next)
		if (tx->klass != COAP_TX_ANSWER && wanted(tx))
			list[n++] = tx;
	for (size_t i = 0; i < n; i++) {
		struct coap_tx *tx = p->head;

		while (tx && tx != list[i])
			tx = tx->next;
		if (tx)
			coap_tx_go(tx, now_ms);
	}
}

void coap_peer_contact(struct coap_peer *p, uint64_t now_ms)
{
	if (p->head)
		go_all(p, now_ms, is_heard);
}

void coap_peer_retry(struct coap_peer *p, uint64_t now_ms)
{
	if (!p->head)
		return;
	go_all(p, now_ms, is_put_off);
	send_queued(p, now_ms);
}

void coap_peer_resume(struct coap_peer *p, uint64_t now_ms)
{
	p->away = false;
	if (!p->head)
		return;
	go_all(p, now_ms, is_stuck);
	send_queued(p, now_ms);
}

struct coap_tx *coap_peer_stuck(const struct coap_peer *p)
{
	for (struct coap_tx *tx = p->head; tx && is_active(tx); tx = tx->next)
		if (tx->con && is_stuck(tx) && tx->klass != COAP_TX_ANSWER)
			return tx;
	return NULL;
}

struct coap_tx *coap_peer_find(const struct coap_peer *p, uint16_t mid)
{
	for (struct coap_tx *tx = p->head; tx && is_active(tx); tx = tx->next)
		if (tx->con && tx->mid == mid && tx->first_ms)
			return tx;
	return NULL;
}

size_t coap_peer_queued(const struct coap_peer *p)
{
	size_t n = 0;

	for (const struct coap_tx *tx = p->head; tx; tx = tx->next)
		n++;
	return n;
}

bool coap_peer_clear(const struct coap_peer *p)
{
	return !p->stuck && !p->away && !first_queued(p);
}
