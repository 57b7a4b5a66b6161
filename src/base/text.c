/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - UTF-8 by the well-formedness table of Unicode 3.9, which RFC 3629 repeats
 *
 * The C1 controls and U+2028/U+2029 count as unprintable although they are UTF-8: terminals and line readers act on
 * them.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

static size_t three(const uint8_t *p)
{
	const uint8_t low = p[0] == 0xe0 ? 0xa0 : 0x80, high = p[0] == 0xed ? 0x9f : 0xbf;

	return p[1] >= low && p[1] <= high && tail(p[2]) ? 3 : 0;
}

static size_t four(const uint8_t *p)
{
	const uint8_t low = p[0] == 0xf0 ? 0x90 : 0x80, high = p[0] == 0xf4 ? 0x8f : 0xbf;

	return p[1] >= low && p[1] <= high && tail(p[2]) && tail(p[3]) ? 4 : 0;
}

size_t text_utf8(const uint8_t *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return left >= 2 && tail(p[1]) ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] <= 0xef)
		return left >= 3 ? three(p) : 0;
	if (p[0] >= 0xf0 && p[0] <= 0xf4)
		return left >= 4 ? four(p) : 0;
	return 0;
}

size_t text_printable(const uint8_t *p, size_t left)
{
	size_t n = text_utf8(p, left);

	if (n == 1 && (p[0] < 0x20 || p[0] == 0x7f))
		return 0;
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 0;
	if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 0;
	return n;
}

bool text_is_printable(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;

	while (len) {
		size_t n = text_printable(p, len);

		if (!n)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

void text_escape(char *buf, size_t size, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t left = strlen(text), at = 0;

	while (left) {
		size_t n = text_printable(p, left);

		if (at + (n ? n : 4) >= size)
			break;
		if (n) {
			memcpy(buf + at, p, n);
			at += n;
		} else {
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", *p);
			n = 1;
		}
		p += n;
		left -= n;
	}
	if (size)
		buf[at] = '\0';
}
