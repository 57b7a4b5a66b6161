/* SPDX-License-Identifier: Apache-2.0 */
/* ids.c - entry ids that never come twice
 *
 * Ids are reserved a block at a time: the end of the block is durable before its first id is given out, and the next
 * block is asked for when half of this one is gone. What a block has left over at the end of a run is skipped.
 */
#include <errno.h>

#include "base/octets.h"
#include "store/owner.h"

static void encode(uint8_t out[8], uint64_t v)
{
	struct writer w = writer_of(out, 8);

	write_u32(&w, (uint32_t)(v >> 32));
	write_u32(&w, (uint32_t)v);
}

static uint64_t decode(const uint8_t in[8])
{
	struct reader r = reader_of(in, 8);
	const uint64_t high = read_u32(&r);

	return high << 32 | read_u32(&r);
}

static int write_mark(struct store *s, uint64_t mark)
{
	uint8_t data[8];
	int err = db_begin(s->db);

	encode(data, mark);
	if (!err)
		err = db_put(s->db, STORE_MARK, STORE_MARK_ENTRY, sizeof STORE_MARK_ENTRY - 1, data, sizeof data);
	if (!err)
		err = db_end(s->db);
	db_cancel(s->db);
	return err;
}

int store_ids_open(struct store *s)
{
	uint8_t data[8];
	const long n = db_get(s->db, STORE_MARK, STORE_MARK_ENTRY, sizeof STORE_MARK_ENTRY - 1, data, sizeof data);
	const uint64_t mark = n == sizeof data ? decode(data) : 0, journal = journal_id_after(s->journal);
	int err;

	/* Whole blocks, so that the number of the first one tells the lives apart. */
	s->life = ((mark > journal ? mark : journal) + STORE_ID_BLOCK - 1) / STORE_ID_BLOCK;
	if (!s->life)
		s->life = 1;
	s->ids.next = s->ids.limit = s->life * STORE_ID_BLOCK;
	err = write_mark(s, s->ids.next + STORE_ID_BLOCK);
	if (!err)
		s->ids.limit += STORE_ID_BLOCK;
	return err;
}

uint64_t store_life(const struct store *s)
{
	return s->life;
}

static void on_reserved(struct store_wait *w, int err)
{
	struct store *s = container_of(w, struct store, ids.wait);

	s->ids.asked = false;
	if (!err)
		s->ids.limit += STORE_ID_BLOCK;
}

void store_ids_more(struct store *s)
{
	uint8_t data[8];

	if (s->ids.asked)
		return;
	s->ids.asked = true;
	encode(data, s->ids.limit + STORE_ID_BLOCK);
	store_state_put(s, STORE_MARK,
			&(struct store_record){ STORE_MARK_ENTRY, data, sizeof STORE_MARK_ENTRY - 1, sizeof data });
	s->ids.wait.fn = on_reserved;
	store_flush(s, &s->ids.wait);
}

uint64_t store_entry_id(struct store *s)
{
	if (s->ids.limit - s->ids.next < STORE_ID_BLOCK / 2)
		store_ids_more(s);
	return s->ids.next < s->ids.limit ? s->ids.next++ : 0;
}
