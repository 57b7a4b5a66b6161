/* SPDX-License-Identifier: Apache-2.0 */
/* provision.c - stored device records: among the devices, and aside
 *
 * A record that is in effect belongs to its device and costs nothing beside it. One that the files overrule, or that no
 * longer fits the configuration, waits in a map of its own until it can be in effect again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define OVERRULED_PLACE ((size_t)1 << 40) /* from here on the map of those aside is meant */
#define LOG_EVERY_MS 1000

/* ---- aside ---- */

struct overruled {
	struct map_node node;
	struct device_conf *conf; /* owned */
	bool by_name;             /* the files have its name: nothing is wrong with that */
};

static bool overruled_equal(const struct map_node *n, const void *name, size_t len)
{
	const char *own = container_of(n, struct overruled, node)->conf->head.name;

	return strlen(own) == len && memcmp(own, name, len) == 0;
}

static struct overruled *overruled_find(const struct sessions *s, const char *name)
{
	size_t len = strlen(name);
	struct map_node *n = s->overruled.count
		? map_find(&s->overruled, map_hash(name, len), overruled_equal, name, len)
		: NULL;

	return n ? container_of(n, struct overruled, node) : NULL;
}

bool overruled_has(const struct sessions *s, const char *name)
{
	return overruled_find(s, name) != NULL;
}

/* Out of the map; the record is the caller's. */
static struct device_conf *overruled_end(struct sessions *s, struct overruled *o)
{
	struct device_conf *c = o->conf;

	map_remove(&s->overruled, &o->node);
	s->unsound -= !o->by_name;
	free(o);
	return c;
}

void overruled_drop(struct sessions *s, const char *name)
{
	struct overruled *o = overruled_find(s, name);

	if (o)
		free(overruled_end(s, o));
}

void record_overrule(struct sessions *s, struct device_conf *c, bool by_name, const char *why)
{
	struct overruled *o = malloc(sizeof *o);
	uint64_t held;

	if (log_limit(&s->overrule_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		log_ev(by_name ? LOG_NOTICE : LOG_WARNING, ROOM, "record.overruled", LF_STR("dev", c->head.name),
		       LF_STR("reason", why), LF_UINT("held", held));
	if (o)
		*o = (struct overruled){ .conf = c, .by_name = by_name };
	if (!o || map_add(&s->overruled, &o->node, map_hash(c->head.name, strlen(c->head.name)))) {
		free(o); /* it is still in the store, for the next start */
		free(c);
		return;
	}
	s->unsound += !by_name;
}

/* ---- whether a record can be in effect ---- */

struct reason {
	char *why;
	size_t size;
};

static void first_reason(void *arg, const char *key, int index, const char *text)
{
	const struct reason *r = arg;

	(void)index;
	if (!*r->why)
		snprintf(r->why, r->size, "%s%s%s", key ? key : "", key ? ": " : "", text);
}

static bool holds_other(const struct device *d, const struct device_conf *c)
{
	return d && strcmp(device_name(d), c->head.name) != 0;
}

/* What stands against a record, or for it. */
struct fit {
	struct device *same, *ep; /* the device of its name; who has its endpoint name */
	bool by_name;             /* only the name stands against it */
	char why[320];
};

static bool fits_by_itself(const struct sessions *s, const struct device_conf *c, struct fit *f)
{
	struct reason r = { f->why, sizeof f->why };

	f->same = sessions_find(s, c->head.name);
	f->by_name = f->same && !f->same->stored;
	f->why[0] = '\0';
	if (f->by_name) {
		const struct conf_where *at = &f->same->conf->head.at;

		snprintf(f->why, sizeof f->why, "the files have this name: %s:%u", at->file, at->line);
		return false;
	}
	return !device_check(c, &s->lists, first_reason, &r);
}

static bool fits_by_ep(const struct sessions *s, const struct device_conf *c, struct fit *f)
{
	f->ep = c->ep ? sessions_find_ep(s, c->ep, strlen(c->ep)) : NULL;
	if (!f->ep || !f->ep->conf->ep || !holds_other(f->ep, c)) /* a learned one gives way */
		return true;
	snprintf(f->why, sizeof f->why, "its endpoint name is that of device \"%s\"", device_name(f->ep));
	return false;
}

static bool fits_by_identity(const struct sessions *s, const struct device_conf *c, struct fit *f)
{
	const struct device *d = device_holding(s, c);

	if (!holds_other(d, c))
		return true;
	snprintf(f->why, sizeof f->why, "its identity is that of device \"%s\"", device_name(d));
	return false;
}

static bool record_fits(const struct sessions *s, const struct device_conf *c, struct fit *f)
{
	return fits_by_itself(s, c, f) && fits_by_ep(s, c, f) && fits_by_identity(s, c, f);
}

/* A new device under a stored record; NULL without memory. */
static struct device *add_device(struct sessions *s, struct device_conf *c)
{
	struct device *d = device_new(s, c, true);

	if (!d)
		return NULL;
	if (table_add(s, d)) {
		map_remove(&s->names, &d->by_name);
		d->stored = false; /* the record stays the caller's */
		device_free(d, false);
		return NULL;
	}
	return d;
}

/* Under a record that fits but for its identity, which its link knows best. */
static struct device *place_new(struct sessions *s, struct device_conf *c, struct fit *f)
{
	struct device *d = add_device(s, c);

	if (!d) {
		snprintf(f->why, sizeof f->why, "%s", strerror(ENOMEM));
		return NULL;
	}
	if (device_attach(d) == -EEXIST) {
		(void)fits_by_identity(s, c, f);
		d->stored = false; /* the record stays the caller's */
		device_remove(d, false);
		return NULL;
	}
	device_take_from(d, f->ep);
	return d;
}

static struct device *place_again(struct device *d, struct device_conf *c, const struct fit *f)
{
	(void)device_renew(d, c, true);
	device_take_from(d, f->ep);
	(void)device_attach(d);
	return d;
}

struct device *record_place(struct sessions *s, struct device_conf *c)
{
	struct device *d = NULL;
	struct fit f;
	bool fits;

	overruled_drop(s, c->head.name); /* the one before it */
	fits = fits_by_itself(s, c, &f) && fits_by_ep(s, c, &f) && (!f.same || fits_by_identity(s, c, &f));
	if (fits)
		d = f.same ? place_again(f.same, c, &f) : place_new(s, c, &f);
	else if (f.same && f.same->stored) /* its place was another record's */
		device_remove(f.same, true);
	if (!d)
		record_overrule(s, c, f.by_name, f.why);
	return d;
}

struct device_conf *record_sound_again(struct sessions *s, const char *name)
{
	struct overruled *o = overruled_find(s, name);
	char why[320];
	struct reason r = { why, sizeof why };

	*why = '\0';
	return o && !device_check(o->conf, &s->lists, first_reason, &r) ? overruled_end(s, o) : NULL;
}

void records_tell(struct sessions *s)
{
	char text[128];

	if (s->unsound == s->unsound_told)
		return;
	s->unsound_told = s->unsound;
	if (!s->unsound) {
		alarm_clear(s->env.alarms, "device.record_unusable", "store");
		return;
	}
	snprintf(text, sizeof text, "%zu stored device records are not in effect: they do not fit the configuration",
		 s->unsound);
	alarm_raise(s->env.alarms, ALARM_MAJOR, "device.record_unusable", "store", text,
		    "the log names them (record.overruled); mend the configuration, or import or remove them");
}

void records_settle(struct sessions *s)
{
	struct map_node *n, *next;
	size_t i = 0;

	for (n = map_next(&s->overruled, &i, NULL); n; n = next) {
		struct overruled *o = container_of(n, struct overruled, node);
		struct fit f;

		next = map_next(&s->overruled, &i, n);
		s->unsound -= !o->by_name;
		if (record_fits(s, o->conf, &f)) {
			o->by_name = true; /* counted already */
			(void)record_place(s, overruled_end(s, o));
		} else {
			o->by_name = f.by_name;
			s->unsound += !f.by_name;
		}
	}
	records_tell(s);
}

void records_free(struct sessions *s)
{
	struct map_node *n;
	size_t i = 0;

	while ((n = map_next(&s->overruled, &i, NULL))) {
		free(overruled_end(s, container_of(n, struct overruled, node)));
		i = 0;
	}
	map_fini(&s->overruled);
}

/* ---- for people ---- */

static size_t overruled_from(const struct sessions *s, size_t place, records_each_fn *fn, void *arg)
{
	struct map_node *n;
	size_t i = 0, at = 0;

	for (n = map_next(&s->overruled, &i, NULL); n; n = map_next(&s->overruled, &i, n), at++)
		if (at >= place && !fn(arg, container_of(n, struct overruled, node)->conf))
			return OVERRULED_PLACE + at;
	return 0;
}

size_t sessions_records_from(const struct sessions *s, size_t place, records_each_fn *fn, void *arg)
{
	const struct device *d;

	while (place < OVERRULED_PLACE && (d = table_next(s, &place)))
		if (d->stored && !fn(arg, d->conf))
			return d->place;
	return overruled_from(s, place < OVERRULED_PLACE ? 0 : place - OVERRULED_PLACE, fn, arg);
}

bool sessions_record_overruled(const struct sessions *s, const char *name, char *why, size_t size)
{
	const struct overruled *o = overruled_find(s, name);
	struct fit f;

	if (!o || record_fits(s, o->conf, &f))
		return false;
	snprintf(why, size, "%s", f.why);
	return true;
}
