/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS of a listener
 *
 * TLS 1.2 and 1.3 with forward secrecy and AEAD only. Sessions are not resumed where client certificates are required:
 * a resumed one would not be checked against the revocation list again.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

void tls_reason(unsigned long code, char *buf, size_t size)
{
	const char *text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

	if (!code)
		snprintf(buf, size, "closed by the peer");
	else if (text)
		snprintf(buf, size, "%s", text);
	else
		ERR_error_string_n(code, buf, size);
}

static int fail(const char *what, const char *file)
{
	unsigned long code = ERR_peek_error();
	char reason[160];

	tls_reason(code, reason, sizeof reason);
	ERR_clear_error();
	log_ev(LOG_ERROR, "http", "tls.unusable", LF_STR("what", what), LF_STR("file", file),
	       LF_STR("reason", code ? reason : NULL));
	return -EINVAL;
}

/* HTTP/1.1 is all that stands behind this listener; a client that offers other protocols only is refused. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen,
		   void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, outlen, ours, sizeof ours - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int require_clients(SSL_CTX *ctx, const struct http_tls_conf *conf)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(conf->client_ca_file);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509_LOOKUP *lookup;

	if (!names || SSL_CTX_load_verify_file(ctx, conf->client_ca_file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return fail("client_ca_file", conf->client_ca_file);
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (!conf->crl_file)
		return 0;
	lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	if (!lookup || X509_load_crl_file(lookup, conf->crl_file, X509_FILETYPE_PEM) < 1)
		return fail("crl_file", conf->crl_file);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

static int set_up(SSL_CTX *ctx, const struct http_tls_conf *conf)
{
	static const unsigned char id[] = "niddgw";

	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"))
		return fail("cipher suites", NULL);
	if (SSL_CTX_use_certificate_chain_file(ctx, conf->cert_file) != 1)
		return fail("cert_file", conf->cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, conf->key_file, SSL_FILETYPE_PEM) != 1)
		return fail("key_file", conf->key_file);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail("key_file is not the certificate's", conf->key_file);
	return conf->client_ca_file ? require_clients(ctx, conf) : 0;
}

int tls_server_ctx(SSL_CTX **out, const struct http_tls_conf *conf)
{
	SSL_CTX *ctx;
	int err;

	ERR_clear_error();
	if (!conf->cert_file || !conf->key_file)
		return fail("cert_file and key_file are both needed", NULL);
	if (conf->crl_file && !conf->client_ca_file)
		return fail("crl_file needs client_ca_file", conf->crl_file);
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return -ENOMEM;
	err = set_up(ctx, conf);
	if (err) {
		SSL_CTX_free(ctx);
		return err;
	}
	*out = ctx;
	return 0;
}

char *tls_client_subject(SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	BIO *bio = cert && SSL_get_verify_result(ssl) == X509_V_OK ? BIO_new(BIO_s_mem()) : NULL;
	char *text = NULL, *copy = NULL;
	long n;

	if (!bio)
		return NULL;
	if (X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(bio, &text);
		copy = strndup(text, (size_t)n);
	}
	BIO_free(bio);
	return copy;
}
