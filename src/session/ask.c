/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - one request of the gateway to a device, from its message to its answer
 *
 * The message goes to the sessions like any of a server, so nothing here knows queues, links or retransmission. An
 * answer in blocks is fetched to its end. Whoever asked is told from a timer, never from within a call.
 */
#include "session/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/own.h"
#include "session/relay.h"

enum { GRACE_MS = 2000, PINGS_MOST = 3 };

/* ---- list and timer ---- */

static void on_timer(struct timer *t, uint64_t now_ms);

void ask_wait(struct ask *a, uint64_t at_ms)
{
	timer_set(a->all->env.timers, &a->timer, at_ms, on_timer);
}

struct ask *ask_new(struct sessions *s, struct device *d, struct assoc *assoc)
{
	struct ask *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->all = s;
	a->dev = d;
	a->assoc = assoc;
	a->next = s->own->asks;
	a->link = &s->own->asks;
	if (a->next)
		a->next->link = &a->next;
	s->own->asks = a;
	s->own->asks_n++;
	return a;
}

void ask_free(struct ask *a)
{
	timer_cancel(a->all->env.timers, &a->timer);
	if (a->storing)
		store_forget(a->all->env.store, &a->wait);
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	a->all->own->asks_n--;
	free(a->body);
	free(a->note);
	free(a);
}

struct ask *ask_of_token(const struct sessions *s, const struct assoc *assoc, const uint8_t *token, size_t len)
{
	struct ask *a = s->own->asks;

	while (a &&
	       (a->assoc != assoc || a->step != STEP_WAITS || a->token_len != len || memcmp(a->token, token, len) != 0))
		a = a->next;
	return a;
}

uint64_t ask_patience_ms(const struct assoc *assoc, const struct coap_msg *m)
{
	const struct ask *a = ask_of_token(assoc->dev->all, assoc, m->token, m->token_len);
	uint64_t now = clock_now_ms();

	return a && a->deadline_ms > now ? a->deadline_ms - now : 1;
}

void ask_end(struct ask *a, const char *error, const char *message)
{
	a->error = error;
	snprintf(a->message, sizeof a->message, "%s", message ? message : "");
	a->step = STEP_DONE;
	ask_wait(a, 1);
}

/* ---- telling ---- */

void ask_accept(struct ask *a)
{
	void (*accepted)(void *arg) = a->accepted;

	a->accepted = NULL;
	if (accepted && a->fn && a->step == STEP_WAITS)
		accepted(a->arg);
}

static void give(struct ask *a, const struct report *r)
{
	const struct ask_answer answer = { .error = a->error,
					   .message = a->error ? a->message : NULL,
					   .code = a->code,
					   .report = r,
					   .links = a->verb == ASK_DISCOVER && !a->error ? (const char *)a->body : NULL,
					   .links_len = a->len };

	if (a->fn)
		a->fn(a->arg, &answer);
	a->fn = NULL;
}

static void take_report(void *arg, const struct report *r)
{
	give(arg, r);
}

static void decode(struct ask *a)
{
	const struct mirror_who who = copy_who(a->dev, a->assoc);
	const char *reason = NULL;
	int err = mirror_decode(a->all->env.mirror, &who, &a->target, a->format, a->body, a->len, a->arrival_ms,
				take_report, a, &reason);

	if (!err)
		return;
	a->error = err == -EACCES ? "forbidden" : "upstream";
	snprintf(a->message, sizeof a->message,
		 err == -EACCES ? "this never leaves the gateway" : "the answer cannot be decoded: %s",
		 reason ? reason : "format");
	give(a, NULL);
}

static bool brings_values(const struct ask *a)
{
	return !a->error && a->code == COAP_CONTENT && a->verb != ASK_DISCOVER && a->verb != ASK_CANCEL && a->assoc &&
		a->all->env.mirror;
}

static void finish(struct ask *a)
{
	ask_unstore(a);
	if (brings_values(a))
		decode(a);
	else
		give(a, NULL);
	ask_free(a);
}

/* ---- time ---- */

/* Whatever stands in the queue for it goes: nobody waits any more. */
static void withdraw(struct ask *a)
{
	struct exchange *next;

	for (struct exchange *x = a->dev ? a->dev->down : NULL; x; x = next) {
		next = x->next;
		if (x->assoc == a->assoc && !x->over && x->ask_len == a->token_len &&
		    memcmp(x->ask, a->token, x->ask_len) == 0)
			exchange_fail(x, COAP_GATEWAY_TIMEOUT, 0, "withdrawn");
	}
}

static void ping(struct ask *a)
{
	uint64_t next = clock_now_ms() + a->dev->profile->params.ack_timeout_ms;

	if (a->pings++)
		a->all->shared.retransmissions++;
	device_send_empty(a->dev, COAP_CON, a->ping_mid);
	ask_wait(a, next < a->deadline_ms && a->pings < PINGS_MOST ? next : a->deadline_ms);
}

bool ask_pinged(const struct device *d, uint16_t mid)
{
	struct ask *a = d->all->own ? d->all->own->asks : NULL;

	while (a && (a->dev != d || a->verb != ASK_PING || a->step != STEP_WAITS || a->ping_mid != mid))
		a = a->next;
	if (a)
		ask_end(a, NULL, NULL);
	return a != NULL;
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct ask *a = container_of(t, struct ask, timer);

	if (a->step == STEP_DONE) {
		finish(a);
	} else if (a->accepted && !a->storing) {
		ask_wait(a, a->deadline_ms + GRACE_MS);
		ask_accept(a);
	} else if (now_ms >= a->deadline_ms) {
		a->step = STEP_DONE; /* what comes of the withdrawal is not its answer */
		withdraw(a);
		ask_end(a, "timeout", "no answer in time");
	} else if (a->verb == ASK_PING) {
		ping(a);
	} else if (a->step == STEP_MORE) {
		a->step = STEP_WAITS;
		ask_new_token(a); /* that of an observation belongs to its notifications */
		ask_wait(a, a->deadline_ms + GRACE_MS);
		ask_send(a, NULL);
	} else {
		ask_wait(a, a->deadline_ms);
	}
}

/* ---- asking ---- */

static const char *check(const struct device *d, const struct ask_request *r)
{
	if (!d->all->own || d->all->own->asks_n >= ASK_OPEN_MOST)
		return "busy";
	if (!d->heard)
		return "not_found";
	if (r->verb == ASK_PING ? relay_status(d).server != NULL : device_is_opaque(d))
		return "opaque";
	if (!d->at)
		return "upstream";
	if (r->len > ASK_BODY_MOST || r->note_len > ASK_NOTE_MOST)
		return "too_big";
	if (r->verb == ASK_PING && !reach_is_awake((struct device *)(uintptr_t)d))
		return "asleep";
	return NULL;
}

static bool waits(struct device *d)
{
	return reach_holds_requests(d) && !reach_is_awake(d);
}

static void begin_ping(struct ask *a)
{
	a->ping_mid = coap_peer_mid(&a->dev->south);
	ping(a);
}

const char *ask_open(struct ask **out, struct device *d, const struct ask_request *r, ask_fn *fn, void *arg)
{
	const char *refusal = check(d, r);
	struct assoc *assoc;
	struct ask *a;

	if (refusal)
		return refusal;
	assoc = assoc_get(d, d->all->own->server);
	a = assoc ? ask_new(d->all, d, assoc) : NULL;
	if (!a)
		return "internal";
	a->verb = (uint8_t)r->verb;
	a->target = (struct mirror_target){ .path = r->path, .known = true };
	a->deadline_ms = clock_now_ms() + r->timeout_ms;
	a->fn = fn;
	a->arg = arg;
	if (!ask_choose_token(a)) {
		ask_free(a);
		return "not_found";
	}
	if (out)
		*out = a;
	if (r->verb == ASK_PING) {
		begin_ping(a);
		return NULL;
	}
	ask_wait(a, a->deadline_ms + GRACE_MS);
	if (waits(d)) {
		a->accepted = r->accepted;
		ask_store(a, r->note, r->note_len);
	}
	ask_send(a, r);
	if (a->accepted && !a->storing && a->step == STEP_WAITS)
		ask_wait(a, 1); /* there is nothing to wait for */
	return NULL;
}

void ask_close(struct ask *a)
{
	if (!a)
		return;
	a->fn = NULL;
	a->step = STEP_DONE;
	withdraw(a);
	finish(a);
}

struct ask *ask_leave(struct ask *a)
{
	if (a) {
		a->fn = NULL;
		a->accepted = NULL;
	}
	return NULL;
}

void ask_set(struct ask *a, ask_fn *fn, void *arg)
{
	a->fn = fn;
	a->arg = arg;
	a->adopted = true;
}
