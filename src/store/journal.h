/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the append-only log of units, as the store thread sees it
 *
 * Segments stand in order of their numbers. New records go to the newest; only the oldest is ever deleted, when no open
 * entry has a record in it and the last done one has been kept long enough. What still counts in an oldest segment that
 * holds up too much is written again at the end (it keeps its sequence number, so order and copies are known by that).
 * Nothing here logs or calls back; all of it runs on one thread at a time.
 */
#ifndef NIDDGW_STORE_JOURNAL_H
#define NIDDGW_STORE_JOURNAL_H

#include "store/inside.h"
#include "store/record.h"

struct journal;

/**
 * Read what is there. Nothing is written but for the names of damaged files.
 * @param state_fd the state directory, borrowed for good
 * @param ops      borrowed for good
 * @return 0; -EPROTONOSUPPORT; else a negative errno. note tells more, on success as well
 */
int journal_open(struct journal **out, int state_fd, const struct store_ops *ops, struct store_note *note);
void journal_close(struct journal *j); /* NULL is fine */

uint64_t journal_newest_wall(const struct journal *j); /* of a head or record found by journal_open(); 0: none */
bool journal_same_boot(const struct journal *j);       /* the newest segment was begun after the last boot */
uint64_t journal_id_after(const struct journal *j);    /* no id from here on was ever given out, as far as the journal knows */

/* Decide what counts, by the clock as far as it is trusted. Once, before anything is appended. */
int journal_settle(struct journal *j, bool trusted);
int journal_replay(const struct journal *j, store_replay_fn *fn, void *arg);
void journal_replayed(struct journal *j); /* no replay any more: frees the index */

/* Gather a record for the next commit; r->seq is set here. 0 or -ENOMEM. */
int journal_add(struct journal *j, struct record *r);
void journal_drop(struct journal *j); /* what was gathered */
size_t journal_gathered(const struct journal *j); /* octets */
/**
 * Write and sync what was gathered. After a failed sync the segment is left alone and the records are written again into a
 * new one, once. On failure nothing of it counts any more.
 * @param id_mark entry ids below this may have been given out
 */
int journal_commit(struct journal *j, uint64_t id_mark);

/* Delete or shorten from the oldest end, one step. True when there is more to do at once. */
bool journal_clean(struct journal *j, uint64_t now_ms);
/* Boot time at which journal_clean() will find something; UINT64_MAX: not by time alone. */
uint64_t journal_clean_due(const struct journal *j);

struct journal_status {
	size_t bytes, segments, open_entries;
	size_t torn; /* octets behind the last whole record of files found at the start: a write that was cut short */
};
void journal_status(const struct journal *j, struct journal_status *st);
struct store_note *journal_note(struct journal *j);

#endif
