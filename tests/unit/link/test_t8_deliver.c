/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_deliver.c - downlinks through the T8 link against a scripted peer. Numbers are the acceptance cases of the T8
 * reference. */
#include "t8_fake.h"

static struct t8_link *link_at(void)
{
	return (struct t8_link *)sc.link;
}

static int setup(void **state)
{
	(void)state;
	scene_env();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_close();
	return 0;
}

static const char unit[] = "\x40\x01\x00\x01";
#define UNIT_B64 "QAEAAQ=="

static void expect(enum link_down_state state, enum link_cause cause)
{
	assert_int_equal(last_down().state, state);
	assert_int_equal(last_down().cause, cause);
}

static struct t8_dev *sent(void)
{
	struct t8_dev *d = active_device();

	assert_int_equal(send_unit(d, 1, unit, 4), 0);
	assert_non_null(asked(HTTP_POST, DELIVERIES));
	return d;
}

static void t8_22_a_finished_delivery_needs_no_polling(void **state)
{
	struct t8_dev *d = sent();
	struct http_call *c = asked(HTTP_POST, DELIVERIES);

	(void)state;
	assert_string_equal(c->body,
			    "{\"externalId\":\"m1@iot.example\",\"data\":\"" UNIT_B64 "\",\"maximumLatency\":0}");
	assert_int_equal(c->timeout_ms, 60000);
	reply(c, 200, NULL,
	      "{\"externalId\":\"m1@iot.example\",\"data\":\"" UNIT_B64 "\",\"deliveryStatus\":\"SUCCESS\"}");
	expect(LINK_DOWN_SENT, LINK_CAUSE_NONE);
	assert_null(d->busy);
	pass(5000);
	assert_null(calls);
}

static void t8_23_a_buffered_delivery_is_closed_by_its_status(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	reply(asked(HTTP_POST, DELIVERIES), 201, "https://scef.example:8443" DELIVERIES "/7",
	      "{\"deliveryStatus\":\"BUFFERING\"}");
	expect(LINK_DOWN_BUFFERED, LINK_CAUSE_NONE);
	assert_int_equal(link_at()->pending.count, 1);
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"http://proxy" DELIVERIES
				"/7\",\"deliveryStatus\":\"SUCCESS_NEXT_HOP_ACKNOWLEDGED\"}"),
			 204);
	expect(LINK_DOWN_DELIVERED, LINK_CAUSE_NONE);
	assert_int_equal(link_at()->pending.count, 0);
	assert_null(d->busy);
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"http://proxy" DELIVERIES
				"/7\",\"deliveryStatus\":\"FAILURE\"}"),
			 204);
	assert_int_equal(seen.downs, 2); /* closed already */
}

static void t8_24_a_status_before_the_201_is_matched(void **state)
{
	(void)state;
	sent();
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES
				"/7\",\"deliveryStatus\":\"SUCCESS_ACKNOWLEDGED\"}"),
			 204);
	assert_int_equal(seen.downs, 0);
	pass(59000);
	reply(asked(HTTP_POST, DELIVERIES), 201, DELIVERIES "/7", "");
	expect(LINK_DOWN_ACKED, LINK_CAUSE_NONE);
	assert_int_equal(link_at()->pending.count, 0);
	assert_int_equal(link_at()->unmatched_n, 0);
}

static void an_unmatched_status_is_kept_for_a_minute(void **state)
{
	char text[256];

	(void)state;
	active_device();
	for (int i = 0; i < UNMATCHED_MAX + 10; i++) {
		snprintf(text, sizeof text,
			 "{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/x%d\",\"deliveryStatus\":\"SUCCESS\"}", i);
		assert_int_equal(notify(text), 204);
	}
	assert_int_equal(link_at()->unmatched_n, UNMATCHED_MAX);
	pass(62000);
	assert_int_equal(link_at()->unmatched_n, 0);
}

static void t8_25_deviating_answers_are_understood(void **state)
{
	(void)state;
	sent();
	reply(asked(HTTP_POST, DELIVERIES), 201, NULL,
	      "{\"self\":\"/3gpp-nidd/v1/gw7/configurations/42/downlink-data-deliveries/9\",\"status\":\"BUFFERING\"}");
	expect(LINK_DOWN_BUFFERED, LINK_CAUSE_NONE);
	assert_int_equal(
		notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/9\",\"status\":\"SUCCESS_UNACKNOWLEDGED\"}"),
		204);
	expect(LINK_DOWN_UNSURE, LINK_CAUSE_NONE); /* 31: retransmission is right */
}

static void t8_26_a_typed_failure_hands_its_time_to_the_session(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	reply(asked(HTTP_POST, DELIVERIES), 500, NULL,
	      "{\"problemDetail\":{\"status\":500,\"cause\":\"TEMPORARILY_NOT_REACHABLE\"},"
	      "\"requestedRetransmissionTime\":\"2026-01-01T00:01:31Z\"}");
	expect(LINK_DOWN_FAILED, LINK_CAUSE_ASLEEP);
	assert_int_equal(last_down().retry_at_ms, sc.now + 90000);
	assert_int_equal(seen.dev[1].kind, LINK_DEV_ASLEEP);
	assert_int_equal(link_at()->circuit.faults, 0); /* no fault of the peer's */
	assert_null(d->busy);
}

static void t8_27_failures_without_a_time_back_off(void **state)
{
	struct t8_dev *d = active_device();
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_unit(d, 1, unit, 4), 0);
		reply(asked(HTTP_POST, DELIVERIES), 500, NULL, "{\"problemDetail\":{\"cause\":\"SENDING\"}}");
		expect(LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY);
		assert_true(last_down().retry_at_ms - sc.now > last);
		last = (last_down().retry_at_ms - sc.now) * 5 / 4;
	}
}

static void t8_28_a_broken_server_is_tried_again_a_few_times(void **state)
{
	(void)state;
	sent();
	for (int i = 0; i < 2; i++) {
		reply(asked(HTTP_POST, DELIVERIES), 500, NULL, "<html><body>oops</body></html>");
		assert_null(calls);
		pass(3000);
	}
	reply(asked(HTTP_POST, DELIVERIES), 500, NULL, "<html>");
	expect(LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY);
	assert_int_equal(seen.downs, 1);
}

static void t8_32_too_large_lowers_the_mtu_and_is_never_sent_again(void **state)
{
	struct t8_dev *d = active_device();
	static char big[1300] = { 0x40, 1, 0, 1 };

	(void)state;
	assert_int_equal(send_unit(d, 1, big, sizeof big), 0);
	reply(asked(HTTP_POST, DELIVERIES), 403, NULL, "{\"cause\":\"DATA_TOO_LARGE\"}");
	reply(asked(HTTP_GET, "/configurations/42"), 200, NULL, "{\"self\":\"x\",\"maximumPacketSize\":8000}");
	assert_int_equal(seen.dev[1].kind, LINK_DEV_MTU);
	assert_int_equal(seen.dev[1].value, 1000);
	expect(LINK_DOWN_FAILED, LINK_CAUSE_TOO_LARGE);
	assert_int_equal(send_unit(d, 2, big, sizeof big), -EMSGSIZE);
	assert_int_equal(send_unit(d, 2, big, 900), 0);
	reply(asked(HTTP_POST, DELIVERIES), 413, NULL, "");
	assert_int_equal(seen.dev[2].value, 899);
	expect(LINK_DOWN_FAILED, LINK_CAUSE_TOO_LARGE);
}

static void t8_34_nothing_above_the_limit_is_posted(void **state)
{
	struct t8_dev *d = active_device();
	static char big[4096];

	(void)state;
	assert_int_equal(send_unit(d, 1, big, 1359), -EMSGSIZE);
	assert_int_equal(send_unit(d, 1, big, sizeof big), -EMSGSIZE);
	assert_int_equal(send_unit(d, 1, big, 0), -EMSGSIZE);
	assert_null(calls);
	assert_null(d->busy);
}

static void t8_35_a_lost_configuration_is_made_again_once_for_a_unit(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	reply(asked(HTTP_POST, DELIVERIES), 404, NULL, "");
	reply(asked(HTTP_POST, "/gw7/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/43", "{}");
	assert_int_equal(seen.downs, 0);
	reply(asked(HTTP_POST, "/configurations/43/downlink-data-deliveries"), 404, NULL, "");
	expect(LINK_DOWN_FAILED, LINK_CAUSE_NO_BEARER);
	assert_true(alarm_is_raised("t8.config_lost"));
	pass(2000);
	if (asked(HTTP_GET, "/configurations"))
		reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	assert_null(asked(HTTP_POST, "/gw7/configurations"));
	pass(61000);
	reply(asked(HTTP_POST, "/gw7/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/44", "{}");
	assert_int_equal(send_unit(d, 2, unit, 4), 0);
	reply(asked(HTTP_POST, "/configurations/44/downlink-data-deliveries"), 200, NULL, "");
	assert_false(alarm_is_raised("t8.config_lost"));
}

static void t8_38_two_401_in_a_row_are_about_us(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	reply(asked(HTTP_POST, DELIVERIES), 401, NULL, "");
	expect(LINK_DOWN_FAILED, LINK_CAUSE_REFUSED);
	assert_false(alarm_is_raised("t8.auth_failed"));
	assert_int_equal(send_unit(d, 2, unit, 4), 0);
	reply(asked(HTTP_POST, DELIVERIES), 401, NULL, "");
	assert_true(alarm_is_raised("t8.auth_failed"));
	assert_int_equal(send_unit(d, 3, unit, 4), 0);
	assert_null(calls); /* the circuit is open */
	pass(T8_PROBE_MS + 1000);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	assert_false(alarm_is_raised("t8.auth_failed"));
}

static void t8_39_what_cannot_be_sent_waits_and_recovers_alone(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	for (int i = 0; i < T8_FAULTS_TO_OPEN; i++) {
		struct http_result r = { .outcome = HTTP_NOT_SENT, .error = "no token", .auth_failed = i == 0 };

		finish_with(asked(HTTP_POST, DELIVERIES), &r);
		assert_null(calls);
		pass(i < T8_FAULTS_TO_OPEN - 1 ? 10000 : 1000);
	}
	assert_true(alarm_is_raised("t8.unreachable"));
	assert_true(alarm_is_raised("t8.auth_failed"));
	assert_null(calls);
	assert_int_equal(
		notify("{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"YEUAAQ==\"}"), 204);
	assert_null(calls);
	assert_int_equal(seen.downs, 0);
	pass(T8_PROBE_MS);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	expect(LINK_DOWN_SENT, LINK_CAUSE_NONE);
	assert_false(alarm_is_raised("t8.unreachable"));
	(void)d;
}

static void a_unit_that_waited_too_long_has_expired(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	assert_int_equal(send_unit(d, 7, unit, 4), 0);
	pass(1000);
	lose(asked(HTTP_GET, "/configurations"), HTTP_NOT_SENT);
	for (int i = 0; i < 12; i++) {
		pass(10000);
		while (calls)
			lose(calls, HTTP_NOT_SENT);
	}
	expect(LINK_DOWN_FAILED, LINK_CAUSE_EXPIRED);
	assert_int_equal(last_down().id, 7);
	assert_null(d->busy);
}

static void t8_41_a_pause_holds_everything_and_keeps_the_order(void **state)
{
	struct t8_dev *d = sent();
	struct http_result busy = {
		.outcome = HTTP_ANSWERED, .status = 429, .has_retry_after = true, .retry_after_ms = 20000
	};
	const struct link_down answer = { .id = 4, .klass = LINK_ANSWER, .port_ue = -1, .port_scef = -1 };

	(void)state;
	assert_int_equal(send_unit(d, 2, "\x40\x01\x00\x02", 4), 0);
	assert_int_equal(send_unit(d, 3, "\x40\x01\x00\x03", 4), 0);
	finish_with(asked(HTTP_POST, DELIVERIES), &busy);
	assert_int_equal(link_t8_ops.send((struct link_dev *)d, &answer, (const uint8_t *)"\x60\x01\x00\x04", 4), 0);
	pass(19500);
	assert_null(calls);
	pass(1000);
	assert_int_equal(asked_count(HTTP_POST, DELIVERIES), 1); /* one at a time */
	assert_non_null(strstr(calls->body, "YAEABA=="));        /* the answer first */
	reply(calls, 200, NULL, "");
	for (int i = 0; i < 3; i++) {
		static const char *const order[] = { "QAEAAQ==", "QAEAAg==", "QAEAAw==" };

		assert_non_null(strstr(calls->body, order[i]));
		reply(calls, 200, NULL, "");
	}
	assert_int_equal(seen.downs, 4);
}

/* What maximumLatency is in the request for a unit that the caller gives so many seconds. */
static const char *latency_of(struct t8_dev *d, int64_t latency_s)
{
	const struct link_down how = {
		.id = 9, .klass = LINK_REQUEST, .port_ue = -1, .port_scef = -1, .maximum_latency_s = latency_s
	};
	static char text[32];

	assert_int_equal(link_t8_ops.send((struct link_dev *)d, &how, (const uint8_t *)"\x40\x01\x00\x05", 4), 0);
	assert_int_equal(sscanf(strstr(calls->body, "\"maximumLatency\":"), "\"maximumLatency\":%31[0-9]", text), 1);
	reply(calls, 200, NULL, "");
	return text;
}

static void the_network_keeps_what_the_caller_lets_it_keep(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_string_equal(latency_of(d, 0), "0");
	assert_string_equal(latency_of(d, 110), "110");
	assert_string_equal(latency_of(d, -1), "0");
	assert_string_equal(latency_of(d, 99999999), "2592000");
	sc.conf.maximum_latency_s = 3600;
	assert_string_equal(latency_of(d, 0), "0"); /* the gateway keeps it: never both */
	assert_string_equal(latency_of(d, 110), "3600");
	assert_string_equal(latency_of(d, -1), "3600");
}

static void t8_42_a_308_moves_the_peer_for_good(void **state)
{
	struct t8_dev *d = sent();
	struct http_result r = { .outcome = HTTP_ANSWERED,
				 .status = 200,
				 .permanent_redirect = true,
				 .final_url = "https://scef.example:8443/v2" DELIVERIES };
	struct http_result foreign = { .outcome = HTTP_ANSWERED, .status = 307, .location = "http://169.254.169.254/" };

	(void)state;
	finish_with(asked(HTTP_POST, DELIVERIES), &r);
	assert_int_equal(send_unit(d, 2, unit, 4), 0);
	assert_non_null(asked(HTTP_POST, "https://scef.example:8443/v2" DELIVERIES));
	finish_with(calls, &foreign); /* one that the client would not follow: S19 */
	assert_true(alarm_is_raised("t8.unreachable"));
	pass(2000);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	assert_false(alarm_is_raised("t8.unreachable"));
}

static void t8_43_a_lost_answer_is_looked_up_before_anything_is_repeated(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	lose(asked(HTTP_POST, DELIVERIES), HTTP_UNKNOWN);
	assert_null(asked(HTTP_POST, DELIVERIES));
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL,
	      "[{\"data\":\"AAAA\",\"self\":\"x\"},{\"externalId\":\"m1@iot.example\",\"data\":\"QAEAAQ\",\"self\":"
	      "\"" DELIVERIES "/8\"}]");
	expect(LINK_DOWN_BUFFERED, LINK_CAUSE_NONE);
	assert_null(calls);
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/8\",\"deliveryStatus\":\"SUCCESS\"}"),
			 204);
	expect(LINK_DOWN_SENT, LINK_CAUSE_NONE);
	(void)d;
}

static void t8_43_what_the_peer_does_not_have_is_sent_once_more_and_no_more(void **state)
{
	char first[256];

	(void)state;
	sent();
	strcpy(first, calls->body);
	lose(asked(HTTP_POST, DELIVERIES), HTTP_UNKNOWN);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, "[]");
	assert_string_equal(asked(HTTP_POST, DELIVERIES)->body, first);
	reply(asked(HTTP_POST, DELIVERIES), 504, NULL, ""); /* again nobody knows */
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, "[]");
	expect(LINK_DOWN_UNSURE, LINK_CAUSE_NONE);
	assert_null(calls);
}

static void t8_44_a_held_answer_stops_only_its_own_device(void **state)
{
	struct t8_dev *d = sent(), *other;

	(void)state;
	other = add("m2@iot.example");
	pass(1000);
	reply(asked(HTTP_POST, "/gw7/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/50", "{}");
	assert_int_equal(send_unit(d, 2, unit, 4), 0);
	assert_int_equal(send_unit(other, 3, unit, 4), 0);
	reply(asked(HTTP_POST, "/50/downlink-data-deliveries"), 200, NULL, "");
	assert_int_equal(seen.downs, 1);
	assert_int_equal(asked_count(HTTP_POST, DELIVERIES), 1);
	pass(45000);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "{\"deliveryStatus\":\"SUCCESS_ACKNOWLEDGED\"}");
	expect(LINK_DOWN_ACKED, LINK_CAUSE_NONE);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
}

static void t8_50_a_cancelled_delivery_is_taken_back(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	assert_int_equal(send_unit(d, 2, unit, 4), 0);
	link_t8_ops.cancel((struct link_dev *)d, 2); /* had not left */
	reply(asked(HTTP_POST, DELIVERIES), 201, DELIVERIES "/7", "");
	assert_int_equal(seen.downs, 1);
	link_t8_ops.cancel((struct link_dev *)d, 1);
	reply(asked(HTTP_DELETE, DELIVERIES "/7"), 409, NULL, "");
	assert_null(d->busy);
	assert_int_equal(send_unit(d, 3, unit, 4), 0);
	link_t8_ops.cancel((struct link_dev *)d, 3); /* under way */
	reply(asked(HTTP_POST, DELIVERIES), 201, DELIVERIES "/8", "");
	reply(asked(HTTP_DELETE, DELIVERIES "/8"), 405, NULL, "");
	assert_true(link_at()->no_cancel);
	assert_int_equal(seen.downs, 1);
	assert_null(d->busy);
}

static void t8_63_t8_64_retry_times_are_held_to_a_day(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL,
	      "{\"deliveryStatus\":\"FAILURE_TEMPORARILY_NOT_REACHABLE\",\"requestedRetransmissionTime\":\"2036-01-"
	      "01T00:00:00Z\"}");
	expect(LINK_DOWN_FAILED, LINK_CAUSE_ASLEEP);
	assert_int_equal(last_down().retry_at_ms, sc.now + 86400000);
	assert_int_equal(send_unit(d, 2, unit, 4), 0);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL,
	      "{\"deliveryStatus\":\"FAILURE_TEMPORARILY_NOT_REACHABLE\",\"requestedRetransmissionTime\":\"2020-01-"
	      "01T00:00:00Z\"}");
	assert_int_equal(last_down().retry_at_ms, sc.now);
	sc.wall += 3600000; /* the wall clock jumps: nothing that runs is moved */
	assert_int_equal(send_unit(d, 3, unit, 4), 0);
	lose(asked(HTTP_POST, DELIVERIES), HTTP_NOT_SENT);
	pass(500);
	assert_null(calls);
	pass(1500);
	assert_non_null(asked(HTTP_POST, DELIVERIES));
}

static void a_retransmission_of_what_has_not_left_is_not_a_second_unit(void **state)
{
	struct t8_dev *d = sent();
	struct link_down how = { .id = 1, .klass = LINK_REQUEST, .again = true, .port_ue = -1, .port_scef = -1 };

	(void)state;
	assert_int_equal(link_t8_ops.send((struct link_dev *)d, &how, (const uint8_t *)unit, 4), 0);
	assert_int_equal(link_at()->queued, 0);
	how.id = 2;
	assert_int_equal(link_t8_ops.send((struct link_dev *)d, &how, (const uint8_t *)unit, 4), 0);
	assert_int_equal(link_t8_ops.send((struct link_dev *)d, &how, (const uint8_t *)unit, 4), 0);
	assert_int_equal(link_at()->queued, 1);
}

static void what_the_network_keeps_of_an_answer_is_not_followed(void **state)
{
	struct link_down how = {
		.id = 1, .key = 9, .klass = LINK_ANSWER, .once = true, .port_ue = -1, .port_scef = -1
	};
	struct link_down copy = { .klass = LINK_ANSWER, .port_ue = -1, .port_scef = -1 };
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(t8_send((struct link_dev *)d, &how, (const uint8_t *)unit, 4), 0);
	assert_int_equal(t8_send((struct link_dev *)d, &copy, (const uint8_t *)unit, 4), 0);
	assert_int_equal(d->busy->queued, 0); /* for a duplicate: the same is on its way */
	reply(asked(HTTP_POST, DELIVERIES), 201, DELIVERIES "/7", "{\"deliveryStatus\":\"BUFFERING\"}");
	expect(LINK_DOWN_SENT, LINK_CAUSE_NONE);
	assert_int_equal(seen.downs, 1);
	assert_int_equal(link_at()->pending.count, 0);
	assert_null(d->busy);
}

static void an_answer_that_is_found_in_the_list_is_handed_over(void **state)
{
	struct link_down how = { .id = 1, .klass = LINK_ANSWER, .once = true, .port_ue = -1, .port_scef = -1 };
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(t8_send((struct link_dev *)d, &how, (const uint8_t *)unit, 4), 0);
	reply(asked(HTTP_POST, DELIVERIES), 504, NULL, "");
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL,
	      "[{\"self\":\"" DELIVERIES "/3\",\"externalId\":\"m1@iot.example\",\"data\":\"" UNIT_B64 "\"}]");
	expect(LINK_DOWN_BUFFERED, LINK_CAUSE_NONE);
	assert_int_equal(link_at()->pending.count, 0);
	assert_null(d->busy);
}

static void a_full_queue_says_so(void **state)
{
	struct t8_dev *d = sent();

	(void)state;
	for (uint32_t i = 0; i < QUEUE_MAX; i++)
		assert_int_equal(send_unit(d, 10 + i, unit, 4), 0);
	assert_int_equal(send_unit(d, 99, unit, 4), -EAGAIN);
	link_t8_ops.detach((struct link_dev *)d, false);
	assert_int_equal(link_at()->queued, 0);
	assert_int_equal(seen.downs, 0);
}

static void an_uplink_frees_what_waits_for_a_back_off(void **state)
{
	(void)state;
	sent();
	reply(asked(HTTP_POST, DELIVERIES), 500, NULL, "<html>");
	assert_null(calls);
	assert_int_equal(notify("{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"\"}"), 204);
	assert_non_null(asked(HTTP_POST, DELIVERIES));
}

static void a_full_client_is_asked_again(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	call_error = -EAGAIN;
	assert_int_equal(send_unit(d, 1, unit, 4), 0);
	pass(3000);
	assert_null(calls);
	call_error = 0;
	pass(1500);
	assert_non_null(asked(HTTP_POST, DELIVERIES));
}

static struct t8_dev *victim;
static void detach_on_down(void *arg, struct device *dev, const struct link_down_event *ev)
{
	on_down(arg, dev, ev);
	if (victim)
		link_t8_ops.detach((struct link_dev *)victim, false);
	victim = NULL;
}

static void a_device_that_is_detached_in_an_event_is_not_touched_again(void **state)
{
	static const struct link_events events = { on_uplink, on_unknown, detach_on_down, on_device };
	static const struct {
		enum http_outcome outcome;
		int status;
		const char *body;
	} answers[] = { { HTTP_ANSWERED, 200, "" },
			{ HTTP_ANSWERED, 400, "" },
			{ HTTP_ANSWERED, 413, "" },
			{ HTTP_ANSWERED, 201, "" } };

	(void)state;
	sc.env.events = &events;
	active_device();
	for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct t8_dev *d = add("m2@iot.example");

		pass(1000);
		reply(asked(HTTP_POST, "/gw7/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/60", "{}");
		assert_int_equal(send_unit(d, 1, unit, 4), 0);
		assert_int_equal(send_unit(d, 2, unit, 4), 0);
		victim = d;
		reply(asked(HTTP_POST, "/60/downlink-data-deliveries"), answers[i].status, NULL, answers[i].body);
		assert_null(victim);
	}
	victim = add("m2@iot.example");
	pass(1000);
	reply(asked(HTTP_POST, "/gw7/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/60", "{}");
	assert_int_equal(send_unit(victim, 1, unit, 4), 0);
	assert_int_equal(send_unit(victim, 2, unit, 4), 0);
	assert_int_equal(notify("{\"niddConfiguration\":\"x\",\"externalId\":\"m2@iot.example\",\"status\":"
				"\"TERMINATED_UE_NOT_AUTHORIZED\"}"),
			 204);
	assert_null(victim);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(t8_22_a_finished_delivery_needs_no_polling),
		T(t8_23_a_buffered_delivery_is_closed_by_its_status),
		T(t8_24_a_status_before_the_201_is_matched),
		T(an_unmatched_status_is_kept_for_a_minute),
		T(t8_25_deviating_answers_are_understood),
		T(t8_26_a_typed_failure_hands_its_time_to_the_session),
		T(t8_27_failures_without_a_time_back_off),
		T(t8_28_a_broken_server_is_tried_again_a_few_times),
		T(t8_32_too_large_lowers_the_mtu_and_is_never_sent_again),
		T(t8_34_nothing_above_the_limit_is_posted),
		T(t8_35_a_lost_configuration_is_made_again_once_for_a_unit),
		T(t8_38_two_401_in_a_row_are_about_us),
		T(t8_39_what_cannot_be_sent_waits_and_recovers_alone),
		T(a_unit_that_waited_too_long_has_expired),
		T(t8_41_a_pause_holds_everything_and_keeps_the_order),
		T(the_network_keeps_what_the_caller_lets_it_keep),
		T(t8_42_a_308_moves_the_peer_for_good),
		T(t8_43_a_lost_answer_is_looked_up_before_anything_is_repeated),
		T(t8_43_what_the_peer_does_not_have_is_sent_once_more_and_no_more),
		T(t8_44_a_held_answer_stops_only_its_own_device),
		T(t8_50_a_cancelled_delivery_is_taken_back),
		T(t8_63_t8_64_retry_times_are_held_to_a_day),
		T(a_retransmission_of_what_has_not_left_is_not_a_second_unit),
		T(what_the_network_keeps_of_an_answer_is_not_followed),
		T(an_answer_that_is_found_in_the_list_is_handed_over),
		T(a_full_queue_says_so),
		T(an_uplink_frees_what_waits_for_a_back_off),
		T(a_full_client_is_asked_again),
		T(a_device_that_is_detached_in_an_event_is_not_touched_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
