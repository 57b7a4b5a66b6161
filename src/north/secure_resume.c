/* SPDX-License-Identifier: Apache-2.0 */
/* secure_resume.c - sessions that make the next handshake short
 *
 * A session is bound by a fingerprint to all that a full handshake would check: another key, authority or revocation
 * list, and it is not offered any more. What stands before it is a tag under the key of the installation, so one that
 * was damaged or made by somebody else is not offered either.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/siphash.h"
#include "north/secure.h"

enum { RESUME_VERSION = 1, RESUME_HEAD = 1 + SECURE_FINGERPRINT };

/* A tag of what stands in data: nobody without the key of the installation can make one. Two short keyed hashes are one
 * of 16 octets, and cost less than setting up a longer one. */
static void tag(const struct north_assoc *a, uint8_t out[SECURE_FINGERPRINT], const void *data, size_t len)
{
	const uint8_t *key = a->srv->north->resume_key;
	const uint64_t pair[2] = { siphash(key, data, len), siphash(key + SIPHASH_KEY_LEN, data, len) };

	memcpy(out, pair, SECURE_FINGERPRINT);
}

static void digest_cert(uint8_t out[EVP_MAX_MD_SIZE], const char *file)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
		secure_digest_file(md, file);
		EVP_DigestFinal_ex(md, out, NULL);
	}
	EVP_MD_CTX_free(md);
}

/* Of all that this handshake goes by. */
static void take_fingerprint(const struct north_assoc *a, struct secure *x, const struct north_credentials *c)
{
	struct {
		uint8_t server[SECURE_FINGERPRINT], cert[EVP_MAX_MD_SIZE];
		struct secure_psk psk;
	} all = { 0 };

	memcpy(all.server, x->ctx->fingerprint, sizeof all.server);
	if (x->psk)
		all.psk = *x->psk;
	if (c->cert_file)
		digest_cert(all.cert, c->cert_file);
	tag(a, x->fingerprint, &all, sizeof all);
	secret_wipe(&all, sizeof all);
}

/* What stands before a session: good for the same fingerprint, and for these octets. buf has RESUME_HEAD octets, then
 * len of the session. */
static void seal(const struct north_assoc *a, const struct secure *x, uint8_t *buf, size_t len)
{
	memcpy(buf + 1, x->fingerprint, SECURE_FINGERPRINT);
	tag(a, buf + 1, buf + 1, SECURE_FINGERPRINT + len);
	buf[0] = RESUME_VERSION;
}

/* A certificate that has ended since is not let in by a short handshake. */
static bool is_in_date(const SSL_SESSION *session)
{
	const X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)session);

	return !peer || secure_expires_s(peer) > clock_wall_ms() / 1000;
}

/* One that was kept by the same keys, and is as it was: else the server would resume what we do not have. */
static bool is_ours(const struct north_assoc *a, const struct secure *x, const struct north_credentials *c)
{
	uint8_t buf[NORTH_RESUME_MAX];
	bool ours;

	if (!c->resume || c->resume_len <= RESUME_HEAD || c->resume_len > NORTH_RESUME_MAX ||
	    c->resume[0] != RESUME_VERSION)
		return false;
	memcpy(buf, c->resume, c->resume_len);
	seal(a, x, buf, c->resume_len - RESUME_HEAD);
	ours = CRYPTO_memcmp(buf, c->resume, RESUME_HEAD) == 0;
	secret_wipe(buf, c->resume_len);
	return ours;
}

static void take_session(const struct north_assoc *a, struct secure *x, const struct north_credentials *c)
{
	const unsigned char *der;
	SSL_SESSION *session;

	if (!is_ours(a, x, c))
		return;
	der = c->resume + RESUME_HEAD;
	session = d2i_SSL_SESSION(NULL, &der, (long)(c->resume_len - RESUME_HEAD));
	if (session && is_in_date(session))
		x->offered = SSL_set_session(x->ssl, session) == 1;
	SSL_SESSION_free(session);
	ERR_clear_error();
}

void secure_resume(const struct north_assoc *a, struct secure *x, const struct north_credentials *c)
{
	take_fingerprint(a, x, c);
	take_session(a, x, c);
}

/* ---- what the owner keeps ---- */

static void hand_over(struct north_assoc *a, const uint8_t *data, size_t len)
{
	if (a->events->resumable)
		a->events->resumable(a->arg, data, len);
}

void secure_forget(struct north_assoc *a)
{
	hand_over(a, NULL, 0);
}

void secure_keep(struct north_assoc *a, struct secure *x)
{
	SSL_SESSION *session = x->fresh ? SSL_get0_session(x->ssl) : NULL;
	const int len = session ? i2d_SSL_SESSION(session, NULL) : 0;
	uint8_t buf[NORTH_RESUME_MAX], *der = buf + RESUME_HEAD;

	x->fresh = false;
	if (len <= 0 || len > NORTH_RESUME_MAX - RESUME_HEAD)
		return;
	i2d_SSL_SESSION(session, &der);
	seal(a, x, buf, (size_t)len);
	hand_over(a, buf, (size_t)len + RESUME_HEAD);
	secret_wipe(buf, RESUME_HEAD + (size_t)len);
}
