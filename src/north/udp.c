/* SPDX-License-Identifier: Apache-2.0 */
/* udp.c - associations over UDP: one connected socket each
 *
 * A connected socket gets only what its server sent, and learns of ICMP errors. Each socket gives one datagram per
 * turn, so a flood to one port takes no more of the loop than one of its neighbours does. Callbacks may close any
 * association, also the one they are called for: it is then taken out of the batch that is being worked off.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "north/parts.h"

enum { ROUNDS = 8, REFUSED_EVERY_MS = 1000, LOG_EVERY_MS = 10000 };

/* ---- associations ---- */

int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg)
{
	struct north_assoc *a = calloc(1, sizeof *a);
	int err;

	if (!a)
		return -ENOMEM;
	a->srv = srv;
	a->arg = arg;
	err = udp_assoc_claim(a, who, port);
	if (err) {
		free(a);
		return err;
	}
	if (a->fd >= 0) {
		a->up = !udp_assoc_attach(a);
		if (!a->up) { /* no route at the moment: tried again like one whose address is not known */
			close(a->fd);
			a->fd = -1;
		}
	}
	assoc_list_add(a->up ? &srv->open : &srv->waiting, &a->node);
	srv->associations++;
	if (!a->up && srv->addr.len)
		server_connect_waiting(srv);
	*out = a;
	return 0;
}

static void forget_in_batch(struct north *n, const struct north_assoc *a)
{
	unsigned kept = 0;

	if (n->current == a)
		n->current = NULL;
	for (int i = n->batch_at; i < n->batch_n; i++)
		if (n->batch[i].data.ptr == a)
			n->batch[i].data.ptr = NULL;
	for (unsigned i = 0; i < n->refused_n; i++)
		if (n->refused[i] != a)
			n->refused[kept++] = n->refused[i];
	n->refused_n = kept;
}

void north_assoc_close(struct north_assoc *a)
{
	struct north_server *s;

	if (!a)
		return;
	s = a->srv;
	forget_in_batch(s->north, a);
	assoc_list_remove(&a->node);
	s->associations--;
	if (a->fd >= 0)
		close(a->fd); /* leaves the poll set by that */
	udp_port_release(s->north, a->port);
	free(a);
}

bool north_assoc_is_up(const struct north_assoc *a)
{
	return a->up;
}

uint16_t north_assoc_port(const struct north_assoc *a)
{
	return a->port;
}

struct north_server *north_assoc_server(const struct north_assoc *a)
{
	return a->srv;
}

/* ---- refusals ---- */

static void report_refused(struct north_assoc *a)
{
	uint32_t now = (uint32_t)clock_now_ms() | 1; /* never the 0 of a fresh association */

	++*a->srv->refused;
	if (a->refused_ms && now - a->refused_ms < REFUSED_EVERY_MS)
		return;
	a->refused_ms = now;
	a->srv->north->env.events->event(a->arg, NORTH_REFUSED);
}

/* Found by send(): the caller is in the middle of something, so it is told from the loop. It is a hint and may be lost.
 */
static void note_refused(struct north *n, struct north_assoc *a)
{
	for (unsigned i = 0; i < n->refused_n; i++)
		if (n->refused[i] == a)
			return;
	if (n->refused_n < NORTH_REFUSED_MAX)
		n->refused[n->refused_n++] = a;
}

void udp_deliver_refused(void *arg)
{
	struct north *n = arg;

	while (n->refused_n)
		report_refused(n->refused[--n->refused_n]);
}

/* ---- data ---- */

int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	struct north *n = a->srv->north;
	uint64_t held;

	if (!a->up)
		return -ENOTCONN;
	for (int i = 0; i < 2; i++) {
		if (send(a->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != ECONNREFUSED)
			break;
		note_refused(n, a); /* of an earlier datagram: the kernel reports it and drops this one, so once more */
	}
	if (errno == EMSGSIZE)
		return -EMSGSIZE;
	++*a->srv->send_failed;
	if (errno != EAGAIN && errno != ENOBUFS && log_limit(&n->send_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		log_ev(LOG_WARNING, "north", "send.failed", LF_STR("server", a->srv->name),
		       LF_STR("error", strerror(errno)), LF_UINT("held", held));
	return -EAGAIN; /* a missing route, too, is for the message layer to wait out */
}

static void count_foreign(struct north_assoc *a, const struct addr *from)
{
	struct north *n = a->srv->north;
	char text[ADDR_TEXT_MAX];
	uint64_t held;

	++*a->srv->foreign;
	if (!log_limit(&n->foreign_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		return;
	addr_format(from, text, sizeof text);
	log_ev(LOG_WARNING, "north", "foreign", LF_STR("server", a->srv->name), LF_STR("from", text),
	       LF_UINT("held", held));
}

/* One datagram, or what ICMP had to say. */
static void read_one(struct north *n, struct north_assoc *a)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof ss;
	ssize_t len = recvfrom(a->fd, n->buf, sizeof n->buf, MSG_DONTWAIT, (struct sockaddr *)&ss, &ss_len);
	struct addr from;

	if (len < 0) {
		if (errno == ECONNREFUSED)
			report_refused(a);
		return;
	}
	/* between bind and connect the kernel takes datagrams from anywhere */
	addr_from(&from, (struct sockaddr *)&ss, ss_len);
	if (!addr_equal(&from, &a->srv->addr, true)) {
		count_foreign(a, &from);
		return;
	}
	n->current = a;
	north_server_heard(a->srv);
	if (n->current == a && len > 0)
		n->env.events->recv(a->arg, n->buf, (size_t)len);
	n->current = NULL;
}

void udp_poll_ready(void *arg, int fd, unsigned what)
{
	struct north *n = arg;
	int ready;

	(void)what;
	for (int round = 0; round < ROUNDS; round++) {
		ready = n->batch_n = epoll_wait(fd, n->batch, NORTH_BATCH, 0);
		for (n->batch_at = 0; n->batch_at < n->batch_n; n->batch_at++)
			if (n->batch[n->batch_at].data.ptr)
				read_one(n, n->batch[n->batch_at].data.ptr);
		n->batch_at = n->batch_n = 0;
		if (ready < NORTH_BATCH)
			break; /* what comes in meanwhile wakes the loop again */
	}
}
