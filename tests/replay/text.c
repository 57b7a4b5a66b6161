/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - a message as the words that would build it */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

const struct option_name option_names[] = {
	{ "if-match", COAP_IF_MATCH, AS_HEX },
	{ "uri-host", COAP_URI_HOST, AS_TEXT },
	{ "etag", COAP_ETAG, AS_HEX },
	{ "observe", COAP_OBSERVE, AS_UINT },
	{ "uri-port", COAP_URI_PORT, AS_UINT },
	{ "location", COAP_LOCATION_PATH, AS_SEGMENTS },
	{ "oscore", COAP_OSCORE, AS_HEX },
	{ "content-format", COAP_CONTENT_FORMAT, AS_UINT },
	{ "max-age", COAP_MAX_AGE, AS_UINT },
	{ "query", COAP_URI_QUERY, AS_TEXT },
	{ "hop-limit", COAP_HOP_LIMIT, AS_UINT },
	{ "accept", COAP_ACCEPT, AS_UINT },
	{ "block2", COAP_BLOCK2, AS_BLOCK },
	{ "block1", COAP_BLOCK1, AS_BLOCK },
	{ "size2", COAP_SIZE2, AS_UINT },
	{ "proxy-uri", COAP_PROXY_URI, AS_TEXT },
	{ "proxy-scheme", COAP_PROXY_SCHEME, AS_TEXT },
	{ "size1", COAP_SIZE1, AS_UINT },
	{ "echo", COAP_ECHO, AS_HEX },
	{ "no-response", COAP_NO_RESPONSE, AS_UINT },
	{ "request-tag", COAP_REQUEST_TAG, AS_HEX },
	{ 0 },
};
const char *const type_names[4] = { "CON", "NON", "ACK", "RST" };
const char *const method_names[8] = { "EMPTY", "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "IPATCH" };

struct text {
	char *buf;
	size_t len, size;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->len < t->size)
		t->len += (size_t)vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
}

static void put_octets(struct text *t, const uint8_t *p, size_t n, bool text_allowed)
{
	bool plain = text_allowed && n;

	for (size_t i = 0; i < n; i++)
		plain = plain && p[i] > ' ' && p[i] < 0x7f && p[i] != '"' && p[i] != '#';
	if (plain) {
		put(t, "%.*s", (int)n, (const char *)p);
		return;
	}
	if (text_allowed)
		put(t, "0x");
	for (size_t i = 0; i < n; i++)
		put(t, "%02x", p[i]);
}

static void put_target(struct text *t, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	char mark = '?';
	bool begun = false;

	while (coap_option_next(&it, &o)) {
		if (o.number == COAP_URI_PATH) {
			put(t, begun ? "/" : " /");
		} else if (o.number == COAP_URI_QUERY) {
			put(t, begun ? "%c" : " /%c", mark);
			mark = '&';
		} else {
			continue;
		}
		begun = true;
		put(t, "%.*s", (int)o.len, (const char *)o.value);
	}
}

static void put_option(struct text *t, const struct coap_option *o)
{
	uint32_t n = coap_option_uint(o);

	for (size_t i = 0; option_names[i].name; i++) {
		if (option_names[i].number != o->number || option_names[i].form == AS_SEGMENTS)
			continue;
		put(t, " %s=", option_names[i].name);
		if (option_names[i].form == AS_UINT)
			put(t, "%u", n);
		else if (option_names[i].form == AS_TEXT)
			put(t, "%.*s", (int)o->len, (const char *)o->value);
		else if (option_names[i].form == AS_BLOCK)
			put(t, "%u/%u/%zu", coap_block_num(n), coap_block_more(n), coap_block_size(coap_block_szx(n)));
		else
			put_octets(t, o->value, o->len, false);
		return;
	}
	put(t, " opt=%u:", o->number);
	put_octets(t, o->value, o->len, false);
}

static void put_options(struct text *t, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	bool location = false;

	put_target(t, m);
	while (coap_option_next(&it, &o)) {
		if (o.number == COAP_URI_PATH || o.number == COAP_URI_QUERY)
			continue;
		if (o.number == COAP_LOCATION_PATH) {
			put(t, "%s/%.*s", location ? "" : " location=", (int)o.len, (const char *)o.value);
			location = true;
		} else {
			put_option(t, &o);
		}
	}
}

char *message_text(const uint8_t *data, size_t len)
{
	struct text t = { malloc(4 * UNIT_MOST), 0, 4 * UNIT_MOST };
	struct coap_msg m;
	char code[5];

	if (!t.buf)
		abort();
	t.buf[0] = '\0';
	if (coap_parse(&m, data, len)) {
		put_octets(&t, data, len, true);
		return t.buf;
	}
	put(&t, "%s %s mid=%u", type_names[m.type], m.code < 8 ? method_names[m.code] : coap_code_text(code, m.code),
	    m.mid);
	if (m.token_len) {
		put(&t, " token=");
		put_octets(&t, m.token, m.token_len, false);
	}
	put_options(&t, &m);
	if (m.payload_len) {
		put(&t, " payload=");
		put_octets(&t, m.payload, m.payload_len, true);
	}
	return t.buf;
}
