/* SPDX-License-Identifier: Apache-2.0 */
/* envelope.h - a state record as it stands in the database
 *
 * SQLite does not notice a bit that flipped within a value. So each value carries a checksum over its table, its key and
 * itself: 1 version, 4 checksum, data.
 */
#ifndef NIDDGW_STORE_ENVELOPE_H
#define NIDDGW_STORE_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

enum { ENVELOPE_HEAD = 5 };

struct envelope_key {
	unsigned table;
	const void *key;
	size_t key_len;
};

/* out takes ENVELOPE_HEAD + len octets. */
void envelope_seal(uint8_t *out, const struct envelope_key *k, const void *data, size_t len);
/* The data within, or NULL: it is not what was sealed for that key. *len is set on success. */
const uint8_t *envelope_open(const struct envelope_key *k, const void *sealed, size_t sealed_len, size_t *len);

#endif
