/* SPDX-License-Identifier: Apache-2.0 */
/* pace.c - how many requests a link is given in a second
 *
 * When a link or a server comes back, or a whole fleet wakes up, thousands of devices have something waiting at once.
 * Answers are owed and go; requests of servers go at a bounded rate, devices in the order in which they began to wait.
 * One timer for each link on which somebody waits.
 */
#include <stdlib.h>

#include "session/internal.h"

#define STEP_US 200u     /* 5 000 requests a second on one link */
#define STEP_ALL_US 50u  /* 20 000 on all */
#define BURST_US 200000u /* what may go at once after a pause: a fifth of a second's worth */

struct pace {
	struct pace *next;
	struct sessions *all;
	const struct link *link;
	struct gate_wait *first, **end; /* devices that wait */
	uint64_t at_us;                 /* theoretical time of the next one */
	struct timer timer;
};

/* Links are few. NULL: no memory. */
static struct pace *pace_of(struct device *d)
{
	const struct link *l = device_link(d);
	struct pace *p = d->all->paces;

	while (p && p->link != l)
		p = p->next;
	if (p)
		return p;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->all = d->all;
	p->link = l;
	p->end = &p->first;
	p->next = d->all->paces;
	d->all->paces = p;
	return p;
}

static uint64_t now_us(void)
{
	return clock_now_ms() * 1000;
}

static bool has_room(const struct pace *p)
{
	return p->at_us <= now_us() + BURST_US && p->all->pace_us <= now_us() + BURST_US;
}

/* Nobody overtakes those that wait, but for the one whose turn it is. */
bool pace_has_room(struct device *d)
{
	const struct pace *p = pace_of(d);

	return !p || (has_room(p) && (!p->first || d->gate.busy));
}

static void step(uint64_t *at_us, uint64_t step_us)
{
	*at_us = (*at_us > now_us() ? *at_us : now_us()) + step_us;
}

void pace_take(struct device *d)
{
	struct pace *p = pace_of(d);

	if (p)
		step(&p->at_us, STEP_US);
	step(&d->all->pace_us, STEP_ALL_US);
}

static void on_turn(struct timer *t, uint64_t now_ms);

static void arm(struct pace *p)
{
	uint64_t at_us = p->at_us > p->all->pace_us ? p->at_us : p->all->pace_us;

	if (p->first && !timer_is_set(&p->timer))
		timer_set(p->all->env.timers, &p->timer, (at_us - BURST_US) / 1000 + 1, on_turn);
}

static void take_out(struct pace *p, struct gate_wait *w)
{
	*w->pace_link = w->pace_next;
	*(w->pace_next ? &w->pace_next->pace_link : &p->end) = w->pace_link;
	w->pace_next = NULL;
	w->pace_link = NULL;
}

static void on_turn(struct timer *t, uint64_t now_ms)
{
	struct pace *p = container_of(t, struct pace, timer);

	(void)now_ms;
	while (p->first && has_room(p)) {
		struct device *d = p->first->dev;

		take_out(p, p->first);
		gate_flush(d);
	}
	arm(p);
}

void pace_wait(struct device *d)
{
	struct gate_wait *w = d->gate.wait;
	struct pace *p = pace_of(d);

	if (!w || !p || w->pace_link)
		return;
	w->pace_next = NULL;
	w->pace_link = p->end;
	*p->end = w;
	p->end = &w->pace_next;
	arm(p);
}

void pace_leave(struct device *d)
{
	struct gate_wait *w = d->gate.wait;

	if (w && w->pace_link)
		take_out(pace_of(d), w);
}

static bool is_open(const struct sessions *s, const struct link *l)
{
	for (size_t i = 0; i < s->links_n; i++)
		if (s->links[i] == l)
			return true;
	return false;
}

void paces_sweep(struct sessions *s)
{
	struct pace **at = &s->paces;

	while (*at) {
		struct pace *p = *at;

		if (is_open(s, p->link)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		timer_cancel(s->env.timers, &p->timer);
		free(p);
	}
}
