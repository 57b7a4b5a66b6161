/* SPDX-License-Identifier: Apache-2.0 */
/* retry_after.c - Retry-After, RFC 9110 10.2.3: seconds or a date */
#include <curl/curl.h>
#include <string.h>

#include "http/client_internal.h"

enum { DAY_S = 86400 };

bool retry_after_parse(const char *value, uint64_t wall_ms, uint64_t *ms)
{
	size_t digits = strspn(value, "0123456789");
	uint64_t s = 0;
	time_t at;

	if (digits && !value[digits + strspn(value + digits, " \t")]) {
		for (size_t i = 0; i < digits && s <= DAY_S; i++)
			s = s * 10 + (uint64_t)(value[i] - '0');
		*ms = (s > DAY_S ? DAY_S : s) * 1000;
		return true;
	}
	/* A date has letters (a day, a month); anything else that curl_getdate() would take is none. */
	if (strlen(value) > 64 || !strpbrk(value, "abcdefghijklmnopqrstuvwxyz"))
		return false;
	at = curl_getdate(value, NULL);
	if (at < 0)
		return false;
	*ms = (uint64_t)at * 1000 > wall_ms ? (uint64_t)at * 1000 - wall_ms : 0;
	if (*ms > (uint64_t)DAY_S * 1000)
		*ms = (uint64_t)DAY_S * 1000;
	return true;
}
