/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - the table of devices and how a configuration is taken over */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define EXCHANGES_MAX_DEFAULT 100000
#define CENSUS_MS 1000 /* how old a count of devices by state may be */

/* ---- metrics ---- */

static const struct {
	const char *name, *labels, *help;
} counter_table[C_COUNT] = {
	[C_IN_DOUBT] = { "in_doubt_total", NULL, "Messages sent once more after the duplicate window of the peer had passed" },
	[C_HOLD_DROPPED] = { "queue_dropped_total", "reason=\"hold\"", "Notifications given up while a server was away" },
	[C_LATE] = { "late_answers_total", NULL, "Answers that came after the asker had been told an error" },
	[C_NORTH_BAD] = { "north_rejected_total", NULL, "Messages from servers that were malformed or answered nothing" },
	[C_NORTH_DUPLICATE] = { "north_duplicates_total", NULL, "Duplicates from servers" },
	[C_OBSERVE_RST] = { "observe_reset_total", NULL, "Observations ended by a RST of the server" },
	[C_IDENTITY] = { "identity_rejected_total", NULL, "Registrations refused for their endpoint name" },
	[C_TOO_BIG] = { "too_big_total", NULL, "Messages that did not fit the link" },
	[C_DOWN_OK] = { "downlink_delivered_total", NULL, "Units that the network reported as delivered" },
	[C_DOWN_FAILED] = { "downlink_failed_total", NULL, "Units that the network reported as failed" },
};

/* Counted by one walk for all states of a scrape: nothing is kept per change, since a lifetime runs out by itself. */
static void census(struct sessions *s)
{
	uint64_t now = clock_now_ms();

	if (s->census_ms && now - s->census_ms < CENSUS_MS)
		return;
	memset(s->census, 0, sizeof s->census);
	for (const struct device *d = s->devices; d; d = d->next)
		s->census[device_state(d)]++;
	s->census_ms = now ? now : 1;
}

#define GAUGE_OF_STATE(name, state)                                                                                    \
	static double name(void *arg)                                                                                  \
	{                                                                                                              \
		census(arg);                                                                                           \
		return (double)((struct sessions *)arg)->census[state];                                                \
	}
GAUGE_OF_STATE(gauge_unknown, DEVICE_UNKNOWN)
GAUGE_OF_STATE(gauge_registered, DEVICE_REGISTERED)
GAUGE_OF_STATE(gauge_unregistered, DEVICE_UNREGISTERED)
GAUGE_OF_STATE(gauge_expired, DEVICE_EXPIRED)
GAUGE_OF_STATE(gauge_barred, DEVICE_BARRED)

static double gauge_up(void *arg)
{
	return (double)((struct sessions *)arg)->open_up;
}

static double gauge_down(void *arg)
{
	return (double)((struct sessions *)arg)->open_down;
}

static double gauge_retransmissions(void *arg)
{
	return (double)((struct sessions *)arg)->shared.retransmissions;
}

static const struct {
	const char *name, *labels, *help;
	metrics_gauge_fn *fn;
} gauge_table[] = {
	{ "devices", "state=\"unknown\"", "Device records by state", gauge_unknown },
	{ "devices", "state=\"registered\"", "Device records by state", gauge_registered },
	{ "devices", "state=\"unregistered\"", "Device records by state", gauge_unregistered },
	{ "devices", "state=\"expired\"", "Device records by state", gauge_expired },
	{ "devices", "state=\"barred\"", "Device records by state", gauge_barred },
	{ "exchanges", "leg=\"up\"", "Open exchanges by direction of the request", gauge_up },
	{ "exchanges", "leg=\"down\"", "Open exchanges by direction of the request", gauge_down },
	{ "retransmissions", NULL, "Messages sent again so far, both legs", gauge_retransmissions },
};

static void open_metrics(struct sessions *s)
{
	struct metrics *m = s->env.metrics;

	for (size_t i = 0; i < C_COUNT; i++)
		s->counters[i] = metrics_counter(m, counter_table[i].name, counter_table[i].labels, counter_table[i].help);
	for (size_t i = 0; i < sizeof gauge_table / sizeof *gauge_table; i++)
		metrics_gauge(m, gauge_table[i].name, gauge_table[i].labels, gauge_table[i].help, gauge_table[i].fn, s);
}

static void close_metrics(struct sessions *s)
{
	for (size_t i = 0; i < sizeof gauge_table / sizeof *gauge_table; i++)
		metrics_gauge(s->env.metrics, gauge_table[i].name, gauge_table[i].labels, NULL, NULL, NULL);
}

int sessions_new(struct sessions **out, const struct sessions_env *env)
{
	struct sessions *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->env = *env;
	if (!s->env.exchanges_max)
		s->env.exchanges_max = EXCHANGES_MAX_DEFAULT;
	s->shared.timers = env->timers;
	s->shared.answer_bytes_max = ANSWER_BYTES_MAX;
	open_metrics(s);
	*out = s;
	return 0;
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	s->ending = true;
	while (s->devices) {
		struct device *d = s->devices;

		s->devices = d->next;
		device_free(d, false);
	}
	for (struct server *srv = s->servers; srv; srv = srv->next)
		srv->keep = false;
	servers_sweep(s);
	close_metrics(s);
	map_fini(&s->names);
	map_fini(&s->eps);
	map_fini(&s->ups);
	map_fini(&s->downs);
	map_fini(&s->rel_south);
	map_fini(&s->rel_north);
	free(s->profiles);
	free(s);
}

/* ---- look-up ---- */

static bool name_equal(const struct map_node *n, const void *key, size_t len)
{
	const char *name = device_name(container_of(n, struct device, by_name));

	return strlen(name) == len && memcmp(name, key, len) == 0;
}

struct device *sessions_find(const struct sessions *s, const char *name)
{
	struct map_node *n = map_find(&s->names, map_hash(name, strlen(name)), name_equal, name, strlen(name));

	return n ? container_of(n, struct device, by_name) : NULL;
}

size_t sessions_devices(const struct sessions *s)
{
	return s->names.count;
}

size_t sessions_open(const struct sessions *s)
{
	return s->open_up + s->open_down;
}

void sessions_each(const struct sessions *s, sessions_each_fn *fn, void *arg)
{
	for (const struct device *d = s->devices; d; d = d->next)
		if (!fn(arg, d))
			return;
}

/* ---- taking over a configuration ---- */

static void fill_profile(struct profile *p, const struct profile_conf *c)
{
	*p = (struct profile){
		.conf = c,
		.params = { (uint32_t)c->ack_timeout_s * 1000, 100000, (uint8_t)c->max_retransmit, (uint8_t)c->nstart },
		.empty_ack_ms = (uint32_t)((double)c->ack_timeout_s * 1000 * c->empty_ack_at),
		.quota_step_us = 60000000u / c->quota_units_per_min,
	};
}

/* The built-in profile stands first. */
static struct profile *make_profiles(const struct conf_list *list)
{
	struct profile *v = calloc(list->n + 1, sizeof *v);

	if (!v)
		return NULL;
	fill_profile(&v[0], profile_builtin());
	for (size_t i = 0; i < list->n; i++)
		fill_profile(&v[i + 1], list->v[i]);
	return v;
}

static const struct profile *find_profile(const struct profile *v, const struct conf_list *list, const char *name)
{
	for (size_t i = 0; name && i < list->n; i++)
		if (strcmp(v[i + 1].conf->head.name, name) == 0)
			return &v[i + 1];
	return &v[0];
}

static struct link *find_link(const struct sessions_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->links_n; i++)
		if (strcmp(conf->links[i]->conf->head.name, name) == 0)
			return conf->links[i];
	return NULL;
}

static struct link_identity identity_of(const struct device_conf *c)
{
	if (c->external_id)
		return (struct link_identity){ LINK_ID_EXTERNAL, c->external_id, 0 };
	if (c->msisdn)
		return (struct link_identity){ LINK_ID_MSISDN, c->msisdn, 0 };
	return (struct link_identity){ LINK_ID_ADDRESS, c->address, 0 };
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_attachment(const struct device_conf *a, const struct device_conf *b)
{
	return same_text(a->link, b->link) && same_text(a->external_id, b->external_id) && same_text(a->msisdn, b->msisdn) &&
	       same_text(a->address, b->address);
}

static bool same_servers(const struct conf_texts *a, const struct conf_texts *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static bool same_record(const struct device_conf *a, const struct device_conf *b)
{
	return same_attachment(a, b) && same_text(a->profile, b->profile) && same_text(a->ep, b->ep) && same_servers(&a->servers, &b->servers);
}

static struct device *device_new(struct sessions *s, const struct device_conf *c)
{
	struct device *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->all = s;
	d->conf = c;
	d->profile = &s->profiles[0];
	coap_peer_init(&d->south, &device_peer_ops, &d->profile->params, &s->shared);
	if (map_add(&s->names, &d->by_name, map_hash(c->head.name, strlen(c->head.name)))) {
		free(d);
		return NULL;
	}
	return d;
}

static bool may_use(const struct device_conf *c, const struct server *srv)
{
	for (size_t i = 0; i < c->servers.n; i++)
		if (strcmp(c->servers.v[i], srv->conf->head.name) == 0)
			return true;
	return c->servers.n == 0;
}

/* Associations whose server is withdrawn, or that the record no longer names. */
static void close_assocs(struct device *d)
{
	struct assoc **at = &d->assocs;

	while (*at) {
		struct assoc *a = *at;

		if (a->srv->keep && may_use(d->conf, a->srv)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		assoc_close(a);
	}
}

static void take_record(struct device *d, const struct device_conf *c, const struct profile *p)
{
	struct device *holder = c->ep ? sessions_find_ep(d->all, c->ep, strlen(c->ep)) : NULL;

	if (holder && holder != d && holder->ep_learned) /* the record says whose it is */
		device_forget_ep(holder);
	if (!same_text(d->conf->ep, c->ep) || (c->ep && d->ep_learned))
		device_forget_ep(d);
	d->conf = c;
	d->profile = p;
	d->south.params = &p->params;
	if (d->at && d->link->ops->set_mtu)
		d->link->ops->set_mtu(d->at, (uint32_t)p->conf->mtu);
	(void)device_index_ep(d);
	close_assocs(d);
}

static void attach(struct device *d, const struct sessions_conf *conf, struct sessions_change *change)
{
	struct link_identity id = identity_of(d->conf);
	struct link *l = find_link(conf, d->conf->link);
	int err;

	if (d->at || !l)
		return;
	d->link_mtu = 0;
	d->link = l;
	err = l->ops->attach(l, &d->at, &id, d, (uint32_t)d->profile->conf->mtu);
	if (!err) {
		coap_peer_resume(&d->south, clock_now_ms()); /* of a device whose link was away */
		return;
	}
	d->at = NULL;
	d->link = NULL;
	change->failed++;
	log_ev(LOG_ERROR, ROOM, "attach.failed", LF_STR("dev", device_name(d)), LF_STR("link", d->conf->link), LF_STR("reason", strerror(-err)));
}

static void remove_device(struct sessions *s, struct device *d)
{
	log_ev(LOG_INFO, ROOM, "device.removed", LF_STR("dev", device_name(d)));
	map_remove(&s->names, &d->by_name);
	device_free(d, true);
}

/* Known devices are marked; those that go or move give their identity back before anybody else is attached with it. */
static void mark_devices(struct sessions *s, const struct sessions_conf *conf, struct sessions_change *change)
{
	struct device *list = s->devices, *next;

	for (struct device *d = list; d; d = d->next)
		d->keep = false;
	for (size_t i = 0; i < conf->devices->n; i++) {
		const struct device_conf *c = conf->devices->v[i];
		struct device *d = sessions_find(s, c->head.name);

		if (!d)
			continue;
		d->keep = true;
		if (!same_record(d->conf, c))
			change->changed++;
		if (d->at && (!same_attachment(d->conf, c) || find_link(conf, c->link) != d->link))
			device_detach(d, !same_attachment(d->conf, c));
	}
	s->devices = s->last = NULL;
	for (struct device *d = list; d; d = next) {
		next = d->next;
		if (!d->keep) {
			change->removed++;
			remove_device(s, d);
		}
	}
}

static void append(struct sessions *s, struct device *d)
{
	d->next = NULL;
	*(s->last ? &s->last->next : &s->devices) = d;
	s->last = d;
}

static int take_devices(struct sessions *s, const struct sessions_conf *conf, const struct profile *profiles, struct sessions_change *change)
{
	int err = 0;

	for (size_t i = 0; i < conf->devices->n; i++) {
		const struct device_conf *c = conf->devices->v[i];
		struct device *d = sessions_find(s, c->head.name);

		if (!d) {
			d = device_new(s, c);
			change->added += d != NULL;
		}
		if (!d) {
			err = -ENOMEM;
			continue;
		}
		append(s, d);
		take_record(d, c, find_profile(profiles, conf->profiles, c->profile));
	}
	for (struct device *d = s->devices; d; d = d->next)
		attach(d, conf, change);
	return err;
}

int sessions_configure(struct sessions *s, const struct sessions_conf *conf, struct sessions_change *change)
{
	struct profile *profiles = make_profiles(conf->profiles), *old = s->profiles;
	int err;

	*change = (struct sessions_change){ 0 };
	if (!profiles)
		return -ENOMEM;
	err = servers_configure(s, conf->servers, conf->servers_n);
	mark_devices(s, conf, change);
	s->profiles = profiles;
	s->profiles_n = conf->profiles->n + 1;
	err = take_devices(s, conf, profiles, change) ? -ENOMEM : err;
	servers_sweep(s);
	free(old);
	return err;
}

/* ---- north events ---- */

static void on_north_event(void *arg, enum north_event ev)
{
	struct assoc *a = arg;

	if (ev != NORTH_UP)
		return;
	notes_expire(a);
	if (north_server_is_up(a->srv->north)) {
		assoc_clear_silent(a);
		coap_peer_resume(&a->peer, clock_now_ms());
	} else { /* an address, and nothing heard from there yet: what can be confirmed tries */
		coap_peer_contact(&a->peer, clock_now_ms());
	}
}

static void on_north_back(void *arg, struct north_server *north)
{
	struct sessions *s = arg;

	for (struct server *srv = s->servers; srv; srv = srv->next)
		if (srv->north == north)
			server_back(srv);
}

const struct north_events session_north_events = { session_north_recv, on_north_event, on_north_back };
