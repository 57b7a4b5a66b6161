/* SPDX-License-Identifier: Apache-2.0 */
/* signal.h - signalling messages of CoAP over TCP and TLS (RFC 8323 section 5)
 *
 * Options of these messages are numbered for each code on its own. One that has a bad length counts as unknown, as in any
 * other message (RFC 7252 5.4.3), and so does the second instance of one that may stand once.
 */
#ifndef NIDDGW_COAP_SIGNAL_H
#define NIDDGW_COAP_SIGNAL_H

#include "coap/codec.h"

#define COAP_MESSAGE_SIZE_BASE 1152u /* Max-Message-Size of a peer that has not said another, RFC 8323 5.3.1 */

/* What a message of class 7 says; which of these can stand in it depends on its code. */
struct coap_signal {
	bool has_max_message_size, blockwise; /* CSM */
	bool custody;                         /* Ping, Pong */
	bool has_alternative, has_hold_off;   /* Release */
	bool has_bad_csm_option;              /* Abort */
	uint32_t max_message_size;            /* octets, header included */
	uint32_t hold_off_s;
	uint32_t bad_csm_option;
	struct coap_option alternative; /* the first address */
	uint32_t unknown;               /* when read: the first critical option that the code does not have; 0: none */
};

static inline bool coap_is_signal(uint8_t code)
{
	return coap_class(code) == 7;
}

/* m is parsed and of class 7; a code that is not known has no options that are. */
void coap_signal_read(struct coap_signal *s, const struct coap_msg *m);

/**
 * Write one in stream framing.
 * @param s     what the code can say of it is said; alternative is not written
 * @param text  diagnostic payload, NULL: none
 * @return length; -EMSGSIZE above size
 */
long coap_signal_write(void *buf, size_t size, uint8_t code, const uint8_t *token, size_t token_len, const struct coap_signal *s, const char *text);

#endif
