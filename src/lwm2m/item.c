/* SPDX-License-Identifier: Apache-2.0 */
/* item.c - CBOR read one item after the other
 *
 * libcbor tells of one head, or one whole string, per call and allocates nothing; its callbacks only note what it was.
 * Lengths come from the device: none is believed before that many octets are there.
 */
#include "lwm2m/item.h"

#include <cbor.h>
#include <string.h>

/* ---- what libcbor tells ---- */

static void note(void *arg, enum item_kind kind, uint64_t n)
{
	struct item *it = arg;

	it->kind = kind;
	it->n = n;
	it->open = false;
}

static void on_u8(void *arg, uint8_t n)
{
	note(arg, ITEM_UINT, n);
}

static void on_u16(void *arg, uint16_t n)
{
	note(arg, ITEM_UINT, n);
}

static void on_u32(void *arg, uint32_t n)
{
	note(arg, ITEM_UINT, n);
}

static void on_u64(void *arg, uint64_t n)
{
	note(arg, ITEM_UINT, n);
}

static void on_n8(void *arg, uint8_t n)
{
	note(arg, ITEM_NEGATIVE, n);
}

static void on_n16(void *arg, uint16_t n)
{
	note(arg, ITEM_NEGATIVE, n);
}

static void on_n32(void *arg, uint32_t n)
{
	note(arg, ITEM_NEGATIVE, n);
}

static void on_n64(void *arg, uint64_t n)
{
	note(arg, ITEM_NEGATIVE, n);
}

static void on_string(struct item *it, enum item_kind kind, cbor_data p, size_t len)
{
	it->kind = kind;
	it->text = (struct lwm2m_text){ (const char *)p, len };
}

static void on_bytes(void *arg, cbor_data p, size_t len)
{
	on_string(arg, ITEM_BYTES, p, len);
}

static void on_text(void *arg, cbor_data p, size_t len)
{
	on_string(arg, ITEM_TEXT, p, len);
}

static void on_bytes_start(void *arg)
{
	note(arg, ITEM_CHUNKS_OF_BYTES, 0);
}

static void on_text_start(void *arg)
{
	note(arg, ITEM_CHUNKS_OF_TEXT, 0);
}

static void on_array(void *arg, size_t n)
{
	note(arg, ITEM_ARRAY, n);
}

static void on_map(void *arg, size_t n)
{
	note(arg, ITEM_MAP, n);
}

static void on_open_array(void *arg)
{
	note(arg, ITEM_ARRAY, 0);
	((struct item *)arg)->open = true;
}

static void on_open_map(void *arg)
{
	note(arg, ITEM_MAP, 0);
	((struct item *)arg)->open = true;
}

static void on_tag(void *arg, uint64_t n)
{
	note(arg, ITEM_TAG, n);
}

static void on_single(void *arg, float real)
{
	struct item *it = arg;

	it->kind = ITEM_FLOAT;
	it->single = true;
	it->real = (double)real;
}

static void on_double(void *arg, double real)
{
	struct item *it = arg;

	it->kind = ITEM_FLOAT;
	it->single = false;
	it->real = real;
}

static void on_none(void *arg)
{
	note(arg, ITEM_NULL, 0);
}

static void on_boolean(void *arg, bool is)
{
	note(arg, ITEM_BOOLEAN, is);
}

static void on_break(void *arg)
{
	note(arg, ITEM_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_u8,
	.uint16 = on_u16,
	.uint32 = on_u32,
	.uint64 = on_u64,
	.negint8 = on_n8,
	.negint16 = on_n16,
	.negint32 = on_n32,
	.negint64 = on_n64,
	.byte_string_start = on_bytes_start,
	.byte_string = on_bytes,
	.string = on_text,
	.string_start = on_text_start,
	.indef_array_start = on_open_array,
	.array_start = on_array,
	.indef_map_start = on_open_map,
	.map_start = on_map,
	.tag = on_tag,
	.float2 = on_single,
	.float4 = on_single,
	.float8 = on_double,
	.undefined = on_none,
	.null = on_none,
	.boolean = on_boolean,
	.indef_break = on_break,
};

/* One head; a string with all of its octets. */
static bool read_head(struct items *s, struct item *it)
{
	struct cbor_decoder_result r;

	if (s->g->err)
		return false;
	if (s->p == s->end)
		return gather_fault(s->g, FAULT_TRUNCATED);
	r = cbor_stream_decode(s->p, (size_t)(s->end - s->p), &callbacks, it);
	if (r.status == CBOR_DECODER_FINISHED) {
		s->p += r.read;
		return true;
	}
	return gather_fault(s->g, r.status == CBOR_DECODER_NEDATA ? FAULT_TRUNCATED : FAULT_FORMAT);
}

/* ---- strings ---- */

/* A string in chunks up to its break; twice over them, first to know how long it is. */
static bool read_chunks(struct items *s, struct item *it, enum item_kind kind)
{
	const uint8_t *from = s->p;
	size_t len = 0;
	char *copy;

	for (;;) {
		if (!read_head(s, it))
			return false;
		if (it->kind == ITEM_BREAK)
			break;
		if (it->kind != kind)
			return gather_fault(s->g, FAULT_FORMAT);
		len += it->text.len;
	}
	copy = gather_alloc(s->g, len);
	if (!copy)
		return false;
	s->p = from;
	for (len = 0; read_head(s, it) && it->kind == kind; len += it->text.len)
		if (it->text.len)
			memcpy(copy + len, it->text.p, it->text.len);
	it->kind = kind;
	it->text = (struct lwm2m_text){ copy, len };
	return true;
}

bool item_next(struct items *s, struct item *it)
{
	if (!read_head(s, it))
		return false;
	if (it->kind == ITEM_CHUNKS_OF_BYTES)
		return read_chunks(s, it, ITEM_BYTES);
	if (it->kind == ITEM_CHUNKS_OF_TEXT && !read_chunks(s, it, ITEM_TEXT))
		return false;
	return it->kind != ITEM_TEXT || gather_utf8(s->g, it->text.p, it->text.len);
}

bool item_end(struct items *s)
{
	return !s->g->err && (s->p == s->end || gather_fault(s->g, FAULT_FORMAT));
}

/* ---- arrays and maps ---- */

bool item_begin(struct items *s, const struct item *it, struct item_list *list)
{
	if (s->depth == LWM2M_DECODE_DEPTH_MAX)
		return gather_fault(s->g, FAULT_DEPTH);
	s->depth++;
	*list = (struct item_list){ .left = it->n, .open = it->open };
	if (!it->open && it->n > (uint64_t)(s->end - s->p))
		return gather_fault(s->g, FAULT_TRUNCATED); /* each element has an octet at least */
	return true;
}

bool item_more(struct items *s, struct item_list *list)
{
	if (s->g->err)
		return false;
	if (!list->open)
		return list->left && list->left--;
	if (s->p < s->end && *s->p == 0xff) {
		s->p++;
		return false;
	}
	return true;
}

void item_leave(struct items *s)
{
	s->depth--;
}

static bool skip_list(struct items *s, const struct item *it)
{
	struct item_list list;

	if (!item_begin(s, it, &list))
		return false;
	while (item_more(s, &list))
		if (!item_skip(s) || (it->kind == ITEM_MAP && !item_skip(s)))
			return false;
	item_leave(s);
	return !s->g->err;
}

bool item_skip(struct items *s)
{
	struct item it;
	unsigned tags = 0;

	do {
		if (!item_next(s, &it))
			return false;
		if (it.kind == ITEM_TAG && ++tags > LWM2M_DECODE_DEPTH_MAX)
			return gather_fault(s->g, FAULT_DEPTH);
	} while (it.kind == ITEM_TAG);
	if (it.kind == ITEM_BREAK)
		return gather_fault(s->g, FAULT_FORMAT);
	return (it.kind != ITEM_ARRAY && it.kind != ITEM_MAP) || skip_list(s, &it);
}
