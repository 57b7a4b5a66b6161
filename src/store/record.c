/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - segment heads and records to octets and back */
#include "store/record.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>

#include "base/octets.h"
#include "store/crc32c.h"

static const uint8_t magic[8] = { 'N', 'I', 'D', 'D', 'G', 'W', 'J', '\n' };
enum { HEAD_CRC_AT = 16, HEAD_MOST = 4096, MARK = 0x4e4a, MARK_AT = 10, COMMIT_AT = 12, SEARCH_MOST = 64 << 20 };
#define NUMBER_MOST (UINT64_MAX >> 1)

static void put_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

static void set_u32(uint8_t *at, uint32_t v)
{
	const uint32_t be = htobe32(v);

	memcpy(at, &be, sizeof be);
}

static void set_u64(uint8_t *at, uint64_t v)
{
	const uint64_t be = htobe64(v);

	memcpy(at, &be, sizeof be);
}

static uint64_t get_u64(struct reader *r)
{
	const uint64_t high = read_u32(r);

	return high << 32 | read_u32(r);
}

/* Counts begin with 1 and are never near their end: one that is would make a later one wrap. */
static bool is_number(uint64_t v)
{
	return v && v <= NUMBER_MOST;
}

static uint32_t head_crc(const uint8_t *data, size_t len)
{
	return crc32c(crc32c(0, data, HEAD_CRC_AT), data + HEAD_CRC_AT + 4, len - HEAD_CRC_AT - 4);
}

int segment_head_read(struct segment_head *h, const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	const uint8_t *m = read_span(&r, sizeof magic);
	const uint32_t version = read_u32(&r), length = read_u32(&r), crc = read_u32(&r);

	if (r.failed || memcmp(m, magic, sizeof magic) != 0 || length < HEAD_CRC_AT + 4 || length > HEAD_MOST ||
	    length > len || crc != head_crc(data, length))
		return -EBADMSG;
	if (version > SEGMENT_VERSION)
		return -EPROTONOSUPPORT;
	h->salt = read_u32(&r);
	h->number = get_u64(&r);
	h->first_seq = get_u64(&r);
	h->id_mark = get_u64(&r);
	h->wall_ms = get_u64(&r);
	read_into(&r, h->boot_id, sizeof h->boot_id);
	if (r.failed || !version || length != SEGMENT_HEAD || !is_number(h->first_seq) || !is_number(h->number) ||
	    h->id_mark > NUMBER_MOST)
		return -EBADMSG;
	return 0;
}

void segment_head_write(uint8_t out[SEGMENT_HEAD], const struct segment_head *h)
{
	memcpy(out, magic, sizeof magic);
	set_u32(out + 8, SEGMENT_VERSION);
	set_u32(out + 12, SEGMENT_HEAD);
	set_u32(out + 20, h->salt);
	set_u64(out + 24, h->number);
	set_u64(out + 32, h->first_seq);
	set_u64(out + 40, h->id_mark);
	set_u64(out + 48, h->wall_ms);
	memcpy(out + 56, h->boot_id, sizeof h->boot_id);
	set_u32(out + HEAD_CRC_AT, head_crc(out, SEGMENT_HEAD));
}

static size_t keep_size(enum record_type type)
{
	return type == RECORD_DONE ? RECORD_KEEP : 0;
}

size_t record_size(const struct record *r)
{
	return RECORD_HEAD + keep_size(r->type) + r->len;
}

void record_write(uint8_t *out, const struct record *r)
{
	struct writer w = writer_of(out, record_size(r));

	write_u32(&w, 0);
	write_u32(&w, (uint32_t)(r->len + keep_size(r->type)));
	write_u8(&w, (uint8_t)r->type);
	write_u8(&w, r->kind);
	write_u16(&w, MARK);
	write_u32(&w, 0);
	put_u64(&w, r->seq);
	put_u64(&w, r->id);
	put_u64(&w, r->wall_ms);
	if (keep_size(r->type)) {
		put_u64(&w, r->keep_ms);
		put_u64(&w, r->until_ms);
	}
	write_bytes(&w, r->data, r->len);
}

static uint32_t length_of(const uint8_t *record)
{
	struct reader r = reader_of(record + 4, 4);

	return read_u32(&r);
}

static uint32_t record_crc(uint32_t salt, const uint8_t *record, size_t length)
{
	return crc32c(salt, record + 4, RECORD_HEAD - 4 + length);
}

void record_seal(uint8_t *out, uint32_t salt, uint32_t commit)
{
	set_u32(out + COMMIT_AT, commit);
	set_u32(out, record_crc(salt, out, length_of(out)));
}

/* Only what the head says, without looking at the checksum. */
static bool is_plausible(const uint8_t *data, size_t len)
{
	return len >= RECORD_HEAD && data[MARK_AT] == MARK >> 8 && data[MARK_AT + 1] == (MARK & 255) &&
		length_of(data) <= RECORD_DATA_MOST + RECORD_KEEP && length_of(data) <= len - RECORD_HEAD;
}

long record_peek(struct record *rec, const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	uint32_t length;

	if (!is_plausible(data, len))
		return -EBADMSG;
	read_u32(&r);
	length = read_u32(&r);
	*rec = (struct record){ .type = read_u8(&r) };
	rec->kind = read_u8(&r);
	read_u16(&r);
	rec->commit = read_u32(&r);
	rec->seq = get_u64(&r);
	rec->id = get_u64(&r);
	rec->wall_ms = get_u64(&r);
	if (keep_size(rec->type)) {
		rec->keep_ms = get_u64(&r);
		rec->until_ms = get_u64(&r);
	}
	if (length < keep_size(rec->type) || rec->type < RECORD_APPEND || rec->type >= RECORD_TYPE_COUNT ||
	    !is_number(rec->seq) || rec->id > NUMBER_MOST)
		return -EBADMSG;
	rec->len = length - keep_size(rec->type);
	rec->data = read_span(&r, rec->len);
	return r.failed || rec->len > RECORD_DATA_MOST ? -EBADMSG : RECORD_HEAD + (long)length;
}

long record_read(struct record *rec, uint32_t salt, const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);

	if (!is_plausible(data, len) || read_u32(&r) != record_crc(salt, data, length_of(data)))
		return -EBADMSG;
	return record_peek(rec, data, len);
}

int record_seen_beyond(uint32_t salt, uint32_t commit, const uint8_t *data, size_t len)
{
	size_t looked = 0; /* octets summed: crafted marks must not make this long */
	struct record r;

	for (size_t i = 0; i + RECORD_HEAD <= len && looked < SEARCH_MOST; i++) {
		if (!is_plausible(data + i, len - i))
			continue;
		looked += length_of(data + i) + RECORD_HEAD;
		if (record_read(&r, salt, data + i, len - i) > 0 && r.commit > commit && r.commit - commit > 1)
			return 1;
	}
	return 0;
}
