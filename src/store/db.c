/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - statements and transactions */
#include "store/db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "store/db_inside.h"
#include "store/envelope.h"

static const char *const put_sql[STORE_TABLE_COUNT] = {
	[STORE_DEVICE] = "INSERT INTO device VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=excluded.v",
	[STORE_SESSION] = "INSERT INTO session VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=excluded.v",
	[STORE_LINK] = "INSERT INTO link VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=excluded.v",
	[STORE_MARK] = "INSERT INTO mark VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=excluded.v",
};
static const char *const delete_sql[STORE_TABLE_COUNT] = {
	[STORE_DEVICE] = "DELETE FROM device WHERE k=?1",
	[STORE_SESSION] = "DELETE FROM session WHERE k=?1",
	[STORE_LINK] = "DELETE FROM link WHERE k=?1",
	[STORE_MARK] = "DELETE FROM mark WHERE k=?1",
};
static const char *const get_sql[STORE_TABLE_COUNT] = {
	[STORE_DEVICE] = "SELECT k,v FROM device WHERE k=?1",
	[STORE_SESSION] = "SELECT k,v FROM session WHERE k=?1",
	[STORE_LINK] = "SELECT k,v FROM link WHERE k=?1",
	[STORE_MARK] = "SELECT k,v FROM mark WHERE k=?1",
};
static const char *const each_sql[STORE_TABLE_COUNT] = {
	[STORE_DEVICE] = "SELECT k,v FROM device ORDER BY k",
	[STORE_SESSION] = "SELECT k,v FROM session ORDER BY k",
	[STORE_LINK] = "SELECT k,v FROM link ORDER BY k",
	[STORE_MARK] = "SELECT k,v FROM mark ORDER BY k",
};
static const char *const table_names[STORE_TABLE_COUNT] = { "device", "session", "link", "mark" };

int db_error(sqlite3 *h, int rc)
{
	const int system = h ? sqlite3_system_errno(h) : 0;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table or column is not as it was made */
	case SQLITE_CONSTRAINT:
	case SQLITE_SCHEMA:
	case SQLITE_MISMATCH:
		return -EBADMSG;
	case SQLITE_IOERR:
		return system == ENOSPC || system == EDQUOT || system == EROFS || system == EFBIG ? -system : -EIO;
	default:
		return system ? -system : -EIO;
	}
}

static int prepare(struct db *d, sqlite3_stmt **s, const char *sql)
{
	return db_error(d->h, sqlite3_prepare_v3(d->h, sql, -1, SQLITE_PREPARE_PERSISTENT, s, NULL));
}

int db_prepare(struct db *d)
{
	int err = prepare(d, &d->begin, "BEGIN IMMEDIATE");

	if (!err)
		err = prepare(d, &d->commit, "COMMIT");
	for (int t = 0; !err && t < STORE_TABLE_COUNT; t++) {
		err = prepare(d, &d->put[t], put_sql[t]);
		if (!err)
			err = prepare(d, &d->erase[t], delete_sql[t]);
	}
	return err;
}

void db_unprepare(struct db *d)
{
	for (int t = 0; t < STORE_TABLE_COUNT; t++) {
		sqlite3_finalize(d->put[t]);
		sqlite3_finalize(d->erase[t]);
		d->put[t] = d->erase[t] = NULL;
	}
	sqlite3_finalize(d->begin);
	sqlite3_finalize(d->commit);
	d->begin = d->commit = NULL;
}

static int run(struct db *d, sqlite3_stmt *s)
{
	const int rc = sqlite3_step(s);
	const int err = (rc & 0xff) == SQLITE_ERROR ? -EIO : db_error(d->h, rc); /* at this place no sign of damage */

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return err;
}

int db_begin(struct db *d)
{
	int moved = 0, err = d->spare ? db_leave_spare(d) : 0;

	if (err)
		return err;
	/* A file that someone removed takes writes as before, and loses them. */
	if (sqlite3_file_control(d->h, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
		return -EBADMSG;
	return run(d, d->begin);
}

static int grow(struct db *d, size_t size)
{
	uint8_t *p;

	if (size <= d->scratch_size)
		return 0;
	p = realloc(d->scratch, size);
	if (!p)
		return -ENOMEM;
	d->scratch = p;
	d->scratch_size = size;
	return 0;
}

int db_put(struct db *d, enum store_table t, const void *key, size_t key_len, const void *data, size_t len)
{
	const struct envelope_key k = { t, key, key_len };
	const int err = grow(d, ENVELOPE_HEAD + len);

	if (err)
		return err;
	envelope_seal(d->scratch, &k, data, len);
	if (sqlite3_bind_blob(d->put[t], 1, key, (int)key_len, SQLITE_STATIC) ||
	    sqlite3_bind_blob(d->put[t], 2, d->scratch, (int)(ENVELOPE_HEAD + len), SQLITE_STATIC))
		return -ENOMEM;
	return run(d, d->put[t]);
}

int db_delete(struct db *d, enum store_table t, const void *key, size_t key_len)
{
	if (sqlite3_bind_blob(d->erase[t], 1, key, (int)key_len, SQLITE_STATIC))
		return -ENOMEM;
	return run(d, d->erase[t]);
}

int db_end(struct db *d)
{
	return run(d, d->commit);
}

void db_cancel(struct db *d)
{
	if (d->h && !sqlite3_get_autocommit(d->h))
		(void)sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
}

static void note_record(struct store_note *note, enum store_table t, const void *key, size_t key_len)
{
	char shown[64];
	size_t n = 0;

	for (; n < key_len && n + 1 < sizeof shown; n++) {
		const char c = ((const char *)key)[n];

		shown[n] = c >= ' ' && c <= '~' ? c : '?';
	}
	shown[n] = '\0';
	store_note(note, "state.db: the record of %s \"%s\" is damaged and left out", table_names[t], shown);
}

int db_rows(struct db *d, sqlite3_stmt *s, enum store_table t, store_each_fn *fn, void *arg, struct store_note *note)
{
	int rc, stop = 0;

	while (!stop && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const void *key = sqlite3_column_blob(s, 0), *sealed = sqlite3_column_blob(s, 1), *data;
		const struct envelope_key k = { t, key, (size_t)sqlite3_column_bytes(s, 0) };
		size_t len;

		data = key ? envelope_open(&k, sealed, sealed ? (size_t)sqlite3_column_bytes(s, 1) : 0, &len) : NULL;
		if (data)
			stop = fn(arg, k.key, k.key_len, data, len);
		else if (note)
			note_record(note, t, key, key ? k.key_len : 0);
	}
	return stop ? stop : db_error(d->h, rc);
}

int db_each(struct db *d, enum store_table t, store_each_fn *fn, void *arg, struct store_note *note)
{
	sqlite3_stmt *s;
	int err = prepare(d, &s, each_sql[t]);

	if (err)
		return err;
	err = db_rows(d, s, t, fn, arg, note);
	sqlite3_finalize(s);
	return err;
}

struct got {
	void *buf;
	size_t size;
	long n;
};

static int on_got(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct got *g = arg;

	(void)key;
	(void)key_len;
	g->n = len <= g->size ? (long)len : -EMSGSIZE;
	if (g->n > 0)
		memcpy(g->buf, data, len);
	return 0;
}

long db_get(struct db *d, enum store_table t, const void *key, size_t key_len, void *buf, size_t size)
{
	struct got g = { buf, size, -ENOENT };
	sqlite3_stmt *s;
	int err;

	if (d->empty)
		return -ENOENT;
	err = prepare(d, &s, get_sql[t]);

	if (err)
		return err;
	if (sqlite3_bind_blob(s, 1, key, (int)key_len, SQLITE_STATIC))
		err = -ENOMEM;
	else
		err = db_rows(d, s, t, on_got, &g, NULL);
	sqlite3_finalize(s);
	return err ? err : g.n;
}
