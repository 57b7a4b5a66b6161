/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c - the socket of an association: its port, its way to the server
 *
 * A port is taken in our own table first and then bound, so that it stands for one association even while the server's
 * name is not known and there is no socket yet. A port that somebody else on the machine has is passed over.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "north/parts.h"

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

int north_socket(const struct north *n, int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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

int north_socket_bind(int fd, const struct north *n, int family, uint16_t port)
{
	struct addr local;

	local_end(&local, n, family, port);
	return bind(fd, &local.u.sa, local.len) ? -errno : 0;
}

bool udp_source(struct addr *out, const struct north *n, const struct addr *to)
{
	int family = to->u.sa.sa_family, fd = north_socket(n, family, SOCK_DGRAM);
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	bool usable = fd >= 0 && !north_socket_bind(fd, n, family, 0) && !connect(fd, &to->u.sa, to->len) &&
		!getsockname(fd, (struct sockaddr *)&ss, &len);

	if (usable) {
		addr_from(out, (struct sockaddr *)&ss, len);
		addr_set_port(out, 0);
	}
	if (fd >= 0)
		close(fd);
	return usable;
}

bool udp_address_usable(const struct north *n, const struct addr *to)
{
	int family = to->u.sa.sa_family, fd;
	bool usable;

	if (n->local.len && n->local.u.sa.sa_family != family)
		return false;
	fd = north_socket(n, family, SOCK_DGRAM);
	if (fd < 0)
		return fd == -EMFILE; /* says nothing of the address */
	usable = !north_socket_bind(fd, n, family, 0) && !connect(fd, &to->u.sa, to->len);
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
		int err = fd < 0 ? 0 : north_socket_bind(fd, n, family, port);

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

static void release_port(struct north *n, uint16_t port)
{
	ports_release(&n->ports, port);
	if (n->ports_alarm && n->ports.free) {
		n->ports_alarm = false;
		alarm_clear(n->env.alarms, "north.ports", "north");
	}
}

void udp_assoc_release(struct north_assoc *a)
{
	if (a->fd >= 0)
		close(a->fd); /* leaves the poll set by that */
	a->fd = -1;
	release_port(a->srv->north, a->port);
}

/* The socket of an association that has its port already. When somebody took that port meanwhile, another one. */
static int open_on_port(struct north_assoc *a)
{
	struct north *n = a->srv->north;
	int family = a->srv->addr.u.sa.sa_family;
	int fd = north_socket(n, family, SOCK_DGRAM), err;
	uint16_t port = a->port;

	if (fd < 0)
		return fd;
	err = north_socket_bind(fd, n, family, port);
	if (err == -EADDRINUSE) {
		err = choose_port(n, &port, a->port, fd, family);
		if (!err) {
			log_ev(LOG_WARNING, "north", "port.moved", LF_STR("server", a->srv->name),
			       LF_UINT("from", a->port), LF_UINT("to", port));
			release_port(n, a->port);
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

int udp_assoc_claim(struct north_assoc *a, const char *who, uint16_t port)
{
	struct north_server *s = a->srv;
	struct north *n = s->north;
	int family = s->addr.u.sa.sa_family, fd = -1, err = 0;

	if (port && ports_is_taken(&n->ports, port))
		return -EADDRINUSE;
	if (s->addr.len)
		fd = north_socket(n, family, SOCK_DGRAM);
	if (fd < 0 && s->addr.len)
		return fd;
	a->port = port;
	if (!port)
		err = choose_port(n, &a->port, ports_first_choice(&n->ports, n->env.key, who, s->name), fd, family);
	else if (fd >= 0)
		err = north_socket_bind(fd, n, family, port);
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

int udp_assoc_attach(struct north_assoc *a)
{
	const struct addr *to = &a->srv->addr;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = a };

	if (connect(a->fd, &to->u.sa, to->len) || epoll_ctl(a->srv->north->poll, EPOLL_CTL_ADD, a->fd, &ev))
		return -errno;
	return 0;
}
