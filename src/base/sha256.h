/* SPDX-License-Identifier: Apache-2.0 */
/* sha256.h - SHA-256 (FIPS 180-4), for names of what is too large to be shown; nothing secret goes through it */
#ifndef NIDDGW_BASE_SHA256_H
#define NIDDGW_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(uint8_t out[32], const void *data, size_t len);

#endif
