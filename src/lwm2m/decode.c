/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - a payload of LwM2M to a list of values: chooses the reader of its format */
#include "lwm2m/decode.h"

#include <errno.h>

#include "lwm2m/formats.h"
#include "lwm2m/typed.h"

/* ---- formats that are one value ---- */

static bool begin_value(struct gather *g, struct lwm2m_value *v)
{
	if (!g->in->path || g->in->path->depth < 3)
		return gather_fault(g, FAULT_FORMAT); /* nothing says whose value it is */
	*v = (struct lwm2m_value){ .path = *g->in->path };
	return true;
}

static bool decode_text(struct gather *g, bool etch)
{
	struct lwm2m_value v;

	(void)etch;
	return begin_value(g, &v) &&
		value_of_text(g, &v, gather_type(g, &v.path), (const char *)g->in->payload, g->in->len) &&
		gather_add(g, &v);
}

static bool decode_opaque(struct gather *g, bool etch)
{
	struct lwm2m_value v;

	(void)etch;
	if (!begin_value(g, &v))
		return false;
	v.kind = LWM2M_VALUE_OPAQUE;
	v.opaque.p = g->in->payload;
	v.opaque.len = g->in->len;
	return gather_add(g, &v);
}

/* ---- the table of formats ---- */

static bool tlv(struct gather *g, bool etch)
{
	(void)etch;
	return decode_tlv(g);
}

static bool cbor(struct gather *g, bool etch)
{
	(void)etch;
	return decode_cbor(g);
}

static bool oma_json(struct gather *g, bool etch)
{
	(void)etch;
	return decode_oma_json(g);
}

static bool lwm2m_cbor(struct gather *g, bool etch)
{
	(void)etch;
	return decode_lwm2m_cbor(g);
}

struct format {
	unsigned number;
	const char *name;
	bool (*decode)(struct gather *g, bool etch); /* NULL: no report */
	bool etch;
};

static const struct format formats[] = {
	{ LWM2M_CF_TEXT, "text/plain", decode_text, false },
	{ LWM2M_CF_LINK, "application/link-format", NULL, false },
	{ LWM2M_CF_OPAQUE, "application/octet-stream", decode_opaque, false },
	{ LWM2M_CF_CBOR, "application/cbor", cbor, false },
	{ LWM2M_CF_SENML_JSON, "application/senml+json", decode_senml_json, false },
	{ LWM2M_CF_SENML_CBOR, "application/senml+cbor", decode_senml_cbor, false },
	{ LWM2M_CF_ETCH_JSON, "application/senml-etch+json", decode_senml_json, true },
	{ LWM2M_CF_ETCH_CBOR, "application/senml-etch+cbor", decode_senml_cbor, true },
	{ LWM2M_CF_OLD_TEXT, "text/plain", decode_text, false },
	{ LWM2M_CF_OLD_TLV, "application/vnd.oma.lwm2m+tlv", tlv, false },
	{ LWM2M_CF_OLD_JSON, "application/vnd.oma.lwm2m+json", oma_json, false },
	{ LWM2M_CF_TLV, "application/vnd.oma.lwm2m+tlv", tlv, false },
	{ LWM2M_CF_OMA_JSON, "application/vnd.oma.lwm2m+json", oma_json, false },
	{ LWM2M_CF_LWM2M_CBOR, "application/vnd.oma.lwm2m+cbor", lwm2m_cbor, false },
};

static const struct format *find(unsigned number)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (formats[i].number == number)
			return &formats[i];
	return NULL;
}

const char *lwm2m_format_name(unsigned format)
{
	const struct format *f = find(format);

	return f ? f->name : NULL;
}

static void decode(struct gather *g, const struct lwm2m_decode_in *in)
{
	const struct format *f = find(in->format);

	if (!f || !f->decode || in->len > LWM2M_DECODE_LEN_MAX)
		(void)gather_fault(g, FAULT_FORMAT);
	else
		(void)f->decode(g, f->etch);
}

int lwm2m_decode(const struct lwm2m_decode_in *in, lwm2m_values_fn *fn, void *arg, const char **reason)
{
	struct lwm2m_decode_in own = *in;
	struct gather g;
	int err;

	if (!own.payload)
		own.payload = (const uint8_t *)""; /* of length 0 */
	gather_init(&g, &own);
	decode(&g, &own);
	err = g.err;
	if (err && reason)
		*reason = g.reason;
	else if (!err)
		fn(arg, g.v, g.n);
	gather_fini(&g);
	return err;
}
