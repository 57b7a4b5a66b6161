/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - the gateway as a server: the other end of a local association
 *
 * It speaks CoAP with the sessions as a server on the network does, without a network. What it owes them as an
 * acknowledgement goes from a timer: they may be in the middle of sending.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "session/own.h"
#include "session/relay.h"

const struct server_conf ask_server_conf = {
	.head = { .name = ASK_SERVER },
	.uri = "gateway:",
	.binding = "keep",
	.patience_s = 110,
	.answer_within_s = 240,
	.hold_s = 60,
	.hold_max = 64,
	.block_size = 1024,
	.nstart = 8,
	.handshake_timeout_s = 30,
	.dead_after = 3,
};

int sessions_set_own_server(struct sessions *s, struct north_server *north)
{
	struct own *o = calloc(1, sizeof *o);

	if (!o)
		return -ENOMEM;
	o->server = server_new(s, north);
	if (!o->server) {
		free(o);
		return -ENOMEM;
	}
	random_bytes(&o->next_mid, sizeof o->next_mid);
	s->own = o;
	return 0;
}

uint16_t own_mid(struct sessions *s)
{
	return s->own->next_mid++;
}

struct server *own_named(const struct sessions *s, const char *name)
{
	return s->own && strcmp(name, ASK_SERVER) == 0 ? s->own->server : NULL;
}

bool own_is(const struct server *srv)
{
	return srv->all->own && srv->all->own->server == srv;
}

void own_send(struct assoc *a, const uint8_t *msg, size_t len)
{
	session_north_recv(a, msg, len);
}

/* ---- what is owed ---- */

static void on_replies(struct timer *t, uint64_t now_ms)
{
	struct own *o = container_of(t, struct own, timer);
	struct own_reply *r = o->replies;

	(void)now_ms;
	o->replies = NULL;
	while (r) {
		struct own_reply *next = r->next;
		const struct coap_empty m = coap_empty((enum coap_type)r->type, r->mid);

		if (r->assoc)
			own_send(r->assoc, m.octets, sizeof m);
		free(r);
		r = next;
	}
}

static void owe(struct assoc *a, enum coap_type type, uint16_t mid)
{
	struct own *o = a->dev->all->own;
	struct own_reply *r = calloc(1, sizeof *r), **end = &o->replies;

	if (!r)
		return; /* it comes again */
	r->assoc = a;
	r->mid = mid;
	r->type = (uint8_t)type;
	while (*end)
		end = &(*end)->next;
	*end = r;
	timer_set(a->dev->all->env.timers, &o->timer, 1, on_replies);
}

/* ---- what comes ---- */

void ask_server_recv(void *arg, const uint8_t *data, size_t len)
{
	struct assoc *a = arg;
	struct sessions *s = a->dev->all;
	struct coap_msg m;
	struct ask *ask;
	bool known;

	if (coap_parse(&m, data, len) || !coap_is_response(m.code))
		return;
	ask = ask_of_token(s, a, m.token, m.token_len);
	known = ask || relation_find_north(s, a, m.token, m.token_len);
	if (m.type == COAP_CON)
		owe(a, known ? COAP_ACK : COAP_RST, m.mid);
	if (ask)
		ask_response(ask, &m);
}

/* ---- ends ---- */

void own_forget(struct assoc *a)
{
	struct own *o = a->dev->all->own;
	struct ask *next;

	if (!o || a->srv != o->server)
		return;
	for (struct own_reply *r = o->replies; r; r = r->next)
		if (r->assoc == a)
			r->assoc = NULL;
	for (struct ask *k = o->asks; k; k = next) {
		next = k->next;
		if (k->assoc != a)
			continue;
		k->assoc = NULL;
		k->dev = NULL;
		if (!a->dev->all->ending)
			ask_end(k, "not_found", "the device is gone");
	}
}

void own_free(struct sessions *s)
{
	struct own *o = s->own;

	if (!o)
		return;
	while (o->asks)
		ask_free(o->asks);
	timer_cancel(s->env.timers, &o->timer);
	while (o->replies) {
		struct own_reply *r = o->replies;

		o->replies = r->next;
		free(r);
	}
	server_free(o->server);
	free(o);
	s->own = NULL;
}

void own_registered(struct device *d)
{
	for (struct assoc *a = d->assocs; a; a = a->next)
		if (own_is(a->srv))
			relations_drop(a);
}

/* ---- what the profile and the traffic say ---- */

bool device_is_heard(const struct device *d)
{
	return d->heard;
}

bool device_is_opaque(const struct device *d)
{
	if (d->profile->conf->oscore == OSCORE_REQUIRE)
		return true;
	for (const struct assoc *a = d->assocs; a; a = a->next)
		if (a->reg)
			return false;
	return d->veiled || relay_status(d).server;
}

size_t device_drop_queue(struct device *d)
{
	struct exchange *next;
	size_t n = 0;

	for (struct exchange *x = d->down; x; x = next) {
		next = x->next;
		if (x->over || x->reply || x->tx.first_ms || x->leaving)
			continue;
		exchange_fail(x, COAP_UNAVAILABLE, 0, "dropped by command");
		n++;
	}
	return n;
}
