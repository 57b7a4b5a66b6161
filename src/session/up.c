/* SPDX-License-Identifier: Apache-2.0 */
/* up.c - a unit from a device (DESIGN: life of an uplink) */
#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "session/dtls_records.h"
#include "session/internal.h"

#define BUSY_MAX_AGE_S 60
#define PROXY_ROOM 300 /* octets by which a URI may grow as options */
#define KEEPING_MAX 48 /* units of one device on their way into the journal: a disk that hangs */

size_t max_age_option(uint8_t buf[MAX_AGE_OPTION_SIZE], uint32_t seconds)
{
	struct coap_builder b = { writer_of(buf, MAX_AGE_OPTION_SIZE), 0 };

	coap_build_uint(&b, COAP_MAX_AGE, seconds);
	return writer_len(&b.w);
}

static enum link_result refuse_up(struct device *d, const struct coap_msg *m, uint8_t code, const char *why)
{
	uint8_t age[MAX_AGE_OPTION_SIZE];
	bool later = code == COAP_TOO_MANY || code == COAP_UNAVAILABLE;

	log_ev(LOG_INFO, ROOM, "uplink.refused", LF_STR("dev", device_name(d)), LF_CODE("code", code),
	       LF_STR("reason", why));
	refuse(d, NULL, UP, m, code, age, later ? max_age_option(age, BUSY_MAX_AGE_S) : 0,
	       code == COAP_HOP_LIMIT_REACHED ? d->all->env.gateway_id : NULL);
	return LINK_RES_REFUSED;
}

/* ---- requests ---- */

static long build_north(struct assoc *a, enum lwm2m_op op, unsigned prefix, const struct coap_msg *m,
			const struct coap_view *v, uint16_t mid, const uint8_t *token, uint8_t *buf, size_t size)
{
	struct coap_crossing c = {
		.request = true, .to_server = true, .strip_uri_host = a->srv->conf->strip_uri_host, .skip_path = prefix
	};
	struct lwm2m_queries q;
	struct coap_builder b;

	if (op != LWM2M_NONE && op != LWM2M_SEND && op != LWM2M_DEREGISTER && register_edit(&q, &c, a, op, m) < 0)
		return -EMSGSIZE;
	block_lower(a, v, &c);
	coap_build(&b, buf, size, m->type, m->code, mid, token, COAP_TOKEN_MAX);
	coap_forward_options(&b, m, &c);
	coap_build_payload(&b, m->payload, m->payload_len);
	return coap_build_end(&b);
}

/* A NON is journalled only where it has to wait: for its server, or behind what is on its way into the journal. */
static bool must_wait(struct assoc *a)
{
	return a->dev->keeping || !coap_peer_clear(&a->peer) || !north_server_is_up(a->srv->north) ||
		!north_assoc_is_up(a->north);
}

static enum link_result forward_up(struct device *d, struct assoc *a, enum lwm2m_op op, unsigned prefix,
				   const struct coap_msg *m, const struct coap_view *v)
{
	uint8_t buf[UNIT_MAX + 600], token[COAP_TOKEN_MAX];
	struct exchange *x;
	long len;

	random_bytes(token, sizeof token);
	len = build_north(a, op, prefix, m, v, coap_peer_mid(&a->peer), token, buf, sizeof buf);
	if (len < 0) {
		refuse_up(d, m, COAP_TOO_LARGE, "too large north");
		return LINK_RES_TOO_BIG;
	}
	if (block_served(a, m, v, buf, (size_t)len))
		return LINK_RES_ANSWERED;
	if (block_not_for(a, v, true))
		return refuse_up(d, m, block_not_for(a, v, true), "the server knows no blocks");
	x = exchange_new(d, a, UP, m, v);
	if (!x)
		return refuse_up(d, m, COAP_UNAVAILABLE, "no memory");
	if (coap_tx_set(&x->tx, buf, (size_t)len, COAP_TX_REQUEST)) {
		exchange_count(x, LINK_RES_REFUSED);
		exchange_free(x);
		refuse_up(d, m, COAP_UNAVAILABLE, "no memory");
		return LINK_RES_COUNT;
	}
	memcpy(x->out, token, sizeof token);
	x->out_len = sizeof token;
	x->op = (uint8_t)op;
	x->prefixed = prefix > 0;
	x->params = register_params(op, m);
	block_asked(x, v);
	copy_request(x);
	exchange_add(x, exchange_deadline(x, a->srv->conf->answer_within_s));
	log_ev(LOG_DEBUG, ROOM, "up", LF_STR("dev", device_name(d)), LF_STR("server", a->srv->conf->head.name),
	       LF_CODE("code", m->code), LF_UINT("mid", m->mid), LF_UINT("north_mid", x->tx.mid), LF_UINT("len", len));
	if (keeps(d) && (x->ask_con || must_wait(a)))
		keep_up(x);
	else
		exchange_leave(x);
	return LINK_RES_COUNT;
}

/* No LwM2M, whatever its path says: it goes to a host that is none of the device's servers. */
static enum link_result on_proxy_request(struct device *d, const struct coap_msg *m)
{
	uint8_t buf[UNIT_MAX + PROXY_ROOM], code;
	const char *why = "proxy";
	struct coap_view v;
	struct server *srv;
	struct coap_msg on;
	struct assoc *a;

	code = proxy_request(d, m, &srv, &on, buf, sizeof buf);
	if (!code) {
		coap_view(&v, &on, true);
		code = v.refuse;
	}
	if (!code)
		code = oscore_refuses(d, &on, &v);
	if (!code && v.oscore)
		code = oscore_admit(d, &v, &why);
	if (!code && d->ups >= EXCHANGES_MAX)
		code = COAP_TOO_MANY;
	if (code)
		return refuse_up(d, m, code, why);
	a = assoc_get(d, srv);
	return a ? forward_up(d, a, LWM2M_NONE, 0, &on, &v) : refuse_up(d, m, COAP_UNAVAILABLE, "no association");
}

static enum link_result on_request(struct device *d, const struct coap_msg *m)
{
	const char *why = "";
	struct coap_view v;
	struct route r;
	enum lwm2m_op op;
	struct assoc *a;
	uint8_t code;

	if (m->code > COAP_IPATCH)
		return refuse_up(d, m, COAP_METHOD_NOT_ALLOWED, "method");
	coap_view(&v, m, true);
	if (v.refuse == COAP_PROXYING_NOT_SUPPORTED)
		return on_proxy_request(d, m);
	if (v.refuse)
		return refuse_up(d, m, v.refuse, "option");
	oscore_log(d, "up", m, &v);
	if (v.oscore && !d->veiled) {
		d->veiled = true;
		device_touch(d);
	}
	code = oscore_refuses(d, m, &v);
	if (code)
		return refuse_up(d, m, code, "oscore of its profile");
	code = oscore_admit(d, &v, &why);
	if (code) {
		tell_rejected(d, NULL, why);
		return refuse_up(d, m, code, why);
	}
	if (d->ups >= EXCHANGES_MAX)
		return refuse_up(d, m, COAP_TOO_MANY, "too many open requests");
	route_choose(&r, d, m, &v);
	a = r.srv ? assoc_get(d, r.srv) : NULL;
	if (!a)
		return refuse_up(d, m, COAP_UNAVAILABLE, "no association");
	assoc_heard_on(a, d->rds, v.oscore);
	op = v.oscore ? LWM2M_NONE
		      : lwm2m_operation(m, a->reg ? a->reg->location : NULL, a->reg ? a->reg->location_len : 0);
	code = register_admit(d, r.srv, op, m, &why);
	if (code) {
		tell_rejected(d, r.srv, why);
		return refuse_up(d, m, code, why);
	}
	return forward_up(d, a, op, r.prefix, m, &v);
}

/* ---- responses ---- */

static void answer_empty(struct device *d, const struct coap_msg *m, enum coap_type type)
{
	const struct coap_empty e = coap_empty(type, m->mid);

	if (m->type == COAP_CON || type == COAP_RST)
		device_send(d, d->rds, e.octets, sizeof e);
	coap_peer_answered(&d->south, m->mid, m->token, m->token_len, e.octets, m->type == COAP_CON ? sizeof e : 0,
			   true);
}

/* A token that means nothing (any more): the device is told to stop (RFC 7641 3.6). */
static enum link_result reject(struct device *d, const struct coap_msg *m)
{
	log_ev(LOG_DEBUG, ROOM, "unknown_token", LF_STR("dev", device_name(d)), LF_CODE("code", m->code),
	       LF_HEX("token", m->token, m->token_len));
	answer_empty(d, m, COAP_RST);
	return LINK_RES_DROPPED;
}

/* A CON or NON with a response code: a separate answer, or a notification. */
static enum link_result on_response(struct device *d, const struct coap_msg *m)
{
	struct exchange *x = exchange_find(d->all, DOWN, d, m->token, m->token_len);
	struct relation *r = relation_find_south(d->all, d, m->token, m->token_len);
	enum link_result res;
	struct coap_view v;

	coap_view(&v, m, false);
	if (x && !x->over && !x->reply && !(x->cancel && r && v.has_observe)) {
		bool kept = x->kept.id != 0;

		if (!kept)
			answer_empty(d, m, COAP_ACK);
		if (!exchange_response(x, m) && kept) /* x may be gone */
			answer_empty(d, m, COAP_ACK);
		return LINK_RES_FORWARDED;
	}
	if (r && (r->live || v.has_observe)) {
		res = notify_north(r, m, &v);
		if (res != LINK_RES_FORWARDED)
			coap_peer_settled(&d->south, m->mid, m->token, m->token_len);
		return res;
	}
	if (x)
		count(d->all, C_LATE);
	return reject(d, m);
}

/* Possibly sent in the life before: it is in no queue, only its answer is waited for. */
static struct exchange *sent_before(const struct device *d, uint16_t mid)
{
	struct exchange *x = d->down;

	while (x && (x->over || x->reply || !x->leaving || x->tx.peer || !x->tx.first_ms || x->tx.mid != mid))
		x = x->next;
	return x;
}

static void reset(struct exchange *x)
{
	x->tx.id = 0; /* it has arrived: nothing is to be taken back */
	x->earlier = false;
	exchange_fail(x, COAP_BAD_GATEWAY, 0, "reset by the device");
}

static enum link_result on_empty(struct device *d, const struct coap_msg *m)
{
	struct exchange *x;
	struct coap_tx *tx;

	if (m->type == COAP_CON) { /* CoAP ping */
		device_send_empty(d, COAP_RST, m->mid);
		return LINK_RES_FORWARDED;
	}
	tx = m->type == COAP_NON ? NULL : coap_peer_find(&d->south, m->mid);
	x = tx || m->type != COAP_RST ? NULL : sent_before(d, m->mid);
	if (x)
		reset(x);
	if (!tx && !x && m->type == COAP_RST && ask_pinged(d, m->mid))
		return LINK_RES_FORWARDED;
	if (!tx)
		return x ? LINK_RES_FORWARDED : LINK_RES_DROPPED;
	if (tx->kind == TX_ANSWER)
		answer_done(tx);
	else if (m->type == COAP_ACK)
		exchange_onward_acked(container_of(tx, struct exchange, tx));
	else
		reset(container_of(tx, struct exchange, tx));
	return LINK_RES_FORWARDED;
}

static enum link_result on_piggyback(struct device *d, const struct coap_msg *m)
{
	struct coap_tx *tx = coap_peer_find(&d->south, m->mid);
	struct exchange *x = tx ? NULL : sent_before(d, m->mid);

	if (tx && tx->kind == TX_REQUEST)
		x = container_of(tx, struct exchange, tx);
	if (!x)
		return LINK_RES_DROPPED;
	if (x->out_len != m->token_len || memcmp(x->out, m->token, m->token_len) != 0)
		return LINK_RES_DROPPED;
	exchange_response(x, m);
	return LINK_RES_FORWARDED;
}

/* ---- one unit ---- */

static enum link_result on_duplicate(struct device *d, enum coap_seen_state seen, const uint8_t *answer, size_t len,
				     const struct coap_msg *m)
{
	if (seen == COAP_SEEN_FULL && coap_is_request(m->code))
		return refuse_up(d, m, COAP_TOO_MANY, "too many open messages");
	if (seen == COAP_SEEN_FULL) {
		link_verdict(take_up(d->all), LINK_OVERLOAD); /* a notification is not lost for that */
		return LINK_RES_DROPPED;
	}
	if (seen == COAP_SEEN_ANSWERED)
		device_send(d, d->rds, answer, len);
	return LINK_RES_DUPLICATE;
}

/* Beyond the quota: a new CON request is told so, a duplicate gets what it would get, the rest is dropped. */
static enum link_result on_quota(struct device *d, const struct coap_msg *m)
{
	enum coap_seen_state seen;
	const uint8_t *answer;
	size_t len;

	if (m->type != COAP_CON || !coap_is_request(m->code))
		return LINK_RES_QUOTA;
	seen = coap_peer_seen(&d->south, m, clock_now_ms(), &answer, &len);
	if (seen == COAP_SEEN_NEW)
		refuse_up(d, m, COAP_TOO_MANY, "quota");
	else
		on_duplicate(d, seen, answer, len, m);
	return LINK_RES_QUOTA;
}

static enum link_result on_malformed(struct device *d, int err, const struct coap_msg *m, const uint8_t *data,
				     size_t len)
{
	uint64_t held;

	copy_unknown(d, data, len);

	if (log_limit(&d->all->bad_limit, clock_now_ms(), 1000, &held))
		log_ev(LOG_WARNING, ROOM, "malformed", LF_STR("dev", device_name(d)), LF_UINT("held_back", held));
	if (err != -EPROTO && m->type == COAP_CON)
		device_send_empty(d, COAP_RST, m->mid);
	return LINK_RES_MALFORMED;
}

static enum link_result handle_unit(struct device *d, const uint8_t *data, size_t len)
{
	enum coap_seen_state seen;
	const uint8_t *answer;
	struct coap_msg m;
	size_t answer_len;
	int err;

	if (dtls_begins(data, len))
		return device_within_quota(d) ? relay_up(d, data, len) : LINK_RES_QUOTA;
	err = coap_parse(&m, data, len);
	if (!device_within_quota(d))
		return err ? LINK_RES_QUOTA : on_quota(d, &m);
	if (err)
		return on_malformed(d, err, &m, data, len);
	if (m.code == COAP_EMPTY)
		return on_empty(d, &m);
	if (m.type == COAP_ACK || m.type == COAP_RST)
		return m.type == COAP_ACK ? on_piggyback(d, &m) : LINK_RES_DROPPED;
	seen = coap_peer_seen(&d->south, &m, clock_now_ms(), &answer, &answer_len);
	if (seen != COAP_SEEN_NEW)
		return on_duplicate(d, seen, answer, answer_len, &m);
	return coap_is_request(m.code) ? on_request(d, &m) : on_response(d, &m);
}

/* A message that would open an exchange; what may end one is always taken. */
static bool is_request(const uint8_t *data, size_t len)
{
	return len >= 4 && data[0] >> 6 == 1 && (data[0] >> 4 & 3) <= COAP_NON && coap_is_request(data[1]);
}

/* Answers a request to the device: no more of those can be under way than there are requests, and one that is dropped
 * comes again only with the request, when its timer has run out. */
static bool is_piggyback(const uint8_t *data, size_t len)
{
	return len >= 4 && data[0] >> 6 == 1 && (data[0] >> 4 & 3) == COAP_ACK && data[1] != COAP_EMPTY;
}

/* What left just before the device fell asleep has most likely been missed. Behind the answer to what it sends now it
 * goes again, rather than when its timer runs out: then the device may sleep again. */
static void send_again(struct device *d)
{
	for (struct exchange *x = d->down; x; x = x->next)
		if (x->tx.con && x->tx.state == COAP_TX_FLIGHT) {
			coap_tx_pause(&x->tx, 0, false);
			x->tx.put_off = true;
		}
}

/* What became of a unit that went nowhere, for whoever looks at the latest events. */
static void note_dropped(const struct device *d, enum link_result res)
{
	if (res == LINK_RES_MALFORMED || res == LINK_RES_QUOTA || res == LINK_RES_DROPPED)
		log_note(ROOM, "uplink.dropped", LF_STR("dev", device_name(d)),
			 LF_STR("reason", link_result_names[res]));
}

void session_uplink(void *arg, struct link_up *up, struct device *d, const uint8_t *data, size_t len)
{
	struct sessions *s = arg;
	struct link *l = device_link(d);
	enum link_result res;

	if (d->fresh) {
		fresh_hold(d, up, data, len);
		return;
	}
	if (s->open_up + s->open_down >= s->env.exchanges_max && is_request(data, len)) {
		link_verdict(up, LINK_OVERLOAD);
		link_count(l, LINK_RES_DROPPED);
		return;
	}
	if (keeps(d) && (!store_is_usable(s->env.store) || (d->keeping >= KEEPING_MAX && !is_piggyback(data, len)))) {
		link_verdict(up, LINK_OVERLOAD);
		link_count(l, LINK_RES_DROPPED);
		return;
	}
	if (kept_share(d, up, data, len)) {
		link_count(l, LINK_RES_DUPLICATE);
		return;
	}
	d->units_up++;
	if (!d->heard)
		tell_changed(d);
	expire_heard(d);
	d->heard = true;
	d->rds = rds_of(up);
	if (reach_holds_requests(d) && !reach_is_awake(d))
		send_again(d);
	reach_heard(d);
	d->last_up_wall_ms = clock_wall_ms();
	*l->bytes_up += len;
	s->up_now = up;
	s->unit_len = len;
	s->unit_arrival_ms = clock_wall_ms() - (clock_now_ms() - up->arrival_ms);
	res = len ? handle_unit(d, data, len) : LINK_RES_FORWARDED;
	up = take_up(s);
	if (up)
		link_verdict(up, res == LINK_RES_MALFORMED ? LINK_MALFORMED : LINK_TAKEN);
	if (res != LINK_RES_COUNT)
		link_count(l, res);
	note_dropped(d, res);
	coap_peer_contact(&d->south, clock_now_ms());
	gate_flush(d);
	relay_contact(d);
	device_heard(d);
}
