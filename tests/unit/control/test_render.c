/* SPDX-License-Identifier: Apache-2.0 */
/* test_render.c - the objects that control shows */
#include "unit/control/fakes.h"

#include "control/render.h"

static struct world w;

static int open_world(void **state)
{
	(void)state;
	world_open(&w);
	control_set_phase(w.control, CONTROL_READY);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const struct device_conf meter_conf = { .external_id = "m17@iot.example" };

static struct device meter(void)
{
	struct device d = { .status = { .name = "meter-17",
					.ep = "urn:imei:490154203237518",
					.link = "op-a",
					.link_type = "t8",
					.conf = &meter_conf,
					.state = DEVICE_REGISTERED,
					.reach = REACH_AWAKE,
					.last_up_wall_ms = 1767312245678,
					.mtu = 1358,
					.mtu_origin = "profile",
					.queue = 2,
					.servers_n = 1 } };

	d.status.servers[0] = (struct device_server_status){ .name = "main",
							     .registered = true,
							     .lifetime_s = 86400,
							     .expires_wall_ms = 1767398645678,
							     .lwm2m = "1.1",
							     .binding = "U",
							     .port = 20001 };
	return d;
}

static void a_device_is_the_session_object(void **state)
{
	struct device d = meter();
	json_t *o = render_device(&d), *server;

	(void)state;
	assert_int_equal(number(o, "v"), 1);
	assert_non_null(text(o, "ts"));
	assert_string_equal(text(o, "device"), "meter-17");
	assert_string_equal(text(o, "ep"), "urn:imei:490154203237518");
	assert_string_equal(text(o, "transport"), "t8");
	assert_string_equal(text(json_object_get(o, "identity"), "external_id"), "m17@iot.example");
	assert_string_equal(text(o, "state"), "registered");
	assert_string_equal(text(o, "reach"), "awake");
	assert_string_equal(text(json_object_get(o, "link"), "last_up"), "2026-01-02T00:04:05.678Z");
	assert_int_equal(number(json_object_get(o, "link"), "mtu"), 1358);
	assert_int_equal(number(json_object_get(o, "queue"), "depth"), 2);
	server = json_array_get(json_object_get(o, "servers"), 0);
	assert_string_equal(text(server, "name"), "main");
	assert_true(json_is_true(json_object_get(server, "registered")));
	assert_int_equal(number(server, "lifetime_s"), 86400);
	assert_string_equal(text(server, "lwm2m"), "1.1");
	assert_string_equal(text(server, "binding"), "U");
	assert_int_equal(number(server, "port"), 20001);
	json_decref(o);
}

static void a_sleeper_with_a_budget_shows_both(void **state)
{
	struct device d = meter();
	json_t *o, *link, *rate;

	(void)state;
	d.status.awake_until_wall_ms = 1767312275678;
	d.status.queue_oldest_s = 340;
	d.status.rate = true;
	d.status.rate_limit = 10;
	d.status.rate_window_s = 360;
	d.status.rate_used = 3;
	o = render_device(&d);
	link = json_object_get(o, "link");
	rate = json_object_get(link, "rate");
	assert_string_equal(text(link, "awake_until"), "2026-01-02T00:04:35.678Z");
	assert_int_equal(number(json_object_get(o, "queue"), "oldest_s"), 340);
	assert_int_equal(number(rate, "limit"), 10);
	assert_int_equal(number(rate, "window_s"), 360);
	assert_int_equal(number(rate, "used"), 3);
	assert_string_equal(text(rate, "origin"), "profile");
	json_decref(o);
}

static void what_has_no_value_is_left_out(void **state)
{
	struct device d = { .status = { .name = "new", .link = "sgi", .link_type = "udp" } };
	json_t *o = render_device(&d);

	(void)state;
	assert_null(json_object_get(o, "ep"));
	assert_null(json_object_get(json_object_get(o, "link"), "last_up"));
	assert_null(json_object_get(json_object_get(o, "link"), "awake_until"));
	assert_null(json_object_get(json_object_get(o, "link"), "rate"));
	assert_null(json_object_get(json_object_get(o, "queue"), "oldest_s"));
	assert_string_equal(text(o, "state"), "unknown");
	json_decref(o);
}

static void a_name_that_is_not_utf8_is_shown_with_its_octets(void **state)
{
	struct device d = { .status = { .name = "m", .ep = "a\xff\x1b[2J" } };
	json_t *o = render_device(&d);

	(void)state;
	assert_string_equal(text(o, "ep"), "a\\xff\\x1b[2J");
	json_decref(o);
}

static void what_the_link_says_of_a_device_joins_the_link_object(void **state)
{
	struct device d = { .status = { .name = "m", .mtu = 100 }, .link_text = "\"configuration\":\"c1\",\"mtu\":7" };
	json_t *o = render_device(&d), *link = json_object_get(o, "link");

	(void)state;
	assert_string_equal(text(link, "configuration"), "c1");
	assert_int_equal(number(link, "mtu"), 100);
	json_decref(o);
}

static void words_of_a_link_that_are_no_json_are_left_out(void **state)
{
	struct device d = { .status = { .name = "m", .link = "l" }, .link_text = "\"a\":1}{" };
	json_t *o = render_device(&d);

	(void)state;
	assert_int_equal(json_object_size(json_object_get(o, "link")), 2); /* name, mtu */
	json_decref(o);
}

static void a_number_that_doubles_cannot_hold_is_text(void **state)
{
	json_t *o = json_object();

	(void)state;
	render_set_uint(o, "small", UINT64_C(9007199254740992));
	render_set_uint(o, "large", UINT64_C(18446744073709551615));
	assert_int_equal(number(o, "small"), 9007199254740992);
	assert_string_equal(text(o, "large"), "18446744073709551615");
	json_decref(o);
}

static void pages_follow_each_other_until_the_last(void **state)
{
	struct device devices[5] = { 0 };
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	char seen[6] = "";
	uint64_t from = 0;
	int pages = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		devices[i].status.name = names[i];
	w.sessions = (struct sessions){ .devices = devices, .n = 5 };
	for (bool more = true; more; pages++) {
		json_t *page = render_devices(w.control, from, 2), *list = json_object_get(page, "items");

		for (size_t i = 0; i < json_array_size(list); i++)
			strcat(seen, text(json_array_get(list, i), "device"));
		more = text(page, "next") != NULL;
		if (more)
			assert_int_equal(render_cursor(text(page, "next"), &from), 0);
		json_decref(page);
	}
	assert_int_equal(pages, 3);
	assert_string_equal(seen, "abcde");
}

static void a_full_last_page_has_no_next(void **state)
{
	struct device devices[2] = { { .status.name = "a" }, { .status.name = "b" } };
	json_t *page;

	(void)state;
	w.sessions = (struct sessions){ .devices = devices, .n = 2 };
	page = render_devices(w.control, 0, 2);
	assert_int_equal(json_array_size(json_object_get(page, "items")), 2);
	assert_true(json_is_null(json_object_get(page, "next")));
	json_decref(page);
}

static void links_come_in_pages_too(void **state)
{
	json_t *page;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		alarm_raise(w.alarms, ALARM_MAJOR, "t8.unreachable", (const char *const[]){ "a", "b", "c" }[i], "x",
			    NULL);
	page = render_alarms(w.control, 0, 2);
	assert_int_equal(json_array_size(json_object_get(page, "items")), 2);
	assert_string_equal(text(page, "next"), "2");
	json_decref(page);
	page = render_alarms(w.control, 2, 2);
	assert_int_equal(json_array_size(json_object_get(page, "items")), 1);
	assert_true(json_is_null(json_object_get(page, "next")));
	json_decref(page);
	page = render_alarms(w.control, 99, 2); /* of before, when there were more */
	assert_int_equal(json_array_size(json_object_get(page, "items")), 0);
	json_decref(page);
	for (size_t i = 0; i < 3; i++)
		alarm_clear(w.alarms, "t8.unreachable", (const char *const[]){ "a", "b", "c" }[i]);
}

static void what_waits_is_told_in_pages_of_their_own_size(void **state)
{
	struct queue_item queue[5] = { 0 };
	struct device m1 = { .status.name = "m1" };
	json_t *page, *item;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		queue[i] = (struct queue_item){ .device = i < 4 ? "m0" : "m1",
						.server = "main",
						.kind = QUEUE_REQUEST,
						.state = QUEUE_BUFFERED,
						.code = 1,
						.op = "read",
						.path = "/3/0",
						.con = true,
						.bytes = 17,
						.age_ms = 61900,
						.left_ms = 500 };
	w.sessions = (struct sessions){ .devices = &m1, .n = 1, .queue = queue, .queue_n = 5 };
	page = render_queue(w.control, NULL, 0, 2);
	assert_int_equal(json_array_size(json_object_get(page, "items")), 2);
	assert_string_equal(text(page, "next"), "2");
	item = json_array_get(json_object_get(page, "items"), 0);
	assert_string_equal(text(item, "device"), "m0");
	assert_string_equal(text(item, "dir"), "down");
	assert_string_equal(text(item, "state"), "buffered");
	assert_string_equal(text(item, "code"), "0.01");
	assert_string_equal(text(item, "path"), "/3/0");
	assert_int_equal(number(item, "age_s"), 61);
	assert_int_equal(number(item, "left_s"), 0);
	json_decref(page);
	page = render_queue(w.control, &m1, 0, 10); /* nothing of it here yet, and not the last page */
	assert_int_equal(json_array_size(json_object_get(page, "items")), 0);
	assert_string_equal(text(page, "next"), "3");
	json_decref(page);
	page = render_queue(w.control, &m1, 3, 10);
	assert_int_equal(json_array_size(json_object_get(page, "items")), 1);
	assert_true(json_is_null(json_object_get(page, "next")));
	json_decref(page);
	w.sessions = (struct sessions){ 0 };
}

static void a_cursor_that_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = { "", "-1", "1x", " 1", "1234567890123456789" };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(render_cursor(bad[i], &n), -EBADMSG);
}

static void expect_health(const char *status)
{
	json_t *o = render_health(w.control);

	assert_string_equal(text(o, "status"), status);
	json_decref(o);
}

static void health_is_the_worst_side(void **state)
{
	struct fake_link up, down, starting;
	struct north_server good, bad;
	struct link *both[] = { &up.link, &down.link }, *one[] = { &up.link }, *early[] = { &up.link, &starting.link };
	struct north_server *servers[] = { &good, &bad }, *gone[] = { &bad };

	(void)state;
	fake_link(&up, &fake_t8, "op-a", "up");
	fake_link(&down, &fake_udp, "sgi", "down");
	fake_link(&starting, &fake_udp, "new", "starting");
	fake_server(&good, "main", true);
	fake_server(&bad, "boot", false);
	expect_health("ok"); /* nothing to be wrong */
	control_show(w.control, one, 1, servers, 1);
	expect_health("ok");
	control_show(w.control, both, 2, servers, 1);
	expect_health("degraded");
	control_show(w.control, early, 2, servers, 1);
	expect_health("degraded");
	control_show(w.control, one, 1, servers, 2);
	expect_health("degraded");
	control_show(w.control, one, 1, gone, 1);
	expect_health("fail");
	control_show(w.control, both + 1, 1, servers, 1);
	expect_health("fail");
	control_show(w.control, NULL, 0, NULL, 0);
}

static void components_are_named_by_kind_and_name(void **state)
{
	struct fake_link l;
	struct north_server s;
	struct link *links[] = { &l.link };
	struct north_server *servers[] = { &s };
	json_t *o, *first, *second;

	(void)state;
	fake_link(&l, &fake_t8, "op-a", "down");
	strcpy(l.status.detail, "no answer for 120 s");
	fake_server(&s, "main", true);
	control_show(w.control, links, 1, servers, 1);
	o = render_health(w.control);
	first = json_array_get(json_object_get(o, "components"), 0);
	second = json_array_get(json_object_get(o, "components"), 1);
	assert_string_equal(text(first, "name"), "t8/op-a");
	assert_string_equal(text(first, "status"), "fail");
	assert_string_equal(text(first, "detail"), "no answer for 120 s");
	assert_string_equal(text(second, "name"), "server/main");
	assert_string_equal(text(second, "status"), "ok");
	json_decref(o);
	control_show(w.control, NULL, 0, NULL, 0);
}

static void expect_state(const char *expected)
{
	json_t *o = render_status(w.control);

	assert_string_equal(text(o, "state"), expected);
	json_decref(o);
}

static void the_gateway_says_in_which_state_it_is(void **state)
{
	struct fake_link l;
	struct link *links[] = { &l.link };

	(void)state;
	fake_link(&l, &fake_t8, "op-a", "up");
	control_set_phase(w.control, CONTROL_STARTING);
	expect_state("starting");
	control_set_phase(w.control, CONTROL_READY);
	expect_state("unconfigured");
	control_show(w.control, links, 1, NULL, 0);
	expect_state("online");
	l.status.state = "down";
	expect_state("degraded");
	control_set_phase(w.control, CONTROL_STOPPING);
	expect_state("stopping");
	control_set_phase(w.control, CONTROL_READY);
	control_show(w.control, NULL, 0, NULL, 0);
}

static double seven(void *arg)
{
	(void)arg;
	return 7;
}

static void devices_by_state_come_from_the_gauge_of_sessions(void **state)
{
	json_t *o, *devices;

	(void)state;
	metrics_gauge(w.metrics, "devices", "state=\"registered\"", "help", seven, NULL);
	o = render_status(w.control);
	devices = json_object_get(o, "devices");
	assert_int_equal(number(devices, "registered"), 7);
	json_decref(o);
}

static void an_alarm_says_what_to_do(void **state)
{
	json_t *o, *al;

	(void)state;
	alarm_raise(w.alarms, ALARM_MAJOR, "t8.unreachable", "op-a", "no answer for 120 s",
		    "check network and certificate");
	o = render_alarms(w.control, 0, 10);
	al = json_array_get(json_object_get(o, "items"), 0);
	assert_string_equal(text(al, "id"), "t8.unreachable:op-a");
	assert_string_equal(text(al, "severity"), "major");
	assert_string_equal(text(json_object_get(al, "source"), "peer"), "op-a");
	assert_true(json_is_null(json_object_get(al, "acked")));
	assert_string_equal(text(al, "text"), "no answer for 120 s");
	assert_string_equal(text(al, "action"), "check network and certificate");
	assert_int_equal(number(al, "count"), 1);
	json_decref(o);
	alarm_clear(w.alarms, "t8.unreachable", "op-a");
}

static void info_tells_of_a_refused_reload(void **state)
{
	json_t *o = render_info(w.control);

	(void)state;
	assert_true(json_is_null(json_object_get(json_object_get(o, "config"), "reload_error")));
	json_decref(o);
	w.reload_result = -EINVAL;
	w.reload_report = "niddgw.conf:3: links[0].name: missing\nsecond\n";
	assert_int_equal(control_reload(w.control, NULL), -EINVAL);
	o = render_info(w.control);
	assert_string_equal(text(json_object_get(o, "config"), "reload_error"),
			    "niddgw.conf:3: links[0].name: missing");
	json_decref(o);
	assert_int_equal(alarms_count(w.alarms), 1);
	w.reload_result = 0;
	assert_int_equal(control_reload(w.control, NULL), 0);
	assert_int_equal(alarms_count(w.alarms), 0);
}

static void each_kind_of_link_is_named_once(void **state)
{
	struct fake_link a, b, c;
	struct link *links[] = { &a.link, &b.link, &c.link };
	json_t *o;

	(void)state;
	fake_link(&a, &fake_t8, "a", "up");
	fake_link(&b, &fake_udp, "b", "up");
	fake_link(&c, &fake_t8, "c", "up");
	control_show(w.control, links, 3, NULL, 0);
	o = render_info(w.control);
	assert_int_equal(json_array_size(json_object_get(o, "transports")), 2);
	json_decref(o);
	control_show(w.control, NULL, 0, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_the_session_object),
		cmocka_unit_test(a_sleeper_with_a_budget_shows_both),
		cmocka_unit_test(what_has_no_value_is_left_out),
		cmocka_unit_test(a_name_that_is_not_utf8_is_shown_with_its_octets),
		cmocka_unit_test(what_the_link_says_of_a_device_joins_the_link_object),
		cmocka_unit_test(words_of_a_link_that_are_no_json_are_left_out),
		cmocka_unit_test(a_number_that_doubles_cannot_hold_is_text),
		cmocka_unit_test(pages_follow_each_other_until_the_last),
		cmocka_unit_test(a_full_last_page_has_no_next),
		cmocka_unit_test(links_come_in_pages_too),
		cmocka_unit_test(what_waits_is_told_in_pages_of_their_own_size),
		cmocka_unit_test(a_cursor_that_is_no_number_is_refused),
		cmocka_unit_test(health_is_the_worst_side),
		cmocka_unit_test(components_are_named_by_kind_and_name),
		cmocka_unit_test(the_gateway_says_in_which_state_it_is),
		cmocka_unit_test(devices_by_state_come_from_the_gauge_of_sessions),
		cmocka_unit_test(an_alarm_says_what_to_do),
		cmocka_unit_test(info_tells_of_a_refused_reload),
		cmocka_unit_test(each_kind_of_link_is_named_once),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
