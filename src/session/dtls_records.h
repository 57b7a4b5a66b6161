/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_records.h - what can be seen of a unit of DTLS records without a key (RFC 6347 4.1, RFC 9147 4) */
#ifndef NIDDGW_SESSION_DTLS_RECORDS_H
#define NIDDGW_SESSION_DTLS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DTLS_CHANGE_CIPHER_SPEC = 20, DTLS_ALERT = 21, DTLS_HANDSHAKE = 22, DTLS_APPLICATION = 23, DTLS_CID = 25 };

struct dtls_unit {
	uint8_t content_type; /* of the first record; of a DTLS 1.3 ciphertext its first octet */
	uint16_t epoch;       /* of the first record; 0 where it cannot be seen */
	unsigned records;     /* whole ones */
	bool handshake;       /* nothing but handshake and change of cipher: a flight, which is sent again as a whole */
	uint64_t mark;        /* equal for a flight and its repetition, whose sequence numbers and ciphertexts differ; else different but by chance */
};

static inline bool dtls_begins(const uint8_t *data, size_t len)
{
	return len && data[0] >= 0x14 && data[0] <= 0x3f;
}

/* 0; -EBADMSG: a record that is cut, or of no version of DTLS. Records with a connection id and those of DTLS 1.3 have a length that only
 * the ends know: they are taken as they are. */
int dtls_unit_read(struct dtls_unit *u, const uint8_t *data, size_t len);

#endif
