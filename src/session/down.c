/* SPDX-License-Identifier: Apache-2.0 */
/* down.c - a message from a server (DESIGN: life of a downlink) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "session/internal.h"

#define BUSY_MAX_AGE_S 60
#define SHORT_TOKENS 64 /* live ones up to which one octet is enough */

static void refuse_down(struct assoc *a, const struct coap_msg *m, uint8_t code, const char *why)
{
	uint8_t age[MAX_AGE_OPTION_SIZE];
	bool later = code == COAP_TOO_MANY || code == COAP_UNAVAILABLE;

	log_ev(LOG_INFO, ROOM, "downlink.refused", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_CODE("code", code), LF_STR("reason", why));
	refuse(a->dev, a, DOWN, m, code, age, later ? max_age_option(age, BUSY_MAX_AGE_S) : 0,
	       code == COAP_HOP_LIMIT_REACHED ? a->dev->all->env.gateway_id : why);
}

/* The size that would fit, for a request whose unit is above the MTU. */
static void refuse_too_large(struct assoc *a, const struct coap_msg *m, size_t overhead)
{
	struct coap_builder b;
	uint8_t buf[16];
	int szx = coap_block_fit(device_mtu(a->dev), overhead);
	struct coap_option oscore;

	count(a->dev->all, C_TOO_BIG);
	log_ev(LOG_WARNING, ROOM, "downlink.too_big", LF_STR("dev", device_name(a->dev)),
	       LF_UINT("payload", m->payload_len), LF_UINT("mtu", device_mtu(a->dev)));
	if (coap_option_find(m, COAP_OSCORE, &oscore))
		block_too_big(a->dev, overhead + m->payload_len);
	b = (struct coap_builder){ writer_of(buf, sizeof buf), 0 };
	if (szx >= 0 && m->payload_len && north_assoc_blockwise(a->north))
		coap_build_uint(&b, COAP_BLOCK1, (uint32_t)szx);
	coap_build_uint(&b, COAP_SIZE1, device_mtu(a->dev));
	refuse(a->dev, a, DOWN, m, COAP_TOO_LARGE, buf, writer_len(&b.w), NULL);
}

/* ---- tokens south: as short as the open ones of the device allow ---- */

static size_t live_tokens(const struct device *d)
{
	size_t n = d->downs;

	for (const struct assoc *a = d->assocs; a; a = a->next)
		n += a->relations_n;
	return n;
}

static bool token_used(const struct device *d, const uint8_t *t, size_t len)
{
	return exchange_find(d->all, DOWN, d, t, len) || relation_find_south(d->all, d, t, len);
}

static size_t new_token(struct device *d, uint8_t t[4])
{
	size_t len = live_tokens(d) < SHORT_TOKENS ? 1 : 2;

	for (unsigned i = 0; i < 256 && len == 1; i++) {
		t[0] = d->next_token++;
		if (!token_used(d, t, 1))
			return 1;
	}
	do
		random_bytes(t, 4);
	while (token_used(d, t, 4));
	return 4;
}

/* ---- requests ---- */

/* The relation that a request with Observe is about, and the token that goes south with it. */
struct observe_plan {
	struct relation *rel;
	uint8_t token[4];
	size_t token_len;
	bool observe, cancel, made;
};

static bool plan_observe(struct observe_plan *p, struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	bool reads = m->code == COAP_GET || m->code == COAP_FETCH || v->oscore;

	*p = (struct observe_plan){ .observe = v->has_observe && v->observe == 0 && reads,
				    .cancel = v->has_observe && v->observe == 1 && reads };
	if (p->observe || p->cancel)
		p->rel = relation_find_north(a->dev->all, a, m->token, m->token_len);
	if (p->rel && p->observe && v->oscore) /* the target cannot be seen: the old one ends at its own time */
		p->rel = NULL;
	if (p->rel) {
		memcpy(p->token, p->rel->ts, p->rel->ts_len);
		p->token_len = p->rel->ts_len;
		return true;
	}
	p->token_len = new_token(a->dev, p->token);
	p->cancel = false;
	if (!p->observe)
		return true;
	p->rel = relation_new(a, p->token, p->token_len, m);
	p->made = true;
	return p->rel != NULL;
}

static long build_south(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v, uint16_t mid,
			const struct observe_plan *p, uint8_t *buf, size_t size)
{
	struct coap_crossing c = { .request = true };
	struct coap_builder b;

	block_lower(a, v, &c);
	coap_build(&b, buf, size, a->srv->stream ? COAP_CON : m->type, m->code, mid, p->token, p->token_len);
	coap_forward_options(&b, m, &c);
	coap_build_payload(&b, m->payload, m->payload_len);
	return coap_build_end(&b);
}

/* Above the MTU: the whole message, which leaves as blocks. *whole is the caller's. Its length, or a negative errno. */
static long build_whole(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v, uint16_t mid,
			const struct observe_plan *p, uint8_t **whole)
{
	size_t size = COAP_HEADER_MAX + m->options_len + 8 + 1 + m->payload_len;
	int err = block_admit(a, m, v);

	if (err)
		return err;
	*whole = malloc(size);
	return *whole ? build_south(a, m, v, mid, p, *whole, size) : -ENOMEM;
}

static void forward_down(struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	struct device *d = a->dev;
	size_t mtu = device_mtu(d);
	struct observe_plan p;
	struct exchange *x;
	uint8_t buf[UNIT_MAX], *whole = NULL;
	uint16_t mid;
	long len;

	if (!plan_observe(&p, a, m, v)) {
		refuse_down(a, m, COAP_TOO_MANY, "too many observations");
		return;
	}
	mid = coap_peer_mid(&d->south);
	len = build_south(a, m, v, mid, &p, buf, mtu < sizeof buf ? mtu : sizeof buf);
	if (len < 0)
		len = build_whole(a, m, v, mid, &p, &whole);
	x = len > 0 ? exchange_new(d, a, DOWN, m, v) : NULL;
	if (!x || coap_tx_set(&x->tx, whole ? whole : buf, (size_t)len, gate_class(v))) {
		free(whole);
		if (p.made)
			relation_end(p.rel);
		if (x)
			exchange_free(x);
		if (len == -EMSGSIZE)
			refuse_too_large(a, m, m->options_len + COAP_HEADER_MAX + 8);
		else
			refuse_down(a, m, COAP_UNAVAILABLE,
				    len == -ENOBUFS ? "too large bodies under way" : "no memory");
		return;
	}
	if (whole)
		block_hold(x, (size_t)len);
	free(whole);
	block_fits(d);
	memcpy(x->out, p.token, p.token_len);
	x->out_len = (uint8_t)p.token_len;
	x->rel = p.rel;
	x->observe = p.observe;
	x->cancel = p.cancel;
	x->switches = switch_asked(m, v);
	if (x->switches)
		switch_expect(a);
	if (p.observe)
		p.rel->target = copy_target(a, m);
	if (v->oscore)
		copy_down(a, x->tx.data, x->tx.len);
	exchange_add(x,
		     own_is(a->srv) ? clock_now_ms() + ask_patience_ms(a, m)
				    : exchange_deadline(x, a->srv->conf->patience_s));
	tell_changed(d);
	log_ev(LOG_DEBUG, ROOM, "down.request", LF_STR("dev", device_name(d)),
	       LF_STR("server", a->srv->conf->head.name), LF_CODE("code", m->code), LF_UINT("mid", m->mid),
	       LF_UINT("south_mid", x->tx.mid), LF_UINT("len", len));
	if (keeps(d))
		keep_down(x, coap_peer_clear(&d->south) && gate_lets(d, &x->tx, true));
	else
		exchange_leave(x);
}

static bool is_blockwise(const struct coap_view *v)
{
	return (v->has_block1 && (coap_block_more(v->block1) || coap_block_num(v->block1))) ||
		(v->has_block2 && coap_block_num(v->block2));
}

static void refuse_full(struct assoc *a, const struct coap_msg *m)
{
	if (!budget_has_room(a->dev))
		quota_bites(a->dev, false, "the queue is full, and the budget lets nothing go");
	refuse_down(a, m, COAP_TOO_MANY, "queue full");
}

static void on_request(struct assoc *a, const struct coap_msg *m)
{
	struct device *d = a->dev;
	struct coap_view v;

	if (m->code > COAP_IPATCH) {
		refuse_down(a, m, COAP_METHOD_NOT_ALLOWED, "method");
		return;
	}
	coap_view(&v, m, true);
	oscore_log(d, "down", m, &v);
	if (v.refuse)
		refuse_down(a, m, v.refuse, "option");
	else if (oscore_refuses(d, m, &v))
		refuse_down(a, m, oscore_refuses(d, m, &v), "oscore of its profile");
	else if (block_check(a, m, &v) == COAP_TOO_LARGE)
		refuse_too_large(a, m, m->options_len + COAP_HEADER_MAX + 8);
	else if (block_check(a, m, &v))
		refuse_down(a, m, block_check(a, m, &v), "block");
	else if (keeps(d) && !store_is_usable(d->all->env.store))
		refuse_down(a, m, COAP_UNAVAILABLE, "store");
	else if (d->barred || !d->at)
		refuse_down(a, m, COAP_UNAVAILABLE, "device not attached");
	else if (d->all->open_up + d->all->open_down >= d->all->env.exchanges_max)
		refuse_down(a, m, COAP_UNAVAILABLE, "gateway busy");
	else if (d->downs >= d->profile->conf->queue_max || d->downs == UINT8_MAX)
		refuse_full(a, m);
	else if (gate_refuses(a, m, &v))
		return; /* it has its answer */
	else if (d->profile->conf->block == BLOCK_REFUSE && is_blockwise(&v))
		refuse_too_large(a, m, m->options_len + COAP_HEADER_MAX + 8);
	else
		forward_down(a, m, &v);
}

/* ---- responses, ACK and RST ---- */

static void answer_empty(struct assoc *a, const struct coap_msg *m, enum coap_type type)
{
	const struct coap_empty e = coap_empty(type, m->mid);

	if (m->type == COAP_CON)
		assoc_send(a, e.octets, sizeof e);
	coap_peer_answered(&a->peer, m->mid, m->token, m->token_len, e.octets, m->type == COAP_CON ? sizeof e : 0,
			   true);
}

/* It is acknowledged when it is on disk, where the request is: a restart would ask again, and the server not answer
 * again. */
static void take_response(struct assoc *a, struct exchange *x, const struct coap_msg *m)
{
	bool kept = x->kept.id != 0;

	if (!kept)
		answer_empty(a, m, COAP_ACK);
	if (!exchange_response(x, m) && kept)
		answer_empty(a, m, COAP_ACK);
}

/* A separate response. One with a token that is not open gets no answer of any kind: it may be a guess. */
static void on_response(struct assoc *a, const struct coap_msg *m)
{
	struct exchange *x = exchange_find(a->dev->all, UP, a, m->token, m->token_len);

	if (!x) {
		count(a->dev->all, C_NORTH_BAD);
		coap_peer_answered(&a->peer, m->mid, m->token, m->token_len, NULL, 0, true);
	} else if (x->over) {
		count(a->dev->all, C_LATE);
		answer_empty(a, m, COAP_RST);
	} else if (x->reply) { /* another one is on its way through the journal */
		coap_peer_unsee(&a->peer, m->mid, m->token, m->token_len);
	} else {
		take_response(a, x, m);
	}
}

static void on_piggyback(struct assoc *a, const struct coap_msg *m)
{
	struct coap_tx *tx = coap_peer_find(&a->peer, m->mid);
	struct exchange *x = exchange_find(a->dev->all, UP, a, m->token, m->token_len);

	if (x && tx == &x->tx)
		exchange_response(x, m);
	else
		count(a->dev->all, x && x->over ? C_LATE : C_NORTH_BAD);
}

static void on_reset(struct assoc *a, uint16_t mid)
{
	struct coap_tx *tx = coap_peer_find(&a->peer, mid);

	if (!tx) {
		if (!assoc_is_pong(a, mid) && !relation_reset(a, mid))
			count(a->dev->all, C_NORTH_BAD);
	} else if (tx->kind == TX_NOTE) {
		struct note *n = container_of(tx, struct note, tx);

		if (n->rel)
			relation_refused(n->rel);
		coap_tx_remove(tx, clock_now_ms());
		note_free(n);
	} else if (tx->kind == TX_ANSWER) {
		answer_done(tx);
	} else {
		exchange_fail(container_of(tx, struct exchange, tx), COAP_BAD_GATEWAY, 0, "reset by the server");
	}
}

static void on_ack(struct assoc *a, uint16_t mid)
{
	struct coap_tx *tx = coap_peer_find(&a->peer, mid);

	if (!tx) {
		count(a->dev->all, C_NORTH_BAD);
	} else if (tx->kind == TX_NOTE) {
		coap_tx_remove(tx, clock_now_ms());
		copy_settle(a->dev->all, &container_of(tx, struct note, tx)->copy, true);
		note_free(container_of(tx, struct note, tx));
	} else if (tx->kind == TX_ANSWER) {
		answer_done(tx);
	} else {
		exchange_onward_acked(container_of(tx, struct exchange, tx));
	}
}

static void on_empty(struct assoc *a, const struct coap_msg *m)
{
	if (m->type == COAP_CON)
		assoc_send_empty(a, COAP_RST, m->mid);
	else if (m->type == COAP_ACK)
		on_ack(a, m->mid);
	else if (m->type == COAP_RST)
		on_reset(a, m->mid);
}

static void on_duplicate(struct assoc *a, enum coap_seen_state seen, const uint8_t *answer, size_t len,
			 const struct coap_msg *m)
{
	count(a->dev->all, C_NORTH_DUPLICATE);
	if (seen == COAP_SEEN_ANSWERED)
		assoc_send(a, answer, len);
	else if (seen == COAP_SEEN_FULL && coap_is_request(m->code))
		refuse_down(a, m, COAP_TOO_MANY, "too many open messages");
}

void session_north_recv(void *arg, const uint8_t *data, size_t len)
{
	struct assoc *a = arg;
	enum coap_seen_state seen;
	const uint8_t *answer;
	struct coap_msg m;
	size_t answer_len;
	int err = coap_parse(&m, data, len);

	assoc_active(a);
	if (err) {
		count(a->dev->all, C_NORTH_BAD);
		if (err != -EPROTO && m.type == COAP_CON)
			assoc_send_empty(a, COAP_RST, m.mid);
		return;
	}
	if (m.code == COAP_EMPTY) {
		on_empty(a, &m);
		return;
	}
	if (m.type == COAP_ACK || m.type == COAP_RST) {
		if (m.type == COAP_ACK)
			on_piggyback(a, &m);
		return;
	}
	seen = a->srv->stream ? COAP_SEEN_NEW /* a stream repeats nothing */
			      : coap_peer_seen(&a->peer, &m, clock_now_ms(), &answer, &answer_len);
	if (seen != COAP_SEEN_NEW)
		on_duplicate(a, seen, answer, answer_len, &m);
	else if (coap_is_request(m.code))
		on_request(a, &m);
	else
		on_response(a, &m);
}
