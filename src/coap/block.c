/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - the arithmetic of block-wise transfer, and options with some of them changed
 *
 * A number has 20 bits and a block at most 1024 octets, so every offset is below 2^30 and 32 bits hold all sums. What a
 * peer names is compared with what was sent to it, never added to anything.
 */
#include "coap/block.h"

#include <errno.h>

#include "base/map.h"

int coap_block_at(uint32_t *block, uint32_t offset, bool more, unsigned szx)
{
	uint32_t size = (uint32_t)coap_block_size(szx), num = offset / size;

	if (offset % size)
		return -EINVAL;
	if (num > COAP_BLOCK_NUM_MAX)
		return -ERANGE;
	*block = coap_block_make(num, more, szx);
	return 0;
}

int coap_block_check(uint32_t block, size_t payload_len, bool bert)
{
	unsigned szx = coap_block_szx(block);
	size_t size = coap_block_size(szx);

	if (szx == COAP_SZX_BERT) {
		if (!bert || (coap_block_more(block) && (!payload_len || payload_len % size)))
			return -EBADMSG;
		return 0;
	}
	if (coap_block_more(block) ? payload_len != size : payload_len > size)
		return -EBADMSG;
	return 0;
}

int coap_block_lower(uint32_t *block, unsigned szx)
{
	uint32_t lowered;
	int err;

	if (coap_block_szx(*block) <= szx)
		return 0;
	err = coap_block_at(&lowered, coap_block_offset(*block), coap_block_more(*block), szx);
	if (!err)
		*block = lowered;
	return err;
}

/* ---- cutting ---- */

void coap_cut_init(struct coap_cut *c, uint32_t base, size_t len, bool more, unsigned szx)
{
	*c = (struct coap_cut){ .base = base, .len = (uint32_t)len, .more = more, .szx = (uint8_t)szx };
}

static uint32_t piece_size(const struct coap_cut *c)
{
	return (uint32_t)coap_block_size(c->szx);
}

static bool is_last(const struct coap_cut *c)
{
	return c->at + c->piece >= c->len;
}

int coap_cut_piece(struct coap_cut *c, unsigned szx, uint32_t *block, uint32_t *at)
{
	uint32_t left = c->len - c->at;

	if (szx < c->szx)
		c->szx = (uint8_t)szx;
	while ((c->base + c->at) % piece_size(c)) /* it goes on where smaller ones had ended */
		c->szx--;
	c->piece = left < piece_size(c) ? left : piece_size(c);
	*at = c->at;
	return coap_block_at(block, c->base + c->at, c->more || !is_last(c), c->szx);
}

/* Some peers scale the number with the size that they ask for, most echo it. */
static bool is_of_piece(const struct coap_cut *c, uint32_t block1)
{
	uint32_t num = (c->base + c->at) / piece_size(c);
	unsigned szx = coap_block_szx(block1);

	return coap_block_num(block1) == num ||
		(szx < c->szx && (uint64_t)num << (c->szx - szx) == coap_block_num(block1));
}

static enum coap_cut_step accepted(struct coap_cut *c, uint8_t code, unsigned szx)
{
	bool last = is_last(c);

	if (last && !c->more && code == COAP_CONTINUE)
		return COAP_CUT_BAD;
	c->at += c->piece;
	if (szx < c->szx)
		c->szx = (uint8_t)szx;
	return last ? COAP_CUT_DONE : COAP_CUT_NEXT;
}

enum coap_cut_step coap_cut_answered(struct coap_cut *c, uint8_t code, bool has_block1, uint32_t block1)
{
	unsigned szx = has_block1 ? coap_block_szx(block1) : c->szx;

	if (coap_class(code) != 2) { /* RFC 7959 2.9.3: the size of the first block was too large */
		if (code != COAP_TOO_LARGE || szx >= c->szx || c->base + c->at)
			return COAP_CUT_DONE;
		c->szx = (uint8_t)szx;
		return COAP_CUT_AGAIN;
	}
	if (!has_block1) /* the very last answer needs none */
		return is_last(c) && !c->more ? accepted(c, code, szx) : COAP_CUT_BAD;
	if (!is_of_piece(c, block1))
		return COAP_CUT_STALE;
	return accepted(c, code, szx);
}

/* ---- serving ---- */

int coap_held_part(const struct coap_held *h, uint32_t asked, unsigned szx, uint32_t *block, uint32_t *at, uint32_t *n)
{
	uint32_t offset = coap_block_offset(asked), size, left;
	unsigned own = coap_block_szx(asked);

	if (offset < h->base || offset - h->base >= h->len)
		return -ERANGE;
	if (own > COAP_SZX_MAX)
		own = COAP_SZX_MAX;
	if (own < szx)
		szx = own;
	size = (uint32_t)coap_block_size(szx);
	*at = offset - h->base;
	left = h->len - *at;
	*n = left < size ? left : size;
	if (*n < size && h->more)
		return -ERANGE; /* the rest of this block is not at hand */
	return coap_block_at(block, offset, h->more || left > size, szx);
}

/* ---- options ---- */

static const struct coap_edit *edit_of(const struct coap_edit *edits, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (edits[i].number == number)
			return &edits[i];
	return NULL;
}

/* Puts in what belongs before option `number`. */
static void put_edits(struct coap_builder *b, const struct coap_edit *edits, size_t n, size_t *next, uint32_t number)
{
	for (; *next < n && edits[*next].number <= number; ++*next)
		if (edits[*next].value)
			coap_build_option(b, edits[*next].number, edits[*next].value, edits[*next].len);
}

void coap_edit_options(struct coap_builder *b, const uint8_t *options, size_t len, const struct coap_edit *edits,
		       size_t n)
{
	const struct coap_msg m = { .options = options, .options_len = len };
	struct coap_options it = coap_options_of(&m);
	struct coap_option o;
	size_t next = 0;

	while (coap_option_next(&it, &o)) {
		put_edits(b, edits, n, &next, o.number);
		if (!edit_of(edits, n, o.number))
			coap_build_option(b, o.number, o.value, o.len);
	}
	put_edits(b, edits, n, &next, UINT32_MAX);
}

struct coap_edit coap_edit_uint(uint32_t number, uint32_t value, uint8_t buf[4])
{
	size_t len = 0;

	for (int shift = 24; shift >= 0; shift -= 8)
		if (value >> shift || len)
			buf[len++] = (uint8_t)(value >> shift);
	return (struct coap_edit){ number, buf, len };
}

static bool is_of_operation(uint32_t number)
{
	return (number & 0x1e) != 0x1c && number != COAP_BLOCK1 && number != COAP_BLOCK2 && number != COAP_OBSERVE &&
		number != COAP_HOP_LIMIT;
}

uint64_t coap_operation(const struct coap_msg *m)
{
	struct {
		uint64_t before, value;
		uint32_t number, len;
	} link = { .before = m->code };
	struct coap_options it = coap_options_of(m);
	struct coap_option o;

	while (coap_option_next(&it, &o)) {
		if (!is_of_operation(o.number))
			continue;
		link.value = map_hash(o.len ? o.value : (const uint8_t *)"", o.len);
		link.number = o.number;
		link.len = o.len;
		link.before = map_hash(&link, sizeof link);
	}
	return link.before;
}
