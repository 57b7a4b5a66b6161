/* SPDX-License-Identifier: Apache-2.0 */
/* inside.c - plug-ins of ours in the daemon, when a site asks for it
 *
 * The same core as in a host process gets the same frames from the same ring; only nothing lies between. Frames are
 * given to it from the loop, some in each pass, never from inside a post.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/version.h"
#include "host/host.h"
#include "plugin/parts.h"

enum { FRAMES_AT_ONCE = 64 };

struct watch {
	struct inline_host *of;
	struct loop_fd *fd_watch;
	int fd;
};

struct inline_host {
	struct instance *in;
	struct niddgw_host *host;
	struct watch watches[HOST_WATCHES_MOST];
	struct timer timer;
	bool busy;   /* a call of it runs */
	bool broken; /* it has said what it cannot say */
};

static struct loop *loop_of(const struct inline_host *h)
{
	return h->in->all->env.loop;
}

/* ---- what it says ---- */

static void on_out(void *arg, const uint8_t *data, size_t len)
{
	struct inline_host *h = arg;
	struct frame f = { data[4], reader_of(data + FRAME_HEAD, len - FRAME_HEAD) };

	if (h->in->inside == h && says(h->in, &f))
		h->broken = true;
}

/* A call has returned. What it did to its own life takes effect now. */
static void after_call(struct inline_host *h)
{
	h->busy = false;
	host_flush(h->host);
	if (h->broken)
		instance_fail(h->in, "said what no plug-in says");
	else if (*h->in->reason)
		inside_broken(h->in);
}

void inside_broken(struct instance *in)
{
	if (in->inside->busy)
		return; /* after_call() comes back to it */
	inside_close(in);
	instance_ended(in);
}

/* ---- watches and timer ---- */

static void on_fd(void *arg, int fd, unsigned what)
{
	struct watch *w = arg;
	struct inline_host *h = w->of;

	h->busy = true;
	host_ready(h->host, fd, (what & LOOP_READ ? POLLIN : 0u) | (what & LOOP_WRITE ? POLLOUT : 0u));
	after_call(h);
}

static struct watch *find_watch(struct inline_host *h, int fd)
{
	for (size_t i = 0; i < HOST_WATCHES_MOST; i++)
		if (h->watches[i].fd == fd)
			return &h->watches[i];
	return NULL;
}

static int on_watch(void *arg, int fd, unsigned events)
{
	const unsigned what = (events & POLLIN ? LOOP_READ : 0u) | (events & POLLOUT ? LOOP_WRITE : 0u);
	struct inline_host *h = arg;
	struct watch *w = find_watch(h, fd);

	if (w && events)
		return loop_rewatch(w->fd_watch, what);
	if (w) {
		loop_unwatch(w->fd_watch);
		*w = (struct watch){ .fd = -1 };
		return 0;
	}
	if (!events)
		return 0;
	w = find_watch(h, -1);
	if (!w)
		return -ENOSPC;
	*w = (struct watch){ .of = h, .fd = fd };
	return loop_watch(loop_of(h), &w->fd_watch, fd, what, on_fd, w);
}

static void on_time(struct timer *t, uint64_t now_ms)
{
	struct inline_host *h = container_of(t, struct inline_host, timer);

	(void)now_ms;
	h->busy = true;
	host_timer(h->host);
	after_call(h);
}

static void on_timer(void *arg, int64_t in_ms)
{
	struct inline_host *h = arg;

	if (in_ms < 0)
		timer_cancel(loop_timers(loop_of(h)), &h->timer);
	else
		timer_set(loop_timers(loop_of(h)), &h->timer, clock_now_ms() + (uint64_t)in_ms, on_time);
}

/* ---- life ---- */

int inside_open(struct instance *in, const char *library)
{
	struct inline_host *h = calloc(1, sizeof *h);
	const struct host_env env = { on_out, on_watch, on_timer, h };
	char why[HOST_WHY_SIZE];
	int err;

	if (!h)
		return -ENOMEM;
	h->in = in;
	for (size_t i = 0; i < HOST_WATCHES_MOST; i++)
		h->watches[i].fd = -1;
	err = host_load(&h->host, library, &env, why);
	if (err) {
		free(h);
		if (err != -EINVAL)
			return err;
		instance_refuse(in, why);
		instance_ended(in);
		return 0;
	}
	in->inside = h;
	host_hello(h->host, niddgw_build); /* the answer to it, the setup, waits in the ring */
	return 0;
}

void inside_close(struct instance *in)
{
	struct inline_host *h = in->inside;

	if (!h)
		return;
	host_close(h->host); /* it may still count and log */
	in->inside = NULL;
	for (size_t i = 0; i < HOST_WATCHES_MOST; i++)
		loop_unwatch(h->watches[i].fd_watch);
	timer_cancel(loop_timers(loop_of(h)), &h->timer);
	free(h);
}

static bool give(struct inline_host *h, struct post *p)
{
	struct frame f = { post_kind(p), reader_of(p->data + FRAME_HEAD, p->len - FRAME_HEAD) };
	const struct instance *in = h->in;

	h->busy = true;
	if (host_take(h->host, &f))
		h->broken = true;
	post_put(p);
	after_call(h);
	return in->inside;
}

bool inside_flush(struct instance *in)
{
	struct inline_host *h = in->inside;
	struct ring *r = &in->ring;

	if (!h || h->busy)
		return false;
	while (r->urgent_n) {
		struct post *p = r->urgent[0];

		memmove(r->urgent, r->urgent + 1, --r->urgent_n * sizeof *r->urgent);
		if (!give(h, p))
			return false;
	}
	for (int i = 0; i < FRAMES_AT_ONCE && in->state != INSTANCE_STARTING; i++) {
		struct post *p = ring_take(r);

		if (!p)
			return false;
		if (!give(h, p))
			return false;
	}
	return r->n && in->state != INSTANCE_STARTING;
}
