/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c - the control socket
 *
 * A client has one request at a time: while its answer is on the way nothing more is read from it, so that it costs at
 * most one line in and one answer out. One that does not take its answer, or that says nothing, is dropped. A reload is
 * run from a timer, because it may change what a callback of a client stands on.
 */
#include "control/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "control/inside.h"
#include "control/listen.h"
#include "control/verbs.h"

enum {
	CLIENTS_MOST = 16,
	LINE_MOST = 65536,        /* octets of a request with its line end */
	ANSWER_WITHIN_MS = 10000, /* for a client to take a whole answer */
	SILENT_MOST_MS = 300000,  /* between requests */
	STARVED_MS = 250,         /* until descriptors are looked for again */
};

struct client {
	struct ctl_socket *socket; /* borrowed */
	int fd;
	struct loop_fd *watch; /* owned */
	struct timer limit;
	enum verbs_when waiting; /* for what its answer waits */
	struct records records;  /* what it has under way */
	bool ended;              /* it sends no more; what it asked is still answered */
	char in[LINE_MOST];
	size_t in_len;
	char *out; /* owned; NULL: no answer is on the way */
	size_t out_len, out_at;
};

struct ctl_socket {
	struct control *control; /* borrowed */
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int fd;
	struct loop_fd *watch; /* owned */
	struct timer reload, pause;
	struct client *clients[CLIENTS_MOST]; /* owned; NULL: free */
};

static struct loop *loop_of(const struct ctl_socket *s)
{
	return s->control->env.loop;
}

static void client_free(struct client *cl)
{
	struct ctl_socket *s = cl->socket;

	for (size_t i = 0; i < CLIENTS_MOST; i++)
		if (s->clients[i] == cl)
			s->clients[i] = NULL;
	timer_cancel(loop_timers(loop_of(s)), &cl->limit);
	records_end(&cl->records);
	loop_unwatch(cl->watch);
	close(cl->fd);
	free(cl->out);
	free(cl);
}

static void on_client_limit(struct timer *t, uint64_t now_ms)
{
	struct client *cl = container_of(t, struct client, limit);

	(void)now_ms;
	log_ev(LOG_INFO, "control", "client.dropped", LF_STR("why", cl->out ? "does not read" : "silent"));
	client_free(cl);
}

static void client_limit(struct client *cl, uint64_t in_ms)
{
	timer_set(loop_timers(loop_of(cl->socket)), &cl->limit, clock_now_ms() + in_ms, on_client_limit);
}

/* Reading stops while there is an answer to wait for. Returns false when the client is gone. */
static bool client_watch(struct client *cl)
{
	bool busy = cl->out || cl->waiting;
	unsigned what = cl->out ? LOOP_WRITE : busy || cl->ended ? 0 : LOOP_READ;

	if ((cl->ended && !busy) || loop_rewatch(cl->watch, what)) {
		client_free(cl);
		return false;
	}
	return true;
}

/* Takes the answer. What does not fit into the socket goes when it can be written again. */
static void client_answer(struct client *cl, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT), *line = NULL;
	size_t len = text ? strlen(text) : 0;

	json_decref(answer);
	cl->waiting = VERBS_NOW;
	if (text)
		line = realloc(text, len + 2);
	if (!line) {
		free(text);
		static const char short_of_memory[] =
			"{\"v\":1,\"status\":\"error\",\"error\":{\"code\":\"internal\"}}";

		line = malloc(sizeof short_of_memory + 1);
		if (!line)
			return; /* the client's own limit ends it */
		len = sizeof short_of_memory - 1;
		memcpy(line, short_of_memory, len);
	}
	line[len] = '\n';
	cl->out = line;
	cl->out_len = len + 1;
	cl->out_at = 0;
	client_limit(cl, ANSWER_WITHIN_MS);
}

static void client_request(struct client *cl, const char *line, size_t len)
{
	json_t *answer = verbs_answer(&cl->records, line, len, &cl->waiting);

	if (!cl->waiting) {
		client_answer(cl, answer);
		return;
	}
	timer_cancel(loop_timers(loop_of(cl->socket)), &cl->limit);
}

/* What a request has waited for in the store and the sessions is there. */
static void on_records(struct records *r, json_t *answer)
{
	struct client *cl = container_of(r, struct client, records);

	client_answer(cl, answer);
	client_watch(cl);
}

static void on_reload(struct timer *t, uint64_t now_ms);

/* Takes the next whole line, if one is there and nothing is being answered. */
static void client_next(struct client *cl)
{
	const char *end = memchr(cl->in, '\n', cl->in_len);
	size_t len;

	if (cl->out || cl->waiting)
		return;
	if (!end) {
		if (cl->in_len == sizeof cl->in) {
			client_answer(cl, verbs_error("bad_request", "the line is too long"));
			cl->in_len = 0;
			cl->ended = true; /* where the next request would begin is not known */
		}
		return;
	}
	len = (size_t)(end - cl->in);
	client_request(cl, cl->in, len);
	cl->in_len -= len + 1;
	memmove(cl->in, end + 1, cl->in_len);
	if (cl->waiting == VERBS_RELOADED && !timer_is_set(&cl->socket->reload))
		timer_set(loop_timers(loop_of(cl->socket)), &cl->socket->reload, clock_now_ms(), on_reload);
}

/* Returns false when the client is gone. */
static bool client_write(struct client *cl)
{
	ssize_t n;

	if (!cl->out)
		return true;
	n = send(cl->fd, cl->out + cl->out_at, cl->out_len - cl->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		client_free(cl);
		return false;
	}
	cl->out_at += (size_t)n;
	if (cl->out_at < cl->out_len)
		return true;
	free(cl->out);
	cl->out = NULL;
	client_limit(cl, SILENT_MOST_MS);
	client_next(cl);
	return true;
}

/* Returns false when the client is gone. */
static bool client_read(struct client *cl)
{
	ssize_t n = recv(cl->fd, cl->in + cl->in_len, sizeof cl->in - cl->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		client_free(cl);
		return false;
	}
	cl->ended = n == 0;
	cl->in_len += (size_t)n;
	client_next(cl);
	return true;
}

static void on_client(void *arg, int fd, unsigned what)
{
	struct client *cl = arg;

	(void)fd;
	if (what & LOOP_READ && !client_read(cl))
		return;
	if (client_write(cl))
		client_watch(cl);
}

static void on_reload(struct timer *t, uint64_t now_ms)
{
	struct ctl_socket *s = container_of(t, struct ctl_socket, reload);
	char *report = NULL;
	int err = reload_run(s->control, &report);

	(void)now_ms;
	for (size_t i = 0; i < CLIENTS_MOST; i++) {
		struct client *cl = s->clients[i];

		if (!cl || cl->waiting != VERBS_RELOADED)
			continue;
		client_answer(cl, verbs_reloaded(err, report));
		client_watch(cl);
	}
	free(report);
}

/* ---- listening ---- */

static int client_new(struct ctl_socket *s, int fd)
{
	struct client *cl;
	size_t i = 0;

	while (i < CLIENTS_MOST && s->clients[i])
		i++;
	if (i == CLIENTS_MOST)
		return -EAGAIN;
	cl = calloc(1, sizeof *cl);
	if (!cl)
		return -ENOMEM;
	cl->socket = s;
	cl->fd = fd;
	cl->records = (struct records){ .control = s->control, .answer = on_records };
	if (loop_watch(loop_of(s), &cl->watch, fd, LOOP_READ, on_client, cl)) {
		free(cl);
		return -ENOMEM;
	}
	s->clients[i] = cl;
	client_limit(cl, SILENT_MOST_MS);
	return 0;
}

static void on_pause_over(struct timer *t, uint64_t now_ms)
{
	struct ctl_socket *s = container_of(t, struct ctl_socket, pause);

	(void)now_ms;
	loop_rewatch(s->watch, LOOP_READ);
}

/* Gone again; or no descriptor left: then it waits in the backlog, and must not wake the loop all the while. */
static void accept_failed(struct ctl_socket *s, int why)
{
	if (why == EAGAIN || why == EINTR || why == ECONNABORTED)
		return;
	loop_rewatch(s->watch, 0);
	timer_set(loop_timers(loop_of(s)), &s->pause, clock_now_ms() + STARVED_MS, on_pause_over);
}

static void on_connect(void *arg, int fd, unsigned what)
{
	struct ctl_socket *s = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (client < 0) {
		accept_failed(s, errno);
		return;
	}
	if (client_new(s, client)) {
		log_ev(LOG_WARNING, "control", "client.refused", LF_STR("why", "too many clients"));
		close(client);
	}
}

int ctl_socket_open(struct ctl_socket **out, struct control *c, const char *run_dir)
{
	struct ctl_socket *s = calloc(1, sizeof *s);
	int err, len;

	if (!s)
		return -ENOMEM;
	s->control = c;
	s->fd = -1;
	len = snprintf(s->path, sizeof s->path, "%s/ctl", run_dir);
	err = len < 0 || (size_t)len >= sizeof s->path ? -ENAMETOOLONG : listen_unix(s->path);
	if (err < 0)
		goto fail;
	s->fd = err;
	err = loop_watch(c->env.loop, &s->watch, s->fd, LOOP_READ, on_connect, s);
	if (err)
		goto fail;
	*out = s;
	return 0;
fail:
	ctl_socket_close(s);
	return err;
}

void ctl_socket_close(struct ctl_socket *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < CLIENTS_MOST; i++)
		if (s->clients[i])
			client_free(s->clients[i]);
	timer_cancel(loop_timers(loop_of(s)), &s->reload);
	timer_cancel(loop_timers(loop_of(s)), &s->pause);
	loop_unwatch(s->watch);
	if (s->fd >= 0) {
		unlink(s->path);
		close(s->fd);
	}
	free(s);
}
