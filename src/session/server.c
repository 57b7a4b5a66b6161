/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the servers that sessions talk to, and what happens when one falls silent
 *
 * A message that nobody acknowledged keeps its place. It is tried again when anything is heard from its server on any
 * association; a slow probe with one message at a time finds that out where all are quiet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "session/internal.h"

struct server *server_by_name(const struct sessions *s, const char *name)
{
	struct server *srv = s->servers;

	while (srv && strcmp(srv->conf->head.name, name) != 0)
		srv = srv->next;
	return srv ? srv : own_named(s, name);
}

#define STREAM_PATIENCE_MS 3600000 /* the transport says much earlier that its connection is lost */

static bool is_dtls(const struct server_conf *c)
{
	return strncasecmp(c->uri, "coaps://", 8) == 0;
}

/* What loses nothing is not asked again: no retransmission, no time-out of ours. */
static void take_kind(struct server *srv)
{
	srv->stream = north_server_is_stream(srv->north);
	srv->ends = srv->stream || is_dtls(srv->conf);
	srv->leg_params = srv->params;
	if (srv->stream) {
		srv->leg_params.ack_timeout_ms = STREAM_PATIENCE_MS;
		srv->leg_params.max_retransmit = 0;
	}
}

/* The segments of a prefix that was checked when it was loaded. */
static void take_prefix(struct server *srv, const char *text)
{
	srv->prefix_n = 0;
	if (!text)
		return;
	for (text += *text == '/'; srv->prefix_n < PATH_PREFIX_SEGMENTS; text++) {
		size_t len = strcspn(text, "/");

		srv->prefix[srv->prefix_n++] = (struct coap_text){ text, len };
		text += len;
		if (!*text)
			return;
	}
}

static void take_conf(struct server *srv, struct north_server *north)
{
	const struct server_conf *c = north_server_conf(north);

	srv->north = north;
	srv->conf = c;
	srv->keep = true;
	srv->params = (struct coap_params){ 2000, 100000, 4, (uint8_t)c->nstart };
	srv->leg = (struct coap_leg){ &assoc_peer_ops, &srv->leg_params, &srv->all->shared };
	srv->insert_ep = c->insert_ep;
	srv->edits = (struct lwm2m_edits){
		.binding = strcmp(c->binding, "keep") == 0 ? NULL : c->binding,
		.queue_flag = c->queue_flag == SERVER_Q_ADD ? LWM2M_ADD
			: c->queue_flag == SERVER_Q_REMOVE  ? LWM2M_REMOVE
							    : LWM2M_KEEP,
		.remove_sms = c->sms == SERVER_SMS_REMOVE,
	};
	srv->edit = srv->edits.binding || srv->edits.queue_flag != LWM2M_KEEP || srv->edits.remove_sms;
	take_prefix(srv, c->path_prefix);
	(void)server_uri_parse(&srv->uri, c->uri); /* checked when it was loaded */
	take_kind(srv);
}

/* In order of configuration. */
static void note_role(struct sessions *s, struct server *srv)
{
	struct server **first = srv->conf->role == SERVER_BOOTSTRAP ? &s->bootstrap : &s->management;

	if (!*first && srv->conf->role != SERVER_PROXY)
		*first = srv;
}

struct server *server_new(struct sessions *s, struct north_server *north)
{
	struct server *srv = calloc(1, sizeof *srv);

	if (!srv)
		return NULL;
	srv->all = s;
	take_conf(srv, north);
	return srv;
}

int servers_configure(struct sessions *s, struct north_server *const *north, size_t n)
{
	for (struct server *srv = s->servers; srv; srv = srv->next)
		srv->keep = false;
	s->management = s->bootstrap = NULL;
	for (size_t i = 0; i < n; i++) {
		struct server *srv = server_by_name(s, north_server_conf(north[i])->head.name);

		if (!srv || srv->north != north[i]) {
			struct server **end = &s->servers;

			srv = server_new(s, north[i]);
			if (!srv)
				return -ENOMEM;
			while (*end)
				end = &(*end)->next;
			*end = srv;
		}
		take_conf(srv, north[i]);
		note_role(s, srv);
	}
	return 0;
}

void server_free(struct server *srv)
{
	timer_cancel(srv->all->env.timers, &srv->probe);
	free(srv);
}

void servers_sweep(struct sessions *s)
{
	struct server **at = &s->servers;

	while (*at) {
		struct server *srv = *at;

		if (srv->keep) {
			at = &srv->next;
			continue;
		}
		*at = srv->next;
		server_free(srv);
	}
}

/* ---- silence ---- */

/* The first message that waits and can be confirmed; where only such wait that cannot, a CoAP ping. */
static void probe(struct assoc *a, uint64_t now_ms)
{
	struct coap_tx *tx = coap_peer_stuck(&a->peer);

	if (tx)
		coap_tx_go(tx, now_ms);
	else if (a->peer.active == a->peer.stuck) /* nothing is being tried */
		assoc_send_empty(a, COAP_CON, coap_peer_mid(&a->peer));
}

/* One that has nothing left to say leaves the list; another goes to its end and is tried. */
static void on_probe(struct timer *t, uint64_t now_ms)
{
	struct server *srv = container_of(t, struct server, probe);
	struct assoc *a;

	while ((a = srv->silent)) {
		notes_expire(a);
		assoc_clear_silent(a);
		if (!a->peer.head)
			continue;
		assoc_set_silent(a);
		probe(a, now_ms);
		return;
	}
}

void assoc_set_silent(struct assoc *a)
{
	struct assoc **end = &a->srv->silent;

	if (a->is_silent)
		return;
	while (*end)
		end = &(*end)->next_silent;
	*end = a;
	a->next_silent = NULL;
	a->is_silent = true;
	a->peer.away = true;
	north_server_silent(a->srv->north);
	if (!timer_is_set(&a->srv->probe))
		timer_set(a->srv->all->env.timers, &a->srv->probe, clock_now_ms() + PROBE_MS, on_probe);
}

void assoc_clear_silent(struct assoc *a)
{
	struct assoc **at = &a->srv->silent;

	if (!a->is_silent)
		return;
	while (*at != a)
		at = &(*at)->next_silent;
	*at = a->next_silent;
	a->is_silent = false;
	a->peer.away = false;
	if (!a->srv->silent)
		timer_cancel(a->srv->all->env.timers, &a->srv->probe);
}

void assoc_wait_for_server(struct assoc *a)
{
	if (north_assoc_is_up(a->north) && !north_server_is_up(a->srv->north))
		assoc_set_silent(a);
}

void server_back(struct server *srv)
{
	struct assoc *list = srv->silent;
	uint64_t now = clock_now_ms();

	srv->silent = NULL;
	timer_cancel(srv->all->env.timers, &srv->probe);
	while (list) {
		struct assoc *a = list;

		list = a->next_silent;
		a->is_silent = false;
		notes_expire(a);
		coap_peer_resume(&a->peer, now);
	}
}
