/* SPDX-License-Identifier: Apache-2.0 */
/* csv.c - records of comma-separated values, RFC 4180
 *
 * One octet is looked at after the other, and a record grows in one buffer of a fixed size with its fields cut by NULs:
 * no line is too long for memory, and a file is never in memory as a whole.
 */
#include "ctl/csv.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

enum { END = -1 };

void csv_init(struct csv *c, csv_read_fn *read, void *arg)
{
	c->read = read;
	c->arg = arg;
	c->in_at = c->in_len = 0;
	c->line = 1;
	c->last = 0;
	c->begun = c->failed = false;
}

/* ---- octets ---- */

static bool fill(struct csv *c)
{
	long n = c->failed ? 0 : c->read(c->arg, c->in, sizeof c->in);

	c->failed = c->failed || n < 0;
	c->in_at = 0;
	c->in_len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static int peek(struct csv *c)
{
	if (c->in_at == c->in_len && !fill(c))
		return END;
	return (unsigned char)c->in[c->in_at];
}

static int take(struct csv *c)
{
	int ch = peek(c);

	if (ch == END)
		return END;
	c->in_at++;
	c->line += ch == '\n';
	c->last = ch;
	return ch;
}

/* The byte order mark that some programs write; it may come in pieces. */
static void pass_mark(struct csv *c)
{
	static const char mark[] = "\xef\xbb\xbf";

	c->begun = true;
	for (bool more = fill(c); more && c->in_len < 3;) {
		long n = c->read(c->arg, c->in + c->in_len, sizeof c->in - c->in_len);

		more = n > 0;
		c->failed = n < 0;
		c->in_len += more ? (size_t)n : 0;
	}
	if (c->in_len >= 3 && memcmp(c->in, mark, 3) == 0)
		c->in_at = 3;
}

static void pass_line(struct csv *c)
{
	int ch;

	do
		ch = take(c);
	while (ch != END && ch != '\n');
}

static void fault(struct csv *c, const char *text)
{
	if (!c->fault)
		c->fault = text;
}

static void put(struct csv *c, int ch)
{
	if (c->len == CSV_RECORD_MOST)
		fault(c, "longer than 32768 octets");
	else if (!ch)
		fault(c, "an octet of 0 stands in it");
	else
		c->text[c->len++] = (char)ch;
}

static bool is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;

	while (len) {
		size_t n = text_utf8(p, len);

		if (!n)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/* ---- fields ---- */

/* A CR counts with the LF behind it only. */
static bool at_line_end(struct csv *c)
{
	int ch = peek(c);

	if (ch != '\r')
		return ch == '\n' || ch == END;
	(void)take(c);
	if (peek(c) == '\n' || peek(c) == END)
		return true;
	fault(c, "a carriage return stands in it without a line feed");
	return true;
}

/* Behind the opening quote. A quote inside is written twice. */
static void take_quoted(struct csv *c)
{
	while (!c->fault) {
		int ch = take(c);

		if (ch == END) {
			fault(c, "a quote is not closed before the end of the file");
		} else if (ch != '"') {
			put(c, ch);
		} else if (peek(c) == '"') {
			put(c, take(c));
		} else {
			return;
		}
	}
}

static void take_plain(struct csv *c)
{
	while (!c->fault && !at_line_end(c)) {
		int ch = peek(c);

		if (ch == ',')
			return;
		if (ch == '"')
			fault(c, "a quote stands inside a field that does not begin with one");
		else
			put(c, take(c));
	}
}

static void take_field(struct csv *c)
{
	const size_t at = c->len;

	if (c->fields == CSV_FIELDS_MOST) {
		fault(c, "more than 256 fields");
		return;
	}
	c->field[c->fields] = c->text + at;
	if (peek(c) == '"') {
		(void)take(c);
		take_quoted(c);
		if (!c->fault && !at_line_end(c) && peek(c) != ',')
			fault(c, "something stands behind a closing quote");
	} else {
		take_plain(c);
	}
	if (!c->fault && !is_utf8(c->text + at, c->len - at))
		fault(c, "not UTF-8");
	if (c->len == CSV_RECORD_MOST)
		fault(c, "longer than 32768 octets");
	if (c->fault)
		return;
	c->text[c->len++] = '\0';
	c->fields++;
}

/* ---- records ---- */

/* To the first octet of the next record; false at the end. */
static bool begin(struct csv *c)
{
	if (!c->begun)
		pass_mark(c);
	c->len = 0;
	c->fields = 0;
	c->fault = NULL;
	for (;;) {
		int ch = peek(c);

		if (ch == END)
			return false;
		c->at_line = c->line;
		if (ch != '\n' && ch != '\r')
			return true;
		if (take(c) == '\r' && peek(c) != '\n' && peek(c) != END) {
			fault(c, "a carriage return stands in it without a line feed");
			return true;
		}
	}
}

int csv_next(struct csv *c)
{
	if (!begin(c))
		return 0;
	while (!c->fault) {
		take_field(c);
		if (c->fault || peek(c) != ',')
			break;
		(void)take(c);
	}
	if (!c->fault || c->last != '\n') /* a fault in quotes may have come with the end of a line */
		pass_line(c);
	return c->fault ? -EBADMSG : 1;
}

int csv_next_line(struct csv *c)
{
	int ch;

	if (!begin(c))
		return 0;
	while ((ch = take(c)) != END && ch != '\n' && !c->fault)
		put(c, ch);
	if (c->fault && ch != '\n')
		pass_line(c);
	if (c->len && c->text[c->len - 1] == '\r')
		c->len--;
	c->text[c->len] = '\0';
	if (!is_utf8(c->text, c->len))
		fault(c, "not UTF-8");
	return c->fault ? -EBADMSG : 1;
}
