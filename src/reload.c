/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - takes over another configuration while the daemon runs
 *
 * The new configuration is complete and checked, and what it opens anew is open, before anything of the old one is
 * touched: until then it can be refused. Then what is the same goes on undisturbed and the rest of the old is closed.
 * Only a link that wants an address of one that goes has to wait until that is closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/notify.h"
#include "gateway_parts.h"

struct plan {
	struct conf *conf; /* taken over, or freed when it is refused */
	struct root_conf *root;
	struct lwm2m_registry *registry;
	struct opened new;
	const struct link_conf **later; /* links to open when the old ones are closed */
	size_t later_n;
	FILE *report; /* NULL: nobody reads one */
};

/* ---- what only the next start takes over ---- */

static void report_restart(FILE *report, const char *what)
{
	if (report)
		fprintf(report, "%s changed: takes effect at the next start\n", what);
	log_ev(LOG_NOTICE, ROOM, "reload.restart_needed", LF_STR("key", what));
}

static bool differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

static void report_restarts(const struct root_conf *old, const struct root_conf *new, FILE *report)
{
	const struct {
		const char *key, *a, *b;
	} keys[] = {
		{ "gateway.id", old->gateway.id, new->gateway.id },
		{ "gateway.state_dir", old->gateway.state_dir, new->gateway.state_dir },
		{ "gateway.run_dir", old->gateway.run_dir, new->gateway.run_dir },
		{ "north.bind", old->north.bind, new->north.bind },
		{ "north.interface", old->north.interface, new->north.interface },
		{ "north.ports", old->north.ports, new->north.ports },
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (differs(keys[i].a, keys[i].b))
			report_restart(report, keys[i].key);
}

/* ---- what can still be refused ---- */

/* The open link that goes on by c; NULL: there is none. */
static struct link *kept_link(const struct gateway *g, const struct link_conf *c)
{
	struct link *l = c->enabled ? opened_link(&g->open, c->head.name) : NULL;

	if (!l || l->ops != link_ops_of(c))
		return NULL;
	return !l->ops->keeps || l->ops->keeps(l, c) ? l : NULL;
}

static bool is_kept(const struct gateway *g, const struct root_conf *r, const struct link *l)
{
	for (size_t i = 0; i < r->links.n; i++)
		if (kept_link(g, r->links.v[i]) == l)
			return true;
	return false;
}

/* A link that will be closed has what c needs. */
static bool has_to_wait(const struct gateway *g, const struct root_conf *r, const struct link_conf *c)
{
	for (size_t i = 0; i < g->open.links_n; i++) {
		const struct link *l = g->open.links[i];

		if (l->ops == link_ops_of(c) && l->ops->blocks && l->ops->blocks(l, c) && !is_kept(g, r, l))
			return true;
	}
	return false;
}

static int open_link(struct gateway *g, struct plan *p, const struct link_conf *c)
{
	int err = opened_add_link(g, &p->new, c);

	if (err && p->report)
		fprintf(p->report, "link %s cannot be opened: %s\n", c->head.name, strerror(-err));
	return err;
}

static int open_links(struct gateway *g, struct plan *p)
{
	for (size_t i = 0; i < p->root->links.n; i++) {
		const struct link_conf *c = p->root->links.v[i];
		struct link *l = kept_link(g, c);
		int err = 0;

		if (!c->enabled)
			continue;
		if (!l && p->report)
			fprintf(p->report, "link %s is opened %s\n", c->head.name,
				opened_link(&g->open, c->head.name) ? "again" : "new");
		if (l)
			p->new.links[p->new.links_n++] = l;
		else if (has_to_wait(g, p->root, c))
			p->later[p->later_n++] = c;
		else
			err = open_link(g, p, c);
		if (err)
			return err;
	}
	return 0;
}

/* The last thing that may fail, since it takes effect at once. */
static int open_admin(struct gateway *g, struct plan *p)
{
	int err = control_set_admin(g->control, &p->root->admin);

	if (err && p->report)
		fprintf(p->report, "admin.listen: %s cannot be bound: %s\n", p->root->admin.listen, strerror(-err));
	return err;
}

static int prepare(struct gateway *g, struct plan *p)
{
	FILE *faults = p->report ? p->report : stderr;
	int err = conf_load(&p->conf, g->file, g->schema, faults), bad = registry_open(&p->registry, g->file, faults);

	if (err || bad)
		return err ? err : bad;
	p->root = conf_root(p->conf);
	p->later = calloc(p->root->links.n + 1, sizeof *p->later);
	err = p->later ? opened_init(&p->new, p->root) : -ENOMEM;
	if (!err)
		err = opened_servers(g, &p->new, &g->open, p->root);
	if (!err)
		err = open_links(g, p);
	return err ? err : open_admin(g, p);
}

static int refuse(struct gateway *g, struct plan *p, int err)
{
	opened_close(&p->new, &g->open, false);
	for (size_t i = 0; i < g->open.servers_n; i++) /* gauges that a successor had for a moment */
		north_server_set_conf(g->open.servers[i], north_server_conf(g->open.servers[i]));
	conf_free(p->conf);
	lwm2m_registry_free(p->registry);
	free(p->later);
	log_ev(LOG_ERROR, ROOM, "reload.refused",
	       LF_STR("reason", err == -EINVAL ? "faults in the configuration" : strerror(-err)));
	return err;
}

/* ---- what cannot be undone ---- */

/* One that will not go by its new keys after all is opened anew, which says what is wrong. */
static void renew_kept(struct plan *p)
{
	struct opened *s = &p->new;

	for (size_t i = 0; i < p->root->links.n; i++) {
		const struct link_conf *c = p->root->links.v[i];
		struct link *l = opened_link(s, c->head.name);
		size_t at = 0;

		if (!l || l->conf == c || l->ops->reconf(l, c) == 0)
			continue;
		while (s->links[at] != l)
			at++;
		memmove(&s->links[at], &s->links[at + 1], (--s->links_n - at) * sizeof *s->links);
		p->later[p->later_n++] = c;
	}
}

static void open_later(struct gateway *g, struct plan *p)
{
	struct sessions_change change;

	for (size_t i = 0; i < p->later_n; i++)
		(void)open_link(g, p, p->later[i]);
	g->open = p->new;
	(void)opened_configure(g, &g->open, g->conf, &change);
}

static void swap_in(struct gateway *g, struct plan *p)
{
	struct opened old = g->open;
	struct sessions_change change;

	renew_kept(p);
	for (size_t i = 0; i < p->root->servers.n; i++)
		north_server_set_conf(p->new.servers[i], p->root->servers.v[i]);
	(void)opened_configure(g, &p->new, p->conf, &change);
	g->open = p->new;
	opened_close(&old, &g->open, false);
	store_set_conf(g->store, &p->root->store);
	(void)plugins_configure(g->plugins, &p->root->plugins);
	mirror_set_registry(g->mirror, p->registry);
	lwm2m_registry_free(g->registry);
	g->registry = p->registry;
	conf_free(g->conf);
	g->conf = p->conf;
	g->root = p->root;
	if (p->later_n)
		open_later(g, p);
	free(p->later);
	if (p->report)
		fprintf(p->report, "devices: %zu added, %zu removed, %zu changed, %zu failed\n", change.added,
			change.removed, change.changed, change.failed);
	log_ev(LOG_NOTICE, ROOM, "reloaded", LF_UINT("added", change.added), LF_UINT("removed", change.removed),
	       LF_UINT("changed", change.changed));
}

int gateway_reload(void *gateway, FILE *report)
{
	struct gateway *g = gateway;
	struct plan p = { .report = report };
	int err = prepare(g, &p);

	if (err)
		return refuse(g, &p, err);
	(void)notify_send("RELOADING=1");
	report_restarts(g->root, p.root, report);
	swap_in(g, &p);
	gateway_set_log(g);
	(void)gateway_show(g);
	(void)notify_send("READY=1");
	return 0;
}
