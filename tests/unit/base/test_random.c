/* SPDX-License-Identifier: Apache-2.0 */
/* test_random.c - bounds, and a sequence that can be had again */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"

static void below_gives_every_value_and_no_other(void **state)
{
	unsigned seen[7] = { 0 };

	(void)state;
	for (int i = 0; i < 2000; i++) {
		const uint32_t x = random_below(7);

		assert_in_range(x, 0, 6);
		seen[x]++;
	}
	for (size_t i = 0; i < 7; i++)
		assert_true(seen[i] > 0);
	assert_int_equal(random_below(1), 0);
}

static void blocks_are_never_given_out_twice(void **state)
{
	uint64_t x[1000];

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		random_bytes(&x[i], sizeof x[i]);
	for (size_t i = 0; i < 1000; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(x[i] != x[j]);
}

static void a_seed_brings_the_same_sequence(void **state)
{
	uint8_t a[100], b[100];

	(void)state;
	random_seed(42);
	random_bytes(a, sizeof a);
	random_seed(42);
	random_bytes(b, sizeof b);
	assert_memory_equal(a, b, sizeof a);
	random_seed(43);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_gives_every_value_and_no_other),
		cmocka_unit_test(blocks_are_never_given_out_twice),
		cmocka_unit_test(a_seed_brings_the_same_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
