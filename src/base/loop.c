/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - one pass: wait, serve what is ready, run due timers, call the hooks
 *
 * The timer heap is woken by one timerfd on CLOCK_BOOTTIME instead of libevent's own timers: those run on a coarse
 * clock that stands still in suspend. The descriptor is set again only for a time earlier than the one it is set to, or
 * after it went off; retransmission timers that are set and cancelled with every exchange thus cost no system call.
 */
#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { TIMERS_PER_PASS = 1024 }; /* so that a burst of timers does not keep sockets waiting */

struct loop_signal {
	struct loop_signal *next;
	struct event *ev;
	loop_signal_fn *fn;
	void *arg;
};

struct loop {
	struct event_base *base; /* owned */
	struct timers timers;
	struct event *timer_ev; /* owned */
	int timer_fd;           /* owned */
	uint64_t armed_ms;      /* what timer_fd is set to; 0: not set */
	struct loop_hook *hooks;
	struct loop_hook *hook_next; /* while hooks run: the one after the running one */
	struct loop_signal *signals; /* owned */
	bool stop;
};

struct loop_fd {
	struct event ev;
	struct event_base *base; /* borrowed */
	loop_fd_fn *fn;
	void *arg;
	int fd;
	unsigned what;
};

static void on_timer_fd(int fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t times;
	ssize_t n = read(fd, &times, sizeof times);

	(void)what;
	(void)n; /* the pass runs the timers; reading only quiets the descriptor */
	l->armed_ms = 0;
}

/* What libevent has to say, of name servers for the most part, is a line like any other. */
static void on_libevent_says(int severity, const char *text)
{
	enum log_level level = severity >= EVENT_LOG_ERR ? LOG_ERROR
		: severity == EVENT_LOG_WARN             ? LOG_WARNING
							 : LOG_DEBUG;

	log_ev(level, "base", "libevent", LF_STR("text", text));
}

static int open_base(struct loop *l)
{
	struct event_config *cfg = event_config_new();

	if (cfg && !event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK))
		l->base = event_base_new_with_config(cfg);
	if (cfg)
		event_config_free(cfg);
	return l->base ? 0 : -ENOMEM;
}

static int open_timer(struct loop *l)
{
	l->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0)
		return -errno;
	l->timer_ev = event_new(l->base, l->timer_fd, EV_READ | EV_PERSIST, on_timer_fd, l);
	return l->timer_ev && !event_add(l->timer_ev, NULL) ? 0 : -ENOMEM;
}

int loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof *l);
	int err;

	if (!l)
		return -ENOMEM;
	l->timer_fd = -1;
	event_set_log_callback(on_libevent_says);
	err = open_base(l);
	if (!err)
		err = open_timer(l);
	if (err) {
		loop_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	struct loop_signal *s;

	if (!l)
		return;
	while ((s = l->signals)) {
		l->signals = s->next;
		event_free(s->ev);
		free(s);
	}
	if (l->timer_ev)
		event_free(l->timer_ev);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->base)
		event_base_free(l->base);
	free(l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

struct timers *loop_timers(struct loop *l)
{
	return &l->timers;
}

static void on_fd(int fd, short what, void *arg)
{
	struct loop_fd *w = arg;

	w->fn(w->arg, fd, (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u));
}

int loop_rewatch(struct loop_fd *w, unsigned what)
{
	const short events = (short)(EV_PERSIST | (what & LOOP_READ ? EV_READ : 0) |
				     (what & LOOP_WRITE ? EV_WRITE : 0));

	if (what == w->what)
		return 0;
	if (w->what)
		event_del(&w->ev);
	w->what = 0;
	if (!what)
		return 0;
	if (event_assign(&w->ev, w->base, w->fd, events, on_fd, w) || event_add(&w->ev, NULL))
		return errno ? -errno : -ENOMEM;
	w->what = what;
	return 0;
}

int loop_watch(struct loop *l, struct loop_fd **out, int fd, unsigned what, loop_fd_fn *fn, void *arg)
{
	struct loop_fd *w = calloc(1, sizeof *w);
	int err;

	if (!w)
		return -ENOMEM;
	w->base = l->base;
	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	err = loop_rewatch(w, what);
	if (err) {
		free(w);
		return err;
	}
	*out = w;
	return 0;
}

void loop_unwatch(struct loop_fd *w)
{
	if (!w)
		return;
	loop_rewatch(w, 0);
	free(w);
}

static void on_signal(int signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn(s->arg, signo);
}

int loop_on_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->arg = arg;
	s->ev = evsignal_new(l->base, signo, on_signal, s);
	if (!s->ev || event_add(s->ev, NULL)) {
		if (s->ev)
			event_free(s->ev);
		free(s);
		return -ENOMEM;
	}
	s->next = l->signals;
	l->signals = s;
	return 0;
}

void loop_hook_add(struct loop *l, struct loop_hook *h)
{
	struct loop_hook **at = &l->hooks;

	while (*at)
		at = &(*at)->next;
	h->next = NULL;
	*at = h;
}

void loop_hook_remove(struct loop *l, struct loop_hook *h)
{
	struct loop_hook **at = &l->hooks;

	if (l->hook_next == h)
		l->hook_next = h->next;
	while (*at && *at != h)
		at = &(*at)->next;
	if (*at)
		*at = h->next;
	h->next = NULL;
}

static void run_hooks(struct loop *l)
{
	struct loop_hook *h;

	for (h = l->hooks; h; h = l->hook_next) {
		l->hook_next = h->next;
		h->fn(h->arg);
	}
}

static void arm(struct loop *l, uint64_t at_ms)
{
	uint64_t boot_ms = at_ms > CLOCK_BASE_MS ? at_ms - CLOCK_BASE_MS : 1;
	const struct itimerspec t = {
		.it_value = { .tv_sec = (time_t)(boot_ms / 1000), .tv_nsec = (long)(boot_ms % 1000) * 1000000 },
	};

	if (l->armed_ms && l->armed_ms <= at_ms)
		return;
	if (!timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &t, NULL))
		l->armed_ms = at_ms;
}

/* Wait for something to do and serve it; returns at once when timers are due already. */
static int serve(struct loop *l)
{
	const uint64_t next = timers_next(&l->timers);
	int flags = EVLOOP_ONCE;

	if (next <= clock_now_ms())
		flags |= EVLOOP_NONBLOCK;
	else if (next != UINT64_MAX)
		arm(l, next);
	clock_forget();
	if (event_base_loop(l->base, flags) < 0)
		return errno ? -errno : -EIO;
	clock_tick();
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	l->stop = false;
	while (!err && !l->stop) {
		err = serve(l);
		timers_run(&l->timers, clock_now_ms(), TIMERS_PER_PASS);
		run_hooks(l);
	}
	return err;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
