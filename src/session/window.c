/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - a sliding window over units
 *
 * A ring holds the low halves of the times. Ages are taken against the latest one, whose time is whole: what is older
 * than the span is taken out whenever the ring is touched, so an age never comes near the point where the halves
 * repeat.
 */
#include "session/window.h"

#include <stdlib.h>

#define SIZE_FIRST 8
#define MARGIN_MAX_MS 1000

void window_set(struct window *w, uint32_t limit, uint32_t span_s)
{
	uint32_t span_ms = span_s * 1000, margin = span_ms / 1000;

	w->limit = limit;
	w->span_s = span_s;
	w->span_ms = span_ms + 1 + (margin < MARGIN_MAX_MS ? margin : MARGIN_MAX_MS);
}

void window_fini(struct window *w)
{
	free(w->at);
	*w = (struct window){ 0 };
}

static uint32_t at(const struct window *w, uint32_t i)
{
	return w->at[(w->head + i) % w->size];
}

/* Since the ith unit, oldest first. */
static uint64_t age(const struct window *w, uint32_t i, uint64_t now_ms)
{
	return (now_ms - w->last_ms) + (uint32_t)((uint32_t)w->last_ms - at(w, i));
}

static void expire(struct window *w, uint64_t now_ms)
{
	if (w->used && now_ms - w->last_ms >= w->span_ms)
		w->used = 0;
	while (w->used && age(w, 0, now_ms) >= w->span_ms) {
		w->head = (w->head + 1) % w->size;
		w->used--;
	}
}

uint32_t window_used(struct window *w, uint64_t now_ms)
{
	expire(w, now_ms);
	return w->used;
}

static bool grow(struct window *w)
{
	uint32_t size = w->size ? 2 * w->size : SIZE_FIRST;
	uint32_t *v;

	if (size > w->limit && w->used < w->limit)
		size = w->limit;
	v = malloc(size * sizeof *v);
	if (!v)
		return false;
	for (uint32_t i = 0; i < w->used; i++)
		v[i] = at(w, i);
	free(w->at);
	w->at = v;
	w->size = size;
	w->head = 0;
	return true;
}

bool window_has_room(struct window *w, uint64_t now_ms)
{
	expire(w, now_ms);
	return w->used < w->limit && (w->used < w->size || grow(w));
}

void window_add(struct window *w, uint64_t now_ms)
{
	expire(w, now_ms);
	if (w->used == w->size && !grow(w)) {
		if (!w->used)
			return;
		w->head = (w->head + 1) % w->size; /* the oldest counts no more: better than the latest */
		w->used--;
	}
	w->last_ms = now_ms;
	w->at[(w->head + w->used++) % w->size] = (uint32_t)now_ms;
}

uint64_t window_room_at(struct window *w, uint64_t now_ms, uint32_t nth)
{
	uint64_t later = 0;
	uint32_t must_go;

	expire(w, now_ms);
	for (; nth > w->limit; nth -= w->limit) /* behind a whole window of others that are still to go */
		later += w->span_ms;
	if (w->used + nth <= w->limit)
		return now_ms + later;
	must_go = w->used + nth - w->limit;
	return now_ms + w->span_ms - age(w, must_go - 1, now_ms) + later;
}

size_t window_groups(struct window *w, uint64_t now_ms, struct window_group *v, size_t most)
{
	size_t n = 0, each;

	expire(w, now_ms);
	each = (w->used + most - 1) / most;
	for (uint32_t i = 0; i < w->used; i++) {
		if (i % each == 0)
			v[n++] = (struct window_group){ 0 };
		v[n - 1].n++;
		v[n - 1].age_ms = (uint32_t)age(w, i, now_ms);
	}
	return n;
}
