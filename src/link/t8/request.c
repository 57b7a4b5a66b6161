/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - requests to the peer
 *
 * Every request goes through here, so that leave is asked of the circuit, and every answer is counted, timed and told
 * to the circuit, in one place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/t8.h"

#define TOKEN_FAULTS_TO_ALARM 3

static const struct {
	const char *name;
	enum http_method method;
	const char *content_type;
} ops[T8_OP_COUNT] = {
	[T8_OP_LIST] = { "list", HTTP_GET, NULL },
	[T8_OP_CREATE] = { "create", HTTP_POST, "application/json" },
	[T8_OP_PATCH] = { "patch", HTTP_PATCH, "application/merge-patch+json" },
	[T8_OP_DELETE] = { "delete", HTTP_DELETE, NULL },
	[T8_OP_READ] = { "read", HTTP_GET, NULL },
	[T8_OP_DELIVER] = { "deliver", HTTP_POST, "application/json" },
	[T8_OP_LOOKUP] = { "lookup", HTTP_GET, NULL },
	[T8_OP_CANCEL] = { "cancel", HTTP_DELETE, NULL },
};

static const double bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 };

static void observe(struct t8_call *c)
{
	struct t8_link *l = c->l;
	char labels[64];

	if (!l->seconds[c->op]) {
		snprintf(labels, sizeof labels, "api=\"nidd\",op=\"%s\"", ops[c->op].name);
		l->seconds[c->op] = metrics_histogram(l->base.env->metrics, "t8_request_seconds", labels,
						      "Time to the answer of a T8 request.", bounds,
						      sizeof bounds / sizeof *bounds);
	}
	metrics_observe(l->seconds[c->op], (double)(clock_now_ms() - c->started_ms) / 1000);
}

static void count(struct t8_link *l, const struct http_result *r)
{
	int code = r->outcome == HTTP_ANSWERED && r->status > 0 && r->status < 600 ? r->status : 0;
	char labels[320], peer[256], text[8];

	if (!l->codes[code]) {
		snprintf(text, sizeof text, "%d", code);
		snprintf(labels, sizeof labels, "peer=\"%s\",api=\"nidd\",code=\"%s\"",
			 metrics_label(peer, sizeof peer, t8_name(l)), code ? text : "none");
		l->codes[code] = metrics_counter(l->base.env->metrics, "t8_requests_total", labels,
						 "T8 requests by answer.");
	}
	++*l->codes[code];
}

static void alarm_up(struct t8_link *l, bool *flag, const char *type, const char *text, const char *action)
{
	*flag = true;
	alarm_raise(l->base.env->alarms, ALARM_MAJOR, type, t8_name(l), text, action);
}

static void alarm_down(struct t8_link *l, bool *flag, const char *type)
{
	if (*flag)
		alarm_clear(l->base.env->alarms, type, t8_name(l));
	*flag = false;
}

static void on_opened(struct t8_link *l, const struct http_result *r)
{
	char text[200];

	if (r->outcome == HTTP_ANSWERED)
		snprintf(text, sizeof text, "the peer answers %d", r->status);
	else
		snprintf(text, sizeof text, "no answer: %.150s", r->error && *r->error ? r->error : "unknown reason");
	l->since_wall_ms = clock_wall_ms();
	alarm_up(l, &l->unreachable, "t8.unreachable", text, "check network, certificates and the peer");
	log_ev(LOG_WARNING, ROOM, "peer.down", LF_STR("link", t8_name(l)), LF_STR("why", text));
}

static void on_denied(struct t8_link *l, const char *text)
{
	if (!l->auth_failed)
		log_ev(LOG_ERROR, ROOM, "peer.auth_failed", LF_STR("link", t8_name(l)), LF_STR("why", text));
	alarm_up(l, &l->auth_failed, "t8.auth_failed", text, "check the credentials of this link, then reload");
}

static void peer_ok(struct t8_link *l)
{
	l->last_ok_wall_ms = clock_wall_ms();
	l->denials = 0;
	alarm_down(l, &l->auth_failed, "t8.auth_failed");
	alarm_down(l, &l->unreachable, "t8.unreachable");
	if (!t8_circuit_ok(&l->circuit))
		return;
	l->since_wall_ms = clock_wall_ms();
	log_ev(LOG_NOTICE, ROOM, "peer.up", LF_STR("link", t8_name(l)));
}

static void peer_fault(struct t8_link *l, const struct http_result *r)
{
	uint64_t held;

	if (r->auth_failed)
		on_denied(l, "the token endpoint refuses our credentials");
	if (r->outcome == HTTP_ANSWERED && r->status < 400)
		alarm_up(l, &l->unreachable, "t8.unreachable", "the peer redirects to a place that is not its own",
			 "check api_root");
	if (t8_circuit_fault(&l->circuit, clock_now_ms()))
		on_opened(l, r);
	else if (log_limit(&l->limit, clock_now_ms(), 10000, &held))
		log_ev(LOG_WARNING, ROOM, "peer.fault", LF_STR("link", t8_name(l)),
		       LF_INT("status", r->outcome == HTTP_ANSWERED ? r->status : 0),
		       LF_STR("why", r->error && *r->error ? r->error : NULL), LF_UINT("held", held));
}

/* 401 after a fresh token. One may be about one device; two in a row are about us. */
static void peer_denied(struct t8_link *l)
{
	if (++l->denials < 2) {
		t8_circuit_drop(&l->circuit);
		return;
	}
	l->denials = 2;
	on_denied(l, "the peer answers 401 to our credentials");
	t8_circuit_trip(&l->circuit, clock_now_ms());
}

static void peer_pause(struct t8_link *l, const struct http_result *r)
{
	uint64_t now = clock_now_ms(), held;
	uint64_t until = t8_circuit_pause(&l->circuit, now, r->has_retry_after ? r->retry_after_ms : 0);

	if (log_limit(&l->limit, now, 10000, &held))
		log_ev(LOG_WARNING, ROOM, "peer.pause", LF_STR("link", t8_name(l)), LF_INT("status", r->status),
		       LF_UINT("for_ms", until - now), LF_UINT("held", held));
}

/* Requests wait for their token for as long as they may take, so they would tell much later. */
void t8_token_result(struct t8_link *l, bool ok)
{
	char text[200];

	++*(ok ? l->token_ok : l->token_bad);
	if (ok) {
		l->token_faults = 0;
		return;
	}
	if (http_client_token(l->client) == HTTP_TOKEN_REFUSED)
		on_denied(l, "the token endpoint refuses our credentials");
	else if (++l->token_faults == TOKEN_FAULTS_TO_ALARM) {
		snprintf(text, sizeof text, "no %.180s", http_client_token_error(l->client));
		alarm_up(l, &l->unreachable, "t8.unreachable", text, "check token_url, network and certificates");
	}
	if (l->token_faults > TOKEN_FAULTS_TO_ALARM)
		l->token_faults = TOKEN_FAULTS_TO_ALARM;
}

static void judge(struct t8_link *l, const struct t8_reply *r)
{
	switch (t8_health(r->http, &r->a)) {
	case T8_PEER_OK:
		peer_ok(l);
		break;
	case T8_PEER_FAULT:
		peer_fault(l, r->http);
		break;
	case T8_PEER_PAUSE:
		peer_pause(l, r->http);
		break;
	case T8_PEER_DENIED:
		peer_denied(l);
		break;
	}
}

/* 308: the resources have moved for good, within the scheme and host set that the client allows. */
static void move_root(struct t8_call *c, const struct http_result *r)
{
	size_t len = r->final_url ? strlen(r->final_url) : 0;
	char *root;

	if (!r->permanent_redirect || r->outcome != HTTP_ANSWERED || len <= c->suffix_len ||
	    strncmp(r->final_url + len - c->suffix_len, T8_NIDD, sizeof T8_NIDD - 1))
		return;
	root = strndup(r->final_url, len - c->suffix_len);
	if (!root)
		return;
	log_ev(LOG_NOTICE, ROOM, "peer.moved", LF_STR("link", t8_name(c->l)), LF_STR("to", root));
	free(c->l->root);
	c->l->root = root;
}

static void on_http_done(void *arg, const struct http_result *http)
{
	struct t8_call *c = arg;
	struct t8_link *l = c->l;
	struct t8_reply r = { .http = http };

	LIST_REMOVE(c, link);
	c->http = NULL;
	if (http->outcome == HTTP_CANCELLED) {
		if (c->probe)
			t8_circuit_drop(&l->circuit);
		free(c);
		return;
	}
	if (c->op != T8_OP_LIST && http->outcome == HTTP_ANSWERED && http->len)
		t8_delivery_read(&r.a, http->body, http->len, l->scs);
	count(l, http);
	observe(c);
	judge(l, &r);
	move_root(c, http);
	log_ev(LOG_DEBUG, ROOM, "answer", LF_STR("link", t8_name(l)), LF_STR("op", ops[c->op].name),
	       LF_INT("status", http->outcome == HTTP_ANSWERED ? http->status : 0),
	       LF_STR("dev", c->d ? c->d->id + 1 : NULL), LF_STR("cause", *r.a.cause ? r.a.cause : NULL),
	       LF_STR("detail", *r.a.detail ? r.a.detail : NULL));
	c->done(c, &r);
	free(c);
	t8_pump(l);
}

static int start(struct t8_call *c, const char *url, const void *body, size_t len, http_part_fn *part)
{
	struct t8_link *l = c->l;
	const struct http_call_conf conf = {
		.method = ops[c->op].method,
		.url = url,
		.content_type = len ? ops[c->op].content_type : NULL,
		.body = body,
		.len = len,
		.timeout_ms = c->op == T8_OP_DELIVER ? l->conf->delivery_timeout_s * 1000
			: c->op == T8_OP_LIST        ? 600000
						     : 30000,
		.part = part,
	};
	int err = t8_circuit_take(&l->circuit, clock_now_ms()) ? 0 : -EAGAIN;

	if (err)
		return err;
	c->probe = l->circuit.probing;
	err = http_client_call(l->client, &c->http, &conf, on_http_done, c);
	if (err && c->probe)
		t8_circuit_drop(&l->circuit);
	return err;
}

int t8_request(struct t8_link *l, struct t8_call **out, enum t8_op op, struct t8_dev *d, const char *tail,
	       const char *more, const void *body, size_t len, http_part_fn *part, t8_done_fn *done)
{
	char url[2048];
	struct t8_call *c;
	int n = snprintf(url, sizeof url, "%s" T8_NIDD "%s%s", l->root, tail, more), err;

	if (n < 0 || (size_t)n >= sizeof url)
		return -EINVAL;
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->l = l;
	c->d = d;
	c->op = op;
	c->done = done;
	c->started_ms = clock_now_ms();
	c->suffix_len = (size_t)n - strlen(l->root);
	err = start(c, url, body, len, part);
	if (err) {
		free(c);
		return err;
	}
	LIST_INSERT_HEAD(&l->calls, c, link);
	if (out)
		*out = c;
	return 0;
}

void t8_call_drop(struct t8_call *c)
{
	if (!c)
		return;
	http_call_cancel(c->http);
	if (c->probe)
		t8_circuit_drop(&c->l->circuit);
	LIST_REMOVE(c, link);
	free(c);
}
