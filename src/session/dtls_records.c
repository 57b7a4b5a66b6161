/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_records.c - what can be seen of a unit of DTLS records without a key
 *
 * A server sends a flight of its handshake again when the answer is late, and over a slow bearer it always is. The
 * repetition has new sequence numbers, and what is encrypted in it other octets; its types, epochs and lengths are the
 * same, and its plaintext.
 */
#include "session/dtls_records.h"

#include <errno.h>

#include "base/map.h"
#include "base/octets.h"

enum { HEADER = 13, CIPHERTEXT_MIN = 0x20 };

static uint64_t mix(uint64_t mark, uint64_t with)
{
	const uint64_t both[2] = { mark, with };

	return map_hash(both, sizeof both);
}

/* The record that r stands at, with a header of DTLS 1.0 to 1.2. */
static bool read_record(struct dtls_unit *u, struct reader *r, uint8_t *type, uint16_t *epoch)
{
	uint8_t head[5];
	const uint8_t *body;
	size_t len;

	*type = head[0] = read_u8(r);
	head[1] = read_u8(r);
	head[2] = read_u8(r);
	*epoch = read_u16(r);
	read_span(r, 6);
	len = read_u16(r);
	body = read_span(r, len);
	if (r->failed || head[1] != 0xfe || (head[2] != 0xff && head[2] != 0xfd))
		return false;
	head[3] = (uint8_t)(*epoch >> 8);
	head[4] = (uint8_t)*epoch;
	u->mark = mix(mix(u->mark, map_hash(head, sizeof head)), len);
	if (!*epoch && len)
		u->mark = mix(u->mark, map_hash(body, len));
	return true;
}

int dtls_unit_read(struct dtls_unit *u, const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);

	*u = (struct dtls_unit){ .content_type = len ? data[0] : 0, .handshake = len != 0 };
	while (reader_left(&r)) {
		uint8_t type = data[len - reader_left(&r)];
		uint16_t epoch = 0;

		if (type == DTLS_CID || (type >= CIPHERTEXT_MIN && type <= 0x3f)) {
			u->handshake = false;
			u->mark = mix(u->mark, map_hash(data, len));
			u->records++;
			return 0;
		}
		if (type < DTLS_CHANGE_CIPHER_SPEC || type > DTLS_CID || !read_record(u, &r, &type, &epoch))
			return -EBADMSG;
		u->handshake = u->handshake && (type == DTLS_HANDSHAKE || type == DTLS_CHANGE_CIPHER_SPEC);
		if (!u->records++)
			u->epoch = epoch;
	}
	return u->records ? 0 : -EBADMSG;
}
