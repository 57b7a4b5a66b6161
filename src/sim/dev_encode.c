/* SPDX-License-Identifier: Apache-2.0 */
/* dev_encode.c - values of a simulated device as text, TLV and SenML (LwM2M core 7.4)
 *
 * Each format is a visitor over the same walk. Written apart from the gateway's decoders on purpose: a system test then
 * compares two readings of the formats.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "sim/dev.h"

/* A number as text without loss: integers stay integers. */
static int number_text(const struct dev_value *v, char *buf, size_t size)
{
	if (v->type == DEV_FLOAT)
		return snprintf(buf, size, "%.10g", v->f);
	return snprintf(buf, size, "%" PRId64, v->i);
}

/* ---- text/plain and opaque: one value ---- */

struct one {
	struct writer w;
	size_t n;
	bool raw;
};

static bool one_visit(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	struct one *o = arg;
	char text[40];

	(void)p;
	if (o->n++)
		return false;
	if (v->type == DEV_STRING || (v->type == DEV_OPAQUE && o->raw)) {
		write_bytes(&o->w, v->p, v->len);
	} else if (v->type == DEV_OPAQUE) {
		char *out = malloc(BASE64_LEN(v->len) + 1);

		if (out)
			write_bytes(&o->w, out, base64_encode(out, v->p, v->len));
		free(out);
	} else {
		write_bytes(&o->w, text, (size_t)number_text(v, text, sizeof text));
	}
	return true;
}

static long encode_one(struct dev *d, const struct dev_path *at, bool raw, uint8_t *out, size_t size)
{
	struct one o = { writer_of(out, size), 0, raw };

	if (!dev_visit(d, at, one_visit, &o))
		return -ENOENT;
	if (o.n > 1 || at->resource == DEV_ANY)
		return -ENOTSUP;
	return o.w.failed ? -EMSGSIZE : (long)writer_len(&o.w);
}

/* ---- TLV ---- */

enum { TLV_INSTANCE, TLV_SUB, TLV_MULTIPLE, TLV_RESOURCE };

static void tlv_put(struct writer *w, unsigned kind, int id, const void *data, size_t len)
{
	unsigned size_octets = len < 8 ? 0 : len < 256 ? 1 : len < 65536 ? 2 : 3;

	write_u8(w, (uint8_t)(kind << 6 | (id > 255 ? 0x20 : 0) | size_octets << 3 | (size_octets ? 0 : len)));
	if (id > 255)
		write_u16(w, (uint16_t)id);
	else
		write_u8(w, (uint8_t)id);
	for (unsigned i = size_octets; i-- > 0;)
		write_u8(w, (uint8_t)(len >> (8 * i)));
	write_bytes(w, data, len);
}

static void put_be(uint8_t *out, uint64_t v, size_t n)
{
	while (n--) {
		out[n] = (uint8_t)v;
		v >>= 8;
	}
}

static size_t int_octets(int64_t v)
{
	return v >= INT8_MIN && v <= INT8_MAX      ? 1
		: v >= INT16_MIN && v <= INT16_MAX ? 2
		: v >= INT32_MIN && v <= INT32_MAX ? 4
						   : 8;
}

static void tlv_value(struct writer *w, unsigned kind, int id, const struct dev_value *v)
{
	uint8_t raw[8];
	uint64_t bits;
	size_t n = 8;

	if (v->type == DEV_STRING || v->type == DEV_OPAQUE) {
		tlv_put(w, kind, id, v->p, v->len);
		return;
	}
	if (v->type == DEV_FLOAT) {
		memcpy(&bits, &v->f, sizeof bits);
	} else {
		bits = (uint64_t)v->i;
		n = v->type == DEV_BOOL ? 1 : int_octets(v->i);
	}
	put_be(raw, bits, n);
	tlv_put(w, kind, id, raw, n);
}

/* Collects the values of one multiple resource and of one instance, and wraps them when the next one begins. */
struct tlv {
	struct writer out, instance, multiple;
	struct dev_path at, now; /* asked for; the value before */
	bool any;
};

static void close_multiple(struct tlv *t)
{
	if (writer_len(&t->multiple))
		tlv_put(&t->instance, TLV_MULTIPLE, t->now.resource, t->multiple.start, writer_len(&t->multiple));
	t->multiple.p = t->multiple.start;
}

static void close_instance(struct tlv *t)
{
	close_multiple(t);
	if (t->at.instance == DEV_ANY && t->any)
		tlv_put(&t->out, TLV_INSTANCE, t->now.instance, t->instance.start, writer_len(&t->instance));
	else
		write_bytes(&t->out, t->instance.start, writer_len(&t->instance));
	t->instance.p = t->instance.start;
}

static bool tlv_visit(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	struct tlv *t = arg;

	if (t->any && (p->instance != t->now.instance || p->object != t->now.object))
		close_instance(t);
	else if (t->any && p->resource != t->now.resource)
		close_multiple(t);
	t->now = *p;
	t->any = true;
	if (p->sub == DEV_ANY)
		tlv_value(&t->instance, TLV_RESOURCE, p->resource, v);
	else if (t->at.sub != DEV_ANY)
		tlv_value(&t->instance, TLV_SUB, p->sub, v);
	else
		tlv_value(&t->multiple, TLV_SUB, p->sub, v);
	return true;
}

long dev_encode_tlv(struct dev *d, const struct dev_path *at, uint8_t *out, size_t size)
{
	uint8_t *room = malloc(2 * size);
	struct tlv t = { .out = writer_of(out, size), .at = *at };
	long len = -ENOENT;

	if (!room)
		return -ENOMEM;
	t.instance = writer_of(room, size);
	t.multiple = writer_of(room + size, size);
	if (at->object == DEV_ANY) {
		len = -ENOTSUP; /* TLV cannot name an object */
	} else if (dev_visit(d, at, tlv_visit, &t)) {
		close_instance(&t);
		len = t.out.failed || t.instance.failed || t.multiple.failed ? -EMSGSIZE : (long)writer_len(&t.out);
	}
	free(room);
	return len;
}

/* ---- SenML JSON ---- */

static bool json_visit(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	json_t *list = arg, *record = json_object();
	char path[32];

	dev_path_text(p, path);
	if (!json_array_size(list))
		json_object_set_new(record, "bn", json_string("/"));
	json_object_set_new(record, "n", json_string(path + 1));
	if (v->type == DEV_STRING) {
		json_object_set_new(record, "vs", json_stringn(v->p, v->len));
	} else if (v->type == DEV_BOOL) {
		json_object_set_new(record, "vb", json_boolean(v->i));
	} else if (v->type == DEV_FLOAT) {
		json_object_set_new(record, "v", json_real(v->f));
	} else if (v->type == DEV_OPAQUE) {
		char *text = malloc(BASE64_LEN(v->len) + 1);

		if (text) {
			base64_encode(text, v->p, v->len);
			for (char *c = text; *c; c++)
				*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c);
			json_object_set_new(record, "vd", json_string(text));
		}
		free(text);
	} else {
		json_object_set_new(record, "v", json_integer(v->i));
	}
	json_array_append_new(list, record);
	return true;
}

long dev_encode_senml_json(struct dev *d, const struct dev_path *paths, size_t n, uint8_t *out, size_t size)
{
	json_t *list = json_array();
	bool found = false;
	char *text;
	long len = -ENOENT;

	for (size_t i = 0; i < n; i++)
		found = dev_visit(d, &paths[i], json_visit, list) || found;
	text = found ? json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
	json_decref(list);
	if (text) {
		len = strlen(text) <= size ? (long)strlen(text) : -EMSGSIZE;
		if (len > 0)
			memcpy(out, text, (size_t)len);
	}
	free(text);
	return len;
}

/* ---- SenML CBOR ---- */

static void cbor_head(struct writer *w, unsigned major, uint64_t n)
{
	size_t octets = n < 24 ? 0 : n < 256 ? 1 : n < 65536 ? 2 : n <= UINT32_MAX ? 4 : 8;
	static const uint8_t info[] = { 0, 24, 25, 0, 26, 0, 0, 0, 27 };
	uint8_t raw[8];

	write_u8(w, (uint8_t)(major << 5 | (octets ? info[octets] : n)));
	put_be(raw, n, octets);
	write_bytes(w, raw, octets);
}

static void cbor_int(struct writer *w, int64_t v)
{
	if (v < 0)
		cbor_head(w, 1, (uint64_t)(-(v + 1)));
	else
		cbor_head(w, 0, (uint64_t)v);
}

static void cbor_text(struct writer *w, const char *p, size_t len)
{
	cbor_head(w, 3, len);
	write_bytes(w, p, len);
}

struct cbor {
	struct writer w;
	size_t records;
};

static bool cbor_visit(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	enum { BN = -2, N = 0, V = 2, VS = 3, VB = 4, VD = 8 };
	struct cbor *c = arg;
	char path[32];
	uint8_t raw[8];
	uint64_t bits;

	dev_path_text(p, path);
	cbor_head(&c->w, 5, c->records ? 2 : 3);
	if (!c->records++) {
		cbor_int(&c->w, BN);
		cbor_text(&c->w, "/", 1);
	}
	cbor_int(&c->w, N);
	cbor_text(&c->w, path + 1, strlen(path + 1));
	cbor_int(&c->w, v->type == DEV_STRING ? VS : v->type == DEV_BOOL ? VB : v->type == DEV_OPAQUE ? VD : V);
	if (v->type == DEV_STRING) {
		cbor_text(&c->w, v->p, v->len);
	} else if (v->type == DEV_OPAQUE) {
		cbor_head(&c->w, 2, v->len);
		write_bytes(&c->w, v->p, v->len);
	} else if (v->type == DEV_BOOL) {
		write_u8(&c->w, v->i ? 0xf5 : 0xf4);
	} else if (v->type == DEV_FLOAT) {
		memcpy(&bits, &v->f, sizeof bits);
		put_be(raw, bits, 8);
		write_u8(&c->w, 0xfb);
		write_bytes(&c->w, raw, 8);
	} else {
		cbor_int(&c->w, v->i);
	}
	return true;
}

long dev_encode_senml_cbor(struct dev *d, const struct dev_path *paths, size_t n, uint8_t *out, size_t size)
{
	uint8_t *room = malloc(size);
	struct cbor c = { .records = 0 };
	struct writer w = writer_of(out, size);
	long len = -ENOMEM;

	if (!room)
		return len;
	c.w = writer_of(room, size);
	for (size_t i = 0; i < n; i++)
		dev_visit(d, &paths[i], cbor_visit, &c);
	cbor_head(&w, 4, c.records);
	write_bytes(&w, room, writer_len(&c.w));
	len = !c.records ? -ENOENT : w.failed || c.w.failed ? -EMSGSIZE : (long)writer_len(&w);
	free(room);
	return len;
}

long dev_encode(struct dev *d, const struct dev_path *paths, size_t n, int32_t format, uint8_t *out, size_t size)
{
	if (format == 110)
		return dev_encode_senml_json(d, paths, n, out, size);
	if (format == 112)
		return dev_encode_senml_cbor(d, paths, n, out, size);
	if (n != 1)
		return -ENOTSUP;
	if (format == 11542)
		return dev_encode_tlv(d, paths, out, size);
	if (format == 0 || format == 42)
		return encode_one(d, paths, format == 42, out, size);
	return -ENOTSUP;
}
