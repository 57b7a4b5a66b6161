/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - requests of servers as they come: which are refused at once, what the others are to the gate
 *
 * Whoever can only fail is told at once and why: an Execute that must not wait for a sleeper, a queue beyond its
 * octets, a transfer that the budget can never carry while its server waits.
 */
#include <string.h>

#include "session/internal.h"

#define QUEUE_BYTES_MAX 65536u /* of the requests that wait in one device */
#define QUEUE_BYTES_ALL_MAX (64u << 20)
#define BUSY_MAX_AGE_S 60

/* POST to a resource, without content or with arguments in plain text (LwM2M Transport, Execute). */
bool gate_is_execute(const struct coap_msg *m, const struct coap_view *v)
{
	return m->code == COAP_POST && !v->oscore && v->paths == 3 &&
		(!m->payload_len || !v->has_content_format || v->content_format == 0);
}

bool gate_may_queue(const struct exchange *x)
{
	struct coap_view v;
	struct coap_msg m;

	if (x->dev->profile->conf->queue_execute || coap_parse(&m, x->tx.data, x->tx.len))
		return true;
	coap_view(&v, &m, true);
	return !gate_is_execute(&m, &v);
}

static bool is_block(const struct coap_view *v)
{
	return (v->has_block1 && (coap_block_more(v->block1) || coap_block_num(v->block1))) ||
		(v->has_block2 && coap_block_num(v->block2));
}

enum coap_tx_class gate_class(const struct coap_view *v)
{
	return is_block(v) && !v->oscore ? COAP_TX_BULK : COAP_TX_REQUEST;
}

static bool say_no(struct assoc *a, const struct coap_msg *m, uint8_t code, enum coap_option_number option,
		   uint32_t value, const char *text)
{
	uint8_t buf[8];
	struct coap_builder b = { writer_of(buf, sizeof buf), 0 };

	log_ev(LOG_INFO, ROOM, "downlink.refused", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_CODE("code", code), LF_STR("reason", text));
	coap_build_uint(&b, option, value);
	refuse(a->dev, a, DOWN, m, code, buf, writer_len(&b.w), text);
	return true;
}

static bool is_queue_full(const struct device *d, const struct coap_msg *m)
{
	size_t len = m->options_len + m->payload_len, mine = len;

	for (const struct exchange *x = d->down; x; x = x->next)
		mine += x->queued;
	return mine > QUEUE_BYTES_MAX || d->all->queue_bytes + len > QUEUE_BYTES_ALL_MAX;
}

/* What goes before a request that comes now. */
static uint32_t units_ahead(const struct device *d)
{
	uint32_t n = d->gate.wait ? d->gate.wait->units_n : 0;

	for (const struct exchange *x = d->down; x; x = x->next)
		n += !x->over && !x->tx.first_ms;
	return n;
}

/* A block of a transfer that would still wait when its server has given up. */
static bool is_hopeless(struct assoc *a, const struct coap_view *v, uint64_t *at_ms)
{
	if (!a->dev->gate.budget || !is_block(v))
		return false;
	*at_ms = budget_room_at(a->dev, units_ahead(a->dev) + 1);
	return *at_ms > clock_now_ms() + a->srv->conf->patience_s * 1000;
}

bool gate_refuses(struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	struct device *d = a->dev;
	uint64_t at_ms;
	size_t fits;

	if (d->profile->conf->queue != QUEUE_OFF && !d->profile->conf->queue_execute && gate_is_execute(m, v) &&
	    !reach_is_awake(d))
		return say_no(a, m, COAP_UNAVAILABLE, COAP_MAX_AGE, reach_next_contact_s(d, a), "asleep");
	if (is_queue_full(d, m))
		return say_no(a, m, COAP_TOO_MANY, COAP_MAX_AGE, BUSY_MAX_AGE_S, "queue full");
	fits = budget_too_small(d, a, m, v);
	if (fits)
		return say_no(a, m, COAP_TOO_LARGE, COAP_SIZE1, (uint32_t)fits,
			      "more units than the budget of the device has");
	if (is_hopeless(a, v, &at_ms))
		return say_no(a, m, COAP_UNAVAILABLE, COAP_MAX_AGE, (uint32_t)((at_ms - clock_now_ms() + 999) / 1000),
			      "the budget of the device is used up");
	return false;
}

bool gate_renew(struct device *d, struct coap_tx *tx)
{
	struct exchange *x = container_of(tx, struct exchange, tx);
	uint16_t old;

	if (tx->kind != TX_REQUEST || x->oscore || x->in_doubt || !gate_may_queue(x))
		return false;
	x->in_doubt = true;
	old = tx->mid;
	tx->mid = coap_peer_mid(&d->south);
	log_ev(LOG_INFO, ROOM, "in_doubt", LF_STR("dev", device_name(d)), LF_STR("server", x->assoc->srv->conf->head.name),
	       LF_STR("dir", "down"), LF_UINT("old_mid", old), LF_UINT("south_mid", tx->mid));
	tx->data[2] = (uint8_t)(tx->mid >> 8);
	tx->data[3] = (uint8_t)tx->mid;
	tx->first_ms = clock_now_ms();
	count(d->all, C_IN_DOUBT);
	return true;
}

int64_t gate_latency_s(const struct device *d, const struct coap_tx *tx)
{
	uint64_t now = clock_now_ms();
	const struct exchange *x;

	if (d->profile->conf->queue != QUEUE_SCEF)
		return 0;
	if (!tx)
		return (int64_t)(coap_transmit_wait_ms(&d->profile->params) / 1000);
	if (tx->kind == TX_ANSWER)
		return (int64_t)(coap_exchange_lifetime_ms(&d->profile->params) / 1000);
	x = container_of(tx, const struct exchange, tx);
	return x->deadline_ms > now ? (int64_t)((x->deadline_ms - now + 999) / 1000) : 0;
}
