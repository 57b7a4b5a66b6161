/* SPDX-License-Identifier: Apache-2.0 */
/* db_spare.c - reading state.db where nothing can be written
 *
 * SQLite opens no file in WAL mode without making its shared memory, which a full or a read-only file system does not
 * take. What is stored is read all the same: over a connection that keeps the index of the WAL in its own memory and
 * takes no locks (nobody else is there: the lock of the directory says so), or, where there is no WAL and none can be
 * made, as a file that never changes. The first transaction that finds room opens the file as usual.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/db_inside.h"

#define ROOM_LEAST 65536 /* octets: the shared memory and the head of a WAL */

int db_no_room(const char *path, int err)
{
	struct statvfs v;

	if (err == -ENOSPC || err == -EDQUOT || err == -EROFS)
		return err;
	if (!err || err == -EBADMSG || err == -EPROTONOSUPPORT || err == -ENOMEM)
		return 0;
	if (statvfs(path, &v)) {
		char dir[DB_PATH_MOST];

		snprintf(dir, sizeof dir, "%s", path);
		*strrchr(dir, '/') = '\0';
		if (statvfs(dir, &v))
			return 0;
	}
	if (v.f_flag & ST_RDONLY)
		return -EROFS;
	return (uint64_t)v.f_bavail * v.f_frsize < ROOM_LEAST ? -ENOSPC : 0;
}

/* file:PATH?immutable=1 with what a URI does not take as it is escaped. */
static void immutable_uri(char *uri, size_t size, const char *path)
{
	size_t n = (size_t)snprintf(uri, size, "file:");

	for (; *path && n + 4 < size; path++)
		n += (size_t)snprintf(uri + n, size - n, strchr("%?#", *path) ? "%%%02x" : "%c", (unsigned char)*path);
	snprintf(uri + n, size - n, "?immutable=1");
}

static int read_schema(sqlite3 *h)
{
	return db_error(h, sqlite3_exec(h, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL));
}

static bool has_wal(const char *path)
{
	char wal[DB_PATH_MOST + 8];
	struct stat st;

	snprintf(wal, sizeof wal, "%s-wal", path);
	return !stat(wal, &st) && st.st_size;
}

static int try_way(sqlite3 **h, const char *name, int flags, const char *vfs)
{
	int err = db_connect(h, name, SQLITE_OPEN_READONLY | flags, vfs);

	if (!err)
		err = db_error(*h, sqlite3_exec(*h, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL));
	if (!err)
		err = read_schema(*h);
	if (err) {
		sqlite3_close(*h);
		*h = NULL;
	}
	return err;
}

int db_connect_spare(sqlite3 **h, const char *path)
{
	char uri[3 * DB_PATH_MOST + 32];
	int err = try_way(h, path, 0, "unix-none");

	if (!err || err == -EBADMSG || has_wal(path))
		return err;
	immutable_uri(uri, sizeof uri, path);
	return try_way(h, uri, SQLITE_OPEN_URI, NULL);
}

int db_open_spare(struct db *d, int cause)
{
	long version = 0;
	int err;

	db_disconnect(d);
	d->spare = true;
	if (access(d->path, F_OK) && errno == ENOENT) {
		d->empty = true;
		return 0;
	}
	err = db_connect_spare(&d->h, d->path);
	if (!err)
		err = db_version(d->h, &version);
	if (!err && version > DB_VERSION)
		return -EPROTONOSUPPORT;
	if (!err && version && version < DB_VERSION)
		return cause; /* its tables are not there before it is migrated */
	d->empty = !version;
	return err || d->empty ? err : db_check(d->h);
}

int db_leave_spare(struct db *d)
{
	int err, cause;

	db_disconnect(d);
	err = db_make_file(d->path);
	if (!err)
		err = db_open_whole(d);
	if (!err) {
		d->spare = d->empty = false;
		return 0;
	}
	cause = db_no_room(d->path, err);
	db_disconnect(d);
	return cause ? cause : err;
}

bool db_is_spare(const struct db *d)
{
	return d->spare;
}

bool db_is_empty(const struct db *d)
{
	return d->empty;
}
