/* SPDX-License-Identifier: Apache-2.0 */
/* frame_stream.c - whole frames out of a stream of octets
 *
 * The length is looked at before memory is spent on it: the buffer grows to the frame that is announced, never above
 * the most.
 */
#include <errno.h>
#include <stdlib.h>

#include "plugin/frame.h"

enum { ROOM_LEAST = 16 << 10 };

void frame_stream_init(struct frame_stream *s, size_t most)
{
	*s = (struct frame_stream){ .most = most };
}

void frame_stream_fini(struct frame_stream *s)
{
	free(s->buf);
	*s = (struct frame_stream){ 0 };
}

/* Octets of the frame at hand, head included; 0: its length is not there yet. */
static size_t announced(const struct frame_stream *s)
{
	struct reader r = reader_of(s->buf + s->at, s->len - s->at);
	const size_t len = read_u32(&r);

	return r.failed ? 0 : len + 4;
}

uint8_t *frame_stream_room(struct frame_stream *s, size_t *room)
{
	const size_t left = s->len - s->at;
	size_t want = s->buf ? announced(s) : 0;
	uint8_t *grown;

	if (left && s->at)
		memmove(s->buf, s->buf + s->at, left);
	s->at = 0;
	s->len = left;
	if (want < ROOM_LEAST)
		want = ROOM_LEAST;
	if (want > s->most)
		want = s->most;
	if (s->size < want) {
		grown = realloc(s->buf, want);
		if (!grown)
			return NULL;
		s->buf = grown;
		s->size = want;
	}
	*room = s->size - s->len;
	return s->buf + s->len;
}

void frame_stream_got(struct frame_stream *s, size_t n)
{
	s->len += n;
}

int frame_stream_next(struct frame_stream *s, struct frame *f)
{
	const size_t whole = s->buf ? announced(s) : 0;

	if (!whole)
		return 0;
	if (whole < FRAME_HEAD)
		return -EBADMSG;
	if (whole > s->most)
		return -EMSGSIZE;
	if (s->len - s->at < whole)
		return 0;
	f->kind = s->buf[s->at + 4];
	f->body = reader_of(s->buf + s->at + FRAME_HEAD, whole - FRAME_HEAD);
	s->at += whole;
	return 1;
}
