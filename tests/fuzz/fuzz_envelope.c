/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_envelope.c - sealed values of state: what opens is what was sealed for that key
 *
 * Input: the table, the length of the key, the key, then what stands in the database.
 */
#include <stdlib.h>
#include <string.h>

#include "store/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope_key k;
	const uint8_t *inside, *sealed;
	uint8_t *again;
	size_t sealed_len, len;

	if (size < 2 || size - 2 < data[1])
		return 0;
	k = (struct envelope_key){ data[0], data + 2, data[1] };
	sealed = data + 2 + k.key_len;
	sealed_len = size - 2 - k.key_len;
	inside = envelope_open(&k, sealed, sealed_len, &len);
	again = malloc(ENVELOPE_HEAD + sealed_len);
	if (!again)
		abort();
	if (inside) {
		envelope_seal(again, &k, inside, len);
		if (len + ENVELOPE_HEAD != sealed_len || memcmp(again, sealed, sealed_len) != 0)
			abort();
	}
	envelope_seal(again, &k, sealed, sealed_len);
	inside = envelope_open(&k, again, ENVELOPE_HEAD + sealed_len, &len);
	if (!inside || len != sealed_len || memcmp(inside, sealed, len) != 0)
		abort();
	again[ENVELOPE_HEAD - 1] ^= 1;
	if (envelope_open(&k, again, ENVELOPE_HEAD + sealed_len, &len))
		abort();
	free(again);
	return 0;
}
