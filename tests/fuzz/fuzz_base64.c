/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_base64.c - the decoder; what it takes must come back the same through the encoder */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *out = malloc(size + 1), *again = malloc(size + 1);
	char *text = malloc(BASE64_LEN(size) + 1);
	long n, m;

	if (!out || !again || !text)
		abort();
	n = base64_decode(out, size, (const char *)data, size);
	if (n >= 0) {
		const size_t len = base64_encode(text, out, (size_t)n);

		m = base64_decode(again, (size_t)n, text, len);
		if (m != n || memcmp(out, again, (size_t)n) != 0)
			abort();
		if (n && base64_decode(again, (size_t)n - 1, (const char *)data, size) >= 0)
			abort();
	}
	free(text);
	free(again);
	free(out);
	return 0;
}
