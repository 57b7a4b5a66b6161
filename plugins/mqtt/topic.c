/* SPDX-License-Identifier: Apache-2.0 */
/* topic.c - names as levels of topics, and back
 *
 * The encoding is one to one, so nobody can choose a name that makes the topic of another, and none of + # / $ or a
 * control character ever gets into one.
 */
#include "topic.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~@=,-";
static const char digits[] = "0123456789ABCDEF";

static void hashed_level(char out[TOPIC_LEVEL_SIZE], const char *name)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	(void)EVP_Digest(name, strlen(name), hash, &len, EVP_sha256(), NULL);
	memcpy(out, "%h", 3);
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 + 2 * i, 3, "%02x", hash[i]);
}

const char *topic_level(char out[TOPIC_LEVEL_SIZE], const char *name)
{
	size_t n = 0;

	if (!*name)
		return strcpy(out, "%");
	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;
		size_t need = strchr(plain, c) ? 1 : 3;

		if (n + need > TOPIC_LEVEL_MAX) {
			hashed_level(out, name);
			return out;
		}
		if (need == 1) {
			out[n++] = *p;
			continue;
		}
		out[n++] = '%';
		out[n++] = digits[c >> 4];
		out[n++] = digits[c & 15];
	}
	out[n] = 0;
	return out;
}

static int digit(char c)
{
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

long topic_name(char *out, size_t size, const char *level, size_t len)
{
	char again[TOPIC_LEVEL_SIZE];
	size_t n = 0;

	if (len > TOPIC_LEVEL_MAX)
		return -1;
	for (size_t i = 0; i < len && n + 1 < size; n++) {
		int high, low;

		if (level[i] != '%') {
			out[n] = level[i++];
			continue;
		}
		if (len - i < 3 || (high = digit(level[i + 1])) < 0 || (low = digit(level[i + 2])) < 0)
			return -1;
		out[n] = (char)(high << 4 | low);
		i += 3;
	}
	out[n] = 0;
	if (strlen(out) != n) /* a NUL: no name has one */
		return -1;
	topic_level(again, out);
	return strlen(again) == len && !memcmp(again, level, len) ? (long)n
								  : -1; /* else it is another form of some name */
}
