/* SPDX-License-Identifier: Apache-2.0 */
/* dedup.c - what one peer has sent before
 *
 * A ring per peer with a cap, not a table of every message for its lifetime: the reference shows that the latter alone
 * fills the memory of a gateway. It has one slot at first, since most devices only keep their registration alive; it
 * grows with what is in its window, and is freed when the newest entry has left that, so an idle peer has none. An
 * entry without an answer is never evicted: its duplicate would be forwarded again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "coap/peer.h"

enum { SLOTS_FIRST = 1 };
enum { ENTRY_OPEN, ENTRY_ANSWERED, ENTRY_SILENT };

struct seen {
	uint64_t at_ms;  /* 0: free */
	uint8_t *answer; /* owned */
	uint32_t token;  /* hash of the token */
	uint16_t mid;
	uint16_t answer_len;
	uint8_t state;
	bool final; /* may be evicted */
	bool con;
};

struct coap_dedup {
	struct coap_peer *peer;
	struct timer timer;
	uint8_t n; /* slots, SLOTS_FIRST to COAP_DEDUP_MAX */
	struct seen slots[];
};

static uint32_t token_hash(const uint8_t *token, size_t len)
{
	return (uint32_t)map_hash(token, len);
}

static void drop_answer(struct coap_shared *shared, struct seen *s)
{
	shared->answer_bytes -= s->answer_len;
	free(s->answer);
	s->answer = NULL;
	s->answer_len = 0;
}

static void forget(struct coap_shared *shared, struct seen *s)
{
	drop_answer(shared, s);
	memset(s, 0, sizeof *s);
}

static void dedup_free(struct coap_peer *p)
{
	struct coap_dedup *d = p->dedup;

	if (!d)
		return;
	timer_cancel(p->leg->shared->timers, &d->timer);
	for (unsigned i = 0; i < d->n; i++)
		drop_answer(p->leg->shared, &d->slots[i]);
	free(d);
	p->dedup = NULL;
}

void coap_peer_fini(struct coap_peer *p)
{
	dedup_free(p);
}

static uint64_t window_ms(const struct coap_params *params, bool con)
{
	return con ? coap_exchange_lifetime_ms(params) : coap_non_lifetime_ms(params);
}

static bool is_in_window(const struct coap_peer *p, const struct seen *s, uint64_t now_ms)
{
	return now_ms < s->at_ms + window_ms(p->leg->params, s->con); /* what is restored may come in any order */
}

static void on_window_over(struct timer *t, uint64_t now_ms)
{
	struct coap_dedup *d = container_of(t, struct coap_dedup, timer);
	struct coap_peer *p = d->peer;
	uint64_t until = 0;

	for (unsigned i = 0; i < d->n; i++) {
		const struct seen *s = &d->slots[i];
		uint64_t from = s->final ? s->at_ms : now_ms;

		if (s->at_ms && from + window_ms(p->leg->params, true) > until)
			until = from + window_ms(p->leg->params, true);
	}
	if (until > now_ms)
		timer_set(p->leg->shared->timers, &d->timer, until, on_window_over);
	else
		dedup_free(p);
}

/* Twice the slots; false at the cap or without memory. */
static bool grow(struct coap_peer *p)
{
	struct coap_dedup *d = p->dedup;
	unsigned n = d ? d->n * 2u : SLOTS_FIRST;
	struct coap_dedup *bigger;

	if (n > COAP_DEDUP_MAX)
		return false;
	bigger = calloc(1, sizeof *bigger + n * sizeof bigger->slots[0]);
	if (!bigger)
		return false;
	bigger->peer = p;
	bigger->n = (uint8_t)n;
	if (d) {
		memcpy(bigger->slots, d->slots, d->n * sizeof d->slots[0]);
		timer_cancel(p->leg->shared->timers, &d->timer);
		free(d);
	}
	p->dedup = bigger;
	return true;
}

static struct seen *find(struct coap_dedup *d, uint16_t mid)
{
	for (unsigned i = 0; d && i < d->n; i++)
		if (d->slots[i].at_ms && d->slots[i].mid == mid)
			return &d->slots[i];
	return NULL;
}

/* A free slot, else the oldest that may go, or NULL. */
static struct seen *oldest_that_may_go(struct coap_dedup *d)
{
	struct seen *oldest = NULL;

	for (unsigned i = 0; d && i < d->n; i++) {
		struct seen *s = &d->slots[i];

		if (!s->at_ms)
			return s;
		if (s->final && (!oldest || s->at_ms < oldest->at_ms))
			oldest = s;
	}
	return oldest;
}

/* A free slot. What is still in its window goes only when the table holds as many as are promised, or cannot grow. */
static struct seen *make_room(struct coap_peer *p, uint64_t now_ms)
{
	struct seen *s = oldest_that_may_go(p->dedup);
	bool keep = s && s->at_ms && p->dedup->n < COAP_DEDUP_MIN && is_in_window(p, s, now_ms);

	if ((!s || keep) && grow(p))
		s = oldest_that_may_go(p->dedup);
	if (s)
		forget(p->leg->shared, s);
	return s;
}

static enum coap_seen_state repeat(const struct seen *s, const uint8_t **answer, size_t *len)
{
	if (s->state == ENTRY_OPEN)
		return COAP_SEEN_OPEN;
	if (s->state == ENTRY_SILENT || !s->answer)
		return COAP_SEEN_SILENT;
	*answer = s->answer;
	*len = s->answer_len;
	return COAP_SEEN_ANSWERED;
}

enum coap_seen_state coap_peer_seen(struct coap_peer *p, const struct coap_msg *m, uint64_t now_ms,
				    const uint8_t **answer, size_t *len)
{
	uint32_t token = token_hash(m->token, m->token_len);
	struct seen *s = find(p->dedup, m->mid);

	if (s && s->token == token && is_in_window(p, s, now_ms))
		return repeat(s, answer, len);
	if (s) /* out of its window, or a device that began again with the same ids */
		forget(p->leg->shared, s);
	else
		s = make_room(p, now_ms);
	if (!s)
		return COAP_SEEN_FULL;
	*s = (struct seen){ .at_ms = now_ms ? now_ms : 1, .token = token, .mid = m->mid, .con = m->type == COAP_CON };
	if (!timer_is_set(&p->dedup->timer))
		timer_set(p->leg->shared->timers, &p->dedup->timer, now_ms + window_ms(p->leg->params, true),
			  on_window_over);
	return COAP_SEEN_NEW;
}

static void keep_answer(struct coap_shared *shared, struct seen *s, const uint8_t *data, size_t len)
{
	if (shared->answer_bytes + len > shared->answer_bytes_max)
		return;
	s->answer = malloc(len);
	if (!s->answer)
		return;
	memcpy(s->answer, data, len);
	s->answer_len = (uint16_t)len;
	shared->answer_bytes += len;
}

void coap_peer_answered(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len, const uint8_t *data,
			size_t len, bool final)
{
	struct seen *s = find(p->dedup, mid);

	if (!s || s->token != token_hash(token, token_len))
		return;
	drop_answer(p->leg->shared, s);
	s->state = len ? ENTRY_ANSWERED : ENTRY_SILENT;
	s->final = final;
	if (len)
		keep_answer(p->leg->shared, s, data, len);
}

void coap_peer_settled(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len)
{
	struct seen *s = find(p->dedup, mid);

	if (!s || s->final || s->token != token_hash(token, token_len))
		return;
	s->final = true;
	if (s->state == ENTRY_OPEN)
		s->state = ENTRY_SILENT;
}

void coap_peer_unsee(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len)
{
	struct seen *s = find(p->dedup, mid);

	if (s && s->token == token_hash(token, token_len))
		forget(p->leg->shared, s);
}

void coap_peer_restore_seen(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len, bool con,
			    uint64_t at_ms, const uint8_t *data, size_t len, bool final)
{
	struct coap_msg m = { .type = con ? COAP_CON : COAP_NON, .mid = mid, .token_len = (uint8_t)token_len };
	const uint8_t *answer;
	size_t answer_len;
	struct seen *s = find(p->dedup, mid);

	if (s && s->at_ms > at_ms) /* the id was used again since */
		return;
	memcpy(m.token, token, token_len);
	if (coap_peer_seen(p, &m, at_ms, &answer, &answer_len) != COAP_SEEN_NEW)
		return;
	if (len)
		coap_peer_answered(p, mid, token, token_len, data, len, final);
	else if (final)
		coap_peer_settled(p, mid, token, token_len);
	s = find(p->dedup, mid);
	if (s)
		s->at_ms = at_ms ? at_ms : 1;
}
