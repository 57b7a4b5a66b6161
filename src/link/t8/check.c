/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what has to fit together in the keys of a t8 link
 *
 * The listener is default-deny: one that others than loopback can reach does not start unless something beside the
 * address tells who is calling, because the API gives notifications no authentication of their own.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/client.h"
#include "link/t8/conf.h"
#include "link/t8/path.h"

int t8_url_parse(struct t8_url *out, const char *text)
{
	const char *p = text, *end;
	char authority[300];
	uint16_t port;
	size_t n;

	if (!strncasecmp(p, "https://", 8)) {
		out->https = true;
		p += 8;
	} else if (!strncasecmp(p, "http://", 7)) {
		out->https = false;
		p += 7;
	} else {
		return -EBADMSG;
	}
	end = p + strcspn(p, "/?#");
	n = (size_t)(end - p);
	if (!n || n >= sizeof authority || memchr(p, '@', n) || end[strcspn(end, "?#")])
		return -EBADMSG;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || *c == '\\')
			return -EBADMSG;
	memcpy(authority, p, n);
	authority[n] = '\0';
	out->path = end;
	return addr_split(authority, out->host, &port, false);
}

bool t8_url_is_loopback(const struct t8_url *u)
{
	struct addr a;
	char text[sizeof u->host + 2];

	snprintf(text, sizeof text, strchr(u->host, ':') ? "[%s]" : "%s", u->host);
	return !strcasecmp(u->host, "localhost") || (!addr_parse(&a, text, false) && addr_is_loopback(&a));
}

bool t8_callback_tls(const struct t8_callback_conf *c)
{
	return c->url ? !strncasecmp(c->url, "https://", 8) : c->cert_file != NULL;
}

static void check_url(struct conf_load *load, const struct t8_conf *c, const char *key, const char *text)
{
	struct t8_url u;

	if (!text)
		return;
	if (t8_url_parse(&u, text))
		conf_fault(load, c, key, -1, "not an http:// or https:// URL without user, query and fragment");
	else if (!u.https && !c->allow_cleartext && !t8_url_is_loopback(&u))
		conf_fault(load, c, key, -1, "http:// to another host than loopback needs allow_cleartext = true");
}

struct need {
	const char *key;
	const char *value;
};

static void check_needs(struct conf_load *load, const struct t8_conf *c, const char *why, const struct need *needs,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!needs[i].value)
			conf_fault(load, c, NULL, -1, "auth = \"%s\" needs %s", why, needs[i].key);
}

static void check_auth(struct conf_load *load, const struct t8_conf *c)
{
	const struct need basic[] = { { "user", c->user }, { "password", c->password } };
	const struct need oauth2[] = { { "token_url", c->token_url },
				       { "client_id", c->client_id },
				       { "client_secret", c->client_secret } };
	const struct need mtls[] = { { "cert_file", c->cert_file }, { "key_file", c->key_file } };

	if (c->auth == HTTP_AUTH_BASIC)
		check_needs(load, c, "basic", basic, 2);
	else if (c->auth == HTTP_AUTH_OAUTH2)
		check_needs(load, c, "oauth2", oauth2, 3);
	else if (c->auth == HTTP_AUTH_MTLS)
		check_needs(load, c, "mtls", mtls, 2);
	if (!c->cert_file != !c->key_file)
		conf_fault(load, c, c->cert_file ? "cert_file" : "key_file", -1, "cert_file and key_file go together");
}

bool t8_rds_pair(const char *text, unsigned *ue, unsigned *scef)
{
	int end = 0;

	return sscanf(text, "%2u:%2u%n", ue, scef, &end) == 2 && !text[end] &&
		strspn(text, "0123456789:") == strlen(text) && *ue <= 15 && *scef <= 15;
}

static void check_rds_ports(struct conf_load *load, const struct t8_conf *c)
{
	unsigned ue, scef;

	if (c->rds_ports.n > T8_RDS_PORTS_MAX)
		conf_fault(load, c, "rds_ports", -1, "has more than %d pairs", T8_RDS_PORTS_MAX);
	for (size_t i = 0; i < c->rds_ports.n; i++)
		if (!t8_rds_pair(c->rds_ports.v[i], &ue, &scef))
			conf_fault(load, c, "rds_ports", (int)i,
				   "\"%s\" is not of the form UE:SCEF with ports from 0 to 15", c->rds_ports.v[i]);
}

static void check_peer(struct conf_load *load, const struct t8_conf *c)
{
	check_url(load, c, "api_root", c->api_root);
	check_url(load, c, "token_url", c->token_url);
	check_auth(load, c);
	if (c->scs_as_id && !t8_segment_is_sound(c->scs_as_id))
		conf_fault(load, c, "scs_as_id", -1, "must be one path segment of printable characters");
	if (c->features && (!*c->features || c->features[strspn(c->features, "0123456789abcdefABCDEF")]))
		conf_fault(load, c, "features", -1, "must be hexadecimal digits");
	if (c->pdn_option && strcmp(c->pdn_option, "WAIT_FOR_UE") && strcmp(c->pdn_option, "INDICATE_ERROR") &&
	    strcmp(c->pdn_option, "SEND_TRIGGER"))
		conf_fault(load, c, "pdn_option", -1, "must be WAIT_FOR_UE, INDICATE_ERROR or SEND_TRIGGER");
	check_rds_ports(load, c);
	if (c->rds)
		conf_fault(load, c, "rds", -1, "the reliable data service is not in this version");
	if (c->config_duration_s && c->config_duration_s < 60)
		conf_fault(load, c, "config_duration_s", -1, "must be 0 or at least 60");
}

static void check_nets(struct conf_load *load, const struct t8_callback_conf *cb, const char *key,
		       const struct conf_texts *nets)
{
	struct addr_net net;

	if (nets->v && !nets->n)
		conf_fault(load, cb, key, -1, "must not be empty: leave it out to have no list");
	for (size_t i = 0; i < nets->n; i++)
		if (addr_net_parse(&net, nets->v[i]))
			conf_fault(load, cb, key, (int)i, "\"%s\" is not ADDR or ADDR/LEN", nets->v[i]);
}

static void check_callback_tls(struct conf_load *load, const struct t8_callback_conf *cb)
{
	bool tls = t8_callback_tls(cb);

	if (tls && (!cb->cert_file || !cb->key_file))
		conf_fault(load, cb, cb->url ? "url" : "cert_file", -1,
			   "a callback over https:// needs cert_file and key_file");
	if (!tls && cb->client_ca_file)
		conf_fault(load, cb, "client_ca_file", -1, "client certificates need a callback over https://");
	if (cb->crl_file && !cb->client_ca_file)
		conf_fault(load, cb, "crl_file", -1, "needs client_ca_file");
}

/* Who may call is known by a certificate, a token, or the address together with a path that nobody can guess. */
static void check_callback_auth(struct conf_load *load, const struct t8_callback_conf *cb)
{
	struct addr a;

	if (addr_parse(&a, cb->listen, true)) {
		conf_fault(load, cb, "listen", -1, "\"%s\" is not an address HOST:PORT", cb->listen);
		return;
	}
	if (addr_is_loopback(&a) || cb->client_ca_file || cb->bearer || (cb->allow.n && !cb->path) ||
	    cb->allow_unauthenticated)
		return;
	conf_fault(load, cb, "listen", -1,
		   "others than loopback can reach this listener: it needs client_ca_file, bearer, or allow with the "
		   "secret path "
		   "(allow_unauthenticated = true does without)");
}

static void check_callback(struct conf_load *load, const struct t8_conf *c)
{
	const struct t8_callback_conf *cb = &c->callback;
	struct t8_url u;

	if (!cb->listen) {
		conf_fault(load, c, "callback", -1, "callback.listen is missing");
		return;
	}
	if (!cb->url && (c->config_mode == T8_CONFIG_API || !cb->path))
		conf_fault(load, c, "callback", -1, "callback.url is missing");
	if (cb->url && t8_url_parse(&u, cb->url))
		conf_fault(load, cb, "url", -1, "not an http:// or https:// URL without user, query and fragment");
	if (cb->path && !t8_path_is_sound(cb->path))
		conf_fault(load, cb, "path", -1, "must begin with / and hold printable path characters only");
	check_nets(load, cb, "allow", &cb->allow);
	check_nets(load, cb, "trusted_proxies", &cb->trusted_proxies);
	check_callback_tls(load, cb);
	check_callback_auth(load, cb);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_listen(const char *a, const char *b)
{
	struct addr x, y;

	if (addr_parse(&x, a, true) || addr_parse(&y, b, true))
		return same_text(a, b);
	return addr_equal(&x, &y, true);
}

static bool same_limits(const struct t8_callback_conf *a, const struct t8_callback_conf *b)
{
	return a->max_header_bytes == b->max_header_bytes && a->max_header_lines == b->max_header_lines &&
		a->max_body_bytes == b->max_body_bytes && a->request_s == b->request_s &&
		a->max_connections == b->max_connections &&
		a->max_connections_per_address == b->max_connections_per_address;
}

/* Links on one listener are told apart by path, which is read only after the TLS handshake. */
static void check_shared(struct conf_load *load, const struct t8_conf *c, const struct conf_list *all)
{
	const struct t8_callback_conf *a = &c->callback;

	for (size_t i = 0; i < all->n; i++) {
		const struct t8_conf *o = all->v[i];
		const struct t8_callback_conf *b = &o->callback;

		if (o == c)
			return; /* each pair once, at the later of both */
		if (link_ops_of(&o->base) != &link_t8_ops || !o->base.enabled || !b->listen ||
		    !same_listen(a->listen, b->listen))
			continue;
		if (t8_callback_tls(a) != t8_callback_tls(b) || !same_text(a->cert_file, b->cert_file) ||
		    !same_text(a->key_file, b->key_file) || !same_text(a->client_ca_file, b->client_ca_file) ||
		    !same_text(a->crl_file, b->crl_file))
			conf_fault(load, a, "listen", -1, "link \"%s\" has the same listener with other TLS settings",
				   o->base.head.name);
		if (!same_limits(a, b))
			conf_fault(load, a, "listen", -1, "link \"%s\" has the same listener with other limits",
				   o->base.head.name);
		if (a->path && same_text(a->path, b->path))
			conf_fault(load, a, "path", -1, "link \"%s\" has the same path on the same listener",
				   o->base.head.name);
	}
}

void t8_conf_check(struct conf_load *load, const struct link_conf *conf, const struct conf_list *all)
{
	const struct t8_conf *c = (const struct t8_conf *)conf;

	check_peer(load, c);
	check_callback(load, c);
	if (conf->enabled && c->callback.listen)
		check_shared(load, c, all);
}
