/* SPDX-License-Identifier: Apache-2.0 */
/* secure_verify.c - what OpenSSL asks and tells in a handshake, above all: is that the server
 *
 * With authorities: the chain, the dates, the name and the revocation list, all by OpenSSL, and the pinned key on top.
 * With a pinned key alone: that key, in a certificate that is in date. Without certificates in the configuration: none
 * may be shown, because a server of TLS 1.3 may answer an offered key with a certificate.
 */
#include "north/secure.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* SHA-256 of a SubjectPublicKeyInfo in DER. */
static bool digest_key(uint8_t out[32], const uint8_t *der, int len)
{
	return len > 0 && EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool is_pinned(const struct secure_ctx *c, X509_STORE_CTX *store)
{
	const X509 *cert = X509_STORE_CTX_get0_cert(store);
	uint8_t digest[32];
	unsigned char *der = NULL;
	int len = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : -1;
	bool ok;

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
	if (!cert && X509_STORE_CTX_get0_rpk(store)) /* a raw key, RFC 7250 */
		len = i2d_PUBKEY(X509_STORE_CTX_get0_rpk(store), &der);
#endif
	ok = digest_key(digest, der, len);
	OPENSSL_free(der);
	for (unsigned i = 0; ok && i < c->pins_n; i++)
		if (memcmp(c->pins[i], digest, sizeof digest) == 0)
			return true;
	return false;
}

static int refuse(X509_STORE_CTX *store, int error, const char *why)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct secure *x = ssl ? SSL_get_app_data(ssl) : NULL;

	if (x)
		x->denied = why;
	X509_STORE_CTX_set_error(store, error);
	return 0;
}

/* By the wall clock of the process, which the verification of chains is told as well. */
static int check_dates(X509_STORE_CTX *store, const X509 *cert)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);

	if (X509_cmp_time(X509_get0_notBefore(cert), &now) >= 0)
		return refuse(store, X509_V_ERR_CERT_NOT_YET_VALID, NULL);
	if (X509_cmp_time(X509_get0_notAfter(cert), &now) <= 0)
		return refuse(store, X509_V_ERR_CERT_HAS_EXPIRED, NULL);
	return 1;
}

int secure_verify(X509_STORE_CTX *store, void *ctx)
{
	const struct secure_ctx *c = ctx;
	const X509 *cert = X509_STORE_CTX_get0_cert(store);

	if (c->security == SERVER_PSK)
		return refuse(store, X509_V_ERR_APPLICATION_VERIFICATION,
			      "it shows a certificate and the configuration says psk");
	if (c->pins_n && !is_pinned(c, store))
		return refuse(store, X509_V_ERR_APPLICATION_VERIFICATION, "its public key is not the pinned one");
	if (c->verify)
		return X509_verify_cert(store);
	if (cert && !check_dates(store, cert))
		return 0;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

uint64_t secure_expires_s(const X509 *cert)
{
	struct tm tm;
	time_t t;

	if (!cert || !ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm))
		return 0;
	t = timegm(&tm);
	return t > 0 ? (uint64_t)t : 0;
}

/* ---- the other callbacks ---- */

unsigned secure_psk_client(SSL *ssl, const char *hint, char *identity, unsigned identity_size, unsigned char *key,
			   unsigned key_size)
{
	const struct secure *x = SSL_get_app_data(ssl);

	(void)hint; /* a device has one key for a server */
	if (!x || !x->psk || strlen(x->psk->identity) >= identity_size || x->psk->len > key_size)
		return 0;
	strcpy(identity, x->psk->identity);
	memcpy(key, x->psk->key, x->psk->len);
	return x->psk->len;
}

void secure_message(int write, int version, int type, const void *data, size_t len, SSL *ssl, void *arg)
{
	struct secure *x = SSL_get_app_data(ssl);

	(void)version;
	(void)arg;
	if (!x || write || type != SSL3_RT_HANDSHAKE || !len)
		return;
	if (x->messages < UINT16_MAX)
		x->messages++;
	if (*(const uint8_t *)data == SSL3_MT_SERVER_HELLO)
		x->heard = true;
}

int secure_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct secure *x = SSL_get_app_data(ssl);

	(void)session; /* it is the SSL's own; taken from there when OpenSSL has returned */
	if (x)
		x->fresh = true;
	return 0;
}
