/* SPDX-License-Identifier: Apache-2.0 */
/* option.h - what each option number means to a gateway, and how options cross a hop
 *
 * The table holds every registered number with its legal length and its rule per kind of message (proxy rules of RFC 7252
 * 5.7.1 and the documents of each option). A number that is not in it is judged by its bits: safe is passed byte for byte,
 * unsafe is refused.
 */
#ifndef NIDDGW_COAP_OPTION_H
#define NIDDGW_COAP_OPTION_H

#include "coap/codec.h"

enum coap_option_number {
	COAP_IF_MATCH = 1, COAP_URI_HOST = 3, COAP_ETAG = 4, COAP_IF_NONE_MATCH = 5, COAP_OBSERVE = 6, COAP_URI_PORT = 7, COAP_LOCATION_PATH = 8,
	COAP_OSCORE = 9, COAP_URI_PATH = 11, COAP_CONTENT_FORMAT = 12, COAP_MAX_AGE = 14, COAP_URI_QUERY = 15, COAP_HOP_LIMIT = 16,
	COAP_ACCEPT = 17, COAP_Q_BLOCK1 = 19, COAP_LOCATION_QUERY = 20, COAP_EDHOC = 21, COAP_BLOCK2 = 23, COAP_BLOCK1 = 27, COAP_SIZE2 = 28,
	COAP_Q_BLOCK2 = 31, COAP_PROXY_URI = 35, COAP_PROXY_SCHEME = 39, COAP_SIZE1 = 60, COAP_PROXY_CRI = 235, COAP_PROXY_SCHEME_NUMBER = 239,
	COAP_ECHO = 252, COAP_NO_RESPONSE = 258, COAP_REQUEST_TAG = 292,
};

static inline bool coap_option_critical(uint32_t n) { return n & 1; }
static inline bool coap_option_unsafe(uint32_t n) { return n & 2; }

enum coap_option_rule { COAP_RULE_FORWARD, COAP_RULE_REWRITE, COAP_RULE_DROP, COAP_RULE_REFUSE, COAP_RULE_PROXY };
struct coap_option_info {
	uint32_t number;
	const char *name;
	uint16_t min_len, max_len;
	bool repeatable;
	enum coap_option_rule request, response;
};
const struct coap_option_info *coap_option_lookup(uint32_t number); /* NULL: not registered here */
/* A length or a second instance that makes a recognised option count as unrecognised (RFC 7252 5.4.3, 5.4.5). */
static inline bool coap_option_is_faulty(const struct coap_option_info *info, const struct coap_option *o, bool second)
{
	return o->len < info->min_len || o->len > info->max_len || (second && !info->repeatable);
}

/* What the gateway looks at in one message, found in one pass over its options. */
struct coap_view {
	bool oscore;
	bool has_observe;  uint32_t observe;
	bool has_block1;   uint32_t block1;
	bool has_block2;   uint32_t block2;
	bool has_no_response; uint8_t no_response;
	bool has_max_age;  uint32_t max_age;
	bool has_hop_limit; uint32_t hop_limit; /* the value; 256 stands for one longer than an octet */
	bool has_content_format; uint32_t content_format;
	bool has_echo;
	bool has_uri_port; uint32_t uri_port;
	struct coap_option uri_host; /* value NULL: absent */
	struct coap_option oscore_value;
	struct coap_option path[8];  /* Uri-Path segments, the first 8 */
	uint8_t paths;               /* how many there are in all, 255 at most */
	/* 0, or the code the gateway answers with: for a request 4.02 (an unsafe option that is not understood, a critical one with a bad length
	 * or a second instance), 5.05 (Proxy-Uri, Proxy-Scheme), 4.00 (Hop-Limit 0 or above 255), 5.08 (Hop-Limit 1); for a response 5.02 to whoever asked. */
	uint8_t refuse;
	uint32_t refused_option;
};
/* request: m is a request. An elective option with a bad length or a forbidden second instance is marked by forwarding
 * nothing of it: coap_forward_options() leaves it out only when it is unsafe; safe ones pass as they came. */
void coap_view(struct coap_view *v, const struct coap_msg *m, bool request);

/* How one message crosses from a leg to the other. Zeroed: everything passes but what the table rewrites or drops. */
struct coap_crossing {
	bool request;
	bool to_server;         /* south to north */
	bool strip_uri_host;    /* leave out Uri-Host and Uri-Port (always so from a server to a device) */
	uint32_t held_s;        /* taken off Max-Age of a response, not below 0 */
	bool set_observe;       /* give Observe this value in place of the one it has; only when it has one */
	uint32_t observe;
	bool drop_block1, drop_block2; /* the asker used none, or does not know them */
	bool set_block1, set_block2; /* give it this value; only when it has one */
	uint32_t block1, block2;
	/* When not NULL: these stand in place of all Uri-Query options, in this order. */
	const struct coap_text *queries;
	size_t queries_n;
	unsigned skip_path; /* of a request: so many Uri-Path options, the first ones, are left out */
	/* Of a response: these stand before its Location-Path options, when it has any. */
	const struct coap_text *locations;
	size_t locations_n;
};
struct coap_text {
	const char *p;
	size_t len;
};
/* Copies the options of m into b by the rules (the caller has looked at view.refuse). The builder tells -EMSGSIZE at its end. */
void coap_forward_options(struct coap_builder *b, const struct coap_msg *m, const struct coap_crossing *c);

static inline unsigned coap_block_szx(uint32_t block) { return block & 7; }
static inline bool coap_block_more(uint32_t block) { return block & 8; }
static inline uint32_t coap_block_num(uint32_t block) { return block >> 4; }
static inline size_t coap_block_size(unsigned szx) { return (size_t)16 << (szx > 6 ? 6 : szx); }
/* The largest SZX (0 to 6) whose block fits a message of `room` octets beside `overhead` octets; -EMSGSIZE when not even 16 does. */
int coap_block_fit(size_t room, size_t overhead);

/* Text of a code and of a path for logs: "4.04" into buf of 5 octets; a whole path "/3/0/1", cut with "..." */
const char *coap_code_text(char buf[5], uint8_t code);
const char *coap_path_text(char *buf, size_t size, const struct coap_msg *m);

#endif
