/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics.c - cells, and the page they are printed on */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/metrics.h"

static char page[4096];

static void collect(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(page, text, len < sizeof page - strlen(page) ? len : 0);
}

static const char *printed(const struct metrics *m)
{
	page[0] = '\0';
	metrics_print(m, "x_", collect, NULL);
	return page;
}

static double half(void *arg)
{
	return *(double *)arg;
}

static void the_cell_of_a_series_is_the_same_each_time(void **state)
{
	struct metrics *m;
	uint64_t *a, *b;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	a = metrics_counter(m, "n_total", "r=\"1\"", "Things");
	b = metrics_counter(m, "n_total", "r=\"2\"", "Things");
	assert_ptr_not_equal(a, b);
	*a += 3;
	assert_ptr_equal(metrics_counter(m, "n_total", "r=\"1\"", "Things"), a);
	*metrics_counter(m, "plain", NULL, "No labels") = UINT64_MAX;
	assert_string_equal(
		printed(m),
		"# HELP x_n_total Things\n# TYPE x_n_total counter\nx_n_total{r=\"1\"} 3\nx_n_total{r=\"2\"} 0\n"
		"# HELP x_plain No labels\n# TYPE x_plain counter\nx_plain 18446744073709551615\n");
	metrics_free(m);
}

static void a_gauge_is_read_when_printed_replaced_and_removed(void **state)
{
	double one = 0.5, two = 1e300 * 1e300;
	struct metrics *m;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	metrics_gauge(m, "g", "a=\"1\"", "G", half, &one);
	metrics_gauge(m, "g", "a=\"2\"", "G", half, &one);
	metrics_gauge(m, "g", "a=\"2\"", "G", half, &two);
	assert_string_equal(printed(m), "# HELP x_g G\n# TYPE x_g gauge\nx_g{a=\"1\"} 0.5\nx_g{a=\"2\"} +Inf\n");
	metrics_gauge(m, "g", "a=\"2\"", "G", NULL, NULL);
	metrics_gauge(m, "g", "a=\"3\"", "G", half, &one);
	assert_string_equal(printed(m), "# HELP x_g G\n# TYPE x_g gauge\nx_g{a=\"1\"} 0.5\nx_g{a=\"3\"} 0.5\n");
	metrics_gauge(m, "g", "a=\"1\"", "G", NULL, NULL);
	metrics_gauge(m, "g", "a=\"3\"", "G", NULL, NULL);
	metrics_gauge(m, "g", "a=\"9\"", "G", NULL, NULL);
	assert_string_equal(printed(m), "");
	metrics_free(m);
}

static void a_histogram_counts_up_to_each_bound(void **state)
{
	const double bounds[] = { 0.01, 1 };
	struct metrics_histogram *h;
	struct metrics *m;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	h = metrics_histogram(m, "h", "l=\"v\"", "H", bounds, 2);
	assert_ptr_equal(metrics_histogram(m, "h", "l=\"v\"", "H", bounds, 2), h);
	metrics_observe(h, 0.01);
	metrics_observe(h, 0.5);
	metrics_observe(h, 7);
	metrics_observe(NULL, 7);
	assert_string_equal(printed(m),
			    "# HELP x_h H\n# TYPE x_h histogram\nx_h_bucket{l=\"v\",le=\"0.01\"} 1\n"
			    "x_h_bucket{l=\"v\",le=\"1\"} 2\nx_h_bucket{l=\"v\",le=\"+Inf\"} 3\n"
			    "x_h_sum{l=\"v\"} 7.51\nx_h_count{l=\"v\"} 3\n");
	metrics_free(m);
}

static void one_name_has_one_kind(void **state)
{
	double one = 1;
	struct metrics *m;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	*metrics_counter(m, "n", NULL, "N") = 1;
	metrics_gauge(m, "n", NULL, "N", half, &one);
	metrics_gauge(m, "n", "a=\"1\"", "N", half, &one);
	assert_null(metrics_histogram(m, "n", NULL, "N", &one, 1));
	assert_string_equal(printed(m), "# HELP x_n N\n# TYPE x_n counter\nx_n 1\n");
	metrics_free(m);
}

static void label_values_are_escaped_and_cut_whole(void **state)
{
	char buf[8];

	(void)state;
	assert_string_equal(metrics_label(buf, sizeof buf, "a\"\\\n"), "a\\\"\\\\\\n");
	assert_string_equal(metrics_label(buf, 4, "aa\"b"), "aa");
}

static void add_up(void *arg, const char *name, const char *labels, double value)
{
	(void)name;
	(void)labels;
	*(double *)arg += value;
}

static void each_meets_counters_and_gauges(void **state)
{
	double sum = 0, two = 2;
	struct metrics *m;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	*metrics_counter(m, "n", NULL, "N") = 1;
	metrics_gauge(m, "g", NULL, "G", half, &two);
	metrics_histogram(m, "h", NULL, "H", &two, 1);
	metrics_each(m, add_up, &sum);
	assert_int_equal(sum, 3);
	metrics_free(m);
	metrics_free(NULL);
}

static void a_quantile_lies_between_the_bounds(void **state)
{
	static const double bounds[] = { 1, 2, 4 };
	struct metrics_histogram *a, *b;
	struct metrics *m;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	a = metrics_histogram(m, "h", "r=\"1\"", "H", bounds, 3);
	b = metrics_histogram(m, "h", "r=\"2\"", "H", bounds, 3);
	metrics_counter(m, "n", NULL, "N");
	assert_true(isnan(metrics_quantile(m, "h", 0.5)));
	assert_true(isnan(metrics_quantile(m, "n", 0.5)));
	assert_true(isnan(metrics_quantile(m, "no such", 0.5)));
	for (unsigned i = 0; i < 50; i++) {
		metrics_observe(a, 0.5);
		metrics_observe(b, 3);
	}
	assert_true(metrics_quantile(m, "h", 0.25) <= 1);
	assert_true(metrics_quantile(m, "h", 0.75) > 2 && metrics_quantile(m, "h", 0.75) <= 4);
	assert_true(metrics_quantile(m, "h", 0.99) > metrics_quantile(m, "h", 0.6));
	for (unsigned i = 0; i < 1000; i++)
		metrics_observe(b, 1000);
	assert_true(metrics_quantile(m, "h", 0.99) >= 4 && metrics_quantile(m, "h", 0.99) < 5);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cell_of_a_series_is_the_same_each_time),
		cmocka_unit_test(a_gauge_is_read_when_printed_replaced_and_removed),
		cmocka_unit_test(a_histogram_counts_up_to_each_bound),
		cmocka_unit_test(one_name_has_one_kind),
		cmocka_unit_test(label_values_are_escaped_and_cut_whole),
		cmocka_unit_test(each_meets_counters_and_gauges),
		cmocka_unit_test(a_quantile_lies_between_the_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
