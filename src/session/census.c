/* SPDX-License-Identifier: Apache-2.0 */
/* census.c - how many devices are in which state, and what waits for them
 *
 * Counted by one walk for all gauges of a scrape: nothing is kept per change, since a lifetime runs out by itself.
 */
#include <string.h>

#include "session/internal.h"

#define CENSUS_MS 1000 /* how old a count may be */

static void count_waiting(struct census *c, const struct device *d, uint64_t now)
{
	const char *kind = d->at ? device_link(d)->ops->name : "";
	size_t type = 0;

	while (type < CENSUS_LINKS && strcmp(link_type_words[type], kind) != 0)
		type++;
	for (const struct exchange *x = d->down; x; x = x->next) {
		if (x->over)
			continue;
		if (now > x->started_ms && now - x->started_ms > c->oldest_ms)
			c->oldest_ms = now - x->started_ms;
		if (type < CENSUS_LINKS)
			c->waiting[type]++;
	}
}

static const struct census *census_of(struct sessions *s)
{
	struct census *c = &s->census;
	uint64_t now = clock_now_ms();
	const struct device *d;

	if (c->at_ms && now - c->at_ms < CENSUS_MS)
		return c;
	memset(c, 0, sizeof *c);
	for (size_t i = 0; (d = table_next(s, &i));) {
		c->state[device_state(d)]++;
		if (d->down)
			count_waiting(c, d, now);
	}
	c->at_ms = now ? now : 1;
	return c;
}

#define GAUGE(name, what)                            \
	static double name(void *arg)                \
	{                                            \
		return (double)census_of(arg)->what; \
	}
GAUGE(gauge_unknown, state[DEVICE_UNKNOWN])
GAUGE(gauge_registered, state[DEVICE_REGISTERED])
GAUGE(gauge_unregistered, state[DEVICE_UNREGISTERED])
GAUGE(gauge_expired, state[DEVICE_EXPIRED])
GAUGE(gauge_barred, state[DEVICE_BARRED])
GAUGE(gauge_t8, waiting[0])
GAUGE(gauge_modem, waiting[1])
GAUGE(gauge_serial, waiting[2])
GAUGE(gauge_udp, waiting[3])

static double gauge_oldest(void *arg)
{
	return (double)census_of(arg)->oldest_ms / 1000;
}

static const struct {
	const char *name, *labels, *help;
	metrics_gauge_fn *fn;
} table[] = {
	{ "devices", "state=\"unknown\"", "Device records by state", gauge_unknown },
	{ "devices", "state=\"registered\"", "Device records by state", gauge_registered },
	{ "devices", "state=\"unregistered\"", "Device records by state", gauge_unregistered },
	{ "devices", "state=\"expired\"", "Device records by state", gauge_expired },
	{ "devices", "state=\"barred\"", "Device records by state", gauge_barred },
	{ "queue_depth", "transport=\"t8\"", "Requests of servers that are on their way to devices or wait for them",
	  gauge_t8 },
	{ "queue_depth", "transport=\"modem\"", "", gauge_modem },
	{ "queue_depth", "transport=\"serial\"", "", gauge_serial },
	{ "queue_depth", "transport=\"udp\"", "", gauge_udp },
	{ "queue_oldest_seconds", NULL, "Age of the oldest of these requests", gauge_oldest },
};

void census_open(struct sessions *s)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		metrics_gauge(s->env.metrics, table[i].name, table[i].labels, table[i].help, table[i].fn, s);
}

void census_close(struct sessions *s)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		metrics_gauge(s->env.metrics, table[i].name, table[i].labels, NULL, NULL, NULL);
}
