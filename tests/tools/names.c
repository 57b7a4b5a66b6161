/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - lets a test decide what the resolver says to a running program (LD_PRELOAD)
 *
 * getaddrinfo() of a name that ends in .test does what the first octet of the file $NIDDGW_NAMES says: 'o' the address in
 * $NIDDGW_NAMES_TO, 'f' failure, 's' nothing for half a minute, unless the octet changes, then failure. /etc/resolv.conf is the file
 * $NIDDGW_RESOLV, for whoever asks name servers himself.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef int open_fn(const char *path, int flags, ...);
typedef int getaddrinfo_fn(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);

static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
	open_fn *real = (open_fn *)dlsym(RTLD_NEXT, name);
	const char *other = getenv("NIDDGW_RESOLV");

	if (other && path && !strcmp(path, "/etc/resolv.conf"))
		path = other;
	return real(path, flags, mode);
}

static mode_t mode_of(int flags, va_list more)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	return open_as("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	return open_as("open64", path, flags, mode);
}

static char what(void)
{
	const char *path = getenv("NIDDGW_NAMES");
	char c = 'o';
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return c;
	if (read(fd, &c, 1) != 1)
		c = 'o';
	close(fd);
	return c;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	getaddrinfo_fn *real = (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
	size_t len = node ? strlen(node) : 0;

	if (len < 5 || strcmp(node + len - 5, ".test") != 0)
		return real(node, service, hints, out);
	for (int i = 0; i < 600 && what() == 's'; i++)
		usleep(50000);
	return what() == 'o' ? real(getenv("NIDDGW_NAMES_TO"), service, hints, out) : EAI_AGAIN;
}
