/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c - what a link remembers of its devices over a restart
 *
 * One record per device: its configuration at the peer with the time at which it ends, what the peer said of the
 * device, and the deliveries that the peer keeps. It is written when one of these changes, never for a unit that is
 * answered at once, and only when it differs from what is stored. Records are read when the link opens and wait for
 * their devices; a record of another peer (the link has a new api_root or scs_as_id) is worth nothing. Times are wall
 * clock, in seconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/octets.h"
#include "base/siphash.h"
#include "link/t8/t8.h"
#include "store/store.h"

#define FORM 1
#define KEY_MAX (512 + T8_ID_MAX) /* a link of a longer name remembers nothing */
#define RECORD_MAX (2048 + PENDING_MAX * (32 + T8_TAIL_MAX))
#define ONCE_NOTED_MS 1000
#define UNCLAIMED_MS 60000u /* devices of the configuration are there long before */
#define HOUR_S 3600u
#define DAY_S 86400u

/* How a state is written. What is under way at the end is begun anew, so those states are not here. */
enum { KEPT_ABSENT, KEPT_ACTIVE, KEPT_TERMINATED, KEPT_REJECTED, KEPT_BARRED };
static const uint8_t kept_states[T8_CFG_COUNT] = {
	[T8_CFG_STALE] = KEPT_ACTIVE,          [T8_CFG_PATCHING] = KEPT_ACTIVE,   [T8_CFG_ACTIVE] = KEPT_ACTIVE,
	[T8_CFG_RENEWING] = KEPT_ACTIVE,       [T8_CFG_REJECTED] = KEPT_REJECTED, [T8_CFG_BARRED] = KEPT_BARRED,
	[T8_CFG_TERMINATED] = KEPT_TERMINATED,
};
enum { FLAG_PROVEN = 1 };

struct t8_kept {
	struct map_node node;
	size_t len, id_len;
	char id[]; /* and the record behind it */
};

static const uint8_t *data_of(const struct t8_kept *k)
{
	return (const uint8_t *)k->id + k->id_len;
}

static bool kept_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct t8_kept *k = container_of((struct map_node *)(uintptr_t)n, struct t8_kept, node);

	return k->id_len == len && !memcmp(k->id, key, len);
}

static uint64_t hash_of(const struct t8_link *l, const void *data, size_t len)
{
	return siphash(l->base.env->key, data, len);
}

uint64_t t8_keep_hash(const struct t8_link *l, const void *data, size_t len)
{
	return hash_of(l, data, len);
}

/* Tails mean something only at the peer they come from. */
static uint64_t peer_of(const struct t8_link *l)
{
	char text[2048];
	int n = snprintf(text, sizeof text, "%s %s", l->conf->api_root, l->conf->scs_as_id);

	return hash_of(l, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static size_t key_of(const struct t8_link *l, uint8_t key[KEY_MAX], const char *id, size_t id_len)
{
	struct writer w = writer_of(key, KEY_MAX);

	write_bytes(&w, t8_name(l), strlen(t8_name(l)) + 1);
	write_bytes(&w, id, id_len);
	return w.failed ? 0 : writer_len(&w);
}

/* ---- writing ---- */

static void write_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

static void write_text(struct writer *w, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	write_u16(w, (uint16_t)len);
	write_bytes(w, text, len);
}

/* A time on the clock of the wall; 0 stays 0. */
static uint32_t seconds_of(uint64_t at_ms)
{
	uint64_t now = clock_now_ms(), wall = clock_wall_ms();

	if (!at_ms)
		return 0;
	if (at_ms >= now)
		return (uint32_t)((wall + (at_ms - now)) / 1000);
	return now - at_ms < wall ? (uint32_t)((wall - (now - at_ms)) / 1000) : 1;
}

/* The same in whole minutes: a second more or less in what the peer says again and again is no change. */
static uint32_t minutes_of(uint64_t at_ms)
{
	return seconds_of(at_ms) / 60 * 60;
}

static void write_delivery(struct writer *w, uint64_t key, uint64_t hash, size_t len, uint64_t until_ms,
			   const char *tail)
{
	write_u64(w, key);
	write_u64(w, hash);
	write_u16(w, (uint16_t)len);
	write_u32(w, minutes_of(until_ms));
	write_text(w, tail);
}

/* What the peer keeps, and the request that has waited for its answer for a while. */
static void write_deliveries(struct writer *w, const struct t8_dev *d)
{
	const struct t8_busy *b = d->busy;
	const struct t8_item *out = b && b->flying && b->flying->noted ? b->flying : NULL;
	const struct t8_pending *p;

	write_u16(w, (uint16_t)(b ? b->pendings + (out != NULL) : 0));
	if (!b)
		return;
	LIST_FOREACH(p, &b->pending, mate)
	write_delivery(w, p->key, p->hash, p->len, p->until_ms, p->tail);
	if (out)
		write_delivery(w, out->key, hash_of(t8_of((struct t8_dev *)(uintptr_t)d), out->data, out->len),
			       out->len, out->deadline_ms, "");
}

static size_t write_record(const struct t8_dev *d, uint8_t *buf, size_t size)
{
	struct writer w = writer_of(buf, size);

	write_u8(&w, FORM);
	write_u64(&w, ((const struct t8_link *)d->base.link)->peer);
	write_u8(&w, kept_states[d->state]);
	write_u8(&w, d->flags & D_PROVEN ? FLAG_PROVEN : 0);
	write_u8(&w, d->losses);
	write_u16(&w, d->mtu_peer);
	write_u32(&w, d->life_s);
	write_u32(&w, minutes_of((uint64_t)d->expires_s * 1000));
	write_u32(&w, minutes_of((uint64_t)d->retry_s * 1000));
	write_u32(&w, seconds_of((uint64_t)d->asleep_s * 1000));
	write_text(&w, d->alias ? d->alias->id : NULL);
	write_text(&w, kept_states[d->state] == KEPT_ACTIVE ? d->tail : NULL);
	write_deliveries(&w, d);
	return w.failed ? 0 : writer_len(&w);
}

static bool is_worth_it(const struct t8_dev *d)
{
	return kept_states[d->state] != KEPT_ABSENT || d->alias || d->mtu_peer ||
		(d->busy && (d->busy->pendings || (d->busy->flying && d->busy->flying->noted)));
}

void t8_keep(struct t8_dev *d)
{
	struct t8_link *l = t8_of(d);
	uint8_t key[KEY_MAX], record[RECORD_MAX];
	size_t key_len, len;
	uint32_t hash;

	if (!l->base.env->store || l->closing || l->restoring)
		return;
	if (!is_worth_it(d)) {
		t8_keep_forget(d);
		return;
	}
	key_len = key_of(l, key, d->id, strlen(d->id));
	len = write_record(d, record, sizeof record);
	hash = (uint32_t)hash_of(l, record, len) | 1;
	if (!len || !key_len || hash == d->kept)
		return;
	store_put(l->base.env->store, STORE_LINK, key, key_len, record, len);
	d->kept = hash;
}

void t8_keep_forget(struct t8_dev *d)
{
	struct t8_link *l = t8_of(d);
	uint8_t key[KEY_MAX];
	size_t len = key_of(l, key, d->id, strlen(d->id));

	if (d->kept && len && l->base.env->store)
		store_delete(l->base.env->store, STORE_LINK, key, len);
	d->kept = 0;
}

/* Whether the store should know of the request c by now. An answer that goes twice does no harm, so most are over
 * before. */
static bool is_to_be_noted(const struct t8_call *c)
{
	const struct t8_item *it = c->op == T8_OP_DELIVER && c->d && c->d->busy ? c->d->busy->flying : NULL;

	return it && it->key && !it->noted && (!it->once || clock_now_ms() - c->started_ms >= ONCE_NOTED_MS);
}

/* Requests that were not answered within a tick: an answer that comes at once costs nothing here. */
void t8_keep_flying(struct t8_link *l)
{
	struct t8_call *c;

	if (!l->base.env->store)
		return;
	LIST_FOREACH(c, &l->calls, link)
	if (is_to_be_noted(c)) {
		c->d->busy->flying->noted = true;
		t8_keep(c->d);
	}
}

/* ---- reading ---- */

static uint64_t read_u64(struct reader *r)
{
	uint64_t high = read_u32(r);

	return high << 32 | read_u32(r);
}

static bool read_text(struct reader *r, char *text, size_t size)
{
	size_t len = read_u16(r);

	if (len >= size)
		r->failed = true;
	else
		read_into(r, text, len);
	text[r->failed ? 0 : len] = '\0';
	return len && !r->failed;
}

/* A kept time on today's clock, not further away than most_ms either way; 0 stays 0. Without a clock that can be
 * trusted it is most_ms ahead. */
static uint64_t ms_of(const struct t8_link *l, uint32_t seconds, uint64_t most_ms)
{
	uint64_t now = clock_now_ms(), wall = clock_wall_ms(), at = (uint64_t)seconds * 1000;

	if (!seconds)
		return 0;
	if (!store_clock_is_trusted(l->base.env->store))
		return now + most_ms;
	if (at >= wall)
		return now + (at - wall < most_ms ? at - wall : most_ms);
	return wall - at < now ? now - (wall - at) : 1;
}

static uint32_t s_of(const struct t8_link *l, uint32_t seconds, uint32_t most_s)
{
	uint64_t ms = ms_of(l, seconds, (uint64_t)most_s * 1000);

	return ms ? (uint32_t)(ms / 1000) + 1 : 0;
}

static void read_deliveries(struct t8_dev *d, struct reader *r)
{
	struct t8_link *l = t8_of(d);
	unsigned n = read_u16(r);
	char tail[T8_TAIL_MAX];
	struct t8_item it = { 0 };

	while (n-- && !r->failed) {
		uint64_t hash, now = clock_now_ms();

		it.key = read_u64(r);
		hash = read_u64(r);
		it.len = read_u16(r);
		it.deadline_ms = ms_of(l, read_u32(r), 2u * DAY_S * 1000);
		read_text(r, tail, sizeof tail);
		if (r->failed || it.deadline_ms <= now || (!*tail && d->state != T8_CFG_ACTIVE))
			continue;
		t8_pending_restore(d, tail, it.key, hash, it.len, now + DAY_S * 1000ull);
	}
	if (d->busy && d->state == T8_CFG_ACTIVE)
		t8_resume_want(d);
}

/* The configuration as it was, unless its time has come to an end meanwhile. */
static void revive(struct t8_dev *d, uint8_t state, uint32_t expires, uint32_t retry, const char *tail)
{
	struct t8_link *l = t8_of(d);
	bool trusted = store_clock_is_trusted(l->base.env->store);
	uint32_t now = t8_now_s();

	switch (state) {
	case KEPT_ACTIVE:
		if (trusted && expires)
			d->expires_s = s_of(l, expires, UINT32_MAX / 2);
		if (d->expires_s && d->expires_s <= now) {
			d->expires_s = 0;
			return;
		}
		t8_dev_set_tail(d, tail);
		if (!d->tail)
			return;
		d->state = T8_CFG_ACTIVE;
		d->active_s = now;
		if (d->expires_s)
			d->renew_s = d->expires_s > now + d->life_s / 5 ? d->expires_s - d->life_s / 5 : now;
		break;
	case KEPT_TERMINATED:
		d->state = T8_CFG_TERMINATED;
		d->active_s = now;
		d->retry_s = s_of(l, retry, HOUR_S);
		break;
	case KEPT_REJECTED:
		d->state = T8_CFG_REJECTED;
		d->retry_s = s_of(l, retry, HOUR_S);
		break;
	case KEPT_BARRED:
		d->state = T8_CFG_BARRED;
		d->retry_s = s_of(l, retry, DAY_S);
		d->flags |= D_BARRED | D_NEWS;
		break;
	default:
		break;
	}
}

static void read_record(struct t8_dev *d, struct reader *r)
{
	struct t8_link *l = t8_of(d);
	uint8_t state = read_u8(r), flags = read_u8(r);
	uint32_t expires, retry, asleep;
	char alias[T8_ID_MAX + 1], tail[T8_TAIL_MAX];
	uint16_t size;

	d->losses = read_u8(r);
	size = read_u16(r);
	d->life_s = read_u32(r);
	expires = read_u32(r);
	retry = read_u32(r);
	asleep = read_u32(r);
	if (read_text(r, alias, sizeof alias))
		t8_dev_learn_alias(d, alias[0] == 'e' ? alias + 1 : "", alias[0] == 'm' ? alias + 1 : "");
	read_text(r, tail, sizeof tail);
	if (r->failed)
		return;
	if (flags & FLAG_PROVEN)
		d->flags |= D_PROVEN;
	if (size) {
		d->mtu_peer = size;
		d->flags |= D_MTU_NEWS | D_NEWS;
	}
	d->asleep_s = s_of(l, asleep, DAY_S);
	if (d->asleep_s > t8_now_s())
		d->flags |= D_NEWS;
	else
		d->asleep_s = 0;
	revive(d, state, expires, retry, tail);
	read_deliveries(d, r);
}

static void kept_free(struct t8_link *l, struct t8_kept *k)
{
	map_remove(&l->kept, &k->node);
	free(k);
}

void t8_keep_restore(struct t8_dev *d)
{
	struct t8_link *l = t8_of(d);
	size_t len = strlen(d->id);
	struct map_node *n = map_find(&l->kept, map_hash(d->id, len), kept_eq, d->id, len);
	struct t8_kept *k = n ? container_of(n, struct t8_kept, node) : NULL;
	struct reader r;

	if (!k)
		return;
	r = reader_of(data_of(k), k->len);
	d->kept = (uint32_t)hash_of(l, data_of(k), k->len) | 1;
	l->restoring = true;
	if (read_u8(&r) == FORM && read_u64(&r) == l->peer)
		read_record(d, &r);
	l->restoring = false;
	if (d->flags & D_NEWS)
		l->news = true;
	kept_free(l, k);
	if (!is_worth_it(d))
		t8_keep_forget(d);
}

static int on_record(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct t8_link *l = arg;
	size_t name_len = strlen(t8_name(l)) + 1;
	struct t8_kept *k;

	if (key_len <= name_len || memcmp(key, t8_name(l), name_len))
		return 0;
	k = calloc(1, sizeof *k + key_len - name_len + len);
	if (!k)
		return -ENOMEM;
	k->id_len = key_len - name_len;
	k->len = len;
	memcpy(k->id, (const char *)key + name_len, k->id_len);
	memcpy(k->id + k->id_len, data, len);
	if (map_add(&l->kept, &k->node, map_hash(k->id, k->id_len))) {
		free(k);
		return -ENOMEM;
	}
	return 0;
}

int t8_keep_open(struct t8_link *l)
{
	l->peer = peer_of(l);
	l->unclaimed_ms = clock_now_ms() + UNCLAIMED_MS;
	return l->base.env->store ? store_each(l->base.env->store, STORE_LINK, on_record, l) : 0;
}

static void drop_all(struct t8_link *l, bool delete)
{
	struct map_node *n;
	size_t i = 0;

	while ((n = map_next(&l->kept, &i, NULL))) {
		struct t8_kept *k = container_of(n, struct t8_kept, node);
		uint8_t key[KEY_MAX];
		size_t len = key_of(l, key, k->id, k->id_len);

		if (delete &&len)
			store_delete(l->base.env->store, STORE_LINK, key, len);
		kept_free(l, k);
		i = 0;
	}
	map_fini(&l->kept);
}

void t8_keep_unclaimed(struct t8_link *l)
{
	if (l->unclaimed_ms && clock_now_ms() >= l->unclaimed_ms) {
		l->unclaimed_ms = 0;
		drop_all(l, true);
	}
}

void t8_keep_close(struct t8_link *l)
{
	drop_all(l, false);
}

/* ---- what the session has to be told of it: not before the loop runs, so that it is ready ---- */

static void tell_one(struct t8_dev *d)
{
	d->flags &= (uint16_t)~D_NEWS;
	if (d->flags & D_MTU_NEWS) {
		d->flags &= (uint16_t)~D_MTU_NEWS;
		if (!t8_tell_device(d, LINK_DEV_MTU, 0, d->mtu_peer))
			return;
	}
	if (d->state == T8_CFG_BARRED)
		t8_tell_device(d, LINK_DEV_BARRED, 0, 0);
	else if (d->asleep_s && t8_tell_device(d, LINK_DEV_ASLEEP, (uint64_t)d->asleep_s * 1000, 0))
		t8_deliver_fail_all(d, LINK_CAUSE_ASLEEP, (uint64_t)d->asleep_s * 1000);
}

void t8_keep_tell(struct t8_link *l)
{
	if (!l->news)
		return;
	l->news = false;
	for (uint32_t i = l->devs_n;
	     i-- > 0;) /* one that goes meanwhile gives its place to one that was told already */
		if (i < l->devs_n && l->devs[i]->flags & D_NEWS)
			tell_one(l->devs[i]);
}
