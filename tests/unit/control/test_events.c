/* SPDX-License-Identifier: Apache-2.0 */
/* test_events.c - the latest events, and how they are shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alarm.h"
#include "control/events.h"
#include "control/inside.h"
#include "control/render.h"

static struct control control;
static struct events *events;

static int setup(void **state)
{
	(void)state;
	control = (struct control){ 0 };
	assert_int_equal(events_new(&events), 0);
	control.env.events = events;
	log_set(LOG_ERROR, LOG_TEXT); /* what is written is another matter than what is kept */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	events_free(events);
	log_set(LOG_INFO, LOG_TEXT);
	return 0;
}

static json_t *page_of(uint64_t from, size_t limit, size_t expected)
{
	json_t *page = render_events(&control, from, limit);

	assert_int_equal(json_array_size(json_object_get(page, "items")), expected);
	return page;
}

static json_t *item(const json_t *page, size_t i)
{
	return json_array_get(json_object_get(page, "items"), i);
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void an_event_has_its_fields_and_the_device_its_name(void **state)
{
	json_t *page, *o;

	(void)state;
	log_ev(LOG_INFO, "session", "uplink.refused", LF_STR("dev", "m1"), LF_CODE("code", 0x84), LF_UINT("n", 7),
	       LF_STR("reason", "a \"quoted\" \x1b text"), LF_STR("absent", NULL), LF_BOOL("sure", true));
	page = page_of(0, 10, 1);
	o = item(page, 0);
	assert_string_equal(text(o, "device"), "m1");
	assert_null(json_object_get(o, "dev"));
	assert_string_equal(text(o, "level"), "info");
	assert_string_equal(text(o, "room"), "session");
	assert_string_equal(text(o, "event"), "uplink.refused");
	assert_string_equal(text(o, "code"), "4.04");
	assert_string_equal(text(o, "reason"), "a \"quoted\" \x1b text");
	assert_int_equal(json_integer_value(json_object_get(o, "n")), 7);
	assert_true(json_is_true(json_object_get(o, "sure")));
	assert_non_null(text(o, "ts"));
	assert_null(json_object_get(o, "count"));
	assert_true(json_is_null(json_object_get(page, "next")));
	json_decref(page);
}

static void a_note_is_kept_and_a_debug_line_is_not(void **state)
{
	json_t *page;

	(void)state;
	log_note("session", "updated", LF_STR("dev", "m1"));
	log_ev(LOG_DEBUG, "session", "up", LF_STR("dev", "m1"));
	page = page_of(0, 10, 1);
	assert_string_equal(text(item(page, 0), "event"), "updated");
	assert_string_equal(text(item(page, 0), "level"), "debug");
	json_decref(page);
}

static void the_newest_stands_first_and_the_oldest_goes(void **state)
{
	uint64_t from = 0;
	json_t *page;

	(void)state;
	for (unsigned i = 1; i <= EVENTS_KEPT + 30; i++)
		log_ev(LOG_INFO, "session", "x", LF_UINT("i", i));
	page = page_of(0, 1000, EVENTS_KEPT);
	assert_int_equal(json_integer_value(json_object_get(item(page, 0), "i")), EVENTS_KEPT + 30);
	assert_int_equal(json_integer_value(json_object_get(item(page, EVENTS_KEPT - 1), "i")), 31);
	json_decref(page);
	page = page_of(0, 2, 2);
	assert_int_equal(render_cursor(text(page, "next"), &from), 0);
	json_decref(page);
	page = page_of(from, EVENTS_KEPT - 2, EVENTS_KEPT - 2); /* the rest, and nothing behind it */
	assert_int_equal(json_integer_value(json_object_get(item(page, 0), "i")), EVENTS_KEPT + 28);
	assert_true(json_is_null(json_object_get(page, "next")));
	json_decref(page);
	json_decref(page_of(1, 10, 0)); /* long gone */
}

static void the_same_again_is_counted(void **state)
{
	json_t *page;

	(void)state;
	for (int i = 0; i < 1000; i++)
		log_note("session", "uplink.dropped", LF_STR("dev", "m1"), LF_STR("reason", "quota"));
	log_note("session", "uplink.dropped", LF_STR("dev", "m2"), LF_STR("reason", "quota"));
	page = page_of(0, 10, 2);
	assert_int_equal(json_integer_value(json_object_get(item(page, 1), "count")), 1000);
	json_decref(page);
}

static void alarms_are_among_them(void **state)
{
	struct alarms *alarms;
	json_t *page;

	(void)state;
	assert_int_equal(alarms_new(&alarms, 10), 0);
	alarm_raise(alarms, ALARM_MAJOR, "t8.unreachable", "op", "no answer", NULL);
	alarm_clear(alarms, "t8.unreachable", "op");
	page = page_of(0, 10, 2);
	assert_string_equal(text(item(page, 0), "event"), "alarm.cleared");
	assert_string_equal(text(item(page, 1), "event"), "alarm.raised");
	assert_string_equal(text(item(page, 1), "type"), "t8.unreachable");
	json_decref(page);
	alarms_free(alarms);
}

/* S37: more than fits leaves out whole fields, and what stands there is sound */
static void fields_that_do_not_fit_are_left_out(void **state)
{
	char long_text[300];
	json_t *page;

	(void)state;
	memset(long_text, '\x01', sizeof long_text); /* six octets each in JSON */
	long_text[sizeof long_text - 1] = '\0';
	log_ev(LOG_INFO, "session", "x", LF_STR("a", long_text), LF_STR("dev", "m1"), LF_UINT("n", 1));
	page = page_of(0, 10, 1);
	assert_null(json_object_get(item(page, 0), "a"));
	assert_string_equal(text(item(page, 0), "device"), "m1");
	assert_int_equal(json_integer_value(json_object_get(item(page, 0), "n")), 1);
	json_decref(page);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_event_has_its_fields_and_the_device_its_name),
		T(a_note_is_kept_and_a_debug_line_is_not),
		T(the_newest_stands_first_and_the_oldest_goes),
		T(the_same_again_is_counted),
		T(alarms_are_among_them),
		T(fields_that_do_not_fit_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
