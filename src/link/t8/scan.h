/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - JSON of peers, read strictly and where it stands
 *
 * One pass tells whether a text is JSON at all (RFC 8259: UTF-8 that is sound, no lone surrogates, no NUL in a string, numbers that fit, nothing
 * behind) and notes where its values are; nothing is allocated or copied. Members of one name twice are refused, and so is
 * what is deeper or has more values than any message of the API. The document points into the text.
 */
#ifndef NIDDGW_LINK_T8_SCAN_H
#define NIDDGW_LINK_T8_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define T8_SCAN_DEPTH 32
#define T8_SCAN_VALUES 1024

enum t8_kind { T8_NULL, T8_FALSE, T8_TRUE, T8_INTEGER, T8_REAL, T8_STRING, T8_ARRAY, T8_OBJECT };
struct t8_value {
	uint32_t at, len;   /* in the text; of a string without its quotes; of an array or object len is the number of its children */
	uint32_t key, hash; /* of a member: where its name is; hash of the name */
	uint16_t key_len;
	uint16_t next;      /* index of the next member or element; 0: the last */
	uint8_t kind;
	bool escaped, key_escaped;
};
struct t8_doc {
	const char *text; /* borrowed */
	unsigned n;
	struct t8_value v[T8_SCAN_VALUES]; /* the first is the whole; children follow their parent */
};

/* 0; -EBADMSG no sound JSON, or neither an object nor an array; -EMSGSIZE too deep, too many values, a name too long. */
int t8_scan(struct t8_doc *d, const char *text, size_t len);

/* A member of an object; NULL when there is none, or obj is no object (NULL is fine). */
const struct t8_value *t8_member(const struct t8_doc *d, const struct t8_value *obj, const char *name);
const struct t8_value *t8_first(const struct t8_doc *d, const struct t8_value *v); /* child; NULL: none. The others by t8_next() */
const struct t8_value *t8_next(const struct t8_doc *d, const struct t8_value *v);

bool t8_is(const struct t8_value *v, enum t8_kind kind); /* NULL is nothing */
/* An integer between least and most; false for anything else. */
bool t8_integer(const struct t8_doc *d, const struct t8_value *v, int64_t least, int64_t most, int64_t *out);
/* A string, decoded and with a NUL. 0; -ENOENT v is NULL or null; -EBADMSG another type; -EMSGSIZE does not fit: then and always buf is a string. */
int t8_text(const struct t8_doc *d, const struct t8_value *v, char *buf, size_t size);
/* The octets of a string without escapes, in place; NULL: it has some, and t8_text() is to be used. v is a string. */
const char *t8_text_in_place(const struct t8_doc *d, const struct t8_value *v);

#endif
