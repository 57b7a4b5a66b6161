/* SPDX-License-Identifier: Apache-2.0 */
/* frame_record.c - reports in frames
 *
 * A value takes only what its type needs: most are a number of a few octets, and a report of ten values must cost
 * little.
 */
#include "plugin/frame.h"

#include <errno.h>

#include "plugin/frame_parts.h"

enum { HAS_TIME = 1, IS_TRUE = 2 };                                                     /* of a value */
enum { IS_DOWN = 1, HAS_COAP = 2, HAS_KID = 4, HAS_KID_CONTEXT = 8, HAS_PAYLOAD = 16 }; /* of a raw report */

/* ---- one value ---- */

static void put_number(struct writer *w, const struct niddgw_value *v)
{
	uint64_t bits;

	switch (v->type) {
	case NIDDGW_INTEGER:
	case NIDDGW_TIME:
		put_u64(w, (uint64_t)v->integer);
		break;
	case NIDDGW_UNSIGNED:
		put_u64(w, v->uinteger);
		break;
	case NIDDGW_FLOAT:
		memcpy(&bits, &v->number, sizeof bits);
		put_u64(w, bits);
		break;
	case NIDDGW_OBJLNK:
		write_u16(w, v->link[0]);
		write_u16(w, v->link[1]);
		break;
	case NIDDGW_STRING:
	case NIDDGW_CORELNK:
	case NIDDGW_OPAQUE:
		put_data(w, v->data, v->len);
		break;
	default:
		break;
	}
}

static void get_number(struct reader *r, struct niddgw_value *v)
{
	uint64_t bits;

	switch (v->type) {
	case NIDDGW_INTEGER:
	case NIDDGW_TIME:
		v->integer = (int64_t)get_u64(r);
		break;
	case NIDDGW_UNSIGNED:
		v->uinteger = get_u64(r);
		break;
	case NIDDGW_FLOAT:
		bits = get_u64(r);
		memcpy(&v->number, &bits, sizeof bits);
		break;
	case NIDDGW_OBJLNK:
		v->link[0] = read_u16(r);
		v->link[1] = read_u16(r);
		break;
	case NIDDGW_STRING:
	case NIDDGW_CORELNK:
	case NIDDGW_OPAQUE:
		v->data = get_data(r, &v->len);
		break;
	case NIDDGW_NONE:
	case NIDDGW_BOOLEAN:
		break;
	default:
		r->failed = true;
		break;
	}
}

static void put_value(struct writer *w, const struct niddgw_value *v)
{
	write_u8(w, v->path_len);
	for (unsigned i = 0; i < v->path_len && i < 4; i++)
		write_u16(w, v->path[i]);
	write_u8(w, v->type);
	write_u8(w, (uint8_t)((v->has_time ? HAS_TIME : 0) | (v->boolean ? IS_TRUE : 0)));
	put_text(w, v->object);
	put_text(w, v->resource);
	put_text(w, v->unit);
	if (v->has_time)
		put_u64(w, v->time_ms);
	put_number(w, v);
}

static void get_value(struct reader *r, struct niddgw_value *v)
{
	uint8_t flags;

	*v = (struct niddgw_value){ .path_len = read_u8(r) };
	if (v->path_len < 1 || v->path_len > 4) {
		r->failed = true;
		return;
	}
	for (unsigned i = 0; i < v->path_len; i++)
		v->path[i] = read_u16(r);
	v->type = read_u8(r);
	flags = read_u8(r);
	v->has_time = flags & HAS_TIME;
	v->boolean = flags & IS_TRUE;
	v->object = get_text(r);
	v->resource = get_text(r);
	v->unit = get_text(r);
	v->time_ms = v->has_time ? get_u64(r) : 0;
	get_number(r, v);
}

/* ---- data ---- */

static void put_data_report(struct writer *w, const struct report *r)
{
	put_text(w, r->op);
	put_text(w, r->path);
	put_text(w, r->format);
	write_u8(w, (uint8_t)(r->confirmed + 1));
	write_u32(w, (uint32_t)r->values_n);
	for (size_t i = 0; i < r->values_n; i++)
		put_value(w, &r->values[i]);
	write_u32(w, (uint32_t)r->links_n);
	for (size_t i = 0; i < r->links_n; i++) {
		put_text(w, r->links[i].path);
		put_text(w, r->links[i].object);
		put_text(w, r->links[i].version);
	}
}

/* How many of something follow; at most REPORT_VALUES_MAX. */
static size_t get_many(struct reader *r)
{
	const uint32_t n = read_u32(r);

	if (n > REPORT_VALUES_MAX)
		r->failed = true;
	return r->failed ? 0 : n;
}

static void get_data_report(struct reader *b, struct report *r, struct niddgw_value *values, struct report_link *links)
{
	uint8_t confirmed;

	r->op = get_required(b);
	r->path = get_required(b);
	r->format = get_text(b);
	confirmed = read_u8(b);
	r->confirmed = (int)confirmed - 1;
	if (confirmed > 2)
		b->failed = true;
	r->values = values;
	r->values_n = get_many(b);
	for (size_t i = 0; i < r->values_n && !b->failed; i++)
		get_value(b, &values[i]);
	r->links = links;
	r->links_n = get_many(b);
	for (size_t i = 0; i < r->links_n && !b->failed; i++) {
		links[i].path = get_required(b);
		links[i].object = get_text(b);
		links[i].version = get_text(b);
	}
}

/* ---- raw ---- */

static uint8_t raw_flags(const struct report *r)
{
	return (uint8_t)((r->down ? IS_DOWN : 0) | (r->has_coap ? HAS_COAP : 0) | (r->has_kid ? HAS_KID : 0) |
			 (r->has_kid_context ? HAS_KID_CONTEXT : 0) | (r->payload ? HAS_PAYLOAD : 0));
}

static void put_raw_report(struct writer *w, const struct report *r)
{
	write_u8(w, raw_flags(r));
	put_text(w, r->kind_word);
	put_text(w, r->reason);
	put_text(w, r->coap_type);
	write_u8(w, r->coap_code);
	write_u16(w, r->coap_mid);
	write_u8(w, r->coap_token_bytes);
	write_u8(w, r->coap_options_n);
	for (unsigned i = 0; i < r->coap_options_n && i < REPORT_OPTIONS_MAX; i++)
		write_u16(w, r->coap_options[i]);
	put_data(w, r->kid, r->kid_len);
	put_data(w, r->kid_context, r->kid_context_len);
	write_u8(w, r->piv_bytes);
	write_u8(w, r->dtls_content_type);
	write_u16(w, r->dtls_epoch);
	put_data(w, r->payload, r->payload ? r->payload_len : 0);
}

static uint8_t get_short_data(struct reader *b, const uint8_t **data)
{
	size_t len;

	*data = get_data(b, &len);
	if (len > UINT8_MAX)
		b->failed = true;
	return (uint8_t)len;
}

static void get_raw_report(struct reader *b, struct report *r)
{
	const uint8_t flags = read_u8(b);

	r->down = flags & IS_DOWN;
	r->has_coap = flags & HAS_COAP;
	r->has_kid = flags & HAS_KID;
	r->has_kid_context = flags & HAS_KID_CONTEXT;
	r->kind_word = get_required(b);
	r->reason = get_text(b);
	r->coap_type = get_text(b);
	r->coap_code = read_u8(b);
	r->coap_mid = read_u16(b);
	r->coap_token_bytes = read_u8(b);
	r->coap_options_n = read_u8(b);
	if (r->coap_options_n > REPORT_OPTIONS_MAX) {
		b->failed = true;
		r->coap_options_n = 0;
	}
	for (unsigned i = 0; i < r->coap_options_n; i++)
		r->coap_options[i] = read_u16(b);
	r->kid_len = get_short_data(b, &r->kid);
	r->kid_context_len = get_short_data(b, &r->kid_context);
	r->piv_bytes = read_u8(b);
	r->dtls_content_type = read_u8(b);
	r->dtls_epoch = read_u16(b);
	r->payload = get_data(b, &r->payload_len);
	if (!(flags & HAS_PAYLOAD))
		r->payload = NULL;
}

/* ---- both ---- */

bool frame_write_record(struct writer *w, const struct report *r)
{
	const size_t start = frame_begin(w, FRAME_RECORD);

	if (r->values_n > REPORT_VALUES_MAX || r->links_n > REPORT_VALUES_MAX ||
	    r->coap_options_n > REPORT_OPTIONS_MAX) {
		w->failed = true;
		return false;
	}
	write_u8(w, (uint8_t)r->kind);
	put_u64(w, r->arrival_ms);
	put_text(w, r->id);
	put_text(w, r->device);
	put_text(w, r->ep);
	put_text(w, r->server);
	put_u64(w, r->unit_bytes);
	if (r->kind == NIDDGW_RECORD_DATA)
		put_data_report(w, r);
	else
		put_raw_report(w, r);
	return frame_done(w, start);
}

static void get_id(struct reader *b, char id[27])
{
	const char *text = get_required(b);
	const size_t len = strlen(text);

	if (len > 26) {
		b->failed = true;
		return;
	}
	memcpy(id, text, len + 1);
}

int frame_read_record(struct frame *f, struct report *r, struct niddgw_value *values, struct report_link *links)
{
	struct reader *b = &f->body;
	const uint8_t kind = read_u8(b);

	*r = (struct report){ .kind = kind == NIDDGW_RECORD_DATA ? NIDDGW_RECORD_DATA : NIDDGW_RECORD_RAW };
	if (kind > NIDDGW_RECORD_RAW)
		return -EBADMSG;
	r->arrival_ms = get_u64(b);
	get_id(b, r->id);
	r->device = get_required(b);
	r->ep = get_text(b);
	r->server = get_text(b);
	r->unit_bytes = (size_t)get_u64(b);
	if (r->kind == NIDDGW_RECORD_DATA)
		get_data_report(b, r, values, links);
	else
		get_raw_report(b, r);
	return frame_read_done(f);
}
