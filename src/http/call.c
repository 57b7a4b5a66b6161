/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - one request: its parts, its credentials, in and out of libcurl */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/secret.h"
#include "http/client_internal.h"

static void drop_auth(struct http_call *call)
{
	if (!call->auth)
		return;
	call->auth->next = NULL; /* `lines` stay */
	secret_wipe(call->auth->data, strlen(call->auth->data));
	curl_slist_free_all(call->auth);
	call->auth = NULL;
}

static void retire(struct http_client *c, struct client_easy *h)
{
	CURL *e = h->easy;

	curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(e, CURLOPT_PRIVATE, NULL);
	if (c->idle_n < c->idle_size && !c->closing)
		c->idle[c->idle_n++] = *h;
	else
		client_easy_free(h);
}

void call_drop_easy(struct http_call *call)
{
	if (!call->easy)
		return;
	curl_multi_remove_handle(call->client->multi, call->easy);
	retire(call->client, &call->handle);
	call->easy = NULL;
	drop_auth(call);
}

static int add_plain(struct http_call *call, const char *line)
{
	struct curl_slist *more = curl_slist_append(call->lines, line);

	if (!more)
		return -ENOMEM;
	call->lines = more;
	return 0;
}

static int add_line(struct http_call *call, const char *name, const char *value)
{
	char line[1024];

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return -EINVAL; /* would break out of its line */
	if (snprintf(line, sizeof line, *value ? "%s: %s" : "%s;", name, value) >= (int)sizeof line)
		return -EINVAL;
	return add_plain(call, line);
}

static int own_lines(struct http_call *call, const struct http_call_conf *conf)
{
	bool typed = false;
	int err = 0;

	for (size_t i = 0; i < conf->headers_n && !err; i++) {
		err = add_line(call, conf->headers[i].name, conf->headers[i].value);
		typed = typed || !strcasecmp(conf->headers[i].name, "content-type");
	}
	if (!err && conf->content_type && !typed) {
		err = add_line(call, "Content-Type", conf->content_type);
		typed = true;
	}
	if (err)
		return err;
	/* Lines that libcurl would add on its own are taken back by an empty one of their name. */
	err = add_plain(
		call,
		"User-Agent: niddgw/" NIDDGW_VERSION); /* by CURLOPT_USERAGENT it would be printed for each request */
	if (!err)
		err = add_plain(call, "Expect:");
	if (!err && !typed)
		err = add_plain(call, "Content-Type:");
	return err;
}

static bool same_type(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Most calls differ in nothing but their content type, of which there are few: those share their lines. */
static int set_lines(struct http_call *call, const struct http_call_conf *conf)
{
	struct line_set *set = call->client->sets;
	int err;

	if (conf->headers_n)
		return own_lines(call, conf);
	for (; set < call->client->sets + LINE_SETS; set++) {
		if (set->lines && same_type(set->type, conf->content_type)) {
			call->lines = set->lines;
			call->shared_lines = true;
			return 0;
		}
		if (!set->lines)
			break;
	}
	err = own_lines(call, conf);
	if (err || set == call->client->sets + LINE_SETS || call->internal)
		return err;
	set->type = conf->content_type ? strdup(conf->content_type) : NULL;
	if (conf->content_type && !set->type)
		return 0;
	set->lines = call->lines;
	call->shared_lines = true;
	return 0;
}

void call_lines_free(struct http_client *c)
{
	for (int i = 0; i < LINE_SETS; i++) {
		curl_slist_free_all(c->sets[i].lines);
		free(c->sets[i].type);
	}
}

int call_new(struct http_call **out, struct http_client *c, const struct http_call_conf *conf, http_done_fn *done,
	     void *arg)
{
	struct http_call *call = calloc(1, sizeof *call);
	int err = call ? 0 : -ENOMEM;

	if (err)
		return err;
	call->client = c;
	call->done = done;
	call->arg = arg;
	call->part = conf->part;
	call->method = conf->method;
	call->no_auth = conf->no_auth;
	call->timeout_ms = conf->timeout_ms ? conf->timeout_ms : c->conf.timeout_ms;
	call->all_permanent = true;
	call->url = strdup(conf->url);
	call->body = conf->len ? malloc(conf->len) : NULL;
	call->len = conf->len;
	if (!call->url || (conf->len && !call->body))
		err = -ENOMEM;
	else if (conf->len)
		memcpy(call->body, conf->body, conf->len);
	if (!err)
		err = set_lines(call, conf);
	if (err) {
		call_free(call);
		return err;
	}
	*out = call;
	return 0;
}

void call_forget_answer(struct http_call *call)
{
	if (call->secret && call->answer)
		secret_wipe(call->answer, call->answer_size);
	free(call->answer);
	free(call->location);
	call->answer = call->location = NULL;
	call->answer_len = call->answer_size = 0;
	call->content_type[0] = call->error[0] = '\0';
	call->has_retry_after = call->too_large = call->second = call->stale = false;
	call->tries = 0;
	call->written_base = 0;
	call->local_port = 0;
}

void call_free(struct http_call *call)
{
	if (!call)
		return;
	timer_cancel(loop_timers(call->client->loop), &call->wait);
	call_forget_answer(call);
	drop_auth(call);
	if (!call->shared_lines)
		curl_slist_free_all(call->lines);
	if (call->secret)
		secret_wipe(call->body, call->len);
	free(call->body);
	free(call->url);
	free(call);
}

/* One header line "Authorization: SCHEME VALUE" in front of the others. */
static int set_auth(struct http_call *call, const char *scheme, const char *value)
{
	size_t size = strlen(scheme) + strlen(value) + 20;
	char *line = malloc(size);
	struct curl_slist *node = NULL;

	if (!line)
		return -ENOMEM;
	snprintf(line, size, "Authorization: %s %s", scheme, value);
	node = curl_slist_append(NULL, line);
	secret_wipe(line, size);
	free(line);
	if (!node)
		return -ENOMEM;
	node->next = call->lines;
	call->auth = node;
	return 0;
}

int call_set_basic(struct http_call *call, const char *user, const char *secret_file)
{
	char pair[SECRET_MOST + 256], text[BASE64_LEN(sizeof pair) + 1];
	size_t n = strlen(user);
	long got;
	int err;

	if (n > 254)
		return -EINVAL;
	memcpy(pair, user, n);
	pair[n] = ':';
	got = secret_read(secret_file, pair + n + 1, SECRET_MOST);
	if (got < 0)
		return (int)got;
	base64_encode(text, pair, n + 1 + (size_t)got);
	err = set_auth(call, "Basic", text);
	secret_wipe(pair, sizeof pair);
	secret_wipe(text, sizeof text);
	return err;
}

static int set_credentials(struct http_call *call)
{
	const struct http_client *c = call->client;
	int err = 0;

	if (call->no_auth)
		return 0;
	if (c->conf.auth == HTTP_AUTH_OAUTH2) {
		call->generation = c->token.generation;
		return set_auth(call, "Bearer", c->token.value);
	}
	if (c->conf.auth == HTTP_AUTH_BASIC) {
		err = call_set_basic(call, c->conf.user, c->conf.password_file);
		call->auth_failed = err && err != -ENOMEM;
		if (err)
			snprintf(call->error, sizeof call->error, "password file: %s", strerror(-err));
	}
	return err;
}

int call_start(struct http_call *call)
{
	struct http_client *c = call->client;
	int err;

	call_forget_answer(call);
	err = call->auth ? 0 : set_credentials(call);
	if (err)
		return err;
	if (c->idle_n)
		call->handle = c->idle[--c->idle_n];
	else
		err = client_easy_new(c, &call->handle);
	if (err)
		return err;
	call->easy = call->handle.easy;
	err = easy_set_call(call);
	if (!err && curl_multi_add_handle(c->multi, call->easy))
		err = -ENOMEM;
	if (err) {
		retire(c, &call->handle);
		call->easy = NULL;
	}
	return err;
}
