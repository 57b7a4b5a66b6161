/* SPDX-License-Identifier: Apache-2.0 */
/* test_ledger.c - nothing is lost and nothing doubled, whenever the power goes
 *
 * Devices and servers talk through sessions that are killed at random, with a disk that has got as far as it happened
 * to. The ledger says at the end what must hold for each unit: what was accepted has arrived exactly once, or its
 * device was told an error; no request to a device arrived twice; notifications came in order; and nobody was told
 * both. A run takes a seed, so what fails can be run again: LEDGER_SEED=N runs that one, LEDGER_TEST='short*' some of
 * the tests, LEDGER_SHOW=1 prints every message.
 */
#include "replay/fake_store.c"

#include "ledger_ends.h"
#include "unit/session/north_rest.h"

#define WALL_MS 1767225600000u
#define STEPS 400
#define SEEDS 60

/* ---- the link, in place of a real one ---- */

struct up {
	struct link_up up;
	struct up *next;
	int unit;
};
static struct up *waiting; /* for their verdict */

static int op_attach(struct link *l, struct link_dev **out, const struct link_identity *id, struct device *dev,
		     uint32_t mtu)
{
	struct link_dev *d = calloc(1, sizeof *d);

	(void)id;
	(void)mtu;
	assert_non_null(d);
	d->base = (struct link_dev_base){ l, dev };
	d->i = (unsigned)(*device_name(dev) - 'a');
	w.attached[d->i] = d;
	*out = d;
	return 0;
}

static void op_detach(struct link_dev *d, bool gone)
{
	(void)gone;
	w.attached[d->i] = NULL;
	free(d);
}

static int op_send(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len)
{
	(void)how;
	assert_true(!w.dead);
	send_out(true, d->i, 0, data, len);
	return 0;
}

static const struct link_ops ops = { .name = "ledger", .attach = op_attach, .detach = op_detach, .send = op_send };

static void on_verdict(struct link_up *base, enum link_verdict v)
{
	struct up *u = container_of(base, struct up, up), **at = &waiting;

	while (*at && *at != u)
		at = &(*at)->next;
	assert_true(*at || w.dead);
	if (*at)
		*at = u->next;
	if (v == LINK_TAKEN && u->unit >= 0 && !w.dead)
		w.units[u->unit].accepted = true;
	free(u);
}

/* A unit of a device; unit: what is accepted with it, or -1. */
static void up(unsigned dev, const uint8_t *data, size_t len, int unit)
{
	struct up *u;

	if (!w.running || random_below(1000) < w.loss_permille)
		return;
	show("up", dev, -1, data, len);
	if (unit >= 0 && !w.units[unit].accepted) {
		w.units[unit].handed_last = ++w.turns;
		w.units[unit].handed = w.units[unit].handed ? w.units[unit].handed : w.turns;
	}
	u = calloc(1, sizeof *u);
	assert_non_null(u);
	u->up = (struct link_up){ .verdict = on_verdict, .arrival_ms = w.now_ms, .port_ue = -1, .port_scef = -1 };
	u->unit = unit;
	u->next = waiting;
	waiting = u;
	session_link_events.uplink(w.s, &u->up, w.attached[dev]->base.dev, data, len);
}

/* ---- the north side, in place of the real room ---- */

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
	static uint16_t next_port = 20000;
	struct north_assoc *a = calloc(1, sizeof *a);
	uint16_t *known;

	assert_non_null(a);
	*a = (struct north_assoc){ .next = w.assocs,
				   .srv = srv,
				   .arg = arg,
				   .dev = (unsigned)(*who - 'a'),
				   .port = port ? port : next_port++ };
	known = &w.ports[a->dev][srv->i];
	if (*known)
		assert_int_equal(a->port, *known);
	w.assocs = a;
	*out = a;
	return 0;
}

/* What is down refuses, what is deaf loses it. A server knows a device by its port from the first message on. */
int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	assert_true(!w.dead);
	if (a->srv->down)
		return -ENOTCONN;
	w.ports[a->dev][a->srv->i] = a->port;
	if (!a->srv->deaf)
		send_out(false, a->dev, a->srv->i, data, len);
	return 0;
}

bool north_assoc_is_up(const struct north_assoc *a)
{
	return !a->srv->down;
}

uint16_t north_assoc_port(const struct north_assoc *a)
{
	return a->port;
}

struct north_server *north_assoc_server(const struct north_assoc *a)
{
	return a->srv;
}

void north_assoc_close(struct north_assoc *a)
{
	struct north_assoc **at = &w.assocs;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a);
}

static struct north_assoc *assoc_of(unsigned dev, unsigned srv)
{
	struct north_assoc *a = w.assocs;

	while (a && (a->dev != dev || a->srv->i != srv))
		a = a->next;
	return a;
}

/* A message of a server, to the port where it knows the device. */
static void north(unsigned dev, unsigned srv, const uint8_t *data, size_t len)
{
	struct north_assoc *a = w.running ? assoc_of(dev, srv) : NULL;

	if (!a || a->srv->down || random_below(1000) < w.loss_permille)
		return;
	show("answer", dev, (int)srv, data, len);
	north_server_heard(a->srv);
	session_north_events.recv(a->arg, data, len);
}

/* ---- lives ---- */

static void turn_to(uint64_t now_ms)
{
	w.now_ms = now_ms;
	clock_fake(now_ms, w.wall_base_ms + now_ms);
}

static void start(void)
{
	struct link *links[1] = { &w.link };
	struct north_server *servers[SERVERS];
	void *device_v[DEVICES], *profile_v[1] = { &w.profile };
	struct conf_list device_list = { device_v, DEVICES }, profile_list = { profile_v, 1 };
	struct sessions_conf conf = { .links = links,
				      .links_n = 1,
				      .servers = servers,
				      .servers_n = SERVERS,
				      .profiles = &profile_list,
				      .devices = &device_list };
	struct sessions_change change;
	struct sessions_env env;

	for (unsigned i = 0; i < SERVERS; i++)
		servers[i] = &w.servers[i];
	for (unsigned i = 0; i < DEVICES; i++)
		device_v[i] = &w.devices[i];
	assert_int_equal(metrics_new(&w.metrics), 0);
	assert_int_equal(alarms_new(&w.alarms, 10), 0);
	env = (struct sessions_env){
		.timers = &w.timers, .metrics = w.metrics, .alarms = w.alarms, .gateway_id = "gw", .store = w.store
	};
	assert_int_equal(sessions_new(&w.s, &env), 0);
	assert_int_equal(sessions_configure(w.s, &conf, &change), 0);
	assert_int_equal(change.failed, 0);
	w.running = true;
	assert_int_equal(sessions_restore(w.s), 0);
}

static void end_life(void)
{
	w.running = false;
	w.dead = true;
	waiting = NULL; /* their senders hear nothing */
	sessions_free(w.s);
	assert_int_equal(w.timers.count, 0);
	metrics_free(w.metrics);
	alarms_free(w.alarms);
	for (unsigned i = 0; i < SERVERS; i++)
		w.servers[i].silent = false;
	w.dead = false;
}

static void crash(void)
{
	show("crash", 0, -1, NULL, 0);
	fake_store_cut(w.store);
	end_life();
}

/* ---- time, and what is under way ---- */

static void deliver_all(void)
{
	struct packet *p;

	while ((p = w.under_way)) {
		bool lost = random_below(1000) < w.loss_permille;

		w.under_way = p->next;
		if (!w.under_way)
			w.under_way_end = &w.under_way;
		if (p->south && !lost)
			device_recv(p->dev, p->data, p->len);
		else if (!lost)
			server_recv(p->dev, p->srv, p->data, p->len);
		free(p);
	}
}

static void say(struct speak *s, unsigned dev, int srv)
{
	if (s->tries++ >= (s->unit < 0 ? w.tries_max : TRIES_MAX)) {
		s->open = false;
		return;
	}
	s->next_ms = w.now_ms + REPEAT_MS + random_below(2000);
	if (srv < 0)
		up(dev, s->data, s->len, s->unit);
	else
		north(dev, (unsigned)srv, s->data, s->len);
}

static void say_all(void)
{
	for (unsigned i = 0; i < SPEAKS_MAX; i++) {
		for (unsigned d = 0; d < DEVICES; d++)
			if (w.dev[d].speaks[i].open && w.dev[d].speaks[i].next_ms <= w.now_ms)
				say(&w.dev[d].speaks[i], d, -1);
		for (unsigned s = 0; s < SERVERS; s++)
			if (w.srv[s].speaks[i].open && w.srv[s].speaks[i].next_ms <= w.now_ms)
				say(&w.srv[s].speaks[i], w.srv[s].speaks[i].peer, (int)s);
	}
}

/* In steps small enough that the ends answer in time. */
static void pass(uint64_t ms)
{
	uint64_t until = w.now_ms + ms;

	while (w.now_ms < until) {
		uint64_t next = w.now_ms + w.slice_ms < until ? w.now_ms + w.slice_ms : until;

		if (w.running && timers_next(&w.timers) < next)
			next = timers_next(&w.timers);
		if (w.running && fake_store_next(w.store) < next)
			next = fake_store_next(w.store);
		turn_to(next > w.now_ms ? next : w.now_ms);
		if (w.running) {
			timers_run(&w.timers, w.now_ms, 0);
			fake_store_step(w.store);
		}
		say_all();
		deliver_all();
		if (w.running)
			fake_store_step(w.store);
		if (next <= w.now_ms && next == until)
			break;
	}
}

/* ---- steps ---- */

struct rules {
	bool outages_short; /* no window passes: nothing is in doubt, and nobody is told an error */
	bool lossless;      /* but for what is sent to who is not there */
	bool wraps;         /* counters begin anew on the way */
};

static void device_says(unsigned dev, enum unit_kind kind)
{
	/* an observation is server 0's */
	unsigned srv = kind == UNIT_NOTE || kind == UNIT_NOTE_NON ? 0 : random_below(SERVERS);
	bool con = kind != UNIT_NON && kind != UNIT_NOTE_NON;
	struct speak once = { .open = true, .mid = w.dev[dev].mid }, *s = con ? speak_new(&w.dev[dev]) : &once;
	uint8_t token[2];
	int unit;

	if (!s)
		return;
	if (!con)
		w.dev[dev].mid++;
	unit = unit_new(kind, dev, srv);
	token_of(unit, token);
	s->unit = unit;
	s->next_ms = w.now_ms + REPEAT_MS;
	if (kind == UNIT_NOTE || kind == UNIT_NOTE_NON) {
		w.observe[dev]++;
		s->len = make(s->data, con ? COAP_CON : COAP_NON, COAP_CONTENT, s->mid, w.relation[dev],
			      w.relation_len[dev], unit, (int)w.observe[dev], false, NULL);
	} else {
		s->len = make(s->data, con ? COAP_CON : COAP_NON, COAP_POST, s->mid, token, 2, unit, -1,
			      kind == UNIT_OSCORE, srv ? "s1" : NULL);
	}
	up(dev, s->data, s->len, unit);
}

static void server_says(unsigned dev, unsigned srv, int observe)
{
	struct speak *s = assoc_of(dev, srv) ? speak_new(&w.srv[srv]) : NULL;
	uint8_t token[2];
	int unit;

	if (!s)
		return;
	unit = unit_new(UNIT_ASK, dev, srv);
	token_of(unit, token);
	s->unit = unit;
	s->peer = dev;
	s->len = make(s->data, COAP_CON, observe == 0 ? COAP_GET : COAP_POST, s->mid, token, 2, unit, observe, false,
		      NULL);
	s->next_ms = w.now_ms + REPEAT_MS;
	north(dev, srv, s->data, s->len);
}

static void disk_moves(void)
{
	static const enum fake_disk kinds[] = { DISK_QUICK, DISK_QUICK, DISK_QUICK, DISK_SLOW };

	if (random_below(12) == 0)
		fake_store_disk(w.store, random_below(40) ? kinds[random_below(4)] : DISK_BROKEN);
	if (w.store->disk != DISK_SLOW)
		return;
	fake_store_write(w.store, random_below(3) == 0, random_below(3) == 0);
	fake_store_write_records(w.store, random_below(4));
	if (random_below(3))
		fake_store_tell(w.store);
}

static void set_down(struct north_server *s, bool down)
{
	if (s->down == down)
		return;
	s->down = down;
	for (struct north_assoc *a = w.assocs; a; a = a->next)
		if (a->srv == s)
			session_north_events.event(a->arg, down ? NORTH_DOWN : NORTH_UP);
}

static void north_changes(struct north_server *s, const struct rules *r)
{
	s->since_ms = w.now_ms;
	if (!r->lossless && random_below(2))
		s->deaf = !s->deaf && random_below(3) == 0;
	else
		set_down(s, !s->down && random_below(3) == 0);
}

/* Away no longer than that messages are repeated. */
static void north_recovers(struct north_server *s)
{
	if (w.now_ms - s->since_ms < 20000)
		return;
	s->deaf = false;
	set_down(s, false);
}

static void step(const struct rules *r)
{
	static const enum unit_kind kinds[] = { UNIT_CON, UNIT_CON,  UNIT_CON,  UNIT_OSCORE,
						UNIT_NON, UNIT_NOTE, UNIT_NOTE, UNIT_NOTE_NON };

	for (unsigned i = 0; i < SERVERS && r->outages_short; i++)
		north_recovers(&w.servers[i]);
	disk_moves();
	switch (random_below(16)) {
	case 0:
		crash();
		pass(random_below(r->outages_short ? 8000 : 400000));
		fake_store_start(w.store, true);
		if (random_below(4))
			fake_store_disk(w.store, DISK_QUICK);
		start();
		break;
	case 1:
		north_changes(&w.servers[random_below(SERVERS)], r);
		break;
	case 2:
	case 3:
	case 4:
		server_says(random_below(DEVICES), random_below(SERVERS), -1);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		device_says(random_below(DEVICES), kinds[random_below(8)]);
		break;
	default:
		pass(random_below(random_below(6) ? 1500 : 20000));
		break;
	}
	deliver_all();
	if (w.running)
		fake_store_step(w.store);
}

/* ---- what must hold ---- */

static void check_up(const struct unit *u, const struct rules *r)
{
	bool oscore = u->kind == UNIT_OSCORE;

	assert_false(u->answered && u->told);
	if (u->told && u->arrived)
		assert_true(u->first_ms <= u->told_ms && u->last_ms <= u->told_ms);
	assert_in_range(u->arrived, 0, r->outages_short || oscore ? 1 : 2);
	if (!u->accepted)
		return;
	if (r->outages_short) {
		assert_int_equal(u->arrived, 1);
		assert_true(u->answered);
	} else {
		assert_true(u->told || u->arrived); /* the answer may have got lost once too often */
	}
}

static void check_unit(const struct unit *u, const struct rules *r)
{
	switch (u->kind) {
	case UNIT_CON:
	case UNIT_OSCORE:
		check_up(u, r);
		break;
	case UNIT_NON:
	case UNIT_NOTE_NON:
		assert_in_range(u->arrived, 0, 1);
		break;
	case UNIT_NOTE:
		if (u->accepted)
			assert_true(u->arrived >= 1);
		if (r->outages_short)
			assert_in_range(u->arrived, 0, 1);
		break;
	case UNIT_ASK:
		assert_in_range(u->arrived, 0, 1);
		if (u->told && u->arrived)
			assert_true(u->first_ms <= u->told_ms);
		if (u->accepted && r->lossless) /* an answer that nobody confirms is given up */
			assert_true(u->answered || u->told);
		break;
	}
}

static void check_ledger(const struct rules *r, uint64_t seed)
{
	unsigned n[UNIT_ASK + 1] = { 0 };

	for (int i = 0; i < w.units_n; i++) {
		const struct unit *u = &w.units[i];

		if (shown)
			printf("seed %llu unit %d kind %d dev %u srv %u accepted %d arrived %u at %llu..%llu answered "
			       "%d told %d at %llu\n",
			       (unsigned long long)seed, i, u->kind, u->dev, u->srv, u->accepted, u->arrived,
			       (unsigned long long)u->first_ms, (unsigned long long)u->last_ms, u->answered, u->told,
			       (unsigned long long)u->told_ms);
		check_unit(u, r);
		n[u->kind] += u->accepted && u->arrived;
	}
	for (unsigned k = 0; k <= UNIT_ASK; k++)
		assert_true(n[k] > 0); /* the walk went everywhere */
}

/* ---- runs ---- */

static uint64_t only; /* the seed that is to be run; 0: all of them */

static void begin(uint64_t seed, uint64_t wait_s)
{
	static const char *const names[] = { "a", "b", "c" };
	static const char *const server_names[] = { "s0", "s1" };
	static const char *servers[] = { "s0", "s1" };

	memset(&w, 0, sizeof w);
	w.under_way_end = &w.under_way;
	w.slice_ms = 500;
	random_seed(seed);
	w.wall_base_ms = WALL_MS - CLOCK_BASE_MS;
	turn_to(CLOCK_BASE_MS + 1000000);
	w.store = fake_store_new();
	w.link_conf = (struct link_conf){ .head.name = "l", .journal = true };
	w.link.ops = &ops;
	w.link.conf = &w.link_conf;
	for (unsigned i = 0; i < LINK_RES_COUNT; i++)
		w.link.results[i] = &w.cells[i];
	for (unsigned i = 0; i < LINK_DOWN_RES_COUNT; i++)
		w.link.down_results[i] = &w.down_cells[i];
	w.link.bytes_up = &w.bytes;
	w.profile = *profile_builtin();
	w.profile.head.name = "p";
	w.profile.nstart = 2;
	for (unsigned i = 0; i < SERVERS; i++) {
		w.servers[i].i = i;
		w.servers[i].conf = (struct server_conf){ .head.name = server_names[i],
							  .uri = "coap://h",
							  .binding = "keep",
							  .insert_ep = true,
							  .patience_s = 600,
							  .answer_within_s = wait_s,
							  .hold_s = 604800,
							  .hold_max = 1000,
							  .block_size = 1024,
							  .nstart = 1 + i };
		w.srv[i].mid = (uint16_t)random_below(65536);
	}
	for (unsigned i = 0; i < DEVICES; i++) {
		w.devices[i] = (struct device_conf){ .head.name = names[i],
						     .link = "l",
						     .external_id = names[i],
						     .profile = "p",
						     .ep = names[i],
						     .servers = { servers, 2 } };
		w.dev[i].mid = (uint16_t)random_below(65536);
	}
	start();
}

/* Every device is observed by one server, before anything goes wrong. */
static void begin_observations(void)
{
	for (unsigned d = 0; d < DEVICES; d++) {
		device_says(d, UNIT_CON);
		pass(1000);
		while (!assoc_of(d, 0) || !assoc_of(d, 1)) {
			device_says(d, UNIT_CON);
			pass(1000);
		}
		server_says(d, 0, 0);
		pass(3000);
		assert_true(w.relation_len[d] > 0);
	}
}

static void near_the_end(struct coap_peer *p)
{
	p->next_mid = p->mid_limit = (uint16_t)(65536 - 5 - random_below(60));
}

/* All counters that a message has, a few steps before they begin anew. */
static void age_everything(void)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device *d = sessions_find(w.s, w.devices[i].head.name);

		near_the_end(&d->south);
		d->next_token = (uint8_t)(256 - random_below(8));
		d->next_tag = (uint8_t)(256 - random_below(4));
		d->next_tx_id = UINT32_MAX - random_below(8);
		for (struct assoc *a = d->assocs; a; a = a->next)
			near_the_end(&a->peer);
		w.dev[i].mid = (uint16_t)(65536 - random_below(60));
		device_touch(d);
	}
	for (unsigned i = 0; i < SERVERS; i++)
		w.srv[i].mid = (uint16_t)(65536 - random_below(60));
	pass(2000); /* what is reserved is on disk */
}

static void settle(void)
{
	w.loss_permille = 0;
	fake_store_disk(w.store, DISK_QUICK);
	for (unsigned i = 0; i < SERVERS; i++) {
		w.servers[i].deaf = false;
		set_down(&w.servers[i], false);
	}
	w.slice_ms = 2000;
	pass(4500000);
}

static void run(uint64_t seed, const struct rules *r)
{
	begin(seed, r->outages_short ? 3600 : 240);
	w.tries_max = r->outages_short ? UINT_MAX : 20;
	begin_observations();
	if (r->wraps)
		age_everything();
	w.loss_permille = r->lossless ? 0 : 20;
	for (unsigned i = 0; i < STEPS; i++)
		step(r);
	settle();
	check_ledger(r, seed);
	assert_int_equal(fake_store_open_entries(w.store), 0);
	assert_int_equal(sessions_open(w.s), 0);
	fake_store_cut(w.store);
	end_life();
	fake_store_free(w.store);
}

static void short_outages_lose_and_double_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : SEEDS); seed++)
		run(seed, &(struct rules){ .outages_short = true, .lossless = seed % 2 == 0 });
}

static void long_outages_end_in_an_answer_or_an_error(void **state)
{
	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : SEEDS); seed++)
		run(seed, &(struct rules){ .lossless = seed % 2 == 0 });
}

/* R16 */
static void r16_counters_that_wrap_lose_and_double_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : SEEDS); seed++)
		run(1000 + seed, &(struct rules){ .outages_short = true, .lossless = seed % 2 == 0, .wraps = true });
}

static void damage(struct op *op)
{
	size_t len = op->key_len + op->len;

	for (; op; op = op->next) {
		len = op->key_len + op->len;
		if (op->len && random_below(3) == 0)
			op->octets[op->key_len + random_below((uint32_t)op->len)] = (uint8_t)random_below(256);
		if (op->len && random_below(12) == 0)
			op->len = random_below((uint32_t)op->len);
		if (random_below(20) == 0)
			op->record = (uint8_t)random_below(10);
		assert_true(op->key_len + op->len <= len);
	}
}

/* The store proves that records are whole; sessions take nothing in them for granted all the same. */
static void damaged_records_are_survived(void **state)
{
	(void)state;
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : SEEDS); seed++) {
		const struct rules rules = { .outages_short = true };

		begin(seed, 240);
		w.tries_max = 1;
		begin_observations();
		for (unsigned i = 0; i < STEPS / 4; i++)
			step(&rules);
		crash();
		damage(w.store->log.first);
		damage(w.store->rows);
		memset(w.ports, 0, sizeof w.ports);
		w.loss_permille = 1000; /* nobody is there to understand it */
		fake_store_disk(w.store, DISK_QUICK);
		fake_store_start(w.store, random_below(2));
		start();
		pass(1000000);
		crash();
		fake_store_free(w.store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_outages_lose_and_double_nothing),
		cmocka_unit_test(long_outages_end_in_an_answer_or_an_error),
		cmocka_unit_test(r16_counters_that_wrap_lose_and_double_nothing),
		cmocka_unit_test(damaged_records_are_survived),
	};

	shown = getenv("LEDGER_SHOW") != NULL;
	setvbuf(stdout, NULL, _IOLBF, 0);
	only = getenv("LEDGER_SEED") ? strtoull(getenv("LEDGER_SEED"), NULL, 10) : 0;
	log_set(shown ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
	if (getenv("LEDGER_TEST"))
		cmocka_set_test_filter(getenv("LEDGER_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
