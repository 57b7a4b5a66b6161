/* SPDX-License-Identifier: Apache-2.0 */
/* test_server.c - the plain listener over real sockets: answers, order, limits, slow and hostile callers */
#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "http/server.h"

#define POST_HEAD "POST /up HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\n"
#define POST_5 POST_HEAD "Content-Length: 5\r\n\r\nhello"

static struct {
	struct http_server *server;
	struct http_limits limits;
	int head_status; /* what head() answers */
	bool respond_in_head, hold, close_server, close_in_gone;
	struct http_request *held[8];
	unsigned held_n, heads, requests, gone;
	unsigned slow, malformed, too_big, connections;
	char bodies[4096], target[256], type[64];
	size_t body_len;
} t;

static void reply(struct http_request *r)
{
	http_respond(r, 204, NULL, 0, NULL, NULL, 0);
}

static int on_head(void *arg, struct http_request *r)
{
	(void)arg;
	t.heads++;
	if (t.respond_in_head)
		http_respond(r, 401, &(struct http_header){ "WWW-Authenticate", "Bearer" }, 1, "text/plain", "no\n", 3);
	return t.head_status;
}

static void on_request(void *arg, struct http_request *r, const uint8_t *body, size_t len)
{
	const char *type = http_request_header(r, "content-type", NULL);

	(void)arg;
	t.requests++;
	t.body_len = len;
	snprintf(t.target, sizeof t.target, "%s", http_request_target(r));
	snprintf(t.type, sizeof t.type, "%s", type ? type : "-");
	if (strlen(t.bodies) + len + 3 < sizeof t.bodies)
		snprintf(t.bodies + strlen(t.bodies), sizeof t.bodies - strlen(t.bodies), "[%.*s]", (int)len,
			 (const char *)body);
	if (t.close_server) {
		http_server_close(t.server);
		t.server = NULL;
		return;
	}
	if (t.hold)
		t.held[t.held_n++ % 8] = r;
	else
		reply(r);
}

static void on_gone(void *arg, struct http_request *r)
{
	(void)arg;
	(void)r;
	t.gone++;
	if (t.close_in_gone) {
		http_server_close(t.server);
		t.server = NULL;
	}
}

static void on_refused(void *arg, const struct addr *from, const char *why)
{
	(void)arg;
	assert_true(addr_is_loopback(from));
	t.slow += !strcmp(why, "slow");
	t.malformed += !strcmp(why, "malformed");
	t.too_big += !strcmp(why, "too_big");
	t.connections += !strcmp(why, "connections");
}

static const struct http_handler handler = { on_head, on_request, on_gone, on_refused };

static uint16_t serve(void)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, "127.0.0.1:0", true), 0);
	assert_int_equal(http_server_open(&t.server, loop, &a, NULL, &t.limits, &handler, NULL), 0);
	return http_server_port(t.server);
}

static int setup(void **state)
{
	memset(&t, 0, sizeof t);
	t.limits = http_limits_default;
	return loop_setup(state);
}

static int teardown(void **state)
{
	http_server_close(t.server);
	return loop_teardown(state);
}

static bool have_requests(const void *arg)
{
	return t.requests >= *(const unsigned *)arg;
}

static bool have_held(const void *arg)
{
	return t.held_n >= *(const unsigned *)arg;
}

static bool have_gone(const void *arg)
{
	return t.gone >= *(const unsigned *)arg;
}

static bool no_connections(const void *arg)
{
	(void)arg;
	return http_server_connections(t.server) == 0;
}

static void wait_for(until_fn *fn, unsigned n)
{
	run_until(fn, &n);
}

/* The status of the first answer, after the peer has sent text and the answer is there. */
static int status_of(uint16_t port, const char *text, bool *closed)
{
	static struct peer p;
	int status;

	peer_open(&p, port);
	peer_send(&p, text);
	run_until(peer_has_answer, &p);
	status = atoi(p.in + 9);
	if (closed) {
		*closed = run_until_within(peer_has_eof, &p, 300);
		assert_false(p.reset);
	}
	peer_close(&p);
	return status;
}

/* ---- the usual ---- */

static void a_post_on_a_kept_connection_is_answered_204_again_and_again(void **state)
{
	static struct peer p;
	uint16_t port = serve();

	(void)state;
	peer_open(&p, port);
	for (unsigned i = 1; i <= 5; i++) {
		peer_send(&p, POST_5);
		wait_for(have_requests, i);
		p.len = 0;
		p.in[0] = '\0';
		run_until(peer_has_answer, &p);
		assert_non_null(strstr(p.in, "HTTP/1.1 204 No Content\r\n"));
		assert_non_null(strstr(p.in, "Date: "));
		assert_null(strstr(p.in, "Content-Length"));
		assert_null(strstr(p.in, "Connection: close"));
		p.len = 0;
		p.in[0] = '\0';
	}
	assert_string_equal(t.bodies, "[hello][hello][hello][hello][hello]");
	assert_string_equal(t.target, "/up");
	assert_string_equal(t.type, "application/json");
	assert_int_equal(http_server_connections(t.server), 1);
	peer_close(&p);
	run_until(no_connections, NULL);
	assert_int_equal(t.gone, 0);
}

static void a_request_in_single_octets_is_one_request(void **state)
{
	static struct peer p;
	static const char text[] = POST_HEAD
		"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: v\r\n\r\n";

	(void)state;
	peer_open(&p, serve());
	for (size_t i = 0; i < sizeof text - 1; i++) {
		peer_send_n(&p, text + i, 1);
		run_for(1);
	}
	run_until(peer_has_answer, &p);
	assert_string_equal(t.bodies, "[hello]");
	peer_close(&p);
}

static void pipelined_requests_are_served_one_at_a_time_and_in_order(void **state)
{
	static struct peer p;
	unsigned n = 1;

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p,
		  POST_HEAD "Content-Length: 1\r\n\r\n1" POST_HEAD "Content-Length: 1\r\n\r\n2" POST_HEAD
			    "Content-Length: 1\r\n\r\n3");
	for (; n <= 3; n++) {
		char mark[8];

		wait_for(have_held, n);
		run_for(20);
		assert_int_equal(t.requests, n); /* the next one waits */
		snprintf(mark, sizeof mark, "%u", n);
		http_respond(t.held[n - 1], 200, NULL, 0, "text/plain", mark, 1);
	}
	run_for(20);
	assert_string_equal(t.bodies, "[1][2][3]");
	assert_int_equal(count_text(p.in, "200 OK"), 3);
	assert_true(strstr(p.in, "\r\n\r\n1") < strstr(p.in, "\r\n\r\n2") &&
		    strstr(p.in, "\r\n\r\n2") < strstr(p.in, "\r\n\r\n3"));
	peer_close(&p);
}

static void many_pipelined_requests_are_all_answered(void **state)
{
	static struct peer p;

	(void)state;
	peer_open(&p, serve());
	for (int i = 0; i < 300; i++)
		peer_send(&p, POST_5);
	wait_for(have_requests, 300);
	run_for(20);
	assert_int_equal(count_text(p.in, "204 No Content"), 300);
	peer_close(&p);
}

static void a_peer_that_pipelines_is_held_back_while_a_request_is_pending(void **state)
{
	static struct peer p;
	static char more[1 << 20];
	size_t sent = 0;

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	memset(more, 'x', sizeof more);
	for (int quiet = 0; quiet < 5 && sent < 64u << 20;) { /* until the kernel's buffers are full and stay so */
		ssize_t n = send(p.fd, more, sizeof more, MSG_DONTWAIT | MSG_NOSIGNAL);

		quiet = n > 0 ? 0 : quiet + 1;
		sent += n > 0 ? (size_t)n : 0;
		run_for(5);
	}
	assert_true(sent < 64u << 20); /* it had to stop: nobody reads on */
	assert_int_equal(t.requests, 1);
	peer_close(&p);
}

static void an_answer_may_come_later_and_carries_headers_and_a_body(void **state)
{
	static struct peer p;
	const struct http_header lines[] = { { "Location", "/there" }, { "X-Bad", "a\r\nInjected: 1" } };

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	run_for(30);
	http_respond(t.held[0], 201, lines, 2, "application/json", "{}", 2);
	run_until(peer_has_answer, &p);
	assert_non_null(strstr(p.in, "HTTP/1.1 201 Created\r\n"));
	assert_non_null(strstr(p.in, "\r\nLocation: /there\r\n"));
	assert_non_null(strstr(p.in, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(p.in, "\r\nContent-Length: 2\r\n"));
	assert_non_null(strstr(p.in, "\r\n\r\n{}"));
	assert_null(strstr(p.in, "Injected")); /* a line that would break out is left out */
	peer_close(&p);
}

static void a_large_answer_arrives_whole(void **state)
{
	static struct peer p;
	static char body[3000000];

	(void)state;
	memset(body, 'a', sizeof body);
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, "GET /big HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n");
	wait_for(have_held, 1);
	http_respond(t.held[0], 200, NULL, 0, "text/plain", body, sizeof body);
	run_until(peer_has_eof, &p);
	assert_false(p.reset);
	assert_in_range(p.total, sizeof body, sizeof body + 300);
	peer_close(&p);
}

static void head_gets_no_body_and_http_1_0_is_closed(void **state)
{
	static struct peer p;

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, "HEAD / HTTP/1.0\r\n\r\n");
	wait_for(have_held, 1);
	http_respond(t.held[0], 200, NULL, 0, "text/plain", "secret", 6);
	run_until(peer_has_eof, &p);
	assert_non_null(strstr(p.in, "Content-Length: 6\r\n"));
	assert_null(strstr(p.in, "secret"));
	peer_close(&p);
}

static void a_peer_that_has_shut_its_side_still_gets_its_answer(void **state)
{
	static struct peer p;

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	shutdown(p.fd, SHUT_WR);
	wait_for(have_held, 1);
	run_for(20);
	reply(t.held[0]);
	run_until(peer_has_eof, &p);
	assert_non_null(strstr(p.in, "204"));
	assert_int_equal(t.gone, 0);
	run_until(no_connections, NULL);
	peer_close(&p);
}

static void a_request_whose_connection_is_reset_is_told_gone(void **state)
{
	static struct peer p;
	const struct linger reset = { .l_onoff = 1 };

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	peer_close(&p);
	wait_for(have_gone, 1);
	assert_int_equal(http_server_connections(t.server), 0);
}

static void an_aborted_request_resets_the_connection(void **state)
{
	static struct peer p;

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	http_request_abort(t.held[0]);
	run_until(peer_has_eof, &p);
	assert_true(p.reset);
	assert_int_equal(p.len, 0);
	assert_int_equal(t.gone, 0);
	peer_close(&p);
}

/* ---- refusals ---- */

static void s27_ambiguous_requests_are_answered_400_and_closed(void **state)
{
	static const char *const texts[] = {
		POST_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" POST_5,
		POST_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" POST_5,
		POST_HEAD "Content-Length: -5\r\n\r\nhello" POST_5,
		POST_HEAD "Content-Length: 9223372036854775808\r\n\r\nhello" POST_5,
		POST_HEAD "Content-Length : 5\r\n\r\nhello" POST_5,
		POST_HEAD "X: a\r\n b\r\n\r\n" POST_5,
	};
	uint16_t port = serve();
	bool closed;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(status_of(port, texts[i], &closed), 400);
		assert_true(closed);
	}
	assert_int_equal(t.heads, 0);
	assert_int_equal(t.malformed, sizeof texts / sizeof *texts);
}

static void s27_a_chunk_size_beyond_the_limit_is_413_and_the_request_is_gone(void **state)
{
	uint16_t port = serve();
	bool closed;

	(void)state;
	assert_int_equal(status_of(port, POST_HEAD "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\nx" POST_5, &closed),
			 413);
	assert_true(closed);
	assert_int_equal(t.requests, 0);
	assert_int_equal(t.heads, 1);
	assert_int_equal(t.gone, 1);
	assert_int_equal(t.too_big, 1);
}

static void other_refusals_have_their_status(void **state)
{
	uint16_t port = serve();

	(void)state;
	assert_int_equal(status_of(port, POST_HEAD "Transfer-Encoding: gzip\r\n\r\n", NULL), 501);
	assert_int_equal(status_of(port, "GET / HTTP/3.0\r\nHost: a\r\n\r\n", NULL), 505);
	assert_int_equal(status_of(port, POST_HEAD "Content-Length: 65537\r\n\r\n", NULL), 413);
	assert_int_equal(status_of(port, "GET / HTTP/1.1\r\n\r\n", NULL), 400);
	assert_int_equal(status_of(port, "\x16\x03\x01\x02\x05", NULL), 400);
}

static void s46_encoded_content_is_415_before_the_handler_sees_it(void **state)
{
	uint16_t port = serve();
	bool closed;

	(void)state;
	assert_int_equal(
		status_of(port, POST_HEAD "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", &closed),
		415);
	assert_true(closed);
	assert_int_equal(t.heads, 0);
}

static void t8_17_a_body_of_five_mebibytes_is_413_from_its_announcement(void **state)
{
	static struct peer p;
	static char body[1 << 20];

	(void)state;
	peer_open(&p, serve());
	peer_send(&p, POST_HEAD "Content-Length: 5242880\r\n\r\n");
	for (int i = 0; i < 5; i++) { /* the peer goes on sending; the answer must reach it all the same */
		size_t at = 0;

		while (at < sizeof body) {
			ssize_t n = send(p.fd, body + at, sizeof body - at, MSG_DONTWAIT | MSG_NOSIGNAL);

			if (n < 0 && errno != EAGAIN)
				goto closed;
			at += n > 0 ? (size_t)n : 0;
			run_for(1);
			if (peer_has_answer(&p))
				goto closed;
		}
	}
closed:
	run_until(peer_has_answer, &p);
	assert_int_equal(atoi(p.in + 9), 413);
	assert_int_equal(t.requests, 0);
	peer_close(&p);
}

static void s29_too_long_a_header_is_431(void **state)
{
	static struct peer p;
	static char junk[17000];

	(void)state;
	memset(junk, 'j', sizeof junk);
	peer_open(&p, serve());
	peer_send(&p, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	peer_send_n(&p, junk, sizeof junk);
	run_until(peer_has_eof, &p);
	assert_int_equal(atoi(p.in + 9), 431);
	assert_int_equal(t.too_big, 1);
	peer_close(&p);
}

static void a_refusing_head_answers_before_the_body_and_closes(void **state)
{
	uint16_t port = serve();
	bool closed;

	(void)state;
	t.head_status = 403;
	assert_int_equal(status_of(port, POST_HEAD "Content-Length: 65000\r\n\r\nhel", &closed), 403);
	assert_true(closed);
	assert_int_equal(status_of(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &closed), 403);
	assert_false(closed); /* nothing was announced, so nothing is in doubt */
	assert_int_equal(t.requests, 0);
	assert_int_equal(t.gone, 0);
}

static void an_answer_from_within_head_is_the_only_one(void **state)
{
	static struct peer p;

	(void)state;
	t.respond_in_head = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5 POST_5);
	run_until(peer_has_eof, &p);
	assert_int_equal(count_text(p.in, "401 Unauthorized"), 1);
	assert_non_null(strstr(p.in, "WWW-Authenticate: Bearer\r\n"));
	assert_int_equal(t.requests, 0);
	peer_close(&p);
}

static void continue_is_said_only_when_head_agrees(void **state)
{
	static struct peer p;

	(void)state;
	peer_open(&p, serve());
	peer_send(&p, POST_HEAD "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	run_until(peer_has_answer, &p);
	assert_string_equal(p.in, "HTTP/1.1 100 Continue\r\n\r\n");
	peer_send(&p, "hello");
	wait_for(have_requests, 1);
	run_for(10);
	assert_non_null(strstr(p.in, "204"));
	t.head_status = 401;
	p.len = 0;
	peer_send(&p, POST_HEAD "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	run_until(peer_has_eof, &p);
	assert_null(strstr(p.in, "100 Continue"));
	assert_non_null(strstr(p.in, "401"));
	peer_close(&p);
}

/* ---- time ---- */

static void s28_a_slow_request_is_answered_408_and_closed(void **state)
{
	static struct peer p;

	(void)state;
	t.limits.request_ms = 150;
	peer_open(&p, serve());
	peer_send(&p, POST_HEAD "Content-Length: 5\r\n\r\nhe");
	run_until(peer_has_eof, &p);
	assert_int_equal(atoi(p.in + 9), 408);
	assert_int_equal(t.slow, 1);
	assert_int_equal(t.gone, 1); /* head() had said yes */
	peer_close(&p);
	run_until(no_connections, NULL);
}

static void s28_the_time_of_a_second_request_runs_from_its_first_octet(void **state)
{
	static struct peer p;

	(void)state;
	t.limits.request_ms = 200;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	run_until(peer_has_answer, &p);
	run_for(300); /* idle for longer than a request may take */
	assert_false(p.eof);
	p.len = 0;
	peer_send(&p, POST_5);
	wait_for(have_requests, 2);
	run_for(10);
	peer_send(&p, "POST");
	run_until(peer_has_eof, &p);
	assert_non_null(strstr(p.in, "408"));
	assert_int_equal(t.slow, 1);
	peer_close(&p);
}

static void idle_connections_are_closed_without_a_word(void **state)
{
	static struct peer silent, kept;
	uint16_t port;

	(void)state;
	t.limits.request_ms = 150;
	t.limits.idle_ms = 200;
	port = serve();
	peer_open(&silent, port);
	peer_open(&kept, port);
	peer_send(&kept, POST_5);
	run_until(peer_has_eof, &silent);
	run_until(peer_has_eof, &kept);
	assert_int_equal(silent.len, 0);
	assert_int_equal(count_text(kept.in, "HTTP/1.1"), 1);
	assert_int_equal(t.slow, 1); /* the one that never said anything */
	peer_close(&silent);
	peer_close(&kept);
}

static void a_held_request_is_not_hurried(void **state)
{
	static struct peer p;

	(void)state;
	t.limits.request_ms = 50;
	t.limits.idle_ms = 50;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	run_for(200);
	assert_false(p.eof);
	reply(t.held[0]);
	run_until(peer_has_answer, &p);
	peer_close(&p);
}

/* ---- places ---- */

static void connections_above_the_limits_are_closed_and_counted(void **state)
{
	static struct peer p[6];
	uint16_t port;
	unsigned n = 0;

	(void)state;
	t.limits.connections = 4;
	t.limits.connections_per_address = 3;
	port = serve();
	for (unsigned i = 0; i < 4; i++)
		peer_open(&p[i], port);
	run_until(peer_has_eof, &p[3]); /* the fourth from one address */
	peer_open_from(&p[4], port, 2);
	peer_open_from(&p[5], port, 3);
	run_until(peer_has_eof, &p[5]); /* the fifth in all */
	for (unsigned i = 0; i < 6; i++) {
		n += !p[i].eof;
		peer_close(&p[i]);
	}
	assert_int_equal(n, 4);
	assert_int_equal(t.connections, 2);
}

enum { ATTACKERS = 1000 };

static bool is_answered_or_over(const void *arg)
{
	return peer_has_answer(arg) || peer_has_eof(arg);
}

static void s28_a_thousand_slow_connections_do_not_hurt_a_good_peer(void **state)
{
	static int slow[ATTACKERS];
	static struct peer good;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u) };
	uint16_t port = serve();
	uint64_t before;
	unsigned tries;

	(void)state;
	to.sin_port = htons(port);
	for (int i = 0; i < ATTACKERS; i++) {
		slow[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(slow[i] >= 0);
		connect(slow[i], (struct sockaddr *)&to, sizeof to);
		if (i % 100 == 99)
			run_for(2);
		send(slow[i], "P", 1, MSG_NOSIGNAL);
	}
	run_for(50);
	assert_true(http_server_connections(t.server) <= 64);
	clock_tick();
	before = clock_now_ms();
	peer_open_from(&good, port, 2);
	peer_send(&good, POST_5);
	run_until(peer_has_answer, &good);
	assert_int_equal(atoi(good.in + 9), 204);
	assert_true(clock_now_ms() - before < 1000);
	peer_close(&good);
	/* From the attackers' own address: a place is free as soon as one of them has dawdled. (Those that the kernel's
	 * backlog held back come again meanwhile and take places too, so the good one may have to try more than once.)
	 */
	good.in[0] = '\0';
	for (tries = 0; tries < 40 && !peer_has_answer(&good); tries++) {
		if (tries)
			peer_close(&good);
		run_for(100);
		peer_open(&good, port);
		send(good.fd, POST_5, strlen(POST_5), MSG_NOSIGNAL);
		run_until(is_answered_or_over, &good);
	}
	assert_int_equal(atoi(good.in + 9), 204);
	assert_true(http_server_connections(t.server) <= 64);
	peer_close(&good);
	for (int i = 0; i < ATTACKERS; i++)
		close(slow[i]);
	run_until(no_connections, NULL);
}

static void without_descriptors_accepting_pauses_and_recovers(void **state)
{
	static struct peer p;
	struct rlimit was, few;
	int hog[4096], n = 0;

	(void)state;
	peer_open(&p, serve()); /* in the backlog */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = 128;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 4096 && (hog[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	peer_send(&p, POST_5);
	run_for(200);
	assert_int_equal(t.requests, 0);
	while (n)
		close(hog[--n]);
	setrlimit(RLIMIT_NOFILE, &was);
	run_until(peer_has_answer, &p);
	peer_close(&p);
}

/* ---- ends ---- */

static void stop_answers_what_was_read_and_closes_the_idle(void **state)
{
	static struct peer busy, idle;
	uint16_t port = serve();

	(void)state;
	t.hold = true;
	peer_open(&idle, port);
	peer_open(&busy, port);
	peer_send(&busy, POST_5);
	wait_for(have_held, 1);
	http_server_stop(t.server);
	run_until(peer_has_eof, &idle);
	assert_int_equal(http_server_connections(t.server), 1);
	reply(t.held[0]);
	run_until(peer_has_eof, &busy);
	assert_non_null(strstr(busy.in, "204"));
	assert_non_null(strstr(busy.in, "Connection: close"));
	peer_close(&idle);
	peer_close(&busy);
	run_until(no_connections, NULL);
}

static void close_tells_gone_for_what_is_unanswered(void **state)
{
	static struct peer p;

	(void)state;
	t.hold = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	http_server_close(t.server);
	t.server = NULL;
	assert_int_equal(t.gone, 1);
	run_until(peer_has_eof, &p);
	peer_close(&p);
}

static void the_server_may_be_closed_from_within_a_request(void **state)
{
	static struct peer p;

	(void)state;
	t.close_server = true;
	peer_open(&p, serve());
	peer_send(&p, POST_5 POST_5);
	run_until(peer_has_eof, &p);
	assert_int_equal(t.requests, 1);
	assert_int_equal(t.gone, 1);
	peer_close(&p);
}

static void the_server_may_be_closed_from_within_gone(void **state)
{
	static struct peer p, other;
	const struct linger reset = { .l_onoff = 1 };
	uint16_t port = serve();

	(void)state;
	t.hold = t.close_in_gone = true;
	peer_open(&other, port);
	peer_open(&p, port);
	peer_send(&p, POST_5);
	wait_for(have_held, 1);
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	peer_close(&p);
	wait_for(have_gone, 1);
	run_until(peer_has_eof, &other);
	peer_close(&other);
	assert_null(t.server);
}

static void an_address_in_use_is_said(void **state)
{
	struct http_server *other = NULL;
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, "127.0.0.1:0", true), 0);
	addr_set_port(&a, serve());
	assert_int_equal(http_server_open(&other, loop, &a, NULL, NULL, &handler, NULL), -EADDRINUSE);
	assert_null(other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_post_on_a_kept_connection_is_answered_204_again_and_again),
		T(a_request_in_single_octets_is_one_request),
		T(pipelined_requests_are_served_one_at_a_time_and_in_order),
		T(many_pipelined_requests_are_all_answered),
		T(a_peer_that_pipelines_is_held_back_while_a_request_is_pending),
		T(an_answer_may_come_later_and_carries_headers_and_a_body),
		T(a_large_answer_arrives_whole),
		T(head_gets_no_body_and_http_1_0_is_closed),
		T(a_peer_that_has_shut_its_side_still_gets_its_answer),
		T(a_request_whose_connection_is_reset_is_told_gone),
		T(an_aborted_request_resets_the_connection),
		T(s27_ambiguous_requests_are_answered_400_and_closed),
		T(s27_a_chunk_size_beyond_the_limit_is_413_and_the_request_is_gone),
		T(other_refusals_have_their_status),
		T(s46_encoded_content_is_415_before_the_handler_sees_it),
		T(t8_17_a_body_of_five_mebibytes_is_413_from_its_announcement),
		T(s29_too_long_a_header_is_431),
		T(a_refusing_head_answers_before_the_body_and_closes),
		T(an_answer_from_within_head_is_the_only_one),
		T(continue_is_said_only_when_head_agrees),
		T(s28_a_slow_request_is_answered_408_and_closed),
		T(s28_the_time_of_a_second_request_runs_from_its_first_octet),
		T(idle_connections_are_closed_without_a_word),
		T(a_held_request_is_not_hurried),
		T(connections_above_the_limits_are_closed_and_counted),
		T(s28_a_thousand_slow_connections_do_not_hurt_a_good_peer),
		T(without_descriptors_accepting_pauses_and_recovers),
		T(stop_answers_what_was_read_and_closes_the_idle),
		T(close_tells_gone_for_what_is_unanswered),
		T(the_server_may_be_closed_from_within_a_request),
		T(the_server_may_be_closed_from_within_gone),
		T(an_address_in_use_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
