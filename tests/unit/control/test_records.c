/* SPDX-License-Identifier: Apache-2.0 */
/* test_records.c - device records over the control socket, from its clients' side */
#include "unit/control/talk.h"

static struct world w;
static char path[80];
static struct device devices[1100];
static struct device_conf confs[1100];
static char names[1100][16];

static int open_world(void **state)
{
	(void)state;
	world_open(&w);
	snprintf(path, sizeof path, "%s/ctl", w.dir);
	control_set_phase(w.control, CONTROL_READY);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&w);
	assert_null(w.sessions.import); /* whoever goes away leaves none behind */
	return 0;
}

static struct {
	const char *send;
	char got[400000];
} s;

static void say(void *arg)
{
	int fd = connect_unix(path);
	size_t len = strlen(s.send);

	(void)arg;
	if (send(fd, s.send, len, MSG_NOSIGNAL) == (ssize_t)len && !shutdown(fd, SHUT_WR))
		read_all(fd, s.got, sizeof s.got);
	close(fd);
}

/* The answers to some lines, one after the other; the last one as an object, the caller frees it. */
static json_t *last_answer(const char *requests)
{
	char *last;
	json_t *o;

	s.send = requests;
	s.got[0] = '\0';
	talk(w.loop, say, NULL);
	assert_true(strlen(s.got) > 1);
	s.got[strlen(s.got) - 1] = '\0'; /* the line end of the last one */
	last = strrchr(s.got, '\n');
	o = json_loads(last ? last + 1 : s.got, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_is_object(o));
	return o;
}

static void expect_error(const char *requests, const char *code)
{
	json_t *o = last_answer(requests);

	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "error"), "code")), code);
	json_decref(o);
}

static json_t *data_of(const char *requests)
{
	json_t *o = last_answer(requests), *data = json_incref(json_object_get(o, "data"));

	assert_string_equal(json_string_value(json_object_get(o, "status")), "ok");
	json_decref(o);
	return data;
}

/* LINE of the only fault. */
static long fault_line(json_t *data)
{
	json_t *faults = json_object_get(data, "faults");
	long line = (long)json_integer_value(json_object_get(json_array_get(faults, 0), "line"));

	assert_int_equal(json_array_size(faults), 1);
	json_decref(data);
	return line;
}

#define STEP(text) "{\"verb\":\"device import\",\"step\":\"" text "\"}\n"
#define BEGIN STEP("begin")
#define RECORDS(list) "{\"verb\":\"device import\",\"step\":\"records\",\"records\":[" list "]}\n"

static void an_import_is_done_when_the_store_has_it(void **state)
{
	json_t *data = data_of(BEGIN RECORDS("[2,{\"name\":\"a\"}],[3,{\"name\":\"b\"}]") STEP("check") STEP("commit"));

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(data, "added")), 2);
	assert_int_equal(w.sessions.added, 2);
	assert_null(w.sessions.import);
	json_decref(data);
}

static void each_fault_comes_with_the_line_that_the_client_gave(void **state)
{
	(void)state;
	assert_int_equal(fault_line(data_of(BEGIN RECORDS("[2,{\"name\":\"a\"}],[17,{\"name\":\"bad\"}]"))), 17);
	assert_int_equal(fault_line(data_of(BEGIN RECORDS("[5,{\"name\":\"a\",\"servers\":[[]]}]"))), 5);
	assert_int_equal(
		fault_line(data_of(BEGIN RECORDS("[8,{\"name\":\"taken\"}],[9,{\"name\":\"b\"}]") STEP("check"))), 8);
	assert_int_equal(
		fault_line(data_of("{\"verb\":\"device import\",\"step\":\"begin\",\"keys\":[\"name\",\"odd\"]}\n")),
		1);
}

static void faults_keep_a_commit_back(void **state)
{
	(void)state;
	expect_error(BEGIN RECORDS("[2,{\"name\":\"bad\"}],[3,{\"name\":\"b\"}]") STEP("check") STEP("commit"),
		     "bad_request");
	expect_error(BEGIN RECORDS("[3,{\"name\":\"b\"}]") STEP("commit"), "bad_request"); /* nobody has looked */
	assert_int_equal(w.sessions.added, 0);
}

static void a_store_that_cannot_write_is_said(void **state)
{
	(void)state;
	w.sessions.commit_err = -EIO;
	expect_error(BEGIN RECORDS("[3,{\"name\":\"b\"}]") STEP("check") STEP("commit"), "unavailable");
	assert_int_equal(w.sessions.added, 0);
}

static void steps_out_of_order_are_refused(void **state)
{
	(void)state;
	expect_error(RECORDS("[1,{}]"), "bad_request");
	expect_error(STEP("commit"), "bad_request");
	expect_error(STEP("nonsense"), "bad_request");
	expect_error(BEGIN STEP("nonsense"), "bad_request");
	expect_error(BEGIN RECORDS("[1]"), "bad_request");
	expect_error(BEGIN RECORDS("7"), "bad_request");
	expect_error(BEGIN RECORDS("[1,{\"name\":\"a\"}]") STEP("check") RECORDS("[2,{\"name\":\"b\"}]"),
		     "bad_request");
	expect_error("{\"verb\":\"device import\"}\n", "bad_request");
}

static void an_import_ends_when_it_is_told_to(void **state)
{
	json_t *data = data_of(BEGIN RECORDS("[1,{\"name\":\"a\"}]") STEP("end"));

	(void)state;
	assert_null(w.sessions.import);
	json_decref(data);
	expect_error(BEGIN STEP("end") STEP("check"), "bad_request");
}

static void a_second_importer_has_to_wait(void **state)
{
	struct import *other = NULL;

	(void)state;
	assert_int_equal(import_open(&other, &w.sessions), 0);
	expect_error(BEGIN, "busy");
	expect_error("{\"verb\":\"device add\",\"device\":{\"name\":\"a\"}}\n", "busy");
	import_close(other);
}

/* The client hangs up while its commit is under way. */
static void say_and_leave(void *arg)
{
	int fd = connect_unix(path);
	size_t len = strlen(s.send);

	(void)arg;
	if (send(fd, s.send, len, MSG_NOSIGNAL) == (ssize_t)len)
		read_all(fd, s.got, 500); /* begun */
	close(fd);
}

static void a_commit_goes_on_without_its_client(void **state)
{
	(void)state;
	s.send = BEGIN RECORDS("[1,{\"name\":\"a\"}]") STEP("check") STEP("commit");
	talk(w.loop, say_and_leave, NULL);
	json_decref(data_of("{\"verb\":\"status\"}\n"));
	json_decref(data_of("{\"verb\":\"status\"}\n"));
	assert_int_equal(w.sessions.added, 1);
}

static void one_record_is_added_at_once(void **state)
{
	json_t *data = data_of(
		"{\"verb\":\"device add\",\"device\":{\"name\":\"a\",\"link\":\"sgi\",\"servers\":\"x;y\"}}\n");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(data, "added")), 1);
	json_decref(data);
	assert_int_equal(fault_line(data_of("{\"verb\":\"device add\",\"device\":{\"name\":\"bad\"}}\n")), 1);
	assert_int_equal(fault_line(data_of("{\"verb\":\"device add\",\"device\":{\"name\":\"taken\"}}\n")), 1);
	expect_error("{\"verb\":\"device add\",\"device\":7}\n", "bad_request");
	assert_int_equal(w.sessions.added, 1);
}

static void a_stored_record_is_removed_and_one_of_the_files_is_not(void **state)
{
	devices[0].status = (struct device_status){ .name = "filed" };
	w.sessions.devices = devices;
	w.sessions.n = 1;
	(void)state;
	json_decref(data_of("{\"verb\":\"device remove\",\"name\":\"stored\"}\n"));
	assert_int_equal(w.sessions.removed, 1);
	expect_error("{\"verb\":\"device remove\",\"name\":\"filed\"}\n", "conflict");
	expect_error("{\"verb\":\"device remove\",\"name\":\"nobody\"}\n", "not_found");
	expect_error("{\"verb\":\"device remove\"}\n", "bad_request");
	w.sessions.commit_err = -EIO;
	expect_error("{\"verb\":\"device remove\",\"name\":\"stored\"}\n", "unavailable");
}

static void nothing_is_changed_while_the_daemon_stops(void **state)
{
	(void)state;
	control_set_phase(w.control, CONTROL_STOPPING);
	expect_error(BEGIN, "busy");
	expect_error("{\"verb\":\"device add\",\"device\":{\"name\":\"a\"}}\n", "busy");
	expect_error("{\"verb\":\"device remove\",\"name\":\"stored\"}\n", "busy");
}

static void why_a_record_is_not_in_effect_is_shown(void **state)
{
	json_t *o = last_answer("{\"verb\":\"device show\",\"name\":\"overruled\"}\n");
	const char *text = json_string_value(json_object_get(json_object_get(o, "error"), "message"));

	(void)state;
	assert_non_null(strstr(text, "the files have this name"));
	json_decref(o);
}

static void an_export_comes_in_pages(void **state)
{
	static const char *const servers[] = { "main", "b;c" };
	json_t *data, *first;

	(void)state;
	for (size_t i = 0; i < 1100; i++) {
		snprintf(names[i], sizeof names[i], "d%zu", i);
		confs[i] = (struct device_conf){ .head.name = names[i],
						 .link = "sgi",
						 .servers = { servers, i ? 0 : 2 } };
		devices[i].status = (struct device_status){ .name = names[i], .conf = &confs[i] };
	}
	w.sessions.devices = devices;
	w.sessions.n = 1100;
	data = data_of("{\"verb\":\"device export\"}\n");
	first = json_array_get(json_object_get(data, "records"), 0);
	assert_int_equal(json_array_size(json_object_get(data, "records")), 500);
	assert_string_equal(json_string_value(json_object_get(data, "next")), "500");
	assert_int_equal(json_array_size(json_object_get(data, "keys")), 3);
	assert_string_equal(json_string_value(json_object_get(first, "name")), "d0");
	assert_string_equal(json_string_value(json_object_get(first, "link")), "sgi");
	assert_string_equal(json_string_value(json_array_get(json_object_get(first, "servers"), 1)), "b;c");
	json_decref(data);
	data = data_of("{\"verb\":\"device export\",\"cursor\":\"1000\"}\n");
	assert_int_equal(json_array_size(json_object_get(data, "records")), 100);
	assert_null(json_object_get(data, "next"));
	json_decref(data);
	data = data_of("{\"verb\":\"device export\",\"all\":true,\"cursor\":\"1000\"}\n");
	assert_int_equal(json_array_size(json_object_get(data, "records")), 100);
	assert_null(json_object_get(data, "next"));
	json_decref(data);
	expect_error("{\"verb\":\"device export\",\"cursor\":\"x\"}\n", "bad_request");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_import_is_done_when_the_store_has_it),
		T(each_fault_comes_with_the_line_that_the_client_gave),
		T(faults_keep_a_commit_back),
		T(a_store_that_cannot_write_is_said),
		T(steps_out_of_order_are_refused),
		T(an_import_ends_when_it_is_told_to),
		T(a_second_importer_has_to_wait),
		T(a_commit_goes_on_without_its_client),
		T(one_record_is_added_at_once),
		T(a_stored_record_is_removed_and_one_of_the_files_is_not),
		T(nothing_is_changed_while_the_daemon_stops),
		T(why_a_record_is_not_in_effect_is_shown),
		T(an_export_comes_in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
