/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - what survives a restart
 *
 * Two things with one owner, a thread of its own: an append-only journal of units (checksummed records in segments, group
 * commit), and SQLite for the state of sessions, links and device records (written in ticks). The loop never waits for a
 * disk: it hands over copies and is called back. Nothing stored names a place in memory; what a record means is its writer's business.
 * Keys and records are octets; a record begins with its writer's own version.
 */
#ifndef NIDDGW_STORE_STORE_H
#define NIDDGW_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alarm.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/schema.h"

enum store_sync_mode { STORE_FULL, STORE_BATCH };
struct store_conf {
	int sync;           /* enum store_sync_mode */
	uint64_t commit_ms; /* with STORE_BATCH: a commit is synced at most this often */
};
extern const struct conf_item store_items[];

struct store;
struct store_env {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	const char *dir;               /* state_dir; exists */
	const struct store_conf *conf; /* borrowed until store_set_conf() */
};
/**
 * Open, migrate and check what is there; the thread runs when this returns.
 * A damaged database or segment is set aside (renamed, alarm store.unavailable cleared again by the next good write) and what is provably intact is used.
 * @return 0; -EPROTONOSUPPORT written by a newer version (logged); -EBUSY another process has it; else a negative errno (logged)
 */
int store_open(struct store **out, const struct store_env *env);
void store_set_conf(struct store *s, const struct store_conf *conf);
/* Everything handed over is written and synced, completions run, then the thread ends. NULL is fine. */
void store_close(struct store *s);
/* False while the last write failed: callers refuse new work (503). Turns true by itself: the thread tries again every second. */
bool store_is_usable(const struct store *s);

/* The number of this start, above that of every start before, 1 or more. It is durable when store_open() returns: what was reserved ahead
 * in a life whose records did not get to the disk can be skipped by it. */
uint64_t store_life(const struct store *s);

/* ---- state: the last value of a key counts ---- */

enum store_table {
	STORE_DEVICE,  /* provisioned device records, key: name */
	STORE_SESSION, /* session of a device, key: name */
	STORE_LINK,    /* a link's own records, key: link name, 0, whatever it likes */
	STORE_MARK,    /* reserved high-water marks, key: what is reserved; "store." begins the store's own, which are never shown */
	STORE_TABLE_COUNT
};
#define STORE_TICK_MS 100 /* puts are durable after at most this, in one transaction */

/* Copied. Several puts of one key within a tick are one write. */
void store_put(struct store *s, enum store_table t, const void *key, size_t key_len, const void *data, size_t len);
void store_delete(struct store *s, enum store_table t, const void *key, size_t key_len);

/* Something that waits for the disk; the caller's, untouched until fn is called on the loop (never from within the call that took it). */
struct store_wait {
	struct store_wait *next;
	void (*fn)(struct store_wait *w, int err); /* 0 durable; negative errno: it is not, and will not be */
	int err;
};
/* fn when every put and delete so far is durable. A tick is not waited for. An error: they are not yet; they are kept and tried again. */
void store_flush(struct store *s, struct store_wait *w);
/* fn will not be called: for a holder that goes away. What was handed over is still written. */
void store_forget(struct store *s, struct store_wait *w);

/* Every record of a table, in order of keys; only between store_open() and the first run of the loop, or from one callback to its end
 * (not for large tables then: it reads on the caller's thread). data is borrowed for the call. fn: 0 go on, else that is returned. */
typedef int store_each_fn(void *arg, const void *key, size_t key_len, const void *data, size_t len);
int store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg);
/* Many puts as one: all or none, outside of ticks (device import). fn as in store_flush(). records are copied. */
struct store_record {
	const void *key, *data;
	size_t key_len, len; /* data NULL: delete */
};
void store_put_all(struct store *s, enum store_table t, const struct store_record *v, size_t n, struct store_wait *w);

/* ---- journal: entries that are open until they are done ---- */

/* A new entry id; never used twice, over restarts too. 0: none to be had, because the disk has not taken a new block of them for long. */
uint64_t store_entry_id(struct store *s);
/**
 * Append a record to the journal.
 * @param id    entry it belongs to; the first record of an id opens the entry. 0, as store_entry_id() may give: -EAGAIN to w
 * @param kind  the writer's, 1 to 255
 * @param w     called when it is durable (group commit); NULL: nobody waits, it goes with the next commit
 * Records of one caller are written in the order in which they were appended.
 */
void store_append(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, struct store_wait *w);
/* The last record of an entry: written without waiting. The entry (all its records, this one marked done) is replayed for keep_ms more
 * (boot time; after a reboot wall time shortens it), then forgotten. */
void store_done(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, uint64_t keep_ms);

/* Every record that still counts, in the order in which they were appended. Between store_open() and the first run of the loop. */
struct store_replayed {
	uint64_t id;
	uint64_t wall_ms; /* when it was appended */
	uint8_t kind;
	bool done;        /* the last record of its entry */
	const uint8_t *data; /* borrowed for the call */
	size_t len;
};
typedef void store_replay_fn(void *arg, const struct store_replayed *r);
int store_replay(struct store *s, store_replay_fn *fn, void *arg);

/* True when wall time can be trusted for what was stored before this start (synchronised, or the same boot id). */
bool store_clock_is_trusted(const struct store *s);

struct store_status {
	bool usable;
	size_t journal_bytes, segments, open_entries;
	uint64_t last_commit_wall_ms, errors;
	char detail[160];
};
void store_status(const struct store *s, struct store_status *st);

/* Named points at which a test may end the process: NIDDGW_FAIL=NAME[:N] kills it (SIGKILL) when the N-th pass of NAME is reached. Compiled in always,
 * looked up once; costs one comparison. Names are in the manual of tests, not of the product. */
void store_failpoint(const char *name);

#endif
