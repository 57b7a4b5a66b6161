/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_attempt.c - from nothing to a connection: the addresses of the server in turn, then a pause that doubles
 *
 * A round goes through all addresses, beginning with the one that was good last. A connection counts as made when the
 * server's CSM has come; until then it fails like one that was refused.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "north/tcp.h"

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MOST_MS = 60000 };

/* ---- one attempt ---- */

static unsigned addresses(const struct north_server *s)
{
	return 1 + s->others_n;
}

static const struct addr *address_of(const struct tcp_assoc *t)
{
	const struct north_server *s = t->a.srv;
	unsigned at = (s->stream_at + t->tries) % addresses(s);

	return at ? &s->others[at - 1] : &s->addr;
}

/* What a peer does not acknowledge for that long it does not get: the kernel ends the connection (RFC 5482). */
static void set_options(const struct tcp_assoc *t, int fd)
{
	const int on = 1;
	const unsigned timeout_ms = (unsigned)t->a.srv->conf->handshake_timeout_s * 1000;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a pass of the loop is written at once */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static int open_socket(struct tcp_assoc *t)
{
	const struct addr *to = address_of(t);
	struct north *n = t->a.srv->north;
	int fd = north_socket(n, to->u.sa.sa_family, SOCK_STREAM), err;

	if (fd < 0)
		return fd;
	set_options(t, fd);
	err = n->local.len ? north_socket_bind(fd, n, to->u.sa.sa_family, 0) : 0;
	if (!err && connect(fd, &to->u.sa, to->len) && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	t->a.fd = fd;
	tcp_watch(t, EPOLLOUT);
	return 0;
}

static bool is_short_of_something(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS;
}

/* All addresses together may take as long as one handshake. */
static uint64_t connect_ms(const struct north_server *s)
{
	const uint64_t each = s->conf->handshake_timeout_s * 1000 / addresses(s);

	return each > 1000 ? each : 1000;
}

static void refused(struct tcp_assoc *t, int err)
{
	struct tcp_end end = { .result = err == ETIMEDOUT ? TCP_TIMEOUT : TCP_REFUSED };
	char to[ADDR_TEXT_MAX];

	addr_format(address_of(t), to, sizeof to);
	snprintf(end.why, sizeof end.why, "%s: %s", to, strerror(err));
	tcp_attempt_failed(t, &end);
}

int tcp_start(struct tcp_assoc *t)
{
	int err = open_socket(t);

	if (is_short_of_something(err))
		return err == -ENFILE ? -EMFILE : err;
	if (err) {
		refused(t, -err);
		return 0;
	}
	t->phase = TCP_CONNECT;
	t->deadline_ms = clock_now_ms() + connect_ms(t->a.srv);
	tcp_timer(t);
	return 0;
}

static void begin_stream(struct tcp_assoc *t)
{
	const struct tcp_end no_memory = { .result = TCP_LOCAL, .why = "out of memory" };

	t->phase = TCP_CSM;
	tcp_watch(t, EPOLLIN);
	if (stream_start(&t->s))
		tcp_ended(t, &no_memory);
	else
		tcp_flush(t);
}

void tcp_shake(struct tcp_assoc *t)
{
	struct tcp_end end = { 0 };
	int r = tcp_io(t)->shake(t, &end);

	if (r == TCP_WANT_READ || r == TCP_WANT_WRITE)
		tcp_watch(t, r == TCP_WANT_READ ? EPOLLIN : EPOLLOUT);
	else if (r)
		tcp_ended(t, &end);
	else
		begin_stream(t);
}

void tcp_connected(struct tcp_assoc *t)
{
	struct tcp_end end = { 0 };
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(t->a.fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		tcp_disconnect(t, false);
		refused(t, err);
		return;
	}
	t->deadline_ms = clock_now_ms() + t->a.srv->conf->handshake_timeout_s * 1000;
	tcp_timer(t);
	if (!tcp_io(t)->shake) {
		begin_stream(t);
	} else if (tcp_io(t)->begin(t, &end)) {
		tcp_ended(t, &end);
	} else {
		t->phase = TCP_SECURE;
		tcp_shake(t);
	}
}

/* ---- when it came to nothing ---- */

uint32_t tcp_next_pause(struct tcp_assoc *t)
{
	const uint32_t base = t->backoff_ms ? t->backoff_ms : BACKOFF_FIRST_MS;

	t->backoff_ms = base * 2 < BACKOFF_MOST_MS ? base * 2 : BACKOFF_MOST_MS;
	return base + random_below(base / 4);
}

/* One line for a row of the same; security has told its own. */
static void warn(struct tcp_assoc *t, const struct tcp_end *end, uint32_t pause_ms)
{
	const bool same = t->failing == end->result;

	t->failing = (uint8_t)end->result;
	if (end->result == TCP_SECURITY)
		return;
	log_ev(same ? LOG_DEBUG : LOG_WARNING, "north", "connect.failed", LF_STR("dev", t->who),
	       LF_STR("server", t->a.srv->name), LF_STR("result", tcp_result_name(end->result)),
	       LF_STR("reason", end->why), LF_UINT("again_ms", pause_ms));
}

/* Nobody there, as far as can be told from here: the alarm, and another look at its name. One device with a wrong key,
 * or what the server has to say to us, tells nothing of it. */
static bool is_no_answer(enum tcp_result r)
{
	return r == TCP_REFUSED || r == TCP_TIMEOUT || r == TCP_NO_CSM || r == TCP_CLOSED;
}

void tcp_attempt_failed(struct tcp_assoc *t, const struct tcp_end *end)
{
	struct north_server *s = t->a.srv;
	uint32_t pause;

	tcp_count_attempt(s, end->result);
	if (end->result != TCP_SECURITY && t->phase != TCP_LINGER && (unsigned)t->tries + 1 < addresses(s)) {
		t->tries++;
		if (!tcp_start(t))
			return;
	}
	server_slot_free(&t->a);
	pause = end->wait_ms ? end->wait_ms : tcp_next_pause(t);
	warn(t, end, pause);
	t->wanted = true;
	t->hold_ms = clock_now_ms() + pause;
	t->held_off = false;
	if (end->denied)
		assoc_end(&t->a, ASSOC_DENIED);
	if (is_no_answer(end->result))
		server_no_answer(s, clock_now_ms());
	if (t->phase != TCP_LINGER)
		tcp_settle(t);
}
