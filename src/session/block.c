/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - what block-wise transfer may do to a message (RFC 7959), and what is told where it may not
 *
 * Sizes are a matter of each hop: what a question asks for is lowered to what the device can be given or can give, and
 * a request that is too large is taken when it may go down as blocks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session/block.h"

#define SIZE1_OPTION_MAX 6
#define TAG_OPTION_MAX 4 /* a Request-Tag of one octet */

bool block_may_change(const struct device *d, bool oscore)
{
	int mode = d->profile->conf->block;

	return (mode == BLOCK_CLAMP || mode == BLOCK_ASSEMBLE) && (!oscore || d->profile->conf->oscore_reblock);
}

unsigned block_szx_of(uint64_t size)
{
	unsigned szx = COAP_SZX_MAX;

	while (szx && coap_block_size(szx) > size)
		szx--;
	return szx;
}

bool block_is_series(const struct coap_view *v)
{
	return v->has_block1 && (coap_block_more(v->block1) || coap_block_num(v->block1));
}

uint8_t block_check(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	bool bert = a->srv->stream; /* only there a block may have SZX 7 (RFC 8323 6) */

	if (!block_may_change(a->dev, v->oscore))
		return bert ? block_check_bert(m, v) : 0;
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
	unsigned szx = fit < 0 ? 0 : (unsigned)fit, most = block_szx_of(a->srv->conf->block_size);

	if (c->to_server) {
		block_leave_out(a, c);
	} else if (!block_may_change(a->dev, v->oscore)) {
		block_from_bert(v, c);
		return;
	}
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

/* ---- what can be cut by nobody ---- */

void block_too_big(struct device *d, size_t needed)
{
	char text[128];

	d->too_big = needed < UINT16_MAX ? (uint16_t)needed : UINT16_MAX;
	snprintf(text, sizeof text, "a message that is protected end to end needs %zu octets, the link takes %u",
		 needed, device_mtu(d));
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
