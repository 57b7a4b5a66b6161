/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON read member by member (RFC 8259); inside lwm2m/ only
 *
 * Strict, without a tree, and with integers of 64 bits as they are written, which a reader into doubles or signed integers
 * would lose. (The names leave those of jansson to jansson.) Faults are noted in the gathering; all functions give false once there is one.
 */
#ifndef NIDDGW_LWM2M_JSON_H
#define NIDDGW_LWM2M_JSON_H

#include "lwm2m/gather.h"

struct jread {
	struct gather *g;
	const char *p, *end;
	unsigned depth;
};

static inline struct jread jread_of(struct gather *g)
{
	const char *p = (const char *)g->in->payload;

	return (struct jread){ .g = g, .p = p, .end = p + g->in->len };
}

/* Walks an array or object: open, then while more() its element or (jread_key() and) its value; more() takes what closes it. */
struct jread_list {
	char close;
	bool first;
};
bool jread_open(struct jread *j, char bracket, struct jread_list *list); /* '[' or '{'; a fault when another value stands there */
bool jread_more(struct jread *j, struct jread_list *list);
bool jread_key(struct jread *j, struct lwm2m_text *key);                /* with its colon; checked UTF-8 */
bool jread_string(struct jread *j, struct lwm2m_text *out);             /* in the payload where it has no escapes */
bool jread_number(struct jread *j, struct lwm2m_value *v);              /* INTEGER, UNSIGNED or FLOAT */
bool jread_boolean(struct jread *j, bool *out);
bool jread_null(struct jread *j);                                       /* false without a fault: something else stands there */
bool jread_skip(struct jread *j);
bool jread_end(struct jread *j);                                        /* a fault when something follows */

/* The names of one object that mean nothing to its reader: the same one twice is a fault, and so are more than these. */
#define JSON_UNKNOWN_MOST 16
struct jread_names {
	struct lwm2m_text v[JSON_UNKNOWN_MOST];
	size_t n;
};
bool jread_meet(struct jread *j, struct jread_names *names, const struct lwm2m_text *name);

#endif
