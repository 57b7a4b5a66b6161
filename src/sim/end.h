/* SPDX-License-Identifier: Apache-2.0 */
/* end.h - a CoAP end on libcoap: what the simulated server and the simulated devices share
 *
 * libcoap is on purpose not the gateway's own CoAP: every system test then crosses two implementations. Its block mode is
 * off (it would replace tokens), and what it does not do itself is here: duplicates of requests, separate answers, being
 * deaf. No function of src/coap may be used in a file that uses libcoap: both have a coap_option_next().
 */
#ifndef NIDDGW_SIM_END_H
#define NIDDGW_SIM_END_H

#include <coap3/coap.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"

struct end_option {
	uint16_t number;
	uint16_t len;
	const uint8_t *value;
};

/* A message to send, request or response. Made by end_out(): -1 stands for "absent". */
struct end_out {
	uint8_t type, code;
	int32_t mid; /* -1: the session's next */
	uint8_t token[8];
	uint8_t token_len;
	const char *path;     /* Uri-Path, "/3/0"; NULL none */
	const char *query;    /* Uri-Query, parts joined by '&'; NULL none */
	const char *location; /* Location-Path, "rd/1"; NULL none */
	int32_t content_format, accept, observe, block1, block2, size1, size2;
	const struct end_option *extra; /* more options, any order */
	size_t extra_n;
	const void *payload;
	size_t len;
	/* of an answer to a request: */
	bool separate;     /* empty ACK first */
	uint32_t delay_ms; /* implies separate */
};
struct end_out end_out(uint8_t type, uint8_t code);

struct end;
struct end_ops {
	/* A request that is no duplicate. The answer is filled by the callee (code 0: none, an empty ACK at most); what it points to need
	 * live only until the function returns. */
	void (*request)(void *arg, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer);
	void (*duplicate)(void *arg, coap_session_t *s, const coap_pdu_t *req); /* it has been answered as before */
	/* sent is NULL for a separate response or notification. false: refuse with RST. */
	bool (*response)(void *arg, coap_session_t *s, const coap_pdu_t *sent, const coap_pdu_t *got);
	/* A CON ended without an answer: why is "timeout", "rst" or "unreachable" (then retransmission may still go on). */
	void (*failed)(void *arg, coap_session_t *s, const coap_pdu_t *sent, const char *why);
};

/* One libcoap context in the loop. */
int end_open(struct end **out, struct loop *loop, const struct end_ops *ops, void *arg);
void end_close(struct end *e); /* NULL is fine; sessions still referenced must have been released */
coap_context_t *end_context(struct end *e);
int end_listen(struct end *e, const struct addr *local, struct addr *bound); /* 0 or a negative errno */
/* A client session from local to peer; NULL when it cannot be had. Owned, released with coap_session_release(). */
coap_session_t *end_connect(struct end *e, const struct addr *local, const struct addr *peer);

/* 0, or -EIO when libcoap refused. */
int end_send(struct end *e, coap_session_t *s, const struct end_out *m);

/* While deaf the kernel drops whatever arrives at the socket bound to local: to the peer this end is away. */
void end_deaf(const struct addr *local, bool deaf);

void end_remote(const coap_session_t *s, struct addr *a);
void end_local(const coap_session_t *s, struct addr *a);

/* ---- reading a message ---- */

/* The index-th instance of an option. false: there is none. value is borrowed from the pdu. */
bool end_option_at(const coap_pdu_t *pdu, uint16_t number, unsigned index, const uint8_t **value, size_t *len);
bool end_option_uint(const coap_pdu_t *pdu, uint16_t number, uint32_t *value);
/* "/3/0" into buf, cut when it does not fit; of Uri-Path or Location-Path. */
const char *end_path(const coap_pdu_t *pdu, uint16_t number, char *buf, size_t size);
/* Uri-Query name=VALUE or a bare name: true, and the value (empty for a bare name) in buf. */
bool end_query(const coap_pdu_t *pdu, const char *name, char *buf, size_t size);
const char *end_code_text(uint8_t code, char buf[5]); /* "2.05" */
int end_code_parse(const char *text);                 /* "2.05", or a method name; negative when neither */
const char *end_type_text(uint8_t type);

/* Members of an event: code, mid, token, type, content_format, payload (hex), text when it is printable. */
void end_describe(json_t *ev, const coap_pdu_t *pdu);

#endif
