/* SPDX-License-Identifier: Apache-2.0 */
/* load_conn.c - a connection of the load generator, plain or TLS, and the messages on it
 *
 * The handshake happens within the first reads and writes. OpenSSL is seen here and nowhere else in the load generator.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/load_http.h"

/* ---- TLS ---- */

static struct ssl_ctx_st *no_context(SSL_CTX *ctx, const char *file)
{
	fprintf(stderr, "niddgw-sim load: %s: %s\n", file, ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_free(ctx);
	return NULL;
}

struct ssl_ctx_st *load_tls_server(const char *cert_file, const char *key_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key_file ? key_file : cert_file, SSL_FILETYPE_PEM) != 1)
		return no_context(ctx, cert_file);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

struct ssl_ctx_st *load_tls_client(const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || (ca_file && SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1))
		return no_context(ctx, ca_file ? ca_file : "TLS");
	if (ca_file)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

void load_tls_free(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}

/* ---- connections ---- */

struct load_conn *load_conn_new(enum load_conn_kind kind, int fd, int poll, struct ssl_ctx_st *ctx)
{
	struct load_conn *c = calloc(1, sizeof *c);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	if (!c) {
		close(fd);
		return NULL;
	}
	c->kind = kind;
	c->fd = fd;
	c->poll = poll;
	c->device = -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->in = kind == LOAD_CONN_LISTENER ? NULL : malloc(LOAD_CONN_IN);
	c->ssl = ctx ? SSL_new(ctx) : NULL;
	if ((ctx && (!c->ssl || !SSL_set_fd(c->ssl, fd))) || (!c->in && kind != LOAD_CONN_LISTENER) ||
	    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &ev)) {
		load_conn_free(c);
		return NULL;
	}
	if (c->ssl && kind == LOAD_CONN_SINK)
		SSL_set_accept_state(c->ssl);
	else if (c->ssl)
		SSL_set_connect_state(c->ssl);
	return c;
}

void load_conn_free(struct load_conn *c)
{
	if (!c)
		return;
	SSL_free(c->ssl);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

/* 0 and *n of 0: not now. */
static int transfer(struct load_conn *c, void *buf, size_t len, bool out, size_t *n)
{
	ssize_t k;
	int why;

	*n = 0;
	if (c->ssl) {
		if ((out ? SSL_write_ex(c->ssl, buf, len, n) : SSL_read_ex(c->ssl, buf, len, n)) == 1)
			return 0;
		why = SSL_get_error(c->ssl, 0);
		ERR_clear_error();
		return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	k = out ? send(c->fd, buf, len, MSG_NOSIGNAL) : recv(c->fd, buf, len, 0);
	if (k < 0)
		return errno == EAGAIN ? 0 : -1;
	*n = (size_t)k;
	return k || out ? 0 : -1;
}

int load_conn_read(struct load_conn *c)
{
	size_t n, room;

	do {
		room = LOAD_CONN_IN - c->in_len;
		if (!room || transfer(c, c->in + c->in_len, room, false, &n))
			return -1;
		c->in_len += n;
	} while (n && c->ssl); /* OpenSSL may hold more than the kernel tells of */
	return c->out_len ? load_conn_flush(c) : 0;
}

static void watch(struct load_conn *c, bool write)
{
	struct epoll_event ev = { .events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0u), .data.ptr = c };

	if (c->wants_write != write)
		epoll_ctl(c->poll, EPOLL_CTL_MOD, c->fd, &ev);
	c->wants_write = write;
}

int load_conn_flush(struct load_conn *c)
{
	size_t done = 0, n = 1;

	while (done < c->out_len && n) {
		if (transfer(c, c->out + done, c->out_len - done, true, &n))
			return -1;
		done += n;
	}
	memmove(c->out, c->out + done, c->out_len - done);
	c->out_len -= done;
	/* in a handshake it is the other side's turn: what is readable brings us here again */
	watch(c, c->out_len && !(c->ssl && SSL_want_read(c->ssl)));
	return 0;
}

int load_conn_write(struct load_conn *c, const void *data, size_t len)
{
	size_t n = 0;

	if (!c->out_len && !c->ssl && transfer(c, (void *)(uintptr_t)data, len, true, &n))
		return -1;
	if (n == len)
		return 0;
	len -= n;
	if (c->out_len + len > c->out_size) {
		size_t size = (c->out_len + len) * 2;
		char *more = realloc(c->out, size);

		if (!more)
			return -1;
		c->out = more;
		c->out_size = size;
	}
	memcpy(c->out + c->out_len, (const char *)data + n, len);
	c->out_len += len;
	return load_conn_flush(c);
}

void load_conn_consume(struct load_conn *c, size_t len)
{
	memmove(c->in, c->in + len, c->in_len - len);
	c->in_len -= len;
}

/* ---- messages (RFC 9112): Content-Length only ---- */

static size_t content_length(const char *head, const char *end)
{
	static const char name[] = "content-length:";

	for (const char *p = head; p && p < end; p = memchr(p, '\n', (size_t)(end - p))) {
		p += *p == '\n';
		if ((size_t)(end - p) > sizeof name && !strncasecmp(p, name, sizeof name - 1))
			return strtoul(p + sizeof name - 1, NULL, 10);
	}
	return 0;
}

int load_http_next(const struct load_conn *c, struct load_http *h)
{
	const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4), *space, *second;

	if (!end)
		return c->in_len == LOAD_CONN_IN ? -1 : 0;
	space = memchr(c->in, ' ', (size_t)(end - c->in));
	second = space ? memchr(space + 1, ' ', (size_t)(end - space)) : NULL;
	if (!space || !second)
		return -1;
	*h = (struct load_http){ .method = c->in,
				 .method_len = (size_t)(space - c->in),
				 .path = space + 1,
				 .path_len = (size_t)(second - space) - 1,
				 .status = atoi(space + 1),
				 .body = end + 4 };
	h->body_len = content_length(c->in, end + 2);
	if (h->body_len > LOAD_CONN_IN)
		return -1;
	h->total = (size_t)(h->body - c->in) + h->body_len;
	return h->total <= c->in_len;
}
