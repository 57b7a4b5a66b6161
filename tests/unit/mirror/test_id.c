/* SPDX-License-Identifier: Apache-2.0 */
/* test_id.c - names of reports */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mirror/inside.h"

static void ids_sort_in_the_order_in_which_they_were_made(void **state)
{
	static const uint64_t times[] = { 1767225600000, 1767225600000, 1767225600001, 1767225599000, 1767225600002, 0,
					  1767225600003 };
	struct report_ids ids = { 0 };
	char before[27] = "", id[27];

	(void)state;
	for (unsigned round = 0; round < 1000; round++)
		for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
			report_id(&ids, id, times[i] + round);
			assert_int_equal(strlen(id), 26);
			assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
			assert_true(strcmp(before, id) < 0);
			memcpy(before, id, sizeof before);
		}
}

static void the_time_can_be_read_from_it(void **state)
{
	struct report_ids ids = { 0 };
	char id[27];

	(void)state;
	report_id(&ids, id, 1469918176385); /* of the description of this form */
	id[10] = 0;
	assert_string_equal(id, "01ARYZ6S41");
}

static void counting_up_carries(void **state)
{
	struct report_ids ids = { .ms = 5, .tail = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 255 } };
	char id[27];

	(void)state;
	report_id(&ids, id, 5);
	assert_string_equal(id, "00000000050000000000000080");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_sort_in_the_order_in_which_they_were_made),
		cmocka_unit_test(the_time_can_be_read_from_it),
		cmocka_unit_test(counting_up_carries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
