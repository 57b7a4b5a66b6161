/* SPDX-License-Identifier: Apache-2.0 */
/* resume.c - what the journal holds at the start
 *
 * Records are read in the order in which they were written, each entry growing as in the life before. Then what is
 * still open goes on, in the order in which it was taken: a request of a device is sent as the same message, or ends;
 * one to a device that was possibly sent is only waited for.
 *
 * Where the wall clock cannot be trusted nobody knows how long the daemon was away. What goes north is treated as if
 * that had been no time, for a message sent again is then either a repetition or new; what waits for a device is not
 * delivered on a guess.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"
#include "session/record.h"

#define WITHDRAWN_MAX_AGE_S 60

/* ---- reading ---- */

static void read_name(struct reader *r, char name[256])
{
	size_t len = read_u8(r);
	const uint8_t *p = read_span(r, len);

	if (p)
		memcpy(name, p, len);
	name[p ? len : 0] = 0;
}

static uint64_t read_u64(struct reader *r)
{
	uint64_t high = read_u32(r);

	return high << 32 | read_u32(r);
}

static uint8_t read_token(struct reader *r, uint8_t t[COAP_TOKEN_MAX])
{
	uint8_t len = read_u8(r);

	if (len > COAP_TOKEN_MAX)
		r->failed = true;
	else
		read_into(r, t, len);
	return r->failed ? 0 : len;
}

/* ---- entries ---- */

/* What one entry has come to, over its records. */
struct entry {
	struct map_node node;
	uint64_t id;
	struct exchange *x;
	struct note *n;
	struct device *dev;  /* NULL: not configured any more */
	struct assoc *assoc; /* NULL: the same of its server */
	uint64_t at_ms;      /* when the asker's message came */
	uint16_t mid;        /* of that message */
	uint8_t token_len, token[COAP_TOKEN_MAX];
	uint8_t dir; /* enum direction, of the request */
	bool con, opened;
	bool answered, answer_con; /* a message of its own came as the answer */
	uint16_t answer_mid;
	uint64_t replied_wall_ms; /* when its reply was written */
	uint64_t left_ms;         /* possibly sent north, from then on; 0: not */
};

struct restore {
	struct sessions *s;
	struct map entries;
	uint64_t record_wall_ms; /* of the record at hand */
	size_t lost;
};

static bool id_equal(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return container_of(n, struct entry, node)->id == *(const uint64_t *)key;
}

static struct entry *find_entry(struct restore *r, uint64_t id)
{
	struct map_node *n = map_find(&r->entries, map_hash(&id, sizeof id), id_equal, &id, sizeof id);

	return n ? container_of(n, struct entry, node) : NULL;
}

static struct entry *new_entry(struct restore *r, uint64_t id)
{
	struct entry *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->id = id;
	if (map_add(&r->entries, &e->node, map_hash(&id, sizeof id))) {
		free(e);
		return NULL;
	}
	return e;
}

/* Where wall time of the life before lies on today's clock; never 0. */
static uint64_t mono_of(const struct restore *r, uint64_t wall_ms)
{
	uint64_t now = clock_now_ms();
	uint64_t wall = r->s->clock_trusted ? clock_wall_ms() : r->record_wall_ms;

	if (wall_ms >= wall)
		return now + (wall_ms - wall);
	return wall - wall_ms < now ? now - (wall - wall_ms) : 1;
}

static uint64_t past_of(const struct restore *r, uint64_t wall_ms)
{
	uint64_t at = mono_of(r, wall_ms), now = clock_now_ms();

	return at < now ? at : now;
}

/* Whose the entry is: device and association, as far as they are configured. False: not to be read on. */
static bool read_head(struct restore *r, struct entry *e, struct reader *in, uint8_t *flags)
{
	char dev[256], srv[256];
	struct server *server;
	uint16_t port;

	if (e->opened || read_u8(in) != RECORD_FORM)
		return false;
	read_name(in, dev);
	read_name(in, srv);
	port = read_u16(in);
	*flags = read_u8(in);
	if (in->failed)
		return false;
	e->opened = true;
	e->con = *flags & F_CON;
	e->dev = sessions_find(r->s, dev);
	server = server_by_name(r->s, srv);
	if (e->dev && server)
		e->assoc = assoc_get_at(e->dev, server, port);
	return true;
}

static void read_ask(struct entry *e, struct reader *in)
{
	e->mid = read_u16(in);
	e->token_len = read_token(in, e->token);
}

/* NULL: none that could be sent. */
static const uint8_t *read_message(struct reader *in, size_t *len)
{
	struct coap_msg m;
	const uint8_t *p;

	*len = read_u16(in);
	p = read_span(in, *len);
	return p && !coap_parse(&m, p, *len) ? p : NULL;
}

static uint16_t mid_of(const uint8_t *msg)
{
	return (uint16_t)(msg[2] << 8 | msg[3]);
}

/* ---- the opening records ---- */

static struct exchange *make_exchange(struct restore *r, struct entry *e, struct reader *in, uint8_t flags)
{
	struct coap_view v = { .oscore = flags & F_OSCORE };
	struct coap_msg ask = { .type = flags & F_CON ? COAP_CON : COAP_NON, .mid = e->mid, .token_len = e->token_len };
	uint64_t deadline = mono_of(r, read_u64(in));
	struct exchange *x;
	const uint8_t *msg;
	size_t len;

	memcpy(ask.token, e->token, e->token_len);
	x = e->assoc && !in->failed ? exchange_new(e->dev, e->assoc, (enum direction)e->dir, &ask, &v) : NULL;
	if (!x)
		return NULL;
	x->op = read_u8(in);
	x->no_response = read_u8(in);
	x->has_no_response = flags & F_NO_RESPONSE;
	x->prefixed = flags & F_PREFIXED;
	x->observe = flags & F_OBSERVE;
	x->cancel = flags & F_CANCEL;
	x->leaving = flags & F_LEAVING;
	x->out_len = read_token(in, x->out);
	msg = read_message(in, &len);
	if (!msg || coap_tx_set(&x->tx, msg, len, COAP_TX_REQUEST)) {
		exchange_free(x);
		return NULL;
	}
	coap_peer_skip_mid(e->dir == UP ? &e->assoc->peer : &e->dev->south, mid_of(msg));
	x->started_ms = e->at_ms;
	exchange_add(x, deadline);
	x->kept.id = e->id;
	return x;
}

/* A name that the device had told was learnt before its Register was taken. */
static void learn_ep(struct exchange *x)
{
	struct coap_msg m;
	const char *why;

	if (x->op == LWM2M_REGISTER && !coap_parse(&m, x->tx.data, x->tx.len))
		(void)register_admit(x->dev, x->assoc->srv, LWM2M_REGISTER, &m, &why);
}

static void open_exchange(struct restore *r, struct entry *e, struct reader *in, enum direction dir)
{
	uint8_t flags;

	e->dir = (uint8_t)dir;
	if (!read_head(r, e, in, &flags))
		return;
	read_ask(e, in);
	e->at_ms = past_of(r, read_u64(in));
	e->left_ms = dir == UP && flags & F_LEAVING ? past_of(r, r->record_wall_ms) : 0;
	e->x = make_exchange(r, e, in, flags);
	if (e->x && dir == UP) {
		e->x->params = register_read(in);
		learn_ep(e->x);
	} else if (e->x && e->x->out_len == 1 && (uint8_t)(e->x->out[0] + 1 - e->dev->next_token) < 0x80) {
		e->dev->next_token = (uint8_t)(e->x->out[0] + 1); /* what is stored of the device may be older */
	}
}

static void open_note(struct restore *r, struct entry *e, struct reader *in)
{
	const uint8_t *msg;
	uint64_t until;
	uint8_t flags;
	size_t len;

	e->dir = UP;
	e->at_ms = past_of(r, r->record_wall_ms);
	if (!read_head(r, e, in, &flags))
		return;
	read_ask(e, in);
	e->left_ms = flags & F_LEAVING ? e->at_ms : 0;
	until = mono_of(r, read_u64(in));
	msg = read_message(in, &len);
	e->n = e->assoc && msg ? note_new(e->assoc, NULL, msg, len) : NULL;
	if (!e->n)
		return;
	coap_peer_skip_mid(&e->assoc->peer, mid_of(msg));
	e->n->kept.id = e->id;
	e->n->oscore = flags & F_OSCORE;
	e->n->until_ms = until;
	e->n->ask_con = e->con;
	e->n->ask_mid = e->mid;
	e->n->ask_len = e->token_len;
	memcpy(e->n->ask, e->token, e->token_len);
	note_find_relation(e->n);
}

/* ---- what became of it ---- */

static void read_leaving(struct restore *r, struct entry *e, struct reader *in)
{
	struct coap_tx *tx = e->x ? &e->x->tx : e->n ? &e->n->tx : NULL;
	uint16_t mid;

	(void)read_u8(in); /* form */
	mid = read_u16(in);
	if (!tx || in->failed)
		return;
	tx->mid = mid;
	tx->data[2] = (uint8_t)(mid >> 8);
	tx->data[3] = (uint8_t)mid;
	if (e->x)
		e->x->in_doubt = read_u8(in) & LEAVING_IN_DOUBT;
	if (e->x && e->dir == DOWN)
		e->x->leaving = true;
	else
		e->left_ms = past_of(r, r->record_wall_ms);
	coap_peer_skip_mid(e->dir == UP ? &e->assoc->peer : &e->dev->south, mid);
}

static void read_stayed(struct entry *e)
{
	e->left_ms = 0;
	if (e->x)
		e->x->leaving = false;
}

static void read_reply(const struct restore *r, struct entry *e, struct reader *in)
{
	uint8_t type, from;
	const uint8_t *data;
	uint16_t mid;
	size_t len;

	(void)read_u8(in); /* form */
	type = read_u8(in);
	from = read_u8(in);
	mid = read_u16(in);
	data = read_message(in, &len);
	if (!data || !e->x)
		return;
	e->replied_wall_ms = r->record_wall_ms;
	if (from & R_SEPARATE) {
		e->answered = true;
		e->answer_con = from & R_CON;
		e->answer_mid = mid;
	}
	free(e->x->reply);
	e->x->reply = calloc(1, sizeof *e->x->reply + len);
	if (!e->x->reply)
		return;
	e->x->reply->type = type;
	e->x->reply->len = (uint16_t)len;
	memcpy(e->x->reply->data, data, len);
	if (type != COAP_ACK)
		coap_peer_skip_mid(e->dir == UP ? &e->dev->south : &e->assoc->peer, mid_of(data));
}

/* ---- duplicates ---- */

static void see(struct coap_peer *p, const struct entry *e, const uint8_t *data, size_t len, bool final)
{
	coap_peer_restore_seen(p, e->mid, e->token, e->token_len, e->con, e->at_ms, data, len, final);
}

static struct coap_peer *asker_of(const struct entry *e)
{
	if (e->dir == UP)
		return &e->dev->south;
	return e->assoc && !e->assoc->srv->stream ? &e->assoc->peer : NULL; /* a stream repeats nothing */
}

/* An answer that came as a message of its own may be repeated, too. */
static void see_answer(struct restore *r, const struct entry *e)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, e->answer_mid);

	if (e->x && e->dir == UP && e->assoc->srv->stream)
		return;
	if (e->answered && e->x) /* else its device or server may be gone */
		coap_peer_restore_seen(e->dir == UP ? &e->assoc->peer : &e->dev->south, e->answer_mid, e->x->out,
				       e->x->out_len, e->answer_con, past_of(r, r->record_wall_ms), ack.octets,
				       e->answer_con ? sizeof ack : 0, true);
}

/* What the device was told: in the last record when it went with the ACK, else in the reply. */
static uint8_t answer_code(const struct entry *e, const struct store_replayed *rec)
{
	if (rec->len > 4)
		return rec->data[1];
	return e->x->reply ? e->x->reply->data[1] : 0;
}

/* What duplicates of the asker get. */
static void see_done(struct coap_peer *p, const struct entry *e, const struct store_replayed *rec)
{
	const struct reply *reply = e->x ? e->x->reply : NULL;

	if (rec->kind != REC_HANDED)
		see(p, e, rec->data, rec->len, true);
	else if (reply && reply->type == COAP_ACK)
		see(p, e, reply->data, reply->len, true);
	else
		see(p, e, NULL, 0, true);
}

/* It is over: only what duplicates get is still of use. */
static void read_done(struct restore *r, struct entry *e, const struct store_replayed *rec)
{
	struct coap_peer *p = e->dev ? asker_of(e) : NULL;

	if (p && e->opened)
		see_done(p, e, rec);
	see_answer(r, e);
	if (e->x && e->dir == UP)
		register_replayed(e->x, answer_code(e, rec), rec->wall_ms);
	if (e->x) {
		e->x->kept.id = 0;
		e->x->counted = LINK_RES_FAILED; /* it was counted in the life before */
		exchange_free(e->x);
	}
	if (e->n) {
		e->n->kept.id = 0;
		note_free(e->n);
	}
	map_remove(&r->entries, &e->node);
	free(e);
}

static void on_record(void *arg, const struct store_replayed *rec)
{
	struct restore *r = arg;
	struct reader in = reader_of(rec->data, rec->len);
	struct entry *e = find_entry(r, rec->id);

	if (!e)
		e = new_entry(r, rec->id);
	if (!e)
		return;
	r->record_wall_ms = rec->wall_ms;
	if (rec->done)
		read_done(r, e, rec);
	else if (rec->kind == REC_UP || rec->kind == REC_DOWN)
		open_exchange(r, e, &in, rec->kind == REC_UP ? UP : DOWN);
	else if (rec->kind == REC_NOTE)
		open_note(r, e, &in);
	else if (rec->kind == REC_LEAVING)
		read_leaving(r, e, &in);
	else if (rec->kind == REC_STAYED)
		read_stayed(e);
	else if (rec->kind == REC_REPLY)
		read_reply(r, e, &in);
}

/* ---- what is open goes on ---- */

/* The ACK that an answer was to go with has been given, or its time has passed: it goes by itself. */
static void as_separate(struct exchange *x)
{
	struct reply *r = x->reply;
	uint16_t mid;

	if (r->type != COAP_ACK)
		return;
	mid = coap_peer_mid(x->dir == UP ? &x->dev->south : &x->assoc->peer);
	r->type = COAP_CON;
	r->data[0] = (uint8_t)((r->data[0] & 0xcf) | COAP_CON << 4);
	r->data[2] = (uint8_t)(mid >> 8);
	r->data[3] = (uint8_t)mid;
	keep_reply(x, false);
}

/* The device repeats its message for at least so long (RFC 7252 4.8.2, without the random factor) if it has not had the
 * ACK, and gets that again when it does. If it has it, for that may have left, it takes no notice of another one. */
static bool waits_for_ack(const struct exchange *x)
{
	return x->dir == UP && clock_now_ms() - x->started_ms < coap_transmit_span_ms(&x->dev->profile->params) * 2 / 3;
}

static void resume_reply(struct restore *r, struct entry *e)
{
	see_answer(r, e);
	if (e->x->acked && !waits_for_ack(e->x))
		as_separate(e->x);
	if (!e->x->kept.waiting)
		exchange_reply_kept(e->x);
}

/* Whether an empty ACK has left is not known: within its time the answer may still go with the ACK. */
static void restore_ack(struct exchange *x)
{
	uint64_t due = x->started_ms + x->dev->profile->empty_ack_ms;

	x->acked = x->ask_con && due <= clock_now_ms();
	x->empty_ack_ms = x->ask_con && !x->acked ? due : 0;
}

/* The association of then is no more: see legs.c in internal.h. False: it is over. */
static bool resume_left(struct restore *r, struct entry *e)
{
	struct exchange *x = e->x;

	if (!e->left_ms || !x->assoc->srv->ends)
		return true;
	if (x->oscore || !x->tx.con || (x->assoc->srv->stream && x->in_doubt)) {
		exchange_fail_soon(x, COAP_GATEWAY_TIMEOUT);
		return false;
	}
	if (x->assoc->srv->stream) {
		x->in_doubt = true;
		e->left_ms = 0;
		count(r->s, C_IN_DOUBT);
	}
	return true;
}

static void resume_up(struct restore *r, struct entry *e)
{
	struct exchange *x = e->x;
	const struct coap_empty ack = coap_empty(COAP_ACK, e->mid);

	restore_ack(x);
	see(&e->dev->south, e, ack.octets, x->acked ? sizeof ack : 0, false);
	if (x->reply) { /* answered by the server already: the device gets it again */
		register_replayed(x, x->reply->data[1], e->replied_wall_ms);
		resume_reply(r, e);
		return;
	}
	if (x->has_no_response)
		x->deadline_ms = x->started_ms +
			x->assoc->srv->conf->answer_within_s * 1000; /* it may never have left */
	if (x->deadline_ms <= clock_now_ms() && (x->ask_con || e->left_ms))
		return; /* its timer ends it: the device is told, the server never sees it */
	if (!resume_left(r, e))
		return;
	x->kept.left_ms = x->tx.first_ms = e->left_ms;
	keep_up_again(x);
}

/* The same of a notification. */
static bool resume_left_note(struct restore *r, struct entry *e)
{
	const struct server *srv = e->assoc->srv;

	if (!e->left_ms || !srv->ends)
		return true;
	if (e->n->oscore || !e->n->tx.con)
		return false;
	if (srv->stream) {
		e->left_ms = 0;
		count(r->s, C_IN_DOUBT);
	}
	return true;
}

static void resume_note(struct restore *r, struct entry *e)
{
	const struct coap_empty ack = coap_empty(COAP_ACK, e->mid);
	struct note *n = e->n;

	see(&e->dev->south, e, ack.octets, e->con ? sizeof ack : 0, true);
	if (n->until_ms <= clock_now_ms() || !resume_left_note(r, e)) {
		count(r->s, C_HOLD_DROPPED);
		note_free(n);
		return;
	}
	n->acked = true; /* a repetition gets it again */
	n->kept.left_ms = n->tx.first_ms = e->left_ms;
	keep_note_again(n);
}

/* An observation that was begun, and not stored with its device. */
static void restore_relation(struct exchange *x)
{
	struct coap_msg ask = { .token_len = x->ask_len };

	x->rel = relation_find_south(x->dev->all, x->dev, x->out, x->out_len);
	if (x->rel || !x->observe || x->out_len > sizeof x->rel->ts)
		return;
	memcpy(ask.token, x->ask, x->ask_len);
	if (!relation_find_north(x->dev->all, x->assoc, x->ask, x->ask_len))
		x->rel = relation_new(x->assoc, x->out, x->out_len, &ask);
	if (x->rel && !coap_parse(&ask, x->tx.data, x->tx.len))
		x->rel->target = copy_target(x->assoc, &ask);
}

static void resume_down(struct restore *r, struct entry *e)
{
	struct exchange *x = e->x;
	const struct coap_empty ack = coap_empty(COAP_ACK, e->mid);

	x->acked = x->ask_con; /* the answer comes by itself; the server's own repetition gets the empty ACK */
	x->empty_ack_ms = 0;
	x->earlier = x->leaving;
	if (x->assoc->srv->stream) {
		if (!x->reply && exchange_asker_lost(x))
			return;
		x->deaf = true;
	} else {
		see(&e->assoc->peer, e, ack.octets, e->con ? sizeof ack : 0, false);
		restore_relation(x);
	}
	if (x->reply) {
		resume_reply(r, e);
	} else if (x->deadline_ms <= clock_now_ms()) {
		return; /* its timer ends it */
	} else if (!r->s->clock_trusted || (x->leaving && x->tx.len > device_mtu(x->dev))) {
		exchange_fail_soon(x, COAP_GATEWAY_TIMEOUT); /* nothing is delivered on a guess; a body in pieces has no
								end any more */
	} else if (x->leaving) {
		x->tx.first_ms = x->started_ms; /* possibly sent: its answer is waited for */
	} else {
		exchange_leave(x);
	}
}

/* Its server is gone, but not the device, which is told once. */
static void tell_withdrawn(const struct entry *e)
{
	struct device *d = e->dev;
	bool acked = clock_now_ms() - e->at_ms >= d->profile->empty_ack_ms;
	uint16_t mid = acked ? coap_peer_mid(&d->south) : e->mid;
	const struct coap_empty ack = coap_empty(COAP_ACK, e->mid);
	struct coap_builder b;
	uint8_t buf[32];
	long len;

	coap_build(&b, buf, sizeof buf, acked ? COAP_CON : COAP_ACK, COAP_UNAVAILABLE, mid, e->token, e->token_len);
	coap_build_uint(&b, COAP_MAX_AGE, WITHDRAWN_MAX_AGE_S);
	len = coap_build_end(&b);
	if (len < 0)
		return;
	device_send(d, d->rds, buf, (size_t)len);
	see(&d->south, e, acked ? ack.octets : buf, acked ? sizeof ack : (size_t)len, true);
}

static void resume_lost(struct restore *r, struct entry *e)
{
	r->lost++;
	if (e->dev && e->opened && e->dir == UP && e->con && !e->assoc)
		tell_withdrawn(e);
	store_done(r->s->env.store, e->id, REC_DONE, NULL, 0, 0);
}

static void resume(struct restore *r, struct entry *e)
{
	if (e->n)
		resume_note(r, e);
	else if (e->x && e->dir == UP)
		resume_up(r, e);
	else if (e->x)
		resume_down(r, e);
	else
		resume_lost(r, e);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(struct entry *const *)a)->id, y = (*(struct entry *const *)b)->id;

	return x < y ? -1 : x > y;
}

int journal_restore(struct sessions *s)
{
	struct restore r = { .s = s };
	struct entry **list;
	struct map_node *n;
	size_t i = 0, open = 0;
	int err = store_replay(s->env.store, on_record, &r);

	list = calloc(r.entries.count + 1, sizeof *list);
	for (n = NULL; list && (n = map_next(&r.entries, &i, n));)
		list[open++] = container_of(n, struct entry, node);
	if (open)
		qsort(list, open, sizeof *list, by_id);
	for (i = 0; i < open; i++) {
		resume(&r, list[i]);
		free(list[i]);
	}
	if (open)
		log_ev(LOG_NOTICE, ROOM, "journal.restored", LF_UINT("open", open - r.lost),
		       LF_UINT("without_record", r.lost));
	free(list);
	map_fini(&r.entries);
	return list ? err : -ENOMEM;
}
