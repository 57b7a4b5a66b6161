/* SPDX-License-Identifier: Apache-2.0 */
/* stream_out.c - what goes out on a connection of CoAP over TCP or TLS, and what is owed an acknowledgement
 *
 * Output is gathered: what one pass of the loop produces goes to the socket with one call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coap/option.h"
#include "north/stream_parts.h"

enum { OUT_FIRST = 256, OWED_FIRST = 4, OWED_MAX = 1024, TOKENS_FIRST = 4, TOKEN_ENTRY = 1 + COAP_TOKEN_MAX };
enum { STREAM_HEADER_MAX = 6 }; /* before the token */

/* ---- the output ---- */

uint8_t *stream_reserve(struct stream *s, size_t len)
{
	size_t size = s->out_size ? s->out_size : OUT_FIRST;
	uint8_t *more;

	if (s->out_at && s->out_end + len > s->out_size) {
		memmove(s->out, s->out + s->out_at, stream_waiting(s));
		s->out_end -= s->out_at;
		s->out_at = 0;
	}
	while (size < s->out_end + len)
		size *= 2;
	if (size > s->out_size) {
		more = realloc(s->out, size);
		if (!more)
			return NULL;
		s->out = more;
		s->out_size = (uint32_t)size;
	}
	return s->out + s->out_end;
}

void stream_commit(struct stream *s, size_t len)
{
	s->out_end += (uint32_t)len;
	s->appended += (uint32_t)len;
}

int stream_signal(struct stream *s, uint8_t code, const uint8_t *token, size_t token_len,
		  const struct coap_signal *what, const char *text)
{
	enum { SIZE = 128 }; /* the longest of them: a token, two options and one of our short texts */
	uint8_t *to = stream_reserve(s, SIZE);
	long len;

	if (!to)
		return -ENOMEM;
	len = coap_signal_write(to, SIZE, code, token, token_len, what, text);
	if (len < 0)
		return (int)len;
	stream_commit(s, (size_t)len);
	return 0;
}

/* What was read before it has been handed on when this is called, and that is all the custody there is on this hop: a
 * device that sleeps must not make its server believe that the connection is dead. */
void stream_pong(struct stream *s, const struct coap_msg *m)
{
	struct coap_signal said;

	coap_signal_read(&said, m);
	(void)stream_signal(s, COAP_PONG, m->token, m->token_len, &(struct coap_signal){ .custody = said.custody },
			    NULL);
}

static int send_ping(struct stream *s, bool custody)
{
	const uint16_t next = (uint16_t)(s->ping_token + 1);
	const uint8_t token[2] = { (uint8_t)(next >> 8), (uint8_t)next };
	uint32_t before = s->appended;
	int err = stream_signal(s, COAP_PING, token, sizeof token, &(struct coap_signal){ .custody = custody }, NULL);

	if (err)
		return err;
	s->ping_token = next;
	s->ping_end = before;
	s->ping_open = true;
	return 0;
}

int stream_ping(struct stream *s)
{
	return s->ping_open || s->over || !s->ready ? 0 : send_ping(s, false);
}

void stream_abort(struct stream *s, const char *why)
{
	if (!s->over)
		(void)stream_signal(s, COAP_ABORT, NULL, 0, &(struct coap_signal){ 0 }, why);
	s->over = true;
}

static bool owes_pong(const struct stream *s)
{
	for (uint16_t i = 0; i < s->owed_n; i++)
		if (s->owed[i].by_pong && !s->owed[i].answered)
			return true;
	return false;
}

size_t stream_output(struct stream *s, const uint8_t **data)
{
	if (s->owed_n && !s->ping_open && !s->over && owes_pong(s))
		(void)send_ping(s, true); /* without memory it is tried again with the next output */
	*data = s->out ? s->out + s->out_at : NULL;
	return stream_waiting(s);
}

void stream_written(struct stream *s, size_t len)
{
	s->out_at += (uint32_t)len;
	if (s->out_at < s->out_end)
		return;
	free(s->out);
	s->out = NULL;
	s->out_at = s->out_end = s->out_size = 0;
}

/* ---- what is owed an acknowledgement ---- */

static uint32_t written(const struct stream *s)
{
	return s->appended - (uint32_t)stream_waiting(s);
}

static bool is_owed(const struct stream *s, uint16_t mid)
{
	for (uint16_t i = 0; i < s->owed_n; i++)
		if (s->owed[i].mid == mid)
			return true;
	return false;
}

static int reserve_owed(struct stream *s)
{
	uint16_t size = s->owed_size ? (uint16_t)(s->owed_size * 2) : OWED_FIRST;
	struct stream_owed *more;

	if (s->owed_n < s->owed_size)
		return 0;
	if (s->owed_n >= OWED_MAX)
		return -EAGAIN;
	more = realloc(s->owed, size * sizeof *more);
	if (!more)
		return -ENOMEM;
	s->owed = more;
	s->owed_size = size;
	return 0;
}

bool stream_acked(struct stream *s, struct coap_empty *ack)
{
	uint16_t i = 0;

	while (i < s->owed_n &&
	       !(s->owed[i].by_pong ? s->owed[i].answered : (int32_t)(written(s) - s->owed[i].end) >= 0))
		i++;
	if (i == s->owed_n)
		return false;
	*ack = coap_empty(COAP_ACK, s->owed[i].mid);
	s->owed_n--;
	memmove(&s->owed[i], &s->owed[i + 1], (s->owed_n - i) * sizeof *s->owed);
	if (!s->owed_n) {
		free(s->owed);
		s->owed = NULL;
		s->owed_size = 0;
	}
	return true;
}

/* ---- exchanges that run ---- */

static uint8_t *find_token(const struct stream_tokens *t, const struct coap_msg *m)
{
	for (uint8_t i = 0; i < t->n; i++) {
		uint8_t *e = t->v + i * TOKEN_ENTRY;

		if (*e == m->token_len && !memcmp(e + 1, m->token, m->token_len))
			return e;
	}
	return NULL;
}

static void remove_entry(struct stream_tokens *t, uint8_t *e)
{
	t->n--;
	memmove(e, e + TOKEN_ENTRY, (size_t)(t->v + t->n * TOKEN_ENTRY - e));
	if (!t->n) {
		free(t->v);
		t->v = NULL;
		t->size = 0;
	}
}

void stream_note_token(struct stream_tokens *t, const struct coap_msg *m)
{
	if (t->n == t->size && t->n < STREAM_TOKENS_MAX) {
		unsigned size = t->size ? 2u * t->size : TOKENS_FIRST;
		uint8_t *more;

		if (size > STREAM_TOKENS_MAX)
			size = STREAM_TOKENS_MAX;
		more = realloc(t->v, size * TOKEN_ENTRY);
		if (more) {
			t->v = more;
			t->size = (uint8_t)size;
		}
	}
	if (!t->size)
		return;
	if (t->n == t->size)
		remove_entry(t, t->v);
	t->v[t->n * TOKEN_ENTRY] = m->token_len;
	memcpy(t->v + t->n * TOKEN_ENTRY + 1, m->token, COAP_TOKEN_MAX);
	t->n++;
}

void stream_drop_token(struct stream_tokens *t, const struct coap_msg *m)
{
	uint8_t *e = find_token(t, m);

	if (e)
		remove_entry(t, e);
}

bool stream_is_quiet(const struct stream *s)
{
	return !s->asked.n && !s->asking.n && !s->owed_n && !stream_waiting(s);
}

/* ---- sending ---- */

static bool has_block(const struct coap_msg *m)
{
	struct coap_option o;

	return coap_option_find(m, COAP_BLOCK1, &o) || coap_option_find(m, COAP_BLOCK2, &o);
}

/* Whether it may be sent at all, and now. */
static int check(const struct stream *s, const struct coap_msg *m)
{
	if (s->over || !s->ready || (s->released && coap_is_request(m->code)))
		return -ENOTCONN;
	if (!s->blockwise && has_block(m))
		return -EMSGSIZE;
	/* what its sender has a timer or no promise for */
	if (stream_waiting(s) > STREAM_ENOUGH && (m->type == COAP_CON || coap_is_request(m->code)))
		return -EAGAIN;
	return 0;
}

/* The message in stream framing behind the output: its length, or a negative errno. */
static long append(struct stream *s, const struct coap_msg *m)
{
	size_t size = STREAM_HEADER_MAX + m->token_len + m->options_len + 1 + m->payload_len;
	uint8_t *to;
	long len;

	if (stream_waiting(s) + size > STREAM_OUT_MAX)
		return -EPIPE;
	to = stream_reserve(s, size);
	if (!to)
		return -ENOMEM;
	len = coap_write_stream(to, size, m->code, m->token, m->token_len, m->options, m->options_len, m->payload,
				m->payload_len);
	return len > (long)s->peer_max ? -EMSGSIZE : len;
}

static int send_coded(struct stream *s, const struct coap_msg *m)
{
	bool con = m->type == COAP_CON;
	int err = check(s, m);
	long len;

	if (err || (con && is_owed(s, m->mid)))
		return err;
	if (con)
		err = reserve_owed(s);
	if (err)
		return err;
	len = append(s, m);
	if (len < 0) {
		s->over |= len == -EPIPE;
		return (int)len;
	}
	stream_commit(s, (size_t)len);
	if (con)
		s->owed[s->owed_n++] = (struct stream_owed){ s->appended, m->mid, !coap_is_request(m->code), false };
	if (coap_is_request(m->code))
		stream_note_token(&s->asked, m);
	else
		stream_drop_token(&s->asking, m);
	return 0;
}

int stream_send(struct stream *s, const uint8_t *data, size_t len)
{
	struct coap_msg m;
	int err = coap_parse(&m, data, len);

	if (err)
		return err; /* no message of ours */
	if (m.code != COAP_EMPTY)
		return send_coded(s, &m);
	if (m.type == COAP_CON && !s->ready)
		return -ENOTCONN;
	return m.type == COAP_CON ? stream_ping(s) : 0;
}
