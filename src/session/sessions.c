/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - the table of devices, and what all of them share */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define EXCHANGES_MAX_DEFAULT 100000

/* ---- metrics ---- */

static const struct {
	const char *name, *labels, *help;
} counter_table[C_COUNT] = {
	[C_IN_DOUBT] = { "in_doubt_total", NULL,
			 "Messages sent once more after the duplicate window of the peer had passed" },
	[C_HOLD_DROPPED] = { "queue_dropped_total", "reason=\"hold\"",
			     "Notifications given up while a server was away" },
	[C_LATE] = { "late_answers_total", NULL, "Answers that came after the asker had been told an error" },
	[C_NORTH_BAD] = { "north_rejected_total", NULL,
			  "Messages from servers that were malformed or answered nothing" },
	[C_NORTH_DUPLICATE] = { "north_duplicates_total", NULL, "Duplicates from servers" },
	[C_OBSERVE_RST] = { "observe_reset_total", NULL, "Observations ended by a RST of the server" },
	[C_IDENTITY] = { "identity_rejected_total", NULL, "Requests refused for an endpoint name or OSCORE kid that is not the device's own" },
	[C_TOO_BIG] = { "too_big_total", NULL, "Messages that did not fit the link" },
	[C_DOWN_OK] = { "downlink_delivered_total", NULL, "Units that the network reported as delivered" },
	[C_RULE_MADE] = { "provisioned_total", "result=\"made\"",
			  "Unknown identities that match a rule, by what became of them" },
	[C_RULE_LATER] = { "provisioned_total", "result=\"later\"",
			   "Unknown identities that match a rule, by what became of them" },
	[C_RULE_REFUSED] = { "provisioned_total", "result=\"refused\"",
			     "Unknown identities that match a rule, by what became of them" },
	[C_DOWN_FAILED] = { "downlink_failed_total", NULL, "Units that the network reported as failed" },
	[C_BLOCK_CUT] = { "block_cut_total", NULL, "Requests of servers that were cut into blocks for the link" },
	[C_BLOCK_HELD] = { "block_held_total", NULL,
			   "Answers of servers that were kept for devices to fetch block by block" },
	[C_THROTTLED] = { "downlink_throttled_total", NULL,
			  "Units that had to wait for the budget of a device or the pace of a link" },
	[C_PATIENCE] = { "queue_dropped_total", "reason=\"patience\"",
			 "Requests of servers given up before they could be delivered" },
	[C_BUDGET_DROPPED] = { "queue_dropped_total", "reason=\"budget\"",
			       "Acknowledgements and answers that waited too long for the budget of a device" },
	[C_RELAY_REPEATED] = { "relay_dropped_total", "reason=\"repeated\"",
			       "DTLS units of servers that did not go down to a device" },
	[C_RELAY_DROPPED] = { "relay_dropped_total", "reason=\"asleep\"",
			      "DTLS units of servers that did not go down to a device" },
	[C_RELAY_MALFORMED] = { "relay_dropped_total", "reason=\"malformed\"",
				"DTLS units of servers that did not go down to a device" },
};

static double gauge_up(void *arg)
{
	return (double)((struct sessions *)arg)->open_up;
}

static double gauge_down(void *arg)
{
	return (double)((struct sessions *)arg)->open_down;
}

static double gauge_overruled(void *arg)
{
	return (double)((struct sessions *)arg)->overruled.count;
}

static double gauge_retransmissions(void *arg)
{
	return (double)((struct sessions *)arg)->shared.retransmissions;
}

static const struct {
	const char *name, *labels, *help;
	metrics_gauge_fn *fn;
} gauge_table[] = {
	{ "exchanges", "leg=\"up\"", "Open exchanges by direction of the request", gauge_up },
	{ "exchanges", "leg=\"down\"", "Open exchanges by direction of the request", gauge_down },
	{ "device_records_overruled", NULL, "Stored device records that are not in effect", gauge_overruled },
	{ "retransmissions", NULL, "Messages sent again so far, both legs", gauge_retransmissions },
};

static void open_metrics(struct sessions *s)
{
	struct metrics *m = s->env.metrics;

	for (size_t i = 0; i < C_COUNT; i++)
		s->counters[i] = metrics_counter(m, counter_table[i].name, counter_table[i].labels,
						 counter_table[i].help);
	for (size_t i = 0; i < sizeof gauge_table / sizeof *gauge_table; i++)
		metrics_gauge(m, gauge_table[i].name, gauge_table[i].labels, gauge_table[i].help, gauge_table[i].fn, s);
	census_open(s);
}

static void close_metrics(struct sessions *s)
{
	for (size_t i = 0; i < sizeof gauge_table / sizeof *gauge_table; i++)
		metrics_gauge(s->env.metrics, gauge_table[i].name, gauge_table[i].labels, NULL, NULL, NULL);
	census_close(s);
}

int sessions_new(struct sessions **out, const struct sessions_env *env)
{
	struct sessions *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->env = *env;
	if (!s->env.exchanges_max)
		s->env.exchanges_max = EXCHANGES_MAX_DEFAULT;
	clock_steady_begin();
	s->shared.timers = env->timers;
	s->shared.answer_bytes_max = ANSWER_BYTES_MAX;
	open_metrics(s);
	*out = s;
	return 0;
}

void sessions_free(struct sessions *s)
{
	struct device *d;

	if (!s)
		return;
	s->ending = true;
	timer_cancel(s->env.timers, &s->save);
	expire_stop(s);
	import_end(s->import);
	for (size_t i = 0; (d = table_next(s, &i));)
		device_free(d, false);
	free(s->table);
	records_free(s);
	for (struct server *srv = s->servers; srv; srv = srv->next)
		srv->keep = false;
	servers_sweep(s);
	s->links_n = 0;
	paces_sweep(s);
	copies_stop(s);
	own_free(s);
	close_metrics(s);
	map_fini(&s->names);
	map_fini(&s->eps);
	map_fini(&s->ups);
	map_fini(&s->downs);
	map_fini(&s->rel_south);
	map_fini(&s->rel_north);
	map_fini(&s->relays);
	free(s->profiles);
	free(s->links);
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

/* ---- the table ---- */

/* Gaps go when they are as many as devices. */
static void close_gaps(struct sessions *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->table_n; i++) {
		if (!s->table[i])
			continue;
		s->table[i]->place = (uint32_t)n;
		s->table[n++] = s->table[i];
	}
	s->table_n = n;
	s->gaps = 0;
	expire_restart(s);
}

int table_add(struct sessions *s, struct device *d)
{
	if (s->table_n == s->table_size && s->gaps > s->table_n / 2)
		close_gaps(s);
	if (s->table_n == s->table_size) {
		size_t size = s->table_size + s->table_size / 4 + 16;
		struct device **grown = realloc(s->table, size * sizeof(struct device *));

		if (!grown)
			return -ENOMEM;
		s->table = grown;
		s->table_size = size;
	}
	d->place = (uint32_t)s->table_n;
	s->table[s->table_n++] = d;
	return 0;
}

void table_shrink(struct sessions *s)
{
	size_t n = s->table_n ? s->table_n : 1;
	struct device **v = realloc(s->table, n * sizeof(struct device *));

	if (!v)
		return;
	s->table = v;
	s->table_size = n;
}

void table_remove(struct sessions *s, struct device *d)
{
	s->table[d->place] = NULL;
	s->gaps++;
}

struct device *table_next(const struct sessions *s, size_t *i)
{
	while (*i < s->table_n) {
		struct device *d = s->table[(*i)++];

		if (d)
			return d;
	}
	return NULL;
}

size_t sessions_places(const struct sessions *s)
{
	return s->table_n;
}

size_t sessions_each_from(const struct sessions *s, size_t place, sessions_each_fn *fn, void *arg)
{
	const struct device *d;

	while ((d = table_next(s, &place)))
		if (!fn(arg, d))
			return d->place;
	return place;
}

void sessions_each(const struct sessions *s, sessions_each_fn *fn, void *arg)
{
	(void)sessions_each_from(s, 0, fn, arg);
}

/* ---- north events ---- */

static void on_north_back(void *arg, struct north_server *north)
{
	struct sessions *s = arg;

	for (struct server *srv = s->servers; srv; srv = srv->next)
		if (srv->north == north)
			server_back(srv);
}

const struct north_events session_north_events = { session_north_recv, session_north_event, on_north_back,
						   session_north_credentials, session_north_resumable };
