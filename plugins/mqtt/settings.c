/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - the options that say which broker and as whom */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 1883, PORT_TLS = 8883 };

const char *const settings_scheme_words[] = { "mqtt", "mqtts", NULL };
const char *const settings_protocol_words[] = { "5", "3.1.1", NULL };

/* mqtt://HOST, mqtt://HOST:PORT, an IPv6 address in brackets. */
static const char *read_broker(const char *url, struct broker_conf *c, char host[256])
{
	const char *end;
	char *rest;
	unsigned long port;

	c->tls = !strncmp(url, "mqtts://", 8);
	if (!c->tls && strncmp(url, "mqtt://", 7))
		return "broker is neither mqtt://HOST[:PORT] nor mqtts://HOST[:PORT]";
	url += c->tls ? 8 : 7;
	end = *url == '[' ? strchr(url, ']') : url + strcspn(url, ":/");
	if (*url == '[')
		url++;
	if (!end || end == url || (size_t)(end - url) > 255)
		return "broker names no host";
	memcpy(host, url, (size_t)(end - url));
	host[end - url] = 0;
	c->host = host;
	c->port = c->tls ? PORT_TLS : PORT;
	end += *end == ']';
	if (!*end || !strcmp(end, "/"))
		return NULL;
	port = *end == ':' ? strtoul(end + 1, &rest, 10) : 0;
	if (!port || port > UINT16_MAX || (*rest && strcmp(rest, "/")))
		return "broker has a port that is none";
	c->port = (uint16_t)port;
	return NULL;
}

int settings_read(struct settings *s, struct niddgw_host *host, const char **why)
{
	memset(s, 0, sizeof *s);
	*why = read_broker(niddgw_option(host, "broker"), &s->conf, s->host);
	if (*why)
		return -EINVAL;
	s->conf.v5 = !strcmp(niddgw_option(host, "protocol"), "5");
	s->conf.user = niddgw_option(host, "user");
	s->conf.ca_file = niddgw_option(host, "ca_file");
	s->conf.server_name = niddgw_option(host, "server_name");
	s->conf.cert_file = niddgw_option(host, "cert_file");
	s->conf.key_file = niddgw_option(host, "key_file");
	if (!niddgw_option(host, "password"))
		return 0;
	if (niddgw_secret(host, "password", s->password, sizeof s->password) < 0) {
		*why = "the password file cannot be read";
		return -EINVAL;
	}
	s->conf.password = s->password;
	return 0;
}

void settings_wipe(struct settings *s)
{
	explicit_bzero(s, sizeof *s);
}
