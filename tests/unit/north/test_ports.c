/* SPDX-License-Identifier: Apache-2.0 */
/* test_ports.c - stands for src/north/ports.c and the keyed hash below it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"
#include "north/parts.h"

static const uint8_t key_a[32] = { 1, 2, 3 }, key_b[32] = { 1, 2, 4 };

static void keyed_hash_gives_the_published_vectors(void **state)
{
	/* Aumasson and Bernstein, SipHash-2-4, appendix A and the first of the reference vectors */
	uint8_t key[16], in[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	assert_true(siphash(key, in, 15) == 0xa129ca6149be45e5u);
	assert_true(siphash(key, in, 0) == 0x726fdb47dd0e0e31u);
	assert_true(siphash(key, in, 8) == 0x93f5f5799a932462u);
}

static void range_is_two_ports_in_order(void **state)
{
	static const char *const bad[] = { "",        "20000",         "20000-",   "-20000", "0-5",   "5-4",
					   "1-65536", "1-99999999999", "20000-2x", " 1-2",   "1 - 2", "a-b" };
	uint16_t first = 0, last = 0;

	(void)state;
	assert_int_equal(ports_range_parse(&first, &last, "20000-32767"), 0);
	assert_int_equal(first, 20000);
	assert_int_equal(last, 32767);
	assert_int_equal(ports_range_parse(&first, &last, "7-7"), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(ports_range_parse(&first, &last, bad[i]), -EBADMSG);
}

static void search_goes_round_the_range_and_ends(void **state)
{
	static struct ports p;

	(void)state;
	ports_init(&p, 1000, 1129);
	for (unsigned i = 1000; i < 1130; i++) {
		uint16_t port = ports_next_free(&p, 1100);

		assert_in_range(port, 1000, 1129);
		assert_false(ports_is_taken(&p, port));
		ports_take(&p, port);
	}
	assert_int_equal(p.free, 0);
	assert_int_equal(ports_next_free(&p, 1000), 0);
	ports_release(&p, 1064);
	assert_int_equal(ports_next_free(&p, 1065), 1064);
	assert_int_equal(ports_next_free(&p, 1064), 1064);
}

static void whole_space_can_be_the_range(void **state)
{
	static struct ports p;

	(void)state;
	ports_init(&p, 1, 65535);
	assert_int_equal(ports_next_free(&p, 65535), 65535);
	ports_take(&p, 65535);
	assert_int_equal(ports_next_free(&p, 65535), 1);
}

static void port_outside_the_range_is_noted_but_never_chosen(void **state)
{
	static struct ports p;

	(void)state;
	ports_init(&p, 1000, 1001);
	ports_take(&p, 5);
	assert_true(ports_is_taken(&p, 5));
	assert_int_equal(p.free, 2);
	ports_release(&p, 5);
	ports_release(&p, 5);
	assert_int_equal(p.free, 2);
	assert_int_equal(ports_next_free(&p, 5), 1000);
}

static void first_choice_is_the_same_for_the_same_names_and_key(void **state)
{
	static struct ports p;

	(void)state;
	ports_init(&p, 20000, 32767);
	assert_int_equal(ports_first_choice(&p, key_a, "meter-17", "main"),
			 ports_first_choice(&p, key_a, "meter-17", "main"));
	/* moving an octet from one name to the other is another pair */
	assert_int_not_equal(ports_first_choice(&p, key_a, "meter-17m", "ain"),
			     ports_first_choice(&p, key_a, "meter-17", "main"));
}

/* ref/reliability.md S26: ports cannot be foretold. */
static void ports_cannot_be_foretold_without_the_key_S26(void **state)
{
	enum { NAMES = 40000, RANGE = 12768, BINS = 16 };
	static unsigned bins[BINS];
	unsigned same = 0, neighbours = 0;
	static struct ports p;
	uint16_t before = 0;
	char name[32];

	(void)state;
	ports_init(&p, 20000, 20000 + RANGE - 1);
	for (unsigned i = 0; i < NAMES; i++) {
		uint16_t a, b;

		snprintf(name, sizeof name, "meter-%u", i);
		a = ports_first_choice(&p, key_a, name, "main");
		b = ports_first_choice(&p, key_b, name, "main");
		same += a == b;
		neighbours += i && (uint16_t)(a - before + 8) <= 16;
		before = a;
		bins[(a - 20000u) * BINS / RANGE]++;
	}
	/* by chance: 3 names have the same port under both keys, 53 come next to the name before */
	assert_in_range(same, 0, 20);
	assert_in_range(neighbours, 10, 150);
	for (unsigned i = 0; i < BINS; i++) /* 2500 each, sigma 48 */
		assert_in_range(bins[i], 2200, 2800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyed_hash_gives_the_published_vectors),
		cmocka_unit_test(range_is_two_ports_in_order),
		cmocka_unit_test(search_goes_round_the_range_and_ends),
		cmocka_unit_test(whole_space_can_be_the_range),
		cmocka_unit_test(port_outside_the_range_is_noted_but_never_chosen),
		cmocka_unit_test(first_choice_is_the_same_for_the_same_names_and_key),
		cmocka_unit_test(ports_cannot_be_foretold_without_the_key_S26),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
