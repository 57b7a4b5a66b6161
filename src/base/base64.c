/* SPDX-License-Identifier: Apache-2.0 */
/* base64.c - RFC 4648 section 4 out, sections 4 and 5 in
 *
 * One table serves both alphabets; which of the two a text uses is noted on the way, because a text that uses both
 * comes from nobody's encoder.
 */
#include "base/base64.h"

#include <errno.h>
#include <stdbool.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { VALUE = 0x40, STANDARD = 0x100, URL_SAFE = 0x200 }; /* marks beside the six bits; 0: a foreign character */

/* clang-format off */
#define V(n) (VALUE | (n))
static const uint16_t values[256] = {
	['A'] = V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15), V(16),
	V(17), V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25),
	['a'] = V(26), V(27), V(28), V(29), V(30), V(31), V(32), V(33), V(34), V(35), V(36), V(37), V(38), V(39), V(40),
	V(41), V(42), V(43), V(44), V(45), V(46), V(47), V(48), V(49), V(50), V(51),
	['0'] = V(52), V(53), V(54), V(55), V(56), V(57), V(58), V(59), V(60), V(61),
	['+'] = STANDARD | V(62), ['/'] = STANDARD | V(63), ['-'] = URL_SAFE | V(62), ['_'] = URL_SAFE | V(63),
};
#undef V
/* clang-format on */

size_t base64_encode(char *out, const void *data, size_t len)
{
	const uint8_t *p = data;
	char *o = out;

	for (; len >= 3; p += 3, len -= 3, o += 4) {
		o[0] = alphabet[p[0] >> 2];
		o[1] = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
		o[2] = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
		o[3] = alphabet[p[2] & 63];
	}
	if (len) {
		const uint8_t second = len == 2 ? p[1] : 0;

		o[0] = alphabet[p[0] >> 2];
		o[1] = alphabet[(p[0] & 3) << 4 | second >> 4];
		o[2] = len == 2 ? alphabet[(second & 15) << 2] : '=';
		o[3] = '=';
		o += 4;
	}
	*o = '\0';
	return (size_t)(o - out);
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

/* What follows the last value: nothing, or exactly the padding that completes its group of four. */
static bool padding_fits(const char *text, size_t len, size_t chars)
{
	size_t pads = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '=')
			pads++;
		else if (!is_line_end(text[i]))
			return false;
	}
	return !pads || (chars % 4 && pads == 4 - chars % 4);
}

long base64_decode(uint8_t *out, size_t size, const char *text, size_t len)
{
	size_t at = 0, chars = 0, n = 0;
	unsigned seen = 0;
	uint32_t bits = 0;

	for (; at < len && text[at] != '='; at++) {
		const unsigned v = values[(uint8_t)text[at]];

		if (!v && is_line_end(text[at]))
			continue;
		if (!v)
			return -EBADMSG;
		seen |= v;
		bits = bits << 6 | (v & 63);
		if (!(chars++ % 4))
			continue;
		if (n == size)
			return -EMSGSIZE;
		out[n++] = (uint8_t)(bits >> (6 - 2 * ((chars - 1) % 4)));
		/* the second, third and fourth of a group leave 4, 2 and no bits */
	}
	if ((seen & STANDARD && seen & URL_SAFE) || chars % 4 == 1 || !padding_fits(text + at, len - at, chars))
		return -EBADMSG;
	if ((chars % 4 == 2 && bits & 15) || (chars % 4 == 3 && bits & 3))
		return -EBADMSG;
	return (long)n;
}
