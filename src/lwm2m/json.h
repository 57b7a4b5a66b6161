/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON read member by member (RFC 8259); inside lwm2m/ only
 *
 * Strict, without a tree, and with integers of 64 bits as they are written, which a reader into doubles or signed integers
 * would lose. Faults are noted in the gathering; all functions give false once there is one.
 */
#ifndef NIDDGW_LWM2M_JSON_H
#define NIDDGW_LWM2M_JSON_H

#include "lwm2m/gather.h"

struct json {
	struct gather *g;
	const char *p, *end;
	unsigned depth;
};

static inline struct json json_of(struct gather *g)
{
	const char *p = (const char *)g->in->payload;

	return (struct json){ .g = g, .p = p, .end = p + g->in->len };
}

/* Walks an array or object: open, then while more() its element or (json_key() and) its value; more() takes what closes it. */
struct json_list {
	char close;
	bool first;
};
bool json_open(struct json *j, char bracket, struct json_list *list); /* '[' or '{'; a fault when another value stands there */
bool json_more(struct json *j, struct json_list *list);
bool json_key(struct json *j, struct lwm2m_text *key);                /* with its colon; checked UTF-8 */
bool json_string(struct json *j, struct lwm2m_text *out);             /* in the payload where it has no escapes */
bool json_number(struct json *j, struct lwm2m_value *v);              /* INTEGER, UNSIGNED or FLOAT */
bool json_boolean(struct json *j, bool *out);
bool json_null(struct json *j);                                       /* false without a fault: something else stands there */
bool json_skip(struct json *j);
bool json_end(struct json *j);                                        /* a fault when something follows */

/* The names of one object that mean nothing to its reader: the same one twice is a fault, and so are more than these. */
#define JSON_UNKNOWN_MOST 16
struct json_names {
	struct lwm2m_text v[JSON_UNKNOWN_MOST];
	size_t n;
};
bool json_meet(struct json *j, struct json_names *names, const struct lwm2m_text *name);

#endif
