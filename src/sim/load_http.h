/* SPDX-License-Identifier: Apache-2.0 */
/* load_http.h - HTTP/1.1 of the load generator: connections, messages, the built-in SCEF
 *
 * Only what a load needs, on its own and not on the gateway's http room: the ends must cost less than what they measure.
 */
#ifndef NIDDGW_SIM_LOAD_HTTP_H
#define NIDDGW_SIM_LOAD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/load.h"

/* ---- load_conn.c: a connection, plain or TLS ---- */
struct ssl_st;     /* OpenSSL's */
struct ssl_ctx_st;

enum load_conn_kind { LOAD_CONN_LISTENER, LOAD_CONN_SINK, LOAD_CONN_CALLBACK };
struct load_conn {
	enum load_conn_kind kind;
	int fd, poll;
	bool wants_write;
	struct ssl_st *ssl; /* NULL: plain */
	char *in;           /* LOAD_CONN_IN octets */
	size_t in_len;
	char *out;          /* what the kernel did not take yet */
	size_t out_len, out_size;
	struct load_conn *next, *prev; /* SINK: all of them */
	int device;         /* CALLBACK: whose notification is being answered; -1: free */
};
enum { LOAD_CONN_IN = 1 << 16 };

/* NULL files: an empty context for one side. NULL when it cannot be had (said on stderr). */
struct ssl_ctx_st *load_tls_server(const char *cert_file, const char *key_file);
struct ssl_ctx_st *load_tls_client(const char *ca_file);
void load_tls_free(struct ssl_ctx_st *ctx);

/* Takes fd over and puts it into the poll set under the new connection. ctx NULL: plain. NULL: no memory, fd closed. */
struct load_conn *load_conn_new(enum load_conn_kind kind, int fd, int poll, struct ssl_ctx_st *ctx);
void load_conn_free(struct load_conn *c);
int load_conn_read(struct load_conn *c);                               /* what there is; -1: closed or broken */
int load_conn_write(struct load_conn *c, const void *data, size_t len); /* -1: broken */
int load_conn_flush(struct load_conn *c);
void load_conn_consume(struct load_conn *c, size_t len);

struct load_http {
	const char *method, *path; /* of a request; borrowed from the buffer, with lengths */
	size_t method_len, path_len;
	int status;                /* of a response */
	const char *body;
	size_t body_len, total;
};
/* The first message in the buffer. 1: it is whole; 0: more is needed; -1: malformed. */
int load_http_next(const struct load_conn *c, struct load_http *h);

/* ---- load_sink.c: the SCEF at the other end ---- */
struct load_sink {
	const struct load_opts *o;
	int poll;
	struct load_conn *listener;
	struct load_conn *conns;    /* that the gateway made */
	struct ssl_ctx_st *tls;     /* NULL: plain */
	char base[128];             /* scheme and authority of links */
	char *destination;          /* notificationDestination of the last configuration; NULL: none came yet */
	char **configurations;      /* JSON by device */
	uint64_t active;            /* configurations made */
	uint64_t deliveries;
	/* A downlink for a device. data is the first octets of the unit. */
	void (*delivery)(void *arg, int device, const uint8_t *data, size_t len);
	void *arg;
};
int load_sink_open(struct load_sink *s, const struct load_opts *o, int poll);
void load_sink_close(struct load_sink *s);
void load_sink_event(struct load_sink *s, struct load_conn *c); /* frees a connection that has ended */
size_t load_external_id(char *out, size_t size, int device);
extern const char load_base64[64];

#endif
