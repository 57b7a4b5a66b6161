/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the server's files share: the listener, its connections, the one request of each */
#ifndef NIDDGW_HTTP_INTERNAL_H
#define NIDDGW_HTTP_INTERNAL_H

#include <openssl/ssl.h>

#include "base/log.h"
#include "http/h1_parse.h"
#include "http/server.h"

struct bufferevent;
struct evbuffer;

enum { READ_AT_ONCE = 16384 };

enum conn_state {
	CONN_HANDSHAKE, /* TLS only */
	CONN_READING,   /* a request, or waiting for one */
	CONN_HELD,      /* a whole request is with the handler */
	CONN_FLUSHING,  /* the last answer is being written */
	CONN_LINGERING, /* our side is shut; what the peer still sends is dropped, so that no reset overtakes the answer */
};

struct http_request {
	void *data;
};

struct conn {
	struct conn *next, *prev; /* in order of arrival */
	struct http_server *server;
	struct bufferevent *bev; /* owned; closes the socket */
	struct evbuffer *in;     /* what is not parsed yet; of bev, or owned when plain */
	struct loop_fd *watch;   /* owned; reads for a plain one; NULL: bev does */
	SSL *ssl;                /* borrowed from bev; NULL: plain */
	int fd;                  /* borrowed from bev */
	enum conn_state state;
	struct http_request request;
	struct h1 h1;
	struct timer timer; /* fires at deadline_ms or earlier and looks again */
	uint64_t deadline_ms, born_ms;
	size_t dropped;     /* octets while lingering */
	struct addr from;
	char *subject;      /* owned */
	bool open;          /* the handler knows the request and has not answered */
	bool timing;        /* deadline_ms is that of a request, not of idleness */
	bool served;        /* a request was answered with less than 400: not a stranger */
	bool eof;           /* the peer has shut its side */
	bool reading;       /* what the peer sends is read */
	bool dead;          /* to be freed when the last that holds it lets go */
	unsigned busy;      /* calls on the stack that hold it */
};

struct http_server {
	struct loop *loop;                 /* borrowed */
	const struct http_handler *handler; /* borrowed */
	void *arg;
	struct http_limits limits;
	SSL_CTX *tls; /* owned; NULL: plain */
	struct loop_fd *watch; /* owned */
	int fd;                /* listening; -1 after stop */
	struct timer pause;    /* after accept failed */
	uint64_t pause_ms;
	struct conn *first, *last; /* owned */
	unsigned conns;
	unsigned depth; /* calls into the handler on the stack */
	bool stopped, closed;
	uint64_t date_s;
	char date[40];
	char *input;   /* owned; READ_AT_ONCE octets, what a plain socket has just given */
	char *scratch; /* owned; answers are put together here */
	size_t scratch_size;
	struct log_limit log_tls, log_accept;
};

/* conn.c */
int conn_open(struct http_server *s, int fd, const struct addr *from); /* fd is taken */
void conn_kill(struct conn *c); /* gone() for an open request; frees it now or when the running call returns */
bool conn_is_idle(const struct conn *c);
void conn_arm(struct conn *c, uint64_t at_ms); /* the deadline; UINT64_MAX: none */
void conn_finish(struct conn *c); /* the last answer is written or waits in the bufferevent: flush, linger, close */
void conn_hold(struct conn *c); /* around all that calls the handler and looks at c afterwards: the call may end c, or the server */
void conn_let_go(struct conn *c);
void conn_tell_refused(struct conn *c, const char *why);
void conn_tell_gone(struct conn *c); /* the handler must let go of a request that it will not answer any more */
void conn_eof(struct conn *c);  /* the peer has shut its side */
void server_enter(struct http_server *s);
void server_leave(struct http_server *s); /* may free s */

/* feed.c */
void conn_input(struct conn *c); /* parse what waits */
void conn_on_readable(void *conn, int fd, unsigned what);
void conn_refuse(struct conn *c, int status, const char *why); /* an answer of our own to what never becomes a request */

/* request.c */
void conn_answer(struct conn *c, int status, const struct http_header *headers, size_t headers_n, const char *content_type,
		 const void *body, size_t len, bool keep);

/* respond.c */
/* Write an answer. keep: the connection may go on. -ENOMEM or what send() says: only conn_kill() is left. */
int conn_write(struct conn *c, int status, const struct http_header *headers, size_t headers_n, const char *content_type,
	       const void *body, size_t len, bool keep);
int conn_send(struct conn *c, const void *data, size_t len);
/* IMF-fixdate (RFC 9110 5.6.7); out takes 30 octets. */
void http_date(char *out, uint64_t wall_s);

/* tls.c */
int tls_server_ctx(SSL_CTX **out, const struct http_tls_conf *conf); /* -EINVAL, logged; -ENOMEM */
/* OpenSSL's reason for the error `code` of ERR_get_error() or bufferevent_get_openssl_error(). */
void tls_reason(unsigned long code, char *buf, size_t size);
char *tls_client_subject(SSL *ssl); /* RFC 2253, owned by the caller; NULL without a verified certificate */

/* server.c */
void http_ignore_sigpipe(void); /* unless the process has chosen a handler of its own */

#endif
