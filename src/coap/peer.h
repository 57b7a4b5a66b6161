/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - the message layer of one leg with one peer (RFC 7252 section 4)
 *
 * A peer is the device on the south leg, or the server on the north leg of an association. The layer owns message ids,
 * retransmission, NSTART and duplicates; it knows no token's meaning, no socket and no clock. Types, ids and tokens never
 * cross from one leg to the other. An idle peer is a small struct: what only a busy peer needs hangs from it and is freed
 * when the windows have passed.
 */
#ifndef NIDDGW_COAP_PEER_H
#define NIDDGW_COAP_PEER_H

#include "base/timer.h"
#include "coap/codec.h"

struct coap_params {
	uint32_t ack_timeout_ms;
	uint32_t max_latency_ms; /* MAX_LATENCY, 100 s by default */
	uint8_t max_retransmit;
	uint8_t nstart; /* confirmable requests and notifications in flight at once, 1 or more */
};
uint64_t coap_transmit_span_ms(const struct coap_params *p);     /* MAX_TRANSMIT_SPAN, RFC 7252 4.8.2 */
uint64_t coap_transmit_wait_ms(const struct coap_params *p);     /* MAX_TRANSMIT_WAIT */
uint64_t coap_exchange_lifetime_ms(const struct coap_params *p); /* EXCHANGE_LIFETIME */
uint64_t coap_non_lifetime_ms(const struct coap_params *p);      /* NON_LIFETIME */

/* What all peers of a process share. */
struct coap_shared {
	struct timers *timers;   /* borrowed */
	size_t answer_bytes;     /* held in stored answers of all peers */
	size_t answer_bytes_max; /* above it an answer is given up: its duplicates are dropped in silence */
	uint64_t retransmissions;
};

/* ---- sending what must be acknowledged, and what waits behind it ---- */

enum coap_tx_state {
	COAP_TX_IDLE,   /* not in a peer */
	COAP_TX_QUEUED, /* waits for its turn, never sent */
	COAP_TX_FLIGHT, /* sent, its timer runs */
	COAP_TX_PAUSED, /* the transport said to wait; the timer runs when there is a time to try again */
	COAP_TX_SILENT, /* retransmissions used up; keeps its place until the owner takes it out or revives it */
};
/* Answers wait for nothing but the owner's leave; requests before bulk, each in order. */
enum coap_tx_class { COAP_TX_ANSWER, COAP_TX_REQUEST, COAP_TX_BULK };

/* One message that may have to be sent again. The owner embeds it. */
struct coap_tx {
	struct coap_tx *next, *prev;
	struct timer timer;
	struct coap_peer *peer; /* NULL when idle */
	uint8_t *data;          /* owned: the encoded message */
	uint64_t first_ms;      /* first transmission; 0: never sent */
	uint32_t timeout_ms;
	uint32_t id;            /* the owner's, for the transport's events */
	uint16_t len;
	uint16_t mid;
	uint8_t state; /* enum coap_tx_state */
	uint8_t klass; /* enum coap_tx_class */
	uint8_t retries;
	uint8_t refusals;  /* times that the transport took it and failed */
	uint8_t kind;      /* the owner's: what holds this tx */
	bool con;
	bool on_contact; /* while paused: coap_peer_contact() lets it go at once */
	bool put_off;    /* set by the owner's send together with a pause without a time: coap_peer_retry() sends it */
	bool counted;    /* the owner's: that it had to wait is counted */
};

struct coap_peer_ops {
	/* Hand tx to the transport; again: it was handed over before. 0; -EAGAIN, -ENOTCONN: it is paused until coap_tx_go(),
	 * contact, or the time that send itself gave by coap_tx_pause(); another error goes to failed(). */
	int (*send)(struct coap_peer *p, struct coap_tx *tx, bool again);
	/* -ETIMEDOUT: retransmissions of a CON are used up (state SILENT); another error: the transport refused it for good. The
	 * owner takes it out with coap_tx_remove(), at once or later. */
	void (*failed)(struct coap_peer *p, struct coap_tx *tx, int err);
	/* A NON has left; it is out of the peer and the owner's again. */
	void (*gone)(struct coap_peer *p, struct coap_tx *tx);
	/* May tx leave for the first time now? false: it and all behind it stay where they are until coap_peer_retry(), or until
	 * something else gets moving. NULL: always. */
	bool (*may_leave)(struct coap_peer *p, struct coap_tx *tx);
};

/* What is the same for all peers of one kind: all devices of a profile, all associations with a server. */
struct coap_leg {
	const struct coap_peer_ops *ops;  /* borrowed, as are the others */
	const struct coap_params *params;
	struct coap_shared *shared;
};

struct coap_dedup;
struct coap_peer {
	const struct coap_leg *leg;  /* borrowed; may be replaced at any time by one with the same shared */
	struct coap_tx *head, *tail; /* active ones first, then the queued by class */
	struct coap_dedup *dedup;    /* owned; NULL while nothing is remembered */
	uint16_t next_mid;
	uint16_t mid_limit; /* ids up to this one, exclusive, are reserved; after a restart the next one is at or behind it */
	uint8_t active;     /* CON that hold one of the NSTART places */
	uint8_t stuck;      /* of these, PAUSED or SILENT */
	bool sending : 1;   /* the queue is being sent from */
	bool mids_low : 1;  /* the reserve is nearly used up: coap_peer_reserve() is due */
	bool away : 1;      /* the owner's: nobody is there to hear a NON, so it waits, and what is behind it; coap_peer_resume() ends it */
	bool ending : 1;    /* the owner's: nothing but answers begins to leave */
};
_Static_assert(sizeof(struct coap_peer) <= 40, "an idle peer is small");
void coap_peer_init(struct coap_peer *p, const struct coap_leg *leg);
void coap_peer_fini(struct coap_peer *p); /* the owner has taken its tx out before */
uint16_t coap_peer_mid(struct coap_peer *p); /* the next message id; the first is random */
/* Several times what a device uses while a reservation gets to the disk, and so few that the ids come back to where they were only after
 * hundreds of restarts: the window of duplicates has passed by then. */
#define COAP_MIDS_RESERVED 128
/* Ids must not repeat over a restart: the owner stores the limit that this returns well before it is reached. */
uint16_t coap_peer_reserve(struct coap_peer *p);
void coap_peer_restore_mid(struct coap_peer *p, uint16_t limit); /* of the life before: ids begin there */
void coap_peer_skip_mid(struct coap_peer *p, uint16_t mid);      /* used in the life before: ids go on behind it */

/* Copies an encoded message (datagram framing) into an idle tx. 0 or -ENOMEM. */
int coap_tx_set(struct coap_tx *tx, const uint8_t *data, size_t len, enum coap_tx_class klass);
void coap_tx_clear(struct coap_tx *tx); /* frees the octets of an idle tx */
/* Send as soon as NSTART and order allow. ops->failed and ops->gone may be called from within. */
void coap_tx_submit(struct coap_peer *p, struct coap_tx *tx, uint64_t now_ms);
void coap_tx_remove(struct coap_tx *tx, uint64_t now_ms); /* an idle one is fine; the next in the queue takes its place */
/* Stop the retransmission: the network keeps the message, or refused it for now. at_ms: sent again then; 0: no time.
 * on_contact: coap_peer_contact() sends it. */
void coap_tx_pause(struct coap_tx *tx, uint64_t at_ms, bool on_contact);
void coap_tx_go(struct coap_tx *tx, uint64_t now_ms);      /* PAUSED or SILENT: send it again now, a fresh cycle */
void coap_tx_restart(struct coap_tx *tx, uint64_t now_ms); /* it has only now reached the peer: the timer begins again, nothing is sent */
void coap_peer_contact(struct coap_peer *p, uint64_t now_ms); /* the peer was heard: what waited for that goes */
void coap_peer_resume(struct coap_peer *p, uint64_t now_ms);  /* the peer is there again: everything paused or silent goes */
void coap_peer_retry(struct coap_peer *p, uint64_t now_ms);   /* what send put off goes again, answers first; then the queue, as far as it may leave */
struct coap_tx *coap_peer_stuck(const struct coap_peer *p);   /* the first CON that is paused or silent, or NULL */
/* The active tx with that id, or NULL: for ACK and RST. */
struct coap_tx *coap_peer_find(const struct coap_peer *p, uint16_t mid);
size_t coap_peer_queued(const struct coap_peer *p); /* tx in it in all, counted one by one */
bool coap_peer_clear(const struct coap_peer *p); /* a NON may leave now without overtaking anything */

/* ---- what was received before (RFC 7252 4.2, 4.3, 4.5) ---- */

enum coap_seen_state {
	COAP_SEEN_NEW,      /* not seen, or the id came back with another token: now remembered */
	COAP_SEEN_OPEN,     /* a duplicate of one that has had no answer: nothing is to be done */
	COAP_SEEN_ANSWERED, /* a duplicate: *answer is to be sent again (an ACK, an RST, an empty ACK) */
	COAP_SEEN_SILENT,   /* a duplicate of a NON, or of one whose answer was given up: nothing */
	COAP_SEEN_FULL,     /* too many without an answer: not remembered, to be refused */
};
#define COAP_DEDUP_MIN 16 /* remembered per direction at least (INTERFACE 4) */
#define COAP_DEDUP_MAX 64 /* open ones at most */
/* m is a CON or NON with a code. answer is borrowed until the next call on the peer. */
enum coap_seen_state coap_peer_seen(struct coap_peer *p, const struct coap_msg *m, uint64_t now_ms, const uint8_t **answer, size_t *len);
/* What duplicates of (mid, token) get from now on; replaces what was kept. final: the exchange is over on this leg and the entry may be
 * evicted. len 0: nothing is ever sent again (NON). */
void coap_peer_answered(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len, const uint8_t *data, size_t len, bool final);
/* As if (mid, token) had been received at_ms ago in the life before, with what its duplicates get (len 0: nothing). */
void coap_peer_restore_seen(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len, bool con, uint64_t at_ms, const uint8_t *data,
			    size_t len, bool final);
/* It was not taken after all: the same message is a new one when it comes again. */
void coap_peer_unsee(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len);
/* Nothing more will come for (mid, token): the entry may be evicted, its duplicates get what they got so far. */
void coap_peer_settled(struct coap_peer *p, uint16_t mid, const uint8_t *token, size_t token_len);

#endif
