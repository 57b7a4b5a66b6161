/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - unpredictable octets from the kernel, fetched in blocks */
#ifndef NIDDGW_BASE_RANDOM_H
#define NIDDGW_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len); /* aborts the process when the kernel gives none: nothing may go on without */
uint32_t random_below(uint32_t n);        /* uniform in 0 .. n-1, n > 0 */
/* From here on a reproducible sequence (tests, replay, simulator). */
void random_seed(uint64_t seed);

#endif
