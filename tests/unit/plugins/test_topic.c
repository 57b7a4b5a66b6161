/* SPDX-License-Identifier: Apache-2.0 */
/* test_topic.c - names as levels of topics, plugins/mqtt/topic.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../../plugins/mqtt/topic.h"

static void names_become_levels_and_come_back(void **state)
{
	static const struct {
		const char *name, *level;
	} cases[] = {
		{ "meter-17", "meter-17" },
		{ "m17@iot.example", "m17@iot.example" },
		{ "a/b", "a%2Fb" },
		{ "a%2Fb", "a%252Fb" },
		{ "+", "%2B" },
		{ "#", "%23" },
		{ "$SYS", "%24SYS" },
		{ "..", ".." },
		{ "\xc3\xa9", "%C3%A9" },
		{ "a b", "a%20b" },
		{ "urn:imei:1", "urn:imei:1" },
		{ "\x01", "%01" },
	};
	char level[TOPIC_LEVEL_SIZE], name[TOPIC_LEVEL_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_string_equal(topic_level(level, cases[i].name), cases[i].level);
		assert_int_equal(topic_name(name, sizeof name, level, strlen(level)), strlen(cases[i].name));
		assert_string_equal(name, cases[i].name);
	}
}

static void a_long_name_is_a_hash_that_no_other_name_gives(void **state)
{
	char name[200], level[TOPIC_LEVEL_SIZE], other[TOPIC_LEVEL_SIZE], back[200];

	(void)state;
	memset(name, 'x', 128);
	name[128] = 0;
	assert_string_equal(topic_level(level, name), name);
	strcat(name, "x");
	topic_level(level, name);
	assert_int_equal(strlen(level), 34);
	assert_int_equal(strncmp(level, "%h", 2), 0);
	assert_int_equal(topic_name(back, sizeof back, level, strlen(level)), -1);
	name[0] = 'y';
	assert_string_not_equal(topic_level(other, name), level);
	memset(name, '+', 43); /* 129 octets once encoded */
	name[43] = 0;
	assert_int_equal(strncmp(topic_level(level, name), "%h", 2), 0);
}

static void levels_that_no_name_gives_are_refused(void **state)
{
	static const char *const bad[] = { "%", "%2", "%2f", "%41", "%zz", "a+b", "%00", "a/b", "%h00" };
	char name[200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (topic_name(name, sizeof name, bad[i], strlen(bad[i])) >= 0)
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_levels_and_come_back),
		cmocka_unit_test(a_long_name_is_a_hash_that_no_other_name_gives),
		cmocka_unit_test(levels_that_no_name_gives_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
