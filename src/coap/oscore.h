/* SPDX-License-Identifier: Apache-2.0 */
/* oscore.h - what can be read of an OSCORE option without a key (RFC 8613 6.1)
 *
 * For logs, for the identity check and for the choice of a server. The option itself passes as it is, whatever is in it.
 */
#ifndef NIDDGW_COAP_OSCORE_H
#define NIDDGW_COAP_OSCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Spans are borrowed from the message. What is not there has no length and, where empty is a value too, a flag that is false. */
struct coap_oscore {
	const uint8_t *piv, *kid, *kid_context;
	uint8_t piv_len; /* 0 to 5 */
	uint8_t kid_len, kid_context_len;
	bool has_kid, has_kid_context;
	bool group; /* the flag of Group OSCORE is set */
};

/**
 * Read an option value.
 * @param value  len octets, borrowed; NULL is fine when len is 0
 * @return true; false: it is none of this form (a reserved flag, a Partial IV of 6 or 7 octets, a kid context beyond the end, octets that
 *         belong to nothing, above 255 octets), and *o is empty
 */
bool coap_oscore_read(struct coap_oscore *o, const uint8_t *value, size_t len);

#endif
