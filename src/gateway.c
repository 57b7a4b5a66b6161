/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - wiring: opens what a configuration names, swaps in another one, stops
 *
 * Links and servers are told apart by name over a reload. A new configuration is complete and checked before anything is touched; then what is
 * the same goes on undisturbed, what is new is opened before what it replaces is closed.
 */
#include "gateway.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "control/control.h"
#include "control/notify.h"
#include "control/version.h"
#include "session/session.h"
#include "wiring.h"

#define ROOM "main"
#define ALARMS_MAX 1000
#define DRAIN_MS 5000      /* how long open exchanges may go on after SIGTERM */
#define DRAIN_STEP_MS 50

struct set { /* what is open under one configuration */
	struct link **links;
	struct north_server **servers;
	size_t links_n, servers_n;
};

struct gateway {
	const char *file;
	struct conf *conf; /* owned */
	struct root_conf *root;
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct sessions *sessions;
	struct north *north;
	struct control *control;
	struct set open;
	struct link_env link_env;
	struct north_env north_env;
	struct t8_shared *t8; /* of the t8 links, which make and free it */
	struct timer drain;
	uint64_t drain_until_ms;
	uint8_t key[32];
	char id[GATEWAY_ID_MAX];
	bool verbose, stopping;
};

/* ---- sets of links and servers ---- */

static int set_init(struct set *s, const struct root_conf *r)
{
	s->links = calloc(r->links.n + 1, sizeof *s->links);
	s->servers = calloc(r->servers.n + 1, sizeof *s->servers);
	return s->links && s->servers ? 0 : -ENOMEM;
}

static bool set_has_link(const struct set *s, const struct link *l)
{
	for (size_t i = 0; i < s->links_n; i++)
		if (s->links[i] == l)
			return true;
	return false;
}

static bool set_has_server(const struct set *s, const struct north_server *srv)
{
	for (size_t i = 0; i < s->servers_n; i++)
		if (s->servers[i] == srv)
			return true;
	return false;
}

/* Closes what is in s and not in keep (NULL: everything), and frees the arrays. */
static void set_close(struct set *s, const struct set *keep, bool stop)
{
	for (size_t i = s->links_n; i-- > 0;)
		if (!keep || !set_has_link(keep, s->links[i]))
			s->links[i]->ops->close(s->links[i], stop);
	for (size_t i = s->servers_n; i-- > 0;)
		if (!keep || !set_has_server(keep, s->servers[i]))
			north_server_close(s->servers[i]);
	free(s->links);
	free(s->servers);
	*s = (struct set){ 0 };
}

static struct link *find_link(const struct set *s, const char *name)
{
	for (size_t i = 0; i < s->links_n; i++)
		if (strcmp(s->links[i]->conf->head.name, name) == 0)
			return s->links[i];
	return NULL;
}

static struct north_server *find_server(const struct set *s, const struct server_conf *c)
{
	for (size_t i = 0; i < s->servers_n; i++) {
		const struct server_conf *old = north_server_conf(s->servers[i]);

		if (strcmp(old->head.name, c->head.name) == 0 && strcmp(old->uri, c->uri) == 0)
			return s->servers[i];
	}
	return NULL;
}

static int open_servers(struct gateway *g, struct set *to, const struct set *old, const struct root_conf *r)
{
	for (size_t i = 0; i < r->servers.n; i++) {
		const struct server_conf *c = r->servers.v[i];
		struct north_server *srv = find_server(old, c);
		int err = srv ? 0 : north_server_open(&srv, g->north, c);

		if (err) {
			log_ev(LOG_ERROR, ROOM, "server.failed", LF_STR("server", c->head.name), LF_STR("reason", strerror(-err)));
			return err;
		}
		to->servers[to->servers_n++] = srv;
	}
	return 0;
}

static void log_link_failed(const struct link_conf *c, int err)
{
	log_ev(LOG_ERROR, ROOM, "link.failed", LF_STR("link", c->head.name), LF_STR("reason", strerror(-err)));
}

static struct sessions_conf sessions_conf_of(const struct set *s, const struct root_conf *r)
{
	return (struct sessions_conf){ s->links, s->links_n, s->servers, s->servers_n, &r->profiles, &r->devices };
}

/* ---- start ---- */

static void set_log(const struct gateway *g)
{
	log_set(g->verbose ? LOG_DEBUG : (enum log_level)g->root->log.level, (enum log_format)g->root->log.format);
}

static int make_dirs(const struct gateway_conf *c)
{
	const char *const dirs[] = { c->state_dir, c->run_dir };

	for (size_t i = 0; i < 2; i++) {
		int err = dir_make(dirs[i]);

		if (err) {
			log_ev(LOG_ERROR, ROOM, "dir.failed", LF_STR("dir", dirs[i]),
			       LF_STR("reason", err == -EPERM ? "others can write it" : strerror(-err)));
			return err;
		}
	}
	return 0;
}

static int open_base(struct gateway *g)
{
	int err = loop_new(&g->loop);

	if (!err)
		err = metrics_new(&g->metrics);
	if (!err)
		err = alarms_new(&g->alarms, ALARMS_MAX);
	return err;
}

static int open_sessions(struct gateway *g)
{
	const struct sessions_env env = { loop_timers(g->loop), g->metrics, g->alarms, g->id, 0 };
	int err = sessions_new(&g->sessions, &env);

	if (err)
		return err;
	g->link_env = (struct link_env){ g->loop, g->metrics, g->alarms, g->key, g->id, &session_link_events, g->sessions, &g->t8 };
	g->north_env = (struct north_env){ g->loop, g->metrics, g->alarms, g->key, &session_north_events, g->sessions };
	return north_open(&g->north, &g->root->north, &g->north_env);
}

static int open_links(struct gateway *g)
{
	for (size_t i = 0; i < g->root->links.n; i++) {
		const struct link_conf *c = g->root->links.v[i];
		struct link *l;
		int err;

		if (!c->enabled)
			continue;
		err = link_ops_of(c)->open(&l, c, &g->link_env);
		if (err) {
			log_link_failed(c, err);
			return err;
		}
		g->open.links[g->open.links_n++] = l;
	}
	return 0;
}

static int reload(void *arg, FILE *report);

static int open_control(struct gateway *g)
{
	const struct control_env env = { g->loop, g->metrics, g->alarms, g->sessions, g->id, g->root->gateway.run_dir, reload, g };
	int err = control_open(&g->control, &env);

	if (!err)
		err = control_show(g->control, g->open.links, g->open.links_n, g->open.servers, g->open.servers_n);
	return err ? err : control_set_admin(g->control, &g->root->admin);
}

static int configure(struct gateway *g)
{
	const struct sessions_conf conf = sessions_conf_of(&g->open, g->root);
	struct sessions_change change;

	return sessions_configure(g->sessions, &conf, &change);
}

static int open_all(struct gateway *g)
{
	const struct set none = { 0 };
	int err = make_dirs(&g->root->gateway);

	if (!err)
		err = key_load(g->key, g->root->gateway.state_dir);
	if (!err)
		err = open_base(g);
	if (!err)
		err = open_sessions(g);
	if (!err)
		err = set_init(&g->open, g->root);
	if (!err)
		err = open_servers(g, &g->open, &none, g->root);
	if (!err)
		err = open_links(g);
	if (!err)
		err = configure(g);
	return err ? err : open_control(g);
}

/* ---- reload ---- */

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

/* Links of the new configuration: the open one where it can go by the new keys, else a new one. One that cannot be opened beside its
 * predecessor has to wait until that is closed: its place in `later` is set. */
static void renew_links(struct gateway *g, struct set *to, const struct link_conf **later, size_t *later_n, const struct root_conf *r, FILE *report)
{
	for (size_t i = 0; i < r->links.n; i++) {
		const struct link_conf *c = r->links.v[i];
		const struct link_ops *ops = link_ops_of(c);
		struct link *l = find_link(&g->open, c->head.name);
		int err;

		if (!c->enabled)
			continue;
		if (l && l->ops == ops && ops->reconf(l, c) == 0) {
			to->links[to->links_n++] = l;
			continue;
		}
		if (report)
			fprintf(report, "link %s is opened %s\n", c->head.name, l ? "again" : "new");
		err = ops->open(&l, c, &g->link_env);
		if (!err)
			to->links[to->links_n++] = l;
		else
			later[(*later_n)++] = c;
	}
}

static void open_later(struct gateway *g, const struct link_conf *const *later, size_t n, FILE *report)
{
	for (size_t i = 0; i < n; i++) {
		struct link *l;
		int err = link_ops_of(later[i])->open(&l, later[i], &g->link_env);

		if (!err) {
			g->open.links[g->open.links_n++] = l;
			continue;
		}
		log_link_failed(later[i], err);
		if (report)
			fprintf(report, "link %s cannot be opened: %s\n", later[i]->head.name, strerror(-err));
	}
}

static void swap_in(struct gateway *g, struct conf *conf, struct set *new, FILE *report)
{
	struct root_conf *r = conf_root(conf);
	const struct link_conf **later = calloc(r->links.n + 1, sizeof *later);
	struct set old = g->open;
	struct sessions_conf sc;
	struct sessions_change change;
	size_t later_n = 0;

	if (later)
		renew_links(g, new, later, &later_n, r, report);
	for (size_t i = 0; i < r->servers.n; i++)
		north_server_set_conf(new->servers[i], r->servers.v[i]);
	sc = sessions_conf_of(new, r);
	(void)sessions_configure(g->sessions, &sc, &change);
	g->open = *new;
	set_close(&old, new, false);
	conf_free(g->conf);
	g->conf = conf;
	g->root = r;
	if (later_n) {
		open_later(g, later, later_n, report);
		(void)configure(g);
	}
	free(later);
	if (report)
		fprintf(report, "devices: %zu added, %zu removed, %zu changed, %zu failed\n", change.added, change.removed, change.changed, change.failed);
	log_ev(LOG_NOTICE, ROOM, "reloaded", LF_UINT("added", change.added), LF_UINT("removed", change.removed), LF_UINT("changed", change.changed));
}

static int refuse_reload(struct gateway *g, struct conf *conf, struct set *new, int err)
{
	if (new)
		set_close(new, &g->open, false);
	conf_free(conf);
	log_ev(LOG_ERROR, ROOM, "reload.refused", LF_STR("reason", err == -EINVAL ? "faults in the configuration" : strerror(-err)));
	alarm_raise(g->alarms, ALARM_MAJOR, "config.reload_failed", "config", "the new configuration was refused, the old one is in force",
		    "run niddgwd -t and reload again");
	return err;
}

static int reload(void *arg, FILE *report)
{
	struct gateway *g = arg;
	struct set new = { 0 };
	struct conf *conf = NULL;
	struct root_conf *r;
	int err = conf_load(&conf, g->file, &gateway_schema, report ? report : stderr);

	if (err)
		return refuse_reload(g, NULL, NULL, err);
	r = conf_root(conf);
	err = set_init(&new, r);
	if (!err)
		err = open_servers(g, &new, &g->open, r);
	if (err)
		return refuse_reload(g, conf, &new, err);
	(void)notify_send("RELOADING=1");
	report_restarts(g->root, r, report);
	swap_in(g, conf, &new, report);
	set_log(g);
	(void)control_show(g->control, g->open.links, g->open.links_n, g->open.servers, g->open.servers_n);
	if (control_set_admin(g->control, &g->root->admin) && report)
		fprintf(report, "admin.listen could not be bound: the listener before goes on\n");
	alarm_clear(g->alarms, "config.reload_failed", "config");
	(void)notify_send("READY=1");
	return 0;
}

/* ---- signals ---- */

static void on_drain(struct timer *t, uint64_t now_ms)
{
	struct gateway *g = container_of(t, struct gateway, drain);

	if (now_ms >= g->drain_until_ms || sessions_open(g->sessions) == 0)
		loop_stop(g->loop);
	else
		timer_set(loop_timers(g->loop), t, now_ms + DRAIN_STEP_MS, on_drain);
}

static void on_stop(void *arg, int signo)
{
	struct gateway *g = arg;

	if (g->stopping) {
		loop_stop(g->loop);
		return;
	}
	g->stopping = true;
	log_ev(LOG_NOTICE, ROOM, "stopping", LF_INT("signal", signo), LF_UINT("open", sessions_open(g->sessions)));
	(void)notify_send("STOPPING=1");
	control_set_phase(g->control, CONTROL_STOPPING);
	g->drain_until_ms = clock_now_ms() + DRAIN_MS;
	timer_set(loop_timers(g->loop), &g->drain, clock_now_ms(), on_drain);
}

static void on_hup(void *arg, int signo)
{
	struct gateway *g = arg;

	(void)signo;
	if (!g->stopping)
		(void)control_reload(g->control, NULL);
}

static int watch_signals(struct gateway *g)
{
	int err = loop_on_signal(g->loop, SIGTERM, on_stop, g);

	if (!err)
		err = loop_on_signal(g->loop, SIGINT, on_stop, g);
	return err ? err : loop_on_signal(g->loop, SIGHUP, on_hup, g);
}

/* ---- life ---- */

int gateway_open(struct gateway **out, const char *file, struct conf *conf, bool verbose)
{
	struct gateway *g = calloc(1, sizeof *g);
	int err;

	if (!g) {
		conf_free(conf);
		return -ENOMEM;
	}
	g->file = file;
	g->conf = conf;
	g->root = conf_root(conf);
	g->verbose = verbose;
	set_log(g);
	gateway_id(&g->root->gateway, g->id, sizeof g->id);
	log_ev(LOG_INFO, ROOM, "starting", LF_STR("version", niddgw_version), LF_STR("gateway", g->id));
	err = open_all(g);
	if (!err)
		err = watch_signals(g);
	if (err) {
		log_ev(LOG_ERROR, ROOM, "start.failed", LF_STR("reason", strerror(-err)));
		gateway_close(g);
		return err;
	}
	*out = g;
	return 0;
}

int gateway_run(struct gateway *g)
{
	control_set_phase(g->control, CONTROL_READY);
	log_ev(LOG_NOTICE, ROOM, "ready", LF_UINT("links", g->open.links_n), LF_UINT("servers", g->open.servers_n),
	       LF_UINT("devices", sessions_devices(g->sessions)));
	(void)notify_send("READY=1");
	return loop_run(g->loop);
}

void gateway_close(struct gateway *g)
{
	if (!g)
		return;
	control_close(g->control);
	sessions_free(g->sessions);
	set_close(&g->open, NULL, true);
	north_close(g->north);
	alarms_free(g->alarms);
	metrics_free(g->metrics);
	loop_free(g->loop);
	conf_free(g->conf);
	secret_wipe(g->key, sizeof g->key);
	free(g);
}
