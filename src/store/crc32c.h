/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h - CRC-32C (Castagnoli), RFC 3720 appendix B.4 */
#ifndef NIDDGW_STORE_CRC32C_H
#define NIDDGW_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The sum of what was summed to `crc` (0, or a seed, at the beginning) followed by data. Any thread. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
