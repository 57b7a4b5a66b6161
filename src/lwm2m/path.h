/* SPDX-License-Identifier: Apache-2.0 */
/* path.h - paths of LwM2M: "/3303/0/5700"
 *
 * An identifier is a decimal number from 0 to 65535 without leading zeros. A device may have its objects below an alternate
 * path (Register, rt="oma.lwm2m"), which is cut off here; a LwM2M gateway puts one word more in front of the objects
 * of each device behind it, which is told apart.
 */
#ifndef NIDDGW_LWM2M_PATH_H
#define NIDDGW_LWM2M_PATH_H

#include "coap/codec.h"
#include "lwm2m/value.h"

struct lwm2m_registry;

#define LWM2M_PATH_TEXT 25 /* "/65535/65535/65535/65535" and a NUL */

/**
 * Read a path from text.
 * @param base    the alternate path, "/lwm2m", with or without its slash; cut off when text begins with it; p NULL or len 0: none
 * @param prefix  where the word of a LwM2M gateway goes, borrowed from text, p NULL when there is none; NULL: such a word is refused
 * @return 0; -EBADMSG: no path. "" and "/" are the root; a slash at the end is taken.
 */
int lwm2m_path_parse(struct lwm2m_path *out, struct lwm2m_text *prefix, const char *text, size_t len, const struct lwm2m_text *base);
/* The same from the Uri-Path options of a request; base may be NULL. -EBADMSG: not a path of LwM2M (rd, bs, dp, others). */
int lwm2m_path_of_request(struct lwm2m_path *out, struct lwm2m_text *prefix, const struct coap_msg *m, const struct lwm2m_text *base);
/* "/3303/0", "/" for the root; returns the length. */
size_t lwm2m_path_print(char buf[LWM2M_PATH_TEXT], const struct lwm2m_path *p);

/**
 * Whether what stands at this path must never leave the gateway: all of /0, /21 and /23; /11/x/5, /11/x/6, /16/x/2, /24/x/8; and
 * what a site's object file marks (registry.h, Mirror="never").
 * A path above such a resource is not secret itself: ask for each value.
 * @param r  NULL: only the fixed ones
 */
bool lwm2m_path_is_secret(const struct lwm2m_path *p, const struct lwm2m_registry *r);

#endif
