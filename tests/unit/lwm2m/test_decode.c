/* SPDX-License-Identifier: Apache-2.0 */
/* test_decode.c - what holds for reports in every format, src/lwm2m/decode.c, gather.c and typed.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/lwm2m/rows.h"

static struct lwm2m_decode_in like = { .arrival_us = ARRIVAL_US };

/* ---- the vectors of the reference ---- */

static const struct row vectors_here[] = {
	{ "SenML-CBOR /3303/0 5700=21.5 5701=Cel", LWM2M_CF_SENML_CBOR, NULL,
	  "82a321682f333330332f302f00643537303002f94d60a2006435373031036343656c",
	  "/3303/0/5700 float 21.5\n/3303/0/5701 string \"Cel\"\n" },
	{ "LwM2M-CBOR {[3303,0]:{5700:21.5,5701:\"Cel\"}}", LWM2M_CF_LWM2M_CBOR, "/3303/0",
	  "a182190ce700a2191644f94d601916456343656c", "/3303/0/5700 float 21.5\n/3303/0/5701 string \"Cel\"\n" },
	{ "TLV resource 5700 float32 21.5", LWM2M_CF_TLV, "/3303/0/5700", "e4164441ac0000",
	  "/3303/0/5700 float 21.5\n" },
	{ "TLV instance wrapper 0 {5700,5701}", LWM2M_CF_TLV, "/3303", "08000de4164441ac0000e3164543656c",
	  "/3303/0/5700 float 21.5\n/3303/0/5701 string \"Cel\"\n" },
	{ "TLV multi /3/0/6 {0:1,1:5}", LWM2M_CF_TLV, "/3/0/6", "8606410001410105",
	  "/3/0/6/0 integer 1\n/3/0/6/1 integer 5\n" },
};

static void vectors_of_the_reference(void **state)
{
	(void)state;
	RUN(&like, vectors_here);
}

/* The file itself, where the papers are: a row that is not above is a row that is not tested. */
static void the_file_of_vectors_says_the_same(void **state)
{
	const char *shared = getenv("NIDDGW_SHARED");
	char path[4096], line[1024];
	size_t found = 0;
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "%s/lwm2m-vectors.tsv", shared ? shared : "../shared");
	f = fopen(path, "r");
	if (!f)
		skip();
	while (fgets(line, sizeof line, f)) {
		char *name = strtok(line, "\t"), *len = strtok(NULL, "\t"), *hex = strtok(NULL, "\t\n");

		for (size_t i = 0; hex && len && i < sizeof vectors_here / sizeof *vectors_here; i++)
			if (!strcmp(name, vectors_here[i].name)) {
				assert_string_equal(hex, vectors_here[i].payload);
				found++;
			}
	}
	fclose(f);
	assert_int_equal(found, sizeof vectors_here / sizeof *vectors_here);
}

/* ---- the same values in every format ---- */

static const char every_type[] = "/33001/0/0 string \"ab\"\n"
				 "/33001/0/1 integer -9223372036854775808\n"
				 "/33001/0/2 integer 18446744073709551615\n"
				 "/33001/0/3 float 21.5\n"
				 "/33001/0/4 boolean true\n"
				 "/33001/0/5 opaque h'01ff'\n"
				 "/33001/0/6 time 1767225600\n"
				 "/33001/0/7 objlnk 65:0\n"
				 "/33001/0/8 corelnk \"</3/0>\"\n";

static void lwm2m_22_an_instance_is_the_same_in_every_format(void **state)
{
	static const struct row rows[] = {
		{ "TLV", LWM2M_CF_TLV, "/33001/0",
		  "c2006162c801088000000000000000c80208ffffffffffffffffc803084035800000000000c10401c20501ffc4066955b900"
		  "c407004100"
		  "00c6083c2f332f303e",
		  every_type },
		{ "TLV, old code", LWM2M_CF_OLD_TLV, "/33001/0",
		  "c2006162c801088000000000000000c80208ffffffffffffffffc803084035800000000000c10401c20501ffc4066955b900"
		  "c407004100"
		  "00c6083c2f332f303e",
		  every_type },
		{ "SenML CBOR", LWM2M_CF_SENML_CBOR, "/33001/0",
		  "89a321692f33333030312f302f00613003626162a2006131023b7fffffffffffffffa2006132021bffffffffffffffffa200"
		  "613302fb40"
		  "35800000000000a200613404f5a2006135084201ffa2006136021a6955b900a200613763766c6f6436353a30a20061380366"
		  "3c2f332f30"
		  "3e",
		  every_type },
		{ "SenML JSON", LWM2M_CF_SENML_JSON, "/33001/0",
		  "[{\"bn\":\"/33001/0/\",\"n\":\"0\",\"vs\":\"ab\"},{\"n\":\"1\",\"v\":-9223372036854775808},"
		  "{\"n\":\"2\",\"v\":18446744073709551615},{\"n\":\"3\",\"v\":21.5},{\"n\":\"4\",\"vb\":true},"
		  "{\"n\":\"5\",\"vd\":\"Af8\"},{\"n\":\"6\",\"v\":1767225600},{\"n\":\"7\",\"vlo\":\"65:0\"},"
		  "{\"n\":\"8\",\"vs\":\"</3/0>\"}]",
		  every_type },
		{ "OMA JSON", LWM2M_CF_OMA_JSON, "/33001/0",
		  "{\"bn\":\"/33001/0/\",\"e\":[{\"n\":\"0\",\"sv\":\"ab\"},{\"n\":\"1\",\"v\":-9223372036854775808},"
		  "{\"n\":\"2\",\"v\":18446744073709551615},{\"n\":\"3\",\"v\":21.5},{\"n\":\"4\",\"bv\":true},"
		  "{\"n\":\"5\",\"sv\":\"Af8=\"},{\"n\":\"6\",\"v\":1767225600},{\"n\":\"7\",\"ov\":\"65:0\"},"
		  "{\"n\":\"8\",\"sv\":\"</3/0>\"}]}",
		  every_type },
		{ "OMA JSON, old code, relative to the path", LWM2M_CF_OLD_JSON, "/33001/0",
		  "{\"e\":[{\"n\":\"0\",\"sv\":\"ab\"},{\"n\":\"1\",\"v\":-9223372036854775808},{\"n\":\"2\",\"v\":"
		  "18446744073709551615},"
		  "{\"n\":\"3\",\"v\":21.5},{\"n\":\"4\",\"bv\":true},{\"n\":\"5\",\"sv\":\"Af8=\"},{\"n\":\"6\",\"v\":"
		  "1767225600},"
		  "{\"n\":\"7\",\"ov\":\"65:0\"},{\"n\":\"8\",\"sv\":\"</3/0>\"}]}",
		  every_type },
		{ "LwM2M CBOR", LWM2M_CF_LWM2M_CBOR, "/33001/0",
		  "a1821980e900a900626162013b7fffffffffffffff021bffffffffffffffff03fb403580000000000004f5054201ff061a69"
		  "55b900076436"
		  "353a3008663c2f332f303e",
		  every_type },
	};

	(void)state;
	RUN(&like, rows);
}

static void lwm2m_22_a_single_value_is_the_same_in_text_cbor_and_opaque(void **state)
{
	static const struct row rows[] = {
		{ "string", LWM2M_CF_TEXT, "/33001/0/0", "ab", "/33001/0/0 string \"ab\"\n" },
		{ "string", LWM2M_CF_CBOR, "/33001/0/0", "626162", "/33001/0/0 string \"ab\"\n" },
		{ "integer", LWM2M_CF_TEXT, "/33001/0/1", "-9223372036854775808",
		  "/33001/0/1 integer -9223372036854775808\n" },
		{ "integer", LWM2M_CF_OLD_TEXT, "/33001/0/1", "-9223372036854775808",
		  "/33001/0/1 integer -9223372036854775808\n" },
		{ "integer", LWM2M_CF_CBOR, "/33001/0/1", "3b7fffffffffffffff",
		  "/33001/0/1 integer -9223372036854775808\n" },
		{ "unsigned", LWM2M_CF_TEXT, "/33001/0/2", "18446744073709551615",
		  "/33001/0/2 integer 18446744073709551615\n" },
		{ "unsigned", LWM2M_CF_CBOR, "/33001/0/2", "1bffffffffffffffff",
		  "/33001/0/2 integer 18446744073709551615\n" },
		{ "float", LWM2M_CF_TEXT, "/33001/0/3", "21.5", "/33001/0/3 float 21.5\n" },
		{ "float", LWM2M_CF_CBOR, "/33001/0/3", "f94d60", "/33001/0/3 float 21.5\n" },
		{ "float, whole", LWM2M_CF_TEXT, "/33001/0/3", "21", "/33001/0/3 float 21\n" },
		{ "float, whole", LWM2M_CF_CBOR, "/33001/0/3", "15", "/33001/0/3 float 21\n" },
		{ "boolean", LWM2M_CF_TEXT, "/33001/0/4", "1", "/33001/0/4 boolean true\n" },
		{ "boolean", LWM2M_CF_CBOR, "/33001/0/4", "f5", "/33001/0/4 boolean true\n" },
		{ "opaque, base64", LWM2M_CF_TEXT, "/33001/0/5", "Af8=", "/33001/0/5 opaque h'01ff'\n" },
		{ "opaque", LWM2M_CF_CBOR, "/33001/0/5", "4201ff", "/33001/0/5 opaque h'01ff'\n" },
		{ "opaque", LWM2M_CF_OPAQUE, "/33001/0/5", "01ff", "/33001/0/5 opaque h'01ff'\n" },
		{ "time", LWM2M_CF_TEXT, "/33001/0/6", "1767225600", "/33001/0/6 time 1767225600\n" },
		{ "time, tagged", LWM2M_CF_CBOR, "/33001/0/6", "c11a6955b900", "/33001/0/6 time 1767225600\n" },
		{ "time, plain", LWM2M_CF_CBOR, "/33001/0/6", "1a6955b900", "/33001/0/6 time 1767225600\n" },
		{ "objlnk", LWM2M_CF_TEXT, "/33001/0/7", "65:0", "/33001/0/7 objlnk 65:0\n" },
		{ "objlnk", LWM2M_CF_CBOR, "/33001/0/7", "6436353a30", "/33001/0/7 objlnk 65:0\n" },
		{ "corelnk", LWM2M_CF_TEXT, "/33001/0/8", "</3/0>", "/33001/0/8 corelnk \"</3/0>\"\n" },
		{ "corelnk", LWM2M_CF_CBOR, "/33001/0/8", "663c2f332f303e", "/33001/0/8 corelnk \"</3/0>\"\n" },
		{ "a resource instance", LWM2M_CF_TEXT, "/3/0/6/1", "5", "/3/0/6/1 integer 5\n" },
		{ "a resource instance", LWM2M_CF_CBOR, "/3/0/6/1", "05", "/3/0/6/1 integer 5\n" },
		{ "empty text", LWM2M_CF_TEXT, "/33001/0/0", "", "/33001/0/0 string \"\"\n" },
		{ "no octets", LWM2M_CF_OPAQUE, "/33001/0/5", "", "/33001/0/5 opaque h''\n" },
	};

	(void)state;
	RUN(&like, rows);
}

static void lwm2m_23_what_the_registry_does_not_know_has_the_format_s_own_kind(void **state)
{
	static const struct row rows[] = {
		{ "text", LWM2M_CF_TEXT, "/33000/0/1", "21.5", "/33000/0/1 string \"21.5\"\n" },
		{ "opaque", LWM2M_CF_OPAQUE, "/33000/0/1", "00ff", "/33000/0/1 opaque h'00ff'\n" },
		{ "CBOR", LWM2M_CF_CBOR, "/33000/0/1", "f94d60", "/33000/0/1 float 21.5\n" },
		{ "CBOR, time", LWM2M_CF_CBOR, "/33000/0/1", "c11a6955b900", "/33000/0/1 time 1767225600\n" },
		{ "CBOR, what looks like a link", LWM2M_CF_CBOR, "/33000/0/1", "6436353a30",
		  "/33000/0/1 string \"65:0\"\n" },
		{ "TLV", LWM2M_CF_TLV, "/33000/0", "c10165c202ffff",
		  "/33000/0/1 opaque h'65'\n/33000/0/2 opaque h'ffff'\n" },
		{ "SenML JSON", LWM2M_CF_SENML_JSON, NULL,
		  "[{\"bn\":\"/33000/0/\",\"n\":\"1\",\"v\":5},{\"n\":\"2\",\"vs\":\"x\"},{\"n\":\"3\",\"vb\":false},"
		  "{\"n\":\"4\",\"vd\":\"AA\"},{\"n\":\"5\",\"vlo\":\"1:2\"}]",
		  "/33000/0/1 integer 5\n/33000/0/2 string \"x\"\n/33000/0/3 boolean false\n/33000/0/4 opaque h'00'\n"
		  "/33000/0/5 objlnk 1:2\n" },
		{ "OMA JSON", LWM2M_CF_OMA_JSON, "/33000/0",
		  "{\"e\":[{\"n\":\"1\",\"v\":5.5},{\"n\":\"2\",\"sv\":\"AA==\"}]}",
		  "/33000/0/1 float 5.5\n/33000/0/2 string \"AA==\"\n" },
		{ "LwM2M CBOR", LWM2M_CF_LWM2M_CBOR, NULL, "a1831980e80001f5", "/33000/0/1 boolean true\n" },
		{ "a resource that a known object does not have", LWM2M_CF_TLV, "/3303/0", "e3fff0010203",
		  "/3303/0/65520 opaque h'010203'\n" },
	};

	(void)state;
	RUN(&like, rows);
}

/* A format that names its kinds is believed; it is text and octets that cannot be read without the type. */
static void a_value_of_another_kind_than_registered_stays_what_it_is(void **state)
{
	static const struct row rows[] = {
		{ "text for an integer", LWM2M_CF_CBOR, "/33001/0/1", "626162", "/33001/0/1 string \"ab\"\n" },
		{ "a fraction for an integer", LWM2M_CF_CBOR, "/33001/0/1", "f94d60", "/33001/0/1 float 21.5\n" },
		{ "a whole double for an integer", LWM2M_CF_CBOR, "/33001/0/1", "fb4035000000000000",
		  "/33001/0/1 integer 21\n" },
		{ "below zero for an unsigned", LWM2M_CF_CBOR, "/33001/0/2", "20", "/33001/0/2 integer -1\n" },
		{ "2^63 for an integer", LWM2M_CF_CBOR, "/33001/0/1", "1b8000000000000000",
		  "/33001/0/1 integer 9223372036854775808\n" },
		{ "a number for a boolean", LWM2M_CF_CBOR, "/33001/0/4", "01", "/33001/0/4 integer 1\n" },
		{ "text that is no link", LWM2M_CF_CBOR, "/33001/0/7", "626162", "/33001/0/7 string \"ab\"\n" },
		{ "a time with a fraction", LWM2M_CF_CBOR, "/33001/0/6", "c1fb41da556e40100000",
		  "/33001/0/6 time 1767225600.250000\n" },
		{ "a time for an integer", LWM2M_CF_CBOR, "/33001/0/1", "c11a6955b900",
		  "/33001/0/1 integer 1767225600\n" },
		{ "octets for text", LWM2M_CF_CBOR, "/33001/0/0", "4201ff", "/33001/0/0 opaque h'01ff'\n" },
		{ "octets of a whole format for text", LWM2M_CF_OPAQUE, "/33001/0/0", "6162",
		  "/33001/0/0 opaque h'6162'\n" },
	};

	(void)state;
	RUN(&like, rows);
}

static void numbers_that_are_none_are_handed_on(void **state)
{
	static const struct row rows[] = {
		{ "NaN in 16 bits", LWM2M_CF_CBOR, "/33001/0/3", "f97e00", "/33001/0/3 float nan\n" },
		{ "infinity in 16 bits", LWM2M_CF_CBOR, "/33001/0/3", "f97c00", "/33001/0/3 float inf\n" },
		{ "minus infinity in 64 bits", LWM2M_CF_CBOR, "/33001/0/3", "fbfff0000000000000",
		  "/33001/0/3 float -inf\n" },
		{ "infinity for an integer", LWM2M_CF_CBOR, "/33001/0/1", "f97c00", "/33001/0/1 float inf\n" },
		{ "infinity for a time", LWM2M_CF_CBOR, "/33001/0/6", "f97c00", "/33001/0/6 float inf\n" },
		{ "NaN in TLV", LWM2M_CF_TLV, "/33001/0", "c4037fc00000", "/33001/0/3 float nan\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = report(&like, &rows[i]), *minus = strstr(got, "-nan");

		if (strcmp(got, rows[i].want) != 0 && !minus)
			fail_msg("%s: got %s", rows[i].name, got);
	}
}

/* ---- text ---- */

static void text_that_cannot_be_of_its_type(void **state)
{
	static const struct row rows[] = {
		{ "a word for an integer", LWM2M_CF_TEXT, "/33001/0/1", "abc", "!type" },
		{ "nothing for an integer", LWM2M_CF_TEXT, "/33001/0/1", "", "!type" },
		{ "a sign alone", LWM2M_CF_TEXT, "/33001/0/1", "-", "!type" },
		{ "a fraction for an integer", LWM2M_CF_TEXT, "/33001/0/1", "1.5", "!type" },
		{ "an integer of 65 bits", LWM2M_CF_TEXT, "/33001/0/1", "18446744073709551616", "!type" },
		{ "below 64 bits", LWM2M_CF_TEXT, "/33001/0/1", "-9223372036854775809", "!type" },
		{ "hexadecimal", LWM2M_CF_TEXT, "/33001/0/3", "0x10", "!type" },
		{ "a word that is a double to some", LWM2M_CF_TEXT, "/33001/0/3", "nan", "!type" },
		{ "beyond a double", LWM2M_CF_TEXT, "/33001/0/3", "1e400", "!type" },
		{ "an exponent without digits", LWM2M_CF_TEXT, "/33001/0/3", "1e", "!type" },
		{ "a point alone", LWM2M_CF_TEXT, "/33001/0/3", ".", "!type" },
		{ "space behind", LWM2M_CF_TEXT, "/33001/0/3", "1 ", "!type" },
		{ "true", LWM2M_CF_TEXT, "/33001/0/4", "true", "!type" },
		{ "2 for a boolean", LWM2M_CF_TEXT, "/33001/0/4", "2", "!type" },
		{ "no base64", LWM2M_CF_TEXT, "/33001/0/5", "A", "!type" },
		{ "no link", LWM2M_CF_TEXT, "/33001/0/7", "65", "!type" },
		{ "a link too far", LWM2M_CF_TEXT, "/33001/0/7", "65536:0", "!type" },
		{ "a link of three", LWM2M_CF_TEXT, "/33001/0/7", "1:2:3", "!type" },
		{ "not UTF-8", LWM2M_CF_TEXT, "/33001/0/0", "a\xff", "!bad_utf8" },
		{ "half a character", LWM2M_CF_TEXT, "/33001/0/0", "\xe2\x82", "!bad_utf8" },
		{ "not UTF-8, unknown", LWM2M_CF_TEXT, "/33000/0/0", "\xc0\x80", "!bad_utf8" },
		{ "signs and zeros are fine", LWM2M_CF_TEXT, "/33001/0/1", "+007", "/33001/0/1 integer 7\n" },
		{ "so is an exponent", LWM2M_CF_TEXT, "/33001/0/3", "-2.15e+1", "/33001/0/3 float -21.5\n" },
		{ "for an instance", LWM2M_CF_TEXT, "/33001/0", "1", "!format" },
		{ "for nothing", LWM2M_CF_TEXT, NULL, "1", "!format" },
	};

	(void)state;
	RUN(&like, rows);
}

/* ---- what is no report ---- */

static void other_formats_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "link format", LWM2M_CF_LINK, "/3", "</3/0>", "!format" },
		{ "XML", 41, "/3/0/0", "<a/>", "!format" },
		{ "a number beyond all", 65535, "/3/0/0", "", "!format" },
		{ "octets for an object", LWM2M_CF_OPAQUE, "/3", "00", "!format" },
		{ "CBOR for nothing", LWM2M_CF_CBOR, NULL, "00", "!format" },
	};

	(void)state;
	RUN(&like, rows);
	assert_null(lwm2m_format_name(41));
	assert_string_equal(lwm2m_format_name(112), "application/senml+cbor");
	assert_string_equal(lwm2m_format_name(1542), "application/vnd.oma.lwm2m+tlv");
	assert_string_equal(lwm2m_kind_name(LWM2M_VALUE_UNSIGNED), "integer");
	assert_string_equal(lwm2m_kind_name((enum lwm2m_kind)99), "none");
}

static void a_report_beyond_its_length_is_refused(void **state)
{
	static uint8_t data[LWM2M_DECODE_LEN_MAX + 1];

	(void)state;
	assert_string_equal(report_octets(&like, LWM2M_CF_OPAQUE, "/33001/0/5", data, sizeof data), "!format");
	like.path = NULL;
	assert_string_equal(report_octets(&like, LWM2M_CF_TLV, "/3", NULL, 0), "");
}

static void the_version_that_a_device_registered_says_the_type(void **state)
{
	static const char xml[] =
		"<LWM2M><Object><Name>A</Name><ObjectID>40000</ObjectID><Resources>"
		"<Item ID='1'><Name>x</Name><Type>String</Type></Item></Resources></Object>"
		"<Object><Name>A</Name><ObjectID>40000</ObjectID><ObjectVersion>1.1</ObjectVersion><Resources>"
		"<Item ID='1'><Name>x</Name><Type>Integer</Type></Item></Resources></Object></LWM2M>";
	static const char list[] = "</40000>;ver=\"1.0\",</40000/0>";
	struct lwm2m_decode_in in = like;
	struct lwm2m_registry *r;
	struct lwm2m_objects *o;

	(void)state;
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(lwm2m_registry_add_xml_text(r, "x", xml, sizeof xml - 1, test_fault, NULL), 0);
	assert_int_equal(lwm2m_objects_new(&o, list, sizeof list - 1), 0);
	in.registry = r;
	assert_string_equal(report_octets(&in, LWM2M_CF_TLV, "/40000/0", "\xc1\x01\x41", 3), "/40000/0/1 integer 65\n");
	in.objects = o;
	assert_string_equal(report_octets(&in, LWM2M_CF_TLV, "/40000/0", "\xc1\x01\x41", 3),
			    "/40000/0/1 string \"A\"\n");
	in.registry = NULL;
	assert_string_equal(report_octets(&in, LWM2M_CF_TLV, "/40000/0", "\xc1\x01\x41", 3),
			    "/40000/0/1 opaque h'41'\n");
	lwm2m_objects_free(o);
	lwm2m_registry_free(r);
}

static void note_single(void *arg, const struct lwm2m_value *v, size_t n)
{
	assert_int_equal(n, 1);
	*(int *)arg = v->single;
}

static int is_single(unsigned format, const char *path_text, const char *hex)
{
	const struct octets o = octets_of_hex(hex);
	struct lwm2m_decode_in in = like;
	struct lwm2m_path path;
	int single = -1;

	assert_int_equal(lwm2m_path_parse(&path, NULL, path_text, strlen(path_text), NULL), 0);
	in.path = &path;
	in.format = format;
	in.payload = o.data;
	in.len = o.len;
	assert_int_equal(lwm2m_decode(&in, note_single, &single, NULL), 0);
	return single;
}

/* So that 21.1 need not be shown as 21.100000381469727. */
static void whether_a_float_came_in_32_bits_is_told(void **state)
{
	(void)state;
	assert_int_equal(is_single(LWM2M_CF_TLV, "/33001/0", "c40341a8cccd"), 1);
	assert_int_equal(is_single(LWM2M_CF_TLV, "/33001/0", "c803084035800000000000"), 0);
	assert_int_equal(is_single(LWM2M_CF_CBOR, "/33001/0/3", "f94d60"), 1);
	assert_int_equal(is_single(LWM2M_CF_CBOR, "/33001/0/3", "fb4035800000000000"), 0);
	assert_int_equal(is_single(LWM2M_CF_CBOR, "/33001/0/3", "15"), 0);
	assert_int_equal(is_single(LWM2M_CF_CBOR, "/33001/0/1", "f94c00"), 0); /* 16, an integer by now */
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
		cmocka_unit_test(vectors_of_the_reference),
		cmocka_unit_test(the_file_of_vectors_says_the_same),
		cmocka_unit_test(lwm2m_22_an_instance_is_the_same_in_every_format),
		cmocka_unit_test(lwm2m_22_a_single_value_is_the_same_in_text_cbor_and_opaque),
		cmocka_unit_test(lwm2m_23_what_the_registry_does_not_know_has_the_format_s_own_kind),
		cmocka_unit_test(a_value_of_another_kind_than_registered_stays_what_it_is),
		cmocka_unit_test(numbers_that_are_none_are_handed_on),
		cmocka_unit_test(text_that_cannot_be_of_its_type),
		cmocka_unit_test(other_formats_are_refused),
		cmocka_unit_test(a_report_beyond_its_length_is_refused),
		cmocka_unit_test(the_version_that_a_device_registered_says_the_type),
		cmocka_unit_test(whether_a_float_came_in_32_bits_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
