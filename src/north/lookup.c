/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - from a server's name to its address
 *
 * A name is looked up through the loop's resolver (which reads the hosts file too) and tried again until it is known.
 * While the server is silent its name is looked up again: it may have moved, or be heard on another of its addresses.
 * Those are tried in turn, from the last list that came, so that a name server that is away does not matter.
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

/* The addresses that can be used from here, in the order in which they came; the list is the same when there are none.
 */
static bool take_list(struct north_server *s, const struct evutil_addrinfo *list)
{
	struct addr usable[NORTH_ADDRS];
	unsigned n = 0;

	for (; list && n < NORTH_ADDRS; list = list->ai_next) {
		addr_from(&usable[n], list->ai_addr, (socklen_t)list->ai_addrlen);
		n += usable[n].len && udp_address_usable(s->north, &usable[n]);
	}
	if (n) {
		memcpy(s->addrs, usable, n * sizeof *usable);
		s->addrs_n = n;
	}
	return n;
}

/* Its place in the list; addrs_n when it is not there. */
static unsigned find_current(const struct north_server *s)
{
	unsigned i = 0;

	while (i < s->addrs_n && !addr_equal(&s->addrs[i], &s->addr, true))
		i++;
	return i;
}

/* What a stream tries behind the address in use, which is in the list. */
static void take_others(struct north_server *s)
{
	s->others_n = 0;
	for (unsigned i = 0; i < s->addrs_n && s->others_n < NORTH_ADDRS - 1; i++)
		if (!addr_equal(&s->addrs[i], &s->addr, true))
			s->others[s->others_n++] = s->addrs[i];
}

/* The address in use stays as long as it is in the list and answers; else the next one, of a list without it the first.
 */
static void choose_address(struct north_server *s)
{
	unsigned at = find_current(s);
	struct addr a;

	if (!s->addrs_n)
		return;
	if (at == s->addrs_n)
		at = 0;
	else if (s->stale)
		at = (at + 1) % s->addrs_n;
	s->stale = false;
	a = s->addrs[at];
	if (!addr_equal(&a, &s->addr, true))
		server_address_known(s, &a);
	take_others(s);
}

void server_address_next(struct north_server *s)
{
	s->stale = true;
	choose_address(s);
}

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
	if (s->stale) /* then one of those that are known from before */
		choose_address(s);
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

static void lookup_done(struct north_server *s, const struct evutil_addrinfo *list)
{
	if (leads_inside(s, list)) {
		server_forbid(s);
		return;
	}

	if (!take_list(s, list)) {
		lookup_failed(s, "none of its addresses can be used from here");
		return;
	}
	s->backoff_ms = 0;
	if (s->lookup_alarm && !s->silent)
		alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	s->lookup_alarm = false;
	choose_address(s);
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
	struct north_server *s = container_of(t, struct north_server, lookup_timer);

	(void)now_ms;
	if (s->silent &&
	    !north_transports[s->kind]->paced) /* those that connect say by themselves that nothing answers */
		s->stale = true;
	server_lookup_start(s);
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
