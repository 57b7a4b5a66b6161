/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - the loop of a host process, over plain poll(2)
 *
 * Frames of the daemon are taken some at a time, so that descriptors of the plug-in get their turn between them. A ping
 * is answered only from here, where no call into the plug-in runs: a plug-in that never returns is found by it. One
 * that is just busy says so by itself from time to time.
 */
#include "host/process.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/version.h"
#include "host/confine.h"
#include "host/host.h"

enum { FRAMES_AT_ONCE = 64, SIGN_OF_LIFE_MS = 1000, COUNTS_MS = 100 };

struct process {
	struct niddgw_host *host;
	struct frame_stream in;
	struct pollfd fds[1 + HOST_WATCHES_MOST]; /* the first is the daemon's */
	nfds_t fds_n;
	int64_t timer_ms;  /* -1: none */
	int64_t said_ms;   /* when the last pong went out */
	int64_t counts_ms; /* when what was counted went out */
	bool more;         /* whole frames may wait in the buffer */
	bool end;
	int status;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void stop(struct process *p, int status)
{
	p->end = true;
	p->status = status;
}

/* ---- out ---- */

static int write_all(int fd, const uint8_t *data, size_t len, bool is_socket)
{
	while (len) {
		ssize_t n = is_socket ? send(fd, data, len, MSG_NOSIGNAL) : write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void to_daemon(void *arg, const uint8_t *frame, size_t len)
{
	struct process *p = arg;

	if (!p->end && write_all(PROCESS_SOCKET, frame, len, true))
		stop(p, EXIT_FAILURE); /* nobody is there any more */
}

static void to_stdout(void *arg, const uint8_t *frame, size_t len)
{
	int *err = arg;

	if (!*err)
		*err = write_all(STDOUT_FILENO, frame, len, false);
}

static void send_text(uint8_t kind, const char *text, void (*out)(void *, const uint8_t *, size_t), void *arg)
{
	uint8_t buf[FRAME_HEAD + 8 + HOST_WHY_SIZE];
	struct writer w = writer_of(buf, sizeof buf);

	if (frame_write_text(&w, kind, text))
		out(arg, buf, writer_len(&w));
}

static void send_empty(uint8_t kind, void (*out)(void *, const uint8_t *, size_t), void *arg)
{
	uint8_t buf[FRAME_HEAD];
	struct writer w = writer_of(buf, sizeof buf);

	frame_write_empty(&w, kind);
	out(arg, buf, writer_len(&w));
}

static void send_pong(struct process *p)
{
	send_empty(FRAME_PONG, to_daemon, p);
	p->said_ms = now_ms();
}

/* ---- descriptors and timer of the plug-in ---- */

static struct pollfd *find_watch(struct process *p, int fd)
{
	for (nfds_t i = 1; i < p->fds_n; i++)
		if (p->fds[i].fd == fd)
			return &p->fds[i];
	return NULL;
}

static int on_watch(void *arg, int fd, unsigned events)
{
	struct process *p = arg;
	struct pollfd *at = find_watch(p, fd);

	if (!events) {
		if (at)
			*at = p->fds[--p->fds_n];
		return 0;
	}
	if (!at && p->fds_n == sizeof p->fds / sizeof *p->fds)
		return -ENOSPC;
	if (!at)
		at = &p->fds[p->fds_n++];
	*at = (struct pollfd){ .fd = fd, .events = (short)events };
	return 0;
}

static void on_timer(void *arg, int64_t in_ms)
{
	struct process *p = arg;

	p->timer_ms = in_ms < 0 ? -1 : now_ms() + in_ms;
}

/* A call may end or add watches, so what was ready is noted first and looked up again. */
static void serve_watches(struct process *p)
{
	struct pollfd ready[HOST_WATCHES_MOST];
	size_t n = 0;

	for (nfds_t i = 1; i < p->fds_n; i++)
		if (p->fds[i].revents)
			ready[n++] = p->fds[i];
	for (size_t i = 0; i < n && !p->end; i++) {
		if (ready[i].revents & POLLNVAL)
			on_watch(p, ready[i].fd, 0); /* closed while it was watched */
		else if (find_watch(p, ready[i].fd))
			host_ready(p->host, ready[i].fd, (unsigned)ready[i].revents);
	}
}

static void serve_timer(struct process *p)
{
	if (p->timer_ms < 0 || now_ms() < p->timer_ms)
		return;
	p->timer_ms = -1;
	host_timer(p->host);
}

/* ---- in ---- */

static void take_frame(struct process *p, struct frame *f)
{
	switch (f->kind) {
	case FRAME_PING:
		send_pong(p);
		break;
	case FRAME_STOP:
		stop(p, EXIT_SUCCESS);
		break;
	default:
		if (host_take(p->host, f))
			stop(p, EXIT_FAILURE); /* daemon and host do not understand each other */
		else if (f->kind == FRAME_SETUP && !host_is_open(p->host))
			stop(p, EXIT_FAILURE); /* it has said why */
		if (!p->end && now_ms() - p->said_ms >= SIGN_OF_LIFE_MS)
			send_pong(p);
		break;
	}
}

static void take_frames(struct process *p)
{
	struct frame f;
	int got = 1;

	for (int i = 0; i < FRAMES_AT_ONCE && !p->end && got > 0; i++) {
		got = frame_stream_next(&p->in, &f);
		if (got > 0)
			take_frame(p, &f);
	}
	p->more = got > 0;
	if (got < 0)
		stop(p, EXIT_FAILURE);
}

static void read_some(struct process *p)
{
	size_t room;
	uint8_t *to = frame_stream_room(&p->in, &room);
	ssize_t n = to ? recv(PROCESS_SOCKET, to, room, MSG_DONTWAIT) : 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		stop(p, EXIT_FAILURE); /* the daemon is gone or has given us up */
	else
		frame_stream_got(&p->in, (size_t)n);
}

static int patience(const struct process *p)
{
	int64_t until_ms = p->timer_ms, left;

	if (p->more)
		return 0;
	if (host_owes(p->host) && (until_ms < 0 || p->counts_ms + COUNTS_MS < until_ms))
		until_ms = p->counts_ms + COUNTS_MS;
	if (until_ms < 0)
		return -1;
	left = until_ms - now_ms();
	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* Not after each record: the daemon takes so many frames in a second, and stops reading us after them. */
static void tell_counts(struct process *p)
{
	if (!host_owes(p->host) || now_ms() - p->counts_ms < COUNTS_MS)
		return;
	p->counts_ms = now_ms();
	host_flush(p->host);
}

static void pass(struct process *p)
{
	if (poll(p->fds, p->fds_n, patience(p)) < 0) {
		if (errno != EINTR)
			stop(p, EXIT_FAILURE);
		return;
	}
	if (p->fds[0].revents && !p->more)
		read_some(p);
	serve_timer(p);
	serve_watches(p);
	take_frames(p);
	tell_counts(p);
}

/* ---- what the plug-in needs, before it may do anything ---- */

/* Its needs are known only when it has been loaded, and loading runs code of it: a child that may do nothing looks. */
static int probe_needs(const char *path, uint32_t *needs)
{
	int pipe_fds[2];
	pid_t child;
	ssize_t n;

	if (pipe(pipe_fds))
		return -errno;
	child = fork();
	if (child == 0) {
		const struct host_env nowhere = { .out = to_stdout };
		struct niddgw_host *h;
		char why[HOST_WHY_SIZE];

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* code of the plug-in may never return */
		if (!confine(0) && !host_load(&h, path, &nowhere, why) &&
		    write(pipe_fds[1], &host_plugin(h)->needs, sizeof *needs) == sizeof *needs)
			_exit(EXIT_SUCCESS);
		_exit(EXIT_FAILURE); /* why, the process itself finds out next */
	}
	close(pipe_fds[1]);
	n = child > 0 ? read(pipe_fds[0], needs, sizeof *needs) : -1;
	close(pipe_fds[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	if (n != sizeof *needs)
		*needs = 0;
	return child < 0 ? -EAGAIN : 0;
}

/* ---- life ---- */

static int load_confined(struct process *p, const char *path, char why[HOST_WHY_SIZE])
{
	const struct host_env env = { to_daemon, on_watch, on_timer, p };
	uint32_t needs = 0;
	int err = probe_needs(path, &needs);

	if (!err)
		err = confine(needs);
	if (err) {
		snprintf(why, HOST_WHY_SIZE, "its process cannot be confined: %s", strerror(-err));
		return err;
	}
	err = host_load(&p->host, path, &env, why);
	if (!err && host_plugin(p->host)->needs != needs) {
		snprintf(why, HOST_WHY_SIZE, "its file was changed while it was loaded");
		err = -EINVAL;
	}
	return err;
}

int process_run(const char *path)
{
	struct process p = { .fds = { { .fd = PROCESS_SOCKET, .events = POLLIN } }, .fds_n = 1, .timer_ms = -1 };
	char why[HOST_WHY_SIZE];

	mallopt(M_ARENA_MAX, 1); /* an arena for each thread would use up the address space */
	frame_stream_init(&p.in, FRAME_DOWN_MOST);
	if (load_confined(&p, path, why)) {
		send_text(FRAME_REFUSED, why, to_daemon, &p);
		stop(&p, EXIT_FAILURE);
	} else {
		host_hello(p.host, niddgw_build);
	}
	p.said_ms = now_ms();
	while (!p.end)
		pass(&p);
	if (p.status != EXIT_SUCCESS)
		_exit(p.status); /* not asked to: a plug-in must not tell anybody that all has ended in order */
	p.end = false;           /* what it says while it closes still goes out */
	host_close(p.host);
	frame_stream_fini(&p.in);
	return p.status;
}

int process_describe(const char *path)
{
	int write_error = 0, err;
	const struct host_env env = { .out = to_stdout, .arg = &write_error };
	struct niddgw_host *h = NULL;
	char why[HOST_WHY_SIZE] = "its process cannot be confined";

	err = confine(0);
	if (!err)
		err = host_load(&h, path, &env, why);
	if (err) {
		send_text(FRAME_REFUSED, why, to_stdout, &write_error);
	} else {
		host_hello(h, niddgw_build);
		host_describe(h);
		send_empty(FRAME_READY, to_stdout, &write_error); /* that was all */
	}
	host_close(h);
	return err || write_error ? EXIT_FAILURE : EXIT_SUCCESS;
}
