/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - CoAP messages to octets and back
 *
 * Both framings share one pass over the options, which only checks their form and finds the payload. What was checked
 * once is walked again with the same reader, so a walk can never leave the message, whoever filled the struct in.
 */
#include "coap/codec.h"

#include <errno.h>

#define PAYLOAD_MARKER 0xff
#define NUMBER_MAX 65535u
#define DATAGRAM_HEADER 4
#define EXT_8BIT 13u  /* a nibble of 13: one octet follows, counted from 13 */
#define EXT_16BIT 14u /* a nibble of 14: two octets follow, counted from 269 */
#define EXT_32BIT 15u /* only as the length of a stream message: four octets, counted from 65805 */
#define BASE_8BIT 13u
#define BASE_16BIT 269u
#define BASE_32BIT 65805u

/* The rest of a delta or length whose nibble is given (RFC 7252 3.1). */
static inline uint32_t read_extended(struct reader *r, unsigned nibble)
{
	if (nibble < EXT_8BIT)
		return nibble;
	if (nibble == EXT_8BIT)
		return BASE_8BIT + read_u8(r);
	if (nibble == EXT_16BIT)
		return BASE_16BIT + read_u16(r);
	r->failed = true; /* 15 is reserved */
	return 0;
}

/* One option from a reader that is not at its end; false when its form is wrong. */
static inline bool read_option(struct reader *r, uint32_t *number, struct coap_option *o)
{
	unsigned first = read_u8(r);
	uint32_t len;

	*number += read_extended(r, first >> 4);
	len = read_extended(r, first & 15);
	o->value = read_span(r, len);
	o->number = *number;
	o->len = (uint16_t)len;
	return !r->failed && *number <= NUMBER_MAX && len <= UINT16_MAX;
}

/* What stands behind the token: options, then marker and payload. */
static int parse_body(struct coap_msg *m, struct reader *r)
{
	struct coap_option o;
	uint32_t number = 0;

	m->options = r->p;
	while (r->p < r->end && *r->p != PAYLOAD_MARKER)
		if (!read_option(r, &number, &o))
			return -EBADMSG;
	m->options_len = (size_t)(r->p - m->options);
	m->payload = NULL;
	m->payload_len = 0;
	if (r->p == r->end)
		return 0;
	m->payload_len = reader_left(r) - 1;
	if (!m->payload_len)
		return -EBADMSG; /* a marker and no payload, RFC 7252 3 */
	m->payload = r->p + 1;
	return 0;
}

/* Reserved classes, an ACK or RST that asks, a RST that answers (RFC 7252 4.2, 4.3 and 12.1). */
static bool is_out_of_place(const struct coap_msg *m)
{
	if (m->code == COAP_EMPTY)
		return false;
	if (coap_is_request(m->code))
		return m->type == COAP_ACK || m->type == COAP_RST;
	return !coap_is_response(m->code) || m->type == COAP_RST;
}

int coap_parse(struct coap_msg *m, const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	uint8_t first;

	*m = (struct coap_msg){ 0 };
	if (len < DATAGRAM_HEADER || data[0] >> 6 != 1)
		return -EPROTO;
	first = read_u8(&r);
	m->type = (first >> 4) & 3;
	m->code = read_u8(&r);
	m->mid = read_u16(&r);
	if ((first & 15) > COAP_TOKEN_MAX || (m->code == COAP_EMPTY && len != DATAGRAM_HEADER))
		return -EBADMSG;
	m->token_len = first & 15;
	read_into(&r, m->token, m->token_len);
	if (r.failed || (m->code == COAP_EMPTY && m->token_len))
		return -EBADMSG;
	if (is_out_of_place(m))
		return -ENOTSUP;
	return parse_body(m, &r);
}

/* Octets of the extended length behind the first octet of a stream message (RFC 8323 3.2). */
static size_t stream_ext_len(unsigned nibble)
{
	return nibble < EXT_8BIT ? 0 : nibble == EXT_8BIT ? 1 : nibble == EXT_16BIT ? 2 : 4;
}

static uint64_t read_stream_len(struct reader *r, unsigned nibble)
{
	if (nibble < EXT_32BIT)
		return read_extended(r, nibble);
	return (uint64_t)BASE_32BIT + read_u32(r);
}

/* The length of the whole message; 0 while too little is there to know it, then *need is the least it can be. */
static uint64_t stream_total(const uint8_t *data, size_t len, uint64_t *need)
{
	struct reader r = reader_of(data, len);
	unsigned first = read_u8(&r), nibble = first >> 4;
	size_t head = 1 + stream_ext_len(nibble) + 1 + (first & 15);
	uint64_t body = read_stream_len(&r, nibble);

	*need = head;
	return r.failed ? 0 : head + body;
}

long coap_parse_stream(struct coap_msg *m, const uint8_t *data, size_t len, size_t most, size_t *need)
{
	uint64_t least = 2, total = 0; /* no message is shorter than its first octet and its code */
	struct reader r;

	*m = (struct coap_msg){ 0 };
	*need = 0;
	if (len && (data[0] & 15) > COAP_TOKEN_MAX)
		return -EBADMSG;
	if (len)
		total = stream_total(data, len, &least);
	if (total)
		least = total;
	if (least > most)
		return -EMSGSIZE;
	if (!total || total > len) {
		*need = (size_t)least;
		return -EAGAIN;
	}
	r = reader_of(data, (size_t)total);
	read_span(&r, 1 + stream_ext_len(data[0] >> 4));
	m->code = read_u8(&r);
	m->token_len = data[0] & 15;
	read_into(&r, m->token, m->token_len);
	return parse_body(m, &r) ? -EBADMSG : (long)total;
}

bool coap_option_next(struct coap_options *it, struct coap_option *o)
{
	return it->r.p < it->r.end && read_option(&it->r, &it->number, o);
}

bool coap_option_find(const struct coap_msg *m, uint32_t number, struct coap_option *o)
{
	struct coap_options it = coap_options_of(m);

	while (coap_option_next(&it, o) && o->number <= number)
		if (o->number == number)
			return true;
	return false;
}

uint32_t coap_option_uint(const struct coap_option *o)
{
	uint32_t v = 0;

	if (o->len > sizeof v)
		return UINT32_MAX;
	for (unsigned i = 0; i < o->len; i++)
		v = v << 8 | o->value[i];
	return v;
}

void coap_build(struct coap_builder *b, void *buf, size_t size, enum coap_type type, uint8_t code, uint16_t mid,
		const uint8_t *token, size_t token_len)
{
	const uint8_t head[DATAGRAM_HEADER] = { (uint8_t)(0x40 | (unsigned)type << 4 | (token_len & 15)), code,
						(uint8_t)(mid >> 8), (uint8_t)mid };

	*b = (struct coap_builder){ writer_of(buf, size), 0 };
	if (token_len > COAP_TOKEN_MAX)
		b->w.failed = true;
	write_bytes(&b->w, head, sizeof head);
	write_bytes(&b->w, token, token_len);
}

/* The nibble for v; its extension is put at *p, which moves on. */
static unsigned put_extended(uint8_t **p, uint32_t v)
{
	if (v < BASE_8BIT)
		return v;
	if (v < BASE_16BIT) {
		*(*p)++ = (uint8_t)(v - BASE_8BIT);
		return EXT_8BIT;
	}
	v -= BASE_16BIT;
	*(*p)++ = (uint8_t)(v >> 8);
	*(*p)++ = (uint8_t)v;
	return EXT_16BIT;
}

void coap_build_option(struct coap_builder *b, uint32_t number, const void *value, size_t len)
{
	uint8_t head[5], *p = head + 1;
	unsigned delta_nibble;

	if (number < b->number || number > NUMBER_MAX || len > UINT16_MAX) {
		b->w.failed = true; /* out of order, behind the payload, or no option at all: nothing of it is sent */
		return;
	}
	delta_nibble = put_extended(&p, number - b->number);
	head[0] = (uint8_t)(delta_nibble << 4 | put_extended(&p, (uint32_t)len));
	write_bytes(&b->w, head, (size_t)(p - head));
	write_bytes(&b->w, value, len);
	b->number = number;
}

void coap_build_uint(struct coap_builder *b, uint32_t number, uint32_t value)
{
	const uint8_t octets[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
				    (uint8_t)value };
	size_t skip = 0;

	while (skip < sizeof octets && !octets[skip])
		skip++;
	coap_build_option(b, number, octets + skip, sizeof octets - skip);
}

void coap_build_payload(struct coap_builder *b, const void *data, size_t len)
{
	if (!len)
		return;
	write_u8(&b->w, PAYLOAD_MARKER);
	write_bytes(&b->w, data, len);
	b->number = NUMBER_MAX + 1; /* an option that comes now is a fault */
}

long coap_build_end(const struct coap_builder *b)
{
	return b->w.failed ? -EMSGSIZE : (long)writer_len(&b->w);
}

/* The first octet and the extended length of a stream message. */
static void write_stream_len(struct writer *w, uint64_t body, size_t token_len)
{
	uint8_t head[3], *p = head + 1;

	if (body < BASE_32BIT) {
		head[0] = (uint8_t)(put_extended(&p, (uint32_t)body) << 4 | token_len);
		write_bytes(w, head, (size_t)(p - head));
		return;
	}
	write_u8(w, (uint8_t)(EXT_32BIT << 4 | token_len));
	write_u32(w, (uint32_t)(body - BASE_32BIT));
}

long coap_write_stream(void *buf, size_t size, uint8_t code, const uint8_t *token, size_t token_len,
		       const uint8_t *options, size_t options_len, const uint8_t *payload, size_t payload_len)
{
	struct writer w = writer_of(buf, size);
	uint64_t body = (uint64_t)options_len + (payload_len ? 1 : 0) + payload_len;

	if (token_len > COAP_TOKEN_MAX || options_len > size || payload_len > size || body > UINT32_MAX)
		return -EMSGSIZE;
	write_stream_len(&w, body, token_len);
	write_u8(&w, code);
	write_bytes(&w, token, token_len);
	write_bytes(&w, options, options_len);
	if (payload_len)
		write_u8(&w, PAYLOAD_MARKER);
	write_bytes(&w, payload, payload_len);
	return w.failed ? -EMSGSIZE : (long)writer_len(&w);
}
