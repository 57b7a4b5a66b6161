/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_answer.c - answers of peers, long lists, and what both mean for a delivery */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "link/t8/circuit.h"
#include "link/t8/decide.h"
#include "link/t8/list.h"

/* ---- answers ---- */
static void a_configuration_is_read_with_its_deviations(void **state)
{
	static const char text[] =
		"{\"self\":\"/3gpp-nidd/v1/gw7/configurations/4\",\"externalId\":\"a@b\",\"msisdn\":\"+491701234567\","
		"\"maximumPacketSize\":10864,\"duration\":\"2026-01-02T03:04:05+01:00\",\"status\":\"ACTIVE\","
		"\"notificationDestination\":\"https://x\",\"more\":[1,{}]}";
	static const char odd[] = "{\"maximumPacketSize\":-1,\"duration\":\"soon\",\"externalId\":[]}";
	struct t8_config_answer a;

	(void)state;
	assert_int_equal(t8_config_read(&a, text, sizeof text - 1, "gw7"), 0);
	assert_string_equal(a.tail, "gw7/configurations/4");
	assert_string_equal(a.msisdn, "491701234567");
	assert_int_equal(a.packet_size, 10864);
	assert_true(a.has_duration);
	assert_string_equal(a.status, "ACTIVE");
	assert_int_equal(t8_config_read(&a, odd, sizeof odd - 1, "gw7"), 0);
	assert_int_equal(a.packet_size, 0);
	assert_false(a.has_duration);
	assert_int_equal(t8_config_read(&a, "[]", 2, "gw7"), -EBADMSG);
	assert_int_equal(t8_config_read(&a, "<html>", 6, "gw7"), -EBADMSG);
}

static struct t8_delivery_answer read_delivery(const char *text)
{
	struct t8_delivery_answer a;

	t8_delivery_read(&a, text, strlen(text), "gw7");
	return a;
}

static void a_failure_is_typed_when_it_says_so_itself(void **state)
{
	(void)state;
	assert_true(read_delivery("{\"problemDetail\":{\"cause\":\"X\"}}").typed);
	assert_true(read_delivery("{\"title\":\"x\",\"requestedRetransmissionTime\":\"2026-12-01T10:00:00Z\"}").typed);
	assert_true(read_delivery("{\"deliveryStatus\":\"FAILURE_TIMEOUT\"}").typed);
	assert_false(read_delivery("{\"title\":\"Internal error\",\"status\":500}").typed);
	assert_false(read_delivery("{\"status\":\"error\"}").typed);
	assert_false(read_delivery("<html>").typed);
	assert_false(read_delivery("").typed);
	assert_string_equal(read_delivery("{\"problemDetail\":{\"cause\":\"TEMPORARILY_NOT_REACHABLE\"}}").cause,
			    "TEMPORARILY_NOT_REACHABLE");
	assert_string_equal(read_delivery("{\"detail\":\"bad\",\"invalidParams\":[{\"param\":\"/data\"}]}").detail,
			    "bad param /data");
}

static void pending_deliveries_are_found_by_their_octets(void **state)
{
	static const char list[] = "[{\"data\":7},{},{\"data\":\"AQID\",\"self\":\"/3gpp-nidd/v1/g/configurations/1/"
				   "downlink-data-deliveries/5\"}]";
	char tail[T8_TAIL_MAX];

	(void)state;
	assert_int_equal(t8_pending_find(tail, list, sizeof list - 1, "gw7", (const uint8_t *)"\1\2\3", 3), 0);
	assert_string_equal(tail, "g/configurations/1/downlink-data-deliveries/5");
	assert_int_equal(t8_pending_find(tail, list, sizeof list - 1, "gw7", (const uint8_t *)"\1\2", 2), -ENOENT);
	assert_int_equal(t8_pending_find(tail, "{}", 2, "gw7", (const uint8_t *)"\1\2", 2), -EBADMSG);
}

/* ---- decisions ---- */
static struct t8_decision decide(int status, const char *body)
{
	struct http_result r = { .outcome = HTTP_ANSWERED, .status = status };
	struct t8_delivery_answer a = read_delivery(body);

	return t8_decide(&r, &a);
}

static void every_status_of_the_reference_has_its_state(void **state)
{
	static const struct {
		const char *status;
		enum link_down_state state;
		enum link_cause cause;
	} want[] = {
		{ "", LINK_DOWN_SENT, 0 },
		{ "SUCCESS", LINK_DOWN_SENT, 0 },
		{ "SUCCESS_NEXT_HOP_ACKNOWLEDGED", LINK_DOWN_DELIVERED, 0 },
		{ "SUCCESS_NEXT_HOP_UNACKNOWLEDGED", LINK_DOWN_SENT, 0 },
		{ "SUCCESS_ACKNOWLEDGED", LINK_DOWN_ACKED, 0 },
		{ "SUCCESS_UNACKNOWLEDGED", LINK_DOWN_UNSURE, 0 },
		{ "TRIGGERED", LINK_DOWN_BUFFERED, 0 },
		{ "BUFFERING", LINK_DOWN_BUFFERED, 0 },
		{ "BUFFERING_TEMPORARILY_NOT_REACHABLE", LINK_DOWN_BUFFERED, 0 },
		{ "SENDING", LINK_DOWN_BUFFERED, 0 },
		{ "FAILURE", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
		{ "FAILURE_RDS_DISABLED", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
		{ "FAILURE_NEXT_HOP", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
		{ "FAILURE_TIMEOUT", LINK_DOWN_FAILED, LINK_CAUSE_ASLEEP },
		{ "FAILURE_TEMPORARILY_NOT_REACHABLE", LINK_DOWN_FAILED, LINK_CAUSE_ASLEEP },
		{ "SUCCESS_NEW", LINK_DOWN_SENT, 0 },
		{ "FAILURE_NEW", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
		{ "PONDERING", LINK_DOWN_BUFFERED, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof want / sizeof *want; i++) {
		struct t8_status_class c = t8_status_class(want[i].status);
		char body[100];

		assert_int_equal(c.state, want[i].state);
		assert_int_equal(c.cause, want[i].cause);
		assert_int_equal(c.known, i < 15);
		/* with every answer: 200 finishes, 201 waits, whatever the status; a failure with 500 is typed */
		snprintf(body, sizeof body, "{\"deliveryStatus\":\"%s\"}", want[i].status);
		assert_int_equal(decide(200, body).outcome, T8_OUT_STATUS);
		assert_int_equal(decide(201, body).outcome, T8_OUT_PENDING);
		assert_int_equal(decide(404, body).outcome, T8_OUT_GONE);
		assert_int_equal(decide(429, body).outcome, T8_OUT_KEEP);
		assert_int_equal(decide(503, body).outcome, T8_OUT_KEEP);
		assert_int_equal(decide(413, body).outcome, T8_OUT_SHRINK);
		assert_int_equal(decide(400, body).outcome, T8_OUT_FAIL);
		assert_int_equal(decide(500, body).outcome, c.state == LINK_DOWN_FAILED ? T8_OUT_FAIL : T8_OUT_FAULT);
		if (c.state == LINK_DOWN_FAILED)
			assert_int_equal(decide(500, body).cause, want[i].cause);
	}
}

static void every_code_has_an_outcome(void **state)
{
	static const struct {
		int from, to;
		enum t8_outcome outcome;
	} want[] = {
		{ 200, 200, T8_OUT_STATUS }, { 201, 202, T8_OUT_PENDING }, { 203, 299, T8_OUT_STATUS },
		{ 300, 399, T8_OUT_FAULT },  { 400, 403, T8_OUT_FAIL },    { 404, 404, T8_OUT_GONE },
		{ 405, 407, T8_OUT_FAIL },   { 408, 408, T8_OUT_UNKNOWN }, { 409, 412, T8_OUT_FAIL },
		{ 413, 413, T8_OUT_SHRINK }, { 414, 428, T8_OUT_FAIL },    { 429, 429, T8_OUT_KEEP },
		{ 430, 499, T8_OUT_FAIL },   { 500, 501, T8_OUT_FAULT },   { 502, 502, T8_OUT_UNKNOWN },
		{ 503, 503, T8_OUT_KEEP },   { 504, 504, T8_OUT_UNKNOWN }, { 505, 599, T8_OUT_FAULT },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof want / sizeof *want; i++)
		for (int s = want[i].from; s <= want[i].to; s++)
			assert_int_equal(decide(s, "").outcome, want[i].outcome);
	assert_int_equal(decide(409, "").cause, LINK_CAUSE_TEMPORARY);
	assert_int_equal(decide(400, "").cause, LINK_CAUSE_REFUSED);
}

static void causes_refine_403_and_500(void **state)
{
	(void)state;
	assert_int_equal(decide(403, "{\"cause\":\"DATA_TOO_LARGE\"}").outcome, T8_OUT_REREAD);
	assert_int_equal(decide(403, "{\"cause\":\"QUOTA_EXCEEDED\"}").cause, LINK_CAUSE_TEMPORARY);
	assert_int_equal(decide(403, "{\"cause\":\"RDS_PORT_UNKNOWN\"}").cause, LINK_CAUSE_REFUSED);
	assert_int_equal(decide(403, "<html>").cause, LINK_CAUSE_REFUSED);
	assert_int_equal(decide(500, "{\"problemDetail\":{\"cause\":\"TEMPORARILY_NOT_REACHABLE\"}}").cause,
			 LINK_CAUSE_ASLEEP);
	assert_int_equal(decide(500, "{\"problemDetail\":{}}").cause, LINK_CAUSE_TEMPORARY);
	assert_int_equal(decide(500, "{\"cause\":\"TEMPORARILY_NOT_REACHABLE\"}").cause, LINK_CAUSE_ASLEEP); /* flat */
	assert_int_equal(decide(500, "{\"cause\":\"SYSTEM_FAILURE\"}").outcome, T8_OUT_FAULT);
}

static void typed_failures_are_no_fault_of_the_peer(void **state)
{
	struct http_result r = { .outcome = HTTP_ANSWERED, .status = 500 };
	struct t8_delivery_answer typed = read_delivery("{\"problemDetail\":{\"cause\":\"X\"}}"),
				  html = read_delivery("<html>");

	(void)state;
	assert_int_equal(t8_health(&r, &typed), T8_PEER_OK);
	assert_int_equal(t8_health(&r, &html), T8_PEER_FAULT);
	r.status = 404;
	assert_int_equal(t8_health(&r, &html), T8_PEER_OK);
	r.status = 503;
	assert_int_equal(t8_health(&r, &typed), T8_PEER_PAUSE);
	r.status = 401;
	assert_int_equal(t8_health(&r, &html), T8_PEER_DENIED);
	r.outcome = HTTP_UNKNOWN;
	assert_int_equal(t8_health(&r, &html), T8_PEER_FAULT);
	assert_int_equal(t8_decide(&r, &html).outcome, T8_OUT_UNKNOWN);
	r.outcome = HTTP_NOT_SENT;
	assert_int_equal(t8_decide(&r, &html).outcome, T8_OUT_KEEP);
	r.outcome = HTTP_TOO_LARGE;
	assert_int_equal(t8_decide(&r, &html).outcome, T8_OUT_UNKNOWN);
}

/* ---- circuit ---- */
static void five_faults_open_and_one_probe_closes(void **state)
{
	struct t8_circuit c = { 0 };
	uint64_t now = 1000;

	(void)state;
	for (int i = 0; i < T8_FAULTS_TO_OPEN; i++) {
		assert_true(t8_circuit_take(&c, now));
		assert_int_equal(t8_circuit_fault(&c, now), i == T8_FAULTS_TO_OPEN - 1);
	}
	assert_false(t8_circuit_take(&c, now + T8_PROBE_MS - 1));
	assert_int_equal(t8_circuit_at(&c, now), now + T8_PROBE_MS);
	now += T8_PROBE_MS;
	assert_true(t8_circuit_take(&c, now));
	assert_false(t8_circuit_take(&c, now)); /* one probe */
	assert_int_equal(t8_circuit_at(&c, now), UINT64_MAX);
	assert_false(t8_circuit_fault(&c, now));
	assert_false(t8_circuit_take(&c, now));
	now += T8_PROBE_MS;
	assert_true(t8_circuit_take(&c, now));
	t8_circuit_drop(&c); /* cancelled: the next may probe */
	assert_true(t8_circuit_take(&c, now));
	assert_true(t8_circuit_ok(&c));
	assert_true(t8_circuit_take(&c, now));
	assert_false(t8_circuit_ok(&c));
}

static void a_success_between_faults_starts_the_count_again(void **state)
{
	struct t8_circuit c = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_false(t8_circuit_fault(&c, 1));
		if (i % 4 == 3)
			t8_circuit_ok(&c);
	}
}

static void a_pause_lasts_as_long_as_the_peer_asked(void **state)
{
	struct t8_circuit c = { 0 };

	(void)state;
	assert_int_equal(t8_circuit_pause(&c, 1000, 20000), 21000);
	t8_circuit_ok(&c); /* an answer to an older request does not shorten it */
	assert_false(t8_circuit_take(&c, 20999));
	assert_true(t8_circuit_take(&c, 21000));
	random_seed(3);
	for (unsigned n = 0; n < 10; n++) {
		uint64_t base = n < 6 ? 1000u << n : 60000, ms = t8_backoff_ms(n);

		assert_in_range(ms, base * 9 / 10, base * 11 / 10 + 1);
	}
}

/* ---- lists ---- */
struct counted {
	uint64_t n, bytes;
};

static void count_object(void *arg, const char *text, size_t len)
{
	struct counted *c = arg;
	struct t8_config_answer a;

	c->n++;
	c->bytes += len;
	assert_int_equal(t8_config_read(&a, text, len, "gw7"), 0);
}

static void t8_04_a_hundred_thousand_configurations_need_little_memory(void **state)
{
	struct counted c = { 0, 0 };
	struct t8_list l;
	char text[400];
	struct mallinfo2 before, after;

	(void)state;
	t8_list_init(&l, count_object, &c);
	before = mallinfo2();
	assert_int_equal(t8_list_feed(&l, "[", 1), 0);
	for (int i = 0; i < 100000; i++) {
		int n = snprintf(text, sizeof text,
				 "%s{\"self\":\"/3gpp-nidd/v1/gw7/configurations/"
				 "%d\",\"externalId\":\"m%d@iot.example\",\"n\":{\"s\":\"}]\\\"{\"}}",
				 i ? "," : "", i, i);
		size_t cut = (size_t)i % (size_t)n;

		assert_int_equal(t8_list_feed(&l, text, cut), 0);
		assert_int_equal(t8_list_feed(&l, text + cut, (size_t)n - cut), 0);
	}
	assert_int_equal(t8_list_feed(&l, " ]\n", 3), 0);
	after = mallinfo2();
	assert_true(t8_list_complete(&l));
	assert_int_equal(c.n, 100000);
	assert_true(l.size <= T8_LIST_OBJECT);
	assert_true(after.uordblks < before.uordblks + (1u << 20));
	t8_list_fini(&l);
}

static void nothing_but_an_array_of_objects_is_a_list(void **state)
{
	static const char *const bad[] = { "{", "<html>", "[1]", "[{}{}]", "[{},]", "[]]", "[{}] x", "\"a\"", "[[]]" };
	struct counted c = { 0, 0 };
	struct t8_list l;

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		t8_list_init(&l, count_object, &c);
		assert_int_equal(t8_list_feed(&l, bad[i], strlen(bad[i])), -EBADMSG);
		assert_false(t8_list_complete(&l));
		t8_list_fini(&l);
	}
}

static void an_object_beyond_the_bound_is_passed_over(void **state)
{
	struct counted c = { 0, 0 };
	struct t8_list l;
	char *big = malloc(3 * T8_LIST_OBJECT);

	(void)state;
	memset(big, 'x', 3 * T8_LIST_OBJECT);
	t8_list_init(&l, count_object, &c);
	assert_int_equal(t8_list_feed(&l, "[{\"a\":\"", 7), 0);
	assert_int_equal(t8_list_feed(&l, big, 3 * T8_LIST_OBJECT), 0);
	assert_int_equal(t8_list_feed(&l, "\"},{}]", 6), 0);
	assert_true(t8_list_complete(&l));
	assert_int_equal(l.skipped, 1);
	assert_int_equal(c.n, 1);
	assert_true(l.size <= T8_LIST_OBJECT);
	t8_list_fini(&l);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_is_read_with_its_deviations),
		cmocka_unit_test(a_failure_is_typed_when_it_says_so_itself),
		cmocka_unit_test(pending_deliveries_are_found_by_their_octets),
		cmocka_unit_test(every_status_of_the_reference_has_its_state),
		cmocka_unit_test(every_code_has_an_outcome),
		cmocka_unit_test(causes_refine_403_and_500),
		cmocka_unit_test(typed_failures_are_no_fault_of_the_peer),
		cmocka_unit_test(five_faults_open_and_one_probe_closes),
		cmocka_unit_test(a_success_between_faults_starts_the_count_again),
		cmocka_unit_test(a_pause_lasts_as_long_as_the_peer_asked),
		cmocka_unit_test(t8_04_a_hundred_thousand_configurations_need_little_memory),
		cmocka_unit_test(nothing_but_an_array_of_objects_is_a_list),
		cmocka_unit_test(an_object_beyond_the_bound_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
