/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_frame.c - a stream of frames from a process that has been taken over, in both directions
 *
 * What can be read is written again and must come out the same; a report that can be read must give sound bounds as
 * JSON.
 */
#include <stdlib.h>

#include "mirror/json.h"
#include "plugin/frame.h"

static uint8_t again[FRAME_DOWN_MOST];
static struct niddgw_value values[REPORT_VALUES_MAX];
static struct report_link links[REPORT_VALUES_MAX];

static void expect(bool sound)
{
	if (!sound)
		abort();
}

/* NaN has many forms, and flags other than ours are dropped: what was written is compared when it was read once more.
 */
static void record(struct frame f)
{
	struct writer w = writer_of(again, sizeof again);
	char small[100];
	struct report r;

	if (frame_read_record(&f, &r, values, links))
		return;
	expect(json_report(&r, 0, small, sizeof small) > 0);
	if (r.kind == NIDDGW_RECORD_DATA)
		expect(json_report(&r, NIDDGW_JSON_SENML | NIDDGW_JSON_OMIT_OPAQUE, small, sizeof small) > 0);
	else
		expect(json_report(&r, NIDDGW_JSON_RAW_PAYLOAD, small, sizeof small) > 0);
	expect(frame_write_record(&w, &r));
	f = (struct frame){ FRAME_RECORD, reader_of(again + FRAME_HEAD, writer_len(&w) - FRAME_HEAD) };
	expect(!frame_read_record(&f, &r, values, links));
}

static void setup(struct frame f)
{
	struct frame_setting one;
	struct frame_setup s;
	const char *text;

	if (frame_read_setup(&f, &s))
		return;
	for (uint32_t i = 0; i < s.n; i++) {
		expect(!frame_next_setting(&s.settings, &one));
		for (uint32_t k = 0; k < one.n; k++)
			expect(!frame_next_text(&one.texts, &text));
	}
}

static void option(struct frame f)
{
	const char *words[FRAME_WORDS_MOST + 1];
	struct writer w = writer_of(again, sizeof again);
	struct niddgw_option o;

	if (!frame_read_option(&f, &o, words))
		expect(frame_write_option(&w, &o));
}

static void small_ones(struct frame f)
{
	union {
		struct niddgw_session session;
		struct niddgw_down down;
		struct niddgw_alarm_event alarm;
		struct niddgw_stats stats;
		struct niddgw_gateway gateway;
		struct niddgw_answer answer;
		struct frame_hello hello;
		struct frame_log log;
		struct frame_count count;
		struct frame_raise raise;
		struct niddgw_command command;
		uint64_t lost;
	} u;
	const struct frame whole = f;

#define TRY(kind, call)     \
	case kind:          \
		(void)call; \
		break
	switch (whole.kind) {
		TRY(FRAME_SESSION, frame_read_session(&f, &u.session));
		TRY(FRAME_DOWN, frame_read_down(&f, &u.down));
		TRY(FRAME_ALARM, frame_read_alarm(&f, &u.alarm));
		TRY(FRAME_STATS, frame_read_stats(&f, &u.stats));
		TRY(FRAME_GATEWAY, frame_read_gateway(&f, &u.gateway));
		TRY(FRAME_ANSWER, frame_read_answer(&f, &u.answer));
		TRY(FRAME_HELLO, frame_read_hello(&f, &u.hello));
		TRY(FRAME_LOG, frame_read_log(&f, &u.log));
		TRY(FRAME_COUNT, frame_read_count(&f, &u.count));
		TRY(FRAME_RAISE, frame_read_raise(&f, &u.raise));
		TRY(FRAME_COMMAND, frame_read_command(&f, &u.command));
		TRY(FRAME_LOST, frame_read_lost(&f, &u.lost));
	default:
		break;
	}
#undef TRY
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_stream s;
	struct frame f;
	int got = 1;

	frame_stream_init(&s, FRAME_UP_MOST);
	while (size && got >= 0) {
		size_t room, n;
		uint8_t *to = frame_stream_room(&s, &room);

		expect(to && room);
		n = size < room ? size : room;
		memcpy(to, data, n);
		frame_stream_got(&s, n);
		data += n;
		size -= n;
		while ((got = frame_stream_next(&s, &f)) > 0) {
			if (f.kind == FRAME_RECORD)
				record(f);
			else if (f.kind == FRAME_SETUP)
				setup(f);
			else if (f.kind == FRAME_OPTION)
				option(f);
			else
				small_ones(f);
		}
	}
	frame_stream_fini(&s);
	return 0;
}
