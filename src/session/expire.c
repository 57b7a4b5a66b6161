/* SPDX-License-Identifier: Apache-2.0 */
/* expire.c - registrations whose lifetime has passed
 *
 * The server owns the registration, so nothing is done to it but telling, once. One timer for all stands at the
 * earliest end that is known; then all devices are looked at, in slices, so that a million of them hold up nobody.
 */
#include "session/internal.h"

#define SLICE 2048        /* devices looked at in a go */
#define SLICE_GAP_MS 20   /* between two goes */
#define SWEEP_GAP_MS 1000 /* between two sweeps */

static void on_time(struct timer *t, uint64_t now_ms);

static void arm(struct sessions *s, uint64_t at_ms)
{
	uint64_t now = clock_steady_ms(), in = at_ms > now ? at_ms - now : 0;

	timer_set(s->env.timers, &s->expiry, clock_now_ms() + (in > SWEEP_GAP_MS ? in : SWEEP_GAP_MS), on_time);
}

/* One that was told to register elsewhere has done so: that is no event. */
static void tell(struct assoc *a)
{
	a->reg->told = true;
	if (a->switching)
		return;
	tell_event(a, SESSION_EXPIRED, "lifetime", false);
	a->dev->silent = true;
	alarm_raise(a->dev->all->env.alarms, ALARM_WARNING, "device.silent", device_name(a->dev),
		    "the lifetime of its registration has passed without an update", "look after the device");
	log_ev(LOG_INFO, ROOM, "expired", LF_STR("dev", device_name(a->dev)), LF_STR("ep", device_ep(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_UINT("lifetime_s", a->reg->lifetime_s));
}

static void look(struct sessions *s, const struct device *d)
{
	uint64_t now = clock_steady_ms();

	for (struct assoc *a = d->assocs; a; a = a->next) {
		if (!a->reg || !a->reg->expires_ms || a->reg->told)
			continue;
		if (a->reg->expires_ms < now)
			tell(a);
		else if (a->reg->expires_ms < s->expiry_ms)
			s->expiry_ms = a->reg->expires_ms;
	}
}

static void on_time(struct timer *t, uint64_t now_ms)
{
	struct sessions *s = container_of(t, struct sessions, expiry);
	const struct device *d = NULL;

	if (!s->expiry_at)
		s->expiry_ms = UINT64_MAX;
	for (unsigned n = 0; n < SLICE && (d = table_next(s, &s->expiry_at)); n++)
		look(s, d);
	if (d) {
		timer_set(s->env.timers, t, now_ms + SLICE_GAP_MS, on_time);
		return;
	}
	s->expiry_at = 0;
	if (s->expiry_ms != UINT64_MAX)
		arm(s, s->expiry_ms + 1);
}

void expire_heard(struct device *d)
{
	if (!d->silent)
		return;
	d->silent = false;
	alarm_clear(d->all->env.alarms, "device.silent", device_name(d));
}

void expire_watch(struct assoc *a)
{
	struct sessions *s = a->dev->all;
	uint64_t at;

	if (!a->reg || !a->reg->expires_ms)
		return;
	at = a->reg->expires_ms;
	a->reg->told = false;
	if (timer_is_set(&s->expiry) && (s->expiry_at || s->expiry_ms <= at)) {
		if (s->expiry_at && at < s->expiry_ms)
			s->expiry_ms = at;
		return;
	}
	s->expiry_ms = at;
	arm(s, at + 1);
}

void expire_restart(struct sessions *s)
{
	if (!s->expiry_at)
		return;
	s->expiry_at = 0;
	s->expiry_ms = UINT64_MAX;
}

void expire_stop(struct sessions *s)
{
	timer_cancel(s->env.timers, &s->expiry);
}
