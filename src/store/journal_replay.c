/* SPDX-License-Identifier: Apache-2.0 */
/* journal_replay.c - which of the found records count, and handing them to their writer
 *
 * An entry counts as a whole: until its last record is there, and then for as long as that says. Records are read again
 * from their files, in the order of their sequence numbers, which is the order of the files but for what was moved.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/journal_inside.h"

/* Reads records at rising places with few system calls. */
struct window {
	int fd;
	uint32_t seg; /* index of the open file */
	uint32_t from;
	size_t len, size;
	uint8_t *buf; /* owned */
	struct segment *const *by_index;
	int dir_fd;
};

static void window_fini(struct window *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->buf);
}

static int window_open(struct window *w, uint32_t seg)
{
	char name[SEGMENT_NAME];

	if (w->fd >= 0 && w->seg == seg)
		return 0;
	if (w->fd >= 0)
		close(w->fd);
	segment_name(name, w->by_index[seg]->number, "");
	w->fd = openat(w->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	w->seg = seg;
	w->len = 0;
	return w->fd < 0 ? -errno : 0;
}

static int window_fill(struct window *w, uint32_t at, size_t size)
{
	ssize_t n;

	if (size > w->size) {
		uint8_t *buf = realloc(w->buf, size);

		if (!buf)
			return -ENOMEM;
		w->buf = buf;
		w->size = size;
	}
	n = segment_read(w->fd, w->buf, size, at);
	w->from = at;
	w->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? (int)n : 0;
}

/* The record found as f; its data is borrowed until the next call. */
static int window_record(struct window *w, const struct found *f, struct record *r)
{
	const uint32_t salt = w->by_index[f->seg]->salt;
	int err = window_open(w, f->seg);

	if (err)
		return err;
	if (f->at >= w->from && f->at - w->from < w->len &&
	    record_read(r, salt, w->buf + (f->at - w->from), w->len - (f->at - w->from)) > 0)
		return 0;
	err = window_fill(w, f->at, WINDOW);
	if (!err && record_read(r, salt, w->buf, w->len) > 0)
		return 0;
	if (!err)
		err = window_fill(w, f->at, RECORD_MOST);
	if (!err && record_read(r, salt, w->buf, w->len) <= 0)
		err = -EBADMSG; /* it was there a moment ago */
	return err;
}

static struct window window_of(const struct journal *j)
{
	return (struct window){ .fd = -1, .by_index = j->by_index, .dir_fd = j->dir_fd };
}

/* ---- deciding ---- */

/* An entry whose last record was found. */
struct over {
	struct map_node node;
	uint64_t id, until_ms; /* 0: it was kept long enough */
};

struct settle {
	struct map over; /* owned */
	struct window window;
	uint64_t now_ms, wall_ms;
	bool trusted;
};

static bool over_eq(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return ((const struct over *)(const void *)n)->id == *(const uint64_t *)key; /* node is the first member */
}

static struct over *over_find(const struct settle *s, uint64_t id)
{
	return (struct over *)(void *)map_find(&s->over, map_hash(&id, sizeof id), over_eq, &id, sizeof id);
}

static void settle_fini(struct settle *s)
{
	struct map_node *n, *next;
	size_t i = 0;

	for (n = map_next(&s->over, &i, NULL); n; n = next) {
		next = map_next(&s->over, &i, n);
		free(n);
	}
	map_fini(&s->over);
	window_fini(&s->window);
}

/* How much longer a done entry is kept: exact within a boot, by wall time over one, in full when that says nothing. */
static uint64_t time_left(const struct journal *j, const struct settle *s, const struct segment *seg,
			  const struct record *r)
{
	uint64_t left = r->keep_ms;

	if (!memcmp(seg->boot_id, j->boot_id, sizeof j->boot_id) && r->until_ms)
		left = r->until_ms > s->now_ms ? r->until_ms - s->now_ms : 0;
	else if (s->trusted && s->wall_ms >= r->wall_ms)
		left = s->wall_ms - r->wall_ms < r->keep_ms ? r->keep_ms - (s->wall_ms - r->wall_ms) : 0;
	return left < r->keep_ms ? left : r->keep_ms;
}

static int settle_done(struct journal *j, struct settle *s, const struct found *f)
{
	struct over *o = over_find(s, f->id);
	struct record r;
	uint64_t left;
	int err = window_record(&s->window, f, &r);

	if (err == -ENOMEM)
		return err;
	if (!o) {
		o = calloc(1, sizeof *o);
		if (!o || map_add(&s->over, &o->node, map_hash(&f->id, sizeof f->id))) {
			free(o);
			return -ENOMEM;
		}
		o->id = f->id;
	}
	left = err ? 0 : time_left(j, s, j->by_index[f->seg], &r);
	o->until_ms = left ? s->now_ms + left : 0;
	return 0;
}

/* Octets of a record, as far as they are needed: to weigh what is live against what is not. */
static size_t size_of(struct settle *s, const struct found *f)
{
	struct record r;

	return window_record(&s->window, f, &r) ? 0 : record_size(&r);
}

static int settle_all(struct journal *j, struct settle *s)
{
	int err = 0;

	for (size_t i = 0; !err && i < j->found_n; i++)
		if (j->found[i].counts && j->found[i].done)
			err = settle_done(j, s, &j->found[i]);
	for (size_t i = 0; !err && i < j->found_n; i++) {
		struct found *f = &j->found[i];
		const struct over *o = f->counts ? over_find(s, f->id) : NULL;
		struct segment *seg = j->by_index[f->seg];

		if (o && !o->until_ms)
			f->counts = 0;
		else if (o && o->until_ms > seg->keep_until_ms)
			seg->keep_until_ms = o->until_ms;
		else if (f->counts && !o)
			journal_account(j, seg, &(struct record){ .type = RECORD_APPEND, .id = f->id }, size_of(s, f));
	}
	return err;
}

int journal_settle(struct journal *j, bool trusted)
{
	struct settle s = {
		.window = window_of(j),
		.now_ms = store_boot_ms(),
		.wall_ms = clock_wall_ms(),
		.trusted = trusted,
	};
	const int err = settle_all(j, &s);

	settle_fini(&s);
	return err;
}

/* ---- handing over ---- */

int journal_replay(const struct journal *j, store_replay_fn *fn, void *arg)
{
	struct window w = window_of(j);
	struct record r;
	int err = 0;

	for (size_t i = 0; !err && i < j->found_n; i++) {
		if (!j->found[i].counts)
			continue;
		err = window_record(&w, &j->found[i], &r);
		if (err)
			break;
		fn(arg,
		   &(struct store_replayed){ .id = r.id,
					     .wall_ms = r.wall_ms,
					     .kind = r.kind,
					     .done = r.type == RECORD_DONE,
					     .data = r.data,
					     .len = r.len });
	}
	window_fini(&w);
	return err;
}

void journal_replayed(struct journal *j)
{
	free(j->found);
	free(j->by_index);
	j->found = NULL;
	j->by_index = NULL;
	j->found_n = j->found_size = 0;
}
