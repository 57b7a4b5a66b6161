/* SPDX-License-Identifier: Apache-2.0 */
/* h1_parse.h - HTTP/1.x requests from octets, RFC 9112, strict
 *
 * A state machine without sockets or time: it is fed octets at any split and says what it has found. It keeps the header and
 * the body in two buffers that it reuses from request to request. Whatever two readers of one connection could understand
 * differently is an error here, never a guess.
 */
#ifndef NIDDGW_HTTP_H1_PARSE_H
#define NIDDGW_HTTP_H1_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/server.h" /* enum http_method */

enum h1_event {
	H1_MORE,  /* all octets are used, the request is not complete */
	H1_HEAD,  /* request line and header are complete and sound; the body comes with further h1_feed() */
	H1_DONE,  /* the request is complete; h1_next() before the next one */
	H1_ERROR, /* status and why are set; the connection can only be closed */
};

struct h1_limits {
	size_t header_bytes;   /* request line and header with their line ends */
	unsigned header_lines;
	size_t body_bytes;
};

struct h1_line {
	uint32_t name, value; /* offsets into head; NUL-terminated, the name in lower case, the value trimmed */
};

struct h1 {
	struct h1_limits limits;
	int state;
	char *head; /* owned; the lines as read, cut into strings in place */
	size_t head_len, head_size, line_start;
	struct h1_line *lines; /* owned; limits.header_lines of them */
	unsigned lines_n;
	uint8_t *body; /* owned; NUL behind body_len */
	size_t body_len, body_size;
	uint64_t left;         /* of the body or of the chunk */
	size_t side_bytes;     /* chunk extensions and trailers of this body */
	unsigned side_lines, size_digits;
	uint32_t target;       /* offset into head */
	enum http_method method;
	unsigned hosts, lengths, codings; /* lines of that name */
	size_t content_length; /* SIZE_MAX for chunked, 0 when none is announced */
	bool skipped_blank, v10, chunked, close, keep, expect_continue;
	int status;            /* of H1_ERROR: what to answer */
	const char *why;       /* of H1_ERROR: text for the log; static */
};

int h1_init(struct h1 *p, const struct h1_limits *limits); /* -ENOMEM; -EINVAL limits beyond reason */
void h1_fini(struct h1 *p);

/**
 * Read on. After H1_HEAD and H1_DONE the rest of the octets is offered again by the caller; a call with len 0 is fine and
 * gives H1_DONE for a request without a body.
 * @param used  out: octets consumed
 */
enum h1_event h1_feed(struct h1 *p, const void *data, size_t len, size_t *used);
void h1_next(struct h1 *p);                /* ready for the next request; all that was borrowed from the last one is gone */
bool h1_started(const struct h1 *p);       /* at least one octet of a request is there */
bool h1_has_body(const struct h1 *p);      /* one was announced that is not empty; valid from H1_HEAD on */
bool h1_keep_alive(const struct h1 *p);    /* the connection may carry another request; valid from H1_HEAD on */
const char *h1_target(const struct h1 *p); /* valid from H1_HEAD to h1_next() */
/* As http_request_header(). */
const char *h1_header(const struct h1 *p, const char *name, unsigned *count);

#endif
