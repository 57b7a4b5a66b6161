/* SPDX-License-Identifier: Apache-2.0 */
/* h1_head.c - the lines of a request: the first one, the header lines, the empty one at the end
 *
 * A line is checked when it is complete, with one table look-up per octet, and cut into strings where it stands.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/h1_internal.h"

const uint8_t h1_classes[256] = {
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

	while (i < n && h1_classes[(uint8_t)s[i]] & class)
		i++;
	return i;
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
		return h1_fail(p, 400, "bad method");
	line[m] = '\0';
	p->method = method_of(line);
	version = memchr(target, ' ', n - m - 1);
	if (!version)
		return h1_fail(p, 400, "bad request line");
	*version++ = '\0';
	if (strlen(version) != 8 || strlen(target) != (size_t)(version - target - 1) || strncmp(version, "HTTP/", 5) ||
	    version[5] < '0' || version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9' ||
	    version + 8 != line + n)
		return h1_fail(p, 400, "bad request line");
	if (version[5] != '1' || version[7] > '1')
		return h1_fail(p, 505, "unknown version");
	p->v10 = version[7] == '0';
	if (take_target(p, target, strlen(target)))
		return h1_fail(p, 400, "bad target");
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
			return h1_fail(p, 400, "two Host lines");
		if (!*value || span(value, strlen(value), C_HOST) != strlen(value))
			return h1_fail(p, 400, "bad Host");
	} else if (!strcmp(name, "content-length")) {
		if (p->lengths++)
			return h1_fail(p, 400, "two lengths");
		if (take_length(value, &p->content_length))
			return h1_fail(p, 400, "bad length");
	} else if (!strcmp(name, "transfer-encoding")) {
		if (p->codings++)
			return h1_fail(p, 400, "two Transfer-Encoding lines");
		p->chunked = !strcasecmp(value, "chunked");
	} else if (!strcmp(name, "content-encoding")) {
		if (strcasecmp(value, "identity"))
			return h1_fail(p, 415, "content is encoded");
	} else if (!strcmp(name, "connection")) {
		take_connection(p, value);
	} else if (!strcmp(name, "expect")) {
		if (strcasecmp(value, "100-continue"))
			return h1_fail(p, 417, "unknown expectation");
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
		return h1_fail(p, 400, line[0] == ' ' || line[0] == '\t' ? "folded line" : "bad header name");
	if (p->lines_n == p->limits.header_lines)
		return h1_fail(p, 431, "too many header lines");
	if (span(value, (size_t)(end - value), C_VALUE) != (size_t)(end - value))
		return h1_fail(p, 400, "control octet in a header");
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
		return h1_fail(p, 400, "no Host");
	if (p->codings && p->lengths)
		return h1_fail(p, 400, "a length with Transfer-Encoding");
	if (p->codings && p->v10)
		return h1_fail(p, 400, "Transfer-Encoding in HTTP/1.0");
	if (p->codings && !p->chunked)
		return h1_fail(p, 501, "unknown Transfer-Encoding");
	if (p->v10)
		p->expect_continue = false; /* RFC 9110 10.1.1 */
	if (p->chunked) {
		p->content_length = SIZE_MAX;
		p->state = S_SIZE;
		return H1_HEAD;
	}
	if (p->content_length > p->limits.body_bytes)
		return h1_fail(p, 413, "body too long");
	p->left = p->content_length;
	p->state = p->left ? S_FIXED : S_END;
	return H1_HEAD;
}

enum h1_event h1_take_line(struct h1 *p)
{
	char *line = p->head + p->line_start;
	size_t n = p->head_len - p->line_start - 1;

	if (!n || line[n - 1] != '\r')
		return h1_fail(p, 400, "bare LF");
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
		return h1_fail(p, 400, "empty lines before the request");
	p->skipped_blank = true; /* one is to be ignored, RFC 9112 2.2 */
	p->head_len = 0;
	return H1_MORE;
}
