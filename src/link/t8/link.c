/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - the T8 link as sessions see it, and what drives it
 *
 * The pump starts whatever may start: the list, configuration requests, deliveries, in that order. It runs after every
 * answer, and when a wait is over. Once a second deadlines of the whole link are looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define PEER_CONNECTIONS 64 /* an answer may be held back for a minute: that must not stop the others */
#define TICK_MS 1000

static const char *const alarm_types[T8_ALARM_COUNT] = { "t8.callback_rejected", "device.identity_mismatch" };

/* ---- alarms that clear themselves ---- */
void t8_alarm_brief(struct t8_link *l, enum t8_alarm which, const char *text)
{
	static const char *const actions[T8_ALARM_COUNT] = { "check who calls, and the credentials given to the peer",
							     "check on which link the device is configured" };

	l->alarm_until_ms[which] = clock_now_ms() + ALARM_HOLD_MS;
	alarm_raise(l->base.env->alarms, ALARM_WARNING, alarm_types[which], t8_name(l), text, actions[which]);
}

static void clear_alarms(struct t8_link *l, uint64_t now)
{
	for (int i = 0; i < T8_ALARM_COUNT; i++)
		if (l->alarm_until_ms[i] && now >= l->alarm_until_ms[i]) {
			l->alarm_until_ms[i] = 0;
			alarm_clear(l->base.env->alarms, alarm_types[i], t8_name(l));
		}
}

/* ---- pump ---- */
static struct t8_dev *take_work(struct t8_link *l, bool *hot)
{
	struct t8_dev *d = TAILQ_FIRST(&l->hot);

	*hot = d != NULL;
	if (d)
		TAILQ_REMOVE(&l->hot, d, work);
	else if ((d = TAILQ_FIRST(&l->cold)))
		TAILQ_REMOVE(&l->cold, d, work);
	if (d)
		d->flags &= (uint16_t) ~(D_QUEUED | D_HOT);
	return d;
}

static bool has_work(const struct t8_link *l)
{
	return l->listed && (!TAILQ_EMPTY(&l->hot) || !TAILQ_EMPTY(&l->cold));
}

static void pump_config(struct t8_link *l, uint64_t now)
{
	struct t8_dev *d;
	bool hot;

	while (has_work(l) && l->config_calls < CONFIG_CALLS_MAX && now >= l->config_wait_ms) {
		d = take_work(l, &hot);
		if (t8_config_turn(d))
			continue;
		if (hot)
			t8_config_queue(d, true);
		return;
	}
}

static void pump_deliveries(struct t8_link *l)
{
	struct t8_busy *b;

	while ((b = TAILQ_FIRST(&l->ready))) {
		TAILQ_REMOVE(&l->ready, b, ready);
		b->is_ready = false;
		if (t8_deliver_start(b->d) != -EAGAIN)
			continue;
		TAILQ_INSERT_HEAD(&l->ready, b, ready);
		b->is_ready = true;
		return;
	}
}

/* When is there a reason to look again, beside an answer? */
static uint64_t next_pump(const struct t8_link *l, uint64_t now)
{
	uint64_t leave = t8_circuit_at(&l->circuit, now), at = UINT64_MAX;

	if (leave == UINT64_MAX)
		return at; /* the probe's answer */
	if (l->list_at_ms && !l->list_call)
		at = l->list_at_ms > leave ? l->list_at_ms : leave;
	if (has_work(l) && l->config_calls < CONFIG_CALLS_MAX) {
		uint64_t work = l->config_wait_ms > leave ? l->config_wait_ms : leave;

		at = work < at ? work : at;
	}
	if (!TAILQ_EMPTY(&l->ready) && leave < at)
		at = leave;
	return at;
}

static void on_pump(struct timer *t, uint64_t now_ms)
{
	struct t8_link *l = container_of(t, struct t8_link, pump);

	(void)now_ms;
	t8_keep_tell(l);
	t8_pump(l);
}

void t8_pump(struct t8_link *l)
{
	uint64_t now = clock_now_ms(), at;

	if (l->closing)
		t8_drain_step(l);
	if (l->pumping || l->closing || l->news)
		return; /* with news the timer is set, and the session hears them before anything goes */
	l->pumping = true;
	if (l->list_at_ms && now >= l->list_at_ms && !l->list_call && l->devs_n)
		t8_list_start(l);
	pump_config(l, now);
	t8_resume_pump(l);
	pump_deliveries(l);
	l->pumping = false;
	at = next_pump(l, now);
	if (at == UINT64_MAX)
		timer_cancel(l->timers, &l->pump);
	else
		timer_set(l->timers, &l->pump, at > now ? at : now + TICK_MS,
			  on_pump); /* due now and not started: the client is full */
}

static void on_tick(struct timer *t, uint64_t now_ms)
{
	struct t8_link *l = container_of(t, struct t8_link, tick);

	t8_keep_unclaimed(l);
	t8_keep_flying(l);
	t8_sweep(l);
	t8_pending_expire(l);
	if (l->holds)
		t8_holds_retry(l, true);
	clear_alarms(l, now_ms);
	t8_pump(l);
	timer_set(l->timers, &l->tick, now_ms + TICK_MS, on_tick);
}

/* ---- opening and closing ---- */
static void on_token(void *arg, bool ok)
{
	t8_token_result(arg, ok);
}

static int open_client(struct t8_link *l, const struct t8_conf *c)
{
	const struct http_client_conf conf = {
		.base = l->root,
		.auth = (enum http_auth)c->auth,
		.user = c->user,
		.password_file = c->password,
		.token_url = c->token_url,
		.client_id = c->client_id,
		.client_secret_file = c->client_secret,
		.scope = c->scope,
		.token_auth_basic = c->token_auth == 1,
		.ca_file = c->ca_file,
		.cert_file = c->cert_file,
		.key_file = c->key_file,
		.proxy = c->proxy,
		.version = (enum http_version)c->http,
		.timeout_ms = 60000,
		.connect_ms = 10000,
		.connections = PEER_CONNECTIONS,
		.queue = 10000,
		.body_bytes = 1u << 20,
	};
	int err = http_client_open(&l->client, l->base.env->loop, &conf);

	if (!err)
		http_client_on_token(l->client, on_token, l);
	return err;
}

static void make_cells(struct t8_link *l)
{
	static const double bounds[] = { 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2 };
	static const char help[] = "Token requests by result.";
	struct metrics *m = l->base.env->metrics;
	char labels[300], peer[256];

	l->token_ok = metrics_counter(m, "t8_token_refresh_total", "result=\"ok\"", help);
	l->token_bad = metrics_counter(m, "t8_token_refresh_total", "result=\"failed\"", help);
	snprintf(labels, sizeof labels, "peer=\"%s\"", metrics_label(peer, sizeof peer, t8_name(l)));
	l->test_missing = metrics_counter(m, "t8_test_missing_total", labels,
					  "Configurations whose test notification did not come.");
	l->callback_seconds = metrics_histogram(m, "callback_seconds", NULL, "Time from a notification to its answer.",
						bounds, sizeof bounds / sizeof *bounds);
}

static void init_lists(struct t8_link *l)
{
	LIST_INIT(&l->ups);
	LIST_INIT(&l->calls);
	TAILQ_INIT(&l->hot);
	TAILQ_INIT(&l->cold);
	TAILQ_INIT(&l->ready);
	TAILQ_INIT(&l->lookups);
	TAILQ_INIT(&l->pendings);
	TAILQ_INIT(&l->unmatched);
}

static int join_shared(struct t8_link *l, const struct link_env *env)
{
	struct t8_shared *s = env->t8 ? *env->t8 : NULL;

	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return -ENOMEM;
		LIST_INIT(&s->listeners);
		LIST_INIT(&s->links);
		LIST_INIT(&s->draining);
		s->slot = env->t8;
		if (env->t8)
			*env->t8 = s;
	}
	l->shared = s;
	LIST_INSERT_HEAD(&s->links, l, mate);
	return 0;
}

void t8_shared_put(struct t8_shared *s)
{
	if (!LIST_EMPTY(&s->links) || !LIST_EMPTY(&s->draining))
		return;
	if (s->slot)
		*s->slot = NULL;
	free(s);
}

static void leave_shared(struct t8_link *l)
{
	struct t8_shared *s = l->shared;

	if (!s)
		return;
	LIST_REMOVE(l, mate);
	t8_shared_put(s);
}

static void drop_calls(struct t8_link *l, bool but_last)
{
	struct t8_call *c, *next;

	for (c = LIST_FIRST(&l->calls); c; c = next) {
		next = LIST_NEXT(c, link);
		if (!but_last || !c->last)
			t8_call_drop(c);
	}
	t8_list_fini(&l->list);
	l->list_call = NULL;
}

static void drop_unmatched(struct t8_link *l)
{
	struct t8_unmatched *u;

	while ((u = TAILQ_FIRST(&l->unmatched))) {
		TAILQ_REMOVE(&l->unmatched, u, age);
		free(u);
	}
}

static void clear_all_alarms(struct t8_link *l)
{
	struct alarms *a = l->base.env->alarms;

	if (l->unreachable)
		alarm_clear(a, "t8.unreachable", t8_name(l));
	if (l->auth_failed)
		alarm_clear(a, "t8.auth_failed", t8_name(l));
	if (!l->own)
		alarm_clear(a, "t8.config_lost", t8_name(l));
	l->unreachable = l->auth_failed = false;
	clear_alarms(l, UINT64_MAX);
}

/* Whatever is left of a closed link. */
void t8_free(struct t8_link *l)
{
	drop_calls(l, false);
	if (l->client)
		http_client_close(l->client);
	timer_cancel(l->timers, &l->tick);
	clear_all_alarms(l);
	leave_shared(l);
	map_fini(&l->by_id);
	map_fini(&l->by_alias);
	map_fini(&l->by_tail);
	map_fini(&l->pending);
	free(l->devs);
	free(l->echo);
	free(l->root);
	free(l);
}

static void t8_close(struct link *base, bool stop)
{
	struct t8_link *l = (struct t8_link *)base;

	if (!l)
		return;
	l->closing = true;
	t8_callback_close(l);
	while (l->devs_n)
		t8_detach((struct link_dev *)l->devs[0], false);
	drop_calls(l, !stop);
	drop_unmatched(l);
	t8_keep_close(l);
	timer_cancel(l->timers, &l->tick);
	timer_cancel(l->timers, &l->pump);
	clear_all_alarms(l);
	if (stop && l->shared)
		t8_drain_end(l->shared);
	if (LIST_EMPTY(&l->calls) || !t8_drain(l))
		t8_free(l);
}

static char *root_of(const char *api_root)
{
	size_t len = strlen(api_root);

	while (len && api_root[len - 1] == '/')
		len--;
	return strndup(api_root, len);
}

static int bring_up(struct t8_link *l, const struct t8_conf *c, const struct link_env *env)
{
	int err = join_shared(l, env);

	if (err)
		return err;
	l->root = root_of(c->api_root);
	if (!l->root)
		return -ENOMEM;
	err = t8_segment(l->scs, sizeof l->scs, c->scs_as_id);
	if (!err)
		err = open_client(l, c);
	if (!err)
		err = t8_callback_open(l, &c->callback, env);
	return err;
}

static int t8_open(struct link **out, const struct link_conf *conf, const struct link_env *env)
{
	const struct t8_conf *c = (const struct t8_conf *)conf;
	struct t8_link *l = calloc(1, sizeof *l);
	int err;

	if (!l)
		return -ENOMEM;
	link_init(&l->base, &link_t8_ops, conf, env);
	l->conf = c;
	l->timers = loop_timers(env->loop);
	l->pump.fn = on_pump;
	l->since_wall_ms = clock_wall_ms();
	l->listed = c->config_mode == T8_CONFIG_NONE;
	init_lists(l);
	make_cells(l);
	err = bring_up(l, c, env);
	if (!err)
		err = t8_keep_open(l);
	if (err) {
		log_ev(LOG_ERROR, ROOM, "link.open_failed", LF_STR("link", t8_name(l)), LF_STR("why", strerror(-err)));
		t8_close(&l->base, true);
		return err;
	}
	timer_set(l->timers, &l->tick, clock_now_ms() + TICK_MS, on_tick);
	*out = &l->base;
	return 0;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* What is built into connections, paths and resources at the peer. */
static bool needs_open(const struct t8_conf *a, const struct t8_conf *b)
{
	const struct t8_callback_conf *x = &a->callback, *y = &b->callback;

	return !same(a->api_root, b->api_root) || !same(a->scs_as_id, b->scs_as_id) || a->auth != b->auth ||
		!same(a->user, b->user) || !same(a->password, b->password) || !same(a->token_url, b->token_url) ||
		a->token_auth != b->token_auth || !same(a->client_id, b->client_id) ||
		!same(a->client_secret, b->client_secret) || !same(a->scope, b->scope) ||
		!same(a->ca_file, b->ca_file) || !same(a->cert_file, b->cert_file) || !same(a->key_file, b->key_file) ||
		!same(a->proxy, b->proxy) || a->http != b->http || a->dialect != b->dialect ||
		a->release != b->release || !same(a->features, b->features) || a->config_mode != b->config_mode ||
		!same(x->listen, y->listen) || !same(x->url, y->url) || !same(x->path, y->path) ||
		t8_callback_tls(x) != t8_callback_tls(y) || !same(a->base.head.name, b->base.head.name);
}

static bool t8_keeps(const struct link *l, const struct link_conf *conf)
{
	return !needs_open(((const struct t8_link *)l)->conf, (const struct t8_conf *)conf);
}

/* A listener is shared by links that agree on TLS. */
static bool t8_blocks(const struct link *l, const struct link_conf *conf)
{
	const struct t8_callback_conf *mine = &((const struct t8_link *)l)->conf->callback,
				      *theirs = &((const struct t8_conf *)conf)->callback;

	return same(mine->listen, theirs->listen) && t8_callback_tls(mine) != t8_callback_tls(theirs);
}

static int t8_reconf(struct link *base, const struct link_conf *conf)
{
	struct t8_link *l = (struct t8_link *)base;
	const struct t8_conf *c = (const struct t8_conf *)conf;

	if (needs_open(l->conf, c))
		return -EBUSY;
	if (t8_callback_reconf(l, &c->callback))
		return -EBUSY; /* opening anew says what is wrong */
	l->base.conf = conf;
	l->conf = c;
	http_client_token_retry(l->client);
	t8_pump(l);
	return 0;
}

static void t8_status(const struct link *base, struct link_status *st)
{
	const struct t8_link *l = (const struct t8_link *)base;
	uint64_t now = clock_now_ms();
	const char *why = "";

	if (l->auth_failed)
		why = ", credentials refused";
	else if (l->circuit.open || l->unreachable)
		why = ", peer does not answer";
	else if (l->circuit.pause_until_ms > now)
		why = ", peer asked for a pause";
	st->state = l->circuit.open || l->auth_failed || l->unreachable ? "down" : l->listed ? "up" : "starting";
	snprintf(st->detail, sizeof st->detail,
		 "%u devices, %u units waiting, %zu at the peer, %u configuration requests%s", l->devs_n, l->queued,
		 l->pending.count, l->config_calls, why);
	st->since_wall_ms = l->since_wall_ms;
	st->last_ok_wall_ms = l->last_ok_wall_ms;
}

const struct link_ops link_t8_ops = {
	.name = "t8",
	.queues = true,
	.items = link_t8_items,
	.conf_size = sizeof(struct t8_conf),
	.check = t8_conf_check,
	.open = t8_open,
	.keeps = t8_keeps,
	.blocks = t8_blocks,
	.reconf = t8_reconf,
	.attach = t8_attach,
	.find = t8_find_device,
	.detach = t8_detach,
	.set_mtu = t8_set_mtu,
	.send = t8_send,
	.cancel = t8_cancel,
	.cancel_key = t8_cancel_key,
	.status = t8_status,
	.describe = t8_describe,
	.close = t8_close,
	.end = t8_end,
};
