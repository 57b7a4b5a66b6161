/* SPDX-License-Identifier: Apache-2.0 */
/* db_open.c - opening, checking and migrating state.db
 *
 * The version stands in two places that are far apart in the file, so that a flipped bit is not taken for a newer
 * version.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/db_inside.h"

/* Step i makes version i + 1 out of version i. Steps that were released never change; each runs in a transaction. */
static const char *const steps[DB_VERSION] = {
	"CREATE TABLE device(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE session(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE link(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE mark(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID;"
};

static int exec(sqlite3 *h, const char *sql)
{
	return db_error(h, sqlite3_exec(h, sql, NULL, NULL, NULL));
}

static int on_value(void *arg, int n, char **values, char **names)
{
	(void)names;
	*(long *)arg = n > 0 && values[0] ? strtol(values[0], NULL, 10) : 0;
	return 0;
}

/* The first column of the first row as a number; 0 without one. */
static int ask(sqlite3 *h, const char *sql, long *out)
{
	*out = 0;
	return db_error(h, sqlite3_exec(h, sql, on_value, out, NULL));
}

int db_version(sqlite3 *h, long *version)
{
	long table, user;
	int err = ask(h, "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='schema_version'", &table);

	*version = 0;
	if (!err && table)
		err = ask(h, "SELECT max(version) FROM schema_version", version);
	if (!err)
		err = ask(h, "PRAGMA user_version", &user);
	if (!err && (user != *version || user < 0))
		err = -EBADMSG;
	return err;
}

static int migrate(sqlite3 *h, long version)
{
	char sql[200];
	int err = 0;

	for (; !err && version < DB_VERSION; version++) {
		snprintf(sql, sizeof sql,
			 "CREATE TABLE IF NOT EXISTS schema_version(version INTEGER NOT NULL);"
			 "INSERT INTO schema_version VALUES(%ld);PRAGMA user_version=%ld",
			 version + 1, version + 1);
		err = exec(h, "BEGIN IMMEDIATE");
		if (!err)
			err = exec(h, steps[version]);
		if (!err)
			err = exec(h, sql);
		if (!err)
			err = exec(h, "COMMIT");
		else
			(void)sqlite3_exec(h, "ROLLBACK", NULL, NULL, NULL);
	}
	return err;
}

static int on_progress(void *arg)
{
	return store_boot_ms() > *(const uint64_t *)arg;
}

static int on_checked(void *arg, int n, char **values, char **names)
{
	(void)names;
	if (n > 0 && values[0] && strcmp(values[0], "ok") != 0)
		*(bool *)arg = true;
	return 0;
}

/* What the time does not suffice for is found when it is read. */
int db_check(sqlite3 *h)
{
	uint64_t until = store_boot_ms() + DB_CHECK_MS;
	bool bad = false;
	int rc;

	sqlite3_progress_handler(h, 10000, on_progress, &until);
	rc = sqlite3_exec(h, "PRAGMA quick_check(1)", on_checked, &bad, NULL);
	sqlite3_progress_handler(h, 0, NULL, NULL);
	if (bad)
		return -EBADMSG;
	return rc == SQLITE_INTERRUPT ? 0 : db_error(h, rc);
}

/* Whoever can write the file must not get at more than its rows. */
static void distrust(sqlite3 *h)
{
	sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(h, SQLITE_LIMIT_LENGTH, 2 * STORE_DATA_MOST);
	sqlite3_limit(h, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_busy_timeout(h, 250);
}

int db_connect(sqlite3 **h, const char *path, int flags, const char *vfs)
{
	const int rc = sqlite3_open_v2(path, h, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, vfs);

	if (rc)
		return db_error(*h, rc);
	distrust(*h);
	return 0;
}

void db_disconnect(struct db *d)
{
	db_unprepare(d);
	sqlite3_close(d->h);
	d->h = NULL;
}

/* So that it has the mode that it should, which its -wal and -shm then take over. */
int db_make_file(const char *path)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		err = -EINVAL;
	else if ((st.st_mode & 0137) && fchmod(fd, 0600))
		err = -errno;
	close(fd);
	return err;
}

static int on_mode(void *arg, int n, char **values, char **names)
{
	(void)names;
	*(bool *)arg = n > 0 && values[0] && !strcmp(values[0], "wal");
	return 0;
}

static int use_wal(sqlite3 *h)
{
	bool wal = false;
	const int err = db_error(h, sqlite3_exec(h, "PRAGMA journal_mode=WAL", on_mode, &wal, NULL));

	return err ? err : wal ? 0 : -ENOTSUP;
}

int db_open_whole(struct db *d)
{
	long version = 0;
	int err = db_connect(&d->h, d->path, SQLITE_OPEN_READWRITE, NULL);

	if (!err)
		err = exec(d->h,
			   "PRAGMA cell_size_check=ON;PRAGMA synchronous=FULL;PRAGMA journal_size_limit=67108864");
	if (!err)
		err = db_version(d->h, &version);
	if (!err && version > DB_VERSION)
		return -EPROTONOSUPPORT;
	if (!err)
		err = use_wal(d->h);
	if (!err)
		err = db_check(d->h);
	if (!err)
		err = migrate(d->h, version);
	return err ? err : db_prepare(d);
}

static int db_new(struct db **out, const char *dir)
{
	struct db *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	if (strlen(dir) + sizeof "/state.db.damaged-wal" > DB_PATH_MOST) {
		free(d);
		return -ENAMETOOLONG;
	}
	if (asprintf(&d->path, "%s/state.db", dir) < 0) {
		free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

int db_open(struct db **out, const char *dir, struct store_note *note)
{
	struct db *d = NULL;
	int err = db_new(&d, dir), cause;

	if (err)
		return err;
	db_finish_rescue(d);
	err = db_make_file(d->path);
	if (!err)
		err = db_open_whole(d);
	if (err == -EBADMSG)
		err = db_rescue(d, note);
	cause = db_no_room(d->path, err);
	if (cause)
		err = db_open_spare(d, cause);
	if (cause && err == -EBADMSG)
		err = cause; /* damaged, and no room for a copy */
	if (err == -EPROTONOSUPPORT)
		store_note(note, "state.db was written by a newer version");
	else if (err)
		store_note(note, "state.db: %s", d->h ? sqlite3_errmsg(d->h) : strerror(-err));
	if (err) {
		db_close(d);
		return err;
	}
	*out = d;
	return 0;
}

int db_open_reader(struct db **out, const char *dir, bool spare)
{
	struct db *d = NULL;
	int err = db_new(&d, dir);

	if (err)
		return err;
	err = spare ? db_connect_spare(&d->h, d->path) : db_connect(&d->h, d->path, SQLITE_OPEN_READONLY, NULL);
	if (err) {
		db_close(d);
		return err;
	}
	*out = d;
	return 0;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	if (d->h)
		db_disconnect(d);
	free(d->scratch);
	free(d->path);
	free(d);
}
