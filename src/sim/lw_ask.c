/* SPDX-License-Identifier: Apache-2.0 */
/* lw_ask.c - what the simulated server asks of devices, and what comes back
 *
 * An answer is known by its token and by the address it comes from; everything else gets RST, which is also how a
 * passive cancel works: the observation is forgotten. Blocks are made here and not by libcoap, with a new token for
 * each block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "sim/lw.h"

#define ANSWER_MAX (4u << 20) /* longest answer in blocks that is put together */

struct lw_request lw_request(const char *cmd, uint8_t code)
{
	return (struct lw_request){
		.cmd = cmd, .path = "/", .code = code, .accept = -1, .content_format = -1, .observe = -1, .mid = -1
	};
}

static bool token_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct lw_ask *a = container_of(n, const struct lw_ask, by_token);

	return a->token_len == len && !memcmp(a->token, key, len);
}

static struct lw_ask *find(struct lw *lw, coap_bin_const_t token)
{
	struct map_node *n = map_find(&lw->asks, map_hash(token.s, token.length), token_eq, token.s, token.length);

	return n ? container_of(n, struct lw_ask, by_token) : NULL;
}

void lw_ask_free(struct lw_ask *a)
{
	struct lw *lw = a->lw;

	timer_cancel(loop_timers(lw->loop), &a->deadline);
	map_remove(&lw->asks, &a->by_token);
	if (a->prev)
		a->prev->next = a->next;
	else
		lw->ask_list = a->next;
	if (a->next)
		a->next->prev = a->prev;
	coap_session_release(a->session);
	json_decref(a->id);
	free(a->cmd);
	free(a->ep);
	free(a->path);
	free(a->query);
	free(a->body);
	free(a->got);
	free(a);
}

static json_t *event(const struct lw_ask *a, const char *ev)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "ev", ev, "cmd", a->cmd, "ep", a->ep, "path", a->path);
}

static void fail(struct lw_ask *a, const char *why)
{
	json_t *ev = event(a, "failed");

	json_object_set_new(ev, "why", json_string(why));
	console_answer(a->lw->console, a->id, ev);
	lw_ask_free(a);
}

static void on_deadline(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	fail(container_of(t, struct lw_ask, deadline), "timeout");
}

void lw_drop_asks(struct lw *lw, const char *ep, const char *why)
{
	for (struct lw_ask *a = lw->ask_list, *next; a; a = next) {
		next = a->next;
		if (ep && strcmp(a->ep, ep))
			continue;
		if (why && a->id && !a->observing)
			fail(a, why);
		else
			lw_ask_free(a);
	}
}

struct lw_ask *lw_observation(struct lw *lw, const char *ep, const char *path)
{
	for (struct lw_ask *a = lw->ask_list; a; a = a->next) {
		if (a->observing && !strcmp(a->ep, ep) && !strcmp(a->path, path))
			return a;
	}
	return NULL;
}

/* ---- sending ---- */

static void new_token(struct lw_ask *a)
{
	struct lw *lw = a->lw;
	uint64_t n = ++lw->tokens;

	a->token_len = (uint8_t)lw->opts.token_len;
	if (lw->opts.tokens == LW_TOKENS_RANDOM) {
		random_bytes(a->token, a->token_len);
		return;
	}
	for (size_t i = a->token_len; i-- > 0; n >>= 8)
		a->token[i] = (uint8_t)n;
}

static int32_t block_option(size_t at, bool more, uint32_t size)
{
	int32_t szx = 0;

	while (size > 16u << szx && szx < 6)
		szx++;
	return (int32_t)(at / size) << 4 | (more ? 8 : 0) | szx;
}

static int send_ask(struct lw_ask *a, int32_t mid, const struct end_option *extra, size_t extra_n)
{
	struct end_out out = end_out(a->type, a->code);
	size_t left = a->body_len - a->body_at;

	out.mid = mid;
	out.token_len = a->token_len;
	memcpy(out.token, a->token, a->token_len);
	out.path = a->path;
	out.query = a->query;
	out.accept = a->accept;
	out.observe = a->observe;
	out.content_format = a->content_format;
	out.payload = a->body ? a->body + a->body_at : NULL;
	out.len = left;
	out.extra = extra;
	out.extra_n = extra_n;
	if (a->block_size && a->body_len > a->block_size) {
		out.len = left > a->block_size ? a->block_size : left;
		out.block1 = block_option(a->body_at, out.len < left, a->block_size);
		if (!a->body_at)
			out.size1 = (int32_t)a->body_len;
	}
	if (a->blocks)
		out.block2 = block_option(a->got_len, false, a->block_size ? a->block_size : 1024);
	if (!a->observing)
		timer_set(loop_timers(a->lw->loop), &a->deadline, clock_now_ms() + a->lw->opts.timeout_ms, on_deadline);
	return end_send(a->lw->end, a->session, &out);
}

/* The same exchange goes on with another block, under another token. */
static void send_next(struct lw_ask *a)
{
	map_remove(&a->lw->asks, &a->by_token);
	new_token(a);
	map_add(&a->lw->asks, &a->by_token, map_hash(a->token, a->token_len));
	if (send_ask(a, -1, NULL, 0))
		fail(a, "send");
}

static struct lw_ask *ask_new(struct lw *lw, struct lw_reg *r, const struct lw_request *q)
{
	struct lw_ask *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->lw = lw;
	a->session = coap_session_reference(r->session);
	a->cmd = strdup(q->cmd);
	a->ep = strdup(r->ep);
	a->path = strdup(q->path);
	a->query = q->query ? strdup(q->query) : NULL;
	a->body = q->len ? malloc(q->len) : NULL;
	a->body_len = a->body ? q->len : 0;
	if (a->body)
		memcpy(a->body, q->body, q->len);
	a->type = q->type;
	a->code = q->code;
	a->accept = q->accept;
	a->content_format = q->content_format;
	a->observe = q->observe;
	a->observing = q->observe == 0;
	a->block_size = q->block_size;
	a->raw = q->raw;
	a->token_len = q->token_len;
	if (q->token)
		memcpy(a->token, q->token, q->token_len);
	else
		new_token(a);
	a->next = lw->ask_list;
	if (a->next)
		a->next->prev = a;
	lw->ask_list = a;
	return a;
}

int lw_ask(struct lw *lw, struct lw_reg *r, const struct lw_request *q, json_t *id)
{
	struct lw_ask *a = ask_new(lw, r, q), *old;
	coap_bin_const_t token;

	if (!a)
		return -ENOMEM;
	token = (coap_bin_const_t){ a->token_len, a->token };
	while ((old = find(lw, token)))
		lw_ask_free(old); /* a token that a test gives twice */
	map_add(&lw->asks, &a->by_token, map_hash(a->token, a->token_len));
	if (send_ask(a, q->mid, q->extra, q->extra_n)) {
		lw_ask_free(a);
		return -EIO;
	}
	a->id = json_incref(id);
	if (a->observing) /* the first answer has a deadline all the same */
		timer_set(loop_timers(lw->loop), &a->deadline, clock_now_ms() + lw->opts.timeout_ms, on_deadline);
	return CONSOLE_LATER;
}

int lw_cancel_active(struct lw_ask *a, json_t *id)
{
	json_decref(a->id);
	a->id = json_incref(id);
	a->cancelling = true;
	a->observing = false; /* its answer is the last that is waited for */
	a->observe = 1;
	free(a->cmd);
	a->cmd = strdup("cancel");
	return send_ask(a, -1, NULL, 0) ? -EIO : CONSOLE_LATER;
}

/* ---- what comes back ---- */

static bool same_peer(const struct lw_ask *a, const coap_session_t *s)
{
	return a->session == s;
}

static void refuse(struct lw *lw, coap_session_t *s, const coap_pdu_t *got, const char *why)
{
	json_t *ev = json_pack("{s:s, s:s}", "ev", "refused", "why", why);
	char text[ADDR_TEXT_MAX];
	struct addr from;

	end_remote(s, &from);
	addr_format(&from, text, sizeof text);
	json_object_set_new(ev, "from", json_string(text));
	end_describe(ev, got);
	console_event(lw->console, ev);
}

/* True when another block was asked for or sent, so that this answer is not the last. */
static bool go_on_sending(struct lw_ask *a, uint8_t code, const coap_pdu_t *got)
{
	uint32_t block, size;

	if (!a->block_size || a->body_len <= a->block_size || !end_option_uint(got, COAP_OPTION_BLOCK1, &block))
		return false;
	size = 16u << ((block & 7) > 6 ? 6 : block & 7);
	if (code == COAP_RESPONSE_CODE_REQUEST_TOO_LARGE && size < a->block_size) {
		a->block_size = size; /* it wants smaller ones: from the start */
		a->body_at = 0;
	} else if (code == COAP_RESPONSE_CODE_CONTINUE) {
		a->body_at += a->block_size;
		if (size < a->block_size)
			a->block_size = size;
		if (a->body_at >= a->body_len)
			return false;
	} else {
		return false;
	}
	send_next(a);
	return true;
}

static bool go_on_reading(struct lw_ask *a, uint8_t code, const coap_pdu_t *got)
{
	const uint8_t *data = NULL;
	size_t len = 0;
	uint32_t block;
	uint8_t *more;

	if (a->raw || a->observing || code >> 5 != 2 || !end_option_uint(got, COAP_OPTION_BLOCK2, &block) ||
	    (!a->blocks && !(block & 8)))
		return false;
	coap_get_data(got, &len, &data);
	if ((block >> 4) * (16u << (block & 7)) != a->got_len || a->got_len + len > ANSWER_MAX)
		return false;
	more = realloc(a->got, a->got_len + len + 1);
	if (!more)
		return false;
	a->got = more;
	memcpy(a->got + a->got_len, data, len);
	a->got_len += len;
	a->blocks++;
	if (!(block & 8))
		return false;
	a->block_size = 16u << (block & 7);
	send_next(a);
	return true;
}

static void notified(struct lw_ask *a, const coap_pdu_t *got)
{
	json_t *ev = event(a, "notify");

	json_object_set_new(ev, "n", json_integer((json_int_t)++a->notified));
	end_describe(ev, got);
	console_event(a->lw->console, ev);
}

static void answered(struct lw_ask *a, const coap_pdu_t *got, bool observing)
{
	json_t *ev = event(a, "response");

	end_describe(ev, got);
	if (a->blocks) {
		json_object_set_new(ev, "blocks", json_integer((json_int_t)a->blocks));
		json_object_set_new(ev, "payload", json_hex(a->got, a->got_len));
		json_object_set_new(ev, "text", json_text_of(a->got, a->got_len));
	}
	if (a->id)
		console_answer(a->lw->console, a->id, ev);
	else
		console_event(a->lw->console, ev);
	json_decref(a->id);
	a->id = NULL;
	timer_cancel(loop_timers(a->lw->loop), &a->deadline);
	if (!observing)
		lw_ask_free(a);
}

bool lw_on_response(void *arg, coap_session_t *s, const coap_pdu_t *sent, const coap_pdu_t *got)
{
	uint8_t code = (uint8_t)coap_pdu_get_code(got);
	struct lw *lw = arg;
	struct lw_ask *a = find(lw, coap_pdu_get_token(got));
	uint32_t observe = 0;
	bool has_observe = end_option_uint(got, COAP_OPTION_OBSERVE, &observe);

	(void)sent;
	if (!a || !same_peer(a, s)) {
		refuse(lw, s, got, a ? "address" : "token");
		return false;
	}
	if (has_observe && code >> 5 == 2 && (a->cancelling || !timer_is_set(&a->deadline)) &&
	    (a->observing || a->cancelling)) {
		notified(a, got);
		return true;
	}
	if (go_on_sending(a, code, got) || go_on_reading(a, code, got))
		return true;
	answered(a, got, a->observing && has_observe && code >> 5 == 2);
	return true;
}

void lw_on_failed(void *arg, coap_session_t *s, const coap_pdu_t *sent, const char *why)
{
	struct lw *lw = arg;
	struct lw_ask *a = find(lw, coap_pdu_get_token(sent));

	if (a && same_peer(a, s) && strcmp(why, "unreachable"))
		fail(a, why);
}
