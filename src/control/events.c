/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - a ring of what the log has said */
#include "control/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { ROOM_SIZE = 16, WORD_SIZE = 40 };

struct kept {
	uint64_t wall_ms, count;
	char *members; /* owned; NULL: memory was short */
	enum log_level level;
	char room[ROOM_SIZE], word[WORD_SIZE];
};

struct events {
	uint64_t last_id; /* it stands at last_id % EVENTS_KEPT */
	struct kept ring[EVENTS_KEPT];
};

static struct kept *at(const struct events *e, uint64_t id)
{
	return (struct kept *)(uintptr_t)&e->ring[id % EVENTS_KEPT];
}

/* The same as the last one, but for its time. */
static bool is_repeated(const struct events *e, const char *room, const char *word, const char *members, size_t len)
{
	const struct kept *k = at(e, e->last_id);

	return e->last_id && k->members && !strcmp(k->word, word) && !strcmp(k->room, room) &&
		strlen(k->members) == len && !memcmp(k->members, members, len);
}

static void on_log(void *arg, enum log_level level, const char *room, const char *word, const char *members, size_t len)
{
	struct events *e = arg;
	struct kept *k;

	if (is_repeated(e, room, word, members, len)) {
		at(e, e->last_id)->count++;
		at(e, e->last_id)->wall_ms = clock_wall_ms();
		return;
	}
	k = at(e, ++e->last_id);
	free(k->members);
	*k = (struct kept){ .wall_ms = clock_wall_ms(), .count = 1, .level = level, .members = strndup(members, len) };
	snprintf(k->room, sizeof k->room, "%s", room);
	snprintf(k->word, sizeof k->word, "%s", word);
}

int events_new(struct events **out)
{
	struct events *e = calloc(1, sizeof *e);

	if (!e)
		return -ENOMEM;
	log_watch(on_log, e);
	*out = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	log_watch(NULL, NULL);
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(e->ring[i].members);
	free(e);
}

void events_each(const struct events *e, uint64_t from, events_each_fn *fn, void *arg)
{
	uint64_t oldest = e->last_id > EVENTS_KEPT ? e->last_id - EVENTS_KEPT + 1 : 1;
	uint64_t id = from && from < e->last_id ? from : e->last_id;

	for (; id >= oldest && id; id--) {
		const struct kept *k = at(e, id);
		const struct event ev = {
			id, k->wall_ms, k->count, k->level, k->room, k->word, k->members ? k->members : ""
		};

		if (!fn(arg, &ev))
			return;
	}
}
