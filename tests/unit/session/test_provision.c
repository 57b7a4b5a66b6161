/* SPDX-License-Identifier: Apache-2.0 */
/* test_provision.c - stored device records: import, removal, rules, what a reload and a restart make of them */
#include "unit/session/fake_store.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "session/internal.h"
#include "unit/session/north_rest.h"

#define MOST 64

/* ---- the two ends ---- */

struct link_dev {
	struct link_dev_base base;
	char id[64];
};
struct north_server {
	struct server_conf conf;
};

struct end { /* a link, and who is attached */
	struct link link;
	struct link_conf conf;
	struct link_dev *devs[MOST];
	unsigned attached, gone; /* how often, and how often for good */
	uint64_t cells[LINK_RES_COUNT], down_cells[LINK_DOWN_RES_COUNT], bytes;
};

static struct world {
	struct timers timers;
	struct metrics *metrics;
	struct alarms *alarms;
	struct store store;
	struct sessions *s;
	struct end sgi, op;
	struct north_server server;
	struct profile_conf profile;
	struct device_conf files[8];
	size_t files_n;
	struct rule_conf rules[4];
	size_t rules_n;
	bool with_profile;
	uint64_t now_ms;
	char fault[16][200]; /* "LINE: text" */
	unsigned faults;
	int done; /* 1: not yet */
} w;

static struct end *end_of(struct link *l)
{
	return container_of(l, struct end, link);
}

static unsigned slot_of(struct end *e, const char *id)
{
	unsigned i = 0;

	while (i < MOST && !(e->devs[i] ? id && !strcmp(e->devs[i]->id, id) : !id))
		i++;
	return i;
}

static int op_attach(struct link *l, struct link_dev **out, const struct link_identity *id, struct device *dev,
		     uint32_t mtu)
{
	struct end *e = end_of(l);
	struct link_dev *d;

	(void)mtu;
	if (slot_of(e, id->text) < MOST)
		return -EEXIST;
	d = calloc(1, sizeof *d);
	assert_non_null(d);
	d->base = (struct link_dev_base){ l, dev };
	snprintf(d->id, sizeof d->id, "%s", id->text);
	e->devs[slot_of(e, NULL)] = d;
	e->attached++;
	*out = d;
	return 0;
}

static void op_detach(struct link_dev *d, bool gone)
{
	struct end *e = end_of(d->base.link);

	e->devs[slot_of(e, d->id)] = NULL;
	e->gone += gone;
	free(d);
}

static struct device *op_find(const struct link *l, const struct link_identity *id)
{
	struct end *e = end_of((struct link *)(uintptr_t)l);
	unsigned i = slot_of(e, id->text);

	return i < MOST ? e->devs[i]->base.dev : NULL;
}

static int op_send(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len)
{
	(void)d;
	(void)how;
	(void)data;
	(void)len;
	return 0;
}

static const struct link_ops ops = {
	.name = "test", .attach = op_attach, .detach = op_detach, .find = op_find, .send = op_send
};

const struct server_conf *north_server_conf(const struct north_server *s)
{
	return &s->conf;
}

void north_server_silent(struct north_server *s)
{
	(void)s;
}

void north_server_heard(struct north_server *s)
{
	(void)s;
}

bool north_server_is_up(const struct north_server *s)
{
	(void)s;
	return true;
}

int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg)
{
	(void)out;
	(void)srv;
	(void)who;
	(void)port;
	(void)arg;
	return -EAGAIN;
}

int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	(void)a;
	(void)data;
	(void)len;
	return 0;
}

bool north_assoc_is_up(const struct north_assoc *a)
{
	(void)a;
	return true;
}

uint16_t north_assoc_port(const struct north_assoc *a)
{
	(void)a;
	return 1;
}

struct north_server *north_assoc_server(const struct north_assoc *a)
{
	(void)a;
	return &w.server;
}

void north_assoc_close(struct north_assoc *a)
{
	(void)a;
}

/* ---- the gateway around it ---- */

static void pass_ms(uint64_t ms)
{
	w.now_ms += ms;
	clock_fake(w.now_ms, 1700000000000 + w.now_ms);
	timers_run(&w.timers, w.now_ms, 0);
}

/* What the sessions have borrowed must stay until the next configuration is taken over. */
struct bank {
	struct device_conf files[8];
	char text[8][3][24];
};

static const char *keep(char *to, const char *text)
{
	return text ? strcpy(to, text) : NULL;
}

static void keep_files(struct bank *b)
{
	memcpy(b->files, w.files, sizeof b->files);
	for (size_t i = 0; i < w.files_n; i++) {
		b->files[i].head.name = keep(b->text[i][0], w.files[i].head.name);
		b->files[i].address = keep(b->text[i][1], w.files[i].address);
		b->files[i].ep = keep(b->text[i][2], w.files[i].ep);
	}
}

/* The configuration in w is taken over. */
static struct sessions_change reload(void)
{
	static void *files[8], *rules[4], *links[2], *servers[1], *profiles[1];
	static struct conf_list file_list, rule_list, link_list, server_list,
		profile_list; /* borrowed until the next */
	static struct link *open[2];
	static struct north_server *north[1];
	struct sessions_conf conf = { open,       2,          north,        1,          &profile_list,
				      &file_list, &link_list, &server_list, &rule_list, NULL };
	struct sessions_change change;
	static struct bank banks[2], *bank = banks;

	bank = bank == banks ? &banks[1] : banks;
	keep_files(bank);
	for (size_t i = 0; i < w.files_n; i++)
		files[i] = &bank->files[i];
	for (size_t i = 0; i < w.rules_n; i++)
		rules[i] = &w.rules[i];
	links[0] = &w.sgi.conf;
	links[1] = &w.op.conf;
	servers[0] = &w.server.conf;
	profiles[0] = &w.profile;
	file_list = (struct conf_list){ files, w.files_n };
	rule_list = (struct conf_list){ rules, w.rules_n };
	link_list = (struct conf_list){ links, 2 };
	server_list = (struct conf_list){ servers, 1 };
	profile_list = (struct conf_list){ profiles, w.with_profile };
	open[0] = &w.sgi.link;
	open[1] = &w.op.link;
	north[0] = &w.server;
	assert_int_equal(sessions_configure(w.s, &conf, &change), 0);
	return change;
}

static void open_end(struct end *e, const char *name, int type)
{
	*e = (struct end){ .conf = { .head.name = name, .type = type, .enabled = true } };
	e->link.ops = &ops;
	e->link.conf = &e->conf;
	for (int i = 0; i < LINK_RES_COUNT; i++)
		e->link.results[i] = &e->cells[i];
	for (int i = 0; i < LINK_DOWN_RES_COUNT; i++)
		e->link.down_results[i] = &e->down_cells[i];
	e->link.bytes_up = &e->bytes;
}

static void start(void)
{
	struct sessions_env env = {
		.timers = &w.timers, .metrics = w.metrics, .alarms = w.alarms, .gateway_id = "gw", .store = &w.store
	};

	assert_int_equal(sessions_new(&w.s, &env), 0);
	reload();
	assert_int_equal(sessions_restore_records(w.s), 0);
}

static void stop(void)
{
	sessions_free(w.s);
	w.s = NULL;
	for (unsigned i = 0; i < MOST; i++)
		assert_true(!w.sgi.devs[i] && !w.op.devs[i]);
	assert_int_equal(w.timers.count, 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	w.now_ms = 1000;
	w.with_profile = true;
	w.profile = *profile_builtin();
	w.profile.head.name = "nb";
	w.server.conf = (struct server_conf){ .head.name = "main", .uri = "coap://h", .binding = "keep", .nstart = 1 };
	open_end(&w.sgi, "sgi", 3);
	open_end(&w.op, "op", 0);
	assert_int_equal(metrics_new(&w.metrics), 0);
	assert_int_equal(alarms_new(&w.alarms, 8), 0);
	pass_ms(0);
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop();
	fake_store_free(&w.store);
	metrics_free(w.metrics);
	alarms_free(w.alarms);
	return 0;
}

static void file(const char *name, const char *address, const char *ep)
{
	w.files[w.files_n++] = (struct device_conf){
		.head = { name, { "etc", (unsigned)w.files_n } }, .link = "sgi", .address = address, .ep = ep
	};
}

static void rule(const char *link, const char *match, const char *ep)
{
	w.rules[w.rules_n++] = (struct rule_conf){ .link = link, .match = match, .ep = ep, .profile = "nb" };
}

static const struct device *device(const char *name)
{
	return sessions_find(w.s, name);
}

/* ---- importing ---- */

static void on_fault(void *arg, unsigned line, const char *text)
{
	(void)arg;
	if (w.faults < 16)
		snprintf(w.fault[w.faults], sizeof w.fault[0], "%u: %.180s", line, text);
	w.faults++;
}

/* "key=value key=value" */
static void add(struct import *im, unsigned line, const char *text)
{
	struct conf_pair v[16];
	char buf[300], *at = buf;
	size_t n = 0;

	snprintf(buf, sizeof buf, "%s", text);
	while (at && *at) {
		char *next = strchr(at, ' '), *value = strchr(at, '=');

		assert_non_null(value);
		if (next)
			*next++ = '\0';
		*value = '\0';
		v[n++] = (struct conf_pair){ at, value + 1, false };
		at = next;
	}
	assert_int_equal(import_add(im, line, v, n, on_fault, NULL), 0);
}

static void on_done(void *arg, int err)
{
	(void)arg;
	w.done = err;
}

/* Gathered and checked; line numbers from 1. */
static struct import *gather(const char *const *records, size_t n)
{
	struct import *im = NULL;

	w.faults = 0;
	assert_int_equal(import_open(&im, w.s), 0);
	for (size_t i = 0; i < n; i++)
		add(im, (unsigned)i + 1, records[i]);
	while (import_check(im, 1, on_fault, NULL))
		;
	assert_int_equal(import_faults(im), w.faults);
	return im;
}

static struct import_result import(const char *const *records, size_t n)
{
	struct import *im = gather(records, n);
	struct import_result r = import_result(im);

	w.done = 1;
	assert_int_equal(w.faults, 0);
	assert_int_equal(import_commit(im, on_done, NULL), 0);
	fake_store_commit(&w.store, 0);
	for (unsigned i = 0; i < 100 && w.done == 1; i++)
		pass_ms(1);
	assert_int_equal(w.done, 0);
	import_close(im);
	return r;
}

#define IMPORT(...) \
	import((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
/* All that is wrong with an import of these, which must be one thing. */
#define EXPECT_FAULT(text, ...)                                                                      \
	do {                                                                                         \
		import_close(gather((const char *const[]){ __VA_ARGS__ },                            \
				    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))); \
		assert_int_equal(w.faults, 1);                                                       \
		assert_string_equal(w.fault[0], text);                                               \
	} while (0)

static void records_become_devices_when_they_are_durable(void **state)
{
	const char *const records[] = { "name=a link=sgi address=10.0.0.1 ep=ea servers=main",
					"name=b link=op external_id=b@x profile=nb" };
	struct import *im = gather(records, 2);

	(void)state;
	w.done = 1;
	assert_int_equal(import_commit(im, on_done, NULL), 0);
	pass_ms(1000);
	assert_null(device("a")); /* the store has not said so */
	fake_store_commit(&w.store, 0);
	pass_ms(1);
	pass_ms(1);
	pass_ms(1);
	assert_int_equal(w.done, 0);
	import_close(im);
	assert_true(device("a")->stored && device("a")->at && device("b")->at);
	assert_string_equal(device("a")->conf->servers.v[0], "main");
	assert_string_equal(device("b")->profile->conf->head.name, "nb");
	assert_ptr_equal(sessions_find_ep(w.s, "ea", 2), device("a"));
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 2);
	assert_int_equal(device("a")->conf->head.at.line, 0);
}

static void what_cannot_be_stored_changes_nothing(void **state)
{
	const char *const records[] = { "name=a link=sgi address=10.0.0.1" };
	struct import *im = gather(records, 1);

	(void)state;
	w.done = 1;
	assert_int_equal(import_commit(im, on_done, NULL), 0);
	fake_store_commit(&w.store, -ENOSPC);
	pass_ms(10);
	assert_int_equal(w.done, -EIO);
	import_close(im);
	assert_null(device("a"));
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 0);
	w.store.unusable = true;
	assert_int_equal(import_open(&im, w.s), -EROFS);
}

static void only_one_import_is_open(void **state)
{
	struct import *im, *other;

	(void)state;
	assert_int_equal(import_open(&im, w.s), 0);
	assert_int_equal(import_open(&other, w.s), -EBUSY);
	assert_int_equal(import_commit(im, on_done, NULL), -EINVAL); /* nobody has looked */
	import_close(im);
	assert_int_equal(import_open(&im, w.s), 0);
	import_close(im);
}

static void a_commit_is_carried_out_without_its_owner(void **state)
{
	const char *const records[] = { "name=a link=sgi address=10.0.0.1" };
	struct import *im = gather(records, 1);

	(void)state;
	assert_int_equal(import_commit(im, on_done, NULL), 0);
	import_close(im);
	assert_int_equal(import_open(&im, w.s), -EBUSY);
	fake_store_commit(&w.store, 0);
	for (int i = 0; i < 4; i++)
		pass_ms(1);
	assert_non_null(device("a"));
	assert_int_equal(import_open(&im, w.s), 0); /* and the way is free again */
	import_close(im);
}

static void the_end_comes_at_any_point_of_an_import(void **state)
{
	const char *const records[] = { "name=a link=sgi address=10.0.0.1", "name=b link=sgi address=10.0.0.2 ep=x" };

	(void)state;
	IMPORT("name=b link=sgi address=10.0.0.9");
	for (int steps = 0; steps < 4; steps++) {
		struct import *im = gather(records, 2);

		assert_int_equal(import_commit(im, on_done, NULL), 0);
		import_close(im);
		if (steps)
			fake_store_commit(&w.store, 0);
		for (int i = 1; i < steps; i++)
			pass_ms(1);
		stop();
		fake_store_commit(&w.store, 0);
		start();
	}
	assert_true(device("a")->at && device("b")->at);
}

static void a_record_replaces_the_one_of_its_name(void **state)
{
	const struct device *before;
	struct import_result r;

	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 ep=old", "name=b link=sgi address=10.0.0.2");
	before = device("a");
	r = IMPORT("name=a link=sgi address=10.0.0.3 ep=new", "name=c link=sgi address=10.0.0.1 ep=old");
	assert_int_equal(r.replaced, 1);
	assert_int_equal(r.added, 1);
	assert_ptr_equal(device("a"), before); /* its session goes on */
	assert_string_equal(before->conf->address, "10.0.0.3");
	assert_int_equal(w.sgi.gone, 1); /* the identity that it had */
	assert_ptr_equal(sessions_find_ep(w.s, "new", 3), before);
	assert_ptr_equal(sessions_find_ep(w.s, "old", 3), device("c"));
	assert_non_null(strstr(fake_row(&w.store, STORE_DEVICE, "a")->data, "10.0.0.3"));
}

static void two_devices_may_change_places_in_one_import(void **state)
{
	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 ep=x", "name=b link=sgi address=10.0.0.2 ep=y");
	IMPORT("name=a link=sgi address=10.0.0.2 ep=y", "name=b link=sgi address=10.0.0.1 ep=x");
	assert_string_equal(device("a")->conf->address, "10.0.0.2");
	assert_true(device("a")->at && device("b")->at);
	assert_ptr_equal(sessions_find_ep(w.s, "y", 1), device("a"));
	assert_ptr_equal(sessions_find_ep(w.s, "x", 1), device("b"));
}

static void what_is_taken_is_a_fault_with_its_line(void **state)
{
	(void)state;
	file("f", "10.9.9.9", "fep");
	reload();
	IMPORT("name=s link=sgi address=10.0.0.1 ep=sep");
	EXPECT_FAULT("1: address: \"10.9.9.9\" is that of \"f\" at etc:1 already", "name=a link=sgi address=10.9.9.9");
	EXPECT_FAULT("2: ep: \"fep\" is that of \"f\" at etc:1 already", "name=z link=sgi address=10.0.0.8",
		     "name=a link=sgi address=10.0.0.2 ep=fep");
	EXPECT_FAULT("1: address: \"10.0.0.1\" is that of the stored device \"s\" already",
		     "name=a link=sgi address=10.0.0.1");
	EXPECT_FAULT("1: ep: \"sep\" is that of the stored device \"s\" already",
		     "name=a link=sgi address=10.0.0.2 ep=sep");
	EXPECT_FAULT("2: name: \"a\" stands in line 1 already", "name=a link=sgi address=10.0.0.2",
		     "name=a link=sgi address=10.0.0.3");
	EXPECT_FAULT("2: ep: \"e\" is the endpoint name of \"a\" in line 1 already",
		     "name=a link=sgi address=10.0.0.2 ep=e", "name=b link=sgi address=10.0.0.3 ep=e");
	EXPECT_FAULT("2: address: \"[::ffff:10.0.0.2]:7\" is the identity of \"a\" in line 1 already",
		     "name=a link=sgi address=10.0.0.2:7",
		     "name=b link=sgi address=[::ffff:10.0.0.2]:7"); /* one address, written in two ways */
	EXPECT_FAULT("1: link: no link is named \"nix\"", "name=a link=nix address=10.0.0.2");
	EXPECT_FAULT("1: servers[1]: no server is named \"b\"", "name=a link=sgi address=10.0.0.2 servers=main;b");
	EXPECT_FAULT("1: external_id: is no identity on link \"sgi\", which is of type udp",
		     "name=a link=sgi external_id=a@b");
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 1);
}

static void a_reload_makes_an_open_import_stale(void **state)
{
	const char *const records[] = { "name=a link=sgi address=10.0.0.1" };
	struct import *im = gather(records, 1);

	(void)state;
	reload();
	assert_int_equal(import_commit(im, on_done, NULL), -ESTALE);
	import_close(im);
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 0);
}

static void many_records_are_placed_in_passes(void **state)
{
	struct import *im = NULL;
	char text[64];

	(void)state;
	assert_int_equal(import_open(&im, w.s), 0);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof text, "name=d%u link=sgi address=10.0.1.%u ep=e%u", i, i, i);
		add(im, i + 1, text);
	}
	while (import_check(im, 7, on_fault, NULL))
		;
	w.done = 1;
	assert_int_equal(import_commit(im, on_done, NULL), 0);
	fake_store_commit(&w.store, 0);
	for (unsigned i = 0; i < 100 && w.done == 1; i++)
		pass_ms(1);
	assert_int_equal(w.done, 0);
	import_close(im);
	assert_int_equal(sessions_devices(w.s), 40);
	assert_int_equal(w.sgi.attached, 40);
}

/* ---- files and store ---- */

static void a_record_of_the_files_wins_by_its_name_as_long_as_it_is_there(void **state)
{
	const struct device *d;
	char why[200];

	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 ep=stored");
	d = device("a");
	file("a", "10.0.0.1", "filed");
	reload();
	assert_ptr_equal(device("a"), d); /* one device all the time */
	assert_false(d->stored);
	assert_string_equal(device_ep(d), "filed");
	assert_true(sessions_record_overruled(w.s, "a", why, sizeof why));
	assert_non_null(strstr(why, "etc:1"));
	assert_int_equal(alarms_count(w.alarms), 0); /* nothing is wrong with that */
	w.files_n = 0;
	reload();
	assert_ptr_equal(device("a"), d);
	assert_true(d->stored && d->at);
	assert_string_equal(device_ep(d), "stored");
	assert_false(sessions_record_overruled(w.s, "a", why, sizeof why));
	assert_int_equal(w.sgi.gone, 0);
}

static void an_import_under_the_name_of_a_file_waits_for_its_end(void **state)
{
	struct import_result r;

	(void)state;
	file("a", "10.0.0.1", "filed");
	reload();
	r = IMPORT("name=a link=sgi address=10.0.0.7 ep=stored");
	assert_int_equal(r.overruled, 1);
	assert_int_equal(r.added, 1);
	assert_string_equal(device_ep(device("a")), "filed");
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 1);
	r = IMPORT("name=a link=sgi address=10.0.0.8 ep=stored");
	assert_int_equal(r.replaced, 1);
	w.files_n = 0;
	reload();
	assert_string_equal(device("a")->conf->address, "10.0.0.8");
	assert_true(device("a")->at);
}

static void a_record_of_the_files_takes_identity_and_endpoint_name(void **state)
{
	char why[200];

	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 ep=ea", "name=b link=sgi address=10.0.0.2 ep=eb");
	file("f", "10.0.0.1", NULL);
	file("g", "10.0.0.3", "eb");
	reload();
	assert_null(device("a"));
	assert_null(device("b"));
	assert_true(device("f")->at && device("g")->at);
	assert_ptr_equal(sessions_find_ep(w.s, "eb", 2), device("g"));
	assert_true(sessions_record_overruled(w.s, "a", why, sizeof why));
	assert_int_equal(alarms_count(w.alarms), 1);
	w.files_n = 0;
	reload();
	assert_true(device("a")->at && device("b")->at);
	assert_int_equal(alarms_count(w.alarms), 0);
	assert_int_equal(w.s->overruled.count, 0);
}

static void a_record_that_no_longer_fits_waits_until_it_does(void **state)
{
	char why[200];

	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 profile=nb", "name=b link=sgi address=10.0.0.2");
	w.with_profile = false;
	reload();
	assert_null(device("a"));
	assert_non_null(device("b"));
	assert_true(sessions_record_overruled(w.s, "a", why, sizeof why));
	assert_string_equal(why, "profile: no profile is named \"nb\"");
	assert_int_equal(alarms_count(w.alarms), 1);
	w.with_profile = true;
	reload();
	assert_true(device("a")->at);
	assert_ptr_equal(device("a")->profile->conf, &w.profile);
	assert_int_equal(alarms_count(w.alarms), 0);
}

static void stored_devices_stand_behind_those_of_the_files(void **state)
{
	size_t i = 0;

	(void)state;
	IMPORT("name=s1 link=sgi address=10.0.0.1", "name=s2 link=sgi address=10.0.0.2");
	file("f1", "10.0.1.1", NULL);
	file("f2", "10.0.1.2", NULL);
	reload();
	assert_string_equal(device_name(table_next(w.s, &i)), "f1");
	assert_string_equal(device_name(table_next(w.s, &i)), "f2");
	assert_string_equal(device_name(table_next(w.s, &i)), "s1");
	assert_string_equal(device_name(table_next(w.s, &i)), "s2");
	assert_null(table_next(w.s, &i));
}

/* ---- removing ---- */

static void remove_record(const char *name, int expected)
{
	struct removal *r;
	int err = sessions_remove_record(w.s, name, &r, on_done, NULL);

	assert_int_equal(err, expected);
	if (err)
		return;
	w.done = 1;
	fake_store_commit(&w.store, 0);
	assert_int_equal(w.done, 0);
}

static void a_removed_device_is_gone_at_once_everywhere(void **state)
{
	struct removal *r;

	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 ep=ea", "name=b link=sgi address=10.0.0.2");
	w.done = 1;
	assert_int_equal(sessions_remove_record(w.s, "a", &r, on_done, NULL), 0);
	assert_null(device("a"));
	assert_null(sessions_find_ep(w.s, "ea", 2));
	assert_int_equal(w.sgi.gone, 1);
	assert_int_equal(w.done, 1);
	fake_store_commit(&w.store, 0);
	assert_int_equal(w.done, 0);
	assert_null(fake_row(&w.store, STORE_DEVICE, "a"));
	remove_record("a", -ENOENT);
	IMPORT("name=a2 link=sgi address=10.0.0.1 ep=ea"); /* all of it is free */
}

static void what_stands_in_the_files_is_not_removed(void **state)
{
	(void)state;
	file("f", "10.0.0.1", NULL);
	reload();
	remove_record("f", -EPERM);
	IMPORT("name=f link=sgi address=10.0.0.7");
	remove_record("f", 0); /* the stored one of that name */
	assert_non_null(device("f"));
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 0);
}

static void a_removal_that_nobody_waits_for_any_more_is_done_all_the_same(void **state)
{
	struct removal *r;

	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1");
	w.done = 1;
	assert_int_equal(sessions_remove_record(w.s, "a", &r, on_done, NULL), 0);
	removal_forget(r);
	fake_store_commit(&w.store, 0);
	assert_int_equal(w.done, 1);
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 0);
}

static void gaps_of_removed_devices_are_used_again(void **state)
{
	char text[64], name[16];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "name=d%u link=sgi address=10.0.0.%u", i, i);
		IMPORT(text);
		if (i < 4)
			continue;
		snprintf(name, sizeof name, "d%u", i - 4);
		remove_record(name, 0);
	}
	assert_int_equal(sessions_devices(w.s), 4);
	assert_in_range(sessions_places(w.s), 4, 40);
}

/* ---- over a restart ---- */

static void records_come_back_with_a_restart(void **state)
{
	(void)state;
	IMPORT("name=a link=sgi address=10.0.0.1 ep=ea servers=main", "name=b link=op external_id=b@x profile=nb",
	       "name=c link=sgi address=10.0.0.3");
	stop();
	file("c", "10.0.0.9", NULL);
	store_put(&w.store, STORE_DEVICE, "odd", 3, "2\nlink=sgi\n", 11); /* of a version to come */
	store_put(&w.store, STORE_DEVICE, "bad", 3, "1\nlink", 6);
	store_put(&w.store, STORE_DEVICE, "worse", 5, "1\nlink=sgi\nanger=5\n", 19);
	start();
	assert_true(device("a")->stored && device("a")->at && device("b")->at);
	assert_string_equal(device("a")->conf->ep, "ea");
	assert_string_equal(device("a")->conf->servers.v[0], "main");
	assert_string_equal(device("b")->conf->profile, "nb");
	assert_string_equal(device("c")->conf->address, "10.0.0.9"); /* the files' */
	assert_null(device("odd"));
	assert_null(device("bad"));
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 6); /* what cannot be read is not thrown away */
}

/* ---- rules ---- */

static struct device *contact(struct end *e, const char *identity)
{
	const struct link_identity id = { e == &w.op ? LINK_ID_EXTERNAL : LINK_ID_ADDRESS, identity, 0 };

	e->link.unknown_later = false;
	return session_link_events.unknown(w.s, &e->link, &id);
}

static void the_first_rule_that_matches_makes_a_device(void **state)
{
	struct device *d;

	(void)state;
	rule("op", "*@other", NULL);
	rule("op", "m[0-9]*@iot.example", "urn:{local}:at:{domain}");
	rule("sgi", "10.1.*", "ip-{identity}");
	rule("op", "m*", "never-{local}");
	reload();
	assert_null(contact(&w.op, "x7@iot.example"));
	assert_null(contact(&w.sgi, "10.2.0.1"));
	d = contact(&w.op, "m7@iot.example");
	assert_ptr_equal(d, device("m7@iot.example"));
	assert_true(d->stored && d->at);
	assert_string_equal(d->conf->ep, "urn:m7:at:iot.example");
	assert_ptr_equal(d->profile->conf, &w.profile);
	d = contact(&w.sgi, "10.1.0.1");
	assert_string_equal(d->conf->ep, "ip-10.1.0.1");
	assert_string_equal(d->conf->address, "10.1.0.1");
	d = contact(&w.op, "a@other");
	assert_null(d->conf->ep);
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 3);
	w.rules_n = 0;
	stop();
	start(); /* what a rule has made stays without it */
	assert_true(device("m7@iot.example")->at && device("a@other")->at);
}

static void a_flood_of_identities_makes_devices_at_a_bounded_rate(void **state)
{
	char id[32];
	unsigned made = 0, later = 0;

	(void)state;
	rule("op", "*", NULL);
	reload();
	for (unsigned i = 0; i < 3 * RULE_RATE; i++) {
		snprintf(id, sizeof id, "m%u@x", i);
		if (i < MOST && contact(&w.op, id))
			made++;
		else if (i >= MOST)
			break;
	}
	assert_int_equal(made, MOST);             /* all that this link takes, below the rate */
	w.s->rule_us = w.now_ms * 1000 + 1000000; /* as after a burst */
	assert_null(contact(&w.op, "late@x"));
	later += w.op.link.unknown_later;
	assert_int_equal(later, 1);
	assert_null(device("late@x"));
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), MOST);
	w.store.unusable = true;
	pass_ms(2000);
	assert_null(contact(&w.op, "late@x"));
	assert_true(w.op.link.unknown_later);
}

static void a_rule_takes_nothing_that_is_somebody_s(void **state)
{
	const char *const records[] = { "name=i link=op external_id=imported@x ep=imp" };
	struct import *im;

	(void)state;
	file("f", "10.9.9.9", "ep-m1@x");
	rule("op", "*", "ep-{identity}");
	reload();
	assert_null(contact(&w.op, "m1@x")); /* its endpoint name would be f's */
	assert_false(w.op.link.unknown_later);
	assert_null(contact(&w.op, "sl/ash@x")); /* no name of a device */
	im = gather(records, 1);
	assert_null(contact(&w.op, "imported@x")); /* it is about to come in another way */
	import_close(im);
	assert_non_null(contact(&w.op, "imported@x"));
	assert_int_equal(fake_rows(&w.store, STORE_DEVICE), 1);
}

static struct heard { /* a unit, and what was said to it */
	struct link_up up;
	int verdict; /* -1: nothing yet */
} heard[16];

static void on_verdict(struct link_up *up, enum link_verdict v)
{
	container_of(up, struct heard, up)->verdict = (int)v;
}

static void hear(unsigned i, struct device *d)
{
	static const uint8_t ping[] = { 0x40, 0, 0, 7 };

	heard[i] = (struct heard){ { .verdict = on_verdict, .arrival_ms = w.now_ms, .port_ue = -1, .port_scef = -1 },
				   -1 };
	session_link_events.uplink(w.s, &heard[i].up, d, ping, sizeof ping);
}

static struct device *contact_of_journalled(void)
{
	struct device *d;

	w.op.conf.journal = true;
	rule("op", "*", NULL);
	reload();
	d = contact(&w.op, "m1@x");
	assert_non_null(d);
	return d;
}

static void the_first_units_wait_until_the_record_is_on_disk(void **state)
{
	struct device *d = contact_of_journalled();

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		hear(i, d);
	assert_int_equal(heard[0].verdict, -1);
	assert_int_equal(heard[8].verdict, LINK_OVERLOAD); /* there is a bound */
	assert_int_equal(d->units_up, 0);
	fake_store_commit(&w.store, 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(heard[i].verdict, LINK_TAKEN);
	assert_int_equal(d->units_up, 8);
	hear(9, d);
	assert_int_equal(heard[9].verdict, LINK_TAKEN); /* from now on at once */
}

static void a_record_that_cannot_be_stored_makes_no_device(void **state)
{
	struct device *d = contact_of_journalled();

	(void)state;
	hear(0, d);
	fake_store_commit(&w.store, -EIO);
	assert_int_equal(heard[0].verdict, LINK_OVERLOAD);
	assert_null(device("m1@x"));
	assert_int_equal(w.op.gone, 1);
}

static void a_fresh_device_may_go_at_any_time(void **state)
{
	struct device *d = contact_of_journalled();
	struct removal *r;

	(void)state;
	hear(0, d);
	assert_int_equal(sessions_remove_record(w.s, "m1@x", &r, on_done, NULL), 0);
	assert_int_equal(heard[0].verdict, LINK_OVERLOAD);
	fake_store_commit(&w.store, 0);
	d = contact(&w.op, "m1@x");
	hear(1, d); /* and the end comes */
}

/* ---- at random ---- */

static void check_tables(void)
{
	size_t n = 0, at = 0, stored = 0, attached = 0;
	const struct device *d;

	while ((d = table_next(w.s, &at))) {
		n++;
		stored += d->stored;
		attached += d->at != NULL;
		assert_ptr_equal(w.s->table[d->place], d);
		assert_ptr_equal(device(device_name(d)), d);
		if (d->conf->ep)
			assert_ptr_equal(sessions_find_ep(w.s, d->conf->ep, strlen(d->conf->ep)), d);
	}
	assert_int_equal(n, sessions_devices(w.s));
	assert_int_equal(attached, n);
	assert_int_equal(stored + w.s->overruled.count, fake_rows(&w.store, STORE_DEVICE));
}

static void step(void)
{
	static char names[8][8], addresses[8][16], eps[8][8];
	unsigned name = random_below(12), address = random_below(12), ep = random_below(14);
	const char *records[1];
	struct import *im;
	char text[100];

	switch (random_below(6)) {
	case 0:
		snprintf(text, sizeof text, "n%u", name);
		w.done = 1;
		if (sessions_remove_record(w.s, text, &(struct removal *){ NULL }, on_done, NULL) == 0)
			fake_store_commit(&w.store, 0);
		return;
	case 1:
		w.files_n = 0;
		for (unsigned i = 0; i < 5; i++) {
			snprintf(names[i], sizeof names[i], "n%u", i * 2 + random_below(2));
			snprintf(addresses[i], sizeof addresses[i], "10.0.0.%u", i * 2 + random_below(2));
			snprintf(eps[i], sizeof eps[i], "e%u", i * 2 + random_below(2));
			if (random_below(3))
				file(names[i], addresses[i], random_below(3) ? eps[i] : NULL);
		}
		w.with_profile = random_below(4) != 0;
		reload();
		return;
	case 2:
		stop();
		start();
		return;
	default:
		snprintf(text, sizeof text,
			 ep < 10 ? "name=n%u link=sgi address=10.0.0.%u ep=e%u"
				 : "name=n%u link=sgi address=10.0.0.%u profile=nb",
			 name, address, ep);
		records[0] = text;
		im = gather(records, 1);
		w.done = 1;
		if (!w.faults) {
			assert_int_equal(import_commit(im, on_done, NULL), 0);
			if (random_below(8) == 0)
				reload(); /* under way */
			fake_store_commit(&w.store, 0);
			while (w.done == 1)
				pass_ms(1);
		}
		import_close(im);
		return;
	}
}

static void tables_agree_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		random_seed(seed);
		for (unsigned i = 0; i < 400; i++) {
			step();
			check_tables();
		}
		w.files_n = 0; /* the files give up everything: all that is stored is in effect, as far as it fits
				  together */
		w.with_profile = true;
		reload();
		check_tables();
		assert_int_equal(sessions_devices(w.s) + w.s->overruled.count, fake_rows(&w.store, STORE_DEVICE));
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_become_devices_when_they_are_durable),
		T(what_cannot_be_stored_changes_nothing),
		T(only_one_import_is_open),
		T(a_commit_is_carried_out_without_its_owner),
		T(the_end_comes_at_any_point_of_an_import),
		T(a_record_replaces_the_one_of_its_name),
		T(two_devices_may_change_places_in_one_import),
		T(what_is_taken_is_a_fault_with_its_line),
		T(a_reload_makes_an_open_import_stale),
		T(many_records_are_placed_in_passes),
		T(a_record_of_the_files_wins_by_its_name_as_long_as_it_is_there),
		T(an_import_under_the_name_of_a_file_waits_for_its_end),
		T(a_record_of_the_files_takes_identity_and_endpoint_name),
		T(a_record_that_no_longer_fits_waits_until_it_does),
		T(stored_devices_stand_behind_those_of_the_files),
		T(a_removed_device_is_gone_at_once_everywhere),
		T(what_stands_in_the_files_is_not_removed),
		T(a_removal_that_nobody_waits_for_any_more_is_done_all_the_same),
		T(gaps_of_removed_devices_are_used_again),
		T(records_come_back_with_a_restart),
		T(the_first_rule_that_matches_makes_a_device),
		T(a_flood_of_identities_makes_devices_at_a_bounded_rate),
		T(a_rule_takes_nothing_that_is_somebody_s),
		T(the_first_units_wait_until_the_record_is_on_disk),
		T(a_record_that_cannot_be_stored_makes_no_device),
		T(a_fresh_device_may_go_at_any_time),
		T(tables_agree_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
