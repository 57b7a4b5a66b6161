/* SPDX-License-Identifier: Apache-2.0 */
/* test_csv.c - records of comma-separated values, src/ctl/csv.c; examples after RFC 4180 2 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/csv.h"

struct source {
	const char *text;
	size_t len, at, step; /* octets given at once */
	bool broken;
};

static long give(void *arg, char *buf, size_t size)
{
	struct source *s = arg;
	size_t n = s->len - s->at;

	if (s->broken && !n)
		return -1;
	if (n > s->step)
		n = s->step;
	assert_true(n <= size);
	memcpy(buf, s->text + s->at, n);
	s->at += n;
	return (long)n;
}

static struct csv csv;

/* All of it as text: fields in brackets, "LINE!fault" for a fault, one record a line. */
static void read_all(char *out, size_t size, const char *text, size_t len, size_t step)
{
	struct source s = { text, len, 0, step, false };
	size_t used = 0;
	int n;

	csv_init(&csv, give, &s);
	*out = '\0';
	while ((n = csv_next(&csv))) {
		used += (size_t)snprintf(out + used, size - used, "%u", csv.at_line);
		if (n < 0)
			used += (size_t)snprintf(out + used, size - used, "!%s", csv.fault);
		for (size_t i = 0; n == 1 && i < csv.fields; i++)
			used += (size_t)snprintf(out + used, size - used, "[%s]", csv.field[i]);
		used += (size_t)snprintf(out + used, size - used, "\n");
	}
	assert_int_equal(csv_next(&csv), 0); /* the end stays the end */
}

/* The same however the octets come in. */
static void expect(const char *text, const char *wanted)
{
	char got[1000];

	for (size_t step = 1; step <= 100; step += step < 4 ? 1 : 32) {
		read_all(got, sizeof got, text, strlen(text), step);
		assert_string_equal(got, wanted);
	}
}

static void fields_are_separated_by_commas(void **state)
{
	(void)state;
	expect("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", "1[aaa][bbb][ccc]\n2[zzz][yyy][xxx]\n");
	expect("a,,\n,\n \n", "1[a][][]\n2[][]\n3[ ]\n");
}

static void the_last_line_end_may_be_missing(void **state)
{
	(void)state;
	expect("aaa,bbb", "1[aaa][bbb]\n");
	expect("aaa,", "1[aaa][]\n");
	expect("aaa\r", "1[aaa]\n");
	expect("\"aaa\"", "1[aaa]\n");
	expect("", "");
}

static void quotes_hold_commas_quotes_and_line_ends(void **state)
{
	(void)state;
	expect("\"aaa\",\"b \r\nbb\",\"c,\"\"c\"\r\nzzz\n", "1[aaa][b \r\nbb][c,\"c]\n3[zzz]\n");
	expect("\"\"\n\"\"\"\"\n", "1[]\n2[\"]\n");
}

static void empty_lines_and_a_byte_order_mark_are_passed_over(void **state)
{
	(void)state;
	expect("\xef\xbb\xbf\n\r\na\n\n\nb\n", "3[a]\n6[b]\n");
}

static void a_fault_costs_its_line_only(void **state)
{
	(void)state;
	expect("a\"b,c\nd\n", "1!a quote stands inside a field that does not begin with one\n2[d]\n");
	expect("\"a\"b,c\nd\n", "1!something stands behind a closing quote\n2[d]\n");
	expect("a\rb\nd\n", "1!a carriage return stands in it without a line feed\n2[d]\n");
	expect("\rb\nd\n", "1!a carriage return stands in it without a line feed\n2[d]\n");
	expect("\xff,x\nd\n", "1!not UTF-8\n2[d]\n");
	expect("\xc3\"a\"\nd\n", "1!a quote stands inside a field that does not begin with one\n2[d]\n");
	expect("d\n\"a\nb", "1[d]\n2!a quote is not closed before the end of the file\n");
}

static void an_octet_of_zero_is_a_fault(void **state)
{
	char got[200];

	(void)state;
	read_all(got, sizeof got, "a\0b\nc\n", 6, 3);
	assert_string_equal(got, "1!an octet of 0 stands in it\n2[c]\n");
}

static void records_have_a_bound(void **state)
{
	size_t len = CSV_RECORD_MOST + 10;
	char *text = malloc(len + 1), got[200];

	(void)state;
	assert_non_null(text);
	for (size_t most = CSV_RECORD_MOST - 1; most <= CSV_RECORD_MOST; most++) {
		memset(text, 'x', most);
		strcpy(text + most, "\nb\n");
		csv_init(&csv, give, &(struct source){ text, most + 3, 0, 1000, false });
		assert_int_equal(csv_next(&csv), most < CSV_RECORD_MOST ? 1 : -EBADMSG);
		assert_int_equal(csv_next(&csv), 1);
		assert_string_equal(csv.field[0], "b");
	}
	memset(text, ',', len);
	strcpy(text + 300, "\nb\n");
	read_all(got, sizeof got, text, 303, 50);
	assert_string_equal(got, "1!more than 256 fields\n2[b]\n");
	memset(text, '\n', len); /* in quotes: too long just where a line ends */
	text[0] = '"';
	csv_init(&csv, give, &(struct source){ text, len, 0, 1000, false });
	assert_int_equal(csv_next(&csv), -EBADMSG);
	assert_int_equal(csv_next(&csv), 0);
	free(text);
}

static void plain_lines_are_given_whole(void **state)
{
	struct source s = { "{\"a\": 1}\r\n\n[\xff]\n\"x\ny", 19, 0, 3, false };

	(void)state;
	csv_init(&csv, give, &s);
	assert_int_equal(csv_next_line(&csv), 1);
	assert_string_equal(csv.text, "{\"a\": 1}");
	assert_int_equal(csv_next_line(&csv), -EBADMSG);
	assert_int_equal(csv.at_line, 3);
	assert_int_equal(csv_next_line(&csv), 1);
	assert_string_equal(csv.text, "\"x");
	assert_int_equal(csv_next_line(&csv), 1);
	assert_int_equal(csv.at_line, 5);
	assert_int_equal(csv_next_line(&csv), 0);
	assert_false(csv.failed);
}

static void an_error_of_reading_is_told_from_the_end(void **state)
{
	struct source s = { "a\nb", 3, 0, 2, true };

	(void)state;
	csv_init(&csv, give, &s);
	assert_int_equal(csv_next(&csv), 1);
	assert_int_equal(csv_next(&csv), 1);
	assert_true(csv.failed);
	assert_int_equal(csv_next(&csv), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_separated_by_commas),
		cmocka_unit_test(the_last_line_end_may_be_missing),
		cmocka_unit_test(quotes_hold_commas_quotes_and_line_ends),
		cmocka_unit_test(empty_lines_and_a_byte_order_mark_are_passed_over),
		cmocka_unit_test(a_fault_costs_its_line_only),
		cmocka_unit_test(an_octet_of_zero_is_a_fault),
		cmocka_unit_test(records_have_a_bound),
		cmocka_unit_test(plain_lines_are_given_whole),
		cmocka_unit_test(an_error_of_reading_is_told_from_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
