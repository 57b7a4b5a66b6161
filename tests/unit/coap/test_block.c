/* SPDX-License-Identifier: Apache-2.0 */
/* test_block.c - the arithmetic of block-wise transfer, src/coap/block.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "coap/block.h"
#include "unit/coap/make.h"

static uint32_t block(uint32_t num, bool more, unsigned size)
{
	unsigned szx = 0;

	while (16u << szx < size)
		szx++;
	return coap_block_make(num, more, szx);
}

static void a_position_is_written_in_any_size_it_is_a_multiple_of(void **state)
{
	uint32_t b;

	(void)state;
	assert_int_equal(coap_block_at(&b, 1024, true, 6), 0);
	assert_int_equal(b, block(1, true, 1024));
	assert_int_equal(coap_block_at(&b, 1024, false, 0), 0);
	assert_int_equal(b, block(64, false, 16));
	assert_int_equal(coap_block_at(&b, 1040, false, 1), -EINVAL);
	assert_int_equal(coap_block_at(&b, 0, false, 6), 0);
	assert_int_equal(b, 6);
}

static void a_number_beyond_twenty_bits_has_no_place(void **state)
{
	uint32_t b = block(COAP_BLOCK_NUM_MAX, true, 1024);

	(void)state;
	assert_int_equal(coap_block_offset(b), 0x3ffffc00); /* below 2^30 */
	assert_int_equal(coap_block_lower(&b, 5), -ERANGE);
	assert_int_equal(b, block(COAP_BLOCK_NUM_MAX, true, 1024)); /* as it was */
	b = block(COAP_BLOCK_NUM_MAX >> 1, false, 1024);
	assert_int_equal(coap_block_lower(&b, 5), 0);
	assert_int_equal(b, block(COAP_BLOCK_NUM_MAX - 1, false, 512));
}

static void a_smaller_size_scales_the_number_and_a_larger_one_changes_nothing(void **state)
{
	uint32_t b = block(3, false, 1024);

	(void)state;
	assert_int_equal(coap_block_lower(&b, 3), 0);
	assert_int_equal(b, block(24, false, 128));
	assert_int_equal(coap_block_lower(&b, 6), 0);
	assert_int_equal(b, block(24, false, 128));
}

static void a_block_that_is_not_full_is_the_last(void **state)
{
	(void)state;
	assert_int_equal(coap_block_check(block(0, true, 64), 64, false), 0);
	assert_int_equal(coap_block_check(block(0, true, 64), 63, false), -EBADMSG);
	assert_int_equal(coap_block_check(block(0, true, 64), 65, false), -EBADMSG);
	assert_int_equal(coap_block_check(block(9, false, 64), 63, false), 0);
	assert_int_equal(coap_block_check(block(9, false, 64), 0, false), 0);
	assert_int_equal(coap_block_check(block(9, false, 64), 65, false), -EBADMSG);
}

static void size_7_is_for_streams_only(void **state)
{
	uint32_t more = coap_block_make(0, true, COAP_SZX_BERT), last = coap_block_make(8, false, COAP_SZX_BERT);

	(void)state;
	assert_int_equal(coap_block_check(more, 8192, false), -EBADMSG);
	assert_int_equal(coap_block_check(more, 8192, true), 0);
	assert_int_equal(coap_block_check(more, 8191, true), -EBADMSG);
	assert_int_equal(coap_block_check(more, 0, true), -EBADMSG);
	assert_int_equal(coap_block_check(last, 3, true), 0);
	assert_int_equal(coap_block_offset(last), 8192);
}

/* ---- cutting ---- */

/* The next piece, which has to be this. */
static void piece(struct coap_cut *c, unsigned szx, uint32_t want, uint32_t at, uint32_t len)
{
	uint32_t b, seen;

	assert_int_equal(coap_cut_piece(c, szx, &b, &seen), 0);
	assert_int_equal(b, want);
	assert_int_equal(seen, at);
	assert_int_equal(c->piece, len);
}

static void a_body_goes_out_in_pieces(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 300, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 128)), COAP_CUT_NEXT);
	piece(&c, 6, block(1, true, 128), 128, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(1, true, 128)), COAP_CUT_NEXT);
	piece(&c, 6, block(2, false, 128), 256, 44);
	assert_int_equal(coap_cut_answered(&c, COAP_CHANGED, true, block(2, false, 128)), COAP_CUT_DONE);
}

static void a_block_of_a_longer_body_goes_out_in_pieces_that_all_have_more(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 2048, 1024, true, 5); /* RFC 7959 2.3: block 2 of 1024 is blocks 4 and 5 of 512 */
	piece(&c, 5, block(4, true, 512), 0, 512);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(4, true, 512)), COAP_CUT_NEXT);
	piece(&c, 5, block(5, true, 512), 512, 512);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(5, true, 512)), COAP_CUT_DONE);
}

static void a_peer_that_wants_smaller_ones_gets_them_behind_what_it_has(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 200, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 32)), COAP_CUT_NEXT);
	piece(&c, 6, block(4, true, 32), 128, 32);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(4, true, 32)), COAP_CUT_NEXT);
	piece(&c, 6, block(5, true, 32), 160, 32);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(10, true, 16)),
			 COAP_CUT_NEXT); /* scaled too */
	piece(&c, 6, block(12, false, 16), 192, 8);
}

static void a_link_that_shrinks_gets_smaller_ones_from_where_it_was(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 256, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 128)), COAP_CUT_NEXT);
	piece(&c, 6, block(1, false, 128), 128, 128);
	piece(&c, 2, block(2, true, 64), 128, 64); /* the same octets were too many */
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(2, true, 64)), COAP_CUT_NEXT);
	piece(&c, 6, block(3, false, 64), 192, 64); /* it never grows again */
}

static void what_goes_on_behind_smaller_ones_has_a_size_that_stands_there(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 1024, 1024, true, 6);
	c.at = 128; /* the device has so much of it from before */
	piece(&c, 5, block(9, true, 128), 128, 128);
}

static void a_first_piece_that_is_too_large_is_sent_again_in_smaller_ones(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 200, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_TOO_LARGE, true, block(0, true, 64)), COAP_CUT_AGAIN);
	piece(&c, 6, block(0, true, 64), 0, 64);
	assert_int_equal(coap_cut_answered(&c, COAP_TOO_LARGE, true, block(0, true, 64)),
			 COAP_CUT_DONE); /* no smaller: final */
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 64)), COAP_CUT_NEXT);
	piece(&c, 6, block(1, true, 64), 64, 64);
	assert_int_equal(coap_cut_answered(&c, COAP_TOO_LARGE, true, block(0, true, 16)),
			 COAP_CUT_DONE); /* not the first */
}

static void errors_are_answers(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 200, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CODE(4, 8), false, 0), COAP_CUT_DONE);
	assert_int_equal(coap_cut_answered(&c, COAP_TOO_LARGE, false, 0), COAP_CUT_DONE);
	assert_int_equal(coap_cut_answered(&c, COAP_UNAVAILABLE, true, block(0, true, 128)), COAP_CUT_DONE);
}

static void a_late_answer_to_an_earlier_piece_is_stale(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 600, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 128)), COAP_CUT_NEXT);
	piece(&c, 6, block(1, true, 128), 128, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 128)), COAP_CUT_STALE);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(7, true, 128)), COAP_CUT_STALE);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(COAP_BLOCK_NUM_MAX, true, 16)),
			 COAP_CUT_STALE);
	assert_int_equal(c.at, 128);
}

static void a_success_that_knows_no_blocks_is_none(void **state)
{
	struct coap_cut c;

	(void)state;
	coap_cut_init(&c, 0, 200, false, 3);
	piece(&c, 6, block(0, true, 128), 0, 128);
	assert_int_equal(coap_cut_answered(&c, COAP_CHANGED, false, 0),
			 COAP_CUT_BAD); /* it has written the first part only */
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(0, true, 128)), COAP_CUT_NEXT);
	piece(&c, 6, block(1, false, 128), 128, 72);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(1, false, 128)),
			 COAP_CUT_BAD); /* more, after the end */
	assert_int_equal(coap_cut_answered(&c, COAP_CHANGED, false, 0), COAP_CUT_DONE);
}

static void the_last_numbers_are_reached_and_not_passed(void **state)
{
	struct coap_cut c;
	uint32_t b, at;

	(void)state;
	coap_cut_init(&c, COAP_BLOCK_NUM_MAX * 16, 16, false, 0);
	piece(&c, 6, block(COAP_BLOCK_NUM_MAX, false, 16), 0, 16);
	coap_cut_init(&c, COAP_BLOCK_NUM_MAX * 16, 32, false, 0);
	piece(&c, 6, block(COAP_BLOCK_NUM_MAX, true, 16), 0, 16);
	assert_int_equal(coap_cut_answered(&c, COAP_CONTINUE, true, block(COAP_BLOCK_NUM_MAX, true, 16)),
			 COAP_CUT_NEXT);
	assert_int_equal(coap_cut_piece(&c, 6, &b, &at), -ERANGE);
}

/* ---- serving ---- */

static void part(const struct coap_held *h, uint32_t asked, unsigned szx, uint32_t want, uint32_t at, uint32_t n)
{
	uint32_t b, a, seen;

	assert_int_equal(coap_held_part(h, asked, szx, &b, &a, &seen), 0);
	assert_int_equal(b, want);
	assert_int_equal(a, at);
	assert_int_equal(seen, n);
}

static void a_held_body_is_served_from_anywhere(void **state)
{
	const struct coap_held h = { 0, 300, false };
	uint32_t b, a, n;

	(void)state;
	part(&h, block(0, false, 1024), 3, block(0, true, 128), 0, 128);
	part(&h, block(1, false, 128), 3, block(1, true, 128), 128, 128);
	part(&h, block(2, false, 128), 6, block(2, false, 128), 256, 44);
	part(&h, block(4, false, 64), 3, block(4, false, 64), 256, 44);
	assert_int_equal(coap_held_part(&h, block(3, false, 128), 3, &b, &a, &n), -ERANGE);
	assert_int_equal(coap_held_part(&h, block(COAP_BLOCK_NUM_MAX, false, 1024), 3, &b, &a, &n), -ERANGE);
}

static void a_held_part_of_a_longer_body_ends_where_it_ends(void **state)
{
	const struct coap_held h = { 1024, 1024, true };
	uint32_t b, a, n;

	(void)state;
	part(&h, block(1, false, 1024), 3, block(8, true, 128), 0, 128);
	part(&h, block(15, false, 128), 3, block(15, true, 128), 896, 128);
	assert_int_equal(coap_held_part(&h, block(16, false, 128), 3, &b, &a, &n), -ERANGE);
	assert_int_equal(coap_held_part(&h, block(0, false, 128), 3, &b, &a, &n), -ERANGE);
}

/* ---- options ---- */

static void options_are_left_out_replaced_and_put_in(void **state)
{
	uint8_t out[256], one[4], two[4];
	struct coap_builder b;
	struct made in, want;

	(void)state;
	make(&in, COAP_PUT,
	     OPTIONS(TEXT(COAP_URI_PATH, "19"), TEXT(COAP_URI_PATH, "0"), TEXT(COAP_CONTENT_FORMAT, "\x2a"),
		     TEXT(COAP_BLOCK1, "\x0e"), TEXT(COAP_SIZE1, "\x10\x00"), TEXT(COAP_REQUEST_TAG, "ab"),
		     BARE(65000)));
	make(&want, COAP_PUT,
	     OPTIONS(TEXT(COAP_URI_PATH, "19"), TEXT(COAP_URI_PATH, "0"), TEXT(COAP_CONTENT_FORMAT, "\x2a"),
		     TEXT(COAP_BLOCK1, "\x1b"), TEXT(COAP_SIZE2, "\x01\x00"), TEXT(COAP_REQUEST_TAG, "xyz"),
		     BARE(65000)));
	const struct coap_edit edits[] = { coap_edit_uint(COAP_BLOCK1, block(1, true, 128), one),
					   coap_edit_uint(COAP_SIZE2, 256, two),
					   { COAP_SIZE1, NULL, 0 },
					   { COAP_REQUEST_TAG, "xyz", 3 } };
	coap_build(&b, out, sizeof out, COAP_CON, COAP_PUT, 1, NULL, 0);
	coap_edit_options(&b, in.m.options, in.m.options_len, edits, 4);
	coap_build_payload(&b, "x", 1);
	assert_int_equal(coap_build_end(&b), want.len);
	assert_memory_equal(out, want.data, (size_t)want.len);
}

static void edits_stand_alone_where_there_are_no_options(void **state)
{
	static const uint8_t want[] = { 0x40, 0x03, 0, 1, 0xd1, 0x0e, 0x0b };
	uint8_t out[32], one[4];
	struct coap_builder b;
	const struct coap_edit edit = coap_edit_uint(COAP_BLOCK1, block(0, true, 128), one);

	(void)state;
	coap_build(&b, out, sizeof out, COAP_CON, COAP_PUT, 1, NULL, 0);
	coap_edit_options(&b, (const uint8_t *)"", 0, &edit, 1);
	assert_int_equal(coap_build_end(&b), sizeof want);
	assert_memory_equal(out, want, sizeof want);
}

static uint64_t operation(uint8_t code, const struct opt *opts, size_t n)
{
	struct made m;

	make(&m, code, opts, n);
	return coap_operation(&m.m);
}

static void the_blocks_of_one_body_are_one_operation(void **state)
{
	uint64_t first = operation(
		COAP_PUT, OPTIONS(TEXT(COAP_URI_PATH, "5"), TEXT(COAP_BLOCK1, "\x0e"), TEXT(COAP_SIZE1, "\x10\x00")));

	(void)state;
	assert_true(first == operation(COAP_PUT, OPTIONS(TEXT(COAP_URI_PATH, "5"), TEXT(COAP_BLOCK1, "\x1e"))));
	assert_false(first == operation(COAP_POST, OPTIONS(TEXT(COAP_URI_PATH, "5"), TEXT(COAP_BLOCK1, "\x1e"))));
	assert_false(first == operation(COAP_PUT, OPTIONS(TEXT(COAP_URI_PATH, "6"), TEXT(COAP_BLOCK1, "\x1e"))));
	assert_false(
		first ==
		operation(COAP_PUT,
			  OPTIONS(TEXT(COAP_URI_PATH, "5"), TEXT(COAP_BLOCK1, "\x1e"), TEXT(COAP_REQUEST_TAG, "a"))));
	assert_false(
		first ==
		operation(COAP_PUT, OPTIONS(TEXT(COAP_URI_PATH, "5"), BARE(COAP_URI_PATH), TEXT(COAP_BLOCK1, "\x1e"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_position_is_written_in_any_size_it_is_a_multiple_of),
		cmocka_unit_test(a_number_beyond_twenty_bits_has_no_place),
		cmocka_unit_test(a_smaller_size_scales_the_number_and_a_larger_one_changes_nothing),
		cmocka_unit_test(a_block_that_is_not_full_is_the_last),
		cmocka_unit_test(size_7_is_for_streams_only),
		cmocka_unit_test(a_body_goes_out_in_pieces),
		cmocka_unit_test(a_block_of_a_longer_body_goes_out_in_pieces_that_all_have_more),
		cmocka_unit_test(a_peer_that_wants_smaller_ones_gets_them_behind_what_it_has),
		cmocka_unit_test(a_link_that_shrinks_gets_smaller_ones_from_where_it_was),
		cmocka_unit_test(what_goes_on_behind_smaller_ones_has_a_size_that_stands_there),
		cmocka_unit_test(a_first_piece_that_is_too_large_is_sent_again_in_smaller_ones),
		cmocka_unit_test(errors_are_answers),
		cmocka_unit_test(a_late_answer_to_an_earlier_piece_is_stale),
		cmocka_unit_test(a_success_that_knows_no_blocks_is_none),
		cmocka_unit_test(the_last_numbers_are_reached_and_not_passed),
		cmocka_unit_test(a_held_body_is_served_from_anywhere),
		cmocka_unit_test(a_held_part_of_a_longer_body_ends_where_it_ends),
		cmocka_unit_test(options_are_left_out_replaced_and_put_in),
		cmocka_unit_test(edits_stand_alone_where_there_are_no_options),
		cmocka_unit_test(the_blocks_of_one_body_are_one_operation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
