/* SPDX-License-Identifier: Apache-2.0 */
/* draft.c - what a unit was, and the report that comes of it
 *
 * The operation follows from the request, whoever made it; the values stand in the answer when something was read, and
 * in the request when something was written and accepted. What an answer refuses is no report.
 */
#include <errno.h>
#include <string.h>

#include "mirror/inside.h"

#define FORMAT_NONE 65536u /* the message names none */

/* One report on its way. */
struct draft {
	struct mirror *m;
	const struct mirror_who *who;
	struct report r;
	const struct mirror_unit *unit; /* that its header is told of when it fails */
	struct mirror_target target;
	unsigned format;
	const uint8_t *body;
	size_t len;
	bool down; /* the values went towards the device */
	char path[LWM2M_PATH_TEXT];
	mirror_take_fn *take; /* NULL: to who listens */
	void *take_arg;
};

/* ---- finishing ---- */

static struct draft draft_of(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *u,
			     const char *op)
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

static void fail(struct draft *d, const char *reason)
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

static void set_path(struct draft *d)
{
	if (d->target.composite)
		d->target.path.depth = 0;
	lwm2m_path_print(d->path, &d->target.path);
	d->r.path = d->path;
	d->r.format = lwm2m_format_name(d->format);
}

static void finish(struct draft *d)
{
	const char *reason = "format";

	if (!d->target.composite && lwm2m_path_is_secret(&d->target.path, d->m->registry))
		return;
	if (!d->r.path)
		set_path(d);
	if (decode(d, &reason))
		fail(d, reason);
}

/* ---- bodies ---- */

static unsigned format_of(const struct coap_view *v, const struct mirror_target *t)
{
	if (v->has_content_format)
		return v->content_format;
	return !t->composite && t->path.depth > 2 ? LWM2M_CF_TEXT : FORMAT_NONE;
}

static struct body_key key_of(const void *leg, enum body_kind kind, uint8_t code, const struct mirror_target *t)
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

/* Takes the body of this unit. False: nothing is to be told (yet). */
static bool collect(struct draft *d, const struct body_key *k, const struct body_block *b)
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
			fail(d, "truncated");
		return false;
	default:
		return false;
	}
}

/* ---- requests of devices ---- */

static struct body_block request_block(const struct mirror_unit *u, const struct coap_view *v, unsigned format,
				       const char *op)
{
	return (struct body_block){ .has = v->has_block1,
				    .block = v->block1,
				    .data = u->msg->payload,
				    .len = u->msg->payload_len,
				    .unit_len = u->len,
				    .format = format,
				    .op = op };
}

static void tell_register(struct draft *d)
{
	d->r.path = "/rd";
	d->r.format = lwm2m_format_name(LWM2M_CF_LINK);
	if (d->len && report_links(d->m, &d->r, d->body, d->len))
		fail(d, "format");
	else
		mirror_give(d->m, &d->r);
}

/* Each list of objects is one body, whatever its location. */
static struct body_key up_key(const struct mirror_who *who, enum lwm2m_op op)
{
	static const struct mirror_target nowhere;

	return key_of(who->leg, BODY_UP, (uint8_t)op, &nowhere);
}

void mirror_request(struct mirror *m, const struct mirror_who *who, enum lwm2m_op op, const struct mirror_unit *u,
		    int confirmed)
{
	struct draft d = draft_of(m, who, u, op == LWM2M_SEND ? "send" : "register");
	struct body_key k = up_key(who, op);
	struct body_block b;
	struct coap_view v;

	coap_view(&v, u->msg, true);
	d.target = (struct mirror_target){ .known = true, .composite = true };
	b = request_block(u, &v, op == LWM2M_SEND ? format_of(&v, &d.target) : LWM2M_CF_LINK, d.r.op);
	if (!m->listening && !b.has)
		return;
	d.r.confirmed = confirmed;
	if (!collect(&d, &k, &b) || !m->listening)
		return;
	if (op == LWM2M_REGISTER)
		tell_register(&d);
	else if (op == LWM2M_SEND)
		finish(&d);
}

const uint8_t *mirror_body(const struct mirror *m, const struct mirror_who *who, enum lwm2m_op op, size_t *len)
{
	struct body_key k = up_key(who, op);
	const struct body *y = bodies_find(&m->bodies, &k);

	if (!y)
		return NULL;
	*len = y->len;
	return y->data;
}

/* ---- requests of servers ---- */

struct mirror_target mirror_target_of(const struct coap_msg *request, const struct lwm2m_objects *objects)
{
	struct mirror_target t = { .composite = request->code == COAP_FETCH || request->code == COAP_IPATCH };
	struct coap_option oscore;

	if (coap_option_find(request, COAP_OSCORE, &oscore))
		return (struct mirror_target){ 0 };
	if (t.composite)
		t.known = true;
	else
		t.known = !lwm2m_path_of_request(&t.path, NULL, request, objects ? &objects->base : NULL);
	return t;
}

static const char *read_op(const struct coap_msg *request, const struct coap_view *rv, const struct coap_view *av)
{
	if (rv->has_observe && !rv->observe && av->has_observe)
		return "observe";
	return request->code == COAP_FETCH ? "read-composite" : "read";
}

/* NULL: nothing is written by it. */
static const char *write_op(const struct coap_msg *request, const struct coap_view *v, const struct mirror_target *t)
{
	bool execute = t->path.depth == 3 && (!v->has_content_format || v->content_format == LWM2M_CF_TEXT);

	if (!request->payload_len)
		return NULL;
	switch (request->code) {
	case COAP_PUT:
		return "write";
	case COAP_POST:
		return t->path.depth == 1                                        ? "create"
			: t->path.depth == 2 || (t->path.depth == 3 && !execute) ? "write"
										 : NULL;
	case COAP_IPATCH:
		return "write-composite";
	default:
		return NULL;
	}
}

/* A Create that leaves the instance to the device: where the resources stand alone, they belong to the one that its
 * answer names. */
static void place_created(struct draft *d, const struct coap_msg *answer)
{
	uint8_t first = d->len ? d->body[0] : 0;
	struct lwm2m_path p = { { d->target.path.id[0], LWM2M_NO_ID }, 2 };
	struct coap_options it = coap_options_of(answer);
	struct coap_option o;
	unsigned n = 0;

	if ((d->format != LWM2M_CF_TLV && d->format != LWM2M_CF_OLD_TLV) || first >> 6 == 0)
		return;
	while (coap_option_next(&it, &o)) {
		struct lwm2m_path one;

		if (o.number == COAP_LOCATION_PATH && n++ == 1 &&
		    !lwm2m_path_parse(&one, NULL, (const char *)o.value, o.len, NULL) && one.depth == 1)
			p.id[1] = one.id[0];
	}
	d->target.path = p;
}

static void written(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *answer,
		    const struct mirror_unit *ask, const struct coap_view *v, const struct mirror_target *t)
{
	const struct mirror_unit u = { ask->msg, ask->len, answer->arrival_ms };
	struct body_key k = key_of(who->leg, BODY_DOWN, ask->msg->code, t);
	struct body_block b = request_block(&u, v, format_of(v, t), write_op(ask->msg, v, t));
	struct draft d = draft_of(m, who, &u, b.op);

	if (!b.op)
		return;
	if (coap_class(answer->msg->code) != 2) {
		bodies_drop(&m->bodies, &k);
		return;
	}
	d.down = true;
	d.target = *t;
	if (!collect(&d, &k, &b))
		return;
	set_path(&d); /* of the request, whatever comes of it */
	if (ask->msg->code == COAP_POST && t->path.depth == 1)
		place_created(&d, answer->msg);
	finish(&d);
}

static void answered(struct mirror *m, const struct mirror_who *who, const struct mirror_target *t,
		     const struct mirror_unit *u, const char *op, int confirmed)
{
	struct body_key k = key_of(who->leg, BODY_ANSWER, t->composite, t);
	struct draft d = draft_of(m, who, u, op);
	struct coap_option etag = { 0 };
	struct body_block b;
	struct coap_view v;

	coap_view(&v, u->msg, false);
	b = (struct body_block){ .has = v.has_block2,
				 .block = v.block2,
				 .data = u->msg->payload,
				 .len = u->msg->payload_len,
				 .unit_len = u->len,
				 .format = format_of(&v, t),
				 .op = op };
	if (v.has_block2 && coap_option_find(u->msg, COAP_ETAG, &etag)) {
		b.etag = etag.value;
		b.etag_len = etag.len;
	}
	d.target = *t;
	d.r.confirmed = confirmed;
	if (b.format != LWM2M_CF_LINK && collect(&d, &k, &b))
		finish(&d);
}

void mirror_answer(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *answer,
		   const struct mirror_unit *request)
{
	struct mirror_target t = mirror_target_of(request->msg, who->objects);
	bool reads = request->msg->code == COAP_GET || request->msg->code == COAP_FETCH;
	struct coap_view rv, av;

	if (!m->listening || !t.known)
		return;
	coap_view(&rv, request->msg, true);
	coap_view(&av, answer->msg, false);
	if (!reads)
		written(m, who, answer, request, &rv, &t);
	else if (answer->msg->code == COAP_CONTENT)
		answered(m, who, &t, answer, read_op(request->msg, &rv, &av), -1);
}

void mirror_notify(struct mirror *m, const struct mirror_who *who, const struct mirror_target *t,
		   const struct mirror_unit *u, int confirmed)
{
	if (m->listening && t->known && u->msg->code == COAP_CONTENT)
		answered(m, who, t, u, "notify", confirmed);
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
	set_path(&d);
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
