/* SPDX-License-Identifier: Apache-2.0 */
/* block.h - block-wise transfer across the gateway, what the files block*.c share
 *
 *   cut        a request of a server that goes down as blocks, or is one block of a body; belongs to its exchange
 *   transfers  what a device has under way: whose body it is putting together, and an answer that it fetches block by block
 */
#ifndef NIDDGW_SESSION_BLOCK_H
#define NIDDGW_SESSION_BLOCK_H

#include "coap/block.h"
#include "session/internal.h"

#define BLOCK_ANSWER_OVERHEAD 40  /* octets that an answer has beside its block, as a rule */
#define BLOCK_DEVICE_MAX 32768    /* octets of all bodies of a device that are at hand .. */
#define BLOCK_ALL_MAX (32u << 20) /* .. and of all devices */

struct cut {
	struct coap_cut c;
	uint8_t *whole;         /* owned: the request as one message, too large to be sent; NULL: it is sent as it is, in its turn */
	const uint8_t *options; /* in whole, as body */
	const uint8_t *body;
	size_t options_len;
	uint64_t operation;
	uint32_t asked;   /* the server's own Block1 */
	uint8_t code, tag;
	uint8_t answered; /* the device's answer to all of it; 0: none */
	bool has_block1;  /* the server cuts too */
	bool series;      /* and this is not all of its body */
	bool waits;       /* for its turn */
	bool restarted;
};

struct transfers {
	struct device *dev;
	struct timer timer;
	struct exchange *now; /* on its way; NULL between two blocks of a server */
	struct assoc *assoc;  /* whose body is under way; NULL: nobody's */
	uint64_t operation;
	uint64_t idle_ms;
	uint64_t digest;          /* the block of the server that was cut last .. */
	uint32_t base, len, done; /* .. where it stands, and what the device has of it */
	uint8_t szx;              /* the device wants no larger ones */
	bool given_up;            /* its server was told an error by the gateway: it may come back, others need not wait for it */
	struct served *served;    /* owned */
};
struct transfers *transfers_of(struct device *d); /* made when there are none; NULL: no memory */
void transfers_review(struct transfers *t);       /* soon: who is next, what has ended */

void turn_take(struct transfers *t, struct exchange *x); /* x->cut goes when it is its turn */

unsigned block_szx_of(uint64_t size);              /* of the largest block of at most so many octets */
bool block_is_series(const struct coap_view *v);   /* one block of a body that has others */
bool block_may_change(const struct device *d, bool oscore); /* the profile lets messages be cut */
bool block_has_room(const struct device *d, size_t len);

/* ---- block_cut.c ---- */
void cut_send(struct exchange *x); /* the piece that is due */
void cut_free(struct exchange *x);

/* ---- block_serve.c: an answer of a server that is too large for the device, fetched by it block by block ---- */
size_t served_bytes(const struct transfers *t);
uint64_t served_until(const struct transfers *t);
void served_expire(struct transfers *t, uint64_t now_ms);
void served_forget(struct transfers *t, const struct assoc *a);
void served_free(struct transfers *t);

#endif
