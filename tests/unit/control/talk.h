/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - a client that blocks in a thread of its own while the loop under test runs */
#ifndef NIDDGW_TEST_CONTROL_TALK_H
#define NIDDGW_TEST_CONTROL_TALK_H

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/control/fakes.h"

typedef void talk_fn(void *arg);

struct talk {
	struct loop *loop;
	talk_fn *fn;
	void *arg;
	int done;
};

static inline void *talk_thread(void *arg)
{
	struct talk *t = arg;
	const uint64_t one = 1;

	t->fn(t->arg);
	return write(t->done, &one, sizeof one) == sizeof one ? NULL : arg;
}

static inline void on_talked(void *arg, int fd, unsigned what)
{
	struct talk *t = arg;

	(void)fd;
	(void)what;
	loop_stop(t->loop);
}

/* Runs the loop until fn has returned. fn must not assert: it leaves what it saw in arg. */
static inline void talk(struct loop *loop, talk_fn *fn, void *arg)
{
	struct talk t = { loop, fn, arg, eventfd(0, EFD_CLOEXEC) };
	struct loop_fd *watch;
	pthread_t thread;

	assert_int_equal(loop_watch(loop, &watch, t.done, LOOP_READ, on_talked, &t), 0);
	assert_int_equal(pthread_create(&thread, NULL, talk_thread, &t), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	loop_unwatch(watch);
	close(t.done);
}

static inline int connect_unix(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Reads until the other side closes, or nothing came for 5 s; NUL-terminated. */
static inline size_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&p, 1, 5000) == 1 ? recv(fd, buf + len, size - len - 1, 0) : -1;

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return len;
}

#endif
