/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame.c - what one side writes the other reads, and no broken frame is taken */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/frame.h"

static uint8_t buf[FRAME_DOWN_MOST];
static struct niddgw_value values[REPORT_VALUES_MAX];
static struct report_link links[REPORT_VALUES_MAX];

static struct writer fresh(void)
{
	return writer_of(buf, sizeof buf);
}

/* The one frame in buf. */
static struct frame only(const struct writer *w, uint8_t kind)
{
	struct reader r = reader_of(buf, writer_len(w));

	assert_false(w->failed);
	assert_int_equal(read_u32(&r), writer_len(w) - 4);
	assert_int_equal(read_u8(&r), kind);
	return (struct frame){ kind, r };
}

/* Every shorter body, and a longer one, is refused by the reader. */
#define ASSERT_CUTS_REFUSED(call)                                                           \
	do {                                                                                \
		const struct frame whole_ = f;                                              \
		for (const uint8_t *end_ = whole_.body.p; end_ < whole_.body.end; end_++) { \
			f = whole_;                                                         \
			f.body.end = end_;                                                  \
			assert_int_equal(call, -EBADMSG);                                   \
		}                                                                           \
		f = whole_;                                                                 \
	} while (0)

static struct report data_report(struct niddgw_value v[9], const struct report_link l[1])
{
	static const uint8_t octets[] = { 0, 0xff, 7 };

	memset(v, 0, 9 * sizeof *v);
	for (uint8_t i = 0; i < 9; i++) {
		v[i].path_len = (uint8_t)(1 + i % 4);
		for (uint8_t k = 0; k < v[i].path_len; k++)
			v[i].path[k] = (uint16_t)(65535 - k);
		v[i].type = (uint8_t)(NIDDGW_STRING + i);
		v[i].data = octets;
		v[i].len = sizeof octets;
	}
	v[0].object = "Temperature";
	v[0].resource = "";
	v[1].integer = INT64_MIN;
	v[2].uinteger = UINT64_MAX;
	v[3].number = -1.5;
	v[3].unit = "Cel";
	v[3].has_time = true;
	v[3].time_ms = 1767323045678;
	v[4].boolean = true;
	v[6].integer = 5;
	v[7].link[0] = 65;
	return (struct report){ .kind = NIDDGW_RECORD_DATA,
				.arrival_ms = 7,
				.id = "01J9ZZZZZZZZZZZZZZZZZZZZZZ",
				.device = "d",
				.ep = "e",
				.unit_bytes = 87,
				.op = "notify",
				.path = "/",
				.confirmed = -1,
				.values = v,
				.values_n = 9,
				.links = l,
				.links_n = 1 };
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void assert_value(const struct niddgw_value *a, const struct niddgw_value *b)
{
	assert_int_equal(a->path_len, b->path_len);
	assert_memory_equal(a->path, b->path, a->path_len * sizeof *a->path);
	assert_int_equal(a->type, b->type);
	assert_true(same(a->object, b->object) && same(a->resource, b->resource) && same(a->unit, b->unit));
	assert_int_equal(a->has_time, b->has_time);
	assert_true(a->time_ms == b->time_ms && a->integer == b->integer && a->uinteger == b->uinteger);
	assert_true(a->number == b->number && a->boolean == b->boolean && a->link[0] == b->link[0]);
	if (a->type == NIDDGW_STRING || a->type == NIDDGW_CORELNK || a->type == NIDDGW_OPAQUE) {
		assert_int_equal(a->len, b->len);
		assert_memory_equal(a->data, b->data, a->len);
	}
}

static void a_data_report_arrives_as_it_left(void **state)
{
	const struct report_link l[] = { { "/3/0", "Device", NULL } };
	struct niddgw_value v[9];
	const struct report r = data_report(v, l);
	struct writer w = fresh();
	struct frame f;
	struct report got;

	(void)state;
	assert_true(frame_write_record(&w, &r));
	f = only(&w, FRAME_RECORD);
	ASSERT_CUTS_REFUSED(frame_read_record(&f, &got, values, links));
	assert_int_equal(frame_read_record(&f, &got, values, links), 0);
	assert_int_equal(got.kind, NIDDGW_RECORD_DATA);
	assert_string_equal(got.id, r.id);
	assert_true(same(got.device, "d") && same(got.ep, "e") && !got.server && !got.format);
	assert_true(same(got.op, "notify") && same(got.path, "/"));
	assert_int_equal(got.confirmed, -1);
	assert_int_equal(got.unit_bytes, 87);
	assert_int_equal(got.values_n, 9);
	for (size_t i = 0; i < 9; i++)
		assert_value(&got.values[i], &v[i]);
	assert_int_equal(got.links_n, 1);
	assert_true(same(got.links[0].path, "/3/0") && same(got.links[0].object, "Device") && !got.links[0].version);
}

static void a_raw_report_arrives_as_it_left(void **state)
{
	const uint8_t kid[] = { 1, 2 }, payload[] = { 9 };
	const struct report r = { .kind = NIDDGW_RECORD_RAW,
				  .id = "1",
				  .device = "d",
				  .server = "s",
				  .down = true,
				  .kind_word = "oscore",
				  .reason = "r",
				  .has_coap = true,
				  .coap_type = "NON",
				  .coap_code = 69,
				  .coap_mid = 65535,
				  .coap_token_bytes = 8,
				  .coap_options = { 9, 65535 },
				  .coap_options_n = 2,
				  .kid = kid,
				  .kid_len = 2,
				  .has_kid = true,
				  .has_kid_context = true,
				  .piv_bytes = 5,
				  .dtls_content_type = 22,
				  .dtls_epoch = 3,
				  .payload = payload,
				  .payload_len = 1 };
	struct writer w = fresh();
	struct report got;
	struct frame f;

	(void)state;
	assert_true(frame_write_record(&w, &r));
	f = only(&w, FRAME_RECORD);
	ASSERT_CUTS_REFUSED(frame_read_record(&f, &got, values, links));
	assert_int_equal(frame_read_record(&f, &got, values, links), 0);
	assert_true(got.down && got.has_coap && got.has_kid && got.has_kid_context);
	assert_true(same(got.kind_word, "oscore") && same(got.reason, "r") && same(got.coap_type, "NON"));
	assert_int_equal(got.coap_mid, 65535);
	assert_int_equal(got.coap_options[1], 65535);
	assert_int_equal(got.kid_len, 2);
	assert_memory_equal(got.kid, kid, 2);
	assert_int_equal(got.kid_context_len, 0);
	assert_int_equal(got.dtls_epoch, 3);
	assert_int_equal(got.payload_len, 1);
	assert_int_equal(got.payload[0], 9);
}

static void documents_arrive_as_they_left(void **state)
{
	const struct niddgw_session s = { 0, "d", NULL, NULL, NULL, "{}", NULL };
	const struct niddgw_down d = { 0, "d", "sent", "{}" };
	const struct niddgw_alarm_event a = { 0, "t", "s", "t:s", "raise", "{}", NULL };
	const struct niddgw_gateway g = { 0, NIDDGW_GATEWAY_HEALTH, NULL, "{}" };
	const struct niddgw_answer n = { 0, UINT64_MAX, NULL, "ping", NULL, true, "{}" };
	struct niddgw_session s2;
	struct niddgw_down d2;
	struct niddgw_alarm_event a2;
	struct niddgw_gateway g2;
	struct niddgw_answer n2;
	struct writer w = fresh();
	struct frame f;

	(void)state;
	assert_true(frame_write_session(&w, &s));
	f = only(&w, FRAME_SESSION);
	ASSERT_CUTS_REFUSED(frame_read_session(&f, &s2));
	assert_int_equal(frame_read_session(&f, &s2), 0);
	assert_true(same(s2.device, "d") && !s2.event && !s2.state && same(s2.objects, "{}"));
	w = fresh();
	assert_true(frame_write_down(&w, &d));
	f = only(&w, FRAME_DOWN);
	ASSERT_CUTS_REFUSED(frame_read_down(&f, &d2));
	assert_int_equal(frame_read_down(&f, &d2), 0);
	assert_string_equal(d2.state, "sent");
	w = fresh();
	assert_true(frame_write_alarm(&w, &a));
	f = only(&w, FRAME_ALARM);
	ASSERT_CUTS_REFUSED(frame_read_alarm(&f, &a2));
	assert_int_equal(frame_read_alarm(&f, &a2), 0);
	assert_true(same(a2.id, "t:s") && !a2.json);
	w = fresh();
	assert_true(frame_write_gateway(&w, &g));
	f = only(&w, FRAME_GATEWAY);
	ASSERT_CUTS_REFUSED(frame_read_gateway(&f, &g2));
	assert_int_equal(frame_read_gateway(&f, &g2), 0);
	assert_int_equal(g2.what, NIDDGW_GATEWAY_HEALTH);
	w = fresh();
	assert_true(frame_write_answer(&w, &n));
	f = only(&w, FRAME_ANSWER);
	ASSERT_CUTS_REFUSED(frame_read_answer(&f, &n2));
	assert_int_equal(frame_read_answer(&f, &n2), 0);
	assert_true(n2.cookie == UINT64_MAX && n2.final && !n2.device && !n2.id);
}

static void a_setup_carries_options_of_any_length(void **state)
{
	const struct frame_setup s = { "one", "gw", "boot", "/state", 2, { 0 } };
	const char *const texts[] = { "a", "", "c" };
	struct frame_setting one;
	struct frame_setup got;
	struct writer w = fresh();
	const char *text;
	struct frame f;

	(void)state;
	assert_true(frame_write_setup(&w, &s));
	assert_true(frame_write_setting(&w, "list", texts, 3));
	assert_true(frame_write_setting(&w, "none", NULL, 0));
	frame_end(&w, 0);
	f = only(&w, FRAME_SETUP);
	ASSERT_CUTS_REFUSED(frame_read_setup(&f, &got));
	assert_int_equal(frame_read_setup(&f, &got), 0);
	assert_int_equal(got.n, 2);
	assert_int_equal(frame_next_setting(&got.settings, &one), 0);
	assert_string_equal(one.name, "list");
	assert_int_equal(one.n, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(frame_next_text(&one.texts, &text), 0);
		assert_string_equal(text, texts[i]);
	}
	assert_int_equal(frame_next_setting(&got.settings, &one), 0);
	assert_string_equal(one.name, "none");
	assert_int_equal(frame_next_setting(&got.settings, &one), -EBADMSG);
}

static void what_a_host_says_arrives(void **state)
{
	static const char *const words[] = { "5", "3.1.1", NULL };
	const struct frame_hello h = { FRAME_VERSION, 1, "build", "mqtt", NULL, 1, 2 };
	const struct niddgw_option o = { "protocol", NIDDGW_OPTION_INT, true, "5", words, -7, 7, "help" };
	const struct niddgw_command c = { 0, NULL, "read", "id", "{}", 30000, 77 };
	const char *room[FRAME_WORDS_MOST + 1], *text;
	struct frame_hello h2;
	struct niddgw_option o2;
	struct niddgw_command c2;
	struct frame_count n2;
	struct frame_raise a2;
	struct frame_log l2;
	struct writer w = fresh();
	struct frame f;

	(void)state;
	assert_true(frame_write_hello(&w, &h));
	f = only(&w, FRAME_HELLO);
	ASSERT_CUTS_REFUSED(frame_read_hello(&f, &h2));
	assert_int_equal(frame_read_hello(&f, &h2), 0);
	assert_true(same(h2.build, "build") && !h2.plugin_version && h2.takes == 2);
	w = fresh();
	assert_true(frame_write_option(&w, &o));
	f = only(&w, FRAME_OPTION);
	ASSERT_CUTS_REFUSED(frame_read_option(&f, &o2, room));
	assert_int_equal(frame_read_option(&f, &o2, room), 0);
	assert_true(o2.required && same(o2.words[1], "3.1.1") && !o2.words[2] && o2.least == -7);
	w = fresh();
	assert_true(frame_write_command(&w, &c));
	f = only(&w, FRAME_COMMAND);
	ASSERT_CUTS_REFUSED(frame_read_command(&f, &c2));
	assert_int_equal(frame_read_command(&f, &c2), 0);
	assert_true(c2.cookie == 77 && c2.timeout_ms == 30000 && !c2.device && same(c2.args, "{}"));
	w = fresh();
	assert_true(frame_write_count(&w, &(struct frame_count){ "x", true, (uint64_t)-3 }));
	f = only(&w, FRAME_COUNT);
	ASSERT_CUTS_REFUSED(frame_read_count(&f, &n2));
	assert_int_equal(frame_read_count(&f, &n2), 0);
	assert_true(n2.gauge && (int64_t)n2.value == -3);
	w = fresh();
	assert_true(frame_write_raise(&w, &(struct frame_raise){ "t", NULL }));
	f = only(&w, FRAME_RAISE);
	assert_int_equal(frame_read_raise(&f, &a2), 0);
	assert_null(a2.text);
	w = fresh();
	assert_true(frame_write_log(&w, &(struct frame_log){ NIDDGW_INFO, "e", "t" }));
	f = only(&w, FRAME_LOG);
	ASSERT_CUTS_REFUSED(frame_read_log(&f, &l2));
	assert_int_equal(frame_read_log(&f, &l2), 0);
	w = fresh();
	assert_true(frame_write_text(&w, FRAME_REFUSED, "why"));
	f = only(&w, FRAME_REFUSED);
	assert_int_equal(frame_read_text(&f, &text), 0);
	assert_string_equal(text, "why");
}

static void a_hello_of_another_version_is_read_no_further(void **state)
{
	struct writer w = fresh();
	struct frame_hello h;
	struct frame f;

	(void)state;
	write_u32(&w, 0);
	write_u8(&w, FRAME_HELLO);
	write_u32(&w, 99);
	write_bytes(&w, "who knows what", 14);
	frame_end(&w, 0);
	f = only(&w, FRAME_HELLO);
	assert_int_equal(frame_read_hello(&f, &h), 0);
	assert_int_equal(h.version, 99);
}

static void values_that_do_not_exist_are_refused(void **state)
{
	struct niddgw_value v = { .path_len = 1, .type = NIDDGW_TYPE_COUNT }, nine[9];
	struct report r = data_report(nine, NULL), got;
	struct writer w = fresh();
	struct frame f;

	(void)state;
	r.links_n = 0;
	r.values = &v;
	r.values_n = 1;
	assert_true(frame_write_record(&w, &r));
	f = only(&w, FRAME_RECORD);
	assert_int_equal(frame_read_record(&f, &got, values, links), -EBADMSG);
	v = (struct niddgw_value){ .path_len = 5, .type = NIDDGW_BOOLEAN };
	w = fresh();
	assert_true(frame_write_record(&w, &r));
	f = only(&w, FRAME_RECORD);
	assert_int_equal(frame_read_record(&f, &got, values, links), -EBADMSG);
	r.values_n = REPORT_VALUES_MAX + 1;
	w = fresh();
	assert_false(frame_write_record(&w, &r));
}

static void what_does_not_fit_is_said(void **state)
{
	static char text[2000];
	struct writer w = writer_of(buf, 1000);

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_false(frame_write_stats(&w, &(struct niddgw_stats){ 0, text }));
}

/* ---- streams ---- */

/* As many of len octets as there is room for. */
static size_t feed(struct frame_stream *s, const uint8_t *data, size_t len)
{
	size_t room;
	uint8_t *to = frame_stream_room(s, &room);

	assert_non_null(to);
	assert_true(room > 0);
	len = len < room ? len : room;
	memcpy(to, data, len);
	frame_stream_got(s, len);
	return len;
}

static void frames_come_out_of_a_stream_however_it_is_cut(void **state)
{
	static char text[40000];
	struct writer w = fresh();
	struct frame_stream s;
	struct frame f;
	size_t total;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_true(frame_write_empty(&w, FRAME_PING));
	assert_true(frame_write_stats(&w, &(struct niddgw_stats){ 0, text })); /* grows the buffer */
	assert_true(frame_write_empty(&w, FRAME_STOP));
	total = writer_len(&w);
	for (size_t step = 1; step < 20000; step = step * 3 + 1) {
		static const uint8_t kinds[] = { FRAME_PING, FRAME_STATS, FRAME_STOP };
		size_t seen = 0;

		frame_stream_init(&s, FRAME_UP_MOST);
		for (size_t at = 0; at < total;) {
			at += feed(&s, buf + at, total - at < step ? total - at : step);
			while (frame_stream_next(&s, &f) > 0)
				assert_int_equal(f.kind, kinds[seen++]);
		}
		assert_int_equal(seen, 3);
		frame_stream_fini(&s);
	}
}

static void a_length_beyond_the_limits_ends_the_stream(void **state)
{
	static const uint8_t large[] = { 0, 1, 0, 0, 1 }, small[] = { 0, 0, 0, 0 };
	struct frame_stream s;
	struct frame f;

	(void)state;
	frame_stream_init(&s, FRAME_UP_MOST);
	feed(&s, large, sizeof large);
	assert_int_equal(frame_stream_next(&s, &f), -EMSGSIZE);
	frame_stream_fini(&s);
	frame_stream_init(&s, FRAME_UP_MOST);
	feed(&s, small, sizeof small);
	assert_int_equal(frame_stream_next(&s, &f), -EBADMSG);
	frame_stream_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_data_report_arrives_as_it_left),
		cmocka_unit_test(a_raw_report_arrives_as_it_left),
		cmocka_unit_test(documents_arrive_as_they_left),
		cmocka_unit_test(a_setup_carries_options_of_any_length),
		cmocka_unit_test(what_a_host_says_arrives),
		cmocka_unit_test(a_hello_of_another_version_is_read_no_further),
		cmocka_unit_test(values_that_do_not_exist_are_refused),
		cmocka_unit_test(what_does_not_fit_is_said),
		cmocka_unit_test(frames_come_out_of_a_stream_however_it_is_cut),
		cmocka_unit_test(a_length_beyond_the_limits_ends_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
