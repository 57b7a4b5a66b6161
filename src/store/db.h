/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - state in SQLite: one table per enum store_table, key to sealed value
 *
 * Every transaction is durable when db_end() returns (WAL, synchronous=FULL). Nothing here logs; one connection is used by
 * one thread at a time.
 */
#ifndef NIDDGW_STORE_DB_H
#define NIDDGW_STORE_DB_H

#include "store/inside.h"

struct db;
enum { DB_VERSION = 1, DB_CHECK_MS = 500 /* the check at the start takes at most this long */ };

/**
 * Open state.db in dir, make or migrate it. A damaged one is set aside as state.db.damaged and what can be read of it is
 * copied into a fresh one.
 * Where the file system takes nothing it is opened for reading; the first transaction that finds room goes on as usual.
 * @return 0; -EPROTONOSUPPORT newer; else a negative errno. note tells more, on success as well
 */
int db_open(struct db **out, const char *dir, struct store_note *note);
/* A second connection that only reads, for another thread. spare: where nothing can be written, and as long as nobody tries to. */
int db_open_reader(struct db **out, const char *dir, bool spare);
bool db_is_spare(const struct db *d);
bool db_is_empty(const struct db *d); /* there is not even a table */
void db_close(struct db *d); /* NULL is fine; an open transaction is lost */

int db_begin(struct db *d);
int db_put(struct db *d, enum store_table t, const void *key, size_t key_len, const void *data, size_t len);
int db_delete(struct db *d, enum store_table t, const void *key, size_t key_len);
int db_end(struct db *d);
void db_cancel(struct db *d); /* without a transaction it is fine */
/* After -EBADMSG from one of these (damaged, or the file was removed): set it aside and go on with a copy of what can be
 * read. */
int db_rescue(struct db *d, struct store_note *note);

/* data of a key into a buffer; how many octets, -ENOENT, -EMSGSIZE, or another negative errno. */
long db_get(struct db *d, enum store_table t, const void *key, size_t key_len, void *buf, size_t size);
/* In order of keys. A record whose checksum is wrong is left out and noted. */
int db_each(struct db *d, enum store_table t, store_each_fn *fn, void *arg, struct store_note *note);

#endif
