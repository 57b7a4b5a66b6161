/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - what comes in on a connection of CoAP over TCP or TLS
 *
 * Whole messages are read where they arrived. Only one that is cut by the end of what was read is copied, and then read
 * from its copy, so the parser never sees a message in two places.
 */
#include "north/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "north/stream_parts.h"

void stream_init(struct stream *s)
{
	random_bytes(&s->next_mid, sizeof s->next_mid);
}

int stream_start(struct stream *s)
{
	const struct coap_signal csm = { .has_max_message_size = true,
					 .max_message_size = STREAM_MESSAGE_MAX,
					 .blockwise = true };

	stream_stop(s);
	s->peer_max = COAP_MESSAGE_SIZE_BASE;
	return stream_signal(s, COAP_CSM, NULL, 0, &csm, NULL);
}

void stream_stop(struct stream *s)
{
	uint16_t mid = s->next_mid, ping = s->ping_token;

	free(s->part);
	free(s->out);
	free(s->owed);
	free(s->asked.v);
	free(s->asking.v);
	*s = (struct stream){ .next_mid = mid, .ping_token = ping };
}

size_t stream_message_max(const struct stream *s)
{
	/* type and id of the one framing take no less than the length of the other does below 64 KiB */
	return s->peer_max < UINT16_MAX ? s->peer_max : UINT16_MAX;
}

/* ---- the start of a message that is not whole yet ---- */

static void drop_part(struct stream *s)
{
	free(s->part);
	s->part = NULL;
	s->part_len = s->part_size = 0;
}

/* Copies what is there of a message of which `need` octets are known to come; the buffer is never larger than that. */
static int keep_part(struct stream *s, struct reader *in, size_t need)
{
	size_t len = reader_left(in), then;

	if (len > need - s->part_len)
		len = need - s->part_len;
	then = s->part_len + len;
	if (then > s->part_size) {
		const size_t twice = 2 * (size_t)s->part_size < need ? 2 * (size_t)s->part_size : need;
		const size_t size = twice > then ? twice : then;
		uint8_t *more = realloc(s->part, size);

		if (!more)
			return -ENOMEM;
		s->part = more;
		s->part_size = (uint32_t)size;
	}
	read_into(in, s->part + s->part_len, len);
	s->part_len += (uint32_t)len;
	return 0;
}

/* The next whole message in m: its length, or as coap_parse_stream(); -EAGAIN: the input is used up. *start is where it
 * begins. */
static long next_message(struct stream *s, struct reader *in, struct coap_msg *m, const uint8_t **start)
{
	size_t need = 0;
	long len;

	if (!s->part) {
		*start = in->p;
		len = coap_parse_stream(m, in->p, reader_left(in), STREAM_MESSAGE_MAX, &need);
		if (len > 0)
			read_span(in, (size_t)len);
		if (len != -EAGAIN || !reader_left(in))
			return len;
	}
	do {
		if (s->part) {
			*start = s->part;
			len = coap_parse_stream(m, s->part, s->part_len, STREAM_MESSAGE_MAX, &need);
			if (len != -EAGAIN)
				return len;
		}
		if (!reader_left(in))
			return -EAGAIN;
		if (keep_part(s, in, need > s->part_len ? need : s->part_len + 1))
			return -ENOMEM;
	} while (true);
}

/* ---- messages ---- */

static enum stream_what end(struct stream *s, struct stream_item *item, const char *why, const char *diagnostic,
			    uint32_t bad_csm_option)
{
	const struct coap_signal what = { .has_bad_csm_option = bad_csm_option != 0, .bad_csm_option = bad_csm_option };

	(void)stream_signal(s, COAP_ABORT, NULL, 0, &what, diagnostic); /* without memory it ends without a word */
	s->over = true;
	item->why = why;
	return STREAM_OVER;
}

static enum stream_what no_csm(struct stream *s, struct stream_item *item)
{
	item->no_csm = true;
	return end(s, item, "its first message is no CSM", "CSM expected", 0);
}

static void take_text(struct stream_item *item, const struct coap_msg *m)
{
	item->len = m->payload_len;
	if (item->len)
		memcpy(item->message, m->payload, item->len);
}

/* From the token on both framings are the same. */
static enum stream_what pass(struct stream *s, struct stream_item *item, const struct coap_msg *m,
			     const uint8_t *end_of)
{
	const uint8_t *token = m->options - m->token_len;
	struct coap_builder b;

	if (coap_is_request(m->code))
		stream_note_token(&s->asking, m);
	else
		stream_drop_token(&s->asked, m);
	coap_build(&b, item->message, sizeof item->message, COAP_NON, m->code, s->next_mid++, m->token, m->token_len);
	write_bytes(&b.w, m->options, (size_t)(end_of - token) - m->token_len);
	item->len = (size_t)coap_build_end(&b);
	return STREAM_MESSAGE;
}

/* A value counts from the moment it is read on, and until another is given (RFC 8323 5.3). */
static enum stream_what take_csm(struct stream *s, const struct coap_signal *said)
{
	bool first = !s->ready;

	if (said->has_max_message_size)
		s->peer_max = said->max_message_size;
	if (said->blockwise)
		s->blockwise = true;
	s->ready = true;
	return first ? STREAM_READY : STREAM_MORE;
}

static enum stream_what take_release(struct stream *s, struct stream_item *item, const struct coap_msg *m,
				     const struct coap_signal *said)
{
	if (s->released)
		return STREAM_MORE;
	s->released = true;
	item->hold_off_s = said->hold_off_s;
	item->alternative[0] = '\0';
	if (said->has_alternative) {
		memcpy(item->alternative, said->alternative.value, said->alternative.len);
		item->alternative[said->alternative.len] = '\0';
	}
	take_text(item, m);
	return STREAM_RELEASED;
}

static bool is_our_ping(const struct stream *s, const struct coap_msg *m)
{
	return s->ping_open && m->token_len == 2 && (m->token[0] << 8 | m->token[1]) == s->ping_token;
}

static enum stream_what take_pong(struct stream *s, const struct coap_msg *m)
{
	if (!is_our_ping(s, m))
		return STREAM_MORE;
	s->ping_open = false;
	for (uint16_t i = 0; i < s->owed_n; i++)
		if (s->owed[i].by_pong && (int32_t)(s->ping_end - s->owed[i].end) >= 0)
			s->owed[i].answered = true;
	return STREAM_PONG;
}

/* MORE: nothing the holder has to know. */
static enum stream_what take_signal(struct stream *s, struct stream_item *item, const struct coap_msg *m)
{
	struct coap_signal said;

	coap_signal_read(&said, m);
	if (said.unknown)
		return end(s, item, "a critical option of a signalling message is not known", "unknown critical option",
			   m->code == COAP_CSM ? said.unknown : 0);
	if (m->code == COAP_CSM)
		return take_csm(s, &said);
	if (m->code == COAP_ABORT) {
		s->over = true;
		item->why = "aborted by the server";
		item->aborted = true;
		take_text(item, m);
		return STREAM_OVER;
	}
	if (!s->ready)
		return no_csm(s, item);
	switch (m->code) {
	case COAP_PING:
		stream_pong(s, m);
		return STREAM_MORE;
	case COAP_PONG:
		return take_pong(s, m);
	case COAP_RELEASE:
		return take_release(s, item, m, &said);
	default:
		return STREAM_MORE; /* of a later document; it has no option that would have to be understood */
	}
}

/* MORE: there is nothing to tell, and the next message may be looked at. */
static enum stream_what take(struct stream *s, struct stream_item *item, const struct coap_msg *m,
			     const uint8_t *end_of)
{
	if (m->code == COAP_EMPTY)
		return STREAM_MORE;
	if (coap_is_signal(m->code))
		return take_signal(s, item, m);
	if (!s->ready)
		return no_csm(s, item);
	if (coap_is_request(m->code) || coap_is_response(m->code))
		return pass(s, item, m, end_of);
	return STREAM_MORE; /* a reserved class: as a NON datagram of that code, RFC 7252 4.3 */
}

enum stream_what stream_read(struct stream *s, struct reader *in, struct stream_item *item)
{
	enum stream_what what = STREAM_MORE;
	const uint8_t *start;
	struct coap_msg m;
	long len;

	item->len = 0;
	item->aborted = item->no_csm = false;
	while (what == STREAM_MORE && !s->over) {
		len = next_message(s, in, &m, &start);
		if (len == -EAGAIN)
			break;
		if (len == -EMSGSIZE)
			return end(s, item, "a message is longer than our Max-Message-Size", "message too large", 0);
		if (len == -EBADMSG)
			return end(s, item, "a message is malformed", "malformed message", 0);
		if (len < 0)
			return end(s, item, "out of memory", NULL, 0);
		what = take(s, item, &m, start + len);
		if (s->part)
			drop_part(s);
	}
	if (s->over)
		read_span(in, reader_left(in));
	return what;
}
