/* SPDX-License-Identifier: Apache-2.0 */
/* test_show.c - what niddgwctl puts on a terminal */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/show.h"

static char got[16384];

/* Runs fn with stdout going to `got`. */
static void capture(void (*fn)(const json_t *), const json_t *arg)
{
	FILE *f = tmpfile();
	int before = dup(STDOUT_FILENO);
	size_t n;

	assert_non_null(f);
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	fn(arg);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(f);
	n = fread(got, 1, sizeof got - 1, f);
	got[n] = '\0';
	fclose(f);
}

static void show_list(const struct show_list *list, const json_t *items)
{
	struct table t;
	size_t i;
	json_t *item;

	table_init(&t, list->heads, list->columns);
	json_array_foreach(items, i, item)
	{
		assert_int_equal(list->add(&t, item), 0);
	}
	table_print(&t);
	table_fini(&t);
}

static void show_one_device(const json_t *device)
{
	json_t *items = json_pack("[O]", device);

	show_list(&show_devices, items);
	json_decref(items);
}

static void show_all_links(const json_t *items)
{
	show_list(&show_links, items);
}

static void show_all_alarms(const json_t *items)
{
	show_list(&show_alarms, items);
}

static void show_all_events(const json_t *items)
{
	show_list(&show_events, items);
}

/* S37: one escaped line, capped; the terminal is left alone */
static void a_hostile_name_is_one_line_without_control_characters(void **state)
{
	json_t *d = json_pack("{s:s, s:s, s:s}", "device", "m1", "state", "registered", "ep",
			      "a\n\x1b]0;owned\x07\xc2\x9b"
			      "2J\x7f");
	size_t lines = 0;

	(void)state;
	capture(show_one_device, d);
	for (const char *p = got; *p; p++) {
		lines += *p == '\n';
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
		assert_true(*p != 0x7f);
	}
	assert_int_equal(lines, 2); /* heads and the device */
	assert_null(strstr(got, "\xc2\x9b"));
	assert_non_null(strstr(got, "a\\x0a\\x1b]0;owned\\x07"));
	json_decref(d);
}

static void a_name_of_64_kilobytes_is_capped(void **state)
{
	char *name = malloc(65537);
	json_t *d;

	(void)state;
	memset(name, 'x', 65536);
	name[65536] = '\0';
	d = json_pack("{s:s, s:s}", "device", "m1", "ep", name);
	capture(show_one_device, d);
	assert_true(strlen(got) < 1000);
	json_decref(d);
	free(name);
}

static void columns_stand_below_each_other_in_characters(void **state)
{
	json_t *doc = json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:s}]", "name", "gr\xc3\xbc\xc3\x9f", "type", "t8", "state",
				"up", "name", "sgi-long", "type", "udp", "state", "down");

	(void)state;
	capture(show_all_links, doc);
	assert_non_null(strstr(got, "LINK      TYPE  STATE  SINCE  LAST OK  DETAIL\n"));
	assert_non_null(strstr(got, "gr\xc3\xbc\xc3\x9f      t8    up     -      -        -\n"));
	assert_non_null(strstr(got, "sgi-long  udp   down   -      -        -\n"));
	json_decref(doc);
}

static void members_of_members_are_named_by_their_way(void **state)
{
	json_t *o = json_pack("{s:s, s:{s:i}, s:[{s:s, s:b}]}", "device", "m1", "link", "mtu", 1358, "servers", "name",
			      "main", "registered", 1);

	(void)state;
	capture(show_object, o);
	assert_non_null(strstr(got, "link.mtu                 1358\n"));
	assert_non_null(strstr(got, "servers.main.registered  yes\n"));
	json_decref(o);
}

static void an_alarm_shows_its_source_by_name(void **state)
{
	json_t *o = json_pack("[{s:s, s:s, s:{s:s}}]", "severity", "major", "type", "server.unreachable", "source",
			      "server", "main");

	(void)state;
	capture(show_all_alarms, o);
	assert_non_null(strstr(got, "major     server.unreachable  main"));
	json_decref(o);
}

static void what_an_event_has_of_its_own_stands_at_the_end(void **state)
{
	json_t *o = json_pack("[{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i}]", "id", 7, "level", "info", "room", "session",
			      "event", "uplink.refused", "device", "m1", "code", "4.04", "reason", "no association",
			      "n", 3);

	(void)state;
	capture(show_all_events, o);
	assert_non_null(strstr(
		got, "info   session  uplink.refused  -      m1      code=4.04 reason=\"no association\" n=3\n"));
	json_decref(o);
}

static void a_document_that_is_not_ours_breaks_nothing(void **state)
{
	json_t *deep = json_integer(1);

	(void)state;
	for (int i = 0; i < 50; i++)
		deep = json_pack("{s:o}", "x", deep);
	capture(show_object, deep);
	capture(show_status, deep);
	capture(show_all_links, deep);
	capture(show_all_events, deep);
	capture(show_one_device, deep);
	json_decref(deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hostile_name_is_one_line_without_control_characters),
		cmocka_unit_test(a_name_of_64_kilobytes_is_capped),
		cmocka_unit_test(columns_stand_below_each_other_in_characters),
		cmocka_unit_test(members_of_members_are_named_by_their_way),
		cmocka_unit_test(an_alarm_shows_its_source_by_name),
		cmocka_unit_test(what_an_event_has_of_its_own_stands_at_the_end),
		cmocka_unit_test(a_document_that_is_not_ours_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
