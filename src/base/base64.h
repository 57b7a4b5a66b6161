/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - RFC 4648, strict out, either alphabet in */
#ifndef NIDDGW_BASE_BASE64_H
#define NIDDGW_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Standard alphabet, padded, no line breaks. out takes BASE64_LEN(len) + 1 octets and ends with NUL; returns the length. */
size_t base64_encode(char *out, const void *data, size_t len);

/**
 * Decode what T8 peers send: standard or URL-safe alphabet (not both in one text), with or without padding, CR and LF
 * anywhere (t8 reference, case 14).
 * @param out   at most size octets are written
 * @return octets decoded; -EBADMSG for a foreign character, misplaced padding, mixed alphabets, a length of 1 mod 4 or
 *         non-zero trailing bits; -EMSGSIZE above size, found before anything beyond size is written
 */
long base64_decode(uint8_t *out, size_t size, const char *text, size_t len);

#endif
