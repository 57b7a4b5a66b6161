/* SPDX-License-Identifier: Apache-2.0 */
/* block_cut.c - requests of servers that go to a device as blocks (RFC 7959, RFC 9175)
 *
 * A request stays one exchange however many units it takes: its south message is replaced by the next block when the
 * device has accepted one, so queue, retransmission, delivery states and patience are those of every other request, and
 * the server gets one answer. No body is put together: a block of the server that is too large is cut where it stands,
 * and the size that fits is named in the answer to the first one, so that the server goes on with it.
 */
#include <errno.h>
#include <stdlib.h>

#include "session/block.h"

/* ---- one cut request ---- */

void cut_free(struct exchange *x)
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
	k->series = block_is_series(v);
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

void cut_send(struct exchange *x)
{
	int err = submit_piece(x);

	if (err)
		exchange_fail_soon(x, err == -ENOMEM ? COAP_UNAVAILABLE : COAP_TOO_LARGE);
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
	return large ? block_may_change(x->dev, v->oscore) && m->payload_len : block_is_series(v);
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
	turn_take(t, x);
	return true;
}

bool block_shrink(struct exchange *x)
{
	struct device *d = x->dev;

	if (x->dir != DOWN || x->over || x->tx.len <= device_mtu(d))
		return false;
	if (x->cut && x->cut->whole) {
		coap_tx_remove(&x->tx, clock_now_ms());
		cut_send(x);
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
	cut_send(x);
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
	if (k->waits)
		return true; /* nothing of it has left: whatever this answers */
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

/* What the server's own Block1 has in the answer: the first one names the size to go on with, later ones are echoed.
 * One of SZX 7 is, too: what comes next is cut like it, and there are servers that count from one block and not from
 * all of them when another size is named. */
static uint32_t echo(const struct exchange *x, uint32_t block1)
{
	const struct cut *k = x->cut;
	unsigned szx = coap_block_szx(k->asked), most = block_szx_of(x->assoc->srv->conf->block_size);
	bool names = !coap_block_num(k->asked) && coap_block_more(k->asked) && szx != COAP_SZX_BERT;

	if (names && k->c.szx < szx)
		szx = k->c.szx;
	if (names && most < szx)
		szx = most;
	return coap_block_make(coap_block_num(k->asked), coap_block_more(block1), szx);
}

void block_crossing(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v,
		    struct coap_crossing *c)
{
	if (x->dir == UP)
		block_from_bert(v, c);
	else
		block_leave_out(x->assoc, c);
	if (!x->cut || !x->cut->whole || !v->has_block1 || m->code == COAP_TOO_LARGE) /* 4.13 says what would fit */
		return;
	c->drop_block1 = !x->cut->has_block1;
	c->set_block1 = x->cut->has_block1;
	c->block1 = echo(x, v->block1);
}
