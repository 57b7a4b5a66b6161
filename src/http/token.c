/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - the OAuth2 token of a peer (RFC 6749 4.4, client credentials), shared by all its calls
 *
 * One fetch at a time, whatever waits. A token is renewed when four fifths of its life are over, by the first call that
 * comes then, so an idle peer fetches none. What fails is tried again with growing pauses; credentials that were
 * refused twice are not tried again, because the third time may lock the account.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "http/client_internal.h"

enum {
	PAUSE_MS = 1000,
	PAUSE_MOST_MS = 60000, /* between tries that failed */
	HINT_MOST_MS = 600000, /* of a Retry-After */
	LIFE_S = 3600,
	LIFE_LEAST_S = 10,
	LIFE_MOST_S = 86400, /* when the answer says none, nonsense, too much */
	FETCH_MS = 30000,
	REFUSALS_MOST = 2,
	REJECTION_MS = 10000,
	REJECTIONS = 3, /* fetches because of a 401: so many at once, then one in that time */
};

bool token_usable(const struct http_client *c)
{
	return c->token.value && clock_now_ms() < c->token.expires_ms;
}

static void drop(struct token *t)
{
	if (t->value)
		secret_wipe(t->value, TOKEN_MOST + 1);
	free(t->value);
	t->value = NULL;
}

void token_fini(struct http_client *c)
{
	timer_cancel(loop_timers(c->loop), &c->token.timer);
	drop(&c->token);
}

/* ---- the answer ---- */

static uint64_t life_s(const struct token_answer *a)
{
	if (!a->has_expires)
		return LIFE_S;
	if (!(a->expires_in > 0))
		return LIFE_LEAST_S;
	if (a->expires_in < 1)
		return 1;
	return a->expires_in > LIFE_MOST_S ? LIFE_MOST_S : (uint64_t)a->expires_in;
}

static void take(struct http_client *c, struct token_answer *a)
{
	struct token *t = &c->token;
	uint64_t now = clock_now_ms(), life = life_s(a) * 1000;

	if (t->failures)
		log_ev(LOG_INFO, "http", "token.good", LF_STR("url", c->conf.token_url),
		       LF_UINT("life_s", life / 1000));
	drop(t);
	t->value = a->token;
	a->token = NULL;
	t->generation++;
	t->refresh_ms = now + life / 5 * 4;
	t->expires_ms = now + life;
	t->failures = t->refusals = 0;
	t->next_try_ms = 0;
	t->error[0] = '\0';
}

/* 1 s, 2 s, 4 s .. 60 s, of which a random part of the second half is taken off. */
static uint64_t pause_ms(unsigned failures)
{
	uint64_t ms = failures > 6 ? PAUSE_MOST_MS : (uint64_t)PAUSE_MS << (failures ? failures - 1 : 0);

	ms = ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : ms;
	return ms - random_below((uint32_t)ms / 4 + 1);
}

static void fail(struct http_client *c, const char *why, uint64_t hint_ms)
{
	struct token *t = &c->token;
	uint64_t now = clock_now_ms(), pause = pause_ms(++t->failures), held;

	hint_ms = hint_ms > HINT_MOST_MS ? HINT_MOST_MS : hint_ms;
	t->next_try_ms = now + (hint_ms > pause ? hint_ms : pause);
	snprintf(t->error, sizeof t->error, "token: %s", why);
	if (t->refusals >= REFUSALS_MOST) {
		t->refused = true;
		drop(t);
		log_ev(LOG_ERROR, "http", "token.refused", LF_STR("url", c->conf.token_url), LF_STR("why", why));
	} else if (log_limit(&c->log_token, now, 60000, &held)) {
		log_ev(LOG_WARNING, "http", "token.failed", LF_STR("url", c->conf.token_url), LF_STR("why", why),
		       LF_UINT("suppressed", held));
	}
}

static bool is_refusal(const struct http_result *res, const struct token_answer *a)
{
	return res->status == 401 ||
		(res->status == 400 &&
		 (!strcmp(a->error, "invalid_client") || !strcmp(a->error, "unauthorized_client")));
}

/* true: there is a new token. */
static bool judge(struct http_client *c, const struct http_result *res)
{
	struct token_answer a = { 0 };
	char why[96];
	bool good = false, parsed;

	if (res->outcome != HTTP_ANSWERED) {
		fail(c, res->error[0] ? res->error : "no answer", 0);
		return false;
	}
	parsed = !token_answer_parse(&a, res->body, res->len);
	if (is_refusal(res, &a)) {
		c->token.refusals++;
		snprintf(why, sizeof why, "credentials refused (status %d %s)", res->status, a.error);
		fail(c, why, 0);
	} else if (res->status / 100 != 2 || !parsed || !a.token || !a.is_bearer) {
		snprintf(why, sizeof why, "status %d %s%s", res->status, a.error,
			 res->status / 100 == 2 ? "without a usable token" : "");
		fail(c, why, res->has_retry_after ? res->retry_after_ms : 0);
	} else {
		take(c, &a);
		good = true;
	}
	if (a.token)
		secret_wipe(a.token, TOKEN_MOST + 1);
	free(a.token);
	return good;
}

static void report(struct http_client *c, bool good)
{
	if (c->token.on_result)
		c->token.on_result(c->token.arg, good);
	client_token_changed(c);
}

static void on_answer(void *arg, const struct http_result *res)
{
	struct http_client *c = arg;

	c->token.fetch = NULL;
	report(c, judge(c, res));
}

/* ---- the request ---- */

/* Appends text in application/x-www-form-urlencoded. */
static void put_form(char *to, size_t size, const char *name, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = strlen(to);

	n += (size_t)snprintf(to + n, size - n, "%s", name);
	for (; *text && n + 4 < size; text++) {
		unsigned char ch = (unsigned char)*text;

		if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z' && ch < 128) {
			to[n++] = (char)ch;
		} else if ((ch >= '0' && ch <= '9') || (ch && strchr("-._~", ch))) {
			to[n++] = (char)ch;
		} else {
			to[n++] = '%';
			to[n++] = hex[ch >> 4];
			to[n++] = hex[ch & 15];
		}
	}
	to[n] = '\0';
}

static int form(const struct http_client *c, char *body, size_t size)
{
	char secret[SECRET_MOST];
	long n;

	snprintf(body, size, "grant_type=client_credentials");
	if (c->conf.scope && c->conf.scope[0])
		put_form(body, size, "&scope=", c->conf.scope);
	if (c->conf.token_auth_basic)
		return 0;
	n = secret_read(c->conf.client_secret_file, secret, sizeof secret);
	if (n < 0)
		return (int)n;
	put_form(body, size, "&client_id=", c->conf.client_id);
	put_form(body, size, "&client_secret=", secret);
	secret_wipe(secret, sizeof secret);
	return 0;
}

static int fetch(struct http_client *c)
{
	const struct http_header accept = { "Accept", "application/json" };
	char body[4 * SECRET_MOST + 4096] = "";
	struct http_call_conf conf = {
		.method = HTTP_POST,
		.url = c->conf.token_url,
		.content_type = "application/x-www-form-urlencoded",
		.body = body,
		.timeout_ms = c->conf.timeout_ms < FETCH_MS ? c->conf.timeout_ms : FETCH_MS,
		.no_auth = true,
		.headers = &accept,
		.headers_n = 1,
	};
	struct http_call *call = NULL;
	int err = form(c, body, sizeof body);

	conf.len = strlen(body);
	if (!err)
		err = call_new(&call, c, &conf, on_answer, c);
	secret_wipe(body, sizeof body);
	if (err)
		return err;
	call->internal = call->secret = call->fresh = true;
	if (c->conf.token_auth_basic)
		err = call_set_basic(call, c->conf.client_id, c->conf.client_secret_file);
	if (!err)
		err = call_start(call);
	if (err) {
		call_free(call);
		return err;
	}
	c->token.fetch = call;
	call_queue(call, &c->running, CALL_RUNNING, false);
	return 0;
}

static void on_pause_over(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	token_want(container_of(t, struct http_client, token.timer));
}

void token_want(struct http_client *c)
{
	struct token *t = &c->token;
	char why[96];
	int err;

	if (t->fetch || t->refused || c->closing)
		return;
	if (clock_now_ms() >= t->next_try_ms) {
		err = fetch(c);
		if (!err)
			return;
		snprintf(why, sizeof why, "secret file: %s", strerror(-err));
		fail(c, why, 0);
	}
	if (!timer_is_set(&t->timer))
		timer_set(loop_timers(c->loop), &t->timer, t->next_try_ms, on_pause_over);
}

bool token_rejected(struct http_client *c, uint64_t generation)
{
	struct token *t = &c->token;
	uint64_t now = clock_now_ms();

	if (t->refused)
		return false;
	if (generation != t->generation || !t->value)
		return true; /* another call had the same answer before */
	if (t->budget_ms < now)
		t->budget_ms = now;
	if (t->budget_ms > now + (REJECTIONS - 1) * REJECTION_MS)
		return false; /* the peer refuses fresh tokens too: fetching more of them helps nobody */
	t->budget_ms += REJECTION_MS;
	drop(t);
	return true;
}

/* ---- what the owner asks ---- */

enum http_token_state http_client_token(const struct http_client *c)
{
	if (c->conf.auth != HTTP_AUTH_OAUTH2)
		return HTTP_TOKEN_NONE;
	if (c->token.refused)
		return HTTP_TOKEN_REFUSED;
	if (token_usable(c))
		return HTTP_TOKEN_GOOD;
	return c->token.fetch || c->token.failures || c->waiting.count ? HTTP_TOKEN_WAITING : HTTP_TOKEN_NONE;
}

const char *http_client_token_error(const struct http_client *c)
{
	return c->token.error;
}

void http_client_token_retry(struct http_client *c)
{
	struct token *t = &c->token;

	t->refused = false;
	t->refusals = t->failures = 0;
	t->next_try_ms = 0;
	timer_cancel(loop_timers(c->loop), &t->timer);
	if (c->waiting.first)
		token_want(c);
}

void http_client_on_token(struct http_client *c, void (*fn)(void *arg, bool ok), void *arg)
{
	c->token.on_result = fn;
	c->token.arg = arg;
}
