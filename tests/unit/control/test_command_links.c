/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_links.c - link format as JSON */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/command_inside.h"

static void links_and_their_attributes_are_kept_as_written(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
		{ "", "[]" },
		{ "</3/0>", "[{\"path\":\"/3/0\"}]" },
		{ "</3>;ver=1.0,</3/0>", "[{\"attributes\":{\"ver\":\"1.0\"},\"path\":\"/3\"},{\"path\":\"/3/0\"}]" },
		{ "</3/0/7>;dim=8;gt=50;lt=42.2",
		  "[{\"attributes\":{\"dim\":\"8\",\"gt\":\"50\",\"lt\":\"42.2\"},\"path\":\"/3/0/7\"}]" },
		{ "</>;rt=\"oma.lwm2m\";x;ct=\"60 110\"",
		  "[{\"attributes\":{\"ct\":\"60 110\",\"rt\":\"oma.lwm2m\",\"x\":true},\"path\":\"/\"}]" },
		{ "</a>;t=\"a,b;c\"", "[{\"attributes\":{\"t\":\"a,b;c\"},\"path\":\"/a\"}]" },
		{ "</a>;t=\"\"", "[{\"attributes\":{\"t\":\"\"},\"path\":\"/a\"}]" },
		{ "</a>,", "[{\"path\":\"/a\"}]" }, /* some devices end so */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *o = command_links(rows[i].list, strlen(rows[i].list));
		char *text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

		if (!text || strcmp(text, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].list, text ? text : "none");
		free(text);
		json_decref(o);
	}
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const rows[] = { "x",
					    "<",
					    "</a",
					    "</a>x",
					    "</a>;",
					    "</a>;=1",
					    "</a>;t=\"",
					    ",</a>",
					    "</a>;\xff=1",
					    "</a>;t=\xff",
					    "</\xff>",
					    ("</a>;"
					    "0123456789012345678901234567890123456789012345678901234567890123=1") };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *o = command_links(rows[i], strlen(rows[i]));

		if (o)
			fail_msg("%s was taken", rows[i]);
	}
	assert_null(command_links("</a\0>", 6));
	assert_null(command_links("</a>\0,</b>", 10));
}

static void a_list_ends_somewhere(void **state)
{
	const size_t most = 4096;
	char *list = malloc((most + 1) * 5);
	json_t *o;

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i <= most; i++)
		memcpy(list + 5 * i, "</1>,", 5);
	o = command_links(list, most * 5);
	assert_int_equal(json_array_size(o), most);
	json_decref(o);
	assert_null(command_links(list, (most + 1) * 5));
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_and_their_attributes_are_kept_as_written),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(a_list_ends_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
