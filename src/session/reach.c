/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c - whether a device can be expected to listen
 *
 * Most trusted first: an uplink just now; what the network reports of the device; the window of its profile; the Q of
 * its registration. A time that the network names for a sleeper counts like a contact at that time. Without one the
 * report is believed for a minute, for a device that always listens: then it is asked again.
 */
#include "session/internal.h"

#define QUEUE_MODE_MS 93000      /* MAX_TRANSMIT_WAIT, what LwM2M recommends to a client in queue mode */
#define ASLEEP_BELIEVED_MS 60000 /* a report without a time */
#define ANSWER_WAIT_MS                                                                                        \
	2000         /* time that an answer has before others go, where nobody says how long it is waited for \
		      */
#define MAX_AGE_S 60 /* nothing is known about the next contact */

bool reach_holds_requests(const struct device *d)
{
	return d->profile->conf->queue == QUEUE_GATEWAY;
}

/* The device said Q, or its server was told so for it. */
static bool is_in_queue_mode(const struct device *d)
{
	for (const struct assoc *a = d->assocs; a; a = a->next)
		if (a->reg && a->reg->queue_mode)
			return true;
	return false;
}

uint64_t reach_window_ms(const struct device *d)
{
	uint64_t window_s = d->profile->conf->awake_window_s;

	if (window_s != AWAKE_WINDOW_ABSENT)
		return window_s * 1000;
	return is_in_queue_mode(d) ? QUEUE_MODE_MS : REACH_ALWAYS;
}

/* After a restart the wall clock tells how long ago the device was heard, where it is to be trusted. */
static uint64_t contact_before(const struct device *d)
{
	uint64_t wall = clock_wall_ms(), now = clock_now_ms(), ago = wall - d->last_up_wall_ms;
	bool trusted = !d->all->env.store || store_clock_is_trusted(d->all->env.store);

	return trusted && d->last_up_wall_ms && d->last_up_wall_ms <= wall && ago < now ? now - ago : 0;
}

static uint64_t contact_ms(struct device *d)
{
	if (!d->gate.contact_ms)
		d->gate.contact_ms = contact_before(d);
	return d->gate.contact_ms;
}

/* A report that is no longer believed. */
static void lapse(struct device *d)
{
	if (!d->asleep || d->gate.asleep_until_ms > clock_now_ms())
		return;
	d->asleep = false;
	if (d->gate.asleep_timed && d->gate.contact_ms < d->gate.asleep_until_ms)
		d->gate.contact_ms = d->gate.asleep_until_ms;
}

bool reach_is_awake(struct device *d)
{
	uint64_t window = reach_window_ms(d), at;

	lapse(d);
	if (d->asleep || window == REACH_ALWAYS)
		return !d->asleep;
	at = contact_ms(d);
	return at && clock_now_ms() - at <= window;
}

uint64_t reach_awake_until_ms(struct device *d)
{
	uint64_t window = reach_window_ms(d);

	if (!reach_is_awake(d))
		return 0;
	return window == REACH_ALWAYS ? REACH_ALWAYS : contact_ms(d) + window;
}

void reach_heard(struct device *d)
{
	bool awake = reach_is_awake(d);

	d->gate.woke = d->gate.woke || !awake;
	if (!awake)
		tell_changed(d);
	d->asleep = false;
	d->gate.contact_ms = clock_now_ms();
}

void reach_asleep(struct device *d, uint64_t until_ms)
{
	if (!d->asleep)
		tell_changed(d);
	d->asleep = true;
	d->gate.asleep_timed = until_ms != 0;
	d->gate.asleep_until_ms = until_ms ? until_ms : clock_now_ms() + ASLEEP_BELIEVED_MS;
}

/* An empty ACK ends the wait of a CON request, two seconds that of a NON. At most half of a window is spent on waiting.
 */
static uint64_t answer_due_ms(const struct exchange *x, uint64_t window_ms)
{
	uint64_t most = window_ms / 2, due;

	if (x->over || x->acked || x->deaf || x->has_no_response)
		return 0;
	due = x->ask_con ? x->empty_ack_ms : x->started_ms + ANSWER_WAIT_MS;
	return due < x->started_ms + most ? due : x->started_ms + most;
}

/* The device waits for the acknowledgement of an answer or notification that is on its way into the journal. */
static bool is_ack_due(const struct device *d)
{
	for (const struct exchange *x = d->down; x; x = x->next)
		if (x->kept.waiting && x->reply && x->reply->con)
			return true;
	for (const struct assoc *a = d->assocs; a; a = a->next)
		for (const struct note *n = a->notes; n; n = n->next)
			if (n->kept.waiting && n->ask_con && !n->acked)
				return true;
	return false;
}

uint64_t reach_hold_ms(const struct device *d)
{
	uint64_t window = reach_window_ms(d), until = 0;

	if ((!d->ups && !d->keeping) || (window == REACH_ALWAYS && !d->gate.woke))
		return 0;
	if (d->keeping && is_ack_due(d))
		until = d->gate.contact_ms + (window / 2 < ANSWER_WAIT_MS ? window / 2 : ANSWER_WAIT_MS);
	for (const struct exchange *x = d->gate.woke ? d->up : NULL; x; x = x->next) {
		uint64_t due = answer_due_ms(x, window);

		until = due > until ? due : until;
	}
	return until;
}

uint32_t reach_next_contact_s(struct device *d, const struct assoc *a)
{
	uint64_t now = clock_now_ms(), steady = clock_steady_ms(), ms = UINT64_MAX;

	if (d->asleep && d->gate.asleep_timed && d->gate.asleep_until_ms > now)
		ms = d->gate.asleep_until_ms - now;
	if (a->reg && a->reg->expires_ms > steady && a->reg->expires_ms - steady < ms)
		ms = a->reg->expires_ms - steady;
	if (ms == UINT64_MAX)
		return MAX_AGE_S;
	return ms / 1000 < UINT32_MAX ? (uint32_t)((ms + 999) / 1000) : UINT32_MAX;
}
