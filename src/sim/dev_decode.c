/* SPDX-License-Identifier: Apache-2.0 */
/* dev_decode.c - bodies of Write, Create and composite requests, read by a simulated device */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "sim/dev.h"

/* ---- text ---- */

int dev_value_of_text(const struct dev_path *p, const char *text, size_t len, struct dev_value *v, uint8_t *room)
{
	const struct dev_resource *r = dev_resource(p->object, p->resource);
	char number[64], *end = NULL;
	long n;

	if (!r)
		return -ENOENT;
	*v = (struct dev_value){ .type = (enum dev_type)r->type, .p = text, .len = len };
	if (v->type == DEV_STRING)
		return 0;
	if (v->type == DEV_OPAQUE) {
		n = base64_decode(room, len, text, len);
		v->p = (const char *)room;
		v->len = n < 0 ? 0 : (size_t)n;
		return n < 0 ? -EBADMSG : 0;
	}
	if (!len || len >= sizeof number)
		return -EBADMSG;
	memcpy(number, text, len);
	number[len] = '\0';
	if (v->type == DEV_FLOAT)
		v->f = strtod(number, &end);
	else
		v->i = strtoll(number, &end, 10);
	return *end || (v->type == DEV_BOOL && v->i != 0 && v->i != 1) ? -EBADMSG : 0;
}

static int decode_text(const struct dev_path *at, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	uint8_t *room = malloc(len + 1);
	struct dev_value v;
	int err;

	if (!room)
		return -ENOMEM;
	err = dev_value_of_text(at, (const char *)data, len, &v, room);
	if (!err)
		err = fn(arg, at, &v);
	free(room);
	return err;
}

/* ---- TLV ---- */

struct tlv {
	unsigned kind;
	int id;
	const uint8_t *value;
	size_t len;
};

static bool tlv_next(struct reader *r, struct tlv *t)
{
	uint8_t type = read_u8(r);
	size_t octets = type >> 3 & 3;

	t->kind = type >> 6;
	t->id = type & 0x20 ? read_u16(r) : read_u8(r);
	t->len = octets ? 0 : type & 7;
	while (octets--)
		t->len = t->len << 8 | read_u8(r);
	t->value = read_span(r, t->len);
	return !r->failed;
}

static int tlv_value(const struct dev_path *p, const struct tlv *t, dev_write_fn *fn, void *arg)
{
	const struct dev_resource *r = dev_resource(p->object, p->resource);
	struct dev_value v = { .p = (const char *)t->value, .len = t->len };
	uint64_t bits = 0;
	float f;

	if (!r)
		return -ENOENT;
	v.type = (enum dev_type)r->type;
	if (v.type == DEV_STRING || v.type == DEV_OPAQUE)
		return fn(arg, p, &v);
	if (t->len != 1 && t->len != 2 && t->len != 4 && t->len != 8)
		return -EBADMSG;
	for (size_t i = 0; i < t->len; i++)
		bits = bits << 8 | t->value[i];
	if (v.type == DEV_FLOAT && t->len == 4) {
		uint32_t half = (uint32_t)bits;

		memcpy(&f, &half, sizeof f);
		v.f = (double)f;
	} else if (v.type == DEV_FLOAT && t->len == 8) {
		memcpy(&v.f, &bits, sizeof v.f);
	} else if (v.type == DEV_FLOAT) {
		return -EBADMSG;
	} else {
		v.i = t->len == 8 ? (int64_t)bits : (int64_t)(bits << (64 - 8 * t->len)) >> (64 - 8 * t->len);
	}
	return fn(arg, p, &v);
}

static int tlv_resources(const struct dev_path *at, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	struct reader r = reader_of(data, len);
	struct dev_path p = *at;
	struct tlv t;
	int err = 0;

	while (!err && reader_left(&r)) {
		if (!tlv_next(&r, &t))
			return -EBADMSG;
		if (t.kind == 0) {
			p.instance = t.id;
			p.resource = p.sub = DEV_ANY;
			err = at->resource == DEV_ANY ? tlv_resources(&p, t.value, t.len, fn, arg) : -EBADMSG;
		} else if (t.kind == 3) {
			p.resource = t.id;
			p.sub = DEV_ANY;
			err = tlv_value(&p, &t, fn, arg);
		} else if (t.kind == 2) {
			p.resource = t.id;
			p.sub = DEV_ANY;
			err = tlv_resources(&p, t.value, t.len, fn, arg);
		} else {
			p.sub = t.id;
			err = p.resource == DEV_ANY ? -EBADMSG : tlv_value(&p, &t, fn, arg);
		}
		if (t.kind != 1)
			p = *at;
	}
	return err;
}

int dev_decode_tlv(const struct dev_path *at, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	return tlv_resources(at, data, len, fn, arg);
}

/* ---- SenML, a record at a time ---- */

struct record {
	char name[128], base[128];
	bool has_number, has_real, has_text, has_bool, has_data, flag;
	int64_t number;
	double real;
	const char *p;
	size_t len;
};

static int take_record(struct record *rec, dev_write_fn *fn, void *arg)
{
	const struct dev_resource *r;
	struct dev_value v = { .p = rec->p, .len = rec->len };
	struct dev_path p;
	char path[256];

	snprintf(path, sizeof path, "%s%s", rec->base, rec->name);
	if (dev_path_parse(&p, path))
		return -EBADMSG;
	if (!rec->has_number && !rec->has_real && !rec->has_text && !rec->has_bool && !rec->has_data)
		return fn(arg, &p, NULL); /* an entry of a fetch list */
	r = dev_resource(p.object, p.resource);
	if (!r)
		return -ENOENT;
	v.type = (enum dev_type)r->type;
	if (v.type == DEV_FLOAT && (rec->has_number || rec->has_real))
		v.f = rec->has_real ? rec->real : (double)rec->number;
	else if ((v.type == DEV_INT || v.type == DEV_TIME) &&
		 (rec->has_number || (rec->has_real && rec->real == floor(rec->real))))
		v.i = rec->has_number ? rec->number : (int64_t)rec->real;
	else if (v.type == DEV_BOOL && rec->has_bool)
		v.i = rec->flag;
	else if (!(v.type == DEV_STRING && rec->has_text) && !(v.type == DEV_OPAQUE && rec->has_data))
		return -EINVAL;
	return fn(arg, &p, &v);
}

/* ---- JSON ---- */

static int json_record(struct record *rec, json_t *v, dev_write_fn *fn, void *arg)
{
	const char *base = json_string_value(json_object_get(v, "bn")),
		   *name = json_string_value(json_object_get(v, "n"));
	const char *coded = json_string_value(json_object_get(v, "vd"));
	json_t *number = json_object_get(v, "v"), *text = json_object_get(v, "vs"), *flag = json_object_get(v, "vb");
	uint8_t *room = coded ? malloc(strlen(coded) + 1) : NULL;
	long n = room ? base64_decode(room, strlen(coded), coded, strlen(coded)) : 0;
	int err;

	if (base)
		snprintf(rec->base, sizeof rec->base, "%s", base);
	snprintf(rec->name, sizeof rec->name, "%s", name ? name : "");
	rec->has_number = json_is_integer(number);
	rec->number = json_integer_value(number);
	rec->has_real = json_is_real(number);
	rec->real = json_real_value(number);
	rec->has_bool = json_is_boolean(flag);
	rec->flag = json_is_true(flag);
	rec->has_text = json_is_string(text);
	rec->has_data = room != NULL;
	rec->p = room ? (const char *)room : json_string_value(text);
	rec->len = room ? (size_t)(n < 0 ? 0 : n) : json_string_length(text);
	err = n < 0 ? -EBADMSG : take_record(rec, fn, arg);
	free(room);
	return err;
}

int dev_decode_senml_json(const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	json_t *list = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL), *v;
	struct record rec = { .name = "" };
	int err = json_is_array(list) ? 0 : -EBADMSG;
	size_t i;

	json_array_foreach(list, i, v)
	{
		err = json_is_object(v) ? json_record(&rec, v, fn, arg) : -EBADMSG;
		if (err)
			break;
	}
	json_decref(list);
	return err;
}

/* ---- CBOR: definite lengths, integers, texts, octets, simple values, floats ---- */

struct item {
	unsigned major, info;
	uint64_t n;
	const uint8_t *p;
};

static bool cbor_next(struct reader *r, struct item *it)
{
	uint8_t head = read_u8(r);
	size_t octets;

	it->major = head >> 5;
	it->info = head & 31;
	it->n = it->info;
	it->p = NULL;
	if (it->info > 27)
		return false;
	octets = it->info < 24 ? 0 : (size_t)1 << (it->info - 24);
	if (octets)
		it->n = 0;
	while (octets--)
		it->n = it->n << 8 | read_u8(r);
	if (it->major == 2 || it->major == 3)
		it->p = read_span(r, it->n > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)it->n);
	return !r->failed;
}

static double half_float(uint64_t bits)
{
	double f = ldexp((double)(bits & 0x3ff) + (bits & 0x7c00 ? 1024 : 0),
			 (int)(bits >> 10 & 31 ? bits >> 10 & 31 : 1) - 25);

	return bits & 0x8000 ? -f : f;
}

static void real_of(const struct item *it, struct record *rec)
{
	uint32_t single = (uint32_t)it->n;
	float f;

	rec->has_real = true;
	if (it->info == 25) {
		rec->real = half_float(it->n);
	} else if (it->info == 26) {
		memcpy(&f, &single, sizeof f);
		rec->real = (double)f;
	} else {
		memcpy(&rec->real, &it->n, sizeof rec->real);
	}
}

static int cbor_member(struct record *rec, int64_t label, const struct item *it)
{
	enum { BN = -2, N = 0, V = 2, VS = 3, VB = 4, VD = 8 };

	if ((label == BN || label == N) && it->major == 3) {
		snprintf(label == BN ? rec->base : rec->name, sizeof rec->name, "%.*s", (int)it->n,
			 (const char *)it->p);
	} else if (label == V && it->major < 2) {
		rec->has_number = true;
		rec->number = it->major ? -1 - (int64_t)it->n : (int64_t)it->n;
	} else if (label == V && it->major == 7 && it->info >= 25) {
		real_of(it, rec);
	} else if (label == VB && it->major == 7 && (it->info == 20 || it->info == 21)) {
		rec->has_bool = true;
		rec->flag = it->info == 21;
	} else if ((label == VS && it->major == 3) || (label == VD && it->major == 2)) {
		rec->has_text = label == VS;
		rec->has_data = label == VD;
		rec->p = (const char *)it->p;
		rec->len = (size_t)it->n;
	} else if (label == V || label == VB || label == VS || label == VD || label == N || label == BN) {
		return -EBADMSG;
	}
	return 0;
}

int dev_decode_senml_cbor(const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	struct reader r = reader_of(data, len);
	struct record rec = { .name = "" };
	struct item list, map, key, value;

	if (!cbor_next(&r, &list) || list.major != 4)
		return -EBADMSG;
	while (list.n--) {
		struct record next = { .name = "" };
		int err = 0;

		memcpy(next.base, rec.base, sizeof next.base);
		rec = next;
		if (!cbor_next(&r, &map) || map.major != 5)
			return -EBADMSG;
		while (map.n-- && !err) {
			if (!cbor_next(&r, &key) || key.major > 1 || !cbor_next(&r, &value))
				return -EBADMSG;
			err = cbor_member(&rec, key.major ? -1 - (int64_t)key.n : (int64_t)key.n, &value);
		}
		if (!err)
			err = take_record(&rec, fn, arg);
		if (err)
			return err;
	}
	return reader_left(&r) ? -EBADMSG : 0;
}

/* ---- by format ---- */

static int decode_opaque(const struct dev_path *at, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	const struct dev_resource *r = dev_resource(at->object, at->resource);
	struct dev_value v = { .p = (const char *)data, .len = len };

	if (!r)
		return -ENOENT;
	v.type = (enum dev_type)r->type;
	if (v.type != DEV_STRING && v.type != DEV_OPAQUE)
		return -EINVAL;
	return fn(arg, at, &v);
}

int dev_decode(const struct dev_path *at, int32_t format, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg)
{
	switch (format) {
	case -1:
	case 0:
		return at->resource == DEV_ANY ? -ENOTSUP : decode_text(at, data, len, fn, arg);
	case 42:
		return at->resource == DEV_ANY ? -ENOTSUP : decode_opaque(at, data, len, fn, arg);
	case 110:
		return dev_decode_senml_json(data, len, fn, arg);
	case 112:
		return dev_decode_senml_cbor(data, len, fn, arg);
	case 11542:
		return dev_decode_tlv(at, data, len, fn, arg);
	}
	return -ENOTSUP;
}
