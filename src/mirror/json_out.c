/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.c - strings, numbers and times as JSON has them
 *
 * Times and numbers are written digit by digit: a report holds one or two of each per value, and the formatter of libc
 * would cost more than everything else together.
 */
#include "mirror/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/text.h"
#include "mirror/json.h"

/* ---- strings ---- */

static void out_escaped(struct json_out *o, uint8_t c)
{
	static const char short_form[] = "btn\0fr"; /* 8 to 13 without 11 */
	char e[8];

	if (c == '"' || c == '\\')
		snprintf(e, sizeof e, "\\%c", c);
	else if (c >= 8 && c <= 13 && c != 11)
		snprintf(e, sizeof e, "\\%c", short_form[c - 8]);
	else
		snprintf(e, sizeof e, "\\u%04x", c);
	out_word(o, e);
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void out_inside(struct json_out *o, const void *text, size_t len)
{
	const uint8_t *p = text, *const end = p + len;

	while (p < end) {
		const uint8_t *from = p;
		size_t good;

		while (p < end && is_plain(*p))
			p++;
		out_put(o, (const char *)from, (size_t)(p - from));
		if (p == end)
			break;
		good = *p < 0x80 ? 0 : text_utf8(p, (size_t)(end - p));
		if (good)
			out_put(o, (const char *)p, good);
		else if (*p < 0x80)
			out_escaped(o, *p);
		else
			out_word(o, "\xef\xbf\xbd");
		p += good ? good : 1;
	}
}

void out_text(struct json_out *o, const void *text, size_t len)
{
	out_char(o, '"');
	out_inside(o, text, len);
	out_char(o, '"');
}

void out_hex(struct json_out *o, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out_char(o, digits[data[i] >> 4]);
		out_char(o, digits[data[i] & 15]);
	}
}

void out_base64(struct json_out *o, const uint8_t *data, size_t len, bool url)
{
	enum { STEP = 192 };
	char text[BASE64_LEN(STEP) + 1];

	for (size_t at = 0; at < len; at += STEP) {
		size_t n = base64_encode(text, data + at, len - at < STEP ? len - at : STEP);

		for (size_t i = 0; url && i < n; i++)
			text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
		while (url && n && text[n - 1] == '=')
			n--;
		out_put(o, text, n);
	}
}

/* ---- numbers ---- */

/* The digits of v, ending before end; returns where they begin. */
static char *digits_of(char *end, uint64_t v)
{
	do
		*--end = (char)('0' + v % 10);
	while (v /= 10);
	return end;
}

void out_uint(struct json_out *o, uint64_t v)
{
	char buf[20], *p = digits_of(buf + sizeof buf, v);

	out_put(o, p, (size_t)(buf + sizeof buf - p));
}

void out_int(struct json_out *o, int64_t v)
{
	if (v < 0)
		out_char(o, '-');
	out_uint(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* v = digits / 10^places exactly rounded, with as few places as do. Both are exact doubles and a division is rounded
 * correctly, so a reader of that text gets v again. */
static bool find_decimal(double v, uint64_t *digits, unsigned *places)
{
	static const double power[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10 };
	const double most = 9007199254740992.0; /* 2^53 */

	for (unsigned k = 0; k < sizeof power / sizeof *power; k++) {
		const double scaled = nearbyint(v * power[k]);

		if (scaled >= most)
			return false;
		if (scaled / power[k] == v) {
			*digits = (uint64_t)scaled;
			*places = k;
			return true;
		}
	}
	return false;
}

static size_t write_decimal(char *buf, bool negative, uint64_t digits, unsigned places)
{
	char tmp[JSON_DOUBLE_SIZE], *const end = tmp + sizeof tmp, *p = digits_of(end, digits);
	size_t n, whole;

	while ((size_t)(end - p) <= places)
		*--p = '0';
	n = (size_t)(end - p);
	whole = n - places;
	if (negative)
		*buf++ = '-';
	memcpy(buf, p, whole);
	if (places) {
		buf[whole] = '.';
		memcpy(buf + whole + 1, p + whole, places);
	}
	n += (places ? 1 : 0);
	buf[n] = '\0';
	return n + (negative ? 1 : 0);
}

size_t json_double(char *buf, double v)
{
	uint64_t digits;
	unsigned places;

	if (v == 0) {
		strcpy(buf, signbit(v) ? "-0.0" : "0");
		return strlen(buf);
	}
	if (find_decimal(fabs(v), &digits, &places))
		return write_decimal(buf, v < 0, digits, places);
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(buf, JSON_DOUBLE_SIZE, "%.*g", precision, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	return strlen(buf);
}

void out_double(struct json_out *o, double v)
{
	char buf[JSON_DOUBLE_SIZE];

	out_put(o, buf, json_double(buf, v));
}

void out_seconds(struct json_out *o, int64_t ms)
{
	const uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	char rest[8];
	size_t n = 4;

	if (ms < 0)
		out_char(o, '-');
	out_uint(o, size / 1000);
	if (!(size % 1000))
		return;
	snprintf(rest, sizeof rest, ".%03u", (unsigned)(size % 1000));
	while (rest[n - 1] == '0')
		n--;
	out_put(o, rest, n);
}

/* ---- times ---- */

#define FIRST_SECOND (-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND 253402300799    /* 9999-12-31T23:59:59Z */

static void put_digits(char *to, unsigned n, uint64_t v)
{
	while (n--) {
		to[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* The date of a day since 1970-01-01, in years that begin in March so that the leap day is the last one. */
static void put_date(char *to, int64_t days)
{
	const int64_t since = days + 719468, era = since / 146097, day_of_era = since % 146097;
	const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const int64_t day = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int64_t month = (5 * day + 2) / 153; /* 0: March */

	put_digits(to, 4, (uint64_t)(era * 400 + year_of_era + (month >= 10)));
	put_digits(to + 5, 2, (uint64_t)(month < 10 ? month + 3 : month - 9));
	put_digits(to + 8, 2, (uint64_t)(day - (153 * month + 2) / 5 + 1));
}

static bool out_time(struct json_out *o, int64_t wall_s, int ms)
{
	char text[] = "\"0000-00-00T00:00:00.000Z\"";
	int64_t days, of_day;

	/* Year 0 begins in March for put_date(): the two months before it are left out. */
	if (wall_s < FIRST_SECOND + 60 * 86400 || wall_s > LAST_SECOND)
		return false;
	days = (wall_s - FIRST_SECOND) / 86400 + FIRST_SECOND / 86400;
	of_day = wall_s - days * 86400;
	put_date(text + 1, days);
	put_digits(text + 12, 2, (uint64_t)(of_day / 3600));
	put_digits(text + 15, 2, (uint64_t)(of_day / 60 % 60));
	put_digits(text + 18, 2, (uint64_t)(of_day % 60));
	if (ms < 0) {
		memcpy(text + 20, "Z\"", 3);
	} else {
		put_digits(text + 21, 3, (uint64_t)ms);
	}
	out_word(o, text);
	return true;
}

bool out_time_ms(struct json_out *o, uint64_t wall_ms)
{
	if (wall_ms / 1000 > LAST_SECOND)
		return false;
	return out_time(o, (int64_t)(wall_ms / 1000), (int)(wall_ms % 1000));
}

bool out_time_s(struct json_out *o, int64_t wall_s)
{
	return out_time(o, wall_s, -1);
}
