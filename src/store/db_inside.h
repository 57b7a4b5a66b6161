/* SPDX-License-Identifier: Apache-2.0 */
/* db_inside.h - what the files that use SQLite share */
#ifndef NIDDGW_STORE_DB_INSIDE_H
#define NIDDGW_STORE_DB_INSIDE_H

#include <sqlite3.h>

#include "store/db.h"

enum { DB_PATH_MOST = 4096 };

struct db {
	sqlite3 *h;
	char *path; /* owned */
	sqlite3_stmt *put[STORE_TABLE_COUNT], *erase[STORE_TABLE_COUNT], *begin, *commit;
	uint8_t *scratch; /* owned */
	bool spare; /* nothing can be written: h only reads, NULL: it was given up for a try that failed */
	bool empty; /* and there is nothing to be read */
	size_t scratch_size;
};

int db_error(sqlite3 *h, int rc); /* a result of SQLite as 0 or a negative errno; -EBADMSG: the file is damaged */
int db_make_file(const char *path); /* with the mode it should have; also when it is there */
int db_open_whole(struct db *d);     /* connect to d->path, check, migrate, prepare */
int db_connect(sqlite3 **h, const char *path, int flags, const char *vfs); /* vfs NULL: the usual one */
int db_version(sqlite3 *h, long *version);
int db_check(sqlite3 *h);
/* ---- db_spare.c ---- */
int db_no_room(const char *path, int err); /* whether err comes from a file system that takes nothing: the errno that says so, or 0 */
int db_connect_spare(sqlite3 **h, const char *path);
int db_open_spare(struct db *d, int cause); /* cause: why not as a whole */
int db_leave_spare(struct db *d);           /* 0: it can be written from now on */
void db_disconnect(struct db *d);
void db_finish_rescue(const struct db *d); /* one that was cut off; before the file is opened */
int db_prepare(struct db *d);
void db_unprepare(struct db *d);
/* Steps through `SELECT k,v`. As db_each(). */
int db_rows(struct db *d, sqlite3_stmt *s, enum store_table t, store_each_fn *fn, void *arg, struct store_note *note);

#endif
