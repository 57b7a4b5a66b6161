/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - what a handler may ask of a request, and its answer */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/internal.h"

static struct conn *conn_of(const struct http_request *r)
{
	return container_of((struct http_request *)(uintptr_t)r, struct conn, request);
}

void conn_answer(struct conn *c, int status, const struct http_header *headers, size_t headers_n,
		 const char *content_type, const void *body, size_t len, bool keep)
{
	c->open = false;
	c->request.data = NULL;
	c->served = c->served || status < 400;
	keep = keep && !c->server->stopped && !c->eof && h1_keep_alive(&c->h1);
	if (conn_write(c, status, headers, headers_n, content_type, body, len, keep)) {
		conn_kill(c);
		return;
	}
	h1_next(&c->h1);
	if (!keep) {
		conn_finish(c);
		return;
	}
	c->state = CONN_READING;
	c->timing = false;
	conn_arm(c, clock_now_ms() + c->server->limits.idle_ms);
	/* What the peer has pipelined is taken up by the loop, not from within the handler's call. */
	if (!c->busy && evbuffer_get_length(c->in))
		bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

void http_respond(struct http_request *r, int status, const struct http_header *headers, size_t headers_n,
		  const char *content_type, const void *body, size_t len)
{
	struct conn *c = conn_of(r);

	if (c->open) /* before the body is read nobody knows where the next request begins */
		conn_answer(c, status, headers, headers_n, content_type, body, len,
			    c->state == CONN_HELD || !h1_has_body(&c->h1));
}

void http_respond_close(struct http_request *r, int status)
{
	struct conn *c = conn_of(r);

	if (c->open)
		conn_answer(c, status, NULL, 0, NULL, NULL, 0, false);
}

void http_request_abort(struct http_request *r)
{
	struct conn *c = conn_of(r);
	const struct linger reset = { .l_onoff = 1 };

	if (!c->open)
		return;
	c->open = false;
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	conn_kill(c);
}

enum http_method http_request_method(const struct http_request *r)
{
	return conn_of(r)->h1.method;
}

const char *http_request_target(const struct http_request *r)
{
	return h1_target(&conn_of(r)->h1);
}

const struct addr *http_request_from(const struct http_request *r)
{
	return &conn_of(r)->from;
}

const char *http_request_header(const struct http_request *r, const char *name, unsigned *count)
{
	return h1_header(&conn_of(r)->h1, name, count);
}

size_t http_request_content_length(const struct http_request *r)
{
	return conn_of(r)->h1.content_length;
}

const char *http_request_client_subject(const struct http_request *r)
{
	return conn_of(r)->subject;
}

void *http_request_data(const struct http_request *r)
{
	return r->data;
}

void http_request_set_data(struct http_request *r, void *data)
{
	r->data = data;
}
