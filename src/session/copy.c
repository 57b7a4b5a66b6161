/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c - what the mirror is shown
 *
 * A unit is shown when it has been dealt with: a request of a device when it is on disk and leaves, an answer of a
 * device when it has been taken for its request. Repetitions never come so far, and what is restored after a restart is
 * not shown again. Whether the server has acknowledged it is said where that shows soon: then the copy stands back for
 * a moment, one of each device at most, so that reports of a device keep their order.
 */
#include <string.h>

#include "lwm2m/decode.h"
#include "session/block.h"

static struct mirror *mirror_of(const struct device *d)
{
	return d->all->env.mirror;
}

/* The gateway itself knows what the device told the servers. */
static const struct lwm2m_objects *objects_of(const struct assoc *a)
{
	const char *server;

	if (own_is(a->srv))
		return device_objects(a->dev, &server);
	return a->reg ? a->reg->objects : NULL;
}

struct mirror_who copy_who(const struct device *d, const struct assoc *a)
{
	return (struct mirror_who){
		.dev = d,
		.leg = a,
		.device = device_name(d),
		.ep = device_ep(d),
		.server = a ? a->srv->conf->head.name : NULL,
		.objects = a ? objects_of(a) : NULL,
		.units = &d->conf->units,
	};
}

struct mirror_target copy_target(const struct assoc *a, const struct coap_msg *request)
{
	return mirror_target_of(request, objects_of(a));
}

/* ---- requests and notifications of devices ---- */

/* As it is north, with what it was called on the way up. */
static bool exchange_message(const struct exchange *x, struct coap_msg *m)
{
	if (coap_parse(m, x->tx.data, x->tx.len))
		return false;
	m->type = x->ask_con ? COAP_CON : COAP_NON;
	m->mid = x->ask_mid;
	m->token_len = x->ask_len;
	return true;
}

static void show_exchange(const struct exchange *x, int confirmed)
{
	struct mirror_who who = copy_who(x->dev, x->assoc);
	struct coap_msg m;
	const struct mirror_unit u = { &m, x->copy.unit_len, x->copy.arrival_ms };

	if (!exchange_message(x, &m))
		return;
	if (x->oscore)
		mirror_oscore(mirror_of(x->dev), &who, false, &u);
	else
		mirror_request(mirror_of(x->dev), &who, (enum lwm2m_op)x->op, &u, confirmed);
}

static void show_note(const struct note *n, int confirmed)
{
	struct mirror_who who = copy_who(n->assoc->dev, n->assoc);
	struct coap_msg m;
	const struct mirror_unit u = { &m, n->copy.unit_len, n->copy.arrival_ms };

	if (coap_parse(&m, n->tx.data, n->tx.len))
		return;
	m.mid = n->ask_mid;
	m.token_len = n->ask_len;
	if (n->oscore)
		mirror_oscore(mirror_of(n->assoc->dev), &who, false, &u);
	else
		mirror_notify(mirror_of(n->assoc->dev), &who, &n->target, &u, confirmed);
}

static void show(const struct copy *c, int confirmed)
{
	if (c->of_note)
		show_note(container_of(c, const struct note, copy), confirmed);
	else
		show_exchange(container_of(c, const struct exchange, copy), confirmed);
}

static bool is_of_device(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return container_of(n, const struct copy, node)->dev == key;
}

static uint64_t hash_of(const struct device *d)
{
	return map_hash(&d, sizeof d);
}

static void take_out(struct sessions *s, struct copy *c)
{
	map_remove(&s->copies_of, &c->node);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	else
		s->copies_end = c->link == &s->copies ? NULL : c->link;
	c->link = NULL;
}

static void on_due(struct timer *t, uint64_t now_ms)
{
	struct sessions *s = container_of(t, struct sessions, copies_timer);

	while (s->copies && s->copies->due_ms <= now_ms)
		copy_settle(s, s->copies, false);
	if (s->copies)
		timer_set(s->env.timers, t, s->copies->due_ms, on_due);
}

/* All stand back for the same time, so the list is in order of when they are due. */
static void stand_back(struct sessions *s, struct copy *c)
{
	if (map_add(&s->copies_of, &c->node, hash_of(c->dev))) {
		show(c, 0);
		return;
	}
	c->due_ms = clock_now_ms() + MIRROR_ACK_MS;
	c->next = NULL;
	c->link = s->copies_end ? s->copies_end : &s->copies;
	*c->link = c;
	s->copies_end = &c->next;
	if (!timer_is_set(&s->copies_timer))
		timer_set(s->env.timers, &s->copies_timer, c->due_ms, on_due);
}

void copy_settle(struct sessions *s, struct copy *c, bool confirmed)
{
	if (!c->link)
		return;
	take_out(s, c);
	show(c, confirmed);
}

static void owe(struct device *d, struct copy *c)
{
	c->dev = d;
	c->owed = true;
	c->unit_len = (uint16_t)d->all->unit_len;
	c->arrival_ms = d->all->unit_arrival_ms;
}

/* The latest unit of a device is the only one that may stand back. */
static void flush(struct device *d)
{
	struct map_node *n = d->all->copies ? map_find(&d->all->copies_of, hash_of(d), is_of_device, d, 0) : NULL;

	if (n)
		copy_settle(d->all, container_of(n, struct copy, node), false);
}

/* Whether the server's word about it can be expected soon. */
static bool goes_at_once(const struct assoc *a)
{
	return coap_peer_clear(&a->peer) && north_server_is_up(a->srv->north) && north_assoc_is_up(a->north);
}

static void left(struct assoc *a, struct copy *c, bool con, bool blocks_follow)
{
	if (!c->owed)
		return;
	c->owed = false;
	flush(c->dev);
	if (con && !blocks_follow && mirror_listens(mirror_of(c->dev)) && goes_at_once(a))
		stand_back(a->dev->all, c);
	else
		show(c, con ? 0 : -1);
}

void copy_request(struct exchange *x)
{
	bool list = x->op == LWM2M_REGISTER || x->op == LWM2M_UPDATE; /* of objects, which is kept in any case */

	if (!mirror_of(x->dev) || (!x->oscore && !list && x->op != LWM2M_SEND))
		return;
	if (list || mirror_listens(mirror_of(x->dev)))
		owe(x->dev, &x->copy);
}

void copy_left(struct exchange *x)
{
	struct coap_option block1;
	struct coap_msg m;
	bool more;

	if (!x->copy.owed)
		return;
	more = !x->oscore && !coap_parse(&m, x->tx.data, x->tx.len) && coap_option_find(&m, COAP_BLOCK1, &block1) &&
		coap_block_more(coap_option_uint(&block1));
	left(x->assoc, &x->copy, x->ask_con && !x->oscore, more);
}

void copy_note(struct note *n, const struct mirror_target *t)
{
	n->copy.of_note = true;
	n->target = *t;
	if (mirror_listens(mirror_of(n->assoc->dev)))
		owe(n->assoc->dev, &n->copy);
}

void copy_note_left(struct note *n)
{
	left(n->assoc, &n->copy, n->ask_con && !n->oscore, false);
}

void copy_notified(const struct relation *r, const struct coap_msg *m, const struct coap_view *v)
{
	const struct device *d = r->assoc->dev;
	const struct mirror_unit u = { m, d->all->unit_len, d->all->unit_arrival_ms };
	struct mirror_who who = copy_who(d, r->assoc);

	if (!mirror_listens(mirror_of(d)) || v->refuse)
		return;
	flush(r->assoc->dev);
	if (v->oscore)
		mirror_oscore(mirror_of(d), &who, false, &u);
	else
		mirror_notify(mirror_of(d), &who, &r->target, &u, -1);
}

/* ---- answers ---- */

/* The request that a device has answered, as one message. *len: its octets. */
static bool asked(const struct exchange *x, struct coap_msg *m, size_t *len)
{
	const struct cut *k = x->cut;

	if (!k || !k->whole) {
		*len = x->tx.len;
		return !coap_parse(m, x->tx.data, x->tx.len);
	}
	*m = (struct coap_msg){ .type = COAP_CON,
				.code = k->code,
				.token_len = x->out_len,
				.options = k->options,
				.options_len = k->options_len,
				.payload = k->body,
				.payload_len = k->c.len };
	*len = 4u + x->out_len + k->options_len + 1 + k->c.len;
	return true;
}

void copy_answer(struct exchange *x, const struct coap_msg *m)
{
	struct device *d = x->dev;
	struct mirror_who who = copy_who(d, x->assoc);
	const struct mirror_unit answer = { m, d->all->unit_len, d->all->unit_arrival_ms };
	struct coap_msg request;
	struct mirror_unit ask = { .msg = &request, .arrival_ms = d->all->unit_arrival_ms };

	if (x->copied || !mirror_listens(mirror_of(d)))
		return;
	x->copied = true; /* it comes again when the disk does not take it */
	flush(d);
	if (x->oscore)
		mirror_oscore(mirror_of(d), &who, false, &answer);
	else if (asked(x, &request, &ask.len))
		mirror_answer(mirror_of(d), &who, &answer, &ask);
}

void copy_down(const struct assoc *a, const uint8_t *unit, size_t len)
{
	struct mirror_who who = copy_who(a->dev, a);
	struct coap_msg m;
	const struct mirror_unit u = { &m, len, clock_wall_ms() };

	if (mirror_listens(mirror_of(a->dev)) && !coap_parse(&m, unit, len))
		mirror_oscore(mirror_of(a->dev), &who, true, &u);
}

void copy_protected(struct exchange *x, const uint8_t *unit, size_t len)
{
	if (!x->copied)
		copy_down(x->assoc, unit, len);
	x->copied = true;
}

/* ---- what is no message ---- */

void copy_unknown(const struct device *d, const uint8_t *data, size_t len)
{
	struct mirror_who who = copy_who(d, NULL);

	if (mirror_listens(mirror_of(d)))
		mirror_unknown(mirror_of(d), &who, data, len, d->all->unit_arrival_ms);
}

void copy_records(const struct device *d, const struct server *srv, bool down, const uint8_t *data, size_t len)
{
	struct mirror_who who = copy_who(d, NULL);

	who.server = srv->conf->head.name;
	if (mirror_listens(mirror_of(d)))
		mirror_dtls(mirror_of(d), &who, down, data, len, down ? clock_wall_ms() : d->all->unit_arrival_ms);
}

/* ---- a Register's objects ---- */

struct lwm2m_objects *copy_objects(const struct exchange *x)
{
	struct mirror_who who = copy_who(x->dev, x->assoc);
	struct lwm2m_objects *o = NULL;
	const uint8_t *list;
	struct coap_view v;
	struct coap_msg m;
	size_t len;

	if (coap_parse(&m, x->tx.data, x->tx.len))
		return NULL;
	coap_view(&v, &m, true);
	list = m.payload;
	len = m.payload_len;
	if (v.has_block1 && (coap_block_num(v.block1) || coap_block_more(v.block1)))
		list = mirror_of(x->dev) ? mirror_body(mirror_of(x->dev), &who, (enum lwm2m_op)x->op, &len) : NULL;
	if (!list || !len || (v.has_content_format && v.content_format != LWM2M_CF_LINK))
		return NULL;
	return lwm2m_objects_new(&o, (const char *)list, len) ? NULL : o;
}

/* ---- ends ---- */

void copy_forget(const struct device *d)
{
	if (mirror_of(d))
		mirror_forget(mirror_of(d), d);
}

void copy_forget_leg(const struct assoc *a)
{
	if (mirror_of(a->dev))
		mirror_forget_leg(mirror_of(a->dev), a);
}

void copies_stop(struct sessions *s)
{
	timer_cancel(s->env.timers, &s->copies_timer);
	map_fini(&s->copies_of);
}
