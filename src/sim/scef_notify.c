/* SPDX-License-Identifier: Apache-2.0 */
/* scef_notify.c - notifications to the application server
 *
 * Those of one user go one after another, unless parallel is on: an SCEF that hands over two uplinks of a device at
 * once would reorder them. One client per origin keeps the connections.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "sim/scef.h"

struct scef_client {
	struct scef_client *next;
	char *origin; /* owned; "http://host:port" */
	struct http_client *http;
};

static struct http_client *client_for(struct scef *s, const char *url)
{
	const char *host = strstr(url, "://");
	size_t len = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : 0;
	struct http_client_conf conf = { .auth = s->opts.notify_cert ? HTTP_AUTH_MTLS : HTTP_AUTH_NONE,
					 .ca_file = s->opts.ca_file,
					 .cert_file = s->opts.notify_cert,
					 .key_file = s->opts.notify_key,
					 .version = HTTP_V_AUTO,
					 .timeout_ms = s->opts.notify_timeout_ms,
					 .connect_ms = 10000,
					 .connections = 16,
					 .queue = 1000000,
					 .body_bytes = 1u << 20 };
	struct scef_client *c;

	for (c = s->clients; c; c = c->next) {
		if (strlen(c->origin) == len && !memcmp(c->origin, url, len))
			return c->http;
	}
	c = len ? calloc(1, sizeof *c) : NULL;
	if (!c)
		return NULL;
	c->origin = strndup(url, len);
	conf.base = c->origin;
	if (!c->origin || http_client_open(&c->http, s->loop, &conf)) {
		free(c->origin);
		free(c);
		return NULL;
	}
	c->next = s->clients;
	s->clients = c;
	return c->http;
}

struct scef_notice *scef_notice_new(struct scef *s, const char *kind, struct scef_user *u, const char *url)
{
	struct scef_notice *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->scef = s;
	n->kind = kind;
	n->user = u;
	n->url = strdup(url);
	n->content_type = strdup("application/json");
	if (n->url && n->content_type)
		return n;
	free(n->url);
	free(n->content_type);
	free(n);
	return NULL;
}

static struct scef_notice **list_of(struct scef_notice *n)
{
	return n->user ? &n->user->notices : &n->scef->loose;
}

static void notice_free(struct scef_notice *n)
{
	for (struct scef_notice **at = list_of(n); *at; at = &(*at)->next) {
		if (*at == n) {
			*at = n->next;
			break;
		}
	}
	timer_cancel(loop_timers(n->scef->loop), &n->timer);
	if (n->call)
		http_call_cancel(n->call);
	json_decref(n->headers);
	json_decref(n->id);
	free(n->url);
	free(n->text);
	free(n->content_type);
	free(n);
}

/* ---- sending and what comes of it ---- */

static void start(struct scef_notice *n);

static const char *outcome_text(enum http_outcome o)
{
	static const char *const texts[] = { "answered", "not-sent", "unknown", "too-large", "cancelled" };

	return texts[o];
}

static json_t *parsed(const char *text, size_t len)
{
	json_t *v = len ? json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

	return v ? v : len ? json_stringn(text, len) : NULL;
}

static json_t *notice_event(const struct scef_notice *n, const struct http_result *res)
{
	json_t *ev = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:i}", "ev", "notify", "kind", n->kind, "url", n->url,
			       "outcome", outcome_text(res->outcome), "status",
			       res->outcome == HTTP_ANSWERED ? res->status : 0, "ms",
			       (json_int_t)(clock_now_ms() - n->start_ms), "tries", (int)n->tries);

	if (n->user)
		json_object_set_new(ev, "external_id", json_string(scef_user_name(n->user)));
	json_object_set_new(ev, "body", parsed(n->text, strlen(n->text)));
	if (res->len)
		json_object_set_new(ev, "answer", parsed(res->body, res->len));
	if (res->has_retry_after)
		json_object_set_new(ev, "retry_after_ms", json_integer((json_int_t)res->retry_after_ms));
	if (res->error && res->outcome != HTTP_ANSWERED)
		json_object_set_new(ev, "error", json_string(res->error));
	return ev;
}

static void finished(struct scef_notice *n, const struct http_result *res)
{
	struct scef_exchange *release = n->release;
	struct scef_user *u = n->user;
	json_t *ev = notice_event(n, res);

	if (n->id) {
		json_t *ok = json_copy(ev);

		json_object_set_new(ok, "ev", json_string("ok"));
		console_answer(n->scef->console, n->id, ok);
	}
	scef_event(n->scef, ev);
	notice_free(n);
	if (release)
		scef_finish(release);
	if (u && u->notices && !u->notices->call && !timer_is_set(&u->notices->timer))
		start(u->notices);
}

static void on_retry(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	start(container_of(t, struct scef_notice, timer));
}

static void on_done(void *arg, const struct http_result *res)
{
	struct scef_notice *n = arg;
	bool failed = res->outcome != HTTP_ANSWERED || res->status >= 500;

	n->call = NULL;
	if (res->outcome == HTTP_CANCELLED)
		return;
	if (failed && n->tries <= n->scef->opts.notify_retries)
		timer_set(loop_timers(n->scef->loop), &n->timer, clock_now_ms() + n->scef->opts.notify_retry_ms,
			  on_retry);
	else
		finished(n, res);
}

#define HEADERS_MAX 16
static size_t put_headers(const struct scef_notice *n, struct http_header *list, char *bearer, size_t size)
{
	const char *name;
	size_t count = 0;
	json_t *v;

	if (n->scef->opts.notify_bearer && !json_object_get(n->headers, "Authorization")) {
		snprintf(bearer, size, "Bearer %s", n->scef->opts.notify_bearer);
		list[count++] = (struct http_header){ "Authorization", bearer };
	}
	json_object_foreach(n->headers, name, v)
	{
		if (count < HEADERS_MAX && json_is_string(v))
			list[count++] = (struct http_header){ name, json_string_value(v) };
	}
	return count;
}

static void on_impossible(struct timer *t, uint64_t now_ms)
{
	struct scef_notice *n = container_of(t, struct scef_notice, timer);

	(void)now_ms;
	finished(n, &(struct http_result){ .outcome = HTTP_NOT_SENT, .error = "the URL is not usable" });
}

static void start(struct scef_notice *n)
{
	struct http_client *http = client_for(n->scef, n->url);
	struct http_header headers[HEADERS_MAX];
	char bearer[1024];
	struct http_call_conf call = { .method = HTTP_POST,
				       .url = n->url,
				       .content_type = n->content_type,
				       .body = n->text,
				       .len = strlen(n->text),
				       .headers = headers };

	call.headers_n = put_headers(n, headers, bearer, sizeof bearer);
	if (!n->tries++)
		n->start_ms = clock_now_ms();
	if (!http || http_client_call(http, &n->call, &call, on_done, n))
		timer_set(loop_timers(n->scef->loop), &n->timer, clock_now_ms(), on_impossible);
}

static char *escape_equals(const char *text)
{
	char *out = malloc(strlen(text) * 6 + 1), *to = out;

	for (; out && *text; text++) {
		if (*text == '=')
			to += sprintf(to, "\\u003d");
		else
			*to++ = *text;
	}
	if (out)
		*to = '\0';
	return out;
}

void scef_notify(struct scef_notice *n, json_t *body)
{
	struct scef_notice **end = list_of(n);
	bool first = !*end;

	if (body) {
		char *plain = json_dumps(body, JSON_COMPACT);

		n->text = plain && n->scef->opts.escape_equals ? escape_equals(plain) : NULL;
		if (n->text)
			free(plain);
		else
			n->text = plain;
		json_decref(body);
	}
	while (*end)
		end = &(*end)->next;
	*end = n;
	if (!n->text)
		notice_free(n);
	else if (first || !n->user || n->scef->opts.parallel || n->at_once)
		start(n);
}

void scef_notices_free(struct scef *s)
{
	struct map_node *node = NULL;
	struct scef_client *c;
	size_t i = 0;

	while ((node = map_next(&s->by_external_id, &i, node))) {
		struct scef_user *u = container_of(node, struct scef_user, by_external_id);

		while (u->notices)
			notice_free(u->notices);
	}
	for (i = 0, node = NULL; (node = map_next(&s->by_msisdn, &i, node));) {
		struct scef_user *u = container_of(node, struct scef_user, by_msisdn);

		while (u->notices)
			notice_free(u->notices);
	}
	while (s->loose)
		notice_free(s->loose);
	while ((c = s->clients)) {
		s->clients = c->next;
		http_client_close(c->http);
		free(c->origin);
		free(c);
	}
}

/* ---- the kinds ---- */

const char *scef_destination(const struct scef *s, const struct scef_config *c)
{
	const char *own = c ? json_string_value(json_object_get(c->body, "notificationDestination")) : NULL;

	return s->opts.destination ? s->opts.destination : own ? own : "";
}

/* The identities by which this SCEF names a user. to may carry those of the request. */
void scef_put_ids(const struct scef *s, const struct scef_user *u, const struct scef_config *c, json_t *to)
{
	bool by_msisdn = c ? json_object_get(c->body, "msisdn") != NULL : !u->external_id;

	if (s->opts.answer_ids == SCEF_IDS_OTHER && u->external_id && u->msisdn)
		by_msisdn = !by_msisdn;
	json_object_del(to, "externalId");
	json_object_del(to, "msisdn");
	if (u->external_id && (!by_msisdn || s->opts.answer_ids == SCEF_IDS_BOTH))
		json_object_set_new(to, "externalId", json_string(u->external_id));
	if (u->msisdn && (by_msisdn || s->opts.answer_ids == SCEF_IDS_BOTH))
		json_object_set_new(to, "msisdn", json_string(u->msisdn));
}

static char *data_text(const struct scef *s, const uint8_t *data, size_t len)
{
	char *text = malloc(BASE64_LEN(len) * 2 + 8), *plain = malloc(BASE64_LEN(len) + 1), *to = text;

	if (!text || !plain) {
		free(text);
		free(plain);
		return NULL;
	}
	base64_encode(plain, data, len);
	for (size_t i = 0; plain[i]; i++) {
		if (s->opts.base64 == SCEF_BASE64_UNPADDED && plain[i] == '=')
			continue;
		if (s->opts.base64 == SCEF_BASE64_LINES && i && i % 8 == 0)
			to += sprintf(to, "\r\n");
		*to++ = plain[i];
		if (s->opts.base64 == SCEF_BASE64_URLSAFE)
			to[-1] = (char)(plain[i] == '+' ? '-' : plain[i] == '/' ? '_' : plain[i]);
	}
	*to = '\0';
	free(plain);
	return text;
}

void scef_notify_uplink(struct scef_user *u, const uint8_t *data, size_t len, json_t *id)
{
	struct scef *s = u->scef;
	char *self = scef_config_self(s, u->config), *text = data_text(s, data, len);
	struct scef_notice *n = scef_notice_new(s, "uplink", u, scef_destination(s, u->config));
	json_t *body = json_pack("{s:s}", "niddConfiguration", self);

	scef_put_ids(s, u, u->config, body);
	json_object_set_new(body, "data", json_string(text));
	json_object_set_new(body, "reliableDataService", json_false());
	if (n) {
		n->id = json_incref(id);
		scef_notify(n, body);
	} else {
		json_decref(body);
	}
	free(text);
	free(self);
}

void scef_notify_test(struct scef *s, struct scef_config *c, struct scef_exchange *release)
{
	struct scef_notice *n = scef_notice_new(s, "test", c->user, scef_destination(s, c));
	char *self = scef_config_self(s, c);

	if (n) {
		n->release = release;
		scef_notify(n, json_pack("{s:s}", "subscription", self));
	} else if (release) {
		release->held = false;
	}
	free(self);
}

void scef_notify_delivery(struct scef_user *u, const char *link, const char *state, struct scef_exchange *release,
			  json_t *id)
{
	struct scef *s = u->scef;
	struct scef_notice *n = scef_notice_new(s, "delivery-status", u, scef_destination(s, u->config));
	char text[40];
	json_t *body = json_pack("{s:s, s:s}", "niddDownlinkDataTransfer", link, "deliveryStatus", state);

	if (!strncmp(state, "FAILURE", 7) && s->opts.retry_after_s) {
		clock_format(text, sizeof text, clock_wall_ms() + s->opts.retry_after_s * 1000);
		json_object_set_new(body, "requestedRetransmissionTime", json_string(text));
	}
	if (!n) {
		json_decref(body);
		if (release)
			release->held = false;
		return;
	}
	n->release = release;
	n->id = json_incref(id);
	scef_notify(n, body);
}

void scef_notify_status(struct scef_user *u, const char *status, json_t *id)
{
	struct scef *s = u->scef;
	struct scef_notice *n = scef_notice_new(s, "status", u, scef_destination(s, u->config));
	char *self = scef_config_self(s, u->config);
	json_t *body = json_pack("{s:s}", "niddConfiguration", self);

	scef_put_ids(s, u, u->config, body);
	json_object_set_new(body, "status", json_string(status));
	if (n) {
		n->id = json_incref(id);
		scef_notify(n, body);
	} else {
		json_decref(body);
	}
	free(self);
}
