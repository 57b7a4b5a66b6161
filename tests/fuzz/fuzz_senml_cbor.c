/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_senml_cbor.c - reports and composite bodies in SenML CBOR (F11), and single values in CBOR */
#include "fuzz/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned formats[] = { LWM2M_CF_SENML_CBOR, LWM2M_CF_ETCH_CBOR, LWM2M_CF_CBOR,
					    LWM2M_CF_SENML_CBOR };

	if (size)
		decode_fuzzed(formats[data[0] >> 6], data, size);
	return 0;
}
