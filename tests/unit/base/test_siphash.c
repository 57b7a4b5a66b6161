/* SPDX-License-Identifier: Apache-2.0 */
/* test_siphash.c - the test values of the paper and of its reference program */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/siphash.h"

static void the_values_of_the_paper_come_out(void **state)
{
	uint8_t key[SIPHASH_KEY_LEN], data[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof data; i++)
		data[i] = i;
	assert_true(siphash(key, data, 15) == 0xa129ca6149be45e5); /* Appendix A */
	assert_true(siphash(key, data, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(key, data, 8) == 0x93f5f5799a932462);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_values_of_the_paper_come_out) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
