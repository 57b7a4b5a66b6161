/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.c - a device names another host than its servers
 *
 * Off without an allow-list. Each target of the list is opened with the configuration, so its name is looked up there
 * and every address of it is judged once; the request of a device only picks one of them.
 */
#include "coap/proxy.h"

#include <errno.h>
#include <string.h>

#include "session/internal.h"

static bool same_target(const struct coap_uri *a, const struct coap_uri *b)
{
	return a->port == b->port && strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0;
}

static struct server *target_of(const struct device *d, const struct coap_uri *asked)
{
	const struct conf_texts *allow = &d->profile->conf->proxy_allow;
	struct coap_uri listed;

	for (size_t i = 0; i < allow->n; i++)
		if (!coap_uri_parse(&listed, allow->v[i], strlen(allow->v[i])) && same_target(&listed, asked))
			return server_by_name(d->all, allow->v[i]);
	return NULL;
}

static bool scheme_is_listed(const struct device *d, const struct coap_uri *asked)
{
	const struct conf_texts *allow = &d->profile->conf->proxy_allow;
	struct coap_uri listed;

	for (size_t i = 0; i < allow->n; i++)
		if (!coap_uri_parse(&listed, allow->v[i], strlen(allow->v[i])) &&
		    strcmp(listed.scheme, asked->scheme) == 0)
			return true;
	return false;
}

uint8_t proxy_request(const struct device *d, const struct coap_msg *m, struct server **srv, struct coap_msg *on,
		      uint8_t *buf, size_t size)
{
	struct coap_uri u;
	int err = d->profile->conf->proxy_allow.n ? coap_proxy_target(&u, m) : -EPROTONOSUPPORT;
	long len;

	if (err)
		return err == -EPROTONOSUPPORT ? COAP_PROXYING_NOT_SUPPORTED : COAP_BAD_REQUEST;
	if (!scheme_is_listed(d, &u))
		return COAP_PROXYING_NOT_SUPPORTED;
	*srv = target_of(d, &u);
	if (!*srv || north_server_is_forbidden((*srv)->north))
		return COAP_FORBIDDEN;
	len = coap_proxy_rewrite(&u, m, buf, size);
	if (len < 0 || coap_parse(on, buf, (size_t)len))
		return COAP_TOO_LARGE;
	return 0;
}

uint8_t assoc_denied_code(const struct assoc *a)
{
	return a->srv->conf->role == SERVER_PROXY ? COAP_FORBIDDEN : COAP_BAD_GATEWAY;
}
