/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - an instance and the set of them, for the files of this room */
#ifndef NIDDGW_PLUGIN_PARTS_H
#define NIDDGW_PLUGIN_PARTS_H

#include "base/alarm.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "plugin/conf.h"
#include "plugin/frame.h"
#include "plugin/plugins.h"
#include "plugin/ring.h"

#define ROOM "plugin"

enum {
	COUNTERS_MOST = 32,
	ALARMS_MOST = 16,
	WORD_SIZE = 96,
	REASON_SIZE = 512,
	LINE_MOST = 1024,        /* octets of a line on stderr, the rest is another line */
	FRAMES_PER_S = 1000,     /* that one instance may send; then it waits for the next second */
	LINES_PER_S = 50,        /* of stderr and of niddgw_log() that reach the log */
	STDERR_PER_S = 64 << 10, /* octets */
};

enum instance_state {
	INSTANCE_DOWN,     /* waits for its restart */
	INSTANCE_STARTING, /* until it says ready */
	INSTANCE_RUNNING,
	INSTANCE_STOPPING, /* has been told to close, or is being killed */
	INSTANCE_REFUSED,  /* as DOWN, and nothing is kept for it meanwhile */
	INSTANCE_STOPPED,  /* for good */
	INSTANCE_STATE_COUNT
};

struct instance_counter {
	char name[WORD_SIZE];   /* as the plug-in says it, label included */
	char series[WORD_SIZE]; /* as it is shown */
	char labels[256];
	bool gauge;
	uint64_t *cell; /* of a counter */
	int64_t value;  /* of a gauge */
};

struct inline_host;

struct instance {
	struct plugins *all;
	struct instance *next;
	const struct plugin_conf *conf; /* borrowed; NULL: it is to go */
	char *name, *library;           /* owned; as metrics and alarms know it */
	bool in_daemon;
	struct post *setup; /* owned: its FRAME_SETUP */

	enum instance_state state;
	char reason[REASON_SIZE]; /* why it is down; empty: it is not */
	char version[64];
	bool known; /* it has said hello in this life */
	plugin_ref ref; /* of this life; 0: none */
	uint32_t takes; /* kinds of frames; all until it has said which */
	pid_t pid;      /* 0: none */
	int fd, err_fd;
	struct loop_fd *watch, *err_watch; /* owned */
	bool writing;                      /* waits until fd can be written */
	bool said_stop;
	struct inline_host *inside;        /* owned; of one that runs in the daemon */
	struct frame_stream in;
	struct ring ring;
	bool owed;                         /* a replay, once the ring has room */
	bool again;                        /* to be started again as soon as it has ended */
	unsigned commands;                 /* not answered for good */

	struct timer start, watchdog, steady, breath;
	unsigned delay_ms; /* before the next start */
	unsigned silent;   /* beats of the watchdog without an answer */
	uint64_t ready_ms;
	bool started_once, alarmed;

	/* what it may say in this second */
	uint64_t second_ms;
	unsigned frames, lines, lines_held;
	size_t err_octets;
	bool out_of_breath;
	char line[LINE_MOST];
	size_t line_len;

	uint64_t *dropped, *restarts, *not_kept;
	char label[256]; /* plugin="NAME" */
	struct instance_counter counters[COUNTERS_MOST];
	size_t counters_n;
	char alarms[ALARMS_MOST][WORD_SIZE]; /* types that it has raised */
	size_t alarms_n;
};

struct plugins {
	struct plugins_env env;
	const struct plugins_events *ev; /* never NULL */
	void *ev_arg;
	struct instance *instances, *leaving; /* owned; leaving: until its process has ended */
	plugin_ref last_ref;
	uint8_t *scratch; /* owned: FRAME_DOWN_MOST octets */
	char *state_dir; /* owned: env.state_dir */
	char boot_id[17];
	struct loop_hook hook;
	struct timer kick;
	bool dirty, stopping, hidden;
};

/* ---- instance.c: its life ---- */
/* A new one that is not started. NULL: no memory. */
struct instance *instance_new(struct plugins *p, const char *name, const char *library);
void instance_free(struct instance *in);                  /* its process is ended at once */
void instance_stop(struct instance *in);                  /* in order: what waits, then close */
void instance_fail(struct instance *in, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* ends its process: it is broken */
void instance_refuse(struct instance *in, const char *why); /* it will not be better soon */
void instance_reap(struct instance *in);                  /* has its process ended? */
void instance_ended(struct instance *in);                 /* its process, or its life in the daemon, is over */
bool instance_is_alive(const struct instance *in);        /* has a process, or is open in the daemon */
struct timers *instance_timers(const struct instance *in);
void instance_kill(const struct instance *in);            /* its process and all that it may have started */
void instance_clear_alarm(struct instance *in);

/* ---- start.c: it comes up ---- */
void instance_start(struct instance *in);
timer_fn instance_on_start;                               /* of in->start */
void instance_is_ready(struct instance *in);

/* ---- link.c: socket and stderr of a process ---- */
int link_open(struct instance *in, int fd, int err_fd);   /* takes both */
void link_close(struct instance *in);                     /* reads what is left of both first */
void link_flush(struct instance *in);                     /* writes what can be written now */
void link_read(struct instance *in);                      /* and does what it says */

/* ---- says.c: what a plug-in says ---- */
/* 0; -EBADMSG, -EPROTO: the process is broken. */
int says(struct instance *in, struct frame *f);
void says_forget(struct instance *in);                    /* clears its alarms and gauges */
void says_line(struct instance *in, const char *text, size_t len); /* of stderr */
void says_new_second(struct instance *in);

/* ---- inside.c: plug-ins in the daemon ---- */
int inside_open(struct instance *in, const char *library);
void inside_close(struct instance *in);
void inside_broken(struct instance *in);                  /* closes it and ends its life, as soon as no call of it runs */
bool inside_flush(struct instance *in);                   /* true: there is more */

/* ---- plugins.c ---- */
void plugins_kick(struct plugins *p); /* something has to be flushed soon */

#endif
