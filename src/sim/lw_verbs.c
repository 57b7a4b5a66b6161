/* SPDX-License-Identifier: Apache-2.0 */
/* lw_verbs.c - the commands of the simulated server */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/lw.h"

static const struct {
	const char *name;
	int32_t number;
} formats[] = { { "text", 0 },           { "link", 40 },        { "opaque", 42 },    { "cbor", 60 },
		{ "senml-json", 110 },   { "senml-cbor", 112 }, { "tlv", 11542 },    { "json", 11543 },
		{ "lwm2m-cbor", 11544 }, { "etch-json", 320 },  { "etch-cbor", 322 } };

int32_t lw_format(const char *text)
{
	char *end = NULL;
	long n;

	if (!text || !*text)
		return -1;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		if (!strcmp(formats[i].name, text))
			return formats[i].number;
	}
	n = strtol(text, &end, 10);
	return *end || n < 0 || n > 65535 ? -1 : (int32_t)n;
}

static int32_t cmd_format(const json_t *cmd, const char *name, int32_t preset)
{
	const json_t *v = json_object_get(cmd, name);
	int32_t n = json_is_integer(v) ? (int32_t)json_integer_value(v) : lw_format(json_string_value(v));

	return n < 0 ? preset : n;
}

/* What a command may say of any request. The body is "payload" (hex), "value" or "text", in this order; *owned is freed
 * by the caller. */
static int fill(struct lw *lw, const json_t *cmd, struct lw_request *q, uint8_t **owned)
{
	const char *type = cmd_text(cmd, "type", NULL), *text = cmd_text(cmd, "value", cmd_text(cmd, "text", NULL));
	int err;

	q->path = cmd_text(cmd, "path", "/");
	q->query = cmd_text(cmd, "query", NULL);
	q->accept = cmd_format(cmd, "accept",
			       q->code == COAP_REQUEST_CODE_GET && q->accept < 0 ? lw_format(lw->opts.accept)
										 : q->accept);
	q->content_format = cmd_format(cmd, "format", q->content_format);
	q->block_size = (uint32_t)cmd_int(cmd, "block", 0);
	q->type = lw->opts.non ? COAP_MESSAGE_NON : COAP_MESSAGE_CON;
	if (type)
		q->type = !strcasecmp(type, "non") ? COAP_MESSAGE_NON : COAP_MESSAGE_CON;
	if (q->block_size && (q->block_size < 16 || q->block_size > 1024 || (q->block_size & (q->block_size - 1))))
		return -EINVAL;
	err = cmd_hex(cmd, "payload", owned, &q->len);
	if (!err) {
		q->body = *owned;
	} else if (err == -ENOENT && text) {
		q->body = text;
		q->len = strlen(text);
		err = 0;
	}
	return err == -ENOENT ? 0 : err;
}

static int ask(void *arg, json_t *cmd, json_t *reply, struct lw_request *q)
{
	struct lw *lw = arg;
	struct lw_reg *r = lw_find(lw, cmd_text(cmd, "ep", ""));
	uint8_t *owned = NULL;
	int err;

	if (!r)
		return reply_error(reply, -ENOENT, "no such endpoint is registered");
	err = fill(lw, cmd, q, &owned);
	if (err)
		reply_error(reply, err, "payload or block is not well");
	else
		err = lw_ask(lw, r, q, json_object_get(cmd, "id"));
	free(owned);
	return err;
}

static int do_read(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("read", COAP_REQUEST_CODE_GET);

	return ask(arg, cmd, reply, &q);
}

static int do_discover(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("discover", COAP_REQUEST_CODE_GET);

	q.accept = 40;
	return ask(arg, cmd, reply, &q);
}

static int do_write(void *arg, json_t *cmd, json_t *reply)
{
	bool partial = !strcasecmp(cmd_text(cmd, "method", "PUT"), "POST");
	struct lw_request q = lw_request("write", partial ? COAP_REQUEST_CODE_POST : COAP_REQUEST_CODE_PUT);

	q.content_format = 0;
	return ask(arg, cmd, reply, &q);
}

static int do_attributes(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("attributes", COAP_REQUEST_CODE_PUT);

	return ask(arg, cmd, reply, &q);
}

static int do_execute(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("execute", COAP_REQUEST_CODE_POST);

	if (cmd_has(cmd, "value"))
		q.content_format = 0;
	return ask(arg, cmd, reply, &q);
}

static int do_create(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("create", COAP_REQUEST_CODE_POST);

	q.content_format = 11542;
	return ask(arg, cmd, reply, &q);
}

static int do_delete(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("delete", COAP_REQUEST_CODE_DELETE);

	return ask(arg, cmd, reply, &q);
}

static int do_observe(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("observe", COAP_REQUEST_CODE_GET);
	struct lw *lw = arg;
	struct lw_ask *old = lw_observation(lw, cmd_text(cmd, "ep", ""), cmd_text(cmd, "path", "/"));

	if (old)
		lw_ask_free(old); /* a new token, as servers do; the next notification of the old one gets RST */
	q.observe = 0;
	return ask(arg, cmd, reply, &q);
}

/* The list of paths of a composite: a JSON array or words with commas between, as SenML JSON. */
static char *path_list(const json_t *cmd)
{
	const json_t *given = json_object_get(cmd, "paths");
	json_t *list = json_array(), *v;
	const char *text = json_string_value(given);
	char *out;
	size_t i;

	json_array_foreach(given, i, v) json_array_append_new(list, json_pack("{s:O}", "n", v));
	while (text && *text) {
		size_t len = strcspn(text, ", ");

		if (len)
			json_array_append_new(list, json_pack("{s:s#}", "n", text, (int)len));
		text += len + (text[len] != '\0');
	}
	out = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return out;
}

static int do_fetch(void *arg, json_t *cmd, json_t *reply)
{
	bool observe = cmd_bool(cmd, "observe", false);
	struct lw_request q = lw_request(observe ? "observe-composite" : "fetch", COAP_REQUEST_CODE_FETCH);
	int err;

	q.content_format = q.accept = 110;
	if (observe)
		q.observe = 0;
	if (!cmd_has(cmd, "payload")) {
		char *list = path_list(cmd);

		json_object_set_new(cmd, "text", json_string(list));
		free(list);
	}
	err = ask(arg, cmd, reply, &q);
	return err;
}

static int do_ipatch(void *arg, json_t *cmd, json_t *reply)
{
	struct lw_request q = lw_request("ipatch", COAP_REQUEST_CODE_IPATCH);

	q.content_format = 110;
	return ask(arg, cmd, reply, &q);
}

static int do_cancel(void *arg, json_t *cmd, json_t *reply)
{
	struct lw *lw = arg;
	struct lw_ask *a = lw_observation(lw, cmd_text(cmd, "ep", ""), cmd_text(cmd, "path", "/"));

	if (!a)
		return reply_error(reply, -ENOENT, "this is not observed");
	if (strcmp(cmd_text(cmd, "mode", "active"), "passive"))
		return lw_cancel_active(a, json_object_get(cmd, "id"));
	lw_ask_free(a);
	return 0;
}

#define RAW_OPTIONS 32
/* "options": [[number, "hex"], ..] */
static int raw_options(const json_t *cmd, struct end_option *list, size_t *n, uint8_t *room, size_t size)
{
	json_t *all = json_object_get(cmd, "options"), *one;
	size_t i, used = 0;

	*n = 0;
	json_array_foreach(all, i, one)
	{
		const char *hex = json_string_value(json_array_get(one, 1));
		size_t len = 0;

		if (*n == RAW_OPTIONS || !hex || hex_decode(room + used, size - used, hex, &len))
			return -EINVAL;
		list[*n] = (struct end_option){ (uint16_t)json_integer_value(json_array_get(one, 0)), (uint16_t)len,
						room + used };
		used += len;
		++*n;
	}
	return 0;
}

static int do_raw(void *arg, json_t *cmd, json_t *reply)
{
	int code = end_code_parse(cmd_text(cmd, "code", "GET"));
	struct lw_request q = lw_request("raw", (uint8_t)(code < 0 ? 0 : code));
	struct end_option list[RAW_OPTIONS];
	uint8_t room[2048], *token = NULL;
	size_t token_len = 0;
	int err;

	if (code < 0 || raw_options(cmd, list, &q.extra_n, room, sizeof room))
		return reply_error(reply, -EINVAL, "code or options are not well");
	q.extra = list;
	q.raw = true;
	q.observe = (int32_t)cmd_int(cmd, "observe", -1);
	q.mid = (int32_t)cmd_int(cmd, "mid", -1);
	if (!cmd_hex(cmd, "token", &token, &token_len) && token_len <= 8) {
		q.token = token;
		q.token_len = (uint8_t)token_len;
	}
	err = ask(arg, cmd, reply, &q);
	free(token);
	return err;
}

static int do_list(void *arg, json_t *cmd, json_t *reply)
{
	json_t *list = json_array();
	struct map_node *n = NULL;
	struct lw *lw = arg;
	size_t i = 0;

	(void)cmd;
	while ((n = map_next(&lw->by_ep, &i, n)))
		json_array_append_new(list, lw_reg_json(container_of(n, struct lw_reg, by_ep)));
	json_object_set_new(reply, "registrations", list);
	return 0;
}

static int do_count(void *arg, json_t *cmd, json_t *reply)
{
	struct lw *lw = arg;

	(void)cmd;
	json_object_set_new(reply, "registrations", json_integer((json_int_t)lw->by_ep.count));
	json_object_set_new(reply, "requests", json_integer((json_int_t)lw->asks.count));
	return 0;
}

static int do_forget(void *arg, json_t *cmd, json_t *reply)
{
	struct lw *lw = arg;
	const char *ep = cmd_text(cmd, "ep", "");
	struct lw_reg *r = lw_find(lw, ep);
	struct map_node *n, *next;
	size_t i = 0;

	if (*ep && !r)
		return reply_error(reply, -ENOENT, "no such endpoint is registered");
	if (r) {
		lw_forget(r);
		return 0;
	}
	for (i = 0, n = map_next(&lw->by_ep, &i, NULL); n; n = next) {
		next = map_next(&lw->by_ep, &i, n);
		lw_forget(container_of(n, struct lw_reg, by_ep));
	}
	return 0;
}

static int do_deaf(void *arg, json_t *cmd, json_t *reply)
{
	struct lw *lw = arg;

	(void)reply;
	end_deaf(&lw->local, cmd_bool(cmd, "on", true));
	return 0;
}

static int do_answer(void *arg, json_t *cmd, json_t *reply)
{
	const char *code = cmd_text(cmd, "code", NULL);
	int number = code ? end_code_parse(code) : 0;
	int64_t times = cmd_int(cmd, "times", -1);
	struct lw_rule *rule = calloc(1, sizeof *rule);
	struct lw *lw = arg;

	if (!rule || number < 0) {
		free(rule);
		return reply_error(reply, -EINVAL, "the code is not well");
	}
	snprintf(rule->on, sizeof rule->on, "%s", cmd_text(cmd, "on", "any"));
	snprintf(rule->ep, sizeof rule->ep, "%s", cmd_text(cmd, "ep", ""));
	rule->code = (uint8_t)number;
	rule->times = times < 0 ? UINT64_MAX : (uint64_t)times;
	rule->delay_ms = (uint32_t)cmd_int(cmd, "delay_ms", 0);
	rule->separate = cmd_bool(cmd, "separate", false);
	rule->silent = cmd_bool(cmd, "silent", false);
	rule->next = lw->rules;
	lw->rules = rule;
	return 0;
}

static int do_normal(void *arg, json_t *cmd, json_t *reply)
{
	struct lw *lw = arg;
	struct lw_rule *rule;

	(void)cmd;
	(void)reply;
	while ((rule = lw->rules)) {
		lw->rules = rule->next;
		free(rule);
	}
	end_deaf(&lw->local, false);
	return 0;
}

static int do_set(void *arg, json_t *cmd, json_t *reply)
{
	struct lw *lw = arg;

	return cmd_set_options(cmd, reply, &lw->opts, lw_items);
}

const struct console_verb lw_verbs[] = {
	{ "read", "ep path accept", "GET; accept: a format", do_read },
	{ "discover", "ep path", "GET with Accept 40", do_discover },
	{ "write", "ep path value",
	  "PUT, or POST with method=POST; format, payload (hex) in place of value, block (size of Block1)", do_write },
	{ "attributes", "ep path query", "PUT without payload, query \"pmin=1&pmax=5\"", do_attributes },
	{ "execute", "ep path value", "POST; value: arguments", do_execute },
	{ "create", "ep path payload", "POST on an object; payload (hex) in TLV or in format", do_create },
	{ "delete", "ep path", "DELETE", do_delete },
	{ "observe", "ep path accept", "GET with Observe 0; notify events follow", do_observe },
	{ "cancel", "ep path mode", "mode active: GET with Observe 1; passive: RST to the next notification",
	  do_cancel },
	{ "fetch", "ep paths accept",
	  "FETCH / with a list of paths as SenML JSON, or payload (hex) and format; observe=true observes it",
	  do_fetch },
	{ "ipatch", "ep text", "iPATCH / with SenML JSON, or payload (hex) and format", do_ipatch },
	{ "raw", "ep code path payload",
	  "any request: code, type, mid, token (hex), options [[number, hex], ..], query, payload (hex)", do_raw },
	{ "list", "", "the registrations", do_list },
	{ "count", "", "how many registrations and requests", do_count },
	{ "forget", "ep", "drops a registration, or all, as a restart does: the next Update gets 4.04", do_forget },
	{ "deaf", "on", "on: nothing that arrives is heard; off", do_deaf },
	{ "answer", "on code",
	  "from now on; on: register update deregister send unknown any; ep, times, delay_ms, separate, silent (empty "
	  "ACK only)",
	  do_answer },
	{ "normal", "", "takes all answer rules back, and deaf", do_normal },
	{ "set", "", "changes live options: NAME=VALUE ..", do_set },
	{ NULL, NULL, NULL, NULL },
};
