/* SPDX-License-Identifier: Apache-2.0 */
/* own.h - the gateway as a server of its devices, what own.c and ask*.c share
 *
 *   ask  one request under way; stands in a list of the sessions until its answer has been given
 *   own  the other end of the associations with the gateway's own server
 */
#ifndef NIDDGW_SESSION_OWN_H
#define NIDDGW_SESSION_OWN_H

#include "session/ask.h"
#include "session/internal.h"

enum ask_step {
	STEP_WAITS, /* for an answer */
	STEP_MORE,  /* the next block of it is to be fetched */
	STEP_DONE,  /* to be told */
};
struct ask {
	struct ask *next, **link; /* of the list */
	struct sessions *all;
	struct device *dev;       /* NULL: it is gone */
	struct assoc *assoc;      /* the same */
	uint8_t token[COAP_TOKEN_MAX], token_len;
	uint8_t verb, step;
	struct mirror_target target;
	struct timer timer;
	uint64_t deadline_ms, arrival_ms; /* arrival: of the answer, wall clock */
	uint32_t block2;          /* of the next question */
	uint8_t *body;            /* owned: of the answer, so far */
	size_t len;
	unsigned format;
	uint16_t ping_mid;
	uint8_t pings;
	const char *error;        /* a literal */
	char message[96];
	uint8_t code;
	bool stored, adopted;
	bool storing;             /* wait is with the store */
	struct store_wait wait;
	void (*accepted)(void *arg); /* NULL: it has been called, or is not due */
	void *note;               /* owned; of a restored one until it is adopted */
	size_t note_len;
	ask_fn *fn;
	void *arg;
};

/* An empty message to the sessions that is owed: it cannot go while they are sending. */
struct own_reply {
	struct own_reply *next;
	struct assoc *assoc;
	uint16_t mid;
	uint8_t type;
};

struct own {
	struct server *server;
	struct ask *asks;         /* owned */
	size_t asks_n;
	uint16_t next_mid;
	struct own_reply *replies; /* owned */
	struct timer timer;        /* replies are due */
};

/* ---- own.c ---- */
void own_send(struct assoc *a, const uint8_t *msg, size_t len); /* a message of the own server, as if it came from there */
uint16_t own_mid(struct sessions *s);

/* ---- ask.c ---- */
struct ask *ask_new(struct sessions *s, struct device *d, struct assoc *a);
void ask_free(struct ask *a);
struct ask *ask_of_token(const struct sessions *s, const struct assoc *assoc, const uint8_t *token, size_t len);
void ask_end(struct ask *a, const char *error, const char *message); /* told soon */
void ask_wait(struct ask *a, uint64_t at_ms);
void ask_accept(struct ask *a); /* it waits, whatever happens to this process */

/* ---- ask_message.c ---- */
void ask_new_token(struct ask *a);
bool ask_choose_token(struct ask *a); /* that of the observation that it is about, or another one; false: there is none to cancel */
void ask_send(struct ask *a, const struct ask_request *r); /* r NULL: for the next block */

/* ---- ask_answer.c ---- */
void ask_response(struct ask *a, const struct coap_msg *m);

/* ---- ask_store.c: asks that wait for a sleeper outlive the process ---- */
void ask_store(struct ask *a, const void *note, size_t len);
void ask_unstore(struct ask *a);

#endif
