/* SPDX-License-Identifier: Apache-2.0 */
/* journal_entry.c - which segments the open entries hold
 *
 * An entry that is not done costs a node in a hash; a done one costs nothing but the time until which its segments
 * stay.
 */
#include <stdlib.h>

#include "store/journal_inside.h"

static bool entry_eq(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return ((const struct entry *)(const void *)n)->id == *(const uint64_t *)key; /* node is the first member */
}

struct entry *entry_find(const struct journal *j, uint64_t id)
{
	return (struct entry *)(void *)map_find(&j->entries, map_hash(&id, sizeof id), entry_eq, &id, sizeof id);
}

static void stay_for_good(struct segment *seg)
{
	seg->keep_until_ms = UINT64_MAX; /* no memory to know better: a restart does */
}

void entry_pin(struct entry *e, struct segment *seg)
{
	struct pin *p;

	for (p = &e->pin; p; p = p->next)
		if (p->seg == seg)
			return;
	if (!e->pin.seg) {
		e->pin.seg = seg;
	} else {
		p = malloc(sizeof *p);
		if (!p) {
			stay_for_good(seg);
			return;
		}
		*p = (struct pin){ e->pin.next, seg };
		e->pin.next = p;
	}
	seg->open++;
}

void entry_unpin(struct entry *e, struct segment *seg)
{
	struct pin *prev = NULL, *p = &e->pin;

	while (p && p->seg != seg) {
		prev = p;
		p = p->next;
	}
	if (!p)
		return;
	seg->open--;
	if (prev) {
		prev->next = p->next;
		free(p);
	} else if ((p = e->pin.next)) {
		e->pin = *p;
		free(p);
	} else {
		e->pin.seg = NULL;
	}
}

static struct entry *entry_open(struct journal *j, uint64_t id)
{
	struct entry *e = calloc(1, sizeof *e);

	if (e && map_add(&j->entries, &e->node, map_hash(&id, sizeof id))) {
		free(e);
		e = NULL;
	}
	if (e)
		e->id = id;
	return e;
}

void entry_free(struct entry *e)
{
	struct pin *p;

	while ((p = e->pin.next)) {
		e->pin.next = p->next;
		free(p);
	}
	free(e);
}

static void entry_done(struct journal *j, struct entry *e, uint64_t until_ms)
{
	for (const struct pin *p = &e->pin; p; p = p->next) {
		if (!p->seg)
			continue;
		p->seg->open--;
		if (p->seg->keep_until_ms < until_ms)
			p->seg->keep_until_ms = until_ms;
	}
	j->live -= e->bytes;
	map_remove(&j->entries, &e->node);
	entry_free(e);
}

void journal_account(struct journal *j, struct segment *seg, const struct record *r, size_t size)
{
	struct entry *e = r->type == RECORD_NOP ? NULL : entry_find(j, r->id);

	if (r->type == RECORD_DONE) {
		if (e)
			entry_done(j, e, r->until_ms);
		if (seg->keep_until_ms < r->until_ms)
			seg->keep_until_ms = r->until_ms;
	} else if (r->type == RECORD_APPEND) {
		if (!e)
			e = entry_open(j, r->id);
		if (!e) {
			stay_for_good(seg);
			return;
		}
		e->bytes += size;
		j->live += size;
		entry_pin(e, seg);
	}
}
