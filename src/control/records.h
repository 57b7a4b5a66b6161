/* SPDX-License-Identifier: Apache-2.0 */
/* records.h - device records over the control socket: add, remove, import, export
 *
 * An import is a conversation of one client: begin, records .. records, check .. check, commit. Each request is bounded, so the client
 * paces it, and only a commit is answered later.
 */
#ifndef NIDDGW_CONTROL_RECORDS_H
#define NIDDGW_CONTROL_RECORDS_H

#include <jansson.h>
#include <stdbool.h>

struct command_job;
struct control;
struct import;
struct removal;

/* What one client has under way; zeroed before its first request. */
struct records {
	struct control *control; /* borrowed */
	struct import *import;   /* owned */
	struct removal *removal; /* owned until it is done */
	struct command_job *job; /* its answer is awaited */
	void (*answer)(struct records *r, json_t *answer); /* for those that are answered later; takes answer */
};

/* Each gives the answer, or NULL with *later set. */
json_t *records_add(struct records *r, const json_t *request, bool *later);
json_t *records_remove(struct records *r, const json_t *request, bool *later);
json_t *records_import(struct records *r, const json_t *request, bool *later);
json_t *records_export(struct records *r, const json_t *request, bool *later);
void records_end(struct records *r); /* the client is gone; what is committed is carried out */

#endif
