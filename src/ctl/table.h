/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - aligned columns on stdout
 *
 * Cells come from the network in the end, so every one is escaped before it reaches a terminal.
 */
#ifndef NIDDGW_CTL_TABLE_H
#define NIDDGW_CTL_TABLE_H

#include <stddef.h>

enum { TABLE_COLUMNS_MOST = 12, TABLE_CELL_MOST = 160 /* octets of a cell as it is printed */ };

struct table {
	const char *const *heads; /* borrowed, columns of them; NULL: no line of heads */
	size_t columns;
	char *cells; /* owned: rows * columns cells of TABLE_CELL_MOST octets */
	size_t rows, room;
	size_t width[TABLE_COLUMNS_MOST]; /* only grows, so that what is printed later stands below what was before */
	int begun;
};

void table_init(struct table *t, const char *const *heads, size_t columns);
/* Adds a row; cells has t->columns entries, NULL is printed as "-". 0 or -ENOMEM. */
int table_add(struct table *t, const char *const *cells);
void table_print(struct table *t); /* what was added since the last time */
void table_fini(struct table *t);

#endif
