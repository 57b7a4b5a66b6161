/* SPDX-License-Identifier: Apache-2.0 */
/* test_body.c - bodies in blocks, put together beside the way */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "coap/block.h"
#include "mirror/inside.h"

static struct body_key key_of(const void *leg, uint16_t object)
{
	struct body_key k;

	memset(&k, 0, sizeof k);
	k.leg = leg;
	k.path.depth = 1;
	k.path.id[0] = object;
	return k;
}

static enum body_step take(struct bodies *b, const struct body_key *k, uint32_t num, bool more, unsigned szx,
			   const char *data, size_t len, const struct body **out)
{
	const struct body_block p = { .has = true,
				      .block = coap_block_make(num, more, szx),
				      .data = (const uint8_t *)data,
				      .len = len,
				      .unit_len = len + 10,
				      .format = 100 + num,
				      .op = "read" };

	return bodies_take(b, k, &p, out);
}

static void blocks_in_order_are_one_body(void **state)
{
	struct bodies b = { 0 };
	const struct body *y = NULL;
	struct body_key k = key_of(&b, 3);

	(void)state;
	assert_int_equal(take(&b, &k, 0, true, 0, "0123456789abcdef", 16, &y), BODY_MORE);
	assert_null(bodies_find(&b, &k));
	assert_int_equal(take(&b, &k, 1, true, 0, "ghijklmnopqrstuv", 16, &y), BODY_MORE);
	assert_int_equal(take(&b, &k, 1, true, 0, "ghijklmnopqrstuv", 16, &y), BODY_MORE); /* again */
	assert_int_equal(take(&b, &k, 2, false, 0, "wx", 2, &y), BODY_LAST);
	assert_int_equal(y->len, 34);
	assert_memory_equal(y->data, "0123456789abcdefghijklmnopqrstuvwx", 34);
	assert_int_equal(y->unit_len, 34 + 30);
	assert_int_equal(y->format, 100); /* of the first */
	assert_ptr_equal(bodies_find(&b, &k), y);
	assert_int_equal(take(&b, &k, 2, false, 0, "wx", 2, &y), BODY_MORE); /* the last one again */
	bodies_fini(&b);
	assert_int_equal(b.bytes, 0);
}

static void one_block_is_whole(void **state)
{
	struct bodies b = { 0 };
	const struct body *y = NULL;
	struct body_key k = key_of(&b, 3);
	const struct body_block none = { .data = (const uint8_t *)"x", .len = 1 };

	(void)state;
	assert_int_equal(bodies_take(&b, &k, &none, &y), BODY_WHOLE);
	assert_int_equal(take(&b, &k, 0, false, 6, "x", 1, &y), BODY_WHOLE);
	bodies_fini(&b);
}

static void a_gap_another_tag_and_an_unknown_beginning_are_lost(void **state)
{
	struct bodies b = { 0 };
	const struct body *y = NULL;
	struct body_key k = key_of(&b, 3);
	struct body_block p = { .has = true, .data = (const uint8_t *)"0123456789abcdef", .len = 16 };

	(void)state;
	assert_int_equal(take(&b, &k, 1, true, 0, "0123456789abcdef", 16, &y), BODY_MORE);
	assert_int_equal(take(&b, &k, 2, false, 0, "x", 1, &y), BODY_LOST);
	assert_int_equal(take(&b, &k, 0, true, 0, "0123456789abcdef", 16, &y), BODY_MORE);
	assert_int_equal(take(&b, &k, 2, true, 0, "0123456789abcdef", 16, &y), BODY_MORE); /* dropped here .. */
	assert_int_equal(take(&b, &k, 3, false, 0, "x", 1, &y), BODY_LOST);                /* .. told here */
	p.etag = (const uint8_t *)"a";
	p.etag_len = 1;
	p.block = coap_block_make(0, true, 0);
	assert_int_equal(bodies_take(&b, &k, &p, &y), BODY_MORE);
	p.etag = (const uint8_t *)"b";
	p.block = coap_block_make(1, false, 0);
	assert_int_equal(bodies_take(&b, &k, &p, &y), BODY_LOST);
	assert_int_equal(b.map.count, 0);
	bodies_fini(&b);
}

static void bounds_hold(void **state)
{
	static char block[1024];
	struct bodies b = { 0 };
	const struct body *y = NULL;
	struct body_key k = key_of(&b, 3);

	(void)state;
	for (uint32_t i = 0; i < BODY_MOST / 1024; i++)
		assert_int_equal(take(&b, &k, i, true, 6, block, 1024, &y), BODY_MORE);
	assert_int_equal(take(&b, &k, BODY_MOST / 1024, false, 6, block, 1, &y), BODY_LOST);
	for (uint16_t i = 0; i < BODIES_N_MOST + 10; i++) {
		k = key_of(&b, i);
		assert_int_equal(take(&b, &k, 0, true, 6, block, 1024, &y), BODY_MORE);
	}
	assert_true(b.map.count <= BODIES_N_MOST);
	for (uint16_t i = 0; i < 200; i++) {
		k = key_of(&b, i);
		for (uint32_t n = 0; n < 60; n++)
			assert_int_equal(take(&b, &k, n, true, 6, block, 1024, &y), BODY_MORE);
	}
	assert_true(b.bytes <= BODIES_MOST);
	bodies_fini(&b);
	assert_int_equal(b.bytes, 0);
}

static void what_stands_still_for_long_goes_and_a_leg_takes_its_own_along(void **state)
{
	struct bodies b = { 0 };
	const struct body *y = NULL;
	struct body_key k = key_of(&b, 3), other = key_of(&y, 3);

	(void)state;
	clock_fake(CLOCK_BASE_MS, 0);
	assert_int_equal(take(&b, &k, 0, true, 0, "0123456789abcdef", 16, &y), BODY_MORE);
	clock_fake(CLOCK_BASE_MS + BODY_IDLE_MS + 1, 0);
	assert_int_equal(take(&b, &other, 0, true, 0, "0123456789abcdef", 16, &y), BODY_MORE);
	assert_int_equal(b.map.count, 1);
	assert_int_equal(take(&b, &k, 0, true, 0, "0123456789abcdef", 16, &y), BODY_MORE);
	bodies_forget(&b, &y);
	assert_int_equal(b.map.count, 1);
	assert_int_equal(take(&b, &other, 1, false, 0, "x", 1, &y), BODY_LOST);
	bodies_drop(&b, &k);
	assert_int_equal(b.map.count, 0);
	bodies_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_in_order_are_one_body),
		cmocka_unit_test(one_block_is_whole),
		cmocka_unit_test(a_gap_another_tag_and_an_unknown_beginning_are_lost),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(what_stands_still_for_long_goes_and_a_leg_takes_its_own_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
