/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - one request of the gateway to a device, from its message to its answer
 *
 * The message goes to the sessions like any of a server, so nothing here knows queues, links or retransmission. An
 * answer in blocks is fetched to its end. Whoever asked is told from a timer, never from within a call.
 */
#include "session/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "lwm2m/decode.h"
#include "session/own.h"
#include "session/relay.h"

enum { ANSWER_MOST = 65536, GRACE_MS = 2000, PINGS_MOST = 3 };

/* ---- list and timer ---- */

static void on_timer(struct timer *t, uint64_t now_ms);

void ask_wait(struct ask *a, uint64_t at_ms)
{
	timer_set(a->all->env.timers, &a->timer, at_ms, on_timer);
}

struct ask *ask_new(struct sessions *s, struct device *d, struct assoc *assoc)
{
	struct ask *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->all = s;
	a->dev = d;
	a->assoc = assoc;
	a->next = s->own->asks;
	a->link = &s->own->asks;
	if (a->next)
		a->next->link = &a->next;
	s->own->asks = a;
	s->own->asks_n++;
	return a;
}

void ask_free(struct ask *a)
{
	timer_cancel(a->all->env.timers, &a->timer);
	if (a->storing)
		store_forget(a->all->env.store, &a->wait);
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	a->all->own->asks_n--;
	free(a->body);
	free(a->note);
	free(a);
}

struct ask *ask_of_token(const struct sessions *s, const struct assoc *assoc, const uint8_t *token, size_t len)
{
	struct ask *a = s->own->asks;

	while (a &&
	       (a->assoc != assoc || a->step != STEP_WAITS || a->token_len != len || memcmp(a->token, token, len) != 0))
		a = a->next;
	return a;
}

uint64_t ask_patience_ms(const struct assoc *assoc, const struct coap_msg *m)
{
	const struct ask *a = ask_of_token(assoc->dev->all, assoc, m->token, m->token_len);
	uint64_t now = clock_now_ms();

	return a && a->deadline_ms > now ? a->deadline_ms - now : 1;
}

void ask_end(struct ask *a, const char *error, const char *message)
{
	a->error = error;
	snprintf(a->message, sizeof a->message, "%s", message ? message : "");
	a->step = STEP_DONE;
	ask_wait(a, 1);
}

/* ---- telling ---- */

void ask_accept(struct ask *a)
{
	void (*accepted)(void *arg) = a->accepted;

	a->accepted = NULL;
	if (accepted && a->fn && a->step == STEP_WAITS)
		accepted(a->arg);
}

static void give(struct ask *a, const struct report *r)
{
	const struct ask_answer answer = { .error = a->error,
					   .message = a->error ? a->message : NULL,
					   .code = a->code,
					   .report = r,
					   .links = a->verb == ASK_DISCOVER && !a->error ? (const char *)a->body : NULL,
					   .links_len = a->len };

	if (a->fn)
		a->fn(a->arg, &answer);
	a->fn = NULL;
}

static void take_report(void *arg, const struct report *r)
{
	give(arg, r);
}

static void decode(struct ask *a)
{
	const struct mirror_who who = copy_who(a->dev, a->assoc);
	const char *reason = NULL;
	int err = mirror_decode(a->all->env.mirror, &who, &a->target, a->format, a->body, a->len, a->arrival_ms,
				take_report, a, &reason);

	if (!err)
		return;
	a->error = err == -EACCES ? "forbidden" : "upstream";
	snprintf(a->message, sizeof a->message,
		 err == -EACCES ? "this never leaves the gateway" : "the answer cannot be decoded: %s",
		 reason ? reason : "format");
	give(a, NULL);
}

static bool brings_values(const struct ask *a)
{
	return !a->error && a->code == COAP_CONTENT && a->verb != ASK_DISCOVER && a->verb != ASK_CANCEL && a->assoc &&
		a->all->env.mirror;
}

static void finish(struct ask *a)
{
	ask_unstore(a);
	if (brings_values(a))
		decode(a);
	else
		give(a, NULL);
	ask_free(a);
}

/* ---- the message ---- */

static void build_path(struct coap_builder *b, const struct ask *a)
{
	const struct lwm2m_objects *o = copy_who(a->dev, a->assoc).objects;
	const char *p = o ? o->base.p : NULL, *end = p ? p + o->base.len : NULL;

	while (p < end) {
		const char *slash;

		p += *p == '/';
		slash = memchr(p, '/', (size_t)(end - p));
		if (!slash)
			slash = end;
		coap_build_option(b, COAP_URI_PATH, p, (size_t)(slash - p));
		p = slash;
	}
	for (unsigned i = 0; i < a->target.path.depth; i++) {
		char id[8];
		int len = snprintf(id, sizeof id, "%u", a->target.path.id[i]);

		coap_build_option(b, COAP_URI_PATH, id, (size_t)len);
	}
}

static uint8_t method_of(enum ask_verb verb)
{
	return verb == ASK_WRITE ? COAP_PUT : verb == ASK_EXECUTE ? COAP_POST : COAP_GET;
}

static long build(struct ask *a, const struct ask_request *r, uint8_t *buf, size_t size)
{
	struct coap_builder b;
	char depth[16];
	int len;

	coap_build(&b, buf, size, COAP_CON, method_of((enum ask_verb)a->verb), own_mid(a->all), a->token, a->token_len);
	if (a->block2 == 0 && (a->verb == ASK_OBSERVE || a->verb == ASK_CANCEL))
		coap_build_uint(&b, COAP_OBSERVE, a->verb == ASK_CANCEL);
	build_path(&b, a);
	if (r && r->len)
		coap_build_uint(&b, COAP_CONTENT_FORMAT, r->format);
	if (a->verb == ASK_DISCOVER && r && r->depth >= 0) {
		len = snprintf(depth, sizeof depth, "depth=%d", r->depth);
		coap_build_option(&b, COAP_URI_QUERY, depth, (size_t)len);
	}
	if (a->verb == ASK_DISCOVER)
		coap_build_uint(&b, COAP_ACCEPT, LWM2M_CF_LINK);
	if (a->block2)
		coap_build_uint(&b, COAP_BLOCK2, a->block2);
	if (r)
		coap_build_payload(&b, r->body, r->len);
	return coap_build_end(&b);
}

static void new_token(struct ask *a)
{
	random_bytes(a->token, COAP_TOKEN_MAX);
	a->token_len = COAP_TOKEN_MAX;
}

static void send_message(struct ask *a, const struct ask_request *r)
{
	uint8_t buf[ASK_BODY_MOST + 256];
	long len = build(a, r, buf, sizeof buf);

	if (len < 0)
		ask_end(a, "too_big", "more than one request takes");
	else
		own_send(a->assoc, buf, (size_t)len);
}

/* ---- answers ---- */

/* The gateway's own word, by what it would tell a server. */
static const char *error_of(uint8_t code, const char *text)
{
	static const struct {
		const char *text, *word;
	} words[] = { { "asleep", "asleep" },   { "not delivered", "expired" }, { "dropped by command", "expired" },
		      { "queue full", "busy" }, { "gateway busy", "busy" },     { "device not attached", "upstream" },
		      { "barred", "upstream" } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].text, text) == 0)
			return words[i].word;
	switch (code) {
	case COAP_TOO_LARGE:
		return "too_big";
	case COAP_TOO_MANY:
	case COAP_UNAVAILABLE:
		return "busy";
	case COAP_GATEWAY_TIMEOUT:
		return "timeout";
	case COAP_BAD_GATEWAY:
		return "upstream";
	default:
		return "internal";
	}
}

static void refused(struct ask *a, const struct coap_msg *m, bool by_gateway)
{
	char text[96];
	char code[5];
	size_t len = m->payload_len < sizeof text - 1 ? m->payload_len : sizeof text - 1;

	if (by_gateway) {
		memcpy(text, m->payload ? m->payload : (const uint8_t *)"", len);
		text[len] = 0;
		ask_end(a, error_of(m->code, text), len ? text : "the device cannot be asked now");
		return;
	}
	a->code = m->code;
	snprintf(text, sizeof text, "the device answered %s", coap_code_text(code, m->code));
	ask_end(a, "upstream", text);
}

static bool append(struct ask *a, const struct coap_msg *m)
{
	uint8_t *grown;

	if (!m->payload_len)
		return true;
	if (a->len + m->payload_len > ANSWER_MOST)
		return false;
	grown = realloc(a->body, a->len + m->payload_len);
	if (!grown)
		return false;
	memcpy(grown + a->len, m->payload, m->payload_len);
	a->body = grown;
	a->len += m->payload_len;
	return true;
}

static void take_body(struct ask *a, const struct coap_msg *m, const struct coap_view *v)
{
	uint32_t num = v->has_block2 ? coap_block_num(v->block2) : 0;
	unsigned szx = v->has_block2 ? coap_block_szx(v->block2) : 0;

	if (!num)
		a->format = v->has_content_format  ? v->content_format
			: a->target.path.depth > 2 ? LWM2M_CF_TEXT
						   : 65536;
	if ((num || a->len) && (size_t)num * coap_block_size(szx) != a->len) {
		ask_end(a, "upstream", "the blocks of the answer do not fit together");
		return;
	}
	if (!append(a, m)) {
		ask_end(a, "too_big", "the answer is longer than 64 KiB");
		return;
	}
	if (v->has_block2 && coap_block_more(v->block2)) {
		a->block2 = (num + 1) << 4 | szx;
		a->step = STEP_MORE;
		ask_wait(a, 1);
		return;
	}
	if (a->verb == ASK_OBSERVE && !a->block2 && !v->has_observe)
		ask_end(a, "upstream", "the device does not observe it");
	else
		ask_end(a, NULL, NULL);
}

void ask_response(struct ask *a, const struct coap_msg *m)
{
	struct coap_option mark;
	struct coap_view v;

	if (a->dev && coap_option_find(m, OWN_MARK, &mark)) {
		refused(a, m, true);
		return;
	}
	if (coap_class(m->code) != 2) {
		refused(a, m, false);
		return;
	}
	coap_view(&v, m, false);
	a->code = m->code;
	a->arrival_ms = clock_wall_ms();
	take_body(a, m, &v);
}

/* ---- time ---- */

/* Whatever stands in the queue for it goes: nobody waits any more. */
static void withdraw(struct ask *a)
{
	struct exchange *next;

	for (struct exchange *x = a->dev ? a->dev->down : NULL; x; x = next) {
		next = x->next;
		if (x->assoc == a->assoc && !x->over && x->ask_len == a->token_len &&
		    memcmp(x->ask, a->token, x->ask_len) == 0)
			exchange_fail(x, COAP_GATEWAY_TIMEOUT, 0, "withdrawn");
	}
}

static void ping(struct ask *a)
{
	uint64_t next = clock_now_ms() + a->dev->profile->params.ack_timeout_ms;

	if (a->pings++)
		a->all->shared.retransmissions++;
	device_send_empty(a->dev, COAP_CON, a->ping_mid);
	ask_wait(a, next < a->deadline_ms && a->pings < PINGS_MOST ? next : a->deadline_ms);
}

bool ask_pinged(const struct device *d, uint16_t mid)
{
	struct ask *a = d->all->own ? d->all->own->asks : NULL;

	while (a && (a->dev != d || a->verb != ASK_PING || a->step != STEP_WAITS || a->ping_mid != mid))
		a = a->next;
	if (a)
		ask_end(a, NULL, NULL);
	return a != NULL;
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct ask *a = container_of(t, struct ask, timer);

	if (a->step == STEP_DONE) {
		finish(a);
	} else if (a->accepted && !a->storing) {
		ask_wait(a, a->deadline_ms + GRACE_MS);
		ask_accept(a);
	} else if (now_ms >= a->deadline_ms) {
		a->step = STEP_DONE; /* what comes of the withdrawal is not its answer */
		withdraw(a);
		ask_end(a, "timeout", "no answer in time");
	} else if (a->verb == ASK_PING) {
		ping(a);
	} else if (a->step == STEP_MORE) {
		a->step = STEP_WAITS;
		new_token(a); /* that of an observation belongs to its notifications */
		ask_wait(a, a->deadline_ms + GRACE_MS);
		send_message(a, NULL);
	} else {
		ask_wait(a, a->deadline_ms);
	}
}

/* ---- asking ---- */

static const struct relation *observation_of(const struct assoc *assoc, const struct lwm2m_path *p)
{
	const struct relation *r = assoc->relations;

	while (r &&
	       (!r->target.known || r->target.composite || r->target.path.depth != p->depth ||
		memcmp(r->target.path.id, p->id, sizeof p->id) != 0))
		r = r->next;
	return r;
}

/* The token of the observation that it is about, or another one. */
static bool choose_token(struct ask *a)
{
	const struct relation *r = NULL;

	if (a->verb == ASK_OBSERVE || a->verb == ASK_CANCEL)
		r = observation_of(a->assoc, &a->target.path);
	if (!r) {
		new_token(a);
		return a->verb != ASK_CANCEL;
	}
	memcpy(a->token, r->tn, r->tn_len);
	a->token_len = r->tn_len;
	return true;
}

static const char *check(const struct device *d, const struct ask_request *r)
{
	if (!d->all->own || d->all->own->asks_n >= ASK_OPEN_MOST)
		return "busy";
	if (!d->heard)
		return "not_found";
	if (r->verb == ASK_PING ? relay_status(d).server != NULL : device_is_opaque(d))
		return "opaque";
	if (!d->at)
		return "upstream";
	if (r->len > ASK_BODY_MOST || r->note_len > ASK_NOTE_MOST)
		return "too_big";
	if (r->verb == ASK_PING && !reach_is_awake((struct device *)(uintptr_t)d))
		return "asleep";
	return NULL;
}

static bool waits(struct device *d)
{
	return reach_holds_requests(d) && !reach_is_awake(d);
}

static void begin_ping(struct ask *a)
{
	a->ping_mid = coap_peer_mid(&a->dev->south);
	ping(a);
}

const char *ask_open(struct ask **out, struct device *d, const struct ask_request *r, ask_fn *fn, void *arg)
{
	const char *refusal = check(d, r);
	struct assoc *assoc;
	struct ask *a;

	if (refusal)
		return refusal;
	assoc = assoc_get(d, d->all->own->server);
	a = assoc ? ask_new(d->all, d, assoc) : NULL;
	if (!a)
		return "internal";
	a->verb = (uint8_t)r->verb;
	a->target = (struct mirror_target){ .path = r->path, .known = true };
	a->deadline_ms = clock_now_ms() + r->timeout_ms;
	a->fn = fn;
	a->arg = arg;
	if (!choose_token(a)) {
		ask_free(a);
		return "not_found";
	}
	if (out)
		*out = a;
	if (r->verb == ASK_PING) {
		begin_ping(a);
		return NULL;
	}
	ask_wait(a, a->deadline_ms + GRACE_MS);
	if (waits(d)) {
		a->accepted = r->accepted;
		ask_store(a, r->note, r->note_len);
	}
	send_message(a, r);
	if (a->accepted && !a->storing && a->step == STEP_WAITS)
		ask_wait(a, 1); /* there is nothing to wait for */
	return NULL;
}

void ask_close(struct ask *a)
{
	if (!a)
		return;
	a->fn = NULL;
	a->step = STEP_DONE;
	withdraw(a);
	finish(a);
}

struct ask *ask_leave(struct ask *a)
{
	if (a) {
		a->fn = NULL;
		a->accepted = NULL;
	}
	return NULL;
}

void ask_set(struct ask *a, ask_fn *fn, void *arg)
{
	a->fn = fn;
	a->arg = arg;
	a->adopted = true;
}
