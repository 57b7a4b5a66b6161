/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - units on their way through the journal
 *
 * A unit that is acknowledged is the gateway's: it is on disk before that, with the very message that it will be north.
 * An entry is open from its first record until its exchange is over; its last record holds what duplicates of the asker
 * get, for as long as it may repeat itself. What is about to leave is marked before it does, in both directions, so
 * that a restart knows what was possibly sent: north that is the same message again, within its window; south it is
 * sent no second time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"
#include "session/record.h"

#define RECORD_MAX (MESSAGE_MAX + 1024)
#define LEFT_SLACK_MS 2000    /* a mark is good for a message that leaves this much later */
#define SHARED_MAX 16         /* repetitions that wait with the first one */
#define RETRY_MS 1000         /* until the disk is asked again */
#define KEEP_WINDOW_MS 247000 /* EXCHANGE_LIFETIME of servers */

bool keeps(const struct device *d)
{
	return d->all->env.store && d->at && device_link(d)->conf->journal;
}

struct link_up *take_up(struct sessions *s)
{
	struct link_up *up = s->up_now;

	s->up_now = NULL;
	return up;
}

/* The message with this id whose verdict waits for the disk, and its token. */
static struct kept *pending_with(const struct device *d, uint16_t mid, const uint8_t **token, size_t *token_len)
{
	for (struct exchange *x = d->up; x; x = x->next)
		if (x->ask_mid == mid && x->kept.up) {
			*token = x->ask;
			*token_len = x->ask_len;
			return &x->kept;
		}
	for (struct exchange *x = d->down; x; x = x->next)
		if (x->reply && x->reply->mid == mid && x->kept.up) {
			*token = x->out;
			*token_len = x->out_len;
			return &x->kept;
		}
	for (const struct assoc *a = d->assocs; a; a = a->next)
		for (struct note *n = a->notes; n; n = n->next)
			if (n->ask_mid == mid && n->kept.up) {
				*token = n->ask;
				*token_len = n->ask_len;
				return &n->kept;
			}
	return NULL;
}

bool kept_share(const struct device *d, struct link_up *up, const uint8_t *data, size_t len)
{
	struct kept *k = NULL;
	const uint8_t *token;
	size_t n;

	if (d->keeping && len >= 4 && data[1])
		k = pending_with(d, (uint16_t)(data[2] << 8 | data[3]), &token, &n);
	if (!k)
		return false;
	/* With another token it is another message, of a device that began anew: it has to come again. */
	if (k->shared >= SHARED_MAX || (data[0] & 15u) != n || len < 4 + n || memcmp(data + 4, token, n) != 0) {
		link_verdict(up, LINK_OVERLOAD);
		return true;
	}
	k->shared++;
	up->next = k->up->next;
	k->up->next = up;
	return true;
}

/* ---- writing ---- */

static void write_text(struct writer *w, const char *s)
{
	write_u8(w, (uint8_t)strlen(s));
	write_bytes(w, s, strlen(s));
}

static void write_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

static void write_token(struct writer *w, const uint8_t *t, size_t len)
{
	write_u8(w, (uint8_t)len);
	write_bytes(w, t, len);
}

static void write_message(struct writer *w, const struct coap_tx *tx)
{
	write_u16(w, tx->len);
	write_bytes(w, tx->data, tx->len);
}

static uint64_t wall_of(uint64_t at_ms)
{
	return at_ms - clock_now_ms() + clock_wall_ms();
}

static void append(struct device *d, struct kept *k, uint8_t kind, const struct writer *w, bool wait)
{
	struct store *st = d->all->env.store;

	if (!k->id)
		k->id = store_entry_id(st);
	if (wait) {
		k->waiting = true;
		d->keeping++;
	}
	store_append(st, k->id, kind, w->start, writer_len(w), wait ? &k->wait : NULL);
}

static void end_wait(struct device *d, struct kept *k)
{
	k->waiting = false;
	d->keeping--;
}

static void wait_for_state(struct device *d, struct kept *k, void (*fn)(struct store_wait *w, int err))
{
	k->wait.fn = fn;
	k->waiting = k->saving = true;
	d->keeping++;
	d->saving++;
	store_flush(d->all->env.store, &k->wait);
}

static void end_saving(struct device *d, struct kept *k)
{
	k->saving = false;
	d->saving--;
	end_wait(d, k);
}

static void give_verdict(struct kept *k, enum link_verdict v)
{
	struct link_up *up = k->up, *next;

	k->up = NULL;
	k->shared = 0;
	for (; up; up = next) {
		next = up->next;
		link_verdict(up, v);
	}
}

void kept_drop(struct device *d, struct kept *k)
{
	if (k->waiting) {
		store_forget(d->all->env.store, &k->wait);
		d->saving -= k->saving;
		k->saving = false;
		end_wait(d, k);
	}
	give_verdict(k, LINK_OVERLOAD);
}

/* Duplicates come from the device or the server: the longer window counts. */
static void done(struct device *d, struct kept *k, uint8_t kind, const uint8_t *data, size_t len)
{
	uint64_t keep_ms = coap_exchange_lifetime_ms(&d->profile->params);

	if (k->id && !d->all->ending) /* at the end of the process it stays open for the next start */
		store_done(d->all->env.store, k->id, kind, data, len,
			   keep_ms > KEEP_WINDOW_MS ? keep_ms : KEEP_WINDOW_MS);
	k->id = 0;
}

void kept_done(struct device *d, struct kept *k, const uint8_t *data, size_t len)
{
	done(d, k, REC_DONE, data, len);
}

void kept_handed(struct device *d, struct kept *k)
{
	done(d, k, REC_HANDED, NULL, 0);
}

static void write_head(struct writer *w, const struct assoc *a, uint8_t flags)
{
	write_u8(w, RECORD_FORM);
	write_text(w, device_name(a->dev));
	write_text(w, a->srv->conf->head.name);
	write_u16(w, north_assoc_port(a->north));
	write_u8(w, flags);
}

static uint8_t flags_of(const struct exchange *x, bool leaving)
{
	return (uint8_t)((x->ask_con ? F_CON : 0) | (x->oscore ? F_OSCORE : 0) | (x->observe ? F_OBSERVE : 0) |
			 (x->cancel ? F_CANCEL : 0) | (leaving ? F_LEAVING : 0) |
			 (x->has_no_response ? F_NO_RESPONSE : 0) | (x->prefixed ? F_PREFIXED : 0));
}

static void write_exchange(struct writer *w, const struct exchange *x, bool leaving)
{
	write_head(w, x->assoc, flags_of(x, leaving));
	write_u16(w, x->ask_mid);
	write_token(w, x->ask, x->ask_len);
	write_u64(w, wall_of(x->started_ms));
	write_u64(w, wall_of(x->deadline_ms));
	write_u8(w, x->op);
	write_u8(w, x->no_response);
	write_token(w, x->out, x->out_len);
	write_message(w, &x->tx);
}

/* ---- going north ---- */

static struct kept *kept_of(struct coap_tx *tx)
{
	if (tx->kind == TX_NOTE)
		return &container_of(tx, struct note, tx)->kept;
	return tx->kind == TX_REQUEST ? &container_of(tx, struct exchange, tx)->kept : NULL;
}

/* Nothing is before it, and its server is there: what is written now is true when it leaves. */
static bool leaves_at_once(const struct assoc *a, const struct coap_tx *tx)
{
	return !a->dev->keeping && coap_peer_clear(&a->peer) && (!tx->con || a->peer.active < a->srv->params.nstart) &&
		north_server_is_up(a->srv->north) && north_assoc_is_up(a->north);
}

static void write_leaving(struct device *d, struct kept *k, uint16_t mid, bool in_doubt)
{
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);

	write_u8(&w, RECORD_FORM);
	write_u16(&w, mid);
	write_u8(&w, in_doubt ? LEAVING_IN_DOUBT : 0);
	append(d, k, REC_LEAVING, &w, true);
}

static void write_stayed(struct device *d, struct kept *k)
{
	uint8_t buf[1];
	struct writer w = writer_of(buf, sizeof buf);

	write_u8(&w, RECORD_FORM);
	append(d, k, REC_STAYED, &w, false);
}

/* Marked, or to be tried again when the disk may be there. */
static void go_north(struct coap_tx *tx, struct kept *k, int err)
{
	uint64_t now = clock_now_ms();

	if (!err)
		k->left_ms = now;
	if (!tx->peer)
		return;
	if (err)
		coap_tx_pause(tx, now + RETRY_MS, false);
	else
		coap_tx_go(tx, now);
}

static void on_up_leaving(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	end_wait(x->dev, &x->kept);
	go_north(&x->tx, &x->kept, err);
}

static void on_note_leaving(struct store_wait *w, int err)
{
	struct note *n = container_of(w, struct note, kept.wait);

	end_wait(n->assoc->dev, &n->kept);
	go_north(&n->tx, &n->kept, err);
}

bool keep_departs(struct assoc *a, struct coap_tx *tx, bool again)
{
	struct kept *k = kept_of(tx);

	if (!k || !k->id)
		return false;
	if (k->left_ms && (again || clock_now_ms() - k->left_ms <= LEFT_SLACK_MS))
		return false;
	coap_tx_pause(tx, 0, false);
	if (k->waiting)
		return true;
	k->wait.fn = tx->kind == TX_NOTE ? on_note_leaving : on_up_leaving;
	write_leaving(a->dev, k, tx->mid, tx->kind == TX_REQUEST && container_of(tx, struct exchange, tx)->in_doubt);
	return true;
}

void keep_stayed(struct assoc *a, struct coap_tx *tx)
{
	struct kept *k = kept_of(tx);

	if (!k || !k->id || !k->left_ms)
		return;
	k->left_ms = 0;
	write_stayed(a->dev, k);
}

void keep_renewed(struct coap_tx *tx)
{
	struct kept *k = kept_of(tx);

	if (k)
		k->left_ms = 0;
}

/* ---- up: a request of a device ---- */

static void on_up_kept(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	end_wait(x->dev, &x->kept);
	if (err) { /* nothing was taken: the same message is a new one when it comes again */
		coap_peer_unsee(&x->dev->south, x->ask_mid, x->ask, x->ask_len);
		exchange_count(x, LINK_RES_DROPPED);
		x->kept.id = 0;
		give_verdict(&x->kept, LINK_OVERLOAD);
		exchange_free(x);
		return;
	}
	give_verdict(&x->kept, LINK_TAKEN);
	if (!x->over)
		exchange_leave(x);
}

void keep_up(struct exchange *x)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	bool leaves = leaves_at_once(x->assoc, &x->tx);

	x->kept.left_ms = leaves ? clock_now_ms() : 0;
	write_exchange(&w, x, leaves);
	register_write(&w, x->params);
	x->kept.up = take_up(x->dev->all);
	x->kept.wait.fn = on_up_kept;
	append(x->dev, &x->kept, REC_UP, &w, true);
}

/* ---- up: a notification ---- */

static void on_note_kept(struct store_wait *w, int err)
{
	struct note *n = container_of(w, struct note, kept.wait);
	struct device *d = n->assoc->dev;

	end_wait(d, &n->kept);
	if (err) {
		coap_peer_unsee(&d->south, n->ask_mid, n->ask, n->ask_len);
		n->kept.id = 0;
		give_verdict(&n->kept, LINK_OVERLOAD);
		note_free(n);
		return;
	}
	give_verdict(&n->kept, LINK_TAKEN);
	note_leave(n);
}

static void append_note(struct note *n)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	bool leaves = leaves_at_once(n->assoc, &n->tx);

	n->kept.left_ms = leaves ? clock_now_ms() : 0;
	write_head(&w, n->assoc,
		   (uint8_t)((n->ask_con ? F_CON : 0) | (n->oscore ? F_OSCORE : 0) | (leaves ? F_LEAVING : 0)));
	write_u16(&w, n->ask_mid);
	write_token(&w, n->ask, n->ask_len);
	write_u64(&w, wall_of(n->until_ms));
	write_message(&w, &n->tx);
	n->kept.wait.fn = on_note_kept;
	append(n->assoc->dev, &n->kept, REC_NOTE, &w, true);
}

static void on_note_turn(struct store_wait *w, int err)
{
	struct note *n = container_of(w, struct note, kept.wait);

	(void)err;
	end_saving(n->assoc->dev, &n->kept);
	append_note(n);
}

void keep_note(struct note *n)
{
	struct device *d = n->assoc->dev;

	n->kept.up = take_up(d->all);
	if (d->saving) /* behind the answer that began the observation */
		wait_for_state(d, &n->kept, on_note_turn);
	else
		append_note(n);
}

/* ---- again, after a restart: on disk already ---- */

static void take_turn(struct device *d, struct kept *k, void (*fn)(struct store_wait *w, int err))
{
	uint8_t buf[1];
	struct writer w = writer_of(buf, sizeof buf);

	write_u8(&w, RECORD_FORM);
	k->wait.fn = fn;
	append(d, k, REC_TURN, &w, true);
}

static void on_note_again(struct store_wait *w, int err)
{
	struct note *n = container_of(w, struct note, kept.wait);

	(void)err;
	end_wait(n->assoc->dev, &n->kept);
	note_leave(n);
}

static void on_up_again(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	(void)err;
	end_wait(x->dev, &x->kept);
	if (!x->over)
		exchange_leave(x);
}

void keep_note_again(struct note *n)
{
	if (n->assoc->dev->keeping)
		take_turn(n->assoc->dev, &n->kept, on_note_again);
	else
		note_leave(n);
}

void keep_up_again(struct exchange *x)
{
	if (x->dev->keeping)
		take_turn(x->dev, &x->kept, on_up_again);
	else
		exchange_leave(x);
}

/* ---- down ---- */

static void on_down_kept(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	end_wait(x->dev, &x->kept);
	if (err)
		x->kept.id = 0; /* as if it had never been */
	if (x->over)
		return;
	if (err)
		exchange_fail(x, COAP_UNAVAILABLE, 60, "store");
	else
		exchange_leave(x);
}

void keep_down(struct exchange *x, bool leaving)
{
	uint8_t buf[RECORD_MAX +
		    BLOCK_BODY_MAX]; /* above the MTU it is in one piece here, its blocks are made when it leaves */
	struct writer w = writer_of(buf, sizeof buf);

	x->leaving = leaving;
	write_exchange(&w, x, leaving);
	x->kept.wait.fn = on_down_kept;
	append(x->dev, &x->kept, REC_DOWN, &w, true);
}

/* A request that could not be marked stays queued, on disk too. */
static void on_down_leaving(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	end_wait(x->dev, &x->kept);
	if (err)
		x->leaving = false;
	if (x->over || !x->tx.peer)
		return;
	if (err)
		coap_tx_pause(&x->tx, clock_now_ms() + RETRY_MS, false);
	else
		coap_tx_go(&x->tx, clock_now_ms());
}

void keep_leaving(struct exchange *x)
{
	x->leaving = true;
	x->kept.wait.fn = on_down_leaving;
	write_leaving(x->dev, &x->kept, x->tx.mid, x->in_doubt);
}

void keep_queued(struct exchange *x)
{
	if (!x->kept.id || !x->leaving || x->kept.waiting)
		return;
	x->leaving = false;
	write_stayed(x->dev, &x->kept);
}

/* ---- answers ---- */

static void drop_reply(struct exchange *x)
{
	struct coap_peer *p = x->dir == UP ? &x->assoc->peer : &x->dev->south;

	coap_peer_unsee(p, x->reply->mid, x->reply->token, x->reply->token_len);
	free(x->reply);
	x->reply = NULL;
	give_verdict(&x->kept, LINK_OVERLOAD);
}

/* What its sender repeats until it is acknowledged can wait for the disk; anything else goes on without. */
static void on_reply_kept(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	end_wait(x->dev, &x->kept);
	if (err && x->reply->con) {
		drop_reply(x);
		return;
	}
	give_verdict(&x->kept, LINK_TAKEN);
	exchange_reply_kept(x);
}

static void write_reply(struct writer *w, uint8_t type, uint8_t from, uint16_t mid, const uint8_t *data, size_t len)
{
	write_u8(w, RECORD_FORM);
	write_u8(w, type);
	write_u8(w, from);
	write_u16(w, mid);
	write_u16(w, (uint16_t)len);
	write_bytes(w, data, len);
}

void keep_answer(struct exchange *x, const uint8_t *data, size_t len)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	write_reply(&w, data[0] >> 4 & 3, 0, 0, data, len);
	append(x->dev, &x->kept, REC_REPLY, &w, false);
}

static void append_reply(struct exchange *x)
{
	const struct reply *r = x->reply;
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof buf);

	write_reply(&w, r->type, (uint8_t)((r->separate ? R_SEPARATE : 0) | (r->con ? R_CON : 0)), r->mid, r->data,
		    r->len);
	x->kept.wait.fn = on_reply_kept;
	append(x->dev, &x->kept, REC_REPLY, &w, true);
}

static void on_state_kept(struct store_wait *w, int err)
{
	struct exchange *x = container_of(w, struct exchange, kept.wait);

	(void)err; /* nothing better is to be had: the tick tries again */
	end_saving(x->dev, &x->kept);
	append_reply(x);
}

void keep_reply(struct exchange *x, bool state_first)
{
	x->kept.up = take_up(x->dev->all);
	if (!state_first) {
		append_reply(x);
		return;
	}
	device_save(x->dev);
	wait_for_state(x->dev, &x->kept, on_state_kept);
}
