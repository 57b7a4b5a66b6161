/* SPDX-License-Identifier: Apache-2.0 */
/* raw.c - what is visible of a unit that cannot be decoded, or must not be: sizes, codes, identifiers, option numbers
 */
#include <stdio.h>
#include <string.h>

#include "coap/oscore.h"
#include "mirror/inside.h"

static const char *const type_words[] = { "CON", "NON", "ACK", "RST" };

static struct report raw_of(const struct mirror_who *who, const char *kind, bool down, size_t unit_bytes,
			    uint64_t arrival_ms)
{
	return (struct report){ .kind = NIDDGW_RECORD_RAW,
				.arrival_ms = arrival_ms,
				.device = who->device,
				.ep = who->ep,
				.server = who->server,
				.unit_bytes = unit_bytes,
				.confirmed = -1,
				.down = down,
				.kind_word = kind };
}

static void add_coap(struct report *r, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;

	r->has_coap = true;
	r->coap_type = type_words[m->type & 3];
	r->coap_code = m->code;
	r->coap_mid = m->mid;
	r->coap_token_bytes = m->token_len;
	while (r->coap_options_n < REPORT_OPTIONS_MAX && coap_option_next(&it, &o))
		r->coap_options[r->coap_options_n++] = (uint16_t)o.number;
}

void mirror_oscore(struct mirror *m, const struct mirror_who *who, bool down, const struct mirror_unit *u)
{
	struct report r = raw_of(who, "oscore", down, u->len, u->arrival_ms);
	struct coap_option option;
	struct coap_oscore o = { 0 };

	if (!m->listening)
		return;
	add_coap(&r, u->msg);
	if (coap_option_find(u->msg, COAP_OSCORE, &option) && !coap_oscore_read(&o, option.value, option.len))
		r.reason = "format";
	r.kid = o.kid;
	r.kid_len = o.kid_len;
	r.has_kid = o.has_kid;
	r.kid_context = o.kid_context;
	r.kid_context_len = o.kid_context_len;
	r.has_kid_context = o.has_kid_context;
	r.piv_bytes = o.piv_len;
	r.payload = u->msg->payload;
	r.payload_len = u->msg->payload_len;
	mirror_give(m, &r);
}

/* DTLS 1.2: type, version, epoch. DTLS 1.3 ciphertext shows the last two bits of the epoch, and no type but that of
 * application data. */
static void read_record(struct report *r, const uint8_t *data, size_t len)
{
	struct reader in = reader_of(data, len);
	uint8_t first = read_u8(&in);

	r->dtls_content_type = first;
	if (first >= 0x20) {
		r->dtls_content_type = 23;
		r->dtls_epoch = first & 3;
		return;
	}
	(void)read_u16(&in);
	r->dtls_epoch = read_u16(&in);
}

void mirror_dtls(struct mirror *m, const struct mirror_who *who, bool down, const uint8_t *data, size_t len,
		 uint64_t arrival_ms)
{
	struct report r = raw_of(who, "dtls", down, len, arrival_ms);

	if (!m->listening)
		return;
	read_record(&r, data, len);
	r.payload = data;
	r.payload_len = len;
	mirror_give(m, &r);
}

/* A message that is nearly one may hold what never leaves: its octets stay here. */
void mirror_unknown(struct mirror *m, const struct mirror_who *who, const uint8_t *data, size_t len,
		    uint64_t arrival_ms)
{
	struct report r = raw_of(who, "unknown", false, len, arrival_ms);

	if (!m->listening)
		return;
	r.reason = "format";
	if (!len || data[0] >> 6 != 1) {
		r.payload = data;
		r.payload_len = len;
	}
	mirror_give(m, &r);
}

void raw_failed(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *u, size_t unit_bytes,
		bool down, unsigned format, const char *reason, bool show_payload)
{
	struct report r = raw_of(who, "unknown", down, unit_bytes, u->arrival_ms);
	const char *name = lwm2m_format_name(format);
	char label[64];

	snprintf(label, sizeof label, "format=\"%s\"", name ? name : "other");
	++*metrics_counter(m->env.metrics, "mirror_decode_failed_total", label,
			   "Reports of devices that could not be decoded");
	r.reason = reason;
	add_coap(&r, u->msg);
	if (show_payload) {
		r.payload = u->msg->payload;
		r.payload_len = u->msg->payload_len;
	}
	mirror_give(m, &r);
}
