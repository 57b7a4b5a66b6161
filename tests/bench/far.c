/* SPDX-License-Identifier: Apache-2.0 */
/* far.c - the other end of the bench's streams: answers requests over TCP or TLS and costs as little as that can
 *
 *   far tcp HOST:PORT
 *   far tls1.2|tls1.3 HOST:PORT psk HEX
 *   far tls1.2|tls1.3 HOST:PORT CERTIFICATE KEY
 *
 * A Register gets 2.01 with a location, everything else 2.04. It knows no more of the protocol than that: a CSM of its
 * own, an answer to Ping, and that a message has a length. Ends with its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, PART = 4096, READ = 65536, KEY_MAX = 64 };

struct conn {
	int fd;
	SSL *ssl;
	unsigned part_len;
	uint8_t *part; /* the start of a message; mostly NULL */
};

static SSL_CTX *tls;
static uint8_t key[KEY_MAX];
static size_t key_len;
static uint8_t in[PART + READ], out[2 * (PART + READ)];
static size_t out_len;

static void fail(const char *what)
{
	fprintf(stderr, "far: %s\n", what);
	exit(1);
}

/* ---- messages ---- */

static void put(const void *data, size_t len)
{
	if (out_len + len > sizeof out)
		fail("too much at once");
	memcpy(out + out_len, data, len);
	out_len += len;
}

/* The message at p: its length, or 0 while it is not whole. */
static size_t whole(const uint8_t *p, size_t len, size_t *ext)
{
	size_t nibble = len ? p[0] >> 4 : 0, body = nibble;

	*ext = nibble < 13 ? 0 : nibble - 12;
	if (len < 2 + *ext)
		return 0;
	if (nibble == 13)
		body = 13u + p[1];
	if (nibble == 14)
		body = 269u + (size_t)(p[1] << 8 | p[2]);
	if (nibble == 15)
		fail("a message of 64 KiB");
	body += 2 + *ext + (p[0] & 15);
	return body <= len ? body : 0;
}

static void answer(const uint8_t *p, size_t ext)
{
	const uint8_t code = p[1 + ext], *token = p + 2 + ext;
	const size_t tkl = p[0] & 15;
	const bool rd = !memcmp(token + tkl, "\xb2rd", 3);

	if (code == 0xe2) { /* Ping */
		put((const uint8_t[]){ (uint8_t)tkl, 0xe3 }, 2);
	} else if (code && code < 32) {
		put((const uint8_t[]){ (uint8_t)((rd ? 0x50u : 0u) | tkl), rd ? 0x41 : 0x44 }, 2);
	} else {
		return;
	}
	put(token, tkl);
	if (rd && code != 0xe2)
		put("\x82rd\x01x", 5);
}

/* ---- connections ---- */

static void drop(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c->part);
	free(c);
}

static bool flush(struct conn *c)
{
	size_t at = 0;

	while (at < out_len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, out + at, (int)(out_len - at))
				   : send(c->fd, out + at, out_len - at, MSG_NOSIGNAL);

		if (n <= 0)
			break; /* the bench keeps so little under way that a full buffer is a fault of it */
		at += (size_t)n;
	}
	return at == out_len;
}

/* Octets behind what is kept of the last message; less than none: it is over. */
static ssize_t take_in(struct conn *c)
{
	ssize_t n;

	if (c->part_len)
		memcpy(in, c->part, c->part_len);
	if (c->ssl) {
		n = SSL_read(c->ssl, in + c->part_len, READ);
		if (n <= 0)
			return SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -1;
		return n;
	}
	n = recv(c->fd, in + c->part_len, READ, 0);
	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static bool serve(struct conn *c)
{
	ssize_t n = take_in(c);
	size_t len = c->part_len + (n > 0 ? (size_t)n : 0), at = 0, one, ext;

	if (n <= 0)
		return n == 0;
	out_len = 0;
	while ((one = whole(in + at, len - at, &ext))) {
		answer(in + at, ext);
		at += one;
	}
	c->part_len = (unsigned)(len - at);
	if (c->part_len > PART)
		fail("a long message");
	if (c->part_len && !c->part)
		c->part = malloc(PART);
	if (c->part_len)
		memcpy(c->part, in + at, c->part_len);
	return flush(c);
}

static void take(int listener, int poll)
{
	static const uint8_t csm[] = { 0x40, 0xe1, 0x22, 0x80, 0x00, 0x20 };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof *c);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (!c)
		return;
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (tls) {
		c->ssl = SSL_new(tls);
		SSL_set_fd(c->ssl, fd);
		SSL_set_accept_state(c->ssl);
	} else {
		(void)!send(fd, csm, sizeof csm, MSG_NOSIGNAL);
	}
	epoll_ctl(poll, EPOLL_CTL_ADD, fd, &ev);
}

/* A handshake that is through is followed by our CSM. */
static bool on_conn(struct conn *c)
{
	static const uint8_t csm[] = { 0x40, 0xe1, 0x22, 0x80, 0x00, 0x20 };
	int ret;

	if (c->ssl && !SSL_is_init_finished(c->ssl)) {
		ret = SSL_do_handshake(c->ssl);
		if (ret != 1)
			return SSL_get_error(c->ssl, ret) == SSL_ERROR_WANT_READ;
		SSL_write(c->ssl, csm, sizeof csm);
	}
	return serve(c);
}

/* ---- set up ---- */

static unsigned on_psk(SSL *ssl, const char *identity, unsigned char *to, unsigned size)
{
	(void)ssl;
	(void)identity;
	if (key_len > size)
		return 0;
	memcpy(to, key, key_len);
	return (unsigned)key_len;
}

static void set_up_tls(const char *version, const char *first, const char *second)
{
	const int v = strcmp(version, "tls1.2") ? TLS1_3_VERSION : TLS1_2_VERSION;

	tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_min_proto_version(tls, v);
	SSL_CTX_set_max_proto_version(tls, v);
	if (strcmp(first, "psk")) {
		if (SSL_CTX_use_certificate_chain_file(tls, first) != 1 ||
		    SSL_CTX_use_PrivateKey_file(tls, second, SSL_FILETYPE_PEM) != 1)
			fail("certificate");
		return;
	}
	for (; key_len < KEY_MAX && sscanf(second + 2 * key_len, "%2hhx", &key[key_len]) == 1; key_len++)
		if (!second[2 * key_len + 1] || !second[2 * key_len + 2]) {
			key_len++;
			break;
		}
	SSL_CTX_set_psk_server_callback(tls, on_psk);
	SSL_CTX_set_cipher_list(tls, "PSK-AES128-CCM8:PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305");
}

static int listen_at(char *at)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char *colon = strrchr(at, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	if (!colon)
		fail("HOST:PORT");
	*colon = '\0';
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	inet_pton(AF_INET, at, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&to, sizeof to) || listen(fd, 4096))
		fail("listen");
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit most;
	int poll = epoll_create1(0), listener;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }, got[EVENTS];
	static struct conn input;

	if (argc != 3 && argc != 5)
		fail("how is told at the head of far.c");
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	if (argc == 5)
		set_up_tls(argv[1], argv[3], argv[4]);
	listener = listen_at(argv[2]);
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &ev);
	ev.data.ptr = &input;
	epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
	puts("ready");
	fflush(stdout);
	while (true) {
		int n = epoll_wait(poll, got, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = got[i].data.ptr;

			if (c == &input)
				return 0;
			if (!c)
				take(listener, poll);
			else if (!on_conn(c))
				drop(c);
		}
	}
}
