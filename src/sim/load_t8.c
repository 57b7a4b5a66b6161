/* SPDX-License-Identifier: Apache-2.0 */
/* load_t8.c - whole trips over T8: notification, CoAP request, answer, delivery
 *
 * The built-in SCEF waits until the gateway has made a configuration for every device, which tells where notifications
 * go. A trip begins with a POST on a kept connection and ends when the delivery with the answer comes; the connection
 * is free again with the gateway's 204. A device has one trip at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim/load_http.h"

enum { EVENTS = 128, CONFIGURE_S = 300, NOBODY = -1 };

struct device {
	int next, prev;
	uint16_t mid;
	uint32_t used;
	uint64_t sent_ns; /* 0: idle */
};
struct run {
	const struct load_opts *o;
	struct load_sink sink;
	struct load_stat *stat;
	struct load_pace pace;
	struct device *dev;
	int idle_head, idle_tail, flight_head, flight_tail;
	uint64_t in_flight;
	int poll;
	struct load_conn **conns; /* of connections; NULL: to be made again */
	int *free_conns;          /* indices, a stack */
	unsigned free_n;
	struct ssl_ctx_st *tls;
	struct sockaddr_in callback;
	char host[128], path[512];
};

/* ---- devices in two lists ---- */

static void push(struct device *d, int *head, int *tail, int i)
{
	d[i].next = NOBODY;
	d[i].prev = *tail;
	if (*tail == NOBODY)
		*head = i;
	else
		d[*tail].next = i;
	*tail = i;
}

static void unlink_at(struct device *d, int *head, int *tail, int i)
{
	if (d[i].prev == NOBODY)
		*head = d[i].next;
	else
		d[d[i].prev].next = d[i].next;
	if (d[i].next == NOBODY)
		*tail = d[i].prev;
	else
		d[d[i].next].prev = d[i].prev;
}

static void end_trip(struct run *r, int i)
{
	unlink_at(r->dev, &r->flight_head, &r->flight_tail, i);
	r->dev[i].sent_ns = 0;
	r->in_flight--;
	push(r->dev, &r->idle_head, &r->idle_tail, i);
}

/* ---- notifications ---- */

static size_t base64(char *out, const uint8_t *data, size_t len)
{
	char *p = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)data[i] << 16 | (have > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
			(have > 2 ? data[i + 2] : 0);

		for (size_t k = 0; k < 4; k++)
			*p++ = k <= have ? load_base64[v >> (18 - 6 * k) & 63] : '=';
	}
	*p = '\0';
	return (size_t)(p - out);
}

static int notification(const struct run *r, int i, char *out, size_t size)
{
	const struct device *d = &r->dev[i];
	uint8_t m[LOAD_MESSAGE_MAX], token[LOAD_TOKEN];
	char data[LOAD_MESSAGE_MAX * 4 / 3 + 8], id[64], body[4096];
	bool reg = r->o->register_first && d->used == 1;
	int n;

	memcpy(token, &i, 4);
	memcpy(token + 4, &d->used, 4);
	base64(data, m, load_message(m, reg ? LOAD_REGISTER : LOAD_POST, d->mid, token, r->o->body, NULL));
	load_external_id(id, sizeof id, i);
	n = snprintf(
		body, sizeof body,
		"{\"niddConfiguration\":\"%s/3gpp-nidd/v1/%s/configurations/%d\",\"externalId\":\"%s\",\"data\":\"%s\","
		"\"reliableDataService\":false}",
		r->sink.base, r->o->scs_as_id, i + 1, id, data);
	return snprintf(
		out, size,
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		r->path, r->host, n, body);
}

/* ---- connections to the gateway ---- */

static int connect_one(struct run *r, unsigned k)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&r->callback, sizeof r->callback) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK)) {
		fprintf(stderr, "niddgw-sim load: %s: %s\n", r->host, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	r->conns[k] = load_conn_new(LOAD_CONN_CALLBACK, fd, r->poll, r->tls);
	if (!r->conns[k])
		return -1;
	r->free_conns[r->free_n++] = (int)k;
	return 0;
}

static unsigned index_of(const struct run *r, const struct load_conn *c)
{
	unsigned k = 0;

	while (r->conns[k] != c)
		k++;
	return k;
}

/* A connection ended: its notification failed, and it is made again. */
static int reconnect(struct run *r, struct load_conn *c)
{
	unsigned k = index_of(r, c), kept = 0;

	if (c->device >= 0 && r->dev[c->device].sent_ns) {
		r->stat->errors++;
		end_trip(r, c->device);
	}
	for (unsigned i = 0; i < r->free_n; i++)
		if (r->free_conns[i] != (int)k)
			r->free_conns[kept++] = r->free_conns[i];
	r->free_n = kept;
	load_conn_free(c);
	r->conns[k] = NULL;
	return connect_one(r, k);
}

static int on_callback(struct run *r, struct load_conn *c)
{
	struct load_http h;
	int more;

	if (load_conn_read(c))
		return reconnect(r, c);
	while ((more = load_http_next(c, &h)) > 0) {
		int i = c->device;

		if (i >= 0 && h.status != 204 && h.status != 200) {
			r->stat->errors++;
			if (r->dev[i].sent_ns)
				end_trip(r, i);
		}
		c->device = -1;
		load_conn_consume(c, h.total);
		r->free_conns[r->free_n++] = (int)index_of(r, c);
	}
	return more < 0 ? reconnect(r, c) : 0;
}

/* ---- trips ---- */

static int begin_trip(struct run *r)
{
	struct load_conn *c = r->conns[r->free_conns[--r->free_n]];
	int i = r->idle_head, n;
	struct device *d = &r->dev[i];
	char text[8192];

	d->mid++;
	d->used++;
	n = notification(r, i, text, sizeof text);
	unlink_at(r->dev, &r->idle_head, &r->idle_tail, i);
	push(r->dev, &r->flight_head, &r->flight_tail, i);
	r->in_flight++;
	c->device = i;
	d->sent_ns = load_now_ns();
	return load_conn_write(c, text, (size_t)n) ? reconnect(r, c) : 0;
}

static void on_delivery(void *arg, int i, const uint8_t *m, size_t len)
{
	struct run *r = arg;
	struct device *d;

	if (i < 0 || (uint64_t)i >= r->o->endpoints || len < 4) {
		r->stat->errors++;
		return;
	}
	d = &r->dev[i];
	if ((m[0] & 0x30) != 0x20 || m[2] != d->mid >> 8 || m[3] != (d->mid & 255) || !d->sent_ns) {
		r->stat->late++;
		return;
	}
	if (m[1] == 0)
		return; /* an empty ACK: the answer comes later */
	if (m[1] >> 5 == 2)
		load_stat_trip(r->stat, load_now_ns() - d->sent_ns);
	else
		r->stat->errors++;
	end_trip(r, i);
}

static void give_up_old(struct run *r, uint64_t now_ns)
{
	while (r->flight_head != NOBODY && now_ns - r->dev[r->flight_head].sent_ns > r->o->timeout_ms * 1000000u) {
		r->stat->lost++;
		end_trip(r, r->flight_head);
	}
}

static int handle(struct run *r, int timeout_us)
{
	struct timespec wait = { 0, timeout_us * 1000L };
	struct epoll_event ev[EVENTS];
	int n = epoll_pwait2(r->poll, ev, EVENTS, &wait, NULL);

	for (int i = 0; i < n; i++) {
		struct load_conn *c = ev[i].data.ptr;

		if (c->kind != LOAD_CONN_CALLBACK)
			load_sink_event(&r->sink, c);
		else if (on_callback(r, c))
			return -1;
	}
	return 0;
}

static int run_loop(struct run *r)
{
	uint64_t now, until;
	long due;

	load_pace_start(&r->pace, r->o, r->stat);
	now = r->pace.start_ns;
	while ((due = load_pace_due(&r->pace, now, r->in_flight)) >= 0) {
		for (; due > 0 && r->idle_head != NOBODY && r->free_n; due--, r->pace.sent++)
			if (begin_trip(r))
				return -1;
		if (due > 0 && r->o->rate)
			r->stat->missed += (uint64_t)due;
		r->pace.sent += due > 0 ? (uint64_t)due : 0;
		if (handle(r, load_pace_wait_us(&r->pace, load_now_ns())))
			return -1;
		now = load_now_ns();
		give_up_old(r, now);
	}
	for (until = load_pace_drain_until(now); r->in_flight && load_now_ns() < until;)
		if (handle(r, 1000))
			return -1;
	return 0;
}

static int run_and_print(struct run *r)
{
	const char *mode = r->tls ? "t8+tls" : "t8";
	struct load_opts again = *r->o;
	pid_t dut = r->stat->dut;

	if (run_loop(r))
		return -1;
	load_stat_print(r->stat, mode, r->o);
	if (!r->o->then_rate || !r->stat->trips)
		return r->stat->trips ? 0 : -1;
	again.rate = again.then_rate;
	r->o = &again;
	*r->stat = (struct load_stat){ .dut = dut };
	if (run_loop(r))
		return -1;
	load_stat_print(r->stat, mode, r->o);
	return r->stat->trips ? 0 : -1;
}

/* ---- before the run ---- */

/* Serves the gateway until it has a configuration for every device. */
static int wait_for_configurations(struct run *r)
{
	uint64_t until = load_now_ns() + CONFIGURE_S * 1000000000ull;

	while (r->sink.active < r->o->endpoints) {
		if (load_now_ns() > until) {
			fprintf(stderr, "niddgw-sim load: %llu of %llu configurations after %d s\n",
				(unsigned long long)r->sink.active, (unsigned long long)r->o->endpoints, CONFIGURE_S);
			return -1;
		}
		handle(r, 100000);
	}
	return 0;
}

/* http[s]://HOST:PORT/PATH of notificationDestination; HOST is numeric here. */
static int parse_destination(struct run *r)
{
	const char *url = r->sink.destination, *host = strstr(url, "://"), *path;
	bool tls = !strncmp(url, "https", 5);

	host = host ? host + 3 : url;
	path = strchr(host, '/');
	snprintf(r->path, sizeof r->path, "%s", path ? path : "/");
	snprintf(r->host, sizeof r->host, "%.*s", (int)(path ? (size_t)(path - host) : strlen(host)), host);
	if (load_parse_v4(&r->callback, r->host))
		return -1;
	if (tls)
		r->tls = load_tls_client(r->o->ca_file);
	return tls && !r->tls ? -1 : 0;
}

static int prepare(struct run *r)
{
	uint64_t n = r->o->endpoints;

	r->dev = calloc(n, sizeof *r->dev);
	r->conns = calloc(r->o->connections, sizeof *r->conns);
	r->free_conns = calloc(r->o->connections, sizeof *r->free_conns);
	r->stat = calloc(1, sizeof *r->stat);
	if (!r->dev || !r->conns || !r->free_conns || !r->stat)
		return -1;
	r->stat->dut = (pid_t)r->o->pid;
	r->idle_head = r->idle_tail = r->flight_head = r->flight_tail = NOBODY;
	for (int i = 0; i < (int)n; i++) {
		if (getrandom(&r->dev[i].mid, 2, 0) != 2)
			return -1;
		push(r->dev, &r->idle_head, &r->idle_tail, i);
	}
	r->sink.delivery = on_delivery;
	r->sink.arg = r;
	if (wait_for_configurations(r) || parse_destination(r))
		return -1;
	for (unsigned k = 0; k < r->o->connections; k++)
		if (connect_one(r, k))
			return -1;
	return 0;
}

static void clean_up(struct run *r)
{
	for (unsigned k = 0; r->conns && k < r->o->connections; k++)
		load_conn_free(r->conns[k]);
	load_sink_close(&r->sink);
	load_tls_free(r->tls);
	free(r->conns);
	free(r->free_conns);
	free(r->dev);
	free(r->stat);
	close(r->poll);
}

int load_t8(const struct load_opts *o)
{
	struct run r = { .o = o, .poll = epoll_create1(EPOLL_CLOEXEC) };
	struct load_server *server = NULL;
	int err;

	load_more_descriptors();
	if (r.poll < 0 || load_pin(o->ends_cpu) || load_sink_open(&r.sink, o, r.poll))
		return 1;
	err = load_server_start(&server, o->server, o->ends_cpu);
	if (err)
		fprintf(stderr, "niddgw-sim load: server on %s: %s\n", o->server, strerror(-err));
	if (!err)
		err = prepare(&r);
	if (!err)
		err = run_and_print(&r);
	r.o = o;
	load_server_stop(server);
	clean_up(&r);
	return err ? 1 : 0;
}
