/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.c - the key that was probably meant: Levenshtein distance of at most two */
#include <string.h>

#include "config/parts.h"

enum { WORD_MOST = 48, FAR = 3 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
	const size_t la = strlen(a), lb = strlen(b);
	unsigned row[WORD_MOST + 1];

	if (la > WORD_MOST || lb > WORD_MOST)
		return FAR;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			const unsigned above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

static void consider(const char *name, const char *written, const char **best, unsigned *best_distance)
{
	const unsigned d = distance(name, written);

	if (d >= *best_distance || d >= strlen(name) || d >= strlen(written))
		return;
	*best = name;
	*best_distance = d;
}

const char *suggest(const struct origin *o, const char *written)
{
	const struct conf_item *const tables[] = { o->items, o->more };
	const char *best = NULL;
	unsigned best_distance = FAR;

	if (o->named)
		consider("name", written, &best, &best_distance);
	for (size_t t = 0; t < 2; t++)
		for (const struct conf_item *it = tables[t]; it && it->type != CONF_TYPE_END; it++)
			if (!it->absent)
				consider(it->name, written, &best, &best_distance);
	return best;
}
