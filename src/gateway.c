/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - wiring: opens what a configuration names, runs, stops */
#include "gateway.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/secret.h"
#include "control/events.h"
#include "control/notify.h"
#include "control/version.h"
#include "gateway_parts.h"
#include "session/provision.h"

#define ALARMS_MAX 1000
#define DRAIN_MS 5000 /* how long open exchanges may go on after SIGTERM */
#define DRAIN_STEP_MS 50
#define PLUGINS_STOP_MS 4000 /* how long plug-ins may take after that; they are killed a little earlier */

/* ---- start ---- */

void gateway_set_log(const struct gateway *g)
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

static int open_plugins(struct gateway *g)
{
	const struct plugins_env env = { g->loop, g->metrics, g->alarms, g->id, g->state_dir, NULL };

	return plugins_open(&g->plugins, &env);
}

static int open_store(struct gateway *g)
{
	const struct store_env env = { g->loop, g->metrics, g->alarms, g->root->gateway.state_dir, &g->root->store };

	return store_open(&g->store, &env);
}

static int open_sessions(struct gateway *g)
{
	const struct sessions_env env = { .store = g->store,
					  .timers = loop_timers(g->loop),
					  .metrics = g->metrics,
					  .alarms = g->alarms,
					  .mirror = g->mirror,
					  .gateway_id = g->id };
	int err = sessions_new(&g->sessions, &env);

	if (err)
		return err;
	g->link_env = (struct link_env){ g->loop,     g->metrics, g->alarms, g->key, g->id, &session_link_events,
					 g->sessions, &g->t8,     g->store };
	g->north_env = (struct north_env){ g->loop, g->metrics, g->alarms, g->key, &session_north_events, g->sessions };
	err = north_open(&g->north, &g->root->north, &g->north_env);
	return err ? err : mirrored_ask(g);
}

static int open_links(struct gateway *g)
{
	for (size_t i = 0; i < g->root->links.n; i++) {
		const struct link_conf *c = g->root->links.v[i];
		int err = c->enabled ? opened_add_link(g, &g->open, c) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* Of the effective configuration, wherever its parts stand: two gateways with the same one have the same. */
static void show_digest(struct gateway *g)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	uint8_t digest[32];

	if (!f)
		return;
	conf_print(g->conf, &gateway_schema, f);
	if (!fclose(f)) {
		sha256(digest, text, len);
		control_set_digest(g->control, digest);
	}
	free(text);
}

int gateway_show(struct gateway *g)
{
	show_digest(g);
	return control_show(g->control, g->open.links, g->open.links_n, g->open.servers, g->open.servers_n);
}

static int open_control(struct gateway *g)
{
	const struct control_env env = { g->loop,        g->metrics, g->alarms,
					 g->sessions,    g->id,      g->root->gateway.run_dir,
					 gateway_reload, g,          g->events,
					 g->plugins,     g->mirror,  g->store };
	int err = control_open(&g->control, &env);

	if (!err)
		err = gateway_show(g);
	return err ? err : control_set_admin(g->control, &g->root->admin);
}

static int open_all(struct gateway *g)
{
	const struct opened none = { 0 };
	struct sessions_change change;
	int err = make_dirs(&g->root->gateway);

	if (!err)
		err = key_load(g->key, g->root->gateway.state_dir);
	if (!err)
		err = open_base(g);
	if (!err)
		err = registry_open(&g->registry, g->file, stderr);
	if (!err)
		err = open_plugins(g);
	if (!err)
		err = mirrored_open(g);
	if (!err)
		err = open_store(g);
	if (!err)
		err = open_sessions(g);
	if (!err)
		err = opened_init(&g->open, g->root);
	if (!err)
		err = opened_servers(g, &g->open, &none, g->root);
	if (!err)
		err = open_links(g);
	if (!err)
		err = opened_configure(g, &g->open, g->conf, &change);
	if (!err)
		err = sessions_restore_records(g->sessions);
	if (!err)
		err = sessions_restore(g->sessions);
	if (!err)
		err = open_control(g);
	return err ? err : plugins_configure(g->plugins, &g->root->plugins);
}

/* ---- signals ---- */

/* They tell who listens that the gateway has gone in order. */
static void on_drain_plugins(struct timer *t, uint64_t now_ms)
{
	struct gateway *g = container_of(t, struct gateway, drain);

	if (now_ms >= g->drain_until_ms || plugins_running(g->plugins) == 0)
		loop_stop(g->loop);
	else
		timer_set(loop_timers(g->loop), t, now_ms + DRAIN_STEP_MS, on_drain_plugins);
}

static void on_drain(struct timer *t, uint64_t now_ms)
{
	struct gateway *g = container_of(t, struct gateway, drain);

	if (now_ms >= g->drain_until_ms || sessions_open(g->sessions) == 0) {
		control_stopped(g->control);
		plugins_stop(g->plugins);
		g->drain_until_ms = now_ms + PLUGINS_STOP_MS;
		timer_set(loop_timers(g->loop), t, now_ms, on_drain_plugins);
	} else {
		timer_set(loop_timers(g->loop), t, now_ms + DRAIN_STEP_MS, on_drain);
	}
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

int gateway_open(struct gateway **out, const char *file, const struct conf_schema *schema, struct conf *conf,
		 bool verbose)
{
	struct gateway *g = calloc(1, sizeof *g);
	int err;

	if (!g) {
		conf_free(conf);
		return -ENOMEM;
	}
	g->file = file;
	g->schema = schema;
	g->conf = conf;
	g->root = conf_root(conf);
	g->verbose = verbose;
	gateway_set_log(g);
	gateway_id(&g->root->gateway, g->id, sizeof g->id);
	g->state_dir = strdup(g->root->gateway.state_dir);
	err = g->state_dir ? events_new(&g->events) : -ENOMEM;
	log_ev(LOG_INFO, ROOM, "starting", LF_STR("version", niddgw_version), LF_STR("gateway", g->id));
	if (!err)
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
	if (g->sessions)
		sessions_save(g->sessions);
	sessions_free(g->sessions);
	plugins_close(g->plugins);
	opened_close(&g->open, NULL, true);
	links_end(&g->link_env);
	mirrored_close(g);
	north_close(g->north);
	store_close(g->store);
	lwm2m_registry_free(g->registry);
	alarms_free(g->alarms);
	metrics_free(g->metrics);
	loop_free(g->loop);
	conf_free(g->conf);
	events_free(g->events);
	free(g->state_dir);
	secret_wipe(g->key, sizeof g->key);
	free(g);
}
