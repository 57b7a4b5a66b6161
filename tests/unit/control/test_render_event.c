/* SPDX-License-Identifier: Apache-2.0 */
/* test_render_event.c - the documents that plug-ins get beside reports */
#include "unit/control/fakes.h"

#include "control/render.h"
#include "lwm2m/objects.h"

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

/* The document without what changes each time; o is taken. */
static const char *shown(json_t *o)
{
	static char *text;

	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "v")), 1);
	assert_non_null(json_object_get(o, "ts"));
	json_object_del(o, "v");
	json_object_del(o, "ts");
	free(text);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	return text;
}

static json_int_t number_in(const json_t *o, const char *object, const char *key)
{
	const json_t *v = json_object_get(json_object_get(o, object), key);

	assert_non_null(v);
	return json_integer_value(v);
}

/* ---- sessions ---- */

static void an_event_has_what_is_known_of_the_registration(void **state)
{
	struct session_event_text e = { .id = "01", .device = "m1", .ep = "urn:x", .wall_ms = 1767225600000 };

	(void)state;
	e.news = (struct session_news){ .event = SESSION_REGISTERED,
					.server = "main",
					.has_registration = true,
					.lifetime_s = 300,
					.binding = "UQ",
					.lwm2m = "1.1" };
	assert_string_equal(
		shown(render_session_event(&e)),
		"{\"binding\":\"UQ\",\"device\":\"m1\",\"ep\":\"urn:x\",\"event\":\"registered\",\"id\":\"01\","
		"\"lifetime_s\":300,\"lwm2m\":\"1.1\",\"server\":\"main\"}");
	e.ep = NULL;
	e.news = (struct session_news){ .event = SESSION_REJECTED, .reason = "identity_mismatch" };
	assert_string_equal(
		shown(render_session_event(&e)),
		"{\"device\":\"m1\",\"event\":\"rejected\",\"id\":\"01\",\"reason\":\"identity_mismatch\"}");
}

static void an_event_keeps_the_time_at_which_it_happened(void **state)
{
	const struct session_event_text e = { .id = "01", .device = "m1", .wall_ms = 1767225600001 };
	json_t *o = render_session_event(&e);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "ts")), "2026-01-01T00:00:00.001Z");
	json_decref(o);
}

static void objects_stand_in_the_order_of_the_list(void **state)
{
	static const char list[] = "</lw>;rt=\"oma.lwm2m\",</lw/3303>;ver=1.1,</lw/3303/0>,</lw/3/0>";
	struct lwm2m_objects *objects;
	struct device d = { .status = { .name = "m1", .ep = "urn:x" } };

	(void)state;
	assert_null(render_objects(w.control, &d));
	assert_int_equal(lwm2m_objects_new(&objects, list, sizeof list - 1), 0);
	d.objects = objects;
	assert_string_equal(
		shown(render_objects(w.control, &d)),
		"{\"device\":\"m1\",\"ep\":\"urn:x\",\"objects\":[{\"path\":\"/3303\",\"ver\":\"1.1\"},"
		"{\"path\":\"/3303/0\",\"ver\":\"1.1\"},{\"path\":\"/3/0\"}],\"prefix\":\"/lw\",\"server\":\"main\"}");
	lwm2m_objects_free(objects);
}

/* ---- requests on their way ---- */

static void words_of_the_network_are_told_of_t8_alone(void **state)
{
	static const struct {
		const char *link_type;
		enum down_state state;
		uint64_t retry_wall_ms;
		const char *t8;
	} rows[] = {
		{ "t8", DOWN_BUFFERED, 0, ",\"t8\":{\"status\":\"BUFFERING\"}" },
		{ "t8", DOWN_QUEUED, 1767225600000,
		  ",\"t8\":{\"retry_at\":\"2026-01-01T00:00:00.000Z\",\"status\":\"FAILURE_TEMPORARILY_NOT_"
		  "REACHABLE\"}" },
		{ "t8", DOWN_QUEUED, 0, "" },
		{ "t8", DOWN_SENT, 0, "" },
		{ "udp", DOWN_BUFFERED, 1767225600000, "" },
	};
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct device d = { .status = { .name = "m1", .link_type = rows[i].link_type } };
		const struct down_news n = { .state = rows[i].state,
					     .id = "q-1",
					     .server = "main",
					     .attempt = 2,
					     .bytes = 14,
					     .retry_wall_ms = rows[i].retry_wall_ms };

		snprintf(want, sizeof want,
			 "{\"attempt\":2,\"bytes\":14,\"device\":\"m1\",\"id\":\"q-1\",\"server\":\"main\",\"state\":"
			 "\"%s\"%s}",
			 down_state_names[rows[i].state], rows[i].t8);
		assert_string_equal(shown(render_down(&d, &n)), want);
	}
}

/* ---- alarms ---- */

static void each_kind_of_source_has_a_name(void **state)
{
	static const char *const rows[][2] = { { "t8.unreachable", "peer" },   { "server.unreachable", "server" },
					       { "device.silent", "device" },  { "plugin.down", "plugin" },
					       { "mqtt.dropped", "plugin" },   { "config.reload", "file" },
					       { "store.unavailable", "peer" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct alarm al = { .type = rows[i][0], .source = "x", .text = "t", .count = 1 };
		json_t *o = render_alarm_event(&al, "raise");

		assert_string_equal(json_string_value(json_object_get(json_object_get(o, "source"), rows[i][1])), "x");
		assert_string_equal(json_string_value(json_object_get(o, "event")), "raise");
		json_decref(o);
	}
}

static void one_that_was_seen_says_when(void **state)
{
	const struct alarm al = {
		.type = "a.b", .source = "\xff", .text = "t", .count = 2, .acked_wall_ms = 1767225600000
	};

	(void)state;
	assert_string_equal(
		shown(render_alarm(&al)),
		"{\"acked\":\"2026-01-01T00:00:00.000Z\",\"count\":2,\"id\":\"a.b:\\\\xff\",\"severity\":\"warning\","
		"\"source\":{\"peer\":\"\\\\xff\"},\"text\":\"t\",\"type\":\"a.b\"}");
}

/* ---- numbers ---- */

static double seven(void *arg)
{
	(void)arg;
	return 7;
}

static void counters_are_summed_and_devices_told_by_state(void **state)
{
	json_t *o;

	(void)state;
	*metrics_counter(w.metrics, "uplink_total", "link=\"a\"", "U") = 2;
	*metrics_counter(w.metrics, "uplink_total", "link=\"b\"", "U") = 3;
	metrics_gauge(w.metrics, "things", "state=\"registered\"", "T", seven, NULL);
	metrics_gauge(w.metrics, "things", "state=\"expired\"", "T", seven, NULL);
	o = render_stats(w.control, 30);
	assert_int_equal(json_integer_value(json_object_get(o, "interval_s")), 30);
	assert_int_equal(number_in(o, "counters", "uplink_total"), 5);
	assert_int_equal(number_in(o, "gauges", "things"), 14);
	assert_int_equal(number_in(o, "gauges", "things_registered"), 7);
	assert_null(json_object_get(json_object_get(o, "gauges"), "build_info"));
	json_decref(o);
}

static void latencies_are_milliseconds_and_left_out_while_there_are_none(void **state)
{
	static const double bounds[] = { 0.001, 0.01, 0.1 };
	struct metrics_histogram *h = metrics_histogram(w.metrics, "callback_seconds", NULL, "C", bounds, 3);
	json_t *o = render_stats(w.control, 30), *ms = json_object_get(o, "latency_ms");
	double p50;

	(void)state;
	assert_int_equal(json_object_size(ms), 0);
	json_decref(o);
	for (unsigned i = 0; i < 100; i++)
		metrics_observe(h, 0.005);
	o = render_stats(w.control, 30);
	p50 = json_number_value(json_object_get(json_object_get(o, "latency_ms"), "callback_p50"));
	assert_true(p50 > 1 && p50 <= 10);
	json_decref(o);
}

static void presence_says_why_it_ends(void **state)
{
	json_t *o = render_conn(w.control, "offline", "stopped");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "state")), "offline");
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "stopped");
	json_decref(o);
	o = render_conn(w.control, "online", NULL);
	assert_null(json_object_get(o, "reason"));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_what_is_known_of_the_registration),
		cmocka_unit_test(an_event_keeps_the_time_at_which_it_happened),
		cmocka_unit_test(objects_stand_in_the_order_of_the_list),
		cmocka_unit_test(words_of_the_network_are_told_of_t8_alone),
		cmocka_unit_test(each_kind_of_source_has_a_name),
		cmocka_unit_test(one_that_was_seen_says_when),
		cmocka_unit_test(counters_are_summed_and_devices_told_by_state),
		cmocka_unit_test(latencies_are_milliseconds_and_left_out_while_there_are_none),
		cmocka_unit_test(presence_says_why_it_ends),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
