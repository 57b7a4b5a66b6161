/* SPDX-License-Identifier: Apache-2.0 */
/* test_link.c - the tables of kinds and the counters every link starts with */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "link/link.h"

static const struct link_ops *ops_of(int type)
{
	const struct link_conf conf = { .type = type };

	return link_ops_of(&conf);
}

static void built_kinds_have_functions_and_others_none(void **state)
{
	(void)state;
	assert_ptr_equal(ops_of(0), &link_t8_ops);
	assert_null(ops_of(1));
	assert_null(ops_of(2));
	assert_ptr_equal(ops_of(3), &link_udp_ops);
	assert_null(ops_of(4));
	assert_null(ops_of(-1)); /* an unknown word, while the other keys are checked */
}

static void the_tables_agree(void **state)
{
	(void)state;
	for (int i = 0; link_type_words[i]; i++) {
		const struct link_ops *ops = ops_of(i);

		assert_string_equal(link_variants[i].word, link_type_words[i]);
		assert_int_equal(link_variants[i].built, ops != NULL);
		assert_int_equal(link_items[0].unbuilt >> i & 1, ops == NULL);
		if (!ops)
			continue;
		assert_string_equal(ops->name, link_type_words[i]);
		assert_ptr_equal(ops->items, link_variants[i].items);
		assert_int_equal(ops->conf_size, link_variants[i].size);
	}
	for (int i = 0; i < LINK_CAUSE_COUNT; i++)
		assert_non_null(link_cause_names[i]);
	for (int i = 0; i < LINK_RES_COUNT; i++)
		assert_non_null(link_result_names[i]);
}

static void sum(void *arg, const char *name, const char *labels, double value)
{
	char *out = arg;

	if (value != 0)
		snprintf(out + strlen(out), 512 - strlen(out), "%s{%s} %.0f\n", name, labels, value);
}

static void a_link_counts_under_its_name_and_goes_on_after_a_reload(void **state)
{
	const struct link_conf conf = { .head = { .name = "op \"a\"" }, .type = 3 };
	struct link_env env = { 0 };
	struct link l = { 0 }, again = { 0 };
	char text[512] = "";

	(void)state;
	assert_int_equal(metrics_new(&env.metrics), 0);
	link_init(&l, &link_udp_ops, &conf, &env);
	link_count(&l, LINK_RES_ANSWERED);
	*l.bytes_up += 40;
	link_count_down(&l, LINK_DOWN_RES_DELIVERED);
	link_init(&again, &link_udp_ops, &conf, &env);
	link_count(&again, LINK_RES_ANSWERED);
	metrics_each(env.metrics, sum, text);
	assert_string_equal(text,
			    "uplink_total{transport=\"udp\",peer=\"op \\\"a\\\"\",result=\"answered\"} 2\n"
			    "downlink_total{transport=\"udp\",peer=\"op \\\"a\\\"\",result=\"delivered\"} 1\n"
			    "uplink_bytes_total{transport=\"udp\",peer=\"op \\\"a\\\"\"} 40\n");
	metrics_free(env.metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_kinds_have_functions_and_others_none),
		cmocka_unit_test(the_tables_agree),
		cmocka_unit_test(a_link_counts_under_its_name_and_goes_on_after_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
