/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - the little cryptography that a user of this room needs: a keyed digest and a comparison that tells nothing by its time */
#ifndef NIDDGW_HTTP_DIGEST_H
#define NIDDGW_HTTP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_HMAC_LEN 32

/* HMAC-SHA256 (RFC 2104) of data under key into out. 0, or -EIO when the library refuses (then out is all zeros: use nothing of it). */
int digest_hmac(uint8_t out[DIGEST_HMAC_LEN], const void *key, size_t key_len, const void *data, size_t len);

/* Are both equal? The time depends on the length of given alone, so a caller learns nothing of secret. */
bool digest_equal(const char *given, size_t given_len, const char *secret, size_t secret_len);

void digest_wipe(void *p, size_t len); /* overwrites what was secret; not optimised away */

#endif
