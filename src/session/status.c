/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - what the control room may know of a device */
#include <string.h>

#include "session/internal.h"
#include "session/watch.h"

const char *const device_state_names[DEVICE_STATE_COUNT] = { "unknown", "registered", "unregistered", "expired",
							     "barred" };
const char *const device_reach_names[REACH_COUNT] = { "unknown", "awake", "sleeping" };

const char *version_text(uint8_t v)
{
	return v == LWM2M_V_1_0 ? "1.0" : v == LWM2M_V_1_1 ? "1.1" : v == LWM2M_V_1_2 ? "1.2" : NULL;
}

static bool is_expired(const struct registration *r)
{
	return r->expires_ms && r->expires_ms < clock_steady_ms();
}

/* What protects the messages of a device: its own protection counts before that of the way. */
static const char *security_text(const struct assoc *a)
{
	static const char *const names[] = {
		[SERVER_NONE] = "none", [SERVER_PSK] = "psk", [SERVER_X509] = "x509", [SERVER_RPK] = "rpk"
	};

	return a->oscore ? "oscore" : names[server_security(a->srv->conf)];
}

/* The latest change that a registration knows of. */
static uint64_t since(const struct device *d, enum device_state state)
{
	uint64_t at = 0;

	for (const struct assoc *a = d->assocs; a; a = a->next) {
		uint64_t one = !a->reg                                      ? 0
			: state == DEVICE_REGISTERED && !is_expired(a->reg) ? a->reg->since_ms
			: state == DEVICE_EXPIRED                           ? a->reg->expires_ms
									    : 0;

		at = one > at ? one : at;
	}
	return at ? clock_steady_to_wall(at) : 0;
}

static void server_status(const struct assoc *a, struct device_server_status *st)
{
	*st = (struct device_server_status){
		.name = a->srv->conf->head.name,
		.port = north_assoc_port(a->north),
		.observations = a->relations_n,
		.security = security_text(a),
		.switch_expected = a->switching,
		.queued = (unsigned)coap_peer_queued(&a->peer),
	};
	if (!a->reg)
		return;
	st->registered = !is_expired(a->reg);
	st->lifetime_s = a->reg->lifetime_s;
	st->expires_wall_ms = clock_steady_to_wall(a->reg->expires_ms);
	st->lwm2m = version_text(a->reg->version);
	st->queue_mode = a->reg->queue_mode;
	memcpy(st->binding, a->reg->binding, sizeof a->reg->binding);
}

enum device_state device_state(const struct device *d)
{
	bool expired = false;

	if (d->barred)
		return DEVICE_BARRED;
	for (const struct assoc *a = d->assocs; a; a = a->next) {
		if (a->reg && !is_expired(a->reg))
			return DEVICE_REGISTERED;
		expired = expired || a->reg;
	}
	return expired ? DEVICE_EXPIRED : d->heard ? DEVICE_UNREGISTERED : DEVICE_UNKNOWN;
}

/* Looking may find that a report of the network is no longer believed, which changes nothing else. */
static void reach_status(const struct device *dev, struct device_status *st)
{
	struct device *d = (struct device *)(uintptr_t)dev;
	uint64_t until = reach_awake_until_ms(d), now = clock_now_ms();

	st->reach = until && d->heard ? REACH_AWAKE : d->heard || d->asleep ? REACH_SLEEPING : REACH_UNKNOWN;
	if (until && until != REACH_ALWAYS)
		st->awake_until_wall_ms = clock_wall_ms() + (until - now);
	for (const struct exchange *x = d->down; x; x = x->next)
		if (!x->over)
			st->queue_oldest_s = (now - x->started_ms) / 1000; /* the oldest stands last */
	st->rate = budget_status(d, &st->rate_limit, &st->rate_window_s, &st->rate_used);
}

/* Also while it could not be attached there. */
static const char *link_type(const struct device *d)
{
	const struct link *l = d->at ? device_link(d) : sessions_link(d->all, d->conf->link);

	return l ? l->ops->name : "";
}

void device_status(const struct device *d, struct device_status *st)
{
	*st = (struct device_status){
		.name = device_name(d),
		.ep = device_ep(d),
		.link = d->conf->link,
		.link_type = link_type(d),
		.profile = d->profile->conf->head.name,
		.conf = d->conf,
		.stored = d->stored,
		.state = device_state(d),
		.last_up_wall_ms = d->last_up_wall_ms,
		.last_down_wall_ms = d->last_down_wall_ms,
		.mtu = device_mtu(d),
		.mtu_origin = d->link_mtu && d->link_mtu < d->profile->conf->mtu ? d->link_mtu_origin : "profile",
		.queue = d->downs,
		.exchanges = (unsigned)d->ups + d->downs,
		.units_up = d->units_up,
		.units_down = d->units_down,
	};
	st->since_wall_ms = since(d, st->state);
	reach_status(d, st);
	st->relay = relay_status(d).server;
	st->relay_port = relay_status(d).port;
	for (const struct assoc *a = d->assocs; a && st->servers_n < sizeof st->servers / sizeof *st->servers;
	     a = a->next)
		if (!own_is(a->srv))
			server_status(a, &st->servers[st->servers_n++]);
}

const struct lwm2m_objects *device_objects(const struct device *d, const char **server)
{
	const struct assoc *last = NULL;

	for (const struct assoc *a = d->assocs; a; a = a->next)
		if (a->reg && a->reg->objects && (!last || a->reg->since_ms > last->reg->since_ms))
			last = a;
	if (last)
		*server = last->srv->conf->head.name;
	return last ? last->reg->objects : NULL;
}

size_t device_link_text(const struct device *d, char *buf, size_t size)
{
	return d->at && device_link(d)->ops->describe ? device_link(d)->ops->describe(d->at, buf, size) : 0;
}
