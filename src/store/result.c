/* SPDX-License-Identifier: Apache-2.0 */
/* result.c - what the thread has served, and telling those who wait
 *
 * A failed batch comes back with what must not be lost: records nobody waits for are kept for the next try, puts become
 * pending again unless there is a newer one. Who waits is told, and what he wrote is forgotten.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/owner.h"

void store_run_waits(struct store *s, struct waits l, int err)
{
	struct store_wait *w;

	s->running_waits = &l; /* a callback may forget the others */
	while ((w = l.first)) {
		l.first = w->next;
		if (!l.first)
			l.last = NULL;
		w->fn(w, w->err ? w->err : err);
	}
	s->running_waits = NULL;
}

void store_on_retry(struct timer *t, uint64_t now_ms)
{
	struct store *s = container_of(t, struct store, retry);

	(void)now_ms;
	if (s->ids.next == s->ids.limit)
		store_ids_more(s);
	if (s->jerr || s->serr)
		store_hand_over(s, true);
}

static void failed(struct store *s, uint64_t *round, uint64_t of_batch, int *state, int err)
{
	++*s->errors;
	*state = err;
	if (of_batch == *round)
		++*round;
	if (!timer_is_set(&s->retry))
		timer_set(loop_timers(s->loop), &s->retry, clock_now_ms() + STORE_RETRY_MS, store_on_retry);
}

/* Squeezes out the records that someone waited for: he is told that they are not written. */
static void drop_waited(struct jbatch *b)
{
	size_t from = 0, to = 0;

	while (from < b->len) {
		const struct entry_record *r = (const struct entry_record *)(const void *)(b->buf + from);
		const size_t size = (sizeof *r + r->len + 7) & ~(size_t)7;

		if (!r->waited) {
			memmove(b->buf + to, b->buf + from, size);
			to += size;
		}
		from += size;
	}
	b->len = to;
}

/* Behind what was kept before. Takes b. */
static void keep(struct store *s, struct jbatch *b)
{
	struct jbatch *k = s->kept;

	drop_waited(b);
	if (!b->len) {
		jbatch_free(b);
		return;
	}
	s->queued += b->len;
	b->next = b->next_work = NULL;
	b->probe = false;
	b->err = 0;
	if (!k) {
		s->kept = b;
		return;
	}
	while (k->next_work)
		k = k->next_work;
	k->next_work = b;
}

static void journal_back(struct store *s, struct jbatch *b)
{
	struct waits waits = b->waits;
	const int err = b->err;

	s->jsent.first = b->next;
	if (!s->jsent.first)
		s->jsent.last = NULL;
	s->queued -= b->len;
	b->waits = (struct waits){ 0 };
	if (err) {
		failed(s, &s->jround, b->round, &s->jerr, err);
		keep(s, b);
	} else {
		s->jerr = 0;
		jbatch_free(b);
	}
	store_alarms(s);
	store_run_waits(s, waits, err);
}

static void state_back(struct store *s, struct sbatch *b)
{
	struct waits waits = b->waits;
	const int err = b->err;

	s->ssent.first = b->next;
	if (!s->ssent.first)
		s->ssent.last = NULL;
	*(b->together ? &s->importing : &s->queued) -= b->bytes;
	if (err) {
		failed(s, &s->sround, b->round, &s->serr, err);
		if (!b->together)
			store_put_back(s, b);
	} else if (b->puts.first || b->probe) {
		s->serr = 0;
	}
	sbatch_free(b);
	store_alarms(s);
	store_run_waits(s, waits, err);
	/* a tick has come and gone while that batch was away */
	if (!s->serr && !s->ssent.first && s->pending.puts.first && !timer_is_set(&s->tick))
		store_seal(s);
}

void store_take_results(struct store *s)
{
	struct store_shared *news = &s->news;
	uint64_t count;

	while (read(s->event_fd, &count, sizeof count) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&s->lock);
	*news = s->sh;
	s->sh.jserved = s->sh.sserved = s->sh.samples_n = 0;
	s->sh.commits = 0;
	s->sh.note.count = 0;
	pthread_mutex_unlock(&s->lock);
	store_status_update(s, news);
	for (; news->jserved; news->jserved--)
		journal_back(s, s->jsent.first);
	for (; news->sserved; news->sserved--)
		state_back(s, s->ssent.first);
}
