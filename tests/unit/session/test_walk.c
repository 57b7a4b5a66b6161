/* SPDX-License-Identifier: Apache-2.0 */
/* test_walk.c - sessions under a long random walk: after every step the tables agree with each other, at the end
 * nothing is left
 *
 * Scenarios show what should happen; this shows what must never: a counter that runs away, a token that leads to what
 * is freed, an entry that nobody will ever take out. The peers answer with ids and tokens that they have seen, so that
 * every state is reached.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "session/block.h"

#define DEVICES 3
#define SERVERS 2
#define KEPT 16
#define BUDGET_KEPT 16 /* above every units_per_window here */

/* ---- the two ends ---- */

struct ids { /* of what was sent lately */
	uint16_t mid[KEPT];
	uint8_t token[KEPT][COAP_TOKEN_MAX], token_len[KEPT];
	uint32_t block1[KEPT]; /* 0: none */
	unsigned at, n;
};
struct link_dev {
	struct link_dev_base base;
	uint32_t id[KEPT];
	unsigned at;
};
#define UNACKED_MAX 32
struct north_server {
	struct server_conf conf;
	bool down, silent, denied, stream;
};
struct north_assoc {
	struct north_assoc *next;
	struct north_server *srv;
	void *arg;
	bool lost;
	uint16_t next_mid;                                  /* on a stream */
	uint16_t written[UNACKED_MAX], unsure[UNACKED_MAX]; /* to be acknowledged after the step; by a Pong */
	unsigned written_n, unsure_n;
};

static struct world {
	struct timers timers;
	struct metrics *metrics;
	struct alarms *alarms;
	struct sessions *s;
	struct link link;
	struct link_conf link_conf;
	uint64_t cells[LINK_RES_COUNT], down_cells[LINK_DOWN_RES_COUNT], bytes, units, verdicts;
	struct link_dev *devs[DEVICES * 2];
	struct north_server servers[SERVERS];
	struct north_assoc *assocs;
	struct ids down, north;
	uint64_t budget_at[DEVICES][BUDGET_KEPT]; /* when the latest units of a device left, as a ring */
	unsigned budget_n[DEVICES];
	struct profile_conf profile;
	struct device_conf devices[DEVICES];
	uint64_t now_ms;
} w;

static void remember(struct ids *ids, const uint8_t *data, size_t len)
{
	struct coap_view v;
	struct coap_msg m;

	assert_int_equal(coap_parse(&m, data, len), 0); /* whatever leaves is sound */
	coap_view(&v, &m, coap_is_request(m.code));
	ids->block1[ids->at] = v.has_block1 ? v.block1 : 0;
	ids->mid[ids->at] = m.mid;
	ids->token_len[ids->at] = m.token_len;
	memcpy(ids->token[ids->at], m.token, m.token_len);
	ids->at = (ids->at + 1) % KEPT;
	ids->n = ids->n < KEPT ? ids->n + 1 : KEPT;
}

static int op_attach(struct link *l, struct link_dev **out, const struct link_identity *id, struct device *dev,
		     uint32_t mtu)
{
	struct link_dev *d = calloc(1, sizeof *d);
	unsigned i = 0;

	(void)id;
	(void)mtu;
	assert_non_null(d);
	d->base = (struct link_dev_base){ l, dev };
	while (w.devs[i])
		i++;
	w.devs[i] = d;
	*out = d;
	return 0;
}

static unsigned number_of(const struct device *d)
{
	return (unsigned)(device_name(d)[0] - 'a');
}

static void op_detach(struct link_dev *d, bool gone)
{
	unsigned i = 0;

	if (gone)
		w.budget_n[number_of(d->base.dev)] = 0;
	while (w.devs[i] != d)
		i++;
	w.devs[i] = NULL;
	free(d);
}

/* However the walk goes, no span holds more units than the profile has in it. */
static void check_budget(const struct device *d)
{
	unsigned i = number_of(d), n = w.budget_n[i]++, limit = (unsigned)w.profile.units_per_window;

	if (limit && n >= limit)
		assert_true(w.now_ms - w.budget_at[i][(n - limit) % BUDGET_KEPT] > w.profile.window_s * 1000);
	w.budget_at[i][n % BUDGET_KEPT] = w.now_ms;
}

static int op_send(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len)
{
	static const int errs[] = { -EAGAIN, -ENOTCONN, -EMSGSIZE, -EINVAL };

	assert_in_range(len, 4, 1358);
	if (random_below(16) == 0)
		return errs[random_below(4)];
	check_budget(d->base.dev);
	remember(&w.down, data, len);
	if (how->id) {
		d->id[d->at] = how->id;
		d->at = (d->at + 1) % KEPT;
	}
	return 0;
}

static void op_cancel(struct link_dev *d, uint32_t id)
{
	(void)d;
	assert_int_not_equal(id, 0);
}

static const struct link_ops ops = {
	.name = "walk", .attach = op_attach, .detach = op_detach, .send = op_send, .cancel = op_cancel
};

/* The north side, in place of the real room. */

const struct server_conf *north_server_conf(const struct north_server *s)
{
	return &s->conf;
}

void north_server_silent(struct north_server *s)
{
	s->silent = true;
}

void north_server_heard(struct north_server *s)
{
	if (!s->silent)
		return;
	s->silent = false;
	session_north_events.back(w.s, s);
}

bool north_server_is_up(const struct north_server *s)
{
	return !s->down && !s->silent;
}

int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg)
{
	struct north_assoc *a = calloc(1, sizeof *a);

	(void)who;
	(void)port;
	assert_non_null(a);
	a->srv = srv;
	a->arg = arg;
	a->next = w.assocs;
	w.assocs = a;
	*out = a;
	return 0;
}

bool north_server_is_stream(const struct north_server *s)
{
	return s->stream;
}

bool north_server_is_forbidden(const struct north_server *s)
{
	(void)s;
	return false;
}

size_t north_assoc_message_max(const struct north_assoc *a)
{
	return a->srv->stream ? 1152 : 65507;
}

bool north_assoc_blockwise(const struct north_assoc *a)
{
	return !a->srv->stream || a->arg != w.assocs; /* one of them has none */
}

int north_relay_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port,
		     const struct north_events *events, void *arg)
{
	(void)out;
	(void)srv;
	(void)who;
	(void)port;
	(void)events;
	(void)arg;
	return -EADDRNOTAVAIL;
}

void north_assoc_unanswered(struct north_assoc *a)
{
	if (strncmp(a->srv->conf.uri, "coaps:", 6) == 0 && random_below(4) == 0)
		a->lost = true; /* told with the next step */
}

/* Room for one more, or it is no stream's. */
static bool has_room(const struct north_assoc *a)
{
	return !a->srv->stream || (a->written_n < UNACKED_MAX && a->unsure_n < UNACKED_MAX);
}

static void owe(struct north_assoc *a, const uint8_t *data)
{
	uint16_t mid = (uint16_t)(data[2] << 8 | data[3]);

	if (!a->srv->stream || (data[0] >> 4 & 3) != COAP_CON || !data[1])
		return;
	if (coap_is_request(data[1]))
		a->written[a->written_n++] = mid;
	else
		a->unsure[a->unsure_n++] = mid;
}

int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	if (a->srv->denied)
		return -EACCES;
	if (a->srv->down || a->lost)
		return -ENOTCONN;
	if (random_below(32) == 0)
		return random_below(2) ? -EAGAIN : -EMSGSIZE;
	if (!has_room(a))
		return -EAGAIN;
	owe(a, data);
	remember(&w.north, data, len);
	return 0;
}

bool north_assoc_is_up(const struct north_assoc *a)
{
	return !a->srv->down && !a->srv->denied && !a->lost;
}

uint16_t north_assoc_port(const struct north_assoc *a)
{
	(void)a;
	return 1;
}

struct north_server *north_assoc_server(const struct north_assoc *a)
{
	return a->srv;
}

void north_assoc_close(struct north_assoc *a)
{
	struct north_assoc **at = &w.assocs;

	if (!a)
		return;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a);
}

/* ---- what must hold ---- */

static size_t list_length(const struct exchange *x, unsigned *over)
{
	size_t n = 0;

	for (*over = 0; x; x = x->next, n++)
		*over += x->over;
	return n;
}

static bool gate_is_due(const struct device *d)
{
	return d->gate.wait && timer_is_set(&d->gate.wait->timer) && d->gate.wait->timer.at_ms <= w.now_ms;
}

/* dev: whose gate stands before the queue; NULL: none does. */
static void check_peer(const struct coap_peer *p, const struct device *dev)
{
	struct device *d = (struct device *)(uintptr_t)dev;
	unsigned queued = 0, active = 0, stuck = 0;
	struct coap_tx *first = NULL;
	bool waiting = false;

	for (struct coap_tx *tx = p->head; tx; tx = tx->next, queued++) {
		bool holds = tx->klass != COAP_TX_ANSWER && tx->state != COAP_TX_QUEUED;

		assert_ptr_equal(tx->peer, p);
		assert_false(waiting && tx->state != COAP_TX_QUEUED); /* nobody overtakes */
		waiting = tx->state == COAP_TX_QUEUED;
		first = waiting && !first ? tx : first;
		active += holds;
		stuck += holds && (tx->state == COAP_TX_PAUSED || tx->state == COAP_TX_SILENT);
		assert_true(tx->state != COAP_TX_FLIGHT || timer_is_set(&tx->timer));
	}
	assert_int_equal(coap_peer_queued(p), queued);
	assert_int_equal(p->active, active);
	assert_int_equal(p->stuck, stuck);
	if (waiting) /* whatever waits waits for something */
		assert_true(p->active || p->away || (d && (!d->at || gate_is_due(d) || !gate_lets(d, first, true))));
}

static void check_assoc(const struct assoc *a)
{
	unsigned relations = 0, notes = 0;

	for (const struct relation *r = a->relations; r; r = r->next, relations++) {
		assert_ptr_equal(relation_find_south(w.s, a->dev, r->ts, r->ts_len), r);
		assert_non_null(relation_find_north(w.s, a, r->tn, r->tn_len));
	}
	for (const struct coap_tx *tx = a->peer.head; tx; tx = tx->next)
		notes += tx->kind == TX_NOTE;
	assert_int_equal(a->relations_n, relations);
	assert_int_equal(a->notes_n, notes);
	assert_int_equal(a->peer.away, a->is_silent);
	assert_in_range(a->notes_n, 0, a->srv->conf->hold_max + 1);
	check_peer(&a->peer, NULL);
}

static size_t check_queued(const struct device *d)
{
	size_t sum = 0;

	for (const struct exchange *x = d->down; x; x = x->next) {
		sum += x->queued;
		assert_true(!x->over || !x->queued);
	}
	return sum;
}

/* Of what goes in blocks: who has the turn is open, who waits will be looked at, all octets are counted. */
static size_t check_blocks(const struct device *d)
{
	const struct transfers *t = d->blocks;
	size_t held = t ? served_bytes(t) : 0;
	bool has_turn = false;

	for (const struct exchange *x = d->down; x; x = x->next) {
		held += x->held;
		assert_true(!x->over || (!x->cut && !x->held));
		has_turn |= t && t->now == x;
		if (x->cut && x->cut->waits)
			assert_true(t && (t->now || timer_is_set(&t->timer)));
	}
	assert_true(!t || !t->now || has_turn);
	assert_true(held <= BLOCK_DEVICE_MAX);
	return held;
}

static void check_all(void)
{
	size_t blocks = 0, queued = 0, ups = 0, downs = 0, relations = 0, open_up = 0, open_down = 0, at = 0;
	const struct device *d;

	while ((d = table_next(w.s, &at))) {
		unsigned over_up, over_down;
		size_t up = list_length(d->up, &over_up), down = list_length(d->down, &over_down);

		assert_int_equal(d->ups, up - over_up);
		assert_int_equal(d->downs, down - over_down);
		assert_int_equal(d->overs[UP], over_up);
		assert_int_equal(d->overs[DOWN], over_down);
		assert_in_range(up, 0, EXCHANGES_MAX + OVER_MAX + 1);
		check_peer(&d->south, d);
		queued += check_queued(d);
		blocks += check_blocks(d);
		for (const struct assoc *a = d->assocs; a; a = a->next) {
			check_assoc(a);
			relations += a->relations_n;
		}
		ups += up;
		downs += down;
		open_up += d->ups;
		open_down += d->downs;
	}
	assert_int_equal(w.s->queue_bytes, queued);
	assert_int_equal(w.s->block_bytes, blocks);
	assert_int_equal(w.s->ups.count, ups);
	assert_int_equal(w.s->downs.count, downs);
	assert_int_equal(w.s->rel_south.count, relations);
	assert_int_equal(w.s->rel_north.count, relations);
	assert_int_equal(w.s->open_up, open_up);
	assert_int_equal(w.s->open_down, open_down);
	assert_int_equal(w.units, w.verdicts);
}

/* ---- steps ---- */

static void turn_to(uint64_t now_ms)
{
	w.now_ms = now_ms;
	clock_fake(now_ms, 1767225600000u + now_ms);
}

static void wait_ms(uint64_t ms)
{
	uint64_t until = w.now_ms + ms;

	while (timers_next(&w.timers) <= until) {
		if (timers_next(&w.timers) > w.now_ms)
			turn_to(timers_next(&w.timers));
		timers_run(&w.timers, w.now_ms, 1);
		check_all();
	}
	turn_to(until);
}

static void put_request(struct coap_builder *b, uint8_t code, uint32_t block1)
{
	if (random_below(3) == 0)
		coap_build_uint(b, COAP_OBSERVE, random_below(2));
	if (random_below(12) == 0)
		coap_build_option(b, COAP_OSCORE, "\x09", 1);
	if (code == COAP_POST && random_below(3) == 0) {
		coap_build_option(b, COAP_URI_PATH, "rd", 2);
		if (random_below(2))
			coap_build_option(b, COAP_URI_QUERY, random_below(2) ? "ep=a" : "ep=b", 4);
	} else {
		coap_build_option(b, COAP_URI_PATH, "3", 1);
		coap_build_option(b, COAP_URI_PATH, "0", 1);
		coap_build_option(b, COAP_URI_PATH, "4", 1);
	}
	if (block1)
		coap_build_uint(b, COAP_BLOCK1, block1);
	if (random_below(6) == 0)
		coap_build_uint(b, COAP_NO_RESPONSE, random_below(27));
	if (random_below(20) == 0)
		coap_build_uint(b, 65002, 1);
}

/* What a peer that follows a transfer says of the block that it got, or another one. */
static void put_block1(struct coap_builder *b, uint32_t block1)
{
	if (!block1 || random_below(8) == 0)
		return;
	if (random_below(6) == 0)
		block1 = random_below(64);
	coap_build_uint(b, COAP_BLOCK1, block1);
}

static void put_response(struct coap_builder *b, uint32_t block1)
{
	if (random_below(2))
		coap_build_uint(b, COAP_OBSERVE, random_below(1000));
	if (random_below(4) == 0)
		coap_build_option(b, COAP_LOCATION_PATH, "rd", 2);
	if (random_below(8) == 0)
		coap_build_uint(b, COAP_BLOCK2, random_below(64));
	put_block1(b, block1);
	if (random_below(20) == 0)
		coap_build_uint(b, 65003, 1);
}

/* Mostly short; now and then more than a unit holds. */
static void put_payload(struct coap_builder *b, size_t len)
{
	static const uint8_t body[3000] = "payload";

	coap_build_payload(b, body, len);
}

static size_t any_length(void)
{
	return random_below(8) ? random_below(8) : random_below(3000);
}

/* 2.31 is what a block that has others behind it is answered with. */
static uint8_t response_to(uint32_t block1, uint8_t any)
{
	return coap_block_more(block1) && random_below(4) ? COAP_CONTINUE : any;
}

/* A message that a peer might send to who has got what ids say. */
static size_t make_message(uint8_t *buf, size_t size, const struct ids *ids)
{
	static const uint8_t requests[] = { COAP_GET, COAP_POST, COAP_PUT, COAP_DELETE, COAP_FETCH, 9 };
	static const uint8_t responses[] = { COAP_CREATED,   COAP_CHANGED,  COAP_CONTENT,          COAP_DELETED,
					     COAP_NOT_FOUND, COAP_CONTINUE, COAP_HOP_LIMIT_REACHED };
	unsigned i = ids->n ? random_below(ids->n) : 0;
	uint8_t token[2] = { (uint8_t)random_below(8), 1 };
	struct coap_builder b;

	switch (random_below(8)) {
	case 0: /* empty */
		coap_build(&b, buf, size, random_below(2) ? COAP_ACK : COAP_RST, 0, ids->mid[i], NULL, 0);
		break;
	case 1: /* piggybacked */
	case 2:
		coap_build(&b, buf, size, COAP_ACK,
			   response_to(ids->block1[i], responses[random_below(sizeof responses)]), ids->mid[i],
			   ids->token[i], ids->token_len[i]);
		put_response(&b, ids->block1[i]);
		put_payload(&b, random_below(2) ? any_length() : 0);
		break;
	case 3: /* separate, or a notification */
	case 4:
		coap_build(&b, buf, size, random_below(2) ? COAP_CON : COAP_NON,
			   response_to(ids->block1[i], responses[random_below(sizeof responses)]),
			   (uint16_t)random_below(200), ids->token[i], ids->token_len[i]);
		put_response(&b, ids->block1[i]);
		put_payload(&b, random_below(2) ? any_length() : 0);
		break;
	default: {
		uint8_t code = requests[random_below(sizeof requests)];
		uint32_t block1 = random_below(4) ? 0 : random_below(64);

		coap_build(&b, buf, size, random_below(4) ? COAP_CON : COAP_NON, code, (uint16_t)random_below(100),
			   token, random_below(3));
		put_request(&b, code, block1);
		put_payload(&b,
			    block1 && coap_block_more(block1) ? coap_block_size(coap_block_szx(block1)) : any_length());
		break;
	}
	}
	return (size_t)coap_build_end(&b);
}

static size_t any_message(uint8_t *buf, size_t size, const struct ids *ids)
{
	size_t len = make_message(buf, size, ids);

	if (random_below(40) == 0)
		buf[random_below((uint32_t)len)] ^= (uint8_t)(1 + random_below(255));
	return len;
}

static void on_verdict(struct link_up *up, enum link_verdict v)
{
	(void)up;
	(void)v;
	w.verdicts++;
}

static struct link_dev *any_dev(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct link_dev *d = w.devs[random_below(DEVICES)];

		if (d)
			return d;
	}
	return NULL;
}

static void step_up(void)
{
	struct link_dev *d = any_dev();
	struct link_up up = { .verdict = on_verdict, .arrival_ms = w.now_ms, .port_ue = -1, .port_scef = -1 };
	uint8_t buf[4000];
	size_t len = any_message(buf, sizeof buf, &w.down);

	if (!d)
		return;
	w.units++;
	if (len > UNIT_MAX) /* no link gives more */
		len = UNIT_MAX;
	session_link_events.uplink(w.s, &up, d->base.dev, buf, random_below(50) ? len : 0);
}

static void acknowledge(struct north_assoc *a, uint16_t *mids, unsigned *n)
{
	uint16_t all[UNACKED_MAX];
	unsigned count = *n;

	memcpy(all, mids, sizeof all);
	*n = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct coap_empty ack = coap_empty(COAP_ACK, all[i]);

		session_north_events.recv(a->arg, ack.octets, sizeof ack);
	}
}

/* What the transports tell from the loop. */
static void give_acks(bool pongs)
{
	for (struct north_assoc *a = w.assocs; a; a = a->next) {
		acknowledge(a, a->written, &a->written_n);
		if (pongs)
			acknowledge(a, a->unsure, &a->unsure_n);
	}
}

/* A message that a stream can bring: of no type, with an id of ours. */
static size_t as_on_stream(struct north_assoc *a, uint8_t *buf, size_t len)
{
	buf[0] = (uint8_t)((buf[0] & 0xcf) | COAP_NON << 4);
	a->next_mid++;
	buf[2] = (uint8_t)(a->next_mid >> 8);
	buf[3] = (uint8_t)a->next_mid;
	return buf[1] ? len : 0;
}

static void step_north(void)
{
	struct north_assoc *a = w.assocs;
	uint8_t buf[4000];
	size_t len = any_message(buf, sizeof buf, &w.north);

	for (unsigned n = random_below(6); a && n && a->next; n--)
		a = a->next;
	if (!a || !north_assoc_is_up(a))
		return;
	if (a->srv->stream)
		len = as_on_stream(a, buf, len);
	if (!len)
		return;
	north_server_heard(a->srv);
	session_north_events.recv(a->arg, buf, len);
}

static void step_event(void)
{
	struct link_dev *d = any_dev();
	struct link_down_event ev = { .state = (enum link_down_state)random_below(LINK_DOWN_FAILED + 1) };
	struct link_dev_event dev_ev = { .kind = random_below(3) ? LINK_DEV_REACHABLE
								 : (enum link_dev_event_kind)random_below(5),
					 .value = 64 + random_below(1300),
					 .origin = "walk" };

	if (!d)
		return;
	if (ev.state == LINK_DOWN_FAILED) {
		ev.cause = (enum link_cause)(1 + random_below(LINK_CAUSE_COUNT - 1));
		ev.retry_at_ms = random_below(2) ? w.now_ms + random_below(100000) : 0;
	}
	ev.id = d->id[random_below(KEPT)];
	if (random_below(4))
		session_link_events.down(w.s, d->base.dev, &ev);
	else
		session_link_events.device(w.s, d->base.dev, &dev_ev);
}

static void lose(struct north_assoc *a)
{
	a->lost = true;
	a->written_n = a->unsure_n = 0;
	session_north_events.event(a->arg, NORTH_DOWN);
}

static void tell_all(struct north_server *s, enum north_event ev)
{
	for (struct north_assoc *a = w.assocs; a; a = a->next) {
		if (a->srv != s)
			continue;
		a->written_n = a->unsure_n = 0;
		if (ev == NORTH_UP)
			a->lost = false;
		session_north_events.event(a->arg, ev);
	}
}

static void step_server(void)
{
	struct north_server *s = &w.servers[random_below(SERVERS)];
	struct north_assoc *a = w.assocs;

	if (random_below(2)) { /* one association, of those that can end */
		for (unsigned n = random_below(6); a && n && a->next; n--)
			a = a->next;
		if (!a || strcmp(a->srv->conf.uri, "coap://h") == 0)
			return;
		if (!a->lost && random_below(2)) {
			lose(a);
		} else if (!a->srv->down && !a->srv->denied) {
			a->lost = false;
			session_north_events.event(a->arg, NORTH_UP);
		}
		return;
	}
	s->denied = strcmp(s->conf.uri, "coaps://h") == 0 && random_below(4) == 0;
	s->down = !s->denied && random_below(3) == 0;
	tell_all(s, s->denied ? NORTH_DENIED : s->down ? NORTH_DOWN : NORTH_UP);
}

/* Any of the devices and servers may be there; the link stays or goes. */
static void configure(unsigned devices, unsigned servers, bool with_link)
{
	struct link *links[1] = { &w.link };
	struct north_server *north[SERVERS];
	void *device_v[DEVICES], *profile_v[1] = { &w.profile };
	struct conf_list device_list = { device_v, 0 }, profile_list = { profile_v, 1 };
	struct sessions_conf conf = { links, with_link, north, 0, &profile_list, &device_list, NULL, NULL, NULL, NULL };
	struct sessions_change change;

	for (unsigned i = 0; i < SERVERS; i++)
		if (servers >> i & 1)
			north[conf.servers_n++] = &w.servers[i];
	for (unsigned i = 0; i < DEVICES; i++)
		if (devices >> i & 1)
			device_v[device_list.n++] = &w.devices[i];
		else
			w.budget_n[i] = 0;
	assert_int_equal(sessions_configure(w.s, &conf, &change), 0);
	assert_int_equal(change.failed, 0);
	for (struct north_assoc *a = w.assocs; a; a = a->next)
		assert_true(servers >> (a->srv - w.servers) & 1);
}

static void step(void)
{
	switch (random_below(40)) {
	case 0:
		step_server();
		break;
	case 1:
		if (random_below(8) == 0)
			configure(random_below(1 << DEVICES), random_below(1 << SERVERS), random_below(4) != 0);
		break;
	case 2:
	case 3:
		wait_ms(random_below(random_below(8) ? 4000 : 400000));
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		step_event();
		break;
	default:
		if (random_below(2))
			step_up();
		else
			step_north();
		break;
	}
	give_acks(random_below(3) == 0);
	check_all();
}

/* ---- set-up ---- */

static const char *const uris[] = { "coap://h", "coaps://h", "coap+tcp://h" };

static void begin(uint64_t seed)
{
	static const char *const names[] = { "a", "b", "c" };
	static const char *const both[] = { "s0", "s1" };
	static const char *const server_names[] = { "s0", "s1" };
	struct sessions_env env;

	memset(&w, 0, sizeof w);
	random_seed(seed);
	turn_to(1000000);
	assert_int_equal(metrics_new(&w.metrics), 0);
	assert_int_equal(alarms_new(&w.alarms, 10), 0);
	w.link_conf.head.name = "l";
	w.link.ops = &ops;
	w.link.conf = &w.link_conf;
	for (unsigned i = 0; i < LINK_RES_COUNT; i++)
		w.link.results[i] = &w.cells[i];
	for (unsigned i = 0; i < LINK_DOWN_RES_COUNT; i++)
		w.link.down_results[i] = &w.down_cells[i];
	w.link.bytes_up = &w.bytes;
	w.profile = *profile_builtin();
	w.profile.head.name = "p";
	w.profile.ack_timeout_s = 2;
	w.profile.nstart = 2;
	w.profile.queue_max = 8;
	if (seed % 3 == 1) { /* a sleeper */
		w.profile.awake_window_s = random_below(20);
		w.profile.queue_execute = random_below(2);
	}
	w.profile.block = (int)(seed % 5) == 0 ? (int)random_below(4) : BLOCK_ASSEMBLE;
	w.profile.oscore_reblock = random_below(2);
	if (seed % 4 == 2) /* a narrow link */
		w.profile.mtu = 64 + random_below(200);
	if (seed % 2) { /* a budget */
		w.profile.units_per_window = 1 + random_below(12);
		w.profile.window_s = 1 + random_below(120);
	}
	for (unsigned i = 0; i < SERVERS; i++)
		w.servers[i].conf = (struct server_conf){ .head.name = server_names[i],
							  .uri = uris[(seed / (i ? 3 : 1)) % 3],
							  .dead_after = 3,
							  .keepalive_s = seed % 6 == 5 ? 25 : 0,
							  .binding = "keep",
							  .insert_ep = i == 0,
							  .patience_s = 60,
							  .answer_within_s = 240,
							  .hold_s = 3600,
							  .hold_max = 5,
							  .block_size = 1024,
							  .nstart = 1 + i };
	for (unsigned i = 0; i < SERVERS; i++)
		w.servers[i].stream = strstr(w.servers[i].conf.uri, "+tcp") != NULL;
	for (unsigned i = 0; i < DEVICES; i++)
		w.devices[i] = (struct device_conf){ .head.name = names[i],
						     .link = "l",
						     .external_id = names[i],
						     .profile = "p",
						     .ep = i == 0 ? "a" : NULL,
						     .servers = { i == 2 ? both + 1 : both, i == 2 ? 1 : 2 } };
	env = (struct sessions_env){
		.timers = &w.timers, .metrics = w.metrics, .alarms = w.alarms, .gateway_id = "gw"
	};
	assert_int_equal(sessions_new(&w.s, &env), 0);
	configure(7, 3, true);
}

static void end(void)
{
	sessions_free(w.s);
	assert_null(w.assocs);
	assert_int_equal(w.timers.count, 0);
	metrics_free(w.metrics);
	alarms_free(w.alarms);
}

static void tables_agree_after_every_step(void **state)
{
	(void)state;
	log_set(LOG_ERROR, LOG_TEXT);
	for (uint64_t seed = 1; seed <= 60; seed++) {
		begin(seed);
		for (unsigned i = 0; i < 3000; i++)
			step();
		end();
	}
}

/* Two hours in which the transports say what has arrived, and associations that ended are made anew. */
static void fall_quiet(void)
{
	for (unsigned i = 0; i < 2 * 60; i++) {
		wait_ms(60000);
		give_acks(true);
		for (struct north_assoc *a = w.assocs; a; a = a->next)
			if (a->lost) {
				lose(a);
				a->lost = false;
				session_north_events.event(a->arg, NORTH_UP);
			}
	}
}

static void nothing_is_left_when_all_fall_quiet(void **state)
{
	const struct device *d;
	(void)state;
	for (uint64_t seed = 101; seed <= 130; seed++) {
		begin(seed);
		for (unsigned i = 0; i < 3000; i++)
			step();
		configure(7, 3, true);
		for (unsigned i = 0; i < SERVERS; i++) { /* servers that are there and say nothing */
			w.servers[i].down = w.servers[i].denied = false;
			tell_all(&w.servers[i], NORTH_UP);
		}
		fall_quiet();
		for (unsigned i = 0; i < SERVERS; i++)
			north_server_heard(&w.servers[i]);
		fall_quiet();
		assert_int_equal(w.s->open_up, 0);
		assert_int_equal(w.s->open_down, 0);
		assert_int_equal(w.s->ups.count, 0);
		assert_int_equal(w.s->downs.count, 0);
		for (size_t i = 0; (d = table_next(w.s, &i));)
			assert_null(d->south.head);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_agree_after_every_step),
		cmocka_unit_test(nothing_is_left_when_all_fall_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
