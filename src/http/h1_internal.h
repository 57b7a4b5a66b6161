/* SPDX-License-Identifier: Apache-2.0 */
/* h1_internal.h - what the two halves of the request parser share: states, character classes, how a line is taken */
#ifndef NIDDGW_HTTP_H1_INTERNAL_H
#define NIDDGW_HTTP_H1_INTERNAL_H

#include "http/h1_parse.h"

enum {
	S_START, /* before or in the request line */
	S_LINES,
	S_FIXED, /* a body of known length */
	S_SIZE,  /* chunked: the digits of a size */
	S_EXT,   /* the rest of that line */
	S_SIZE_LF,
	S_DATA,
	S_DATA_CR,
	S_DATA_LF,
	S_TRAILER, /* at the start of a trailer line */
	S_TRAILER_LINE,
	S_TRAILER_LF,
	S_LAST_LF,
	S_END,
	S_FAILED,
};

/* Character classes: a token (RFC 9110 5.6.2), a field value, a request target, a host with its port. */
enum { C_TOKEN = 1, C_VALUE = 2, C_TARGET = 4, C_HOST = 8 };
extern const uint8_t h1_classes[256];

/* h1_parse.c */
enum h1_event h1_fail(struct h1 *p, int status, const char *why); /* H1_ERROR */

/* h1_head.c */
enum h1_event h1_take_line(struct h1 *p); /* a line is complete in head[line_start ..], its LF included */

#endif
