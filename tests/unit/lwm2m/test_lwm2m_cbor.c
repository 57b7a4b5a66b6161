/* SPDX-License-Identifier: Apache-2.0 */
/* test_lwm2m_cbor.c - LwM2M CBOR, and CBOR that means harm, src/lwm2m/lwm2m_cbor.c and item.c */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/lwm2m/rows.h"

static struct lwm2m_decode_in like = { .arrival_us = ARRIVAL_US, .prefixes = true };

#define NEST(name, hex, want)                                \
	{                                                    \
		name, LWM2M_CF_LWM2M_CBOR, "/3/0", hex, want \
	}
#define ONE "/3/0/9 integer 1\n"

static void keys_of_maps_in_maps_make_the_path(void **state)
{
	static const struct row rows[] = {
		NEST("one number per map", "a203a100a200617806a200010105190ce7a100a1191644fb4035800000000000",
		     "/3/0/0 string \"x\"\n/3/0/6/0 integer 1\n/3/0/6/1 integer 5\n/3303/0/5700 float 21.5\n"),
		NEST("whole paths as keys", "a28303000901840300060105", "/3/0/9 integer 1\n/3/0/6/1 integer 5\n"),
		NEST("of indefinite length", "bf9f030009ff01ff", ONE),
		NEST("an empty array in front", "a180a103a100a10901", ONE),
		NEST("an instance that the device is to choose", "a103a119ffffa10901", "/3/65535/9 integer 1\n"),
		NEST("a time", "a18303000dc105", "/3/0/13 time 5\n"),
		NEST("a link", "a1831980e900076436353a30", "/33001/0/7 objlnk 65:0\n"),
		NEST("a text in chunks", "a1830300007f61616162ff", "/3/0/0 string \"ab\"\n"),
		NEST("octets in chunks", "a1831980e900055f4101420203ff", "/33001/0/5 opaque h'010203'\n"),
		NEST("nothing", "a0", ""),
		NEST("an instance without resources", "a103a100a0", ""),
		NEST("devices behind a gateway", "a263643031a103a100a1090163643032a103a100a10901",
		     "/d01/3/0/9 integer 1\n/d02/3/0/9 integer 1\n"),
		NEST("a gateway's word in an array", "a1846364303103000901", "/d01/3/0/9 integer 1\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void what_is_no_such_map(void **state)
{
	static const struct row rows[] = {
		NEST("an array", "8103", "!format"),
		NEST("a number", "03", "!format"),
		NEST("a key that is text", "a103a1617801", "!format"),
		NEST("a key below zero", "a12001", "!format"),
		NEST("a key beyond 16 bits", "a11a00010000a100a10001", "!format"),
		NEST("five levels", "a185030006010001", "!format"),
		NEST("a value for an instance", "a103a10005", "!format"),
		NEST("null", "a103a100a109f6", "!type"),
		NEST("an array for a value", "a103a100a1098101", "!type"),
		NEST("something behind", "a000", "!format"),
		NEST("a pair too few", "a203a100a10901", "!truncated"),
		NEST("no break", "bf03a100a10901", "!truncated"),
		NEST("nothing", "", "!truncated"),
		NEST("a break for a key", "a1ff01", "!format"),
		NEST("a simple value that means nothing", "a103a100a109e0", "!format"),
		NEST("a head that is reserved", "a103a100a1091c", "!format"),
		NEST("chunks of another kind", "a1830300007f4161ff", "!format"),
		NEST("a chunk in chunks", "a1830300007f7f6161ffff", "!format"),
		NEST("text that is not UTF-8", "a18303000062c080", "!bad_utf8"),
	};

	(void)state;
	RUN(&like, rows);
}

static void S8_the_same_path_twice_is_refused(void **state)
{
	static const struct row rows[] = {
		NEST("a resource", "a103a100a209010902", "!format"),
		NEST("an instance", "a103a200a1090100a10a01", "!format"),
		NEST("an object", "a203a100a1090103a100a10a01", "!format"),
		NEST("in other words", "a2820300a1006161830300006162", "!format"),
		NEST("an instance in other words", "a2820300a100616103a100a1096161", "!format"),
		{ "a label of SenML", LWM2M_CF_SENML_CBOR, NULL, "81a300662f332f302f3902010201", "!format" },
		{ "a label of SenML, once as text", LWM2M_CF_SENML_CBOR, NULL, "81a300662f332f302f390201617601",
		  "!format" },
		{ "a label that means nothing", LWM2M_CF_SENML_CBOR, NULL, "81a400662f332f302f3902011863011863f6",
		  "!format" },
	};

	(void)state;
	RUN(&like, rows);
}

/* ---- what would take time or memory ---- */

static const char *repeated(const struct lwm2m_decode_in *in, unsigned format, const char *head, const char *part,
			    size_t n)
{
	static uint8_t data[LWM2M_DECODE_LEN_MAX];
	const struct octets h = octets_of_hex(head), p = octets_of_hex(part);
	size_t len = h.len;

	memcpy(data, h.data, h.len);
	for (size_t i = 0; i < n; i++, len += p.len)
		memcpy(data + len, p.data, p.len);
	return report_octets(in, format, "/33001/0/5", data, len);
}

static void S8_depth_and_lengths_of_a_hostile_device(void **state)
{
	static const struct {
		const char *name;
		unsigned format;
		const char *head, *part;
		size_t n;
		const char *want;
	} rows[] = {
		{ "arrays in arrays without end", LWM2M_CF_SENML_CBOR, "81a10a", "9f", 60000, "!depth" },
		{ "arrays where maps belong", LWM2M_CF_SENML_CBOR, "", "9f", 60000, "!format" },
		{ "maps in maps", LWM2M_CF_LWM2M_CBOR, "", "a180", 60000, "!depth" },
		{ "arrays of a key", LWM2M_CF_LWM2M_CBOR, "a1", "81", 60000, "!format" },
		{ "tags, 10 000 deep", LWM2M_CF_CBOR, "", "d820", 10000, "!depth" },
		{ "tags of time", LWM2M_CF_CBOR, "", "c1", 10000, "!type" },
		{ "tags of fractions", LWM2M_CF_CBOR, "", "c482", 10000, "!type" },
		{ "tags in a record", LWM2M_CF_SENML_CBOR, "81a102", "d820", 10000, "!depth" },
		{ "a text of 2^64-1", LWM2M_CF_CBOR, "7bffffffffffffffff", "61", 100, "!truncated" },
		{ "octets of 2^64-1", LWM2M_CF_CBOR, "5bffffffffffffffff", "61", 100, "!truncated" },
		{ "an array of 2^64-1", LWM2M_CF_SENML_CBOR, "9bffffffffffffffff", "a0", 100, "!truncated" },
		{ "a map of 2^64-1", LWM2M_CF_LWM2M_CBOR, "bbffffffffffffffff", "00", 100, "!truncated" },
		{ "a map of 2^63", LWM2M_CF_SENML_CBOR, "81bb8000000000000000", "00", 100, "!truncated" },
		{ "labels without end", LWM2M_CF_SENML_CBOR, "81bf", "1863f6", 60000, "!format" },
		{ "chunks of nothing without end", LWM2M_CF_CBOR, "5f", "40", 60000, "!truncated" },
		{ "instances without end", LWM2M_CF_LWM2M_CBOR, "bf", "00a0", 60000, "!format" },
	};
	size_t before;

	(void)state;
	mallopt(M_MMAP_THRESHOLD, 1 << 30); /* all in one arena, which is never given back: its size is the peak */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	before = mallinfo2().arena;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = repeated(&like, rows[i].format, rows[i].head, rows[i].part, rows[i].n);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s\n got: %s\nwant: %s", rows[i].name, got, rows[i].want);
	}
	assert_true(mallinfo2().arena - before <= 65536 + 132 * 1024); /* the arena grows by 132 KiB at a time */
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
		cmocka_unit_test(keys_of_maps_in_maps_make_the_path),
		cmocka_unit_test(what_is_no_such_map),
		cmocka_unit_test(S8_the_same_path_twice_is_refused),
		cmocka_unit_test(S8_depth_and_lengths_of_a_hostile_device),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
