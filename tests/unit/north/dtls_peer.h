/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_peer.h - a DTLS server for tests, in the test's own loop: one socket, a session of OpenSSL per client port
 *
 * It answers each message with the same octets, and can be told to be deaf, to forget, to close.
 */
#ifndef TESTS_UNIT_NORTH_DTLS_PEER_H
#define TESTS_UNIT_NORTH_DTLS_PEER_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "unit/north/scene.h"

enum { PEER_KEYS = 4 };

struct dtls_peer {
	struct loop *loop;
	int fd;
	uint16_t port;
	SSL_CTX *ctx;
	struct loop_fd *watch;
	SSL *ssl[65536]; /* by client port */
	uint32_t random[65536]; /* of its last ClientHello */
	struct {
		const char *identity;
		uint8_t key[64];
		unsigned len;
	} keys[PEER_KEYS];
	bool deaf;           /* reads and answers nothing */
	bool silent;         /* takes messages and answers none */
	bool cookies;        /* asks for one */
	bool spoofs;         /* sends an alert that anybody could send before each of its flights */
	bool mangles;        /* answers a hello with a message of a wrong form */
	unsigned hellos, handshakes, resumed, messages, running, most_running;
	unsigned last_message_port;
	char identity[140], sni[256], suite[64];
	bool with_cert;      /* the last client had one */
};

static inline struct dtls_peer *peer_of(SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static inline unsigned peer_psk(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
	struct dtls_peer *s = peer_of(ssl);

	(void)size;
	snprintf(s->identity, sizeof s->identity, "%s", identity);
	for (int i = 0; i < PEER_KEYS; i++)
		if (s->keys[i].identity && strcmp(s->keys[i].identity, identity) == 0) {
			memcpy(key, s->keys[i].key, s->keys[i].len);
			return s->keys[i].len;
		}
	return 0;
}

static inline int peer_sni(SSL *ssl, int *al, void *arg)
{
	struct dtls_peer *s = peer_of(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)al;
	(void)arg;
	snprintf(s->sni, sizeof s->sni, "%s", name ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static inline int peer_cookie(SSL *ssl, unsigned char *cookie, unsigned *len)
{
	(void)ssl;
	memset(cookie, 0x5a, *len = 16);
	return 1;
}

static inline int peer_cookie_check(SSL *ssl, const unsigned char *cookie, unsigned len)
{
	(void)ssl;
	return len == 16 && cookie[0] == 0x5a;
}

static inline int peer_any_cert(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static inline void peer_spoof(struct dtls_peer *s, uint16_t port)
{
	static const uint8_t alert[] = { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40 };

	send_to_port(s->fd, port, alert, sizeof alert);
}

/* A HelloVerifyRequest whose cookie is longer than the message (RFC 6347 4.2.1). */
static inline void peer_mangle(struct dtls_peer *s, uint16_t port)
{
	static const uint8_t hello[] = { 22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0xfe, 0xfd, 9 };

	send_to_port(s->fd, port, hello, sizeof hello);
}

/* What OpenSSL wrote goes out as one datagram. */
static inline void peer_flush(struct dtls_peer *s, uint16_t port)
{
	char *data;
	BIO *out = SSL_get_wbio(s->ssl[port]);
	long len = BIO_get_mem_data(out, &data);

	if (len > 0 && s->spoofs)
		peer_spoof(s, port);
	if (len > 0)
		send_to_port(s->fd, port, data, (size_t)len);
	(void)BIO_reset(out);
}

static inline void peer_forget_one(struct dtls_peer *s, uint16_t port)
{
	if (s->ssl[port] && !SSL_is_init_finished(s->ssl[port]))
		s->running--;
	SSL_free(s->ssl[port]);
	s->ssl[port] = NULL;
}

static inline SSL *peer_new(struct dtls_peer *s)
{
	SSL *ssl = SSL_new(s->ctx);

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU | (s->cookies ? SSL_OP_COOKIE_EXCHANGE : 0));
	SSL_set_mtu(ssl, 1400);
	SSL_set_accept_state(ssl);
	if (++s->running > s->most_running)
		s->most_running = s->running;
	return ssl;
}

static inline void peer_shaken(struct dtls_peer *s, SSL *ssl)
{
	s->running--;
	s->handshakes++;
	s->resumed += SSL_session_reused(ssl) != 0;
	s->with_cert = SSL_get0_peer_certificate(ssl) != NULL;
	snprintf(s->suite, sizeof s->suite, "%s", SSL_get_cipher_name(ssl));
}

static inline void peer_take(struct dtls_peer *s, uint16_t port, const uint8_t *data, size_t len)
{
	const bool hello = len > 59 && data[0] == 22 && data[3] == 0 && data[4] == 0 && data[13] == 1;
	uint8_t buf[2048];
	bool was;
	int n;

	s->hellos += hello;
	if (s->mangles) {
		peer_mangle(s, port);
		return;
	}
	if (hello && s->ssl[port] && memcmp(&s->random[port], data + 27, 4) != 0)
		peer_forget_one(s, port); /* the same client anew (RFC 6347 4.2.8) */
	if (hello)
		memcpy(&s->random[port], data + 27, 4);
	if (!s->ssl[port]) {
		if (!hello)
			return;
		s->ssl[port] = peer_new(s);
	}
	BIO_write(SSL_get_rbio(s->ssl[port]), data, (int)len);
	was = SSL_is_init_finished(s->ssl[port]);
	while ((n = SSL_read(s->ssl[port], buf, sizeof buf)) > 0) {
		s->messages++;
		s->last_message_port = port;
		if (!s->silent)
			SSL_write(s->ssl[port], buf, n);
	}
	if (!was && SSL_is_init_finished(s->ssl[port]))
		peer_shaken(s, s->ssl[port]);
	n = SSL_get_error(s->ssl[port], n);
	ERR_clear_error();
	peer_flush(s, port);
	if (n != SSL_ERROR_WANT_READ && n != SSL_ERROR_WANT_WRITE)
		peer_forget_one(s, port);
}

static inline void on_peer_readable(void *arg, int fd, unsigned what)
{
	struct dtls_peer *s = arg;

	(void)what;
	for (int i = 0; i < 64; i++) {
		struct sockaddr_in in;
		socklen_t in_len = sizeof in;
		uint8_t buf[65536];
		ssize_t n = recvfrom(fd, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *)&in, &in_len);

		if (n < 0)
			return;
		if (!s->deaf && n)
			peer_take(s, ntohs(in.sin_port), buf, (size_t)n);
	}
}

/* A fresh context: no session, no ticket of a former one is good. */
static inline void peer_renew(struct dtls_peer *s, const char *suites)
{
	static const unsigned char id[] = "test";

	SSL_CTX_free(s->ctx);
	s->ctx = SSL_CTX_new(DTLS_server_method());
	assert_non_null(s->ctx);
	SSL_CTX_set_app_data(s->ctx, s);
	SSL_CTX_set_session_id_context(s->ctx, id, sizeof id - 1);
	SSL_CTX_set_psk_server_callback(s->ctx, peer_psk);
	SSL_CTX_set_tlsext_servername_callback(s->ctx, peer_sni);
	SSL_CTX_set_cookie_generate_cb(s->ctx, peer_cookie);
	SSL_CTX_set_cookie_verify_cb(s->ctx, peer_cookie_check);
	SSL_CTX_set_security_level(s->ctx, 0);
	assert_int_equal(SSL_CTX_set_cipher_list(s->ctx, suites), 1);
}

static inline void peer_forget(struct dtls_peer *s)
{
	for (unsigned port = 0; port < 65536; port++)
		if (s->ssl[port])
			peer_forget_one(s, (uint16_t)port);
}

static inline void peer_close_notify(struct dtls_peer *s, uint16_t port)
{
	assert_non_null(s->ssl[port]);
	SSL_shutdown(s->ssl[port]);
	peer_flush(s, port);
	peer_forget_one(s, port);
}

static inline void peer_send(struct dtls_peer *s, uint16_t port, const void *data, int len)
{
	assert_non_null(s->ssl[port]);
	assert_int_equal(SSL_write(s->ssl[port], data, len), len);
	peer_flush(s, port);
}

static inline void peer_key(struct dtls_peer *s, int i, const char *identity, const char *hex)
{
	s->keys[i].identity = identity;
	s->keys[i].len = (unsigned)strlen(hex) / 2;
	for (unsigned k = 0; k < s->keys[i].len; k++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * k, "%2x", &v), 1);
		s->keys[i].key[k] = (uint8_t)v;
	}
}

static inline void peer_cert(struct dtls_peer *s, X509 *cert, EVP_PKEY *key)
{
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, key), 1);
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, peer_any_cert);
}

static inline struct dtls_peer *peer_open(struct loop *loop, const char *suites)
{
	struct dtls_peer *s = calloc(1, sizeof *s);

	assert_non_null(s);
	s->loop = loop;
	s->fd = server_socket(&s->port, "127.0.0.1");
	peer_renew(s, suites);
	assert_int_equal(loop_watch(loop, &s->watch, s->fd, LOOP_READ, on_peer_readable, s), 0);
	return s;
}

/* At the same port of another address of loopback; what was there is forgotten. */
static inline void peer_listen_at(struct dtls_peer *s, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(s->port) };

	peer_forget(s);
	loop_unwatch(s->watch);
	close(s->fd);
	s->fd = socket(AF_INET, SOCK_DGRAM, 0);
	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(loop_watch(s->loop, &s->watch, s->fd, LOOP_READ, on_peer_readable, s), 0);
}

static inline void peer_close(struct dtls_peer *s)
{
	peer_forget(s);
	loop_unwatch(s->watch);
	close(s->fd);
	SSL_CTX_free(s->ctx);
	free(s);
}

#endif
