/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - see scan.h */
#include "link/t8/scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct t8_doc *d;
	const uint8_t *start, *p, *end;
	int err; /* stays what it is */
};

static bool fail(struct scan *s, int err)
{
	if (!s->err)
		s->err = err;
	return false;
}

static bool bad(struct scan *s)
{
	return fail(s, -EBADMSG);
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

static bool is_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* ---- strings ---- */

/* What an octet of a string is: plain, or the number of octets of the character that it begins, or one of these. */
enum { QUOTE = 5, ESCAPE, NEVER };
static const uint8_t octets[256] = {
	['"'] = QUOTE,       ['\\'] = ESCAPE,     [0 ... 0x1f] = NEVER, [0x80 ... 0xc1] = NEVER,
	[0xc2 ... 0xdf] = 2, [0xe0 ... 0xef] = 3, [0xf0 ... 0xf4] = 4,  [0xf5 ... 0xff] = NEVER,
};

/* A character of n octets: RFC 3629 4, no overlong forms, no surrogates. */
static bool take_character(struct scan *s, unsigned n)
{
	uint8_t first = *s->p, least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	if ((size_t)(s->end - s->p) < n || s->p[1] < least || s->p[1] > most)
		return bad(s);
	for (unsigned i = 2; i < n; i++)
		if (s->p[i] < 0x80 || s->p[i] > 0xbf)
			return bad(s);
	s->p += n;
	return true;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; -1: they are not there. */
static long unit_of(const uint8_t *p, const uint8_t *end)
{
	long u = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int h = hex_of(p[i]);

		if (h < 0)
			return -1;
		u = u << 4 | h;
	}
	return u;
}

/* The character that an escape stands for, behind the backslash; its length in *n. -1: none. */
static long escaped_of(const uint8_t *p, const uint8_t *end, size_t *n)
{
	static const char names[] = "\"\\/bfnrt", are[] = "\"\\/\b\f\n\r\t";
	const char *name = p < end && *p ? strchr(names, *p) : NULL;
	long u, low;

	*n = 1;
	if (name)
		return are[name - names];
	if (p == end || *p != 'u')
		return -1;
	u = unit_of(p + 1, end);
	*n = 5;
	if (u <= 0 || (u >= 0xdc00 && u <= 0xdfff)) /* no NUL: the text would end there for others */
		return -1;
	if (u < 0xd800 || u > 0xdbff)
		return u;
	if (end - p < 7 || p[5] != '\\' || p[6] != 'u')
		return -1;
	low = unit_of(p + 7, end);
	*n = 11;
	return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((u - 0xd800) << 10 | (low - 0xdc00));
}

/* In UTF-8; the number of octets. */
static size_t encode(uint8_t out[4], long c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		out[2] = (uint8_t)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	out[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

/* From behind the opening quote to behind the closing one. */
static bool take_string(struct scan *s, uint32_t *at, size_t *len, bool *escaped)
{
	const uint8_t *from = s->p;
	size_t n;

	*at = (uint32_t)(from - s->start);
	*escaped = false;
	while (s->p < s->end) {
		uint8_t is = octets[*s->p];

		if (!is) {
			s->p++;
		} else if (is == QUOTE) {
			*len = (size_t)(s->p++ - from);
			return true;
		} else if (is == ESCAPE) {
			*escaped = true;
			if (escaped_of(s->p + 1, s->end, &n) < 0)
				return bad(s);
			s->p += n + 1;
		} else if (is == NEVER || !take_character(s, is)) {
			return bad(s);
		}
	}
	return bad(s);
}

/* Walks a string that was taken, one run of octets after the other as it decodes; false at its end. */
struct run {
	const uint8_t *p, *end;
	const uint8_t *data;
	size_t n;
	uint8_t one[4];
};

static bool next_run(struct run *r)
{
	const uint8_t *from = r->p;
	size_t n;

	if (r->p == r->end)
		return false;
	if (*r->p == '\\') {
		r->n = encode(r->one, escaped_of(r->p + 1, r->end, &n));
		r->data = r->one;
		r->p += n + 1;
		return true;
	}
	while (r->p < r->end && *r->p != '\\')
		r->p++;
	r->data = from;
	r->n = (size_t)(r->p - from);
	return true;
}

/* ---- names ---- */

static struct run run_of_key(const struct t8_doc *d, const struct t8_value *v)
{
	const uint8_t *p = (const uint8_t *)d->text + v->key;

	return (struct run){ .p = p, .end = p + v->key_len };
}

static uint32_t hash_key(const struct t8_doc *d, const struct t8_value *v)
{
	struct run r = run_of_key(d, v);
	uint32_t h = 2166136261u; /* FNV-1a: tells most names apart, no more is asked of it */

	while (next_run(&r))
		for (size_t i = 0; i < r.n; i++)
			h = (h ^ r.data[i]) * 16777619u;
	return h;
}

static bool key_is(const struct t8_doc *d, const struct t8_value *v, const char *name, size_t len)
{
	struct run r = run_of_key(d, v);

	if (!v->key_escaped)
		return v->key_len == len && !memcmp(r.p, name, len);
	while (next_run(&r)) {
		if (r.n > len || memcmp(r.data, name, r.n))
			return false;
		name += r.n;
		len -= r.n;
	}
	return !len;
}

/* Both may have escapes: octet by octet. */
static bool same_key(const struct t8_doc *d, const struct t8_value *a, const struct t8_value *b)
{
	struct run x = run_of_key(d, a), y = run_of_key(d, b);
	size_t i = 0, j = 0;

	if (a->hash != b->hash)
		return false;
	for (;;) {
		bool more = i < x.n || (i = 0, next_run(&x)), others = j < y.n || (j = 0, next_run(&y));

		if (!more || !others)
			return more == others;
		if (x.data[i++] != y.data[j++])
			return false;
	}
}

static bool take_key(struct scan *s, struct t8_value *v)
{
	uint32_t at;
	size_t len;
	bool escaped;

	skip_space(s);
	if (s->p == s->end || *s->p++ != '"' || !take_string(s, &at, &len, &escaped))
		return bad(s);
	if (len > UINT16_MAX)
		return fail(s, -EMSGSIZE);
	v->key = at;
	v->key_len = (uint16_t)len;
	v->key_escaped = escaped;
	v->hash = hash_key(s->d, v);
	skip_space(s);
	return s->p < s->end && *s->p++ == ':' ? true : bad(s);
}

/* ---- numbers ---- */

static bool take_digits(struct scan *s)
{
	if (!is_digit(s))
		return bad(s);
	while (is_digit(s))
		s->p++;
	return true;
}

/* The value of an integer that was taken; false: it does not fit. */
static bool integer_of(const uint8_t *p, size_t len, int64_t *out)
{
	const bool minus = *p == '-';
	uint64_t n = 0, most = minus ? 1ull << 63 : INT64_MAX;

	for (size_t i = minus; i < len; i++) {
		uint64_t digit = (uint64_t)(p[i] - '0');

		if (n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = (int64_t)(minus ? 0 - n : n);
	return true;
}

static bool take_number(struct scan *s, struct t8_value *v)
{
	const uint8_t *from = s->p;
	int64_t n;

	v->kind = T8_INTEGER;
	s->p += *s->p == '-';
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!take_digits(s))
		return false;
	if (is_digit(s))
		return bad(s);
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		v->kind = T8_REAL;
		if (!take_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p | 0x20) == 'e') {
		s->p++;
		v->kind = T8_REAL;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!take_digits(s))
			return false;
	}
	v->len = (uint32_t)(s->p - from);
	if (s->p == s->end) /* no object or array ends like this; and what follows stops strtod() */
		return bad(s);
	if (v->kind == T8_INTEGER)
		return integer_of(from, v->len, &n) ? true : bad(s);
	return isinf(strtod((const char *)from, NULL)) ? bad(s) : true;
}

/* ---- values ---- */

static bool take_word(struct scan *s, struct t8_value *v)
{
	static const struct {
		const char *word;
		uint8_t len, kind;
	} words[] = { { "true", 4, T8_TRUE }, { "false", 5, T8_FALSE }, { "null", 4, T8_NULL } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if ((size_t)(s->end - s->p) >= words[i].len && !memcmp(s->p, words[i].word, words[i].len)) {
			v->kind = words[i].kind;
			v->len = words[i].len;
			s->p += words[i].len;
			return true;
		}
	return bad(s);
}

static bool take_value(struct scan *s, struct t8_value *v, unsigned depth);

static bool is_repeated(const struct t8_doc *d, const struct t8_value *first, const struct t8_value *last)
{
	for (const struct t8_value *v = first; v != last; v = &d->v[v->next])
		if (same_key(d, v, last))
			return true;
	return false;
}

static bool take_new_key(struct scan *s, const struct t8_value *first, struct t8_value *v)
{
	return take_key(s, v) && (!is_repeated(s->d, first, v) || bad(s));
}

/* Members up to '}', or elements up to ']'. */
static bool take_children(struct scan *s, struct t8_value *parent, uint8_t end, unsigned depth)
{
	struct t8_doc *d = s->d;
	struct t8_value *last = NULL;
	const struct t8_value *first = &d->v[d->n];

	if (depth > T8_SCAN_DEPTH)
		return fail(s, -EMSGSIZE);
	parent->len = 0;
	skip_space(s);
	if (s->p < s->end && *s->p == end) {
		s->p++;
		return true;
	}
	for (;;) {
		struct t8_value *v = &d->v[d->n];

		if (d->n == T8_SCAN_VALUES)
			return fail(s, -EMSGSIZE);
		if (last)
			last->next = (uint16_t)d->n;
		*v = (struct t8_value){ 0 };
		d->n++;
		if (end == '}' && !take_new_key(s, first, v))
			return false;
		if (!take_value(s, v, depth))
			return false;
		parent->len++;
		last = v;
		skip_space(s);
		if (s->p == s->end)
			return bad(s);
		if (*s->p == end)
			break;
		if (*s->p++ != ',')
			return bad(s);
	}
	s->p++;
	return true;
}

static bool take_value(struct scan *s, struct t8_value *v, unsigned depth)
{
	size_t len;

	skip_space(s);
	if (s->p == s->end)
		return bad(s);
	v->at = (uint32_t)(s->p - s->start);
	switch (*s->p) {
	case '{':
	case '[':
		v->kind = *s->p == '{' ? T8_OBJECT : T8_ARRAY;
		return take_children(s, v, *s->p++ == '{' ? '}' : ']', depth + 1);
	case '"':
		s->p++;
		v->kind = T8_STRING;
		if (!take_string(s, &v->at, &len, &v->escaped))
			return false;
		v->len = (uint32_t)len;
		return true;
	case '-':
	case '0' ... '9':
		return take_number(s, v);
	default:
		return take_word(s, v);
	}
}

int t8_scan(struct t8_doc *d, const char *text, size_t len)
{
	struct scan s = { .d = d, .start = (const uint8_t *)text, .p = (const uint8_t *)text };

	if (len > UINT32_MAX / 2)
		return -EMSGSIZE;
	s.end = s.start + len;
	d->text = text;
	d->n = 1;
	d->v[0] = (struct t8_value){ 0 };
	if (!take_value(&s, &d->v[0], 0))
		return s.err;
	skip_space(&s);
	return s.p == s.end && (d->v[0].kind == T8_OBJECT || d->v[0].kind == T8_ARRAY) ? 0 : -EBADMSG;
}

/* ---- looking at it ---- */

const struct t8_value *t8_first(const struct t8_doc *d, const struct t8_value *v)
{
	(void)d;
	return v && (v->kind == T8_OBJECT || v->kind == T8_ARRAY) && v->len ? v + 1 : NULL;
}

const struct t8_value *t8_next(const struct t8_doc *d, const struct t8_value *v)
{
	return v->next ? &d->v[v->next] : NULL;
}

const struct t8_value *t8_member(const struct t8_doc *d, const struct t8_value *obj, const char *name)
{
	size_t len = strlen(name);

	if (!t8_is(obj, T8_OBJECT))
		return NULL;
	for (const struct t8_value *v = t8_first(d, obj); v; v = t8_next(d, v))
		if (key_is(d, v, name, len))
			return v;
	return NULL;
}

bool t8_is(const struct t8_value *v, enum t8_kind kind)
{
	return v && v->kind == kind;
}

bool t8_integer(const struct t8_doc *d, const struct t8_value *v, int64_t least, int64_t most, int64_t *out)
{
	return t8_is(v, T8_INTEGER) && integer_of((const uint8_t *)d->text + v->at, v->len, out) && *out >= least &&
		*out <= most;
}

const char *t8_text_in_place(const struct t8_doc *d, const struct t8_value *v)
{
	return v->escaped ? NULL : d->text + v->at;
}

int t8_text(const struct t8_doc *d, const struct t8_value *v, char *buf, size_t size)
{
	struct run r;
	size_t n = 0;

	buf[0] = '\0';
	if (!v || v->kind == T8_NULL)
		return -ENOENT;
	if (v->kind != T8_STRING)
		return -EBADMSG;
	r = (struct run){ .p = (const uint8_t *)d->text + v->at };
	r.end = r.p + v->len;
	while (next_run(&r)) {
		if (r.n >= size - n) {
			buf[0] = '\0';
			return -EMSGSIZE;
		}
		memcpy(buf + n, r.data, r.n);
		n += r.n;
	}
	buf[n] = '\0';
	return 0;
}
