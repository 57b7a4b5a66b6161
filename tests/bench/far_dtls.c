/* SPDX-License-Identifier: Apache-2.0 */
/* far_dtls.c - the other end of the bench's DTLS: a session per client port, answers requests and costs as little as
 * that can
 *
 *   far_dtls HOST:PORT HEX
 *
 * Any identity has the key HEX. A Register gets 2.01 with a location, everything else 2.04, piggybacked. An octet of
 * its input is answered with a line: the handshakes so far. Ends with its input.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, KEY_MAX = 64, AT_ONCE = 64 };

struct client {
	SSL *ssl;
	uint8_t random[4]; /* of its last ClientHello */
	bool shaken;
};

static struct client clients[65536]; /* by port: all are of one address */
static SSL_CTX *ctx;
static uint8_t key[KEY_MAX];
static size_t key_len;
static unsigned long handshakes;
static int udp;

static void fail(const char *what)
{
	fprintf(stderr, "far_dtls: %s\n", what);
	exit(1);
}

static unsigned on_psk(SSL *ssl, const char *identity, unsigned char *to, unsigned size)
{
	(void)ssl;
	(void)identity;
	if (key_len > size)
		return 0;
	memcpy(to, key, key_len);
	return (unsigned)key_len;
}

static void begin(struct client *c, const uint8_t *random)
{
	SSL_free(c->ssl);
	c->ssl = SSL_new(ctx);
	c->shaken = false;
	memcpy(c->random, random, sizeof c->random);
	SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(c->ssl), -1);
	SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(c->ssl, 1400);
	SSL_set_accept_state(c->ssl);
}

/* CON with a request code: the same id and token with an answer. */
static void answer(struct client *c, uint8_t *p, size_t len)
{
	const size_t tkl = p[0] & 15;
	const bool rd = len > 4 + tkl + 3 && !memcmp(p + 4 + tkl, "\xb2rd", 3);

	if (len < 4 + tkl || p[0] >> 4 != 4 || !p[1] || p[1] > 31)
		return;
	p[0] = (uint8_t)(0x60 | tkl);
	p[1] = rd ? 0x41 : 0x44;
	if (rd)
		memcpy(p + 4 + tkl, "\x82rd\x01x", 5);
	SSL_write(c->ssl, p, (int)(4 + tkl + (rd ? 5 : 0)));
}

static void serve(struct client *c, const struct sockaddr_in *from, const uint8_t *data, size_t len)
{
	uint8_t plain[2048];
	char *out;
	long out_len;
	int n;

	if (len > 59 && data[0] == 22 && !data[3] && !data[4] && data[13] == 1 &&
	    (!c->ssl || memcmp(c->random, data + 27, sizeof c->random) != 0))
		begin(c, data + 27);
	if (!c->ssl)
		return;
	BIO_write(SSL_get_rbio(c->ssl), data, (int)len);
	while ((n = SSL_read(c->ssl, plain, sizeof plain - 8)) > 0)
		answer(c, plain, (size_t)n);
	ERR_clear_error();
	if (!c->shaken && SSL_is_init_finished(c->ssl)) {
		c->shaken = true;
		handshakes++;
	}
	out_len = BIO_get_mem_data(SSL_get_wbio(c->ssl), &out);
	if (out_len > 0)
		(void)!sendto(udp, out, (size_t)out_len, 0, (const struct sockaddr *)from, sizeof *from);
	(void)BIO_reset(SSL_get_wbio(c->ssl));
}

static void receive(void)
{
	static uint8_t data[65536];

	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof from;
		ssize_t n = recvfrom(udp, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

		if (n <= 0)
			return;
		serve(&clients[ntohs(from.sin_port)], &from, data, (size_t)n);
	}
}

static struct sockaddr_in address(char *at)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char *colon = strrchr(at, ':');

	if (!colon)
		fail("HOST:PORT");
	*colon = '\0';
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	inet_pton(AF_INET, at, &to.sin_addr);
	return to;
}

/* ---- bare clients ---- */

static unsigned bare_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_size, unsigned char *to,
			 unsigned size)
{
	(void)hint;
	snprintf(identity, identity_size, "bare");
	return on_psk(ssl, identity, to, size);
}

static SSL *bare_begin(int poll, struct sockaddr_in to)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	SSL *ssl = SSL_new(ctx);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = ssl };
	BIO *bio = BIO_new_dgram(fd, BIO_NOCLOSE);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		fail("socket");
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(ssl, 1232);
	SSL_set_connect_state(ssl);
	epoll_ctl(poll, EPOLL_CTL_ADD, fd, &ev);
	(void)SSL_do_handshake(ssl);
	return ssl;
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void bare_clients(char *at, long n)
{
	const struct sockaddr_in to = address(at);
	struct epoll_event got[BATCH];
	const int poll = epoll_create1(0);
	long begun = 0, done = 0;
	double before;

	ctx = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_set_psk_client_callback(ctx, bare_psk);
	if (SSL_CTX_set_cipher_list(ctx, "PSK-AES128-CCM8") != 1)
		fail("suites");
	before = cpu_us();
	while (done < n) {
		for (; begun < n && begun - done < AT_ONCE; begun++)
			(void)bare_begin(poll, to);
		for (int i = 0, m = epoll_wait(poll, got, BATCH, 5000); i < m || m <= 0; i++) {
			if (m <= 0)
				fail("no answer");
			done += !SSL_is_init_finished(got[i].data.ptr) && SSL_do_handshake(got[i].data.ptr) == 1;
		}
		ERR_clear_error();
	}
	printf("%.2f\n", (cpu_us() - before) / (double)n);
}

/* ---- the server ---- */

static void open_at(char *at)
{
	const struct sockaddr_in to = address(at);
	int size = 8 << 20;

	udp = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (bind(udp, (struct sockaddr *)&to, sizeof to))
		fail("bind");
}

int main(int argc, char **argv)
{
	struct pollfd on[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	static const unsigned char id[] = "far";
	struct rlimit most;
	char c;

	if (argc != 3 && argc != 4)
		fail("how is told at the head of far_dtls.c");
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	while (key_len < KEY_MAX && sscanf(argv[2] + 2 * key_len, "%2hhx", &key[key_len]) == 1)
		if (!argv[2][2 * key_len++ + 2])
			break;
	if (argc == 4) {
		bare_clients(argv[1], atol(argv[3]));
		return 0;
	}
	ctx = SSL_CTX_new(DTLS_server_method());
	SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
	SSL_CTX_set_psk_server_callback(ctx, on_psk);
	if (SSL_CTX_set_cipher_list(ctx, "PSK-AES128-CCM8") != 1)
		fail("suites");
	open_at(argv[1]);
	on[0].fd = udp;
	puts("ready");
	fflush(stdout);
	while (poll(on, 2, -1) > 0) {
		if (on[0].revents)
			receive();
		if (!on[1].revents)
			continue;
		if (read(STDIN_FILENO, &c, 1) != 1)
			return 0;
		printf("%lu\n", handshakes);
		fflush(stdout);
	}
	return 0;
}
