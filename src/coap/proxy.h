/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h - where a request to a forward proxy is to go (RFC 7252 5.7.2, 6.4) */
#ifndef NIDDGW_COAP_PROXY_H
#define NIDDGW_COAP_PROXY_H

#include "coap/option.h"

enum { COAP_URI_MAX = 1034, COAP_URI_PARTS_MAX = 64 };

/* The parts of a URI in the one form that is compared and used: scheme and host in lower case, a trailing dot and percent-encoding taken
 * off. */
struct coap_uri {
	char scheme[16];  /* "coap" */
	char host[256];   /* a name, or an address without brackets */
	bool numeric;     /* host is an IPv4 or IPv6 address */
	uint16_t port;    /* the scheme's default when absent */
	struct coap_text path[COAP_URI_PARTS_MAX], query[COAP_URI_PARTS_MAX]; /* decoded, in buf */
	uint8_t path_n, query_n;
	char buf[COAP_URI_MAX + 1];
};
/* 0; -EBADMSG no absolute URI of CoAP: user information, a fragment, a zone, a bad escape, "." or ".." as a segment, a NUL, a part above 255
 * octets; -EPROTONOSUPPORT another scheme than coap, coaps, coap+tcp, coaps+tcp; -EMSGSIZE */
int coap_uri_parse(struct coap_uri *u, const char *text, size_t len);

/* From Proxy-Uri, or from Proxy-Scheme with Uri-Host and Uri-Port, of a request; the path and query of the latter stay its options. The same
 * errors. */
int coap_proxy_target(struct coap_uri *u, const struct coap_msg *m);
/* The request as it goes to that target: without the proxy's options, with those that its URI stands for. Octets, or -EMSGSIZE. */
long coap_proxy_rewrite(const struct coap_uri *u, const struct coap_msg *m, uint8_t *buf, size_t size);

#endif
