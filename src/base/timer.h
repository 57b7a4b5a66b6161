/* SPDX-License-Identifier: Apache-2.0 */
/* timer.h - timers in a pairing heap
 *
 * Intrusive, so setting a timer allocates nothing and cannot fail; set O(1), cancel and expiry O(log n) amortised. A timer
 * that is not set costs its 40 octets and nothing else. Time is the caller's: the loop runs the heap by the real clock, a
 * test by its own.
 */
#ifndef NIDDGW_BASE_TIMER_H
#define NIDDGW_BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer;
typedef void timer_fn(struct timer *t, uint64_t now_ms); /* the timer is unset when this runs; it may set it again or free its holder */

struct timer {
	struct timer *child, *next, *prev; /* prev: left sibling, or the parent for a first child */
	uint64_t at_ms;                    /* 0: not set */
	timer_fn *fn;
};

struct timers {
	struct timer *root;
	size_t count;
};

static inline bool timer_is_set(const struct timer *t)
{
	return t->at_ms != 0;
}

/* Set or move. at_ms of 0 is taken as 1. Timers of equal time run in the order in which they were set. */
void timer_set(struct timers *ts, struct timer *t, uint64_t at_ms, timer_fn *fn);
void timer_cancel(struct timers *ts, struct timer *t); /* an unset timer is fine */
/* Runs all that are due at now_ms, earliest first; one set by a callback for now or earlier runs in the same call, at most
 * `most` in all (0: no bound). Returns how many ran. */
size_t timers_run(struct timers *ts, uint64_t now_ms, size_t most);
/* When the earliest is due; UINT64_MAX when none is set. */
uint64_t timers_next(const struct timers *ts);

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
