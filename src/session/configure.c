/* SPDX-License-Identifier: Apache-2.0 */
/* configure.c - how a configuration is taken over
 *
 * A record of the files wins over a stored one of the same name, identity or endpoint name; the stored one stands aside
 * and counts again when that of the files is gone. Whoever goes or moves gives back what it holds before anybody else
 * takes it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

/* ---- profiles ---- */

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

static const struct profile *find_profile(const struct sessions *s, const char *name)
{
	for (size_t i = 1; name && i < s->profiles_n; i++)
		if (strcmp(s->profiles[i].conf->head.name, name) == 0)
			return &s->profiles[i];
	return &s->profiles[0];
}

/* ---- what a record says ---- */

struct link *sessions_link(const struct sessions *s, const char *name)
{
	for (size_t i = 0; i < s->links_n; i++)
		if (strcmp(s->links[i]->conf->head.name, name) == 0)
			return s->links[i];
	return NULL;
}

struct link_identity device_identity(const struct device_conf *c)
{
	if (c->external_id)
		return (struct link_identity){ LINK_ID_EXTERNAL, c->external_id, 0 };
	if (c->msisdn)
		return (struct link_identity){ LINK_ID_MSISDN, c->msisdn, 0 };
	return (struct link_identity){ LINK_ID_ADDRESS, c->address, 0 };
}

struct device *device_holding(const struct sessions *s, const struct device_conf *c)
{
	const struct link_identity id = device_identity(c);
	const struct link *l = sessions_link(s, c->link);

	return l && l->ops->find && id.text ? l->ops->find(l, &id) : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_attachment(const struct device_conf *a, const struct device_conf *b)
{
	return same_text(a->link, b->link) && same_text(a->external_id, b->external_id) &&
		same_text(a->msisdn, b->msisdn) && same_text(a->address, b->address);
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
	return same_attachment(a, b) && same_text(a->profile, b->profile) && same_text(a->ep, b->ep) &&
		same_servers(&a->servers, &b->servers);
}

static bool may_use(const struct device_conf *c, const struct server *srv)
{
	for (size_t i = 0; i < c->servers.n; i++)
		if (strcmp(c->servers.v[i], srv->conf->head.name) == 0)
			return true;
	return c->servers.n == 0;
}

/* ---- one device ---- */

struct device *device_new(struct sessions *s, const struct device_conf *c, bool stored)
{
	struct device *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->all = s;
	d->conf = c;
	d->profile = find_profile(s, c->profile);
	coap_peer_init(&d->south, &device_peer_ops, &d->profile->params, &s->shared);
	if (map_add(&s->names, &d->by_name, map_hash(c->head.name, strlen(c->head.name)))) {
		free(d);
		return NULL;
	}
	d->stored = stored;
	return d;
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

bool device_renew(struct device *d, const struct device_conf *c, bool stored)
{
	const struct device_conf *old = d->conf;
	bool differs = !same_record(old, c), moves = !same_attachment(old, c);

	if (d->at && (moves || sessions_link(d->all, c->link) != d->link))
		device_detach(d, moves);
	if (!same_text(old->ep, c->ep) || (c->ep && d->ep_learned))
		device_forget_ep(d);
	d->conf = c;
	if (d->stored && !stored)
		record_overrule(d->all, (struct device_conf *)(uintptr_t)old, true, "the files have this name");
	else if (d->stored && old != c)
		free((void *)(uintptr_t)old);
	d->stored = stored;
	return differs;
}

void device_take_from(struct device *d, struct device *holder)
{
	if (holder && holder != d && holder->ep_learned) /* the record says whose it is */
		device_forget_ep(holder);
	d->profile = find_profile(d->all, d->conf->profile);
	d->south.params = &d->profile->params;
	budget_configure(d);
	if (d->at && d->link->ops->set_mtu)
		d->link->ops->set_mtu(d->at, (uint32_t)d->profile->conf->mtu);
	(void)device_index_ep(d);
	close_assocs(d);
}

void device_take(struct device *d)
{
	const char *ep = d->conf->ep;

	device_take_from(d, ep ? sessions_find_ep(d->all, ep, strlen(ep)) : NULL);
}

int device_attach(struct device *d)
{
	struct link_identity id = device_identity(d->conf);
	struct link *l = sessions_link(d->all, d->conf->link);
	int err;

	if (d->at || !l)
		return 0;
	d->link_mtu = 0;
	d->link = l;
	err = l->ops->attach(l, &d->at, &id, d, (uint32_t)d->profile->conf->mtu);
	if (!err) {
		coap_peer_resume(&d->south, clock_now_ms()); /* of a device whose link was away */
		return 0;
	}
	d->at = NULL;
	d->link = NULL;
	if (err != -EEXIST || !d->stored) /* whoever places a stored one says why it cannot be */
		log_ev(LOG_ERROR, ROOM, "attach.failed", LF_STR("dev", device_name(d)), LF_STR("link", d->conf->link),
		       LF_STR("reason", strerror(-err)));
	return err;
}

void device_remove(struct device *d, bool gone)
{
	struct sessions *s = d->all;

	log_ev(LOG_INFO, ROOM, "device.removed", LF_STR("dev", device_name(d)));
	map_remove(&s->names, &d->by_name);
	table_remove(s, d);
	device_free(d, gone);
}

/* ---- all of them ---- */

static void first_fault(void *arg, const char *key, int index, const char *text)
{
	char *why = arg;

	(void)index;
	if (!*why)
		snprintf(why, 160, "%s%s%s", key ? key : "", key ? ": " : "", text);
}

/* A stored device loses its place to the files, or to a configuration that it no longer fits. What is known of its
 * session stays stored. */
static void overrule(struct device *d, const char *why)
{
	struct device_conf *c = (struct device_conf *)(uintptr_t)d->conf;
	struct sessions *s = d->all;

	d->stored = false; /* the record lives on */
	device_remove(d, false);
	record_overrule(s, c, false, why);
}

/* One that the files do not name: a stored record keeps it or takes over, or it goes. */
static void settle_unnamed(struct device *d, struct sessions_change *change)
{
	struct device_conf *again = d->stored ? NULL : record_sound_again(d->all, device_name(d));
	char why[160] = "";

	if (again) {
		change->changed += device_renew(d, again, true);
	} else if (!d->stored) {
		change->removed++;
		device_remove(d, true);
	} else if (device_check(d->conf, &d->all->lists, first_fault, why)) {
		change->removed++;
		overrule(d, why);
	} else {
		(void)device_renew(d, d->conf, true); /* its link may be another one now */
	}
}

/* A record of the files claims what a stored one of another name holds. */
static void settle_claims(struct sessions *s, const struct device_conf *c)
{
	struct device *d = device_holding(s, c);

	if (d && d->stored && strcmp(device_name(d), c->head.name) != 0)
		overrule(d, "the files give its identity to another device");
	d = c->ep ? sessions_find_ep(s, c->ep, strlen(c->ep)) : NULL;
	if (d && d->stored && d->conf->ep && strcmp(device_name(d), c->head.name) != 0)
		overrule(d, "the files give its endpoint name to another device");
}

/* Every device that is there gets the record that counts now, or goes. */
static void settle_devices(struct sessions *s, const struct conf_list *files, struct sessions_change *change)
{
	struct device *d;

	for (size_t i = 0; (d = table_next(s, &i));)
		d->keep = false;
	for (size_t i = 0; i < files->n; i++) {
		const struct device_conf *c = files->v[i];

		d = sessions_find(s, c->head.name);
		if (!d)
			continue;
		d->keep = true;
		change->changed += device_renew(d, c, false);
	}
	for (size_t i = 0; (d = table_next(s, &i));)
		if (!d->keep)
			settle_unnamed(d, change);
	for (size_t i = 0; i < files->n; i++)
		settle_claims(s, files->v[i]);
}

/* The table anew: those of the files in their order, then the others as they stood. fresh has room for all of them;
 * taken. */
static int order_devices(struct sessions *s, struct device **fresh, const struct conf_list *files,
			 struct sessions_change *change)
{
	struct device **old = s->table, *d;
	size_t old_n = s->table_n;
	int err = 0;

	s->table = fresh;
	s->table_n = s->gaps = 0;
	s->table_size = files->n + old_n + 1;
	for (size_t i = 0; i < files->n; i++) {
		const struct device_conf *c = files->v[i];

		d = sessions_find(s, c->head.name);
		if (!d) {
			d = device_new(s, c, false);
			change->added += d != NULL;
		} else {
			old[d->place] = NULL;
		}
		if (d)
			(void)table_add(s, d);
		else
			err = -ENOMEM;
	}
	for (size_t i = 0; i < old_n; i++)
		if (old[i])
			(void)table_add(s, old[i]);
	free(old);
	table_shrink(s);
	expire_restart(s);
	return err;
}

/* Somebody holds what the record of a stored device claims, who does not give it up. */
static bool is_claimed(const struct device *d)
{
	const struct device_conf *c = d->conf;
	const struct device *other = c->ep ? sessions_find_ep(d->all, c->ep, strlen(c->ep)) : NULL;

	if (other && other != d && other->conf->ep)
		return true;
	other = d->at ? NULL : device_holding(d->all, c);
	return other && other != d;
}

int device_settle(struct device *d)
{
	if (is_claimed(d)) {
		overrule(d, "its identity or endpoint name is that of another device");
		return 0;
	}
	device_take(d);
	return device_attach(d);
}

static int take_devices(struct sessions *s, struct device **fresh, const struct conf_list *files,
			struct sessions_change *change)
{
	int err = order_devices(s, fresh, files, change);
	struct device *d;

	for (size_t i = 0; (d = table_next(s, &i));)
		if (!d->stored)
			device_take(d);
	for (size_t i = 0; (d = table_next(s, &i));)
		if (!d->stored)
			change->failed += device_attach(d) != 0;
	for (size_t i = 0; (d = table_next(s, &i));)
		if (d->stored)
			change->failed += device_settle(d) != 0;
	records_settle(s);
	return err;
}

static int take_links(struct sessions *s, const struct sessions_conf *conf)
{
	struct link **links = calloc(conf->links_n + 1, sizeof(struct link *));

	if (!links)
		return -ENOMEM;
	for (size_t i = 0; i < conf->links_n; i++)
		links[i] = conf->links[i];
	free(s->links);
	s->links = links;
	s->links_n = conf->links_n;
	s->lists = (struct session_lists){ conf->link_confs, conf->server_confs, conf->profiles, conf->devices,
					   conf->rules };
	return 0;
}

int sessions_configure(struct sessions *s, const struct sessions_conf *conf, struct sessions_change *change)
{
	struct profile *profiles = make_profiles(conf->profiles), *old = s->profiles;
	struct device **fresh = malloc((conf->devices->n + s->table_n + 1) * sizeof(struct device *));
	int err;

	*change = (struct sessions_change){ 0 };
	if (!profiles || !fresh || take_links(s, conf)) {
		free(profiles);
		free(fresh);
		return -ENOMEM;
	}
	import_stale(s->import);
	err = servers_configure(s, conf->servers, conf->servers_n);
	settle_devices(s, conf->devices, change);
	s->profiles = profiles;
	s->profiles_n = conf->profiles->n + 1;
	err = take_devices(s, fresh, conf->devices, change) ? -ENOMEM : err;
	servers_sweep(s);
	free(old);
	return err;
}
