/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_oscore.c - an OSCORE option: what is told of it stands in it, or nothing is told (S6) */
#include <stdlib.h>
#include <string.h>

#include "coap/oscore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

/* The only value that says this. */
static size_t write(const struct coap_oscore *o, uint8_t flags, uint8_t *out)
{
	size_t n = 0;

	out[n++] = flags;
	if (o->piv_len)
		memcpy(out + n, o->piv, o->piv_len);
	n += o->piv_len;
	if (o->has_kid_context)
		out[n++] = o->kid_context_len;
	if (o->kid_context_len)
		memcpy(out + n, o->kid_context, o->kid_context_len);
	n += o->kid_context_len;
	if (o->kid_len)
		memcpy(out + n, o->kid, o->kid_len);
	return n + o->kid_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct coap_oscore empty;
	uint8_t *value = malloc(size ? size : 1), out[600]; /* of its own: what is read behind its end is found */
	struct coap_oscore o;

	if (!value)
		return 0;
	memcpy(value, data, size);
	if (!coap_oscore_read(&o, value, size)) {
		must(size > 0 && !memcmp(&o, &empty, sizeof o));
	} else if (size) {
		must(o.piv_len <= 5 && (o.has_kid || !o.kid_len) && (o.has_kid_context || !o.kid_context_len));
		must(o.piv_len == (value[0] & 7) && o.has_kid == !!(value[0] & 8) &&
		     o.has_kid_context == !!(value[0] & 16));
		must(write(&o, value[0], out) == size && !memcmp(out, value, size));
	}
	free(value);
	return 0;
}
