/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - what happens to devices, told to whoever watches */
#include <stdio.h>
#include <string.h>

#include "session/internal.h"
#include "session/watch.h"

const char *const session_event_names[SESSION_EVENT_COUNT] = { "registered", "updated", "deregistered", "expired",
							       "rejected" };
const char *const down_state_names[DOWN_STATE_COUNT] = { "queued", "sent",    "buffered",  "acked",
							 "failed", "expired", "superseded" };

void sessions_set_watch(struct sessions *s, const struct sessions_watch *w, void *arg)
{
	s->watch = w;
	s->watch_arg = arg;
}

static const struct sessions_watch *watch_of(const struct device *d)
{
	return d->all->ending ? NULL : d->all->watch;
}

/* ---- devices ---- */

void tell_changed(const struct device *d)
{
	const struct sessions_watch *w = watch_of(d);

	if (w)
		w->changed(d->all->watch_arg, d);
}

void tell_gone(const struct device *d)
{
	const struct sessions_watch *w = watch_of(d);

	if (w)
		w->gone(d->all->watch_arg, d);
}

void tell_event(const struct assoc *a, enum session_event ev, const char *reason, bool objects)
{
	const struct sessions_watch *w = watch_of(a->dev);
	const struct registration *r = a->reg;
	struct session_news n = { .event = ev,
				  .server = a->srv->conf->head.name,
				  .reason = reason,
				  .objects = objects,
				  .has_registration = r != NULL };

	if (!w)
		return;
	if (r) {
		n.lifetime_s = r->lifetime_s;
		n.binding = r->binding;
		n.lwm2m = version_text(r->version);
	}
	w->event(a->dev->all->watch_arg, a->dev, &n);
}

void tell_rejected(const struct device *d, const struct server *srv, const char *why)
{
	static const struct {
		const char *why, *word;
	} words[] = { { "endpoint name of another device", "identity_mismatch" },
		      { "kid of another device", "identity_mismatch" },
		      { "no endpoint name", "no_endpoint_name" },
		      { "more than one ep", "bad_endpoint_name" },
		      { "endpoint name not usable", "bad_endpoint_name" } };
	const struct sessions_watch *w = watch_of(d);
	struct session_news n = { .event = SESSION_REJECTED,
				  .server = srv ? srv->conf->head.name : NULL,
				  .reason = "refused" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].why, why) == 0)
			n.reason = words[i].word;
	if (w)
		w->event(d->all->watch_arg, d, &n);
}

/* ---- requests of servers ---- */

/* The journal's number means the same after a restart; without a journal nothing does. */
static const char *down_id(struct exchange *x, char buf[32])
{
	if (!x->down_id) {
		x->unkept = !x->kept.id;
		x->down_id = x->kept.id ? x->kept.id : ++x->dev->all->next_down_id;
	}
	snprintf(buf, 32, "%c-%llu", x->unkept ? 'm' : 'q', (unsigned long long)x->down_id);
	return buf;
}

/* After these states there is no other; one that is acknowledged may still end without an answer. */
static bool may_follow(const struct exchange *x, enum down_state state)
{
	bool ends = state == DOWN_FAILED || state == DOWN_EXPIRED;

	if (!x->told)
		return true;
	switch (x->told - 1) {
	case DOWN_FAILED:
	case DOWN_EXPIRED:
	case DOWN_SUPERSEDED:
		return false;
	case DOWN_ACKED:
		return ends;
	default:
		return x->told - 1 != (int)state || state == DOWN_SENT;
	}
}

void tell_down_at(struct exchange *x, enum down_state state, const char *cause, uint64_t retry_at_ms)
{
	const struct sessions_watch *w = watch_of(x->dev);
	uint64_t now = clock_now_ms();
	char id[32];
	struct down_news n = { .state = state,
			       .id = id,
			       .server = x->assoc->srv->conf->head.name,
			       .attempt = x->attempts,
			       .bytes = x->tx.len,
			       .cause = cause,
			       .retry_wall_ms = retry_at_ms > now ? clock_wall_ms() + (retry_at_ms - now) : 0 };

	if (!w || x->dir != DOWN || !may_follow(x, state))
		return;
	x->told = (uint8_t)(state + 1);
	(void)down_id(x, id);
	w->down(x->dev->all->watch_arg, x->dev, &n);
}

void tell_down(struct exchange *x, enum down_state state, const char *cause)
{
	tell_down_at(x, state, cause, 0);
}

/* What is logged is a phrase; what is published is a word. */
static const char *word_of(char buf[64], const char *phrase)
{
	snprintf(buf, 64, "%s", phrase);
	for (char *p = buf; *p; p++)
		if (*p == ' ')
			*p = '_';
	return buf;
}

void tell_failed(struct exchange *x, uint8_t code, const char *why)
{
	char word[64];

	if (x->dir == DOWN)
		tell_down(x, code == COAP_GATEWAY_TIMEOUT ? DOWN_EXPIRED : DOWN_FAILED, word_of(word, why));
	else if (x->op == LWM2M_REGISTER)
		tell_event(x->assoc, SESSION_REJECTED, code == COAP_GATEWAY_TIMEOUT ? "no_answer" : "unavailable",
			   false);
}

static struct exchange *request_of(struct coap_tx *tx)
{
	return tx->kind == TX_REQUEST ? container_of(tx, struct exchange, tx) : NULL;
}

/* A piece of a body that is cut is no attempt of its own. */
void tell_sent(struct coap_tx *tx, bool again)
{
	struct exchange *x = request_of(tx);

	if (!x || (x->cut && x->attempts && !again))
		return;
	if (x->attempts < UINT16_MAX)
		x->attempts++;
	tell_down(x, DOWN_SENT, NULL);
}

void tell_acked(struct coap_tx *tx)
{
	if (request_of(tx))
		tell_down(request_of(tx), DOWN_ACKED, NULL);
}

void tell_buffered(struct coap_tx *tx, uint64_t retry_at_ms)
{
	if (request_of(tx))
		tell_down_at(request_of(tx), DOWN_BUFFERED, "asleep", retry_at_ms);
}

/* Why a request that came just now has not left. */
static const char *waits_for(struct device *d)
{
	if (reach_holds_requests(d) && !reach_is_awake(d))
		return "asleep";
	if (!d->at)
		return "no_bearer";
	if (!budget_has_room(d))
		return "budget";
	return "turn";
}

void tell_waits(struct exchange *x)
{
	if (x->dir == DOWN && watch_of(x->dev) && !x->over && !x->attempts)
		tell_down(x, DOWN_QUEUED, waits_for(x->dev));
}
