/* SPDX-License-Identifier: Apache-2.0 */
/* test_dtls_record.c - stands for src/north/dtls_record.c: what of a datagram OpenSSL is shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "north/dtls.h"

enum { CHANGE = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23 };

/* A record with n octets of body, each of them its type. */
static size_t record(uint8_t *at, uint8_t type, uint8_t epoch, size_t n)
{
	const uint8_t head[13] = { type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 7, (uint8_t)(n >> 8), (uint8_t)n };

	memcpy(at, head, sizeof head);
	memset(at + sizeof head, type, n);
	return sizeof head + n;
}

static size_t alert(uint8_t *at, uint8_t epoch, uint8_t level, uint8_t description)
{
	size_t len = record(at, ALERT, epoch, 2);

	at[13] = level;
	at[14] = description;
	return len;
}

static void flight_passes_as_it_is(void **state)
{
	uint8_t data[400], copy[400];
	struct dtls_sorted s;
	size_t len = 0;

	(void)state;
	len += record(data + len, HANDSHAKE, 0, 100);
	len += record(data + len, CHANGE, 0, 1);
	len += record(data + len, HANDSHAKE, 1, 40);
	memcpy(copy, data, len);
	assert_int_equal(dtls_sort(data, len, true, &s), len);
	assert_memory_equal(data, copy, len);
	assert_int_equal(s.dropped, 0);
	assert_false(s.alert);
}

static void alert_without_protection_is_taken_out_and_noted(void **state)
{
	uint8_t data[400], copy[400];
	struct dtls_sorted s;
	size_t a, b, len;

	(void)state;
	a = record(copy, HANDSHAKE, 0, 20);
	b = record(copy + a, HANDSHAKE, 0, 30);
	memcpy(data, copy, a);
	len = a + alert(data + a, 0, 2, 40);
	memcpy(data + len, copy + a, b);
	assert_int_equal(dtls_sort(data, len + b, true, &s), a + b);
	assert_memory_equal(data, copy, a + b);
	assert_int_equal(s.dropped, 1);
	assert_true(s.alert);
	assert_int_equal(s.description, 40);
}

static void alert_that_ends_nothing_is_not_noted(void **state)
{
	uint8_t data[100];
	struct dtls_sorted s;

	(void)state;
	assert_int_equal(dtls_sort(data, alert(data, 0, 1, 0), true, &s), 0); /* a warning */
	assert_false(s.alert);
	assert_int_equal(dtls_sort(data, alert(data, 0, 2, 40), false, &s), 0); /* no handshake runs */
	assert_false(s.alert);
	assert_int_equal(dtls_sort(data, record(data, ALERT, 0, 3), true, &s), 0); /* of a wrong length */
	assert_false(s.alert);
	assert_true(dtls_sort(data, alert(data, 1, 2, 40), true, &s) > 0); /* protected: OpenSSL's to judge */
	assert_false(s.alert);
}

static void nothing_without_protection_reaches_a_session(void **state)
{
	static const uint8_t types[] = { CHANGE, ALERT, HANDSHAKE, DATA };
	uint8_t data[200];
	struct dtls_sorted s;

	(void)state;
	for (size_t i = 0; i < sizeof types; i++) {
		assert_int_equal(dtls_sort(data, record(data, types[i], 0, 20), false, &s), 0);
		assert_int_equal(s.dropped, 1);
		assert_int_equal(dtls_sort(data, record(data, types[i], 1, 20), false, &s), 33);
		assert_int_equal(s.dropped, 0);
	}
	assert_int_equal(dtls_sort(data, record(data, DATA, 0, 20), true, &s), 0);
}

static void what_is_no_record_is_dropped_with_all_behind_it(void **state)
{
	static uint8_t data[70000];
	struct dtls_sorted s;
	size_t good = record(data, HANDSHAKE, 0, 10);

	(void)state;
	record(data + good, 24, 0, 10); /* a type that is not spoken here */
	assert_int_equal(dtls_sort(data, good + 23, true, &s), good);
	assert_int_equal(s.dropped, 1);
	record(data + good, HANDSHAKE, 0, 10);
	data[good + 1] = 3; /* TLS */
	assert_int_equal(dtls_sort(data, good + 23, true, &s), good);
	assert_int_equal(s.dropped, 1);
	record(data + good, HANDSHAKE, 0, 16384 + 257);
	assert_int_equal(dtls_sort(data, good + 13 + 16384 + 257, true, &s), good);
	record(data + good, HANDSHAKE, 0, 16384 + 256);
	assert_int_equal(dtls_sort(data, good + 13 + 16384 + 256, true, &s), good + 13 + 16384 + 256);
	assert_int_equal(s.dropped, 0);
	assert_int_equal(dtls_sort(data, 0, true, &s), 0);
	assert_int_equal(s.dropped, 0);
}

static void datagram_that_was_cut_anywhere_gives_whole_records_only(void **state)
{
	uint8_t whole[200], data[200];
	struct dtls_sorted s;
	size_t a = record(whole, HANDSHAKE, 0, 30), len = a + record(whole + a, HANDSHAKE, 1, 50);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		uint8_t *exact = malloc(cut + 1); /* so that a sanitizer sees one octet too many */
		size_t expect = cut == len ? len : cut >= a ? a : 0;

		memcpy(data, whole, len);
		memcpy(exact + 1, data, cut);
		assert_int_equal(dtls_sort(exact + 1, cut, true, &s), expect);
		assert_int_equal(s.dropped, cut != expect);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flight_passes_as_it_is),
		cmocka_unit_test(alert_without_protection_is_taken_out_and_noted),
		cmocka_unit_test(alert_that_ends_nothing_is_not_noted),
		cmocka_unit_test(nothing_without_protection_reaches_a_session),
		cmocka_unit_test(what_is_no_record_is_dropped_with_all_behind_it),
		cmocka_unit_test(datagram_that_was_cut_anywhere_gives_whole_records_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
