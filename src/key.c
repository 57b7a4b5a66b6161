/* SPDX-License-Identifier: Apache-2.0 */
/* key.c - the random key of this gateway
 *
 * It is written whole under another name and then linked into place, so a power cut leaves either none or a good one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "wiring.h"

#define KEY_LEN 32

static int read_key(uint8_t *key, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size != KEY_LEN)
		err = -EBADMSG;
	else if (st.st_mode & 077)
		err = -EPERM;
	else if (read(fd, key, KEY_LEN) != KEY_LEN)
		err = -EIO;
	close(fd);
	return err;
}

static int write_all(int fd, const uint8_t *key)
{
	if (write(fd, key, KEY_LEN) != KEY_LEN)
		return -EIO;
	return fsync(fd) ? -errno : 0;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

static int make_key(uint8_t *key, const char *dir, const char *path)
{
	char fresh[4096];
	int fd, err;

	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
		return -ENAMETOOLONG;
	(void)unlink(fresh); /* of a start that was cut off */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	random_bytes(key, KEY_LEN);
	err = write_all(fd, key);
	close(fd);
	if (!err && rename(fresh, path))
		err = -errno;
	return err ? err : sync_dir(dir);
}

int key_load(uint8_t key[32], const char *state_dir)
{
	char path[4096];
	int err;

	if ((size_t)snprintf(path, sizeof path, "%s/key", state_dir) >= sizeof path)
		return -ENAMETOOLONG;
	err = read_key(key, path);
	if (err == -ENOENT)
		err = make_key(key, state_dir, path);
	if (err)
		log_ev(LOG_ERROR, "main", "key.failed", LF_STR("file", path),
		       LF_STR("reason",
			      err == -EPERM             ? "others can read it"
				      : err == -EBADMSG ? "not a file of 32 octets"
							: strerror(-err)));
	return err;
}
