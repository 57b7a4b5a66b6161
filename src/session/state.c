/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - what is stored of a session, and how it comes back
 *
 * One record per device, written in ticks when it has changed: times as wall clock, names, octets, and limits of
 * message ids that are reserved ahead of their use. A restart continues behind them, on the same ports and with the
 * same tokens.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define FORM 3 /* 1 had no objects and no targets of observations, 2 nothing to resume */
#define RECORD_MAX 65536
#define OBJECTS_MOST 512  /* that are stored of one registration */
#define SAVE_MS 50        /* changes within this go in one record */
#define HEARD_S 5         /* how stale the time of the last unit may be */
#define TOKENS_SKIPPED 61 /* per life that wrote nothing: a device may still answer to them */

/* ---- writing ---- */

static void write_text(struct writer *w, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	write_u8(w, (uint8_t)len);
	write_bytes(w, s, len);
}

static void write_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

static void write_registration(struct writer *w, const struct registration *r)
{
	write_u64(w, clock_steady_to_wall(r->since_ms));
	write_u64(w, clock_steady_to_wall(r->expires_ms));
	write_u64(w, r->lifetime_s);
	write_u8(w, r->version);
	write_u8(w, r->queue_mode);
	write_text(w, r->binding);
	write_u16(w, r->location_len);
	write_bytes(w, r->location, r->location_len);
	lwm2m_objects_write(w, r->objects, OBJECTS_MOST);
}

static void write_target(struct writer *w, const struct mirror_target *t)
{
	write_u8(w, (uint8_t)(t->known | t->composite << 1));
	write_u8(w, t->path.depth);
	for (unsigned i = 0; i < t->path.depth; i++)
		write_u16(w, t->path.id[i]);
}

static void write_relation(struct writer *w, const struct relation *r)
{
	write_u8(w, r->ts_len);
	write_bytes(w, r->ts, r->ts_len);
	write_u8(w, r->tn_len);
	write_bytes(w, r->tn, r->tn_len);
	write_u8(w, r->live);
	write_u8(w, r->mids_n);
	for (unsigned i = 0; i < r->mids_n; i++)
		write_u16(w, r->mids[i]);
	write_target(w, &r->target);
}

/* What else there is of an association. */
enum assoc_flag { HAS_REGISTRATION = 1, HAS_RDS = 2, IS_SWITCHING = 4, USES_OSCORE = 8 };

static void write_assoc(struct writer *w, struct assoc *a, bool resume)
{
	size_t len;
	const uint8_t *data = assoc_resumption(a, &len);

	write_text(w, a->srv->conf->head.name);
	write_u16(w, resume ? (uint16_t)len : 0);
	write_bytes(w, data, resume ? len : 0);
	write_u16(w, north_assoc_port(a->north));
	write_u16(w, coap_peer_reserve(&a->peer));
	write_u8(w,
		 (uint8_t)((a->reg ? HAS_REGISTRATION : 0) | (a->rds != RDS_NONE ? HAS_RDS : 0) |
			   (a->switching ? IS_SWITCHING : 0) | (a->oscore ? USES_OSCORE : 0)));
	if (a->reg)
		write_registration(w, a->reg);
	if (a->rds != RDS_NONE)
		write_u16(w, a->rds);
	write_u16(w, a->relations_n);
	for (const struct relation *r = a->relations; r; r = r->next)
		write_relation(w, r);
}

/* resume false: without what makes handshakes short, which may be long itself. */
static size_t write_device(struct device *d, uint8_t *buf, size_t size, bool resume)
{
	struct writer w = writer_of(buf, size);
	uint8_t assocs = 0;

	for (const struct assoc *a = d->assocs; a; a = a->next)
		assocs++;
	write_u8(&w, FORM);
	write_u64(&w, store_life(d->all->env.store));
	write_u64(&w, d->last_up_wall_ms);
	write_u64(&w, d->last_down_wall_ms);
	write_u8(&w, (uint8_t)(d->barred | d->asleep << 1 | d->veiled << 2));
	write_u16(&w, coap_peer_reserve(&d->south));
	write_u8(&w, d->next_token);
	write_text(&w, d->ep_learned);
	write_u8(&w, assocs);
	for (struct assoc *a = d->assocs; a; a = a->next)
		write_assoc(&w, a, resume);
	budget_write(&w, d);
	relay_write(&w, d);
	return w.failed ? 0 : writer_len(&w);
}

void device_save(struct device *d)
{
	const char *name = device_name(d);
	uint8_t buf[RECORD_MAX];
	size_t len = write_device(d, buf, sizeof buf, true);

	if (!len)
		len = write_device(d, buf, sizeof buf, false);
	device_clean(d);
	d->saved_s = (uint32_t)(clock_now_ms() / 1000);
	if (len)
		store_put(d->all->env.store, STORE_SESSION, name, strlen(name), buf, len);
	else
		log_ev(LOG_ERROR, ROOM, "state.too_large", LF_STR("dev", name));
}

void sessions_save(struct sessions *s)
{
	while (s->dirty) {
		struct device *d = s->dirty;

		device_save(d);
	}
}

static void on_save(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	sessions_save(container_of(t, struct sessions, save));
}

void device_touch(struct device *d)
{
	struct sessions *s = d->all;

	if (!s->env.store || s->ending || d->dirty)
		return;
	d->dirty = true;
	d->next_dirty = s->dirty;
	s->dirty = d;
	if (!timer_is_set(&s->save))
		timer_set(s->env.timers, &s->save, clock_now_ms() + SAVE_MS, on_save);
}

static bool ids_are_low(const struct device *d)
{
	if (d->south.mids_low)
		return true;
	for (const struct assoc *a = d->assocs; a; a = a->next)
		if (a->peer.mids_low)
			return true;
	return false;
}

void device_heard(struct device *d)
{
	if (clock_now_ms() / 1000 - d->saved_s >= HEARD_S || ids_are_low(d))
		device_touch(d);
}

void device_clean(struct device *d)
{
	struct device **at = &d->all->dirty;

	if (!d->dirty)
		return;
	while (*at != d)
		at = &(*at)->next_dirty;
	*at = d->next_dirty;
	d->dirty = false;
}

void device_forget(struct device *d)
{
	struct sessions *s = d->all;

	device_clean(d);
	if (s->env.store && !s->ending)
		store_delete(s->env.store, STORE_SESSION, device_name(d), strlen(device_name(d)));
}

/* ---- reading ---- */

static uint64_t read_u64(struct reader *r)
{
	uint64_t high = read_u32(r);

	return high << 32 | read_u32(r);
}

/* A text of at most size - 1 octets, NUL-terminated. */
static void read_text(struct reader *r, char *buf, size_t size)
{
	size_t len = read_u8(r);
	const uint8_t *p = read_span(r, len);

	if (!p || len >= size) {
		r->failed = true;
		len = 0;
	}
	if (len)
		memcpy(buf, p, len);
	buf[len] = 0;
}

static struct registration *read_registration(struct reader *r, unsigned form)
{
	struct registration head = { 0 }, *reg;
	char binding[8];
	const uint8_t *location;

	head.since_ms = read_u64(r);
	head.expires_ms = read_u64(r);
	head.lifetime_s = read_u64(r);
	head.version = read_u8(r);
	head.queue_mode = read_u8(r);
	read_text(r, binding, sizeof binding);
	head.location_len = read_u16(r);
	location = read_span(r, head.location_len);
	if (form > 1)
		head.objects = lwm2m_objects_read(r);
	reg = location ? malloc(sizeof *reg + head.location_len) : NULL;
	if (!reg) {
		lwm2m_objects_free(head.objects);
		return NULL;
	}
	*reg = head;
	memcpy(reg->binding, binding, sizeof reg->binding);
	memcpy(reg->location, location, head.location_len);
	return reg;
}

static struct mirror_target read_target(struct reader *r)
{
	uint8_t flags = read_u8(r);
	struct mirror_target t = { .known = flags & 1, .composite = flags & 2, .path.depth = read_u8(r) };

	if (t.path.depth > 4) {
		r->failed = true;
		return (struct mirror_target){ 0 };
	}
	for (unsigned i = 0; i < t.path.depth; i++)
		t.path.id[i] = read_u16(r);
	return t;
}

static void read_relation(struct reader *r, struct assoc *a, unsigned form)
{
	struct mirror_target target = { 0 };
	struct coap_msg ask = { 0 };
	uint8_t ts[4] = { 0 }, ts_len = read_u8(r), live, n;
	struct relation *rel;

	if (ts_len > sizeof ts)
		r->failed = true;
	read_into(r, ts, ts_len);
	ask.token_len = read_u8(r);
	if (ask.token_len > COAP_TOKEN_MAX)
		r->failed = true;
	read_into(r, ask.token, ask.token_len);
	live = read_u8(r);
	n = read_u8(r);
	rel = r->failed || n > NOTE_MIDS || !a ? NULL : relation_new(a, ts, ts_len, &ask);
	for (unsigned i = 0; i < n; i++) {
		uint16_t mid = read_u16(r);

		if (rel && !r->failed)
			rel->mids[i] = mid;
	}
	if (form > 1)
		target = read_target(r);
	if (!rel)
		return;
	rel->target = target;
	rel->live = live;
	rel->mids_n = n;
	rel->mids_at = (uint8_t)(n % NOTE_MIDS);
}

/* Lives between the one that wrote a record and this one: each may have used a reservation that never got to the disk.
 */
static uint64_t lives_between(struct reader *r, const struct device *d)
{
	uint64_t then = read_u64(r), now = store_life(d->all->env.store);

	return now > then + 1 ? now - then - 1 : 0;
}

static void restore_mid(struct coap_peer *p, uint16_t limit, uint64_t lives)
{
	coap_peer_restore_mid(p, (uint16_t)(limit + lives * COAP_MIDS_RESERVED));
}

static void read_assoc(struct reader *r, struct device *d, uint64_t lives, unsigned form)
{
	char name[256];
	struct registration *reg;
	struct server *srv;
	struct assoc *a;
	uint16_t port, limit, relations, rds, resume_len;
	const uint8_t *resume;
	uint8_t flags;

	read_text(r, name, sizeof name);
	resume_len = form > 2 ? read_u16(r) : 0;
	resume = read_span(r, resume_len);
	port = read_u16(r);
	limit = read_u16(r);
	srv = server_by_name(d->all, name);
	a = r->failed || !srv ? NULL : assoc_open(d, srv, port, resume, resume_len);
	flags = read_u8(r);
	reg = flags & HAS_REGISTRATION ? read_registration(r, form) : NULL;
	rds = flags & HAS_RDS ? read_u16(r) : RDS_NONE;
	relations = read_u16(r);
	for (unsigned i = 0; i < relations && !r->failed; i++)
		read_relation(r, a && !a->srv->stream ? a : NULL, form); /* those on a stream ended with it */
	if (!a) {
		registration_free(reg);
		return;
	}
	if (reg && reg->lifetime_s && !d->all->clock_trusted) /* nobody knows how much of it has passed */
		reg->expires_ms = clock_steady_ms() + reg->lifetime_s * 1000;
	a->reg = reg;
	a->rds = rds & 0x1ffu;
	a->switching = flags & IS_SWITCHING;
	a->oscore = flags & USES_OSCORE;
	expire_watch(a);
	restore_mid(&a->peer, limit, lives);
}

struct states {
	struct sessions *s;
	size_t at; /* place of the device that the next record is likely to be of */
};

/* Stored devices stand in the order of their names, which is that of the records: most need no search. */
static struct device *next_named(struct states *in, const char *name)
{
	size_t at = in->at;
	struct device *d = table_next(in->s, &at);

	if (!d || strcmp(device_name(d), name) != 0)
		d = sessions_find(in->s, name);
	if (d)
		in->at = d->place + 1;
	return d;
}

static int on_state(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct states *in = arg;
	struct sessions *s = in->s;
	struct reader r = reader_of(data, len);
	char name[256], ep[256];
	struct device *d;
	uint8_t form, flags, assocs;
	uint64_t lives;

	if (key_len >= sizeof name)
		return 0;
	memcpy(name, key, key_len);
	name[key_len] = 0;
	d = next_named(in, name);
	form = read_u8(&r);
	if (!d || !form || form > FORM)
		return 0;
	lives = lives_between(&r, d);
	d->last_up_wall_ms = read_u64(&r);
	d->last_down_wall_ms = read_u64(&r);
	flags = read_u8(&r);
	d->barred = flags & 1;
	d->veiled = flags & 4;
	d->asleep = flags & 2;
	restore_mid(&d->south, read_u16(&r), lives);
	d->next_token = (uint8_t)(read_u8(&r) + lives * TOKENS_SKIPPED);
	read_text(&r, ep, sizeof ep);
	if (*ep && !d->conf->ep)
		(void)device_learn_ep(d, &(struct coap_text){ ep, strlen(ep) });
	assocs = read_u8(&r);
	for (unsigned i = 0; i < assocs && !r.failed; i++)
		read_assoc(&r, d, lives, form);
	if (reader_left(&r))
		budget_read(&r, d, s->clock_trusted);
	if (reader_left(&r))
		relay_read(&r, d);
	d->heard = d->last_up_wall_ms != 0;
	if (r.failed)
		log_ev(LOG_ERROR, ROOM, "state.damaged", LF_STR("dev", name));
	return 0;
}

int state_restore(struct sessions *s)
{
	struct states in = { s, 0 };

	return store_each(s->env.store, STORE_SESSION, on_state, &in);
}

int sessions_restore(struct sessions *s)
{
	int err;

	if (!s->env.store)
		return 0;
	s->clock_trusted = store_clock_is_trusted(s->env.store);
	err = state_restore(s);
	if (!err)
		err = asks_restore(s);
	return err ? err : journal_restore(s);
}
