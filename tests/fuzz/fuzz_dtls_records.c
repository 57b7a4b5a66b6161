/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dtls_records.c - what is read of a unit of DTLS records, and that its repetition has the same mark */
#include <stdlib.h>
#include <string.h>

#include "session/dtls_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dtls_unit u, again;
	uint8_t copy[4096];

	if (size > sizeof copy || dtls_unit_read(&u, data, size))
		return 0;
	if (!u.records || u.records > size || !dtls_begins(data, size))
		abort();
	memcpy(copy, data, size);
	if (u.handshake)
		copy[10]++; /* of the sequence number */
	if (dtls_unit_read(&again, copy, size) || again.mark != u.mark || again.records != u.records)
		abort();
	return 0;
}
