/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_lwm2m_cbor.c - reports in LwM2M CBOR (F12) */
#include "fuzz/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_fuzzed(LWM2M_CF_LWM2M_CBOR, data, size);
	return 0;
}
