/* SPDX-License-Identifier: Apache-2.0 */
/* far.h - a scripted peer, and a client that talks to it */
#ifndef TESTS_UNIT_HTTP_FAR_H
#define TESTS_UNIT_HTTP_FAR_H

#include "harness.h"

#include <arpa/inet.h>

#include "http/client.h"

/* ---- a peer that reads whole requests and does to each what the test says ---- */

struct line {
	struct line *next;
	int fd;
	struct loop_fd *watch;
	char in[100000];
	size_t len;
	unsigned served; /* requests on this connection */
};

typedef void script_fn(struct line *l, const char *request);

static struct {
	int fd;
	uint16_t port;
	struct loop_fd *watch;
	struct line *lines;
	script_fn *script;
	unsigned accepted, requests;
	char log[20000]; /* all request heads and bodies, one after the other */
} far;

static void hang_up(struct line *l, bool reset)
{
	const struct linger now = { .l_onoff = reset };

	if (l->fd < 0)
		return;
	if (reset)
		setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	loop_unwatch(l->watch);
	l->watch = NULL;
	close(l->fd);
	l->fd = -1;
}

static void say(struct line *l, const char *text)
{
	if (l->fd >= 0)
		assert_true(send(l->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static void answer(struct line *l, int status, const char *lines, const char *body)
{
	char text[2048];

	snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, lines, strlen(body),
		 body);
	say(l, text);
}

/* Length of the first whole request in the buffer, or 0. */
static size_t whole(const struct line *l)
{
	const char *end = strstr(l->in, "\r\n\r\n"), *length = strcasestr(l->in, "\r\nContent-Length: ");
	size_t n;

	if (!end)
		return 0;
	n = (size_t)(end - l->in) + 4 + (length && length < end ? (size_t)atol(length + 18) : 0);
	return n <= l->len ? n : 0;
}

static void on_line(void *arg, int fd, unsigned what)
{
	struct line *l = arg;
	ssize_t got = recv(fd, l->in + l->len, sizeof l->in - 1 - l->len, MSG_DONTWAIT);
	size_t n;

	(void)what;
	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			hang_up(l, false);
		return;
	}
	l->len += (size_t)got;
	l->in[l->len] = '\0';
	while (l->fd >= 0 && (n = whole(l))) {
		char request[sizeof l->in];

		memcpy(request, l->in, n);
		request[n] = '\0';
		memmove(l->in, l->in + n, l->len - n + 1);
		l->len -= n;
		l->served++;
		far.requests++;
		if (strlen(far.log) + n < sizeof far.log)
			strcat(far.log, request);
		far.script(l, request);
	}
}

static void on_accept(void *arg, int fd, unsigned what)
{
	struct line *l;
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)arg;
	(void)what;
	if (got < 0)
		return;
	l = calloc(1, sizeof *l);
	assert_non_null(l);
	l->fd = got;
	l->next = far.lines;
	far.lines = l;
	far.accepted++;
	assert_int_equal(loop_watch(loop, &l->watch, got, LOOP_READ, on_line, l), 0);
}

static void far_open(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;

	memset(&far, 0, sizeof far);
	far.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(far.fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(far.fd, 128), 0);
	assert_int_equal(getsockname(far.fd, (struct sockaddr *)&sa, &len), 0);
	far.port = ntohs(sa.sin_port);
	assert_int_equal(loop_watch(loop, &far.watch, far.fd, LOOP_READ, on_accept, NULL), 0);
}

static void far_close(void)
{
	while (far.lines) {
		struct line *l = far.lines;

		far.lines = l->next;
		hang_up(l, false);
		free(l);
	}
	loop_unwatch(far.watch);
	if (far.fd >= 0)
		close(far.fd);
}

/* ---- the client under test ---- */

static struct http_client *client;
static struct http_client_conf conf;
static char base[64], secret_file[64];

struct outcome {
	unsigned n;
	struct http_result res;
	char body[4096], location[256], final_url[256], error[256], type[64];
};

static void on_done(void *arg, const struct http_result *res)
{
	struct outcome *o = arg;

	o->n++;
	o->res = *res;
	snprintf(o->body, sizeof o->body, "%.*s", (int)res->len, res->body);
	assert_int_equal(res->body[res->len], '\0');
	snprintf(o->location, sizeof o->location, "%s", res->location ? res->location : "");
	snprintf(o->final_url, sizeof o->final_url, "%s", res->final_url);
	snprintf(o->error, sizeof o->error, "%s", res->error);
	snprintf(o->type, sizeof o->type, "%s", res->content_type);
}

static bool is_done(const void *arg)
{
	return ((const struct outcome *)arg)->n > 0;
}

UNUSED static const char *url(const char *path)
{
	static char text[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(text[i], sizeof text[i], "%s%s", base, path);
	return text[i];
}

static int setup(void **state)
{
	FILE *f;
	int err = loop_setup(state);

	if (err)
		return err;
	far_open();
	snprintf(base, sizeof base, "http://127.0.0.1:%u", far.port);
	snprintf(secret_file, sizeof secret_file, "/tmp/niddgw-secret-%d", (int)getpid());
	f = fopen(secret_file, "w");
	fputs("s3cr&t=\n", f);
	fclose(f);
	conf = (struct http_client_conf){
		.base = base,
		.timeout_ms = 5000,
		.connect_ms = 2000,
		.connections = 4,
		.queue = 100,
		.body_bytes = 65536,
	};
	return 0;
}

static int teardown(void **state)
{
	http_client_close(client);
	client = NULL;
	far_close();
	unlink(secret_file);
	return loop_teardown(state);
}

UNUSED static void connect_client(script_fn *script)
{
	far.script = script;
	assert_int_equal(http_client_open(&client, loop, &conf), 0);
}

static void post_to(const char *to, const char *body, struct outcome *o)
{
	const struct http_call_conf c = {
		.method = HTTP_POST,
		.url = to,
		.content_type = "application/json",
		.body = body,
		.len = strlen(body),
	};

	memset(o, 0, sizeof *o);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, o), 0);
	assert_int_equal(o->n, 0); /* never from within */
}

UNUSED static void post(const char *path, const char *body, struct outcome *o)
{
	post_to(url(path), body, o);
	run_until(is_done, o);
	assert_int_equal(o->n, 1);
}

#endif
