/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c - associations over TCP: when there is a connection, and what is sent on it
 *
 * A connection is made when the association is opened, and again when something is to be sent after it was lost. It is
 * not made again for its own sake: a server knows a device on a new connection only by what that sends first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "north/tcp.h"

enum { SLOT_MS = 2000 }; /* a server that takes longer is not busy with the connection */

static struct timers *timers_of(const struct tcp_assoc *t)
{
	return loop_timers(t->a.srv->north->env.loop);
}

static struct tcp_assoc *tcp_of(struct north_assoc *a)
{
	return (struct tcp_assoc *)a;
}

/* ---- time ---- */

static void ping_when_idle(struct tcp_assoc *t, uint64_t now_ms)
{
	const struct server_conf *c = t->a.srv->conf;

	if (!c->keepalive_s || t->ping_ms || now_ms < t->active_ms + c->keepalive_s * 1000)
		return;
	t->ping_ms = now_ms; /* without memory for it, the same as if it were not answered */
	if (!stream_ping(&t->s))
		tcp_dirty(t);
}

static void end_in_time(struct tcp_assoc *t)
{
	struct tcp_end end = { .result = TCP_TIMEOUT, .why = "no answer to the attempt to connect" };

	if (t->phase == TCP_SECURE) {
		end = (struct tcp_end){ 0 };
		tcp_io(t)->late(t, &end);
	}
	if (t->phase == TCP_CSM)
		end = (struct tcp_end){ .result = TCP_NO_CSM, .why = "no CSM in time" };
	if (t->phase == TCP_OPEN)
		end = (struct tcp_end){ .result = TCP_SILENT, .why = "no Pong in time" };
	if (t->phase == TCP_RELEASED)
		end = (struct tcp_end){ .result = TCP_RELEASE,
					.why = "released; an exchange was not finished in time" };
	tcp_ended(t, &end);
}

static void on_deadline(struct tcp_assoc *t)
{
	switch (t->phase) {
	case TCP_IDLE:
		break;
	case TCP_WAIT:
		t->phase = TCP_IDLE;
		assoc_want(&t->a);
		break;
	case TCP_LINGER:
		tcp_linger_over(t);
		break;
	default:
		end_in_time(t);
	}
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct tcp_assoc *t = container_of(timer, struct tcp_assoc, timer);
	struct north *n = t->a.srv->north;

	server_slot_free(&t->a);
	n->current = &t->a;
	if (now_ms >= t->deadline_ms)
		on_deadline(t);
	else if (t->phase == TCP_OPEN)
		ping_when_idle(t, now_ms);
	if (n->current == &t->a)
		tcp_timer(t);
	n->current = NULL;
}

/* When to look again: it may be too early, and then the timer is set once more, so that traffic does not move it. */
void tcp_timer(struct tcp_assoc *t)
{
	const struct server_conf *c = t->a.srv->conf;
	uint64_t at = UINT64_MAX;

	if (t->phase == TCP_OPEN) {
		t->deadline_ms = t->ping_ms ? t->ping_ms + c->handshake_timeout_s * 1000 : UINT64_MAX;
		if (c->keepalive_s && !t->ping_ms)
			at = t->active_ms + c->keepalive_s * 1000;
	}
	if (t->phase == TCP_IDLE)
		t->deadline_ms = UINT64_MAX;
	if (t->a.slot)
		at = clock_now_ms() + SLOT_MS;
	if (t->deadline_ms < at)
		at = t->deadline_ms;
	if (at == UINT64_MAX)
		timer_cancel(timers_of(t), &t->timer);
	else if (!timer_is_set(&t->timer) || at != t->timer.at_ms)
		timer_set(timers_of(t), &t->timer, at, on_timer);
}

/* ---- when there is a connection ---- */

void tcp_settle(struct tcp_assoc *t)
{
	const uint64_t now = clock_now_ms();

	t->phase = TCP_IDLE;
	if (t->wanted && now < t->hold_ms) {
		t->phase = TCP_WAIT;
		t->deadline_ms = t->hold_ms;
		if (t->a.state == ASSOC_LOST)
			t->a.state = ASSOC_BUSY;
	}
	tcp_timer(t);
	if (t->wanted && t->phase == TCP_IDLE)
		assoc_want(&t->a);
}

int tcp_open(struct north_assoc *a, const char *who, uint16_t port)
{
	struct tcp_assoc *t = tcp_of(a);

	(void)port; /* of datagrams: the kernel chooses one for each connection */
	t->who = strdup(who);
	if (!t->who)
		return -ENOMEM;
	stream_init(&t->s);
	t->wanted = true;
	return 0;
}

int tcp_connect(struct north_assoc *a)
{
	struct tcp_assoc *t = tcp_of(a);
	int err;

	if (t->phase ==
	    TCP_OPEN) { /* the server's address is another one by now: this connection is as good as it is */
		server_slot_free(a);
		return a->state == ASSOC_UP;
	}
	if (!t->wanted || t->phase == TCP_RELEASED || t->phase == TCP_LINGER) {
		server_slot_free(a);
		return 0;
	}
	if (a->fd >= 0)
		tcp_disconnect(t, false);
	a->state = ASSOC_BUSY;
	t->tries = 0;
	err = tcp_start(t);
	if (err)
		a->state = ASSOC_WAITING;
	return err;
}

/* What a back-off waits for may be another by now; a Hold-Off is the server's wish. */
void tcp_renew(struct north_assoc *a)
{
	struct tcp_assoc *t = tcp_of(a);

	if (t->phase != TCP_WAIT || t->held_off)
		return;
	t->hold_ms = 0;
	tcp_settle(t);
}

void tcp_close(struct north_assoc *a)
{
	struct tcp_assoc *t = tcp_of(a);

	if (a->fd >= 0)
		tcp_disconnect(t, true);
	timer_cancel(timers_of(t), &t->timer);
	free(t->who);
}

/* ---- sending ---- */

/* An answer belongs to the connection that its request came on; nothing but a message of our own is worth another one.
 */
static bool is_worth_connecting(const uint8_t *data, size_t len)
{
	const unsigned type = len ? data[0] >> 4 & 3 : COAP_RST;

	return type == COAP_CON || type == COAP_NON;
}

static int send_now(struct tcp_assoc *t, const uint8_t *data, size_t len)
{
	int err = stream_send(&t->s, data, len);

	if (!err || err == -EPIPE)
		tcp_dirty(t);
	if (err == -ENOTCONN && t->phase == TCP_RELEASED)
		t->wanted = true;
	return err == -EPIPE ? -ENOTCONN : err == -ENOMEM ? -EAGAIN : err;
}

int tcp_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	struct tcp_assoc *t = tcp_of(a);

	if (t->phase == TCP_OPEN || t->phase == TCP_RELEASED)
		return send_now(t, data, len);
	if (a->state == ASSOC_DENIED)
		return -EACCES;
	if (is_worth_connecting(data, len) && !t->wanted) {
		t->wanted = true;
		if (t->phase == TCP_IDLE)
			tcp_settle(t);
	}
	return -ENOTCONN;
}

size_t tcp_message_max(const struct north_assoc *a)
{
	const struct tcp_assoc *t = (const struct tcp_assoc *)a;

	return t->s.ready ? stream_message_max(&t->s) : STREAM_MESSAGE_MAX;
}

bool tcp_blockwise(const struct north_assoc *a)
{
	const struct tcp_assoc *t = (const struct tcp_assoc *)a;

	return !t->s.ready || t->s.blockwise;
}

/* ---- events ---- */

void tcp_ready(struct north_assoc *a, uint32_t events)
{
	struct tcp_assoc *t = tcp_of(a);

	switch (t->phase) {
	case TCP_CONNECT:
		tcp_connected(t);
		break;
	case TCP_SECURE:
		tcp_shake(t);
		break;
	case TCP_CSM:
	case TCP_OPEN:
	case TCP_RELEASED:
	case TCP_LINGER:
		if (events & EPOLLOUT)
			tcp_dirty(t);
		if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
			tcp_input(t);
		break;
	default:
		break;
	}
}
