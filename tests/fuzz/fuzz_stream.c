/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_stream.c - a connection of CoAP over TCP says and answers the same however its octets are cut
 *
 * The first octet says how they are cut. Each request is answered, and each other message is followed by a notification
 * of ours, so that what is owed and what the Pongs of the peer do to it is tried too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "north/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct stream_item item;

struct run {
	struct stream s;
	uint64_t said, written; /* hashes of all that was said to the session and to the socket */
	size_t in_len;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void hash(uint64_t *h, const void *data, size_t len)
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	const uint64_t pair[2] = { *h, siphash(key, data, len) };

	*h = siphash(key, pair, sizeof pair);
}

static void answer(struct run *r, const struct coap_msg *m)
{
	struct coap_builder b;
	uint8_t buf[64];
	int err;

	coap_build(&b, buf, sizeof buf, coap_is_request(m->code) ? COAP_ACK : COAP_CON, COAP_CONTENT, m->mid, m->token,
		   m->token_len);
	if (!coap_is_request(m->code))
		coap_build_option(&b, 6, "\x05", 1);
	coap_build_payload(&b, "x", m->mid % 3);
	err = stream_send(&r->s, buf, (size_t)coap_build_end(&b));
	must(!err || err == -EMSGSIZE || err == -EAGAIN);
}

static void take_message(struct run *r)
{
	struct coap_msg m;

	must(coap_parse(&m, item.message, item.len) == 0);
	must(m.type == COAP_NON && (coap_is_request(m.code) || coap_is_response(m.code)));
	hash(&r->said, item.message, item.len);
	answer(r, &m);
}

static void flush(struct run *r)
{
	const uint8_t *out;
	size_t len = stream_output(&r->s, &out);
	struct coap_empty ack;

	hash(&r->written, out, len);
	stream_written(&r->s, len);
	must(!r->s.out && !stream_waiting(&r->s));
	while (stream_acked(&r->s, &ack))
		hash(&r->said, ack.octets, sizeof ack);
}

/* One message, and what we say to it, at a time: the cuts must not matter. */
static bool feed(struct run *r, const uint8_t *data, size_t len)
{
	uint8_t *alone = malloc(len ? len : 1);
	struct reader in = reader_of(alone, len);
	enum stream_what what;

	must(alone != NULL);
	memcpy(alone, data, len);
	while ((what = stream_read(&r->s, &in, &item)) != STREAM_MORE && what != STREAM_OVER) {
		uint8_t word = (uint8_t)what;

		hash(&r->said, &word, 1);
		if (what == STREAM_MESSAGE)
			take_message(r);
		flush(r);
	}
	if (what == STREAM_OVER) {
		hash(&r->said, item.why, strlen(item.why));
		hash(&r->said, item.message, item.len);
	}
	must(r->s.part_size <= STREAM_MESSAGE_MAX && r->s.part_len <= r->s.part_size);
	must(what == STREAM_OVER || reader_left(&in) == 0);
	free(alone);
	return what != STREAM_OVER;
}

static void end(struct run *r)
{
	flush(r);
	stream_stop(&r->s);
	must(!r->s.part && !r->s.out && !r->s.owed && !r->s.asked.v && !r->s.asking.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole = { 0 }, cut = { 0 };
	size_t at = 1;

	if (size < 1)
		return 0;
	must(!stream_start(&whole.s) && !stream_start(&cut.s));
	(void)feed(&whole, data + 1, size - 1);
	while (at < size) {
		size_t step = 1 + (at * 7 + data[0]) % (1 + data[0]);

		if (step > size - at)
			step = size - at;
		if (!feed(&cut, data + at, step))
			break;
		at += step;
	}
	end(&whole);
	end(&cut);
	must(whole.said == cut.said && whole.written == cut.written);
	return 0;
}
