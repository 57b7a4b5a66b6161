/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - socket and stderr of a host process
 *
 * Writing never waits: what the socket does not take stays in the ring. Reading is bounded by the second, so a plug-in
 * that talks without end costs a little and no more, and itself has to wait.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "plugin/parts.h"

enum { PIECES = 64, SECOND_MS = 1000, LEFT_MOST = 1 << 20 };

/* ---- out ---- */

static void want(struct instance *in, bool write)
{
	const unsigned read = in->out_of_breath ? 0 : LOOP_READ;

	in->writing = write;
	if (in->watch)
		(void)loop_rewatch(in->watch, read | (write ? LOOP_WRITE : 0u));
}

/* Behind all that waits. */
static void say_stop(struct instance *in)
{
	uint8_t buf[FRAME_HEAD];
	struct writer w = writer_of(buf, sizeof buf);
	struct post *p;

	frame_write_empty(&w, FRAME_STOP);
	p = post_new(buf, writer_len(&w));
	if (p)
		(void)ring_add_urgent(&in->ring, p);
}

/* Documents wait until it is open; a setup does not. */
static size_t fill(const struct instance *in, struct iovec *iov)
{
	if (in->state == INSTANCE_STARTING)
		return in->ring.urgent_n ? ring_fill(&in->ring, iov, in->ring.urgent_n) : 0;
	return ring_fill(&in->ring, iov, PIECES);
}

void link_flush(struct instance *in)
{
	struct iovec iov[PIECES];

	if (in->fd < 0 || in->state == INSTANCE_REFUSED || *in->reason)
		return;
	for (;;) {
		struct msghdr m = { .msg_iov = iov };
		ssize_t n;

		if (in->state == INSTANCE_STOPPING && !in->ring.n && !in->said_stop) {
			in->said_stop = true;
			say_stop(in);
		}
		m.msg_iovlen = fill(in, iov);
		if (!m.msg_iovlen)
			break;
		n = sendmsg(in->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			want(in, true);
			return;
		}
		if (n < 0 && errno != EINTR)
			return; /* it is gone: reading finds out */
		if (n > 0)
			ring_wrote(&in->ring, (size_t)n);
		if (in->owed)
			plugins_kick(in->all); /* there may be room for it now */
	}
	if (in->writing)
		want(in, false);
}

/* ---- in ---- */

static void on_breath(struct timer *t, uint64_t now_ms)
{
	struct instance *in = container_of(t, struct instance, breath);

	(void)now_ms;
	in->out_of_breath = false;
	want(in, in->writing);
	if (in->err_watch)
		(void)loop_rewatch(in->err_watch, LOOP_READ);
	link_read(in); /* what is in our buffer makes no descriptor ready */
}

static void new_second(struct instance *in)
{
	const uint64_t now_ms = clock_now_ms();

	if (now_ms - in->second_ms < SECOND_MS)
		return;
	in->second_ms = now_ms;
	in->frames = 0;
	in->err_octets = 0;
	says_new_second(in);
}

static void wait_for_breath(struct instance *in)
{
	if (in->out_of_breath)
		return;
	in->out_of_breath = true;
	want(in, in->writing);
	if (in->err_watch)
		(void)loop_rewatch(in->err_watch, 0);
	timer_set(loop_timers(in->all->env.loop), &in->breath, in->second_ms + SECOND_MS, on_breath);
}

/* What whole frames say; false: no more is to be read now. */
static bool take_frames(struct instance *in)
{
	struct frame f;
	int got = 0, err = 0;

	while (!err && !*in->reason && in->frames < FRAMES_PER_S && (got = frame_stream_next(&in->in, &f)) > 0) {
		in->frames++;
		err = says(in, &f);
	}
	if (err || got < 0) {
		instance_fail(in, "said what no host says (frame of kind %u): it has been written over",
			      got < 0 ? 0u : f.kind);
		return false;
	}
	if (in->frames < FRAMES_PER_S)
		return !*in->reason;
	wait_for_breath(in);
	return false;
}

static void on_end(struct instance *in)
{
	loop_unwatch(in->watch);
	in->watch = NULL;
	if (in->state == INSTANCE_STOPPING || in->state == INSTANCE_REFUSED)
		return;          /* it has been told to, or is on its way */
	instance_kill(in); /* one that only closed its socket; how it ended is known when it is reaped */
}

void link_read(struct instance *in)
{
	size_t room;
	uint8_t *to;
	ssize_t n;

	new_second(in);
	if (in->out_of_breath || *in->reason || !in->watch || !take_frames(in))
		return;
	to = frame_stream_room(&in->in, &room);
	if (!to)
		return; /* memory is short now; it stays readable */
	n = recv(in->fd, to, room, MSG_DONTWAIT);
	if (n > 0) {
		frame_stream_got(&in->in, (size_t)n);
		(void)take_frames(in);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		on_end(in);
	}
}

static void on_socket(void *arg, int fd, unsigned what)
{
	struct instance *in = arg;

	(void)fd;
	if (what & LOOP_WRITE)
		link_flush(in);
	if (what & LOOP_READ)
		link_read(in);
}

/* ---- stderr ---- */

static void take_text(struct instance *in, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n' && in->line_len < sizeof in->line)
			in->line[in->line_len++] = text[i];
		if (text[i] != '\n' && in->line_len < sizeof in->line)
			continue;
		if (in->line_len)
			says_line(in, in->line, in->line_len);
		in->line_len = 0;
	}
}

/* Octets read, 0 at the end. */
static ssize_t read_stderr(struct instance *in)
{
	char buf[4096];
	ssize_t n = read(in->err_fd, buf, sizeof buf);

	if (n > 0) {
		in->err_octets += (size_t)n;
		take_text(in, buf, (size_t)n);
	}
	return n;
}

static void on_stderr(void *arg, int fd, unsigned what)
{
	struct instance *in = arg;
	ssize_t n;

	(void)fd;
	(void)what;
	new_second(in);
	n = read_stderr(in);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		loop_unwatch(in->err_watch);
		in->err_watch = NULL;
	} else if (in->err_octets > STDERR_PER_S) {
		wait_for_breath(in);
	}
}

/* ---- life ---- */

int link_open(struct instance *in, int fd, int err_fd)
{
	struct loop *l = in->all->env.loop;
	int err;

	in->fd = fd;
	in->err_fd = err_fd;
	in->said_stop = false;
	in->writing = false;
	in->line_len = 0;
	frame_stream_init(&in->in, FRAME_UP_MOST);
	err = loop_watch(l, &in->watch, fd, LOOP_READ, on_socket, in);
	return err ? err : loop_watch(l, &in->err_watch, err_fd, LOOP_READ, on_stderr, in);
}

/* The last words of a process that has ended. */
static void read_rest(struct instance *in)
{
	in->out_of_breath = false;
	in->second_ms = 0;
	for (int i = 0; i < 64 && in->watch && !*in->reason; i++)
		link_read(in);
	for (size_t n = 0; in->err_fd >= 0 && n < STDERR_PER_S;) {
		const ssize_t got = read_stderr(in);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	take_text(in, "\n", 1);
}

void link_close(struct instance *in)
{
	if (in->fd < 0)
		return;
	read_rest(in);
	loop_unwatch(in->watch);
	loop_unwatch(in->err_watch);
	in->watch = in->err_watch = NULL;
	close(in->fd);
	if (in->err_fd >= 0)
		close(in->err_fd);
	in->fd = in->err_fd = -1;
	frame_stream_fini(&in->in);
}
