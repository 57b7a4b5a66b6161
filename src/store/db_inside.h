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
	size_t scratch_size;
};

int db_error(sqlite3 *h, int rc); /* a result of SQLite as 0 or a negative errno; -EBADMSG: the file is damaged */
int db_make_file(const char *path); /* with the mode it should have; also when it is there */
int db_open_whole(struct db *d);     /* connect to d->path, check, migrate, prepare */
void db_disconnect(struct db *d);
void db_finish_rescue(const struct db *d); /* one that was cut off; before the file is opened */
int db_prepare(struct db *d);
void db_unprepare(struct db *d);
/* Steps through `SELECT k,v`. As db_each(). */
int db_rows(struct db *d, sqlite3_stmt *s, enum store_table t, store_each_fn *fn, void *arg, struct store_note *note);

#endif
