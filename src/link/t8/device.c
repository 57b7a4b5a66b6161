/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - what is kept of a device
 *
 * One compact record; what only a busy device needs hangs from it while it is busy. Three maps find it: by its own
 * identity, by the identity of the other kind once the peer has used that, and by its configuration.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define MTU_LEAST 16 /* below this no unit is worth anything */

static bool id_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct t8_dev *d = container_of((struct map_node *)(uintptr_t)n, struct t8_dev, by_id);

	return strlen(d->id) == len && !memcmp(d->id, key, len);
}

static bool alias_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct t8_alias *a = container_of((struct map_node *)(uintptr_t)n, struct t8_alias, node);

	return strlen(a->id) == len && !memcmp(a->id, key, len);
}

static bool tail_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct t8_dev *d = container_of((struct map_node *)(uintptr_t)n, struct t8_dev, by_tail);

	return strlen(d->tail) == len && !memcmp(d->tail, key, len);
}

static struct t8_dev *find_key(const struct t8_link *l, const char *key, size_t len)
{
	uint64_t hash = map_hash(key, len);
	struct map_node *n = map_find(&l->by_id, hash, id_eq, key, len);

	if (n)
		return container_of(n, struct t8_dev, by_id);
	n = map_find(&l->by_alias, hash, alias_eq, key, len);
	return n ? container_of(n, struct t8_alias, node)->d : NULL;
}

struct t8_dev *t8_dev_by_id(const struct t8_link *l, char kind, const char *id)
{
	char key[T8_ID_MAX + 1];
	int n = snprintf(key, sizeof key, "%c%s", kind, id);

	return n < 2 || (size_t)n >= sizeof key ? NULL : find_key(l, key, (size_t)n);
}

struct t8_dev *t8_dev_by_tail(const struct t8_link *l, const char *tail)
{
	size_t len = strlen(tail);
	struct map_node *n = len ? map_find(&l->by_tail, map_hash(tail, len), tail_eq, tail, len) : NULL;

	return n ? container_of(n, struct t8_dev, by_tail) : NULL;
}

static void forget_tail(struct t8_dev *d)
{
	if (!d->tail)
		return;
	map_remove(&t8_of(d)->by_tail, &d->by_tail);
	free(d->tail);
	d->tail = NULL;
}

void t8_dev_set_tail(struct t8_dev *d, const char *tail)
{
	struct t8_dev *other;

	if (tail && d->tail && !strcmp(tail, d->tail))
		return;
	forget_tail(d);
	if (!tail || !*tail)
		return;
	other = t8_dev_by_tail(t8_of(d), tail);
	if (other) { /* one configuration has one user: the peer says it is this one now */
		forget_tail(other);
		t8_keep(other);
	}
	d->tail = strdup(tail);
	if (d->tail && map_add(&t8_of(d)->by_tail, &d->by_tail, map_hash(tail, strlen(tail)))) {
		free(d->tail);
		d->tail = NULL;
	}
}

static void alias_free(struct t8_dev *d)
{
	if (!d->alias)
		return;
	map_remove(&t8_of(d)->by_alias, &d->alias->node);
	free(d->alias);
	d->alias = NULL;
}

void t8_dev_learn_alias(struct t8_dev *d, const char *external_id, const char *msisdn)
{
	char kind = d->id[0] == 'm' ? 'e' : 'm', key[T8_ID_MAX + 1];
	const char *id = kind == 'e' ? external_id : msisdn;
	size_t len;

	snprintf(key, sizeof key, "%c%s", kind, id);
	len = strlen(key);
	if (!*id || (d->alias && !strcmp(d->alias->id, key)) || find_key(t8_of(d), key, len))
		return; /* known, or another device's: that one goes before */
	alias_free(d);
	d->alias = malloc(sizeof *d->alias + len + 1);
	if (!d->alias)
		return;
	d->alias->d = d;
	memcpy(d->alias->id, key, len + 1);
	if (map_add(&t8_of(d)->by_alias, &d->alias->node, map_hash(key, len))) {
		free(d->alias);
		d->alias = NULL;
		return;
	}
	t8_keep(d);
	log_ev(LOG_DEBUG, ROOM, "device.alias", LF_STR("dev", d->id + 1), LF_STR("alias", id));
}

uint16_t t8_dev_mtu(const struct t8_dev *d)
{
	return d->mtu_peer && d->mtu_peer < d->mtu ? d->mtu_peer : d->mtu;
}

bool t8_dev_usable(const struct t8_dev *d)
{
	return d->tail &&
		(d->state == T8_CFG_ACTIVE || d->state == T8_CFG_STALE || d->state == T8_CFG_PATCHING ||
		 d->state == T8_CFG_RENEWING);
}

/* maximumPacketSize is bits by the schema, and octets at some peers: a value that a person would give in octets is
 * suspect. */
void t8_dev_packet_size(struct t8_dev *d, uint64_t size)
{
	struct t8_link *l = t8_of(d);
	bool suspect = size >= 64 && size <= 2048;
	uint64_t octets = size / 8, held;

	if (!size)
		return;
	if (l->conf->max_packet_unit == T8_UNIT_OCTETS || (l->conf->max_packet_unit == T8_UNIT_AUTO && suspect))
		octets = size;
	else if (l->conf->max_packet_unit == T8_UNIT_BITS && suspect &&
		 log_limit(&l->unit_limit, clock_now_ms(), AUDIT_MS, &held))
		log_ev(LOG_WARNING, ROOM, "packet_size.suspect", LF_STR("link", t8_name(l)), LF_STR("dev", d->id + 1),
		       LF_UINT("value", size), LF_UINT("mtu", octets),
		       LF_STR("hint", "max_packet_unit = \"octets\" if the peer means octets"));
	if (octets > T8_UNIT_MAX)
		octets = T8_UNIT_MAX;
	if (octets < MTU_LEAST || octets == d->mtu_peer)
		return;
	d->mtu_peer = (uint16_t)octets;
	d->flags |= D_MTU_NEWS;
	t8_keep(d);
}

void t8_dev_shrink(struct t8_dev *d, size_t len)
{
	if (len <= MTU_LEAST || t8_dev_mtu(d) < len)
		return;
	d->mtu_peer = (uint16_t)(len - 1);
	d->flags |= D_MTU_NEWS;
	t8_keep(d);
}

static int read_identity(char *key, size_t size, const struct link_identity *identity)
{
	char digits[24];
	bool external = identity->kind == LINK_ID_EXTERNAL;

	if (external && !t8_external_id_is_sound(identity->text))
		return -EBADMSG;
	if (!external && (identity->kind != LINK_ID_MSISDN || t8_msisdn(digits, sizeof digits, identity->text)))
		return -EBADMSG;
	snprintf(key, size, "%c%s", external ? 'e' : 'm', external ? identity->text : digits);
	return 0;
}

static int add_to_devs(struct t8_link *l, struct t8_dev *d)
{
	if (l->devs_n == l->devs_size) {
		uint32_t size = l->devs_size ? 2 * l->devs_size : 16;
		struct t8_dev **devs = realloc(l->devs, size * sizeof *devs);

		if (!devs)
			return -ENOMEM;
		l->devs = devs;
		l->devs_size = size;
	}
	d->index = l->devs_n;
	l->devs[l->devs_n++] = d;
	return 0;
}

static void remove_from_devs(struct t8_link *l, struct t8_dev *d)
{
	l->devs[d->index] = l->devs[--l->devs_n];
	l->devs[d->index]->index = d->index;
}

/* An identity learnt as somebody's alias before it was configured is given back. */
static void take_from_alias(struct t8_link *l, const char *key, size_t len)
{
	struct t8_dev *other = find_key(l, key, len);

	if (other)
		alias_free(other);
}

static int dev_add(struct t8_link *l, struct t8_dev *d)
{
	size_t len = strlen(d->id);
	int err;

	take_from_alias(l, d->id, len);
	err = add_to_devs(l, d);
	if (err)
		return err;
	err = map_add(&l->by_id, &d->by_id, map_hash(d->id, len));
	if (err)
		remove_from_devs(l, d);
	return err;
}

void t8_set_mtu(struct link_dev *dev, uint32_t mtu)
{
	((struct t8_dev *)dev)->mtu = (uint16_t)(mtu && mtu < T8_UNIT_MAX ? mtu : T8_UNIT_MAX);
}

struct device *t8_find_device(const struct link *base, const struct link_identity *identity)
{
	const struct t8_link *l = (const struct t8_link *)base;
	char key[T8_ID_MAX + 1];
	struct map_node *n;
	size_t len;

	if (read_identity(key, sizeof key, identity))
		return NULL;
	len = strlen(key);
	n = map_find(&l->by_id, map_hash(key, len), id_eq, key, len);
	return n ? container_of(n, struct t8_dev, by_id)->base.dev : NULL;
}

int t8_attach(struct link *base, struct link_dev **out, const struct link_identity *identity, struct device *dev,
	      uint32_t mtu)
{
	struct t8_link *l = (struct t8_link *)base;
	char key[T8_ID_MAX + 1];
	struct t8_dev *d;
	size_t len;
	int err = read_identity(key, sizeof key, identity);

	if (err)
		return err;
	len = strlen(key);
	if (map_find(&l->by_id, map_hash(key, len), id_eq, key, len))
		return -EEXIST;
	d = calloc(1, sizeof *d + len + 1);
	if (!d)
		return -ENOMEM;
	d->base.link = base;
	d->base.dev = dev;
	t8_set_mtu((struct link_dev *)d, mtu);
	memcpy(d->id, key, len + 1);
	err = dev_add(l, d);
	if (err) {
		free(d);
		return err;
	}
	t8_keep_restore(d);
	if (l->listed)
		t8_config_queue(d, false);
	if (!l->listed ? !l->list_call && !l->list_at_ms : l->conf->config_mode == T8_CONFIG_ADOPT)
		t8_list_want(l, clock_now_ms(), false);
	if (l->news || !timer_is_set(&l->pump)) /* work of a burst of devices starts in the next pass */
		timer_set(l->timers, &l->pump, clock_now_ms(), l->pump.fn);
	*out = (struct link_dev *)d;
	return 0;
}

/* Its requests go on without it; what a create makes for a device that is gone for good is deleted. */
static void release_calls(struct t8_dev *d, bool gone)
{
	struct t8_call *c;

	if (!(d->flags & D_CALLING))
		return;
	LIST_FOREACH(c, &t8_of(d)->calls, link)
	if (c->d == d) {
		c->d = NULL;
		c->last = gone && c->op == T8_OP_CREATE;
	}
}

void t8_detach(struct link_dev *dev, bool gone)
{
	struct t8_dev *d = (struct t8_dev *)dev;
	struct t8_link *l;

	if (!d)
		return;
	l = t8_of(d);
	for (struct t8_watch *w = l->watch; w; w = w->next)
		if (w->d == d)
			w->d = NULL;
	t8_deliver_drop(d);
	if (gone)
		t8_keep_forget(d);
	if (gone && d->tail && d->state != T8_CFG_DELETING && l->conf->config_mode == T8_CONFIG_API)
		t8_config_delete(l, d->tail);
	release_calls(d, gone);
	if (d->state == T8_CFG_CREATING)
		l->creating--;
	t8_config_lost(d, false);
	if (d->flags & D_QUEUED) {
		if (d->flags & D_HOT)
			TAILQ_REMOVE(&l->hot, d, work);
		else
			TAILQ_REMOVE(&l->cold, d, work);
	}
	alias_free(d);
	forget_tail(d);
	map_remove(&l->by_id, &d->by_id);
	remove_from_devs(l, d);
	free(d);
}

size_t t8_describe(const struct link_dev *dev, char *buf, size_t size)
{
	const struct t8_dev *d = (const struct t8_dev *)dev;
	json_t *j = json_pack("{s:s,s:s*,s:s*,s:b,s:i,s:i}", "configuration_state", t8_cfg_names[d->state],
			      "configuration", d->tail, "alias", d->alias ? d->alias->id + 1 : NULL, "callback_proven",
			      (d->flags & D_PROVEN) != 0, "waiting", d->busy ? (int)d->busy->queued : 0, "buffered",
			      d->busy ? (int)d->busy->pendings : 0);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;

	json_decref(j);
	if (len < 2 || len - 2 >= size) {
		free(text);
		return 0;
	}
	memcpy(buf, text + 1, len - 2); /* without the braces */
	buf[len - 2] = '\0';
	free(text);
	return len - 2;
}

bool t8_tell_down(struct t8_dev *d, struct t8_name name, enum link_down_state state, enum link_cause cause,
		  uint64_t retry_at_ms)
{
	struct t8_link *l = t8_of(d);
	struct t8_watch w = { d, l->watch };
	const struct link_down_event ev = {
		.id = name.id, .state = state, .cause = cause, .retry_at_ms = retry_at_ms, .key = name.key
	};

	if (!name.id && !name.key)
		return true;
	l->watch = &w;
	l->base.env->events->down(l->base.env->arg, d->base.dev, &ev);
	l->watch = w.next;
	return w.d != NULL;
}

bool t8_tell_device(struct t8_dev *d, enum link_dev_event_kind kind, uint64_t until_ms, uint32_t value)
{
	struct t8_link *l = t8_of(d);
	struct t8_watch w = { d, l->watch };
	const struct link_dev_event ev = { kind, until_ms, value, kind == LINK_DEV_MTU ? "maximumPacketSize" : NULL };

	l->watch = &w;
	l->base.env->events->device(l->base.env->arg, d->base.dev, &ev);
	l->watch = w.next;
	return w.d != NULL;
}

bool t8_tell_asleep(struct t8_dev *d, uint64_t until_ms)
{
	uint32_t until_s = until_ms > clock_now_ms() ? (uint32_t)((until_ms + 999) / 1000) : 0;

	if (until_s != d->asleep_s) {
		d->asleep_s = until_s;
		t8_keep(d);
	}
	return t8_tell_device(d, LINK_DEV_ASLEEP, until_ms, 0);
}
