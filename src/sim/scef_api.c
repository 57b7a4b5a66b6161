/* SPDX-License-Identifier: Apache-2.0 */
/* scef_api.c - which resource a request is for, and how its answer leaves
 *
 * Every request becomes an exchange that may be answered later (slow answers, notifications that have to go first). One
 * line is printed when it is over, with both bodies, so that a test can hold them against the OpenAPI files.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/scef.h"

const char *const scef_op_names[SCEF_OP_COUNT] = {
	"list",     "create",       "get",          "patch",          "delete",          "delivery-list",
	"delivery", "delivery-get", "delivery-put", "delivery-patch", "delivery-delete", "port-list",
	"port-get", "port-put",     "port-delete",  "token",          "unknown",
};

static const char *const method_names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OTHER" };

/* ---- what is asked for ---- */

/* The next segment of a path into buf, percent-decoded as far as needed here; the rest is returned, NULL when it is too
 * long. */
static const char *segment(const char *p, char *buf, size_t size)
{
	size_t len = strcspn(p, "/?");

	if (len >= size)
		return NULL;
	memcpy(buf, p, len);
	buf[len] = '\0';
	p += len;
	return *p == '/' ? p + 1 : p;
}

static const enum scef_op ops[4][7] = {
	/* rows: configurations, one, deliveries, one of them; columns: enum http_method */
	{ SCEF_LIST, SCEF_UNKNOWN, SCEF_CREATE, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN },
	{ SCEF_GET, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_PATCH, SCEF_DELETE, SCEF_UNKNOWN },
	{ SCEF_DELIVERY_LIST, SCEF_UNKNOWN, SCEF_DELIVERY, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN },
	{ SCEF_DELIVERY_GET, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_DELIVERY_PUT, SCEF_DELIVERY_PATCH, SCEF_DELIVERY_DELETE,
	  SCEF_UNKNOWN },
};
static const enum scef_op port_ops[2][7] = {
	{ SCEF_PORT_LIST, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_UNKNOWN },
	{ SCEF_PORT_GET, SCEF_UNKNOWN, SCEF_UNKNOWN, SCEF_PORT_PUT, SCEF_UNKNOWN, SCEF_PORT_DELETE, SCEF_UNKNOWN },
};

static enum scef_op which(struct scef_exchange *x, enum http_method method)
{
	const char *p = strstr(x->path, "/3gpp-nidd/v1/");
	char word[64];

	if (!p) {
		size_t len = strcspn(x->path, "?");

		return method == HTTP_POST && len >= 6 && !memcmp(x->path + len - 6, "/token", 6) ? SCEF_TOKEN
												  : SCEF_UNKNOWN;
	}
	p = segment(p + strlen("/3gpp-nidd/v1/"), x->scs_as_id, sizeof x->scs_as_id);
	if (p)
		p = segment(p, word, sizeof word);
	if (!p || strcmp(word, "configurations"))
		return SCEF_UNKNOWN;
	p = segment(p, x->config_id, sizeof x->config_id);
	if (!p || !*x->config_id)
		return p ? ops[0][method] : SCEF_UNKNOWN;
	p = segment(p, word, sizeof word);
	if (!p || !*word)
		return p ? ops[1][method] : SCEF_UNKNOWN;
	p = segment(p, x->sub_id, sizeof x->sub_id);
	if (!p)
		return SCEF_UNKNOWN;
	if (!strcmp(word, "downlink-data-deliveries"))
		return ops[*x->sub_id ? 3 : 2][method];
	return strcmp(word, "rds-ports") ? SCEF_UNKNOWN : port_ops[*x->sub_id ? 1 : 0][method];
}

/* ---- links ---- */

char *scef_link(const struct scef *s, const char *path)
{
	static const char *const roots[] = { NULL, "", "http://scef.operator.example:9080/SCEF" };
	const char *root = s->opts.links == SCEF_LINKS_ABSOLUTE || s->opts.links == SCEF_LINKS_ENCODED
		? s->root
		: roots[s->opts.links];
	char *out = malloc(strlen(root) + strlen(path) * 3 + 32), *to;

	if (!out)
		return NULL;
	to = out + sprintf(out, "%s/3gpp-nidd/v1", root);
	for (; *path; path++) {
		if (s->opts.links == SCEF_LINKS_ENCODED && *path != '/')
			to += sprintf(to, "%%%02X", (unsigned)(unsigned char)*path);
		else
			*to++ = *path;
	}
	*to = '\0';
	return out;
}

/* ---- answers ---- */

void scef_problem(struct scef_exchange *x, int status, const char *cause, const char *detail)
{
	x->status = status;
	json_decref(x->answer);
	x->answer = json_pack("{s:i, s:s?, s:s?}", "status", status, "detail", detail, "cause", cause);
	if (!detail)
		json_object_del(x->answer, "detail");
	if (!cause)
		json_object_del(x->answer, "cause");
	snprintf(x->content_type, sizeof x->content_type, "application/problem+json");
}

void scef_invalid(struct scef_exchange *x, const char *param, const char *reason)
{
	scef_problem(x, 400, NULL, "the body is not well");
	json_object_set_new(x->answer, "invalidParams", json_pack("[{s:s, s:s}]", "param", param, "reason", reason));
}

static json_t *exchange_event(const struct scef_exchange *x)
{
	json_t *ev = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:i}", "ev", "request", "n",
			       (json_int_t)++x->scef->requests, "op", scef_op_names[x->op], "method", x->method, "path",
			       x->path, "from", x->from, "status", x->status);

	if (x->user)
		json_object_set_new(ev, "external_id", json_string(scef_user_name(x->user)));
	if (*x->config_id)
		json_object_set_new(ev, "config", json_string(x->config_id));
	if (*x->sub_id)
		json_object_set_new(ev, "delivery", json_string(x->sub_id));
	if (x->request)
		json_object_set(ev, "body", x->request);
	else if (x->text && x->op != SCEF_TOKEN) /* a token request carries the secret */
		json_object_set_new(ev, "text", json_string(x->text));
	if (json_array_size(x->answer) > 100)
		json_object_set_new(ev, "entries", json_integer((json_int_t)json_array_size(x->answer)));
	else if (x->answer)
		json_object_set(ev, "answer", x->answer);
	else if (x->raw)
		json_object_set_new(ev, "raw", json_string(x->raw));
	if (x->location)
		json_object_set_new(ev, "location", json_string(x->location));
	if (x->headers)
		json_object_set(ev, "headers", x->headers);
	if (x->answer || x->raw)
		json_object_set_new(ev, "content_type", json_string(x->content_type));
	json_object_set_new(ev, "ms", json_integer((json_int_t)(clock_now_ms() - x->start_ms)));
	if (x->faulty)
		json_object_set_new(ev, "fault", json_true());
	if (x->lost)
		json_object_set_new(ev, "lost", json_true());
	if (!x->r)
		json_object_set_new(ev, "gone", json_true());
	return ev;
}

static void exchange_free(struct scef_exchange *x)
{
	timer_cancel(loop_timers(x->scef->loop), &x->timer);
	if (x->prev)
		x->prev->next = x->next;
	else
		x->scef->exchanges = x->next;
	if (x->next)
		x->next->prev = x->prev;
	json_decref(x->request);
	json_decref(x->answer);
	json_decref(x->headers);
	free(x->method);
	free(x->path);
	free(x->from);
	free(x->text);
	free(x->raw);
	free(x->location);
	free(x);
}

static char *answer_text(struct scef_exchange *x)
{
	char *text, *p, *out, *to;

	if (!x->answer)
		return x->raw ? strdup(x->raw) : NULL;
	text = json_dumps(x->answer, JSON_COMPACT);
	if (!text || !x->scef->opts.escape_equals)
		return text;
	out = malloc(strlen(text) * 6 + 1);
	for (p = text, to = out; out && *p; p++) {
		if (*p == '=')
			to += sprintf(to, "\\u003d");
		else
			*to++ = *p;
	}
	if (out)
		*to = '\0';
	free(text);
	return out;
}

static void respond(struct scef_exchange *x)
{
	struct http_header headers[17];
	size_t n = 0;
	const char *name;
	json_t *v;
	char *text = answer_text(x);

	if (x->location)
		headers[n++] = (struct http_header){ "Location", x->location };
	json_object_foreach(x->headers, name, v)
	{
		if (n < sizeof headers / sizeof *headers && json_is_string(v))
			headers[n++] = (struct http_header){ name, json_string_value(v) };
	}
	http_respond(x->r, x->status, headers, n, text ? x->content_type : NULL, text, text ? strlen(text) : 0);
	free(text);
}

/* What follows the 201 of a configuration. */
static void after_answer(struct scef_exchange *x)
{
	struct scef_config *c = x->made ? scef_config_find(x->scef, x->config_id) : NULL;

	if (!c)
		return;
	if (x->test)
		scef_notify_test(x->scef, c, NULL);
	scef_held_release(c->user);
}

static void answer(struct scef_exchange *x)
{
	struct http_request *r = x->r;

	scef_event(x->scef, exchange_event(x));
	if (r) {
		http_request_set_data(r, NULL);
		if (x->lost)
			http_request_abort(r);
		else
			respond(x);
	}
	after_answer(x);
	exchange_free(x);
}

static void on_delay(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	answer(container_of(t, struct scef_exchange, timer));
}

void scef_finish(struct scef_exchange *x)
{
	uint64_t delay_ms = x->delay_ms + x->scef->opts.delay_ms;

	x->held = false;
	if (delay_ms)
		timer_set(loop_timers(x->scef->loop), &x->timer, clock_now_ms() + delay_ms, on_delay);
	else
		answer(x);
}

void scef_exchanges_free(struct scef *s)
{
	while (s->exchanges) {
		struct scef_exchange *x = s->exchanges;

		if (x->r) {
			struct http_request *r = x->r;

			http_request_set_data(r, NULL);
			http_respond_close(r, 503);
		}
		exchange_free(x);
	}
}

/* ---- requests ---- */

static void process(struct scef_exchange *x)
{
	switch (x->op) {
	case SCEF_LIST:
	case SCEF_CREATE:
	case SCEF_GET:
	case SCEF_PATCH:
	case SCEF_DELETE:
		scef_config_op(x);
		break;
	case SCEF_PORT_LIST:
	case SCEF_PORT_GET:
	case SCEF_PORT_PUT:
	case SCEF_PORT_DELETE:
		scef_port_op(x);
		break;
	case SCEF_TOKEN:
		scef_token_op(x);
		break;
	case SCEF_UNKNOWN:
	case SCEF_OP_COUNT:
		scef_problem(x, 404, NULL, "there is no such resource");
		break;
	default:
		scef_delivery_op(x);
		break;
	}
}

static bool media_fits(const struct scef_exchange *x, const char *type)
{
	const char *wanted = "application/json";

	if (x->scef->opts.lenient)
		return true;
	if (x->op == SCEF_PATCH)
		wanted = "application/merge-patch+json";
	if (x->op == SCEF_TOKEN)
		wanted = "application/x-www-form-urlencoded";
	return type && !strncasecmp(type, wanted, strlen(wanted)) && strchr("; ", type[strlen(wanted)]);
}

/* The user a request is about, before it is processed: faults and events name it. */
static struct scef_user *user_of(struct scef_exchange *x)
{
	struct scef_config *c = *x->config_id ? scef_config_find(x->scef, x->config_id) : NULL;
	const char *id = json_string_value(json_object_get(x->request, "externalId"));

	if (c)
		return c->user;
	if (!id)
		id = json_string_value(json_object_get(x->request, "msisdn"));
	return id ? scef_user_find(x->scef, id) : NULL;
}

static struct scef_exchange *exchange_new(struct scef *s, struct http_request *r, const uint8_t *body, size_t len)
{
	struct scef_exchange *x = calloc(1, sizeof *x);
	char from[ADDR_TEXT_MAX];

	if (!x)
		return NULL;
	addr_format(http_request_from(r), from, sizeof from);
	x->scef = s;
	x->r = r;
	x->pending = "";
	x->method = strdup(method_names[http_request_method(r)]);
	x->path = strdup(http_request_target(r));
	x->from = strdup(from);
	x->start_ms = clock_now_ms();
	x->next = s->exchanges;
	if (x->next)
		x->next->prev = x;
	s->exchanges = x;
	if (!x->method || !x->path || !x->from) {
		exchange_free(x);
		return NULL;
	}
	snprintf(x->content_type, sizeof x->content_type, "application/json");
	x->op = which(x, http_request_method(r));
	if (len && x->op != SCEF_TOKEN)
		x->request = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, NULL);
	if (len && !x->request)
		x->text = strndup((const char *)body, len);
	http_request_set_data(r, x);
	return x;
}

static void on_request(void *arg, struct http_request *r, const uint8_t *body, size_t len)
{
	struct scef_exchange *x = exchange_new(arg, r, body, len);

	if (!x) {
		http_respond_close(r, 500);
		return;
	}
	x->user = user_of(x);
	if (!scef_fault_before(x) && scef_allowed(x)) {
		if (len && !media_fits(x, http_request_header(r, "content-type", NULL)))
			scef_problem(x, 415, NULL, "media type");
		else if (len && x->op != SCEF_TOKEN && !json_is_object(x->request))
			scef_problem(x, 400, NULL, "the body is no JSON object");
		else
			process(x);
		scef_fault_after(x);
	}
	if (!x->held)
		scef_finish(x);
}

static void on_gone(void *arg, struct http_request *r)
{
	struct scef_exchange *x = http_request_data(r);

	(void)arg;
	if (x)
		x->r = NULL;
}

static void on_refused(void *arg, const struct addr *from, const char *why)
{
	char text[ADDR_TEXT_MAX];

	addr_format(from, text, sizeof text);
	scef_event(arg, json_pack("{s:s, s:s, s:s}", "ev", "refused", "from", text, "why", why));
}

static int on_head(void *arg, struct http_request *r)
{
	(void)arg;
	(void)r;
	return 0;
}

const struct http_handler scef_http = {
	.head = on_head, .request = on_request, .gone = on_gone, .refused = on_refused
};
