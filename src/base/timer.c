/* SPDX-License-Identifier: Apache-2.0 */
/* timer.c - a pairing heap that keeps the order of equal timers
 *
 * The children of a node stand in the order in which they (and all below them) were set, and two heaps are only ever
 * joined as "older" and "newer"; of equal times the older stays on top. So timers of equal time leave in the order in
 * which they were set, without a sequence number in each. Children form a ring: `child` is the last of them, its `next`
 * the first, so that both ends are at hand.
 */
#include "base/timer.h"

static bool is_first(const struct timer *t)
{
	return t->prev->child && t->prev->child->next == t;
}

static bool is_last(const struct timer *t)
{
	return t->next->prev != t; /* next is then the first child, and its prev the parent */
}

static void push_back(struct timer *parent, struct timer *t)
{
	struct timer *last = parent->child;

	t->next = last ? last->next : t;
	t->prev = last ? last : parent;
	if (last)
		last->next = t;
	parent->child = t;
}

static void push_front(struct timer *parent, struct timer *t)
{
	struct timer *last = parent->child;

	if (!last) {
		push_back(parent, t);
		return;
	}
	t->next = last->next;
	t->next->prev = t;
	last->next = t;
	t->prev = parent;
}

/* Join two heaps; either may be NULL. Everything in older was set before everything in newer. */
static struct timer *meld(struct timer *older, struct timer *newer)
{
	if (!older)
		return newer;
	if (!newer)
		return older;
	if (newer->at_ms < older->at_ms) {
		push_front(newer, older);
		return newer;
	}
	push_back(older, newer);
	return older;
}

/* The children of t as one heap: joined in pairs from the oldest on, then the pairs from the newest on. */
static struct timer *take_children(struct timer *t)
{
	struct timer *last = t->child, *first, *pairs = NULL, *all = NULL;

	if (!last)
		return NULL;
	first = last->next;
	last->next = NULL;
	t->child = NULL;
	while (first) {
		struct timer *a = first, *b = a->next, *pair;

		first = b ? b->next : NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct timer *pair = pairs;

		pairs = pair->next;
		all = meld(pair, all);
	}
	all->next = all->prev = NULL;
	return all;
}

/* Put r in the place of t among the children of t's parent. */
static void replace(struct timer *t, struct timer *r)
{
	const bool first = is_first(t), last = is_last(t);
	struct timer *parent = first ? t->prev : last ? t->next->prev : NULL;

	r->prev = t->prev;
	r->next = last && first ? r : t->next;
	if (last)
		parent->child = r;
	else
		t->next->prev = r;
	if (!first)
		t->prev->next = r;
	else if (!last)
		parent->child->next = r;
}

static void cut(struct timer *t)
{
	const bool first = is_first(t), last = is_last(t);
	struct timer *parent = first ? t->prev : last ? t->next->prev : NULL;

	if (first && last) {
		parent->child = NULL;
	} else if (first) {
		parent->child->next = t->next;
		t->next->prev = parent;
	} else {
		t->prev->next = t->next;
		if (last)
			parent->child = t->prev;
		else
			t->next->prev = t->prev;
	}
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	struct timer *rest;

	if (!t->at_ms)
		return;
	rest = take_children(t);
	if (ts->root == t)
		ts->root = rest;
	else if (rest)
		replace(t, rest);
	else
		cut(t);
	t->child = t->next = t->prev = NULL;
	t->at_ms = 0;
	ts->count--;
}

void timer_set(struct timers *ts, struct timer *t, uint64_t at_ms, timer_fn *fn)
{
	timer_cancel(ts, t);
	t->child = t->next = t->prev = NULL;
	t->at_ms = at_ms ? at_ms : 1;
	t->fn = fn;
	ts->root = meld(ts->root, t);
	ts->count++;
}

size_t timers_run(struct timers *ts, uint64_t now_ms, size_t most)
{
	size_t ran = 0;

	while (ts->root && ts->root->at_ms <= now_ms && (!most || ran < most)) {
		struct timer *t = ts->root;

		timer_cancel(ts, t);
		ran++;
		t->fn(t, now_ms);
	}
	return ran;
}

uint64_t timers_next(const struct timers *ts)
{
	return ts->root ? ts->root->at_ms : UINT64_MAX;
}
