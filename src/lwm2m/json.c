/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - JSON read member by member
 *
 * The end of the payload inside a value is told apart from a fault in it: a device that was cut off is another finding
 * than one that writes wrong JSON.
 */
#include "lwm2m/json.h"

#include <string.h>

#include "lwm2m/typed.h"

static bool bad(struct jread *j)
{
	return gather_fault(j->g, j->p >= j->end ? FAULT_TRUNCATED : FAULT_FORMAT);
}

static void skip_space(struct jread *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
}

static bool take(struct jread *j, char c)
{
	skip_space(j);
	if (j->p == j->end || *j->p != c)
		return bad(j);
	j->p++;
	return true;
}

static bool next_is(const struct jread *j, const char *either)
{
	return j->p < j->end && *j->p && strchr(either, *j->p);
}

/* The next character that is no space; NUL at the end. */
static char peek(struct jread *j)
{
	skip_space(j);
	return j->p < j->end ? *j->p : '\0';
}

/* ---- strings ---- */

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; -1: they are not there. */
static int32_t unit_of(struct jread *j)
{
	int32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		const int h = j->p < j->end ? hex_of(*j->p) : -1;

		if (h < 0)
			return -1;
		unit = unit << 4 | h;
		j->p++;
	}
	return unit;
}

/* Behind "\u": one unit, or two that make a character. A half of such a pair alone is no text; -1. */
static int32_t unicode_of(struct jread *j)
{
	const int32_t high = unit_of(j);
	int32_t low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || j->end - j->p < 2 || j->p[0] != '\\' || j->p[1] != 'u')
		return -1;
	j->p += 2;
	low = unit_of(j);
	return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
}

/* Behind a backslash. */
static int32_t escaped(struct jread *j)
{
	static const char names[] = "\"\\/bfnrt", are[] = "\"\\/\b\f\n\r\t";
	const char *name = j->p < j->end && *j->p ? strchr(names, *j->p) : NULL;

	if (name) {
		j->p++;
		return are[name - names];
	}
	if (j->p == j->end || *j->p != 'u')
		return -1;
	j->p++;
	return unicode_of(j);
}

static size_t put_utf8(char *out, int32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* To the closing quote; in *escapes whether some stand before it. */
static bool find_quote(struct jread *j, const char **quote, bool *escapes)
{
	const char *p = j->p;

	*escapes = false;
	while (p < j->end && *p != '"') {
		if ((unsigned char)*p < 0x20) {
			j->p = p;
			return bad(j);
		}
		*escapes |= *p == '\\';
		p += *p == '\\' && p + 1 < j->end ? 2 : 1;
	}
	*quote = p;
	return p < j->end || gather_fault(j->g, FAULT_TRUNCATED);
}

/* The text becomes no longer than it is written. */
static bool resolve(struct jread *j, const char *quote, struct lwm2m_text *out)
{
	char *copy = gather_alloc(j->g, (size_t)(quote - j->p));
	size_t n = 0;
	int32_t c;

	if (!copy)
		return false;
	while (j->p < quote) {
		if (*j->p != '\\') {
			copy[n++] = *j->p++;
			continue;
		}
		j->p++;
		c = escaped(j);
		if (c < 0 || j->p > quote)
			return gather_fault(j->g, FAULT_FORMAT);
		n += put_utf8(copy + n, c);
	}
	*out = (struct lwm2m_text){ copy, n };
	return true;
}

/* Behind the opening quote. */
static bool rest_of_string(struct jread *j, struct lwm2m_text *out)
{
	const char *quote = NULL;
	bool escapes;

	if (!find_quote(j, &quote, &escapes) || !gather_utf8(j->g, j->p, (size_t)(quote - j->p)))
		return false;
	if (!escapes)
		*out = (struct lwm2m_text){ j->p, (size_t)(quote - j->p) };
	else if (!resolve(j, quote, out))
		return false;
	j->p = quote + 1;
	return true;
}

bool jread_string(struct jread *j, struct lwm2m_text *out)
{
	if (j->g->err)
		return false;
	skip_space(j);
	if (next_is(j, "[{-0123456789tfn"))
		return gather_fault(j->g, FAULT_TYPE); /* another value */
	return take(j, '"') && rest_of_string(j, out);
}

bool jread_key(struct jread *j, struct lwm2m_text *key)
{
	return !j->g->err && take(j, '"') && rest_of_string(j, key) && take(j, ':');
}

bool jread_meet(struct jread *j, struct jread_names *names, const struct lwm2m_text *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].len == name->len && !memcmp(names->v[i].p, name->p, name->len))
			return gather_fault(j->g, FAULT_FORMAT);
	if (names->n == JSON_UNKNOWN_MOST)
		return gather_fault(j->g, FAULT_FORMAT);
	names->v[names->n++] = *name;
	return true;
}

/* ---- numbers and words ---- */

static bool digits(struct jread *j)
{
	const char *from = j->p;

	while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
		j->p++;
	return j->p > from || bad(j);
}

/* Its form is held against JSON here; what it is worth is the same as in text. */
bool jread_number(struct jread *j, struct lwm2m_value *v)
{
	const char *from;

	if (j->g->err)
		return false;
	skip_space(j);
	if (!next_is(j, "-0123456789"))
		return next_is(j, "\"[{tfn") ? gather_fault(j->g, FAULT_TYPE) : bad(j);
	from = j->p;
	j->p += *j->p == '-';
	if (next_is(j, "0"))
		j->p++;
	else if (!digits(j))
		return false;
	if (next_is(j, "0123456789"))
		return bad(j);
	if (next_is(j, ".")) {
		j->p++;
		if (!digits(j))
			return false;
	}
	if (next_is(j, "eE")) {
		j->p++;
		j->p += next_is(j, "+-");
		if (!digits(j))
			return false;
	}
	return value_of_digits(v, from, (size_t)(j->p - from), true) || gather_fault(j->g, FAULT_TYPE);
}

/* false without a fault: another word stands there. */
static bool take_word(struct jread *j, const char *word)
{
	const size_t len = strlen(word);

	skip_space(j);
	if ((size_t)(j->end - j->p) < len || memcmp(j->p, word, len) != 0)
		return false;
	j->p += len;
	return true;
}

/* A word that the end of the payload cuts is truncated; anything else is the fault that is named. */
static bool no_word(struct jread *j, const char *fault)
{
	static const char *const words[] = { "true", "false", "null" };
	const size_t left = (size_t)(j->end - j->p);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (left < strlen(words[i]) && !memcmp(j->p, words[i], left))
			return gather_fault(j->g, FAULT_TRUNCATED);
	return gather_fault(j->g, fault);
}

bool jread_boolean(struct jread *j, bool *out)
{
	if (j->g->err)
		return false;
	*out = take_word(j, "true");
	return *out || take_word(j, "false") || no_word(j, next_is(j, "\"[{-0123456789n") ? FAULT_TYPE : FAULT_FORMAT);
}

bool jread_null(struct jread *j)
{
	return !j->g->err && take_word(j, "null");
}

/* ---- arrays and objects ---- */

bool jread_open(struct jread *j, char bracket, struct jread_list *list)
{
	if (j->g->err || !take(j, bracket))
		return false;
	if (j->depth == LWM2M_DECODE_DEPTH_MAX)
		return gather_fault(j->g, FAULT_DEPTH);
	j->depth++;
	*list = (struct jread_list){ .close = bracket == '[' ? ']' : '}', .first = true };
	return true;
}

bool jread_more(struct jread *j, struct jread_list *list)
{
	if (j->g->err)
		return false;
	if (peek(j) == list->close) {
		j->p++;
		j->depth--;
		return false;
	}
	if (!list->first && !take(j, ','))
		return false;
	list->first = false;
	return true;
}

static bool skip_list(struct jread *j, char bracket)
{
	struct jread_names names = { .n = 0 };
	struct jread_list list;
	struct lwm2m_text key;

	if (!jread_open(j, bracket, &list))
		return false;
	while (jread_more(j, &list))
		if ((bracket == '{' && (!jread_key(j, &key) || !jread_meet(j, &names, &key))) || !jread_skip(j))
			return false;
	return !j->g->err;
}

bool jread_skip(struct jread *j)
{
	struct lwm2m_text text;
	struct lwm2m_value v;

	switch (peek(j)) {
	case '{':
	case '[':
		return skip_list(j, *j->p);
	case '"':
		return jread_string(j, &text);
	case '-':
	case '0' ... '9':
		return jread_number(j, &v);
	default:
		return take_word(j, "null") || take_word(j, "true") || take_word(j, "false") ||
			no_word(j, FAULT_FORMAT);
	}
}

bool jread_end(struct jread *j)
{
	skip_space(j);
	return !j->g->err && (j->p == j->end || gather_fault(j->g, FAULT_FORMAT));
}
