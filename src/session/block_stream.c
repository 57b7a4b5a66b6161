/* SPDX-License-Identifier: Apache-2.0 */
/* block_stream.c - block-wise transfer with servers on a stream
 *
 * What a CSM allows there no datagram hop can have: a block of any number of kilobytes (BERT, RFC 8323 6), which is cut
 * or kept like any other that is too large for a device. And a server may know no blocks at all (RFC 8323 5.3.2): it
 * gets whole messages without the options, or nothing. A connection that is not there yet is believed to know them.
 */
#include "session/block.h"

#define BERT_BLOCK 1024

/* ---- SZX 7 ---- */

static bool is_bert(bool has, uint32_t block)
{
	return has && coap_block_szx(block) == COAP_SZX_BERT;
}

uint8_t block_check_bert(const struct coap_msg *m, const struct coap_view *v)
{
	if (!is_bert(v->has_block1, v->block1))
		return 0;
	if (coap_block_check(v->block1, m->payload_len, true))
		return COAP_BAD_REQUEST;
	return m->payload_len > BERT_BLOCK ? COAP_TOO_LARGE : 0;
}

bool block_is_many(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v)
{
	if (v->has_block2)
		return is_bert(true, v->block2) && m->payload_len > BERT_BLOCK;
	return x->asked_szx && m->payload_len > coap_block_size(x->asked_szx - 1u);
}

/* Both count in blocks of 1024. */
static uint32_t as_szx_6(uint32_t block)
{
	return coap_block_make(coap_block_num(block), coap_block_more(block), COAP_SZX_MAX);
}

void block_from_bert(const struct coap_view *v, struct coap_crossing *c)
{
	if (is_bert(v->has_block1, v->block1)) {
		c->set_block1 = true;
		c->block1 = as_szx_6(v->block1);
	}
	if (is_bert(v->has_block2, v->block2)) {
		c->set_block2 = true;
		c->block2 = as_szx_6(v->block2);
	}
}

/* ---- servers without blocks ---- */

static bool knows_blocks(const struct assoc *a)
{
	return !a->srv->stream || !north_assoc_is_up(a->north) || north_assoc_blockwise(a->north);
}

void block_leave_out(const struct assoc *a, struct coap_crossing *c)
{
	c->drop_block1 = c->drop_block2 = !knows_blocks(a);
}

void block_asked(struct exchange *x, const struct coap_view *v)
{
	unsigned szx = coap_block_szx(v->block2);

	if (v->has_block2 && szx <= COAP_SZX_MAX && !knows_blocks(x->assoc))
		x->asked_szx = (uint8_t)(szx + 1);
}

uint8_t block_not_for(const struct assoc *a, const struct coap_view *v, bool request)
{
	if (knows_blocks(a))
		return 0;
	if (request && block_is_series(v))
		return COAP_TOO_LARGE;
	if (v->has_block2 && (coap_block_num(v->block2) || (!request && coap_block_more(v->block2))))
		return COAP_BAD_GATEWAY;
	return 0;
}

bool block_is_unknown(const struct assoc *a, const struct coap_tx *tx)
{
	struct coap_view v;
	struct coap_msg m;

	if (knows_blocks(a) || coap_parse(&m, tx->data, tx->len))
		return false;
	coap_view(&v, &m, coap_is_request(m.code));
	return v.has_block1 || v.has_block2;
}
