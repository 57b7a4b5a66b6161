/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of this room share, and what tests may turn by hand */
#ifndef NIDDGW_STORE_INSIDE_H
#define NIDDGW_STORE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"

enum {
	STORE_KEY_MOST = 1024,
	STORE_DATA_MOST = 1 << 20,
	STORE_SEGMENT_SIZE = 16 << 20, /* a segment is closed once it is that large */
	STORE_DAMAGED_MOST = 8,        /* files set aside that are kept */
	STORE_RETRY_MS = 1000,
	STORE_QUEUE_MOST = 64 << 20, /* octets that may wait for the disk before new work is refused */
	STORE_ID_BLOCK = 1 << 20,    /* entry ids reserved at a time */
	STORE_DISK_LOW = 64 << 20,   /* free octets below which disk.low is raised */
};

/* What writes and syncs journal segments; tests put their own in. As pwrite(2) and fdatasync(2); any thread. */
struct store_ops {
	ssize_t (*write)(void *arg, int fd, const void *data, size_t len, off_t at);
	int (*sync)(void *arg, int fd);
	void *arg;
	size_t segment_size; /* 0: STORE_SEGMENT_SIZE */
	size_t clean_size;   /* the journal may grow to this before open entries are moved; 0: four segments */
};
extern const struct store_ops store_ops_system;
int store_open_with(struct store **out, const struct store_env *env, const struct store_ops *ops);

/* Something to tell the operator; noted where it is found, logged by whoever runs on the loop. */
struct store_note {
	unsigned count;
	char text[160]; /* the latest */
};
void store_note(struct store_note *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The clocks of the store thread: the cached ones of base/ belong to the loop. */
uint64_t store_boot_ms(void);
uint64_t store_wall_ms(void);
void store_random(void *out, size_t len); /* at most 256 octets */
void store_boot_id(uint8_t id[16]); /* zeros when the kernel does not tell */
bool store_clock_rule(bool same_boot, bool synchronised, uint64_t now_wall_ms, uint64_t newest_wall_ms);

void store_failpoint_look_up(void); /* again, for a test that has forked */

#endif
