/* SPDX-License-Identifier: Apache-2.0 */
/* h1_parse.c - HTTP/1.x requests from octets
 *
 * The header is gathered line by line and checked when a line is complete, so the inner loops are memchr, memcpy and
 * one table look-up per octet. The body needs a machine by octet only for the lines between chunks.
 */
#include "http/h1_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

enum {
	FIRST_SIZE = 1024,    /* octets of a fresh buffer */
	KEPT_SIZE = 8192,     /* a larger one is given back after its request */
	SIDE_MOST = 4096,     /* octets of chunk extensions and trailers in one body */
	SIZE_DIGITS_MOST = 15 /* hexadecimal: stays below 2^60, so sums do not wrap */
};

/* Character classes: a token (RFC 9110 5.6.2), a field value, a request target. */
enum { C_TOKEN = 1, C_VALUE = 2, C_TARGET = 4, C_HOST = 8 };
static const uint8_t classes[256] = {
	[9] = C_VALUE,
	[' '] = C_VALUE,
	['!'] = 15,
	['"'] = C_VALUE | C_TARGET,
	['#'] = C_TOKEN | C_VALUE,
	['$'] = 15,
	['%'] = 15,
	['&'] = 15,
	['\''] = 15,
	['('] = C_VALUE | C_TARGET | C_HOST,
	[')'] = C_VALUE | C_TARGET | C_HOST,
	['*'] = 15,
	['+'] = 15,
	[','] = C_VALUE | C_TARGET,
	['-'] = 15,
	['.'] = 15,
	['/'] = C_VALUE | C_TARGET,
	['0' ... '9'] = 15,
	[':'] = C_VALUE | C_TARGET | C_HOST,
	[';'] = C_VALUE | C_TARGET | C_HOST,
	['<'] = C_VALUE | C_TARGET,
	['='] = C_VALUE | C_TARGET | C_HOST,
	['>'] = C_VALUE | C_TARGET,
	['?'] = C_VALUE | C_TARGET,
	['@'] = C_VALUE | C_TARGET,
	['A' ... 'Z'] = 15,
	['['] = C_VALUE | C_TARGET | C_HOST,
	['\\'] = C_VALUE | C_TARGET,
	[']'] = C_VALUE | C_TARGET | C_HOST,
	['^'] = C_TOKEN | C_VALUE | C_TARGET,
	['_'] = 15,
	['`'] = C_TOKEN | C_VALUE | C_TARGET,
	['a' ... 'z'] = 15,
	['{'] = C_VALUE | C_TARGET,
	['|'] = C_TOKEN | C_VALUE | C_TARGET,
	['}'] = C_VALUE | C_TARGET,
	['~'] = 15,
	[128 ... 255] = C_VALUE,
};

static size_t span(const char *s, size_t n, unsigned class)
{
	size_t i = 0;

	while (i < n && classes[(uint8_t)s[i]] & class)
		i++;
	return i;
}

static enum h1_event fail(struct h1 *p, int status, const char *why)
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

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{ "POST", HTTP_POST }, { "GET", HTTP_GET },     { "HEAD", HTTP_HEAD },
	{ "PUT", HTTP_PUT },   { "PATCH", HTTP_PATCH }, { "DELETE", HTTP_DELETE },
};

static enum http_method method_of(const char *word)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (!strcmp(word, methods[i].name))
			return methods[i].method;
	return HTTP_OTHER;
}

/* The target in origin form. A server has to take the absolute form too (RFC 9112 3.2.2): its path is what counts here;
 * where it has none the last octet of the authority gives its place to a slash. 0, or -EBADMSG for any other form. */
static int take_target(struct h1 *p, char *t, size_t n)
{
	size_t scheme = !strncasecmp(t, "http://", 7) ? 7 : !strncasecmp(t, "https://", 8) ? 8 : 0;
	size_t path;

	if (span(t, n, C_TARGET) != n)
		return -EBADMSG;
	if (!scheme) {
		p->target = (uint32_t)(t - p->head);
		return t[0] == '/' || (!strcmp(t, "*") && p->method == HTTP_OTHER) ? 0 : -EBADMSG;
	}
	path = scheme + span(t + scheme, n - scheme, C_HOST);
	if (path == scheme || (t[path] && t[path] != '/' && t[path] != '?'))
		return -EBADMSG;
	if (t[path] != '/')
		t[--path] = '/';
	p->target = (uint32_t)(t + path - p->head);
	return 0;
}

static enum h1_event take_request_line(struct h1 *p, char *line, size_t n)
{
	size_t m = span(line, n, C_TOKEN);
	char *target = line + m + 1;
	char *version;

	if (!m || m > 32 || line[m] != ' ')
		return fail(p, 400, "bad method");
	line[m] = '\0';
	p->method = method_of(line);
	version = memchr(target, ' ', n - m - 1);
	if (!version)
		return fail(p, 400, "bad request line");
	*version++ = '\0';
	if (strlen(version) != 8 || strlen(target) != (size_t)(version - target - 1) || strncmp(version, "HTTP/", 5) ||
	    version[5] < '0' || version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9' ||
	    version + 8 != line + n)
		return fail(p, 400, "bad request line");
	if (version[5] != '1' || version[7] > '1')
		return fail(p, 505, "unknown version");
	p->v10 = version[7] == '0';
	if (take_target(p, target, strlen(target)))
		return fail(p, 400, "bad target");
	p->state = S_LINES;
	return H1_MORE;
}

/* Decimal digits only: no sign, no list, no space (RFC 9112 6.3). */
static int take_length(const char *v, size_t *out)
{
	uint64_t n = 0;

	if (!*v)
		return -EBADMSG;
	for (; *v; v++) {
		if (*v < '0' || *v > '9' || n > (INT64_MAX - 9) / 10)
			return -EBADMSG;
		n = n * 10 + (uint64_t)(*v - '0');
	}
	*out = n;
	return 0;
}

/* The tokens of Connection that matter. */
static void take_connection(struct h1 *p, const char *v)
{
	while (*v) {
		size_t n = strcspn(v, ", \t");

		if (n == 5 && !strncasecmp(v, "close", n))
			p->close = true;
		else if (n == 10 && !strncasecmp(v, "keep-alive", n))
			p->keep = true;
		v += n;
		v += strspn(v, ", \t");
	}
}

/* Headers that frame the message or are refused whoever the handler is. */
static enum h1_event take_known(struct h1 *p, const char *name, const char *value)
{
	if (!strcmp(name, "host")) {
		if (p->hosts++)
			return fail(p, 400, "two Host lines");
		if (!*value || span(value, strlen(value), C_HOST) != strlen(value))
			return fail(p, 400, "bad Host");
	} else if (!strcmp(name, "content-length")) {
		if (p->lengths++)
			return fail(p, 400, "two lengths");
		if (take_length(value, &p->content_length))
			return fail(p, 400, "bad length");
	} else if (!strcmp(name, "transfer-encoding")) {
		if (p->codings++)
			return fail(p, 400, "two Transfer-Encoding lines");
		p->chunked = !strcasecmp(value, "chunked");
	} else if (!strcmp(name, "content-encoding")) {
		if (strcasecmp(value, "identity"))
			return fail(p, 415, "content is encoded");
	} else if (!strcmp(name, "connection")) {
		take_connection(p, value);
	} else if (!strcmp(name, "expect")) {
		if (strcasecmp(value, "100-continue"))
			return fail(p, 417, "unknown expectation");
		p->expect_continue = true;
	}
	return H1_MORE;
}

static enum h1_event take_header_line(struct h1 *p, char *line, size_t n)
{
	size_t m = span(line, n, C_TOKEN);
	char *value = line + m + 1;
	char *end = line + n;

	if (!m || line[m] != ':')
		return fail(p, 400, line[0] == ' ' || line[0] == '\t' ? "folded line" : "bad header name");
	if (p->lines_n == p->limits.header_lines)
		return fail(p, 431, "too many header lines");
	if (span(value, (size_t)(end - value), C_VALUE) != (size_t)(end - value))
		return fail(p, 400, "control octet in a header");
	for (size_t i = 0; i < m; i++)
		if (line[i] >= 'A' && line[i] <= 'Z')
			line[i] = (char)(line[i] + 'a' - 'A');
	line[m] = '\0';
	while (*value == ' ' || *value == '\t')
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	p->lines[p->lines_n].name = (uint32_t)(line - p->head);
	p->lines[p->lines_n++].value = (uint32_t)(value - p->head);
	return take_known(p, line, value);
}

/* The empty line: does the whole make sense, and what follows? */
static enum h1_event take_end_of_head(struct h1 *p)
{
	if (!p->hosts && !p->v10)
		return fail(p, 400, "no Host");
	if (p->codings && p->lengths)
		return fail(p, 400, "a length with Transfer-Encoding");
	if (p->codings && p->v10)
		return fail(p, 400, "Transfer-Encoding in HTTP/1.0");
	if (p->codings && !p->chunked)
		return fail(p, 501, "unknown Transfer-Encoding");
	if (p->v10)
		p->expect_continue = false; /* RFC 9110 10.1.1 */
	if (p->chunked) {
		p->content_length = SIZE_MAX;
		p->state = S_SIZE;
		return H1_HEAD;
	}
	if (p->content_length > p->limits.body_bytes)
		return fail(p, 413, "body too long");
	p->left = p->content_length;
	p->state = p->left ? S_FIXED : S_END;
	return H1_HEAD;
}

/* A line is complete in head[line_start ..], its LF included. */
static enum h1_event take_line(struct h1 *p)
{
	char *line = p->head + p->line_start;
	size_t n = p->head_len - p->line_start - 1;

	if (!n || line[n - 1] != '\r')
		return fail(p, 400, "bare LF");
	line[--n] = '\0';
	if (p->state == S_LINES) {
		p->line_start = p->head_len;
		return n ? take_header_line(p, line, n) : take_end_of_head(p);
	}
	if (n) {
		p->line_start = p->head_len;
		return take_request_line(p, line, n);
	}
	if (p->skipped_blank)
		return fail(p, 400, "empty lines before the request");
	p->skipped_blank = true; /* one is to be ignored, RFC 9112 2.2 */
	p->head_len = 0;
	return H1_MORE;
}

static enum h1_event feed_head(struct h1 *p, const char *data, size_t len, size_t *used)
{
	while (*used < len) {
		const char *at = data + *used;
		const char *lf = memchr(at, '\n', len - *used);
		size_t n = lf ? (size_t)(lf - at) + 1 : len - *used;
		enum h1_event ev;

		/* What cannot begin a request need not wait for its line end: a TLS client on a plain port, say. */
		if (!p->head_len && !(classes[(uint8_t)*at] & C_TOKEN) && *at != '\r')
			return fail(p, 400, "not HTTP");
		if (n > p->limits.header_bytes - p->head_len)
			return fail(p, 431, "header too long");
		if (!make_room((void **)&p->head, &p->head_size, p->head_len + n))
			return fail(p, 503, "no memory");
		memcpy(p->head + p->head_len, at, n);
		p->head_len += n;
		*used += n;
		if (!lf)
			return H1_MORE;
		ev = take_line(p);
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
		return fail(p, 503, "no memory");
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
			return fail(p, 400, "chunk size overflow");
		p->left = p->left << 4 | (unsigned)digit;
		return H1_MORE;
	}
	if (!p->size_digits || (c != ';' && c != '\r'))
		return fail(p, 400, "bad chunk size");
	if (p->left > p->limits.body_bytes - p->body_len)
		return fail(p, 413, "body too long");
	p->size_digits = 0;
	p->state = c == ';' ? S_EXT : S_SIZE_LF;
	return H1_MORE;
}

/* Octets that are read and dropped: an extension, a trailer line. */
static enum h1_event side_octet(struct h1 *p, uint8_t c, int at_cr)
{
	if (++p->side_bytes > SIDE_MOST)
		return fail(p, 400, "too many chunk extensions or trailers");
	if (c == '\r')
		p->state = at_cr;
	else if (!(classes[c] & C_VALUE))
		return fail(p, 400, "control octet between chunks");
	return H1_MORE;
}

static enum h1_event lf_octet(struct h1 *p, uint8_t c, int next)
{
	if (c != '\n')
		return fail(p, 400, "bare CR");
	p->state = next;
	return H1_MORE;
}

static enum h1_event trailer_octet(struct h1 *p, uint8_t c)
{
	if (c == '\r') {
		p->state = S_LAST_LF;
		return H1_MORE;
	}
	if (!(classes[c] & C_TOKEN))
		return fail(p, 400, "bad trailer");
	if (++p->side_lines > p->limits.header_lines)
		return fail(p, 400, "too many trailers");
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
			return fail(p, 400, "chunk longer than its size");
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
