/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - aligned columns on stdout */
#include "ctl/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Characters of UTF-8 text, which is what a terminal gives a column to (wide ones aside). */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void widen(struct table *t, size_t column, const char *text)
{
	size_t width = width_of(text);

	if (width > t->width[column])
		t->width[column] = width;
}

void table_init(struct table *t, const char *const *heads, size_t columns)
{
	memset(t, 0, sizeof *t);
	t->heads = heads;
	t->columns = columns;
	for (size_t i = 0; heads && i < columns; i++)
		widen(t, i, heads[i]);
}

static int make_room(struct table *t)
{
	size_t room = t->room ? 2 * t->room : 64;
	char *cells;

	if (t->rows < t->room)
		return 0;
	cells = reallocarray(t->cells, room, t->columns * TABLE_CELL_MOST);
	if (!cells)
		return -ENOMEM;
	t->cells = cells;
	t->room = room;
	return 0;
}

static char *cell(const struct table *t, size_t row, size_t column)
{
	return t->cells + (row * t->columns + column) * TABLE_CELL_MOST;
}

int table_add(struct table *t, const char *const *cells)
{
	int err = make_room(t);

	if (err)
		return err;
	for (size_t i = 0; i < t->columns; i++) {
		text_escape(cell(t, t->rows, i), TABLE_CELL_MOST, cells[i] && *cells[i] ? cells[i] : "-");
		widen(t, i, cell(t, t->rows, i));
	}
	t->rows++;
	return 0;
}

/* Every column but the last is filled up to its width. */
static void print_cell(const struct table *t, size_t column, const char *text)
{
	size_t pad = column + 1 < t->columns ? t->width[column] - width_of(text) + 2 : 0;

	printf("%s%*s%s", text, (int)pad, "", column + 1 < t->columns ? "" : "\n");
}

void table_print(struct table *t)
{
	if (t->heads && !t->begun)
		for (size_t i = 0; i < t->columns; i++)
			print_cell(t, i, t->heads[i]);
	t->begun = 1;
	for (size_t row = 0; row < t->rows; row++)
		for (size_t i = 0; i < t->columns; i++)
			print_cell(t, i, cell(t, row, i));
	t->rows = 0;
}

void table_fini(struct table *t)
{
	free(t->cells);
	memset(t, 0, sizeof *t);
}
