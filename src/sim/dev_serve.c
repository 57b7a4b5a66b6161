/* SPDX-License-Identifier: Apache-2.0 */
/* dev_serve.c - what a server asks of a simulated device (LwM2M core 6.3, 6.4): read, write, execute, observe and the
 * rest */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/dev.h"

#define PATHS_MAX 64

/* One request while it is being answered. */
struct ask {
	struct dev *d;
	const coap_pdu_t *req;
	struct end_out *answer;
	unsigned method;
	char text[256]; /* of the path, path_prefix taken off */
	struct dev_path at;
	int32_t format, accept;
	const uint8_t *body;
	size_t len;
	uint8_t *room; /* owned: an answer's body */
	char location[32];
	json_t *ev;
};

static uint8_t code_of(int err)
{
	switch (err) {
	case 0:
		return COAP_RESPONSE_CODE_CHANGED;
	case -ENOENT:
		return COAP_RESPONSE_CODE_NOT_FOUND;
	case -EPERM:
		return COAP_RESPONSE_CODE_NOT_ALLOWED;
	case -ENOTSUP:
		return COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT;
	case -EMSGSIZE:
		return COAP_RESPONSE_CODE_REQUEST_TOO_LARGE;
	default:
		return COAP_RESPONSE_CODE_BAD_REQUEST;
	}
}

/* ---- reading ---- */

/* Cut the answer to the block that is asked for, or to the first one when it is too long. */
static void cut(struct ask *a, size_t len)
{
	uint32_t block = 0;
	bool asked = end_option_uint(a->req, COAP_OPTION_BLOCK2, &block);
	size_t own = (size_t)a->d->all->opts.block_size,
	       size = asked ? (size_t)16 << ((block & 7) > 6 ? 6 : block & 7) : own;
	int32_t szx = 0;
	size_t from;

	a->answer->payload = a->room;
	a->answer->len = len;
	if (size > own)
		size = own;
	if (!asked && len <= size)
		return;
	from = (size_t)(block >> 4) * ((size_t)16 << (block & 7));
	if (from >= len && len) {
		a->answer->code = COAP_RESPONSE_CODE_BAD_OPTION;
		a->answer->len = 0;
		return;
	}
	while ((size_t)16 << szx < size)
		szx++;
	a->answer->payload = a->room + from;
	a->answer->len = len - from > size ? size : len - from;
	a->answer->block2 = (int32_t)(from / size) << 4 | (len - from > size ? 8 : 0) | szx;
	if (!from)
		a->answer->size2 = (int32_t)len;
}

static int32_t format_for(const struct ask *a, bool composite)
{
	if (a->accept >= 0)
		return a->accept;
	if (composite)
		return 110;
	if (a->at.resource != DEV_ANY && dev_resource(a->at.object, a->at.resource) &&
	    !(dev_resource(a->at.object, a->at.resource)->ops & DEV_MULTIPLE))
		return 0;
	return (int32_t)a->d->all->opts.format;
}

static void give(struct ask *a, const struct dev_path *paths, size_t n, bool composite)
{
	int32_t format = format_for(a, composite);
	long len;

	a->room = malloc(DEV_BODY_MAX);
	len = a->room ? dev_encode(a->d, paths, n, format, a->room, DEV_BODY_MAX) : -ENOMEM;
	if (len == -ENOTSUP)
		a->answer->code = COAP_RESPONSE_CODE_NOT_ACCEPTABLE;
	else if (len < 0)
		a->answer->code = code_of((int)len);
	if (len < 0)
		return;
	a->answer->code = COAP_RESPONSE_CODE_CONTENT;
	a->answer->content_format = format;
	cut(a, (size_t)len);
}

/* ---- observing ---- */

static struct dev_observation *find_observation(struct ask *a, bool by_token)
{
	coap_bin_const_t token = coap_pdu_get_token(a->req);

	for (struct dev_observation *o = a->d->observations; o; o = o->next) {
		if (by_token ? o->token_len == token.length && !memcmp(o->token, token.s, token.length)
			     : !strcmp(o->path, a->text))
			return o;
	}
	return NULL;
}

static void observe(struct ask *a, const struct dev_path *paths, size_t n, const char *name)
{
	coap_bin_const_t token = coap_pdu_get_token(a->req);
	struct dev_observation *o = find_observation(a, true);

	if (o)
		dev_forget_observation(a->d, o);
	o = calloc(1, sizeof *o);
	if (!o)
		return;
	o->token_len = (uint8_t)(token.length > 8 ? 8 : token.length);
	memcpy(o->token, token.s, o->token_len);
	o->format = a->answer->content_format;
	o->path = strdup(name);
	o->paths = malloc(n * sizeof *paths);
	o->paths_n = o->paths ? n : 0;
	if (o->paths)
		memcpy(o->paths, paths, n * sizeof *paths);
	o->next = a->d->observations;
	a->d->observations = o;
	a->answer->observe = (int32_t)o->number++;
	json_object_set_new(a->ev, "op", json_string("observe"));
}

static void observe_or_cancel(struct ask *a, const struct dev_path *paths, size_t n, const char *name)
{
	struct dev_observation *o;
	uint32_t number;

	if (a->answer->code != COAP_RESPONSE_CODE_CONTENT || !end_option_uint(a->req, COAP_OPTION_OBSERVE, &number))
		return;
	if (number == 0) {
		observe(a, paths, n, name);
	} else if (number == 1) {
		o = find_observation(a, true);
		if (!o)
			o = find_observation(a, false);
		json_object_set_new(a->ev, "op", json_string("cancel"));
		json_object_set_new(a->ev, "known", json_boolean(o != NULL));
		if (o)
			dev_forget_observation(a->d, o);
	}
}

static void discover(struct ask *a)
{
	struct dev_path p = a->at;
	char buf[32];
	size_t at = 0;

	a->room = malloc(DEV_BODY_MAX);
	if (!a->room)
		return;
	for (int instance = 0; instance < 32; instance++) {
		if (!dev_instance_exists(a->d, p.object, instance) ||
		    (a->at.instance != DEV_ANY && a->at.instance != instance))
			continue;
		p.instance = instance;
		p.resource = p.sub = DEV_ANY;
		if (a->at.resource == DEV_ANY)
			at += (size_t)sprintf((char *)a->room + at, "%s<%s>", at ? "," : "", dev_path_text(&p, buf));
		for (const struct dev_resource *r = dev_resources; r->object; r++) {
			if (r->object != p.object || (a->at.resource != DEV_ANY && a->at.resource != r->resource))
				continue;
			p.resource = r->resource;
			at += (size_t)sprintf((char *)a->room + at, "%s<%s>", at ? "," : "", dev_path_text(&p, buf));
			if (r->ops & DEV_MULTIPLE)
				at += (size_t)sprintf((char *)a->room + at, ";dim=%d",
						      dev_subs(a->d, r->object, r->resource));
		}
	}
	a->answer->code = at ? COAP_RESPONSE_CODE_CONTENT : COAP_RESPONSE_CODE_NOT_FOUND;
	a->answer->content_format = at ? 40 : -1;
	json_object_set_new(a->ev, "op", json_string("discover"));
	cut(a, at);
}

static void do_get(struct ask *a)
{
	if (a->accept == 40) {
		discover(a);
		return;
	}
	json_object_set_new(a->ev, "op", json_string("read"));
	if (a->at.object == DEV_ANY) {
		a->answer->code = COAP_RESPONSE_CODE_NOT_ALLOWED;
		return;
	}
	give(a, &a->at, 1, false);
	observe_or_cancel(a, &a->at, 1, a->text);
}

/* ---- writing ---- */

static bool writable(const struct dev_path *p)
{
	const struct dev_resource *r = dev_resource(p->object, p->resource);

	return r && r->ops & DEV_WRITE;
}

static int on_value(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	struct ask *a = arg;

	if (!v)
		return -EBADMSG;
	if (!dev_resource(p->object, p->resource) || !dev_instance_exists(a->d, p->object, p->instance))
		return -ENOENT;
	return writable(p) ? dev_set(a->d, p, v) : -EPERM;
}

/* A body in blocks is put together first (RFC 7959 2.2). false: the answer is made, wait for the next block. */
static bool gather(struct ask *a)
{
	struct dev *d = a->d;
	uint32_t block;
	size_t size;
	uint8_t *more;

	if (!end_option_uint(a->req, COAP_OPTION_BLOCK1, &block))
		return true;
	size = (size_t)16 << ((block & 7) > 6 ? 6 : block & 7);
	a->answer->block1 = (int32_t)block;
	if (block >> 4 == 0) {
		free(d->block_path);
		d->block_path = strdup(a->text);
		d->block_len = 0;
	}
	if (!d->block_path || strcmp(d->block_path, a->text) || (block >> 4) * size != d->block_len) {
		a->answer->code = COAP_RESPONSE_CODE_INCOMPLETE;
		return false;
	}
	more = d->block_len + a->len <= DEV_BODY_MAX ? realloc(d->block, d->block_len + a->len + 1) : NULL;
	if (!more) {
		a->answer->code = COAP_RESPONSE_CODE_REQUEST_TOO_LARGE;
		return false;
	}
	d->block = more;
	if (a->len)
		memcpy(d->block + d->block_len, a->body, a->len);
	d->block_len += a->len;
	if (block & 8) {
		a->answer->code = COAP_RESPONSE_CODE_CONTINUE;
		return false;
	}
	a->body = d->block;
	a->len = d->block_len;
	d->block_len = 0;
	return true;
}

static void do_write(struct ask *a)
{
	if (!gather(a))
		return;
	if (a->method == COAP_REQUEST_CODE_PUT && !a->len &&
	    end_option_at(a->req, COAP_OPTION_URI_QUERY, 0, &a->body, &a->len)) {
		json_object_set_new(a->ev, "op", json_string("attributes"));
		json_object_set_new(a->ev, "attribute", json_stringn((const char *)a->body, a->len));
		a->answer->code = dev_instance_exists(a->d, a->at.object,
						      a->at.instance == DEV_ANY ? 0 : a->at.instance)
			? COAP_RESPONSE_CODE_CHANGED
			: COAP_RESPONSE_CODE_NOT_FOUND;
		return;
	}
	json_object_set_new(a->ev, "op", json_string("write"));
	json_object_set_new(a->ev, "octets", json_integer((json_int_t)a->len));
	a->answer->code = code_of(dev_decode(&a->at, a->format, a->body, a->len, on_value, a));
}

static void do_execute(struct ask *a)
{
	json_object_set_new(a->ev, "op", json_string("execute"));
	json_object_set_new(a->ev, "arguments", json_stringn(a->len ? (const char *)a->body : "", a->len));
	if (!dev_instance_exists(a->d, a->at.object, a->at.instance)) {
		a->answer->code = COAP_RESPONSE_CODE_NOT_FOUND;
		return;
	}
	a->answer->code = COAP_RESPONSE_CODE_CHANGED;
	if (a->at.object == 1 && a->at.resource == 8)
		dev_update(a->d, NULL, NULL); /* Registration Update Trigger */
}

static int find_instance(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	int *instance = arg;

	(void)v;
	if (p->instance != DEV_ANY && p->instance < 32 && *instance == DEV_ANY)
		*instance = p->instance;
	return 0;
}

static void do_create(struct ask *a)
{
	int instance = DEV_ANY;
	struct dev *d = a->d;
	int err;

	json_object_set_new(a->ev, "op", json_string("create"));
	if (a->at.object != 3303) {
		a->answer->code = a->at.object == 1 || a->at.object == 3 ? COAP_RESPONSE_CODE_NOT_ALLOWED
									 : COAP_RESPONSE_CODE_NOT_FOUND;
		return;
	}
	dev_decode(&a->at, a->format < 0 ? 11542 : a->format, a->body, a->len, find_instance, &instance);
	for (int i = 0; i < 32 && instance == DEV_ANY; i++)
		instance = d->instances >> i & 1 ? DEV_ANY : i;
	if (instance == DEV_ANY || d->instances >> instance & 1) {
		a->answer->code = COAP_RESPONSE_CODE_BAD_REQUEST;
		return;
	}
	d->instances |= 1u << instance;
	a->at.instance = instance;
	err = a->len ? dev_decode(&a->at, a->format < 0 ? 11542 : a->format, a->body, a->len, on_value, a) : 0;
	if (err) {
		d->instances &= ~(1u << instance);
		a->answer->code = code_of(err);
		return;
	}
	a->answer->code = COAP_RESPONSE_CODE_CREATED;
	snprintf(a->location, sizeof a->location, "/3303/%d", instance);
	a->answer->location = a->location;
}

static void do_post(struct ask *a)
{
	const struct dev_resource *r = dev_resource(a->at.object, a->at.resource);

	if (a->at.instance == DEV_ANY)
		do_create(a);
	else if (r && r->ops & DEV_EXECUTE)
		do_execute(a);
	else
		do_write(a);
}

static void do_delete(struct ask *a)
{
	json_object_set_new(a->ev, "op", json_string("delete"));
	if (!dev_instance_exists(a->d, a->at.object, a->at.instance) || a->at.resource != DEV_ANY) {
		a->answer->code = COAP_RESPONSE_CODE_NOT_FOUND;
	} else if (a->at.object != 3303) {
		a->answer->code = COAP_RESPONSE_CODE_NOT_ALLOWED;
	} else {
		a->d->instances &= ~(1u << a->at.instance);
		a->answer->code = COAP_RESPONSE_CODE_DELETED;
	}
}

/* ---- composite ---- */

struct paths {
	struct dev_path list[PATHS_MAX];
	size_t n;
};

static int on_path(void *arg, const struct dev_path *p, const struct dev_value *v)
{
	struct paths *all = arg;

	(void)v;
	if (all->n == PATHS_MAX)
		return -EMSGSIZE;
	all->list[all->n++] = *p;
	return 0;
}

static void do_fetch(struct ask *a)
{
	struct paths all = { .n = 0 };
	int err;

	json_object_set_new(a->ev, "op", json_string("fetch"));
	err = a->format == 112     ? dev_decode_senml_cbor(a->body, a->len, on_path, &all)
		: a->format == 110 ? dev_decode_senml_json(a->body, a->len, on_path, &all)
				   : -ENOTSUP;
	if (err || !all.n) {
		a->answer->code = code_of(err ? err : -EBADMSG);
		return;
	}
	if (a->accept < 0)
		a->accept = a->format;
	give(a, all.list, all.n, true);
	observe_or_cancel(a, all.list, all.n, "composite");
}

static void do_ipatch(struct ask *a)
{
	json_object_set_new(a->ev, "op", json_string("ipatch"));
	a->answer->code = a->format == 110 || a->format == 112
		? code_of(dev_decode(&a->at, a->format, a->body, a->len, on_value, a))
		: COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT;
}

/* ---- all of them ---- */

static void serve(struct ask *a)
{
	if (dev_path_parse(&a->at, a->text)) {
		a->answer->code = COAP_RESPONSE_CODE_NOT_FOUND;
		return;
	}
	switch (a->method) {
	case COAP_REQUEST_CODE_GET:
		do_get(a);
		break;
	case COAP_REQUEST_CODE_PUT:
		do_write(a);
		break;
	case COAP_REQUEST_CODE_POST:
		do_post(a);
		break;
	case COAP_REQUEST_CODE_DELETE:
		do_delete(a);
		break;
	case COAP_REQUEST_CODE_FETCH:
		do_fetch(a);
		break;
	case COAP_REQUEST_CODE_IPATCH:
		do_ipatch(a);
		break;
	default:
		a->answer->code = COAP_RESPONSE_CODE_NOT_ALLOWED;
	}
}

static const struct dev_rule *rule_for(struct dev *d, const char *path)
{
	for (struct dev_rule *r = d->all->rules; r; r = r->next) {
		if ((*r->ep && strcmp(r->ep, d->ep)) || (*r->path && strcmp(r->path, path)) || !r->times)
			continue;
		if (r->times != UINT64_MAX)
			r->times--;
		return r;
	}
	return NULL;
}

static struct ask ask_of(struct dev *d, const coap_pdu_t *req, struct end_out *answer)
{
	struct ask a = { .d = d,
			 .req = req,
			 .answer = answer,
			 .method = (unsigned)coap_pdu_get_code(req),
			 .format = -1,
			 .accept = -1 };
	const char *prefix = d->all->opts.path_prefix;
	size_t len = prefix ? strlen(prefix) : 0;
	char path[256];
	uint32_t n;

	end_path(req, COAP_OPTION_URI_PATH, path, sizeof path);
	snprintf(a.text, sizeof a.text, "%s", len && !strncmp(path, prefix, len) ? path + len : path);
	if (end_option_uint(req, COAP_OPTION_CONTENT_FORMAT, &n))
		a.format = (int32_t)n;
	if (end_option_uint(req, COAP_OPTION_ACCEPT, &n))
		a.accept = (int32_t)n;
	coap_get_data(req, &a.len, &a.body);
	a.ev = json_pack("{s:s, s:s, s:s}", "ev", "request", "ep", d->ep, "path", a.text);
	end_describe(a.ev, req);
	return a;
}

void dev_on_request(void *arg, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer)
{
	struct dev *d = coap_session_get_app_data(s);
	const struct dev_rule *rule;
	struct ask a;
	char buf[5];

	(void)arg;
	if (!d || d->stopped)
		return;
	a = ask_of(d, req, answer);
	rule = rule_for(d, a.text);
	answer->delay_ms = rule && rule->delay_ms ? rule->delay_ms : (uint32_t)d->all->opts.answer_delay_ms;
	answer->separate = d->all->opts.separate || (rule && rule->separate);
	if (rule && rule->code)
		answer->code = rule->code;
	else if (!rule || !rule->silent)
		serve(&a);
	json_object_set_new(a.ev, "answer", json_string(end_code_text(answer->code, buf)));
	console_event(d->all->console, a.ev);
	/* The end still reads the body when this has returned. */
	free(d->all->answer_room);
	d->all->answer_room = a.room;
	snprintf(d->all->answer_location, sizeof d->all->answer_location, "%s", a.location);
	if (answer->location)
		answer->location = d->all->answer_location;
}

void dev_on_duplicate(void *arg, coap_session_t *s, const coap_pdu_t *req)
{
	struct dev *d = coap_session_get_app_data(s);
	json_t *ev;

	(void)arg;
	if (!d)
		return;
	ev = json_pack("{s:s, s:s}", "ev", "duplicate", "ep", d->ep);
	end_describe(ev, req);
	console_event(d->all->console, ev);
}
