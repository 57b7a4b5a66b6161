/* SPDX-License-Identifier: Apache-2.0 */
/* siphash.h - SipHash-2-4 under a key of the caller
 *
 * A short keyed hash: who does not know the key can neither predict nor steer it. For values that must be the same after a
 * restart (the port of an association); hash maps have a key of their own per process.
 */
#ifndef NIDDGW_BASE_SIPHASH_H
#define NIDDGW_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len);

#endif
