/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - one connection of CoAP over TCP or TLS, without its socket (RFC 8323)
 *
 * Octets from the peer go in, octets for the peer come out, and between them and the sessions messages are in datagram framing
 * as north.h says. Nothing calls back: the holder of the socket asks what comes next, so it may drop the connection at any point.
 *
 * What a peer announces costs nothing before it has sent it: the start of a message that is not whole yet is kept in a buffer
 * that grows with what arrives, up to the length that the message has announced, and that is at most STREAM_MESSAGE_MAX. An idle
 * stream holds no buffer at all.
 *
 * Confirmable messages that were sent are owed an acknowledgement: a request when all its octets have gone to the socket, so one
 * that is not acknowledged when the connection ends cannot have reached the server; anything else when the peer has answered
 * a Ping behind it. One Ping is open at a time, and covers all that was written before it.
 */
#ifndef NIDDGW_NORTH_STREAM_H
#define NIDDGW_NORTH_STREAM_H

#include "coap/codec.h"

#define STREAM_MESSAGE_MAX 33792u /* our Max-Message-Size: a BERT block of 32 KiB and 1 KiB for what stands before it */
#define STREAM_ENOUGH 65536u      /* octets waiting for the socket: what can be sent again is not taken, and nothing more is read */
#define STREAM_OUT_MAX 1048576u   /* where a connection is given up whose peer reads nothing */

struct stream_owed;
struct stream_tokens {
	uint8_t *v; /* owned: entries of a length and 8 octets */
	uint8_t n, size;
};
struct stream {
	uint8_t *part; /* owned: the start of a message; NULL: nothing is kept */
	uint8_t *out;  /* owned: what waits for the socket; NULL: nothing does */
	uint32_t part_len, part_size;
	uint32_t out_at, out_end, out_size;
	uint32_t appended;         /* octets for the peer in all, modulo 2^32 */
	uint32_t peer_max;         /* Max-Message-Size of the peer */
	uint32_t ping_end;         /* what stood before the open Ping */
	struct stream_owed *owed;  /* owned */
	uint16_t owed_n, owed_size;
	struct stream_tokens asked; /* requests of ours without an answer */
	struct stream_tokens asking; /* of the peer's */
	uint16_t ping_token;
	uint16_t next_mid;         /* of what comes in */
	bool ready : 1;            /* the peer's CSM has come */
	bool blockwise : 1;        /* the peer knows Block1 and Block2 */
	bool released : 1;         /* the peer wants no new requests here */
	bool over : 1;             /* nothing is read or sent any more */
	bool ping_open : 1;
};

/* In a zeroed struct; mids of what comes in begin anywhere. Costs nothing until stream_start(). */
void stream_init(struct stream *s);
/* A new connection: our CSM is the first that stands in the output. 0 or -ENOMEM. */
int stream_start(struct stream *s);
/* The connection is gone, and with it what was not written or acknowledged. Message ids go on. */
void stream_stop(struct stream *s);

/* ---- what comes in ---- */

enum stream_what {
	STREAM_MORE,     /* the input is used up */
	STREAM_READY,    /* the peer's first CSM: messages may be sent */
	STREAM_MESSAGE,  /* one for the session */
	STREAM_PONG,     /* the peer lives; what it covered can be acknowledged */
	STREAM_RELEASED, /* it wants the connection to end: running exchanges go on, stream_is_quiet() tells when they are over */
	STREAM_OVER,     /* the connection ends; what waits in the output, an Abort perhaps, is to be written if it can be */
};
/* One for all streams. */
struct stream_item {
	size_t len;
	uint32_t hold_off_s;     /* RELEASED */
	const char *why;         /* OVER */
	char alternative[256];   /* RELEASED: an address that the peer would rather be reached at; "": none */
	bool no_csm;             /* OVER: it talks, and not this protocol as far as can be seen */
	bool aborted;            /* OVER: by the peer; message and len are its diagnostic payload, as they are for RELEASED */
	uint8_t message[STREAM_MESSAGE_MAX + COAP_HEADER_MAX]; /* MESSAGE: in datagram framing, NON */
};
/* What the next octets say. Those that were used are taken from in. */
enum stream_what stream_read(struct stream *s, struct reader *in, struct stream_item *item);
/* The next message that is acknowledged, as an empty ACK for the session; false: none is for now. */
bool stream_acked(struct stream *s, struct coap_empty *ack);

/* ---- what goes out ---- */

/**
 * Send a message that is in datagram framing. Acknowledgements without a code and resets are taken and not sent, a CoAP ping becomes a
 * Ping, a repetition of what is still owed is dropped.
 * @return 0; -ENOTCONN no CSM of the peer yet, or a new request after its Release; -EMSGSIZE longer than the peer takes, or with a Block
 *         option for one that does not know it; -EAGAIN too much waits; -EPIPE the peer reads nothing: the connection is over; -ENOMEM
 */
int stream_send(struct stream *s, const uint8_t *data, size_t len);
int stream_ping(struct stream *s); /* one that is open already is enough. 0 or -ENOMEM */
/* End it from our side: an Abort with this reason is the last that stands in the output. */
void stream_abort(struct stream *s, const char *why);
/* What is to be written now, borrowed until the next call on the stream. A Ping is put behind what is owed one. */
size_t stream_output(struct stream *s, const uint8_t **data);
void stream_written(struct stream *s, size_t len); /* so much of it has gone to the socket */
static inline size_t stream_waiting(const struct stream *s)
{
	return s->out_end - s->out_at;
}
bool stream_is_quiet(const struct stream *s); /* no exchange runs and nothing waits to be written or acknowledged */
/* Octets of the longest message in datagram framing that the peer takes for certain. */
size_t stream_message_max(const struct stream *s);

#endif
