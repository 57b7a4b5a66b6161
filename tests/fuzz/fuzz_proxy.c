/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_proxy.c - the URI of a request to a forward proxy: what comes out is read again as the same */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coap/proxy.h"

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_form(const struct coap_uri *u)
{
	char text[600];
	struct coap_uri again;
	int n = snprintf(text, sizeof text, strchr(u->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u", u->scheme, u->host, u->port);

	must(n > 0 && (size_t)n < sizeof text && !coap_uri_parse(&again, text, (size_t)n));
	must(!strcmp(again.host, u->host) && !strcmp(again.scheme, u->scheme) && again.port == u->port && again.numeric == u->numeric);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[3000];
	struct coap_uri u;
	struct coap_msg m;
	long len;

	if (!coap_uri_parse(&u, (const char *)data, size))
		check_form(&u);
	if (coap_parse(&m, data, size) || coap_proxy_target(&u, &m))
		return 0;
	check_form(&u);
	len = coap_proxy_rewrite(&u, &m, out, sizeof out);
	must(len < 0 || (!coap_parse(&m, out, (size_t)len) && coap_proxy_target(&u, &m)));
	return 0;
}
