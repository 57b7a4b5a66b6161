/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_link.c - the T8 link against a scripted peer: configurations, uplinks, callers. Numbers are the acceptance
 * cases of the T8 reference. */
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

/* ---- configurations ---- */
static void t8_01_an_empty_peer_gets_one_configuration_per_device(void **state)
{
	struct t8_dev *d;
	struct http_call *c;

	(void)state;
	sc.conf.config_duration_s = 86400;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/3gpp-nidd/v1/gw7/configurations"), 200, NULL, "[ ]");
	c = asked(HTTP_POST, "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations");
	assert_non_null(c);
	assert_string_equal(c->type, "application/json");
	assert_non_null(strstr(c->body, "\"externalId\":\"m1@iot.example\""));
	assert_non_null(strstr(c->body, "\"duration\":\"2026-01-02T00:00:01.000Z\""));
	assert_non_null(strstr(c->body, link_at()->destination));
	assert_non_null(strstr(c->body, "\"requestTestNotification\":true"));
	reply(c, 201, "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/42",
	      "{\"maximumPacketSize\":10864,\"duration\":\"2026-01-01T12:00:01Z\"}");
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	assert_string_equal(d->tail, "gw7/configurations/42");
	assert_int_equal(d->life_s, 43200); /* the network has shortened it */
	assert_int_equal(seen.devs, 1);
	assert_int_equal(seen.dev[0].kind, LINK_DEV_MTU);
	assert_int_equal(seen.dev[0].value, 1358);
	pass(43200ull * 800 + 2000);
	c = asked(HTTP_PATCH, "/configurations/42");
	assert_non_null(c);
	assert_string_equal(c->type, "application/merge-patch+json");
	assert_null(strstr(c->body, "notificationDestination"));
	reply(c, 204, NULL, "");
	assert_int_equal(d->life_s, 86400);
}

static void t8_02_a_listed_configuration_is_adopted_and_patched(void **state)
{
	struct t8_dev *d;
	struct http_call *c;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL,
	      "[{\"self\":\"/3gpp-nidd/v1/gw7/configurations/"
	      "9\",\"externalId\":\"m1@iot.example\",\"msisdn\":\"+491701234567\","
	      "\"notificationDestination\":\"https://old.example/\"},"
	      "{\"self\":\"/3gpp-nidd/v1/gw7/configurations/"
	      "10\",\"externalId\":\"stranger@iot.example\",\"notificationDestination\":\"x\"}]");
	assert_null(asked(HTTP_POST, "/configurations"));
	assert_int_equal(link_at()->strangers, 1);
	c = asked(HTTP_PATCH, "/configurations/9");
	assert_non_null(strstr(c->body, link_at()->destination));
	reply(c, 200, NULL, "");
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	assert_ptr_equal(t8_dev_by_id(link_at(), 'm', "491701234567"), d);
	assert_null(calls);
}

static void t8_02_a_refused_create_looks_into_the_list_once(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	reply(asked(HTTP_POST, "/configurations"), 409, NULL, "{\"title\":\"exists\"}");
	assert_int_equal(d->state, T8_CFG_CONFLICT);
	pass(6000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL,
	      "[{\"self\":\"https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/"
	      "9\",\"externalId\":\"m1@iot.example\"}]");
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	pass(60000);
	assert_null(calls);
}

static void t8_02_refused_and_not_listed_waits_an_hour_without_a_loop(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	reply(asked(HTTP_POST, "/configurations"), 400, NULL, "");
	pass(6000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	assert_int_equal(d->state, T8_CFG_REJECTED);
	assert_int_equal(send_unit(d, 1, "\x40\x01\x00\x01", 4), -ENOTCONN);
	pass(3500000);
	assert_null(asked(HTTP_POST, "/configurations"));
	pass(200000);
	assert_non_null(asked(HTTP_POST, "/configurations"));
}

static void t8_03_release_15_deletes_and_creates_instead_of_a_patch(void **state)
{
	struct t8_dev *d;

	(void)state;
	sc.conf.release = 15;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL,
	      "[{\"self\":\"/3gpp-nidd/v1/gw7/configurations/"
	      "9\",\"externalId\":\"m1@iot.example\",\"notificationDestination\":\"https://old/\"}]");
	assert_null(asked(HTTP_PATCH, "/configurations/9"));
	reply(asked(HTTP_DELETE, "/configurations/9"), 204, NULL, "");
	reply(asked(HTTP_POST, "/configurations"), 201, "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/10",
	      "{}");
	assert_string_equal(d->tail, "gw7/configurations/10");
}

static void a_peer_that_cannot_patch_the_callback_is_given_a_new_configuration(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL,
	      "[{\"self\":\"/3gpp-nidd/v1/gw7/configurations/"
	      "9\",\"externalId\":\"m1@iot.example\",\"notificationDestination\":\"https://old/\"}]");
	reply(asked(HTTP_PATCH, "/configurations/9"), 400, NULL, "");
	reply(asked(HTTP_DELETE, "/configurations/9"), 204, NULL, "");
	assert_non_null(asked(HTTP_POST, "/configurations"));
	assert_int_equal(d->state, T8_CFG_CREATING);
}

static void t8_05_a_test_notification_before_the_201_proves_the_callback(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	assert_int_equal(notify("{\"subscription\":\"https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/42\"}"),
			 204);
	assert_false(d->flags & D_PROVEN);
	reply(asked(HTTP_POST, "/configurations"), 201, "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/42",
	      "{}");
	assert_true(d->flags & D_PROVEN);
}

static void t8_06_a_missing_test_notification_is_counted_and_the_device_usable(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	pass(40000);
	assert_int_equal(*link_at()->test_missing, 1);
	assert_int_equal(send_unit(d, 1, "\x40\x01\x00\x01", 4), 0);
	assert_non_null(asked(HTTP_POST, DELIVERIES));
	pass(40000);
	assert_int_equal(*link_at()->test_missing, 1);
}

static void t8_33_packet_sizes_are_bits_unless_told_otherwise(void **state)
{
	struct t8_dev *d;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	t8_dev_packet_size(d, 10864);
	assert_int_equal(d->mtu_peer, 1358);
	t8_dev_packet_size(d, 800);
	assert_int_equal(d->mtu_peer, 100);
	t8_dev_packet_size(d, 1358); /* octets by mistake: warned about */
	assert_int_equal(d->mtu_peer, 169);
	sc.conf.max_packet_unit = T8_UNIT_AUTO;
	t8_dev_packet_size(d, 1358);
	assert_int_equal(d->mtu_peer, 1358);
	sc.conf.max_packet_unit = T8_UNIT_OCTETS;
	t8_dev_packet_size(d, 512);
	assert_int_equal(d->mtu_peer, 512);
}

static void t8_36_an_unauthorized_device_is_barred_without_a_storm(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	assert_int_equal(send_unit(d, 1, "\x40\x01\x00\x01", 4), 0);
	assert_int_equal(send_unit(d, 2, "\x40\x01\x00\x02", 4), 0);
	assert_int_equal(notify("{\"niddConfiguration\":\"/3gpp-nidd/v1/gw7/configurations/"
				"42\",\"externalId\":\"m1@iot.example\","
				"\"status\":\"TERMINATED_UE_NOT_AUTHORIZED\"}"),
			 204);
	assert_int_equal(d->state, T8_CFG_BARRED);
	assert_int_equal(seen.dev[1].kind, LINK_DEV_BARRED);
	assert_int_equal(seen.downs, 2);
	assert_int_equal(seen.down[0].cause, LINK_CAUSE_BARRED);
	assert_int_equal(send_unit(d, 3, "\x40\x01\x00\x03", 4), -ENOTCONN);
	reply(asked(HTTP_POST, DELIVERIES), 200, NULL, "");
	pass(3600000);
	assert_null(asked(HTTP_POST, "/gw7/configurations"));
	assert_int_equal(seen.downs, 2);
	pass(83000000); /* a day later it is tried */
	if (asked(HTTP_GET, "/configurations"))
		reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	reply(asked(HTTP_POST, "/gw7/configurations"), 201,
	      "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/43", "{}");
	assert_int_equal(seen.dev[2].kind, LINK_DEV_ALLOWED);
}

static void t8_37_a_terminated_configuration_is_made_again_once(void **state)
{
	static const char gone[] =
		"{\"niddConfiguration\":\"/3gpp-nidd/v1/gw7/configurations/%s\",\"externalId\":\"m1@iot.example\","
		"\"status\":\"TERMINATED\"}";
	struct t8_dev *d = active_device();
	char text[256];

	(void)state;
	assert_int_equal(send_unit(d, 1, "\x40\x01\x00\x01", 4), 0);
	reply(asked(HTTP_POST, DELIVERIES), 201, "/3gpp-nidd/v1/gw7/configurations/42/downlink-data-deliveries/7", "");
	snprintf(text, sizeof text, gone, "42");
	assert_int_equal(notify(text), 204);
	assert_int_equal(last_down().state, LINK_DOWN_FAILED); /* the session knows if it is still wanted */
	assert_int_equal(last_down().cause, LINK_CAUSE_TEMPORARY);
	reply(asked(HTTP_POST, "/gw7/configurations"), 201,
	      "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/43", "{}");
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	assert_int_equal(notify(text), 204); /* the old one again: not about ours */
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	snprintf(text, sizeof text, gone, "43");
	assert_int_equal(notify(text), 204);
	assert_int_equal(d->state, T8_CFG_TERMINATED);
	assert_null(asked(HTTP_POST, "/gw7/configurations"));
	pass(62000);
	assert_non_null(asked(HTTP_POST, "/gw7/configurations"));
}

static void t8_45_lost_configurations_come_back_paced_and_the_newest_traffic_first(void **state)
{
	struct t8_link *l;
	struct t8_dev *d[40];
	struct http_call *c;
	char id[40], text[512];

	(void)state;
	sc.conf.test_notification = false;
	l = scene_open();
	for (unsigned i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "m%u@iot.example", i);
		d[i] = add(id);
	}
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	for (unsigned i = 0; i < 40; i++) {
		assert_true(l->config_calls <= CONFIG_CALLS_MAX);
		snprintf(text, sizeof text, "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/%u", i);
		reply(calls, 201, text, "{}");
	}
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(d[i]->state, T8_CFG_ACTIVE);
	pass(700000);
	assert_int_equal(send_unit(d[30], 1, "\x40\x01\x00\x01", 4), 0);
	reply(asked(HTTP_POST, "/downlink-data-deliveries"), 404, NULL, ""); /* the peer has restarted */
	assert_non_null(strstr(asked(HTTP_POST, "/gw7/configurations")->body, "m30@"));
	pass(2000);
	reply(asked(HTTP_GET, "/gw7/configurations"), 200, NULL, "[]");
	assert_int_equal(l->config_calls, CONFIG_CALLS_MAX);
	assert_int_equal(send_unit(d[39], 1, "\x40\x01\x00\x01", 4), 0);
	reply(asked(HTTP_POST, "/gw7/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/130", "{}");
	for (c = calls; c && !strstr(c->body, "m39@"); c = c->next)
		;
	assert_non_null(c); /* before those that only the list missed */
	assert_int_equal(l->config_calls, CONFIG_CALLS_MAX);
}

/* ---- uplinks ---- */
static void t8_07_an_uplink_is_answered_by_its_verdict(void **state)
{
	struct t8_dev *d = active_device();
	struct http_request r = request_to(link_at());

	(void)state;
	(void)d;
	seen.late = true;
	offer(&r,
	      "{\"niddConfiguration\":\"https://scef.example/3gpp-nidd/v1/gw7/configurations/"
	      "42\",\"externalId\":\"m1@iot.example\","
	      "\"data\":\"YEUAAQ==\",\"rdsPort\":{\"portUE\":3,\"portSCEF\":4}}");
	assert_int_equal(r.status, 0);
	assert_int_equal(seen.up_len, 4);
	assert_memory_equal(seen.up, "\x60\x45\x00\x01", 4);
	assert_int_equal(seen.port_ue, 3);
	link_verdict(seen.waiting, LINK_TAKEN);
	assert_int_equal(r.status, 204);
}

static void a_caller_that_left_before_the_verdict_is_remembered(void **state)
{
	struct http_request r;

	(void)state;
	active_device();
	r = request_to(link_at());
	seen.late = true;
	offer(&r, "{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"YEUAAQ==\"}");
	servers[0]->handler->gone(servers[0]->arg, &r);
	link_verdict(seen.waiting, LINK_TAKEN);
	assert_int_equal(r.status, 0);
}

static void verdicts_have_their_answers(void **state)
{
	static const char up[] =
		"{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"YEUAAQ==\"}";
	struct http_request r;

	(void)state;
	active_device();
	seen.verdict = LINK_MALFORMED;
	assert_int_equal(notify(up), 204);
	seen.verdict = LINK_UNKNOWN;
	assert_int_equal(notify(up), 404);
	seen.verdict = LINK_OVERLOAD; /* case 49 */
	r = request_to(link_at());
	offer(&r, up);
	assert_int_equal(r.status, 503);
	assert_string_equal(r.retry_after, "5");
	seen.verdict = LINK_TAKEN;
	sc.conf.data_ack = T8_ACK_200;
	r = request_to(link_at());
	offer(&r, up);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.answer, "{\"details\":\"ok\"}");
}

static void t8_10_an_uplink_before_the_201_waits_when_only_the_link_could_tell(void **state)
{
	static const char up[] = "{\"niddConfiguration\":\"/3gpp-nidd/v1/gw7/configurations/"
				 "42\",\"msisdn\":\"491701234567\",\"data\":\"YEUAAQ==\"}";
	struct t8_dev *d;
	struct http_request r, late;

	(void)state;
	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	assert_int_equal(notify("{\"niddConfiguration\":\"/3gpp-nidd/v1/gw7/configurations/"
				"42\",\"externalId\":\"m1@iot.example\",\"data\":\"\"}"),
			 204);
	assert_int_equal(seen.ups, 1); /* known by its identity */
	r = request_to(link_at());
	offer(&r, up);
	assert_int_equal(r.status, 0);
	reply(asked(HTTP_POST, "/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/42", "{}");
	assert_int_equal(r.status, 204);
	assert_int_equal(seen.ups, 2);
	assert_ptr_equal(seen.up_dev, d->base.dev);
	assert_int_equal(notify("{\"niddConfiguration\":\"y\",\"msisdn\":\"491701234567\",\"data\":\"YEUAAQ==\"}"),
			 204); /* alias learnt (12) */
	add_to(sc.link, LINK_ID_EXTERNAL, "m2@iot.example", 2);
	pass(1000);
	late = request_to(link_at());
	offer(&late,
	      "{\"niddConfiguration\":\"/3gpp-nidd/v1/gw7/configurations/"
	      "77\",\"msisdn\":\"49555555\",\"data\":\"YEUAAQ==\"}");
	assert_int_equal(late.status, 0);
	pass(7000); /* the grace time is over */
	assert_int_equal(late.status, 404);
}

static void t8_11_the_configuration_is_matched_by_its_tail(void **state)
{
	struct t8_dev *d = active_device();
	static const char *const links[] = { "/3gpp-nidd/v1/gw7/configurations/42",
					     "http://127.0.0.1/SCEF/3gpp-nidd/v1/gw7/configurations/42/",
					     "https://scef.example/3gpp-nidd/v1/gw7%2Dx/../configurations/42",
					     "configurations/42",
					     "https://other/3gpp-nidd/v1/g%777/configurations/4%32" };
	static const int want[] = { 204, 204, 404, 204, 204 };
	char text[256];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		t8_dev_learn_alias(d, "", "49000000"); /* another one: the link has to tell */
		snprintf(text, sizeof text,
			 "{\"niddConfiguration\":\"%s\",\"msisdn\":\"4911111%u\",\"data\":\"YEUAAQ==\"}", links[i], i);
		assert_int_equal(notify(text), want[i]);
	}
}

static void t8_13_an_unknown_identity_leaves_no_trace(void **state)
{
	struct t8_link *l;
	uint64_t *count;

	(void)state;
	active_device();
	l = link_at();
	count = l->base.results[LINK_RES_UNKNOWN_DEVICE];
	assert_int_equal(
		notify("{\"niddConfiguration\":\"x\",\"externalId\":\"nobody@iot.example\",\"data\":\"YEUAAQ==\"}"),
		404);
	assert_int_equal(*count, 1);
	assert_int_equal(seen.unknowns, 1);
	assert_int_equal(l->devs_n, 1);
	assert_int_equal(seen.ups, 0);
	seen.make = true;
	assert_int_equal(
		notify("{\"niddConfiguration\":\"x\",\"externalId\":\"new@iot.example\",\"data\":\"YEUAAQ==\"}"), 204);
	assert_int_equal(l->devs_n, 2);
	assert_int_equal(seen.ups, 1);
}

static void t8_15_bad_base64_is_told_by_its_member(void **state)
{
	struct http_request r;

	(void)state;
	active_device();
	r = request_to(link_at());
	offer(&r, "{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"@@@\"}");
	assert_int_equal(r.status, 400);
	assert_non_null(strstr(r.answer, "\"param\":\"/data\""));
	assert_int_equal(seen.ups, 0);
}

static void t8_16_an_empty_unit_is_an_awake_hint(void **state)
{
	(void)state;
	active_device();
	assert_int_equal(notify("{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"\"}"), 204);
	assert_int_equal(seen.ups, 1);
	assert_int_equal(seen.up_len, 0);
}

static void mode_none_learns_the_configuration_from_an_uplink(void **state)
{
	struct t8_dev *d;

	(void)state;
	sc.conf.config_mode = T8_CONFIG_NONE;
	sc.conf.callback.url = NULL;
	sc.conf.callback.path = "/operator/path";
	scene_open();
	d = add("m1@iot.example");
	assert_int_equal(send_unit(d, 1, "\x40\x01\x00\x01", 4), 0);
	pass(2000);
	assert_null(calls);
	assert_int_equal(notify("{\"niddConfiguration\":\"http://10.0.0.1/3gpp-nidd/v1/gw7/configurations/"
				"5\",\"externalId\":\"m1@iot.example\",\"data\":\"\"}"),
			 204);
	assert_non_null(asked(HTTP_POST,
			      "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/5/downlink-data-deliveries"));
}

/* ---- callers ---- */
static void s12_s14_only_the_right_path_and_token_pass(void **state)
{
	struct http_request r;
	char path[200];

	(void)state;
	active_device();
	strcpy(link_at()->bearer, "secret-token");
	r = request_to(link_at());
	offer(&r, "{}");
	assert_int_equal(r.status, 401);
	r = request_to(link_at());
	header(&r, "authorization", "Bearer secret-tokem");
	offer(&r, "{}");
	assert_int_equal(r.status, 401);
	r = request_to(link_at());
	header(&r, "authorization", "Bearer secret-token");
	header(&r, "authorization", "Bearer secret-token");
	offer(&r, "{}");
	assert_int_equal(r.status, 401);
	assert_true(alarm_is_raised("t8.callback_rejected"));
	r = request_to(link_at());
	header(&r, "authorization", "bearer secret-token");
	offer(&r, "{}");
	assert_int_equal(r.status, 400); /* in, and then no notification */
	snprintf(path, sizeof path, "%s?x", link_at()->path);
	r = request_to(link_at());
	r.target = path;
	offer(&r, "{}");
	assert_int_equal(r.status, 404);
	r.status = 0;
	r.target = "/";
	offer(&r, "{}");
	assert_int_equal(r.status, 404);
	pass(700000);
	assert_false(alarm_is_raised("t8.callback_rejected"));
}

static void s13_addresses_and_forwarded_headers(void **state)
{
	static const char *const allow[] = { "10.1.0.0/16" }, *const proxies[] = { "127.0.0.0/8" };
	static const struct {
		const char *from, *forwarded;
		int status;
	} cases[] = {
		{ "10.1.2.3:99", NULL, 400 },
		{ "10.2.2.3:99", NULL, 403 },
		{ "10.2.2.3:99", "10.1.2.3", 403 }, /* not a proxy of ours */
		{ "127.0.0.1:99", "10.1.2.3", 400 },
		{ "127.0.0.1:99", "10.1.2.3, 10.2.9.9", 403 }, /* what the caller wrote itself does not count */
		{ "127.0.0.1:99", "10.2.9.9, 10.1.2.3, 127.0.0.5", 400 },
		{ "127.0.0.1:99", "nonsense", 403 },
		{ "127.0.0.1:99", NULL, 403 },
	};

	(void)state;
	sc.conf.callback.allow = (struct conf_texts){ allow, 1 };
	sc.conf.callback.trusted_proxies = (struct conf_texts){ proxies, 1 };
	scene_open();
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_request r = request_to(link_at());

		addr_parse(&r.from, cases[i].from, true);
		if (cases[i].forwarded)
			header(&r, "x-forwarded-for", cases[i].forwarded);
		offer(&r, "{}");
		assert_int_equal(r.status, cases[i].status);
	}
}

static void t8_19_media_types_and_s46_codings(void **state)
{
	struct http_request r;

	(void)state;
	active_device();
	r = request_to(link_at());
	r.values[0] = "text/plain";
	offer(&r, "{}");
	assert_int_equal(r.status, 415);
	r.values[0] = "Application/JSON; charset=utf-8";
	r.status = 0;
	offer(&r, "{}");
	assert_int_equal(r.status, 400);
	r = request_to(link_at());
	header(&r, "content-encoding", "gzip");
	offer(&r, "{}");
	assert_int_equal(r.status, 415);
	r = request_to(link_at());
	r.method = HTTP_GET;
	offer(&r, "");
	assert_int_equal(r.status, 405);
	r = request_to(link_at());
	r.announced = 5u << 20;
	offer(&r, "");
	assert_int_equal(r.status, 413);
	sc.conf.lenient = true;
	r = request_to(link_at());
	r.values[0] = "text/plain";
	offer(&r, "{\"niddConfiguration\":\"x\",\"externalId\":\"m1@iot.example\",\"data\":\"YEUAAQ=\"}");
	assert_int_equal(r.status, 204);
}

static void s15_a_device_of_another_link_is_not_this_peers_to_speak_for(void **state)
{
	struct t8_conf other;
	struct link *b;

	(void)state;
	active_device();
	t8_conf_defaults(&other);
	other.base.head.name = "op-b";
	assert_int_equal(link_t8_ops.open(&b, &other.base, &sc.env), 0);
	assert_null(servers[1]); /* one listener for both */
	assert_string_not_equal(((struct t8_link *)b)->path, link_at()->path);
	add_to(b, LINK_ID_EXTERNAL, "b1@iot.example", 3);
	assert_int_equal(
		notify("{\"niddConfiguration\":\"x\",\"externalId\":\"b1@iot.example\",\"data\":\"YEUAAQ==\"}"), 404);
	assert_true(alarm_is_raised("device.identity_mismatch"));
	assert_int_equal(seen.ups, 0);
	link_t8_ops.close(b, true);
	assert_non_null(servers[0]);
}

static void s16_an_open_listener_has_a_standing_alarm(void **state)
{
	(void)state;
	sc.conf.callback.listen = "0.0.0.0:8444";
	sc.conf.callback.allow_unauthenticated = true;
	scene_open();
	assert_true(alarm_is_raised("t8.callback_open"));
	pass(3600000);
	assert_true(alarm_is_raised("t8.callback_open"));
}

static void s18_a_link_in_a_notification_is_never_followed(void **state)
{
	unsigned before;

	(void)state;
	active_device();
	before = calls_made;
	assert_int_equal(notify("{\"niddConfiguration\":\"http://169.254.169.254/3gpp-nidd/v1/x/configurations/"
				"1\",\"externalId\":\"m1@iot.example\","
				"\"data\":\"YEUAAQ==\"}"),
			 204);
	assert_int_equal(notify("{\"subscription\":\"http://10.0.0.1/x\"}"), 204);
	pass(5000);
	assert_int_equal(calls_made, before);
}

static void the_secret_path_depends_on_key_and_name_and_stays(void **state)
{
	char path[200];
	struct t8_link *l = scene_open();

	(void)state;
	assert_int_equal(strlen(l->short_path), 65);
	strcpy(path, l->short_path);
	link_t8_ops.close(sc.link, true);
	l = scene_open();
	assert_string_equal(path, l->short_path);
	assert_int_equal(strncmp(l->destination, "http://gw7.example:8444/", 24), 0);
}

static void reload_takes_over_what_it_can(void **state)
{
	struct t8_conf other;

	(void)state;
	scene_open();
	t8_conf_defaults(&other);
	other.maximum_latency_s = 30;
	token_retried = false;
	assert_int_equal(link_t8_ops.reconf(sc.link, &other.base), 0);
	assert_true(token_retried);
	assert_int_equal(link_at()->conf->maximum_latency_s, 30);
	sc.conf = other;
	link_t8_ops.reconf(sc.link, &sc.conf.base);
	other.api_root = "https://elsewhere.example";
	assert_int_equal(link_t8_ops.reconf(sc.link, &other.base), -EBUSY);
}

static void a_device_that_is_gone_for_good_takes_its_configuration_along(void **state)
{
	struct t8_dev *d = active_device();

	(void)state;
	link_t8_ops.detach((struct link_dev *)d, true);
	reply(asked(HTTP_DELETE, "/configurations/42"), 204, NULL, "");
	d = add("m2@iot.example");
	pass(1000);
	link_t8_ops.detach((struct link_dev *)d, true); /* while it is being made */
	reply(asked(HTTP_POST, "/configurations"), 201, "/3gpp-nidd/v1/gw7/configurations/44", "{}");
	assert_non_null(asked(HTTP_DELETE, "/configurations/44"));
	d = add("m3@iot.example");
	link_t8_ops.detach((struct link_dev *)d, false);
}

static void an_idle_device_is_a_compact_record(void **state)
{
	(void)state;
	scene_open();
	assert_true(sizeof(struct t8_dev) <= 160);
	assert_null(add("m1@iot.example")->busy);
}

static void identities_are_checked_and_unique(void **state)
{
	const struct link_identity bad[] = { { LINK_ID_EXTERNAL, "nodomain", 0 },
					     { LINK_ID_EXTERNAL, "a@b@c", 0 },
					     { LINK_ID_MSISDN, "12x", 0 },
					     { LINK_ID_ADDRESS, "10.0.0.1", 0 } };
	const struct link_identity plus = { LINK_ID_MSISDN, "+49 170 1234567", 0 },
				   plain = { LINK_ID_MSISDN, "491701234567", 0 };
	struct link_dev *d;

	(void)state;
	scene_open();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(link_t8_ops.attach(sc.link, &d, &bad[i], NULL, 100), -EBADMSG);
	assert_int_equal(link_t8_ops.attach(sc.link, &d, &plus, NULL, 100), 0);
	assert_int_equal(link_t8_ops.attach(sc.link, &d, &plain, NULL, 100), -EEXIST);
}

/* ---- the table ---- */
static void every_pair_of_state_and_event_is_as_drawn(void **state)
{
	static const signed char drawn[T8_CFG_COUNT][T8_EV_COUNT] = {
		/* turn replace created exists unknown missing fault found stale patched not_p deleted gone term unauth
		   st_active */
		[T8_CFG_ABSENT] = { T8_CFG_CREATING, -1, -1, -1, -1, T8_CFG_ABSENT, -1, T8_CFG_ACTIVE, T8_CFG_STALE, -1,
				    -1, -1, -1, -1, T8_CFG_BARRED, -1 },
		[T8_CFG_CREATING] = { -1, -1, T8_CFG_ACTIVE, T8_CFG_CONFLICT, T8_CFG_REJECTED, -1, T8_CFG_ABSENT, -1,
				      -1, -1, -1, -1, -1, -1, -1, -1 },
		[T8_CFG_CONFLICT] = { -1, -1, -1, -1, T8_CFG_REJECTED, T8_CFG_ABSENT, -1, T8_CFG_ACTIVE, T8_CFG_STALE,
				      -1, -1, -1, -1, -1, T8_CFG_BARRED, T8_CFG_CONFLICT },
		[T8_CFG_STALE] = { T8_CFG_PATCHING, T8_CFG_DELETING, -1, -1, -1, -1, -1, T8_CFG_ACTIVE, T8_CFG_STALE,
				   -1, -1, -1, T8_CFG_TERMINATED, T8_CFG_TERMINATED, T8_CFG_BARRED, -1 },
		[T8_CFG_PATCHING] = { -1, -1, -1, -1, -1, -1, T8_CFG_STALE, -1, -1, T8_CFG_ACTIVE, T8_CFG_STALE, -1,
				      T8_CFG_TERMINATED, T8_CFG_TERMINATED, T8_CFG_BARRED, -1 },
		[T8_CFG_DELETING] = { -1, -1, -1, -1, -1, -1, T8_CFG_STALE, -1, -1, -1, -1, T8_CFG_ABSENT, -1, -1,
				      T8_CFG_BARRED, -1 },
		[T8_CFG_ACTIVE] = { T8_CFG_RENEWING, -1, -1, -1, -1, -1, -1, T8_CFG_ACTIVE, T8_CFG_STALE, -1, -1, -1,
				    T8_CFG_TERMINATED, T8_CFG_TERMINATED, T8_CFG_BARRED, -1 },
		[T8_CFG_RENEWING] = { -1, -1, -1, -1, -1, -1, T8_CFG_ACTIVE, -1, -1, T8_CFG_ACTIVE, T8_CFG_ACTIVE, -1,
				      T8_CFG_TERMINATED, T8_CFG_TERMINATED, T8_CFG_BARRED, -1 },
		[T8_CFG_TERMINATED] = { T8_CFG_CREATING, -1, -1, -1, -1, -1, -1, T8_CFG_ACTIVE, T8_CFG_STALE, -1, -1,
					-1, -1, -1, T8_CFG_BARRED, T8_CFG_TERMINATED },
		[T8_CFG_REJECTED] = { T8_CFG_CREATING, -1, -1, -1, -1, -1, -1, T8_CFG_ACTIVE, T8_CFG_STALE, -1, -1, -1,
				      -1, -1, T8_CFG_BARRED, T8_CFG_REJECTED },
		[T8_CFG_BARRED] = { T8_CFG_CREATING, -1, -1, -1, -1, -1, -1, T8_CFG_ACTIVE, T8_CFG_STALE, -1, -1, -1,
				    -1, -1, -1, T8_CFG_BARRED },
	};

	(void)state;
	scene_open();
	for (int s = 0; s < T8_CFG_COUNT; s++)
		for (int e = 0; e < T8_EV_COUNT; e++)
			assert_int_equal(t8_config_next((enum t8_cfg)s, (enum t8_cfg_ev)e), drawn[s][e]);
}

/* Every pair through the real actions: the device ends in the state of the table, or where it was. */
static void every_pair_can_be_gone_through(void **state)
{
	const struct t8_config_answer a = { .tail = "gw7/configurations/1", .external_id = "m1@iot.example" };

	(void)state;
	scene_open();
	link_at()->listed = true;
	for (int s = 0; s < T8_CFG_COUNT; s++)
		for (int e = 0; e < T8_EV_COUNT; e++) {
			struct t8_dev *d = add("m1@iot.example");
			int next = t8_config_next((enum t8_cfg)s, (enum t8_cfg_ev)e);

			t8_dev_set_tail(d, "gw7/configurations/1");
			d->state = (uint8_t)s;
			link_at()->creating += s == T8_CFG_CREATING;
			t8_config_event(d, (enum t8_cfg_ev)e, &a);
			/* the pump may go on at once with what an event has queued */
			if (next >= 0 && d->state != next)
				assert_true(d->state == T8_CFG_CREATING || d->state == T8_CFG_PATCHING);
			if (next < 0)
				assert_int_equal(d->state, s);
			link_t8_ops.detach((struct link_dev *)d, false);
			while (calls)
				reply(calls, 204, NULL, "");
		}
	assert_int_equal(link_at()->creating, 0);
	assert_int_equal(link_at()->config_calls, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(t8_01_an_empty_peer_gets_one_configuration_per_device),
		T(t8_02_a_listed_configuration_is_adopted_and_patched),
		T(t8_02_a_refused_create_looks_into_the_list_once),
		T(t8_02_refused_and_not_listed_waits_an_hour_without_a_loop),
		T(t8_03_release_15_deletes_and_creates_instead_of_a_patch),
		T(a_peer_that_cannot_patch_the_callback_is_given_a_new_configuration),
		T(t8_05_a_test_notification_before_the_201_proves_the_callback),
		T(t8_06_a_missing_test_notification_is_counted_and_the_device_usable),
		T(t8_33_packet_sizes_are_bits_unless_told_otherwise),
		T(t8_36_an_unauthorized_device_is_barred_without_a_storm),
		T(t8_37_a_terminated_configuration_is_made_again_once),
		T(t8_45_lost_configurations_come_back_paced_and_the_newest_traffic_first),
		T(t8_07_an_uplink_is_answered_by_its_verdict),
		T(a_caller_that_left_before_the_verdict_is_remembered),
		T(verdicts_have_their_answers),
		T(t8_10_an_uplink_before_the_201_waits_when_only_the_link_could_tell),
		T(t8_11_the_configuration_is_matched_by_its_tail),
		T(t8_13_an_unknown_identity_leaves_no_trace),
		T(t8_15_bad_base64_is_told_by_its_member),
		T(t8_16_an_empty_unit_is_an_awake_hint),
		T(mode_none_learns_the_configuration_from_an_uplink),
		T(s12_s14_only_the_right_path_and_token_pass),
		T(s13_addresses_and_forwarded_headers),
		T(t8_19_media_types_and_s46_codings),
		T(s15_a_device_of_another_link_is_not_this_peers_to_speak_for),
		T(s16_an_open_listener_has_a_standing_alarm),
		T(s18_a_link_in_a_notification_is_never_followed),
		T(the_secret_path_depends_on_key_and_name_and_stays),
		T(reload_takes_over_what_it_can),
		T(a_device_that_is_gone_for_good_takes_its_configuration_along),
		T(an_idle_device_is_a_compact_record),
		T(identities_are_checked_and_unique),
		T(every_pair_of_state_and_event_is_as_drawn),
		T(every_pair_can_be_gone_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
