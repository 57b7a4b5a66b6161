/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_flow.c - octets in and out of a connection
 *
 * A connection reads one buffer in a turn, so that a busy one does not keep its neighbours waiting, and it reads none
 * while its peer does not take what it asked for. What a pass of the loop has to send is written at the end of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "north/tcp.h"

enum {
	READ_MOST = 16384,   /* a record of TLS */
	HOLD_MOST_S = 86400, /* a server may ask for half a year, and nobody here would know why */
};

/* ---- what is due at the end of the pass ---- */

static void on_flush_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	tcp_flush_dirty(container_of(timer, struct north, flush_timer));
}

/* The timer is for what is sent after the flush of this pass: the loop must not sleep on it. */
void tcp_dirty(struct tcp_assoc *t)
{
	struct north *n = t->a.srv->north;

	if (t->dirty.next)
		return;
	assoc_list_add(&n->dirty, &t->dirty);
	if (!timer_is_set(&n->flush_timer))
		timer_set(loop_timers(n->env.loop), &n->flush_timer, clock_now_ms(), on_flush_timer);
}

void tcp_flush_dirty(struct north *n)
{
	struct assoc_list now;

	timer_cancel(loop_timers(n->env.loop), &n->flush_timer);
	assoc_list_init(&now);
	assoc_list_move_all(&now, &n->dirty); /* what becomes dirty by this is for the next turn */
	while (!assoc_list_empty(&now)) {
		struct tcp_assoc *t = container_of(now.next, struct tcp_assoc, dirty);

		assoc_list_remove(&t->dirty);
		t->dirty.next = NULL;
		n->current = &t->a;
		tcp_flush(t);
		n->current = NULL;
	}
}

/* ---- out ---- */

/* 0: as much as goes; TCP_ENDED. A socket that takes nothing more may still have something from the server: an alert,
 * its Abort, answers. */
static int write_out(struct tcp_assoc *t, struct tcp_end *end)
{
	const uint8_t *data;
	size_t len;

	while (!t->mute && (len = stream_output(&t->s, &data)) > 0) {
		ssize_t n = tcp_io(t)->write(t, data, len, end);

		if (n == TCP_ENDED && end->result == TCP_CLOSED)
			t->mute = true;
		else if (n == TCP_ENDED)
			return TCP_ENDED;
		if (n <= 0)
			break;
		stream_written(&t->s, (size_t)n);
		t->active_ms = clock_now_ms();
	}
	return 0;
}

static void watch_flow(struct tcp_assoc *t)
{
	const size_t waiting = stream_waiting(&t->s);

	if (t->mute)
		tcp_watch(t, EPOLLIN);
	else
		tcp_watch(t, (waiting <= STREAM_ENOUGH ? EPOLLIN : 0u) | (waiting ? EPOLLOUT : 0u));
}

/* The time a Ping has been open for begins when it is first seen to be. */
static void time_ping(struct tcp_assoc *t)
{
	if (t->s.ping_open == (t->ping_ms != 0))
		return;
	t->ping_ms = t->s.ping_open ? clock_now_ms() : 0;
	if (t->phase == TCP_OPEN)
		tcp_timer(t);
}

bool tcp_tell_acked(struct tcp_assoc *t)
{
	struct north *n = t->a.srv->north;
	struct coap_empty ack;

	while (n->current == &t->a && stream_acked(&t->s, &ack))
		t->a.events->recv(t->a.arg, ack.octets, sizeof ack.octets);
	return n->current == &t->a;
}

void tcp_flush(struct tcp_assoc *t)
{
	const bool open = t->phase == TCP_OPEN || t->phase == TCP_RELEASED;
	struct tcp_end end = { 0 };

	if (!open && t->phase != TCP_CSM)
		return;
	if (t->s.over) {
		end = (struct tcp_end){ .result = TCP_SILENT, .why = "the server reads nothing" };
		tcp_ended(t, &end);
		return;
	}
	if (write_out(t, &end)) {
		tcp_ended(t, &end);
		return;
	}
	watch_flow(t);
	time_ping(t);
	if (!open || !tcp_tell_acked(t))
		return;
	if (t->phase == TCP_RELEASED && stream_is_quiet(&t->s)) {
		end = (struct tcp_end){ .result = TCP_RELEASE, .why = "released by the server" };
		tcp_ended(t, &end);
	}
}

/* ---- in ---- */

/* The CSM of the server: the connection is made. */
static void opened(struct tcp_assoc *t)
{
	struct north_server *s = t->a.srv;

	t->phase = TCP_OPEN;
	t->wanted = false;
	t->failing = TCP_OK;
	t->proven = false;
	s->stream_at = (s->stream_at + t->tries) % (1 + s->others_n);
	t->tries = 0;
	tcp_count_attempt(s, TCP_OK);
	server_slot_free(&t->a);
	tcp_timer(t);
	tcp_io(t)->good(t);
	log_ev(LOG_DEBUG, "north", "connected", LF_STR("dev", t->who), LF_STR("server", s->name),
	       LF_UINT("message_max", stream_message_max(&t->s)), LF_BOOL("blockwise", t->s.blockwise));
	north_server_heard(s);
	if (s->north->current == &t->a)
		assoc_up(&t->a);
}

static void released(struct tcp_assoc *t, const struct stream_item *item)
{
	const struct server_conf *c = t->a.srv->conf;
	const uint64_t now = clock_now_ms();

	log_ev(LOG_INFO, "north", "released", LF_STR("dev", t->who), LF_STR("server", t->a.srv->name),
	       LF_UINT("hold_off_s", item->hold_off_s),
	       LF_STR("alternative_ignored", *item->alternative ? item->alternative : NULL),
	       LF_BYTES("text", item->message, item->len < 200 ? item->len : 200));
	t->phase = TCP_RELEASED;
	assoc_busy(&t->a);
	t->hold_ms = now + (item->hold_off_s < HOLD_MOST_S ? item->hold_off_s : HOLD_MOST_S) * 1000ull;
	t->held_off = true;
	t->proven = true;
	t->deadline_ms = now + (c->answer_within_s > c->patience_s ? c->answer_within_s : c->patience_s) * 1000;
	tcp_timer(t);
}

static void over(struct tcp_assoc *t, const struct stream_item *item)
{
	struct tcp_end end = { .result = item->aborted ? TCP_ABORTED
				       : item->no_csm  ? TCP_NO_CSM
						       : TCP_PROTOCOL,
			       .abort = !item->aborted };

	snprintf(end.why, sizeof end.why, "%s", item->why);
	if (item->aborted && item->len)
		snprintf(end.why, sizeof end.why, "%s: %.*s", item->why, (int)(item->len < 120 ? item->len : 120),
			 (const char *)item->message);
	tcp_ended(t, &end);
}

static void proven(struct tcp_assoc *t)
{
	t->proven = true;
	t->backoff_ms = 0;
}

/* One thing the stream has to say; false when there is no more, or the association is gone. */
static bool take(struct tcp_assoc *t, struct reader *in)
{
	struct north *n = t->a.srv->north;
	struct stream_item *item = n->item;

	switch (stream_read(&t->s, in, item)) {
	case STREAM_MORE:
		return false;
	case STREAM_READY:
		opened(t);
		break;
	case STREAM_MESSAGE:
		proven(t);
		t->a.events->recv(t->a.arg, item->message, item->len);
		break;
	case STREAM_PONG:
		proven(t);
		time_ping(t);
		break;
	case STREAM_RELEASED:
		released(t, item);
		break;
	case STREAM_OVER:
		over(t, item);
		return false;
	}
	return n->current == &t->a;
}

void tcp_input(struct tcp_assoc *t)
{
	struct north *n = t->a.srv->north;
	struct tcp_end end = { 0 };
	ssize_t len = tcp_io(t)->read(t, n->buf, READ_MOST, &end);
	struct reader in;

	if (len == TCP_WANT_READ || len == TCP_WANT_WRITE)
		return;
	if (len == TCP_ENDED) {
		tcp_ended(t, &end);
		return;
	}
	if (t->phase == TCP_LINGER)
		return;
	t->active_ms = clock_now_ms();
	if (t->s.ready)
		north_server_heard(t->a.srv);
	in = reader_of(n->buf, (size_t)len);
	while (n->current == &t->a && take(t, &in))
		;
	if (n->current == &t->a && t->a.fd >= 0 && t->phase != TCP_LINGER)
		tcp_dirty(t);
}
