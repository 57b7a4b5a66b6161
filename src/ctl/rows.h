/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - device records of a file, one at a time: CSV with a header line, or JSON lines */
#ifndef NIDDGW_CTL_ROWS_H
#define NIDDGW_CTL_ROWS_H

#include <jansson.h>
#include <stdbool.h>

struct rows;

/* file "-": standard input. jsonl: objects, one a line; else CSV. 0 or a negative errno. */
int rows_open(struct rows **out, const char *file, bool jsonl);
/* Reads the header line of CSV: its names as an array, a new reference; an empty array for JSON lines. NULL: *fault tells, about *line. */
json_t *rows_keys(struct rows *r, unsigned *line, const char **fault);
/* 1: *record, a new reference, of *line; 0: the end; -EBADMSG: *fault tells about *line, and the next call goes on behind it; -EIO; -ENOMEM. */
int rows_next(struct rows *r, json_t **record, unsigned *line, const char **fault);
void rows_close(struct rows *r); /* NULL is fine */

#endif
