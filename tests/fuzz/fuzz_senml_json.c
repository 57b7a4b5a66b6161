/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_senml_json.c - reports and composite bodies in SenML JSON (F10) */
#include "fuzz/jansson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && decode_fuzzed(data[0] & 64 ? LWM2M_CF_ETCH_JSON : LWM2M_CF_SENML_JSON, data, size))
		must_be_json(data + 1, size - 1);
	return 0;
}
