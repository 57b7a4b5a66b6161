/* SPDX-License-Identifier: Apache-2.0 */
/* register.c - the registration interface as it passes: identity binding, edits, what is known of a registration
 *
 * The gateway keeps no registry of its own: the server owns the registration. What is read here serves the identity
 * check, the grammar of later Updates and the status that people ask for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

/* Of a Register or Update until the server has answered it. */
struct reg_params {
	uint8_t version;
	bool has_lifetime, has_binding, queue;
	uint64_t lifetime_s;
	char binding[8];
};

#define LIFETIME_DEFAULT_S 86400 /* lt absent */

void identity_mismatch(struct device *d, const char *text)
{
	count(d->all, C_IDENTITY);
	d->mismatch = true;
	alarm_raise(d->all->env.alarms, ALARM_MAJOR, "device.identity_mismatch", device_name(d), text,
		    "check the device and its record");
}

void identity_confirmed(struct device *d)
{
	if (d->mismatch)
		alarm_clear(d->all->env.alarms, "device.identity_mismatch", device_name(d));
	d->mismatch = false;
}

static uint8_t mismatch(struct device *d, const struct coap_text *ep, const char **why)
{
	log_ev(LOG_WARNING, ROOM, "device.identity_mismatch", LF_STR("dev", device_name(d)),
	       LF_BYTES("ep", ep->p, ep->len));
	identity_mismatch(d, "it used an endpoint name that is not its own");
	*why = "endpoint name of another device";
	return COAP_BAD_REQUEST;
}

/* A visible ep must belong to the device (DESIGN 4, step 4). */
static uint8_t check_ep(struct device *d, const struct coap_text *ep, const char **why)
{
	const char *own = d->conf->ep;
	struct device *holder;

	if (own)
		return strlen(own) == ep->len && memcmp(own, ep->p, ep->len) == 0 ? 0 : mismatch(d, ep, why);
	holder = sessions_find_ep(d->all, ep->p, ep->len);
	if (holder)
		return holder == d ? 0 : mismatch(d, ep, why);
	if (ep->len > 128 || memchr(ep->p, 0, ep->len)) {
		*why = "endpoint name not usable";
		return COAP_BAD_REQUEST;
	}
	return device_learn_ep(d, ep) ? COAP_UNAVAILABLE : 0;
}

uint8_t register_admit(struct device *d, struct server *srv, enum lwm2m_op op, const struct coap_msg *m,
		       const char **why)
{
	struct lwm2m_params p;

	if (op != LWM2M_REGISTER && op != LWM2M_BOOTSTRAP && op != LWM2M_BOOTSTRAP_PACK)
		return 0;
	lwm2m_read_params(&p, m);
	if (p.eps > 1) {
		*why = "more than one ep";
		return COAP_BAD_REQUEST;
	}
	if (p.ep.p)
		return check_ep(d, &p.ep, why);
	if (device_ep(d) || !srv->insert_ep)
		return 0;
	count(d->all, C_IDENTITY);
	log_ev(LOG_WARNING, ROOM, "device.no_ep", LF_STR("dev", device_name(d)));
	*why = "no endpoint name";
	return COAP_BAD_REQUEST;
}

struct reg_params *register_params(enum lwm2m_op op, const struct coap_msg *m)
{
	struct reg_params *r;
	struct lwm2m_params p;

	if (op != LWM2M_REGISTER && op != LWM2M_UPDATE)
		return NULL;
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	lwm2m_read_params(&p, m);
	r->version = (uint8_t)p.version;
	r->has_lifetime = p.has_lifetime || op == LWM2M_REGISTER;
	r->lifetime_s = p.has_lifetime ? p.lifetime_s : LIFETIME_DEFAULT_S;
	r->queue = p.queue;
	r->has_binding = p.b.p != NULL;
	if (p.b.p)
		memcpy(r->binding, p.b.p, p.b.len < sizeof r->binding ? p.b.len : sizeof r->binding - 1);
	return r;
}

void register_write(struct writer *w, const struct reg_params *p)
{
	write_u8(w, p != NULL);
	if (!p)
		return;
	write_u8(w, p->version);
	write_u8(w, (uint8_t)(p->has_lifetime | p->has_binding << 1 | p->queue << 2));
	write_u32(w, (uint32_t)(p->lifetime_s >> 32));
	write_u32(w, (uint32_t)p->lifetime_s);
	write_bytes(w, p->binding, sizeof p->binding);
}

struct reg_params *register_read(struct reader *r)
{
	struct reg_params *p = read_u8(r) ? calloc(1, sizeof *p) : NULL;
	uint8_t flags;

	if (!p)
		return NULL;
	p->version = read_u8(r);
	flags = read_u8(r);
	p->has_lifetime = flags & 1;
	p->has_binding = flags & 2;
	p->queue = flags & 4;
	p->lifetime_s = (uint64_t)read_u32(r) << 32;
	p->lifetime_s |= read_u32(r);
	read_into(r, p->binding, sizeof p->binding);
	p->binding[sizeof p->binding - 1] = 0;
	return p;
}

int register_edit(struct lwm2m_queries *q, struct coap_crossing *c, const struct assoc *a, enum lwm2m_op op,
		  const struct coap_msg *m)
{
	struct lwm2m_edits e = a->srv->edits;
	enum lwm2m_version version;
	struct lwm2m_params p;
	int n;

	e.insert_ep = a->srv->insert_ep ? device_ep(a->dev) : NULL;
	if (!a->srv->edit && !e.insert_ep)
		return 0;
	if (op == LWM2M_REGISTER || op == LWM2M_BOOTSTRAP || op == LWM2M_BOOTSTRAP_PACK) {
		lwm2m_read_params(&p, m);
		version = p.version;
	} else {
		version = a->reg ? (enum lwm2m_version)a->reg->version : LWM2M_V_UNKNOWN;
	}
	n = lwm2m_edit(q, m, op, version, &e);
	if (n == 1) {
		c->queries = q->v;
		c->queries_n = q->n;
	}
	return n < 0 ? n : 0;
}

/* ---- what the server's answer makes of it ---- */

static uint64_t expiry(uint64_t since_ms, uint64_t lifetime_s)
{
	return lifetime_s ? since_ms + lifetime_s * 1000 : 0;
}

static void take_params(struct registration *r, const struct reg_params *p, uint64_t since_ms)
{
	if (p->has_lifetime)
		r->lifetime_s = p->lifetime_s;
	if (p->has_binding)
		memcpy(r->binding, p->binding, sizeof r->binding);
	r->expires_ms = expiry(since_ms, r->lifetime_s);
}

void registration_free(struct registration *r)
{
	if (r)
		lwm2m_objects_free(r->objects);
	free(r);
}

/* The location as the device has it: behind the path prefix of the server, where that was taken off its request. */
static long location_of(const struct exchange *x, uint8_t *buf, size_t size, const struct coap_msg *m)
{
	const struct server *srv = x->assoc->srv;
	struct writer w = writer_of(buf, size);
	long len;

	for (unsigned i = 0; x->prefixed && i < srv->prefix_n; i++) {
		write_u8(&w, (uint8_t)srv->prefix[i].len);
		write_bytes(&w, srv->prefix[i].p, srv->prefix[i].len);
	}
	if (w.failed)
		return -EMSGSIZE;
	len = lwm2m_location_of(w.p, (size_t)(w.end - w.p), m);
	return len < 0 ? len : (long)writer_len(&w) + len;
}

static void registered(const struct exchange *x, const struct coap_msg *m)
{
	const struct reg_params *p = x->params;
	struct assoc *a = x->assoc;
	uint8_t location[512];
	long len = location_of(x, location, sizeof location, m);
	struct registration *r;

	relations_drop(a); /* a new registration voids every observation */
	own_registered(a->dev);
	a->dev->veiled = false;
	r = calloc(1, sizeof *r + (len > 0 ? (size_t)len : 0));
	if (!r)
		return;
	r->objects = copy_objects(x);
	copy_forget_leg(a);
	registration_free(a->reg);
	a->reg = r;
	r->since_ms = clock_steady_ms();
	r->location_len = len > 0 ? (uint16_t)len : 0;
	if (len > 0)
		memcpy(r->location, location, (size_t)len);
	if (p) {
		r->version = p->version;
		r->queue_mode = p->queue || a->srv->edits.queue_flag == LWM2M_ADD;
		take_params(r, p, clock_steady_ms());
	}
	identity_confirmed(a->dev);
	log_ev(LOG_INFO, ROOM, "registered", LF_STR("dev", device_name(a->dev)), LF_STR("ep", device_ep(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_UINT("lifetime_s", r->lifetime_s),
	       LF_STR("binding", r->binding));
	tell_event(a, SESSION_REGISTERED, NULL, true);
}

static void unregistered(struct assoc *a, const char *why)
{
	bool deregistered = strcmp(why, "deregistered") == 0;

	if (!a->reg)
		return;
	/* by its device, or its server has forgotten it */
	tell_event(a, deregistered ? SESSION_DEREGISTERED : SESSION_EXPIRED, deregistered ? NULL : why, false);
	registration_free(a->reg);
	a->reg = NULL;
	relations_drop(a);
	copy_forget_leg(a);
	log_ev(LOG_INFO, ROOM, "unregistered", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_STR("reason", why));
}

/* A list of objects comes only when it has changed, and whole. */
static void updated(const struct exchange *x)
{
	struct registration *r = x->assoc->reg;
	struct lwm2m_objects *o = copy_objects(x);

	take_params(r, x->params, clock_steady_ms());
	log_note(ROOM, "updated", LF_STR("dev", device_name(x->dev)), LF_STR("server", x->assoc->srv->conf->head.name),
		 LF_UINT("lifetime_s", r->lifetime_s), LF_STR("binding", r->binding));
	if (o) {
		lwm2m_objects_free(r->objects);
		r->objects = o;
	}
	tell_event(x->assoc, SESSION_UPDATED, NULL, o != NULL);
}

/* When its lifetime began anew. */
static uint64_t renewed_ms(const struct registration *r)
{
	return r->lifetime_s ? r->expires_ms - r->lifetime_s * 1000 : r->since_ms;
}

void register_replayed(struct exchange *x, uint8_t code, uint64_t wall_ms)
{
	struct registration *r = x->assoc->reg;

	if (x->op != LWM2M_UPDATE || code != COAP_CHANGED || !x->params || !r || wall_ms <= renewed_ms(r)) /* at the start both are wall time */
		return;
	take_params(r, x->params, wall_ms);
	device_touch(x->dev);
}

void register_answered(struct exchange *x, const struct coap_msg *m)
{
	struct assoc *a = x->assoc;

	if (x->op == LWM2M_REGISTER || x->op == LWM2M_UPDATE || x->op == LWM2M_DEREGISTER)
		device_touch(a->dev);

	switch (x->op) {
	case LWM2M_REGISTER:
		if (m->code == COAP_CREATED)
			registered(x, m);
		else if (coap_class(m->code) > 2)
			tell_event(a, SESSION_REJECTED, "server", false);
		break;
	case LWM2M_UPDATE:
		if (m->code == COAP_CHANGED && a->reg && x->params)
			updated(x);
		else if (m->code == COAP_NOT_FOUND)
			unregistered(a, "not_found");
		break;
	case LWM2M_DEREGISTER:
		if (m->code == COAP_DELETED || m->code == COAP_NOT_FOUND)
			unregistered(a, "deregistered");
		break;
	default:
		return;
	}
	if (coap_class(m->code) == 2 || m->code == COAP_NOT_FOUND)
		switch_forget(a, "registered here");
	expire_watch(a);
}
