/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_notify.c - notifications as peers really send them. Numbers are the acceptance cases of the T8 reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "link/t8/notify.h"

static struct t8_note n;
static const char *fault;

static int take(const char *text)
{
	return t8_note_read(&n, (const uint8_t *)text, strlen(text), "gw7", false, &fault);
}

static void kinds_are_told_by_their_members(void **state)
{
	static const struct {
		const char *text;
		enum t8_note_kind kind;
	} cases[] = {
		{ "{\"subscription\":\"https://x/3gpp-nidd/v1/gw7/configurations/1\"}", T8_NOTE_TEST },
		{ "{\"niddDownlinkDataTransfer\":\"x\",\"gmdResults\":[]}", T8_NOTE_GROUP },
		{ "{\"niddDownlinkDataTransfer\":\"x\",\"deliveryStatus\":\"SUCCESS\"}", T8_NOTE_DELIVERY },
		{ "{\"niddDownlinkDataTransfer\":\"x\",\"status\":\"SUCCESS\"}", T8_NOTE_DELIVERY },
		{ "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"\"}", T8_NOTE_UPLINK },
		{ "{\"externalId\":\"a@b\",\"data\":\"\"}", T8_NOTE_UPLINK },
		{ "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"status\":\"ACTIVE\"}", T8_NOTE_STATUS },
		{ "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\"}", T8_NOTE_PORTS },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(take(cases[i].text), 0);
		assert_int_equal(n.kind, cases[i].kind);
	}
	assert_int_equal(take("{}"), -EBADMSG);
	assert_int_equal(take("{\"foo\":1}"), -EBADMSG);
}

static void t8_12_both_identities_are_read(void **state)
{
	(void)state;
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"msisdn\":\"+49 170 "
			      "1234567\",\"data\":\"\"}"),
			 0);
	assert_string_equal(n.external_id, "a@b");
	assert_string_equal(n.msisdn, "491701234567");
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"externalId\":7,\"data\":\"\"}"), -EBADMSG);
	assert_string_equal(fault, "/externalId");
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"msisdn\":\"12ab\",\"data\":\"\"}"), -EBADMSG);
	assert_string_equal(fault, "/msisdn");
}

static void t8_14_base64_as_it_comes(void **state)
{
	static const char *const same[] = { "QP8BAfs=", "QP8BAfs\\u003d", "QP8BAfs", "QP8B\\r\\nAfs=\\r\\n" };
	char text[200];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof text, "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"%s\"}",
			 same[i]);
		assert_int_equal(take(text), 0);
		assert_int_equal(n.len, 5);
		assert_memory_equal(n.data, "\x40\xff\x01\x01\xfb", 5);
	}
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"-_-_\"}"), 0);
	assert_memory_equal(n.data, "\xfb\xff\xbf", 3);
}

static void t8_15_base64_that_is_none(void **state)
{
	static const char *const bad[] = { "@@@", "A", "AAAAA", "=", "====", "A-+A", "AB=C" };
	char text[200];

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"%s\"}",
			 bad[i]);
		assert_int_equal(take(text), -EBADMSG);
		assert_string_equal(fault, "/data");
	}
}

static void lenient_takes_padding_faults(void **state)
{
	const char *text = "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"QP 8B\\tAfs==\"}";

	(void)state;
	assert_int_equal(take(text), -EBADMSG);
	assert_int_equal(t8_note_read(&n, (const uint8_t *)text, strlen(text), "gw7", true, &fault), 0);
	assert_int_equal(n.len, 5);
}

static void s45_a_unit_is_bounded_before_it_is_decoded(void **state)
{
	const size_t len = 60000;
	static char text[60100];
	int at = sprintf(text, "{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"");

	(void)state;
	memset(text + at, 'A', len);
	strcpy(text + at + len, "\"}");
	assert_int_equal(take(text), -EMSGSIZE);
}

static void t8_18_s10_what_is_not_sound_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"\"x\"",
		"null",
		"{\"data\":\"\",\"data\":\"\",\"niddConfiguration\":\"x\"}",
		"{\"data\":\"a\\u0000b\"}",
		"{\"data\":\"\"} x",
		"{\"data\":1e400,\"niddConfiguration\":\"x\"}",
		"{\"data\":\"\xff\xfe\"}",
		"{\"data\":'x'}",
		"{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":null}",
	};
	static char deep[60001];

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(take(bad[i]), -EBADMSG);
	memset(deep, '[', 60000);
	deep[60000] = '\0';
	assert_int_equal(take(deep), -EBADMSG);
	for (int i = 0; i < 60000; i += 6)
		memcpy(deep + i, "{\"a\":[", 6);
	assert_int_equal(take(deep), -EBADMSG);
	deep[0] = '{';
	for (int i = 1; i + 8 < 60000; i += 8)
		memcpy(deep + i, "\"aa\":1, ", 8);
	assert_int_equal(take(deep), -EBADMSG);
}

static void t8_20_unknown_members_and_values_pass(void **state)
{
	(void)state;
	assert_int_equal(take("{\"niddDownlinkDataTransfer\":\"x\",\"deliveryStatus\":\"SUCCESS_BY_PIGEON\",\"extra\":{"
			      "\"a\":[1,2]}}"),
			 0);
	assert_string_equal(n.status, "SUCCESS_BY_PIGEON");
	assert_int_equal(take("{\"niddDownlinkDataTransfer\":\"x\",\"deliveryStatus\":5}"), -EBADMSG);
}

static void rds_ports_are_four_bits(void **state)
{
	(void)state;
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"\",\"rdsPort\":{"
			      "\"portUE\":15,\"portSCEF\":0}}"),
			 0);
	assert_int_equal(n.port_ue, 15);
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"\",\"rdsPort\":{"
			      "\"portUE\":16,\"portSCEF\":0}}"),
			 -EBADMSG);
	assert_string_equal(fault, "/rdsPort");
	assert_int_equal(take("{\"niddConfiguration\":\"x\",\"externalId\":\"a@b\",\"data\":\"\"}"), 0);
	assert_int_equal(n.port_ue, -1);
}

static void t8_11_links_have_one_form(void **state)
{
	static const struct {
		const char *link, *tail;
	} cases[] = {
		{ "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/42", "gw7/configurations/42" },
		{ "/SCEF/3gpp-nidd/v1/gw7/configurations/42/", "gw7/configurations/42" },
		{ "https://h/3gpp%2Dnidd/v1/g%577/config%75rations/4%32?x=1#y", "gW7/configurations/42" },
		{ "configurations/42", "gw7/configurations/42" },
		{ "/configurations/a%2fb", "gw7/configurations/a%2Fb" },
		{ "/3gpp-nidd/v1/gw7/configurations/\xc3\xa4 %", "gw7/configurations/%C3%A4%20%25" },
		{ "/3gpp-nidd/v1/gw7/configurations/42/downlink-data-deliveries/7",
		  "gw7/configurations/42/downlink-data-deliveries/7" },
		{ "/3gpp-nidd/v1/gw7/configurations/../../x", "" },
		{ "/3gpp-nidd/v1/gw7/configurations/%2e%2e", "" },
		{ "/3gpp-nidd/v1/gw7//configurations/1", "" },
		{ "/3gpp-nidd/v1/gw7/configurations/", "" },
		{ "http://169.254.169.254/latest", "" },
		{ "", "" },
	};
	char tail[T8_TAIL_MAX], twice[T8_TAIL_MAX], prefixed[T8_TAIL_MAX + 16];

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		int err = t8_tail(tail, cases[i].link, "gw7");

		assert_string_equal(tail, cases[i].tail);
		assert_int_equal(err != 0, !*cases[i].tail);
		if (err)
			continue;
		snprintf(prefixed, sizeof prefixed, T8_NIDD "%s", tail);
		assert_int_equal(t8_tail(twice, prefixed, "gw7"), 0);
		assert_string_equal(twice, tail); /* one form stays as it is */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_told_by_their_members),
		cmocka_unit_test(t8_12_both_identities_are_read),
		cmocka_unit_test(t8_14_base64_as_it_comes),
		cmocka_unit_test(t8_15_base64_that_is_none),
		cmocka_unit_test(lenient_takes_padding_faults),
		cmocka_unit_test(s45_a_unit_is_bounded_before_it_is_decoded),
		cmocka_unit_test(t8_18_s10_what_is_not_sound_json_is_refused),
		cmocka_unit_test(t8_20_unknown_members_and_values_pass),
		cmocka_unit_test(rds_ports_are_four_bits),
		cmocka_unit_test(t8_11_links_have_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
