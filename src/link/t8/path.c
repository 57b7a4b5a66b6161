/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - see path.h */
#include "link/t8/path.h"

#include <errno.h>
#include <string.h>

/* RFC 3986 pchar without "%": what may stand plainly in a segment. */
static const bool is_pchar[256] = {
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true, ['.'] = true,
	['_'] = true,         ['~'] = true,         ['!'] = true,         ['$'] = true, ['&'] = true,
	['\''] = true,        ['('] = true,         [')'] = true,         ['*'] = true, ['+'] = true,
	[','] = true,         [';'] = true,         ['='] = true,         [':'] = true, ['@'] = true,
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct out {
	char *p;
	size_t len, size;
};

static bool put(struct out *o, const char *text, size_t n)
{
	if (o->len + n >= o->size)
		return false;
	memcpy(o->p + o->len, text, n);
	o->len += n;
	o->p[o->len] = '\0';
	return true;
}

static bool put_octet(struct out *o, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char escape[] = { '%', digits[c >> 4], digits[c & 15] };
	const char plain = (char)c;

	return is_pchar[c] ? put(o, &plain, 1) : put(o, escape, sizeof escape);
}

/* Octets that stand in a path as they are. */
static size_t plain_span(const char *p)
{
	size_t n = 0;

	while (is_pchar[(unsigned char)p[n]] || p[n] == '/')
		n++;
	return n;
}

/* Path text up to a query or fragment. A "%" that begins no escape is one itself. */
static int normalise(struct out *o, const char *p)
{
	while (*p && *p != '?' && *p != '#') {
		size_t n = plain_span(p);
		bool ok;

		if (n) {
			ok = put(o, p, n);
			p += n;
		} else if (*p == '%' && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0) {
			ok = put_octet(o, (unsigned char)(hex_value(p[1]) << 4 | hex_value(p[2])));
			p += 3;
		} else {
			ok = put_octet(o, (unsigned char)*p++);
		}
		if (!ok)
			return -EMSGSIZE;
	}
	return 0;
}

/* Every segment is there and none climbs: the tail is appended to our base. */
static bool segments_are_sound(const char *p)
{
	for (;;) {
		size_t n = strcspn(p, "/");

		if (!n || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
		p += n + 1;
	}
}

static const char configurations[] = "configurations/";

/* Where "configurations/" begins as a whole segment. */
static const char *find_configurations(const char *link)
{
	const char *p = link;

	while ((p = strstr(p, configurations)) && p != link && p[-1] != '/')
		p++;
	return p;
}

static const char *find_last(const char *text, const char *what)
{
	const char *p = NULL;

	while ((text = strstr(text, what)))
		p = text++;
	return p;
}

/* "gw/configurations/gw/configurations/7": a relative link without its slash, resolved against where it came from. */
static void drop_repeated(char *out)
{
	char *first = strstr(out, "/configurations/");
	const char *last = find_last(out, "/configurations/");

	if (last != first)
		memmove(first, last, strlen(last) + 1);
}

static int finish(char *out, struct out *o, int err)
{
	while (!err && o->len && out[o->len - 1] == '/')
		out[--o->len] = '\0';
	if (!err)
		drop_repeated(out);
	if (!err && (!strstr(out, "/configurations/") || !segments_are_sound(out)))
		err = -EBADMSG;
	if (err)
		out[0] = '\0';
	return err;
}

int t8_tail(char *out, const char *link, const char *scs)
{
	struct out o = { out, 0, T8_TAIL_MAX };
	char plain[1024];
	struct out whole = { plain, 0, sizeof plain };
	const char *p;
	int err;

	out[0] = plain[0] = '\0';
	err = normalise(&whole, link);
	if (err)
		return err;
	p = find_last(plain, T8_NIDD);
	if (p)
		return finish(out, &o, normalise(&o, p + sizeof T8_NIDD - 1));
	p = find_configurations(plain);
	if (!p)
		return -EBADMSG;
	err = normalise(&o, scs);
	if (!err && !put(&o, "/", 1))
		err = -EMSGSIZE;
	return finish(out, &o, err ? err : normalise(&o, p));
}

int t8_segment(char *out, size_t size, const char *text)
{
	struct out o = { out, 0, size };

	out[0] = '\0';
	for (; *text; text++)
		if (!put_octet(&o, (unsigned char)*text))
			return -EMSGSIZE;
	return 0;
}

bool t8_segment_is_sound(const char *text)
{
	if (!*text || !strcmp(text, ".") || !strcmp(text, "..") || strlen(text) > 64)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == '/' || *text == 0x7f)
			return false;
	return true;
}

bool t8_path_is_sound(const char *text)
{
	if (*text != '/' || strlen(text) > 200)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '?' || *text == '#')
			return false;
	return true;
}

int t8_msisdn(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ' || (*text == '+' && !n))
			continue;
		if (*text < '0' || *text > '9' || n == 15 || n + 1 >= size)
			return -EBADMSG;
		out[n++] = *text;
	}
	out[n] = '\0';
	return n ? 0 : -EBADMSG;
}

bool t8_external_id_is_sound(const char *text)
{
	const char *at = strchr(text, '@');

	if (!at || at == text || !at[1] || strchr(at + 1, '@') || strlen(text) >= T8_ID_MAX)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}
