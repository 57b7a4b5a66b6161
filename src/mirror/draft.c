/* SPDX-License-Identifier: Apache-2.0 */
/* draft.c - one report on its way: its body is put together and decoded, and it is told, or what is visible of it */
#include <errno.h>
#include <string.h>

#include "mirror/inside.h"

/* ---- finishing ---- */

struct draft draft_of(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *u, const char *op)
{
	return (struct draft){ .m = m,
			       .who = who,
			       .unit = u,
			       .r = { .kind = NIDDGW_RECORD_DATA,
				      .arrival_ms = u->arrival_ms,
				      .device = who->device,
				      .ep = who->ep,
				      .server = who->server,
				      .op = op,
				      .confirmed = -1 } };
}

/* Octets may be shown where the path says that nothing in them is to be hidden. */
static bool may_show(const struct draft *d)
{
	static const uint16_t with_secrets[] = { 11, 16, 24 };

	if (d->target.composite || !d->target.path.depth)
		return false;
	for (size_t i = 0; i < sizeof with_secrets / sizeof *with_secrets; i++)
		if (d->target.path.id[0] == with_secrets[i])
			return false;
	return d->target.path.depth > 2 || !lwm2m_registry_has_secrets(d->m->registry, d->target.path.id[0]);
}

void draft_fail(struct draft *d, const char *reason)
{
	raw_failed(d->m, d->who, d->unit, d->r.unit_bytes, d->down, d->format, reason, may_show(d));
}

static void give(struct draft *d)
{
	if (d->take)
		d->take(d->take_arg, &d->r);
	else
		mirror_give(d->m, &d->r);
}

/* What texts and octets point to is the decoder's, and gone when this returns: so the report goes on from here. */
static void take_values(void *arg, const struct lwm2m_value *v, size_t n)
{
	struct draft *d = arg;
	size_t hidden = report_values(d->m, d->who, &d->r, v, n);

	if (hidden && !d->r.values_n)
		d->r.op = NULL; /* all of it stays here */
	if (d->r.op)
		give(d);
}

static int decode(struct draft *d, const char **reason)
{
	const struct lwm2m_decode_in in = {
		.format = d->format,
		.payload = d->body,
		.len = d->len,
		.path = d->target.composite ? NULL : &d->target.path,
		.base = d->who->objects ? d->who->objects->base : (struct lwm2m_text){ 0 },
		.arrival_us = (int64_t)d->r.arrival_ms * 1000,
		.registry = d->m->registry,
		.objects = d->who->objects,
	};

	return lwm2m_decode(&in, take_values, d, reason);
}

void draft_set_path(struct draft *d)
{
	if (d->target.composite)
		d->target.path.depth = 0;
	lwm2m_path_print(d->path, &d->target.path);
	d->r.path = d->path;
	d->r.format = lwm2m_format_name(d->format);
}

void draft_finish(struct draft *d)
{
	const char *reason = "format";

	if (!d->target.composite && lwm2m_path_is_secret(&d->target.path, d->m->registry))
		return;
	if (!d->r.path)
		draft_set_path(d);
	if (decode(d, &reason))
		draft_fail(d, reason);
}

/* ---- bodies ---- */

unsigned draft_format(const struct coap_view *v, const struct mirror_target *t)
{
	if (v->has_content_format)
		return v->content_format;
	return !t->composite && t->path.depth > 2 ? LWM2M_CF_TEXT : FORMAT_NONE;
}

struct body_key draft_key(const void *leg, enum body_kind kind, uint8_t code, const struct mirror_target *t)
{
	struct body_key k;

	memset(&k, 0, sizeof k);
	k.leg = leg;
	k.kind = (uint8_t)kind;
	k.code = code;
	k.path.depth = t->path.depth;
	memcpy(k.path.id, t->path.id, sizeof k.path.id);
	return k;
}

bool draft_collect(struct draft *d, const struct body_key *k, const struct body_block *b)
{
	const struct body *whole = NULL;

	d->body = b->data;
	d->len = b->len;
	d->format = b->format;
	d->r.unit_bytes = b->unit_len;
	switch (bodies_take(&d->m->bodies, k, b, &whole)) {
	case BODY_WHOLE:
		return true;
	case BODY_LAST:
		d->body = whole->data;
		d->len = whole->len;
		d->format = whole->format;
		d->r.op = whole->op;
		d->r.unit_bytes = whole->unit_len;
		return true;
	case BODY_LOST:
		if (d->m->listening)
			draft_fail(d, "truncated");
		return false;
	default:
		return false;
	}
}

/* ---- for what the gateway asks itself ---- */

int mirror_decode(struct mirror *m, const struct mirror_who *who, const struct mirror_target *t, unsigned format,
		  const uint8_t *body, size_t len, uint64_t arrival_ms, mirror_take_fn *take, void *arg,
		  const char **reason)
{
	const struct mirror_unit u = { .arrival_ms = arrival_ms };
	struct draft d = draft_of(m, who, &u, "read");
	int err = mirror_make_room(m);

	*reason = "format";
	if (err)
		return err;
	d.target = *t;
	d.format = format;
	d.body = body;
	d.len = len;
	d.take = take;
	d.take_arg = arg;
	draft_set_path(&d);
	if (!t->composite && lwm2m_path_is_secret(&t->path, m->registry))
		return -EACCES;
	if (format != LWM2M_CF_LINK) {
		err = decode(&d, reason);
		return err ? err : d.r.op ? 0 : -EACCES;
	}
	if (report_links(m, &d.r, body, len))
		return -EBADMSG;
	give(&d);
	return 0;
}
