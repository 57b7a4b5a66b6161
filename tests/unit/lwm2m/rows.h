/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - tables of reports for the tests of decoders: payload in, values or reason out */
#ifndef NIDDGW_TESTS_ROWS_H
#define NIDDGW_TESTS_ROWS_H

#include "unit/coap/vectors.h"
#include "unit/lwm2m/reported.h"

struct row {
	const char *name;
	unsigned format;
	const char *path;    /* of the request; NULL: none */
	const char *payload; /* hexadecimal for binary formats, else text */
	const char *want;    /* as reported.h writes it */
};

static inline bool is_binary(unsigned format)
{
	return format == LWM2M_CF_CBOR || format == LWM2M_CF_SENML_CBOR || format == LWM2M_CF_ETCH_CBOR ||
		format == LWM2M_CF_TLV || format == LWM2M_CF_OLD_TLV || format == LWM2M_CF_LWM2M_CBOR || format == LWM2M_CF_OPAQUE;
}

/* Octets with what like says besides; they end where a page may not be touched. */
static inline const char *report_octets(const struct lwm2m_decode_in *like, unsigned format, const char *path_text, const void *p,
					size_t len)
{
	static struct guarded g;
	struct lwm2m_decode_in in = *like;
	struct lwm2m_path path;

	if (!g.base)
		g = guarded_open(LWM2M_DECODE_LEN_MAX + 4096);
	in.format = format;
	in.len = len;
	in.payload = guarded_put(&g, p, len);
	if (path_text) {
		assert_int_equal(lwm2m_path_parse(&path, NULL, path_text, strlen(path_text), NULL), 0);
		in.path = &path;
	}
	return reported(&in);
}

static inline const char *report(const struct lwm2m_decode_in *like, const struct row *row)
{
	const struct octets o = is_binary(row->format) ? octets_of_hex(row->payload) : (struct octets){ 0 };

	if (is_binary(row->format))
		return report_octets(like, row->format, row->path, o.data, o.len);
	return report_octets(like, row->format, row->path, row->payload, strlen(row->payload));
}

static inline void run_rows(const struct lwm2m_decode_in *like, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = report(like, &rows[i]);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: format %u\n got: %s\nwant: %s", rows[i].name, rows[i].format, got, rows[i].want);
	}
}
#define RUN(like, rows) run_rows(like, rows, sizeof rows / sizeof rows[0])

#endif
