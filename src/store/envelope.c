/* SPDX-License-Identifier: Apache-2.0 */
/* envelope.c - checksums of state records */
#include "store/envelope.h"

#include "base/octets.h"
#include "store/crc32c.h"

enum { VERSION = 1 };

static uint32_t sum(const struct envelope_key *k, const void *data, size_t len)
{
	const uint8_t head[] = { VERSION, (uint8_t)k->table, (uint8_t)(k->key_len >> 8), (uint8_t)k->key_len };

	return crc32c(crc32c(crc32c(0, head, sizeof head), k->key, k->key_len), data, len);
}

void envelope_seal(uint8_t *out, const struct envelope_key *k, const void *data, size_t len)
{
	struct writer w = writer_of(out, ENVELOPE_HEAD + len);

	write_u8(&w, VERSION);
	write_u32(&w, sum(k, data, len));
	write_bytes(&w, data, len);
}

const uint8_t *envelope_open(const struct envelope_key *k, const void *sealed, size_t sealed_len, size_t *len)
{
	struct reader r = reader_of(sealed, sealed_len);
	const uint8_t version = read_u8(&r);
	const uint32_t crc = read_u32(&r);

	if (r.failed || version != VERSION || crc != sum(k, r.p, reader_left(&r)))
		return NULL;
	*len = reader_left(&r);
	return r.p;
}
