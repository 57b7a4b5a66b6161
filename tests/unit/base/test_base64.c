/* SPDX-License-Identifier: Apache-2.0 */
/* test_base64.c - RFC 4648 10 and what peers make of it (T8 reference, case 14) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/random.h"

static const struct {
	const char *plain, *text;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static long decode(uint8_t *out, size_t size, const char *text)
{
	return base64_decode(out, size, text, strlen(text));
}

static void vectors_of_rfc_4648_hold_both_ways(void **state)
{
	char text[16];
	uint8_t out[8];

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const size_t len = strlen(vectors[i].plain);

		assert_int_equal(base64_encode(text, vectors[i].plain, len), strlen(vectors[i].text));
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(BASE64_LEN(len), strlen(vectors[i].text));
		assert_int_equal(decode(out, sizeof out, text), len);
		assert_memory_equal(out, vectors[i].plain, len);
	}
}

static void deviations_of_peers_are_taken(void **state)
{
	static const char *const same[] = { "+/+/Zg==",           "-_-_Zg==",       "+/+/Zg",  "-_-_Zg",
					    "+/\r\n+/\nZg==\r\n", "\n+/+/Zg=\r\n=", "+/+/Zg\n" };
	const uint8_t octets[] = { 0xfb, 0xff, 0xbf, 'f' };
	uint8_t out[8];

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		assert_int_equal(decode(out, sizeof out, same[i]), 4);
		assert_memory_equal(out, octets, 4);
	}
}

static void what_no_encoder_makes_is_refused(void **state)
{
	static const char *const bad[] = { "Z",     "Zm9vY",    "Zg=",   "Zm8==", "Zm9v=",  "Zm9v====", "=",
					   "Z===",  "Zg==Zg==", "Zg=a",  "Zh==",  "Zm9=",   "+/-_",     "Zm9 v",
					   "Zm9v ", "Zm\t9v",   "Z\xc3", "Zm9v,", "Zg==\t", "====" };
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(decode(out, sizeof out, bad[i]), -EBADMSG);
	assert_int_equal(base64_decode(out, sizeof out, "Zm\0v", 4), -EBADMSG);
}

static void nothing_is_written_beyond_size(void **state)
{
	uint8_t out[6] = { 0, 0, 0, 0x55, 0x55, 0x55 };

	(void)state;
	assert_int_equal(decode(out, 3, "Zm9vYmFy"), -EMSGSIZE);
	assert_int_equal(decode(out, 3, "Zm9v"), 3);
	assert_int_equal(out[3], 0x55);
	assert_int_equal(decode(NULL, 0, ""), 0);
	assert_int_equal(decode(NULL, 0, "Zg"), -EMSGSIZE);
}

static void all_lengths_come_back(void **state)
{
	uint8_t in[64], out[64];
	char text[BASE64_LEN(64) + 1];

	(void)state;
	for (size_t len = 0; len <= sizeof in; len++) {
		random_bytes(in, len);
		base64_encode(text, in, len);
		assert_int_equal(decode(out, len, text), len);
		assert_memory_equal(in, out, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_rfc_4648_hold_both_ways),
		cmocka_unit_test(deviations_of_peers_are_taken),
		cmocka_unit_test(what_no_encoder_makes_is_refused),
		cmocka_unit_test(nothing_is_written_beyond_size),
		cmocka_unit_test(all_lengths_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
