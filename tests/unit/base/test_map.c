/* SPDX-License-Identifier: Apache-2.0 */
/* test_map.c - look-up, growth, removal on a walk */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/map.h"
#include "base/timer.h"

enum { N = 5000 };

struct entry {
	struct map_node node;
	uint32_t key;
	bool seen;
};

static bool eq(const struct map_node *n, const void *key, size_t len)
{
	return len == 4 && container_of(n, const struct entry, node)->key == *(const uint32_t *)key;
}

static bool any(const struct map_node *n, const void *key, size_t len)
{
	return n && !key && !len;
}

static struct entry *find(const struct map *m, uint32_t key)
{
	struct map_node *n = map_find(m, map_hash(&key, sizeof key), eq, &key, sizeof key);

	return n ? container_of(n, struct entry, node) : NULL;
}

static struct entry *filled(struct map *m)
{
	struct entry *e = calloc(N, sizeof *e);

	for (uint32_t i = 0; i < N; i++) {
		e[i].key = i;
		assert_int_equal(map_add(m, &e[i].node, map_hash(&i, sizeof i)), 0);
	}
	return e;
}

static void an_empty_map_finds_and_walks_nothing(void **state)
{
	struct map m = { 0 };
	size_t i = 0;

	(void)state;
	map_expect(&m, 1);
	assert_null(find(&m, 1));
	assert_null(map_next(&m, &i, NULL));
	map_fini(&m);
}

static void what_was_added_is_found_until_removed(void **state)
{
	struct map m = { 0 };
	struct entry *e = filled(&m);

	(void)state;
	assert_int_equal(m.count, N);
	for (uint32_t i = 0; i < N; i += 2)
		map_remove(&m, &e[i].node);
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(find(&m, i), i % 2 ? &e[i] : NULL);
	assert_int_equal(m.count, N / 2);
	map_fini(&m);
	free(e);
}

static void a_mark_goes_with_the_last_that_needs_it(void **state)
{
	struct map_node a, b, c, *found;
	struct map m = { 0 };

	(void)state; /* one slot: two of one mark, and one of another */
	assert_int_equal(map_add(&m, &a, 0), 0);
	assert_int_equal(map_add(&m, &b, UINT64_C(8) << 32), 0);
	assert_int_equal(map_add(&m, &c, UINT64_C(1) << 63), 0);
	assert_int_equal(m.marks[0], 1 | 1 << 4);
	map_remove(&m, &a);
	assert_int_equal(m.marks[0], 1 | 1 << 4);
	found = map_find(&m, UINT64_C(8) << 32, any, NULL, 0);
	assert_ptr_equal(found, &b);
	map_remove(&m, &b);
	assert_int_equal(m.marks[0], 1 << 4);
	map_remove(&m, &c);
	assert_int_equal(m.marks[0], 0);
	map_fini(&m);
}

static void chains_stay_short(void **state)
{
	struct map m = { 0 };
	struct entry *e = filled(&m);
	size_t longest = 0;

	(void)state;
	for (size_t i = 0; i <= m.mask; i++) {
		size_t n = 0;

		for (struct map_node *x = m.slots[i]; x; x = x->next)
			n++;
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 1, 16);
	map_fini(&m);
	free(e);
}

static void a_walk_meets_each_once_and_may_remove_behind_itself(void **state)
{
	struct map m = { 0 };
	struct entry *e = filled(&m);
	size_t i = 0, met = 0;
	struct map_node *n = map_next(&m, &i, NULL), *next;

	(void)state;
	for (; n; n = next) {
		struct entry *x = container_of(n, struct entry, node);

		next = map_next(&m, &i, n);
		assert_false(x->seen);
		x->seen = true;
		met++;
		map_remove(&m, n);
	}
	assert_int_equal(met, N);
	assert_int_equal(m.count, 0);
	map_fini(&m);
	free(e);
}

static void every_length_of_key_matters(void **state)
{
	const char zeros[40] = { 0 };

	(void)state;
	for (size_t a = 0; a < sizeof zeros; a++)
		for (size_t b = 0; b < a; b++)
			assert_true(map_hash(zeros, a) != map_hash(zeros, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_finds_and_walks_nothing),
		cmocka_unit_test(what_was_added_is_found_until_removed),
		cmocka_unit_test(a_mark_goes_with_the_last_that_needs_it),
		cmocka_unit_test(chains_stay_short),
		cmocka_unit_test(a_walk_meets_each_once_and_may_remove_behind_itself),
		cmocka_unit_test(every_length_of_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
