/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tlv.c - reports in TLV (F9) */
#include "fuzz/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_fuzzed(LWM2M_CF_TLV, data, size);
	return 0;
}
