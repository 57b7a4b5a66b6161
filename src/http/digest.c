/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - over OpenSSL, which stays in this room */
#include "http/digest.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

int digest_hmac(uint8_t out[DIGEST_HMAC_LEN], const void *key, size_t key_len, const void *data, size_t len)
{
	unsigned n = 0;

	memset(out, 0, DIGEST_HMAC_LEN);
	if (key_len > INT_MAX || !HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &n) || n != DIGEST_HMAC_LEN)
		return -EIO;
	return 0;
}

bool digest_equal(const char *given, size_t given_len, const char *secret, size_t secret_len)
{
	unsigned differ = given_len != secret_len;

	if (!secret_len)
		return false;
	for (size_t i = 0; i < given_len; i++)
		differ |= (unsigned char)given[i] ^ (unsigned char)secret[i % secret_len];
	return !differ;
}

void digest_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}
