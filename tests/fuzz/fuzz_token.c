/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_token.c - the answer of a token end: whatever it holds, a token that comes out may stand in a header line */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/client_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token_answer a;
	int err = token_answer_parse(&a, (const char *)data, size);

	if (err && a.token)
		abort();
	if (a.token && (!a.token[0] || strlen(a.token) > TOKEN_MOST || strpbrk(a.token, "\r\n \t")))
		abort();
	if (memchr(a.error, '\0', sizeof a.error) == NULL)
		abort();
	free(a.token);
	return 0;
}
