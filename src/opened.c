/* SPDX-License-Identifier: Apache-2.0 */
/* opened.c - the links and servers that are open under one configuration
 *
 * During a reload there are two such sets, the old and the new one; what is in both is the same object.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway_parts.h"

int opened_init(struct opened *s, const struct root_conf *r)
{
	size_t servers = r->servers.n;

	for (size_t i = 0; i < r->profiles.n; i++)
		servers += ((const struct profile_conf *)r->profiles.v[i])->proxy_allow.n;
	s->links = calloc(r->links.n + 1, sizeof *s->links);
	s->servers = calloc(servers + 1, sizeof *s->servers);
	return s->links && s->servers ? 0 : -ENOMEM;
}

static bool has_link(const struct opened *s, const struct link *l)
{
	for (size_t i = 0; i < s->links_n; i++)
		if (s->links[i] == l)
			return true;
	return false;
}

static bool has_server(const struct opened *s, const struct north_server *srv)
{
	for (size_t i = 0; i < s->servers_n + s->proxies_n; i++)
		if (s->servers[i] == srv)
			return true;
	return false;
}

static void close_server(struct north_server *srv)
{
	const struct server_conf *c = north_server_conf(srv);

	north_server_close(srv);
	if (c->role == SERVER_PROXY)
		free((void *)(uintptr_t)c);
}

void opened_close(struct opened *s, const struct opened *keep, bool stop)
{
	for (size_t i = s->links_n; i-- > 0;)
		if (!keep || !has_link(keep, s->links[i]))
			s->links[i]->ops->close(s->links[i], stop);
	for (size_t i = s->servers_n + s->proxies_n; i-- > 0;)
		if (!keep || !has_server(keep, s->servers[i]))
			close_server(s->servers[i]);
	free(s->links);
	free(s->servers);
	*s = (struct opened){ 0 };
}

struct link *opened_link(const struct opened *s, const char *name)
{
	for (size_t i = 0; i < s->links_n; i++)
		if (strcmp(s->links[i]->conf->head.name, name) == 0)
			return s->links[i];
	return NULL;
}

static struct north_server *find_proxy(const struct opened *s, const char *target)
{
	for (size_t i = s->servers_n; i < s->servers_n + s->proxies_n; i++)
		if (strcmp(north_server_conf(s->servers[i])->uri, target) == 0)
			return s->servers[i];
	return NULL;
}

static int add_proxy(struct gateway *g, struct opened *to, const struct opened *old, const char *target)
{
	struct north_server *srv = find_proxy(to, target);
	struct server_conf *c = NULL;
	int err = 0;

	if (srv) /* of another profile */
		return 0;
	srv = find_proxy(old, target);
	if (!srv)
		err = north_proxy_conf(&c, target);
	if (c)
		err = north_server_open(&srv, g->north, c);
	if (err) {
		log_ev(LOG_ERROR, ROOM, "proxy.failed", LF_STR("target", target), LF_STR("reason", strerror(-err)));
		free(c);
		return err;
	}
	to->servers[to->servers_n + to->proxies_n++] = srv;
	return 0;
}

static int add_proxies(struct gateway *g, struct opened *to, const struct opened *old, const struct root_conf *r)
{
	for (size_t i = 0; i < r->profiles.n; i++) {
		const struct conf_texts *allow = &((const struct profile_conf *)r->profiles.v[i])->proxy_allow;

		for (size_t k = 0; k < allow->n; k++) {
			int err = add_proxy(g, to, old, allow->v[k]);

			if (err)
				return err;
		}
	}
	return 0;
}

static struct north_server *find_server(const struct opened *s, const struct server_conf *c)
{
	for (size_t i = 0; i < s->servers_n; i++) {
		const struct server_conf *old = north_server_conf(s->servers[i]);

		if (strcmp(old->head.name, c->head.name) == 0 && strcmp(old->uri, c->uri) == 0)
			return s->servers[i];
	}
	return NULL;
}

int opened_servers(struct gateway *g, struct opened *to, const struct opened *old, const struct root_conf *r)
{
	for (size_t i = 0; i < r->servers.n; i++) {
		const struct server_conf *c = r->servers.v[i];
		struct north_server *srv = find_server(old, c);
		int err = srv ? 0 : north_server_open(&srv, g->north, c);

		if (err) {
			log_ev(LOG_ERROR, ROOM, "server.failed", LF_STR("server", c->head.name),
			       LF_STR("reason", strerror(-err)));
			return err;
		}
		to->servers[to->servers_n++] = srv;
	}
	return add_proxies(g, to, old, r);
}

int opened_add_link(struct gateway *g, struct opened *to, const struct link_conf *c)
{
	struct link *l;
	int err = link_ops_of(c)->open(&l, c, &g->link_env);

	if (err)
		log_ev(LOG_ERROR, ROOM, "link.failed", LF_STR("link", c->head.name), LF_STR("reason", strerror(-err)));
	else
		to->links[to->links_n++] = l;
	return err;
}

int opened_configure(struct gateway *g, const struct opened *s, struct conf *conf, struct sessions_change *change)
{
	const struct root_conf *r = conf_root(conf);
	const struct sessions_conf c = { .links = s->links,
					 .links_n = s->links_n,
					 .servers = s->servers,
					 .servers_n = s->servers_n + s->proxies_n,
					 .profiles = &r->profiles,
					 .devices = &r->devices,
					 .link_confs = &r->links,
					 .server_confs = &r->servers,
					 .rules = &r->rules,
					 .dir = conf_dir(conf) };

	return sessions_configure(g->sessions, &c, change);
}
