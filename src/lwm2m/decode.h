/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - a payload of LwM2M to a list of values, whatever its format
 *
 * Text, opaque, CBOR, TLV, OMA JSON, SenML JSON and CBOR, SenML-ETCH and LwM2M CBOR all give the same values for the same report.
 * The registry tells the type where the format does not (text, TLV) or tells it loosely; a resource it does not know has
 * the format's own kind. In a format that names its kinds a value of another kind than the registered one is handed on
 * as it came. A report is handed over whole or not at all.
 */
#ifndef NIDDGW_LWM2M_DECODE_H
#define NIDDGW_LWM2M_DECODE_H

#include "lwm2m/path.h"
#include "lwm2m/value.h"

struct lwm2m_registry;
struct lwm2m_objects;

enum lwm2m_format { /* Content-Format, CoAP registry; the old ones were in use before it */
	LWM2M_CF_TEXT = 0,
	LWM2M_CF_LINK = 40, /* not a report: objects.h */
	LWM2M_CF_OPAQUE = 42,
	LWM2M_CF_CBOR = 60,
	LWM2M_CF_SENML_JSON = 110,
	LWM2M_CF_SENML_CBOR = 112,
	LWM2M_CF_ETCH_JSON = 320,
	LWM2M_CF_ETCH_CBOR = 322,
	LWM2M_CF_OLD_TEXT = 1541,
	LWM2M_CF_OLD_TLV = 1542,
	LWM2M_CF_OLD_JSON = 1543,
	LWM2M_CF_TLV = 11542,
	LWM2M_CF_OMA_JSON = 11543,
	LWM2M_CF_LWM2M_CBOR = 11544,
};
/* "application/senml+cbor"; NULL: none of ours. */
const char *lwm2m_format_name(unsigned format);

#define LWM2M_DECODE_LEN_MAX 262144 /* octets of one report */
#define LWM2M_DECODE_VALUES_MAX 1024
#define LWM2M_DECODE_DEPTH_MAX 8 /* arrays and maps inside each other */

struct lwm2m_decode_in {
	unsigned format;               /* enum lwm2m_format, or any number */
	const uint8_t *payload;        /* may be NULL when len is 0 */
	size_t len;
	const struct lwm2m_path *path; /* of the request; NULL: Send and the composite operations, where names tell all */
	struct lwm2m_text base;        /* alternate path of the device; p NULL: none */
	bool fetch;                    /* the body of a FETCH: names without values */
	bool prefixes;                 /* the caller tells devices behind a LwM2M gateway apart; else such a report is a fault of format, so that
	                                * nobody takes their values for the gateway's own */
	int64_t arrival_us;            /* UTC, since 1970: when the unit came from the network */
	const struct lwm2m_registry *registry; /* NULL: nothing is known */
	const struct lwm2m_objects *objects;   /* what the device registered; NULL: the newest versions count */
};

/* Called once for a report that is sound; n may be 0. All borrowed for the call. */
typedef void lwm2m_values_fn(void *arg, const struct lwm2m_value *v, size_t n);

/**
 * Decode one report.
 * @param reason  set on failure to the word that is published: "truncated", "depth", "bad_utf8", "type" or "format"; may be NULL
 * @return 0 and fn was called; -EBADMSG and it was not; -ENOMEM (reason "format")
 *
 * LwM2M Core, data formats; RFC 8428 (SenML), RFC 8790 (ETCH), RFC 8949 (CBOR).
 */
int lwm2m_decode(const struct lwm2m_decode_in *in, lwm2m_values_fn *fn, void *arg, const char **reason);

#endif
