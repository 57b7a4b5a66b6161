/* SPDX-License-Identifier: Apache-2.0 */
/* legs.c - the north leg when its association is made, ends, or is refused
 *
 * An association over UDP is an address and ends only with its device or server. The others end while they are in use,
 * and what was sent on them is then either sent once more or given up, by what internal.h says.
 */
#include "session/internal.h"

/* Behind what is kept for a server that is refused there is no way either: its device is told at once. */
void exchange_leave_north(struct exchange *x)
{
	struct assoc *a = x->assoc;

	if (!x->tx.con)
		assoc_wait_for_server(a);
	coap_tx_submit(&a->peer, &x->tx, clock_now_ms());
	if (a->denied && x->tx.state == COAP_TX_QUEUED)
		exchange_fail_soon(x, COAP_BAD_GATEWAY);
}

static void on_up(struct assoc *a)
{
	a->denied = false;
	notes_expire(a);
	if (north_server_is_up(a->srv->north)) {
		assoc_clear_silent(a);
		coap_peer_resume(&a->peer, clock_now_ms());
	} else { /* an address, and nothing heard from there yet: what can be confirmed tries */
		coap_peer_contact(&a->peer, clock_now_ms());
	}
}

/* ---- requests of devices ---- */

static void send_again(struct assoc *a, struct exchange *x)
{
	log_ev(LOG_INFO, ROOM, "in_doubt", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_STR("dir", "up"), LF_UINT("north_mid", x->tx.mid));
	count(a->dev->all, C_IN_DOUBT);
	x->in_doubt = true;
	keep_renewed(&x->tx);
	x->tx.first_ms = 0; /* on this way it has not left yet */
	if (x->tx.peer)
		coap_tx_pause(&x->tx, 0, true);
	else
		coap_tx_submit(&a->peer, &x->tx, clock_now_ms());
}

/* Of this association, without an answer, the oldest first: the list has the latest in front. */
static size_t open_requests(const struct assoc *a, struct exchange *list[EXCHANGES_MAX])
{
	size_t n = 0, i = 0;

	for (struct exchange *x = a->dev->up; x && n < EXCHANGES_MAX; x = x->next)
		if (x->assoc == a && !x->over && !x->reply)
			list[n++] = x;
	for (size_t j = n; i + 1 < j; i++) {
		struct exchange *x = list[i];

		list[i] = list[--j];
		list[j] = x;
	}
	return n;
}

static void requests_in_doubt(struct assoc *a)
{
	struct exchange *list[EXCHANGES_MAX];
	size_t n = open_requests(a, list);

	for (size_t i = 0; i < n; i++) {
		struct exchange *x = list[i];

		if (!x->tx.first_ms)
			continue;
		if (x->oscore || x->in_doubt || !x->tx.con)
			exchange_fail(x, COAP_GATEWAY_TIMEOUT, 0, "association lost");
		else
			send_again(a, x);
	}
}

/* ---- what belongs to the server ---- */

/* An answer that it has not confirmed goes again as it is; on a stream there is none. */
static void answers_wait(struct assoc *a)
{
	for (struct coap_tx *tx = a->peer.head; tx; tx = tx->next)
		if (tx->kind == TX_ANSWER)
			coap_tx_pause(tx, 0, true);
}

bool exchange_asker_lost(struct exchange *x)
{
	x->deaf = true;
	if (!x->observe || x->over || x->tx.first_ms || x->leaving)
		return false;
	tell_down(x, DOWN_FAILED, "association_lost");
	exchange_free(x); /* an observation of nobody */
	return true;
}

static void server_lost(struct assoc *a)
{
	struct exchange *next;

	relations_drop(a);
	for (struct exchange *x = a->dev->down; x; x = next) {
		next = x->next;
		if (x->assoc == a)
			(void)exchange_asker_lost(x);
	}
	block_give_up(a);
}

static void on_down(struct assoc *a)
{
	if (!a->srv->ends)
		return;
	log_ev(LOG_INFO, ROOM, "assoc.down", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name));
	if (a->srv->stream)
		server_lost(a);
	notes_in_doubt(a);
	answers_wait(a);
	requests_in_doubt(a);
	coap_peer_contact(&a->peer, clock_now_ms()); /* what waits asks for the next one */
	if (a->srv->stream && a->reg)                /* its server may have something to say, too */
		assoc_send_empty(a, COAP_CON, 0);
}

/* ---- refused ---- */

static void on_denied(struct assoc *a)
{
	struct exchange *list[EXCHANGES_MAX];
	size_t n = open_requests(a, list);

	a->denied = true;
	for (size_t i = 0; i < n; i++)
		exchange_fail(list[i], assoc_denied_code(a), 0, "the server is not trusted");
	coap_peer_contact(&a->peer, clock_now_ms()); /* what is held learns when to try again */
}

void session_north_event(void *arg, enum north_event ev)
{
	struct assoc *a = arg;

	if (ev == NORTH_UP)
		on_up(a);
	else if (ev == NORTH_DOWN)
		on_down(a);
	else if (ev == NORTH_DENIED)
		on_denied(a);
}
