/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - the calls of one peer: who waits, who runs, who is told
 *
 * A call goes through lists: waiting (for a token), queue, running, ended. All moves between them that could call back
 * are made from one timer, so that no caller is ever called from within its own call.
 */
#include "http/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/client_internal.h"
#include "http/internal.h"

enum { STREAMS = 32, IDLE_MOST = 64 };

/* ---- lists ---- */

static void on_waited(struct timer *t, uint64_t now_ms)
{
	struct http_call *call = container_of(t, struct http_call, wait);
	const struct http_client *c = call->client;

	(void)now_ms;
	if (call->state == CALL_NEEDS_TOKEN)
		call_end(call, HTTP_NOT_SENT, c->token.error[0] ? c->token.error : "no token in time");
	else
		call_end(call, HTTP_NOT_SENT, "no connection free in time");
}

static void unlink_call(struct http_call *call)
{
	struct call_list *l = call->list;

	if (!l)
		return;
	*(call->prev ? &call->prev->next : &l->first) = call->next;
	*(call->next ? &call->next->prev : &l->last) = call->prev;
	l->count--;
	call->list = NULL;
	call->next = call->prev = NULL;
}

void call_queue(struct http_call *call, struct call_list *list, enum call_state state, bool front)
{
	struct timers *timers = loop_timers(call->client->loop);

	unlink_call(call);
	call->state = state;
	if (state == CALL_RUNNING || state == CALL_ENDED)
		timer_cancel(timers, &call->wait);
	else if (!timer_is_set(&call->wait))
		timer_set(timers, &call->wait, clock_now_ms() + call->timeout_ms, on_waited);
	if (!list)
		return;
	call->list = list;
	call->next = front ? list->first : NULL;
	call->prev = front ? NULL : list->last;
	*(call->prev ? &call->prev->next : &list->first) = call;
	*(call->next ? &call->next->prev : &list->last) = call;
	list->count++;
}

void call_end(struct http_call *call, enum http_outcome outcome, const char *error)
{
	call->outcome = outcome;
	if (error)
		snprintf(call->error, sizeof call->error, "%s", error);
	call_queue(call, &call->client->ended, CALL_ENDED, false);
	client_kick(call->client);
}

/* ---- telling ---- */

static void tell(struct http_call *call)
{
	http_done_fn *done = call->done;
	const struct http_result res = {
		.outcome = call->outcome,
		.status = call->status,
		.body = call->answer ? call->answer : "",
		.len = call->answer_len,
		.content_type = call->content_type,
		.location = call->location,
		.has_retry_after = call->has_retry_after,
		.retry_after_ms = call->retry_after_ms,
		.final_url = call->url,
		.permanent_redirect = call->hops && call->all_permanent,
		.error = call->error,
		.tls_failed = call->tls_failed,
		.auth_failed = call->auth_failed,
	};

	call->done = NULL; /* it cannot be cancelled any more */
	if (done)
		done(call->arg, &res);
}

static void tell_ended(struct http_client *c)
{
	struct http_call *call;

	while ((call = c->ended.first)) {
		call_queue(call, NULL, CALL_ENDED, false);
		tell(call);
		call_free(call);
	}
}

/* ---- starting ---- */

static bool needs_token(const struct http_call *call)
{
	return call->client->conf.auth == HTTP_AUTH_OAUTH2 && !call->no_auth;
}

static size_t running(const struct http_client *c)
{
	const struct http_call *fetch = c->token.fetch;

	return c->running.count - (fetch && fetch->list == &c->running);
}

static void start(struct http_call *call)
{
	struct http_client *c = call->client;
	int err = call_start(call);

	if (!err)
		call_queue(call, &c->running, CALL_RUNNING, false);
	else
		call_end(call, HTTP_NOT_SENT, call->error[0] ? NULL : strerror(-err));
}

static void pump(struct http_client *c)
{
	const size_t most = (size_t)c->conf.connections * (c->h2 ? STREAMS : 1);
	struct http_call *call;

	while (!c->closing && running(c) < most && (call = c->queue.first)) {
		if (!needs_token(call) || token_usable(c)) {
			if (needs_token(call) && clock_now_ms() >= c->token.refresh_ms)
				token_want(c); /* this one still goes with the old one */
			start(call);
		} else {
			call_queue(call, &c->waiting, CALL_NEEDS_TOKEN, false);
			client_token_changed(c);
		}
	}
}

static void on_kick(struct timer *t, uint64_t now_ms)
{
	struct http_client *c = container_of(t, struct http_client, kick);

	(void)now_ms;
	client_enter(c);
	tell_ended(c);
	pump(c);
	client_leave(c);
}

void client_kick(struct http_client *c)
{
	if (!c->closing && !timer_is_set(&c->kick))
		timer_set(loop_timers(c->loop), &c->kick, clock_now_ms(), on_kick);
}

/* The calls that wait for a token go on, to the front of the queue; or they end; or they wait for the next try. */
void client_token_changed(struct http_client *c)
{
	struct http_call *call;

	if (c->closing)
		return;
	if (c->token.refused) {
		while ((call = c->waiting.first)) {
			call->auth_failed = true;
			call_end(call, HTTP_NOT_SENT, c->token.error);
		}
	} else if (token_usable(c)) {
		while ((call = c->waiting.last))
			call_queue(call, &c->queue, CALL_QUEUED, true);
	} else if (c->waiting.first) {
		token_want(c);
	}
	client_kick(c);
}

/* ---- opening and closing ---- */

static int copy_text(const char **to)
{
	if (*to && !(*to = strdup(*to)))
		return -ENOMEM;
	return 0;
}

/* The texts of a configuration in the order in which both functions below walk them. */
enum { TEXTS = 11 };
static void texts_of(struct http_client_conf *conf, const char **at[TEXTS])
{
	const char **all[TEXTS] = { &conf->base,
				    &conf->user,
				    &conf->password_file,
				    &conf->token_url,
				    &conf->client_id,
				    &conf->scope,
				    &conf->client_secret_file,
				    &conf->ca_file,
				    &conf->cert_file,
				    &conf->key_file,
				    &conf->proxy };

	memcpy(at, all, sizeof all);
}

static int copy_conf(struct http_client *c, const struct http_client_conf *conf)
{
	const char **at[TEXTS];
	int err = 0;

	c->conf = *conf;
	texts_of(&c->conf, at);
	for (int i = 0; i < TEXTS; i++) {
		if (!err)
			err = copy_text(at[i]);
		else
			*at[i] = NULL;
	}
	if (!c->conf.timeout_ms)
		c->conf.timeout_ms = 60000;
	if (!c->conf.connect_ms)
		c->conf.connect_ms = 10000;
	if (!c->conf.connections)
		c->conf.connections = 8;
	if (!c->conf.queue)
		c->conf.queue = 10000;
	if (!c->conf.body_bytes)
		c->conf.body_bytes = 1 << 20;
	return err;
}

static bool is_complete(const struct http_client_conf *conf)
{
	switch (conf->auth) {
	case HTTP_AUTH_BASIC:
		return conf->user && conf->password_file;
	case HTTP_AUTH_OAUTH2:
		return conf->token_url && conf->client_id && conf->client_secret_file;
	case HTTP_AUTH_MTLS:
		return conf->cert_file && conf->key_file;
	default:
		return true;
	}
}

static void client_free(struct http_client *c)
{
	const char **at[TEXTS];
	struct http_call *call;

	while ((call = c->running.first)) {
		call_drop_easy(call);
		call_queue(call, NULL, CALL_ENDED, false);
		call_free(call);
	}
	while (c->idle_n)
		client_easy_free(&c->idle[--c->idle_n]);
	multi_close(c);
	call_lines_free(c);
	timer_cancel(loop_timers(c->loop), &c->kick);
	token_fini(c);
	origins_free(c->origins, c->origins_n);
	free(c->idle);
	texts_of(&c->conf, at);
	for (int i = 0; i < TEXTS; i++)
		free((void *)(uintptr_t)*at[i]);
	free(c);
	curl_global_cleanup();
}

int http_client_open(struct http_client **out, struct loop *loop, const struct http_client_conf *conf)
{
	struct http_client *c;
	int err;

	if (!is_complete(conf) || (conf->proxy && !conf->proxy[0]))
		return -EINVAL;
	http_ignore_sigpipe();
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	c = calloc(1, sizeof *c);
	if (!c) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	c->loop = loop;
	err = copy_conf(c, conf);
	c->idle_size = c->conf.connections < IDLE_MOST ? c->conf.connections : IDLE_MOST;
	if (!err)
		err = origins_parse(&c->origins, &c->origins_n, c->conf.base);
	if (!err && !(c->idle = calloc(c->idle_size, sizeof *c->idle)))
		err = -ENOMEM;
	if (!err)
		err = multi_open(c);
	if (err) {
		c->closing = true;
		client_free(c);
		return err;
	}
	*out = c;
	return 0;
}

void client_enter(struct http_client *c)
{
	c->depth++;
}

void client_leave(struct http_client *c)
{
	if (!--c->depth && c->closing)
		client_free(c);
}

static void cancel_all(struct call_list *l)
{
	struct http_call *call;

	while ((call = l->first)) {
		if (call->state != CALL_ENDED)
			call->outcome = HTTP_CANCELLED;
		call_drop_easy(call);
		call_queue(call, NULL, CALL_ENDED, false);
		tell(call);
		call_free(call);
	}
}

/* libcurl is at work on the stack: its handles have to stay until it returns. */
static void cancel_running_later(struct http_client *c)
{
	for (struct http_call *call = c->running.first; call; call = call->next) {
		call->outcome = HTTP_CANCELLED;
		tell(call);
	}
}

void http_client_close(struct http_client *c)
{
	if (!c || c->closing)
		return;
	client_enter(c);
	c->closing = true;
	if (c->token.fetch)
		c->token.fetch->done = NULL;
	c->token.fetch = NULL;
	if (c->in_curl)
		cancel_running_later(c);
	else
		cancel_all(&c->running);
	cancel_all(&c->waiting);
	cancel_all(&c->queue);
	cancel_all(&c->ended);
	client_leave(c);
}

/* ---- calls ---- */

size_t http_client_pending(const struct http_client *c)
{
	return c->waiting.count + c->queue.count + c->running.count + c->ended.count - (c->token.fetch ? 1 : 0);
}

int http_client_call(struct http_client *c, struct http_call **out, const struct http_call_conf *conf,
		     http_done_fn *done, void *arg)
{
	struct http_call *call;
	int err;

	if (c->closing || !origins_have(c->origins, c->origins_n, conf->url))
		return -EINVAL;
	if (http_client_pending(c) >= c->conf.queue)
		return -EAGAIN;
	err = call_new(&call, c, conf, done, arg);
	if (err)
		return err;
	call_queue(call, &c->queue, CALL_QUEUED, false);
	if (needs_token(call) && c->token.refused) {
		call->auth_failed = true;
		call_end(call, HTTP_NOT_SENT, c->token.error);
	}
	client_kick(c);
	if (out)
		*out = call;
	return 0;
}

static void discard(struct http_call *call)
{
	call_drop_easy(call);
	call_queue(call, NULL, CALL_ENDED, false);
	call_free(call);
}

void http_call_cancel(struct http_call *call)
{
	struct http_client *c = call->client;

	if (!call->done)
		return; /* being told, or cancelled already */
	call->done = NULL;
	if (call->state == CALL_RUNNING && c->in_curl)
		c->sweep = true;
	else
		discard(call);
	client_kick(c);
}

void client_sweep(struct http_client *c)
{
	struct http_call *call, *next;

	if (!c->sweep || c->closing)
		return;
	c->sweep = false;
	for (call = c->running.first; call; call = next) {
		next = call->next;
		if (!call->done)
			discard(call);
	}
}
