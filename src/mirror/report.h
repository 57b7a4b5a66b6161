/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - one report as the mirror builds it and plug-in hosts get it
 *
 * Everything is borrowed from the builder until the call that hands it on returns. The frame that crosses to a host, the
 * record that a plug-in reads and the JSON text are all made from this.
 */
#ifndef NIDDGW_MIRROR_REPORT_H
#define NIDDGW_MIRROR_REPORT_H

#include "niddgw/plugin.h"

enum { REPORT_VALUES_MAX = 1024, REPORT_OPTIONS_MAX = 32 };

struct report_link { /* of a Register: "/3303/0" */
	const char *path, *object, *version; /* object, version NULL: not known */
};
struct report {
	enum niddgw_record_kind kind;
	uint64_t arrival_ms;  /* wall clock */
	char id[27];          /* 26 characters that sort by time */
	const char *device, *ep, *server;
	size_t unit_bytes;    /* of the whole unit */
	/* DATA */
	const char *op, *path, *format;
	int confirmed;        /* 1, 0, -1: nothing to confirm */
	const struct niddgw_value *values;
	size_t values_n;
	const struct report_link *links; /* of op "register" */
	size_t links_n;
	/* RAW */
	bool down;                   /* towards the device */
	const char *kind_word;       /* "oscore", "dtls", "unknown" */
	const char *reason;          /* NULL: none */
	bool has_coap;
	const char *coap_type;       /* "CON" */
	uint8_t coap_code;
	uint16_t coap_mid;
	uint8_t coap_token_bytes;
	uint16_t coap_options[REPORT_OPTIONS_MAX];
	uint8_t coap_options_n;
	const uint8_t *kid, *kid_context;
	uint8_t kid_len, kid_context_len, piv_bytes;
	bool has_kid, has_kid_context;
	uint8_t dtls_content_type;   /* kind "dtls" */
	uint16_t dtls_epoch;
	const uint8_t *payload;      /* of the unit, for those that may show it; NULL: none */
	size_t payload_len;
};

#endif
