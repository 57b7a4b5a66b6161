/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - one configured server: its address, and whether it is heard
 *
 * A numeric address is taken as it is. A name is looked up through the loop's resolver (which reads the hosts file too)
 * and tried again until it is known; associations that wait for it are connected some at a time, so that a fleet coming
 * up does not hold the loop. While the server is silent its name is looked up again: it may have moved, or be heard on
 * another of its addresses.
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

enum {
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MOST_MS = 60000,
	SILENT_LOOKUP_MS = 60000,
	CONNECT_AT_ONCE = 256, /* about 2 ms */
	CONNECT_RETRY_MS = 1000,
};

/* Lives until the resolver has reported, even when the server is gone by then. */
struct north_lookup {
	struct north *north;
	struct north_server *srv; /* NULL: cancelled */
	struct evdns_getaddrinfo_request *req;
};

static struct timers *timers_of(const struct north_server *s)
{
	return loop_timers(s->north->env.loop);
}

/* ---- connecting what waits ---- */

static void on_connect_timer(struct timer *t, uint64_t now_ms)
{
	struct north_server *s = container_of(t, struct north_server, connect_timer);

	for (int i = 0; i < CONNECT_AT_ONCE && !assoc_list_empty(&s->waiting); i++) {
		struct north_assoc *a = (struct north_assoc *)s->waiting.next;
		int err = udp_assoc_connect(a);

		assoc_list_remove(&a->node);
		if (err) {
			uint64_t held;

			assoc_list_add(&s->waiting, &a->node);
			if (log_limit(&s->north->send_limit, now_ms, 10000, &held))
				log_ev(LOG_WARNING, "north", "assoc.failed", LF_STR("server", s->name),
				       LF_STR("error", strerror(-err)), LF_UINT("held", held));
			timer_set(timers_of(s), t, now_ms + CONNECT_RETRY_MS, on_connect_timer);
			return;
		}
		assoc_list_add(&s->open, &a->node);
		if (!a->up) {
			a->up = true;
			s->north->env.events->event(a->arg, NORTH_UP);
		}
	}
	if (!assoc_list_empty(&s->waiting))
		timer_set(timers_of(s), t, now_ms + 1, on_connect_timer);
}

void server_connect_waiting(struct north_server *s)
{
	if (!assoc_list_empty(&s->waiting) && !timer_is_set(&s->connect_timer))
		timer_set(timers_of(s), &s->connect_timer, clock_now_ms(), on_connect_timer);
}

/* ---- looking up ---- */

static void on_lookup_timer(struct timer *t, uint64_t now_ms);

static void lookup_failed(struct north_server *s, const char *why)
{
	uint32_t wait = s->backoff_ms + random_below(s->backoff_ms / 4);

	log_ev(s->lookup_alarm ? LOG_DEBUG : LOG_WARNING, "north", "lookup.failed", LF_STR("server", s->name),
	       LF_STR("host", s->uri.host), LF_STR("error", why), LF_UINT("again_ms", wait));
	if (!s->addr.len) {
		s->lookup_alarm = true;
		alarm_raise(s->north->env.alarms, ALARM_MAJOR, "server.unreachable", s->name,
			    "its name cannot be resolved", "check uri and the name servers");
	}
	timer_set(timers_of(s), &s->lookup_timer, clock_now_ms() + wait, on_lookup_timer);
	s->backoff_ms = s->backoff_ms * 2 < BACKOFF_MOST_MS ? s->backoff_ms * 2 : BACKOFF_MOST_MS;
}

static void address_known(struct north_server *s, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	s->addr = *addr;
	addr_format(addr, text, sizeof text);
	log_ev(LOG_INFO, "north", "server.address", LF_STR("server", s->name), LF_STR("address", text));
	assoc_list_move_all(&s->waiting, &s->open); /* those of a former address */
	server_connect_waiting(s);
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

static void lookup_done(struct north_server *s, const struct evutil_addrinfo *list)
{
	struct addr a;

	if (!list || !choose_address(&a, s, list)) {
		lookup_failed(s, "none of its addresses can be used from here");
		return;
	}
	s->backoff_ms = BACKOFF_FIRST_MS;
	if (s->lookup_alarm && !s->silent)
		alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	s->lookup_alarm = false;
	if (!addr_equal(&a, &s->addr, true))
		address_known(s, &a);
	if (s->silent)
		timer_set(timers_of(s), &s->lookup_timer, clock_now_ms() + SILENT_LOOKUP_MS, on_lookup_timer);
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

static void lookup_start(struct north_server *s)
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
	lookup_start(container_of(t, struct north_server, lookup_timer));
}

/* ---- open and close ---- */

static double up_gauge(void *arg)
{
	return north_server_is_up(arg);
}

static const char *server_label(const struct north_server *s, char *buf, size_t size)
{
	char value[300];

	snprintf(buf, size, "server=\"%s\"", metrics_label(value, sizeof value, s->name));
	return buf;
}

static void register_metrics(struct north_server *s)
{
	struct metrics *m = s->north->env.metrics;
	char label[320];

	server_label(s, label, sizeof label);
	metrics_gauge(m, "server_up", label, "1 while the server's address is known and it is not silent", up_gauge, s);
	s->foreign = metrics_counter(m, "north_foreign_total", label,
				     "Datagrams that reached an association from elsewhere than its server");
	s->refused = metrics_counter(m, "north_refused_total", label, "ICMP reports that nobody listens at the server");
	s->send_failed = metrics_counter(m, "north_send_failed_total", label,
					 "Datagrams the kernel did not take, by full buffers or missing routes");
}

static bool numeric_address(struct addr *out, const struct server_uri *uri)
{
	char text[sizeof uri->host + 10];

	snprintf(text, sizeof text, strchr(uri->host, ':') ? "[%s]:%u" : "%s:%u", uri->host, uri->port);
	return !addr_parse(out, text, true);
}

int north_server_open(struct north_server **out, struct north *n, const struct server_conf *conf)
{
	struct north_server *s = calloc(1, sizeof *s);
	struct addr a;
	int err;

	if (!s)
		return -ENOMEM;
	s->name = strdup(conf->head.name);
	err = s->name ? server_uri_parse(&s->uri, conf->uri) : -ENOMEM;
	if (err) {
		free(s->name);
		free(s);
		return err;
	}
	s->north = n;
	s->conf = conf;
	s->backoff_ms = BACKOFF_FIRST_MS;
	assoc_list_init(&s->waiting);
	assoc_list_init(&s->open);
	register_metrics(s);
	s->numeric = numeric_address(&a, &s->uri);
	if (s->numeric)
		address_known(s, &a);
	else
		lookup_start(s);
	*out = s;
	return 0;
}

void north_server_close(struct north_server *s)
{
	char label[320];

	if (!s)
		return;
	if (s->lookup) {
		struct evdns_getaddrinfo_request *req = s->lookup->req;

		s->lookup->srv = NULL;
		if (req)
			evdns_getaddrinfo_cancel(req);
	}
	timer_cancel(timers_of(s), &s->lookup_timer);
	timer_cancel(timers_of(s), &s->connect_timer);
	metrics_gauge(s->north->env.metrics, "server_up", server_label(s, label, sizeof label), NULL, NULL, NULL);
	alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	free(s->name);
	free(s);
}

void north_server_set_conf(struct north_server *s, const struct server_conf *conf)
{
	s->conf = conf;
}

const struct server_conf *north_server_conf(const struct north_server *s)
{
	return s->conf;
}

/* ---- silent and back ---- */

void north_server_silent(struct north_server *s)
{
	if (s->silent)
		return;
	s->silent = true;
	alarm_raise(s->north->env.alarms, ALARM_MAJOR, "server.unreachable", s->name, "no answer to any retransmission",
		    "check the server and the way to it");
	if (!s->numeric)
		lookup_start(s);
}

void north_server_heard(struct north_server *s)
{
	s->heard_ms = clock_now_ms();
	if (!s->silent)
		return;
	s->silent = false;
	alarm_clear(s->north->env.alarms, "server.unreachable", s->name);
	log_ev(LOG_NOTICE, "north", "server.back", LF_STR("server", s->name));
	s->north->env.events->back(s->north->env.arg, s);
}

bool north_server_is_up(const struct north_server *s)
{
	return s->addr.len && !s->silent;
}

void north_server_status(const struct north_server *s, struct north_server_status *st)
{
	memset(st, 0, sizeof *st);
	if (s->addr.len)
		addr_format(&s->addr, st->address, sizeof st->address);
	st->up = north_server_is_up(s);
	st->associations = s->associations;
	if (s->heard_ms)
		st->last_heard_wall_ms = clock_wall_ms() - (clock_now_ms() - s->heard_ms);
	st->foreign = *s->foreign;
}
