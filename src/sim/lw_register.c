/* SPDX-License-Identifier: Apache-2.0 */
/* lw_register.c - what devices ask of the simulated server: /rd and /dp
 *
 * It behaves like the servers in the field where a gateway can notice: a registration is found by its location alone
 * and an Update moves it to the sender's address, a new Register of the same endpoint gets a new location and ends its
 * observations.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/lw.h"

static bool ep_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct lw_reg *r = container_of(n, const struct lw_reg, by_ep);

	return strlen(r->ep) == len && !memcmp(r->ep, key, len);
}

static bool location_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct lw_reg *r = container_of(n, const struct lw_reg, by_location);

	return strlen(r->location) == len && !memcmp(r->location, key, len);
}

struct lw_reg *lw_find(struct lw *lw, const char *ep)
{
	struct map_node *n = map_find(&lw->by_ep, map_hash(ep, strlen(ep)), ep_eq, ep, strlen(ep));

	return n ? container_of(n, struct lw_reg, by_ep) : NULL;
}

static struct lw_reg *at_location(struct lw *lw, const char *path)
{
	struct map_node *n = map_find(&lw->by_location, map_hash(path, strlen(path)), location_eq, path, strlen(path));

	return n ? container_of(n, struct lw_reg, by_location) : NULL;
}

void lw_forget(struct lw_reg *r)
{
	lw_drop_asks(r->lw, r->ep, "deregistered");
	timer_cancel(loop_timers(r->lw->loop), &r->expiry);
	timer_cancel(loop_timers(r->lw->loop), &r->first_asks);
	if (coap_session_get_app_data(r->session) == r)
		coap_session_set_app_data(r->session, NULL);
	map_remove(&r->lw->by_ep, &r->by_ep);
	map_remove(&r->lw->by_location, &r->by_location);
	coap_session_release(r->session);
	free(r->ep);
	free(r->location);
	free(r);
}

static void put_address(json_t *ev, const coap_session_t *s)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	end_remote(s, &a);
	addr_format(&a, text, sizeof text);
	json_object_set_new(ev, "from", json_string(text));
}

json_t *lw_reg_json(const struct lw_reg *r)
{
	json_t *v = json_pack("{s:s, s:s, s:I, s:I}", "ep", r->ep, "location", r->location, "lt",
			      (json_int_t)r->lifetime_s, "updates", (json_int_t)r->updates);

	put_address(v, r->session);
	return v;
}

static void on_expiry(struct timer *t, uint64_t now_ms)
{
	struct lw_reg *r = container_of(t, struct lw_reg, expiry);

	(void)now_ms;
	console_event(r->lw->console,
		      json_pack("{s:s, s:s, s:s}", "ev", "expired", "ep", r->ep, "location", r->location));
	lw_forget(r);
}

static void start_lifetime(struct lw_reg *r)
{
	timer_cancel(loop_timers(r->lw->loop), &r->expiry);
	if (r->lifetime_s)
		timer_set(loop_timers(r->lw->loop), &r->expiry, clock_now_ms() + r->lifetime_s * 1000, on_expiry);
}

static json_t *query_list(const coap_pdu_t *req)
{
	json_t *list = json_array();
	const uint8_t *p;
	size_t len;

	for (unsigned i = 0; end_option_at(req, COAP_OPTION_URI_QUERY, i, &p, &len); i++)
		json_array_append_new(list, json_stringn((const char *)p, len));
	return list;
}

static json_t *event(const char *ev, const char *ep, coap_session_t *s, const coap_pdu_t *req)
{
	json_t *v = json_pack("{s:s, s:s?}", "ev", ev, "ep", ep);

	put_address(v, s);
	json_object_set_new(v, "query", query_list(req));
	end_describe(v, req);
	return v;
}

static void put_parameters(json_t *ev, const coap_pdu_t *req)
{
	static const char *const names[] = { "lt", "lwm2m", "b", "sms", "pid" };
	char buf[128];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (end_query(req, names[i], buf, sizeof buf))
			json_object_set_new(ev, names[i], json_string(buf));
	}
	json_object_set_new(ev, "q", json_boolean(end_query(req, "Q", buf, sizeof buf)));
}

/* ---- Register ---- */

/* 0, or the code of a refusal, as Leshan judges. */
static uint8_t strict_fault(const coap_pdu_t *req)
{
	char version[16] = "", binding[16] = "U", buf[8];
	bool queue = end_query(req, "Q", buf, sizeof buf);

	end_query(req, "b", binding, sizeof binding);
	if (coap_pdu_get_type(req) != COAP_MESSAGE_CON)
		return COAP_RESPONSE_CODE_BAD_REQUEST;
	if (!end_query(req, "lwm2m", version, sizeof version))
		return COAP_RESPONSE_CODE_BAD_REQUEST;
	if (!strcmp(version, "1.0"))
		return queue || strchr(binding, 'N') ? COAP_RESPONSE_CODE_BAD_REQUEST : 0;
	if (strcmp(version, "1.1"))
		return COAP_RESPONSE_CODE_PRECONDITION_FAILED;
	return strchr(binding, 'Q') ? COAP_RESPONSE_CODE_BAD_REQUEST : 0;
}

static struct lw_reg *reg_new(struct lw *lw, const char *ep, coap_session_t *s)
{
	struct lw_reg *r = calloc(1, sizeof *r);
	char location[32];

	if (!r)
		return NULL;
	snprintf(location, sizeof location, "/rd/%llu", (unsigned long long)++lw->locations);
	r->lw = lw;
	r->ep = strdup(ep);
	r->location = strdup(location);
	if (!r->ep || !r->location || map_add(&lw->by_ep, &r->by_ep, map_hash(ep, strlen(ep)))) {
		free(r->ep);
		free(r->location);
		free(r);
		return NULL;
	}
	map_add(&lw->by_location, &r->by_location, map_hash(location, strlen(location)));
	r->session = coap_session_reference(s);
	coap_session_set_app_data(s, r);
	coap_session_set_ack_timeout(s, (coap_fixed_point_t){ (uint16_t)lw->opts.ack_timeout_s, 0 });
	coap_session_set_max_retransmit(s, (uint16_t)lw->opts.max_retransmit);
	coap_session_set_nstart(s, (uint16_t)lw->opts.nstart);
	return r;
}

static void ask_automatically(struct lw *lw, struct lw_reg *r)
{
	struct lw_request q;

	for (size_t i = 0; i < lw->opts.read.n; i++) {
		q = lw_request("read", COAP_REQUEST_CODE_GET);
		q.path = lw->opts.read.texts[i];
		q.accept = lw_format(lw->opts.accept);
		lw_ask(lw, r, &q, NULL);
	}
	for (size_t i = 0; i < lw->opts.observe.n; i++) {
		q = lw_request("observe", COAP_REQUEST_CODE_GET);
		q.path = lw->opts.observe.texts[i];
		q.observe = 0;
		q.accept = lw_format(lw->opts.accept);
		lw_ask(lw, r, &q, NULL);
	}
}

static void on_first_asks(struct timer *t, uint64_t now_ms)
{
	struct lw_reg *r = container_of(t, struct lw_reg, first_asks);

	(void)now_ms;
	ask_automatically(r->lw, r);
}

/* The first requests go out behind the answer to the Register, which libcoap sends when its handler has returned. */
static void ask_after_answer(struct lw *lw, struct lw_reg *r)
{
	if (lw->opts.read.n || lw->opts.observe.n)
		timer_set(loop_timers(lw->loop), &r->first_asks, clock_now_ms(), on_first_asks);
}

static void do_register(struct lw *lw, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer)
{
	char ep[256], buf[32] = "86400";
	struct lw_reg *r = NULL;
	uint8_t fault = lw->opts.strict ? strict_fault(req) : 0;
	bool named = end_query(req, "ep", ep, sizeof ep);
	bool again = named && lw_find(lw, ep);
	json_t *ev;

	if (!named)
		fault = COAP_RESPONSE_CODE_BAD_REQUEST;
	if (!fault && answer->code && answer->code >> 5 != 2)
		fault = answer->code; /* a rule */
	if (!fault) {
		if (again)
			lw_forget(lw_find(lw, ep));
		r = reg_new(lw, ep, s);
		fault = r ? 0 : COAP_RESPONSE_CODE_INTERNAL_ERROR;
	}
	answer->code = fault ? fault : COAP_RESPONSE_CODE_CREATED;
	ev = event(r ? "registered" : "refused", named ? ep : NULL, s, req);
	put_parameters(ev, req);
	json_object_set_new(ev, "answer", json_string(end_code_text(answer->code, buf)));
	if (r) {
		json_object_set_new(ev, "location", json_string(r->location));
		json_object_set_new(ev, "again", json_boolean(again));
		strcpy(buf, "86400");
		end_query(req, "lt", buf, sizeof buf);
		r->lifetime_s = strtoull(buf, NULL, 10);
		start_lifetime(r);
		answer->location = r->location;
		ask_after_answer(lw, r);
	}
	console_event(lw->console, ev);
}

/* ---- Update, De-register, Send ---- */

static void move(struct lw_reg *r, coap_session_t *s)
{
	coap_session_t *old = r->session;

	r->session = coap_session_reference(s);
	coap_session_set_app_data(s, r);
	if (coap_session_get_app_data(old) == r)
		coap_session_set_app_data(old, NULL);
	coap_session_release(old);
}

static void do_update(struct lw *lw, struct lw_reg *r, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer)
{
	json_t *ev = event("updated", r->ep, s, req);
	char buf[32];

	if (!answer->code)
		answer->code = COAP_RESPONSE_CODE_CHANGED;
	json_object_set_new(ev, "location", json_string(r->location));
	json_object_set_new(ev, "moved", json_boolean(r->session != s));
	put_parameters(ev, req);
	json_object_set_new(ev, "answer", json_string(end_code_text(answer->code, buf)));
	console_event(lw->console, ev);
	if (answer->code >> 5 != 2)
		return;
	if (r->session != s)
		move(r, s);
	if (end_query(req, "lt", buf, sizeof buf))
		r->lifetime_s = strtoull(buf, NULL, 10);
	r->updates++;
	start_lifetime(r);
}

static void do_deregister(struct lw *lw, struct lw_reg *r, coap_session_t *s, const coap_pdu_t *req,
			  struct end_out *answer)
{
	json_t *ev = event("deregistered", r->ep, s, req);
	char buf[5];

	if (!answer->code)
		answer->code = COAP_RESPONSE_CODE_DELETED;
	json_object_set_new(ev, "location", json_string(r->location));
	json_object_set_new(ev, "answer", json_string(end_code_text(answer->code, buf)));
	console_event(lw->console, ev);
	if (answer->code >> 5 == 2)
		lw_forget(r);
}

static void do_send(struct lw *lw, struct lw_reg *r, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer)
{
	json_t *ev = event("send", r ? r->ep : NULL, s, req);
	char buf[5];

	if (!answer->code)
		answer->code = r || !lw->opts.strict ? COAP_RESPONSE_CODE_CHANGED : COAP_RESPONSE_CODE_BAD_REQUEST;
	json_object_set_new(ev, "answer", json_string(end_code_text(answer->code, buf)));
	console_event(lw->console, ev);
}

/* ---- which it is ---- */

static const struct lw_rule *apply_rule(struct lw *lw, const char *on, const char *ep, struct end_out *answer)
{
	for (struct lw_rule **at = &lw->rules; *at; at = &(*at)->next) {
		struct lw_rule *rule = *at;

		if ((strcmp(rule->on, on) && strcmp(rule->on, "any")) || (*rule->ep && (!ep || strcmp(rule->ep, ep))) ||
		    !rule->times)
			continue;
		if (rule->times != UINT64_MAX)
			rule->times--;
		answer->code = rule->code;
		answer->delay_ms = rule->delay_ms ? rule->delay_ms : answer->delay_ms;
		answer->separate = answer->separate || rule->separate;
		return rule;
	}
	return NULL;
}

static void do_unknown(struct lw *lw, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer,
		       const char *path)
{
	json_t *ev = event("unknown", NULL, s, req);
	char buf[5];

	if (!answer->code)
		answer->code = COAP_RESPONSE_CODE_NOT_FOUND;
	json_object_set_new(ev, "path", json_string(path));
	json_object_set_new(ev, "answer", json_string(end_code_text(answer->code, buf)));
	console_event(lw->console, ev);
}

void lw_on_request(void *arg, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer)
{
	unsigned method = (unsigned)coap_pdu_get_code(req);
	const struct lw_rule *rule;
	struct lw *lw = arg;
	char path[256], ep[256] = "";
	struct lw_reg *r;
	const char *on;

	end_path(req, COAP_OPTION_URI_PATH, path, sizeof path);
	r = at_location(lw, path);
	if (!strcmp(path, "/rd") && method == COAP_REQUEST_CODE_POST)
		on = "register";
	else if (!strcmp(path, "/dp") && method == COAP_REQUEST_CODE_POST)
		on = "send";
	else if (r && method == COAP_REQUEST_CODE_POST)
		on = "update";
	else if (r && method == COAP_REQUEST_CODE_DELETE)
		on = "deregister";
	else
		on = "unknown";
	if (!strcmp(on, "send"))
		r = coap_session_get_app_data(s); /* the newest registration from this address and port */
	end_query(req, "ep", ep, sizeof ep);
	answer->delay_ms = (uint32_t)lw->opts.delay_ms;
	answer->separate = lw->opts.separate;
	rule = apply_rule(lw, on, r ? r->ep : ep, answer);
	if (!strcmp(on, "register"))
		do_register(lw, s, req, answer);
	else if (!strcmp(on, "send"))
		do_send(lw, r, s, req, answer);
	else if (!strcmp(on, "update"))
		do_update(lw, r, s, req, answer);
	else if (!strcmp(on, "deregister"))
		do_deregister(lw, r, s, req, answer);
	else
		do_unknown(lw, s, req, answer, path);
	if (rule && rule->silent)
		answer->code = 0; /* an empty ACK is all that comes */
}

void lw_on_duplicate(void *arg, coap_session_t *s, const coap_pdu_t *req)
{
	struct lw *lw = arg;
	char path[256];
	json_t *ev = event("duplicate", NULL, s, req);

	json_object_set_new(ev, "path", json_string(end_path(req, COAP_OPTION_URI_PATH, path, sizeof path)));
	console_event(lw->console, ev);
}
