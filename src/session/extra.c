/* SPDX-License-Identifier: Apache-2.0 */
/* extra.c - what only some associations have: a session to resume, and a ping that keeps the way open
 *
 * Both hang from the association by one pointer, so that one without them costs nothing. Those that are kept alive
 * stand in a list of their server in the order in which they were last used, behind one timer: nothing is set or looked
 * for when a message passes.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define PINGS_AT_ONCE 100 /* and the rest of a burst a moment later */
#define BURST_MS 20

struct assoc_extra {
	struct assoc *assoc;
	struct assoc_extra *next, *prev; /* later used, earlier used */
	uint64_t active_ms;
	uint8_t *resume; /* owned; NULL: nothing */
	uint16_t resume_len;
	uint16_t ping_mid;
	bool alive : 1;  /* in the list */
	bool pinged : 1; /* ping_mid is on its way, or was lost */
};

static struct assoc_extra *extra_of(struct assoc *a)
{
	if (!a->extra)
		a->extra = calloc(1, sizeof *a->extra);
	if (a->extra)
		a->extra->assoc = a;
	return a->extra;
}

static void free_if_empty(struct assoc *a)
{
	if (!a->extra || a->extra->resume || a->extra->alive)
		return;
	free(a->extra);
	a->extra = NULL;
}

/* ---- credentials ---- */

/* The name that an association is known by must not change under it: what a device calls itself when it registers comes
 * too late to be its identity. */
static const char *psk_identity(const struct device_conf *c)
{
	return c->psk_identity ? c->psk_identity : c->ep ? c->ep : c->head.name;
}

void session_north_credentials(void *arg, struct north_credentials *out)
{
	const struct assoc *a = arg;
	const struct device_conf *c = a->dev->conf;

	*out = (struct north_credentials){ .psk_identity = psk_identity(c),
					   .psk_key = c->psk_key,
					   .cert_file = c->cert_file,
					   .key_file = c->key_file };
	out->resume = assoc_resumption(a, &out->resume_len);
}

/* ---- resumption ---- */

const uint8_t *assoc_resumption(const struct assoc *a, size_t *len)
{
	*len = a->extra ? a->extra->resume_len : 0;
	return a->extra ? a->extra->resume : NULL;
}

static void forget_resumption(struct assoc *a)
{
	if (!a->extra)
		return;
	free(a->extra->resume);
	a->extra->resume = NULL;
	a->extra->resume_len = 0;
	free_if_empty(a);
}

void assoc_restore_resumption(struct assoc *a, const uint8_t *data, size_t len)
{
	uint8_t *copy = len && len <= NORTH_RESUME_MAX ? malloc(len) : NULL;

	forget_resumption(a);
	if (!copy || !extra_of(a)) {
		free(copy);
		return;
	}
	memcpy(copy, data, len);
	a->extra->resume = copy;
	a->extra->resume_len = (uint16_t)len;
}

void session_north_resumable(void *arg, const uint8_t *data, size_t len)
{
	struct assoc *a = arg;

	assoc_restore_resumption(a, data, len);
	device_touch(a->dev);
}

void device_forget_resumption(struct device *d)
{
	for (struct assoc *a = d->assocs; a; a = a->next)
		forget_resumption(a);
	device_touch(d);
}

/* ---- kept alive ---- */

static void on_idle(struct timer *t, uint64_t now_ms);

static void take_out(struct assoc_extra *e)
{
	struct server *srv = e->assoc->srv;

	*(e->prev ? &e->prev->next : &srv->idle) = e->next;
	*(e->next ? &e->next->prev : &srv->busy) = e->prev;
	e->next = e->prev = NULL;
}

static void put_last(struct assoc_extra *e)
{
	struct server *srv = e->assoc->srv;

	e->active_ms = clock_now_ms();
	e->prev = srv->busy;
	*(e->prev ? &e->prev->next : &srv->idle) = e;
	srv->busy = e;
}

static uint64_t due_ms(const struct server *srv)
{
	return srv->idle->active_ms + srv->conf->keepalive_s * 1000;
}

static void ping(struct assoc_extra *e)
{
	struct assoc *a = e->assoc;

	take_out(e);
	put_last(e);
	if (!north_assoc_is_up(a->north) || a->switching) /* there is no way to be kept open, or nobody to be there */
		return;
	e->ping_mid = coap_peer_mid(&a->peer);
	e->pinged = true;
	assoc_send_empty(a, COAP_CON, e->ping_mid);
}

static void on_idle(struct timer *t, uint64_t now_ms)
{
	struct server *srv = container_of(t, struct server, alive);
	uint64_t at;

	for (unsigned i = 0; srv->idle && due_ms(srv) <= now_ms && i < PINGS_AT_ONCE; i++)
		ping(srv->idle);
	if (!srv->idle)
		return;
	at = due_ms(srv);
	timer_set(srv->all->env.timers, t, at > now_ms ? at : now_ms + BURST_MS, on_idle);
}

static void leave(struct assoc *a)
{
	struct assoc_extra *e = a->extra;

	if (!e || !e->alive)
		return;
	take_out(e);
	e->alive = false;
	if (!a->srv->idle)
		timer_cancel(a->srv->all->env.timers, &a->srv->alive);
}

/* A stream has keep-alives of its own. */
void assoc_watch(struct assoc *a)
{
	struct server *srv = a->srv;

	if (srv->stream || !srv->conf->keepalive_s) {
		leave(a);
		free_if_empty(a);
		return;
	}
	if (!extra_of(a))
		return;
	if (!a->extra->alive) {
		a->extra->alive = true;
		put_last(a->extra);
	}
	if (!timer_is_set(&srv->alive) || srv->alive.at_ms > due_ms(srv)) /* after a reload it may be earlier */
		timer_set(srv->all->env.timers, &srv->alive, due_ms(srv), on_idle);
}

void assoc_active(struct assoc *a)
{
	if (!a->extra || !a->extra->alive)
		return;
	take_out(a->extra);
	put_last(a->extra);
}

bool assoc_is_pong(struct assoc *a, uint16_t mid)
{
	if (!a->extra || !a->extra->pinged || a->extra->ping_mid != mid)
		return false;
	a->extra->pinged = false;
	return true;
}

void assoc_extra_free(struct assoc *a)
{
	leave(a);
	if (a->extra)
		free(a->extra->resume);
	free(a->extra);
	a->extra = NULL;
}
