/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - requests over the control socket
 *
 * One line there, one line back, blocking: this program has nothing else to do. It does not trust the daemon with its
 * memory or its time, since a socket path can be given that somebody else listens on.
 */
#include "ctl/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

enum {
	ANSWER_MOST = 64 << 20, /* octets of one answer */
	SILENCE_MOST_S = 120,   /* a reload opens and closes links */
};

struct client {
	int fd;
	char *in; /* owned */
	size_t len, size;
};

void complain(const char *fmt, ...)
{
	char raw[1024], safe[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	text_escape(safe, sizeof safe, raw);
	fprintf(stderr, "niddgwctl: %s\n", safe);
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = SILENCE_MOST_S };
	int fd, err;

	if (strlen(path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) &&
	    !connect(fd, (const struct sockaddr *)&to, sizeof to))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int client_open(struct client **out, const char *path)
{
	struct client *cl = calloc(1, sizeof *cl);

	if (!cl)
		return -ENOMEM;
	cl->fd = connect_to(path);
	if (cl->fd < 0) {
		int err = cl->fd;

		complain("%s: %s%s", path, strerror(-err),
			 err == -ENOENT || err == -ECONNREFUSED ? " (is niddgwd running?)" : "");
		free(cl);
		return err;
	}
	*out = cl;
	return 0;
}

void client_close(struct client *cl)
{
	if (!cl)
		return;
	close(cl->fd);
	free(cl->in);
	free(cl);
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(struct client *cl, json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	int err = line ? send_all(cl->fd, line, strlen(line)) : -ENOMEM;

	if (!err)
		err = send_all(cl->fd, "\n", 1);
	free(line);
	return err;
}

static int make_room(struct client *cl)
{
	size_t size = cl->size ? 2 * cl->size : 65536;
	char *in;

	if (cl->len < cl->size)
		return 0;
	if (size > ANSWER_MOST)
		return -EMSGSIZE;
	in = realloc(cl->in, size);
	if (!in)
		return -ENOMEM;
	cl->in = in;
	cl->size = size;
	return 0;
}

/* Reads until a line is whole. Its octets without the line end are cl->in, cl->len. */
static int read_line(struct client *cl)
{
	cl->len = 0;
	for (;;) {
		int err = make_room(cl);
		ssize_t n;

		if (err)
			return err;
		n = recv(cl->fd, cl->in + cl->len, cl->size - cl->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		cl->len += (size_t)n;
		if (cl->in[cl->len - 1] == '\n') { /* one request, one line: nothing comes behind it */
			cl->len--;
			return 0;
		}
	}
}

/* The answer's data, or NULL after a complaint. */
static json_t *data_of(const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *status = json_string_value(json_object_get(answer, "status"));
	json_t *data = json_object_get(answer, "data");
	const char *message = json_string_value(json_object_get(error, "message"));

	if (status && !strcmp(status, "ok") && data)
		return json_incref(data);
	if (!message)
		message = json_string_value(json_object_get(error, "code"));
	complain("%s", message ? message : "the answer is none of niddgwd's");
	return NULL;
}

json_t *client_ask(struct client *cl, json_t *request)
{
	int err = request ? send_request(cl, request) : -ENOMEM;
	json_t *answer, *data;

	json_decref(request);
	if (!err)
		err = read_line(cl);
	if (err) {
		complain("%s", strerror(-err));
		return NULL;
	}
	answer = json_loadb(cl->in, cl->len, 0, NULL);
	data = data_of(answer);
	json_decref(answer);
	return data;
}
