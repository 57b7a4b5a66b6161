/* SPDX-License-Identifier: Apache-2.0 */
/* load_udp.c - many endpoints on addresses of their own, a window or a rate over all of them
 *
 * Each endpoint has at most one request in flight and its own message ids; an endpoint whose ids are used up within
 * their lifetime rests. Endpoints take turns in the order in which they became free.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim/load.h"

enum { EVENTS = 128, IDS = 65536, LIFETIME_S = 247, NOBODY = -1 };

struct endpoint {
	int fd;
	int next, prev; /* in the list of idle ones or of those in flight */
	uint32_t used;  /* ids */
	uint16_t mid;
	uint64_t sent_ns; /* 0: idle */
	uint8_t token[LOAD_TOKEN];
};
struct list {
	int head, tail;
};
struct run {
	const struct load_opts *o;
	struct endpoint *ep;
	struct list idle, flight;
	uint64_t in_flight;
	int poll;
	struct load_stat *stat;
	struct load_pace pace;
	uint64_t first_ns;
};

/* ---- sockets ---- */

int load_parse_v4(struct sockaddr_in *out, const char *text)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	char host[INET_ADDRSTRLEN], *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	*out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (colon && !*end && port <= 65535 && (size_t)(colon - text) < sizeof host) {
		memcpy(host, text, (size_t)(colon - text));
		host[colon - text] = '\0';
		if (inet_pton(AF_INET, host, &out->sin_addr) == 1)
			return 0;
	}
	fprintf(stderr, "niddgw-sim load: \"%s\" is no IPv4 address with a port\n", text ? text : "");
	return -EINVAL;
}

int load_udp_bind(struct sockaddr_in *at, int buffer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
	socklen_t len = sizeof *at;

	if (fd < 0)
		return -errno;
	if (buffer) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
	}
	if (!bind(fd, (struct sockaddr *)at, sizeof *at) && !getsockname(fd, (struct sockaddr *)at, &len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* ---- lists by index ---- */

static void push(struct run *r, struct list *l, int i)
{
	r->ep[i].next = NOBODY;
	r->ep[i].prev = l->tail;
	if (l->tail == NOBODY)
		l->head = i;
	else
		r->ep[l->tail].next = i;
	l->tail = i;
}

static void unlink_at(struct run *r, struct list *l, int i)
{
	struct endpoint *e = &r->ep[i];

	if (e->prev == NOBODY)
		l->head = e->next;
	else
		r->ep[e->prev].next = e->next;
	if (e->next == NOBODY)
		l->tail = e->prev;
	else
		r->ep[e->next].prev = e->prev;
}

/* ---- one trip ---- */

static int open_endpoint(struct run *r, int i, const struct sockaddr_in *first, const struct sockaddr_in *to)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
	struct sockaddr_in at = *first;
	struct endpoint *e = &r->ep[i];

	at.sin_addr.s_addr = htonl(ntohl(first->sin_addr.s_addr) + (uint32_t)i);
	e->fd = load_udp_bind(&at, 0);
	if (e->fd < 0)
		return e->fd;
	if (connect(e->fd, (const struct sockaddr *)to, sizeof *to) || epoll_ctl(r->poll, EPOLL_CTL_ADD, e->fd, &ev))
		return -errno;
	return getrandom(&e->mid, sizeof e->mid, 0) == sizeof e->mid ? 0 : -EIO;
}

static bool send_request(struct run *r, int i, enum load_kind kind)
{
	struct endpoint *e = &r->ep[i];
	uint8_t m[LOAD_MESSAGE_MAX];
	size_t len;
	uint64_t now;

	e->mid++;
	e->used++;
	memcpy(e->token, &i, sizeof i);
	memcpy(e->token + 4, &e->used, 4);
	len = load_message(m, kind, e->mid, e->token, r->o->body, NULL);
	now = load_now_ns();
	if (send(e->fd, m, len, 0) < 0)
		return false;
	e->sent_ns = now;
	return true;
}

static void begin_trip(struct run *r)
{
	int i = r->idle.head;

	unlink_at(r, &r->idle, i);
	if (!send_request(r, i,
			  r->o->register_first && r->ep[i].used == 0 ? LOAD_REGISTER
				  : r->o->report                     ? LOAD_REPORT
								     : LOAD_POST)) {
		r->stat->errors++;
		push(r, &r->idle, i);
		return;
	}
	push(r, &r->flight, i);
	r->in_flight++;
}

static void end_trip(struct run *r, int i)
{
	unlink_at(r, &r->flight, i);
	r->in_flight--;
	r->ep[i].sent_ns = 0;
	if (r->ep[i].used < IDS || load_now_ns() - r->first_ns > LIFETIME_S * 1000000000ull)
		push(r, &r->idle, i);
}

static void on_answer(struct run *r, int i)
{
	struct endpoint *e = &r->ep[i];
	uint8_t m[LOAD_MESSAGE_MAX];
	ssize_t n = recv(e->fd, m, sizeof m, 0);

	if (n < 0) {
		r->stat->errors += errno != EAGAIN;
		return;
	}
	if (n < 4 || (m[0] & 0xf0) != 0x60 || m[2] != e->mid >> 8 || m[3] != (e->mid & 255)) {
		r->stat->late++;
		return;
	}
	if (m[1] == 0 || !e->sent_ns)
		return; /* an empty ACK: the answer comes later */
	if (m[1] >> 5 != 2 || n < 4 + LOAD_TOKEN || memcmp(m + 4, e->token, LOAD_TOKEN) != 0)
		r->stat->errors++;
	else
		load_stat_trip(r->stat, load_now_ns() - e->sent_ns);
	end_trip(r, i);
}

static void give_up_old(struct run *r, uint64_t now_ns)
{
	while (r->flight.head != NOBODY && now_ns - r->ep[r->flight.head].sent_ns > r->o->timeout_ms * 1000000u) {
		r->stat->lost++;
		end_trip(r, r->flight.head);
	}
}

/* ---- the run ---- */

static int open_all(struct run *r, const struct sockaddr_in *to)
{
	struct sockaddr_in first;
	char text[64];
	int n = (int)(r->o->endpoints + r->o->unanswered), err = 0;

	snprintf(text, sizeof text, "%s:0", r->o->first);
	if (load_parse_v4(&first, text))
		return -EINVAL;
	for (int i = 0; i < n && !err; i++)
		err = open_endpoint(r, i, &first, to);
	if (err) {
		fprintf(stderr, "niddgw-sim load: endpoints: %s\n", strerror(-err));
		return err;
	}
	for (int i = 0; i < (int)r->o->endpoints; i++)
		push(r, &r->idle, i);
	/* what stays unanswered is under way before the rest begins, a little at a time so that nothing overflows */
	for (int i = (int)r->o->endpoints; i < n; i++) {
		if (!send_request(r, i, LOAD_MUTE))
			r->stat->errors++;
		if (i % 64 == 0)
			nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
	}
	return 0;
}

static void handle(struct run *r, int wait_us)
{
	struct timespec wait = { .tv_nsec = wait_us * 1000L };
	struct epoll_event ev[EVENTS];
	int n = epoll_pwait2(r->poll, ev, EVENTS, &wait, NULL);

	for (int i = 0; i < n; i++)
		on_answer(r, (int)ev[i].data.u32);
}

static void run_loop(struct run *r)
{
	uint64_t now, until;
	long due;

	load_pace_start(&r->pace, r->o, r->stat);
	now = r->first_ns = r->pace.start_ns;
	while ((due = load_pace_due(&r->pace, now, r->in_flight)) >= 0) {
		for (; due > 0 && r->idle.head != NOBODY; due--, r->pace.sent++)
			begin_trip(r);
		if (due > 0 && r->o->rate)
			r->stat->missed += (uint64_t)due;
		r->pace.sent += due > 0 ? (uint64_t)due : 0;
		handle(r, load_pace_wait_us(&r->pace, load_now_ns()));
		now = load_now_ns();
		give_up_old(r, now);
	}
	/* a request that stayed behind would hold up its device in a later run */
	for (until = load_pace_drain_until(now); r->in_flight && load_now_ns() < until;)
		handle(r, 1000);
}

static void run_and_print(struct run *r, const char *mode)
{
	struct load_opts again = *r->o;
	pid_t dut = r->stat->dut;

	run_loop(r);
	load_stat_print(r->stat, mode, r->o);
	if (!r->o->then_rate || !r->stat->trips)
		return;
	again.rate = again.then_rate;
	r->o = &again;
	*r->stat = (struct load_stat){ .dut = dut };
	run_loop(r);
	load_stat_print(r->stat, mode, r->o);
}

int load_run_endpoints(const struct load_opts *o, const char *mode, const struct sockaddr_in *to, pid_t dut)
{
	struct run r = { .o = o, .idle = { NOBODY, NOBODY }, .flight = { NOBODY, NOBODY } };
	uint64_t n = o->endpoints + o->unanswered;
	int err = -ENOMEM;

	load_more_descriptors();
	r.poll = epoll_create1(EPOLL_CLOEXEC);
	r.ep = calloc(n, sizeof *r.ep);
	r.stat = calloc(1, sizeof *r.stat);
	if (r.ep && r.stat && r.poll >= 0) {
		r.stat->dut = dut;
		for (uint64_t i = 0; i < n; i++)
			r.ep[i].fd = -1;
		err = open_all(&r, to);
	}
	if (!err) {
		run_and_print(&r, mode);
		err = !r.stat->trips;
	}
	for (uint64_t i = 0; r.ep && i < n; i++)
		if (r.ep[i].fd >= 0)
			close(r.ep[i].fd);
	if (r.poll >= 0)
		close(r.poll);
	free(r.ep);
	free(r.stat);
	return err;
}

int load_udp(const struct load_opts *o)
{
	struct load_server *s = NULL;
	struct sockaddr_in to;
	int err;

	if (load_parse_v4(&to, o->to) || load_pin(o->ends_cpu))
		return 2;
	err = strcmp(o->server, "none") ? load_server_start(&s, o->server, o->ends_cpu) : 0;
	if (err) {
		fprintf(stderr, "niddgw-sim load: server on %s: %s\n", o->server, strerror(-err));
		return 1;
	}
	err = load_run_endpoints(o, "udp", &to, (pid_t)o->pid);
	load_server_stop(s);
	return err ? 1 : 0;
}
