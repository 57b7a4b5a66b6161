/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - the two clocks and RFC 3339
 *
 * Within one pass of the loop time stands still: the first question reads the kernel, the others get the same answer.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct {
	bool read, faked;
	uint64_t now_ms, wall_ms;
	uint64_t steady_ms, steady_at_ms; /* Unix time at a time since boot; at 0: nobody has said when it begins */
} cache;

static uint64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void clock_tick(void)
{
	if (cache.faked)
		return;
	cache.now_ms = CLOCK_BASE_MS + read_ms(CLOCK_BOOTTIME);
	cache.read = true;
}

void clock_forget(void)
{
	cache.read = false;
}

uint64_t clock_now_ms(void)
{
	if (!cache.read)
		clock_tick();
	return cache.now_ms;
}

uint64_t clock_wall_ms(void)
{
	return cache.faked ? cache.wall_ms : read_ms(CLOCK_REALTIME);
}

void clock_steady_begin(void)
{
	cache.steady_at_ms = clock_now_ms();
	cache.steady_ms = clock_wall_ms();
}

uint64_t clock_steady_ms(void)
{
	if (!cache.steady_at_ms)
		clock_steady_begin();
	return cache.steady_ms + (clock_now_ms() - cache.steady_at_ms);
}

uint64_t clock_steady_to_wall(uint64_t steady_ms)
{
	const uint64_t wall = clock_wall_ms(), steady = clock_steady_ms();

	if (!steady_ms)
		return 0;
	if (steady_ms >= steady)
		return wall + (steady_ms - steady);
	return steady - steady_ms < wall ? wall - (steady - steady_ms) : 1;
}

void clock_fake(uint64_t now_ms, uint64_t wall_ms)
{
	cache.faked = true;
	cache.now_ms = now_ms;
	cache.wall_ms = wall_ms;
}

void clock_format(char *buf, size_t size, uint64_t wall_ms)
{
	const time_t s = (time_t)(wall_ms / 1000);
	struct tm t;

	if (!gmtime_r(&s, &t))
		t = (struct tm){ .tm_year = 8099, .tm_mon = 11, .tm_mday = 31 };
	snprintf(buf, size, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(t.tm_year + 1900) % 10000,
		 (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100,
		 (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100, (unsigned)(wall_ms % 1000));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* n decimal digits and then the octet `after` (0: whatever comes); false when they do not stand there. */
static bool take(const char **p, unsigned n, char after, int64_t *out)
{
	*out = 0;
	for (; n; n--, ++*p) {
		if (!is_digit(**p))
			return false;
		*out = *out * 10 + (**p - '0');
	}
	if (!after)
		return true;
	return *(*p)++ == after;
}

/* Days from 1970-01-01, by counting from March so that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	const int64_t from_march = (m + 9) % 12, year = y - (m <= 2);

	return year * 365 + year / 4 - year / 100 + year / 400 + (from_march * 306 + 5) / 10 + d - 1 - 719468;
}

static int64_t days_in(int64_t y, int64_t m)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

static bool take_date(const char **p, int64_t *days)
{
	int64_t y, m, d;

	if (!take(p, 4, '-', &y) || !take(p, 2, '-', &m) || !take(p, 2, 0, &d))
		return false;
	if (y < 1970 || m < 1 || m > 12 || d < 1 || d > days_in(y, m))
		return false;
	*days = days_from_civil(y, m, d);
	return true;
}

static bool take_time(const char **p, int64_t *ms)
{
	int64_t h, m, s, scale = 100;

	if (!take(p, 2, ':', &h) || !take(p, 2, ':', &m) || !take(p, 2, 0, &s))
		return false;
	if (h > 23 || m > 59 || s > 60) /* 60: a leap second, taken as the next one */
		return false;
	*ms = ((h * 60 + m) * 60 + s) * 1000;
	if (**p != '.')
		return true;
	if (!is_digit(*++*p))
		return false;
	for (; is_digit(**p); ++*p, scale /= 10)
		*ms += scale * (**p - '0');
	return true;
}

static bool take_offset(const char **p, int64_t *ms)
{
	const char sign = *(*p)++;
	int64_t h, m;

	*ms = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	if ((sign != '+' && sign != '-') || !take(p, 2, ':', &h) || !take(p, 2, 0, &m) || h > 23 || m > 59)
		return false;
	*ms = (h * 60 + m) * 60000 * (sign == '-' ? -1 : 1);
	return true;
}

int clock_parse(const char *text, uint64_t *wall_ms)
{
	int64_t days, time, offset, ms;

	if (!take_date(&text, &days) || (*text != 'T' && *text != 't'))
		return -EBADMSG;
	text++;
	if (!take_time(&text, &time) || !take_offset(&text, &offset) || *text)
		return -EBADMSG;
	ms = days * 86400000 + time - offset;
	if (ms < 0)
		return -EBADMSG;
	*wall_ms = (uint64_t)ms;
	return 0;
}
