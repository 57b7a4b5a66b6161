/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - HTTP requests to one peer, on libcurl's multi interface in the loop
 *
 * A client belongs to one peer: base address, credentials, TLS files, connection cache. A POST whose connection died is
 * never silently sent again by the library: the caller learns that the outcome is unknown and decides.
 */
#ifndef NIDDGW_HTTP_CLIENT_H
#define NIDDGW_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "http/server.h" /* struct http_header, enum http_method */

enum http_auth { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_OAUTH2, HTTP_AUTH_MTLS };
enum http_version { HTTP_V_AUTO, HTTP_V_1_1, HTTP_V_2 };

struct http_client_conf {
	const char *base;         /* where requests and redirects may go: URLs separated by spaces or commas, of which scheme,
				   * host and port count; NULL: anywhere */
	enum http_auth auth;
	const char *user, *password_file; /* Basic */
	const char *token_url, *client_id, *client_secret_file, *scope;
	bool token_auth_basic;    /* client credentials in Basic instead of the form body */
	const char *ca_file, *cert_file, *key_file, *proxy; /* NULL: system CAs, none */
	enum http_version version;
	uint64_t timeout_ms;      /* of one request once it is begun, and of the wait for a token or a connection before; 60 000 */
	uint64_t connect_ms;      /* 10 000 */
	unsigned connections;     /* to the peer at once; 8. Over HTTP/1.1 that many requests run, over HTTP/2 32 times as many */
	unsigned queue;           /* requests waiting or running; above: -EAGAIN; 10 000 */
	size_t body_bytes;        /* longest answer kept; 1 MiB */
};

struct http_client;
struct http_call; /* one running request */

enum http_outcome {
	HTTP_ANSWERED,       /* status tells */
	HTTP_NOT_SENT,       /* refused, no route, DNS, TLS, token not to be had: the peer has certainly not seen it */
	HTTP_UNKNOWN,        /* written, and no answer (time-out, connection lost) */
	HTTP_TOO_LARGE,      /* the answer is above body_bytes */
	HTTP_CANCELLED,
};
struct http_result {
	enum http_outcome outcome;
	int status;                 /* of HTTP_ANSWERED */
	const char *body;           /* borrowed for the call, NUL behind it */
	size_t len;
	const char *content_type;   /* "" when absent */
	const char *location;       /* absolute, resolved against the request; NULL */
	bool has_retry_after;
	uint64_t retry_after_ms;    /* from seconds or a date, clamped to 0..24 h */
	const char *final_url;      /* after redirects */
	bool permanent_redirect;    /* all of them were 308: final_url is the new home */
	const char *error;          /* text for the log when not answered, or why a 307 or 308 was not followed; else "" */
	bool tls_failed, auth_failed; /* reason classes: certificate or TLS refused; our credentials refused by the token end or unreadable */
};
typedef void http_done_fn(void *arg, const struct http_result *res);
/* A part of a 2xx answer as it arrives, instead of collecting it (large lists; any other answer is collected). 0 go on, else
 * stop with HTTP_TOO_LARGE. May cancel calls and close the client. */
typedef int http_part_fn(void *arg, const char *data, size_t len);

struct http_call_conf {
	enum http_method method;
	const char *url;            /* absolute */
	const char *content_type;   /* NULL without a body */
	const void *body;           /* copied */
	size_t len;
	uint64_t timeout_ms;        /* 0: the client's */
	http_part_fn *part;         /* NULL: collected */
	bool no_auth;               /* leave the credentials out */
	const struct http_header *headers; /* more header lines, copied; one of the name Content-Type stands in place of content_type */
	size_t headers_n;
};

/**
 * The configuration is copied; numbers of 0 are the defaults named there. Files are read when they are needed.
 * @return 0; -EINVAL base is no URL, or credentials are incomplete for auth; -ENOMEM
 */
int http_client_open(struct http_client **out, struct loop *loop, const struct http_client_conf *conf);
void http_client_close(struct http_client *c); /* running calls end with HTTP_CANCELLED; NULL and from within done are fine */
/**
 * Start a request. 307 and 308 are followed with the same method and body, at most 3 hops, only to the scheme and host set of
 * base, https never to http; other redirects are answers. On 401 with OAuth2 the token is fetched afresh once for all
 * that wait, and the request sent once more; a second 401 is an answer. A request that certainly was not written is begun
 * again on a fresh connection; one that may have been is not (GET and HEAD are).
 * @return 0 (done is called later, never from within); -EAGAIN queue full; -EINVAL bad url, or not within base, or a header
 *         line that cannot be sent; -ENOMEM
 */
int http_client_call(struct http_client *c, struct http_call **out, const struct http_call_conf *conf, http_done_fn *done, void *arg);
void http_call_cancel(struct http_call *call); /* done is not called */
size_t http_client_pending(const struct http_client *c);

enum http_token_state { HTTP_TOKEN_NONE, HTTP_TOKEN_GOOD, HTTP_TOKEN_WAITING, HTTP_TOKEN_REFUSED };
/* How the token stands. REFUSED: the credentials were refused twice; no further try until the configuration changes or http_client_token_retry(). */
enum http_token_state http_client_token(const struct http_client *c);
void http_client_token_retry(struct http_client *c);
const char *http_client_token_error(const struct http_client *c); /* why the last fetch failed; "" when it did not; borrowed until the next */
/* Counter of token fetches by result for metrics; may be NULL. */
void http_client_on_token(struct http_client *c, void (*fn)(void *arg, bool ok), void *arg);

#endif
