/* SPDX-License-Identifier: Apache-2.0 */
/* lw.h - the inside of the simulated LwM2M server: registrations, requests, commands */
#ifndef NIDDGW_SIM_LW_H
#define NIDDGW_SIM_LW_H

#include "base/map.h"
#include "base/timer.h"
#include "sim/args.h"
#include "sim/console.h"
#include "sim/end.h"

struct lw_opts {
	char *listen, *control;
	uint64_t delay_ms, timeout_ms, ack_timeout_s, max_retransmit, nstart, token_len, seconds, seed;
	bool separate, non, deaf, strict, quiet;
	unsigned tokens;
	struct args_list observe, read;
	char *accept;
};
extern const struct args_item lw_items[];
enum { LW_TOKENS_RANDOM, LW_TOKENS_COUNT };

/* One registration. */
struct lw_reg {
	struct map_node by_ep, by_location;
	struct lw *lw;
	struct timer expiry, first_asks;
	coap_session_t *session; /* referenced */
	char *ep, *location;     /* owned */
	uint64_t lifetime_s;     /* 0: for ever */
	uint64_t updates;
};

/* One request on its way, or an observation. */
struct lw_ask {
	struct map_node by_token;
	struct lw *lw;
	struct lw_ask *next, *prev; /* all of them */
	struct timer deadline;      /* not set for an observation */
	coap_session_t *session;    /* referenced */
	uint8_t token[8];
	uint8_t token_len;
	json_t *id;                 /* owned; NULL: nobody waits */
	char *cmd, *ep, *path, *query; /* owned */
	uint8_t type, code;
	int32_t accept, content_format, observe;
	bool observing, cancelling, raw;
	uint64_t notified;
	uint8_t *body;              /* owned: what is sent */
	size_t body_len, body_at;
	uint32_t block_size;        /* of the body's blocks; 0: in one piece */
	uint8_t *got;               /* owned: an answer in blocks */
	size_t got_len, blocks;
};

/* What answers a class of requests otherwise than normal; by command "answer". */
struct lw_rule {
	struct lw_rule *next;
	char on[16];
	char ep[128]; /* empty: any */
	uint8_t code; /* 0: the normal one */
	uint64_t times;
	uint32_t delay_ms;
	bool separate, silent;
};

struct lw {
	struct lw_opts opts;
	struct loop *loop;
	struct console *console;
	struct end *end;
	struct addr local;
	struct map by_ep, by_location, asks;
	struct lw_ask *ask_list;
	struct lw_rule *rules;
	struct timer stop;
	uint64_t locations, tokens;
};

/* ---- lw_register.c ---- */
void lw_on_request(void *arg, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer);
void lw_on_duplicate(void *arg, coap_session_t *s, const coap_pdu_t *req);
struct lw_reg *lw_find(struct lw *lw, const char *ep);
void lw_forget(struct lw_reg *r);
json_t *lw_reg_json(const struct lw_reg *r);

/* ---- lw_ask.c ---- */
/* What a request is to be; pointers are borrowed. */
struct lw_request {
	const char *cmd, *path, *query;
	uint8_t type, code;
	int32_t accept, content_format, observe;
	const void *body;
	size_t len;
	uint32_t block_size;
	const uint8_t *token; /* NULL: one of ours */
	uint8_t token_len;
	int32_t mid;
	const struct end_option *extra;
	size_t extra_n;
	bool raw;
};
struct lw_request lw_request(const char *cmd, uint8_t code);
int lw_ask(struct lw *lw, struct lw_reg *r, const struct lw_request *q, json_t *id); /* id is borrowed, may be NULL */
bool lw_on_response(void *arg, coap_session_t *s, const coap_pdu_t *sent, const coap_pdu_t *got);
void lw_on_failed(void *arg, coap_session_t *s, const coap_pdu_t *sent, const char *why);
/* The observation of a path, NULL: none. */
struct lw_ask *lw_observation(struct lw *lw, const char *ep, const char *path);
void lw_ask_free(struct lw_ask *a);
int lw_cancel_active(struct lw_ask *a, json_t *id);
void lw_drop_asks(struct lw *lw, const char *ep, const char *why); /* ep NULL: all */

/* ---- lw_verbs.c ---- */
extern const struct console_verb lw_verbs[];
int32_t lw_format(const char *text); /* "tlv", "110" ..; -1: unknown or absent */

#endif
