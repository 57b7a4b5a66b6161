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

/* ---- sockets ---- */

/* Our end: the configured address or any of the family, with a port. */
static void local_end(struct addr *out, const struct north *n, int family, uint16_t port)
{
	if (n->local.len) {
		*out = n->local;
	} else {
		memset(out, 0, sizeof *out);
		out->u.sa.sa_family = (sa_family_t)family;
		out->len = family == AF_INET6 ? sizeof out->u.in6 : sizeof out->u.in;
	}
	addr_set_port(out, port);
}

static int socket_new(const struct north *n, int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	int on = 1, err;

	if (fd < 0)
		return errno == ENFILE ? -EMFILE : -errno;
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (*n->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, n->interface, (socklen_t)strlen(n->interface) + 1)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int bind_port(int fd, const struct north *n, int family, uint16_t port)
{
	struct addr local;

	local_end(&local, n, family, port);
	return bind(fd, &local.u.sa, local.len) ? -errno : 0;
}

bool udp_address_usable(const struct north *n, const struct addr *to)
{
	int family = to->u.sa.sa_family, fd;
	bool usable;

	if (n->local.len && n->local.u.sa.sa_family != family)
		return false;
	fd = socket_new(n, family);
	if (fd < 0)
		return fd == -EMFILE; /* says nothing of the address */
	usable = !bind_port(fd, n, family, 0) && !connect(fd, &to->u.sa, to->len);
	close(fd);
	return usable;
}

static void ports_exhausted(struct north *n)
{
	if (n->ports_alarm)
		return;
	n->ports_alarm = true;
	alarm_raise(n->env.alarms, ALARM_MAJOR, "north.ports", "north", "every port of north.ports is taken",
		    "widen north.ports or spread the devices over more gateways");
}

/* A free port, searched from `from` on and bound to fd (-1: only noted as taken). 0 or a negative errno. */
static int choose_port(struct north *n, uint16_t *out, uint16_t from, int fd, int family)
{
	unsigned tries = n->ports.free;
	uint16_t port = from;

	while (tries-- && (port = ports_next_free(&n->ports, port))) {
		int err = fd < 0 ? 0 : bind_port(fd, n, family, port);

		if (!err) {
			ports_take(&n->ports, port);
			*out = port;
			return 0;
		}
		if (err != -EADDRINUSE)
			return err;
		port = port < n->ports.last ? (uint16_t)(port + 1) : n->ports.first; /* somebody else has it */
	}
	ports_exhausted(n);
	return -EADDRNOTAVAIL;
}

static void give_back_port(struct north *n, uint16_t port)
{
	ports_release(&n->ports, port);
	if (n->ports_alarm && n->ports.free) {
		n->ports_alarm = false;
		alarm_clear(n->env.alarms, "north.ports", "north");
	}
}

/* The socket of an association that has its port already. When somebody took that port meanwhile, another one. */
static int open_on_port(struct north_assoc *a)
{
	struct north *n = a->srv->north;
	int family = a->srv->addr.u.sa.sa_family;
	int fd = socket_new(n, family), err;
	uint16_t port = a->port;

	if (fd < 0)
		return fd;
	err = bind_port(fd, n, family, port);
	if (err == -EADDRINUSE) {
		err = choose_port(n, &port, a->port, fd, family);
		if (!err) {
			log_ev(LOG_WARNING, "north", "port.moved", LF_STR("server", a->srv->name),
			       LF_UINT("from", a->port), LF_UINT("to", port));
			give_back_port(n, a->port);
		}
	}
	if (err) {
		close(fd);
		return err;
	}
	a->fd = fd;
	a->port = port;
	return 0;
}

static void forget_current_address(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &none, sizeof none); /* the bound port stays */
}

int udp_assoc_connect(struct north_assoc *a)
{
	const struct addr *to = &a->srv->addr;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = a };
	bool fresh = a->fd < 0;
	int err = 0;

	if (fresh)
		err = open_on_port(a);
	else
		forget_current_address(a->fd);
	if (err)
		return err;
	if (connect(a->fd, &to->u.sa, to->len) ||
	    (fresh && epoll_ctl(a->srv->north->poll, EPOLL_CTL_ADD, a->fd, &ev))) {
		err = -errno;
		if (fresh) {
			close(a->fd);
			a->fd = -1;
		}
	}
	return err;
}

/* ---- associations ---- */

/* Takes the port and, when the address is known, opens the socket on it. */
static int claim(struct north_assoc *a, const char *who, uint16_t port)
{
	struct north_server *s = a->srv;
	struct north *n = s->north;
	int family = s->addr.u.sa.sa_family, fd = -1, err = 0;

	if (port && ports_is_taken(&n->ports, port))
		return -EADDRINUSE;
	if (s->addr.len)
		fd = socket_new(n, family);
	if (fd < 0 && s->addr.len)
		return fd;
	a->port = port;
	if (!port)
		err = choose_port(n, &a->port, ports_first_choice(&n->ports, n->env.key, who, s->name), fd, family);
	else if (fd >= 0)
		err = bind_port(fd, n, family, port);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (port)
		ports_take(&n->ports, port);
	a->fd = fd;
	return 0;
}

/* Connects a socket that claim() bound and puts it into the poll set. */
static int attach(struct north_assoc *a)
{
	const struct addr *to = &a->srv->addr;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = a };

	if (connect(a->fd, &to->u.sa, to->len) || epoll_ctl(a->srv->north->poll, EPOLL_CTL_ADD, a->fd, &ev))
		return -errno;
	return 0;
}

int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg)
{
	struct north_assoc *a = calloc(1, sizeof *a);
	int err;

	if (!a)
		return -ENOMEM;
	a->srv = srv;
	a->arg = arg;
	err = claim(a, who, port);
	if (err) {
		free(a);
		return err;
	}
	if (a->fd >= 0) {
		a->up = !attach(a);
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
	give_back_port(s->north, a->port);
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
