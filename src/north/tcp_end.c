/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_end.c - the end of a connection, and what is still owed to both sides then
 *
 * A close with octets of the server unread makes the kernel send a reset, which may take our Abort with it. So our side
 * is shut first and what comes is read for a moment.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "north/tcp.h"

enum { LINGER_MS = 1000 };

void tcp_watch(struct tcp_assoc *t, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = &t->a };
	int op = !t->watched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (events == t->watched)
		return;
	if (!epoll_ctl(t->a.srv->north->poll, events ? op : EPOLL_CTL_DEL, t->a.fd, &ev))
		t->watched = events; /* out of memory: the deadline of the phase ends it */
}

static void forget_dirty(struct tcp_assoc *t)
{
	if (t->dirty.next)
		assoc_list_remove(&t->dirty);
	t->dirty.next = NULL;
}

/* What has been said already goes out if it can. */
static void last_words(struct tcp_assoc *t)
{
	struct tcp_end ignored = { 0 };
	const uint8_t *data;
	size_t len = stream_output(&t->s, &data);

	if (len)
		(void)tcp_io(t)->write(t, data, len, &ignored);
}

void tcp_disconnect(struct tcp_assoc *t, bool polite)
{
	if (polite && (t->phase == TCP_OPEN || t->phase == TCP_RELEASED))
		last_words(t);
	tcp_io(t)->drop(t, polite);
	close(t->a.fd); /* leaves the poll set by that */
	t->a.fd = -1;
	t->watched = 0;
	t->ping_ms = 0;
	t->mute = false;
	stream_stop(&t->s);
	forget_dirty(t);
	t->phase = TCP_IDLE;
}

void tcp_linger_over(struct tcp_assoc *t)
{
	tcp_disconnect(t, false);
	tcp_settle(t);
}

static void linger(struct tcp_assoc *t)
{
	last_words(t);
	tcp_io(t)->drop(t, true);
	stream_stop(&t->s);
	forget_dirty(t);
	if (shutdown(t->a.fd, SHUT_WR)) {
		tcp_disconnect(t, false);
		return;
	}
	t->phase = TCP_LINGER;
	t->ping_ms = 0;
	t->deadline_ms = clock_now_ms() + LINGER_MS;
	tcp_watch(t, EPOLLIN);
	tcp_timer(t);
}

static void lost(struct tcp_assoc *t, const struct tcp_end *end)
{
	tcp_count_end(t->a.srv, end->result);
	log_ev(end->result == TCP_RELEASE || end->result == TCP_CLOSED ? LOG_INFO : LOG_WARNING, "north",
	       "connection.lost", LF_STR("dev", t->who), LF_STR("server", t->a.srv->name),
	       LF_STR("result", tcp_result_name(end->result)), LF_STR("reason", end->why));
	if (!t->proven) { /* it took the connection and nothing else: not again at once */
		t->hold_ms = clock_now_ms() + tcp_next_pause(t);
		t->held_off = false;
	}
	assoc_end(&t->a, ASSOC_LOST);
	if (t->phase != TCP_LINGER)
		tcp_settle(t);
}

void tcp_ended(struct tcp_assoc *t, const struct tcp_end *end)
{
	const bool was_open = t->phase == TCP_OPEN || t->phase == TCP_RELEASED;

	if (t->phase == TCP_LINGER) {
		tcp_linger_over(t);
		return;
	}
	if (was_open && !tcp_tell_acked(t)) /* what the server has is told before the loss of the rest is */
		return;
	if (end->abort)
		linger(t);
	else
		tcp_disconnect(t, end->result == TCP_RELEASE);
	if (was_open)
		lost(t, end);
	else
		tcp_attempt_failed(t, end);
}
