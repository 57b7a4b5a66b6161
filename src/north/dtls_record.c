/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_record.c - which records of a datagram OpenSSL is shown
 *
 * A record without protection can come from anybody who guesses a port. An alert among them would end a handshake, so
 * it is taken out and only noted: a server that means it does not answer what is sent again, and one that does not mean
 * it does. What is no record at all, or cannot belong to the state at hand, is taken out too and counted.
 */
#include "north/dtls.h"

#include <string.h>

#include "base/octets.h"

enum {
	HEAD = 13,
	BODY_MAX = 16384 + 256, /* RFC 6347 4.1: 2^14 and what protection adds */
	TYPE_CHANGE_CIPHER = 20,
	TYPE_ALERT = 21,
	TYPE_HANDSHAKE = 22,
	TYPE_DATA = 23,
	ALERT_FATAL = 2,
};

struct record {
	uint8_t type;
	uint16_t epoch;
	size_t len; /* with its head */
};

/* The record at data; false: there is none, and nothing behind it can be told either. */
static bool record_at(struct record *r, const uint8_t *data, size_t len)
{
	struct reader in = reader_of(data, len);
	uint16_t version, body;

	r->type = read_u8(&in);
	version = read_u16(&in);
	r->epoch = read_u16(&in);
	(void)read_span(&in, 6); /* the sequence number */
	body = read_u16(&in);
	r->len = (size_t)HEAD + body;
	return !in.failed && r->len <= len && body <= BODY_MAX && r->type >= TYPE_CHANGE_CIPHER &&
		r->type <= TYPE_DATA && (version == 0xfefd || version == 0xfeff);
}

/* Whether a record of a peer without keys can be of use. */
static bool is_wanted(const struct record *r, const uint8_t *data, bool handshake, struct dtls_sorted *out)
{
	if (r->epoch)
		return true;
	if (r->type == TYPE_ALERT && handshake && r->len == HEAD + 2 && data[HEAD] == ALERT_FATAL) {
		out->alert = true;
		out->description = data[HEAD + 1];
	}
	return handshake && (r->type == TYPE_HANDSHAKE || r->type == TYPE_CHANGE_CIPHER);
}

size_t dtls_sort(uint8_t *data, size_t len, bool handshake, struct dtls_sorted *out)
{
	size_t at = 0, kept = 0;
	struct record r;

	*out = (struct dtls_sorted){ 0 };
	while (at < len && record_at(&r, data + at, len - at)) {
		if (is_wanted(&r, data + at, handshake, out)) {
			memmove(data + kept, data + at, r.len);
			kept += r.len;
		} else {
			out->dropped++;
		}
		at += r.len;
	}
	if (at < len)
		out->dropped++;
	return kept;
}
