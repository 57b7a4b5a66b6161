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

static void fill_profile(struct sessions *s, struct profile *p, const struct profile_conf *c)
{
	*p = (struct profile){
		.conf = c,
		.params = { (uint32_t)c->ack_timeout_s * 1000, 100000, (uint8_t)c->max_retransmit, (uint8_t)c->nstart },
		.leg = { &device_peer_ops, &p->params, &s->shared },
		.empty_ack_ms = (uint32_t)((double)c->ack_timeout_s * 1000 * c->empty_ack_at),
		.quota_step_us = 60000000u / c->quota_units_per_min,
	};
}

/* The built-in profile stands first. */
static struct profile *make_profiles(struct sessions *s, const struct conf_list *list)
{
	struct profile *v = calloc(list->n + 1, sizeof *v);

	if (!v)
		return NULL;
	fill_profile(s, &v[0], profile_builtin());
	for (size_t i = 0; i < list->n; i++)
		fill_profile(s, &v[i + 1], list->v[i]);
	return v;
}

/* ---- devices ---- */

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
	s->conf_dir = conf->dir;
	return 0;
}

int sessions_configure(struct sessions *s, const struct sessions_conf *conf, struct sessions_change *change)
{
	struct profile *profiles = make_profiles(s, conf->profiles), *old = s->profiles;
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
	relays_settle(s);
	servers_sweep(s);
	paces_sweep(s);
	free(old);
	return err;
}
