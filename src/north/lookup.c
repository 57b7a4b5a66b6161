/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - from a server's name to its address
 *
 * A name is looked up through the loop's resolver (which reads the hosts file too) and tried again until it is known.
 * While the server is silent its name is looked up again: it may have moved, or be heard on another of its addresses.
 */
#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "north/parts.h"

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MOST_MS = 60000, SILENT_LOOKUP_MS = 60000 };

/* Lives until the resolver has reported, even when the server is gone by then. */
struct north_lookup {
	struct north *north;
	struct north_server *srv; /* NULL: cancelled */
	struct evdns_getaddrinfo_request *req;
};

static void on_lookup_timer(struct timer *t, uint64_t now_ms);

static void lookup_failed(struct north_server *s, const char *why)
{
	uint32_t backoff = s->backoff_ms ? s->backoff_ms : BACKOFF_FIRST_MS;
	uint32_t wait = backoff + random_below(backoff / 4);

	log_ev(s->lookup_alarm ? LOG_DEBUG : LOG_WARNING, "north", "lookup.failed", LF_STR("server", s->name),
	       LF_STR("host", s->uri.host), LF_STR("error", why), LF_UINT("again_ms", wait));
	if (!s->addr.len) {
		s->lookup_alarm = true;
		alarm_raise(s->north->env.alarms, ALARM_MAJOR, "server.unreachable", s->name,
			    "its name cannot be resolved", "check uri and the name servers");
	}
	timer_set(loop_timers(s->north->env.loop), &s->lookup_timer, clock_now_ms() + wait, on_lookup_timer);
	s->backoff_ms = backoff * 2 < BACKOFF_MOST_MS ? backoff * 2 : BACKOFF_MOST_MS;
}

/* From i to the end of the list, then from its start up to i. */
static const struct evutil_addrinfo *round_next(const struct evutil_addrinfo *list, const struct evutil_addrinfo *i)
{
	return i->ai_next ? i->ai_next : list;
}

static const struct evutil_addrinfo *find_current(const struct north_server *s, const struct evutil_addrinfo *list)
{
	struct addr a;

	for (const struct evutil_addrinfo *i = list; i && s->addr.len; i = i->ai_next) {
		addr_from(&a, i->ai_addr, (socklen_t)i->ai_addrlen);
		if (addr_equal(&a, &s->addr, true))
			return i;
	}
	return NULL;
}

/* The address in use stays as long as it is among the answers and the server is heard on it; else the next that can be
 * used, of a fresh list the first. */
static bool choose_address(struct addr *out, const struct north_server *s, const struct evutil_addrinfo *list)
{
	const struct evutil_addrinfo *current = find_current(s, list);
	const struct evutil_addrinfo *start = !current ? list : s->silent ? round_next(list, current) : current;
	const struct evutil_addrinfo *i = start;

	do {
		struct addr a;

		addr_from(&a, i->ai_addr, (socklen_t)i->ai_addrlen);
		if (a.len && udp_address_usable(s->north, &a)) {
			*out = a;
			return true;
		}
		i = round_next(list, i);
	} while (i != start);
	return false;
}

/* One address of a name that somebody else chose is enough: which one is tried is not ours to foresee. */
static bool leads_inside(const struct north_server *s, const struct evutil_addrinfo *list)
{
	struct addr a;

	for (; s->conf->role == SERVER_PROXY && list; list = list->ai_next) {
		addr_from(&a, list->ai_addr, (socklen_t)list->ai_addrlen);
		if (addr_is_reserved(&a))
			return true;
	}
	return false;
}

/* What a stream tries behind `first`, in the order of the answers. */
static void take_others(struct north_server *s, const struct addr *first, const struct evutil_addrinfo *list)
{
	s->others_n = 0;
	for (const struct evutil_addrinfo *i = list; i && s->others_n < NORTH_OTHERS; i = i->ai_next) {
		struct addr a;

		addr_from(&a, i->ai_addr, (socklen_t)i->ai_addrlen);
		if (a.len && !addr_equal(&a, first, true) && udp_address_usable(s->north, &a))
			s->others[s->others_n++] = a;
	}
}

static void lookup_done(struct north_server *s, const struct evutil_addrinfo *list)
{
	struct addr a;

	if (leads_inside(s, list)) {
		server_forbid(s);
		return;
	}

	if (!list || !choose_address(&a, s, list)) {
		lookup_failed(s, "none of its addresses can be used from here");
		return;
	}
	s->backoff_ms = 0;
	if (s->lookup_alarm && !s->silent)
		alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	s->lookup_alarm = false;
	if (north_server_is_stream(s))
		take_others(s, &a, list);
	if (!addr_equal(&a, &s->addr, true))
		server_address_known(s, &a);
	if (s->silent)
		timer_set(loop_timers(s->north->env.loop), &s->lookup_timer, clock_now_ms() + SILENT_LOOKUP_MS,
			  on_lookup_timer);
}

static void on_lookup(int result, struct evutil_addrinfo *list, void *arg)
{
	struct north_lookup *l = arg;
	struct north_server *s = l->srv;

	l->north->lookups--;
	free(l);
	if (s) {
		s->lookup = NULL;
		if (result)
			lookup_failed(s, evutil_gai_strerror(result));
		else
			lookup_done(s, list);
	}
	if (list)
		evutil_freeaddrinfo(list);
}

/* Reads resolv.conf and hosts, again before each try: the network may have come up since. */
static int dns_prepare(struct north *n)
{
	if (!n->dns) {
		n->dns = evdns_base_new(loop_base(n->env.loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (!n->dns)
			return -ENOMEM;
	} else {
		evdns_base_clear_nameservers_and_suspend(n->dns);
		evdns_base_clear_host_addresses(n->dns);
	}
	/* without a usable file the resolver asks 127.0.0.1, which is what the manual page of resolv.conf says too */
	(void)evdns_base_resolv_conf_parse(n->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, n->resolv_conf);
	(void)evdns_base_load_hosts(n->dns, n->hosts);
	evdns_base_resume(n->dns);
	return 0;
}

void server_lookup_start(struct north_server *s)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
					 .ai_socktype = SOCK_DGRAM,
					 .ai_protocol = IPPROTO_UDP };
	struct evdns_getaddrinfo_request *req;
	struct north_lookup *l;
	char port[8];

	if (s->lookup)
		return;
	l = calloc(1, sizeof *l);
	if (!l || dns_prepare(s->north)) {
		free(l);
		lookup_failed(s, strerror(ENOMEM));
		return;
	}
	if (s->north->local.len)
		hints.ai_family = s->north->local.u.sa.sa_family;
	snprintf(port, sizeof port, "%u", s->uri.port);
	l->north = s->north;
	l->srv = s;
	s->lookup = l;
	s->north->lookups++;
	req = evdns_getaddrinfo(s->north->dns, s->uri.host, port, &hints, on_lookup, l);
	if (req) /* else it is reported already and l is gone */
		l->req = req;
}

static void on_lookup_timer(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	server_lookup_start(container_of(t, struct north_server, lookup_timer));
}

void server_lookup_cancel(struct north_server *s)
{
	timer_cancel(loop_timers(s->north->env.loop), &s->lookup_timer);
	if (!s->lookup)
		return;
	s->lookup->srv = NULL;
	if (s->lookup->req)
		evdns_getaddrinfo_cancel(s->lookup->req); /* which may report, and free the lookup, at once */
	s->lookup = NULL;
}
