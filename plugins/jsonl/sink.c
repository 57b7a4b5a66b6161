/* SPDX-License-Identifier: Apache-2.0 */
/* sink.c - whole lines into a file or to standard output
 *
 * A file that took only part of a line (the disk is full) is cut back to where the line began. Standard output belongs
 * to the daemon too, so it is opened again for a description of our own that does not wait; a socket, which cannot be
 * opened, is written with a flag that says so. The rest of a line that a pipe took in part is kept.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY_S = 1 };

struct sink {
	char *path; /* owned; NULL: standard output */
	uint64_t rotate_bytes, size;
	unsigned keep;
	int fd; /* -1: not open */
	bool is_socket;
	time_t looked_s; /* when the name was last held against the open file */
	dev_t dev;
	ino_t ino;
	char *rest; /* owned: of a line that is out in part */
	size_t rest_len;
};

/* ---- opening ---- */

static int open_file(struct sink *s)
{
	struct stat st;

	s->fd = open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (s->fd < 0)
		return -errno;
	if (fstat(s->fd, &st))
		return -errno;
	s->size = (uint64_t)st.st_size;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

static int open_stdout(struct sink *s)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st))
		return -errno;
	s->is_socket = S_ISSOCK(st.st_mode);
	s->fd = s->is_socket ? dup(STDOUT_FILENO)
			     : open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

static void shut(struct sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

int sink_open(struct sink **out, const char *path, uint64_t rotate_bytes, unsigned keep)
{
	struct sink *s = calloc(1, sizeof *s);
	int err = 0;

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->rotate_bytes = rotate_bytes;
	s->keep = keep;
	s->path = path ? strdup(path) : NULL;
	if (path && !s->path)
		err = -ENOMEM;
	else if (!path)
		err = open_stdout(s);
	else
		(void)open_file(s);
	if (err) {
		sink_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void sink_close(struct sink *s)
{
	if (!s)
		return;
	shut(s);
	free(s->path);
	free(s->rest);
	free(s);
}

/* ---- rotation, and files that others have moved away ---- */

static void look(struct sink *s)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (s->fd < 0 || now.tv_sec - s->looked_s < LOOK_EVERY_S)
		return;
	s->looked_s = now.tv_sec;
	if (stat(s->path, &st) || st.st_dev != s->dev || st.st_ino != s->ino)
		shut(s);
}

static void number(const struct sink *s, unsigned n, char *buf, size_t size)
{
	snprintf(buf, size, "%s.%u", s->path, n);
}

static void rotate(struct sink *s)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	for (unsigned n = s->keep; n > 1; n--) {
		number(s, n - 1, from, sizeof from);
		number(s, n, to, sizeof to);
		(void)rename(from, to);
	}
	number(s, 1, to, sizeof to);
	if (s->keep ? rename(s->path, to) : unlink(s->path))
		return; /* it goes on growing: better than to lose lines */
	shut(s);
}

static int ready_file(struct sink *s, size_t len)
{
	look(s);
	if (s->fd >= 0 && s->rotate_bytes && s->size && s->size + len > s->rotate_bytes)
		rotate(s);
	return s->fd < 0 ? open_file(s) : 0;
}

/* ---- writing ---- */

static ssize_t put(const struct sink *s, const char *data, size_t len)
{
	ssize_t n;

	do
		n = s->is_socket ? send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int write_file(struct sink *s, const char *line, size_t len)
{
	ssize_t n = put(s, line, len);
	struct stat st;

	if (n == (ssize_t)len) {
		s->size += len;
		return 0;
	}
	if (n > 0 && !fstat(s->fd, &st) && ftruncate(s->fd, st.st_size - n))
		shut(s); /* half a line stays, and the next one begins behind it: nothing more can be done */
	return n < 0 ? (int)n : -ENOSPC;
}

static int keep_rest(struct sink *s, const char *rest, size_t len)
{
	s->rest = malloc(len);
	if (!s->rest)
		return -ENOMEM;
	memcpy(s->rest, rest, len);
	s->rest_len = len;
	return 0;
}

static int write_stdout(struct sink *s, const char *line, size_t len)
{
	ssize_t n;

	sink_flush(s);
	if (s->rest)
		return -EAGAIN;
	n = put(s, line, len);
	if (n < 0)
		return (int)n;
	return n == (ssize_t)len ? 0 : keep_rest(s, line + n, len - (size_t)n);
}

int sink_write(struct sink *s, const char *line, size_t len)
{
	int err = s->path ? ready_file(s, len) : 0;

	if (err)
		return err;
	return s->path ? write_file(s, line, len) : write_stdout(s, line, len);
}

int sink_pending(const struct sink *s)
{
	return s->rest ? s->fd : -1;
}

void sink_flush(struct sink *s)
{
	ssize_t n = s->rest ? put(s, s->rest, s->rest_len) : -EAGAIN;

	if (n < 0)
		return;
	s->rest_len -= (size_t)n;
	if (s->rest_len) {
		memmove(s->rest, s->rest + n, s->rest_len);
		return;
	}
	free(s->rest);
	s->rest = NULL;
}
