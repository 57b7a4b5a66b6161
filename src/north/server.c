/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - one configured server: its address, and whether it is heard
 *
 * A numeric address is taken as it is, a name is looked up (lookup.c). Associations that wait for the address are
 * connected some at a time, so that a fleet coming up does not hold the loop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "north/secure.h"
#include "north/tcp.h"

enum {
	CONNECT_AT_ONCE = 256, /* about 2 ms */
	CONNECT_RETRY_MS = 1000,
	PACE_SLACK_MS = 20,
};

static struct timers *timers_of(const struct north_server *s)
{
	return loop_timers(s->north->env.loop);
}

/* ---- connecting what waits ---- */

void server_slot_free(struct north_assoc *a)
{
	if (!a->slot)
		return;
	a->slot = false;
	a->srv->slots--;
	server_connect_waiting(a->srv);
}

/* Whether one more may begin to connect now; else when (UINT64_MAX: when one of those that do is through). The rate is
 * kept as the time at which the next is due, so that none of it is saved up while nothing happens, but for some
 * milliseconds of it. */
static bool may_connect(struct north_server *s, uint64_t now_ms, uint64_t *when_ms)
{
	const uint64_t now_us = now_ms * 1000;

	*when_ms = UINT64_MAX;
	if (!assoc_transport((struct north_assoc *)s->waiting.next)->paced)
		return true;
	if (s->slots >= NORTH_SLOTS)
		return false;
	if (s->pace_us + PACE_SLACK_MS * 1000 < now_us)
		s->pace_us = now_us - PACE_SLACK_MS * 1000;
	if (s->pace_us > now_us) {
		*when_ms = (s->pace_us + 999) / 1000;
		return false;
	}
	s->pace_us += 1000000 / s->conf->handshakes_per_s;
	return true;
}

/* The association may be gone when this returns. */
static int connect_one(struct north_server *s, struct north_assoc *a)
{
	const struct north_transport *t = assoc_transport(a);
	int up;

	assoc_list_remove(&a->node);
	assoc_list_add(&s->open, &a->node);
	if (t->paced && !a->slot) {
		a->slot = true;
		s->slots++;
	}
	up = t->connect(a);
	if (up < 0) {
		server_slot_free(a);
		assoc_want(a);
	} else if (up && a->state != ASSOC_UP) {
		assoc_up(a);
	}
	return up < 0 ? up : 0;
}

static void connect_failed(struct north_server *s, int err, uint64_t now_ms)
{
	uint64_t held;

	if (log_limit(&s->north->send_limit, now_ms, 10000, &held))
		log_ev(LOG_WARNING, "north", "assoc.failed", LF_STR("server", s->name), LF_STR("error", strerror(-err)),
		       LF_UINT("held", held));
}

static void on_connect_timer(struct timer *t, uint64_t now_ms)
{
	struct north_server *s = container_of(t, struct north_server, connect_timer);
	uint64_t when_ms = now_ms + 1;

	for (int i = 0; i < CONNECT_AT_ONCE && !assoc_list_empty(&s->waiting); i++) {
		int err;

		if (!may_connect(s, now_ms, &when_ms))
			break;
		when_ms = now_ms + 1;
		err = connect_one(s, (struct north_assoc *)s->waiting.next);
		if (err) {
			connect_failed(s, err, now_ms);
			when_ms = now_ms + CONNECT_RETRY_MS;
			break;
		}
	}
	if (!assoc_list_empty(&s->waiting) && when_ms != UINT64_MAX)
		timer_set(timers_of(s), t, when_ms, on_connect_timer);
}

void server_connect_waiting(struct north_server *s)
{
	if (s->addr.len && !assoc_list_empty(&s->waiting) && !timer_is_set(&s->connect_timer))
		timer_set(timers_of(s), &s->connect_timer, clock_now_ms(), on_connect_timer);
}

void server_address_known(struct north_server *s, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	s->addr = *addr;
	s->stream_at = 0;
	s->addr_ms = clock_now_ms();
	s->addresses++;
	s->from.len = 0;
	(void)udp_source(&s->from, s->north, addr);
	addr_format(addr, text, sizeof text);
	log_ev(LOG_INFO, "north", "server.address", LF_STR("server", s->name), LF_STR("address", text));
	assoc_list_move_all(&s->waiting, &s->open); /* those of a former address */
	server_connect_waiting(s);
}

/* ---- open and close ---- */

static double up_gauge(void *arg)
{
	return north_server_is_up(arg);
}

const char *server_label(const struct north_server *s, char *buf, size_t size)
{
	char value[300];

	snprintf(buf, size, "server=\"%s\"", metrics_label(value, sizeof value, s->name));
	return buf;
}

static int choose_transport(struct north_server *s, const struct server_conf *conf)
{
	int err = server_uri_parse(&s->uri, conf->uri);

	for (int k = 0; !err && k < NORTH_KIND_COUNT; k++) {
		if (!north_transports[k]->scheme || strcmp(north_transports[k]->scheme, s->uri.scheme) != 0)
			continue;
		s->kind = (enum north_kind)k;
		return 0;
	}
	return err ? err : -ENOTSUP;
}

/* In place of another server's of the same name, from before or after a reload. */
static void show_up(struct north_server *s)
{
	char label[320];

	metrics_gauge(s->north->env.metrics, "server_up", server_label(s, label, sizeof label),
		      "1 while the server's address is known and it is not silent", up_gauge, s);
}

static void register_metrics(struct north_server *s)
{
	struct metrics *m = s->north->env.metrics;
	char label[320];

	show_up(s);
	server_label(s, label, sizeof label);
	s->foreign = metrics_counter(m, "north_foreign_total", label,
				     "Datagrams that reached an association from elsewhere than its server");
	s->refused = metrics_counter(m, "north_refused_total", label, "ICMP reports that nobody listens at the server");
	s->send_failed = metrics_counter(m, "north_send_failed_total", label,
					 "Datagrams the kernel did not take, by full buffers or missing routes");
}

static bool numeric_address(struct addr *out, const struct server_uri *uri)
{
	char text[sizeof uri->host + 10];

	snprintf(text, sizeof text, strchr(uri->host, ':') ? "[%s]:%u" : "%s:%u", uri->host, uri->port);
	return !addr_parse(out, text, true);
}

/* A name, though it needs no lookup. */
static bool is_localhost(const struct server_uri *uri)
{
	return !strchr(uri->host, ':') && strspn(uri->host, "0123456789.") != strlen(uri->host);
}

int north_server_open(struct north_server **out, struct north *n, const struct server_conf *conf)
{
	struct north_server *s = calloc(1, sizeof *s);
	struct addr a;
	int err;

	if (!s)
		return -ENOMEM;
	s->name = strdup(conf->head.name);
	err = s->name ? choose_transport(s, conf) : -ENOMEM;
	if (err) {
		free(s->name);
		free(s);
		return err;
	}
	s->north = n;
	s->conf = conf;
	assoc_list_init(&s->waiting);
	assoc_list_init(&s->open);
	register_metrics(s);
	err = north_transports[s->kind]->secure ? secure_server_open(s) : 0;
	if (!err && north_server_is_stream(s))
		err = tcp_server_open(s);
	if (err) {
		north_server_close(s);
		return err;
	}
	s->next = n->servers;
	n->servers = s;
	s->numeric = numeric_address(&a, &s->uri);
	if (s->numeric && conf->role == SERVER_PROXY && is_localhost(&s->uri))
		server_forbid(s);
	if (s->numeric)
		server_address_known(s, &a);
	else
		server_lookup_start(s);
	*out = s;
	return 0;
}

static void unlist(const struct north_server *s)
{
	struct north_server **at = &s->north->servers;

	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
}

void north_server_close(struct north_server *s)
{
	char label[320];

	if (!s)
		return;
	unlist(s);
	server_lookup_cancel(s);
	timer_cancel(timers_of(s), &s->connect_timer);
	if (!s->local)
		metrics_gauge(s->north->env.metrics, "server_up", server_label(s, label, sizeof label), NULL, NULL, s);
	secure_server_close(s);
	if (north_server_is_stream(s))
		tcp_server_close(s);
	if (s->silent || s->lookup_alarm) /* else it may be another's, of the same name */
		alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	free(s->name);
	free(s);
}

void north_server_set_conf(struct north_server *s, const struct server_conf *conf)
{
	const bool other = s->conf != conf;

	s->conf = conf;
	if (!s->local)
		show_up(s);
	if (other && s->secure)
		secure_server_renew(s);
}

const struct server_conf *north_server_conf(const struct north_server *s)
{
	return s->conf;
}

/* ---- silent and back ---- */

void north_server_silent(struct north_server *s)
{
	if (s->silent || s->local)
		return;
	s->silent = true;
	alarm_raise(s->north->env.alarms, ALARM_MAJOR, "server.unreachable", s->name,
		    north_server_is_stream(s) ? "no connection can be made" : "no answer to any retransmission",
		    "check the server and the way to it");
	s->stale = !north_server_is_stream(s); /* a stream tries all of them by itself */
	if (!s->numeric)
		server_lookup_start(s);
}

void server_no_answer(struct north_server *s, uint64_t begun_ms)
{
	if (s->ups || begun_ms < s->addr_ms)
		return;
	if (!s->silent)
		north_server_silent(s);
	else if (!north_server_is_stream(s))
		server_address_next(s);
}

void north_server_heard(struct north_server *s)
{
	s->heard_ms = clock_now_ms();
	if (!s->silent)
		return;
	s->silent = s->stale = false;
	alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	log_ev(LOG_NOTICE, "north", "server.back", LF_STR("server", s->name));
	s->north->env.events->back(s->north->env.arg, s);
}

/* Until the configuration names it again: a name that leads inside once is not asked for again and again. */
void server_forbid(struct north_server *s)
{
	struct assoc_list waiting;

	s->forbidden = true;
	log_ev(LOG_WARNING, "north", "proxy.forbidden", LF_STR("target", s->name),
	       LF_STR("reason", "its name leads to a reserved address"));
	assoc_list_init(&waiting);
	assoc_list_move_all(&waiting, &s->waiting);
	while (!assoc_list_empty(&waiting)) {
		struct north_assoc *a = (struct north_assoc *)waiting.next;

		assoc_list_remove(&a->node);
		assoc_list_add(&s->waiting, &a->node);
		a->events->event(a->arg, NORTH_DENIED);
	}
}

bool north_server_is_forbidden(const struct north_server *s)
{
	return s->forbidden;
}

bool north_server_is_up(const struct north_server *s)
{
	return s->local || (s->addr.len && !s->silent);
}

bool north_server_is_stream(const struct north_server *s)
{
	return north_transports[s->kind]->stream;
}

void north_server_status(const struct north_server *s, struct north_server_status *st)
{
	memset(st, 0, sizeof *st);
	if (s->addr.len)
		addr_format(&s->addr, st->address, sizeof st->address);
	st->up = north_server_is_up(s);
	st->associations = s->associations;
	if (s->heard_ms)
		st->last_heard_wall_ms = clock_wall_ms() - (clock_now_ms() - s->heard_ms);
	if (s->foreign)
		st->foreign = *s->foreign;
}
