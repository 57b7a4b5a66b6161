/* SPDX-License-Identifier: Apache-2.0 */
/* item.h - CBOR read one item after the other (RFC 8949), on libcbor's streaming decoder; inside lwm2m/ only
 *
 * The reader asks for the next item where it needs one: nothing is kept of what was read but texts, and these stay in the
 * payload where they stand there whole. Faults are noted in the gathering; all functions give false once there is one.
 */
#ifndef NIDDGW_LWM2M_ITEM_H
#define NIDDGW_LWM2M_ITEM_H

#include "lwm2m/gather.h"

enum item_kind {
	ITEM_UINT,      /* n */
	ITEM_NEGATIVE,  /* -1 - n */
	ITEM_BYTES,     /* text */
	ITEM_TEXT,      /* text, checked UTF-8 */
	ITEM_ARRAY,     /* n elements; open: up to a break */
	ITEM_MAP,       /* n pairs */
	ITEM_TAG,       /* n, another item follows */
	ITEM_FLOAT,     /* real */
	ITEM_BOOLEAN,   /* n */
	ITEM_NULL,      /* undefined as well */
	ITEM_BREAK,
	ITEM_CHUNKS_OF_BYTES, ITEM_CHUNKS_OF_TEXT, /* never handed out */
};
struct item {
	enum item_kind kind;
	bool open;   /* ARRAY, MAP: indefinite length */
	bool single; /* FLOAT in 32 bits or fewer */
	uint64_t n;
	double real;
	struct lwm2m_text text;
};

struct items {
	struct gather *g;
	const uint8_t *p, *end;
	unsigned depth;
};

static inline struct items items_of(struct gather *g)
{
	return (struct items){ .g = g, .p = g->in->payload, .end = g->in->payload + g->in->len };
}

bool item_next(struct items *s, struct item *it);  /* strings in chunks are put together */
bool item_end(struct items *s);                    /* a fault when something follows */

/* Walks an ARRAY or MAP that was just read: begin, then while more() its element (or key and value), then end. */
struct item_list {
	uint64_t left;
	bool open;
};
bool item_begin(struct items *s, const struct item *it, struct item_list *list); /* a fault beyond the depth that is taken */
bool item_more(struct items *s, struct item_list *list);
void item_leave(struct items *s);

bool item_skip(struct items *s); /* the next item with all that is in it */
/* The next item as a number, text, octets, boolean, time (tag 1), decimal fraction (tag 4) or none (null); another one is a fault of type.
 * Sets kind, single and the value. */
bool item_value(struct items *s, struct lwm2m_value *v);
bool item_value_of(struct items *s, const struct item *first, struct lwm2m_value *v); /* the same, its first item read */

#endif
