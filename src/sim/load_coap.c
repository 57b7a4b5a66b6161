/* SPDX-License-Identifier: Apache-2.0 */
/* load_coap.c - the messages of the load, and a server that costs next to nothing
 *
 * The server stands for the LwM2M server at the end of the way. It looks at no more than it needs to answer, takes and
 * gives datagrams in batches, and remembers nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/load.h"

enum { BATCH = 64, BUFFER = 2048, CON_POST_CODE = 0x02, CHANGED = 0x44, CREATED = 0x41 };

/* ---- messages (RFC 7252 3) ---- */

static uint8_t *put(uint8_t *p, const void *data, size_t len)
{
	memcpy(p, data, len);
	return p + len;
}

static uint8_t *put_option(uint8_t *p, unsigned delta, const char *value)
{
	size_t len = strlen(value);

	*p++ = (uint8_t)(delta << 4 | (len < 13 ? len : 13));
	if (len >= 13)
		*p++ = (uint8_t)(len - 13);
	return put(p, value, len);
}

/* Ten values of a sensor in SenML CBOR (RFC 8428), with base name and base time: a unit, floats of 32 bits and integers
 * in turn. */
static uint8_t *put_report(uint8_t *p)
{
	static const char ids[] = "5700 5601 5602 5603 5604 5518 6050 5701 6042 6049";

	*p++ = 0x8a;
	for (unsigned i = 0; i < 10; i++) {
		*p++ = i ? 0xa2 : 0xa4;
		if (!i)
			p = put(p, "\x21\x68/3303/0/\x22\x1a\x65\x53\xf1\x00", 16);
		p = put(put(p, "\x00\x64", 2), ids + 5 * i, 4);
		if (i == 7)
			p = put(p, "\x03\x63\x43\x65\x6c", 5); /* "Cel" */
		else if (i == 5 || i > 7)
			p = put(p, "\x02\x1a\x65\x53\xf1\x00", 6);
		else
			p = put(p, "\x02\xfa\x41\xb9\x99\x9a", 6);
	}
	return p;
}

size_t load_message(uint8_t *out, enum load_kind kind, uint16_t mid, const uint8_t token[LOAD_TOKEN], size_t body,
		    const char *ep)
{
	static const char *const paths[] = { "dp", "mute", "rd", "dp" };
	uint8_t head[4] = { 0x40 | LOAD_TOKEN, CON_POST_CODE, (uint8_t)(mid >> 8), (uint8_t)mid };
	uint8_t *p = put(put(out, head, sizeof head), token, LOAD_TOKEN);
	char query[160];

	p = put_option(p, 11, paths[kind]); /* Uri-Path */
	if (kind == LOAD_REGISTER) {
		p = put(p, (const uint8_t[]){ 0x11, 40 }, 2); /* Content-Format link-format */
		p = put_option(p, 3, "lwm2m=1.1");            /* Uri-Query */
		p = put_option(p, 0, "lt=86400");
		if (ep) {
			snprintf(query, sizeof query, "ep=%s", ep);
			p = put_option(p, 0, query);
		}
		p = put_option(p, 0, "b=U");
		return (size_t)(put(p, "\xff</3/0>", 7) - out);
	}
	p = put(p, (const uint8_t[]){ 0x11, 112 }, 2); /* Content-Format SenML CBOR */
	if (kind == LOAD_REPORT) {
		*p++ = 0xff;
		p = put_report(p);
	} else if (body) {
		*p++ = 0xff;
		memset(p, 0xa5, body);
		p += body;
	}
	return (size_t)(p - out);
}

/* ---- server ---- */

struct load_server {
	int fd, stop;
	uint16_t port;
	const char *cpu;
	pthread_t thread;
	atomic_ullong requests;
	uint32_t locations;
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t data[BATCH][BUFFER];
};

/* The value of the first option when that is Uri-Path, else NULL. */
static const uint8_t *first_path(const uint8_t *m, size_t len, size_t *path_len)
{
	size_t at = 4u + (m[0] & 15);

	if (at >= len || m[at] >> 4 != 11 || (m[at] & 15) > 12 || at + 1 + (m[at] & 15) > len) {
		/* Uri-Host or Uri-Port come before a path: then it is not ours to find */
		return NULL;
	}
	*path_len = m[at] & 15;
	return m + at + 1;
}

static bool path_is(const uint8_t *path, size_t len, const char *word)
{
	return path && len == strlen(word) && !memcmp(path, word, len);
}

/* Turns a request into its answer in place. The answer's length; 0: none. */
static size_t answer(struct load_server *s, uint8_t *m, size_t len)
{
	size_t header = 4u + (m[0] & 15), path_len = 0;
	const uint8_t *path;
	char location[16];
	uint8_t *p;

	if (len < 4 || m[0] >> 4 != 4 || header > len || !m[1] || m[1] > 31)
		return 0; /* no confirmable request */
	path = first_path(m, len, &path_len);
	if (path_is(path, path_len, "mute"))
		return 0;
	m[0] = (uint8_t)(0x60 | (m[0] & 15));
	if (!path_is(path, path_len, "rd")) {
		m[1] = CHANGED;
		return header;
	}
	m[1] = CREATED;
	snprintf(location, sizeof location, "%x", s->locations++);
	p = put_option(m + header, 8, "rd"); /* Location-Path */
	return (size_t)(put_option(p, 0, location) - m);
}

static void serve_batch(struct load_server *s)
{
	int n = recvmmsg(s->fd, s->msg, BATCH, MSG_DONTWAIT, NULL), out = 0;
	struct mmsghdr answers[BATCH];

	for (int i = 0; i < n; i++) {
		size_t len = answer(s, s->data[i], s->msg[i].msg_len);

		if (len) {
			s->iov[i].iov_len = len;
			answers[out++] = s->msg[i];
		}
	}
	for (int sent = 0, k; sent < out; sent += k) {
		k = sendmmsg(s->fd, answers + sent, (unsigned)(out - sent), 0);
		if (k <= 0)
			break;
	}
	for (int i = 0; i < n; i++) {
		s->iov[i].iov_len = BUFFER;
		s->msg[i].msg_hdr.msg_namelen = sizeof s->from[i];
	}
	if (n > 0)
		atomic_fetch_add_explicit(&s->requests, (unsigned long long)n, memory_order_relaxed);
}

static void *serve(void *arg)
{
	struct load_server *s = arg;
	struct pollfd fds[2] = { { .fd = s->fd, .events = POLLIN }, { .fd = s->stop, .events = POLLIN } };

	load_pin(s->cpu);
	while (poll(fds, 2, -1) >= 0 && !fds[1].revents)
		if (fds[0].revents)
			serve_batch(s);
	return NULL;
}

int load_server_start(struct load_server **out, const char *listen, const char *cpu)
{
	struct load_server *s = calloc(1, sizeof *s);
	struct sockaddr_in at;

	if (!s)
		return -ENOMEM;
	s->cpu = cpu;
	s->stop = eventfd(0, EFD_CLOEXEC);
	s->fd = load_parse_v4(&at, listen) ? -EINVAL : load_udp_bind(&at, 8 << 20);
	for (unsigned i = 0; i < BATCH; i++) {
		s->iov[i] = (struct iovec){ s->data[i], BUFFER };
		s->msg[i].msg_hdr = (struct msghdr){ .msg_name = &s->from[i],
						     .msg_namelen = sizeof s->from[i],
						     .msg_iov = &s->iov[i],
						     .msg_iovlen = 1 };
	}
	if (s->fd < 0 || s->stop < 0 || pthread_create(&s->thread, NULL, serve, s)) {
		int err = s->fd < 0 ? s->fd : -EAGAIN;

		if (s->fd >= 0)
			close(s->fd);
		if (s->stop >= 0)
			close(s->stop);
		free(s);
		return err;
	}
	s->port = ntohs(at.sin_port);
	*out = s;
	return 0;
}

uint64_t load_server_requests(const struct load_server *s)
{
	return atomic_load_explicit(&s->requests, memory_order_relaxed);
}

uint16_t load_server_port(const struct load_server *s)
{
	return s->port;
}

void load_server_stop(struct load_server *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	if (write(s->stop, &one, sizeof one) == sizeof one)
		pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->stop);
	free(s);
}
