/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - which of its servers a request of a device is for (DESIGN 4, step 5)
 *
 * Each server that the device may use is held against everything the request says, and what counts more stands higher
 * in one number: RDS port, Uri-Host (with Uri-Port where several have one host), path prefix, bootstrap, OSCORE kid.
 * The highest wins and, where nothing was said, the first: its default. So a key that leaves several is settled by the
 * next one.
 */
#include <string.h>
#include <strings.h>

#include "coap/oscore.h"
#include "session/internal.h"

enum {
	SAYS_KID = 1,
	SAYS_BOOTSTRAP = 1 << 1,
	SAYS_PREFIX = 1 << 2 /* times its segments */,
	SAYS_PORT = 1 << 6,
	SAYS_HOST = 1 << 7,
	SAYS_RDS = 1 << 8
};
_Static_assert(PATH_PREFIX_SEGMENTS *SAYS_PREFIX < SAYS_PORT, "no prefix counts more than a host");

struct choice {
	const struct device *dev;
	const struct coap_view *v;
	uint64_t kids;            /* entries of its oscore list that the request fits, by place */
	struct server *bootstrap; /* where a Bootstrap-Request goes; NULL: it is none */
	struct server *best;
	unsigned said;
};

/* ---- what a request says ---- */

static bool host_is(const struct coap_option *host, const char *name)
{
	return name && strlen(name) == host->len && strncasecmp(name, (const char *)host->value, host->len) == 0;
}

static bool is_named(const struct server *srv, const struct coap_option *host)
{
	if (host_is(host, srv->conf->head.name) || host_is(host, srv->uri.host) ||
	    host_is(host, srv->conf->server_name))
		return true;
	for (size_t i = 0; i < srv->conf->aliases.n; i++)
		if (host_is(host, srv->conf->aliases.v[i]))
			return true;
	return false;
}

static unsigned prefix_of(const struct server *srv, const struct coap_view *v)
{
	if (v->oscore || v->paths < srv->prefix_n) /* under OSCORE the path outside is not the real one */
		return 0;
	for (unsigned i = 0; i < srv->prefix_n; i++)
		if (v->path[i].len != srv->prefix[i].len ||
		    memcmp(v->path[i].value, srv->prefix[i].p, srv->prefix[i].len) != 0)
			return 0;
	return srv->prefix_n;
}

static bool last_segment_is(const struct coap_view *v, const char *word)
{
	const struct coap_option *last = v->path + v->paths - 1;

	return v->paths && v->paths <= sizeof v->path / sizeof *v->path && last->len == strlen(word) &&
		memcmp(last->value, word, last->len) == 0;
}

static bool is_bootstrap(const struct coap_msg *m, const struct coap_view *v)
{
	return !v->oscore &&
		((m->code == COAP_POST && last_segment_is(v, "bs")) ||
		 (m->code == COAP_GET && last_segment_is(v, "bspack")));
}

static unsigned said_of(const struct choice *c, const struct server *srv)
{
	const struct conf_list *oscore = &c->dev->conf->oscore;
	const struct coap_view *v = c->v;
	unsigned said = prefix_of(srv, v) * SAYS_PREFIX;

	if (srv->conf->rds_port < RDS_PORT_ABSENT && rds_is_pair(c->dev->rds) &&
	    rds_scef(c->dev->rds) == (int16_t)srv->conf->rds_port)
		said |= SAYS_RDS;
	if (v->uri_host.value && is_named(srv, &v->uri_host))
		said |= SAYS_HOST | (v->has_uri_port && v->uri_port == srv->uri.port ? SAYS_PORT : 0);
	if (srv == c->bootstrap)
		said |= SAYS_BOOTSTRAP;
	for (size_t i = 0; c->kids >> i && i < oscore->n; i++)
		if (c->kids >> i & 1 && oscore_is_for(oscore->v[i], srv))
			said |= SAYS_KID;
	return said;
}

/* ---- the servers of a device ---- */

/* asked: it has to be asked for. */
static void consider(struct choice *c, struct server *srv, bool asked)
{
	unsigned said;

	if (!srv || !srv->keep)
		return;
	said = said_of(c, srv);
	if ((!c->best && !asked) || said > c->said) {
		c->best = srv;
		c->said = said;
	}
}

static bool is_for_bootstrap(const struct server *srv)
{
	return srv && srv->keep && srv->conf->role == SERVER_BOOTSTRAP;
}

struct server *device_bootstrap(const struct device *d)
{
	const struct device_conf *conf = d->conf;

	if (conf->bootstrap_server)
		return server_by_name(d->all, conf->bootstrap_server);
	if (!d->all->bootstrap)
		return NULL;
	for (size_t i = 0; i < conf->servers.n; i++) {
		struct server *srv = server_by_name(d->all, conf->servers.v[i]);

		if (is_for_bootstrap(srv))
			return srv;
	}
	return d->all->bootstrap;
}

bool device_may_use(const struct device *d, const struct server *srv)
{
	const struct conf_texts *names = &d->conf->servers;
	const struct conf_list *oscore = &d->conf->oscore;

	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], srv->conf->head.name) == 0)
			return true;
	for (size_t i = 0; i < oscore->n; i++)
		if (oscore_is_for(oscore->v[i], srv))
			return true;
	return names->n == 0 || device_bootstrap(d) == srv;
}

static void consider_all(struct choice *c, struct server *bootstrap)
{
	const struct device_conf *conf = c->dev->conf;
	struct sessions *s = c->dev->all;

	for (size_t i = 0; i < conf->servers.n; i++)
		consider(c, server_by_name(s, conf->servers.v[i]), false);
	if (!conf->servers.n)
		consider(c, s->management, false);
	consider(c, bootstrap, true);
	for (size_t i = 0; i < conf->oscore.n; i++) {
		const struct oscore_conf *o = conf->oscore.v[i];

		if (o->server)
			consider(c, server_by_name(s, o->server), true);
	}
}

void route_choose(struct route *r, const struct device *d, const struct coap_msg *m, const struct coap_view *v)
{
	struct choice c = { .dev = d, .v = v, .kids = oscore_kids(d, v) };
	struct server *bootstrap = device_bootstrap(d);

	if (is_bootstrap(m, v))
		c.bootstrap = bootstrap;
	consider_all(&c, bootstrap);
	*r = (struct route){ .srv = c.best, .prefix = c.best ? prefix_of(c.best, v) : 0 };
}
