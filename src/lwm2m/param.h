/* SPDX-License-Identifier: Apache-2.0 */
/* param.h - one parameter of a registration, as it stands in a Uri-Query; inside lwm2m/ only
 *
 * Texts are borrowed from the message.
 */
#ifndef NIDDGW_LWM2M_PARAM_H
#define NIDDGW_LWM2M_PARAM_H

#include "lwm2m/registration.h"

struct lwm2m_param {
	struct coap_text whole, key, value; /* value.p NULL: no '=' */
};

/* The next Uri-Query of a walk over a message's options; false at the end. */
bool lwm2m_param_next(struct coap_options *it, struct lwm2m_param *p);
/* The first one with this key; *p is of no meaning when there is none. */
bool lwm2m_param_find(struct lwm2m_param *p, const struct coap_msg *m, const char *key);
/* In LwM2M 1.0 queue mode is a letter of b. A message that names no version may be of 1.0, above all an Update. */
bool lwm2m_q_is_a_letter(enum lwm2m_version version);

static inline bool text_is(const struct coap_text *t, const char *word)
{
	return t->len == strlen(word) && !memcmp(t->p, word, t->len);
}

static inline bool text_has(const struct coap_text *t, char letter)
{
	return t->len && memchr(t->p, letter, t->len);
}

#endif
