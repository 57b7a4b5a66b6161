/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream_no_memory.c - a stream when the n-th allocation fails: src/north/stream.c and stream_out.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "north/stream.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1 /* its allocator is not to be replaced */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static long left = -1; /* allocations until one fails; -1: none does */

#ifndef SANITIZED
void *__libc_realloc(void *p, size_t n);
void *realloc(void *p, size_t n);

void *realloc(void *p, size_t n)
{
	if (left >= 0 && left-- == 0)
		return NULL;
	return __libc_realloc(p, n);
}
#define NEEDS_OUR_ALLOCATOR() (void)0
#else
#define NEEDS_OUR_ALLOCATOR() skip()
#endif

static struct stream_item item;

/* What comes of it: messages, and whether the stream is over. */
static unsigned feed(struct stream *s, const char *data, size_t len)
{
	struct reader in = reader_of(data, len);
	unsigned messages = 0;
	enum stream_what what;

	while ((what = stream_read(s, &in, &item)) != STREAM_MORE && what != STREAM_OVER)
		messages += what == STREAM_MESSAGE;
	assert_true(what == STREAM_MORE || (s->over && item.why));
	return messages;
}

/* One connection with all that allocates: a message in two parts, requests both ways, a notification, a Ping, much
 * output. True when it went as it does with memory. */
static bool converse(struct stream *s)
{
	static const uint8_t request[900] = "\x41\x02\x00\x01u\xff", note[] = "\x41\x45\x00\x02o\x61\x05",
			     answer[] = "\x61\x45\x00\x03x";
	const uint8_t *out;
	struct coap_empty ack;
	unsigned got, acked = 0;
	bool well = !stream_start(s);

	got = feed(s, "\x00\xe1\x01\x01x\x04\x01", 7);
	got += feed(s, "down\x01\xe2\x42", 7);
	well &= !stream_send(s, request, sizeof request) && !stream_send(s, note, sizeof note - 1) &&
		!stream_send(s, answer, sizeof answer - 1);
	stream_written(s, stream_output(s, &out));
	got += feed(s, "\x12\xe3\x00\x01\x20", 5);
	while (stream_acked(s, &ack))
		acked++;
	return well && got == 2 && acked == 2 && !s->over;
}

static void a_stream_without_memory_loses_no_more_than_itself(void **state)
{
	bool well = false, reached = true;
	int n = 0;

	(void)state;
	NEEDS_OUR_ALLOCATOR();
	for (; reached && n < 100; n++) {
		struct stream s = { 0 };

		left = n;
		well = converse(&s);
		reached = left < 0;
		left = -1;
		stream_stop(&s);
		assert_true(!s.part && !s.out && !s.owed && !s.asked.v && !s.asking.v);
	}
	assert_true(well && n >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_without_memory_loses_no_more_than_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
