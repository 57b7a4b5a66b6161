/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - notices that the box has another address towards a server
 *
 * A connected socket keeps the address that the box had when it was connected. When an uplink changes, what is sent
 * from the old address comes nowhere, or nothing comes back, and nobody says so. The kernel tells of each change of
 * addresses and routes; a moment later, because changes come in swarms, each server's way is looked at, and where the
 * address at our end is another one its associations are connected anew.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "north/parts.h"

enum { SETTLE_MS = 500 };

static void check_server(struct north_server *s)
{
	char was[ADDR_TEXT_MAX], is[ADDR_TEXT_MAX];
	struct addr from, to = s->addr;

	if (!to.len || !udp_source(&from, s->north, &to))
		return; /* no way at all: the sockets that are there are as good as any */
	if (!s->from.len || addr_equal(&from, &s->from, false)) {
		s->from = from;
		return;
	}
	addr_format(&s->from, was, sizeof was);
	addr_format(&from, is, sizeof is);
	log_ev(LOG_NOTICE, "north", "route.changed", LF_STR("server", s->name), LF_STR("from", was), LF_STR("to", is));
	server_address_known(s, &to);
}

void routes_check(struct north *n)
{
	for (struct north_server *s = n->servers; s; s = s->next)
		check_server(s);
}

static void on_route_timer(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	routes_check(container_of(t, struct north, route_timer));
}

/* What is said does not matter, nor whether something was missed: all is looked at. */
static void on_route(void *arg, int fd, unsigned what)
{
	struct north *n = arg;
	char buf[8192];

	(void)what;
	while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	if (!timer_is_set(&n->route_timer))
		timer_set(loop_timers(n->env.loop), &n->route_timer, clock_now_ms() + SETTLE_MS, on_route_timer);
}

void routes_open(struct north *n)
{
	const struct sockaddr_nl to = { .nl_family = AF_NETLINK,
					.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
						RTMGRP_IPV6_ROUTE };

	n->route = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (n->route >= 0 && !bind(n->route, (const struct sockaddr *)&to, sizeof to) &&
	    !loop_watch(n->env.loop, &n->route_watch, n->route, LOOP_READ, on_route, n))
		return;
	log_ev(LOG_NOTICE, "north", "route.unwatched", LF_STR("reason", strerror(errno)));
	routes_close(n);
}

void routes_close(struct north *n)
{
	timer_cancel(loop_timers(n->env.loop), &n->route_timer);
	loop_unwatch(n->route_watch);
	n->route_watch = NULL;
	if (n->route >= 0)
		close(n->route);
	n->route = -1;
}
