/* SPDX-License-Identifier: Apache-2.0 */
/* jansson.h - what our JSON reader takes, jansson takes too */
#ifndef NIDDGW_FUZZ_JANSSON_H
#define NIDDGW_FUZZ_JANSSON_H

#include <jansson.h>

#include "fuzz/decode.h"

/* Integers are doubles to it here, so that those beyond 2^63 are no fault; a NUL in a name is one to it alone. */
static void must_be_json(const uint8_t *data, size_t size)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
	json_t *j = json_loadb((const char *)data, size, flags, NULL);

	must(j || memmem(data, size, "\\u0000", 6));
	json_decref(j);
}

#endif
