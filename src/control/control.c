/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - life of the room, and reloads
 *
 * A reload goes one way whoever asks for it (SIGHUP or the socket), so that it is counted, logged and alarmed the same.
 */
#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "control/admin.h"
#include "control/command.h"
#include "control/inside.h"
#include "control/publish.h"
#include "control/render.h"
#include "control/socket.h"

/* ---- what plug-ins ask for ---- */

static void on_command(void *arg, plugin_ref from, const struct niddgw_command *cmd)
{
	const struct control *c = arg;

	commands_from_plugin(c->commands, from, cmd);
}

static void on_replay(void *arg, plugin_ref to)
{
	const struct control *c = arg;

	publish_replay(c->publish, to);
}

static const struct plugins_events plugin_events = { on_command, on_replay };

static int open_plugins(struct control *c)
{
	int err = publish_open(&c->publish, c);

	if (!err)
		plugins_set_events(c->env.plugins, &plugin_events, c);
	return err;
}

/* ---- life ---- */

static int give_up(struct control *c, int err)
{
	if (c->env.plugins)
		plugins_set_events(c->env.plugins, NULL, NULL);
	commands_close(c->commands);
	publish_close(c->publish);
	health_log_free(c->health);
	free(c);
	return err;
}

int control_open(struct control **out, const struct control_env *env)
{
	struct control *c = calloc(1, sizeof *c);
	int err;

	if (!c)
		return -ENOMEM;
	c->env = *env;
	c->started_ms = clock_now_ms();
	c->started_wall_ms = c->loaded_wall_ms = clock_wall_ms();
	process_os(c->os, sizeof c->os);
	if (health_log_new(&c->health) || commands_open(&c->commands, c) || (env->plugins && open_plugins(c)))
		return give_up(c, -ENOMEM);
	err = ctl_socket_open(&c->socket, c, env->run_dir);
	if (err) {
		log_ev(LOG_ERROR, "control", "socket.failed", LF_STR("run_dir", env->run_dir),
		       LF_STR("error", strerror(-err)));
		return give_up(c, err);
	}
	process_metrics(c);
	*out = c;
	return 0;
}

int control_show(struct control *c, struct link *const *links, size_t links_n, struct north_server *const *servers,
		 size_t servers_n)
{
	struct link **l = calloc(links_n + 1, sizeof(struct link *));
	struct north_server **s = calloc(servers_n + 1, sizeof(struct north_server *));

	free(c->links);
	free(c->servers);
	c->links = l;
	c->servers = s;
	c->links_n = l && s ? links_n : 0;
	c->servers_n = l && s ? servers_n : 0;
	for (size_t i = 0; i < c->links_n; i++)
		l[i] = links[i];
	for (size_t i = 0; i < c->servers_n; i++)
		s[i] = servers[i];
	return l && s ? 0 : -ENOMEM;
}

int control_set_admin(struct control *c, const struct admin_conf *conf)
{
	return admin_set(&c->admin, c, conf);
}

void control_set_digest(struct control *c, const uint8_t sha256[32])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(c->config_digest + 2 * i, 3, "%02x", sha256[i]);
}

void control_set_phase(struct control *c, enum control_phase phase)
{
	c->phase = phase;
	publish_gateway(c->publish);
}

void control_stopped(struct control *c)
{
	publish_stopped(c->publish);
}

void control_set_config(struct control *c, const char *sha256)
{
	snprintf(c->config_sha256, sizeof c->config_sha256, "%s", sha256);
}

/* ---- reload ---- */

/* How many lines of a report go to the log. */
enum { LOGGED_MOST = 50 };

static void log_report(enum log_level level, const char *ev, const char *report)
{
	size_t n = 0;

	for (const char *p = report; p && *p && n < LOGGED_MOST;) {
		size_t len = strcspn(p, "\n");

		if (len) {
			log_ev(level, "control", ev, LF_BYTES("text", p, len));
			n++;
		}
		p += len + (p[len] == '\n');
	}
}

static void reload_accepted(struct control *c, const char *report)
{
	free(c->reload_error);
	c->reload_error = NULL;
	c->loaded_wall_ms = clock_wall_ms();
	++*c->reloads[RELOAD_OK];
	alarm_clear(c->env.alarms, "config.reload_failed", "config");
	log_report(LOG_INFO, "reload.change", report);
	log_ev(LOG_NOTICE, "control", "reload.done");
}

static void reload_refused(struct control *c, int err, const char *report)
{
	const char *first = report && *report ? report : strerror(-err);

	free(c->reload_error);
	c->reload_error = strndup(first, strcspn(first, "\n"));
	++*c->reloads[RELOAD_REFUSED];
	alarm_raise(c->env.alarms, ALARM_MAJOR, "config.reload_failed", "config",
		    c->reload_error ? c->reload_error : "refused",
		    "mend the files and reload again; niddgwd -t shows every fault");
	log_report(LOG_ERROR, "reload.fault", report);
	log_ev(LOG_ERROR, "control", "reload.refused", LF_STR("error", strerror(-err)));
}

int reload_run(struct control *c, char **report)
{
	size_t len = 0;
	FILE *f = open_memstream(report, &len);
	int err = f ? c->env.reload(c->env.arg, f) : -ENOMEM;

	if (f && fclose(f) && !err)
		log_ev(LOG_WARNING, "control", "reload.report.lost");
	if (err)
		reload_refused(c, err, *report);
	else
		reload_accepted(c, *report);
	publish_gateway(c->publish);
	return err;
}

int control_reload(struct control *c, FILE *report)
{
	char *text = NULL;
	int err = reload_run(c, &text);

	if (report && text)
		fputs(text, report);
	free(text);
	return err;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	if (c->env.plugins)
		plugins_set_events(c->env.plugins, NULL, NULL);
	commands_close(c->commands);
	publish_close(c->publish);
	admin_close(c->admin);
	ctl_socket_close(c->socket);
	process_metrics_end(c);
	health_log_free(c->health);
	free(c->links);
	free(c->servers);
	free(c->reload_error);
	free(c);
}
