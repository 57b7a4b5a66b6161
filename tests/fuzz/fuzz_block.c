/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_block.c - a body that is cut, whatever the device answers and the link takes, and one that is fetched
 *
 * The input is a row of steps. A device is played that puts together what it has accepted: at every step it must have a
 * piece of the body from where it was, no larger than the link takes, and at the end all of it.
 */
#include <stdlib.h>

#include "base/octets.h"
#include "coap/block.h"

#define BODY_MAX 3000

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_piece(const struct coap_cut *c, uint32_t block, uint32_t at, unsigned most, uint32_t got)
{
	uint32_t end = at + c->piece;

	must(at == got && at == c->at && end <= c->len);
	must(coap_block_szx(block) <= most && coap_block_szx(block) <= COAP_SZX_MAX);
	must(c->piece <= coap_block_size(coap_block_szx(block)));
	must(coap_block_offset(block) == c->base + at);
	must(coap_block_more(block) == (c->more || end < c->len));
	must(c->piece == coap_block_size(coap_block_szx(block)) || end == c->len);
}

static uint8_t read_code(struct reader *r)
{
	static const uint8_t codes[] = { COAP_CONTINUE,  COAP_CONTINUE,   COAP_CONTINUE,   COAP_CHANGED,
					 COAP_TOO_LARGE, COAP_CODE(4, 8), COAP_UNAVAILABLE };
	uint8_t at = read_u8(r);

	return at < 0x80 ? codes[at % sizeof codes] : at;
}

/* The block of the piece in most cases, else anything. */
static uint32_t read_block(struct reader *r, uint32_t block)
{
	uint8_t how = read_u8(r);

	if (how < 0x40)
		return block;
	if (how < 0x80) /* a smaller size that the device asks for */
		return (block & ~7u) | (how & 7);
	return read_u32(r) & 0xffffff;
}

static void fuzz_cut(struct reader *r)
{
	uint32_t base = (read_u32(r) & COAP_BLOCK_NUM_MAX) * 16, len = 1 + read_u16(r) % BODY_MAX, got = 0, block, at;
	unsigned flags = read_u8(r);
	struct coap_cut c;

	coap_cut_init(&c, base, len, flags & 8, flags % 7);
	while (!r->failed) {
		unsigned most = read_u8(r) % 7;
		enum coap_cut_step step;
		uint8_t code, how;

		if (coap_cut_piece(&c, most, &block, &at))
			return; /* its number has no place */
		check_piece(&c, block, at, most, got);
		code = read_code(r);
		how = read_u8(r);
		step = coap_cut_answered(&c, code, how & 1, how & 1 ? read_block(r, block) : 0);
		if (coap_class(code) == 2 && (step == COAP_CUT_NEXT || step == COAP_CUT_DONE))
			got = at + c.piece;
		must(got == c.at && got <= len);
		if (step == COAP_CUT_DONE && coap_class(code) == 2)
			must(got == len);
		if (step == COAP_CUT_DONE || step == COAP_CUT_BAD)
			return;
	}
}

static void fuzz_held(struct reader *r)
{
	struct coap_held h = { (read_u32(r) & COAP_BLOCK_NUM_MAX) * 16, 1 + read_u16(r), read_u8(r) & 1 };

	while (!r->failed) {
		uint32_t asked = read_u32(r) & 0xffffff, block, at, n;
		unsigned szx = read_u8(r) % 7;

		if (read_u8(r) & 1) /* one that is there */
			asked = coap_block_make(h.base / 1024 + asked % 64, false, 6);
		if (coap_held_part(&h, asked, szx, &block, &at, &n))
			continue;
		must(n && at + n <= h.len && n <= coap_block_size(szx));
		must(coap_block_offset(block) == h.base + at && coap_block_offset(block) == coap_block_offset(asked));
		must(coap_block_more(block) || (!h.more && at + n == h.len));
	}
}

static void fuzz_options(struct reader *r)
{
	static uint8_t out[1 << 16];
	uint8_t value[4];
	const struct coap_edit edits[] = { { COAP_BLOCK2, NULL, 0 },
					   coap_edit_uint(COAP_BLOCK1, read_u32(r), value),
					   { COAP_REQUEST_TAG, "t", 1 } };
	struct coap_msg m, edited;
	struct coap_builder b;
	struct coap_option o;
	long len;

	if (coap_parse(&m, r->p, reader_left(r)) || m.code == COAP_EMPTY)
		return;
	coap_build(&b, out, sizeof out, COAP_CON, m.code, m.mid, m.token, m.token_len);
	coap_edit_options(&b, m.options, m.options_len, edits, 3);
	len = coap_build_end(&b);
	must(len > 0 && (coap_parse(&edited, out, (size_t)len) == 0 || m.type != COAP_CON));
	if (m.type != COAP_CON)
		return;
	must(!coap_option_find(&edited, COAP_BLOCK2, &o));
	must(coap_option_find(&edited, COAP_BLOCK1, &o) && coap_option_find(&edited, COAP_REQUEST_TAG, &o) &&
	     o.len == 1);
	(void)coap_operation(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);

	switch (read_u8(&r) % 3) {
	case 0:
		fuzz_cut(&r);
		break;
	case 1:
		fuzz_held(&r);
		break;
	default:
		fuzz_options(&r);
		break;
	}
	return 0;
}
