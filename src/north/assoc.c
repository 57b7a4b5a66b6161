/* SPDX-License-Identifier: Apache-2.0 */
/* assoc.c - associations of every kind: opening, sending and closing them, and telling their owners what became of them
 *
 * A transport is one entry of a table, chosen by the scheme of the server's URI. What it finds while its owner is
 * sending something is told from the loop, so that no owner is called back in the middle of its own call.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "north/parts.h"
#include "north/tcp.h"

enum { REFUSED_EVERY_MS = 1000 };

const struct north_transport *const north_transports[NORTH_KIND_COUNT] = {
	[NORTH_UDP] = &udp_transport, [NORTH_DTLS] = &dtls_transport,   [NORTH_TCP] = &tcp_transport,
	[NORTH_TLS] = &tls_transport, [NORTH_RELAY] = &relay_transport, [NORTH_LOCAL] = &local_transport,
};

/* ---- open and close ---- */

/* A relay is up whatever the server does, so it does not count. */
static bool counts_as_up(const struct north_assoc *a)
{
	return a->state == ASSOC_UP && a->kind != NORTH_RELAY;
}

static void set_state(struct north_assoc *a, enum assoc_state state)
{
	a->srv->ups -= counts_as_up(a);
	a->state = (uint8_t)state;
	a->srv->ups += counts_as_up(a);
}

static int open_as(struct north_assoc **out, struct north_server *srv, enum north_kind kind, const char *who,
		   uint16_t port, const struct north_events *events, void *arg)
{
	const struct north_transport *t = north_transports[kind];
	struct north_assoc *a = calloc(1, t->size);
	int up;

	if (!a)
		return -ENOMEM;
	a->srv = srv;
	a->events = events;
	a->arg = arg;
	a->fd = -1;
	a->kind = (uint8_t)kind;
	up = t->open(a, who, port);
	if (up < 0) {
		free(a);
		return up;
	}
	set_state(a, up ? ASSOC_UP : ASSOC_WAITING);
	assoc_list_add(up ? &srv->open : &srv->waiting, &a->node);
	srv->associations++;
	if (!up)
		server_connect_waiting(srv);
	*out = a;
	return 0;
}

int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg)
{
	return open_as(out, srv, srv->kind, who, port, srv->north->env.events, arg);
}

int north_relay_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port,
		     const struct north_events *events, void *arg)
{
	if (srv->local || north_server_is_stream(srv))
		return -ENOTSUP;
	return open_as(out, srv, NORTH_RELAY, who, port, events, arg);
}

/* Nothing that is being worked off may come to it any more. */
static void forget_in_batch(struct north *n, const struct north_assoc *a)
{
	unsigned kept = 0;

	if (n->current == a)
		n->current = NULL;
	for (int i = n->batch_at; i < n->batch_n; i++)
		if (n->batch[i].data.ptr == a)
			n->batch[i].data.ptr = NULL;
	for (unsigned i = 0; i < n->refused_n; i++)
		if (n->refused[i] != a)
			n->refused[kept++] = n->refused[i];
	n->refused_n = kept;
}

void north_assoc_close(struct north_assoc *a)
{
	if (!a)
		return;
	forget_in_batch(a->srv->north, a);
	assoc_list_remove(&a->node);
	server_slot_free(a);
	a->srv->associations--;
	a->srv->ups -= counts_as_up(a);
	assoc_transport(a)->close(a);
	free(a);
}

/* ---- what an owner asks ---- */

int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	return a->srv->forbidden ? -EACCES : assoc_transport(a)->send(a, data, len);
}

void north_assoc_unanswered(struct north_assoc *a)
{
	if (assoc_transport(a)->unanswered)
		assoc_transport(a)->unanswered(a);
}

bool north_assoc_is_up(const struct north_assoc *a)
{
	return a->state == ASSOC_UP;
}

uint16_t north_assoc_port(const struct north_assoc *a)
{
	return a->port;
}

size_t north_assoc_message_max(const struct north_assoc *a)
{
	return assoc_transport(a)->message_max(a);
}

bool north_assoc_blockwise(const struct north_assoc *a)
{
	return !assoc_transport(a)->blockwise || assoc_transport(a)->blockwise(a);
}

struct north_server *north_assoc_server(const struct north_assoc *a)
{
	return a->srv;
}

/* ---- what an owner is told ---- */

static void tell_end(struct north_assoc *a)
{
	struct north_server *s = a->srv;

	a->untold = false;
	assoc_list_remove(&a->node);
	assoc_list_add(a->state == ASSOC_WAITING ? &s->waiting : &s->open, &a->node);
	server_connect_waiting(s);
	a->events->event(a->arg, a->state == ASSOC_DENIED ? NORTH_DENIED : NORTH_DOWN);
}

void assoc_up(struct north_assoc *a)
{
	set_state(a, ASSOC_UP);
	a->events->event(a->arg, NORTH_UP);
}

void assoc_end(struct north_assoc *a, enum assoc_state state)
{
	set_state(a, state);
	a->untold = true;
	assoc_list_remove(&a->node);
	assoc_list_add(&a->srv->north->ended, &a->node);
}

void assoc_busy(struct north_assoc *a)
{
	set_state(a, ASSOC_BUSY);
}

void assoc_want(struct north_assoc *a)
{
	set_state(a, ASSOC_WAITING);
	if (a->untold)
		return;
	assoc_list_remove(&a->node);
	assoc_list_add(&a->srv->waiting, &a->node);
	server_connect_waiting(a->srv);
}

/* A hint, which may be lost, and no more often than once in a second. */
void assoc_report_refused(struct north_assoc *a)
{
	uint32_t now = (uint32_t)clock_now_ms() | 1; /* never the 0 of a fresh association */

	++*a->srv->refused;
	if (a->refused_ms && now - a->refused_ms < REFUSED_EVERY_MS)
		return;
	a->refused_ms = now;
	a->events->event(a->arg, NORTH_REFUSED);
}

void assoc_refused(struct north_assoc *a)
{
	struct north *n = a->srv->north;

	for (unsigned i = 0; i < n->refused_n; i++)
		if (n->refused[i] == a)
			return;
	if (n->refused_n < NORTH_REFUSED_MAX)
		n->refused[n->refused_n++] = a;
}

void assoc_deliver(void *arg)
{
	struct north *n = arg;

	tcp_flush_dirty(n);
	while (n->refused_n)
		assoc_report_refused(n->refused[--n->refused_n]);
	while (!assoc_list_empty(&n->ended))
		tell_end((struct north_assoc *)n->ended.next);
}
