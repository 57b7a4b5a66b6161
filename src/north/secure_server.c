/* SPDX-License-Identifier: Apache-2.0 */
/* secure_server.c - a server whose associations are secured: its context, its counters, the ends of certificates
 *
 * Certificates end while nobody looks, so their dates are looked at once a day as well as after each handshake.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "north/secure.h"

enum { DAY_S = 86400, WARN_DAYS = 30 };

static const char *const result_names[SECURE_RESULT_COUNT] = {
	[SECURE_OK] = "ok",         [SECURE_RESUMED] = "resumed", [SECURE_TIMEOUT] = "timeout",
	[SECURE_DENIED] = "denied", [SECURE_ALERT] = "alert",     [SECURE_NO_KEY] = "no_key",
	[SECURE_CLOCK] = "clock",   [SECURE_FAILED] = "failed",
};
_Static_assert((int)SECURE_RESULT_COUNT == (int)NORTH_RESULTS, "a counter for each result");

static void register_metrics(struct north_server *s)
{
	struct metrics *m = s->north->env.metrics;
	char server[320], label[360];

	server_label(s, server, sizeof server);
	s->dropped = metrics_counter(m, "north_dropped_total", server,
				     "Datagrams and records from the server's address that were not of its session");
	for (int i = 0; i < SECURE_RESULT_COUNT; i++) {
		snprintf(label, sizeof label, "%s,result=\"%s\"", server, result_names[i]);
		s->handshakes[i] = metrics_counter(m, "server_handshakes_total", label, "Handshakes by how they ended");
	}
}

const char *secure_result_name(enum secure_result r)
{
	return result_names[r];
}

/* ---- certificates that end ---- */

static uint64_t wall_s(void)
{
	return clock_wall_ms() / 1000;
}

bool secure_ends_soon(uint64_t expires_s)
{
	return expires_s && expires_s < wall_s() + (uint64_t)WARN_DAYS * DAY_S;
}

void secure_raise_expiry(struct north_server *s, const char *source, const char *whose, uint64_t expires_s)
{
	char text[160], when[40];

	clock_format(when, sizeof when, expires_s * 1000);
	snprintf(text, sizeof text, "%s %s %s", whose, expires_s > wall_s() ? "ends" : "has ended", when);
	alarm_raise(s->north->env.alarms, ALARM_WARNING, "cert.expiring", source, text, "renew the certificate");
}

static double seconds_left(uint64_t expires_s)
{
	return (double)expires_s - (double)wall_s();
}

static double own_gauge(void *arg)
{
	return seconds_left(((struct north_server *)arg)->secure->expires_s);
}

static double peer_gauge(void *arg)
{
	return seconds_left(((struct north_server *)arg)->peer_expires_s);
}

/* own: the certificate that is shown to the server, else the one that it shows. fn NULL: there is none. */
static void show_expiry(struct north_server *s, bool own, metrics_gauge_fn *fn)
{
	char name[320], label[400];

	metrics_label(name, sizeof name, s->name);
	snprintf(label, sizeof label, "cert=\"server/%s/%s\"", name, own ? "own" : "peer");
	metrics_gauge(s->north->env.metrics, "cert_expiry_seconds", label,
		      "Time until the certificate ends, below 0 since", fn, s);
}

static void show_expiries(struct north_server *s)
{
	show_expiry(s, true, s->secure->expires_s ? own_gauge : NULL);
	show_expiry(s, false, s->peer_expires_s ? peer_gauge : NULL);
}

static void check_server_expiry(struct north_server *s)
{
	const uint64_t own = s->secure->expires_s, peer = s->peer_expires_s;
	const bool soon = secure_ends_soon(own) || secure_ends_soon(peer), mine = own && (!peer || own < peer);

	if (soon && !s->cert_alarm)
		secure_raise_expiry(s, s->name, mine ? "the certificate in cert_file" : "the certificate of the server",
				    mine ? own : peer);
	else if (!soon && s->cert_alarm)
		alarm_clear(s->north->env.alarms, "cert.expiring", s->name);
	s->cert_alarm = soon;
	show_expiries(s);
}

void secure_server_seen(struct north_server *s, uint64_t expires_s)
{
	if (!expires_s)
		return;
	s->peer_expires_s = expires_s;
	check_server_expiry(s);
}

static void on_cert_timer(struct timer *t, uint64_t now_ms)
{
	struct north_server *s = container_of(t, struct north_server, cert_timer);

	check_server_expiry(s);
	for (struct assoc_list *n = s->open.next; n != &s->open; n = n->next) {
		struct north_assoc *a = (struct north_assoc *)n;

		if (assoc_transport(a)->secure)
			secure_check_expiry(a, assoc_transport(a)->secure(a));
	}
	timer_set(loop_timers(s->north->env.loop), t, now_ms + DAY_S * 1000, on_cert_timer);
}

/* ---- open, renew, close ---- */

static int make_ctx(struct north_server *s, struct secure_ctx **out)
{
	struct secure_fault fault;
	int err = secure_ctx_new(out, s->conf, &s->uri, north_transports[s->kind]->stream, s->north->env.key, &fault);

	if (err)
		log_ev(LOG_ERROR, "north", "security.unusable", LF_STR("server", s->name), LF_STR("key", fault.key),
		       LF_STR("reason", fault.text));
	return err;
}

int secure_server_open(struct north_server *s)
{
	int err = make_ctx(s, &s->secure);

	if (err)
		return err;
	register_metrics(s);
	check_server_expiry(s);
	timer_set(loop_timers(s->north->env.loop), &s->cert_timer, clock_now_ms() + DAY_S * 1000, on_cert_timer);
	return 0;
}

void secure_server_close(struct north_server *s)
{
	if (!s->secure)
		return;
	timer_cancel(loop_timers(s->north->env.loop), &s->cert_timer);
	show_expiry(s, true, NULL);
	show_expiry(s, false, NULL);
	if (s->cert_alarm)
		alarm_clear(s->north->env.alarms, "cert.expiring", s->name);
	secure_ctx_put(s->secure);
	s->secure = NULL;
}

void secure_server_renew(struct north_server *s)
{
	struct secure_ctx *c;
	struct assoc_list *n, *next;

	if (make_ctx(s, &c))
		return;
	secure_ctx_put(s->secure);
	s->secure = c;
	check_server_expiry(s);
	for (n = s->open.next; n != &s->open; n = next) {
		struct north_assoc *a = (struct north_assoc *)n;

		next = n->next;
		if (assoc_transport(a)->renew)
			assoc_transport(a)->renew(a);
	}
}
