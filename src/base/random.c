/* SPDX-License-Identifier: Apache-2.0 */
/* random.c - the kernel's random octets, a block at a time; or a seeded sequence
 *
 * Message ids and tokens are drawn for every exchange: a system call for each would cost more than all else of it.
 */
#include "base/random.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static struct {
	uint8_t block[256]; /* kernel octets not yet given out are at the end */
	size_t left;
	bool seeded;
	uint64_t state;
} pool;

static void from_kernel(uint8_t *out, size_t len)
{
	while (len) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		out += n;
		len -= (size_t)n;
	}
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_seeded(void)
{
	uint64_t z = pool.state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void from_seed(uint8_t *out, size_t len)
{
	while (len) {
		const uint64_t z = next_seeded();
		const size_t n = len < sizeof z ? len : sizeof z;

		memcpy(out, &z, n);
		out += n;
		len -= n;
	}
}

void random_bytes(void *out, size_t len)
{
	uint8_t *from;

	if (pool.seeded) {
		from_seed(out, len);
		return;
	}
	if (len > sizeof pool.block / 4) {
		from_kernel(out, len);
		return;
	}
	if (len > pool.left) {
		from_kernel(pool.block, sizeof pool.block);
		pool.left = sizeof pool.block;
	}
	from = pool.block + sizeof pool.block - pool.left;
	memcpy(out, from, len);
	explicit_bzero(from, len); /* what was given out cannot be read again here */
	pool.left -= len;
}

uint32_t random_below(uint32_t n)
{
	const uint32_t uneven = (uint32_t)(-n) % n; /* 2^32 mod n: so many values would favour the low results */
	uint64_t product;
	uint32_t x;

	do {
		random_bytes(&x, sizeof x);
		product = (uint64_t)x * n;
	} while ((uint32_t)product < uneven);
	return (uint32_t)(product >> 32);
}

void random_seed(uint64_t seed)
{
	pool.seeded = true;
	pool.state = seed;
}
