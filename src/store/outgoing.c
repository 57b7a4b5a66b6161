/* SPDX-License-Identifier: Apache-2.0 */
/* outgoing.c - what the loop appends and flushes, and handing it to the thread
 *
 * Everything that one pass of the loop appends goes over together, when the pass ends: one lock, and one write and sync
 * for all of it. While the disk fails only what someone waits for is tried at once (the answer is wanted); the rest
 * waits for the next second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/owner.h"

enum { BATCH_FIRST = 8 << 10, BATCH_FULL = 1 << 20 };

void waits_add(struct waits *l, struct store_wait *w, int err)
{
	w->next = NULL;
	w->err = err;
	*(l->last ? &l->last->next : &l->first) = w;
	l->last = w;
}

bool waits_remove(struct waits *l, const struct store_wait *w)
{
	struct store_wait *prev = NULL, *at = l->first;

	while (at && at != w) {
		prev = at;
		at = at->next;
	}
	if (!at)
		return false;
	*(prev ? &prev->next : &l->first) = at->next;
	if (l->last == at)
		l->last = prev;
	return true;
}

static void on_kick(struct timer *t, uint64_t now_ms)
{
	(void)t;
	(void)now_ms;
}

void store_kick(struct store *s)
{
	if (!timer_is_set(&s->kick))
		timer_set(loop_timers(s->loop), &s->kick, 1, on_kick);
}

void store_refuse(struct store *s, struct store_wait *w, int err)
{
	++*s->errors;
	if (w) {
		waits_add(&s->refused, w, err);
		store_kick(s);
	} else {
		log_ev(LOG_ERROR, "store", "store.lost", LF_STR("reason", strerror(-err)));
	}
}

/* ---- journal ---- */

void jbatch_free(struct jbatch *b)
{
	if (!b)
		return;
	free(b->buf);
	free(b);
}

static struct jbatch *filling(struct store *s)
{
	struct jbatch *b;

	if (s->out_last && s->out_last->len < BATCH_FULL)
		return s->out_last;
	b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	*(s->out_last ? &s->out_last->next_work : &s->out) = b;
	s->out_last = b;
	store_kick(s);
	return b;
}

static int reserve(struct jbatch *b, size_t more)
{
	size_t size = b->size ? b->size : BATCH_FIRST;
	uint8_t *buf;

	while (size - b->len < more)
		size *= 2;
	if (size == b->size)
		return 0;
	buf = realloc(b->buf, size);
	if (!buf)
		return -ENOMEM;
	b->buf = buf;
	b->size = size;
	return 0;
}

static size_t in_memory(size_t len)
{
	return (sizeof(struct entry_record) + len + 7) & ~(size_t)7;
}

static int add_record(struct store *s, const struct entry_record *r, const void *data, struct store_wait *w)
{
	const size_t size = in_memory(r->len);
	struct jbatch *b;
	struct entry_record *to;

	if (r->len > RECORD_DATA_MOST)
		return -EMSGSIZE;
	if (!r->id) /* there was none to be had */
		return -EAGAIN;
	if (s->queued + size > (w ? 1u : 4u) * (size_t)STORE_QUEUE_MOST)
		return -ENOBUFS;
	b = filling(s);
	if (!b || reserve(b, size))
		return -ENOMEM;
	to = (struct entry_record *)(void *)(b->buf + b->len);
	*to = *r;
	if (r->len)
		memcpy(to->data, data, r->len);
	b->len += size;
	s->queued += size;
	if (w)
		waits_add(&b->waits, w, 0);
	return 0;
}

void store_append(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, struct store_wait *w)
{
	const struct entry_record r = {
		.id = id,
		.wall_ms = clock_wall_ms(),
		.len = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len,
		.kind = kind,
		.waited = w != NULL,
	};
	const int err = add_record(s, &r, data, w);

	if (err)
		store_refuse(s, w, err);
}

void store_done(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, uint64_t keep_ms)
{
	const uint64_t most = UINT64_MAX / 4; /* so that no sum of times can wrap */
	const uint64_t keep = keep_ms < most ? keep_ms : most;
	const struct entry_record r = {
		.id = id,
		.wall_ms = clock_wall_ms(),
		.keep_ms = keep,
		.until_ms = store_boot_ms() + keep,
		.len = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len,
		.kind = kind,
		.done = true,
	};
	const int err = add_record(s, &r, data, NULL);

	if (err)
		store_refuse(s, NULL, err);
}

/* ---- handing over ---- */

static bool someone_waits(const struct store *s)
{
	for (const struct jbatch *b = s->out; b; b = b->next_work)
		if (b->waits.first)
			return true;
	return false;
}

/* What was kept is older than all else. */
static void put_kept_first(struct store *s)
{
	struct jbatch *last = s->kept;

	if (!last)
		return;
	while (last->next_work)
		last = last->next_work;
	last->next_work = s->out;
	s->out = s->kept;
	if (!s->out_last)
		s->out_last = last;
	s->kept = NULL;
}

static void add_probe(struct store *s)
{
	struct jbatch *b = s->out ? NULL : calloc(1, sizeof *b);

	if (!b)
		return;
	b->probe = true;
	s->out = s->out_last = b;
}

static struct jbatch *journal_work(struct store *s, bool again)
{
	struct jbatch *first;

	if (s->jerr && !again && !someone_waits(s))
		return NULL;
	put_kept_first(s);
	if (s->jerr && again)
		add_probe(s);
	first = s->out;
	for (struct jbatch *b = first; b; b = b->next_work) {
		b->round = s->jround;
		b->id_mark = s->ids.limit;
		*(s->jsent.last ? &s->jsent.last->next : &s->jsent.first) = b;
		s->jsent.last = b;
	}
	s->out = s->out_last = NULL;
	return first;
}

static struct sbatch *state_work(struct store *s, bool again)
{
	struct sbatch *first;

	if (s->serr && again && !s->sready && !s->ssent.first && (first = store_seal(s)))
		first->probe = true;
	first = s->sready;
	for (struct sbatch *b = first; b; b = b->next_work) {
		b->round = s->sround;
		*(s->ssent.last ? &s->ssent.last->next : &s->ssent.first) = b;
		s->ssent.last = b;
	}
	s->sready = s->sready_last = NULL;
	return first;
}

void store_hand_over(struct store *s, bool again)
{
	struct jbatch *journal = journal_work(s, again);
	struct sbatch *state = state_work(s, again);

	if (!journal && !state && s->started)
		return;
	pthread_mutex_lock(&s->lock);
	if (journal) {
		*(s->sh.jlast ? &s->sh.jlast->next_work : &s->sh.jfirst) = journal;
		s->sh.jlast = s->jsent.last;
	}
	if (state) {
		*(s->sh.slast ? &s->sh.slast->next_work : &s->sh.sfirst) = state;
		s->sh.slast = s->ssent.last;
	}
	s->sh.started = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	s->started = true;
}

void store_flush(struct store *s, struct store_wait *w)
{
	struct sbatch *b = store_seal(s);

	if (b)
		waits_add(&b->waits, w, 0);
	else
		store_refuse(s, w, -ENOMEM);
}

void store_forget(struct store *s, struct store_wait *w)
{
	if (waits_remove(&s->refused, w) || (s->running_waits && waits_remove(s->running_waits, w)))
		return;
	for (struct jbatch *b = s->out; b; b = b->next_work)
		if (waits_remove(&b->waits, w))
			return;
	for (struct jbatch *b = s->jsent.first; b; b = b->next)
		if (waits_remove(&b->waits, w))
			return;
	for (struct sbatch *b = s->sready; b; b = b->next_work)
		if (waits_remove(&b->waits, w))
			return;
	for (struct sbatch *b = s->ssent.first; b; b = b->next)
		if (waits_remove(&b->waits, w))
			return;
}
