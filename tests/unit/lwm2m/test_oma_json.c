/* SPDX-License-Identifier: Apache-2.0 */
/* test_oma_json.c - the JSON of LwM2M 1.0, src/lwm2m/oma_json.c, and the JSON reader */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/lwm2m/rows.h"

static struct lwm2m_decode_in like = { .arrival_us = ARRIVAL_US };

#define OMA(name, path, text, want)                       \
	{                                                 \
		name, LWM2M_CF_OMA_JSON, path, text, want \
	}
#define ONE "/3/0/9 integer 1\n"

static void names_are_relative_to_the_base_name_or_the_path(void **state)
{
	static const struct row rows[] = {
		OMA("under a base name", "/3/0",
		    "{\"bn\":\"/3/0/\",\"e\":[{\"n\":\"9\",\"v\":1},{\"n\":\"6/1\",\"v\":5}]}",
		    ONE "/3/0/6/1 integer 5\n"),
		OMA("one without its slash", "/3/0", "{\"bn\":\"/3/0\",\"e\":[{\"n\":\"9\",\"v\":1}]}", ONE),
		OMA("a name with a slash", "/3/0", "{\"bn\":\"/3/0\",\"e\":[{\"n\":\"/9\",\"v\":1}]}", ONE),
		OMA("under the path", "/3/0", "{\"e\":[{\"n\":\"9\",\"v\":1}]}", ONE),
		OMA("no name: the path itself", "/3/0/9", "{\"e\":[{\"v\":1}]}", ONE),
		OMA("an empty one", "/3/0/9", "{\"e\":[{\"n\":\"\",\"v\":1}]}", ONE),
		OMA("no name: the base name itself", "/3/0/9", "{\"bn\":\"/3/0/9\",\"e\":[{\"v\":1}]}", ONE),
		OMA("a whole path without base name", "/3/0", "{\"e\":[{\"n\":\"/3/0/9\",\"v\":1}]}", ONE),
		OMA("the base name behind the list", "/3/0", "{\"e\":[{\"n\":\"9\",\"v\":1}],\"bn\":\"/3/0/\"}", ONE),
		OMA("without a path", NULL, "{\"bn\":\"/3/0/\",\"e\":[{\"n\":\"9\",\"v\":1}]}", ONE),
		OMA("neither", NULL, "{\"e\":[{\"n\":\"9\",\"v\":1}]}", "!format"),
		OMA("of an object", "/3303", "{\"e\":[{\"n\":\"0/5700\",\"v\":21.5}]}", "/3303/0/5700 float 21.5\n"),
		OMA("nothing in it", "/3/0", "{\"e\":[]}", ""),
	};

	(void)state;
	RUN(&like, rows);
}

static void times_become_absolute(void **state)
{
	static const struct row rows[] = {
		OMA("a base time and relative ones", "/3303/0/5700",
		    "{\"bt\":1767225000,\"e\":[{\"v\":1},{\"t\":-5,\"v\":2},{\"t\":-30.5,\"v\":3}]}",
		    "/3303/0/5700 float 1 @1767225000.000000\n/3303/0/5700 float 2 @1767224995.000000\n"
		    "/3303/0/5700 float 3 @1767224969.500000\n"),
		OMA("an absolute one without base", "/3/0/9", "{\"e\":[{\"t\":1767225000,\"v\":1}]}",
		    "/3/0/9 integer 1 @1767225000.000000\n"),
		OMA("relative to now", "/3/0/9", "{\"e\":[{\"t\":-60,\"v\":1}]}",
		    "/3/0/9 integer 1 @1767225540.000000\n"),
		OMA("far away", "/3/0/9", "{\"e\":[{\"t\":-1e18,\"v\":1}]}", "/3/0/9 integer 1 @0.000000\n"),
	};

	(void)state;
	RUN(&like, rows);
}

static void text_is_what_the_registry_says(void **state)
{
	static const struct row rows[] = {
		OMA("octets", "/33001/0/5", "{\"e\":[{\"sv\":\"Af8=\"}]}", "/33001/0/5 opaque h'01ff'\n"),
		OMA("no base64", "/33001/0/5", "{\"e\":[{\"sv\":\"A\"}]}", "!type"),
		OMA("a link", "/33001/0/7", "{\"e\":[{\"ov\":\"3:1\"}]}", "/33001/0/7 objlnk 3:1\n"),
		OMA("a link as text", "/33001/0/7", "{\"e\":[{\"sv\":\"3:1\"}]}", "/33001/0/7 objlnk 3:1\n"),
		OMA("no link", "/33001/0/7", "{\"e\":[{\"ov\":\"3\"}]}", "!type"),
		OMA("a time", "/33001/0/6", "{\"e\":[{\"v\":1767225600}]}", "/33001/0/6 time 1767225600\n"),
		OMA("escapes in names", "/3/0", "{\"\\u0065\":[{\"\\u006e\":\"\\u0039\",\"\\u0076\":1}]}", ONE),
	};

	(void)state;
	RUN(&like, rows);
}

static void what_is_refused(void **state)
{
	static const struct row rows[] = {
		OMA("no list", "/3/0", "{\"bn\":\"/3/0/\"}", "!format"),
		OMA("a list that is none", "/3/0", "{\"e\":{}}", "!format"),
		OMA("no value", "/3/0", "{\"e\":[{\"n\":\"9\"}]}", "!format"),
		OMA("two values", "/3/0", "{\"e\":[{\"n\":\"9\",\"v\":1,\"sv\":\"x\"}]}", "!format"),
		OMA("a value twice", "/3/0", "{\"e\":[{\"n\":\"9\",\"v\":1,\"v\":1}]}", "!format"),
		OMA("a list twice", "/3/0", "{\"e\":[],\"e\":[]}", "!format"),
		OMA("an unknown name twice", "/3/0", "{\"x\":1,\"e\":[],\"x\":1}", "!format"),
		OMA("an unknown name twice within what is passed over", "/3/0", "{\"x\":{\"a\":1,\"a\":2},\"e\":[]}",
		    "!format"),
		OMA("seventeen unknown names", "/3/0",
		    "{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,"
		    "\"n\":0,\"o\":0,"
		    "\"p\":0,\"q\":0,\"r\":0,\"e\":[]}",
		    "!format"),
		OMA("text for a number", "/3/0", "{\"e\":[{\"n\":\"9\",\"v\":\"1\"}]}", "!type"),
		OMA("text for a boolean", "/3/0", "{\"e\":[{\"n\":\"9\",\"bv\":\"true\"}]}", "!type"),
		OMA("a path for a value", "/3", "{\"e\":[{\"n\":\"0\",\"v\":1}]}", "!format"),
		OMA("an array", "/3/0", "[]", "!format"),
		OMA("cut off", "/3/0", "{\"e\":[{\"n\":\"9\",\"v\":1}]", "!truncated"),
		OMA("something behind", "/3/0", "{\"e\":[]}x", "!format"),
		OMA("nothing", "/3/0", "", "!truncated"),
		OMA("deep", "/3/0", "{\"x\":[[[[[[[[0]]]]]]]],\"e\":[]}", "!depth"),
		OMA("a name that is not UTF-8", "/3/0", "{\"\xc3\":1,\"e\":[]}", "!bad_utf8"),
		OMA("what is passed over is sound JSON", "/3/0", "{\"x\":[1,],\"e\":[]}", "!format"),
		OMA("in its words too", "/3/0", "{\"x\":[nul],\"e\":[]}", "!format"),
		OMA("all that may be passed over", "/3/0",
		    "{\"x\":[null,true,false,-1.5e-3,\"\\\"\",{\"y\":[]}],\"e\":[{\"z\":{},\"n\":\"9\",\"v\":1}]}",
		    ONE),
	};

	(void)state;
	RUN(&like, rows);
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
		cmocka_unit_test(names_are_relative_to_the_base_name_or_the_path),
		cmocka_unit_test(times_become_absolute),
		cmocka_unit_test(text_is_what_the_registry_says),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
