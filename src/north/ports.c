/* SPDX-License-Identifier: Apache-2.0 */
/* ports.c - which local ports are taken by associations
 *
 * Some servers know a device by its port, so a port must never stand for two associations at once, and should be the
 * same again after a restart. A bit per port of the whole space tells what is taken: a port that is asked for by number
 * may lie outside the range that is chosen from.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "north/parts.h"

/* Decimal from *text up to a character that is no digit; 0 when there is none or it is above 65535. */
static uint16_t read_port(const char **text)
{
	unsigned long v = 0;

	while (**text >= '0' && **text <= '9' && v <= 65535)
		v = v * 10 + (unsigned long)(*(*text)++ - '0');
	return v <= 65535 ? (uint16_t)v : 0;
}

int ports_range_parse(uint16_t *first, uint16_t *last, const char *text)
{
	uint16_t a = read_port(&text), b;

	if (!a || *text++ != '-')
		return -EBADMSG;
	b = read_port(&text);
	if (*text || b < a)
		return -EBADMSG;
	*first = a;
	*last = b;
	return 0;
}

void ports_init(struct ports *p, uint16_t first, uint16_t last)
{
	memset(p, 0, sizeof *p);
	p->first = first;
	p->last = last;
	p->free = (unsigned)(last - first) + 1;
}

uint16_t ports_first_choice(const struct ports *p, const uint8_t *key, const char *who, const char *server)
{
	/* two hashes under the two halves of the key, so that no pair of names reads as another one */
	uint64_t pair[2] = { siphash(key + SIPHASH_KEY_LEN, who, strlen(who)),
			     siphash(key + SIPHASH_KEY_LEN, server, strlen(server)) };
	uint64_t range = (uint64_t)(p->last - p->first) + 1;

	return (uint16_t)(p->first + siphash(key, pair, sizeof pair) % range);
}

bool ports_is_taken(const struct ports *p, uint16_t port)
{
	return p->taken[port / 64] >> (port % 64) & 1;
}

/* The first free port of from..to, whole words of taken ones at a time; 0: none. */
static uint16_t scan(const struct ports *p, unsigned from, unsigned to)
{
	while (from <= to) {
		uint64_t vacant = ~p->taken[from / 64] >> (from % 64);

		if (vacant) {
			from += (unsigned)__builtin_ctzll(vacant);
			return from <= to ? (uint16_t)from : 0;
		}
		from = (from / 64 + 1) * 64;
	}
	return 0;
}

uint16_t ports_next_free(const struct ports *p, uint16_t from)
{
	uint16_t port;

	if (p->free == 0)
		return 0;
	if (from < p->first || from > p->last)
		from = p->first;
	port = scan(p, from, p->last);
	return port || from == p->first ? port : scan(p, p->first, from - 1u);
}

void ports_take(struct ports *p, uint16_t port)
{
	if (ports_is_taken(p, port))
		return;
	p->taken[port / 64] |= 1ull << (port % 64);
	if (port >= p->first && port <= p->last)
		p->free--;
}

void ports_release(struct ports *p, uint16_t port)
{
	if (!ports_is_taken(p, port))
		return;
	p->taken[port / 64] &= ~(1ull << (port % 64));
	if (port >= p->first && port <= p->last)
		p->free++;
}
