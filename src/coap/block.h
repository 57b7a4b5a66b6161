/* SPDX-License-Identifier: Apache-2.0 */
/* block.h - the arithmetic of block-wise transfer (RFC 7959), and options with some of them changed
 *
 * Nothing here holds a body or knows a peer. A position in a body is an offset in octets; NUM and SZX are only how a hop writes it, so that two
 * hops may cut the same body differently.
 */
#ifndef NIDDGW_COAP_BLOCK_H
#define NIDDGW_COAP_BLOCK_H

#include "coap/option.h"

#define COAP_BLOCK_NUM_MAX 0xfffffu
#define COAP_BLOCK_OPTION_MAX 5 /* octets of a Block1 or Block2 option at most, with its header */
#define COAP_SZX_MAX 6
#define COAP_SZX_BERT 7 /* RFC 8323 6: on a stream any number of blocks of 1024; reserved elsewhere */

static inline uint32_t coap_block_make(uint32_t num, bool more, unsigned szx)
{
	return num << 4 | (more ? 8u : 0) | szx;
}
static inline uint32_t coap_block_offset(uint32_t block) /* below 2^30: it never wraps */
{
	return coap_block_num(block) * (uint32_t)coap_block_size(coap_block_szx(block));
}

/**
 * Write a position as a block.
 * @return 0; -EINVAL offset is no multiple of the block size; -ERANGE its number has no place in 20 bits
 */
int coap_block_at(uint32_t *block, uint32_t offset, bool more, unsigned szx);

/**
 * Whether a Block1 and its payload go together.
 * @param bert  SZX 7 is allowed (a stream)
 * @return 0; -EBADMSG: SZX 7 on a datagram, a block that is not full although more follow, one that is longer than its size
 */
int coap_block_check(uint32_t block, size_t payload_len, bool bert);

/* The same block request with a smaller size; -ERANGE when its number has no place then. szx above its own changes nothing. */
int coap_block_lower(uint32_t *block, unsigned szx);

/* ---- cutting a request: octets that are at hand go out in pieces that fit ---- */

struct coap_cut {
	uint32_t base;  /* offset of the first octet at hand in the whole body */
	uint32_t len;   /* octets at hand */
	uint32_t at;    /* of these, accepted by the peer */
	uint32_t piece; /* octets in the piece that is under way */
	uint8_t szx;    /* of the pieces: 0 to 6 */
	bool more;      /* the body goes on behind them */
};
/* szx: the largest piece. base is a multiple of 16. */
void coap_cut_init(struct coap_cut *c, uint32_t base, size_t len, bool more, unsigned szx);

/**
 * The piece that is due.
 * @param szx    largest that fits now; smaller from here on when it is below the cut's
 * @param block  value of its Block1
 * @param at     where it begins in the octets at hand; its length is c->piece
 * @return 0; -ERANGE its number has no place in 20 bits
 */
int coap_cut_piece(struct coap_cut *c, unsigned szx, uint32_t *block, uint32_t *at);

enum coap_cut_step {
	COAP_CUT_NEXT,  /* accepted: the next piece is due */
	COAP_CUT_AGAIN, /* the peer wants smaller ones from the same place */
	COAP_CUT_DONE,  /* it answers the octets at hand: a success behind the last piece, an error at any */
	COAP_CUT_STALE, /* it answers a piece before: nothing changes */
	COAP_CUT_BAD,   /* a success that says nothing of blocks, or wants more after the end */
};
/* What an answer to the piece under way means. has_block1, block1: as it stands in the answer. */
enum coap_cut_step coap_cut_answered(struct coap_cut *c, uint8_t code, bool has_block1, uint32_t block1);

/* ---- serving an answer from octets at hand ---- */

struct coap_held {
	uint32_t base, len; /* as in struct coap_cut */
	bool more;
};
/**
 * The part that a Block2 asks for.
 * @param asked  Block2 of the request
 * @param szx    the largest block that fits
 * @param block  Block2 of the answer, of the same offset and perhaps a smaller size
 * @param at,n   the part of the octets at hand
 * @return 0; -ERANGE not at hand
 */
int coap_held_part(const struct coap_held *h, uint32_t asked, unsigned szx, uint32_t *block, uint32_t *at, uint32_t *n);

/* ---- options ---- */

struct coap_edit {
	uint32_t number;   /* every option of this number is left out .. */
	const void *value; /* .. and this stands in its place; NULL: nothing does */
	size_t len;
};
/* Copies encoded options with edits, which are in ascending order of number. */
void coap_edit_options(struct coap_builder *b, const uint8_t *options, size_t len, const struct coap_edit *edits, size_t n);
/* The shortest form of a number, for a coap_edit. */
struct coap_edit coap_edit_uint(uint32_t number, uint32_t value, uint8_t buf[4]);

/**
 * What makes two block-wise requests one operation (RFC 7959 2.5, RFC 9175 3.3): code and options but those of the transfer itself and those that
 * are no part of a cache key. A hash under the key of the process.
 */
uint64_t coap_operation(const struct coap_msg *m);

#endif
