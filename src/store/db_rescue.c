/* SPDX-License-Identifier: Apache-2.0 */
/* db_rescue.c - a fresh state.db with what can be read of a damaged one
 *
 * The copy is made whole under another name first. Killed in between, a start finds either the damaged file again, or
 * no file and the whole copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/db_inside.h"

static const char *const suffixes[] = { "", "-wal", "-shm" };

/* path and its companions get another name; to NULL: they are removed. */
static int rename_all(const char *path, const char *to)
{
	char from[DB_PATH_MOST], into[DB_PATH_MOST];

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
		snprintf(into, sizeof into, "%s%s", to ? to : "", suffixes[i]);
		if ((to ? rename(from, into) : unlink(from)) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int sync_dir_of(const char *path)
{
	char dir[DB_PATH_MOST];
	int fd, err;

	snprintf(dir, sizeof dir, "%s", path);
	*strrchr(dir, '/') = '\0'; /* db_new() put one there */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

struct rescue {
	struct db to;
	enum store_table t;
	size_t n;
	int err;
};

static int on_rescued(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct rescue *r = arg;

	r->err = db_put(&r->to, r->t, key, key_len, data, len);
	r->n += !r->err;
	return r->err;
}

/* From both ends, because a page that cannot be read ends a walk. */
static void rescue_table(struct rescue *r, struct db *from, const char *name)
{
	static const char *const orders[] = { "ASC", "DESC" };
	char sql[80];

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *s;
		int err;

		snprintf(sql, sizeof sql, "SELECT k,v FROM %s ORDER BY k %s", name, orders[i]);
		if (sqlite3_prepare_v2(from->h, sql, -1, &s, NULL))
			return;
		err = db_rows(from, s, r->t, on_rescued, r, NULL);
		sqlite3_finalize(s);
		if (!err || r->err)
			return;
	}
}

static int copy_tables(struct rescue *r, struct db *from)
{
	static const char *const names[STORE_TABLE_COUNT] = { "device", "session", "link", "mark" };

	r->err = db_begin(&r->to);
	for (int t = 0; from->h && !r->err && t < STORE_TABLE_COUNT; t++) {
		r->t = (enum store_table)t;
		rescue_table(r, from, names[t]);
	}
	if (!r->err)
		r->err = db_end(&r->to);
	db_cancel(&r->to);
	return r->err;
}

static int make_copy(struct rescue *r, struct db *from, char *fresh)
{
	int err = rename_all(fresh, NULL);

	r->to.path = fresh;
	if (!err)
		err = db_make_file(fresh);
	if (!err)
		err = db_open_whole(&r->to);
	if (!err)
		err = copy_tables(r, from);
	db_disconnect(&r->to);
	free(r->to.scratch);
	return err;
}

int db_rescue(struct db *d, struct store_note *note)
{
	char fresh[DB_PATH_MOST], aside[DB_PATH_MOST];
	struct rescue r = { 0 };
	int err;

	snprintf(fresh, sizeof fresh, "%s.new", d->path);
	snprintf(aside, sizeof aside, "%s.damaged", d->path);
	db_cancel(d);
	err = make_copy(&r, d, fresh);
	if (err)
		return err;
	if (d->h)
		sqlite3_db_config(d->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* it stays as it was found */
	db_disconnect(d);
	err = rename_all(aside, NULL);
	if (!err)
		err = rename_all(d->path, aside);
	if (!err && rename(fresh, d->path))
		err = -errno;
	if (!err)
		err = sync_dir_of(d->path);
	if (!err)
		err = db_open_whole(d);
	if (!err)
		d->spare = d->empty = false;
	if (!err)
		store_note(note,
			   "state.db was damaged or gone; it was set aside as state.db.damaged, %zu records were kept",
			   r.n);
	return err;
}

/* A rescue that was cut off: its copy is whole when the original has its other name already. */
void db_finish_rescue(const struct db *d)
{
	char fresh[DB_PATH_MOST];
	struct stat st;

	snprintf(fresh, sizeof fresh, "%s.new", d->path);
	if (lstat(d->path, &st) && errno == ENOENT)
		(void)!rename(fresh, d->path);
	else
		(void)rename_all(fresh, NULL);
}
