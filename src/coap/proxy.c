/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.c - where a request to a forward proxy is to go
 *
 * What is allowed is decided on the parts that come out here, and the request goes by the same parts, so there is no
 * second reading that could see another host.
 */
#include "coap/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/octets.h"

enum { PART_MAX = 255 };

static const struct scheme {
	const char *name;
	uint16_t port;
} schemes[] = { { "coap", 5683 }, { "coaps", 5684 }, { "coap+tcp", 5683 }, { "coaps+tcp", 5684 } };

static int take_scheme(struct coap_uri *u, const char *text, size_t len)
{
	size_t known = sizeof schemes / sizeof schemes[0];

	if (!len || !isalpha((unsigned char)text[0]))
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && (!text[i] || !strchr("+-.", text[i])))
			return -EBADMSG;
	if (len >= sizeof u->scheme)
		return -EPROTONOSUPPORT;
	for (size_t i = 0; i < len; i++)
		u->scheme[i] = (char)tolower((unsigned char)text[i]);
	u->scheme[len] = 0;
	for (size_t i = 0; i < known; i++)
		if (!strcmp(u->scheme, schemes[i].name)) {
			u->port = schemes[i].port;
			return 0;
		}
	return -EPROTONOSUPPORT;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* The decoded octet at *p, which moves behind it; -1: a bad escape, a NUL, or a character that stands in no URI. */
static int decode(const char **p, const char *end)
{
	unsigned char c = (unsigned char)*(*p)++;
	int high, low;

	if (c != '%')
		return c > 0x20 && c < 0x7f && !strchr("\"<>\\^`{|}", c) ? c : -1;
	if (end - *p < 2 || (high = hex((*p)[0])) < 0 || (low = hex((*p)[1])) < 0 || !(high | low))
		return -1;
	*p += 2;
	return high << 4 | low;
}

/* ---- authority ---- */

/* Labels between dots, none of them empty: RFC 3986 lets more pass than a name can be. */
static bool is_name(const char *host)
{
	size_t len = strlen(host);

	if (*host == '.' || (len && host[len - 1] == '.') || strstr(host, ".."))
		return false;
	for (; *host; host++)
		if (!isalnum((unsigned char)*host) && !strchr("-._~!$&'()*+,;=", *host))
			return false;
	return true;
}

static int take_name(struct coap_uri *u, const char *p, const char *end)
{
	struct in_addr v4;
	size_t n = 0;

	while (p < end) {
		int c = decode(&p, end);

		if (c < 0 || n + 1 >= sizeof u->host)
			return -EBADMSG;
		u->host[n++] = (char)tolower(c);
	}
	if (n && u->host[n - 1] == '.')
		n--;
	u->host[n] = 0;
	u->numeric = inet_pton(AF_INET, u->host, &v4) == 1;
	return n && n <= PART_MAX && is_name(u->host) ? 0 : -EBADMSG;
}

static int take_v6(struct coap_uri *u, const char *p, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;

	if (len >= sizeof text)
		return -EBADMSG;
	memcpy(text, p, len);
	text[len] = 0;
	if (inet_pton(AF_INET6, text, &v6) != 1) /* a zone id is refused by that, too */
		return -EBADMSG;
	inet_ntop(AF_INET6, &v6, u->host, sizeof u->host);
	u->numeric = true;
	return 0;
}

static int take_port(struct coap_uri *u, const char *p, const char *end)
{
	unsigned long port = 0;

	if (p == end)
		return 0;
	for (; p < end; p++) {
		if (!isdigit((unsigned char)*p) || port > UINT16_MAX)
			return -EBADMSG;
		port = port * 10 + (unsigned long)(*p - '0');
	}
	if (!port || port > UINT16_MAX)
		return -EBADMSG;
	u->port = (uint16_t)port;
	return 0;
}

static int take_authority(struct coap_uri *u, const char *p, const char *end)
{
	const char *close, *colon;
	int err;

	if (memchr(p, '@', (size_t)(end - p)))
		return -EBADMSG;
	if (p < end && *p == '[') {
		close = memchr(p, ']', (size_t)(end - p));
		err = close ? take_v6(u, p + 1, (size_t)(close - p - 1)) : -EBADMSG;
		if (err || close + 1 == end)
			return err;
		return close[1] == ':' ? take_port(u, close + 2, end) : -EBADMSG;
	}
	colon = memchr(p, ':', (size_t)(end - p));
	err = take_name(u, p, colon ? colon : end);
	return err || !colon ? err : take_port(u, colon + 1, end);
}

/* ---- path and query ---- */

static bool is_dots(const struct coap_text *t)
{
	return (t->len == 1 || t->len == 2) && !memcmp(t->p, "..", t->len);
}

/* Parts between separators, decoded behind *room. */
static int take_parts(const char *p, const char *end, char separator, struct coap_text *parts, uint8_t *n, char **room)
{
	while (true) {
		struct coap_text *t = &parts[*n];
		const char *stop = memchr(p, separator, (size_t)(end - p));

		stop = stop ? stop : end;
		if (*n == COAP_URI_PARTS_MAX)
			return -EMSGSIZE;
		*t = (struct coap_text){ *room, 0 };
		while (p < stop) {
			int c = decode(&p, stop);

			if (c < 0 || t->len == PART_MAX)
				return -EBADMSG;
			*(*room)++ = (char)c;
			t->len++;
		}
		++*n;
		if (stop == end)
			return 0;
		p = stop + 1;
	}
}

static int take_path(struct coap_uri *u, const char *p, const char *end, char **room)
{
	int err;

	if (p == end || (end - p == 1 && *p == '/')) /* RFC 7252 6.4 step 8: no Uri-Path */
		return 0;
	if (*p != '/')
		return -EBADMSG;
	err = take_parts(p + 1, end, '/', u->path, &u->path_n, room);
	for (uint8_t i = 0; !err && i < u->path_n; i++)
		if (is_dots(&u->path[i]))
			err = -EBADMSG;
	return err;
}

int coap_uri_parse(struct coap_uri *u, const char *text, size_t len)
{
	const char *end = text + len, *colon = memchr(text, ':', len), *p, *stop, *query;
	char *room = u->buf;
	int err;

	if (len > COAP_URI_MAX)
		return -EMSGSIZE;
	memset(u, 0, offsetof(struct coap_uri, buf));
	if (!colon || end - colon < 3 || colon[1] != '/' || colon[2] != '/' || memchr(text, '#', len))
		return -EBADMSG;
	err = take_scheme(u, text, (size_t)(colon - text));
	if (err)
		return err;
	p = colon + 3;
	for (stop = p; stop < end && *stop != '/' && *stop != '?'; stop++)
		;
	err = take_authority(u, p, stop);
	query = memchr(stop, '?', (size_t)(end - stop));
	if (!err)
		err = take_path(u, stop, query ? query : end, &room);
	if (!err && query)
		err = take_parts(query + 1, end, '&', u->query, &u->query_n, &room);
	return err;
}

/* ---- of a request ---- */

static bool is_proxy_option(uint32_t number)
{
	return number == COAP_PROXY_URI || number == COAP_PROXY_SCHEME || number == COAP_PROXY_CRI ||
		number == COAP_PROXY_SCHEME_NUMBER;
}

/* Proxy-Scheme names the scheme, Uri-Host and Uri-Port the rest, as text again: one parser reads them all. */
static int target_of_scheme(struct coap_uri *u, const struct coap_option *scheme, const struct coap_option *host,
			    const struct coap_option *port)
{
	char text[COAP_URI_MAX];
	uint32_t number = 0;
	int n;

	if (!host->value || memchr(host->value, 0, host->len) || memchr(scheme->value, 0, scheme->len))
		return -EBADMSG;
	for (size_t i = 0; port->value && i < port->len && i < 4; i++)
		number = number << 8 | port->value[i];
	n = snprintf(text, sizeof text,
		     memchr(host->value, ':', host->len) && host->value[0] != '[' ? "%.*s://[%.*s]" : "%.*s://%.*s",
		     (int)scheme->len, (const char *)scheme->value, (int)host->len, (const char *)host->value);
	if (n < 0 || (size_t)n + 8 > sizeof text)
		return -EBADMSG;
	if (port->value)
		n += snprintf(text + n, sizeof text - (size_t)n, ":%u", number);
	n = coap_uri_parse(u, text, (size_t)n);
	return n ? n : u->path_n || u->query_n ? -EBADMSG : 0; /* a host with a slash in it is none */
}

int coap_proxy_target(struct coap_uri *u, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o, uri = { 0 }, scheme = { 0 }, host = { 0 }, port = { 0 };

	while (coap_option_next(&it, &o)) {
		if (o.number == COAP_PROXY_URI)
			uri = o;
		else if (o.number == COAP_PROXY_SCHEME)
			scheme = o;
		else if (o.number == COAP_URI_HOST)
			host = o;
		else if (o.number == COAP_URI_PORT)
			port = o;
		else if (is_proxy_option(o.number))
			return -EPROTONOSUPPORT;
	}
	if (uri.value)
		return coap_uri_parse(u, (const char *)uri.value, uri.len);
	return scheme.value ? target_of_scheme(u, &scheme, &host, &port) : -EBADMSG;
}

/* ---- rewriting ---- */

/* What the URI stands for, up to an option number. */
struct pending {
	const struct coap_uri *uri;
	bool whole; /* its path and query too */
	int next;
};

static void put_until(struct coap_builder *b, struct pending *w, uint32_t number)
{
	const struct coap_uri *u = w->uri;

	if (w->next == 0 && number > COAP_URI_HOST) {
		if (!u->numeric)
			coap_build_option(b, COAP_URI_HOST, u->host, strlen(u->host));
		w->next++;
	}
	if (w->next == 1 && number > COAP_URI_PATH) {
		for (uint8_t i = 0; w->whole && i < u->path_n; i++)
			coap_build_option(b, COAP_URI_PATH, u->path[i].p, u->path[i].len);
		w->next++;
	}
	if (w->next == 2 && number > COAP_URI_QUERY) {
		for (uint8_t i = 0; w->whole && i < u->query_n; i++)
			coap_build_option(b, COAP_URI_QUERY, u->query[i].p, u->query[i].len);
		w->next++;
	}
}

static bool has_option(const struct coap_msg *m, uint32_t number)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;

	while (coap_option_next(&it, &o))
		if (o.number == number)
			return true;
	return false;
}

long coap_proxy_rewrite(const struct coap_uri *u, const struct coap_msg *m, uint8_t *buf, size_t size)
{
	struct pending w = { u, has_option(m, COAP_PROXY_URI), 0 };
	struct coap_options it = coap_options_of(m);
	struct coap_builder b;
	struct coap_option o;

	coap_build(&b, buf, size, m->type, m->code, m->mid, m->token, m->token_len);
	while (coap_option_next(&it, &o)) {
		if (is_proxy_option(o.number) || o.number == COAP_URI_HOST || o.number == COAP_URI_PORT ||
		    (w.whole &&
		     (o.number == COAP_URI_PATH ||
		      o.number == COAP_URI_QUERY))) /* RFC 7252 5.10.2: Proxy-Uri comes before them */
			continue;
		put_until(&b, &w, o.number);
		coap_build_option(&b, o.number, o.value, o.len);
	}
	put_until(&b, &w, UINT32_MAX);
	coap_build_payload(&b, m->payload, m->payload_len);
	return coap_build_end(&b);
}
