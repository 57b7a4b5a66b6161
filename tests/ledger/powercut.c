/* SPDX-License-Identifier: Apache-2.0 */
/* powercut.c - writes down what a program does to the files below a directory (LD_PRELOAD)
 *
 * kill -9 leaves everything written in the page cache, a power cut does not. So each change of a file or name below
 * $NIDDGW_TRACE_DIR goes to the file $NIDDGW_TRACE, in order, and so does each sync; powercut.py makes of it what a
 * disk may hold afterwards. A sync is not passed on to the kernel but takes a little while, so that an answer that does
 * not wait for it shows. Mapped files are not seen: SQLite's -shm is none of those that have to survive.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096
#define SYNC_MS_MOST 2

struct record {
	uint8_t type;
	uint8_t pad[3];
	uint32_t len; /* of what follows */
	uint64_t inode, a;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static char root[PATH_MAX];
static size_t root_len;
static uint8_t seen[FDS]; /* descriptors of files below root */

__attribute__((constructor)) static void open_trace(void)
{
	const char *path = getenv("NIDDGW_TRACE"), *dir = getenv("NIDDGW_TRACE_DIR");

	if (!path || !dir || !realpath(dir, root))
		return;
	root_len = strlen(root);
	trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* One write(2): a kill leaves it whole or not at all. */
static void put(uint8_t type, uint64_t inode, uint64_t a, const void *data, size_t len)
{
	size_t size = sizeof(struct record) + len;
	uint8_t *buf = malloc(size);
	struct record r = { .type = type, .len = (uint32_t)len, .inode = inode, .a = a };

	if (!buf)
		abort();
	memcpy(buf, &r, sizeof r);
	if (len)
		memcpy(buf + sizeof r, data, len);
	if (syscall(SYS_write, trace, buf, size) != (long)size)
		abort();
	free(buf);
}

static bool is_below(const char *path)
{
	return trace >= 0 && !strncmp(path, root, root_len) && (path[root_len] == '/' || !path[root_len]);
}

/* The path behind a descriptor; false: it is none of ours. */
static bool path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (fd == AT_FDCWD)
		return getcwd(path, PATH_MAX) != NULL;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	return true;
}

/* The directory that a name stands in, and the name in it. False: not below root. */
static bool place_of(int at, const char *name, uint64_t *dir, char last[NAME_MAX + 1])
{
	char path[2 * PATH_MAX], real[PATH_MAX], *slash;
	struct stat st;

	if (*name == '/') {
		snprintf(path, sizeof path, "%s", name);
	} else {
		char base[PATH_MAX];

		if (!path_of(at, base))
			return false;
		snprintf(path, sizeof path, "%s/%s", base, name);
	}
	slash = strrchr(path, '/');
	snprintf(last, NAME_MAX + 1, "%.255s", slash + 1);
	*slash = 0;
	if (!realpath(path, real) || !is_below(real) || stat(real, &st))
		return false;
	*dir = st.st_ino;
	return true;
}

static int open_traced(int at, const char *name, int flags, mode_t mode)
{
	char last[NAME_MAX + 1];
	uint64_t dir;
	struct stat st;
	bool ours = trace >= 0 && place_of(at, name, &dir, last), made;
	int fd;

	if (!ours) {
		fd = (int)syscall(SYS_openat, at, name, flags, mode);
		if (fd >= 0 && fd < FDS)
			seen[fd] = 0;
		return fd;
	}
	pthread_mutex_lock(&lock);
	made = (flags & O_CREAT) && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW);
	fd = (int)syscall(SYS_openat, at, name, flags, mode);
	if (fd >= 0 && !fstat(fd, &st)) {
		if (fd < FDS)
			seen[fd] = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
		if (made)
			put('C', st.st_ino, dir, last, strlen(last));
		else if ((flags & O_TRUNC) && S_ISREG(st.st_mode))
			put('T', st.st_ino, 0, NULL, 0);
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static mode_t mode_of(int flags, va_list v)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(v, int) : 0;
}

int open(const char *name, int flags, ...)
{
	va_list v;
	mode_t mode;

	va_start(v, flags);
	mode = mode_of(flags, v);
	va_end(v);
	return open_traced(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
	va_list v;
	mode_t mode;

	va_start(v, flags);
	mode = mode_of(flags, v);
	va_end(v);
	return open_traced(AT_FDCWD, name, flags, mode);
}

int openat(int at, const char *name, int flags, ...)
{
	va_list v;
	mode_t mode;

	va_start(v, flags);
	mode = mode_of(flags, v);
	va_end(v);
	return open_traced(at, name, flags, mode);
}

static bool is_ours(int fd, uint64_t *inode)
{
	struct stat st;

	if (trace < 0 || fd < 0 || fd >= FDS || !seen[fd] || fstat(fd, &st))
		return false;
	*inode = st.st_ino;
	return true;
}

int close(int fd)
{
	if (fd >= 0 && fd < FDS)
		seen[fd] = 0;
	return (int)syscall(SYS_close, fd);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	uint64_t inode;
	ssize_t n;

	if (!is_ours(fd, &inode))
		return syscall(SYS_pwrite64, fd, data, len, at);
	pthread_mutex_lock(&lock);
	n = syscall(SYS_pwrite64, fd, data, len, at);
	if (n > 0)
		put('W', inode, (uint64_t)at, data, (size_t)n);
	pthread_mutex_unlock(&lock);
	return n;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t at)
{
	return pwrite(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	uint64_t inode;
	ssize_t n;

	if (!is_ours(fd, &inode))
		return syscall(SYS_write, fd, data, len);
	pthread_mutex_lock(&lock);
	n = syscall(SYS_write, fd, data, len);
	if (n > 0)
		put('W', inode, (uint64_t)(lseek(fd, 0, SEEK_CUR) - n), data, (size_t)n);
	pthread_mutex_unlock(&lock);
	return n;
}

int ftruncate(int fd, off_t len)
{
	uint64_t inode;
	int err;

	if (!is_ours(fd, &inode))
		return (int)syscall(SYS_ftruncate, fd, len);
	pthread_mutex_lock(&lock);
	err = (int)syscall(SYS_ftruncate, fd, len);
	if (!err)
		put('T', inode, (uint64_t)len, NULL, 0);
	pthread_mutex_unlock(&lock);
	return err;
}

int ftruncate64(int fd, off_t len)
{
	return ftruncate(fd, len);
}

static int sync_traced(int fd, long call)
{
	struct timespec t = { 0 };
	uint64_t inode;

	if (!is_ours(fd, &inode))
		return (int)syscall(call, fd);
	t.tv_nsec = random() % (SYNC_MS_MOST * 1000000L);
	nanosleep(&t, NULL);
	pthread_mutex_lock(&lock);
	put('S', inode, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return 0;
}

int fsync(int fd)
{
	return sync_traced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_traced(fd, SYS_fdatasync);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
	char names[2 * NAME_MAX + 3], old[NAME_MAX + 1], new[NAME_MAX + 1];
	uint64_t from_dir, to_dir;
	bool ours = trace >= 0 && place_of(from_at, from, &from_dir, old) && place_of(to_at, to, &to_dir, new);
	int n, err;

	pthread_mutex_lock(&lock);
	err = (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
	if (!err && ours) {
		n = snprintf(names, sizeof names, "%s/%s", old, new);
		put('R', from_dir, to_dir, names, (size_t)n);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int at, const char *name, int flags)
{
	char last[NAME_MAX + 1];
	uint64_t dir;
	bool ours = trace >= 0 && place_of(at, name, &dir, last);
	int err;

	pthread_mutex_lock(&lock);
	err = (int)syscall(SYS_unlinkat, at, name, flags);
	if (!err && ours)
		put('U', dir, 0, last, strlen(last));
	pthread_mutex_unlock(&lock);
	return err;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	char last[NAME_MAX + 1];
	uint64_t dir;
	struct stat st;
	bool ours = trace >= 0 && place_of(to_at, to, &dir, last);
	int err;

	pthread_mutex_lock(&lock);
	err = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
	if (!err && ours && !fstatat(to_at, to, &st, AT_SYMLINK_NOFOLLOW))
		put('L', st.st_ino, dir, last, strlen(last));
	pthread_mutex_unlock(&lock);
	return err;
}

int mkdirat(int at, const char *name, mode_t mode)
{
	char last[NAME_MAX + 1];
	uint64_t dir;
	struct stat st;
	bool ours = trace >= 0 && place_of(at, name, &dir, last);
	int err;

	pthread_mutex_lock(&lock);
	err = (int)syscall(SYS_mkdirat, at, name, mode);
	if (!err && ours && !fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW))
		put('M', st.st_ino, dir, last, strlen(last));
	pthread_mutex_unlock(&lock);
	return err;
}

int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}
