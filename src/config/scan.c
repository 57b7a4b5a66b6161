/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - what has to happen to a text before libconfig 1.5 may see it
 *
 * That version wraps an integer above 2^31 silently unless an L follows, ends strings at \x00, includes files from
 * anywhere and gives a string in a list the line of what follows it. So the text is read once before: an L is put
 * behind large integers, those beyond 64 bits become the largest (which no key allows), lines of list strings are kept,
 * and what must not be there is found. Line numbers stay as they are.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

struct scanner {
	struct scan *out;
	const char *p, *end;
	const char *copied; /* up to here the text is in out */
	size_t len, room;   /* of out->text */
	size_t lines_room;
	unsigned line;
	char open[CONF_DEPTH_MOST];
	unsigned depth;
	bool after_string; /* the last token was a string: another one continues it */
	bool no_memory;
};

static void refuse_at(struct scanner *s, unsigned line, const char *why)
{
	if (s->out->fault_line)
		return;
	s->out->fault_line = line;
	s->out->fault = why;
}

static void refuse(struct scanner *s, const char *why)
{
	refuse_at(s, s->line, why);
}

static void append(struct scanner *s, const char *text, size_t n)
{
	if (s->len + n + 1 > s->room) {
		const size_t room = (s->len + n + 1) * 2;
		char *grown = realloc(s->out->text, room);

		if (!grown) {
			s->no_memory = true;
			return;
		}
		s->out->text = grown;
		s->room = room;
	}
	memcpy(s->out->text + s->len, text, n);
	s->len += n;
	s->out->text[s->len] = '\0';
}

static void copy_up_to(struct scanner *s, const char *at)
{
	append(s, s->copied, (size_t)(at - s->copied));
	s->copied = at;
}

static void note_string_line(struct scanner *s)
{
	struct scan *o = s->out;

	if (o->line_count == s->lines_room) {
		const size_t room = s->lines_room ? s->lines_room * 2 : 64;
		unsigned *grown = realloc(o->lines, room * sizeof *grown);

		if (!grown) {
			s->no_memory = true;
			return;
		}
		o->lines = grown;
		s->lines_room = room;
	}
	o->lines[o->line_count++] = s->line;
}

static bool at(const struct scanner *s, const char *text)
{
	const size_t n = strlen(text);

	return (size_t)(s->end - s->p) >= n && !memcmp(s->p, text, n);
}

static void step(struct scanner *s)
{
	if (*s->p == '\n')
		s->line++;
	s->p++;
}

static void skip_escape(struct scanner *s)
{
	const bool hex = s->end - s->p >= 4 && (s->p[1] == 'x' || s->p[1] == 'X');

	if (hex && s->p[2] == '0' && s->p[3] == '0')
		refuse(s, "a text must not hold \\x00");
	s->p++;
	if (s->p < s->end && (*s->p == '"' || *s->p == '\\'))
		s->p++;
}

static void scan_string(struct scanner *s)
{
	const unsigned line = s->line;

	if (!s->after_string && s->depth && s->open[s->depth - 1] != '{')
		note_string_line(s);
	for (s->p++; s->p < s->end && *s->p != '"';) {
		if (*s->p == '\\')
			skip_escape(s);
		else
			step(s);
	}
	if (s->p == s->end)
		refuse_at(s, line, "a text without its closing quote");
	else
		s->p++;
	s->after_string = true;
}

static void skip_comment(struct scanner *s)
{
	const unsigned line = s->line;

	if (!at(s, "/*")) {
		while (s->p < s->end && *s->p != '\n')
			s->p++;
		return;
	}
	s->p += 2;
	while (s->p < s->end && !at(s, "*/"))
		step(s);
	if (s->p == s->end)
		refuse_at(s, line,
			  "a comment without its end"); /* libconfig would drop the rest of the file without a word */
	else
		s->p += 2;
}

/* The value of the digits between from and s->p, with the largest one in place of what does not fit. */
static unsigned long long digits(const char *from, const char *end, unsigned base)
{
	const unsigned long long most = LLONG_MAX;
	unsigned long long v = 0;

	for (; from < end; from++) {
		const unsigned d = isdigit((unsigned char)*from) ? (unsigned)(*from - '0')
								 : (unsigned)((*from | 32) - 'a' + 10);

		if (v > (most - d) / base)
			return most;
		v = v * base + d;
	}
	return v;
}

/* An integer stands from token to s->p. */
static void widen(struct scanner *s, const char *token, const char *number, unsigned base)
{
	const unsigned long long v = digits(number, s->p, base);
	const char *end = s->p;

	while (s->p < s->end && *s->p == 'L' && s->p - end < 2)
		s->p++;
	if (v == LLONG_MAX) {
		copy_up_to(s, token);
		s->copied = s->p;
		append(s, *token == '-' ? "-9223372036854775807L" : "9223372036854775807L", *token == '-' ? 21 : 20);
	} else if (v > INT_MAX && s->p == end) {
		copy_up_to(s, s->p);
		append(s, "L", 1);
	}
}

static void scan_number(struct scanner *s)
{
	const char *token = s->p, *number;

	if (*s->p == '-' || *s->p == '+')
		s->p++;
	number = s->p;
	if (s->end - s->p > 2 && s->p[0] == '0' && (s->p[1] | 32) == 'x' && isxdigit((unsigned char)s->p[2])) {
		number = s->p += 2;
		while (s->p < s->end && isxdigit((unsigned char)*s->p))
			s->p++;
		widen(s, token, number, 16);
		return;
	}
	while (s->p < s->end && isdigit((unsigned char)*s->p))
		s->p++;
	if (s->p < s->end && strchr(".eE", *s->p)) { /* a real number, or nothing that libconfig takes */
		while (s->p < s->end && strchr(".eE+-0123456789", *s->p))
			s->p++;
		return;
	}
	if (s->p > number)
		widen(s, token, number, 10);
}

static void scan_bracket(struct scanner *s)
{
	if (strchr("({[", *s->p)) {
		if (s->depth == CONF_DEPTH_MOST) {
			refuse(s, "nested too deeply");
			s->p = s->end;
			return;
		}
		s->open[s->depth++] = *s->p;
	} else if (s->depth) {
		s->depth--; /* whether it fits is libconfig's to say */
	}
	s->p++;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

static void scan_token(struct scanner *s)
{
	if (isspace((unsigned char)*s->p)) {
		step(s);
		return;
	}
	if (*s->p == '#' || at(s, "//") || at(s, "/*")) {
		skip_comment(s);
		return;
	}
	if (*s->p == '"') {
		scan_string(s);
		return;
	}
	s->after_string = false;
	if (at(s, "@include"))
		refuse(s,
		       "@include is not supported: files in conf.d and devices.d beside the main file are read by "
		       "themselves");
	if (strchr("(){}[]", *s->p)) {
		scan_bracket(s);
	} else if (isalpha((unsigned char)*s->p) || *s->p == '*') {
		while (s->p < s->end && is_name(*s->p))
			s->p++;
	} else if (isdigit((unsigned char)*s->p) || *s->p == '-' || *s->p == '+' || *s->p == '.') {
		scan_number(s);
		s->after_string = false;
	} else {
		s->p++;
	}
}

/* Everything behind an octet 0 would be lost on libconfig. */
static void refuse_zero(struct scanner *s)
{
	const char *zero = memchr(s->p, 0, (size_t)(s->end - s->p));

	if (!zero)
		return;
	while (s->p < zero)
		step(s);
	refuse(s, "the file holds an octet of value 0");
	s->p = s->end;
}

int scan_text(struct scan *out, const char *text, size_t len)
{
	static const char bom[] = "\xef\xbb\xbf";
	const size_t skip = len >= 3 && !memcmp(text, bom, 3) ? 3 : 0;
	struct scanner s = { .out = out, .p = text + skip, .end = text + len, .copied = text + skip, .line = 1 };

	*out = (struct scan){ 0 };
	s.room = len + 64;
	out->text = malloc(s.room);
	if (!out->text)
		return -ENOMEM;
	refuse_zero(&s);
	while (s.p < s.end && !s.no_memory)
		scan_token(&s);
	copy_up_to(&s, s.end);
	if (s.no_memory) {
		scan_fini(out);
		return -ENOMEM;
	}
	return 0;
}

void scan_fini(struct scan *s)
{
	free(s->text);
	free(s->lines);
	*s = (struct scan){ 0 };
}
