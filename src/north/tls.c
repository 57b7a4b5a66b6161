/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - the transport TLS: a client of OpenSSL between stream and socket
 *
 * A handshake counts as good when the server's CSM has come, because with TLS 1.3 a server refuses our certificate only
 * after our side is through. OpenSSL gives its buffers back whenever they are empty.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "north/secure.h"
#include "base/clock.h"
#include "north/tcp.h"

struct tls_assoc {
	struct tcp_assoc t; /* first */
	struct secure sec;
};

static struct secure *sec_of(struct tcp_assoc *t)
{
	return &((struct tls_assoc *)t)->sec;
}

/* ---- how it ends ---- */

static int refuse(struct tcp_assoc *t, enum secure_result r, struct tcp_end *end)
{
	end->result = TCP_SECURITY;
	end->denied = r == SECURE_DENIED;
	end->wait_ms = secure_failed(&t->a, sec_of(t), r, end->why);
	return TCP_ENDED;
}

static bool is_lost(const SSL *ssl, int ret)
{
	const int kind = SSL_get_error(ssl, ret);
	const unsigned long code = ERR_peek_error();

	return kind == SSL_ERROR_SYSCALL || kind == SSL_ERROR_ZERO_RETURN ||
		(ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

/* The network or the server has ended it without a word of TLS, or with its goodbye. */
static int lost(struct tcp_assoc *t, struct tcp_end *end)
{
	const int err = errno;

	ERR_clear_error();
	end->result = err == ETIMEDOUT ? TCP_SILENT : TCP_CLOSED;
	snprintf(end->why, sizeof end->why, "%s%s", err ? strerror(err) : "closed by the server",
		 t->phase == TCP_SECURE ? ", in the handshake" : "");
	return TCP_ENDED;
}

/* What a call of OpenSSL that gave ret means. Until the CSM has come, an error is one of the handshake. */
static int failed(struct tcp_assoc *t, int ret, struct tcp_end *end)
{
	SSL *ssl = sec_of(t)->ssl;
	const int kind = SSL_get_error(ssl, ret);
	enum secure_result r;

	if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
		ERR_clear_error();
		return kind == SSL_ERROR_WANT_READ ? TCP_WANT_READ : TCP_WANT_WRITE;
	}
	if (is_lost(ssl, ret))
		return lost(t, end);
	r = secure_outcome(sec_of(t), ret, end->why, sizeof end->why);
	if (t->phase == TCP_SECURE || t->phase == TCP_CSM)
		return refuse(t, r, end);
	end->result = TCP_CLOSED;
	return TCP_ENDED;
}

/* ---- the handshake ---- */

/* RFC 8323 8.2. A server that names no protocol is taken at its word, on other ports than 5684 too: its CSM tells. */
static const unsigned char alpn[] = "\x04"
				    "coap";

static int tls_begin(struct tcp_assoc *t, struct tcp_end *end)
{
	struct secure *x = sec_of(t);
	enum secure_result r = secure_begin(&t->a, x, end->why, sizeof end->why);

	if (!r && (SSL_set_fd(x->ssl, t->a.fd) != 1 || SSL_set_alpn_protos(x->ssl, alpn, sizeof alpn - 1) != 0)) {
		r = SECURE_FAILED;
		snprintf(end->why, sizeof end->why, "%s", strerror(ENOMEM));
	}
	if (r)
		return refuse(t, r, end);
	SSL_set_mode(x->ssl,
		     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

static int tls_shake(struct tcp_assoc *t, struct tcp_end *end)
{
	int ret;

	errno = 0;
	ret = SSL_do_handshake(sec_of(t)->ssl);
	return ret == 1 ? 0 : failed(t, ret, end);
}

static void tls_late(struct tcp_assoc *t, struct tcp_end *end)
{
	const bool answered = sec_of(t)->messages != 0;

	snprintf(end->why, sizeof end->why, "%s",
		 answered ? "the server falls silent in the middle of the handshake"
			  : "the server does not answer the handshake");
	(void)refuse(t, SECURE_TIMEOUT, end);
	if (!answered)
		server_no_answer(t->a.srv, clock_now_ms());
}

static void tls_good(struct tcp_assoc *t)
{
	secure_good(&t->a, sec_of(t));
}

static void tls_drop(struct tcp_assoc *t, bool polite)
{
	struct secure *x = sec_of(t);

	if (polite && x->ssl && SSL_is_init_finished(x->ssl)) {
		(void)SSL_shutdown(x->ssl);
		ERR_clear_error();
	}
	secure_drop(x);
}

/* ---- octets ---- */

static ssize_t tls_read(struct tcp_assoc *t, void *buf, size_t size, struct tcp_end *end)
{
	struct secure *x = sec_of(t);
	int ret;

	errno = 0;
	ret = SSL_read(x->ssl, buf, (int)size);
	if (x->fresh && t->phase != TCP_CSM)
		secure_keep(&t->a, x);
	return ret > 0 ? ret : failed(t, ret, end);
}

static ssize_t tls_write(struct tcp_assoc *t, const void *data, size_t len, struct tcp_end *end)
{
	int ret;

	errno = 0;
	ret = SSL_write(sec_of(t)->ssl, data, len < INT32_MAX ? (int)len : INT32_MAX);
	return ret > 0 ? ret : failed(t, ret, end);
}

static const struct tcp_io tls_io = {
	.begin = tls_begin,
	.shake = tls_shake,
	.late = tls_late,
	.read = tls_read,
	.write = tls_write,
	.good = tls_good,
	.drop = tls_drop,
};

const struct tcp_io *tcp_io(const struct tcp_assoc *t)
{
	return t->a.kind == NORTH_TLS && t->phase != TCP_LINGER ? &tls_io : &tcp_plain_io;
}

/* ---- transport ---- */

static int tls_open(struct north_assoc *a, const char *who, uint16_t port)
{
	struct secure *x = sec_of((struct tcp_assoc *)a);
	int err = secure_init(x, who);

	if (!err)
		err = tcp_open(a, who, port);
	if (err)
		secure_fini(a, x);
	return err;
}

static void tls_close(struct north_assoc *a)
{
	tcp_close(a);
	secure_fini(a, sec_of((struct tcp_assoc *)a));
}

static void tls_renew(struct north_assoc *a)
{
	sec_of((struct tcp_assoc *)a)->backoff_ms = 0;
	tcp_renew(a);
}

static struct secure *tls_secure(struct north_assoc *a)
{
	return sec_of((struct tcp_assoc *)a);
}

const struct north_transport tls_transport = {
	.scheme = "coaps+tcp",
	.stream = true,
	.paced = true,
	.size = sizeof(struct tls_assoc),
	.open = tls_open,
	.connect = tcp_connect,
	.send = tcp_send,
	.ready = tcp_ready,
	.close = tls_close,
	.renew = tls_renew,
	.secure = tls_secure,
	.message_max = tcp_message_max,
	.blockwise = tcp_blockwise,
};
