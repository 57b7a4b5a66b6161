/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON of peers, read strictly
 *
 * One pass over the octets bounds depth and members before the parser spends anything on them; then jansson with
 * duplicate members refused. NUL in a string, bad UTF-8, numbers out of range and trailing octets are errors.
 */
#ifndef NIDDGW_LINK_T8_JSON_H
#define NIDDGW_LINK_T8_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define T8_JSON_DEPTH 32
#define T8_JSON_MEMBERS 1000 /* of one notification or resource */

/* @param members  most members and elements in all
 * @return 0 and *out, freed with json_decref(); -EBADMSG no sound JSON; -EMSGSIZE too deep or too many; -ENOMEM */
int t8_json_read(json_t **out, const char *text, size_t len, size_t members);

/* A string member, NULL when absent or of another type. */
const char *t8_json_text(const json_t *obj, const char *key);
/* Copy of a string member. 0; -ENOENT absent; -EBADMSG other type; -EMSGSIZE does not fit: then and always buf is a string. */
int t8_json_copy(char *buf, size_t size, const json_t *obj, const char *key);

#endif
