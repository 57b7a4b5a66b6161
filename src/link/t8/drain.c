/* SPDX-License-Identifier: Apache-2.0 */
/* drain.c - a link that is closed while configurations of removed devices are still being deleted at the peer
 *
 * To its devices and to the rest of the process it is gone; only those requests go on, for a few seconds at most. It
 * then stands on its own: the configuration that it was opened with has been freed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define DRAIN_MS 10000

/* What requests under way still ask of a configuration. */
static struct t8_conf *own_conf(const struct t8_conf *from)
{
	struct t8_conf *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->base.type = from->base.type;
	c->delivery_timeout_s = from->delivery_timeout_s;
	c->base.head.name = strdup(from->base.head.name);
	if (c->base.head.name)
		return c;
	free(c);
	return NULL;
}

static void finish(struct t8_link *l)
{
	struct t8_shared *s = l->shared;
	struct t8_conf *own = l->own;

	LIST_REMOVE(l, mate);
	l->shared = NULL;
	t8_free(l);
	free((void *)(uintptr_t)own->base.head.name);
	free(own);
	t8_shared_put(s);
}

static void on_end(struct timer *t, uint64_t now_ms)
{
	struct t8_link *l = container_of(t, struct t8_link, tick);
	unsigned left = 0;
	struct t8_call *c;

	(void)now_ms;
	LIST_FOREACH(c, &l->calls, link)
	left++;
	if (left)
		log_ev(LOG_WARNING, ROOM, "config.left_behind", LF_STR("link", t8_name(l)), LF_UINT("count", left));
	finish(l);
}

bool t8_drain(struct t8_link *l)
{
	struct t8_shared *s = l->shared;

	if (!s || !l->base.env->t8 || !(l->own = own_conf(l->conf)))
		return false;
	l->conf = l->own;
	l->base.conf = &l->own->base;
	LIST_REMOVE(l, mate);
	LIST_INSERT_HEAD(&s->draining, l, mate);
	timer_set(l->timers, &l->tick, clock_now_ms() + DRAIN_MS, on_end);
	return true;
}

/* From the loop, because an answer is on the stack. */
void t8_drain_step(struct t8_link *l)
{
	if (l->own && LIST_EMPTY(&l->calls))
		timer_set(l->timers, &l->tick, clock_now_ms(), on_end);
}

void t8_drain_end(struct t8_shared *s)
{
	struct t8_link *l, *next;

	for (l = LIST_FIRST(&s->draining); l; l = next) {
		next = LIST_NEXT(l, mate);
		timer_cancel(l->timers, &l->tick);
		if (!next && LIST_EMPTY(&s->links)) {
			finish(l); /* frees s too */
			return;
		}
		finish(l);
	}
}

void t8_end(const struct link_env *env)
{
	if (env->t8 && *env->t8)
		t8_drain_end(*env->t8);
}
