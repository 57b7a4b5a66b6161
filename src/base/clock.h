/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time, which tests turn by hand
 *
 * Intervals run on the monotonic clock that goes on in suspend (CLOCK_BOOTTIME); wall time is for what peers and people
 * read, never for an interval.
 */
#ifndef NIDDGW_BASE_CLOCK_H
#define NIDDGW_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* What clock_now_ms() has over CLOCK_BOOTTIME: times before this boot can be told too, for what is restored. */
#define CLOCK_BASE_MS (1ull << 40)
uint64_t clock_now_ms(void);  /* since boot; the loop caches it per pass, see clock_tick() */
uint64_t clock_wall_ms(void); /* Unix time in milliseconds */
/* Unix time as it was at clock_steady_begin(), going on by the clock since boot: whoever sets the wall clock ends no lifetime. */
uint64_t clock_steady_ms(void);
void clock_steady_begin(void);
uint64_t clock_steady_to_wall(uint64_t steady_ms); /* as the wall clock is now; 0 stays 0 */

/* Read the kernel's clock afresh into the cache that clock_now_ms() returns. The loop calls it at the start of each pass
 * and before timers run. */
void clock_tick(void);
/* The next clock_now_ms() reads the kernel's clock; the loop says so before it sleeps. */
void clock_forget(void);

/* From here on both clocks stand still and move only by clock_fake(). For tests and replay. */
void clock_fake(uint64_t now_ms, uint64_t wall_ms);

/* RFC 3339 UTC with milliseconds, "2026-01-02T03:04:05.678Z"; buf takes at least 32 octets. */
void clock_format(char *buf, size_t size, uint64_t wall_ms);
/* RFC 3339 date-time with Z or a numeric offset (T8 DateTime). 0 and *wall_ms, or -EBADMSG. Years 1970 to 9999. */
int clock_parse(const char *text, uint64_t *wall_ms);

#endif
