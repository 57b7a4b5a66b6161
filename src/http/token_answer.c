/* SPDX-License-Identifier: Apache-2.0 */
/* token_answer.c - the JSON object of a token end (RFC 6749 5.1, 5.2)
 *
 * Four members of one flat object are all that is wanted, so this is a reader for exactly that: strings are unescaped
 * into place only for those members, everything else is stepped over with bounded depth. A member that comes twice is a
 * fault.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "http/client_internal.h"

enum { DEPTH_MOST = 16 };

struct scan {
	const char *p, *end;
	bool failed;
};

static int peek(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
		s->p++;
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static bool take(struct scan *s, int c)
{
	if (peek(s) != c) {
		s->failed = true;
		return false;
	}
	s->p++;
	return true;
}

static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		const char *d = p[i] ? strchr(digits, p[i] | 0x20) : NULL;

		if (!d)
			return -1;
		v = v * 16 + (int)(d - digits);
	}
	return v;
}

/* One character of a string, escapes resolved: 0..127; 128 for anything beyond ASCII; -1 at the closing quote or a
 * fault. */
static int string_char(struct scan *s)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int c;

	if (s->p >= s->end || (unsigned char)*s->p < 0x20) {
		s->failed = true;
		return -1;
	}
	c = (unsigned char)*s->p++;
	if (c == '"')
		return -1;
	if (c != '\\')
		return c < 128 ? c : 128;
	if (s->p < s->end && *s->p == 'u' && s->end - s->p >= 5 && (c = hex4(s->p + 1)) > 0) {
		s->p += 5;
		return c < 128 ? c : 128;
	}
	at = s->p < s->end && *s->p ? strchr(names, *s->p) : NULL;
	s->failed = s->failed || !at;
	s->p++;
	return at ? values[at - names] : -1;
}

/* The string at hand into buf, cut to fit, NUL-terminated; its whole length. Characters beyond ASCII become '?'. */
static size_t take_string(struct scan *s, char *buf, size_t size)
{
	size_t n = 0;
	int c;

	if (take(s, '"'))
		while ((c = string_char(s)) >= 0) {
			if (n + 1 < size)
				buf[n] = c < 128 ? (char)c : '?';
			n++;
		}
	if (size)
		buf[n < size ? n : size - 1] = '\0';
	return n;
}

static void skip_word(struct scan *s)
{
	const char *start = s->p;

	while (s->p < s->end && *s->p && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *s->p))
		s->p++;
	s->failed = s->failed || s->p == start;
}

/* Objects and arrays need only balance here: nothing in them is used. */
static void skip_value(struct scan *s)
{
	char open[DEPTH_MOST];
	int depth = 0;

	do {
		int c = peek(s);

		if (c == '"') {
			take_string(s, NULL, 0);
		} else if (c == '{' || c == '[') {
			if (depth == DEPTH_MOST)
				s->failed = true;
			else
				open[depth++] = (char)(c + 2); /* its closing counterpart */
			s->p++;
		} else if (c == '}' || c == ']') {
			s->failed = s->failed || !depth || open[--depth] != c;
			s->p++;
		} else if ((c == ',' || c == ':') && depth) {
			s->p++;
		} else {
			skip_word(s);
		}
	} while (depth && !s->failed);
}

/* A number, or a number in a string as some ends write it. */
static double take_number(struct scan *s)
{
	char text[40], *end;
	double v;

	if (peek(s) == '"') {
		take_string(s, text, sizeof text);
	} else {
		const char *start = s->p;
		size_t n;

		skip_word(s);
		n = (size_t)(s->p - start);
		n = n < sizeof text ? n : sizeof text - 1;
		memcpy(text, start, n);
		text[n] = '\0';
	}
	v = strtod(text, &end);
	if (end == text || *end || strpbrk(text, "xXnN"))
		s->failed = true;
	return s->failed ? 0 : v;
}

/* What may stand in an Authorization line (RFC 6750 2.1, a little wider), within the limit. */
static bool is_token(const char *t, size_t n)
{
	if (!n || n > TOKEN_MOST)
		return false;
	for (; *t; t++)
		if (*t <= ' ' || *t > '~')
			return false;
	return true;
}

static void take_token(struct scan *s, struct token_answer *out)
{
	size_t n;

	if (out->token) {
		s->failed = true;
		return;
	}
	out->token = malloc(TOKEN_MOST + 1);
	if (!out->token) {
		skip_value(s);
		return;
	}
	n = take_string(s, out->token, TOKEN_MOST + 1);
	if (!is_token(out->token, n))
		s->failed = true;
}

static void take_member(struct scan *s, struct token_answer *out, bool *have_type)
{
	char name[32], type[16];

	take_string(s, name, sizeof name);
	if (!take(s, ':'))
		return;
	if (!strcmp(name, "access_token")) {
		take_token(s, out);
	} else if (!strcmp(name, "token_type")) {
		take_string(s, type, sizeof type);
		out->is_bearer = !strcasecmp(type, "bearer");
		s->failed = s->failed || *have_type;
		*have_type = true;
	} else if (!strcmp(name, "expires_in")) {
		s->failed = s->failed || out->has_expires;
		out->has_expires = peek(s) != 'n' || s->end - s->p < 4 || memcmp(s->p, "null", 4);
		if (out->has_expires)
			out->expires_in = take_number(s);
		else
			skip_value(s);
	} else if (!strcmp(name, "error") && peek(s) == '"') {
		take_string(s, out->error, sizeof out->error);
	} else {
		skip_value(s);
	}
}

int token_answer_parse(struct token_answer *out, const char *text, size_t len)
{
	struct scan s = { text, text + len, false };
	bool have_type = false;

	*out = (struct token_answer){ .is_bearer = true };
	if (take(&s, '{') && peek(&s) != '}')
		do {
			take_member(&s, out, &have_type);
		} while (!s.failed && peek(&s) == ',' && s.p++);
	take(&s, '}');
	if (!s.failed && peek(&s) < 0)
		return 0;
	if (out->token)
		secret_wipe(out->token, TOKEN_MOST + 1);
	free(out->token);
	out->token = NULL;
	return -EBADMSG;
}
