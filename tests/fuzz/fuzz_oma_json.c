/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_oma_json.c - reports in the JSON of LwM2M 1.0 */
#include "fuzz/jansson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (decode_fuzzed(LWM2M_CF_OMA_JSON, data, size))
		must_be_json(data + 1, size - 1);
	return 0;
}
