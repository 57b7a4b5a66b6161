/* SPDX-License-Identifier: Apache-2.0 */
/* secure_conf.c - faults in what the configuration says of keys and certificates
 *
 * The context of the server is built for the check exactly as it will be built to be used, so that whatever a handshake
 * needs is found here, with the key that is at fault.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "north/secure.h"

enum server_security server_security(const struct server_conf *conf)
{
	if (conf->security >= 0)
		return (enum server_security)conf->security;
	return strncasecmp(conf->uri, "coaps", 5) == 0 ? SERVER_PSK : SERVER_NONE;
}

int north_check_psk(const char *psk_key, char *why, size_t size)
{
	uint8_t key[NORTH_PSK_MAX];
	int n = secure_read_psk(key, psk_key, why, size);

	secret_wipe(key, sizeof key);
	return n > 0 ? 0 : n;
}

/* As a server of x509 would use them; the pin stands for whatever the server would be known by. */
int north_check_pair(const char *cert_file, const char *key_file, char *why, size_t size)
{
	static const struct server_uri uri = { .scheme = "coaps", .host = "device" };
	static const uint8_t no_key[32];
	const struct server_conf conf = {
		.uri = "coaps://device",
		.security = SERVER_X509,
		.cert_file = cert_file,
		.key_file = key_file,
		.pin_sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	};
	struct secure_fault f;
	struct secure_ctx *c;
	int err = secure_ctx_new(&c, &conf, &uri, false, no_key, &f);

	if (err)
		snprintf(why, size, "%s", f.text);
	else
		secure_ctx_put(c);
	return err ? -EINVAL : 0;
}

/* A key that would have no effect is a fault. */
static void check_none(struct conf_load *load, const struct server_conf *s)
{
	const char *keys[] = { "ca_file", "ca_dir", "crl_file", "cert_file", "key_file", "pin_sha256" };
	const char *values[] = { s->ca_file, s->ca_dir, s->crl_file, s->cert_file, s->key_file, s->pin_sha256 };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (values[i])
			conf_fault(load, s, keys[i], -1,
				   "is for coaps:// with security x509, and \"%s\" is not secured", s->uri);
}

void secure_check(struct conf_load *load, const struct server_conf *s)
{
	static const uint8_t no_key[32];
	struct secure_fault f;
	struct server_uri uri;
	struct secure_ctx *c;
	bool secured;

	if (!s->uri || server_uri_parse(&uri, s->uri))
		return; /* a fault of its own */
	secured = strncmp(uri.scheme, "coaps", 5) == 0;
	if (secured && server_security(s) == SERVER_NONE)
		conf_fault(load, s, "security", -1, "none does not go with \"%s\"", s->uri);
	else if (!secured && server_security(s) != SERVER_NONE)
		conf_fault(load, s, "security", -1, "only none goes with \"%s\"; coaps:// is the secured scheme",
			   s->uri);
	else if (!secured)
		check_none(load, s);
	else if (secure_ctx_new(&c, s, &uri, strstr(uri.scheme, "+tcp") != NULL, no_key, &f))
		conf_fault(load, s, f.key, -1, "%s", f.text);
	else
		secure_ctx_put(c);
}
