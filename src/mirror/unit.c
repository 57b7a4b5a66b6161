/* SPDX-License-Identifier: Apache-2.0 */
/* unit.c - what a unit was
 *
 * The operation follows from the request, whoever made it; the values stand in the answer when something was read, and
 * in the request when something was written and accepted. What an answer refuses is no report.
 */
#include <string.h>

#include "mirror/inside.h"

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
		draft_fail(d, "format");
	else
		mirror_give(d->m, &d->r);
}

/* Each list of objects is one body, whatever its location. */
static struct body_key up_key(const struct mirror_who *who, enum lwm2m_op op)
{
	static const struct mirror_target nowhere;

	return draft_key(who->leg, BODY_UP, (uint8_t)op, &nowhere);
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
	b = request_block(u, &v, op == LWM2M_SEND ? draft_format(&v, &d.target) : LWM2M_CF_LINK, d.r.op);
	if (!m->listening && !b.has)
		return;
	d.r.confirmed = confirmed;
	if (!draft_collect(&d, &k, &b) || !m->listening)
		return;
	if (op == LWM2M_REGISTER)
		tell_register(&d);
	else if (op == LWM2M_SEND)
		draft_finish(&d);
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
	struct body_key k = draft_key(who->leg, BODY_DOWN, ask->msg->code, t);
	struct body_block b = request_block(&u, v, draft_format(v, t), write_op(ask->msg, v, t));
	struct draft d = draft_of(m, who, &u, b.op);

	if (!b.op)
		return;
	if (coap_class(answer->msg->code) != 2) {
		bodies_drop(&m->bodies, &k);
		return;
	}
	d.down = true;
	d.target = *t;
	if (!draft_collect(&d, &k, &b))
		return;
	draft_set_path(&d); /* of the request, whatever comes of it */
	if (ask->msg->code == COAP_POST && t->path.depth == 1)
		place_created(&d, answer->msg);
	draft_finish(&d);
}

static void answered(struct mirror *m, const struct mirror_who *who, const struct mirror_target *t,
		     const struct mirror_unit *u, const char *op, int confirmed)
{
	struct body_key k = draft_key(who->leg, BODY_ANSWER, t->composite, t);
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
				 .format = draft_format(&v, t),
				 .op = op };
	if (v.has_block2 && coap_option_find(u->msg, COAP_ETAG, &etag)) {
		b.etag = etag.value;
		b.etag_len = etag.len;
	}
	d.target = *t;
	d.r.confirmed = confirmed;
	if (b.format != LWM2M_CF_LINK && draft_collect(&d, &k, &b))
		draft_finish(&d);
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
