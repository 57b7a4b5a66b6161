/* SPDX-License-Identifier: Apache-2.0 */
/* load_copy.c - baselines of the same run: a copier of datagrams, and the bare way there and back
 *
 * The copier does what any UDP gateway has to do at least: a socket per source, connected to the server. It knows no
 * CoAP; its figure is the limit for the daemon on the machine at hand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/load.h"

enum { BATCH = 64, EVENTS = 128, BUFFER = 2048, SLOTS = 1 << 17, ROUNDS = 8 };

struct source {
	uint32_t host;
	uint16_t port;
	int fd; /* 0: free slot */
};
struct copier {
	int listen, poll;
	struct sockaddr_in server;
	struct source *slots;
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	struct sockaddr_in from[BATCH], to[BATCH];
	uint8_t in_data[BATCH][BUFFER], out_data[BATCH][BUFFER];
	int outs;
};

static void set_message(struct mmsghdr *m, struct iovec *iov, uint8_t *data, struct sockaddr_in *name)
{
	*iov = (struct iovec){ data, BUFFER };
	m->msg_hdr = (struct msghdr){ .msg_name = name, .msg_namelen = sizeof *name, .msg_iov = iov, .msg_iovlen = 1 };
}

static void flush(struct copier *c)
{
	for (int sent = 0, k; sent < c->outs; sent += k) {
		k = sendmmsg(c->listen, c->out + sent, (unsigned)(c->outs - sent), 0);
		if (k <= 0)
			break;
	}
	c->outs = 0;
}

static struct source *source_of(struct copier *c, const struct sockaddr_in *from)
{
	uint32_t i = (from->sin_addr.s_addr ^ from->sin_port) * 2654435761u >> 15 & (SLOTS - 1);
	struct source *s;

	for (s = &c->slots[i]; s->fd; s = &c->slots[i = (i + 1) & (SLOTS - 1)])
		if (s->host == from->sin_addr.s_addr && s->port == from->sin_port)
			return s;
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };

	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&c->server, sizeof c->server) ||
	    epoll_ctl(c->poll, EPOLL_CTL_ADD, s->fd, &ev)) {
		perror("niddgw-sim load: copier");
		_exit(1);
	}
	s->host = from->sin_addr.s_addr;
	s->port = from->sin_port;
	return s;
}

static void copy_up(struct copier *c)
{
	int n = BATCH;

	for (int round = 0; round < ROUNDS && n == BATCH; round++) {
		n = recvmmsg(c->listen, c->in, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			(void)!send(source_of(c, &c->from[i])->fd, c->in_data[i], c->in[i].msg_len, 0);
	}
}

static void copy_down(struct copier *c, const struct source *s)
{
	int i = c->outs;
	ssize_t n = recv(s->fd, c->out_data[i], BUFFER, 0);

	if (n < 0)
		return;
	c->to[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = s->port, .sin_addr.s_addr = s->host };
	c->out_iov[i].iov_len = (size_t)n;
	if (++c->outs == BATCH)
		flush(c);
}

void load_copier(int listen_fd, const struct sockaddr_in *server)
{
	struct copier *c = calloc(1, sizeof *c);
	struct epoll_event ev[EVENTS], on_listen = { .events = EPOLLIN, .data.ptr = NULL };

	if (!c || !(c->slots = calloc(SLOTS, sizeof *c->slots)))
		_exit(1);
	c->listen = listen_fd;
	c->server = *server;
	c->poll = epoll_create1(0);
	for (int i = 0; i < BATCH; i++) {
		set_message(&c->in[i], &c->in_iov[i], c->in_data[i], &c->from[i]);
		set_message(&c->out[i], &c->out_iov[i], c->out_data[i], &c->to[i]);
	}
	epoll_ctl(c->poll, EPOLL_CTL_ADD, listen_fd, &on_listen);
	for (;;) {
		int n = epoll_wait(c->poll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				copy_down(c, ev[i].data.ptr);
			else
				copy_up(c);
		}
		flush(c);
	}
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int load_copy(const struct load_opts *o)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, server = at;
	struct load_server *s = NULL;
	int fd, err;
	pid_t pid;

	load_more_descriptors();
	fd = load_udp_bind(&at, 4 << 20);
	err = fd < 0 ? fd : load_server_start(&s, "127.0.0.1:0", o->ends_cpu);
	if (err) {
		fprintf(stderr, "niddgw-sim load: copy: %s\n", strerror(-err));
		return 1;
	}
	server.sin_port = htons(load_server_port(s));
	pid = load_fork();
	if (pid == 0) {
		load_pin(o->dut_cpu);
		load_copier(fd, &server);
	}
	close(fd);
	load_pin(o->ends_cpu);
	err = pid < 0 ? 1 : load_run_endpoints(o, "copy", &at, pid);
	if (pid > 0)
		end_child(pid);
	load_server_stop(s);
	return err ? 1 : 0;
}

/* ---- there and back ---- */

static void echo(int fd)
{
	struct sockaddr_in from;
	uint8_t b[BUFFER];

	for (;;) {
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&from, &len);

		if (n >= 0)
			(void)!sendto(fd, b, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void make_blocking(int fd)
{
	struct timeval second = { 1, 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
}

static void ping(const struct load_opts *o, struct load_stat *s, int fd)
{
	uint8_t b[BUFFER] = { 0 };
	struct load_pace p;

	load_pace_start(&p, o, s);
	for (uint64_t sent = load_now_ns(); load_pace_due(&p, sent, 0) >= 0; sent = load_now_ns()) {
		if (send(fd, b, o->body, 0) < 0 || recv(fd, b, sizeof b, 0) < 0)
			s->lost++;
		else
			load_stat_trip(s, load_now_ns() - sent);
	}
}

int load_pingpong(const struct load_opts *o)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, mine = at;
	struct load_stat *s = calloc(1, sizeof *s);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), my_fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof at;

	if (!s || fd < 0 || my_fd < 0 || bind(fd, (struct sockaddr *)&at, len) ||
	    getsockname(fd, (struct sockaddr *)&at, &len) || bind(my_fd, (struct sockaddr *)&mine, sizeof mine) ||
	    connect(my_fd, (struct sockaddr *)&at, len)) {
		perror("niddgw-sim load: pingpong");
		free(s);
		return 1;
	}
	s->dut = load_fork();
	if (s->dut == 0) {
		load_pin(o->dut_cpu);
		echo(fd);
	}
	close(fd);
	load_pin(o->ends_cpu);
	make_blocking(my_fd);
	ping(o, s, my_fd);
	load_stat_print(s, "pingpong", o);
	end_child(s->dut);
	close(my_fd);
	free(s);
	return 0;
}
