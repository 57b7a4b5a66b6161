/* SPDX-License-Identifier: Apache-2.0 */
/* gather.h - the values of one report while they are read; inside lwm2m/ only
 *
 * Decoders add values one by one; nobody sees them before the whole report was sound. Reading stops at the first fault, and
 * that one stays: functions that return bool or a pointer give false or NULL from then on.
 */
#ifndef NIDDGW_LWM2M_GATHER_H
#define NIDDGW_LWM2M_GATHER_H

#include "lwm2m/decode.h"
#include "lwm2m/registry.h"

#define GATHER_FIRST 16 /* values that need no allocation */

struct gather_block;
struct gather {
	const struct lwm2m_decode_in *in;
	struct lwm2m_value *v; /* first, or owned */
	size_t n, room;
	struct gather_block *blocks; /* owned: texts that do not stand in the payload as they are */
	const char *reason;
	int err;
	const struct registry_object *def; /* of the object that was asked last */
	uint32_t def_id; /* above 65535: none was */
	struct lwm2m_value first[GATHER_FIRST];
};

void gather_init(struct gather *g, const struct lwm2m_decode_in *in);
void gather_fini(struct gather *g);

/* Notes a fault; always false. word: one of those that lwm2m_decode() may give as its reason. */
bool gather_fault(struct gather *g, const char *word);
#define FAULT_TRUNCATED "truncated"
#define FAULT_DEPTH "depth"
#define FAULT_UTF8 "bad_utf8"
#define FAULT_TYPE "type"
#define FAULT_FORMAT "format"

/* Memory that lives as long as the gathering; NULL: there is none, and the fault is noted. */
void *gather_alloc(struct gather *g, size_t size);
/* What the registry says of this path's resource, NONE when nothing. */
enum lwm2m_kind gather_type(struct gather *g, const struct lwm2m_path *path);
/* Takes a value whose path is one of a resource or resource instance; of another depth only in a fetch list. */
bool gather_add(struct gather *g, const struct lwm2m_value *v);
bool gather_utf8(struct gather *g, const void *text, size_t len);

#endif
