/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - what may go down to a device now, and what waits
 *
 * Each unit passes here, so the order of the contract holds wherever it comes from: acknowledgements and answers, then
 * requests, then blocks; requests only while the device listens, and after the answer to what it has just sent.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define UNITS_MAX 32 /* acknowledgements and answers that wait in one device */

struct gate_unit {
	struct gate_unit *next;
	uint64_t deadline_ms;
	uint32_t id; /* of an answer that is handed over; 0: nobody asks what becomes of it */
	rds_ports rds;
	uint16_t len;
	uint8_t data[];
};

/* ---- waiting ---- */

static void on_wait(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	gate_flush(container_of(t, struct gate_wait, timer)->dev);
}

static struct gate_wait *wait_get(struct device *d)
{
	if (!d->gate.wait)
		d->gate.wait = calloc(1, sizeof *d->gate.wait);
	if (d->gate.wait)
		d->gate.wait->dev = d;
	return d->gate.wait;
}

/* UINT64_MAX: something else than the time will end the wait. */
static void wait_until(struct device *d, uint64_t at_ms)
{
	struct gate_wait *w = at_ms == UINT64_MAX ? NULL : wait_get(d);

	if (w && (!timer_is_set(&w->timer) || w->timer.at_ms > at_ms))
		timer_set(d->all->env.timers, &w->timer, at_ms, on_wait);
}

static bool has_units(const struct device *d)
{
	return d->gate.wait && d->gate.wait->first;
}

/* Frees what only a device needs that waits. */
static void settle(struct device *d)
{
	struct gate_wait *w = d->gate.wait;

	if (!w || w->first || w->pace_link)
		return;
	if (!d->south.head)
		timer_cancel(d->all->env.timers, &w->timer);
	if (timer_is_set(&w->timer))
		return;
	quota_eases(d, false);
	d->gate.wait = NULL;
	free(w);
}

static struct gate_unit *unit_take(struct gate_wait *w, struct gate_unit **at)
{
	struct gate_unit *u = *at, *prev = NULL;

	for (struct gate_unit *i = w->first; i != u; i = i->next)
		prev = i;
	*at = u->next;
	if (w->last == u)
		w->last = prev;
	w->units_n--;
	return u;
}

static void drop_units(struct device *d)
{
	while (has_units(d)) {
		struct gate_unit *u = unit_take(d->gate.wait, &d->gate.wait->first);

		handover_told(d, u->id);
		free(u);
	}
}

/* ---- who may go ---- */

/* Until when the device does not listen: 0 it does. What answers its own request is sent where only a guess is against
 * it. */
static uint64_t asleep_until(struct device *d, bool answer)
{
	if (!reach_holds_requests(d) || reach_is_awake(d))
		return 0;
	if (!d->asleep)
		return answer ? 0 : UINT64_MAX;
	return answer || d->gate.asleep_timed || reach_window_ms(d) == REACH_ALWAYS ? d->gate.asleep_until_ms
										    : UINT64_MAX;
}

static void count_wait(struct device *d, struct coap_tx *tx)
{
	if (!tx->counted)
		count(d->all, C_THROTTLED);
	tx->counted = true;
}

static bool budget_lets(struct device *d, struct coap_tx *tx)
{
	if (!has_units(d) && budget_has_room(d))
		return true;
	count_wait(d, tx);
	wait_until(d, budget_room_at(d, 1));
	return false;
}

static bool pace_lets(struct device *d, struct coap_tx *tx)
{
	if (pace_has_room(d))
		return true;
	count_wait(d, tx);
	if (wait_get(d))
		pace_wait(d);
	return false;
}

static bool lets(struct device *d, struct coap_tx *tx, bool first)
{
	bool answer = tx->kind == TX_ANSWER;
	uint64_t now = clock_now_ms(), at = asleep_until(d, answer && first);

	if (at <= now && !(answer && first))
		at = reach_hold_ms(d);
	if (at > now) {
		wait_until(d, at);
		return false;
	}
	return budget_lets(d, tx) && (answer || pace_lets(d, tx));
}

bool gate_lets(struct device *d, struct coap_tx *tx, bool first)
{
	if (d->gate.closed)
		return false;
	if (!d->at || lets(d, tx, first)) /* without a link it is for the link to come back */
		return true;
	if (tx->kind == TX_REQUEST && first)
		keep_queued(container_of(tx, struct exchange, tx));
	return false;
}

/* ---- units that nobody repeats ---- */

static struct gate_unit *find_unit(struct gate_wait *w, const uint8_t *data, size_t len)
{
	struct gate_unit *u = w->first;

	while (u && (u->len != len || memcmp(u->data, data, len) != 0))
		u = u->next;
	return u;
}

static bool unit_add(struct device *d, rds_ports rds, uint32_t id, const uint8_t *data, size_t len)
{
	struct gate_wait *w = wait_get(d);
	struct gate_unit *u = w ? find_unit(w, data, len) : NULL;

	if (u) /* for a duplicate: it is on its way */
		return !id;
	u = w && w->units_n < UNITS_MAX ? malloc(sizeof *u + len) : NULL;
	if (!u)
		return false;
	u->next = NULL;
	u->deadline_ms = clock_now_ms() +
		coap_transmit_wait_ms(&d->profile->params); /* the device listens for it no longer */
	u->id = id;
	u->rds = rds;
	u->len = (uint16_t)len;
	memcpy(u->data, data, len);
	*(w->last ? &w->last->next : &w->first) = u;
	w->last = u;
	w->units_n++;
	count(d->all, C_THROTTLED);
	return true;
}

static void budget_dropped(const struct device *d, const char *why)
{
	count(d->all, C_BUDGET_DROPPED);
	log_note(ROOM, "answer.dropped", LF_STR("dev", device_name(d)), LF_STR("reason", why));
}

static void flush_units(struct device *d)
{
	uint64_t now = clock_now_ms();

	while (has_units(d)) {
		struct gate_wait *w = d->gate.wait;
		bool late = w->first->deadline_ms <= now;
		struct gate_unit *u;

		if (!late && !budget_has_room(d))
			break;
		u = unit_take(w, &w->first);
		if (late) {
			budget_dropped(d, "the device listens no longer");
			handover_told(d, u->id);
		} else {
			device_put(d, u->rds, u->id, u->data, u->len);
		}
		free(u);
	}
	if (has_units(d))
		wait_until(d, budget_room_at(d, 1));
}

bool gate_lets_unit(struct device *d, rds_ports rds, uint32_t id, const uint8_t *data, size_t len)
{
	if (!d->gate.budget || !d->at)
		return true;
	if (d->gate.closed)
		return budget_has_room(d);
	flush_units(d);
	if (!has_units(d) && budget_has_room(d))
		return true;
	if (!unit_add(d, rds, id, data, len)) {
		budget_dropped(d, "too many wait");
		handover_told(d, id);
		quota_bites(d, false, "more answers wait for the budget than are kept");
	}
	wait_until(d, budget_room_at(d, 1));
	return false;
}

bool gate_take_back(struct device *d, uint16_t mid)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, mid);
	struct gate_wait *w = d->gate.wait;
	struct gate_unit **at = w ? &w->first : NULL;

	while (at && *at && ((*at)->len != sizeof ack || memcmp((*at)->data, ack.octets, sizeof ack) != 0))
		at = &(*at)->next;
	if (!at || !*at)
		return false;
	free(unit_take(w, at));
	return true;
}

void gate_sent(struct device *d, bool request)
{
	budget_take(d);
	if (d->gate.budget)
		device_touch(d); /* what is used outlives the process */
	if (request)
		pace_take(d);
}

/* ---- going ---- */

static bool is_unsent_execute(const struct exchange *x)
{
	return !x->over && !x->tx.first_ms && x->tx.data && !gate_may_queue(x);
}

/* The device has fallen asleep before an Execute had its turn. */
static void fail_executes(struct device *d)
{
	for (struct exchange *x = d->down; x; x = x->next)
		if (is_unsent_execute(x))
			exchange_fail(x, COAP_UNAVAILABLE, reach_next_contact_s(d, x->assoc), "asleep");
}

/* When the window ends, an Execute that still waits must be told. */
static void watch_executes(struct device *d)
{
	uint64_t until = d->downs ? reach_awake_until_ms(d) : 0;

	if (!until || until == REACH_ALWAYS)
		return;
	for (const struct exchange *x = d->down; x; x = x->next)
		if (is_unsent_execute(x)) {
			wait_until(d, until + 1);
			return;
		}
}

void gate_flush(struct device *d)
{
	if (d->gate.busy || d->gate.closed || !d->at || (!d->gate.wait && !d->south.head))
		return;
	d->gate.busy = true;
	if (reach_holds_requests(d) && !reach_is_awake(d))
		fail_executes(d);
	flush_units(d);
	coap_peer_retry(&d->south, clock_now_ms());
	watch_executes(d);
	d->gate.busy = false;
	settle(d);
}

void gate_answered(struct device *d)
{
	gate_flush(d);
	if (d->gate.woke && reach_hold_ms(d) <= clock_now_ms())
		d->gate.woke = false;
}

void gate_submitted(struct exchange *x)
{
	struct device *d = x->dev;

	if (x->over || x->queued)
		return;
	x->queued = x->tx.len;
	d->all->queue_bytes += x->queued;
	watch_executes(d);
}

void gate_over(struct exchange *x)
{
	x->dev->all->queue_bytes -= x->queued;
	x->queued = 0;
}

void gate_detach(struct device *d)
{
	drop_units(d);
	pace_leave(d);
}

void gate_free(struct device *d)
{
	drop_units(d);
	pace_leave(d);
	if (d->gate.wait)
		timer_cancel(d->all->env.timers, &d->gate.wait->timer);
	free(d->gate.wait);
	d->gate.wait = NULL;
	budget_free(d);
	quota_eases(d, true);
	quota_eases(d, false);
}
