/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_ends.h - devices and servers that write down what reaches them
 *
 * Both are well-behaved CoAP endpoints: they repeat what is not confirmed, answer a duplicate as they answered before, and forget after the
 * windows of RFC 7252. What is under way between them and the gateway may get lost, and outlives the gateway. Every message carries the
 * number of its unit, so the ledger knows at each end how often it came, and when.
 */
#ifndef NIDDGW_TEST_SESSION_LEDGER_ENDS_H
#define NIDDGW_TEST_SESSION_LEDGER_ENDS_H

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "session/internal.h"

#define DEVICES 3
#define SERVERS 2
#define UNITS_MAX 2000
#define SEEN_MAX 256
#define SPEAKS_MAX 64
#define NORTH_WINDOW_MS 247000
#define SOUTH_WINDOW_MS 552500
#define REPEAT_MS 4000
#define TRIES_MAX 16 /* for what is asked or told */

enum unit_kind { UNIT_CON, UNIT_OSCORE, UNIT_NON, UNIT_NOTE, UNIT_NOTE_NON, UNIT_ASK };
struct unit {
	enum unit_kind kind;
	unsigned dev, srv;
	bool accepted;               /* a verdict, an ACK or an answer said so */
	unsigned arrived;            /* at its far end, without what that end knows as a duplicate */
	uint64_t first_ms, last_ms;  /* of these */
	bool answered, told;         /* told: an error of the gateway */
	uint64_t told_ms;
	unsigned handed, handed_last; /* to the gateway for the first and the last time before it was accepted */
};

/* A message that is repeated until it is confirmed. */
struct speak {
	bool open;
	uint8_t data[64];
	size_t len;
	uint16_t mid;
	int unit; /* -1: an answer */
	unsigned peer; /* of a server: the device */
	unsigned tries;
	uint64_t next_ms;
};
struct seen {
	uint64_t at_ms; /* 0: free */
	unsigned peer;
	uint16_t mid;
	uint8_t answer[64];
	size_t len;
};
struct end {
	struct speak speaks[SPEAKS_MAX];
	struct seen seen[SEEN_MAX];
	unsigned seen_at;
	uint16_t mid;
};
struct packet {
	struct packet *next;
	bool south;
	unsigned dev, srv;
	size_t len;
	uint8_t data[];
};

struct link_dev {
	struct link_dev_base base;
	unsigned i;
};
struct north_server {
	struct server_conf conf;
	unsigned i;
	bool down, silent; /* down: the gateway knows that it is away */
	bool deaf;         /* what is sent there gets lost */
	uint64_t since_ms; /* of down or deaf */
};
struct north_assoc {
	struct north_assoc *next;
	struct north_server *srv;
	void *arg;
	unsigned dev;
	uint16_t port;
};

static struct ledger {
	struct timers timers;
	struct metrics *metrics;
	struct alarms *alarms;
	struct sessions *s;
	struct store *store;
	bool running, dead; /* dead: it is being freed, and heard no more */
	struct link link;
	struct link_conf link_conf;
	uint64_t cells[LINK_RES_COUNT], down_cells[LINK_DOWN_RES_COUNT], bytes;
	struct link_dev *attached[DEVICES];
	struct north_server servers[SERVERS];
	struct north_assoc *assocs;
	struct profile_conf profile;
	struct device_conf devices[DEVICES];
	uint16_t ports[DEVICES][SERVERS]; /* as each server knows its devices */
	struct end dev[DEVICES], srv[SERVERS];
	uint8_t relation[DEVICES][4], relation_len[DEVICES];
	uint32_t observe[DEVICES];
	struct unit units[UNITS_MAX];
	int units_n;
	unsigned turns, note_handed[DEVICES]; /* note_handed: the latest of the notifications that the server has */
	struct packet *under_way, **under_way_end;
	unsigned loss_permille, tries_max; /* tries: for an answer */
	uint64_t now_ms, wall_base_ms, slice_ms; /* slice: how often the ends look */
} w;

/* ---- the walk, for people ---- */

static bool shown; /* LEDGER_SHOW is set */

static void show(const char *what, unsigned dev, int srv, const uint8_t *data, size_t len)
{
	static const char *const types[] = { "CON", "NON", "ACK", "RST" };
	struct coap_msg m = { 0 };
	char code[5];

	if (!shown)
		return;
	printf("%10llu %s %c", (unsigned long long)(w.now_ms - CLOCK_BASE_MS), what, (char)('a' + (int)dev));
	if (srv >= 0)
		printf(" s%d", srv);
	if (len && !coap_parse(&m, data, len))
		printf(" %s %s mid=%u token=%d payload=%.*s", types[m.type], coap_code_text(code, m.code), m.mid,
		       m.token_len == 2 ? m.token[0] << 8 | m.token[1] : m.token_len ? -m.token[0] : -1000, (int)m.payload_len,
		       (const char *)m.payload);
	printf("\n");
}

/* ---- messages ---- */

static void send_out(bool south, unsigned dev, unsigned srv, const uint8_t *data, size_t len)
{
	struct packet *p = malloc(sizeof *p + len);

	assert_non_null(p);
	*p = (struct packet){ .south = south, .dev = dev, .srv = srv, .len = len };
	memcpy(p->data, data, len);
	*w.under_way_end = p;
	w.under_way_end = &p->next;
}

static size_t make(uint8_t buf[64], enum coap_type type, uint8_t code, uint16_t mid, const uint8_t *token, size_t token_len, int unit, int observe,
		   bool oscore, const char *host)
{
	struct coap_builder b;
	char text[8];
	long len;

	coap_build(&b, buf, 64, type, code, mid, token, token_len);
	if (host)
		coap_build_option(&b, COAP_URI_HOST, host, strlen(host));
	if (observe >= 0)
		coap_build_uint(&b, COAP_OBSERVE, (uint32_t)observe);
	if (oscore)
		coap_build_option(&b, COAP_OSCORE, "\x09", 1);
	else if (coap_is_request(code))
		coap_build_option(&b, COAP_URI_PATH, "dp", 2);
	snprintf(text, sizeof text, "%d", unit);
	if (unit >= 0)
		coap_build_payload(&b, text, strlen(text));
	len = coap_build_end(&b);
	assert_true(len > 0);
	return (size_t)len;
}

static size_t make_empty(uint8_t buf[64], enum coap_type type, uint16_t mid)
{
	return make(buf, type, COAP_EMPTY, mid, NULL, 0, -1, -1, false, NULL);
}

static int unit_of(const struct coap_msg *m)
{
	char text[8] = "";

	assert_true(m->payload_len > 0 && m->payload_len < sizeof text);
	memcpy(text, m->payload, m->payload_len);
	return atoi(text);
}

static int observe_of(const struct coap_msg *m)
{
	struct coap_view v;

	coap_view(&v, m, coap_is_request(m->code));
	return v.has_observe ? (int)v.observe : -1;
}

static int unit_new(enum unit_kind kind, unsigned dev, unsigned srv)
{
	assert_true(w.units_n < UNITS_MAX);
	w.units[w.units_n] = (struct unit){ .kind = kind, .dev = dev, .srv = srv };
	return w.units_n++;
}

/* The token of a unit is its number. */
static void token_of(int unit, uint8_t t[2])
{
	t[0] = (uint8_t)(unit >> 8);
	t[1] = (uint8_t)unit;
}

static int unit_by_token(const struct coap_msg *m)
{
	int unit = m->token_len == 2 ? m->token[0] << 8 | m->token[1] : -1;

	return unit >= 0 && unit < w.units_n ? unit : -1;
}

/* ---- what an end remembers ---- */

static struct speak *speak_new(struct end *e)
{
	for (unsigned i = 0; i < SPEAKS_MAX; i++)
		if (!e->speaks[i].open) {
			e->speaks[i] = (struct speak){ .open = true, .unit = -1, .mid = e->mid++ };
			return &e->speaks[i];
		}
	return NULL;
}

static struct speak *speak_by_mid(struct end *e, uint16_t mid)
{
	for (unsigned i = 0; i < SPEAKS_MAX; i++)
		if (e->speaks[i].open && e->speaks[i].mid == mid)
			return &e->speaks[i];
	return NULL;
}

static void speak_of_unit_ends(struct end *e, int unit)
{
	for (unsigned i = 0; i < SPEAKS_MAX; i++)
		if (e->speaks[i].unit == unit)
			e->speaks[i].open = false;
}

static struct seen *seen_find(struct end *e, unsigned peer, uint16_t mid, uint64_t window_ms)
{
	for (unsigned i = 0; i < SEEN_MAX; i++) {
		struct seen *s = &e->seen[i];

		if (s->at_ms && s->peer == peer && s->mid == mid && w.now_ms - s->at_ms < window_ms)
			return s;
	}
	return NULL;
}

static struct seen *seen_new(struct end *e, unsigned peer, uint16_t mid)
{
	struct seen *s = &e->seen[e->seen_at++ % SEEN_MAX];

	*s = (struct seen){ .at_ms = w.now_ms, .peer = peer, .mid = mid };
	return s;
}

static void arrive(int unit)
{
	struct unit *u = &w.units[unit];

	u->arrived++;
	u->last_ms = w.now_ms;
	if (u->arrived == 1)
		u->first_ms = w.now_ms;
}

/* Who has an answer has closed its token: an error that comes then, out of doubt, is for nobody. Never the other way round. */
static void settle_answer(int unit, uint8_t code)
{
	struct unit *u = &w.units[unit];

	if (coap_class(code) == 2) {
		u->answered = true;
	} else if (!u->told && !u->answered) {
		u->told = true;
		u->told_ms = w.now_ms;
	}
	u->accepted = true;
}

/* ---- a device ---- */

static void device_answer(unsigned dev, struct seen *s, const struct coap_msg *m, int unit)
{
	struct end *e = &w.dev[dev];
	int observe = observe_of(m) == 0 ? (int)++w.observe[dev] : -1;
	struct speak *separate = observe < 0 && random_below(3) == 0 ? speak_new(e) : NULL;

	if (!separate) {
		s->len = make(s->answer, COAP_ACK, COAP_CONTENT, m->mid, m->token, m->token_len, unit, observe, false, NULL);
		return;
	}
	s->len = make_empty(s->answer, COAP_ACK, m->mid);
	separate->len = make(separate->data, COAP_CON, COAP_CONTENT, separate->mid, m->token, m->token_len, unit, -1, false, NULL);
	separate->next_ms = w.now_ms + 1 + random_below(3000);
}

static void up(unsigned dev, const uint8_t *data, size_t len, int unit);

static void device_request(unsigned dev, const struct coap_msg *m)
{
	struct seen *s = seen_find(&w.dev[dev], 0, m->mid, SOUTH_WINDOW_MS);
	uint8_t copy[64];
	size_t len;

	if (!s) {
		s = seen_new(&w.dev[dev], 0, m->mid);
		arrive(unit_of(m));
		if (observe_of(m) == 0) {
			memcpy(w.relation[dev], m->token, m->token_len);
			w.relation_len[dev] = m->token_len;
		}
		device_answer(dev, s, m, unit_of(m));
	}
	len = s->len;
	memcpy(copy, s->answer, len);
	up(dev, copy, len, -1);
}

static void device_response(unsigned dev, const struct coap_msg *m)
{
	int unit = unit_by_token(m);
	uint8_t ack[64];

	assert_true(unit >= 0);
	settle_answer(unit, m->code);
	speak_of_unit_ends(&w.dev[dev], unit);
	if (m->type == COAP_CON)
		up(dev, ack, make_empty(ack, COAP_ACK, m->mid), -1);
}

static void device_empty(unsigned dev, const struct coap_msg *m)
{
	struct speak *s = speak_by_mid(&w.dev[dev], m->mid);

	if (!s)
		return;
	assert_int_equal(m->type, COAP_ACK); /* nobody resets what it asked for */
	if (s->unit >= 0)
		w.units[s->unit].accepted = true;
	s->open = false;
}

static void device_recv(unsigned dev, const uint8_t *data, size_t len)
{
	struct coap_msg m;

	show("  down", dev, -1, data, len);
	assert_int_equal(coap_parse(&m, data, len), 0);
	if (m.code == COAP_EMPTY)
		device_empty(dev, &m);
	else if (coap_is_request(m.code))
		device_request(dev, &m);
	else
		device_response(dev, &m);
}

/* ---- a server ---- */

static void north(unsigned dev, unsigned srv, const uint8_t *data, size_t len);

static void server_answer(unsigned dev, unsigned srv, struct seen *s, const struct coap_msg *m)
{
	struct speak *separate = random_below(3) == 0 ? speak_new(&w.srv[srv]) : NULL;

	if (!separate) {
		s->len = make(s->answer, m->type == COAP_CON ? COAP_ACK : COAP_NON, COAP_CHANGED, m->type == COAP_CON ? m->mid : w.srv[srv].mid++,
			      m->token, m->token_len, -1, -1, false, NULL);
		return;
	}
	if (m->type == COAP_CON)
		s->len = make_empty(s->answer, COAP_ACK, m->mid);
	separate->len = make(separate->data, COAP_CON, COAP_CHANGED, separate->mid, m->token, m->token_len, -1, -1, false, NULL);
	separate->next_ms = w.now_ms + 1 + random_below(3000);
	separate->peer = dev;
}

/* One that was accepted before another was handed over comes before it. What is not confirmed may be overtaken while it is repeated. */
static void server_note(unsigned dev, int unit)
{
	struct unit *u = &w.units[unit];

	if (u->kind != UNIT_NOTE || u->arrived > 1)
		return;
	assert_true(w.note_handed[dev] <= u->handed_last);
	if (u->handed > w.note_handed[dev])
		w.note_handed[dev] = u->handed;
}

static void server_request(unsigned dev, unsigned srv, const struct coap_msg *m)
{
	bool note = !coap_is_request(m->code);
	struct seen *s = seen_find(&w.srv[srv], dev, m->mid, m->type == COAP_CON ? NORTH_WINDOW_MS : 145000);
	int unit = unit_of(m);
	uint8_t copy[64];
	size_t len;

	if (!s) {
		s = seen_new(&w.srv[srv], dev, m->mid);
		arrive(unit);
		if (note)
			server_note(dev, unit);
		if (!note)
			server_answer(dev, srv, s, m);
		else if (m->type == COAP_CON)
			s->len = make_empty(s->answer, COAP_ACK, m->mid);
	}
	len = s->len;
	memcpy(copy, s->answer, len);
	if (len)
		north(dev, srv, copy, len);
}

/* The answer to a request of the server: once; what comes for a token that is closed is reset. */
static void server_response(unsigned dev, unsigned srv, const struct coap_msg *m)
{
	int unit = unit_by_token(m);
	struct unit *u = &w.units[unit];
	bool known = !u->answered && !u->told;
	struct seen *s = m->type == COAP_CON ? seen_find(&w.srv[srv], dev, m->mid, NORTH_WINDOW_MS) : NULL;
	uint8_t buf[64];

	if (!s && known)
		settle_answer(unit, m->code);
	speak_of_unit_ends(&w.srv[srv], unit);
	if (m->type != COAP_CON)
		return;
	if (!s) {
		s = seen_new(&w.srv[srv], dev, m->mid);
		s->len = make_empty(s->answer, known ? COAP_ACK : COAP_RST, m->mid);
	}
	memcpy(buf, s->answer, s->len);
	north(dev, srv, buf, s->len);
}

static void server_empty(unsigned dev, unsigned srv, const struct coap_msg *m)
{
	struct speak *s = speak_by_mid(&w.srv[srv], m->mid);
	uint8_t rst[64];

	if (m->type == COAP_CON) { /* a ping */
		north(dev, srv, rst, make_empty(rst, COAP_RST, m->mid));
		return;
	}
	if (!s || s->peer != dev)
		return;
	if (s->unit >= 0)
		w.units[s->unit].accepted = true;
	s->open = false;
}

static void server_recv(unsigned dev, unsigned srv, const uint8_t *data, size_t len)
{
	struct coap_msg m;
	int unit;

	show("  north", dev, (int)srv, data, len);
	assert_int_equal(coap_parse(&m, data, len), 0);
	if (m.code == COAP_EMPTY) {
		server_empty(dev, srv, &m);
		return;
	}
	unit = coap_is_request(m.code) ? -1 : unit_by_token(&m);
	if (unit >= 0 && w.units[unit].kind == UNIT_ASK && !(observe_of(&m) > 1))
		server_response(dev, srv, &m);
	else
		server_request(dev, srv, &m);
}

#endif
