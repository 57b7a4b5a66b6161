/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - devices that are clients of DTLS themselves
 *
 * A server repeats a flight every few seconds, which costs a device on a narrow bearer more than the handshake. So a
 * flight goes down once within the device's own ACK timeout, and while the device sleeps a few units wait for it, of
 * equal ones the newest.
 */
#include <stdlib.h>
#include <string.h>

#include "session/dtls_records.h"
#include "session/internal.h"

enum { WAITING_MAX = 16, FLIGHTS_MAX = 8 };

struct relay_unit {
	struct relay_unit *next;
	uint64_t until_ms;
	uint16_t len;
	uint8_t data[];
};

struct relay {
	struct map_node node; /* by device */
	struct device *dev;
	struct server *srv;
	struct north_assoc *north;        /* owned */
	struct relay_unit *first, **last; /* owned; for when the device listens */
	unsigned waiting;
	rds_ports rds;  /* of the latest unit from the device */
	struct flight { /* that went down lately */
		uint64_t mark, until_ms;
	} flights[FLIGHTS_MAX];
	uint8_t flights_at;
};

static bool of_device(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return container_of(n, struct relay, node)->dev == *(struct device *const *)key;
}

static uint64_t hash_of(const struct device *d)
{
	return map_hash(&d, sizeof d);
}

static struct relay *relay_of(const struct device *d)
{
	const struct map *m = &d->all->relays;
	struct map_node *n = m->count ? map_find(m, hash_of(d), of_device, &d, sizeof d) : NULL;

	return n ? container_of(n, struct relay, node) : NULL;
}

/* ---- down ---- */

static void drop_first(struct relay *r)
{
	struct relay_unit *u = r->first;

	r->first = u->next;
	if (!r->first)
		r->last = &r->first;
	r->waiting--;
	free(u);
}

/* Records of one kind and length are most likely the same message, sent again. */
static void drop_equal(struct relay *r, const uint8_t *data, size_t len)
{
	for (struct relay_unit **at = &r->first; *at; at = &(*at)->next) {
		struct relay_unit *u = *at;

		if (u->len != len || u->data[0] != data[0])
			continue;
		*at = u->next;
		if (!u->next)
			r->last = at;
		r->waiting--;
		free(u);
		count(r->dev->all, C_RELAY_REPEATED);
		return;
	}
}

static void hold(struct relay *r, const uint8_t *data, size_t len)
{
	struct relay_unit *u = malloc(sizeof *u + len);

	drop_equal(r, data, len);
	if (r->waiting == WAITING_MAX || !u)
		count(r->dev->all, C_RELAY_DROPPED);
	if (!u)
		return;
	if (r->waiting == WAITING_MAX)
		drop_first(r);
	u->next = NULL;
	u->until_ms = clock_now_ms() + r->srv->conf->patience_s * 1000;
	u->len = (uint16_t)len;
	memcpy(u->data, data, len);
	*r->last = u;
	r->last = &u->next;
	r->waiting++;
}

/* The same flight has gone down within the time that the device needs to answer it. */
static bool is_repeated(struct relay *r, const struct dtls_unit *u)
{
	uint64_t now = clock_now_ms();

	if (!u->handshake)
		return false;
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		if (r->flights[i].mark == u->mark && r->flights[i].until_ms > now)
			return true;
	r->flights[r->flights_at] = (struct flight){ u->mark, now + r->dev->profile->params.ack_timeout_ms };
	r->flights_at = (uint8_t)((r->flights_at + 1) % FLIGHTS_MAX);
	return false;
}

static bool listens(struct device *d)
{
	return !reach_holds_requests(d) || reach_is_awake(d);
}

static void on_records(void *arg, const uint8_t *data, size_t len)
{
	struct relay *r = arg;
	struct device *d = r->dev;
	struct dtls_unit u;

	if (!dtls_begins(data, len) || dtls_unit_read(&u, data, len)) {
		count(d->all, C_RELAY_MALFORMED);
		return;
	}
	if (len > device_mtu(d)) {
		count(d->all, C_TOO_BIG);
		block_too_big(d, len);
		return;
	}
	if (is_repeated(r, &u)) {
		count(d->all, C_RELAY_REPEATED);
		return;
	}
	copy_records(d, r->srv, true, data, len);
	if (listens(d))
		device_send(d, r->rds, data, len);
	else
		hold(r, data, len);
}

void relay_contact(struct device *d)
{
	struct relay *r = relay_of(d);

	while (r && r->first && listens(d)) {
		if (r->first->until_ms > clock_now_ms())
			device_send(d, r->rds, r->first->data, r->first->len);
		else
			count(d->all, C_RELAY_DROPPED);
		drop_first(r);
	}
}

/* The socket is connected or not: nothing is kept for it, the ends repeat what gets lost. */
static void on_event(void *arg, enum north_event ev)
{
	(void)arg;
	(void)ev;
}

static const struct north_events relay_events = { .recv = on_records, .event = on_event };

/* ---- open and close ---- */

static bool takes_records(const struct server *srv)
{
	return srv->uri.scheme && strcmp(srv->uri.scheme, "coaps") == 0;
}

/* The first of the device's servers that speaks DTLS. */
static struct server *server_of(const struct device *d)
{
	const struct conf_texts *names = &d->conf->servers;
	struct server *srv;

	for (size_t i = 0; i < names->n; i++) {
		srv = server_by_name(d->all, names->v[i]);
		if (srv && takes_records(srv))
			return srv;
	}
	for (srv = names->n ? NULL : d->all->servers; srv; srv = srv->next)
		if (srv->conf->role == SERVER_MANAGEMENT && takes_records(srv))
			return srv;
	return NULL;
}

static void relay_free(struct relay *r)
{
	while (r->first)
		drop_first(r);
	north_assoc_close(r->north);
	map_remove(&r->dev->all->relays, &r->node);
	free(r);
}

static struct relay *relay_open(struct device *d, struct server *srv, uint16_t port)
{
	const char *name = device_name(d);
	struct relay *r = calloc(1, sizeof *r);
	int err;

	if (!r || map_add(&d->all->relays, &r->node, hash_of(d))) {
		free(r);
		return NULL;
	}
	r->dev = d;
	r->srv = srv;
	r->last = &r->first;
	err = north_relay_open(&r->north, srv->north, name, port, &relay_events, r);
	if (err && port) {
		log_ev(LOG_WARNING, ROOM, "relay.port_taken", LF_STR("dev", name), LF_UINT("port", port));
		err = north_relay_open(&r->north, srv->north, name, 0, &relay_events, r);
	}
	if (err) {
		log_ev(LOG_WARNING, ROOM, "relay.failed", LF_STR("dev", name), LF_STR("server", srv->conf->head.name),
		       LF_STR("reason", strerror(-err)));
		relay_free(r);
		return NULL;
	}
	log_ev(LOG_INFO, ROOM, "relay.open", LF_STR("dev", name), LF_STR("server", srv->conf->head.name),
	       LF_UINT("port", north_assoc_port(r->north)));
	device_touch(d);
	return r;
}

void relay_close(struct device *d)
{
	struct relay *r = relay_of(d);

	if (r)
		relay_free(r);
}

static bool may_go_on(const struct relay *r)
{
	return r->dev->profile->conf->dtls == DTLS_RELAY && r->srv->keep && server_of(r->dev) == r->srv;
}

void relays_settle(struct sessions *s)
{
	size_t i = 0;
	struct map_node *n = map_next(&s->relays, &i, NULL);

	while (n) {
		struct map_node *next = map_next(&s->relays, &i, n);
		struct relay *r = container_of(n, struct relay, node);

		if (!may_go_on(r)) {
			device_touch(r->dev);
			relay_free(r);
		}
		n = next;
	}
}

/* ---- up ---- */

static enum link_result refuse_records(struct device *d, const char *why)
{
	uint64_t held;

	if (log_limit(&d->all->bad_limit, clock_now_ms(), 1000, &held))
		log_ev(LOG_WARNING, ROOM, "records.refused", LF_STR("dev", device_name(d)), LF_STR("reason", why),
		       LF_UINT("held_back", held));
	return LINK_RES_REFUSED;
}

enum link_result relay_up(struct device *d, const uint8_t *data, size_t len)
{
	struct relay *r = relay_of(d);
	struct dtls_unit u;
	struct server *srv;

	if (d->profile->conf->dtls != DTLS_RELAY)
		return refuse_records(d, "dtls is off in its profile");
	if (dtls_unit_read(&u, data, len)) {
		copy_unknown(d, data, len);
		return LINK_RES_MALFORMED;
	}
	if (!r) {
		srv = server_of(d);
		if (!srv)
			return refuse_records(d, "none of its servers is reached by coaps://");
		r = relay_open(d, srv, 0);
	}
	if (r)
		r->rds = d->rds;
	if (!r || north_assoc_send(r->north, data, len))
		return LINK_RES_FAILED;
	copy_records(d, r->srv, false, data, len);
	return LINK_RES_FORWARDED;
}

/* ---- what is shown and stored ---- */

struct relay_status relay_status(const struct device *d)
{
	const struct relay *r = relay_of(d);

	return r ? (struct relay_status){ r->srv->conf->head.name, north_assoc_port(r->north) }
		 : (struct relay_status){ NULL, 0 };
}

void relay_write(struct writer *w, const struct device *d)
{
	const struct relay *r = relay_of(d);
	const char *name = r ? r->srv->conf->head.name : "";

	write_u16(w, r ? north_assoc_port(r->north) : 0);
	write_u8(w, (uint8_t)strlen(name));
	write_bytes(w, name, strlen(name));
}

void relay_read(struct reader *rd, struct device *d)
{
	uint16_t port = read_u16(rd);
	size_t len = read_u8(rd);
	const uint8_t *name = read_span(rd, len);
	struct server *srv = server_of(d);

	if (rd->failed || !port || !srv || d->profile->conf->dtls != DTLS_RELAY || relay_of(d) ||
	    strlen(srv->conf->head.name) != len || memcmp(srv->conf->head.name, name, len) != 0)
		return;
	(void)relay_open(d, srv, port);
}
