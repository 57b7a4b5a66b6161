/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - the message layer of one leg with one peer (RFC 7252 section 4)
 *
 * A peer is the device on the south leg or the server on the north leg of an association. The layer owns message ids, retransmission, NSTART and
 * duplicates; it knows no token's meaning, no socket and no clock. Types, ids and tokens never cross from one leg to the other.
 * An idle peer is a small struct: what only a busy peer needs hangs from it and is freed when the windows have passed.
 */
#ifndef NIDDGW_COAP_PEER_H
#define NIDDGW_COAP_PEER_H

#include "base/timer.h"
#include "coap/codec.h"

struct coap_params {
	uint32_t ack_timeout_ms;
	uint32_t max_latency_ms; /* 100 s by default */
	uint8_t max_retransmit;
	uint8_t nstart;          /* CON in flight at once, 1 or more */
};
uint64_t coap_transmit_span_ms(const struct coap_params *p);    /* MAX_TRANSMIT_SPAN */
uint64_t coap_transmit_wait_ms(const struct coap_params *p);    /* MAX_TRANSMIT_WAIT */
uint64_t coap_exchange_lifetime_ms(const struct coap_params *p); /* EXCHANGE_LIFETIME */
uint64_t coap_non_lifetime_ms(const struct coap_params *p);      /* NON_LIFETIME */

/* ---- sending what must be acknowledged, and what waits behind it ---- */

enum coap_tx_state {
	COAP_TX_IDLE,    /* not in a peer */
	COAP_TX_QUEUED,  /* waits for its turn */
	COAP_TX_FLIGHT,  /* sent, its timer runs */
	COAP_TX_PAUSED,  /* sent or refused for now, no timer: the link says when to go on */
	COAP_TX_SILENT,  /* retransmissions used up; kept at the head until the owner takes it out or revives it */
};
enum coap_tx_class { COAP_TX_ANSWER, COAP_TX_REQUEST, COAP_TX_BULK }; /* answers first, in each class in order */

struct coap_tx {
	struct coap_tx *next, *prev;
	struct timer timer;
	uint8_t *data; /* owned: the encoded message */
	uint16_t len;
	uint16_t mid;
	uint8_t state;   /* enum coap_tx_state */
	uint8_t klass;   /* enum coap_tx_class */
	uint8_t retries;
	bool con;
	bool sent;       /* was handed to the transport at least once */
	uint32_t timeout_ms;
	uint64_t first_ms; /* first transmission */
};

struct coap_peer;
struct coap_peer_ops {
	/* Hand a message to the transport. 0; -EAGAIN or -ENOTCONN: the tx is paused until coap_peer_go(); -EMSGSIZE: too long. */
	int (*send)(struct coap_peer *p, struct coap_tx *tx, bool again);
	/* Retransmissions are used up (CON), state SILENT. The owner may remove the tx, or leave it at the head. */
	void (*silent)(struct coap_peer *p, struct coap_tx *tx);
	/* A NON left its place in the queue; the tx is out of the peer and the owner's to free. */
	void (*gone)(struct coap_peer *p, struct coap_tx *tx);
};

struct coap_dedup;
struct coap_peer {
	const struct coap_peer_ops *ops;       /* borrowed */
	const struct coap_params *params;      /* borrowed */
	struct timers *timers;                 /* borrowed */
	struct coap_tx *head, *tail;           /* flight first, then queued by class */
	struct coap_dedup *dedup;              /* owned; NULL while nothing is remembered */
	uint16_t next_mid;
	uint8_t flight;                        /* CON that count against NSTART */
	uint16_t queued;                       /* in the list in all */
};
void coap_peer_init(struct coap_peer *p, const struct coap_peer_ops *ops, const struct coap_params *params, struct timers *timers);
void coap_peer_fini(struct coap_peer *p); /* the owner has taken its tx out */

uint16_t coap_peer_mid(struct coap_peer *p); /* the next id; starts at random */

#endif
