/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of the mirror share
 *
 *   body     messages in blocks, put together
 *   value    decoded values with names and units, as reports have them
 *   draft    one report on its way
 */
#ifndef NIDDGW_MIRROR_INSIDE_H
#define NIDDGW_MIRROR_INSIDE_H

#include "base/map.h"
#include "coap/option.h"
#include "lwm2m/decode.h"
#include "lwm2m/registry.h"
#include "mirror/mirror.h"

/* ---- id.c ---- */
struct report_ids {
	uint64_t ms;
	uint8_t tail[10];
};
/* 26 characters and a NUL that sort by time; two of one process never are the same, whatever the clock does. */
void report_id(struct report_ids *ids, char out[27], uint64_t wall_ms);

/* ---- body.c ---- */
enum {
	BODY_MOST = 65536,       /* octets of one body */
	BODIES_MOST = 8 << 20,   /* of all */
	BODIES_N_MOST = 1024,
	BODY_IDLE_MS = 600000,   /* without another block */
};
enum body_kind { BODY_UP, BODY_DOWN, BODY_ANSWER };
struct body_key { /* zeroed before it is filled */
	const void *leg;
	struct lwm2m_path path;
	uint8_t kind, code;
};
struct body_block {
	bool has; /* there is a block option; else it is whole */
	uint32_t block;
	const uint8_t *etag; /* of an answer */
	size_t etag_len;
	const uint8_t *data;
	size_t len, unit_len;
	unsigned format; /* these two: of the first block, kept for the last one */
	const char *op;
};
struct body {
	struct map_node node;
	struct body *older, *newer;
	struct body_key key;
	uint64_t at_ms;
	uint8_t *data; /* owned */
	size_t len, size, unit_len;
	unsigned format;
	const char *op; /* borrowed: a literal */
	uint8_t etag[8], etag_len;
	bool done;
};
struct bodies {
	struct map map;
	struct body *oldest, *newest; /* owned */
	size_t bytes;
};
enum body_step {
	BODY_WHOLE, /* it is no block of a longer one */
	BODY_MORE,  /* taken, others follow; or a repetition */
	BODY_LAST,  /* *out has all; borrowed until the next call */
	BODY_LOST,  /* the last one of a body that is not at hand in whole: too long, or a block is missing */
};
enum body_step bodies_take(struct bodies *b, const struct body_key *k, const struct body_block *p, const struct body **out);
const struct body *bodies_find(const struct bodies *b, const struct body_key *k); /* NULL: none that is whole */
void bodies_drop(struct bodies *b, const struct body_key *k);
void bodies_forget(struct bodies *b, const void *leg);
void bodies_fini(struct bodies *b);

/* ---- last_unit.c: the last 5701 that an instance reported ---- */
enum { LAST_UNIT_SIZE = 64, LAST_UNITS_PER_DEVICE = 16, LAST_UNITS_MOST = 65536 };
struct last_units {
	struct map map;  /* by device */
	size_t n;        /* units of all */
};
struct lwm2m_text last_unit(const struct last_units *l, const void *dev, const struct lwm2m_path *p);
void last_unit_keep(struct last_units *l, const void *dev, const struct lwm2m_path *p, const struct lwm2m_text *unit);
void last_units_forget(struct last_units *l, const void *dev);
void last_units_fini(struct last_units *l);

/* ---- value.c ---- */
/* Memory of the report that is being made; everything in a report points into it, or into what came. */
struct scratch {
	struct niddgw_value *values; /* owned: REPORT_VALUES_MAX */
	struct report_link *links;   /* owned: as many */
	char *text;                  /* owned */
	size_t used;
};
enum { SCRATCH_TEXT = REPORT_VALUES_MAX * 64 };
int scratch_init(struct scratch *s); /* 0 or -ENOMEM */
void scratch_fini(struct scratch *s);
const char *scratch_text(struct scratch *s, const char *text, size_t len); /* NULL: no room */

struct mirror {
	struct mirror_env env;
	const struct lwm2m_registry *registry; /* borrowed */
	bool listening;
	uint64_t *counts[2]; /* by enum niddgw_record_kind */
	struct report_ids ids;
	struct bodies bodies;
	struct last_units last;
	struct scratch scratch;
};

/* Puts the values into r, those that are secret excepted: how many were left out. */
size_t report_values(struct mirror *m, const struct mirror_who *who, struct report *r, const struct lwm2m_value *v, size_t n);
/* The object links of a Register. 0 or what lwm2m_objects_new() says. */
int report_links(struct mirror *m, struct report *r, const uint8_t *list, size_t len);

/* ---- draft.c ---- */
#define FORMAT_NONE 65536u /* the message names none */

/* One report on its way. */
struct draft {
	struct mirror *m;
	const struct mirror_who *who;
	struct report r;
	const struct mirror_unit *unit; /* that its header is told of when it fails */
	struct mirror_target target;
	unsigned format;
	const uint8_t *body;
	size_t len;
	bool down; /* the values went towards the device */
	char path[LWM2M_PATH_TEXT];
	mirror_take_fn *take; /* NULL: to who listens */
	void *take_arg;
};
struct draft draft_of(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *u, const char *op);
unsigned draft_format(const struct coap_view *v, const struct mirror_target *t); /* FORMAT_NONE: nobody knows */
struct body_key draft_key(const void *leg, enum body_kind kind, uint8_t code, const struct mirror_target *t);
bool draft_collect(struct draft *d, const struct body_key *k, const struct body_block *b); /* takes the body of this unit; false: nothing is to be told (yet) */
void draft_set_path(struct draft *d);
void draft_fail(struct draft *d, const char *reason);
void draft_finish(struct draft *d); /* decodes and tells it */

/* ---- raw.c ---- */
void raw_failed(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *u, size_t unit_bytes, bool down, unsigned format,
		const char *reason, bool show_payload);

/* ---- mirror.c ---- */
int mirror_make_room(struct mirror *m); /* for reports; 0 or -ENOMEM */
void mirror_give(struct mirror *m, struct report *r); /* with an id, counted */

#endif
