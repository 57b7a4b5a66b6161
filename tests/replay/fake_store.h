/* SPDX-License-Identifier: Apache-2.0 */
/* fake_store.h - a store in memory, whose disk does what a test says
 *
 * The functions of store/store.h are defined beside this, so the linker takes none of the room's own. What was handed over becomes durable
 * and is told in steps of the test's choosing; a power cut throws away what was not durable.
 */
#ifndef NIDDGW_REPLAY_FAKE_STORE_H
#define NIDDGW_REPLAY_FAKE_STORE_H

#include "store/store.h"

enum fake_disk {
	DISK_QUICK,  /* each step makes durable and tells; puts wait for their tick */
	DISK_SLOW,   /* nothing happens by itself */
	DISK_BROKEN, /* each step fails: who waits is told, what nobody waits for is kept for later */
};

struct store *fake_store_new(void);
void fake_store_free(struct store *s); /* nobody waits any more; NULL is fine */
void fake_store_disk(struct store *s, enum fake_disk disk);
/* After each thing that sessions were made to do, and at fake_store_next(). */
void fake_store_step(struct store *s);
uint64_t fake_store_next(const struct store *s); /* when a step is due by itself; UINT64_MAX: not */
void fake_store_write(struct store *s, bool journal, bool state); /* durable, but nobody has been told */
void fake_store_write_records(struct store *s, size_t n);           /* the oldest of the journal only */
void fake_store_tell(struct store *s);                            /* now they are */
void fake_store_cut(struct store *s); /* what is not durable is gone; from now on nothing is taken until the start */
void fake_store_start(struct store *s, bool clock_is_trusted);
size_t fake_store_open_entries(const struct store *s); /* durable ones without their last record */
size_t fake_store_keys(const struct store *s, enum store_table t);

#endif
