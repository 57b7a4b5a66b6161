/* SPDX-License-Identifier: Apache-2.0 */
/* load_sink.c - the SCEF of the load generator: makes configurations, takes deliveries
 *
 * Devices are dev-000000000000@iot.example.net and on; the configuration of a device has its number, so a delivery
 * tells its device by its path alone. No conditions, no faults: the simulated SCEF (niddgw-sim scef) is for those.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/load_http.h"

const char load_base64[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t load_external_id(char *out, size_t size, int device)
{
	int n = snprintf(out, size, "dev-%012d@iot.example.net", device);

	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* ---- answers ---- */

static int reply(struct load_conn *c, int status, const char *location, const char *body, size_t body_len)
{
	char head[512];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d %s\r\n%s%s%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			 status, status < 300 ? "OK" : "Not Found", location ? "Location: " : "",
			 location ? location : "", location ? "\r\n" : "", body_len);
	char whole[8192];

	if (n <= 0 || (size_t)n >= sizeof head)
		return -1;
	if ((size_t)n + body_len > sizeof whole)
		return load_conn_write(c, head, (size_t)n) || load_conn_write(c, body, body_len) ? -1 : 0;
	memcpy(whole, head, (size_t)n);
	if (body_len)
		memcpy(whole + n, body, body_len);
	return load_conn_write(c, whole, (size_t)n + body_len);
}

static int reply_empty(struct load_conn *c)
{
	static const char text[] = "HTTP/1.1 204 No Content\r\n\r\n";

	return load_conn_write(c, text, sizeof text - 1);
}

/* ---- configurations ---- */

static int device_of_id(const struct load_sink *s, const char *external_id)
{
	char same[64];
	int i = external_id && !strncmp(external_id, "dev-", 4) ? atoi(external_id + 4) : -1;

	if (i < 0 || (uint64_t)i >= s->o->endpoints)
		return -1;
	load_external_id(same, sizeof same, i);
	return strcmp(same, external_id) ? -1 : i;
}

static int create(struct load_sink *s, struct load_conn *c, const struct load_http *h)
{
	json_t *j = json_loadb(h->body, h->body_len, JSON_REJECT_DUPLICATES, NULL);
	const char *to = json_string_value(json_object_get(j, "notificationDestination"));
	int i = device_of_id(s, json_string_value(json_object_get(j, "externalId")));
	char self[384], *text;

	if (i < 0 || !to) {
		json_decref(j);
		return reply(c, 404, NULL, NULL, 0);
	}
	if (!s->destination || strcmp(s->destination, to) != 0) {
		free(s->destination);
		s->destination = strdup(to);
	}
	snprintf(self, sizeof self, "%s%.*s/%d", s->base, (int)h->path_len, h->path, i + 1);
	json_object_set_new(j, "self", json_string(self));
	json_object_set_new(j, "status", json_string("ACTIVE"));
	json_object_set_new(j, "maximumPacketSize", json_integer(10864));
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!text)
		return -1;
	s->active += !s->configurations[i];
	free(s->configurations[i]);
	s->configurations[i] = text;
	return reply(c, 201, self, text, strlen(text));
}

static int list(struct load_sink *s, struct load_conn *c)
{
	size_t size = 3, at = 1;
	char *text;
	int err;

	for (uint64_t i = 0; i < s->o->endpoints; i++)
		size += s->configurations[i] ? strlen(s->configurations[i]) + 1 : 0;
	text = malloc(size);
	if (!text)
		return -1;
	text[0] = '[';
	for (uint64_t i = 0; i < s->o->endpoints; i++)
		if (s->configurations[i])
			at += (size_t)sprintf(text + at, "%s%s", at > 1 ? "," : "", s->configurations[i]);
	text[at++] = ']';
	err = reply(c, 200, NULL, text, at);
	free(text);
	return err;
}

static int one_configuration(struct load_sink *s, struct load_conn *c, const struct load_http *h, int i)
{
	if (i < 0 || (uint64_t)i >= s->o->endpoints || !s->configurations[i])
		return reply(c, 404, NULL, NULL, 0);
	if (*h->method != 'D')
		return reply(c, 200, NULL, s->configurations[i], strlen(s->configurations[i]));
	free(s->configurations[i]);
	s->configurations[i] = NULL;
	s->active--;
	return reply_empty(c);
}

/* ---- deliveries ---- */

/* The first octets of the member "data". */
static size_t first_octets(uint8_t *out, size_t size, const struct load_http *h)
{
	static const char name[] = "\"data\":";
	const char *p = memmem(h->body, h->body_len, name, sizeof name - 1), *end = h->body + h->body_len;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (!p)
		return 0;
	for (p += sizeof name - 1; p < end && *p != '"'; p++)
		;
	for (p++; p < end && n < size; p++) {
		const char *digit = *p ? memchr(load_base64, *p, sizeof load_base64) : NULL;

		if (!digit)
			break;
		bits = bits << 6 | (uint32_t)(digit - load_base64);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

static int take_delivery(struct load_sink *s, struct load_conn *c, const struct load_http *h, int i)
{
	char body[4096], location[512];
	uint8_t unit[4 + LOAD_TOKEN];
	size_t len = first_octets(unit, sizeof unit, h);
	int n = 0;

	s->deliveries++;
	if (s->delivery)
		s->delivery(s->arg, i, unit, len);
	if (h->body_len > 1 && h->body_len < sizeof body - 64)
		n = snprintf(body, sizeof body, "%.*s,\"deliveryStatus\":\"%s\"}", (int)h->body_len - 1, h->body,
			     s->o->status == 201 ? "BUFFERING" : "SUCCESS");
	snprintf(location, sizeof location, "%s%.*s/%llu", s->base, (int)h->path_len, h->path,
		 (unsigned long long)s->deliveries);
	return reply(c, (int)s->o->status, s->o->status == 201 ? location : NULL, body, (size_t)n);
}

/* ---- requests ---- */

static int serve(struct load_sink *s, struct load_conn *c, const struct load_http *h)
{
	static const char word[] = "/configurations";
	const char *end = h->path + h->path_len, *p = memmem(h->path, h->path_len, word, sizeof word - 1);
	char *rest;
	int i;

	if (!p)
		return reply(c, 404, NULL, NULL, 0);
	p += sizeof word - 1;
	if (p == end || *p != '/')
		return *h->method == 'P' ? create(s, c, h) : list(s, c);
	i = (int)strtol(p + 1, &rest, 10) - 1;
	if (rest == end)
		return one_configuration(s, c, h, i);
	return h->method_len == 4 && !memcmp(h->method, "POST", 4) ? take_delivery(s, c, h, i)
								   : reply(c, 404, NULL, NULL, 0);
}

static void accept_all(struct load_sink *s)
{
	int fd;

	while ((fd = accept4(s->listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct load_conn *c = load_conn_new(LOAD_CONN_SINK, fd, s->poll, s->tls);

		if (!c)
			continue;
		c->next = s->conns;
		if (c->next)
			c->next->prev = c;
		s->conns = c;
	}
}

static void drop(struct load_sink *s, struct load_conn *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	load_conn_free(c);
}

void load_sink_event(struct load_sink *s, struct load_conn *c)
{
	struct load_http h;
	int more, err;

	if (c->kind == LOAD_CONN_LISTENER) {
		accept_all(s);
		return;
	}
	err = load_conn_read(c);
	while (!err && (more = load_http_next(c, &h)) != 0) {
		err = more < 0 ? -1 : serve(s, c, &h);
		if (!err)
			load_conn_consume(c, h.total);
	}
	if (err)
		drop(s, c);
}

/* ---- open and close ---- */

static int listen_at(const char *text)
{
	struct sockaddr_in at;
	int fd, on = 1;

	if (load_parse_v4(&at, text))
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at) && !listen(fd, 1024))
		return fd;
	fprintf(stderr, "niddgw-sim load: %s: %s\n", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int load_sink_open(struct load_sink *s, const struct load_opts *o, int poll)
{
	int fd;

	*s = (struct load_sink){ .o = o, .poll = poll };
	if (o->cert_file && !(s->tls = load_tls_server(o->cert_file, o->key_file)))
		return -1;
	snprintf(s->base, sizeof s->base, "%s://%s", s->tls ? "https" : "http", o->listen);
	s->configurations = calloc(o->endpoints, sizeof *s->configurations);
	fd = s->configurations ? listen_at(o->listen) : -1;
	s->listener = fd >= 0 ? load_conn_new(LOAD_CONN_LISTENER, fd, poll, NULL) : NULL;
	if (s->listener)
		return 0;
	load_sink_close(s);
	return -1;
}

void load_sink_close(struct load_sink *s)
{
	load_conn_free(s->listener);
	while (s->conns)
		drop(s, s->conns);
	for (uint64_t i = 0; s->configurations && i < s->o->endpoints; i++)
		free(s->configurations[i]);
	free(s->configurations);
	free(s->destination);
	load_tls_free(s->tls);
}

static void on_signal(int signo)
{
	(void)signo; /* only ends the wait */
}

int load_sink(const struct load_opts *o)
{
	struct sigaction end = { .sa_handler = on_signal };
	int poll = epoll_create1(EPOLL_CLOEXEC), n;
	struct epoll_event ev[64];
	struct load_sink s;

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	load_more_descriptors();
	if (poll < 0 || load_pin(o->ends_cpu) || load_sink_open(&s, o, poll))
		return 1;
	while ((n = epoll_wait(poll, ev, 64, -1)) >= 0)
		for (int i = 0; i < n; i++)
			load_sink_event(&s, ev[i].data.ptr);
	load_sink_close(&s);
	close(poll);
	return 0;
}
