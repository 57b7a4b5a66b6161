/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_keep.c - what the T8 link remembers over a restart, against a scripted peer and a store of the test's. A
 * restart is a link that ends without a word and one that is opened on what the store then has. */
#include "t8_fake.h"

#define LIST "/3gpp-nidd/v1/gw7/configurations"
#define CONFIG LIST "/42"
#define HERE "https://scef.example:8443"
#define M1 "m1@iot.example"

static const char unit[] = "\x40\x01\x00\x01", other[] = "\x40\x01\x00\x02";
#define UNIT_B64 "QAEAAQ=="

static struct t8_link *link_at(void)
{
	return (struct t8_link *)sc.link;
}

static int setup(void **state)
{
	(void)state;
	scene_env();
	sc.env.store = &fake_store;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_close();
	records_drop();
	return 0;
}

/* kill -9: what was written survives, and nothing is said to anybody. away_ms passes before the next life. */
static struct t8_dev *restart(uint64_t away_ms)
{
	unsigned puts = fake_store.puts, deletes = fake_store.deletes;

	link_t8_ops.close(sc.link, true);
	assert_null(calls);
	assert_int_equal(puts + deletes, fake_store.puts + fake_store.deletes);
	sc.now = 5000000;
	sc.wall += away_ms;
	clock_fake(sc.now, sc.wall);
	memset(&seen, 0, sizeof seen);
	scene_open();
	return add(M1);
}

static int send_keyed(struct t8_dev *d, uint32_t id, uint64_t key, const char *data)
{
	const struct link_down how = { .id = id,
				       .klass = LINK_REQUEST,
				       .deadline_ms = sc.now + 110000,
				       .port_ue = -1,
				       .port_scef = -1,
				       .key = key };

	return link_t8_ops.send((struct link_dev *)d, &how, (const uint8_t *)data, 4);
}

/* A delivery that the peer keeps under .../7. */
static struct t8_dev *buffered(void)
{
	struct t8_dev *d = active_device();

	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	reply(asked(HTTP_POST, DELIVERIES), 201, HERE DELIVERIES "/7", "{\"deliveryStatus\":\"BUFFERING\"}");
	assert_int_equal(last_down().id, 1);
	assert_int_equal(last_down().key, 77);
	return d;
}

static void expect_old(uint64_t key, enum link_down_state state)
{
	assert_int_equal(last_down().id, 0);
	assert_int_equal(last_down().key, key);
	assert_int_equal(last_down().state, state);
}

#define LISTED(status) "[{\"self\":\"" HERE DELIVERIES "/7\",\"data\":\"" UNIT_B64 "\"" status "}]"

/* ---- configurations ---- */

static void a_configuration_is_used_at_once_and_not_made_again(void **state)
{
	struct t8_dev *d;

	(void)state;
	active_device();
	d = restart(60000);
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	assert_string_equal(d->tail, "gw7/configurations/42");
	pass(1000);
	assert_int_equal(seen.dev[0].kind, LINK_DEV_MTU);
	assert_int_equal(seen.dev[0].value, 1358);
	assert_int_equal(send_unit(d, 1, unit, 4), 0); /* before the list has come */
	assert_non_null(asked(HTTP_POST, DELIVERIES));
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	reply(asked(HTTP_GET, LIST), 200, NULL,
	      "[{\"self\":\"" CONFIG "\",\"externalId\":\"" M1
	      "\",\"maximumPacketSize\":10864,\"status\":\"ACTIVE\"}]");
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	pass(5000);
	assert_null(calls);
}

static void nothing_is_written_for_a_unit_that_is_answered_at_once_nor_twice(void **state)
{
	struct t8_dev *d = active_device();
	unsigned puts = fake_store.puts;

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(send_keyed(d, 1, 77, unit), 0);
		reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	}
	notify("{\"niddConfiguration\":\"" CONFIG "\",\"externalId\":\"" M1 "\",\"data\":\"QAEAAQ==\"}");
	assert_int_equal(fake_store.puts, puts + 1); /* the callback is proven */
	notify("{\"niddConfiguration\":\"" CONFIG "\",\"externalId\":\"" M1 "\",\"data\":\"QAEAAQ==\"}");
	assert_int_equal(fake_store.puts, puts + 1);
}

static void one_that_ended_meanwhile_is_made_anew(void **state)
{
	struct t8_dev *d;

	(void)state;
	sc.conf.config_duration_s = 3600;
	active_device();
	d = restart(3600000);
	assert_int_equal(d->state, T8_CFG_ABSENT);
	pass(1000);
	reply(asked(HTTP_GET, LIST), 200, NULL, "[]");
	assert_non_null(asked(HTTP_POST, LIST));
	reply(asked(HTTP_POST, LIST), 201, CONFIG, "");
}

static void the_renewal_comes_at_its_time(void **state)
{
	struct t8_dev *d;

	(void)state;
	sc.conf.config_duration_s = 3600;
	active_device();
	d = restart(2400000); /* 1200 s are left */
	pass(1000);
	reply(asked(HTTP_GET, LIST), 200, NULL,
	      "[{\"self\":\"" CONFIG "\",\"externalId\":\"" M1 "\",\"duration\":\"2026-01-01T01:00:00Z\"}]");
	pass(400000);
	assert_null(asked(HTTP_PATCH, CONFIG));
	pass(600000);
	assert_non_null(asked(HTTP_PATCH, CONFIG));
	assert_int_equal(d->state, T8_CFG_RENEWING);
}

static void without_a_trusted_clock_no_end_is_assumed(void **state)
{
	struct t8_dev *d;

	(void)state;
	sc.conf.config_duration_s = 3600;
	active_device();
	fake_store.distrusted = true;
	d = restart(30000000);
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	assert_int_equal(d->expires_s, 0);
}

static void a_configuration_of_another_peer_is_forgotten(void **state)
{
	struct t8_dev *d;

	(void)state;
	active_device();
	sc.conf.scs_as_id = "gw8";
	d = restart(1000);
	assert_int_equal(d->state, T8_CFG_ABSENT);
	assert_null(d->tail);
	assert_int_equal(records_count(), 0);
}

static void a_device_that_is_removed_takes_its_record_along(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(records_count(), 1);
	link_t8_ops.detach((struct link_dev *)d, true);
	assert_int_equal(records_count(), 0);
	assert_non_null(asked(HTTP_DELETE, CONFIG));
	reply(asked(HTTP_DELETE, CONFIG), 204, NULL, "");
}

static void records_of_devices_that_are_no_more_are_dropped(void **state)
{
	(void)state;
	active_device();
	link_t8_ops.close(sc.link, true);
	scene_open();
	pass(59000);
	assert_int_equal(records_count(), 1);
	pass(2000);
	assert_int_equal(records_count(), 0);
}

static void a_rejected_device_waits_for_its_hour(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	add(M1);
	pass(1000);
	reply(asked(HTTP_GET, LIST), 200, NULL, "[]");
	reply(asked(HTTP_POST, LIST), 404, NULL, "");
	d = restart(1800000);
	assert_int_equal(d->state, T8_CFG_REJECTED);
	assert_int_equal(send_unit(d, 1, unit, 4), -ENOTCONN);
	pass(1000);
	reply(asked(HTTP_GET, LIST), 200, NULL, "[]");
	pass(1700000);
	assert_null(asked(HTTP_POST, LIST));
	pass(140000);
	assert_non_null(asked(HTTP_POST, LIST));
	reply(asked(HTTP_POST, LIST), 201, CONFIG, "");
}

static void a_barred_device_stays_barred_and_the_session_is_told(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	notify("{\"niddConfiguration\":\"" CONFIG "\",\"externalId\":\"" M1
	       "\",\"status\":\"TERMINATED_UE_NOT_AUTHORIZED\"}");
	d = restart(1000);
	assert_int_equal(d->state, T8_CFG_BARRED);
	assert_int_equal(send_unit(d, 1, unit, 4), -ENOTCONN);
	assert_int_equal(seen.devs, 0); /* not from within attach */
	pass(1000);
	assert_int_equal(seen.dev[seen.devs - 1].kind, LINK_DEV_BARRED);
	reply(asked(HTTP_GET, LIST), 200, NULL, "[]");
	pass(3600000);
	assert_null(asked(HTTP_POST, LIST));
}

static void the_other_identity_is_known_again(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	notify("{\"niddConfiguration\":\"" CONFIG "\",\"externalId\":\"" M1
	       "\",\"msisdn\":\"491701234567\",\"data\":\"\"}");
	d = restart(1000);
	assert_ptr_equal(t8_dev_by_id(link_at(), 'm', "491701234567"), d);
}

static void a_damaged_record_is_as_if_it_were_not_there(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	for (size_t cut = records->len; cut-- > 0;) {
		uint8_t key[64], data[512];
		size_t key_len = records->key_len, len = records->len;

		memcpy(key, records->key, key_len);
		memcpy(data, records->data, len);
		store_put(&fake_store, STORE_LINK, key, key_len, data, cut);
		d = restart(0);
		assert_true(d->state == T8_CFG_ABSENT || d->tail);
		store_put(&fake_store, STORE_LINK, key, key_len, data, len);
	}
}

/* ---- deliveries ---- */

static void t8_47_what_the_peer_keeps_is_looked_up_and_goes_on(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	d = restart(60000);
	assert_int_equal(link_at()->pending.count, 1);
	pass(1000);
	assert_int_equal(asked_count(HTTP_GET, DELIVERIES), 1);
	assert_int_equal(seen.downs, 0);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, LISTED(",\"deliveryStatus\":\"BUFFERING\""));
	expect_old(77, LINK_DOWN_BUFFERED);
	assert_null(asked(HTTP_POST, DELIVERIES));
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"http://proxy" DELIVERIES
				"/7\",\"deliveryStatus\":\"SUCCESS_NEXT_HOP_ACKNOWLEDGED\"}"),
			 204);
	expect_old(77, LINK_DOWN_DELIVERED);
	assert_null(d->busy);
	restart(1000);
	assert_int_equal(link_at()->pending.count, 0);
}

static void t8_47_a_late_status_is_taken_before_and_after_the_look_up(void **state)
{
	(void)state;
	buffered();
	restart(60000);
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/7\",\"deliveryStatus\":\"SUCCESS\"}"),
			 204);
	expect_old(77, LINK_DOWN_SENT);
	pass(1000);
	assert_null(asked(HTTP_GET, DELIVERIES)); /* nothing is left to look up */
}

static void t8_47_what_is_not_listed_is_unsure_and_may_still_be_told(void **state)
{
	(void)state;
	buffered();
	restart(60000);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, "[]");
	expect_old(77, LINK_DOWN_UNSURE);
	pass(600000);
	assert_int_equal(notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES
				"/7\",\"deliveryStatus\":\"SUCCESS_ACKNOWLEDGED\"}"),
			 204);
	expect_old(77, LINK_DOWN_ACKED);
	pass(2000);
	assert_int_equal(link_at()->pending.count, 0);
}

static void what_is_not_listed_is_forgotten_after_an_hour(void **state)
{
	struct t8_dev *d;

	(void)state;
	d = buffered();
	assert_int_equal(send_keyed(d, 2, 78, other), 0);
	reply(asked(HTTP_POST, DELIVERIES), 201, DELIVERIES "/8", "");
	d = restart(60000);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, LISTED(""));
	assert_int_equal(link_at()->pending.count, 2);
	pass(3590000);
	assert_int_equal(link_at()->pending.count, 2);
	pass(20000);
	assert_int_equal(link_at()->pending.count, 1);
	assert_non_null(t8_pending_by_tail(link_at(), "gw7/configurations/42/downlink-data-deliveries/7"));
	assert_int_equal(d->busy->pendings, 1);
}

static void t8_47_fifty_deliveries_of_one_device_and_ten_devices_are_paced(void **state)
{
	char link[200], id[40];

	(void)state;
	active_device();
	for (uint32_t i = 0; i < 50; i++) {
		const char data[4] = { 0x40, 1, 1, (char)i };

		assert_int_equal(send_keyed((struct t8_dev *)link_at()->devs[0], i + 1, 100 + i, data), 0);
		snprintf(link, sizeof link, DELIVERIES "/%u", i);
		reply(asked(HTTP_POST, DELIVERIES), 201, link, "");
	}
	for (unsigned i = 0; i < 10; i++) {
		struct t8_dev *d;

		snprintf(id, sizeof id, "x%u@iot.example", i);
		d = add(id);
		pass(1000);
		snprintf(link, sizeof link, LIST "/x%u", i);
		reply(asked(HTTP_POST, LIST), 201, link, "");
		assert_int_equal(send_keyed(d, 1, 500 + i, unit), 0);
		snprintf(link, sizeof link, LIST "/x%u/downlink-data-deliveries/1", i);
		reply(asked(HTTP_POST, "/downlink-data-deliveries"), 201, link, "");
	}
	restart(1000);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(id, sizeof id, "x%u@iot.example", i);
		add(id);
	}
	assert_int_equal(link_at()->pending.count, 60);
	pass(1000);
	for (unsigned n = 11; n > 0; n--) {
		assert_int_equal(asked_count(HTTP_GET, "/downlink-data-deliveries"), n < LOOKUPS_MAX ? n : LOOKUPS_MAX);
		reply(asked(HTTP_GET, "/downlink-data-deliveries"), 200, NULL, "[]");
	}
	assert_int_equal(seen.downs, 60);
	assert_int_equal(link_at()->looking, 0);
}

static void nothing_is_sent_before_the_look_up_and_the_same_octets_not_again(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	d = restart(1000);
	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	assert_int_equal(send_keyed(d, 2, 78, other), 0);
	pass(1000);
	assert_null(asked(HTTP_POST, DELIVERIES));
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, LISTED(""));
	assert_int_equal(seen.down[seen.downs - 1].id, 1); /* the unit of this life is the one that is kept */
	assert_int_equal(seen.down[seen.downs - 1].state, LINK_DOWN_BUFFERED);
	assert_int_equal(asked_count(HTTP_POST, DELIVERIES), 1);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	assert_int_equal(last_down().id, 2);
	notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/7\",\"deliveryStatus\":\"SUCCESS_ACKNOWLEDGED\"}");
	assert_int_equal(last_down().id, 1);
	assert_int_equal(last_down().state, LINK_DOWN_ACKED);
}

static void a_request_whose_answer_never_came_is_found_by_its_octets(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	pass(3000); /* the answer is held back */
	d = restart(1000);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, LISTED(",\"deliveryStatus\":\"TRIGGERED\""));
	expect_old(77, LINK_DOWN_BUFFERED);
	assert_int_equal(link_at()->pending.count, 1);
	notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/7\",\"deliveryStatus\":\"SUCCESS_ACKNOWLEDGED\"}");
	expect_old(77, LINK_DOWN_ACKED);
	assert_null(d->busy);
}

static void a_request_whose_answer_never_came_and_that_is_not_kept_is_unsure(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	pass(3000);
	d = restart(1000);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, "[]");
	expect_old(77, LINK_DOWN_UNSURE);
	assert_null(d->busy);
	restart(1000);
	pass(1000);
	assert_null(asked(HTTP_GET, DELIVERIES));
}

static void an_answer_after_a_while_takes_the_note_back(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	pass(3000);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	assert_null(d->busy);
	restart(1000);
	pass(1000);
	assert_null(asked(HTTP_GET, DELIVERIES));
}

static void a_list_that_cannot_be_had_is_tried_again_and_then_done_without(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	d = restart(1000);
	assert_int_equal(send_keyed(d, 2, 78, other), 0);
	pass(1000);
	reply(asked(HTTP_GET, LIST), 200, NULL, ""); /* the list of configurations is another matter */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(asked_count(HTTP_GET, DELIVERIES), 1);
		assert_null(asked(HTTP_POST, DELIVERIES));
		lose(asked(HTTP_GET, DELIVERIES), HTTP_UNKNOWN);
		if (i < 4)
			link_at()->circuit.open = false; /* not what is shown here */
		pass(40000);
	}
	expect_old(77, LINK_DOWN_UNSURE);
}

static void a_configuration_that_is_gone_takes_its_deliveries_along(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	d = restart(1000);
	assert_int_equal(send_keyed(d, 2, 78, other), 0);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 404, NULL, "");
	expect_old(77, LINK_DOWN_UNSURE); /* it may have been delivered before */
	assert_int_equal(d->state, T8_CFG_TERMINATED);
	reply(asked(HTTP_GET, LIST), 200, NULL, "[]");
	reply(asked(HTTP_POST, LIST), 201, LIST "/43", "");
	assert_non_null(asked(HTTP_POST, LIST "/43/downlink-data-deliveries"));
	reply(asked(HTTP_POST, LIST "/43/downlink-data-deliveries"), 200, NULL, "");
	assert_int_equal(last_down().id, 2);
}

static void a_delivery_of_the_life_before_can_be_cancelled(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	d = restart(1000);
	link_t8_ops.cancel_key((struct link_dev *)d, 77);
	assert_non_null(asked(HTTP_DELETE, DELIVERIES "/7"));
	reply(asked(HTTP_DELETE, DELIVERIES "/7"), 204, NULL, "");
	assert_null(d->busy);
	pass(1000);
	assert_int_equal(seen.downs, 0);
	assert_null(asked(HTTP_GET, DELIVERIES));
}

static void the_time_that_the_network_gave_for_a_sleeper_holds(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	reply(asked(HTTP_POST, DELIVERIES), 500, NULL,
	      "{\"problemDetail\":{\"cause\":\"TEMPORARILY_NOT_REACHABLE\"},"
	      "\"requestedRetransmissionTime\":\"2026-01-01T00:01:31Z\"}"); /* in 90 s */
	d = restart(30000);
	assert_int_equal(send_keyed(d, 1, 77, unit), 0); /* the session has it queued still */
	pass(1000);
	assert_null(asked(HTTP_POST, DELIVERIES));
	assert_int_equal(seen.dev[seen.devs - 1].kind, LINK_DEV_ASLEEP);
	assert_in_range(seen.dev[seen.devs - 1].until_ms, 5060000, 5062000);
	assert_int_equal(last_down().id, 1);
	assert_int_equal(last_down().cause, LINK_CAUSE_ASLEEP);
	assert_int_equal(last_down().retry_at_ms, seen.dev[seen.devs - 1].until_ms);
	notify("{\"niddConfiguration\":\"" CONFIG "\",\"externalId\":\"" M1 "\",\"data\":\"\"}");
	d = restart(1000);
	pass(1000);
	for (unsigned i = 0; i < seen.devs; i++)
		assert_int_not_equal(seen.dev[i].kind, LINK_DEV_ASLEEP); /* it was heard since */
	assert_int_equal(send_keyed(d, 1, 77, unit), 0);
	assert_non_null(asked(HTTP_POST, DELIVERIES));
}

static void a_retry_time_in_the_list_is_handed_on(void **state)
{
	(void)state;
	buffered();
	restart(1000);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL,
	      LISTED(",\"deliveryStatus\":\"BUFFERING_TEMPORARILY_NOT_REACHABLE\","
		     "\"requestedRetransmissionTime\":\"2026-01-01T00:10:00Z\""));
	expect_old(77, LINK_DOWN_BUFFERED);
	assert_true(last_down().retry_at_ms > sc.now + 590000);
	assert_int_equal(seen.dev[seen.devs - 1].kind, LINK_DEV_ASLEEP);
}

static void a_unit_without_a_key_is_kept_for_its_octets_only(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_unit(d, 1, unit, 4), 0);
	reply(asked(HTTP_POST, DELIVERIES), 201, DELIVERIES "/7", "");
	restart(1000);
	pass(1000);
	reply(asked(HTTP_GET, DELIVERIES), 200, NULL, LISTED(""));
	assert_int_equal(seen.downs, 0);
	notify("{\"niddDownlinkDataTransfer\":\"" DELIVERIES "/7\",\"deliveryStatus\":\"SUCCESS\"}");
	assert_int_equal(seen.downs, 0);
}

static void a_device_that_goes_while_it_is_looked_up_leaves_nothing(void **state)
{
	struct t8_dev *d;

	(void)state;
	buffered();
	d = restart(1000);
	pass(1000);
	assert_int_equal(link_at()->looking, 1);
	link_t8_ops.detach((struct link_dev *)d, false);
	assert_int_equal(link_at()->looking, 0);
	assert_null(asked(HTTP_GET, DELIVERIES));
	assert_int_equal(link_at()->pending.count, 0);
}

static void without_a_store_nothing_is_remembered(void **state)
{
	struct t8_dev *d;

	(void)state;
	sc.env.store = NULL;
	buffered();
	d = restart(1000);
	assert_int_equal(records_count(), 0);
	assert_int_equal(d->state, T8_CFG_ABSENT);
}

/* ---- a link that is withdrawn ---- */

static void deletes_go_on_when_the_link_is_closed(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	link_t8_ops.detach((struct link_dev *)d, true);
	link_t8_ops.close(sc.link, false);
	memset(&sc.conf, 0xee, sizeof sc.conf); /* the configuration is freed by then */
	assert_null(servers[0]);
	assert_non_null(sc.shared);
	assert_non_null(asked(HTTP_DELETE, CONFIG));
	reply(asked(HTTP_DELETE, CONFIG), 204, NULL, "");
	pass(1);
	assert_null(sc.shared);
	t8_conf_defaults(&sc.conf);
	scene_open();
}

static void they_are_given_ten_seconds(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	link_t8_ops.detach((struct link_dev *)d, true);
	link_t8_ops.close(sc.link, false);
	pass(9500);
	assert_non_null(asked(HTTP_DELETE, CONFIG));
	pass(1000);
	assert_null(calls);
	assert_null(sc.shared);
	scene_open();
}

static void a_create_under_way_for_a_removed_device_is_undone(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add(M1);
	pass(1000);
	reply(asked(HTTP_GET, LIST), 200, NULL, "[]");
	link_t8_ops.detach((struct link_dev *)d, true);
	link_t8_ops.close(sc.link, false);
	reply(asked(HTTP_POST, LIST), 201, CONFIG, "");
	assert_non_null(asked(HTTP_DELETE, CONFIG));
	reply(asked(HTTP_DELETE, CONFIG), 404, NULL, "");
	pass(1);
	assert_null(sc.shared);
	scene_open();
}

static void the_end_of_the_process_ends_them(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	link_t8_ops.detach((struct link_dev *)d, true);
	link_t8_ops.close(sc.link, false);
	links_end(&sc.env);
	assert_null(calls);
	assert_null(sc.shared);
	links_end(&sc.env); /* twice is fine */
	scene_open();
}

static void other_requests_of_a_closed_link_are_dropped(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_unit(d, 1, unit, 4), 0);
	link_t8_ops.close(sc.link, false);
	assert_null(calls);
	assert_null(sc.shared);
	scene_open();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_configuration_is_used_at_once_and_not_made_again),
		T(nothing_is_written_for_a_unit_that_is_answered_at_once_nor_twice),
		T(one_that_ended_meanwhile_is_made_anew),
		T(the_renewal_comes_at_its_time),
		T(without_a_trusted_clock_no_end_is_assumed),
		T(a_configuration_of_another_peer_is_forgotten),
		T(a_device_that_is_removed_takes_its_record_along),
		T(records_of_devices_that_are_no_more_are_dropped),
		T(a_rejected_device_waits_for_its_hour),
		T(a_barred_device_stays_barred_and_the_session_is_told),
		T(the_other_identity_is_known_again),
		T(a_damaged_record_is_as_if_it_were_not_there),
		T(t8_47_what_the_peer_keeps_is_looked_up_and_goes_on),
		T(t8_47_a_late_status_is_taken_before_and_after_the_look_up),
		T(t8_47_what_is_not_listed_is_unsure_and_may_still_be_told),
		T(what_is_not_listed_is_forgotten_after_an_hour),
		T(t8_47_fifty_deliveries_of_one_device_and_ten_devices_are_paced),
		T(nothing_is_sent_before_the_look_up_and_the_same_octets_not_again),
		T(a_request_whose_answer_never_came_is_found_by_its_octets),
		T(a_request_whose_answer_never_came_and_that_is_not_kept_is_unsure),
		T(an_answer_after_a_while_takes_the_note_back),
		T(a_list_that_cannot_be_had_is_tried_again_and_then_done_without),
		T(a_configuration_that_is_gone_takes_its_deliveries_along),
		T(a_delivery_of_the_life_before_can_be_cancelled),
		T(the_time_that_the_network_gave_for_a_sleeper_holds),
		T(a_retry_time_in_the_list_is_handed_on),
		T(a_unit_without_a_key_is_kept_for_its_octets_only),
		T(a_device_that_goes_while_it_is_looked_up_leaves_nothing),
		T(without_a_store_nothing_is_remembered),
		T(deletes_go_on_when_the_link_is_closed),
		T(they_are_given_ten_seconds),
		T(a_create_under_way_for_a_removed_device_is_undone),
		T(the_end_of_the_process_ends_them),
		T(other_requests_of_a_closed_link_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
