/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - the one event loop, over libevent
 *
 * Wraps what every room needs: descriptors, the timer heap, things to be done before the loop sleeps. A room that needs
 * bufferevents or evdns (http, north) asks for the event_base.
 */
#ifndef NIDDGW_BASE_LOOP_H
#define NIDDGW_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

struct event_base;
struct loop;
struct loop_fd;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void loop_fd_fn(void *arg, int fd, unsigned what);
typedef void loop_signal_fn(void *arg, int signo);

int loop_new(struct loop **out); /* -ENOMEM */
void loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l);
struct timers *loop_timers(struct loop *l);

/* Watch fd (level triggered) until loop_unwatch; `what` may be changed by loop_rewatch (0: keep it, watch nothing). The fd stays the caller's. */
int loop_watch(struct loop *l, struct loop_fd **out, int fd, unsigned what, loop_fd_fn *fn, void *arg);
int loop_rewatch(struct loop_fd *w, unsigned what);
void loop_unwatch(struct loop_fd *w); /* NULL is fine */

int loop_on_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg);

/* Called once per pass after the events of that pass and the due timers, before the loop sleeps: for sends gathered in the
 * pass. The hook is the caller's (intrusive) and stays until removed. */
struct loop_hook {
	struct loop_hook *next;
	void (*fn)(void *arg);
	void *arg;
};
void loop_hook_add(struct loop *l, struct loop_hook *h);
void loop_hook_remove(struct loop *l, struct loop_hook *h);

int loop_run(struct loop *l); /* until loop_stop; 0, or a negative errno when the loop itself failed */
void loop_stop(struct loop *l);

#endif
