/* SPDX-License-Identifier: Apache-2.0 */
/* test_tlv.c - the TLV format, src/lwm2m/tlv.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/lwm2m/rows.h"

static struct lwm2m_decode_in like = { .arrival_us = ARRIVAL_US };

#define TLV(name, path, hex, want)                  \
	{                                           \
		name, LWM2M_CF_TLV, path, hex, want \
	}

static void identifiers_are_relative_to_the_path(void **state)
{
	static const struct row rows[] = {
		TLV("resources of an instance", "/3/0", "c3004f4d41c10964",
		    "/3/0/0 string \"OMA\"\n/3/0/9 integer 100\n"),
		TLV("instances of an object", "/3303",
		    "0800"
		    "07"
		    "e4164441ac0000"
		    "0801"
		    "07"
		    "e4164442280000",
		    "/3303/0/5700 float 21.5\n/3303/1/5700 float 42\n"),
		TLV("a multiple resource in an instance", "/3/0", "8606410001410105c10964",
		    "/3/0/6/0 integer 1\n/3/0/6/1 integer 5\n/3/0/9 integer 100\n"),
		TLV("a resource", "/3/0/9", "c10964", "/3/0/9 integer 100\n"),
		TLV("a resource instance", "/3/0/6/1", "410105", "/3/0/6/1 integer 5\n"),
		TLV("a resource instance in its resource", "/3/0/6/1", "8306410105", "/3/0/6/1 integer 5\n"),
		TLV("a resource instance written as a resource", "/3/0/6/1", "c10105", "/3/0/6/1 integer 5\n"),
		TLV("an empty instance", "/3303", "0000", ""),
		TLV("an empty multiple resource", "/3/0", "8006", ""),
		TLV("nothing", "/3/0", "", ""),
		TLV("an identifier of 16 bits, a length of 8", "/33000/0", "e8ffff0401020304",
		    "/33000/0/65535 opaque h'01020304'\n"),
		TLV("a length of 16 bits", "/33000/0", "d0010001ff", "/33000/0/1 opaque h'ff'\n"),
		TLV("a length of 24 bits", "/33000/0", "d801000001ff", "/33000/0/1 opaque h'ff'\n"),
		TLV("a Create without its instance", "/3303", "e4164441ac0000", "/3303/65535/5700 float 21.5\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void two_habits_of_devices_are_taken(void **state)
{
	static const struct row rows[] = {
		TLV("an instance where the instance was asked for", "/3303/0", "080007e4164441ac0000",
		    "/3303/0/5700 float 21.5\n"),
		TLV("but not another one", "/3303/0", "080107e4164441ac0000", "!format"),
		TLV("resource instances without their resource", "/3/0/6", "410001410105",
		    "/3/0/6/0 integer 1\n/3/0/6/1 integer 5\n"),
		TLV("but not in an instance", "/3/0", "410001", "!format"),
	};

	(void)state;
	RUN(&like, rows);
}

static void lengths_say_what_a_number_is(void **state)
{
	static const struct row rows[] = {
		TLV("1, 2, 4, 8 octets", "/33001",
		    "0800"
		    "07"
		    "c201ff38"
		    "c1"
		    "0280",
		    "/33001/0/1 integer -200\n/33001/0/2 integer 128\n"),
		TLV("4 octets", "/33001/0", "c401ffffffff", "/33001/0/1 integer -1\n"),
		TLV("8 octets", "/33001/0", "c801087fffffffffffffff", "/33001/0/1 integer 9223372036854775807\n"),
		TLV("unsigned", "/33001/0",
		    "c4"
		    "02ffffffff",
		    "/33001/0/2 integer 4294967295\n"),
		TLV("3 octets", "/33001/0", "c301000001", "!type"),
		TLV("none", "/33001/0", "c001", "!type"),
		TLV("a float of 2", "/33001/0", "c2034d60", "!type"),
		TLV("a boolean of 2", "/33001/0", "c2040001", "!type"),
		TLV("a boolean that is 2", "/33001/0", "c10402", "!type"),
		TLV("a time of 8 octets", "/33001/0",
		    "c80608"
		    "ffffffffffffffff",
		    "/33001/0/6 time -1\n"),
		TLV("a link of 3 octets", "/33001/0", "c307000000", "!type"),
		TLV("text that is not UTF-8", "/33001/0", "c100ff", "!bad_utf8"),
		TLV("an empty text", "/33001/0", "c000", "/33001/0/0 string \"\"\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void what_may_not_stand_where_it_does(void **state)
{
	static const struct row rows[] = {
		TLV("an instance below a resource", "/3/0/9", "0000", "!format"),
		TLV("another resource than asked for", "/3/0/9", "c10864", "!format"),
		TLV("another resource instance", "/3/0/6/1", "410205", "!format"),
		TLV("a resource in a resource", "/3/0", "8306c10001", "!depth"),
		TLV("a resource instance in an instance", "/3303", "080003410001", "!format"),
		TLV("the root says nothing", "/", "c10164", "!format"),
		{ "nor does no path", LWM2M_CF_TLV, NULL, "c10164", "!format" },
		TLV("a good value before a fault is not handed over", "/3/0", "c10964c30a000001", "!type"),
	};

	(void)state;
	RUN(&like, rows);
}

static void S7_lengths_beyond_the_payload(void **state)
{
	static const struct row rows[] = {
		TLV("24 bits of ones in 20 octets", "/33000/0", "d801ffffff000000000000000000000000000000",
		    "!truncated"),
		TLV("one octet short", "/33000/0", "c201ff", "!truncated"),
		TLV("a type alone", "/33000/0", "c1", "!truncated"),
		TLV("half an identifier", "/33000/0", "e116", "!truncated"),
		TLV("no identifier, no length", "/33000/0", "f8", "!truncated"),
		TLV("a length that is cut", "/33000/0", "d001ff", "!truncated"),
		TLV("within an instance", "/3303", "080002e416", "!truncated"),
		TLV("more than its instance holds", "/3303",
		    "080003c20101"
		    "ff",
		    "!truncated"),
		TLV("zeros", "/3303", "00000000", ""),
		TLV("zeros for a resource", "/3303/0/1", "0000", "!format"),
	};

	(void)state;
	RUN(&like, rows);
}

/* A hundred instances inside each other: refused at the second. */
static void S7_a_hundred_levels(void **state)
{
	uint8_t data[400];
	size_t len = 0;

	(void)state;
	for (unsigned i = 100; i--;) {
		const size_t inner = 4 * (size_t)i;

		data[len++] = 0x10;
		data[len++] = 0;
		data[len++] = (uint8_t)(inner >> 8);
		data[len++] = (uint8_t)inner;
	}
	assert_string_equal(report_octets(&like, LWM2M_CF_TLV, "/3303", data, len), "!depth");
}

static void S7_more_values_than_the_cap(void **state)
{
	static uint8_t data[3 * (LWM2M_DECODE_VALUES_MAX + 1)];
	const char *got;

	(void)state;
	for (size_t i = 0; i < sizeof data / 3; i++) {
		data[3 * i] = 0xc1;
		data[3 * i + 1] = (uint8_t)i;
		data[3 * i + 2] = 7;
	}
	got = report_octets(&like, LWM2M_CF_TLV, "/33000/0", data, sizeof data - 3);
	assert_non_null(strstr(got, "/33000/0/255 opaque h'07'\n"));
	assert_string_equal(report_octets(&like, LWM2M_CF_TLV, "/33000/0", data, sizeof data), "!format");
}

static int set_up(void **state)
{
	(void)state;
	like.registry = test_registry();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lwm2m_registry_free((struct lwm2m_registry *)(uintptr_t)like.registry);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identifiers_are_relative_to_the_path),
		cmocka_unit_test(two_habits_of_devices_are_taken),
		cmocka_unit_test(lengths_say_what_a_number_is),
		cmocka_unit_test(what_may_not_stand_where_it_does),
		cmocka_unit_test(S7_lengths_beyond_the_payload),
		cmocka_unit_test(S7_a_hundred_levels),
		cmocka_unit_test(S7_more_values_than_the_cap),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
