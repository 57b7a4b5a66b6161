/* SPDX-License-Identifier: Apache-2.0 */
/* octets.h - bounded reader and writer
 *
 * Both stay failed once they ran out: a reader then yields zeros, a writer drops what comes, so a codec asks once per part
 * (STYLE: read first, ask once). All integers are big endian.
 */
#ifndef NIDDGW_BASE_OCTETS_H
#define NIDDGW_BASE_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *p, *end;
	bool failed;
};

static inline struct reader reader_of(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct reader){ p, p + len, false };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

/* The next n octets in place, or NULL and failed. n of 0 gives a pointer that must not be read. */
static inline const uint8_t *read_span(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->failed || n > reader_left(r)) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static inline uint8_t read_u8(struct reader *r)
{
	const uint8_t *p = read_span(r, 1);

	return p ? *p : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
	const uint8_t *p = read_span(r, 2);

	return p ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
	const uint8_t *p = read_span(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline void read_into(struct reader *r, void *to, size_t n)
{
	const uint8_t *p = read_span(r, n);

	if (p && n)
		memcpy(to, p, n);
}

struct writer {
	uint8_t *start, *p, *end;
	bool failed;
};

static inline struct writer writer_of(void *buf, size_t size)
{
	uint8_t *p = buf;

	return (struct writer){ p, p, p + size, false };
}

static inline size_t writer_len(const struct writer *w)
{
	return (size_t)(w->p - w->start);
}

static inline uint8_t *write_span(struct writer *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->failed || n > (size_t)(w->end - w->p)) {
		w->failed = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static inline void write_bytes(struct writer *w, const void *data, size_t n)
{
	uint8_t *p = write_span(w, n);

	if (p && n)
		memcpy(p, data, n);
}

static inline void write_u8(struct writer *w, uint8_t v)
{
	write_bytes(w, &v, 1);
}

static inline void write_u16(struct writer *w, uint16_t v)
{
	const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	write_bytes(w, b, sizeof b);
}

static inline void write_u32(struct writer *w, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	write_bytes(w, b, sizeof b);
}

#endif
