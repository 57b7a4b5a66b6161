/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the unix socket for niddgwctl and the admin HTTP listener
 *
 * Both only read what sessions, links and servers tell of themselves, and show the same objects (render.h). What the socket
 * can change is the device records of the store (records.h), and it can ask for a reload, which main does. All of it runs on the main loop; every client is bounded, and a
 * slow one is dropped.
 */
#ifndef NIDDGW_CONTROL_CONTROL_H
#define NIDDGW_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct admin_conf; /* conf.h */
struct alarms;
struct control;
struct events; /* events.h */
struct link;
struct loop;
struct metrics;
struct mirror;
struct north_server;
struct plugins;
struct sessions;
struct store;

enum control_phase {
	CONTROL_STARTING, /* listeners are not all bound yet: /readyz is 503 */
	CONTROL_READY,
	CONTROL_STOPPING, /* /readyz is 503, reload is refused */
	CONTROL_PHASE_COUNT
};

/* What control gets from main; everything is borrowed and outlives the struct control. */
struct control_env {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct sessions *sessions;
	const char *gateway_id;
	const char *run_dir; /* the socket is run_dir/ctl; run_dir exists already (dir_make()) */
	/**
	 * Read the configuration again and swap it in if it is sound.
	 * @param report  lines of text for the operator: what changed and what needs a restart, or every fault
	 * @return 0 taken over; a negative errno: refused, nothing has changed
	 *
	 * Called from a timer, never from inside a callback of a client: it may call control_show() and control_set_admin().
	 */
	int (*reload)(void *arg, FILE *report);
	void *arg; /* of reload */
	const struct events *events; /* NULL: none are kept */
	struct plugins *plugins; /* NULL: there are none */
	struct mirror *mirror;   /* NULL: what devices answer has no names */
	struct store *store;     /* NULL: nothing survives */
};

/* Binds run_dir/ctl (0660; one that a dead process left is replaced). 0; -EADDRINUSE another daemon answers there; else a
 * negative errno (logged). Registers build_info, start_time_seconds, rss_bytes, fds and config_reloads_total. */
int control_open(struct control **out, const struct control_env *env);
/* What to show from now on; the arrays are copied, what they point to is borrowed until the next call. 0 or -ENOMEM, then
 * nothing is shown rather than what may be gone. */
int control_show(struct control *c, struct link *const *links, size_t links_n, struct north_server *const *servers, size_t servers_n);
/* Binds admin.listen (conf is borrowed for the call), and only then closes the one before. 0 or a negative errno (logged); then the
 * listener before goes on. The same address again does nothing. */
int control_set_admin(struct control *c, const struct admin_conf *conf);
void control_set_digest(struct control *c, const uint8_t sha256[32]); /* of the configuration in use, for /api/v1/info */
void control_set_phase(struct control *c, enum control_phase phase);
void control_stopped(struct control *c); /* the last that plug-ins are told, before they are stopped */
void control_set_config(struct control *c, const char *sha256); /* of the configuration in use, in hexadecimal; copied */
/* The last reload's fate for /api/v1/info: a SIGHUP goes this way too, so that it is counted. Runs env->reload; NULL report is fine. */
int control_reload(struct control *c, FILE *report);
void control_close(struct control *c); /* removes the socket; NULL is fine */

/* Make a directory of the daemon's own (0750, missing parents too). 0; -ENOTDIR; -EPERM an existing one that others can write;
 * else the errno of mkdir. */
int dir_make(const char *path);

#endif
