/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - a sliding window: never more than so many in any span of time
 *
 * Exact: the time of each unit that still counts is kept, so no span ever holds more, wherever it begins. What is handed to
 * a link needs its time to the network, so a unit counts a thousandth of the span longer than the span. Memory grows with
 * what is used, four octets for each unit, and is never more than the limit takes.
 */
#ifndef NIDDGW_SESSION_WINDOW_H
#define NIDDGW_SESSION_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_SPAN_MAX_S 604800 /* with its margin far below the 49 days after which 32 bits of milliseconds repeat */

struct window {
	uint64_t last_ms; /* of the latest unit */
	uint32_t *at;     /* owned: ring of times, low 32 bits; grows as it is needed */
	uint32_t size, head, used;
	uint32_t limit;   /* 0: none */
	uint32_t span_s;
	uint32_t span_ms; /* the same with its margin */
};
/* limit 1 or more, span_s 1 to WINDOW_SPAN_MAX_S. What is counted already goes on counting, so a window may be set again at any time. */
void window_set(struct window *w, uint32_t limit, uint32_t span_s);
void window_fini(struct window *w);
uint32_t window_used(struct window *w, uint64_t now_ms);
/* May one more go? True says also that window_add() will find memory for it. */
bool window_has_room(struct window *w, uint64_t now_ms);
void window_add(struct window *w, uint64_t now_ms); /* counted even where there was no room */
/* When the nth unit from now on (1: the next one) may go, if all go as early as they may; now_ms when at once. */
uint64_t window_room_at(struct window *w, uint64_t now_ms, uint32_t nth);

/* What counts, oldest first, in at most `most` groups, for a record that outlives the process. A group counts as long as its
 * latest unit, so that a coarse record forbids rather more than it allows. */
struct window_group {
	uint32_t n;
	uint32_t age_ms; /* of its latest */
};
size_t window_groups(struct window *w, uint64_t now_ms, struct window_group *v, size_t most);

#endif
