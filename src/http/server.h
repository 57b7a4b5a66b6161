/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a bounded HTTP server for callbacks
 *
 * Strict HTTP/1.1 (RFC 9112) over plain TCP or TLS on the loop. What is ambiguous is refused (400 and close): two lengths,
 * a length with Transfer-Encoding, obsolete folding, bare CR or LF, white space before a colon. Bounds are enforced
 * before memory is spent. The interface knows requests, not connections, so that HTTP/2 streams can stand behind it later.
 */
#ifndef NIDDGW_HTTP_SERVER_H
#define NIDDGW_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"

struct http_limits {
	size_t header_bytes;        /* 16 KiB: request line and header together -> 431 */
	unsigned header_lines;      /* 64 -> 431 */
	size_t body_bytes;          /* 64 KiB -> 413 */
	uint64_t request_ms;        /* 10 s from the first octet of a request (or the accept) to its end -> 408 and close */
	uint64_t idle_ms;           /* 60 s between requests on a kept connection -> close */
	/* 256 in all; above: accepted and closed at once, counted. But one of a stranger (no request of it was answered below
	 * 400) that has dawdled for half a second gives its place to the newcomer, counted as "slow". */
	unsigned connections;
	unsigned connections_per_address; /* 64 */
};
extern const struct http_limits http_limits_default;

/* TLS of a listener; NULL members are left out. Minimum TLS 1.2, AEAD suites, no renegotiation, no compression. */
struct http_tls_conf {
	const char *cert_file; /* PEM chain */
	const char *key_file;
	const char *client_ca_file; /* then a client certificate is required: no certificate or a wrong one fails the handshake */
	const char *crl_file;       /* checked for the client's certificate */
};

struct http_server;
struct http_request; /* one request being read or waiting for its answer */

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OTHER };

struct http_handler {
	/* The header is complete; nothing of the body is read yet. 0: go on to the body; else the status to answer with (the body
	 * is not parsed; the connection closes when one was announced). http_respond() may also be called here. */
	int (*head)(void *arg, struct http_request *r);
	/* The whole request. http_respond() now or later, exactly once. body is borrowed until the response. */
	void (*request)(void *arg, struct http_request *r, const uint8_t *body, size_t len);
	/* The connection went away before the response: r is gone after this returns. */
	void (*gone)(void *arg, struct http_request *r);
	/* A caller was refused below HTTP: why is "tls", "connections", "malformed", "slow", "too_big". For counters and the limited log. */
	void (*refused)(void *arg, const struct addr *from, const char *why);
};

/**
 * Listen on addr. The socket is bound and listening when this returns.
 * @param tls  NULL: plain
 * @return 0; -EADDRINUSE and other errors of bind; -EINVAL TLS files unusable (logged with OpenSSL's reason)
 */
int http_server_open(struct http_server **out, struct loop *loop, const struct addr *addr, const struct http_tls_conf *tls,
		     const struct http_limits *limits, const struct http_handler *handler, void *arg);
/* Stops listening; requests already read are still answered, idle connections are closed. */
void http_server_stop(struct http_server *s);
void http_server_close(struct http_server *s); /* frees all; gone() is called for what is unanswered */
void http_server_set_arg(struct http_server *s, void *arg);
/* Other certificates for new connections (reload). Running connections are undisturbed. 0 or -EINVAL, then the old ones stay. */
int http_server_set_tls(struct http_server *s, const struct http_tls_conf *tls);
/* Other limits for what comes from now on (reload): requests that are being read go on under the old ones. */
void http_server_set_limits(struct http_server *s, const struct http_limits *limits);
unsigned http_server_connections(const struct http_server *s);
uint16_t http_server_port(const struct http_server *s); /* the bound one, for port 0 */

enum http_method http_request_method(const struct http_request *r);
const char *http_request_target(const struct http_request *r); /* as sent, origin form: path and query */
const struct addr *http_request_from(const struct http_request *r);
/* The value of a header, NUL-terminated, or NULL; *count (may be NULL) tells how many lines have that name. Name in lower case. */
const char *http_request_header(const struct http_request *r, const char *name, unsigned *count);
size_t http_request_content_length(const struct http_request *r); /* announced; SIZE_MAX for chunked */
const char *http_request_client_subject(const struct http_request *r); /* of a verified client certificate, RFC 2253; NULL */
void *http_request_data(const struct http_request *r); /* the handler's own */
void http_request_set_data(struct http_request *r, void *data);

struct http_header {
	const char *name, *value;
};
/* Answer. headers may be NULL with 0; content_type NULL: none. body is copied. Content-Length, Date and Connection are the server's own. */
void http_respond(struct http_request *r, int status, const struct http_header *headers, size_t headers_n, const char *content_type, const void *body,
		  size_t len);
void http_respond_close(struct http_request *r, int status); /* an empty answer, then the connection is closed */
void http_request_abort(struct http_request *r); /* no answer at all: the connection is reset (the simulator's lost answers); gone() is not called */

#endif
