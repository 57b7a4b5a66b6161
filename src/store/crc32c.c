/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c - eight octets per step through eight tables
 *
 * Every octet of a journal passes here at the start, so one look-up per octet would be felt. The tables follow from the
 * polynomial and are filled at the first use.
 */
#include "store/crc32c.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

enum { SLICES = 8 };
#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 with its bits reversed */

static uint32_t table[SLICES][256];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? POLYNOMIAL : 0);
		table[0][i] = c;
	}
	for (int s = 1; s < SLICES; s++)
		for (uint32_t i = 0; i < 256; i++)
			table[s][i] = table[s - 1][i] >> 8 ^ table[0][table[s - 1][i] & 255];
}

static inline uint32_t four(const uint32_t (*t)[256], uint32_t word)
{
	return t[3][word & 255] ^ t[2][word >> 8 & 255] ^ t[1][word >> 16 & 255] ^ t[0][word >> 24];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t word[2];

	pthread_once(&filled, fill);
	crc = ~crc;
	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(word, p, sizeof word);
		crc = four(table + 4, le32toh(word[0]) ^ crc) ^ four(table, le32toh(word[1]));
	}
	for (; len; p++, len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
	return ~crc;
}
