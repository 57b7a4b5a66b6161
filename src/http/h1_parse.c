/* SPDX-License-Identifier: Apache-2.0 */
/* h1_parse.c - HTTP/1.x requests from octets
 *
 * The header is gathered line by line, so the inner loops are memchr and memcpy. The body needs a machine by octet only
 * for the lines between chunks.
 */
#include "http/h1_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/h1_internal.h"

enum {
	FIRST_SIZE = 1024,    /* octets of a fresh buffer */
	KEPT_SIZE = 8192,     /* a larger one is given back after its request */
	SIDE_MOST = 4096,     /* octets of chunk extensions and trailers in one body */
	SIZE_DIGITS_MOST = 15 /* hexadecimal: stays below 2^60, so sums do not wrap */
};

enum h1_event h1_fail(struct h1 *p, int status, const char *why)
{
	p->state = S_FAILED;
	p->status = status;
	p->why = why;
	return H1_ERROR;
}

/* Room for `need` octets in a buffer that doubles; false when memory is short. */
static bool make_room(void **buf, size_t *size, size_t need)
{
	size_t n = *size ? *size : FIRST_SIZE;
	void *b;

	if (need <= *size)
		return true;
	while (n < need)
		n *= 2;
	b = realloc(*buf, n);
	if (!b)
		return false;
	*buf = b;
	*size = n;
	return true;
}

int h1_init(struct h1 *p, const struct h1_limits *limits)
{
	*p = (struct h1){ .limits = *limits };
	if (!limits->header_bytes || limits->header_bytes > 1u << 24 || !limits->header_lines ||
	    limits->header_lines > 1u << 16 || limits->body_bytes > 1u << 30)
		return -EINVAL;
	p->lines = calloc(limits->header_lines, sizeof *p->lines);
	return p->lines ? 0 : -ENOMEM;
}

void h1_fini(struct h1 *p)
{
	free(p->head);
	free(p->lines);
	free(p->body);
	*p = (struct h1){ 0 };
}

void h1_next(struct h1 *p)
{
	struct h1 fresh = { .limits = p->limits, .head = p->head, .head_size = p->head_size, .lines = p->lines };

	fresh.body = p->body;
	fresh.body_size = p->body_size;
	if (fresh.head_size > KEPT_SIZE) {
		free(fresh.head);
		fresh.head = NULL;
		fresh.head_size = 0;
	}
	if (fresh.body_size > KEPT_SIZE) {
		free(fresh.body);
		fresh.body = NULL;
		fresh.body_size = 0;
	}
	*p = fresh;
}

bool h1_started(const struct h1 *p)
{
	return p->head_len > 0 || p->state != S_START;
}

bool h1_has_body(const struct h1 *p)
{
	return p->content_length > 0;
}

bool h1_keep_alive(const struct h1 *p)
{
	return !p->close && (!p->v10 || p->keep);
}

const char *h1_target(const struct h1 *p)
{
	return p->head + p->target;
}

const char *h1_header(const struct h1 *p, const char *name, unsigned *count)
{
	const char *value = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < p->lines_n; i++) {
		if (strcmp(p->head + p->lines[i].name, name))
			continue;
		if (!value)
			value = p->head + p->lines[i].value;
		n++;
	}
	if (count)
		*count = n;
	return value;
}

static enum h1_event feed_head(struct h1 *p, const char *data, size_t len, size_t *used)
{
	while (*used < len) {
		const char *at = data + *used;
		const char *lf = memchr(at, '\n', len - *used);
		size_t n = lf ? (size_t)(lf - at) + 1 : len - *used;
		enum h1_event ev;

		/* What cannot begin a request need not wait for its line end: a TLS client on a plain port, say. */
		if (!p->head_len && !(h1_classes[(uint8_t)*at] & C_TOKEN) && *at != '\r')
			return h1_fail(p, 400, "not HTTP");
		if (n > p->limits.header_bytes - p->head_len)
			return h1_fail(p, 431, "header too long");
		if (!make_room((void **)&p->head, &p->head_size, p->head_len + n))
			return h1_fail(p, 503, "no memory");
		memcpy(p->head + p->head_len, at, n);
		p->head_len += n;
		*used += n;
		if (!lf)
			return H1_MORE;
		ev = h1_take_line(p);
		if (ev != H1_MORE)
			return ev;
	}
	return H1_MORE;
}

/* Body octets of the message or of one chunk; the caller has checked the announced sum. */
static enum h1_event feed_data(struct h1 *p, const char *data, size_t len, size_t *used, int next)
{
	size_t n = len - *used;

	if (n > p->left)
		n = (size_t)p->left;
	if (!make_room((void **)&p->body, &p->body_size, p->body_len + n + 1))
		return h1_fail(p, 503, "no memory");
	memcpy(p->body + p->body_len, data + *used, n);
	p->body_len += n;
	p->body[p->body_len] = '\0';
	p->left -= n;
	*used += n;
	if (!p->left)
		p->state = next;
	return H1_MORE;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum h1_event size_octet(struct h1 *p, uint8_t c)
{
	int digit = hex_of(c);

	if (digit >= 0) {
		if (++p->size_digits > SIZE_DIGITS_MOST)
			return h1_fail(p, 400, "chunk size overflow");
		p->left = p->left << 4 | (unsigned)digit;
		return H1_MORE;
	}
	if (!p->size_digits || (c != ';' && c != '\r'))
		return h1_fail(p, 400, "bad chunk size");
	if (p->left > p->limits.body_bytes - p->body_len)
		return h1_fail(p, 413, "body too long");
	p->size_digits = 0;
	p->state = c == ';' ? S_EXT : S_SIZE_LF;
	return H1_MORE;
}

/* Octets that are read and dropped: an extension, a trailer line. */
static enum h1_event side_octet(struct h1 *p, uint8_t c, int at_cr)
{
	if (++p->side_bytes > SIDE_MOST)
		return h1_fail(p, 400, "too many chunk extensions or trailers");
	if (c == '\r')
		p->state = at_cr;
	else if (!(h1_classes[c] & C_VALUE))
		return h1_fail(p, 400, "control octet between chunks");
	return H1_MORE;
}

static enum h1_event lf_octet(struct h1 *p, uint8_t c, int next)
{
	if (c != '\n')
		return h1_fail(p, 400, "bare CR");
	p->state = next;
	return H1_MORE;
}

static enum h1_event trailer_octet(struct h1 *p, uint8_t c)
{
	if (c == '\r') {
		p->state = S_LAST_LF;
		return H1_MORE;
	}
	if (!(h1_classes[c] & C_TOKEN))
		return h1_fail(p, 400, "bad trailer");
	if (++p->side_lines > p->limits.header_lines)
		return h1_fail(p, 400, "too many trailers");
	p->state = S_TRAILER_LINE;
	return side_octet(p, c, S_TRAILER_LF);
}

static enum h1_event chunk_octet(struct h1 *p, uint8_t c)
{
	switch (p->state) {
	case S_SIZE:
		return size_octet(p, c);
	case S_EXT:
		return side_octet(p, c, S_SIZE_LF);
	case S_SIZE_LF:
		return lf_octet(p, c, p->left ? S_DATA : S_TRAILER);
	case S_DATA_CR:
		if (c != '\r')
			return h1_fail(p, 400, "chunk longer than its size");
		p->state = S_DATA_LF;
		return H1_MORE;
	case S_DATA_LF:
		return lf_octet(p, c, S_SIZE);
	case S_TRAILER:
		return trailer_octet(p, c);
	case S_TRAILER_LINE:
		return side_octet(p, c, S_TRAILER_LF);
	case S_TRAILER_LF:
		return lf_octet(p, c, S_TRAILER);
	default: /* S_LAST_LF */
		return lf_octet(p, c, S_END);
	}
}

static enum h1_event feed_body(struct h1 *p, const char *data, size_t len, size_t *used)
{
	while (*used < len && p->state != S_END) {
		enum h1_event ev;

		if (p->state == S_FIXED)
			ev = feed_data(p, data, len, used, S_END);
		else if (p->state == S_DATA)
			ev = feed_data(p, data, len, used, S_DATA_CR);
		else
			ev = chunk_octet(p, (uint8_t)data[(*used)++]);
		if (ev != H1_MORE)
			return ev;
	}
	return p->state == S_END ? H1_DONE : H1_MORE;
}

enum h1_event h1_feed(struct h1 *p, const void *data, size_t len, size_t *used)
{
	*used = 0;
	if (p->state == S_FAILED)
		return H1_ERROR;
	if (p->state == S_START || p->state == S_LINES)
		return feed_head(p, data, len, used);
	return feed_body(p, data, len, used);
}
