/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - many records at once: gathered and checked
 *
 * Records are gathered beside the devices, each checked by itself and against the others of the import; then all are
 * held against what is there; then they are stored as one and only then become devices. Gathering and checking are
 * paced by whoever asks, the rest by passes of the loop, so that a million records never hold up a unit.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "session/import_parts.h"

enum { TEXT_MOST = 400 };

/* ---- who is in it ---- */

/* An identity as octets, so that two ways of writing one address are one. */
struct id_key {
	const char *link, *text;
	enum link_id_kind kind;
	struct addr addr; /* of an address */
};

static struct id_key id_key_of(const struct device_conf *c)
{
	const struct link_identity id = device_identity(c);
	struct id_key k = { .link = c->link, .text = id.text, .kind = id.kind };
	struct addr a;

	if (k.kind == LINK_ID_ADDRESS && !addr_parse(&a, k.text, false))
		addr_from(&k.addr, &a.u.sa, a.len); /* v4 is v4, mapped or not */
	return k;
}

static uint64_t id_hash(const struct id_key *k)
{
	uint64_t h = map_hash(k->link, strlen(k->link)) ^ (uint64_t)k->kind;
	char text[ADDR_TEXT_MAX];

	if (!k->addr.len)
		return h ^ map_hash(k->text, strlen(k->text));
	addr_format(&k->addr, text, sizeof text);
	return h ^ map_hash(text, strlen(text));
}

static bool id_equal(const struct map_node *n, const void *key, size_t len)
{
	const struct id_key *a = key, b = id_key_of(container_of(n, struct staged, id)->conf);

	(void)len;
	if (a->kind != b.kind || strcmp(a->link, b.link) != 0)
		return false;
	return a->addr.len && b.addr.len ? addr_equal(&a->addr, &b.addr, true) : strcmp(a->text, b.text) == 0;
}

static bool name_equal(const struct map_node *n, const void *key, size_t len)
{
	const char *own = container_of(n, struct staged, name)->conf->head.name;

	return strlen(own) == len && memcmp(own, key, len) == 0;
}

static bool ep_equal(const struct map_node *n, const void *key, size_t len)
{
	const char *own = container_of(n, struct staged, ep)->conf->ep;

	return strlen(own) == len && memcmp(own, key, len) == 0;
}

static const struct staged *find_name(const struct import *im, const char *name)
{
	struct map_node *n = map_find(&im->names, map_hash(name, strlen(name)), name_equal, name, strlen(name));

	return n ? container_of(n, struct staged, name) : NULL;
}

static const struct staged *find_id(const struct import *im, const struct device_conf *c)
{
	const struct id_key k = id_key_of(c);
	struct map_node *n = map_find(&im->ids, id_hash(&k), id_equal, &k, sizeof k);

	return n ? container_of(n, struct staged, id) : NULL;
}

static const struct staged *find_ep(const struct import *im, const char *ep)
{
	struct map_node *n = ep ? map_find(&im->eps, map_hash(ep, strlen(ep)), ep_equal, ep, strlen(ep)) : NULL;

	return n ? container_of(n, struct staged, ep) : NULL;
}

bool import_has(const struct import *im, const struct device_conf *c)
{
	return find_name(im, c->head.name) || find_id(im, c) || find_ep(im, c->ep);
}

/* ---- gathering ---- */

int import_open(struct import **out, struct sessions *s)
{
	struct import *im;

	if (s->import)
		return -EBUSY;
	if (s->env.store && !store_is_usable(s->env.store))
		return -EROFS;
	im = calloc(1, sizeof *im);
	if (!im)
		return -ENOMEM;
	im->s = s;
	s->import = im;
	*out = im;
	return 0;
}

struct telling { /* of one line */
	struct import *im;
	unsigned line;
	import_fault_fn *fault;
	void *arg;
};

static void tell_text(void *arg, const char *text)
{
	const struct telling *t = arg;

	t->im->faults++;
	t->fault(t->arg, t->line, text);
}

static void tell_device(void *arg, const char *key, int index, const char *text)
{
	char all[TEXT_MOST + 200];

	if (index >= 0)
		snprintf(all, sizeof all, "%s[%d]: %s", key, index, text);
	else
		snprintf(all, sizeof all, "%s%s%s", key ? key : "", key ? ": " : "", text);
	tell_text(arg, all);
}

__attribute__((format(printf, 3, 4))) static void tell(struct telling *t, const char *key, const char *fmt, ...)
{
	char text[TEXT_MOST];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	tell_device(t, key, -1, text);
}

static const char *id_word(const struct device_conf *c)
{
	return c->external_id ? "external_id" : c->msisdn ? "msisdn" : "address";
}

/* Against the records that came before it in this import. */
static void check_staged(struct import *im, const struct device_conf *c, struct telling *t)
{
	const struct staged *other = find_name(im, c->head.name);

	if (other)
		tell(t, "name", "\"%s\" stands in line %u already", c->head.name, other->conf->head.at.line);
	other = find_id(im, c);
	if (other)
		tell(t, id_word(c), "\"%s\" is the identity of \"%s\" in line %u already", device_identity(c).text,
		     other->conf->head.name, other->conf->head.at.line);
	other = find_ep(im, c->ep);
	if (other)
		tell(t, "ep", "\"%s\" is the endpoint name of \"%s\" in line %u already", c->ep, other->conf->head.name,
		     other->conf->head.at.line);
}

static int make_room(struct import *im)
{
	size_t block = im->n / STAGED_BLOCK;

	if (im->n == im->records_size) {
		size_t size = im->records_size ? 2 * im->records_size : 16;
		struct store_record *grown = realloc(im->records, size * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		im->records = grown;
		im->records_size = size;
	}
	if (block == im->blocks_size) {
		struct staged **grown = realloc(im->blocks, (block + 1) * sizeof(struct staged *));

		if (!grown)
			return -ENOMEM;
		im->blocks = grown;
		grown[block] = malloc(STAGED_BLOCK * sizeof **grown);
		if (!grown[block])
			return -ENOMEM;
		im->blocks_size++;
	}
	return 0;
}

/* c and text are taken on success. */
static int stage(struct import *im, struct device_conf *c, char *text, size_t len)
{
	const struct id_key k = id_key_of(c);
	struct staged *st;
	int err = make_room(im);

	if (err)
		return err;
	st = staged_at(im, im->n);
	*st = (struct staged){ .conf = c };
	err = map_add(&im->names, &st->name, map_hash(c->head.name, strlen(c->head.name)));
	if (!err)
		err = map_add(&im->ids, &st->id, id_hash(&k));
	if (!err && c->ep)
		err = map_add(&im->eps, &st->ep, map_hash(c->ep, strlen(c->ep)));
	if (err) /* only while a map is empty: the import cannot go on */
		return err;
	im->records[im->n] = (struct store_record){ c->head.name, text, strlen(c->head.name), len };
	im->n++;
	return 0;
}

void import_fault(struct import *im, unsigned line, const char *text, import_fault_fn *fault, void *arg)
{
	struct telling t = { im, line, fault, arg };

	tell_text(&t, text);
}

bool import_key(struct import *im, const char *key, unsigned line, import_fault_fn *fault, void *arg)
{
	struct telling t = { im, line, fault, arg };

	return conf_record_key(device_items, key, tell_text, &t);
}

int import_add(struct import *im, unsigned line, const struct conf_pair *v, size_t n, import_fault_fn *fault, void *arg)
{
	struct telling t = { im, line, fault, arg };
	size_t before = im->faults, len;
	struct device_conf *c;
	void *record = NULL;
	char *text = NULL;
	int err;

	if (im->checked || im->phase != GATHER)
		return -EPROTO;
	if (im->n == IMPORT_MOST)
		return -ENOSPC;
	err = conf_record_new(&record, device_items, sizeof(struct device_conf), im->s->conf_dir, v, n, tell_text, &t);
	if (err)
		return err == -EINVAL ? 0 : err;
	c = record;
	c->head.at.line = line;
	(void)device_check(c, &im->s->lists, tell_device, &t);
	if (conf_record_files(device_items, c, tell_text, &t))
		(void)keys_check_files(c, tell_device, &t);
	if (im->faults == before) /* else an identity may be missing */
		check_staged(im, c, &t);
	if (im->faults == before) {
		text = record_text(c, &len);
		if (!text && len)
			tell(&t, NULL, "all values together are longer than %d octets", RECORD_TEXT_MOST);
		else if (!text)
			err = -ENOMEM;
	}
	if (text)
		err = stage(im, c, text, len);
	if (text && !err)
		return 0;
	free(text);
	free(c);
	return err;
}

/* ---- against what is there ---- */

/* A device of another name holds something; NULL: nobody does who keeps it. */
static const struct device *other_holder(const struct import *im, const struct device *d, const struct device_conf *c)
{
	if (!d || strcmp(device_name(d), c->head.name) == 0)
		return NULL;
	return d->stored && find_name(im, device_name(d)) ? NULL : d; /* that one gets another record in this import */
}

static void tell_holder(struct telling *t, const char *key, const char *text, const struct device *d)
{
	const struct conf_where *at = &d->conf->head.at;

	if (d->stored)
		tell(t, key, "\"%s\" is that of the stored device \"%s\" already", text, device_name(d));
	else
		tell(t, key, "\"%s\" is that of \"%s\" at %s:%u already", text, device_name(d), at->file, at->line);
}

static void check_live(struct import *im, const struct device_conf *c, struct telling *t)
{
	const struct sessions *s = im->s;
	const struct device *same = sessions_find(s, c->head.name), *d = other_holder(im, device_holding(s, c), c);
	char why[8];

	if (d)
		tell_holder(t, id_word(c), device_identity(c).text, d);
	d = c->ep ? sessions_find_ep(s, c->ep, strlen(c->ep)) : NULL;
	d = d && d->conf->ep ? other_holder(im, d, c) : NULL;
	if (d)
		tell_holder(t, "ep", c->ep, d);
	im->result.overruled += same && !same->stored;
	if ((same && same->stored) || sessions_record_overruled(s, c->head.name, why, sizeof why))
		im->result.replaced++;
	else
		im->result.added++;
}

bool import_check(struct import *im, size_t most, import_fault_fn *fault, void *arg)
{
	for (; most && im->checked < im->n; most--) {
		const struct device_conf *c = staged_at(im, im->checked++)->conf;
		struct telling t = { im, c->head.at.line, fault, arg };

		check_live(im, c, &t);
	}
	if (im->checked == im->n && im->phase == GATHER)
		im->phase = CHECKED;
	return im->checked < im->n;
}

size_t import_faults(const struct import *im)
{
	return im->faults;
}

struct import_result import_result(const struct import *im)
{
	return im->result;
}

void import_stale(struct import *im)
{
	if (im)
		im->stale = true;
}
