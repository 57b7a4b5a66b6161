/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - bound, listening, non-blocking stream sockets
 *
 * A daemon that was killed leaves its unix socket in place; nobody answers there any more, which tells it from the
 * socket of a running one. That one is never taken away.
 */
#include "control/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int failed(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

/* 0 when path is free now, having removed a dead socket. */
static int clear_path(const struct sockaddr_un *at)
{
	struct stat st;
	int fd, rc, why;

	if (lstat(at->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	rc = connect(fd, (const struct sockaddr *)at, sizeof *at);
	why = errno;
	close(fd);
	if (!rc || why == EAGAIN)
		return -EADDRINUSE; /* EAGAIN: alive with a full backlog */
	if (why != ECONNREFUSED)
		return -why;
	return unlink(at->sun_path) && errno != ENOENT ? -errno : 0;
}

int listen_unix(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof at.sun_path)
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	err = clear_path(&at);
	if (err)
		return err;
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) || chmod(path, 0660) || listen(fd, LISTEN_BACKLOG))
		return failed(fd);
	return fd;
}

int listen_tcp(const struct addr *addr)
{
	int fd = new_socket(addr->u.sa.sa_family), one = 1;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, &addr->u.sa, addr->len) ||
	    listen(fd, LISTEN_BACKLOG))
		return failed(fd);
	return fd;
}
