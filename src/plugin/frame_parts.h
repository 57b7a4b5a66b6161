/* SPDX-License-Identifier: Apache-2.0 */
/* frame_parts.h - what the files that write and read frames share; not for others */
#ifndef NIDDGW_PLUGIN_FRAME_PARTS_H
#define NIDDGW_PLUGIN_FRAME_PARTS_H

#include "plugin/frame.h"

size_t frame_begin(struct writer *w, uint8_t kind);   /* where it starts */
bool frame_done(struct writer *w, size_t start);      /* sets its length; false when it did not fit */
int frame_read_done(const struct frame *f);           /* 0 when all of the body was read, no more and no less */

void put_u64(struct writer *w, uint64_t v);
uint64_t get_u64(struct reader *r);
void put_data(struct writer *w, const void *data, size_t len);
const uint8_t *get_data(struct reader *r, size_t *len);
void put_text(struct writer *w, const char *text);    /* NULL is fine */
const char *get_text(struct reader *r);               /* NULL: it is one, or the frame is bad */
const char *get_required(struct reader *r);           /* never NULL: "" in a bad frame */

#endif
