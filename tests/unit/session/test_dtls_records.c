/* SPDX-License-Identifier: Apache-2.0 */
/* test_dtls_records.c - what is read of a unit of DTLS records */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "session/dtls_records.h"

static size_t put(uint8_t *at, uint8_t type, uint8_t epoch, uint8_t seq, const char *body)
{
	size_t len = strlen(body);
	const uint8_t head[13] = { type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, seq, 0, (uint8_t)len };

	memcpy(at, head, sizeof head);
	memcpy(at + sizeof head, body, len);
	return sizeof head + len;
}

static struct dtls_unit read_ok(const uint8_t *data, size_t len)
{
	struct dtls_unit u;

	assert_int_equal(dtls_unit_read(&u, data, len), 0);
	return u;
}

static void several_records_are_one_unit(void **state)
{
	uint8_t buf[100];
	size_t n = put(buf, 22, 0, 1, "hello");
	struct dtls_unit u;

	(void)state;
	n += put(buf + n, 20, 0, 2, "x");
	n += put(buf + n, 22, 1, 0, "sealed");
	u = read_ok(buf, n);
	assert_int_equal(u.records, 3);
	assert_int_equal(u.content_type, 22);
	assert_int_equal(u.epoch, 0);
	assert_true(u.handshake);
}

static void a_flight_sent_again_has_the_same_mark(void **state)
{
	uint8_t a[100], b[100], c[100];
	size_t n = put(a, 22, 0, 1, "hello"), m = put(b, 22, 0, 7, "hello"), k = put(c, 22, 0, 7, "hellO");

	(void)state;
	n += put(a + n, 22, 1, 0, "sealed");
	m += put(b + m, 22, 1, 1, "SEALED"); /* ciphertext differs with the sequence number */
	k += put(c + k, 22, 1, 1, "SEALED");
	assert_true(read_ok(a, n).mark == read_ok(b, m).mark);
	assert_true(read_ok(a, n).mark != read_ok(c, k).mark);
}

static void application_data_is_no_flight(void **state)
{
	uint8_t buf[100];
	size_t n = put(buf, 23, 1, 9, "data");

	(void)state;
	assert_false(read_ok(buf, n).handshake);
	assert_int_equal(read_ok(buf, n).epoch, 1);
}

static void connection_ids_and_dtls_1_3_pass_as_they_are(void **state)
{
	const uint8_t cid[] = { 25, 0xfe, 0xfd, 1, 2, 3 }, sealed[] = { 0x2f, 1, 2, 3 };

	(void)state;
	assert_int_equal(read_ok(cid, sizeof cid).content_type, 25);
	assert_int_equal(read_ok(sealed, sizeof sealed).content_type, 0x2f);
	assert_false(read_ok(sealed, sizeof sealed).handshake);
}

/* Every cut of a unit is malformed, and nothing behind its end is read. */
static void cut_records_are_malformed(void **state)
{
	uint8_t buf[100];
	size_t n = put(buf, 22, 0, 1, "hello"), first = n;
	struct dtls_unit u;

	(void)state;
	n += put(buf + n, 23, 1, 2, "data");
	for (size_t len = 0; len < n; len++) {
		uint8_t exact[100];

		if (len == first)
			continue;
		memcpy(exact, buf, len);
		assert_int_equal(dtls_unit_read(&u, exact, len), -EBADMSG);
	}
}

static void another_version_or_type_is_malformed(void **state)
{
	uint8_t tls[] = { 22, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
		type[] = { 19, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct dtls_unit u;

	(void)state;
	assert_int_equal(dtls_unit_read(&u, tls, sizeof tls), -EBADMSG);
	assert_int_equal(dtls_unit_read(&u, type, sizeof type), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_records_are_one_unit),
		cmocka_unit_test(a_flight_sent_again_has_the_same_mark),
		cmocka_unit_test(application_data_is_no_flight),
		cmocka_unit_test(connection_ids_and_dtls_1_3_pass_as_they_are),
		cmocka_unit_test(cut_records_are_malformed),
		cmocka_unit_test(another_version_or_type_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
