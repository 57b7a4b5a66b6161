/* SPDX-License-Identifier: Apache-2.0 */
/* block_serve.c - an answer of a server that is too large for the device is kept and fetched by it block by block
 *
 * One per device, until its last block has been asked for or NON_LIFETIME has passed without a question. What is kept
 * may itself be a block of a longer body; behind it the device's questions go to the server again. They are recognised
 * by the request as the server gets it, so edits on the way make no difference.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/block.h"

struct served {
	struct assoc *assoc;
	uint64_t operation, until_ms;
	struct coap_held held;
	uint32_t size; /* octets that this takes */
	uint32_t options_len;
	uint8_t code;
	uint8_t etag[4]; /* ours; for an answer that has none */
	bool has_etag, has_size2;
	uint8_t data[]; /* options, then the body */
};

size_t served_bytes(const struct transfers *t)
{
	return t->served ? t->served->size : 0;
}

uint64_t served_until(const struct transfers *t)
{
	return t->served->until_ms;
}

void served_free(struct transfers *t)
{
	if (t->served)
		t->dev->all->block_bytes -= t->served->size;
	free(t->served);
	t->served = NULL;
}

void served_expire(struct transfers *t, uint64_t now_ms)
{
	if (t->served && t->served->until_ms <= now_ms)
		served_free(t);
}

void served_forget(struct transfers *t, const struct assoc *a)
{
	if (t->served && t->served->assoc == a)
		served_free(t);
}

/* The same body has the same one, over restarts too (FNV-1a; nothing depends on its strength). */
static void make_etag(uint8_t etag[4], const uint8_t *body, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ body[i]) * 16777619u;
	for (unsigned i = 0; i < 4; i++)
		etag[i] = (uint8_t)(h >> (24 - 8 * i));
}

static long build_part(const struct served *s, const struct coap_msg *ask, enum coap_type type, uint16_t mid,
		       uint32_t block, uint32_t at, uint32_t n, uint8_t *buf, size_t size)
{
	uint8_t block2[4], size2[4];
	struct coap_edit v[3];
	struct coap_builder b;
	size_t edits = 0;

	if (s->has_etag)
		v[edits++] = (struct coap_edit){ COAP_ETAG, s->etag, sizeof s->etag };
	v[edits++] = coap_edit_uint(COAP_BLOCK2, block, block2);
	if (!s->has_size2 && !s->held.more && !s->held.base && !at)
		v[edits++] = coap_edit_uint(COAP_SIZE2, s->held.len, size2);
	coap_build(&b, buf, size, type, s->code, mid, ask->token, ask->token_len);
	coap_edit_options(&b, s->data, s->options_len, v, edits);
	coap_build_payload(&b, s->data + s->options_len + at, n);
	return coap_build_end(&b);
}

/* The answer to `ask`, which wants the block asked; its length, or -EMSGSIZE, -ERANGE. *last: nothing is left behind
 * it. */
static long serve(const struct served *s, const struct coap_msg *ask, enum coap_type type, uint16_t mid, uint32_t asked,
		  uint8_t *buf, size_t room, bool *last)
{
	long overhead = build_part(s, ask, type, mid, coap_block_make(COAP_BLOCK_NUM_MAX, true, 0), 0, 0, buf, room);
	int szx = overhead < 0 ? -EMSGSIZE : coap_block_fit(room, (size_t)overhead + 1);
	uint32_t block, at, n;
	int err;

	if (szx < 0)
		return -EMSGSIZE;
	err = coap_held_part(&s->held, asked, (unsigned)szx, &block, &at, &n);
	if (err)
		return err;
	*last = at + n >= s->held.len;
	return build_part(s, ask, type, mid, block, at, n, buf, room);
}

/* ---- keeping ---- */

static bool has_option(const struct coap_msg *m, uint32_t number)
{
	struct coap_option o;

	return coap_option_find(m, number, &o);
}

static struct served *served_new(struct exchange *x, const struct coap_msg *m, const struct coap_view *v,
				 const struct coap_crossing *c)
{
	size_t size = sizeof(struct served) + m->options_len + 8 + m->payload_len;
	struct coap_builder b = { 0 };
	struct served *s = block_has_room(x->dev, size) ? calloc(1, size) : NULL;

	if (!s)
		return NULL;
	b.w = writer_of(s->data, m->options_len + 8);
	coap_forward_options(&b, m, c);
	if (b.w.failed) {
		free(s);
		return NULL;
	}
	s->options_len = (uint32_t)writer_len(&b.w);
	memcpy(s->data + s->options_len, m->payload, m->payload_len);
	s->assoc = x->assoc;
	s->size = (uint32_t)size;
	s->code = m->code;
	s->held = (struct coap_held){ .len = (uint32_t)m->payload_len };
	if (v->has_block2)
		s->held = (struct coap_held){ coap_block_offset(v->block2), (uint32_t)m->payload_len,
					      coap_block_more(v->block2) };
	s->has_size2 = has_option(m, COAP_SIZE2);
	s->has_etag = !v->has_block2 && coap_class(m->code) == 2 && !has_option(m, COAP_ETAG);
	make_etag(s->etag, m->payload, m->payload_len);
	return s;
}

/* What the device asked for, as far as the answer is about it. */
static uint32_t asked_block(const struct exchange *x, const struct served *s, const struct coap_msg *request)
{
	unsigned szx = x->asked_szx ? x->asked_szx - 1u : COAP_SZX_MAX;
	struct coap_view v;
	uint32_t block;

	coap_view(&v, request, true);
	if (v.has_block2)
		return v.block2;
	return coap_block_at(&block, s->held.base, false, szx) ? coap_block_make(0, false, szx) : block;
}

static uint64_t lifetime_end(const struct device *d)
{
	return clock_now_ms() + coap_non_lifetime_ms(&d->profile->params);
}

long block_hold_answer(struct exchange *x, const struct coap_msg *m, const struct coap_view *v,
		       const struct coap_crossing *c, enum coap_type type, uint16_t mid, uint8_t *buf, size_t room)
{
	struct coap_msg ask = { .token_len = x->ask_len }, request;
	struct device *d = x->dev;
	struct transfers *t;
	struct served *s;
	bool last = false;
	long len;

	if (v->oscore && !d->profile->conf->oscore_reblock)
		block_too_big(d, m->options_len + m->payload_len + 8);
	if (!block_may_change(d, v->oscore) || !m->payload_len || m->payload_len > BLOCK_BODY_MAX)
		return -EMSGSIZE;
	if (d->profile->conf->block == BLOCK_CLAMP && !v->has_block2)
		return -EMSGSIZE; /* as with requests: only what comes in blocks already becomes smaller ones */
	t = transfers_of(d);
	if (!t || coap_parse(&request, x->tx.data, x->tx.len))
		return -EMSGSIZE;
	served_free(t);
	s = served_new(x, m, v, c);
	if (!s) {
		transfers_review(t);
		return -EMSGSIZE;
	}
	memcpy(ask.token, x->ask, x->ask_len);
	s->operation = coap_operation(&request);
	s->until_ms = lifetime_end(d);
	t->served = s;
	d->all->block_bytes += s->size;
	len = serve(s, &ask, type, mid, asked_block(x, s, &request), buf, room, &last);
	if (len < 0 || last)
		served_free(t);
	else
		count(d->all, C_BLOCK_HELD);
	transfers_review(t);
	return len;
}

/* ---- questions of the device ---- */

bool block_served(struct assoc *a, const struct coap_msg *m, const struct coap_view *v, const uint8_t *north,
		  size_t north_len)
{
	struct device *d = a->dev;
	struct transfers *t = d->blocks;
	enum coap_type type = m->type == COAP_CON ? COAP_ACK : COAP_NON;
	uint8_t buf[UNIT_MAX];
	struct coap_msg request;
	bool last;
	long len;

	if (!t || !t->served || t->served->assoc != a || !v->has_block2 || !coap_block_num(v->block2))
		return false;
	if (coap_parse(&request, north, north_len) || coap_operation(&request) != t->served->operation)
		return false;
	len = serve(t->served, m, type, type == COAP_ACK ? m->mid : coap_peer_mid(&d->south), v->block2, buf,
		    device_mtu(d), &last);
	if (len < 0)
		return false; /* behind what is kept: the server has it */
	device_send(d, d->rds, buf, (size_t)len);
	coap_peer_answered(&d->south, m->mid, m->token, m->token_len, buf, type == COAP_ACK ? (size_t)len : 0, true);
	t->served->until_ms = lifetime_end(d);
	if (last)
		served_free(t);
	transfers_review(t);
	return true;
}
