/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - a small name server in the test, asked through a resolv.conf of our own */
#ifndef TESTS_UNIT_NORTH_NAMES_H
#define TESTS_UNIT_NORTH_NAMES_H

#include "unit/north/scene.h"

struct names {
	int fd;
	char resolv[32], hosts[32];
	unsigned asked, silent_for; /* answers "no such name" that many times first */
	unsigned more;              /* further addresses: 127.0.0.2 and so on */
	struct loop_fd *watch;
};

static inline void write_file(char *path, const char *text)
{
	int fd;

	strcpy(path, "/tmp/niddgw-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Answers A with 127.0.0.1 and perhaps more, and everything else with no records (RFC 1035 4.1). */
static inline void on_query(void *arg, int fd, unsigned what)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1 };
	struct names *d = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof from;
	uint8_t b[512 + 8 * sizeof record];
	ssize_t n = recvfrom(fd, b, 512, 0, (struct sockaddr *)&from, &from_len);
	size_t end = 12;
	bool is_a;

	(void)what;
	assert_true(n > 16);
	while (end < (size_t)n && b[end])
		end += b[end] + 1u;
	is_a = b[end + 2] == 1;
	end += 5; /* the root label, type, class */
	b[2] = 0x81;
	b[3] = d->asked++ < d->silent_for ? 0x83 : 0x80;
	memset(b + 6, 0, 6);
	if (is_a && b[3] == 0x80) {
		b[7] = (uint8_t)(1 + d->more);
		for (unsigned i = 0; i <= d->more; i++) {
			memcpy(b + end, record, sizeof record);
			end += sizeof record;
			b[end - 1] = (uint8_t)(1 + i);
		}
	}
	sendto(fd, b, end, 0, (struct sockaddr *)&from, from_len);
}

static inline void open_names(struct fixture *f, struct names *d, const char *hosts)
{
	char text[64];
	uint16_t port;

	d->fd = server_socket(&port, "127.0.0.1");
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", port);
	write_file(d->resolv, text);
	write_file(d->hosts, hosts);
	assert_int_equal(loop_watch(f->loop, &d->watch, d->fd, LOOP_READ, on_query, d), 0);
	f->north->resolv_conf = d->resolv;
	f->north->hosts = d->hosts;
}

static inline void close_names(struct names *d)
{
	loop_unwatch(d->watch);
	close(d->fd);
	unlink(d->resolv);
	unlink(d->hosts);
}

#endif
