/* SPDX-License-Identifier: Apache-2.0 */
/* harness.h - a loop that runs until something is true, and peers that speak raw octets on it */
#ifndef TESTS_UNIT_HTTP_HARNESS_H
#define TESTS_UNIT_HTTP_HARNESS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/loop.h"

#define UNUSED __attribute__((unused))

static struct loop *loop;

typedef bool until_fn(const void *arg);
struct until {
	struct loop_hook hook;
	until_fn *fn;
	const void *arg;
	struct timer deadline;
	bool late;
};

static void look(void *arg)
{
	struct until *u = arg;

	if (u->fn(u->arg))
		loop_stop(loop);
}

static void too_late(struct timer *t, uint64_t now_ms)
{
	struct until *u = container_of(t, struct until, deadline);

	(void)now_ms;
	u->late = true;
	loop_stop(loop);
}

/* Runs the loop until fn(arg) is true; false when ms pass before. */
UNUSED static bool run_until_within(until_fn *fn, const void *arg, uint64_t ms)
{
	struct until u = { .fn = fn, .arg = arg };

	if (fn(arg))
		return true;
	u.hook.fn = look;
	u.hook.arg = &u;
	clock_tick();
	loop_hook_add(loop, &u.hook);
	timer_set(loop_timers(loop), &u.deadline, clock_now_ms() + ms, too_late);
	assert_int_equal(loop_run(loop), 0);
	timer_cancel(loop_timers(loop), &u.deadline);
	loop_hook_remove(loop, &u.hook);
	return !u.late;
}

#define run_until(fn, arg) assert_true(run_until_within(fn, arg, 20000))

static bool never(const void *arg)
{
	(void)arg;
	return false;
}

/* Lets everything happen that happens within ms. */
UNUSED static void run_for(uint64_t ms)
{
	assert_false(run_until_within(never, NULL, ms));
}

/* ---- a raw TCP end ---- */

struct peer {
	int fd;
	struct loop_fd *watch;
	char in[70000];
	size_t len, total; /* what does not fit drops what is there */
	bool eof, reset;
};

static void on_peer(void *arg, int fd, unsigned what)
{
	struct peer *p = arg;
	ssize_t n;

	if (p->len == sizeof p->in - 1)
		p->len = 0;
	n = recv(fd, p->in + p->len, sizeof p->in - 1 - p->len, MSG_DONTWAIT);

	(void)what;
	if (n > 0) {
		p->len += (size_t)n;
		p->total += (size_t)n;
		p->in[p->len] = '\0';
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	p->eof = true;
	p->reset = n < 0;
	loop_rewatch(p->watch, 0);
}

UNUSED static void peer_take(struct peer *p, int fd)
{
	memset(p, 0, sizeof *p);
	p->fd = fd;
	assert_int_equal(loop_watch(loop, &p->watch, fd, LOOP_READ, on_peer, p), 0);
}

/* From 127.0.0.host. */
UNUSED static void peer_open_from(struct peer *p, uint16_t port, unsigned host)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + host) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(0x7f000001u) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof me), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	peer_take(p, fd);
}

UNUSED static void peer_open(struct peer *p, uint16_t port)
{
	peer_open_from(p, port, 1);
}

UNUSED static void peer_send_n(struct peer *p, const void *data, size_t len)
{
	assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL), len);
}

UNUSED static void peer_send(struct peer *p, const char *text)
{
	peer_send_n(p, text, strlen(text));
}

UNUSED static void peer_close(struct peer *p)
{
	loop_unwatch(p->watch);
	p->watch = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

UNUSED static bool peer_has_eof(const void *arg)
{
	return ((const struct peer *)arg)->eof;
}

UNUSED static unsigned count_text(const char *in, const char *what)
{
	unsigned n = 0;

	for (const char *at = in; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

UNUSED static bool peer_has_answer(const void *arg)
{
	return count_text(((const struct peer *)arg)->in, "\r\n\r\n") >= 1;
}

UNUSED static bool is_set(const void *arg)
{
	return *(const bool *)arg;
}

UNUSED static int loop_setup(void **state)
{
	(void)state;
	return loop_new(&loop);
}

UNUSED static int loop_teardown(void **state)
{
	(void)state;
	loop_free(loop);
	loop = NULL;
	return 0;
}

#endif
