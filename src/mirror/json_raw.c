/* SPDX-License-Identifier: Apache-2.0 */
/* json_raw.c - event/raw: what is visible of a unit that is encrypted or cannot be decoded */
#include <stdio.h>

#include "base/base64.h"
#include "mirror/json_parts.h"

static void out_coap(struct json_out *o, const struct report *r)
{
	char code[8];

	snprintf(code, sizeof code, "%u.%02u", r->coap_code >> 5, r->coap_code & 31u);
	out_member(o, "coap");
	out_word(o, "{\"type\":");
	out_text(o, r->coap_type ? r->coap_type : "", r->coap_type ? strlen(r->coap_type) : 0);
	out_member_text(o, "code", code);
	out_member_uint(o, "mid", r->coap_mid);
	out_member_uint(o, "token_bytes", r->coap_token_bytes);
	out_member(o, "options");
	for (unsigned i = 0; i < r->coap_options_n && i < REPORT_OPTIONS_MAX; i++) {
		out_char(o, i ? ',' : '[');
		out_uint(o, r->coap_options[i]);
	}
	out_word(o, r->coap_options_n ? "]}" : "[]}");
}

static void out_member_hex(struct json_out *o, const char *key, const uint8_t *data, size_t len)
{
	out_member(o, key);
	out_char(o, '"');
	out_hex(o, data, len);
	out_char(o, '"');
}

static void out_oscore(struct json_out *o, const struct report *r)
{
	out_member(o, "oscore");
	out_word(o, "{\"piv_bytes\":");
	out_uint(o, r->piv_bytes);
	if (r->has_kid)
		out_member_hex(o, "kid", r->kid, r->kid_len);
	if (r->has_kid_context)
		out_member_hex(o, "kid_context", r->kid_context, r->kid_context_len);
	out_char(o, '}');
}

static void out_dtls(struct json_out *o, const struct report *r)
{
	out_member(o, "dtls");
	out_word(o, "{\"content_type\":");
	out_uint(o, r->dtls_content_type);
	out_member_uint(o, "epoch", r->dtls_epoch);
	out_char(o, '}');
}

static void out_payload(struct json_out *o, const struct report *r, unsigned flags)
{
	out_member(o, "payload");
	if (!(flags & NIDDGW_JSON_RAW_PAYLOAD) || !r->payload || BASE64_LEN(r->payload_len) > JSON_VALUE_MOST) {
		out_word(o, "null");
		return;
	}
	out_char(o, '"');
	out_base64(o, r->payload, r->payload_len, false);
	out_char(o, '"');
}

long json_raw(const struct report *r, unsigned flags, char *buf, size_t size)
{
	struct json_out o = { buf, size, 0 };
	const char *kind = r->kind_word ? r->kind_word : "unknown";

	out_head(&o, r);
	out_member_text(&o, "dir", r->down ? "down" : "up");
	out_member_uint(&o, "bytes", r->unit_bytes);
	out_member_text(&o, "kind", kind);
	out_member_text(&o, "reason", r->reason);
	out_member_text(&o, "server", r->server);
	if (r->has_coap)
		out_coap(&o, r);
	if (!strcmp(kind, "oscore"))
		out_oscore(&o, r);
	if (!strcmp(kind, "dtls"))
		out_dtls(&o, r);
	out_payload(&o, r, flags);
	out_char(&o, '}');
	return out_end(&o);
}
