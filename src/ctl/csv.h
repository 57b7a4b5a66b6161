/* SPDX-License-Identifier: Apache-2.0 */
/* csv.h - records of comma-separated values, RFC 4180, one at a time
 *
 * Lines may end in LF or CRLF, a byte order mark at the start and empty lines are passed over. What is faulty costs its own line only: the reader
 * goes on with the next.
 */
#ifndef NIDDGW_CTL_CSV_H
#define NIDDGW_CTL_CSV_H

#include <stdbool.h>
#include <stddef.h>

enum {
	CSV_RECORD_MOST = 32768, /* octets of one record, quotes and line ends in quotes counted */
	CSV_FIELDS_MOST = 256,
};

/* Gives up to size octets: how many, 0 at the end, -1 for an error of reading. */
typedef long csv_read_fn(void *arg, char *buf, size_t size);

struct csv {
	csv_read_fn *read;
	void *arg;
	char in[65536];
	size_t in_at, in_len;
	unsigned line;      /* that the next octet stands in */
	int last;           /* octet taken */
	bool begun, failed; /* failed: read gave -1, which is the end too */

	/* of the record at hand */
	unsigned at_line; /* where it begins */
	char text[CSV_RECORD_MOST + 1];
	size_t len;
	const char *field[CSV_FIELDS_MOST]; /* NUL-terminated UTF-8, borrowed until the next call */
	size_t fields;
	const char *fault; /* what is wrong with it */
};

void csv_init(struct csv *c, csv_read_fn *read, void *arg); /* nothing is owned: there is no end to it */
/* 1: a record; 0: the end; -EBADMSG: c->fault tells, and the next call goes on behind that line. */
int csv_next(struct csv *c);
/* The whole next line without its end in c->text, c->len, for what is no CSV; the same results. Empty lines are passed over. */
int csv_next_line(struct csv *c);

#endif
