/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - what waits in a device, told to whoever asks
 *
 * Nothing of it is a list of its own: it is the open exchanges of a device, the notifications that its associations
 * keep, and the answers that its link has not given away. So that looking costs the loop little, one call looks at a
 * bounded number of devices, and a place to go on from is a device's place in the table with a number within it.
 */
#include <stdlib.h>

#include "session/internal.h"

#define DEVICES_MOST 50000 /* looked at in one call */
#define WITHIN_BITS 20     /* of a place: the number within the device */
#define WITHIN_MOST ((1u << WITHIN_BITS) - 1)

const char *const queue_kind_names[QUEUE_KIND_COUNT] = { "request", "notification", "answer" };
const char *const queue_state_names[QUEUE_STATE_COUNT] = { "queued", "sent", "buffered", "acked" };

struct entry { /* one of both */
	const struct exchange *x;
	const struct note *n;
	uint64_t since_ms;
	size_t at; /* where it stood before they were sorted */
};

struct entries {
	struct entry *v; /* owned */
	size_t n;
};

/* ---- gathering ---- */

static bool is_shown(const struct exchange *x)
{
	return !x->over || x->unit_id;
}

static size_t count_entries(const struct device *d)
{
	size_t n = (size_t)d->ups + d->downs + d->overs[UP];

	for (const struct assoc *a = d->assocs; a; a = a->next)
		n += a->notes_n;
	return n;
}

static void add_exchanges(struct entries *e, const struct exchange *x, size_t most)
{
	for (; x && e->n < most; x = x->next)
		if (is_shown(x))
			e->v[e->n++] = (struct entry){ .x = x, .since_ms = x->started_ms, .at = e->n };
}

/* The lists have the latest first. */
static int by_age(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->since_ms != y->since_ms)
		return x->since_ms < y->since_ms ? -1 : 1;
	return x->at > y->at ? -1 : 1;
}

static void add_note(struct entries *e, const struct note *n)
{
	uint64_t since_ms = n->until_ms - n->assoc->srv->conf->hold_s * 1000;

	e->v[e->n] = (struct entry){ .n = n, .since_ms = since_ms, .at = e->n };
	e->n++;
}

static void gather(struct entries *e, const struct device *d)
{
	size_t most = count_entries(d);

	*e = (struct entries){ .v = most ? calloc(most, sizeof *e->v) : NULL };
	if (!e->v)
		return;
	add_exchanges(e, d->down, most);
	add_exchanges(e, d->up, most);
	for (const struct assoc *a = d->assocs; a; a = a->next)
		for (const struct note *n = a->notes; n && e->n < most; n = n->next)
			add_note(e, n);
	qsort(e->v, e->n, sizeof *e->v, by_age);
}

/* ---- describing ---- */

static enum queue_state state_of(const struct coap_tx *tx, bool up, bool sent_before)
{
	switch ((enum coap_tx_state)tx->state) {
	case COAP_TX_QUEUED:
		return QUEUE_WAITS;
	case COAP_TX_FLIGHT:
		return QUEUE_SENT;
	case COAP_TX_PAUSED:
		return up || tx->on_contact || tx->put_off || !tx->first_ms || timer_is_set(&tx->timer)
			? QUEUE_WAITS
			: QUEUE_BUFFERED;
	case COAP_TX_SILENT:
		return up ? QUEUE_WAITS : QUEUE_SENT;
	case COAP_TX_IDLE:
		break;
	}
	if (sent_before)
		return QUEUE_SENT;
	return tx->first_ms ? QUEUE_ACKED : QUEUE_WAITS;
}

static const char *op_up(const struct exchange *x)
{
	static const char *const names[] = {
		[LWM2M_REGISTER] = "register",
		[LWM2M_UPDATE] = "update",
		[LWM2M_DEREGISTER] = "deregister",
		[LWM2M_BOOTSTRAP] = "bootstrap",
		[LWM2M_BOOTSTRAP_PACK] = "bootstrap-pack",
		[LWM2M_SEND] = "send",
	};

	return x->op < sizeof names / sizeof *names ? names[x->op] : NULL;
}

#define LINK_FORMAT 40

static bool wants_links(const struct coap_msg *m)
{
	struct coap_option accept;

	return coap_option_find(m, COAP_ACCEPT, &accept) && accept.len == 1 && accept.value[0] == LINK_FORMAT;
}

/* LwM2M Transport 6.4, as far as the message itself tells. */
static const char *op_down(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v)
{
	if (x->cancel)
		return "observe-cancel";
	if (x->observe)
		return "observe";
	switch (m->code) {
	case COAP_GET:
		return wants_links(m) ? "discover" : "read";
	case COAP_FETCH:
		return "read-composite";
	case COAP_POST:
		return gate_is_execute(m, v) ? "execute" : v->paths == 1 ? "create" : "write";
	case COAP_PUT:
		return "write";
	case COAP_IPATCH:
		return "write-composite";
	case COAP_DELETE:
		return "delete";
	default:
		return NULL;
	}
}

static void describe_message(struct queue_item *it, const struct exchange *x, char *path, size_t size)
{
	struct coap_view v;
	struct coap_msg m;

	if (!x->tx.data || coap_parse(&m, x->tx.data, x->tx.len))
		return;
	it->code = m.code;
	coap_view(&v, &m, true);
	if (v.oscore)
		return;
	it->op = x->dir == UP ? op_up(x) : op_down(x, &m, &v);
	it->path = v.paths ? coap_path_text(path, size, &m) : NULL;
}

static void describe_exchange(struct queue_item *it, const struct exchange *x, char *path, size_t size)
{
	it->up = x->dir == UP && !x->unit_id;
	it->kind = x->unit_id ? QUEUE_ANSWER : QUEUE_REQUEST;
	it->con = x->ask_con;
	it->server = x->assoc->srv->conf->head.name;
	it->bytes = x->held ? x->held : x->tx.len;
	it->left_ms = x->deadline_ms;
	it->state = x->unit_id ? QUEUE_SENT
			       : state_of(&x->tx, x->dir == UP, x->leaving && x->earlier && x->dir == DOWN);
	describe_message(it, x, path, size);
}

static void describe_note(struct queue_item *it, const struct note *n)
{
	it->up = true;
	it->kind = QUEUE_NOTIFICATION;
	it->con = n->tx.con;
	it->server = n->assoc->srv->conf->head.name;
	it->code = n->tx.data ? n->tx.data[1] : 0;
	it->op = "notify";
	it->bytes = n->tx.len;
	it->left_ms = n->until_ms;
	it->state = state_of(&n->tx, true, false);
}

static bool tell(const struct device *d, const struct entry *e, queue_each_fn *fn, void *arg)
{
	uint64_t now = clock_now_ms();
	struct queue_item it = { .device = device_name(d), .age_ms = now > e->since_ms ? now - e->since_ms : 0 };
	char path[256];

	if (e->x)
		describe_exchange(&it, e->x, path, sizeof path);
	else
		describe_note(&it, e->n);
	it.left_ms = it.left_ms > now ? it.left_ms - now : 0;
	return fn(arg, &it);
}

/* Where fn wanted no more, or what the device has in all. */
static size_t tell_device(const struct device *d, size_t from, queue_each_fn *fn, void *arg, bool *stopped)
{
	struct entries e;
	size_t i;

	gather(&e, d);
	for (i = from; i < e.n && !*stopped;) {
		*stopped = !tell(d, &e.v[i], fn, arg);
		i += !*stopped;
	}
	free(e.v);
	return i;
}

/* ---- all devices ---- */

static uint64_t place_of(uint64_t place, size_t within)
{
	return place << WITHIN_BITS | (within < WITHIN_MOST ? within : WITHIN_MOST);
}

uint64_t sessions_queue(const struct sessions *s, const struct device *d, uint64_t from, queue_each_fn *fn, void *arg)
{
	size_t at = (size_t)(from >> WITHIN_BITS), within = from & WITHIN_MOST;
	bool stopped = false;

	if (d) {
		within = tell_device(d, within, fn, arg, &stopped);
		return stopped ? place_of(d->place, within) : 0;
	}
	for (unsigned seen = 0; (d = table_next(s, &at)); within = 0) {
		if (seen++ == DEVICES_MOST)
			return place_of(d->place, 0);
		if (d->place != from >> WITHIN_BITS)
			within = 0;
		within = tell_device(d, within, fn, arg, &stopped);
		if (stopped)
			return place_of(d->place, within);
	}
	return 0;
}
