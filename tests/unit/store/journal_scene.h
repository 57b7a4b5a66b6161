/* SPDX-License-Identifier: Apache-2.0 */
/* journal_scene.h - a journal by itself: no thread, no loop */
#ifndef TESTS_UNIT_STORE_JOURNAL_SCENE_H
#define TESTS_UNIT_STORE_JOURNAL_SCENE_H

#include "scene.h"

#include "store/journal_inside.h"

struct js {
	struct scene sc; /* only its directory and files are used */
	struct journal *j;
	struct store_ops ops;
	struct store_note note;
	int dir_fd;
};

/* Nothing here loses power, so nothing has to wait for a disk. */
static inline int no_sync(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return 0;
}

static inline struct js js_new(void)
{
	struct js s = { .ops = store_ops_system };

	s.ops.sync = no_sync;

	snprintf(s.sc.dir, sizeof s.sc.dir, "/tmp/journal-XXXXXX");
	assert_non_null(mkdtemp(s.sc.dir));
	s.dir_fd = open(s.sc.dir, O_RDONLY | O_DIRECTORY);
	return s;
}

static inline int js_try(struct js *s, bool trusted)
{
	int err;

	memset(&s->note, 0, sizeof s->note);
	err = journal_open(&s->j, s->dir_fd, &s->ops, &s->note);
	if (!err)
		assert_int_equal(journal_settle(s->j, trusted), 0);
	return err;
}

static inline void js_open(struct js *s)
{
	assert_int_equal(js_try(s, true), 0);
}

static inline void js_close(struct js *s)
{
	journal_close(s->j);
	s->j = NULL;
}

static inline void js_again(struct js *s)
{
	js_close(s);
	js_open(s);
}

static inline void js_end(struct js *s)
{
	js_close(s);
	close(s->dir_fd);
	remove_tree(s->sc.dir);
}

static inline void add(struct js *s, uint64_t id, const char *text)
{
	assert_int_equal(journal_add(s->j,
				     &(struct record){ .id = id,
						       .wall_ms = store_wall_ms(),
						       .type = RECORD_APPEND,
						       .kind = 1,
						       .data = (const uint8_t *)text,
						       .len = strlen(text) }),
			 0);
}

static inline void add_done(struct js *s, uint64_t id, uint64_t keep_ms, uint64_t until_ms)
{
	assert_int_equal(journal_add(s->j,
				     &(struct record){ .id = id,
						       .wall_ms = store_wall_ms(),
						       .keep_ms = keep_ms,
						       .until_ms = until_ms,
						       .type = RECORD_DONE,
						       .kind = 9 }),
			 0);
}

static inline void commit(struct js *s)
{
	assert_int_equal(journal_commit(s->j, 0), 0);
}

static inline void put(struct js *s, uint64_t id, const char *text)
{
	add(s, id, text);
	commit(s);
}

static inline const char *replay(struct js *s)
{
	static struct seen seen;

	memset(&seen, 0, sizeof seen);
	assert_int_equal(journal_replay(s->j, on_seen, &seen), 0);
	return seen.text;
}

static inline void clean(struct js *s)
{
	while (journal_clean(s->j, store_boot_ms()))
		;
}

static inline size_t segments(const struct js *s)
{
	struct journal_status st;

	journal_status(s->j, &st);
	return st.segments;
}

#endif
