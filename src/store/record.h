/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - how a journal segment looks on disk
 *
 * A segment is a head and then records, back to back. All integers are big endian. The first 24 octets of a head (magic,
 * version, length and checksum of the head) mean the same in every version, so that an older program can tell a newer file
 * from a damaged one. A record's checksum starts from the random salt of its segment: octets that a device chose can never
 * pass for a record, and neither can the remains of another file.
 *
 * head:   8 magic, 4 version, 4 length, 4 checksum of the rest and of these before, 4 salt,
 *         8 number, 8 first sequence number, 8 entry ids given out so far, 8 wall time, 16 boot id
 * record: 4 checksum of what follows, 4 length of data, 1 type, 1 kind, 2 mark, 4 commit, 8 sequence number, 8 entry id,
 *         8 wall time, data (before it in a last record: 8 how long it is kept, 8 boot time until which)
 */
#ifndef NIDDGW_STORE_RECORD_H
#define NIDDGW_STORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum {
	SEGMENT_VERSION = 1,
	SEGMENT_HEAD = 72,
	RECORD_HEAD = 40,
	RECORD_KEEP = 16, /* what stands before the data of a last record */
	RECORD_DATA_MOST = 1 << 20,
	RECORD_MOST = RECORD_HEAD + RECORD_KEEP + RECORD_DATA_MOST,
};

enum record_type {
	RECORD_APPEND = 1,
	RECORD_DONE, /* the last of its entry */
	RECORD_NOP,  /* shows that the disk writes again */
	RECORD_TYPE_COUNT
};

struct segment_head {
	uint64_t number;
	uint64_t first_seq; /* what earlier segments have from here on was written again or given up: it does not count */
	uint64_t id_mark;   /* entry ids below this may have been given out */
	uint64_t wall_ms;
	uint32_t salt;
	uint8_t boot_id[16];
};

struct record {
	uint64_t seq; /* of the whole journal; a record that is moved keeps it, so order and copies are known by it */
	uint64_t id, wall_ms;
	uint64_t keep_ms, until_ms; /* RECORD_DONE: replayed so long; until this boot time */
	uint32_t commit;            /* number of the sync it was written with */
	enum record_type type;
	uint8_t kind;
	const uint8_t *data; /* borrowed from the octets it was read from */
	size_t len;
};

/* 0; -EBADMSG damaged; -EPROTONOSUPPORT intact, of a newer version. */
int segment_head_read(struct segment_head *h, const uint8_t *data, size_t len);
void segment_head_write(uint8_t out[SEGMENT_HEAD], const struct segment_head *h);

size_t record_size(const struct record *r);
/* Without the checksum, which record_seal() adds once the segment is known. out takes record_size() octets. */
void record_write(uint8_t *out, const struct record *r);
void record_seal(uint8_t *out, uint32_t salt, uint32_t commit);
/* The record at the beginning of data. Octets it takes, or -EBADMSG: none that is whole and intact stands there. */
long record_read(struct record *r, uint32_t salt, const uint8_t *data, size_t len);
/* As record_read(), of octets that are trusted and perhaps not sealed yet. */
long record_peek(struct record *r, const uint8_t *data, size_t len);
/**
 * What lies behind a fault: is there an intact record of a later sync than the one that the record before the fault was
 * written with or the next? Then the fault was on disk and confirmed before: damage, not a write cut short.
 * Looks only; nothing found this way is ever used.
 */
int record_seen_beyond(uint32_t salt, uint32_t commit, const uint8_t *data, size_t len);

#endif
