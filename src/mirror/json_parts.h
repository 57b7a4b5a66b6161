/* SPDX-License-Identifier: Apache-2.0 */
/* json_parts.h - what json.c, json_raw.c and senml.c share */
#ifndef NIDDGW_MIRROR_JSON_PARTS_H
#define NIDDGW_MIRROR_JSON_PARTS_H

#include "base/sha256.h"
#include "mirror/json.h"
#include "mirror/json_out.h"

void out_member(struct json_out *o, const char *key); /* `,"key":` */
void out_member_text(struct json_out *o, const char *key, const char *text); /* NULL: nothing */
void out_member_uint(struct json_out *o, const char *key, uint64_t v);
void out_head(struct json_out *o, const struct report *r); /* "{", up to the device */
void out_path(struct json_out *o, const struct niddgw_value *v);
bool json_value_is_large(const struct niddgw_value *v, size_t most);
bool json_wide(const struct niddgw_value *v); /* an integer that a double cannot hold */
void out_integer(struct json_out *o, const struct niddgw_value *v); /* INTEGER, UNSIGNED, TIME; a wide one with quotes */
const char *json_flag(double v); /* "nan", "inf", "-inf"; NULL: finite */
long json_raw(const struct report *r, unsigned flags, char *buf, size_t size);
long json_senml(const struct report *r, unsigned flags, size_t most, char *buf, size_t size);

#endif
