/* SPDX-License-Identifier: Apache-2.0 */
/* path.h - resource paths and identities of T8 in one form, so that they can be compared
 *
 * Peers send links absolute and relative, with other hosts and prefixes (proxies), percent-encoded or not. What counts is
 * the part after /3gpp-nidd/v1/, the tail. Its one form here is RFC 3986 6.2.2: what may stand plainly in a path is plain, all
 * else is %XX in upper case; it is ready to be appended to our own base. A link is never followed as it came.
 */
#ifndef NIDDGW_LINK_T8_PATH_H
#define NIDDGW_LINK_T8_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define T8_TAIL_MAX 256 /* with NUL */
#define T8_ID_MAX 256   /* with NUL */
#define T8_LINK_MAX 2048 /* of a link as peers write it, with NUL */
#define T8_NIDD "/3gpp-nidd/v1/"

/**
 * The tail of a link.
 * @param scs  our own scs_as_id in its path form; stands in when the link has only "configurations/..."
 * @param out  takes T8_TAIL_MAX; "" on failure
 * @return 0; -EBADMSG no configuration in it, an empty segment, "." or ".."; -EMSGSIZE too long
 */
int t8_tail(char *out, const char *link, const char *scs);

/* One segment in path form (scs_as_id) into out of size. 0 or -EMSGSIZE. */
int t8_segment(char *out, size_t size, const char *text);
bool t8_segment_is_sound(const char *text); /* not empty, no "/", no control characters, not "." or ".." */
bool t8_path_is_sound(const char *text);    /* "/..." of visible ASCII without "?" and "#" */

/* "+49 170 ..." to "49170...": TS 23.003 3.3 without prefix and spaces. 0, or -EBADMSG for what holds anything but 5 to 15 digits. */
int t8_msisdn(char *out, size_t size, const char *text);
bool t8_external_id_is_sound(const char *text); /* local@domain, one "@", printable, at most T8_ID_MAX - 1 */

#endif
