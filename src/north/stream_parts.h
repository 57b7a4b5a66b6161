/* SPDX-License-Identifier: Apache-2.0 */
/* stream_parts.h - what the two files of stream.h share */
#ifndef NIDDGW_NORTH_STREAM_PARTS_H
#define NIDDGW_NORTH_STREAM_PARTS_H

#include "coap/signal.h"
#include "north/stream.h"

struct stream_owed {
	uint32_t end; /* octets for the peer up to and with it */
	uint16_t mid;
	bool by_pong;   /* else as soon as it is written */
	bool answered;  /* the Pong came */
};
enum { STREAM_TOKENS_MAX = 200 }; /* open at once in one direction; the oldest is forgotten, which matters to a Release alone */

/* stream_out.c */
uint8_t *stream_reserve(struct stream *s, size_t len); /* room behind the output, NULL when there is no memory */
void stream_commit(struct stream *s, size_t len);
int stream_signal(struct stream *s, uint8_t code, const uint8_t *token, size_t token_len, const struct coap_signal *what, const char *text);
void stream_pong(struct stream *s, const struct coap_msg *m);
void stream_note_token(struct stream_tokens *t, const struct coap_msg *m);
void stream_drop_token(struct stream_tokens *t, const struct coap_msg *m);

#endif
