/* SPDX-License-Identifier: Apache-2.0 */
/* provision.c - stored device records: as text, among the devices, and aside
 *
 * A record that is in effect belongs to its device and costs nothing beside it. One that the files overrule, or that no
 * longer fits the configuration, waits in a map of its own until it can be in effect again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define FORM "1\n" /* first line of a stored record: the version of its form */
#define PAIRS_MAX 1024
#define OVERRULED_PLACE ((size_t)1 << 40) /* from here on the map of those aside is meant */
#define LOG_EVERY_MS 1000

/* ---- as text: a line per value, lists entry by entry ---- */

struct text {
	char *buf;
	size_t len;
};

static void put(struct text *t, const char *s, size_t len)
{
	if (t->len + len <= RECORD_TEXT_MOST)
		memcpy(t->buf + t->len, s, len);
	t->len += len;
}

static void put_pair(void *arg, const struct conf_pair *p, bool list)
{
	(void)list;
	put(arg, p->key, strlen(p->key));
	put(arg, "=", 1);
	put(arg, p->value, strlen(p->value));
	put(arg, "\n", 1);
}

char *record_text(const struct device_conf *c, size_t *len)
{
	char buf[RECORD_TEXT_MOST], *text;
	struct text t = { buf, 0 };

	put(&t, FORM, strlen(FORM));
	conf_record_each(device_items, c, put_pair, &t);
	*len = t.len;
	if (t.len > sizeof buf)
		return NULL;
	text = malloc(t.len);
	if (text)
		memcpy(text, buf, t.len);
	else
		*len = 0;
	return text;
}

static void log_pair_fault(void *arg, const char *text)
{
	log_ev(LOG_ERROR, ROOM, "record.fault", LF_STR("dev", arg), LF_STR("reason", text));
}

/* Cuts the lines of text into pairs; buf is text's place from now on. 0 for what is none of ours. */
static size_t split(struct conf_pair *v, char *buf, size_t len)
{
	size_t n = 0;

	if (len < strlen(FORM) || memcmp(buf, FORM, strlen(FORM)) != 0 || memchr(buf, '\0', len))
		return 0;
	for (char *at = buf + strlen(FORM), *end = buf + len; at < end;) {
		char *stop = memchr(at, '\n', (size_t)(end - at)),
		     *value = stop ? memchr(at, '=', (size_t)(stop - at)) : NULL;

		if (!value || n == PAIRS_MAX)
			return 0;
		*stop = *value = '\0';
		v[n++] = (struct conf_pair){ at, value + 1, true };
		at = stop + 1;
	}
	return n;
}

static int record_read(struct device_conf **out, const char *name, const void *data, size_t len)
{
	struct conf_pair v[PAIRS_MAX + 1];
	char buf[RECORD_TEXT_MOST];
	void *c = NULL;
	size_t n;
	int err;

	if (len > sizeof buf)
		return -EBADMSG;
	memcpy(buf, data, len);
	n = split(v, buf, len);
	if (!n)
		return -EBADMSG;
	v[n++] = (struct conf_pair){ "name", name, false };
	err = conf_record_new(&c, device_items, sizeof(struct device_conf), v, n, log_pair_fault,
			      (void *)(uintptr_t)name);
	*out = c;
	return err;
}

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

/* Out of the map; the record is the caller's. */
static struct device_conf *overruled_end(struct sessions *s, struct overruled *o)
{
	struct device_conf *c = o->conf;

	map_remove(&s->overruled, &o->node);
	s->unsound -= !o->by_name;
	free(o);
	return c;
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
	struct overruled *before = overruled_find(s, c->head.name);
	struct device *d = NULL;
	struct fit f;
	bool fits;

	if (before)
		free(overruled_end(s, before));
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

/* ---- at the start ---- */

struct restoring {
	struct sessions *s;
	size_t n, faulty;
};

static int on_record(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct restoring *r = arg;
	struct device_conf *c;
	char name[256];
	int err = -EBADMSG;

	if (key_len < sizeof name) {
		memcpy(name, key, key_len);
		name[key_len] = '\0';
		err = record_read(&c, name, data, len);
	}
	if (err == -ENOMEM)
		return err;
	if (err) {
		log_ev(LOG_ERROR, ROOM, "record.damaged", LF_BYTES("dev", key, key_len));
		r->faulty++;
		return 0;
	}
	r->n++;
	(void)record_place(r->s, c);
	return 0;
}

int sessions_restore_records(struct sessions *s)
{
	struct restoring r = { s, 0, 0 };
	int err = s->env.store ? store_each(s->env.store, STORE_DEVICE, on_record, &r) : 0;

	table_shrink(s);
	records_tell(s);
	if (r.n || r.faulty)
		log_ev(LOG_INFO, ROOM, "records.restored", LF_UINT("records", r.n),
		       LF_UINT("overruled", s->overruled.count), LF_UINT("faulty", r.faulty));
	return err;
}

/* ---- removing ---- */

struct removal {
	struct store_wait wait;
	struct timer timer; /* where nothing is stored */
	struct sessions *all;
	removal_fn *fn;
	void *arg;
};

static void removal_end(struct removal *r, int err)
{
	removal_fn *fn = r->fn;
	void *arg = r->arg;

	free(r);
	fn(arg, err);
}

static void on_removed(struct store_wait *w, int err)
{
	removal_end(container_of(w, struct removal, wait), err);
}

static void on_removed_without_store(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	removal_end(container_of(t, struct removal, timer), 0);
}

void removal_forget(struct removal *r)
{
	if (!r)
		return;
	if (r->all->env.store)
		store_forget(r->all->env.store, &r->wait);
	timer_cancel(r->all->env.timers, &r->timer);
	free(r);
}

/* The device at once, the record when the store comes to it. */
static void remove_now(struct sessions *s, const char *name, struct device *d, struct overruled *o)
{
	if (s->env.store)
		store_delete(s->env.store, STORE_DEVICE, name, strlen(name));
	if (o)
		free(overruled_end(s, o));
	if (d && d->stored)
		device_remove(d, true);
	records_tell(s);
}

int sessions_remove_record(struct sessions *s, const char *name, struct removal **out, removal_fn *fn, void *arg)
{
	struct overruled *o = overruled_find(s, name);
	struct device *d = sessions_find(s, name);
	struct removal *r;

	if (!o && (!d || !d->stored))
		return d ? -EPERM : -ENOENT;
	if (import_is_committed(s->import))
		return -EBUSY;
	r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	*r = (struct removal){ .wait.fn = on_removed, .all = s, .fn = fn, .arg = arg };
	remove_now(s, name, d, o);
	if (s->env.store)
		store_flush(s->env.store, &r->wait);
	else
		timer_set(s->env.timers, &r->timer, clock_now_ms(), on_removed_without_store);
	*out = r;
	return 0;
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
