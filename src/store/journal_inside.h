/* SPDX-License-Identifier: Apache-2.0 */
/* journal_inside.h - the journal's structs, for the files that load, write and clean it */
#ifndef NIDDGW_STORE_JOURNAL_INSIDE_H
#define NIDDGW_STORE_JOURNAL_INSIDE_H

#include "base/map.h"
#include "store/journal.h"

enum {
	SEGMENT_MOST = 32 << 20, /* octets of a file that are looked at; a segment is at most its size and one group */
	WINDOW = 256 << 10,
	SEGMENTS_MANY = 64, /* from here on the oldest is cleaned whatever its size: each restart begins one */
};

struct segment {
	struct segment *next;   /* the next newer one */
	uint64_t number, first_seq;
	uint64_t keep_until_ms; /* boot time: done entries with records in it are replayed until then */
	uint64_t moved_to;      /* what comes before was moved to the end already; 0: it is not being moved */
	size_t size;            /* octets that count */
	size_t open;            /* open entries with records in it */
	uint32_t salt;
	uint8_t boot_id[16];
};

struct pin {
	struct pin *next;
	struct segment *seg; /* NULL in an entry without */
};

/* An entry that is not done. A done one needs no memory: its segments know how long to stay. */
struct entry {
	struct map_node node;
	uint64_t id;
	struct pin pin; /* the first; others are owned */
	size_t bytes;
};

/* A record as it was found at the start. */
struct found {
	uint64_t seq, id;
	uint32_t at;
	uint32_t seg : 30; /* index into journal.by_index */
	uint32_t done : 1;
	uint32_t counts : 1;
};

struct journal {
	const struct store_ops *ops; /* borrowed */
	int state_fd;                /* borrowed */
	int dir_fd;                  /* owned */
	int fd;                      /* of the newest segment; -1: the next commit begins one */
	struct segment *oldest, *newest;
	size_t segments, bytes, live; /* live: octets of open entries */
	uint64_t next_seq, next_number, id_after, newest_wall_ms;
	uint32_t commit;
	uint8_t boot_id[16];
	bool same_boot;
	struct map entries;
	uint8_t *buf; /* gathered records, owned */
	size_t len, size;
	uint64_t gathered; /* how many of them are new */
	struct found *found; /* owned, until journal_replayed() */
	size_t found_n, found_size;
	struct segment **by_index; /* owned; NULL: the file is not used */
	size_t torn;                /* octets behind the last whole record, found at the start */
	struct store_note note;
};

static inline size_t journal_segment_size(const struct journal *j)
{
	return j->ops->segment_size ? j->ops->segment_size : STORE_SEGMENT_SIZE;
}

enum { SEGMENT_NAME = 40 };
void segment_name(char name[SEGMENT_NAME], uint64_t number, const char *suffix);
/* The directory, made when it is not there. A descriptor or a negative errno. */
int journal_open_dir(int state_fd);
/* Read len octets at `at`; how many there were, or a negative errno. */
ssize_t segment_read(int fd, void *to, size_t len, off_t at);
/* Another name for a file that is not as it should be, so that it outlives its use; rename: that is its only name then. */
void segment_set_aside(struct journal *j, const char *name, bool rename);
void journal_link(struct journal *j, struct segment *seg); /* as the newest; takes seg */

/* All of it through the journal's operations. 0 or a negative errno. */
int segment_write(const struct journal *j, int fd, const uint8_t *data, size_t len, size_t at);
int journal_ready(struct journal *j); /* the newest segment takes records; a new one is begun when it does not */
void journal_close_newest(struct journal *j);

struct entry *entry_find(const struct journal *j, uint64_t id);
/* Account for a record that is durable in seg. */
void journal_account(struct journal *j, struct segment *seg, const struct record *r, size_t size);
void entry_pin(struct entry *e, struct segment *seg);
void entry_unpin(struct entry *e, struct segment *seg);
void entry_free(struct entry *e); /* the entry alone: journal_close() */

#endif
