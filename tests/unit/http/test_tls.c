/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - both ends of TLS: who may call the listener, whom the client trusts, and how a kept connection ends */
#include "harness.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <time.h>

#include "certs.h"
#include "http/client.h"
#include "http/server.h"

static const int now_days[2] = { 0, 30 }, past_days[2] = { -30, -1 };

static struct cert ca, other_ca, server_cert, client_cert, stranger_cert, expired_client, revoked_client;
static struct cert expired_server, wrong_name, self_signed, sha1_server;
static char crl_file[96];

static int make_all(void **state)
{
	(void)state;
	strcpy(cert_dir, "/tmp/niddgw-tls-XXXXXX");
	if (!mkdtemp(cert_dir))
		return -1;
	cert_make(&ca, "ca", NULL, NULL, now_days, EVP_sha256());
	cert_make(&other_ca, "other", NULL, NULL, now_days, EVP_sha256());
	cert_make(&server_cert, "server", &ca, "IP:127.0.0.1", now_days, EVP_sha256());
	cert_make(&client_cert, "scef", &ca, "", now_days, EVP_sha256());
	cert_make(&stranger_cert, "stranger", &other_ca, "", now_days, EVP_sha256());
	cert_make(&expired_client, "late", &ca, "", past_days, EVP_sha256());
	cert_make(&revoked_client, "revoked", &ca, "", now_days, EVP_sha256());
	cert_make(&expired_server, "old", &ca, "IP:127.0.0.1", past_days, EVP_sha256());
	cert_make(&wrong_name, "wrong", &ca, "DNS:elsewhere.example", now_days, EVP_sha256());
	cert_make(&self_signed, "self", NULL, "IP:127.0.0.1", now_days, EVP_sha256());
	cert_make(&sha1_server, "sha1", &ca, "IP:127.0.0.1", now_days, EVP_sha1());
	snprintf(crl_file, sizeof crl_file, "%s/crl.pem", cert_dir);
	crl_make(crl_file, &ca, &revoked_client);
	return 0;
}

static int free_all(void **state)
{
	struct cert *all[] = { &ca,
			       &other_ca,
			       &server_cert,
			       &client_cert,
			       &stranger_cert,
			       &expired_client,
			       &revoked_client,
			       &expired_server,
			       &wrong_name,
			       &self_signed,
			       &sha1_server };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		cert_free(all[i]);
	unlink(crl_file);
	return rmdir(cert_dir);
}

/* ---- the listener ---- */

static struct {
	struct http_server *server;
	struct http_limits limits;
	unsigned heads, requests, tls, slow, malformed;
	char subject[200];
	size_t body_len;
	struct http_request *held;
	bool hold;
} t;

static int on_head(void *arg, struct http_request *r)
{
	(void)arg;
	(void)r;
	t.heads++;
	return 0;
}

static void on_request(void *arg, struct http_request *r, const uint8_t *body, size_t len)
{
	const char *s = http_request_client_subject(r);

	(void)arg;
	(void)body;
	t.requests++;
	t.body_len = len;
	snprintf(t.subject, sizeof t.subject, "%s", s ? s : "");
	if (t.hold && !t.held)
		t.held = r;
	else
		http_respond(r, 200, NULL, 0, "text/plain", "ok", 2);
}

static void on_refused(void *arg, const struct addr *from, const char *why)
{
	(void)arg;
	(void)from;
	t.tls += !strcmp(why, "tls");
	t.slow += !strcmp(why, "slow");
	t.malformed += !strcmp(why, "malformed");
}

static const struct http_handler handler = { .head = on_head, .request = on_request, .refused = on_refused };

static uint16_t serve(const struct cert *cert, bool clients, bool crl)
{
	const struct http_tls_conf tls = {
		.cert_file = cert->cert_file,
		.key_file = cert->key_file,
		.client_ca_file = clients ? ca.cert_file : NULL,
		.crl_file = crl ? crl_file : NULL,
	};
	struct addr a;

	assert_int_equal(addr_parse(&a, "127.0.0.1:0", true), 0);
	assert_int_equal(http_server_open(&t.server, loop, &a, &tls, &t.limits, &handler, NULL), 0);
	return http_server_port(t.server);
}

/* ---- a TLS caller that does as it likes ---- */

struct caller {
	struct bufferevent *bev;
	SSL_CTX *ctx;
	bool connected, over;
	int reason; /* OpenSSL's, when it is over */
	char in[40000];
	size_t len;
};

static void on_caller_read(struct bufferevent *bev, void *arg)
{
	struct caller *c = arg;

	c->len += bufferevent_read(bev, c->in + c->len, sizeof c->in - 1 - c->len);
	c->in[c->len] = '\0';
}

static void on_caller_event(struct bufferevent *bev, short what, void *arg)
{
	struct caller *c = arg;

	if (what & BEV_EVENT_CONNECTED) {
		c->connected = true;
		return;
	}
	c->over = true;
	c->reason = ERR_GET_REASON(bufferevent_get_openssl_error(bev));
}

static void call(struct caller *c, uint16_t port, const struct cert *cert, int version, const char *ciphers,
		 const char *request)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(0x7f000001u) };
	SSL *ssl;

	memset(c, 0, sizeof *c);
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(c->ctx, 0);
	SSL_CTX_set_min_proto_version(c->ctx, 0);
	if (version)
		SSL_CTX_set_max_proto_version(c->ctx, version);
	if (ciphers)
		assert_int_equal(SSL_CTX_set_cipher_list(c->ctx, ciphers), 1);
	if (cert) {
		assert_int_equal(SSL_CTX_use_certificate_file(c->ctx, cert->cert_file, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(c->ctx, cert->key_file, SSL_FILETYPE_PEM), 1);
	}
	ssl = SSL_new(c->ctx);
	c->bev = bufferevent_openssl_socket_new(loop_base(loop), -1, ssl, BUFFEREVENT_SSL_CONNECTING,
						BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(c->bev, on_caller_read, NULL, on_caller_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	assert_int_equal(bufferevent_socket_connect(c->bev, (struct sockaddr *)&to, sizeof to), 0);
	if (request)
		bufferevent_write(c->bev, request, strlen(request));
}

static bool is_over_or_answered(const void *arg)
{
	const struct caller *c = arg;

	return c->over || strstr(c->in, "\r\n\r\n");
}

static bool is_over(const void *arg)
{
	return ((const struct caller *)arg)->over;
}

static void caller_free(struct caller *c)
{
	bufferevent_free(c->bev);
	SSL_CTX_free(c->ctx);
}

#define GET "GET / HTTP/1.1\r\nHost: gw\r\n\r\n"

/* Does a caller with that certificate get its request through? */
static bool gets_through(uint16_t port, const struct cert *cert, int version, const char *ciphers)
{
	static struct caller c;
	bool through;

	call(&c, port, cert, version, ciphers, GET);
	run_until(is_over_or_answered, &c);
	through = strstr(c.in, "HTTP/1.1 200");
	caller_free(&c);
	return through;
}

static bool tls_refused(const void *arg)
{
	return t.tls >= *(const unsigned *)arg;
}

static bool nobody_connected(const void *arg)
{
	(void)arg;
	return !http_server_connections(t.server);
}

/* ---- the client ---- */

static struct http_client *client;
static struct http_client_conf conf;
static char base[64];

struct outcome {
	unsigned n;
	struct http_result res;
	char error[256];
};

static void on_done(void *arg, const struct http_result *res)
{
	struct outcome *o = arg;

	o->n++;
	o->res = *res;
	snprintf(o->error, sizeof o->error, "%s", res->error);
}

static bool is_done(const void *arg)
{
	return ((const struct outcome *)arg)->n > 0;
}

static void post(struct outcome *o, size_t len)
{
	static char body[65536];
	const struct http_call_conf c = {
		.method = HTTP_POST, .url = base, .content_type = "text/plain", .body = body, .len = len
	};

	memset(o, 0, sizeof *o);
	memset(body, 'b', sizeof body);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, o), 0);
	run_until(is_done, o);
}

static void open_client(uint16_t port)
{
	snprintf(base, sizeof base, "https://127.0.0.1:%u", port);
	assert_int_equal(http_client_open(&client, loop, &conf), 0);
}

static int setup(void **state)
{
	memset(&t, 0, sizeof t);
	t.limits = http_limits_default;
	conf = (struct http_client_conf){ .base = base, .ca_file = ca.cert_file, .timeout_ms = 5000, .connections = 2 };
	return loop_setup(state);
}

static int teardown(void **state)
{
	http_client_close(client);
	client = NULL;
	http_server_close(t.server);
	t.server = NULL;
	return loop_teardown(state);
}

/* ---- tests of the listener ---- */

static void a_request_over_tls_is_answered_without_client_certificate_where_none_is_asked(void **state)
{
	uint16_t port = serve(&server_cert, false, false);

	(void)state;
	assert_true(gets_through(port, NULL, 0, NULL));
	assert_true(gets_through(port, NULL, TLS1_2_VERSION, NULL));
	assert_string_equal(t.subject, "");
	assert_int_equal(t.tls, 0);
}

static void s11_only_a_good_client_certificate_gets_through(void **state)
{
	const struct cert *bad[] = { NULL, &stranger_cert, &expired_client, &revoked_client };
	const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	uint16_t port = serve(&server_cert, true, true);
	unsigned n = 0;

	(void)state;
	for (int v = 0; v < 2; v++) {
		for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
			assert_false(gets_through(port, bad[i], versions[v], NULL));
			n++;
			run_until(tls_refused, &n);
		}
		assert_true(gets_through(port, &client_cert, versions[v], NULL));
		assert_string_equal(t.subject, "CN=scef,O=niddgw test");
	}
	assert_int_equal(t.heads, 2); /* no octet of the others was parsed */
	run_until(nobody_connected, NULL);
}

static void s47_old_versions_and_weak_suites_are_refused(void **state)
{
	uint16_t port = serve(&server_cert, false, false);
	unsigned n = 4;

	(void)state;
	assert_false(gets_through(port, NULL, TLS1_VERSION, NULL));
	assert_false(gets_through(port, NULL, TLS1_1_VERSION, NULL));
	assert_false(
		gets_through(port, NULL, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA")); /* CBC */
	assert_false(gets_through(port, NULL, TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA"));
	run_until(tls_refused, &n);
	assert_int_equal(t.heads, 0);
}

static void s47_renegotiation_is_refused(void **state)
{
	static struct caller c;
	SSL *ssl;

	(void)state;
	call(&c, serve(&server_cert, false, false), NULL, TLS1_2_VERSION, NULL, GET);
	run_until(is_over_or_answered, &c);
	ssl = bufferevent_openssl_get_ssl(c.bev);
	assert_int_equal(SSL_renegotiate(ssl), 1);
	SSL_do_handshake(ssl);
	run_until(is_over, &c);
	assert_int_equal(c.reason, SSL_R_NO_RENEGOTIATION);
	caller_free(&c);
}

static void a_plain_request_on_a_tls_port_is_refused(void **state)
{
	static struct peer p;
	unsigned one = 1;

	(void)state;
	peer_open(&p, serve(&server_cert, false, false));
	peer_send(&p, GET);
	run_until(peer_has_eof, &p);
	run_until(tls_refused, &one);
	peer_close(&p);
	assert_int_equal(t.heads, 0);
}

static void s28_idle_handshakes_end_in_time_and_a_good_caller_is_served(void **state)
{
	static struct peer idle[60];
	uint16_t port;

	(void)state;
	t.limits.request_ms = 400;
	port = serve(&server_cert, false, false);
	for (size_t i = 0; i < 60; i++)
		peer_open(&idle[i], port);
	run_for(20);
	assert_int_equal(http_server_connections(t.server), 60);
	assert_true(gets_through(port, NULL, 0, NULL));
	run_until(nobody_connected, NULL);
	assert_int_equal(t.slow, 60);
	for (size_t i = 0; i < 60; i++)
		peer_close(&idle[i]);
}

static void other_certificates_serve_new_connections_only(void **state)
{
	static struct caller old, fresh;
	const struct http_tls_conf good = { .cert_file = self_signed.cert_file, .key_file = self_signed.key_file };
	const struct http_tls_conf bad = { .cert_file = self_signed.cert_file, .key_file = ca.key_file };
	const struct http_tls_conf gone = { .cert_file = "/nonexistent", .key_file = ca.key_file };
	uint16_t port = serve(&server_cert, false, false);
	X509 *seen;

	(void)state;
	call(&old, port, NULL, 0, NULL, GET);
	run_until(is_over_or_answered, &old);
	assert_int_equal(http_server_set_tls(t.server, &bad), -EINVAL);
	assert_int_equal(http_server_set_tls(t.server, &gone), -EINVAL);
	assert_int_equal(http_server_set_tls(t.server, &good), 0);
	call(&fresh, port, NULL, 0, NULL, GET);
	run_until(is_over_or_answered, &fresh);
	seen = SSL_get0_peer_certificate(bufferevent_openssl_get_ssl(fresh.bev));
	assert_int_equal(X509_cmp(seen, self_signed.x509), 0);
	old.len = 0;
	old.in[0] = '\0';
	bufferevent_write(old.bev, GET, strlen(GET));
	run_until(is_over_or_answered, &old);
	assert_false(old.over);
	caller_free(&old);
	caller_free(&fresh);
}

static void unusable_files_are_said_at_open(void **state)
{
	const struct http_tls_conf tls[] = {
		{ .cert_file = "/nonexistent", .key_file = server_cert.key_file },
		{ .cert_file = server_cert.cert_file, .key_file = ca.key_file },
		{ .cert_file = server_cert.cert_file,
		  .key_file = server_cert.key_file,
		  .client_ca_file = server_cert.key_file },
		{ .cert_file = server_cert.cert_file,
		  .key_file = server_cert.key_file,
		  .client_ca_file = ca.cert_file,
		  .crl_file = ca.cert_file },
		{ .cert_file = server_cert.cert_file, .key_file = server_cert.key_file, .crl_file = crl_file },
		{ .cert_file = server_cert.cert_file },
	};
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, "127.0.0.1:0", true), 0);
	for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
		assert_int_equal(http_server_open(&t.server, loop, &a, &tls[i], NULL, &handler, NULL), -EINVAL);
	assert_null(t.server);
}

static bool has_held(const void *arg)
{
	(void)arg;
	return t.held;
}

static bool has_forty(const void *arg)
{
	(void)arg;
	return t.requests == 40;
}

static void pipelined_requests_over_tls_beyond_the_read_ahead_all_come_through(void **state)
{
	static struct caller c;
	static char body[4000];

	(void)state;
	t.hold = true;
	call(&c, serve(&server_cert, false, false), NULL, 0, NULL, NULL);
	memset(body, 'b', sizeof body);
	for (int i = 0; i < 40; i++) { /* 160 kB while the first is held */
		static const char head[] = "POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 4000\r\n\r\n";

		bufferevent_write(c.bev, head, sizeof head - 1);
		bufferevent_write(c.bev, body, sizeof body);
	}
	run_until(has_held, NULL);
	run_for(100);
	assert_int_equal(t.requests, 1);
	http_respond(t.held, 200, NULL, 0, "text/plain", "ok", 2);
	run_until(has_forty, NULL);
	run_for(50);
	assert_int_equal(count_text(c.in, "HTTP/1.1 200 OK"), 40);
	caller_free(&c);
}

/* ---- tests of the client ---- */

static void the_client_speaks_to_the_listener_with_its_certificate(void **state)
{
	struct outcome o;

	(void)state;
	conf.auth = HTTP_AUTH_MTLS;
	conf.cert_file = client_cert.cert_file;
	conf.key_file = client_cert.key_file;
	open_client(serve(&server_cert, true, true));
	post(&o, 60000);
	assert_int_equal(o.res.status, 200);
	assert_int_equal(t.body_len, 60000);
	assert_string_equal(t.subject, "CN=scef,O=niddgw test");
	post(&o, 10);
	assert_int_equal(o.res.status, 200);
	assert_int_equal(http_server_connections(t.server), 1); /* kept */
}

static void s47_servers_that_cannot_be_trusted_are_not_sent_anything(void **state)
{
	const struct cert *bad[] = { &expired_server, &wrong_name, &self_signed };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct outcome o;

		open_client(serve(bad[i], false, false));
		post(&o, 2);
		assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
		assert_true(o.res.tls_failed);
		assert_true(strlen(o.error) > 10);
		http_client_close(client);
		client = NULL;
		http_server_close(t.server);
		t.server = NULL;
	}
	assert_int_equal(t.heads, 0);
}

/* A server that offers only what nobody should take any more: ours would not. */
static struct {
	SSL_CTX *ctx;
	int fd;
	struct loop_fd *watch;
	struct bufferevent *bev;
	size_t read;
} lax;

static void on_lax_read(struct bufferevent *bev, void *arg)
{
	(void)arg;
	lax.read += evbuffer_get_length(bufferevent_get_input(bev));
}

static void on_lax_accept(void *arg, int fd, unsigned what)
{
	int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)arg;
	(void)what;
	assert_true(got >= 0);
	if (lax.bev)
		bufferevent_free(lax.bev);
	lax.bev = bufferevent_openssl_socket_new(loop_base(loop), got, SSL_new(lax.ctx), BUFFEREVENT_SSL_ACCEPTING,
						 BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(lax.bev, on_lax_read, NULL, NULL, NULL);
	bufferevent_enable(lax.bev, EV_READ);
}

static uint16_t lax_open(const struct cert *cert, int version, const char *ciphers)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;

	memset(&lax, 0, sizeof lax);
	lax.ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(lax.ctx, 0);
	SSL_CTX_set_min_proto_version(lax.ctx, 0);
	SSL_CTX_set_max_proto_version(lax.ctx, version);
	assert_int_equal(SSL_CTX_set_cipher_list(lax.ctx, ciphers), 1);
	assert_int_equal(SSL_CTX_use_certificate_file(lax.ctx, cert->cert_file, SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(lax.ctx, cert->key_file, SSL_FILETYPE_PEM), 1);
	lax.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(lax.fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(lax.fd, 16), 0);
	assert_int_equal(getsockname(lax.fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(loop_watch(loop, &lax.watch, lax.fd, LOOP_READ, on_lax_accept, NULL), 0);
	return ntohs(sa.sin_port);
}

static void lax_close(void)
{
	if (lax.bev)
		bufferevent_free(lax.bev);
	loop_unwatch(lax.watch);
	close(lax.fd);
	SSL_CTX_free(lax.ctx);
}

static void s47_weak_servers_are_not_sent_anything(void **state)
{
	static const struct {
		const struct cert *cert;
		int version;
		const char *ciphers;
	} weak[] = {
		{ &server_cert, TLS1_VERSION, "ALL" },
		{ &server_cert, TLS1_1_VERSION, "ALL" },
		{ &server_cert, TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA" },
		{ &server_cert, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA" },
		{ &sha1_server, TLS1_2_VERSION, "ALL" },
		{ &sha1_server, TLS1_3_VERSION, "ALL" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
		struct outcome o;

		open_client(lax_open(weak[i].cert, weak[i].version, weak[i].ciphers));
		post(&o, 2);
		assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
		assert_true(o.res.tls_failed);
		assert_int_equal(lax.read, 0);
		http_client_close(client);
		client = NULL;
		lax_close();
	}
}

static void a_server_that_wants_a_certificate_we_lack_is_a_tls_failure(void **state)
{
	struct outcome o;

	(void)state;
	open_client(serve(&server_cert, true, false));
	post(&o, 2);
	assert_true(o.res.outcome == HTTP_NOT_SENT || o.res.outcome == HTTP_UNKNOWN);
	assert_true(o.res.tls_failed);
	assert_int_equal(t.heads, 0);
}

static void an_idle_tls_connection_closed_in_good_order_costs_nothing(void **state)
{
	struct outcome o;

	(void)state;
	t.limits.idle_ms = 50;
	open_client(serve(&server_cert, false, false));
	for (unsigned i = 1; i <= 4; i++) {
		post(&o, 2);
		assert_int_equal(o.res.outcome, HTTP_ANSWERED);
		assert_int_equal(o.res.status, 200);
		run_until(nobody_connected, NULL); /* close_notify and FIN wait on the client's socket */
		run_for(5);
	}
	assert_int_equal(t.requests, 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_over_tls_is_answered_without_client_certificate_where_none_is_asked),
		T(s11_only_a_good_client_certificate_gets_through),
		T(s47_old_versions_and_weak_suites_are_refused),
		T(s47_renegotiation_is_refused),
		T(a_plain_request_on_a_tls_port_is_refused),
		T(s28_idle_handshakes_end_in_time_and_a_good_caller_is_served),
		T(other_certificates_serve_new_connections_only),
		T(unusable_files_are_said_at_open),
		T(pipelined_requests_over_tls_beyond_the_read_ahead_all_come_through),
		T(the_client_speaks_to_the_listener_with_its_certificate),
		T(s47_servers_that_cannot_be_trusted_are_not_sent_anything),
		T(s47_weak_servers_are_not_sent_anything),
		T(a_server_that_wants_a_certificate_we_lack_is_a_tls_failure),
		T(an_idle_tls_connection_closed_in_good_order_costs_nothing),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
