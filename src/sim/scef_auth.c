/* SPDX-License-Identifier: Apache-2.0 */
/* scef_auth.c - who may use the API: tokens of the client credentials grant, or Basic */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/random.h"
#include "sim/scef.h"

struct token {
	struct map_node node;
	char text[33];
	uint64_t until_ms;
};

static bool token_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct token *t = container_of(n, const struct token, node);

	return strlen(t->text) == len && !memcmp(t->text, key, len);
}

static bool token_good(struct scef *s, const char *text)
{
	struct map_node *n = map_find(&s->tokens, map_hash(text, strlen(text)), token_eq, text, strlen(text));

	return n && container_of(n, struct token, node)->until_ms > clock_now_ms();
}

void scef_tokens_free(struct scef *s)
{
	struct map_node *n, *next;
	size_t i = 0;

	for (i = 0, n = map_next(&s->tokens, &i, NULL); n; n = next) {
		next = map_next(&s->tokens, &i, n);
		map_remove(&s->tokens, n);
		free(container_of(n, struct token, node));
	}
	map_fini(&s->tokens);
	s->tokens = (struct map){ 0 };
}

/* "user:password" of a Basic header, false when it is none. */
static bool basic_text(const char *header, char *out, size_t size)
{
	long n;

	if (!header || strncasecmp(header, "Basic ", 6))
		return false;
	n = base64_decode((uint8_t *)out, size - 1, header + 6, strlen(header + 6));
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

static bool pair_is(const char *text, const char *user, const char *password)
{
	size_t len = strlen(user);

	return !strncmp(text, user, len) && text[len] == ':' && !strcmp(text + len + 1, password);
}

bool scef_allowed(struct scef_exchange *x)
{
	const char *header = http_request_header(x->r, "authorization", NULL);
	const struct scef_opts *o = &x->scef->opts;
	char text[512];
	bool good = true;

	if (x->op == SCEF_TOKEN)
		return true;
	if (o->auth == SCEF_AUTH_BEARER)
		good = header && !strncasecmp(header, "Bearer ", 7) && token_good(x->scef, header + 7);
	else if (o->auth == SCEF_AUTH_BASIC)
		good = basic_text(header, text, sizeof text) && pair_is(text, o->user, o->password);
	if (good)
		return true;
	scef_problem(x, 401, NULL, "no valid credentials");
	json_decref(x->headers);
	x->headers = json_pack("{s:s}", "WWW-Authenticate",
			       o->auth == SCEF_AUTH_BASIC ? "Basic realm=\"t8\"" : "Bearer error=\"invalid_token\"");
	return false;
}

/* The value of a name in an urlencoded form. */
static bool form_value(const char *form, const char *name, char *buf, size_t size)
{
	size_t name_len = strlen(name), at = 0;

	for (; form && *form; form = strchr(form, '&') ? strchr(form, '&') + 1 : NULL) {
		if (strncmp(form, name, name_len) || form[name_len] != '=')
			continue;
		for (form += name_len + 1; *form && *form != '&' && at + 1 < size; form++) {
			unsigned octet;

			if (*form == '%' && sscanf(form + 1, "%2x", &octet) == 1) {
				buf[at++] = (char)octet;
				form += form[1] && form[2] ? 2 : 0;
			} else {
				buf[at++] = *form == '+' ? ' ' : *form;
			}
		}
		buf[at] = '\0';
		return true;
	}
	return false;
}

static void grant(struct scef_exchange *x)
{
	struct scef *s = x->scef;
	struct token *t = calloc(1, sizeof *t);
	uint8_t raw[16];

	if (!t)
		return;
	random_bytes(raw, sizeof raw);
	for (size_t i = 0; i < sizeof raw; i++)
		sprintf(t->text + 2 * i, "%02x", raw[i]);
	t->until_ms = clock_now_ms() + s->opts.token_s * 1000;
	map_add(&s->tokens, &t->node, map_hash(t->text, strlen(t->text)));
	x->status = 200;
	x->answer = json_pack("{s:s, s:s, s:I}", "access_token", t->text, "token_type", "Bearer", "expires_in",
			      (json_int_t)s->opts.token_s);
}

void scef_token_op(struct scef_exchange *x)
{
	const struct scef_opts *o = &x->scef->opts;
	char type[64] = "", id[256] = "", secret[256] = "", pair[514];

	form_value(x->text, "grant_type", type, sizeof type);
	form_value(x->text, "client_id", id, sizeof id);
	form_value(x->text, "client_secret", secret, sizeof secret);
	if (!basic_text(http_request_header(x->r, "authorization", NULL), pair, sizeof pair))
		snprintf(pair, sizeof pair, "%s:%s", id, secret);
	if (strcmp(type, "client_credentials")) {
		x->status = 400;
		x->answer = json_pack("{s:s}", "error", "unsupported_grant_type");
	} else if (!pair_is(pair, o->client_id, o->client_secret)) {
		x->status = 401;
		x->answer = json_pack("{s:s}", "error", "invalid_client");
	} else {
		grant(x);
	}
}
