/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - the one line of a secret file
 *
 * The octets go from the kernel straight into the caller's buffer: there is no stdio buffer that would keep a copy.
 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	return (long)n;
}

/* The length of the one line in n octets of file, or a negative errno. */
static long line_of(const char *buf, size_t n, size_t size)
{
	bool blank = true;

	if (n && buf[n - 1] == '\n')
		n -= n > 1 && buf[n - 2] == '\r' ? 2 : 1;
	if (memchr(buf, '\n', n) || memchr(buf, '\r', n) || memchr(buf, '\0', n))
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		blank = blank && strchr(" \t", buf[i]);
	if (blank)
		return -EBADMSG;
	return n < size ? (long)n : -EMSGSIZE;
}

static long read_line(int fd, char *buf, size_t size)
{
	struct stat st;
	long n;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size > (off_t)size + 1)
		return -EMSGSIZE;
	n = read_all(fd, buf, size);
	if (n < 0)
		return n;
	if ((size_t)n == size && st.st_size > (off_t)size) {
		/* The last octet did not fit: fine when it is the line end. */
		char last = 0;

		if (read(fd, &last, 1) != 1 || last != '\n')
			return -EMSGSIZE;
		n -= buf[n - 1] == '\r';
		return (size_t)n < size ? line_of(buf, (size_t)n, size) : -EMSGSIZE;
	}
	return line_of(buf, (size_t)n, size);
}

long secret_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	long n = fd < 0 ? -errno : read_line(fd, buf, size);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		secret_wipe(buf, size);
	else
		secret_wipe(buf + n, size - (size_t)n);
	return n;
}

void secret_wipe(void *buf, size_t size)
{
	if (buf)
		explicit_bzero(buf, size);
}
