/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c - octets of a connection to requests, one at a time
 *
 * While the handler holds a request nothing more is parsed, and when enough waits reading stops, so that a peer that
 * pipelines is held back by TCP. (Not by the bufferevent's high-water mark: with TLS that leaves octets inside OpenSSL
 * for which no event comes any more.) Plain connections are read here, past the bufferevent, which would ask the kernel
 * twice and copy; through TLS the octets come in its input buffer.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/internal.h"

enum {
	INPUT_MOST = 32768,      /* read ahead of the parser */
	LINGER_OCTETS = 1 << 20, /* dropped before we stop being polite */
};

void conn_refuse(struct conn *c, int status, const char *why)
{
	conn_tell_refused(c, why);
	if (c->dead)
		return;
	conn_tell_gone(c);
	if (conn_write(c, status, NULL, 0, NULL, NULL, 0, false))
		conn_kill(c);
	else
		conn_finish(c);
}

/* ---- requests ---- */

static void on_head(struct conn *c, bool last)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http_server *s = c->server;
	int status = 0;

	c->open = true;
	c->request.data = NULL;
	if (s->handler->head)
		status = s->handler->head(s->arg, &c->request);
	if (c->dead || !c->open)
		return;
	if (status)
		conn_answer(c, status, NULL, 0, NULL, NULL, 0, !h1_has_body(&c->h1));
	else if (c->h1.expect_continue && h1_has_body(&c->h1) && last && conn_send(c, go_on, sizeof go_on - 1))
		conn_kill(c);
}

static void on_done(struct conn *c)
{
	struct http_server *s = c->server;

	c->state = CONN_HELD;
	conn_arm(c, UINT64_MAX); /* from here on the time is the handler's */
	s->handler->request(s->arg, &c->request, c->h1.body_len ? c->h1.body : (const uint8_t *)"", c->h1.body_len);
}

static void on_bad(struct conn *c)
{
	bool big = c->h1.status == 413 || c->h1.status == 431;

	log_ev(LOG_DEBUG, "http", "request.refused", LF_UINT("status", c->h1.status), LF_STR("why", c->h1.why));
	conn_refuse(c, c->h1.status, big ? "too_big" : "malformed");
}

/* The request has begun and is not complete: its time runs from here. */
static void on_more(struct conn *c)
{
	if (c->timing || !h1_started(&c->h1))
		return;
	c->timing = true;
	conn_arm(c, clock_now_ms() + c->server->limits.request_ms);
}

/* What the parser has said; rest octets stand behind those that it has used. false: nothing more can be done with them
 * now. */
static bool act(struct conn *c, enum h1_event ev, size_t rest)
{
	switch (ev) {
	case H1_HEAD:
		on_head(c, rest == 0);
		return true;
	case H1_DONE:
		on_done(c);
		return true;
	case H1_ERROR:
		on_bad(c);
		return true;
	default:
		if (rest)
			return true;
		on_more(c);
		return false;
	}
}

static void drop_input(struct conn *c)
{
	struct evbuffer *in = c->in;

	c->dropped += evbuffer_get_length(in);
	evbuffer_drain(in, evbuffer_get_length(in));
	if (c->dropped > LINGER_OCTETS)
		conn_kill(c);
}

/* Nothing of the next request is parsed while an answer still waits to be written: a peer that does not read gets no
 * more. */
static bool may_parse(const struct conn *c)
{
	return !c->dead && c->state == CONN_READING && !evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* Stop reading when enough waits, go on when it has been used up. */
static void balance(struct conn *c)
{
	bool want = evbuffer_get_length(c->in) < INPUT_MOST;

	if (want == c->reading || c->eof)
		return;
	c->reading = want;
	if (c->watch)
		loop_rewatch(c->watch, want ? LOOP_READ : 0);
	else if (want)
		bufferevent_enable(c->bev, EV_READ);
	else
		bufferevent_disable(c->bev, EV_READ);
}

/* What waits in c->in. */
static void parse_waiting(struct conn *c)
{
	bool more = true;

	while (more && may_parse(c)) {
		struct evbuffer_iovec v = { 0 };
		enum h1_event ev;
		size_t used;

		evbuffer_peek(c->in, -1, NULL, &v, 1);
		ev = h1_feed(&c->h1, v.iov_base, v.iov_len, &used);
		evbuffer_drain(c->in, used);
		more = act(c, ev, evbuffer_get_length(c->in));
	}
}

static void after(struct conn *c)
{
	if (!c->dead && (c->state == CONN_FLUSHING || c->state == CONN_LINGERING))
		drop_input(c);
	if (!c->dead && c->eof && c->state == CONN_READING && !evbuffer_get_length(bufferevent_get_output(c->bev)))
		conn_kill(c);
	if (!c->dead)
		balance(c);
}

void conn_input(struct conn *c)
{
	if (c->busy || c->dead)
		return;
	conn_hold(c);
	parse_waiting(c);
	after(c);
	conn_let_go(c);
}

/* Straight from the socket to the parser, as long as nothing waits; what it cannot take yet is kept. */
static void take(struct conn *c, const char *data, size_t len)
{
	bool more = !evbuffer_get_length(c->in);

	conn_hold(c);
	while (more && may_parse(c)) {
		size_t used;
		enum h1_event ev = h1_feed(&c->h1, data, len, &used);

		data += used;
		len -= used;
		more = act(c, ev, len);
	}
	if (len && !c->dead && evbuffer_add(c->in, data, len))
		conn_kill(c);
	after(c);
	conn_let_go(c);
}

void conn_on_readable(void *arg, int fd, unsigned what)
{
	struct conn *c = arg;
	char *buf = c->server->input;
	ssize_t n = recv(fd, buf, READ_AT_ONCE, 0);

	(void)what;
	if (n > 0) {
		take(c, buf, (size_t)n);
	} else if (n == 0) {
		loop_rewatch(c->watch, 0); /* it would be ready for ever */
		conn_eof(c);
	} else if (errno != EAGAIN && errno != EINTR) {
		conn_kill(c);
	}
}
