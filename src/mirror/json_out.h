/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.h - bounded writing of JSON text; for the files of this room
 *
 * As snprintf does, what does not fit is only counted: the length is that of the whole text, and the buffer is good when it is
 * below its size.
 */
#ifndef NIDDGW_MIRROR_JSON_OUT_H
#define NIDDGW_MIRROR_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct json_out {
	char *buf;
	size_t size, len;
};

static inline void out_put(struct json_out *o, const char *text, size_t n)
{
	if (o->len < o->size && n < o->size - o->len)
		memcpy(o->buf + o->len, text, n);
	o->len += n;
}

static inline void out_char(struct json_out *o, char c)
{
	out_put(o, &c, 1);
}

static inline void out_word(struct json_out *o, const char *text) /* as it stands */
{
	out_put(o, text, strlen(text));
}

static inline long out_end(struct json_out *o)
{
	if (o->size)
		o->buf[o->len < o->size ? o->len : o->size - 1] = '\0';
	return (long)o->len;
}

void out_text(struct json_out *o, const void *text, size_t len);  /* a JSON string; what is not UTF-8 becomes U+FFFD */
void out_inside(struct json_out *o, const void *text, size_t len); /* the same without its quotes */
void out_uint(struct json_out *o, uint64_t v);
void out_int(struct json_out *o, int64_t v);
void out_double(struct json_out *o, double v);                    /* finite */
void out_base64(struct json_out *o, const uint8_t *data, size_t len, bool url); /* url: the other alphabet, no padding; no quotes */
void out_hex(struct json_out *o, const uint8_t *data, size_t len); /* no quotes */
/* RFC 3339 in UTC with its quotes; false, and nothing is written, for a year that has not four digits. */
bool out_time_ms(struct json_out *o, uint64_t wall_ms); /* with milliseconds */
bool out_time_s(struct json_out *o, int64_t wall_s);
/* Milliseconds as seconds: "-0.5". */
void out_seconds(struct json_out *o, int64_t ms);

#endif
