/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - see list.h */
#include "link/t8/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { START, FIRST, OBJECT, AFTER, NEXT, DONE, BROKEN };

void t8_list_init(struct t8_list *l, t8_list_fn *fn, void *arg)
{
	memset(l, 0, sizeof *l);
	l->fn = fn;
	l->arg = arg;
}

void t8_list_fini(struct t8_list *l)
{
	free(l->buf);
	l->buf = NULL;
}

bool t8_list_complete(const struct t8_list *l)
{
	return l->state == DONE;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Octets of the object; one that grows too large is passed over to its end. */
static void keep(struct t8_list *l, const char *data, size_t len)
{
	if (l->skipping)
		return;
	if (len > T8_LIST_OBJECT - l->len) {
		l->skipping = true;
		return;
	}
	if (l->len + len > l->size) {
		size_t size = l->size ? l->size : 1024;
		char *buf;

		while (size < l->len + len)
			size *= 2;
		buf = realloc(l->buf, size);
		if (!buf) {
			l->skipping = true;
			return;
		}
		l->buf = buf;
		l->size = size;
	}
	memcpy(l->buf + l->len, data, len);
	l->len += len;
}

static void hand_over(struct t8_list *l)
{
	if (l->skipping) {
		l->skipped++;
	} else {
		l->objects++;
		l->fn(l->arg, l->buf, l->len);
	}
	l->len = 0;
	l->skipping = false;
	l->state = AFTER;
}

/* Is this octet the last of the object? */
static bool ends_object(struct t8_list *l, char c)
{
	if (l->in_string) {
		if (l->escaped)
			l->escaped = false;
		else if (c == '\\')
			l->escaped = true;
		else if (c == '"')
			l->in_string = false;
		return false;
	}
	if (c == '"')
		l->in_string = true;
	else if (c == '{' || c == '[')
		l->depth++;
	else if (c == '}' || c == ']')
		l->depth--;
	return l->depth == 0;
}

static size_t feed_object(struct t8_list *l, const char *data, size_t len)
{
	size_t n = 0;

	while (n < len)
		if (ends_object(l, data[n++])) {
			keep(l, data, n);
			hand_over(l);
			return n;
		}
	keep(l, data, n);
	return n;
}

/* What may come between objects. */
static void feed_between(struct t8_list *l, char c)
{
	static const struct {
		uint8_t in;
		char c;
		uint8_t next;
	} steps[] = {
		{ START, '[', FIRST }, { FIRST, '{', OBJECT }, { FIRST, ']', DONE },
		{ AFTER, ',', NEXT },  { AFTER, ']', DONE },   { NEXT, '{', OBJECT },
	};

	if (is_space(c))
		return;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (steps[i].in == l->state && steps[i].c == c) {
			l->state = steps[i].next;
			return;
		}
	l->state = BROKEN;
}

int t8_list_feed(struct t8_list *l, const char *data, size_t len)
{
	size_t i = 0;

	while (i < len && l->state != BROKEN) {
		if (l->state != OBJECT)
			feed_between(l, data[i]);
		if (l->state == OBJECT)
			i += feed_object(l, data + i, len - i);
		else
			i++;
	}
	return l->state == BROKEN ? -EBADMSG : 0;
}
