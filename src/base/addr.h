/* SPDX-License-Identifier: Apache-2.0 */
/* addr.h - socket addresses as the configuration writes them: HOST:PORT, [V6]:PORT */
#ifndef NIDDGW_BASE_ADDR_H
#define NIDDGW_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len; /* 0: none */
};

#define ADDR_TEXT_MAX 64

/* Split "HOST:PORT" or "[V6]:PORT"; with port_required false the port may be absent (*port = 0). host takes 256 octets.
 * -EBADMSG when it is neither. HOST may be a name: nothing is looked up. */
int addr_split(const char *text, char *host, uint16_t *port, bool port_required);
/* A numeric address only (and "localhost" as 127.0.0.1). 0 or -EBADMSG. */
int addr_parse(struct addr *out, const char *text, bool port_required);
void addr_from(struct addr *out, const struct sockaddr *sa, socklen_t len); /* a v4-mapped v6 address becomes v4 */
void addr_format(const struct addr *a, char *buf, size_t size);             /* numeric, with the port */
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
bool addr_is_loopback(const struct addr *a);
/* No address of a host somewhere in the network: loopback, private, link-local, multicast, unspecified, set aside for documents or tests, or
 * one that holds another inside (mapped, translated, 6to4, Teredo). What somebody else names must not lead there. */
bool addr_is_reserved(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b, bool with_port);

/* "10.0.0.0/8", "2001:db8::/32", a bare address means the whole of it. */
struct addr_net {
	uint8_t bytes[16]; /* v4 as mapped */
	uint8_t bits;      /* of 128 */
};
int addr_net_parse(struct addr_net *out, const char *text); /* -EBADMSG */
bool addr_net_has(const struct addr_net *n, const struct addr *a);

#endif
