/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - one request and what answers it
 *
 * The same code serves both directions: the asker is the device or the server, the onward leg is the other one. The
 * asker's own ACK is held for the real answer as long as its time-out allows (one unit down instead of two), then an
 * empty ACK leaves and the answer follows as a message of its own. An exchange that was ended by an error stays known
 * for the duplicate window, so that a late answer is recognised and never given to anybody else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "session/internal.h"

/* ---- lookup by onward token ---- */

static const void *owner_of(const struct exchange *x)
{
	return x->dir == UP ? (const void *)x->assoc : (const void *)x->dev;
}

static bool exchange_equal(const struct map_node *n, const void *key, size_t len)
{
	const struct exchange *x = container_of(n, struct exchange, node);
	const struct token_key *k = key;

	(void)len;
	return owner_of(x) == k->owner && x->out_len == k->len && memcmp(x->out, k->token, k->len) == 0;
}

struct exchange *exchange_find(struct sessions *s, enum direction dir, const void *owner, const uint8_t *token,
			       size_t len)
{
	struct token_key k;
	uint64_t hash = token_key_of(&k, owner, token, len);
	struct map_node *n = map_find(dir == UP ? &s->ups : &s->downs, hash, exchange_equal, &k, sizeof k);

	return n ? container_of(n, struct exchange, node) : NULL;
}

/* ---- the asker's leg ---- */

static struct coap_peer *asker(struct exchange *x)
{
	return x->dir == UP ? &x->dev->south : &x->assoc->peer;
}

static void send_to_asker(struct exchange *x, const uint8_t *data, size_t len)
{
	if (x->dir == UP)
		device_send(x->dev, x->assoc->rds, data, len);
	else
		assoc_send(x->assoc, data, len);
}

static size_t asker_room(const struct exchange *x)
{
	size_t most;

	if (x->dir == UP)
		return device_mtu(x->dev);
	most = x->assoc->srv->stream ? north_assoc_message_max(x->assoc->north) : MESSAGE_MAX;
	return most < MESSAGE_MAX ? most : MESSAGE_MAX;
}

void exchange_count(struct exchange *x, enum link_result r)
{
	if (x->dir == UP && x->counted == LINK_RES_COUNT && x->dev->at) {
		x->counted = r;
		link_count(device_link(x->dev), r);
	}
}

/* ---- life ---- */

static void on_timer(struct timer *t, uint64_t now_ms);

static void arm(struct exchange *x)
{
	uint64_t at = x->empty_ack_ms && x->empty_ack_ms < x->deadline_ms ? x->empty_ack_ms : x->deadline_ms;

	timer_set(x->dev->all->env.timers, &x->timer, at, on_timer);
}

/* An asker that uses the message id of an open request for another one has begun anew: an answer to the old one would
 * confuse it. On RDS ports a device may count towards each server by itself. */
static void turn_deaf(struct exchange *list, const struct assoc *a, enum direction dir, uint16_t mid)
{
	for (struct exchange *x = list; x; x = x->next)
		if (x->ask_mid == mid && (x->assoc == a || (dir == UP && !rds_is_pair(x->dev->rds)))) {
			x->deaf = true;
			if (!x->over)
				tell_down(x, DOWN_SUPERSEDED, "asked_anew");
		}
}

/* What is over is remembered as long as there is room: the oldest stands last. */
static void forget_oldest_over(struct device *d, enum direction dir)
{
	struct exchange *oldest = NULL;

	if (d->overs[dir] < OVER_MAX)
		return;
	for (struct exchange *x = dir == UP ? d->up : d->down; x; x = x->next)
		if (x->over)
			oldest = x;
	if (oldest)
		exchange_free(oldest);
}

struct exchange *exchange_new(struct device *d, struct assoc *a, enum direction dir, const struct coap_msg *ask,
			      const struct coap_view *v)
{
	struct exchange **list = dir == UP ? &d->up : &d->down, *x = calloc(1, sizeof *x);

	if (!x)
		return NULL;
	forget_oldest_over(d, dir);
	if (dir == UP || !a->srv->stream) /* ids on a stream are made here */
		turn_deaf(*list, a, dir, ask->mid);
	x->dev = d;
	x->assoc = a;
	x->dir = (uint8_t)dir;
	x->started_ms = clock_now_ms();
	x->ask_mid = ask->mid;
	x->ask_len = ask->token_len;
	memcpy(x->ask, ask->token, ask->token_len);
	x->ask_con = ask->type == COAP_CON;
	x->oscore = v->oscore;
	x->has_no_response = v->has_no_response && v->no_response;
	x->no_response = v->no_response;
	x->counted = LINK_RES_COUNT;
	if (x->ask_con)
		x->empty_ack_ms = x->started_ms + (dir == UP ? d->profile->empty_ack_ms : NORTH_ACK_MS);
	x->next = *list;
	x->link = list;
	if (x->next)
		x->next->link = &x->next;
	*list = x;
	*(dir == UP ? &d->ups : &d->downs) += 1;
	*(dir == UP ? &d->all->open_up : &d->all->open_down) += 1;
	return x;
}

void exchange_add(struct exchange *x, uint64_t deadline_ms)
{
	struct sessions *s = x->dev->all;
	struct token_key k;

	x->mapped = map_add(x->dir == UP ? &s->ups : &s->downs, &x->node,
			    token_key_of(&k, owner_of(x), x->out, x->out_len)) == 0;
	x->deadline_ms = deadline_ms;
	arm(x);
}

/* A response that the asker does not want may never come: its place is kept for NON_LIFETIME only (RFC 7967). */
uint64_t exchange_deadline(const struct exchange *x, uint64_t patience_s)
{
	const struct coap_params *p = x->dir == UP ? &x->assoc->srv->params : &x->dev->profile->params;

	return x->started_ms + (x->has_no_response ? coap_non_lifetime_ms(p) : patience_s * 1000);
}

/* No longer open: the caps of the device count it no more. */
static void mark_over(struct exchange *x)
{
	if (x->over)
		return;
	x->over = true;
	block_over(x);
	if (x->dir == DOWN)
		tell_changed(x->dev);
	x->empty_ack_ms = 0;
	x->dev->overs[x->dir]++;
	*(x->dir == UP ? &x->dev->ups : &x->dev->downs) -= 1;
	*(x->dir == UP ? &x->dev->all->open_up : &x->dev->all->open_down) -= 1;
	gate_over(x);
	if (x->dir == UP)
		gate_answered(x->dev);
}

/* What its duplicates get when it ended without an answer, or with one of its own. */
void exchange_entry_over(struct exchange *x)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, x->ask_mid);

	if (x->unit_id)
		kept_handed(x->dev, &x->kept);
	else
		kept_done(x->dev, &x->kept, ack.octets, x->acked ? sizeof ack : 0);
	x->unit_id = 0;
}

void exchange_free(struct exchange *x)
{
	struct sessions *s = x->dev->all;
	uint64_t now = clock_now_ms();

	exchange_count(x, LINK_RES_FAILED);
	copy_settle(s, &x->copy, false);
	coap_peer_settled(asker(x), x->ask_mid, x->ask, x->ask_len);
	mark_over(x);
	x->dev->overs[x->dir]--;
	timer_cancel(s->env.timers, &x->timer);
	kept_drop(x->dev, &x->kept);
	exchange_entry_over(x);
	*x->link = x->next;
	if (x->next)
		x->next->link = x->link;
	if (x->mapped)
		map_remove(x->dir == UP ? &s->ups : &s->downs, &x->node);
	coap_tx_remove(&x->tx, now);
	coap_tx_clear(&x->tx);
	if (x->answer) {
		coap_tx_remove(&x->answer->tx, now);
		coap_tx_clear(&x->answer->tx);
		free(x->answer);
	}
	free(x->params);
	free(x->reply);
	free(x);
}

void exchange_leave(struct exchange *x)
{
	uint64_t now = clock_now_ms();

	if (x->dir == DOWN) {
		if (!block_leaves(x))
			coap_tx_submit(&x->dev->south, &x->tx, now);
		gate_submitted(x);
		tell_waits(x);
		return;
	}
	copy_left(x);
	exchange_leave_north(x);
}

void exchange_end_soon(struct exchange *x)
{
	timer_set(x->dev->all->env.timers, &x->timer, 1, on_timer);
	x->deadline_ms = 1;
}

void answer_acked(struct coap_tx *tx)
{
	exchange_end_soon(container_of(tx, struct answer, tx)->x);
}

void answer_done(struct coap_tx *tx)
{
	struct exchange *x = container_of(tx, struct answer, tx)->x;

	coap_tx_remove(tx, clock_now_ms());
	if (x->fail)
		exchange_entry_over(x);
	else
		exchange_free(x);
}

/* ---- answering ---- */

/* The type and message id that the answer has on the asker's leg. */
static void answer_form(struct exchange *x, enum coap_type *type, uint16_t *mid)
{
	if (x->dir == UP && x->acked && gate_take_back(x->dev, x->ask_mid))
		x->acked = false;
	*type = x->ask_con ? (x->acked ? COAP_CON : COAP_ACK) : COAP_NON;
	*mid = *type == COAP_ACK ? x->ask_mid : coap_peer_mid(asker(x));
}

static void submit_separate(struct exchange *x, const uint8_t *data, size_t len)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a)
		return;
	a->x = x;
	if (coap_tx_set(&a->tx, data, len, COAP_TX_ANSWER)) {
		free(a);
		return;
	}
	a->tx.kind = TX_ANSWER;
	x->answer = a;
	coap_tx_submit(asker(x), &a->tx, clock_now_ms());
}

/* Sends an encoded answer to the asker; the exchange has to wait for its confirmation while x->answer is set, for it to
 * leave while unit_id is. on_disk: the journal has it. */
static void deliver(struct exchange *x, enum coap_type type, const uint8_t *data, size_t len, bool on_disk)
{
	size_t again = type == COAP_ACK ? len : 0; /* for duplicates */

	if (x->deaf)
		return;
	if (type == COAP_CON) {
		const struct coap_empty ack = coap_empty(COAP_ACK, x->ask_mid);

		submit_separate(x, data, len);
		coap_peer_answered(asker(x), x->ask_mid, x->ask, x->ask_len, ack.octets, sizeof ack, true);
		return;
	}
	coap_peer_answered(asker(x), x->ask_mid, x->ask, x->ask_len, data, again, true);
	if (x->dir == UP && x->kept.id && handover_begin(x, data, len, on_disk))
		return;
	if (x->dir == DOWN || !x->kept.id)
		send_to_asker(x, data, len);
	kept_done(x->dev, &x->kept, data, again);
}

static void ack_asker(struct exchange *x, bool final)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, x->ask_mid);

	x->empty_ack_ms = 0;
	if (!x->ask_con) {
		coap_peer_answered(asker(x), x->ask_mid, x->ask, x->ask_len, NULL, 0, final);
		return;
	}
	if (!x->acked && !x->deaf)
		send_to_asker(x, ack.octets, sizeof ack);
	x->acked = true;
	if (x->dir == UP)
		gate_answered(x->dev);
	coap_peer_answered(asker(x), x->ask_mid, x->ask, x->ask_len, ack.octets, sizeof ack, final);
}

static bool suppressed(const struct exchange *x, uint8_t code)
{
	return x->has_no_response && x->no_response >> (coap_class(code) - 1) & 1; /* RFC 7967 2.1: 2, 8, 16 */
}

/* 4.13 says what would fit (RFC 7959 2.9.3). */
static void build_size_hint(struct coap_builder *b, const struct exchange *x)
{
	int szx = coap_block_fit(device_mtu(x->dev), 64);

	if (x->dir == UP) {
		if (x->assoc->srv->stream) /* what its server takes now */
			coap_build_uint(b, COAP_SIZE1, (uint32_t)north_assoc_message_max(x->assoc->north));
		return;
	}
	if (szx >= 0 && north_assoc_blockwise(x->assoc->north))
		coap_build_uint(b, COAP_BLOCK1, (uint32_t)szx);
	coap_build_uint(b, COAP_SIZE1, device_mtu(x->dev));
}

static long build_own_answer(struct exchange *x, uint8_t *buf, size_t size, enum coap_type type, uint16_t mid,
			     uint8_t code, uint32_t max_age_s, const char *why)
{
	struct coap_builder b;

	coap_build(&b, buf, size, type, code, mid, x->ask, x->ask_len);
	if (max_age_s)
		coap_build_uint(&b, COAP_MAX_AGE, max_age_s);
	if (code == COAP_TOO_LARGE)
		build_size_hint(&b, x);
	if (own_is(x->assoc->srv))
		coap_build_option(&b, OWN_MARK, NULL, 0);
	if (why && x->dir == DOWN) /* radio is dear: a device gets the code alone */
		coap_build_payload(&b, why, strlen(why));
	return coap_build_end(&b);
}

/* The answer is journalled before it goes where a restart would have to say exactly the same: by itself, or what its
 * sender will not repeat. Not while something else of the exchange is on its way there. */
static bool is_kept_first(const struct exchange *x, enum coap_type type, bool separate)
{
	return x->kept.id && !x->kept.waiting && !x->assoc->closing && !x->deaf &&
		(x->dir == DOWN || type == COAP_CON || separate);
}

/* m: what brought it; NULL: the gateway's own. */
static bool reply_new(struct exchange *x, const struct coap_msg *m, enum coap_type type, const uint8_t *data,
		      size_t len)
{
	struct reply *r = malloc(sizeof *r + len);

	if (!r)
		return false;
	*r = (struct reply){ .own = !m, .type = (uint8_t)type, .len = (uint16_t)len };
	if (m) {
		r->mid = m->mid;
		r->separate = m->type != COAP_ACK;
		r->con = m->type == COAP_CON;
		r->token_len = m->token_len;
		memcpy(r->token, m->token, m->token_len);
	}
	memcpy(r->data, data, len);
	x->reply = r;
	return true;
}

/* Told an error: the request is never sent again, a late answer is recognised for one more window. */
static void linger(struct exchange *x, uint64_t key)
{
	const struct coap_params *p = x->dir == UP ? &x->assoc->srv->params : &x->dev->profile->params;

	mark_over(x);
	if (x->dir == DOWN)
		device_cancel(x->dev, &x->tx, key);
	coap_tx_remove(&x->tx, clock_now_ms());
	x->deadline_ms = clock_now_ms() + coap_exchange_lifetime_ms(p);
	arm(x);
}

void exchange_fail(struct exchange *x, uint8_t code, uint32_t max_age_s, const char *why)
{
	uint64_t key = x->kept.id; /* the answer may end the entry */
	uint8_t buf[256];
	enum coap_type type;
	uint16_t mid;
	long len;

	if (x->over || x->reply) /* the answer is there, on its way through the journal */
		return;
	log_ev(LOG_INFO, ROOM, "exchange.failed", LF_STR("dev", device_name(x->dev)),
	       LF_STR("server", x->assoc->srv->conf->head.name), LF_STR("dir", x->dir == UP ? "up" : "down"),
	       LF_CODE("code", code), LF_STR("reason", why));
	if (x->rel && !x->cancel && !x->rel->live)
		relation_end(x->rel);
	if (x->switches && !x->tx.first_ms && !x->leaving)
		switch_forget(x->assoc, "not delivered");
	x->fail = code;
	tell_failed(x, code, why);
	copy_settle(x->dev->all, &x->copy, false);
	exchange_count(x, code == COAP_TOO_LARGE ? LINK_RES_TOO_BIG : LINK_RES_FAILED);
	if (suppressed(x, code)) {
		ack_asker(x, true);
	} else {
		answer_form(x, &type, &mid);
		len = build_own_answer(x, buf, sizeof buf, type, mid, code, max_age_s, why);
		if (len > 0 && (type == COAP_CON || x->dir == UP) && is_kept_first(x, COAP_CON, false) &&
		    reply_new(x, NULL, type, buf, (size_t)len))
			keep_reply(x, false);
		else if (len > 0)
			deliver(x, type, buf, (size_t)len, false);
	}
	if (!x->reply && !x->answer && !x->unit_id)
		exchange_entry_over(x);
	linger(x, key);
}

void exchange_fail_soon(struct exchange *x, uint8_t code)
{
	x->fail = x->over ? x->fail : code;
	timer_set(x->dev->all->env.timers, &x->timer, 1, on_timer);
}

static const char *fail_text(uint8_t code)
{
	return code == COAP_GATEWAY_TIMEOUT ? "no answer"
		: code == COAP_TOO_LARGE    ? "too large for the link"
					    : "refused by the next hop";
}

/* A NON of a device that could not leave yet: nobody asked for an answer in time, so it is kept like a notification. */
static bool waits_for_server(const struct exchange *x)
{
	return x->dir == UP && !x->ask_con && x->tx.peer && !x->tx.first_ms;
}

static void hold(struct exchange *x, uint64_t now_ms)
{
	x->deadline_ms = x->started_ms + x->assoc->srv->conf->hold_s * 1000;
	if (x->deadline_ms > now_ms) {
		arm(x);
		return;
	}
	held_dropped(x->assoc, 1, "hold_s");
	exchange_count(x, LINK_RES_DROPPED);
	exchange_free(x);
}

/* Nobody waits for its answer, and its server has not confirmed it yet: it was taken, so it goes there or its device is
 * told. */
static bool waits_without_answer(struct exchange *x, uint64_t now_ms)
{
	if (x->dir == DOWN || !x->has_no_response || !x->tx.peer)
		return false;
	x->deadline_ms = x->started_ms + x->assoc->srv->conf->answer_within_s * 1000;
	return x->deadline_ms > now_ms;
}

/* The asker has waited long enough. */
static void give_up(struct exchange *x)
{
	bool undelivered = x->dir == DOWN && !x->tx.first_ms && !x->leaving;

	/* Repeated and not confirmed: where an asker waits shorter than all retransmissions take, this is how a server that has
	 * forgotten the session is found out. */
	if (x->dir == UP && x->tx.state == COAP_TX_FLIGHT && x->tx.con && x->tx.retries)
		north_assoc_unanswered(x->assoc->north);
	if (undelivered)
		count(x->dev->all, C_PATIENCE);
	exchange_fail(x, COAP_GATEWAY_TIMEOUT, 0, undelivered ? "not delivered" : "no answer");
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct exchange *x = container_of(t, struct exchange, timer);

	if (x->over && x->deadline_ms <= now_ms && !x->reply) {
		exchange_free(x);
		return;
	}
	if (x->reply) { /* it has what it waits for: when the disk has it, too */
		x->empty_ack_ms = x->empty_ack_ms && x->empty_ack_ms <= now_ms ? now_ms + KEEP_POLL_MS
									       : x->empty_ack_ms;
		x->deadline_ms = x->deadline_ms <= now_ms ? now_ms + KEEP_POLL_MS : x->deadline_ms;
		arm(x);
		return;
	}
	if (!x->over && x->fail) {
		exchange_fail(x, x->fail, 0, fail_text(x->fail));
		return;
	}
	if (x->empty_ack_ms && x->empty_ack_ms <= now_ms) {
		if (x->kept.waiting)
			x->empty_ack_ms = now_ms + KEEP_POLL_MS; /* no ACK for what is not on disk */
		else
			ack_asker(x, false);
	}
	if (x->deadline_ms > now_ms)
		arm(x);
	else if (waits_for_server(x))
		hold(x, now_ms);
	else if (waits_without_answer(x, now_ms))
		arm(x);
	else if (x->has_no_response && !x->tx.peer) { /* what answers may be of the class that is not wanted */
		exchange_count(x, LINK_RES_FORWARDED);
		exchange_free(x);
	} else
		give_up(x);
}

void exchange_departed(struct exchange *x)
{
	if (x->dir == DOWN || x->over)
		return;
	x->deadline_ms = clock_now_ms() + exchange_deadline(x, x->assoc->srv->conf->answer_within_s) - x->started_ms;
	arm(x);
}

void exchange_onward_acked(struct exchange *x)
{
	copy_settle(x->dev->all, &x->copy, true);
	tell_down(x, DOWN_ACKED, NULL);
	coap_tx_remove(&x->tx, clock_now_ms());
}

/* What an answer means for the observation that it is about. Only requests of servers have one. */
static void settle_relation(struct exchange *x, const struct coap_msg *m, const struct coap_view *v)
{
	bool good = coap_class(m->code) == 2;
	struct relation *r = x->rel;

	if (!r)
		return;
	if (x->cancel ? !v->has_observe : !(good && v->has_observe))
		relation_end(r); /* clears x->rel */
	else if (!r->live) {
		r->live = true;
		device_touch(x->dev);
	}
}

static void finish(struct exchange *x, enum coap_type type, const uint8_t *data, size_t len, bool on_disk)
{
	deliver(x, type, data, len, on_disk);
	exchange_count(x, LINK_RES_ANSWERED);
	mark_over(x);
	coap_tx_remove(&x->tx, clock_now_ms());
	if (!x->answer && !x->unit_id) {
		exchange_free(x);
		return;
	}
	x->deadline_ms = clock_now_ms() +
		coap_exchange_lifetime_ms(x->dir == UP ? &x->dev->profile->params : &x->assoc->srv->params);
	arm(x);
}

/* RFC 8768 4: every proxy puts its name before the diagnostic payload of 5.08. */
static void build_payload(struct coap_builder *b, const struct exchange *x, const struct coap_msg *m, bool oscore)
{
	const char *id = x->dev->all->env.gateway_id;
	struct writer w = b->w;

	if (m->code == COAP_HOP_LIMIT_REACHED && !oscore) {
		write_u8(&w, 0xff);
		write_bytes(&w, id, strlen(id));
		if (m->payload_len)
			write_u8(&w, ' ');
		write_bytes(&w, m->payload, m->payload_len);
		if (!w.failed) {
			b->w = w;
			return;
		}
	} /* where the name does not fit, the text goes on without it */
	coap_build_payload(b, m->payload, m->payload_len);
}

/* Once it has the answer, the asker relies on what is stored with the device: a location, a token. */
static bool changes_state(const struct exchange *x, const struct coap_msg *m)
{
	if (coap_class(m->code) != 2)
		return false;
	return x->dir == DOWN ? x->observe && x->rel && x->rel->live
			      : x->op == LWM2M_REGISTER || x->op == LWM2M_DEREGISTER;
}

bool exchange_response(struct exchange *x, const struct coap_msg *m)
{
	uint8_t buf[MESSAGE_MAX + 64];
	struct coap_crossing c = { .to_server = x->dir == DOWN,
				   .locations = x->assoc->srv->prefix,
				   .locations_n = x->prefixed ? x->assoc->srv->prefix_n : 0 };
	struct coap_builder b;
	struct coap_view v;
	enum coap_type type;
	const char *why;
	bool state_first;
	uint16_t mid;
	long len;

	if (block_answered(x, m))
		return false;
	coap_view(&v, m, false);
	coap_tx_remove(&x->tx, clock_now_ms());
	why = v.refuse ? "unsafe option in the answer" : "blocks in the answer";
	if (!v.refuse && x->dir == DOWN)
		v.refuse = block_not_for(x->assoc, &v, false);
	if (v.refuse) {
		exchange_fail(x, v.refuse, 0, why);
		return false;
	}
	settle_relation(x, m, &v);
	if (x->switches && coap_class(m->code) != 2)
		switch_forget(x->assoc, "refused");
	if (x->dir == UP) {
		copy_settle(x->dev->all, &x->copy, coap_class(m->code) == 2);
		register_answered(x, m);
	} else {
		copy_answer(x, m);
		tell_down(x, DOWN_ACKED, NULL);
	}
	if (suppressed(x, m->code)) {
		ack_asker(x, true);
		exchange_count(x, LINK_RES_FORWARDED);
		exchange_free(x);
		return false;
	}
	answer_form(x, &type, &mid);
	block_crossing(x, m, &v, &c);
	coap_build(&b, buf, asker_room(x) < sizeof buf ? asker_room(x) : sizeof buf, type, m->code, mid, x->ask,
		   x->ask_len);
	coap_forward_options(&b, m, &c);
	build_payload(&b, x, m, v.oscore);
	len = coap_build_end(&b);
	if (x->dir == UP && block_is_many(x, m, &v))
		len = -EMSGSIZE;
	if (len < 0 && x->dir == UP)
		len = block_hold_answer(x, m, &v, &c, type, mid, buf, asker_room(x));
	if (len < 0) {
		count(x->dev->all, C_TOO_BIG);
		exchange_fail(x, COAP_BAD_GATEWAY, 0, "answer too large for the link");
		return false;
	}
	if (x->dir == UP && x->oscore)
		copy_protected(x, buf, (size_t)len);
	state_first = changes_state(x, m);
	if (is_kept_first(x, state_first ? COAP_CON : type, m->type != COAP_ACK) &&
	    reply_new(x, m, type, buf, (size_t)len)) {
		keep_reply(x, state_first);
		return true;
	}
	finish(x, type, buf, (size_t)len, false);
	return false;
}

/* It is on disk, or was there at the start: who sent it may forget it, the asker gets it. */
void exchange_reply_kept(struct exchange *x)
{
	struct reply *r = x->reply;

	x->reply = NULL;
	if (r->con && x->dir == DOWN)
		device_ack(x->dev, x->assoc->rds, r->mid, r->token, r->token_len);
	else if (r->con)
		assoc_ack(x->assoc, r->mid, r->token, r->token_len);
	if (r->own) /* it lingers already */
		deliver(x, (enum coap_type)r->type, r->data, r->len, true);
	else
		finish(x, (enum coap_type)r->type, r->data, r->len, true);
	free(r);
}

void refuse(struct device *d, struct assoc *a, enum direction dir, const struct coap_msg *ask, uint8_t code,
	    const void *options, size_t options_len, const char *diagnostic)
{
	struct coap_peer *p = dir == UP ? &d->south : &a->peer;
	enum coap_type type = ask->type == COAP_CON ? COAP_ACK : COAP_NON;
	struct coap_builder b;
	uint8_t buf[256];
	long len;

	coap_build(&b, buf, sizeof buf, type, code, type == COAP_ACK ? ask->mid : coap_peer_mid(p), ask->token,
		   ask->token_len);
	if (a && own_is(a->srv))
		coap_build_option(&b, OWN_MARK, NULL, 0);
	else if (options_len) /* encoded already, the first option of the message */
		write_bytes(&b.w, options, options_len);
	if (diagnostic)
		coap_build_payload(&b, diagnostic, strlen(diagnostic));
	len = coap_build_end(&b);
	if (len < 0)
		return;
	if (dir == UP)
		device_send(d, d->rds, buf, (size_t)len);
	else
		assoc_send(a, buf, (size_t)len);
	coap_peer_answered(p, ask->mid, ask->token, ask->token_len, buf, type == COAP_ACK ? (size_t)len : 0, true);
}
