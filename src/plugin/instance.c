/* SPDX-License-Identifier: Apache-2.0 */
/* instance.c - the life of one plug-in: how it goes down, how it is stopped; start.c has how it comes up
 *
 * A process that ends, breaks the protocol or does not answer is ended and started again, after half a second first and
 * after twice as long each time, up to a minute. The alarm is raised when it goes down and cleared when it has been up
 * for as long as it had to wait, so a plug-in that falls over again and again is down all the time to whoever looks.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "plugin/parts.h"

enum {
	DELAY_FIRST_MS = 500,
	DELAY_MOST_MS = 60000,
	STOP_MS = 3000,
};

struct timers *instance_timers(const struct instance *in)
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

void instance_kill(const struct instance *in)
{
	if (in->pid)
		kill(-in->pid, SIGKILL); /* and all it may have started */
}

static void cancel_timers(struct instance *in)
{
	struct timer *const all[] = { &in->start, &in->watchdog, &in->steady, &in->breath };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		timer_cancel(instance_timers(in), all[i]);
}

void instance_clear_alarm(struct instance *in)
{
	if (in->alarmed)
		alarm_clear(in->all->env.alarms, "plugin.down", in->name);
	in->alarmed = false;
}

void instance_free(struct instance *in)
{
	struct metrics *m = in->all->env.metrics;

	instance_kill(in);
	while (in->pid && waitpid(in->pid, NULL, 0) < 0 && errno == EINTR)
		;
	link_close(in);
	inside_close(in);
	cancel_timers(in);
	says_forget(in);
	instance_clear_alarm(in);
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
	timer_set(instance_timers(in), &in->start, clock_now_ms() + in_ms, instance_on_start);
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
	instance_kill(in); /* what it has left behind in its group, whose number is not free yet */
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
	instance_kill(in); /* the rest when it is reaped */
}

void instance_refuse(struct instance *in, const char *why)
{
	if (*in->reason)
		return;
	in->state = INSTANCE_REFUSED;
	ring_clear(&in->ring);
	instance_fail(in, "%s", why);
}

/* ---- stop ---- */

static void on_stop_late(struct timer *t, uint64_t now_ms)
{
	struct instance *in = container_of(t, struct instance, watchdog);

	(void)now_ms;
	log_ev(LOG_WARNING, ROOM, "plugin.killed", LF_STR("plugin", in->name), LF_UINT("waiting", in->ring.n));
	instance_kill(in);
}

void instance_stop(struct instance *in)
{
	const bool was_running = in->state == INSTANCE_RUNNING;

	timer_cancel(instance_timers(in), &in->start);
	if (!instance_is_alive(in)) {
		in->state = INSTANCE_STOPPED;
		instance_clear_alarm(in);
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
		instance_kill(in);
		return;
	}
	timer_set(instance_timers(in), &in->watchdog, clock_now_ms() + STOP_MS, on_stop_late);
	link_flush(in); /* says stop behind what waits */
}
