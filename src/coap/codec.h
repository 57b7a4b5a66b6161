/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h - CoAP messages to octets and back
 *
 * Datagram framing is RFC 7252 section 3, stream framing RFC 8323 section 3.2. A parsed message points into the octets it
 * was parsed from; nothing is copied and nothing allocated. Options are checked for form only; what a number means is
 * option.h's.
 */
#ifndef NIDDGW_COAP_CODEC_H
#define NIDDGW_COAP_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/octets.h"

enum coap_type { COAP_CON, COAP_NON, COAP_ACK, COAP_RST };

#define COAP_CODE(c, d) ((uint8_t)((c) << 5 | (d)))
enum coap_code {
	COAP_EMPTY = 0,
	COAP_GET = 1, COAP_POST, COAP_PUT, COAP_DELETE, COAP_FETCH, COAP_PATCH, COAP_IPATCH,
	COAP_CREATED = COAP_CODE(2, 1), COAP_DELETED = COAP_CODE(2, 2), COAP_VALID = COAP_CODE(2, 3), COAP_CHANGED = COAP_CODE(2, 4),
	COAP_CONTENT = COAP_CODE(2, 5), COAP_CONTINUE = COAP_CODE(2, 31),
	COAP_BAD_REQUEST = COAP_CODE(4, 0), COAP_UNAUTHORIZED = COAP_CODE(4, 1), COAP_BAD_OPTION = COAP_CODE(4, 2), COAP_FORBIDDEN = COAP_CODE(4, 3),
	COAP_NOT_FOUND = COAP_CODE(4, 4), COAP_METHOD_NOT_ALLOWED = COAP_CODE(4, 5), COAP_TOO_LARGE = COAP_CODE(4, 13), COAP_TOO_MANY = COAP_CODE(4, 29),
	COAP_INTERNAL = COAP_CODE(5, 0), COAP_BAD_GATEWAY = COAP_CODE(5, 2), COAP_UNAVAILABLE = COAP_CODE(5, 3), COAP_GATEWAY_TIMEOUT = COAP_CODE(5, 4),
	COAP_PROXYING_NOT_SUPPORTED = COAP_CODE(5, 5), COAP_HOP_LIMIT_REACHED = COAP_CODE(5, 8),
	COAP_CSM = COAP_CODE(7, 1), COAP_PING, COAP_PONG, COAP_RELEASE, COAP_ABORT,
};

static inline unsigned coap_class(uint8_t code)
{
	return code >> 5;
}
static inline bool coap_is_request(uint8_t code)
{
	return code != 0 && code < 32;
}
static inline bool coap_is_response(uint8_t code)
{
	return code >= 64 && code < 192 && coap_class(code) != 3;
}

#define COAP_TOKEN_MAX 8
#define COAP_HEADER_MAX 12 /* datagram: 4 octets and a token */

struct coap_msg {
	uint8_t type; /* enum coap_type; COAP_CON on a stream */
	uint8_t code;
	uint16_t mid; /* 0 on a stream */
	uint8_t token_len;
	uint8_t token[COAP_TOKEN_MAX];
	const uint8_t *options; /* encoded, without the payload marker */
	size_t options_len;
	const uint8_t *payload; /* NULL when payload_len is 0 */
	size_t payload_len;
};

/**
 * Parse one datagram.
 * On -EBADMSG type, mid and code hold what was read before the fault, so that a CON can be rejected with RST when the header of 4 octets was whole.
 * @return 0; -EBADMSG format error (reference 1.3: token length 9 to 15, nibble 15, marker without payload, empty message
 *         with anything behind the id, option number above 65535, truncated); -EPROTO another version than 1 or fewer than
 *         4 octets: silence; -ENOTSUP reserved code class 1, 3, 6, 7, or an ACK or RST that carries a request code, or a RST with a response
 */
int coap_parse(struct coap_msg *m, const uint8_t *data, size_t len);

/**
 * Parse one message from the start of a stream buffer (RFC 8323 3.2).
 * @param most  longest message that is accepted, header included
 * @return octets the message takes; -EAGAIN more octets are needed (*need: at least how many in all, when known, else 0);
 *         -EMSGSIZE above most, known from the header; -EBADMSG format error: the connection cannot go on
 */
long coap_parse_stream(struct coap_msg *m, const uint8_t *data, size_t len, size_t most, size_t *need);

struct coap_option {
	uint32_t number; /* at most 65535 */
	uint16_t len;
	const uint8_t *value;
};
struct coap_options {
	struct reader r;
	uint32_t number;
};
static inline struct coap_options coap_options_of(const struct coap_msg *m)
{
	return (struct coap_options){ reader_of(m->options, m->options_len), 0 };
}
/* Hidden: libcoap, which the simulator links too, has a function of this name and must go on calling its own. */
__attribute__((visibility("hidden"))) bool coap_option_next(struct coap_options *it, struct coap_option *o); /* false at the end; the form was checked by the parser */
bool coap_option_find(const struct coap_msg *m, uint32_t number, struct coap_option *o); /* the first instance */
uint32_t coap_option_uint(const struct coap_option *o); /* of at most 4 octets; longer: UINT32_MAX */

/* Builds a datagram; options in ascending order of number. */
struct coap_builder {
	struct writer w;
	uint32_t number;
};
void coap_build(struct coap_builder *b, void *buf, size_t size, enum coap_type type, uint8_t code, uint16_t mid, const uint8_t *token,
		size_t token_len);
/* An empty message: an acknowledgement, a reset or a ping (RFC 7252 4.1). */
struct coap_empty {
	uint8_t octets[4];
};
static inline struct coap_empty coap_empty(enum coap_type type, uint16_t mid)
{
	return (struct coap_empty){ { (uint8_t)(1 << 6 | type << 4), COAP_EMPTY, (uint8_t)(mid >> 8), (uint8_t)mid } };
}
void coap_build_option(struct coap_builder *b, uint32_t number, const void *value, size_t len);
void coap_build_uint(struct coap_builder *b, uint32_t number, uint32_t value); /* shortest form, 0 is empty */
void coap_build_payload(struct coap_builder *b, const void *data, size_t len); /* nothing when len is 0 */
long coap_build_end(const struct coap_builder *b); /* length, or -EMSGSIZE */

/**
 * Put a message into stream framing.
 * @return length; -EMSGSIZE above size
 */
long coap_write_stream(void *buf, size_t size, uint8_t code, const uint8_t *token, size_t token_len, const uint8_t *options, size_t options_len,
		       const uint8_t *payload, size_t payload_len);

#endif
