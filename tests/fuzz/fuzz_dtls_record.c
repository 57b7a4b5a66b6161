/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dtls_record.c - the sorter of DTLS records: it only takes out, and what it leaves it leaves again */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "north/dtls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const bool handshake = size && data[0] & 1;
	struct dtls_sorted s;
	uint8_t *copy;
	size_t len, again;

	if (!size || size > 65536)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	len = dtls_sort(copy, size - 1, handshake, &s);
	if (len > size - 1 || (len < size - 1) != (s.dropped > 0))
		abort();
	again = dtls_sort(copy, len, handshake, &s);
	if (again != len || s.dropped || s.alert)
		abort();
	free(copy);
	return 0;
}
