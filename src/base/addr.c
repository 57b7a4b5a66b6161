/* SPDX-License-Identifier: Apache-2.0 */
/* addr.c - reading and printing socket addresses
 *
 * An IPv4 address that came in a v6 form is turned back at the door, so that one peer has one form in every table.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MOST = 255, V4_IN_V6 = 96 };

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_v6(const char *text)
{
	struct in6_addr a;
	char plain[INET6_ADDRSTRLEN];
	const size_t len = strcspn(text, "%");

	if (len >= sizeof plain || (text[len] && !text[len + 1]))
		return false;
	memcpy(plain, text, len);
	plain[len] = '\0';
	return inet_pton(AF_INET6, plain, &a) == 1;
}

static bool is_name(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";

	return *text && !text[strspn(text, allowed)];
}

static int port_of(const char *text, uint16_t *port)
{
	const size_t len = strlen(text);
	unsigned long n;

	if (!len || len > 5 || strspn(text, "0123456789") != len)
		return -EBADMSG;
	n = strtoul(text, NULL, 10);
	if (n > UINT16_MAX)
		return -EBADMSG;
	*port = (uint16_t)n;
	return 0;
}

int addr_split(const char *text, char *host, uint16_t *port, bool port_required)
{
	const bool bracket = *text == '[', bare = !bracket && !port_required && is_v6(text);
	const char *start = text + bracket;
	const size_t len = bare ? strlen(text) : strcspn(start, bracket ? "]" : ":");
	const char *after = start + len;

	if (!len || len > HOST_MOST || (bracket && *after++ != ']'))
		return -EBADMSG;
	memcpy(host, start, len);
	host[len] = '\0';
	if (bracket || bare ? !is_v6(host) : !is_name(host))
		return -EBADMSG;
	*port = 0;
	if (!*after)
		return port_required ? -EBADMSG : 0;
	return *after == ':' ? port_of(after + 1, port) : -EBADMSG;
}

static int parse_v6(struct sockaddr_in6 *out, char *host)
{
	char *scope = strchr(host, '%');

	if (scope)
		*scope++ = '\0';
	out->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, host, &out->sin6_addr) != 1)
		return -EBADMSG;
	if (!scope)
		return 0;
	out->sin6_scope_id = if_nametoindex(scope);
	return out->sin6_scope_id ? 0 : -EBADMSG;
}

static int parse_host(struct addr *out, char *host, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_port = htons(port) };
	int err = 0;

	if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &in.sin_addr) == 1) {
		addr_from(out, (const struct sockaddr *)&in, sizeof in);
		return 0;
	}
	err = parse_v6(&in6, host);
	if (!err)
		addr_from(out, (const struct sockaddr *)&in6, sizeof in6);
	return err;
}

int addr_parse(struct addr *out, const char *text, bool port_required)
{
	char host[HOST_MOST + 1];
	uint16_t port;
	int err = addr_split(text, host, &port, port_required);

	return err ? err : parse_host(out, host, port);
}

void addr_from(struct addr *out, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in6 in6;

	*out = (struct addr){ 0 };
	if (len > sizeof out->u)
		return;
	memcpy(&out->u, sa, len);
	out->len = len;
	if (len < sizeof in6 || out->u.sa.sa_family != AF_INET6 ||
	    memcmp(&out->u.in6.sin6_addr, mapped, sizeof mapped) != 0)
		return;
	in6 = out->u.in6;
	*out = (struct addr){ .len = sizeof out->u.in };
	out->u.in.sin_family = AF_INET;
	out->u.in.sin_port = in6.sin6_port;
	memcpy(&out->u.in.sin_addr, in6.sin6_addr.s6_addr + sizeof mapped, 4);
}

static bool has_v4(const struct addr *a)
{
	return a->len && a->u.sa.sa_family == AF_INET;
}

static bool has_v6(const struct addr *a)
{
	return a->len && a->u.sa.sa_family == AF_INET6;
}

void addr_format(const struct addr *a, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE] = "";

	if (has_v4(a)) {
		inet_ntop(AF_INET, &a->u.in.sin_addr, host, sizeof host);
		snprintf(buf, size, "%s:%u", host, addr_port(a));
	} else if (has_v6(a)) {
		const unsigned id = a->u.in6.sin6_scope_id;

		inet_ntop(AF_INET6, &a->u.in6.sin6_addr, host, sizeof host);
		if (id && !if_indextoname(id, scope))
			snprintf(scope, sizeof scope, "%u", id);
		snprintf(buf, size, "[%s%s%s]:%u", host, id ? "%" : "", scope, addr_port(a));
	} else {
		snprintf(buf, size, "-");
	}
}

uint16_t addr_port(const struct addr *a)
{
	return ntohs(has_v4(a) ? a->u.in.sin_port : has_v6(a) ? a->u.in6.sin6_port : 0);
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (has_v4(a))
		a->u.in.sin_port = htons(port);
	else if (has_v6(a))
		a->u.in6.sin6_port = htons(port);
}

/* 16 octets, v4 as mapped. False when there is no address. */
static bool bytes_of(const struct addr *a, uint8_t bytes[16])
{
	if (has_v4(a)) {
		memcpy(bytes, mapped, sizeof mapped);
		memcpy(bytes + sizeof mapped, &a->u.in.sin_addr, 4);
	} else if (has_v6(a)) {
		memcpy(bytes, &a->u.in6.sin6_addr, 16);
	} else {
		return false;
	}
	return true;
}

bool addr_is_loopback(const struct addr *a)
{
	uint8_t bytes[16];

	if (!bytes_of(a, bytes))
		return false;
	return has_v4(a) ? bytes[12] == 127 : IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr);
}

bool addr_equal(const struct addr *a, const struct addr *b, bool with_port)
{
	uint8_t x[16], y[16];

	if (!bytes_of(a, x) || !bytes_of(b, y))
		return a->len == b->len;
	if (memcmp(x, y, sizeof x) != 0 || (with_port && addr_port(a) != addr_port(b)))
		return false;
	return !has_v6(a) || a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id;
}

/* "/24" or nothing; the number of bits that counts, of 128. */
static int prefix_of(const char *text, bool v4, uint8_t *bits)
{
	const unsigned most = v4 ? 32 : 128, above = v4 ? V4_IN_V6 : 0;
	uint16_t n = (uint16_t)most;

	if (text && (strlen(text) > 3 || port_of(text, &n)))
		return -EBADMSG;
	if (n > most)
		return -EBADMSG;
	*bits = (uint8_t)(above + n);
	return 0;
}

int addr_net_parse(struct addr_net *out, const char *text)
{
	char host[INET6_ADDRSTRLEN];
	const size_t len = strcspn(text, "/");
	struct addr a;
	struct addr_net net = { .bits = 0 };
	bool v4;

	if (len >= sizeof host)
		return -EBADMSG;
	memcpy(host, text, len);
	host[len] = '\0';
	v4 = !strchr(host, ':');
	if (parse_host(&a, host, 0) || !bytes_of(&a, net.bytes) ||
	    prefix_of(text[len] ? text + len + 1 : NULL, v4, &net.bits))
		return -EBADMSG;
	*out = net;
	return 0;
}

bool addr_net_has(const struct addr_net *n, const struct addr *a)
{
	const size_t whole = n->bits / 8, rest = n->bits % 8;
	uint8_t bytes[16];

	if (!bytes_of(a, bytes) || memcmp(bytes, n->bytes, whole) != 0)
		return false;
	return !rest || !((bytes[whole] ^ n->bytes[whole]) >> (8 - rest));
}

bool addr_is_reserved(const struct addr *a)
{
	static const char *const nets[] = {
		"0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
		"172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
		"::/96",         "64:ff9b::/96",    "64:ff9b:1::/48", "100::/64",       "2001::/23",
		"2001:db8::/32", "2002::/16",       "fc00::/7",       "fe80::/10",      "fec0::/10",
		"ff00::/8",
	};
	struct addr_net net;

	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
		if (addr_net_parse(&net, nets[i]) || addr_net_has(&net, a))
			return true;
	return !a->len;
}
