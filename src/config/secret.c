/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - files that a configuration names, secret ones above all
 *
 * A secret file is a regular file, of root or of the user who runs the daemon, which others cannot read and the group
 * cannot change. Both the check and the later reading go through one function that asks the open descriptor, so what
 * was checked is what is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "config/parts.h"

enum { SECRET_MOST = 4096, FORBIDDEN = S_IWGRP | S_IRWXO };

/* 0, -EACCES for one that must not be used; why says more. */
static int secret_stat(int fd, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		snprintf(why, size, "it is not a regular file");
	else if (st.st_uid && st.st_uid != geteuid())
		snprintf(why, size, "it belongs to user %u, neither to root nor to the user of the daemon",
			 (unsigned)st.st_uid);
	else if (st.st_mode & FORBIDDEN)
		snprintf(why, size, "its mode is %04o, and 0640 is the most a secret may have",
			 (unsigned)st.st_mode & 07777);
	else
		return 0;
	return -EACCES;
}

/* An open descriptor, or a negative errno with the reason in why. */
static int secret_open(const char *path, char *why, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, size, "%s", err == -ELOOP ? "it is not a regular file" : strerror(-err));
		return err == -ELOOP ? -EACCES : err;
	}
	err = secret_stat(fd, why, size);
	if (!err)
		return fd;
	close(fd);
	return err;
}

long conf_read_secret(const char *path, char *buf, size_t size)
{
	char why[128];
	const int fd = secret_open(path, why, sizeof why);

	if (fd < 0)
		return fd;
	close(fd);
	return secret_read(path, buf, size);
}

static int check_line(const char *path, char *why, size_t size)
{
	char buf[SECRET_MOST];
	const long n = secret_read(path, buf, sizeof buf);

	secret_wipe(buf, sizeof buf);
	if (n >= 0)
		return 0;
	if (n == -EBADMSG)
		snprintf(why, size, "it does not hold exactly one line of text");
	else
		snprintf(why, size, "%s", n == -EMSGSIZE ? "it is too long for a secret" : strerror((int)-n));
	return -1;
}

static int check_secret(bool with_line, const char *path, char *why, size_t size)
{
	const int fd = secret_open(path, why, size);

	if (fd < 0)
		return -1;
	close(fd);
	return with_line ? check_line(path, why, size) : 0;
}

static int check_readable(const char *path, char *why, size_t size)
{
	struct stat st;

	if (stat(path, &st) || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS))
		snprintf(why, size, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		snprintf(why, size, "it is neither a regular file nor a directory");
	else
		return 0;
	return -1;
}

int path_check(enum conf_type type, const char *path, char *why, size_t size)
{
	if (type == CONF_TYPE_FILE)
		return check_readable(path, why, size);
	return check_secret(type == CONF_TYPE_SECRET, path, why, size);
}
