/* SPDX-License-Identifier: Apache-2.0 */
/* typed.h - what a format gave, made into the type that the registry names; inside lwm2m/ only */
#ifndef NIDDGW_LWM2M_TYPED_H
#define NIDDGW_LWM2M_TYPED_H

#include "lwm2m/gather.h"

/* INTEGER, FLOAT or TIME to TIME; false and v is as it was: no such time. */
bool value_to_time(struct lwm2m_value *v);
/* A number that is not one as a double: NaN when v is none. */
double value_to_double(const struct lwm2m_value *v);
/* v + add, in integers as long as both are; false: beyond 64 bits, or one is no number. */
bool value_add(struct lwm2m_value *v, const struct lwm2m_value *add);
/* Of a format that names its kinds: v becomes want where it means the same, else stays as it came. */
void value_settle(struct lwm2m_value *v, enum lwm2m_kind want);

/* A decimal number: digits with an optional sign, and a fraction and an exponent when real is set. Integers stay integers; false: none,
 * or beyond 64 bits (of a double: beyond its range). */
bool value_of_digits(struct lwm2m_value *v, const char *text, size_t len, bool real);
/* "65:0"; false: no object link. */
bool value_of_link(struct lwm2m_value *v, const char *text, size_t len);
/* base64 in either alphabet, with or without padding. */
bool value_of_base64(struct gather *g, struct lwm2m_value *v, const char *text, size_t len);
/* The whole of a text/plain payload, and the value octets of a TLV; what they mean is only known by want. A fault of type when they cannot
 * mean that. */
bool value_of_text(struct gather *g, struct lwm2m_value *v, enum lwm2m_kind want, const char *text, size_t len);
bool value_of_octets(struct gather *g, struct lwm2m_value *v, enum lwm2m_kind want, const uint8_t *p, size_t len);

#endif
