/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - text that may come from anybody: what is UTF-8, and what is safe to print */
#ifndef NIDDGW_BASE_TEXT_H
#define NIDDGW_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets of the well-formed UTF-8 character at p (1 to 4, RFC 3629: no overlong form, no surrogate), or 0. left > 0. */
size_t text_utf8(const uint8_t *p, size_t left);
/* The same, and it may be printed: no control character (C0, DEL, C1), no line or paragraph separator. */
size_t text_printable(const uint8_t *p, size_t left);
/* Is all of it printable UTF-8? */
bool text_is_printable(const char *text, size_t len);
/* Copy with every octet that is not part of printable UTF-8 as \xNN, cut between characters to fit; NUL-terminated. */
void text_escape(char *buf, size_t size, const char *text);

#endif
