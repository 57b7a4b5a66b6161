/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - a device under its record: made, renewed, attached, removed */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

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

static bool same_texts(const struct conf_texts *a, const struct conf_texts *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static bool same_oscore(const struct conf_list *a, const struct conf_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct oscore_conf *x = a->v[i], *y = b->v[i];

		if (!same_text(x->server, y->server) || !same_text(x->kid, y->kid) ||
		    !same_text(x->kid_context, y->kid_context))
			return false;
	}
	return true;
}

static bool same_keys(const struct device_conf *a, const struct device_conf *b)
{
	return same_text(a->psk_identity, b->psk_identity) && same_text(a->psk_key, b->psk_key) &&
		same_text(a->cert_file, b->cert_file) && same_text(a->key_file, b->key_file);
}

static bool same_record(const struct device_conf *a, const struct device_conf *b)
{
	return same_attachment(a, b) && same_text(a->profile, b->profile) && same_text(a->ep, b->ep) &&
		same_texts(&a->servers, &b->servers) && same_texts(&a->units, &b->units) && same_text(a->bootstrap_server, b->bootstrap_server) &&
		same_oscore(&a->oscore, &b->oscore) && same_keys(a, b);
}

/* ---- a device under it ---- */

static const struct profile *find_profile(const struct sessions *s, const char *name)
{
	for (size_t i = 1; name && i < s->profiles_n; i++)
		if (strcmp(s->profiles[i].conf->head.name, name) == 0)
			return &s->profiles[i];
	return &s->profiles[0];
}

struct device *device_new(struct sessions *s, const struct device_conf *c, bool stored)
{
	struct device *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->all = s;
	d->conf = c;
	d->profile = find_profile(s, c->profile);
	coap_peer_init(&d->south, &d->profile->leg);
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

		if (own_is(a->srv) || (a->srv->keep && device_may_use(d, a->srv))) {
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

	if (d->at && (moves || sessions_link(d->all, c->link) != device_link(d)))
		device_detach(d, moves);
	if (!same_text(old->ep, c->ep) || (c->ep && d->ep_learned))
		device_forget_ep(d);
	if (!same_keys(old, c) || !same_text(old->ep, c->ep)) /* which may be its identity */
		device_forget_resumption(d);
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
	d->south.leg = &d->profile->leg;
	budget_configure(d);
	if (d->at && device_link(d)->ops->set_mtu)
		device_link(d)->ops->set_mtu(d->at, (uint32_t)d->profile->conf->mtu);
	(void)device_index_ep(d);
	close_assocs(d);
	for (struct assoc *a = d->assocs; a; a = a->next)
		assoc_watch(a); /* its server may want it otherwise now */
	gate_flush(d);          /* another window or budget may let go what waits */
	tell_changed(d);
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
	err = l->ops->attach(l, &d->at, &id, d, (uint32_t)d->profile->conf->mtu);
	if (!err) {
		coap_peer_resume(&d->south, clock_now_ms()); /* of a device whose link was away */
		return 0;
	}
	d->at = NULL;
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
	tell_gone(d);
	device_free(d, gone);
}
