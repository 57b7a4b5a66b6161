/* SPDX-License-Identifier: Apache-2.0 */
/* plugins.h - what the daemon tells its plug-ins, and what they ask of it
 *
 * Each configured plug-in is an instance with a process of its own (niddgw-plugin-host) or, for ours and when asked, in the
 * daemon. What is posted is encoded once and put into the ring of each instance that takes it: 1024 documents or 4 MiB, the oldest
 * is dropped and counted. Nothing here ever waits for a plug-in. All of it runs on the main loop.
 */
#ifndef NIDDGW_PLUGIN_PLUGINS_H
#define NIDDGW_PLUGIN_PLUGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mirror/report.h"
#include "niddgw/plugin.h"

struct alarms;
struct conf_list;
struct loop;
struct metrics;
struct plugins;

enum { PLUGINS_RING_DOCUMENTS = 1024, PLUGINS_RING_BYTES = 4 << 20, PLUGINS_COMMANDS_MOST = 64 /* of one instance under way */ };

/* One life of an instance: another number each time its process starts, never 0. What is meant for a life that is over goes nowhere. */
typedef uint64_t plugin_ref;

enum plugins_kind {
	PLUGINS_RECORD, PLUGINS_SESSION, PLUGINS_DOWN, PLUGINS_ALARM, PLUGINS_STATS, PLUGINS_GATEWAY, PLUGINS_ANSWER, PLUGINS_KIND_COUNT
};

/* What instances ask for; set once by whoever answers (the mirror). Each may be NULL. Called from the loop, never from inside a post. */
struct plugins_events {
	/* A command; everything is borrowed. It must be answered by plugins_post_answer() with final, at once or later: at most
	 * PLUGINS_COMMANDS_MOST of one instance are open at a time. Whether it is allowed: plugins_allows(). */
	void (*command)(void *arg, plugin_ref from, const struct niddgw_command *c);
	/* Every gateway state, active alarm and session is to be posted to this one, paced by plugins_room(). Comes when an instance
	 * has been opened, has asked, or documents of these kinds were dropped; it may come again before the last one is through, which
	 * starts it anew. */
	void (*replay)(void *arg, plugin_ref to);
};

/* Everything is borrowed and outlives the struct plugins, but state_dir, which is copied. */
struct plugins_env {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	const char *gateway_id;
	const char *state_dir; /* an instance may write STATE_DIR/plugins/NAME */
	const char *bin_dir;   /* where niddgw-plugin-host and plugins/ are looked for first; NULL: beside the running program */
};

/* Registers the metrics; starts nothing. 0 or -ENOMEM. */
int plugins_open(struct plugins **out, const struct plugins_env *env);
void plugins_set_events(struct plugins *p, const struct plugins_events *ev, void *arg); /* borrowed */
/**
 * Run what a configuration names: instances that are the same go on undisturbed, changed ones are started again, others are closed.
 * @param list  of struct plugin_conf (conf.h), borrowed until the next call
 * @return 0 or -ENOMEM. An instance that cannot be started is no error here: plugin.down is raised and it is tried again
 */
int plugins_configure(struct plugins *p, const struct conf_list *list);
/* Lets every instance finish what is in its ring and close; plugins_running() tells when all have ended. */
void plugins_stop(struct plugins *p);
size_t plugins_running(const struct plugins *p); /* instances with a process, or open in the daemon */
void plugins_close(struct plugins *p);           /* ends what still runs, at once; NULL is fine */

const char *plugins_boot_id(const struct plugins *p); /* 16 hexadecimal digits, others each time */

/* ---- telling ---- */

/* Is there anybody who would take it? Else it need not even be made. */
bool plugins_want(const struct plugins *p, enum plugins_kind kind);
/* to 0: all. Nothing is returned: what is dropped is counted. Above 1 MiB a document is dropped, too. */
void plugins_post_record(struct plugins *p, const struct report *r);
void plugins_post_session(struct plugins *p, plugin_ref to, const struct niddgw_session *s);
void plugins_post_down(struct plugins *p, const struct niddgw_down *d);
void plugins_post_alarm(struct plugins *p, plugin_ref to, const struct niddgw_alarm_event *a);
void plugins_post_stats(struct plugins *p, const struct niddgw_stats *s);
void plugins_post_gateway(struct plugins *p, plugin_ref to, const struct niddgw_gateway *g);
void plugins_post_answer(struct plugins *p, plugin_ref to, const struct niddgw_answer *a); /* cookie as in the command */

/* How many documents of a replay may be posted to it now, so that its ring stays free for what happens; -ENOENT: that life is over. */
long plugins_room(const struct plugins *p, plugin_ref to);
/* Does the instance have this command in its list "commands"? */
bool plugins_allows(const struct plugins *p, plugin_ref from, const char *command);
plugin_ref plugins_ref(const struct plugins *p, const char *name); /* its life now; 0: it has none, or there is no such instance */
const char *plugins_name(const struct plugins *p, plugin_ref ref); /* of the instance; NULL: that life is over */
bool plugins_has(const struct plugins *p, const char *name); /* alive or not */
/* End this instance's process, when it has taken what waits for it, and start it again (command plugin-restart). 0; -ENOENT no such instance. */
int plugins_restart(struct plugins *p, const char *name);

/* ---- showing ---- */

struct plugin_status {
	const char *name, *plugin;  /* of the instance, of the library */
	const char *version;        /* NULL: not known yet */
	const char *state;          /* "starting", "running", "down", "refused", "stopping" */
	const char *reason;         /* why it is down or refused; NULL */
	bool inline_;
	pid_t pid;                  /* 0: none */
	uint64_t dropped, restarts;
	size_t queued;
};
typedef void plugins_each_fn(void *arg, const struct plugin_status *s);
void plugins_each(const struct plugins *p, plugins_each_fn *fn, void *arg);

#endif
