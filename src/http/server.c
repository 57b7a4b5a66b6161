/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the listener: who may connect, and how it ends
 *
 * Places are few and bounded, so they go to those who use them: when all are taken, a stranger (a connection that has
 * not had a request answered) who has been dawdling gives his place to the newcomer. A thousand slow connections from
 * one address cannot lock out another address, and not for long another client of the same address.
 */
#include "http/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/internal.h"

enum {
	BACKLOG = 256,
	ACCEPTS_PER_PASS = 64,
	PAUSE_MS = 50,
	PAUSE_MOST_MS = 1000, /* after accept failed for want of descriptors or memory */
	DAWDLING_MS = 500,    /* a stranger younger than that keeps his place */
};

const struct http_limits http_limits_default = {
	.header_bytes = 16384,
	.header_lines = 64,
	.body_bytes = 65536,
	.request_ms = 10000,
	.idle_ms = 60000,
	.connections = 256,
	.connections_per_address = 64,
};

void http_ignore_sigpipe(void)
{
	struct sigaction sa;

	if (!sigaction(SIGPIPE, NULL, &sa) && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

/* ---- places ---- */

static unsigned count_of(const struct http_server *s, const struct addr *from)
{
	unsigned n = 0;

	for (const struct conn *c = s->first; c; c = c->next)
		n += addr_equal(&c->from, from, false);
	return n;
}

static bool is_dawdling(const struct conn *c)
{
	return !c->served && !c->open && clock_now_ms() - c->born_ms >= DAWDLING_MS;
}

/* The oldest dawdler; of `from` only, when that is given. */
static struct conn *dawdler(const struct http_server *s, const struct addr *from)
{
	for (struct conn *c = s->first; c; c = c->next)
		if (is_dawdling(c) && (!from || addr_equal(&c->from, from, false)))
			return c;
	return NULL;
}

static void tell_refused(struct http_server *s, const struct addr *from, const char *why)
{
	if (s->handler->refused)
		s->handler->refused(s->arg, from, why);
}

/* Is there a place for a newcomer, or can one be made? */
static bool make_place(struct http_server *s, const struct addr *from)
{
	bool crowd = count_of(s, from) >= s->limits.connections_per_address;
	struct conn *victim;
	struct addr who;

	if (!crowd && s->conns < s->limits.connections)
		return true;
	victim = dawdler(s, crowd ? from : NULL);
	if (!victim)
		return false;
	who = victim->from;
	conn_kill(victim);
	tell_refused(s, &who, "slow");
	return !s->closed;
}

/* ---- accepting ---- */

static void on_pause_over(struct timer *t, uint64_t now_ms)
{
	struct http_server *s = container_of(t, struct http_server, pause);

	(void)now_ms;
	if (s->watch)
		loop_rewatch(s->watch, LOOP_READ);
}

/* No descriptor or memory: the connection stays in the backlog, and so would the event. Look again a little later. */
static void pause_accepting(struct http_server *s, int err)
{
	uint64_t held;

	s->pause_ms = s->pause_ms ? s->pause_ms * 2 : PAUSE_MS;
	if (s->pause_ms > PAUSE_MOST_MS)
		s->pause_ms = PAUSE_MOST_MS;
	if (log_limit(&s->log_accept, clock_now_ms(), 10000, &held))
		log_ev(LOG_ERROR, "http", "accept.failed", LF_INT("errno", err), LF_UINT("suppressed", held));
	loop_rewatch(s->watch, 0);
	timer_set(loop_timers(s->loop), &s->pause, clock_now_ms() + s->pause_ms, on_pause_over);
}

static void take_in(struct http_server *s, int fd, const struct addr *from)
{
	if (!make_place(s, from) || s->closed) {
		close(fd);
		if (!s->closed)
			tell_refused(s, from, "connections");
	} else if (conn_open(s, fd, from)) {
		tell_refused(s, from, "connections");
	}
}

static void on_acceptable(void *arg, int fd, unsigned what)
{
	struct http_server *s = arg;

	(void)what;
	server_enter(s);
	for (int i = 0; i < ACCEPTS_PER_PASS && !s->stopped; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		int got = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct addr from;

		if (got < 0 && (errno == ECONNABORTED || errno == EINTR || errno == EPROTO))
			continue;
		if (got < 0) {
			if (errno != EAGAIN)
				pause_accepting(s, errno);
			break;
		}
		s->pause_ms = 0;
		addr_from(&from, (struct sockaddr *)&sa, len);
		take_in(s, got, &from);
	}
	server_leave(s);
}

/* ---- opening and closing ---- */

static int listen_on(struct http_server *s, const struct addr *addr)
{
	const int on = 1;

	s->fd = socket(addr->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(s->fd, &addr->u.sa, addr->len) || listen(s->fd, BACKLOG))
		return -errno;
	return loop_watch(s->loop, &s->watch, s->fd, LOOP_READ, on_acceptable, s);
}

int http_server_open(struct http_server **out, struct loop *loop, const struct addr *addr,
		     const struct http_tls_conf *tls, const struct http_limits *limits,
		     const struct http_handler *handler, void *arg)
{
	struct http_server *s = calloc(1, sizeof *s);
	int err = 0;

	if (!s)
		return -ENOMEM;
	http_ignore_sigpipe();
	s->loop = loop;
	s->limits = limits ? *limits : http_limits_default;
	s->handler = handler;
	s->arg = arg;
	s->fd = -1;
	s->input = malloc(READ_AT_ONCE);
	if (!s->input)
		err = -ENOMEM;
	if (!err && tls)
		err = tls_server_ctx(&s->tls, tls);
	if (!err)
		err = listen_on(s, addr);
	if (err) {
		http_server_close(s);
		return err;
	}
	*out = s;
	return 0;
}

int http_server_set_tls(struct http_server *s, const struct http_tls_conf *tls)
{
	SSL_CTX *ctx;

	if (!s->tls || tls_server_ctx(&ctx, tls))
		return -EINVAL;
	SSL_CTX_free(s->tls); /* running connections hold it themselves */
	s->tls = ctx;
	return 0;
}

void http_server_stop(struct http_server *s)
{
	struct conn *c, *next;

	if (s->stopped)
		return;
	s->stopped = true;
	timer_cancel(loop_timers(s->loop), &s->pause);
	loop_unwatch(s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	for (c = s->first; c; c = next) {
		next = c->next;
		if (conn_is_idle(c))
			conn_kill(c);
	}
}

static void free_server(struct http_server *s)
{
	SSL_CTX_free(s->tls);
	free(s->input);
	free(s->scratch);
	free(s);
}

void server_enter(struct http_server *s)
{
	s->depth++;
}

void server_leave(struct http_server *s)
{
	if (!--s->depth && s->closed)
		free_server(s);
}

void http_server_close(struct http_server *s)
{
	if (!s || s->closed)
		return;
	server_enter(s);
	http_server_stop(s);
	while (s->first)
		conn_kill(s->first);
	s->closed = true;
	server_leave(s);
}

void http_server_set_arg(struct http_server *s, void *arg)
{
	s->arg = arg;
}

void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
	s->limits = *limits;
}

unsigned http_server_connections(const struct http_server *s)
{
	return s->conns;
}

uint16_t http_server_port(const struct http_server *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct addr a;

	if (s->fd < 0 || getsockname(s->fd, (struct sockaddr *)&sa, &len))
		return 0;
	addr_from(&a, (struct sockaddr *)&sa, len);
	return addr_port(&a);
}
