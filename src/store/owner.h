/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h - struct store: what belongs to the loop, what to the thread, and what they share under the lock
 *
 * Work goes over in batches and comes back in the order in which it went. A batch belongs to the loop but for its records
 * and err, which the thread uses until it has counted the batch as served. After a failure the thread refuses, with the same
 * error, what was handed over before the loop knew of it: so nothing newer is written before something older that the loop
 * will hand over again.
 */
#ifndef NIDDGW_STORE_OWNER_H
#define NIDDGW_STORE_OWNER_H

#include <pthread.h>

#include "base/map.h"
#include "base/timer.h"
#include "store/db.h"
#include "store/journal.h"

/* ---- journal batches: what one pass of the loop appended ---- */

struct entry_record { /* in memory, one after the other, each begins at a multiple of 8 */
	uint64_t id, wall_ms, keep_ms, until_ms;
	uint32_t len;
	uint8_t kind;
	bool done, waited;
	uint8_t data[];
};

struct waits {
	struct store_wait *first, *last;
};

struct jbatch {
	struct jbatch *next;      /* of those sent, the loop's */
	struct jbatch *next_work; /* of those to be served */
	struct waits waits;       /* the loop's */
	uint8_t *buf;             /* owned */
	size_t len, size;
	uint64_t round; /* failures known when it was handed over */
	uint64_t id_mark;
	bool probe; /* serve it although it is empty */
	int err;
};

/* ---- state batches: one transaction ---- */

struct put {
	struct map_node node; /* of pending.map */
	struct put *next, *prev;
	uint64_t turn; /* order of all puts */
	uint32_t key_len, len;
	uint8_t table; /* enum store_table */
	bool erase;
	uint8_t octets[]; /* key, data */
};

struct puts {
	struct put *first, *last;
};

struct sbatch {
	struct sbatch *next, *next_work;
	struct waits waits;
	struct puts puts; /* owned; not changed until the batch is back */
	uint8_t *arena;   /* owned; of an import: all its puts */
	size_t bytes;
	uint64_t round;
	bool together; /* all or none, never repeated */
	bool probe;
	int err;
};

/* ---- shared ---- */

enum store_op { STORE_OP_COMMIT, STORE_OP_STATE, STORE_OP_IMPORT, STORE_OP_CLEAN, STORE_OP_COUNT };
enum { SAMPLES_MOST = 64 };

struct store_shared {
	struct jbatch *jfirst, *jlast;
	struct sbatch *sfirst, *slast;
	bool started;            /* the loop has run: no more replay */
	bool stop;
	struct store_conf conf;
	/* results, taken by the loop */
	unsigned jserved, sserved;
	struct journal_status journal;
	struct store_note note;
	uint64_t commits, commit_wall_ms, disk_free;
	bool disk_known;
	unsigned samples_n;
	struct {
		enum store_op op;
		double seconds;
	} samples[SAMPLES_MOST];
};

struct pending {
	struct map map; /* the newest put of each key */
	struct puts puts;
	size_t bytes;
};

struct jsent {
	struct jbatch *first, *last;
};
struct ssent {
	struct sbatch *first, *last;
};

struct store {
	/* fixed while the thread runs */
	struct loop *loop;
	struct alarms *alarms;
	struct metrics *metrics;
	const struct store_ops *ops;
	char *dir; /* owned */
	int dir_fd, lock_fd, event_fd;
	bool same_boot, running;
	uint64_t newest_wall_ms;

	/* the loop's */
	struct loop_hook hook;
	struct loop_fd *watch;
	struct timer tick, retry, kick; /* kick: does nothing but keep the loop from sleeping before the hook has run */
	struct jbatch *out, *out_last;  /* what was appended, the last is being filled; chained by next_work */
	struct jbatch *kept;            /* records nobody waits for that could not be written: they go first */
	struct jsent jsent;
	struct ssent ssent;
	struct sbatch *sready, *sready_last; /* sealed, to be handed over with the pass; chained by next_work */
	struct pending pending;
	struct waits refused;        /* their err is set */
	struct waits *running_waits; /* of a batch that came back; those who were not told yet */
	struct store_shared news;    /* what was taken last */
	uint64_t turn, jround, sround;
	size_t queued; /* octets of journal batches and puts that are not back yet */
	size_t importing;
	unsigned walking;
	bool started;
	int jerr, serr; /* of the last write */
	struct {
		uint64_t next, limit;
		bool asked;
		struct store_wait wait;
	} ids;
	uint64_t life;
	struct journal_status journal_status;
	char detail[160];
	uint64_t commit_wall_ms;
	bool disk_low, damaged;
	const char *alarm_up; /* which of the two alarms is raised */
	uint64_t *errors, *commits;
	struct metrics_histogram *seconds[STORE_OP_COUNT];

	/* both, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_shared sh;

	/* the thread's while it runs */
	pthread_t thread;
	struct journal *journal;
	struct db *db;
	uint64_t jround_failed, sround_failed; /* what went before is refused; 0: nothing */
	int jfail, sfail;
	uint64_t last_commit_ms, disk_asked_ms, disk_free;
	bool disk_known;
	struct store_note note;
};

/* thread.c */
void *store_thread(void *arg);

/* outgoing.c: from the loop to the thread */
void store_kick(struct store *s);
void store_hand_over(struct store *s, bool again); /* again: what failed before as well, or a probe */
void jbatch_free(struct jbatch *b);
void waits_add(struct waits *l, struct store_wait *w, int err);
bool waits_remove(struct waits *l, const struct store_wait *w);
void store_refuse(struct store *s, struct store_wait *w, int err); /* w is told later; NULL: it is only counted and logged */

/* result.c: and back */
void store_take_results(struct store *s);
void store_run_waits(struct store *s, struct waits l, int err); /* those of l with no error of their own get err */
void store_on_retry(struct timer *t, uint64_t now_ms);

/* state.c: puts until they are durable */
void store_on_tick(struct timer *t, uint64_t now_ms);
void store_state_put(struct store *s, enum store_table t, const struct store_record *r);
struct sbatch *store_seal(struct store *s); /* pending puts as a batch, which is ready then; NULL: no memory */
void store_put_back(struct store *s, struct sbatch *b); /* those without a newer one; the rest is freed with b */
void sbatch_free(struct sbatch *b);

/* ids.c */
int store_ids_open(struct store *s); /* before the thread runs */
void store_ids_more(struct store *s);

/* status.c */
void store_status_open(struct store *s);
void store_status_close(struct store *s);
void store_status_update(struct store *s, const struct store_shared *news);
void store_alarms(struct store *s);

#define STORE_IMPORT_MOST ((size_t)1 << 30) /* octets of store_put_all() that may wait for the disk */
#define STORE_OWN_MARK "store." /* keys in STORE_MARK that begin so are the store's own */
#define STORE_MARK_ENTRY "store.entry"
#define STORE_MARK_CLOCK "store.clock"

#endif
