/* SPDX-License-Identifier: Apache-2.0 */
/* dir.c - directories of the daemon's own */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "control/control.h"

/* 0 when path is a directory afterwards. One that is made has exactly this mode, whatever the umask is. */
static int make_one(const char *path, mode_t mode)
{
	struct stat st;

	if (!mkdir(path, mode))
		return chmod(path, mode) ? -errno : 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* Parents get 0755: they may be shared, and what is in ours is closed by its own mode. */
static int make_parents(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof part)
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
		int err;

		*p = '\0';
		err = make_one(part, 0755);
		*p = '/';
		if (err)
			return err;
	}
	return 0;
}

int dir_make(const char *path)
{
	struct stat st;
	int err;

	if (!*path)
		return -ENOENT;
	err = make_parents(path);
	if (!err)
		err = make_one(path, 0750);
	if (err)
		return err;
	if (stat(path, &st))
		return -errno;
	return st.st_mode & S_IWOTH ? -EPERM : 0;
}
