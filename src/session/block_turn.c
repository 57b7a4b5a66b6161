/* SPDX-License-Identifier: Apache-2.0 */
/* block_turn.c - a device puts one body together at a time
 *
 * Whoever begins another one meanwhile waits, until its patience ends; a server that does not go on with its own is
 * waited for as long as it may still repeat itself.
 */
#include <stdlib.h>

#include "session/block.h"

static void let_go(struct exchange *x)
{
	x->dev->all->block_bytes -= x->held;
	x->held = 0;
}

static void on_review(struct timer *t, uint64_t now_ms);

void transfers_review(struct transfers *t)
{
	timer_set(t->dev->all->env.timers, &t->timer, 1, on_review);
}

struct transfers *transfers_of(struct device *d)
{
	if (!d->blocks) {
		d->blocks = calloc(1, sizeof *d->blocks);
		if (d->blocks)
			d->blocks->dev = d;
	}
	return d->blocks;
}

static bool is_same(const struct transfers *t, const struct exchange *x)
{
	return t->assoc == x->assoc && t->operation == x->cut->operation;
}

/* Between two blocks of a body its server may go on, or begin another one instead; the others wait. */
static bool may_go(const struct transfers *t, const struct exchange *x)
{
	if (t->now)
		return false;
	if (!t->assoc || t->given_up || is_same(t, x))
		return true;
	return t->assoc == x->assoc && !coap_block_num(x->cut->asked);
}

/* The same block again that ended in the middle: what the device has of it is not sent once more. */
static void resume(struct transfers *t, struct exchange *x)
{
	struct coap_cut *c = &x->cut->c;
	uint64_t digest = map_hash(x->cut->body, c->len);

	if (t->digest == digest && t->base == c->base && t->len == c->len && t->done < c->len) {
		c->at = t->done;
		return;
	}
	if (!c->base)
		t->szx = COAP_SZX_MAX; /* a new beginning */
	t->digest = digest;
	t->base = c->base;
	t->len = c->len;
	t->done = 0;
}

static void begin(struct transfers *t, struct exchange *x)
{
	struct cut *k = x->cut;

	k->waits = false;
	if (!is_same(t, x)) {
		t->assoc = x->assoc;
		t->operation = k->operation;
		t->szx = COAP_SZX_MAX;
		t->digest = 0;
		t->len = t->done = 0;
	}
	t->given_up = false;
	t->now = x;
	if (k->whole) {
		resume(t, x);
		cut_send(x);
	} else {
		x->tx.klass = COAP_TX_BULK;
		coap_tx_submit(&x->dev->south, &x->tx, clock_now_ms());
	}
}

/* The list has the latest first. */
static struct exchange *next_of(const struct transfers *t, bool *waiting)
{
	struct exchange *next = NULL;

	*waiting = false;
	for (struct exchange *x = t->dev->down; x; x = x->next)
		if (x->cut && x->cut->waits && !x->over) {
			*waiting = true;
			if (may_go(t, x))
				next = x;
		}
	return next;
}

static void close_series(struct transfers *t)
{
	t->assoc = NULL;
	t->given_up = false;
}

static void on_review(struct timer *timer, uint64_t now_ms)
{
	struct transfers *t = container_of(timer, struct transfers, timer);
	struct device *d = t->dev;
	struct exchange *next;
	uint64_t at = UINT64_MAX;
	bool waiting;

	if (!t->now && t->assoc && t->idle_ms <= now_ms)
		close_series(t);
	served_expire(t, now_ms);
	next = next_of(t, &waiting);
	if (next) {
		begin(t, next);
	} else if (!t->now && !t->assoc && !t->served && !waiting) {
		d->blocks = NULL;
		free(t);
		return;
	}
	if (!t->now && t->assoc)
		at = t->idle_ms;
	if (t->served && served_until(t) < at)
		at = served_until(t);
	if (at != UINT64_MAX)
		timer_set(d->all->env.timers, &t->timer, at, on_review);
}

void turn_take(struct transfers *t, struct exchange *x)
{
	x->cut->waits = true;
	if (may_go(t, x))
		begin(t, x);
	else
		keep_queued(x);
}

/* ---- ends ---- */

/* The turn is over: with an answer that wants more, without one (the server may try again), or for good. */
void block_over(struct exchange *x)
{
	struct transfers *t = x->dev->blocks;
	struct cut *k = x->cut;

	let_go(x);
	if (!k)
		return;
	if (t && t->now == x) {
		t->now = NULL;
		t->idle_ms = clock_now_ms() + 2 * coap_exchange_lifetime_ms(&x->dev->profile->params);
		if (!k->series || (k->answered && (coap_class(k->answered) != 2 || !coap_block_more(k->asked))))
			close_series(t);
		else
			t->given_up = !k->answered;
		transfers_review(t);
	}
	cut_free(x);
}

void block_give_up(struct assoc *a)
{
	struct transfers *t = a->dev->blocks;

	if (!t || t->assoc != a || t->now)
		return;
	t->given_up = true;
	transfers_review(t);
}

void block_forget(struct assoc *a)
{
	struct transfers *t = a->dev->blocks;

	if (!t)
		return;
	served_forget(t, a);
	if (t->assoc == a && !t->now)
		close_series(t);
	transfers_review(t);
}

void block_free(struct device *d)
{
	struct transfers *t = d->blocks;

	if (d->too_big)
		alarm_clear(d->all->env.alarms, "device.too_big", device_name(d));
	if (!t)
		return;
	timer_cancel(d->all->env.timers, &t->timer);
	served_free(t);
	free(t);
	d->blocks = NULL;
}
