/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - a plug-in comes up: its process, its first frames, and the watch over whether it answers
 *
 * A ping goes out with every beat of a watchdog. Only the loop of the host process answers it, so a call into the
 * plug-in that never returns is found out; a plug-in that is busy with one document after the other says so by itself.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "plugin/find.h"
#include "plugin/parts.h"
#include "plugin/spawn.h"

enum {
	STEADY_LEAST_MS = 2000,
	OPEN_BEATS = 5, /* beats of the watchdog until it must be open */
	SILENT_BEATS = 4,
	BEAT_MS = 2000,
};

static void on_steady(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	instance_clear_alarm(container_of(t, struct instance, steady));
}

void instance_is_ready(struct instance *in)
{
	const unsigned wait_ms = in->delay_ms > 2 * STEADY_LEAST_MS ? in->delay_ms / 2 : STEADY_LEAST_MS;

	in->state = INSTANCE_RUNNING;
	in->silent = 0;
	in->ready_ms = clock_now_ms();
	in->owed = true;
	plugins_kick(in->all);
	log_ev(LOG_INFO, ROOM, "plugin.running", LF_STR("plugin", in->name), LF_STR("version", in->version),
	       LF_INT("pid", in->pid));
	timer_set(instance_timers(in), &in->steady, clock_now_ms() + wait_ms, on_steady);
}

static void send_urgent(struct instance *in, uint8_t kind)
{
	uint8_t buf[FRAME_HEAD];
	struct writer w = writer_of(buf, sizeof buf);
	struct post *p;

	frame_write_empty(&w, kind);
	p = post_new(buf, writer_len(&w));
	if (p)
		(void)ring_add_urgent(&in->ring, p);
	link_flush(in);
}

/* Beats are counted and not timed: in a daemon that was stopped itself, only one has passed. */
static void on_watchdog(struct timer *t, uint64_t now_ms)
{
	struct instance *in = container_of(t, struct instance, watchdog);

	timer_set(instance_timers(in), t, now_ms + BEAT_MS, on_watchdog);
	link_read(in); /* it may have answered meanwhile */
	if (in->state != INSTANCE_STARTING && in->state != INSTANCE_RUNNING)
		return;
	if (in->out_of_breath)
		return; /* it is not listened to now */
	if (in->silent++ >= (in->state == INSTANCE_RUNNING ? SILENT_BEATS : OPEN_BEATS))
		instance_fail(in,
			      in->state == INSTANCE_RUNNING ? "does not answer: a call of it does not return"
							    : "was not open in time");
	else if (in->state == INSTANCE_RUNNING && !in->ring.urgent_n)
		send_urgent(in, FRAME_PING);
}

/* STATE_DIR/plugins/NAME */
static int make_state_dir(const struct instance *in)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/plugins", in->all->env.state_dir);
	if (mkdir(path, 0750) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof path, "%s/plugins/%s", in->all->env.state_dir, in->name);
	return mkdir(path, 0750) && errno != EEXIST ? -errno : 0;
}

/* The leak check is a debugger. */
#if defined(__SANITIZE_ADDRESS__)
enum { MAY_HIDE = 0 };
#else
enum { MAY_HIDE = 1 };
#endif

/* A process of the same user could look into our memory, were we not hidden from debuggers. */
static void hide(struct plugins *p)
{
	if (!p->hidden && MAY_HIDE)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	p->hidden = true;
}

static int start_process(struct instance *in, const char *library)
{
	char host[PATH_MAX];
	struct spawned s;
	int err = find_host(in->all->env.bin_dir, host);

	if (err) {
		instance_fail(in, "there is no niddgw-plugin-host, neither beside the daemon nor as %s", host);
		return err;
	}
	hide(in->all);
	err = spawn_run(&s, host, library);
	if (err)
		return err;
	in->pid = s.pid;
	err = link_open(in, s.fd, s.err);
	if (err) {
		instance_kill(in);
		return err;
	}
	timer_set(instance_timers(in), &in->watchdog, clock_now_ms() + BEAT_MS, on_watchdog);
	return 0;
}

static void begin_life(struct instance *in)
{
	in->state = INSTANCE_STARTING;
	in->reason[0] = '\0';
	in->ref = ++in->all->last_ref;
	in->silent = 0;
	in->takes = UINT32_MAX;
	in->known = false;
	if (in->started_once)
		++*in->restarts;
	in->started_once = true;
}

void instance_start(struct instance *in)
{
	char library[PATH_MAX], why[FIND_WHY_SIZE];
	int err;

	timer_cancel(instance_timers(in), &in->start);
	begin_life(in);
	if (find_library(in->all->env.bin_dir, in->library, library, why)) {
		instance_refuse(in, why);
		instance_ended(in);
		return;
	}
	err = make_state_dir(in);
	if (!err)
		err = in->in_daemon ? inside_open(in, library) : start_process(in, library);
	if (!err)
		return;
	instance_fail(in, "cannot be started: %s", strerror(-err));
	if (!instance_is_alive(in) && in->ref)
		instance_ended(in);
}

void instance_on_start(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	instance_start(container_of(t, struct instance, start));
}
