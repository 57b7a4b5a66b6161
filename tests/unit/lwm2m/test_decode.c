/* SPDX-License-Identifier: Apache-2.0 */
/* test_decode.c - reports in every format, src/lwm2m/decode.c and the readers below it */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/coap/vectors.h"
#include "unit/lwm2m/reported.h"

struct row {
	const char *name;
	unsigned format;
	const char *path;    /* of the request; NULL: none */
	const char *payload; /* hexadecimal for binary formats, else text */
	const char *want;
};

static struct lwm2m_registry *registry;

static bool is_binary(unsigned format)
{
	return format == LWM2M_CF_CBOR || format == LWM2M_CF_SENML_CBOR || format == LWM2M_CF_ETCH_CBOR || format == LWM2M_CF_TLV ||
		format == LWM2M_CF_OLD_TLV || format == LWM2M_CF_LWM2M_CBOR || format == LWM2M_CF_OPAQUE;
}

/* Each payload ends where a page may not be touched. */
static const char *report(const struct row *row, const struct lwm2m_decode_in *like)
{
	static struct guarded g;
	const struct octets o = is_binary(row->format) ? octets_of_hex(row->payload) : (struct octets){ 0 };
	struct lwm2m_decode_in in = *like;
	struct lwm2m_path path;

	if (!g.base)
		g = guarded_open(65536);
	in.format = row->format;
	in.len = is_binary(row->format) ? o.len : strlen(row->payload);
	in.payload = guarded_put(&g, is_binary(row->format) ? (const void *)o.data : row->payload, in.len);
	if (row->path) {
		assert_int_equal(lwm2m_path_parse(&path, NULL, row->path, strlen(row->path), NULL), 0);
		in.path = &path;
	}
	return reported(&in);
}

static void run_like(const struct row *rows, size_t n, const struct lwm2m_decode_in *like)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = report(&rows[i], like);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: format %u\n got: %s\nwant: %s", rows[i].name, rows[i].format, got, rows[i].want);
	}
}

static void run(const struct row *rows, size_t n)
{
	const struct lwm2m_decode_in like = { .arrival_us = ARRIVAL_US, .registry = registry };

	run_like(rows, n, &like);
}
#define RUN(rows) run(rows, sizeof rows / sizeof rows[0])

/* ---- the vectors of the reference ---- */

static void vectors_of_the_reference(void **state)
{
	static const struct row rows[] = {
		{ "SenML-CBOR /3303/0 5700=21.5 5701=Cel", LWM2M_CF_SENML_CBOR, NULL,
		  "82a321682f333330332f302f00643537303002f94d60a2006435373031036343656c",
		  "/3303/0/5700 float 21.5\n/3303/0/5701 string \"Cel\"\n" },
		{ "LwM2M-CBOR {[3303,0]:{5700:21.5,5701:\"Cel\"}}", LWM2M_CF_LWM2M_CBOR, "/3303/0",
		  "a182190ce700a2191644f94d601916456343656c",
		  "/3303/0/5700 float 21.5\n/3303/0/5701 string \"Cel\"\n" },
		{ "TLV resource 5700 float32 21.5", LWM2M_CF_TLV, "/3303/0/5700", "e4164441ac0000",
		  "/3303/0/5700 float 21.5\n" },
		{ "TLV instance wrapper 0 {5700,5701}", LWM2M_CF_TLV, "/3303", "08000de4164441ac0000e3164543656c",
		  "/3303/0/5700 float 21.5\n/3303/0/5701 string \"Cel\"\n" },
		{ "TLV multi /3/0/6 {0:1,1:5}", LWM2M_CF_TLV, "/3/0/6", "8606410001410105",
		  "/3/0/6/0 integer 1\n/3/0/6/1 integer 5\n" },
		{ "notify SenML", LWM2M_CF_SENML_CBOR, "/3303/0/5700", "81a2216c2f333330332f302f3537303002f94d60",
		  "/3303/0/5700 float 21.5\n" },
		{ "composite read", LWM2M_CF_SENML_CBOR, NULL, "82a100662f332f302f39a100662f342f302f32", "!format" },
		{ "TLV 2 = 101", LWM2M_CF_TLV, "/33001/0", "c10265", "/33001/0/2 integer 101\n" },
		{ "TLV 3 = 1010, not a float", LWM2M_CF_TLV, "/1/0", "c20303f2", "/1/0/3 opaque h'03f2'\n" },
		{ "TLV time", LWM2M_CF_TLV, "/3/0", "c40d5182428f", "/3/0/13 time 1367491215\n" },
	};

	(void)state;
	RUN(rows);
}

static int set_up(void **state)
{
	(void)state;
	registry = test_registry();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lwm2m_registry_free(registry);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_reference),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
