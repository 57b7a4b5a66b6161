/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - the TLS side of a connection to a broker
 *
 * libmosquitto checks the certificate against the name it connects to and knows no other, so it gets a context of ours.
 */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>

static int expect_name(SSL_CTX *ctx, const char *name)
{
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(ctx);
	unsigned char octets[16];
	bool numeric = inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;

	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return numeric ? X509_VERIFY_PARAM_set1_ip_asc(p, name) : X509_VERIFY_PARAM_set1_host(p, name, 0);
}

static const char *load(SSL_CTX *ctx, const struct broker_conf *c)
{
	if (c->ca_file ? !SSL_CTX_load_verify_locations(ctx, c->ca_file, NULL) : !SSL_CTX_set_default_verify_paths(ctx))
		return "ca_file holds no certificate that can be used";
	if (!expect_name(ctx, c->server_name ? c->server_name : c->host))
		return "server_name cannot be a name of a certificate";
	if (c->cert_file && SSL_CTX_use_certificate_chain_file(ctx, c->cert_file) != 1)
		return "cert_file holds no certificate that can be used";
	if (c->cert_file &&
	    SSL_CTX_use_PrivateKey_file(ctx, c->key_file ? c->key_file : c->cert_file, SSL_FILETYPE_PEM) != 1)
		return "key_file holds no key that can be used";
	if (c->cert_file && SSL_CTX_check_private_key(ctx) != 1)
		return "key_file is not the key of cert_file";
	return NULL;
}

int tls_new(SSL_CTX **out, const struct broker_conf *c, const char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	*why = load(ctx, c);
	if (*why) {
		SSL_CTX_free(ctx);
		return -EINVAL;
	}
	*out = ctx;
	return 0;
}
