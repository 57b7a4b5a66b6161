/* SPDX-License-Identifier: Apache-2.0 */
/* secure_ctx.c - what all handshakes with one server share
 *
 * The context is built from the configuration, at a reload anew; one that cannot be built is a fault of the
 * configuration that names its key. A handshake that runs, and every session that stands, keeps the context that it
 * began with.
 *
 * Suites: authenticated encryption only, what LwM2M asks for (AES-128-CCM-8) and what is better.
 */
#include "north/secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PSK_SUITES                                                                                    \
	"PSK-AES128-GCM-SHA256:PSK-AES128-CCM8:PSK-AES128-CCM:PSK-AES256-GCM-SHA384:PSK-AES256-CCM8:" \
	"PSK-CHACHA20-POLY1305"
#define CERT_SUITES                                                                                                 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-CCM:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"                  \
	"ECDHE-RSA-CHACHA20-POLY1305"

enum { SEND_FRAGMENT = 4096 };

static int fault(struct secure_fault *f, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fault(struct secure_fault *f, const char *key, const char *fmt, ...)
{
	va_list ap;

	f->key = key;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1; /* else OpenSSL asks the terminal */
}

/* ---- ours ---- */

static int take_key(struct secure_ctx *c, const struct server_conf *conf, struct secure_fault *f)
{
	char why[160];

	if (SSL_CTX_use_PrivateKey_file(c->ssl, conf->key_file, SSL_FILETYPE_PEM) == 1)
		return 0;
	if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
		return fault(f, "key_file", "%s is not the key of cert_file", conf->key_file);
	secure_reason(why, sizeof why);
	return fault(f, "key_file", "%s: no private key without a passphrase (%s)", conf->key_file, why);
}

static int take_pair(struct secure_ctx *c, const struct server_conf *conf, struct secure_fault *f)
{
	char why[160];
	int err;

	if (!conf->cert_file && !conf->key_file)
		return 0; /* a device may have its own */
	if (!conf->key_file)
		return fault(f, "cert_file", "key_file is missing beside it");
	if (!conf->cert_file)
		return fault(f, "key_file", "cert_file is missing beside it");
	if (SSL_CTX_use_certificate_chain_file(c->ssl, conf->cert_file) != 1) {
		secure_reason(why, sizeof why);
		return fault(f, "cert_file", "%s: no certificate chain in PEM form (%s)", conf->cert_file, why);
	}
	err = take_key(c, conf, f);
	if (err)
		return err;
	c->expires_s = secure_expires_s(SSL_CTX_get0_certificate(c->ssl));
	return 0;
}

/* ---- theirs ---- */

static int take_authorities(struct secure_ctx *c, const struct server_conf *conf, struct secure_fault *f)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);

	if (conf->ca_file && secure_load_certs(store, conf->ca_file, false, f->text, sizeof f->text))
		return f->key = "ca_file", -EINVAL;
	if (conf->ca_dir && secure_check_dir(conf->ca_dir, f->text, sizeof f->text))
		return f->key = "ca_dir", -EINVAL;
	if (conf->ca_dir && SSL_CTX_load_verify_dir(c->ssl, conf->ca_dir) != 1)
		return fault(f, "ca_dir", "%s cannot be used", conf->ca_dir);
	c->verify = conf->ca_file || conf->ca_dir;
	if (!conf->crl_file)
		return 0;
	if (!c->verify)
		return fault(f, "crl_file",
			     "revocation is looked up for what ca_file or ca_dir vouches for, and there is neither");
	if (secure_load_certs(store, conf->crl_file, true, f->text, sizeof f->text))
		return f->key = "crl_file", -EINVAL;
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

static bool is_address(const char *text)
{
	uint8_t a[16];

	return inet_pton(AF_INET, text, a) == 1 || inet_pton(AF_INET6, text, a) == 1;
}

static int take_name(struct secure_ctx *c, const struct server_conf *conf, const struct server_uri *uri,
		     struct secure_fault *f)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(c->ssl);
	const char *name = conf->server_name ? conf->server_name : uri->host;
	size_t len = strlen(name);

	if (len >= sizeof c->name)
		return fault(f, "server_name", "longer than %zu octets", sizeof c->name - 1);
	memcpy(c->name, name, len + 1);
	if (len && c->name[len - 1] == '.') /* the root's label is never in a certificate, nor in SNI (RFC 6066 3) */
		c->name[len - 1] = '\0';
	c->address = is_address(c->name);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (c->address ? X509_VERIFY_PARAM_set1_ip_asc(param, c->name) : X509_VERIFY_PARAM_set1_host(param, c->name, 0))
		return 0;
	ERR_clear_error();
	return fault(f, conf->server_name ? "server_name" : "uri", "\"%s\" is no name that a certificate can have",
		     name);
}

static int take_pins(struct secure_ctx *c, const struct server_conf *conf, struct secure_fault *f)
{
	if (conf->pin_sha256 && secure_pins_parse(c->pins, &c->pins_n, conf->pin_sha256))
		return fault(f, "pin_sha256", "not 1 to %d SHA-256 values in hexadecimal or base64", SECURE_PINS);
	return 0;
}

/* ---- the three ways ---- */

static int set_up_cert(struct secure_ctx *c, const struct server_conf *conf, const struct server_uri *uri,
		       struct secure_fault *f)
{
	int err;

	if (!conf->ca_file && !conf->ca_dir && !conf->pin_sha256)
		return fault(f, "security", "x509 needs ca_file, ca_dir or pin_sha256 to know the server by");
	err = take_authorities(c, conf, f);
	if (!err)
		err = take_pins(c, conf, f);
	if (!err)
		err = take_name(c, conf, uri, f);
	return err ? err : take_pair(c, conf, f);
}

static int set_up_raw(struct secure_ctx *c, const struct server_conf *conf, const struct server_uri *uri,
		      struct secure_fault *f)
{
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
	static const unsigned char raw[] = { TLSEXT_cert_type_rpk };
	int err;

	if (!conf->pin_sha256)
		return fault(f, "security", "rpk needs pin_sha256 to know the server by");
	if (!conf->key_file)
		return fault(f, "security", "rpk needs key_file");
	if (conf->ca_file || conf->ca_dir || conf->crl_file || conf->cert_file)
		return fault(f, "security",
			     "rpk has no certificates: ca_file, ca_dir, crl_file and cert_file are for x509");
	err = take_pins(c, conf, f);
	if (!err)
		err = take_name(c, conf, uri, f);
	if (!err)
		err = take_key(c, conf, f);
	if (!err &&
	    (!SSL_CTX_set1_client_cert_type(c->ssl, raw, sizeof raw) ||
	     !SSL_CTX_set1_server_cert_type(c->ssl, raw, sizeof raw)))
		return -ENOMEM;
	return err;
#else
	(void)c;
	(void)conf;
	(void)uri;
	return fault(f, "security", "rpk needs OpenSSL >= 3.2, this is a build with %s", OPENSSL_VERSION_TEXT);
#endif
}

static int set_up_psk(struct secure_ctx *c, const struct server_conf *conf, const struct server_uri *uri,
		      struct secure_fault *f)
{
	const char *keys[] = { "ca_file", "ca_dir", "crl_file", "cert_file", "key_file", "pin_sha256" };
	const char *values[] = { conf->ca_file,   conf->ca_dir,   conf->crl_file,
				 conf->cert_file, conf->key_file, conf->pin_sha256 };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (values[i])
			return fault(f, keys[i], "is for security x509, and security is psk");
	return take_name(c, conf, uri, f);
}

/* ---- the context ---- */

/* Level 2 for all but the suites with a tag of 8 octets, which later versions of OpenSSL put below level 1 and LwM2M
 * asks for all the same. */
static int judge(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *ex)
{
	const struct secure_ctx *c = ex;
	const bool suite = op == SSL_SECOP_CIPHER_SUPPORTED || op == SSL_SECOP_CIPHER_SHARED ||
		op == SSL_SECOP_CIPHER_CHECK;

	if (suite && other && strstr(SSL_CIPHER_get_name(other), "CCM8"))
		return 1;
	return c->judge(ssl, ctx, op, bits, nid, other, NULL);
}

/* What is common to all of them. */
static int set_up(struct secure_ctx *c)
{
	bool psk = c->security == SERVER_PSK;

	SSL_CTX_set_security_level(c->ssl, 2);
	c->judge = SSL_CTX_get_security_callback(c->ssl);
	SSL_CTX_set_security_callback(c->ssl, judge);
	SSL_CTX_set0_security_ex_data(c->ssl, c);
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_QUERY_MTU);
	SSL_CTX_set_mode(
		c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_default_passwd_cb(c->ssl, no_passphrase);
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ssl, secure_verify, c);
	SSL_CTX_set_msg_callback(c->ssl, secure_message);
	SSL_CTX_sess_set_new_cb(c->ssl, secure_new_session);
	if (psk)
		SSL_CTX_set_psk_client_callback(c->ssl, secure_psk_client);
	if (!c->stream)
		SSL_CTX_set_max_send_fragment(c->ssl, SEND_FRAGMENT);
	if (!SSL_CTX_set_min_proto_version(c->ssl, c->stream ? TLS1_2_VERSION : DTLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(c->ssl, psk ? PSK_SUITES : CERT_SUITES))
		return -ENOMEM;
	return 0;
}

static void digest_text(EVP_MD_CTX *md, const char *text)
{
	EVP_DigestUpdate(md, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* Of the contents of the files: when one of them changes, no former session is resumed, so that what a full handshake
 * would refuse does not come in by a short one. */
static int take_fingerprint(struct secure_ctx *c, const struct server_conf *conf, const uint8_t *key)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t out[EVP_MAX_MD_SIZE];
	const uint8_t kind[2] = { (uint8_t)c->security, c->stream };

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
		EVP_MD_CTX_free(md);
		return -ENOMEM;
	}
	EVP_DigestUpdate(md, key, 32);
	EVP_DigestUpdate(md, kind, sizeof kind);
	digest_text(md, c->name);
	digest_text(md, conf->pin_sha256);
	digest_text(md, conf->ca_dir);
	secure_digest_file(md, conf->ca_file);
	secure_digest_file(md, conf->crl_file);
	secure_digest_file(md, conf->cert_file);
	EVP_DigestFinal_ex(md, out, NULL);
	EVP_MD_CTX_free(md);
	memcpy(c->fingerprint, out, sizeof c->fingerprint);
	return 0;
}

int secure_ctx_new(struct secure_ctx **out, const struct server_conf *conf, const struct server_uri *uri, bool stream,
		   const uint8_t *key, struct secure_fault *f)
{
	struct secure_ctx *c = calloc(1, sizeof *c);
	int err;

	f->key = "security";
	snprintf(f->text, sizeof f->text, "%s", strerror(ENOMEM));
	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->security = server_security(conf);
	c->stream = stream;
	c->ssl = SSL_CTX_new(stream ? TLS_client_method() : DTLS_client_method());
	err = c->ssl ? set_up(c) : -ENOMEM;
	if (!err)
		err = (c->security == SERVER_PSK           ? set_up_psk
			       : c->security == SERVER_RPK ? set_up_raw
							   : set_up_cert)(c, conf, uri, f);
	if (!err)
		err = take_fingerprint(c, conf, key);
	ERR_clear_error();
	if (err) {
		secure_ctx_put(c);
		return err;
	}
	*out = c;
	return 0;
}

struct secure_ctx *secure_ctx_get(struct secure_ctx *c)
{
	c->refs++;
	return c;
}

void secure_ctx_put(struct secure_ctx *c)
{
	if (!c || --c->refs)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}
