/* SPDX-License-Identifier: Apache-2.0 */
/* certs.h - certificates made for a test: authorities, ends, revocations; all in one directory that goes with it */
#ifndef TESTS_UNIT_HTTP_CERTS_H
#define TESTS_UNIT_HTTP_CERTS_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cert {
	X509 *x509;
	EVP_PKEY *key;
	char cert_file[96], key_file[96];
};

static char cert_dir[64];

static void cert_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* issuer NULL: signs itself. san NULL: an authority. Valid from days[0] to days[1] from now. */
static void cert_make(struct cert *c, const char *name, const struct cert *issuer, const char *san, const int days[2],
		      const EVP_MD *md)
{
	static long serial = 100;
	X509_NAME *subject;
	FILE *f;

	c->key = EVP_EC_gen("P-256");
	c->x509 = X509_new();
	X509_set_version(c->x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c->x509), (long)days[0] * 86400 - 60);
	X509_gmtime_adj(X509_getm_notAfter(c->x509), (long)days[1] * 86400);
	X509_set_pubkey(c->x509, c->key);
	subject = X509_get_subject_name(c->x509);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"niddgw test", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(c->x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
	cert_extension(c->x509, issuer ? issuer->x509 : c->x509, NID_basic_constraints,
		       san ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (san && san[0])
		cert_extension(c->x509, issuer ? issuer->x509 : c->x509, NID_subject_alt_name, san);
	assert_true(X509_sign(c->x509, issuer ? issuer->key : c->key, md) > 0);
	snprintf(c->cert_file, sizeof c->cert_file, "%s/%s.pem", cert_dir, name);
	snprintf(c->key_file, sizeof c->key_file, "%s/%s.key", cert_dir, name);
	f = fopen(c->cert_file, "w");
	PEM_write_X509(f, c->x509);
	fclose(f);
	f = fopen(c->key_file, "w");
	PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static void cert_free(struct cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	unlink(c->cert_file);
	unlink(c->key_file);
	memset(c, 0, sizeof *c);
}

/* A revocation list of ca that names the certificate (NULL: nobody). */
static void crl_make(const char *file, const struct cert *ca, const struct cert *revoked)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL) - 60), *later = ASN1_TIME_set(NULL, time(NULL) + 86400);
	FILE *f;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, later);
	if (revoked) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked->x509));
		X509_REVOKED_set_revocationDate(r, now);
		X509_CRL_add0_revoked(crl, r);
	}
	X509_CRL_sort(crl);
	assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	f = fopen(file, "w");
	PEM_write_X509_CRL(f, crl);
	fclose(f);
	X509_CRL_free(crl);
	ASN1_TIME_free(now);
	ASN1_TIME_free(later);
}

#endif
