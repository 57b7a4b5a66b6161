/* SPDX-License-Identifier: Apache-2.0 */
/* id.c - names of reports: milliseconds, then random octets, in an alphabet that sorts (48 and 80 bits in base 32)
 *
 * Within one millisecond, and while the clock stands behind what it has said already, the random part counts up.
 */
#include "base/random.h"
#include "mirror/inside.h"

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void count_up(uint8_t tail[10])
{
	for (unsigned i = 10; i-- > 0;)
		if (++tail[i])
			return;
}

/* 40 bits as 8 characters. */
static void write_five(char *out, const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 5; i++)
		v = v << 8 | p[i];
	for (unsigned i = 8; i-- > 0; v >>= 5)
		out[i] = letters[v & 31];
}

void report_id(struct report_ids *ids, char out[27], uint64_t wall_ms)
{
	uint64_t v;

	if (wall_ms > ids->ms) {
		ids->ms = wall_ms & 0xffffffffffffu;
		random_bytes(ids->tail, sizeof ids->tail);
		ids->tail[0] &= 0x7f; /* room to count */
	} else {
		count_up(ids->tail);
	}
	v = ids->ms;
	for (unsigned i = 10; i-- > 0; v >>= 5)
		out[i] = letters[v & 31];
	write_five(out + 10, ids->tail);
	write_five(out + 18, ids->tail + 5);
	out[26] = 0;
}
