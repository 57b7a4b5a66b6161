/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - requests of servers that go to a device as blocks (RFC 7959, RFC 9175)
 *
 * A request stays one exchange however many units it takes: its south message is replaced by the next block when the
 * device has accepted one, so queue, retransmission, delivery states and patience are those of every other request, and
 * the server gets one answer. No body is put together: a block of the server that is too large is cut where it stands,
 * and the size that fits is named in the answer to the first one, so that the server goes on with it.
 *
 * A device puts one body together at a time. Whoever begins another one meanwhile waits, until its patience ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/block.h"

#define SIZE1_OPTION_MAX 6
#define TAG_OPTION_MAX 4 /* a Request-Tag of one octet */

bool block_may_change(const struct device *d, bool oscore)
{
	int mode = d->profile->conf->block;

	return (mode == BLOCK_CLAMP || mode == BLOCK_ASSEMBLE) && (!oscore || d->profile->conf->oscore_reblock);
}

/* Only there a block may have SZX 7 (RFC 8323 6). */
static bool is_stream(const struct assoc *a)
{
	return strstr(a->srv->conf->uri, "+tcp://") != NULL;
}

static unsigned szx_of(uint64_t size)
{
	unsigned szx = COAP_SZX_MAX;

	while (szx && coap_block_size(szx) > size)
		szx--;
	return szx;
}

/* One block of a body that has others. */
static bool is_series(const struct coap_view *v)
{
	return v->has_block1 && (coap_block_more(v->block1) || coap_block_num(v->block1));
}

uint8_t block_check(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	bool bert = is_stream(a);

	if (!block_may_change(a->dev, v->oscore))
		return 0;
	if (v->has_block1 && coap_block_check(v->block1, m->payload_len, bert))
		return COAP_BAD_REQUEST;
	if (v->has_block2 && coap_block_szx(v->block2) == COAP_SZX_BERT && !bert)
		return COAP_BAD_REQUEST;
	return 0;
}

/* Block2 says how large the answer's blocks may be: no larger than what the device can be given, or can give. */
void block_lower(const struct assoc *a, const struct coap_view *v, struct coap_crossing *c)
{
	int fit = coap_block_fit(device_mtu(a->dev), BLOCK_ANSWER_OVERHEAD);
	unsigned szx = fit < 0 ? 0 : (unsigned)fit, most = szx_of(a->srv->conf->block_size);

	if (!v->has_block2 || !block_may_change(a->dev, v->oscore))
		return;
	if (c->to_server && most < szx)
		szx = most;
	c->block2 = v->block2;
	c->set_block2 = coap_block_lower(&c->block2, szx) == 0;
}

/* ---- admission ---- */

static size_t held_by(const struct device *d)
{
	size_t n = d->blocks ? served_bytes(d->blocks) : 0;

	for (const struct exchange *x = d->down; x; x = x->next)
		n += x->held;
	return n;
}

bool block_has_room(const struct device *d, size_t len)
{
	return held_by(d) + len <= BLOCK_DEVICE_MAX && d->all->block_bytes + len <= BLOCK_ALL_MAX;
}

int block_admit(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	const struct device *d = a->dev;
	size_t overhead = COAP_HEADER_MAX + m->options_len + COAP_BLOCK_OPTION_MAX + SIZE1_OPTION_MAX + TAG_OPTION_MAX +
		1;

	if (!block_may_change(d, v->oscore) || !m->payload_len || m->payload_len > BLOCK_BODY_MAX)
		return -EMSGSIZE;
	if (d->profile->conf->block == BLOCK_CLAMP && !v->has_block1)
		return -EMSGSIZE;
	if (coap_block_fit(device_mtu(d), overhead) < 0)
		return -EMSGSIZE;
	return block_has_room(d, m->payload_len + overhead) ? 0 : -ENOBUFS;
}

void block_hold(struct exchange *x, size_t len)
{
	x->held = (uint32_t)len;
	x->dev->all->block_bytes += len;
}

static void let_go(struct exchange *x)
{
	x->dev->all->block_bytes -= x->held;
	x->held = 0;
}

/* ---- one cut request ---- */

static void cut_free(struct exchange *x)
{
	free(x->cut->whole);
	free(x->cut);
	x->cut = NULL;
}

static void take_whole(struct exchange *x, const struct coap_msg *m)
{
	struct cut *k = x->cut;

	k->whole = x->tx.data; /* m points into it */
	x->tx.data = NULL;
	x->tx.len = 0;
	k->code = m->code;
	k->options = m->options;
	k->options_len = m->options_len;
	k->body = m->payload;
}

static bool cut_new(struct exchange *x, const struct coap_msg *m, const struct coap_view *v, bool large)
{
	struct cut *k = calloc(1, sizeof *k);
	unsigned szx = v->has_block1 ? coap_block_szx(v->block1) : COAP_SZX_MAX;

	if (!k)
		return false;
	x->cut = k;
	k->operation = coap_operation(m);
	k->has_block1 = v->has_block1;
	k->asked = v->block1;
	k->series = is_series(v);
	k->tag = ++x->dev->next_tag;
	if (!large)
		return true;
	coap_cut_init(&k->c, v->has_block1 ? coap_block_offset(v->block1) : 0, m->payload_len,
		      v->has_block1 && coap_block_more(v->block1), szx > COAP_SZX_MAX ? COAP_SZX_MAX : szx);
	take_whole(x, m);
	if (!x->held) /* of the life before, or of before the link's MTU went down */
		block_hold(x, m->payload_len + m->options_len);
	count(x->dev->all, C_BLOCK_CUT);
	return true;
}

/* The message of one piece; n 0: all that it has beside the piece, in the longest form. */
static long build_piece(const struct exchange *x, uint16_t mid, uint32_t block, uint32_t at, uint32_t n, uint8_t *buf,
			size_t size)
{
	const struct cut *k = x->cut;
	bool last = at + n >= k->c.len && !k->c.more, first = !at;
	uint8_t block1[4], size1[4];
	struct coap_edit v[5];
	struct coap_builder b;
	size_t edits = 0;

	if (!last) /* the size of an answer is asked for with the end of the body (RFC 7959 3.3) */
		v[edits++] = (struct coap_edit){ COAP_BLOCK2, NULL, 0 };
	v[edits++] = coap_edit_uint(COAP_BLOCK1, block, block1);
	if (!k->has_block1 && first)
		v[edits++] = coap_edit_uint(COAP_SIZE1, k->c.len, size1);
	else if (!first)
		v[edits++] = (struct coap_edit){ COAP_SIZE1, NULL, 0 };
	v[edits++] = (struct coap_edit){ COAP_NO_RESPONSE, NULL, 0 }; /* each piece needs its answer */
	if (!k->has_block1)
		v[edits++] = (struct coap_edit){ COAP_REQUEST_TAG, &k->tag, 1 };
	coap_build(&b, buf, size, COAP_CON, k->code, mid, x->out, x->out_len);
	coap_edit_options(&b, k->options, k->options_len, v, edits);
	coap_build_payload(&b, k->body + at, n);
	return coap_build_end(&b);
}

/* The largest piece that the link takes now. */
static int fitting(const struct exchange *x)
{
	const struct coap_cut *c = &x->cut->c;
	uint32_t last = (c->base + c->len) / 16,
		 longest = coap_block_make(last < COAP_BLOCK_NUM_MAX ? last : COAP_BLOCK_NUM_MAX, true, 0);
	uint8_t buf[UNIT_MAX];
	long overhead = build_piece(x, 0, longest, c->at, 0, buf, sizeof buf);

	return overhead < 0 ? -EMSGSIZE : coap_block_fit(device_mtu(x->dev), (size_t)overhead + 1);
}

static int submit_piece(struct exchange *x)
{
	struct device *d = x->dev;
	struct cut *k = x->cut;
	int fit = fitting(x), szx = fit < (int)d->blocks->szx ? fit : (int)d->blocks->szx;
	uint8_t buf[UNIT_MAX];
	uint32_t block, at;
	long len;

	if (fit < 0 || coap_cut_piece(&k->c, (unsigned)szx, &block, &at))
		return -EMSGSIZE;
	len = build_piece(x, coap_peer_mid(&d->south), block, at, k->c.piece, buf, sizeof buf);
	if (len < 0)
		return -EMSGSIZE;
	if (coap_tx_set(&x->tx, buf, (size_t)len, COAP_TX_BULK))
		return -ENOMEM;
	log_ev(LOG_DEBUG, ROOM, "down.block", LF_STR("dev", device_name(d)), LF_UINT("num", coap_block_num(block)),
	       LF_UINT("size", coap_block_size(coap_block_szx(block))), LF_UINT("more", coap_block_more(block)),
	       LF_UINT("south_mid", x->tx.mid), LF_UINT("len", len));
	coap_tx_submit(&d->south, &x->tx, clock_now_ms());
	return 0;
}

static void send_piece(struct exchange *x)
{
	int err = submit_piece(x);

	if (err)
		exchange_fail_soon(x, err == -ENOMEM ? COAP_UNAVAILABLE : COAP_TOO_LARGE);
}

/* ---- turns: one body at a time ---- */

static void on_review(struct timer *t, uint64_t now_ms);

void transfers_review(struct transfers *t)
{
	timer_set(t->dev->all->env.timers, &t->timer, 1, on_review);
}

struct transfers *transfers_of(struct device *d)
{
	if (!d->blocks) {
		d->blocks = calloc(1, sizeof *d->blocks);
		if (d->blocks)
			d->blocks->dev = d;
	}
	return d->blocks;
}

static bool is_same(const struct transfers *t, const struct exchange *x)
{
	return t->assoc == x->assoc && t->operation == x->cut->operation;
}

/* Between two blocks of a body its server may go on, or begin another one instead; the others wait. */
static bool may_go(const struct transfers *t, const struct exchange *x)
{
	if (t->now)
		return false;
	if (!t->assoc || t->given_up || is_same(t, x))
		return true;
	return t->assoc == x->assoc && !coap_block_num(x->cut->asked);
}

/* The same block again that ended in the middle: what the device has of it is not sent once more. */
static void resume(struct transfers *t, struct exchange *x)
{
	struct coap_cut *c = &x->cut->c;
	uint64_t digest = map_hash(x->cut->body, c->len);

	if (t->digest == digest && t->base == c->base && t->len == c->len && t->done < c->len) {
		c->at = t->done;
		return;
	}
	if (!c->base)
		t->szx = COAP_SZX_MAX; /* a new beginning */
	t->digest = digest;
	t->base = c->base;
	t->len = c->len;
	t->done = 0;
}

static void begin(struct transfers *t, struct exchange *x)
{
	struct cut *k = x->cut;

	k->waits = false;
	if (!is_same(t, x)) {
		t->assoc = x->assoc;
		t->operation = k->operation;
		t->szx = COAP_SZX_MAX;
		t->digest = 0;
		t->len = t->done = 0;
	}
	t->given_up = false;
	t->now = x;
	if (k->whole) {
		resume(t, x);
		send_piece(x);
	} else {
		x->tx.klass = COAP_TX_BULK;
		coap_tx_submit(&x->dev->south, &x->tx, clock_now_ms());
	}
}

/* The list has the latest first. */
static struct exchange *next_of(const struct transfers *t, bool *waiting)
{
	struct exchange *next = NULL;

	*waiting = false;
	for (struct exchange *x = t->dev->down; x; x = x->next)
		if (x->cut && x->cut->waits && !x->over) {
			*waiting = true;
			if (may_go(t, x))
				next = x;
		}
	return next;
}

static void close_series(struct transfers *t)
{
	t->assoc = NULL;
	t->given_up = false;
}

static void on_review(struct timer *timer, uint64_t now_ms)
{
	struct transfers *t = container_of(timer, struct transfers, timer);
	struct device *d = t->dev;
	struct exchange *next;
	uint64_t at = UINT64_MAX;
	bool waiting;

	if (!t->now && t->assoc && t->idle_ms <= now_ms)
		close_series(t);
	served_expire(t, now_ms);
	next = next_of(t, &waiting);
	if (next) {
		begin(t, next);
	} else if (!t->now && !t->assoc && !t->served && !waiting) {
		d->blocks = NULL;
		free(t);
		return;
	}
	if (!t->now && t->assoc)
		at = t->idle_ms;
	if (t->served && served_until(t) < at)
		at = served_until(t);
	if (at != UINT64_MAX)
		timer_set(d->all->env.timers, &t->timer, at, on_review);
}

/* SZX 7 never goes to a datagram leg, so one of them is cut even where it fits. */
static bool is_large(const struct exchange *x, const struct coap_view *v)
{
	return x->tx.len > device_mtu(x->dev) || (v->has_block1 && coap_block_szx(v->block1) == COAP_SZX_BERT);
}

/* Whether blocks have anything to do with it; what cannot be cut the link refuses. */
static bool concerns(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v, bool large)
{
	if (v->oscore && !x->dev->profile->conf->oscore_reblock)
		return false;
	return large ? block_may_change(x->dev, v->oscore) && m->payload_len : is_series(v);
}

bool block_leaves(struct exchange *x)
{
	struct transfers *t;
	struct coap_view v;
	struct coap_msg m;
	bool large;

	if (x->cut || coap_parse(&m, x->tx.data, x->tx.len))
		return x->cut != NULL;
	coap_view(&v, &m, true);
	large = is_large(x, &v);
	if (!concerns(x, &m, &v, large))
		return false;
	t = transfers_of(x->dev);
	if (!t || !cut_new(x, &m, &v, large)) {
		exchange_fail_soon(x, COAP_UNAVAILABLE);
		return true;
	}
	x->cut->waits = true;
	if (may_go(t, x))
		begin(t, x);
	return true;
}

bool block_shrink(struct exchange *x)
{
	struct device *d = x->dev;

	if (x->dir != DOWN || x->over || x->tx.len <= device_mtu(d))
		return false;
	if (x->cut && x->cut->whole) {
		coap_tx_remove(&x->tx, clock_now_ms());
		send_piece(x);
		return true;
	}
	if (x->cut ||
	    d->profile->conf->block !=
		    BLOCK_ASSEMBLE) /* a block that has its turn as it is: the server is told the size */
		return false;
	coap_tx_remove(&x->tx, clock_now_ms());
	return block_leaves(x);
}

/* ---- answers ---- */

static void go_on(struct exchange *x)
{
	struct transfers *t = x->dev->blocks;

	coap_tx_remove(&x->tx, clock_now_ms());
	if (x->cut->c.szx < t->szx)
		t->szx = x->cut->c.szx;
	t->done = x->cut->c.at;
	send_piece(x);
}

/* The device has lost what it had: a body that is at hand in whole begins once more, under another tag. */
static bool begin_anew(struct exchange *x, uint8_t code)
{
	struct cut *k = x->cut;

	if (code != COAP_CODE(4, 8) || k->has_block1 || k->restarted || !k->c.at)
		return false;
	k->restarted = true;
	k->tag = ++x->dev->next_tag;
	k->c.at = 0;
	go_on(x);
	return true;
}

bool block_answered(struct exchange *x, const struct coap_msg *m)
{
	struct cut *k = x->cut;
	enum coap_cut_step step;
	struct coap_view v;

	if (!k) /* of the life before: no answer to a part is one to all of it */
		return x->dir == DOWN && m->code == COAP_CONTINUE && x->tx.len > device_mtu(x->dev);
	coap_view(&v, m, false);
	step = k->whole && !v.refuse ? coap_cut_answered(&k->c, m->code, v.has_block1, v.block1) : COAP_CUT_DONE;
	if (step == COAP_CUT_STALE && m->type == COAP_ACK)
		step = COAP_CUT_BAD; /* it is about this piece by its message id */
	switch (step) {
	case COAP_CUT_NEXT:
	case COAP_CUT_AGAIN:
		go_on(x);
		return true;
	case COAP_CUT_STALE:
		return true;
	case COAP_CUT_BAD:
		coap_tx_remove(&x->tx, clock_now_ms());
		k->answered = COAP_BAD_GATEWAY;
		exchange_fail(x, COAP_BAD_GATEWAY, 0, "no block-wise transfer");
		return true;
	case COAP_CUT_DONE:
		break;
	}
	if (begin_anew(x, m->code))
		return true;
	k->answered = m->code;
	return false;
}

/* What the server's own Block1 has in the answer: the first one names the size to go on with, later ones are echoed. */
static uint32_t echo(const struct exchange *x, uint32_t block1)
{
	const struct cut *k = x->cut;
	unsigned szx = coap_block_szx(k->asked), most = szx_of(x->assoc->srv->conf->block_size);
	bool names = !coap_block_num(k->asked) && coap_block_more(k->asked);

	if (names && k->c.szx < szx)
		szx = k->c.szx;
	if (names && most < szx)
		szx = most;
	return coap_block_make(coap_block_num(k->asked), coap_block_more(block1), szx);
}

void block_crossing(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v,
		    struct coap_crossing *c)
{
	if (!x->cut || !x->cut->whole || !v->has_block1 || m->code == COAP_TOO_LARGE) /* 4.13 says what would fit */
		return;
	c->drop_block1 = !x->cut->has_block1;
	c->set_block1 = x->cut->has_block1;
	c->block1 = echo(x, v->block1);
}

/* ---- ends ---- */

/* The turn is over: with an answer that wants more, without one (the server may try again), or for good. */
void block_over(struct exchange *x)
{
	struct transfers *t = x->dev->blocks;
	struct cut *k = x->cut;

	let_go(x);
	if (!k)
		return;
	if (t && t->now == x) {
		t->now = NULL;
		t->idle_ms = clock_now_ms() + 2 * coap_exchange_lifetime_ms(&x->dev->profile->params);
		if (!k->series || (k->answered && (coap_class(k->answered) != 2 || !coap_block_more(k->asked))))
			close_series(t);
		else
			t->given_up = !k->answered;
		transfers_review(t);
	}
	cut_free(x);
}

void block_forget(struct assoc *a)
{
	struct transfers *t = a->dev->blocks;

	if (!t)
		return;
	served_forget(t, a);
	if (t->assoc == a && !t->now)
		close_series(t);
	transfers_review(t);
}

/* ---- what can be cut by nobody ---- */

void block_too_big(struct device *d, size_t needed)
{
	char text[128];

	d->too_big = needed < UINT16_MAX ? (uint16_t)needed : UINT16_MAX;
	snprintf(text, sizeof text, "a message protected by OSCORE needs %zu octets, the link takes %u", needed,
		 device_mtu(d));
	alarm_raise(d->all->env.alarms, ALARM_MINOR, "device.too_big", device_name(d), text,
		    "let its server use smaller blocks, or raise the MTU");
}

void block_fits(struct device *d)
{
	if (d->too_big && device_mtu(d) >= d->too_big) {
		d->too_big = 0;
		alarm_clear(d->all->env.alarms, "device.too_big", device_name(d));
	}
}

void block_free(struct device *d)
{
	struct transfers *t = d->blocks;

	if (d->too_big)
		alarm_clear(d->all->env.alarms, "device.too_big", device_name(d));
	if (!t)
		return;
	timer_cancel(d->all->env.timers, &t->timer);
	served_free(t);
	free(t);
	d->blocks = NULL;
}
