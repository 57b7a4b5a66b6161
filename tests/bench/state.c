/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - what the store is measured with: a state.db as a fleet leaves it, the bare reading of one, a bare log
 *
 * fill: records of so many devices. WHAT is `record`, device records only; `session`, those and sessions, of a server
 * that is not configured, so that reading them opens no socket; `open`, sessions of server "main", with ports from
 * 20000 on. They are written through the store's own db.h, so they carry the checksums that a start verifies; their
 * contents are those of session/record.c and session/state.c.
 *
 * read: SQLite used plainly, a table into an array and an index. sync: records appended to a file, so many per
 * fdatasync. Both print what that took.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/octets.h"
#include "store/db.h"

#define BATCH 10000
#define FIRST_PORT 20000
#define LIFETIME_S 86400
#define LOG_RECORD 224 /* octets of a record in a log */
#define GROUP_MOST 1000
#define SYNCS 500
#define SYNC_SECONDS 3

static int fail(const char *what, int err)
{
	fprintf(stderr, "state: %s: %s\n", what, strerror(-err));
	return 1;
}

/* ---- fill ---- */

static size_t device_record(char *buf, size_t size, unsigned long n)
{
	return (size_t)snprintf(
		buf, size, "1\nlink=sgi\naddress=127.%lu.%lu.%lu\nprofile=bench\nep=urn:dev:mac:%012lx\nservers=main\n",
		64 + n / 62500, n / 250 % 250, 1 + n % 250, n);
}

static void write_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

static void write_text(struct writer *w, const char *text)
{
	write_u8(w, (uint8_t)strlen(text));
	write_bytes(w, text, strlen(text));
}

static void write_registration(struct writer *w, uint64_t wall_ms)
{
	write_u8(w, 1);
	write_u64(w, wall_ms);
	write_u64(w, wall_ms + LIFETIME_S * 1000);
	write_u64(w, LIFETIME_S);
	write_u8(w, 1);
	write_u8(w, 1);
	write_text(w, "U");
	write_u16(w, 13);
	write_bytes(w, "\002rd\nAbCdEfGhIj", 13);
}

/* One observation: tokens of both legs, accepted, two notifications so far. */
static void write_relation(struct writer *w)
{
	write_text(w, "\001");
	write_text(w, "\001\002\003\004\005\006\007\010");
	write_u8(w, 1);
	write_u8(w, 2);
	write_u16(w, 4711);
	write_u16(w, 4712);
}

static size_t session_record(uint8_t *buf, size_t size, unsigned long n, const char *server, uint64_t wall_ms)
{
	struct writer w = writer_of(buf, size);

	write_u8(&w, 1);
	write_u64(&w, 1);
	write_u64(&w, wall_ms);
	write_u64(&w, wall_ms);
	write_u8(&w, 0);
	write_u16(&w, (uint16_t)n);
	write_u8(&w, 2);
	write_text(&w, "");
	write_u8(&w, 1);
	write_text(&w, server);
	write_u16(&w, (uint16_t)(FIRST_PORT + n % 40000));
	write_u16(&w, (uint16_t)(n * 7));
	write_registration(&w, wall_ms);
	write_u16(&w, 1);
	write_relation(&w);
	write_u8(&w, 0);
	return writer_len(&w);
}

static int put(struct db *db, unsigned long n, const char *server, uint64_t wall_ms)
{
	char name[32], record[256];
	uint8_t session[256];
	size_t name_len = (size_t)snprintf(name, sizeof name, "dev-%07lu", n),
	       len = device_record(record, sizeof record, n);
	int err = db_put(db, STORE_DEVICE, name, name_len, record, len);

	if (err || !server)
		return err;
	len = session_record(session, sizeof session, n, server, wall_ms);
	return db_put(db, STORE_SESSION, name, name_len, session, len);
}

static int fill(const char *dir, unsigned long count, const char *what)
{
	const char *server = !strcmp(what, "open") ? "main" : !strcmp(what, "session") ? "withdrawn" : NULL;
	const uint64_t wall_ms = (uint64_t)time(NULL) * 1000;
	struct store_note note = { 0 };
	struct db *db;
	int err = db_open(&db, dir, &note);

	if (err)
		return fail(dir, err);
	for (unsigned long n = 0; !err && n < count; n++) {
		if (n % BATCH == 0)
			err = db_begin(db);
		if (!err)
			err = put(db, n, server, wall_ms);
		if (!err && (n % BATCH == BATCH - 1 || n + 1 == count))
			err = db_end(db);
	}
	db_close(db);
	return err ? fail(dir, err) : 0;
}

/* ---- read ---- */

struct entry {
	unsigned char key[16], data[176];
};

struct table {
	struct entry *entries;
	unsigned *index;
	size_t n, size, slots;
};

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t slot_of(const struct table *t, const unsigned char *key, size_t len)
{
	size_t h = 5381;

	for (size_t i = 0; i < len; i++)
		h = h * 33 + key[i];
	h ^= h >> 15;
	h &= t->slots - 1;
	while (t->index[h])
		h = (h + 1) & (t->slots - 1);
	return h;
}

static void add(struct table *t, const void *key, size_t key_len, const void *data, size_t len)
{
	struct entry *e = &t->entries[t->n];

	memcpy(e->key, key, key_len < sizeof e->key ? key_len : sizeof e->key);
	memcpy(e->data, data, len < sizeof e->data ? len : sizeof e->data);
	t->index[slot_of(t, key, key_len)] = (unsigned)++t->n;
}

static int read_rows(sqlite3 *db, const char *sql, struct table *t)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	while (rc == SQLITE_OK && t->n < t->size && sqlite3_step(s) == SQLITE_ROW)
		add(t, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), sqlite3_column_blob(s, 1),
		    (size_t)sqlite3_column_bytes(s, 1));
	sqlite3_finalize(s);
	return rc;
}

static int make_table(struct table *t, size_t size)
{
	*t = (struct table){ .size = size, .slots = 1 };
	while (t->slots < 2 * size)
		t->slots *= 2;
	t->entries = malloc(size * sizeof *t->entries);
	t->index = calloc(t->slots, sizeof *t->index);
	return t->entries && t->index ? 0 : -1;
}

static int read_table(const char *dir, const char *table, size_t size)
{
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	char path[4096], sql[80];
	struct table t;
	sqlite3 *db = NULL;
	int rc = make_table(&t, size);

	snprintf(path, sizeof path, "%s/state.db", dir);
	snprintf(sql, sizeof sql, "SELECT k,v FROM %s ORDER BY k", table);
	if (!rc)
		rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (!rc)
		rc = read_rows(db, sql, &t);
	if (rc)
		fprintf(stderr, "state: %s: %s\n", path, db ? sqlite3_errmsg(db) : "no memory");
	else
		printf("{\"rows\": %zu, \"seconds\": %.4f, \"cpu_seconds\": %.4f}\n", t.n,
		       seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	sqlite3_close(db);
	free(t.entries);
	free(t.index);
	return rc != 0;
}

/* ---- sync ---- */

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int sync_file(int fd, size_t group)
{
	static uint8_t records[GROUP_MOST * LOG_RECORD];
	const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), began = seconds(CLOCK_MONOTONIC);
	double took[SYNCS];
	size_t n = 0;

	for (double at = began; n < SYNCS && at < began + SYNC_SECONDS; n++) {
		records[0]++;
		if (write(fd, records, group * LOG_RECORD) < 0 || fdatasync(fd))
			return -errno;
		took[n] = seconds(CLOCK_MONOTONIC) - at;
		at += took[n];
	}
	qsort(took, n, sizeof *took, by_size);
	printf("{\"syncs\": %zu, \"p50_us\": %.1f, \"cpu_us_per_record\": %.3f}\n", n, took[n / 2] * 1e6,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)(n * group));
	return 0;
}

static int sync_log(const char *dir, size_t group)
{
	char path[4096];
	int fd, err;

	snprintf(path, sizeof path, "%s/log", dir);
	if (group < 1 || group > GROUP_MOST)
		return fail("GROUP", -EINVAL);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(path, -errno);
	err = sync_file(fd, group);
	close(fd);
	unlink(path);
	return err ? fail(path, err) : 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "fill"))
		return fill(argv[2], strtoul(argv[3], NULL, 10), argv[4]);
	if (argc == 5 && !strcmp(argv[1], "read"))
		return read_table(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "sync"))
		return sync_log(argv[2], strtoul(argv[3], NULL, 10));
	fprintf(stderr,
		"usage: state fill DIR COUNT record|session|open\n"
		"       state read DIR device|session COUNT\n"
		"       state sync DIR GROUP\n");
	return 2;
}
