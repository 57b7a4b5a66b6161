/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - one connection, from its beginning to its end; feed.c has what happens between
 *
 * One timer per connection is set lazily: it may fire early and looks at deadline_ms, so that a kept connection does
 * not move it with every request.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/internal.h"

enum { LINGER_MS = 2000 };

static void on_timer(struct timer *t, uint64_t now_ms);

static void free_conn(struct conn *c)
{
	loop_unwatch(c->watch);
	if (!c->ssl)
		evbuffer_free(c->in);
	bufferevent_free(c->bev);
	h1_fini(&c->h1);
	free(c->subject);
	free(c);
}

void conn_hold(struct conn *c)
{
	server_enter(c->server);
	c->busy++;
}

void conn_let_go(struct conn *c)
{
	struct http_server *s = c->server;

	if (!--c->busy && c->dead)
		free_conn(c);
	server_leave(s);
}

void conn_arm(struct conn *c, uint64_t at_ms)
{
	c->deadline_ms = at_ms;
	if (at_ms != UINT64_MAX && (!timer_is_set(&c->timer) || at_ms < c->timer.at_ms))
		timer_set(loop_timers(c->server->loop), &c->timer, at_ms, on_timer);
}

void conn_tell_refused(struct conn *c, const char *why)
{
	struct http_server *s = c->server;

	if (s->handler->refused)
		s->handler->refused(s->arg, &c->from, why);
}

/* ---- the end of a connection ---- */

static void unlink_conn(struct conn *c)
{
	struct http_server *s = c->server;

	*(c->prev ? &c->prev->next : &s->first) = c->next;
	*(c->next ? &c->next->prev : &s->last) = c->prev;
	s->conns--;
}

void conn_tell_gone(struct conn *c)
{
	struct http_server *s = c->server;

	if (!c->open)
		return;
	c->open = false;
	if (s->handler->gone)
		s->handler->gone(s->arg, &c->request);
}

void conn_kill(struct conn *c)
{
	struct http_server *s = c->server;

	if (c->dead)
		return;
	server_enter(s);
	c->dead = true;
	timer_cancel(loop_timers(s->loop), &c->timer);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	if (c->watch)
		loop_rewatch(c->watch, 0);
	unlink_conn(c);
	conn_tell_gone(c); /* this may close the server: c is in no list any more */
	if (!c->busy)
		free_conn(c);
	server_leave(s);
}

/* close_notify, so that the end is no truncation */
static void say_goodbye(struct conn *c)
{
	if (!c->ssl || c->state == CONN_HANDSHAKE)
		return;
	ERR_clear_error();
	SSL_shutdown(c->ssl);
}

/* A close with unread octets makes the kernel send a reset, which may take the answer with it. So shut our side first
 * and read on for a moment. */
static void linger(struct conn *c)
{
	say_goodbye(c);
	c->state = CONN_LINGERING;
	if (c->eof || shutdown(c->fd, SHUT_WR)) {
		conn_kill(c);
		return;
	}
	conn_arm(c, clock_now_ms() + LINGER_MS);
}

void conn_finish(struct conn *c)
{
	c->state = CONN_FLUSHING;
	if (!evbuffer_get_length(bufferevent_get_output(c->bev)))
		linger(c);
	else
		conn_arm(c, clock_now_ms() + c->server->limits.request_ms);
}

bool conn_is_idle(const struct conn *c)
{
	return c->state == CONN_HANDSHAKE ||
		(c->state == CONN_READING && !h1_started(&c->h1) &&
		 !evbuffer_get_length(bufferevent_get_output(c->bev)));
}

/* ---- events ---- */

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	conn_input(arg);
}

/* All that waited is written. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->dead)
		return;
	if (c->state == CONN_FLUSHING)
		linger(c);
	else if (c->state == CONN_READING)
		conn_input(c);
}

static void on_handshake_failed(struct conn *c)
{
	struct http_server *s = c->server;
	char reason[160], from[ADDR_TEXT_MAX];
	uint64_t held;

	tls_reason(bufferevent_get_openssl_error(c->bev), reason, sizeof reason);
	if (log_limit(&s->log_tls, clock_now_ms(), 10000, &held)) {
		addr_format(&c->from, from, sizeof from);
		log_ev(LOG_WARNING, "http", "tls.refused", LF_STR("from", from), LF_STR("reason", reason),
		       LF_UINT("suppressed", held));
	}
	conn_tell_refused(c, "tls");
}

void conn_eof(struct conn *c)
{
	c->eof = true;
	if (c->state == CONN_HELD || c->state == CONN_FLUSHING)
		return; /* a peer that has shut only its side still gets its answer */
	if (c->state == CONN_READING && evbuffer_get_length(bufferevent_get_output(c->bev)))
		return;
	conn_kill(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->dead)
		return;
	conn_hold(c);
	if (what & BEV_EVENT_CONNECTED) {
		c->state = CONN_READING;
		c->subject = tls_client_subject(c->ssl);
	} else {
		if (c->state == CONN_HANDSHAKE)
			on_handshake_failed(c);
		if (!c->dead && what & BEV_EVENT_EOF)
			conn_eof(c);
		else
			conn_kill(c);
	}
	conn_let_go(c);
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (now_ms < c->deadline_ms) {
		conn_arm(c, c->deadline_ms);
		return;
	}
	conn_hold(c);
	if (c->state == CONN_READING && c->timing && h1_started(&c->h1)) {
		conn_refuse(c, 408, "slow");
	} else {
		if (c->state == CONN_HANDSHAKE || (c->state == CONN_READING && c->timing))
			conn_tell_refused(c, "slow");
		if (!c->dead)
			say_goodbye(c);
		conn_kill(c);
	}
	conn_let_go(c);
}

/* ---- the beginning ---- */

/* The bufferevent only writes. */
static int open_plain(struct conn *c, int fd)
{
	struct loop *loop = c->server->loop;

	c->in = evbuffer_new();
	if (!c->in)
		return -ENOMEM;
	if (!loop_watch(loop, &c->watch, fd, LOOP_READ, conn_on_readable, c)) {
		c->bev = bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);
		if (c->bev)
			return 0;
		loop_unwatch(c->watch);
	}
	evbuffer_free(c->in);
	return -ENOMEM;
}

static int open_bev(struct conn *c, int fd)
{
	struct event_base *base = loop_base(c->server->loop);

	if (!c->server->tls)
		return open_plain(c, fd);
	c->ssl = SSL_new(c->server->tls);
	if (!c->ssl)
		return -ENOMEM;
	c->bev = bufferevent_openssl_socket_new(base, fd, c->ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		SSL_free(c->ssl);
		return -ENOMEM;
	}
	c->in = bufferevent_get_input(c->bev);
	SSL_set_mode(c->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER); /* write_now() and the bufferevent share a write */
	return 0;
}

static void link_conn(struct conn *c)
{
	struct http_server *s = c->server;

	c->prev = s->last;
	*(s->last ? &s->last->next : &s->first) = c;
	s->last = c;
	s->conns++;
}

int conn_open(struct http_server *s, int fd, const struct addr *from)
{
	const struct h1_limits limits = {
		.header_bytes = s->limits.header_bytes,
		.header_lines = s->limits.header_lines,
		.body_bytes = s->limits.body_bytes,
	};
	const int on = 1;
	struct conn *c = calloc(1, sizeof *c);

	if (!c || h1_init(&c->h1, &limits))
		goto fail;
	c->server = s;
	c->fd = fd;
	c->from = *from;
	if (open_bev(c, fd))
		goto fail;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->state = c->ssl ? CONN_HANDSHAKE : CONN_READING;
	c->born_ms = clock_now_ms();
	c->timing = true;
	link_conn(c);
	conn_arm(c, c->born_ms + s->limits.request_ms);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	c->reading = true;
	if (c->ssl)
		bufferevent_enable(c->bev, EV_READ);
	return 0;
fail:
	if (c)
		h1_fini(&c->h1);
	free(c);
	close(fd);
	return -ENOMEM;
}
