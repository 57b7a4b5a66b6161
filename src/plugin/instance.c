/* SPDX-License-Identifier: Apache-2.0 */
/* instance.c - the life of one plug-in: start, watch, restart, stop
 *
 * A process that ends, breaks the protocol or does not answer is ended and started again, after half a second first and
 * after twice as long each time, up to a minute. The alarm is raised when it goes down and cleared when it has been up
 * for as long as it had to wait, so a plug-in that falls over again and again is down all the time to whoever looks.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "plugin/find.h"
#include "plugin/parts.h"
#include "plugin/spawn.h"

enum {
	DELAY_FIRST_MS = 500,
	DELAY_MOST_MS = 60000,
	STEADY_LEAST_MS = 2000,
	OPEN_BEATS = 5, /* beats of the watchdog until it must be open */
	SILENT_BEATS = 4,
	BEAT_MS = 2000,
	STOP_MS = 3000,
};

static void on_start(struct timer *t, uint64_t now_ms);
static void on_watchdog(struct timer *t, uint64_t now_ms);

static struct timers *timers_of(const struct instance *in)
{
	return loop_timers(in->all->env.loop);
}

/* ---- making one ---- */

static double up_gauge(void *arg)
{
	return ((const struct instance *)arg)->state == INSTANCE_RUNNING;
}

static double queued_gauge(void *arg)
{
	return (double)((const struct instance *)arg)->ring.n;
}

static void open_metrics(struct instance *in)
{
	struct metrics *m = in->all->env.metrics;
	char escaped[sizeof in->label - 16];

	snprintf(in->label, sizeof in->label, "plugin=\"%s\"", metrics_label(escaped, sizeof escaped, in->name));
	in->dropped = metrics_counter(m, "plugin_dropped_total", in->label,
				      "Documents that a plug-in did not take in time, the oldest first.");
	in->not_kept = metrics_counter(m, "plugin_not_kept_total", in->label,
				       "Records that a plug-in took and did not keep.");
	in->restarts = metrics_counter(m, "plugin_restarts_total", in->label, "Times a plug-in was started again.");
	metrics_gauge(m, "plugin_up", in->label, "1 while a plug-in runs.", up_gauge, in);
	metrics_gauge(m, "plugin_queue_depth", in->label, "Documents that wait for a plug-in.", queued_gauge, in);
}

struct instance *instance_new(struct plugins *p, const char *name, const char *library)
{
	struct instance *in = calloc(1, sizeof *in);

	if (!in)
		return NULL;
	in->all = p;
	in->name = strdup(name);
	in->library = strdup(library);
	in->fd = in->err_fd = -1;
	in->takes = UINT32_MAX;
	if (in->name && in->library) {
		open_metrics(in);
		return in;
	}
	free(in->name);
	free(in->library);
	free(in);
	return NULL;
}

static void kill_process(const struct instance *in)
{
	if (in->pid)
		kill(-in->pid, SIGKILL); /* and all it may have started */
}

static void cancel_timers(struct instance *in)
{
	struct timer *const all[] = { &in->start, &in->watchdog, &in->steady, &in->breath };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		timer_cancel(timers_of(in), all[i]);
}

static void clear_alarm(struct instance *in)
{
	if (in->alarmed)
		alarm_clear(in->all->env.alarms, "plugin.down", in->name);
	in->alarmed = false;
}

void instance_free(struct instance *in)
{
	struct metrics *m = in->all->env.metrics;

	kill_process(in);
	while (in->pid && waitpid(in->pid, NULL, 0) < 0 && errno == EINTR)
		;
	link_close(in);
	inside_close(in);
	cancel_timers(in);
	says_forget(in);
	clear_alarm(in);
	metrics_gauge(m, "plugin_up", in->label, "", NULL, in);
	metrics_gauge(m, "plugin_queue_depth", in->label, "", NULL, in);
	ring_clear(&in->ring);
	post_put(in->setup);
	free(in->name);
	free(in->library);
	free(in);
}

bool instance_is_alive(const struct instance *in)
{
	return in->pid || in->inside;
}

/* ---- down ---- */

static void schedule(struct instance *in, unsigned in_ms)
{
	timer_set(timers_of(in), &in->start, clock_now_ms() + in_ms, on_start);
}

static void raise_alarm(struct instance *in)
{
	char text[REASON_SIZE + 32];

	if (in->alarmed)
		return;
	in->alarmed = true;
	snprintf(text, sizeof text, "%s: %s", in->state == INSTANCE_REFUSED ? "refused" : "not running", in->reason);
	alarm_raise(in->all->env.alarms, ALARM_MAJOR, "plugin.down", in->name, text,
		    in->state == INSTANCE_REFUSED ? "install the plug-in that belongs to this version, then reload"
						  : "see the log for what the plug-in said");
}

/* Not asked for. */
static void went_down(struct instance *in)
{
	const bool refused = in->state == INSTANCE_REFUSED;
	const bool was_long_up = in->ready_ms && clock_now_ms() - in->ready_ms >= DELAY_MOST_MS;

	if (was_long_up || !in->delay_ms)
		in->delay_ms = DELAY_FIRST_MS;
	if (refused)
		in->delay_ms = DELAY_MOST_MS;
	else
		in->state = INSTANCE_DOWN;
	raise_alarm(in);
	log_ev(LOG_WARNING, ROOM, refused ? "plugin.refused" : "plugin.ended", LF_STR("plugin", in->name),
	       LF_STR("reason", in->reason), LF_UINT("again_ms", in->delay_ms));
	schedule(in, in->delay_ms);
	in->delay_ms = in->delay_ms * 2 < DELAY_MOST_MS ? in->delay_ms * 2 : DELAY_MOST_MS;
}

void instance_ended(struct instance *in)
{
	const bool asked = in->state == INSTANCE_STOPPING && !*in->reason;

	cancel_timers(in);
	says_forget(in);
	if (in->ring.sent)
		++*in->dropped;
	ring_rewind(&in->ring);
	in->ref = 0;
	in->commands = 0;
	in->out_of_breath = false;
	if (in->all->stopping || !in->conf) {
		in->state = INSTANCE_STOPPED;
		plugins_kick(in->all); /* one that leaves is freed there */
	} else if (in->again || asked) {
		in->again = false;
		in->state = INSTANCE_DOWN;
		schedule(in, 0);
	} else {
		went_down(in);
	}
	in->ready_ms = 0;
}

static void name_end(struct instance *in, int status)
{
	if (*in->reason || in->state == INSTANCE_STOPPING)
		return; /* why it had to end is known */
	if (WIFSIGNALED(status))
		snprintf(in->reason, sizeof in->reason, "ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(in->reason, sizeof in->reason, "ended with status %d", WEXITSTATUS(status));
}

void instance_reap(struct instance *in)
{
	siginfo_t info = { 0 };
	int status = 0;

	if (!in->pid || (!waitid(P_PID, (id_t)in->pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid))
		return;
	kill_process(in); /* what it has left behind in its group, whose number is not free yet */
	(void)waitpid(in->pid, &status, 0);
	in->pid = 0;
	link_close(in); /* it may have said why */
	name_end(in, status);
	instance_ended(in);
}

void instance_fail(struct instance *in, const char *fmt, ...)
{
	va_list ap;

	if (*in->reason)
		return;
	va_start(ap, fmt);
	vsnprintf(in->reason, sizeof in->reason, fmt, ap);
	va_end(ap);
	if (in->inside) {
		inside_broken(in);
		return;
	}
	if (in->state != INSTANCE_REFUSED)
		in->state = INSTANCE_STOPPING;
	kill_process(in); /* the rest when it is reaped */
}

void instance_refuse(struct instance *in, const char *why)
{
	if (*in->reason)
		return;
	in->state = INSTANCE_REFUSED;
	ring_clear(&in->ring);
	instance_fail(in, "%s", why);
}

/* ---- up ---- */

static void on_steady(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	clear_alarm(container_of(t, struct instance, steady));
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
	timer_set(timers_of(in), &in->steady, clock_now_ms() + wait_ms, on_steady);
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

	timer_set(timers_of(in), t, now_ms + BEAT_MS, on_watchdog);
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
		kill_process(in);
		return err;
	}
	timer_set(timers_of(in), &in->watchdog, clock_now_ms() + BEAT_MS, on_watchdog);
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

	timer_cancel(timers_of(in), &in->start);
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

static void on_start(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	instance_start(container_of(t, struct instance, start));
}

/* ---- stop ---- */

static void on_stop_late(struct timer *t, uint64_t now_ms)
{
	struct instance *in = container_of(t, struct instance, watchdog);

	(void)now_ms;
	log_ev(LOG_WARNING, ROOM, "plugin.killed", LF_STR("plugin", in->name), LF_UINT("waiting", in->ring.n));
	kill_process(in);
}

void instance_stop(struct instance *in)
{
	const bool was_running = in->state == INSTANCE_RUNNING;

	timer_cancel(timers_of(in), &in->start);
	if (!instance_is_alive(in)) {
		in->state = INSTANCE_STOPPED;
		clear_alarm(in);
		if (in->again)
			instance_ended(in);
		return;
	}
	if (in->state == INSTANCE_STOPPING)
		return;
	in->state = INSTANCE_STOPPING;
	if (in->inside) {
		while (inside_flush(in))
			;
		inside_close(in);
		instance_ended(in);
		return;
	}
	if (!was_running) {
		kill_process(in);
		return;
	}
	timer_set(timers_of(in), &in->watchdog, clock_now_ms() + STOP_MS, on_stop_late);
	link_flush(in); /* says stop behind what waits */
}
