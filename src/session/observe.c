/* SPDX-License-Identifier: Apache-2.0 */
/* observe.c - observations of servers (RFC 7641) and the notifications that they bring
 *
 * One relation south per relation north, never merged: tokens, OSCORE and cancellation then need no thought. A server
 * that resets a notification ends its relation here; the device learns it by the RST to its next one, because its token
 * is then unknown. A notification keeps the device's own type.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

static bool south_equal(const struct map_node *n, const void *key, size_t len)
{
	const struct relation *r = container_of(n, struct relation, south);
	const struct token_key *k = key;

	(void)len;
	return r->assoc->dev == k->owner && r->ts_len == k->len && memcmp(r->ts, k->token, k->len) == 0;
}

static bool north_equal(const struct map_node *n, const void *key, size_t len)
{
	const struct relation *r = container_of(n, struct relation, north);
	const struct token_key *k = key;

	(void)len;
	return r->assoc == k->owner && r->tn_len == k->len && memcmp(r->tn, k->token, k->len) == 0;
}

struct relation *relation_find_south(struct sessions *s, const struct device *d, const uint8_t *ts, size_t len)
{
	struct token_key k;
	uint64_t hash = token_key_of(&k, d, ts, len);
	struct map_node *n = map_find(&s->rel_south, hash, south_equal, &k, sizeof k);

	return n ? container_of(n, struct relation, south) : NULL;
}

struct relation *relation_find_north(struct sessions *s, const struct assoc *a, const uint8_t *tn, size_t len)
{
	struct token_key k;
	uint64_t hash = token_key_of(&k, a, tn, len);
	struct map_node *n = map_find(&s->rel_north, hash, north_equal, &k, sizeof k);

	return n ? container_of(n, struct relation, north) : NULL;
}

struct relation *relation_new(struct assoc *a, const uint8_t *ts, size_t ts_len, const struct coap_msg *ask)
{
	struct sessions *s = a->dev->all;
	struct relation *r;
	struct token_key k;

	if (a->relations_n >= RELATIONS_MAX)
		return NULL;
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->assoc = a;
	r->ts_len = (uint8_t)ts_len;
	memcpy(r->ts, ts, ts_len);
	r->tn_len = ask->token_len;
	memcpy(r->tn, ask->token, ask->token_len);
	if (map_add(&s->rel_south, &r->south, token_key_of(&k, a->dev, ts, ts_len))) {
		free(r);
		return NULL;
	}
	if (map_add(&s->rel_north, &r->north, token_key_of(&k, a, r->tn, r->tn_len))) {
		map_remove(&s->rel_south, &r->south);
		free(r);
		return NULL;
	}
	r->next = a->relations;
	a->relations = r;
	a->relations_n++;
	device_touch(a->dev);
	return r;
}

static void forget_in_exchanges(struct relation *r)
{
	for (struct exchange *x = r->assoc->dev->down; x; x = x->next)
		if (x->rel == r)
			x->rel = NULL;
}

static struct note *note_of(struct coap_tx *tx)
{
	return tx->kind == TX_NOTE ? container_of(tx, struct note, tx) : NULL;
}

static void forget_in_notes(struct relation *r)
{
	for (struct note *n = r->assoc->notes; n; n = n->next)
		if (n->rel == r)
			n->rel = NULL;
}

void relation_end(struct relation *r)
{
	struct sessions *s = r->assoc->dev->all;
	struct relation **at = &r->assoc->relations;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->assoc->relations_n--;
	forget_in_exchanges(r);
	forget_in_notes(r);
	map_remove(&s->rel_south, &r->south);
	map_remove(&s->rel_north, &r->north);
	device_touch(r->assoc->dev);
	free(r);
}

/* Whether the server has yet to confirm one of the relation that has left: a NON behind it would overtake it, were it
 * lost. */
static bool is_unconfirmed(const struct relation *r)
{
	if (r->assoc->srv->stream) /* which gets nothing lost or out of order */
		return false;
	for (const struct note *n = r->assoc->notes; n; n = n->next)
		if (n->rel == r && n->tx.con && n->tx.peer && n->tx.state != COAP_TX_QUEUED)
			return true;
	return false;
}

bool note_may_leave(const struct coap_tx *tx)
{
	const struct note *n = tx->kind == TX_NOTE && !tx->con ? container_of(tx, const struct note, tx) : NULL;

	return !n || !n->rel || !is_unconfirmed(n->rel);
}

/* Takes out the first queued note that pred wants; NULL when none. */
typedef bool note_pred_fn(const struct note *n, const void *arg);
static struct note *take_note(struct assoc *a, note_pred_fn *pred, const void *arg)
{
	for (struct coap_tx *tx = a->peer.head; tx; tx = tx->next) {
		struct note *n = note_of(tx);

		if (!n || !pred(n, arg))
			continue;
		coap_tx_remove(tx, clock_now_ms());
		return n;
	}
	return NULL;
}

static bool waits_of_relation(const struct note *n, const void *arg)
{
	return n->rel == arg && n->tx.state != COAP_TX_FLIGHT;
}

static bool is_expired(const struct note *n, const void *arg)
{
	return n->until_ms <= *(const uint64_t *)arg && n->tx.state != COAP_TX_FLIGHT;
}

static bool is_waiting(const struct note *n, const void *arg)
{
	(void)arg;
	return n->tx.state != COAP_TX_FLIGHT;
}

void held_dropped(const struct assoc *a, size_t n, const char *why)
{
	if (!n)
		return;
	*a->dev->all->counters[C_HOLD_DROPPED] += n;
	log_note(ROOM, "held.dropped", LF_STR("dev", device_name(a->dev)), LF_STR("server", a->srv->conf->head.name),
		 LF_UINT("units", n), LF_STR("reason", why));
}

/* From the end on: what stands behind one that is taken out may leave at once, what stands before it does not. */
static size_t drop_notes(struct assoc *a, note_pred_fn *pred, const void *arg)
{
	size_t dropped = 0;
	struct coap_tx *prev;

	for (struct coap_tx *tx = a->peer.tail; tx; tx = prev) {
		struct note *n = note_of(tx);

		prev = tx->prev;
		if (!n || !pred(n, arg))
			continue;
		coap_tx_remove(tx, clock_now_ms());
		note_free(n);
		dropped++;
	}
	return dropped;
}

void relation_refused(struct relation *r)
{
	struct assoc *a = r->assoc;

	count(a->dev->all, C_OBSERVE_RST);
	drop_notes(a, waits_of_relation, r);
	relation_end(r);
}

void relations_drop(struct assoc *a)
{
	while (a->relations)
		relation_end(a->relations);
}

bool relation_reset(struct assoc *a, uint16_t mid)
{
	for (struct relation *r = a->relations; r; r = r->next)
		for (unsigned i = 0; i < r->mids_n; i++)
			if (r->mids[i] == mid) {
				relation_refused(r);
				return true;
			}
	return false;
}

static bool is_lost_for_good(const struct note *n, const void *arg)
{
	(void)arg;
	return n->oscore && n->tx.first_ms;
}

void notes_in_doubt(struct assoc *a)
{
	held_dropped(a, drop_notes(a, is_lost_for_good, NULL), "in doubt");
	for (struct note *n = a->notes; n; n = n->next) {
		if (!n->tx.first_ms || !n->tx.peer)
			continue;
		count(a->dev->all, C_IN_DOUBT);
		keep_renewed(&n->tx);
		n->tx.first_ms = 0; /* on this way it has not left yet */
		coap_tx_pause(&n->tx, 0, true);
	}
}

/* ---- notifications ---- */

void note_free(struct note *n)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, n->ask_mid);

	copy_settle(n->assoc->dev->all, &n->copy, false);
	kept_drop(n->assoc->dev, &n->kept);
	kept_done(n->assoc->dev, &n->kept, ack.octets, n->ask_con ? sizeof ack : 0);
	n->assoc->notes_n--;
	*n->link = n->next;
	if (n->next)
		n->next->link = n->link;
	coap_tx_clear(&n->tx);
	free(n);
}

void notes_expire(struct assoc *a)
{
	uint64_t now = clock_now_ms();

	held_dropped(a, drop_notes(a, is_expired, &now), "hold_s");
}

static void make_room(struct assoc *a)
{
	struct note *n;

	if (a->notes_n < a->srv->conf->hold_max)
		return;
	n = take_note(a, is_waiting, NULL);
	if (n) {
		note_free(n);
		held_dropped(a, 1, "hold_max");
	}
}

struct note *note_new(struct assoc *a, struct relation *r, const uint8_t *data, size_t len)
{
	struct note *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	if (coap_tx_set(&n->tx, data, len, COAP_TX_REQUEST)) {
		free(n);
		return NULL;
	}
	n->tx.kind = TX_NOTE;
	n->assoc = a;
	n->rel = r;
	n->until_ms = clock_now_ms() + a->srv->conf->hold_s * 1000;
	make_room(a);
	a->notes_n++;
	n->next = a->notes;
	n->link = &a->notes;
	if (n->next)
		n->next->link = &n->next;
	a->notes = n;
	return n;
}

void note_find_relation(struct note *n)
{
	n->rel = relation_find_north(n->assoc->dev->all, n->assoc, n->tx.data + 4, n->tx.data[0] & 15);
}

/* The gateway has taken it: the device may forget it. */
void note_leave(struct note *n)
{
	struct device *d = n->assoc->dev;
	rds_ports rds = n->assoc->rds;
	uint8_t token[COAP_TOKEN_MAX], len = n->ask_len;
	uint16_t mid = n->ask_mid;
	bool con = n->ask_con, acked = n->acked;

	n->acked = true;
	copy_note_left(n);
	memcpy(token, n->ask, len);
	assoc_wait_for_server(n->assoc);
	coap_tx_submit(&n->assoc->peer, &n->tx, clock_now_ms()); /* it may be gone now */
	if (acked)
		return;
	if (con)
		device_ack(d, rds, mid, token, len);
	else
		coap_peer_settled(&d->south, mid, token, len);
}

static bool hold_note(struct relation *r, const uint8_t *data, size_t len, const struct coap_msg *m, bool oscore)
{
	struct note *n = note_new(r->assoc, r, data, len);

	if (!n)
		return false;
	n->oscore = oscore;
	n->ask_con = m->type == COAP_CON;
	n->ask_mid = m->mid;
	n->ask_len = m->token_len;
	memcpy(n->ask, m->token, m->token_len);
	copy_note(n, &r->target);
	if (keeps(r->assoc->dev))
		keep_note(n);
	else
		note_leave(n);
	return true;
}

static void remember_mid(struct relation *r, uint16_t mid)
{
	r->mids[r->mids_at] = mid;
	r->mids_at = (uint8_t)((r->mids_at + 1) % NOTE_MIDS);
	if (r->mids_n < NOTE_MIDS)
		r->mids_n++;
}

static long build_note(struct relation *r, uint8_t *buf, size_t size, const struct coap_msg *m,
		       const struct coap_view *v, uint16_t mid)
{
	struct coap_crossing c = { .to_server = true };
	struct coap_builder b;

	block_leave_out(r->assoc, &c);
	coap_build(&b, buf, size, m->type, v->refuse ? v->refuse : m->code, mid, r->tn, r->tn_len);
	if (!v->refuse) {
		coap_forward_options(&b, m, &c);
		coap_build_payload(&b, m->payload, m->payload_len);
	}
	return coap_build_end(&b);
}

enum link_result notify_north(struct relation *r, const struct coap_msg *m, const struct coap_view *v)
{
	struct assoc *a = r->assoc;
	uint8_t buf[UNIT_MAX + 64];
	uint16_t mid = coap_peer_mid(&a->peer);
	long len = build_note(r, buf, sizeof buf, m, v, mid);
	bool ends = v->refuse || coap_class(m->code) != 2 || !v->has_observe, kept = true;

	if (len < 0 || block_not_for(a, v, false))
		return LINK_RES_TOO_BIG;
	remember_mid(r, mid);
	log_ev(LOG_DEBUG, ROOM, "notify", LF_STR("dev", device_name(a->dev)), LF_STR("server", a->srv->conf->head.name),
	       LF_CODE("code", m->code), LF_UINT("mid", m->mid), LF_UINT("north_mid", mid), LF_UINT("len", len));
	if (m->type == COAP_NON && !a->dev->keeping && !is_unconfirmed(r) && coap_peer_clear(&a->peer) &&
	    north_server_is_up(a->srv->north) && north_assoc_is_up(a->north)) {
		assoc_send(a, buf, (size_t)len);
		copy_notified(r, m, v);
		coap_peer_settled(&a->dev->south, m->mid, m->token, m->token_len);
	} else {
		kept = hold_note(r, buf, (size_t)len, m, v->oscore);
	}
	if (ends) /* RFC 7641 3.2: an error, or an answer without Observe, was the last one */
		relation_end(r);
	return kept ? LINK_RES_FORWARDED : LINK_RES_DROPPED;
}
