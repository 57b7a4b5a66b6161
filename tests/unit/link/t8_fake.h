/* SPDX-License-Identifier: Apache-2.0 */
/* t8_fake.h - a peer and a listener under the test's hand, in place of http/client and http/server
 *
 * The symbols of both headers are defined here, so the real rooms stay out of the program. Requests of the link are
 * kept in order until the test answers them; notifications go in by a call. Nothing touches a socket; the clock is
 * turned by hand.
 */
#ifndef T8_FAKE_H
#define T8_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"
#include "link/t8/t8.h"
#include "store/store.h"

/* ---- client ---- */
struct http_call {
	enum http_method method;
	char *url, *body;
	const char *type;
	http_part_fn *part;
	http_done_fn *done;
	void *arg;
	uint64_t timeout_ms;
	struct http_call *next;
};
struct http_client {
	int unused;
};
static struct http_call *calls; /* not answered yet, oldest first */
static unsigned calls_made;
static int call_error;
static bool token_retried;
static void (*on_token_fn)(void *arg, bool ok);
static void *on_token_arg;

int http_client_open(struct http_client **out, struct loop *loop, const struct http_client_conf *conf)
{
	(void)loop;
	(void)conf;
	*out = calloc(1, sizeof **out);
	return *out ? 0 : -ENOMEM;
}

void http_client_close(struct http_client *c)
{
	free(c);
}

int http_client_call(struct http_client *c, struct http_call **out, const struct http_call_conf *conf,
		     http_done_fn *done, void *arg)
{
	struct http_call *call, **at = &calls;

	(void)c;
	if (call_error)
		return call_error;
	call = calloc(1, sizeof *call);
	call->method = conf->method;
	call->url = strdup(conf->url);
	call->body = strndup(conf->len ? conf->body : "", conf->len);
	call->type = conf->content_type;
	call->part = conf->part;
	call->done = done;
	call->arg = arg;
	call->timeout_ms = conf->timeout_ms;
	while (*at)
		at = &(*at)->next;
	*at = call;
	calls_made++;
	*out = call;
	return 0;
}

static void call_free(struct http_call *call)
{
	struct http_call **at = &calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	free(call->url);
	free(call->body);
	free(call);
}

void http_call_cancel(struct http_call *call)
{
	call_free(call);
}

size_t http_client_pending(const struct http_client *c)
{
	(void)c;
	return 0;
}

enum http_token_state http_client_token(const struct http_client *c)
{
	(void)c;
	return HTTP_TOKEN_NONE;
}

const char *http_client_token_error(const struct http_client *c)
{
	(void)c;
	return "";
}

void http_client_token_retry(struct http_client *c)
{
	(void)c;
	token_retried = true;
}

void http_client_on_token(struct http_client *c, void (*fn)(void *arg, bool ok), void *arg)
{
	(void)c;
	on_token_fn = fn;
	on_token_arg = arg;
}

/* The oldest request whose URL ends with this, by method; NULL. */
static inline struct http_call *asked(enum http_method method, const char *end)
{
	for (struct http_call *c = calls; c; c = c->next)
		if (c->method == method && strlen(c->url) >= strlen(end) &&
		    !strcmp(c->url + strlen(c->url) - strlen(end), end))
			return c;
	return NULL;
}

static inline unsigned asked_count(enum http_method method, const char *part)
{
	unsigned n = 0;

	for (struct http_call *c = calls; c; c = c->next)
		n += c->method == method && strstr(c->url, part) != NULL;
	return n;
}

static inline void finish_with(struct http_call *c, struct http_result *r)
{
	http_done_fn *done;
	void *arg;

	assert_non_null(c);
	done = c->done;
	arg = c->arg;
	if (!r->body)
		r->body = "";
	r->len = strlen(r->body);
	if (!r->content_type)
		r->content_type = "";
	if (c->part && r->outcome == HTTP_ANSWERED)
		c->part(arg, r->body, r->len);
	call_free(c);
	done(arg, r);
}

static inline void reply(struct http_call *c, int status, const char *location, const char *body)
{
	struct http_result r = { .outcome = HTTP_ANSWERED, .status = status, .location = location, .body = body };

	finish_with(c, &r);
}

static inline void lose(struct http_call *c, enum http_outcome outcome)
{
	struct http_result r = { .outcome = outcome, .error = "test" };

	finish_with(c, &r);
}

/* ---- server ---- */
const struct http_limits http_limits_default = { 16384, 64, 65536, 10000, 60000, 256, 64 };

struct http_request {
	enum http_method method;
	const char *target, *names[8], *values[8];
	unsigned headers;
	size_t announced;
	struct addr from;
	const char *subject;
	void *data;
	int status; /* 0: not answered */
	char answer[512], retry_after[16];
};
struct http_server {
	struct addr at;
	const struct http_handler *handler;
	void *arg;
	bool tls;
};
static struct http_server *servers[4];

int http_server_open(struct http_server **out, struct loop *loop, const struct addr *addr,
		     const struct http_tls_conf *tls, const struct http_limits *limits, const struct http_handler *h,
		     void *arg)
{
	struct http_server *s = calloc(1, sizeof *s);

	(void)loop;
	(void)limits;
	s->at = *addr;
	s->handler = h;
	s->arg = arg;
	s->tls = tls != NULL;
	for (int i = 0; i < 4; i++)
		if (!servers[i]) {
			servers[i] = s;
			*out = s;
			return 0;
		}
	free(s);
	return -EADDRINUSE;
}

void http_server_stop(struct http_server *s)
{
	(void)s;
}

void http_server_close(struct http_server *s)
{
	for (int i = 0; i < 4; i++)
		if (servers[i] == s)
			servers[i] = NULL;
	free(s);
}

void http_server_set_arg(struct http_server *s, void *arg)
{
	s->arg = arg;
}

int http_server_set_tls(struct http_server *s, const struct http_tls_conf *tls)
{
	(void)s;
	(void)tls;
	return 0;
}

void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
	(void)s;
	(void)limits;
}

unsigned http_server_connections(const struct http_server *s)
{
	(void)s;
	return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
	return addr_port(&s->at);
}

enum http_method http_request_method(const struct http_request *r)
{
	return r->method;
}

const char *http_request_target(const struct http_request *r)
{
	return r->target;
}

const struct addr *http_request_from(const struct http_request *r)
{
	return &r->from;
}

const char *http_request_header(const struct http_request *r, const char *name, unsigned *count)
{
	const char *found = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < r->headers; i++)
		if (!strcmp(r->names[i], name)) {
			found = found ? found : r->values[i];
			n++;
		}
	if (count)
		*count = n;
	return found;
}

size_t http_request_content_length(const struct http_request *r)
{
	return r->announced;
}

const char *http_request_client_subject(const struct http_request *r)
{
	return r->subject;
}

void *http_request_data(const struct http_request *r)
{
	return r->data;
}

void http_request_set_data(struct http_request *r, void *data)
{
	r->data = data;
}

void http_respond(struct http_request *r, int status, const struct http_header *headers, size_t n, const char *type,
		  const void *body, size_t len)
{
	(void)type;
	assert_int_equal(r->status, 0);
	r->status = status;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(headers[i].name, "Retry-After"))
			snprintf(r->retry_after, sizeof r->retry_after, "%s", headers[i].value);
	snprintf(r->answer, sizeof r->answer, "%.*s", (int)len, len ? (const char *)body : "");
}

void http_respond_close(struct http_request *r, int status)
{
	r->status = status;
}

void http_request_abort(struct http_request *r)
{
	(void)r;
}

static inline void header(struct http_request *r, const char *name, const char *value)
{
	r->names[r->headers] = name;
	r->values[r->headers++] = value;
}

/* ---- store ---- */
struct store {
	bool distrusted; /* the clock */
	unsigned puts, deletes;
};
static struct store fake_store;
static struct fake_record {
	struct fake_record *next;
	enum store_table table;
	size_t key_len, len;
	uint8_t *key, *data;
} * records;

static struct fake_record **record_at(enum store_table t, const void *key, size_t key_len)
{
	struct fake_record **at = &records;

	while (*at && !((*at)->table == t && (*at)->key_len == key_len && !memcmp((*at)->key, key, key_len)))
		at = &(*at)->next;
	return at;
}

static void record_free(struct fake_record **at)
{
	struct fake_record *r = *at;

	*at = r->next;
	free(r->key);
	free(r->data);
	free(r);
}

void store_delete(struct store *s, enum store_table t, const void *key, size_t key_len)
{
	struct fake_record **at = record_at(t, key, key_len);

	s->deletes++;
	if (*at)
		record_free(at);
}

void store_put(struct store *s, enum store_table t, const void *key, size_t key_len, const void *data, size_t len)
{
	struct fake_record **at = record_at(t, key, key_len), *r;

	s->puts++;
	if (*at)
		record_free(at);
	r = calloc(1, sizeof *r);
	*r = (struct fake_record){ *at, t, key_len, len, malloc(key_len), malloc(len + 1) };
	memcpy(r->key, key, key_len);
	memcpy(r->data, data, len);
	*at = r;
}

int store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg)
{
	int err = 0;

	(void)s;
	for (struct fake_record *r = records; r && !err; r = r->next)
		if (r->table == t)
			err = fn(arg, r->key, r->key_len, r->data, r->len);
	return err;
}

bool store_clock_is_trusted(const struct store *s)
{
	return !s->distrusted;
}

static inline unsigned records_count(void)
{
	unsigned n = 0;

	for (const struct fake_record *r = records; r; r = r->next)
		n++;
	return n;
}

static inline void records_drop(void)
{
	while (records)
		record_free(&records);
	fake_store = (struct store){ 0 };
}

/* ---- sessions ---- */
struct seen {
	struct link_down_event down[64];
	struct link_dev_event dev[64];
	unsigned downs, devs, ups, unknowns;
	uint8_t up[2048];
	size_t up_len;
	int16_t port_ue;
	struct device *up_dev;
	struct link_up *waiting; /* when verdicts are late */
	bool late, make;         /* make: an unknown identity is attached */
	enum link_verdict verdict;
};
static struct seen seen;

/* ---- the scene ---- */
static struct t8_scene {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct t8_shared *shared;
	struct link_env env;
	struct t8_conf conf;
	struct link *link;
	uint64_t now, wall;
} sc;
static const uint8_t test_key[32] = "0123456789abcdef0123456789abcde";
static char devices[512];

static void on_uplink(void *arg, struct link_up *up, struct device *dev, const uint8_t *data, size_t len)
{
	(void)arg;
	seen.ups++;
	seen.up_dev = dev;
	seen.up_len = len;
	seen.port_ue = up->port_ue;
	memcpy(seen.up, data, len);
	if (seen.late)
		seen.waiting = up;
	else
		link_verdict(up, seen.verdict);
}

static struct device *on_unknown(void *arg, struct link *l, const struct link_identity *id)
{
	struct link_dev *d;

	(void)arg;
	seen.unknowns++;
	if (!seen.make || l->ops->attach(l, &d, id, (struct device *)&devices[99], 1358))
		return NULL;
	return (struct device *)&devices[99];
}

static void on_down(void *arg, struct device *dev, const struct link_down_event *ev)
{
	(void)arg;
	(void)dev;
	seen.down[seen.downs++ % 64] = *ev;
}

static void on_device(void *arg, struct device *dev, const struct link_dev_event *ev)
{
	(void)arg;
	(void)dev;
	seen.dev[seen.devs++ % 64] = *ev;
}

static const struct link_events test_events = { on_uplink, on_unknown, on_down, on_device };

static inline void pass(uint64_t ms)
{
	uint64_t end = sc.now + ms;

	do {
		uint64_t step = end - sc.now > 500 ? 500 : end - sc.now;

		sc.now += step;
		sc.wall += step;
		clock_fake(sc.now, sc.wall);
		timers_run(loop_timers(sc.loop), sc.now, 0);
	} while (sc.now < end);
}

static inline void t8_conf_defaults(struct t8_conf *c)
{
	memset(c, 0, sizeof *c);
	c->base.head.name = "op-a";
	c->base.enabled = c->base.journal = true;
	c->api_root = "https://scef.example:8443/";
	c->scs_as_id = "gw7";
	c->release = 19;
	c->test_notification = true;
	c->delivery_timeout_s = 60;
	c->callback.listen = "127.0.0.1:8444";
	c->callback.url = "http://gw7.example:8444";
	c->callback.max_body_bytes = 65536;
}

static inline void scene_env(void)
{
	random_seed(1);
	sc.now = 1000000;
	sc.wall = 1767225600000; /* 2026-01-01 */
	clock_fake(sc.now, sc.wall);
	log_set(LOG_ERROR, LOG_TEXT);
	assert_int_equal(loop_new(&sc.loop), 0);
	assert_int_equal(metrics_new(&sc.metrics), 0);
	assert_int_equal(alarms_new(&sc.alarms, 100), 0);
	sc.env = (struct link_env){ sc.loop,      sc.metrics, sc.alarms,  test_key, "gw7",
				    &test_events, NULL,       &sc.shared, NULL };
	memset(&seen, 0, sizeof seen);
	calls_made = 0;
	call_error = 0;
	t8_conf_defaults(&sc.conf);
}

static inline struct t8_link *scene_open(void)
{
	assert_int_equal(link_t8_ops.open(&sc.link, &sc.conf.base, &sc.env), 0);
	return (struct t8_link *)sc.link;
}

static inline void scene_close(void)
{
	link_t8_ops.close(sc.link, true);
	assert_null(sc.shared);
	assert_null(calls);
	alarms_free(sc.alarms);
	metrics_free(sc.metrics);
	loop_free(sc.loop);
}

static inline struct t8_dev *add_to(struct link *l, enum link_id_kind kind, const char *id, unsigned n)
{
	const struct link_identity identity = { kind, id, 0 };
	struct link_dev *d = NULL;

	assert_int_equal(link_t8_ops.attach(l, &d, &identity, (struct device *)&devices[n], 1600), 0);
	return (struct t8_dev *)d;
}

static inline struct t8_dev *add(const char *external_id)
{
	return add_to(sc.link, LINK_ID_EXTERNAL, external_id, 1);
}

static inline struct http_request request_to(const struct t8_link *l)
{
	struct http_request r = { .method = HTTP_POST, .target = l->path, .announced = 10 };

	assert_int_equal(addr_parse(&r.from, "127.0.0.1:5000", true), 0);
	header(&r, "content-type", "application/json");
	return r;
}

/* Header and body of a request, as the server would bring them. */
static inline void offer(struct http_request *r, const char *body)
{
	struct http_server *s = servers[0];
	int status = s->handler->head(s->arg, r);

	if (status)
		r->status = status;
	else
		s->handler->request(s->arg, r, (const uint8_t *)body, strlen(body));
}

static inline int notify(const char *body)
{
	static struct http_request r;

	r = request_to((struct t8_link *)sc.link);
	offer(&r, body);
	return r.status;
}

/* One device with an active configuration .../configurations/42. */
static inline struct t8_dev *active_device(void)
{
	struct t8_dev *d;

	scene_open();
	d = add("m1@iot.example");
	pass(1000);
	reply(asked(HTTP_GET, "/configurations"), 200, NULL, "[]");
	reply(asked(HTTP_POST, "/gw7/configurations"), 201,
	      "https://scef.example:8443/3gpp-nidd/v1/gw7/configurations/42", "{\"maximumPacketSize\":10864}");
	assert_int_equal(d->state, T8_CFG_ACTIVE);
	return d;
}

static inline int send_unit(struct t8_dev *d, uint32_t id, const char *data, size_t len)
{
	const struct link_down how = {
		.id = id, .klass = LINK_REQUEST, .deadline_ms = sc.now + 110000, .port_ue = -1, .port_scef = -1
	};

	return link_t8_ops.send((struct link_dev *)d, &how, (const uint8_t *)data, len);
}

static inline struct link_down_event last_down(void)
{
	assert_true(seen.downs > 0);
	return seen.down[(seen.downs - 1) % 64];
}

static inline bool alarm_is_raised(const char *type);
static inline void alarm_look(void *arg, const struct alarm *a)
{
	const char **want = arg;

	if (*want && !strcmp(a->type, *want))
		*want = NULL;
}
static inline bool alarm_is_raised(const char *type)
{
	alarms_each(sc.alarms, alarm_look, &type);
	return type == NULL;
}

#define DELIVERIES "/3gpp-nidd/v1/gw7/configurations/42/downlink-data-deliveries"

#endif
