/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - a store in a directory of its own, and the loop that serves it */
#ifndef TESTS_UNIT_STORE_SCENE_H
#define TESTS_UNIT_STORE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "store/inside.h"
#include "store/store.h"

struct scene {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct store *store;
	struct store_conf conf;
	const struct store_ops *ops;
	char dir[64];
};

static inline void scene_outside(struct scene *sc)
{
	assert_int_equal(loop_new(&sc->loop), 0);
	assert_int_equal(metrics_new(&sc->metrics), 0);
	assert_int_equal(alarms_new(&sc->alarms, 16), 0);
}

static inline int scene_try(struct scene *sc)
{
	const struct store_env env = {
		.loop = sc->loop, .metrics = sc->metrics, .alarms = sc->alarms, .dir = sc->dir, .conf = &sc->conf
	};

	return store_open_with(&sc->store, &env, sc->ops ? sc->ops : &store_ops_system);
}

static inline void scene_open(struct scene *sc)
{
	assert_int_equal(scene_try(sc), 0);
}

static inline struct scene scene_new(void)
{
	struct scene sc = { .conf = { .sync = STORE_FULL, .commit_ms = 2 } };

	log_set(LOG_ERROR, LOG_TEXT);
	snprintf(sc.dir, sizeof sc.dir, "/tmp/store-XXXXXX");
	assert_non_null(mkdtemp(sc.dir));
	scene_outside(&sc);
	return sc;
}

static inline void scene_shut(struct scene *sc)
{
	store_close(sc->store);
	sc->store = NULL;
}

static inline void scene_again(struct scene *sc)
{
	scene_shut(sc);
	scene_open(sc);
}

static inline void remove_tree(const char *path)
{
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));) {
		char *under;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		assert_true(asprintf(&under, "%s/%s", path, e->d_name) > 0);
		if (unlink(under))
			remove_tree(under);
		free(under);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static inline void scene_end(struct scene *sc)
{
	scene_shut(sc);
	alarms_free(sc->alarms);
	metrics_free(sc->metrics);
	loop_free(sc->loop);
	remove_tree(sc->dir);
}

/* ---- waiting ---- */

struct told {
	struct store_wait wait;
	struct scene *sc;
	bool done;
	int err;
	unsigned turn, *turns; /* in which order it was told; NULL: nobody asks */
	bool stay;             /* do not stop the loop */
};

static inline void on_told(struct store_wait *w, int err)
{
	struct told *t = container_of(w, struct told, wait);

	t->done = true;
	t->err = err;
	if (t->turns)
		t->turn = ++*t->turns;
	if (!t->stay)
		loop_stop(t->sc->loop);
}

static inline struct told told_of(struct scene *sc)
{
	return (struct told){ .wait.fn = on_told, .sc = sc };
}

static inline void run_until(struct scene *sc, const bool *done)
{
	while (!*done)
		assert_int_equal(loop_run(sc->loop), 0);
}

/* What is handed over now and before, durable; 0 or why not. */
static inline int flushed(struct scene *sc)
{
	struct told t = told_of(sc);

	store_flush(sc->store, &t.wait);
	run_until(sc, &t.done);
	return t.err;
}

static inline int appended(struct scene *sc, uint64_t id, uint8_t kind, const void *data, size_t len)
{
	struct told t = told_of(sc);

	store_append(sc->store, id, kind, data, len, &t.wait);
	run_until(sc, &t.done);
	return t.err;
}

/* A last record, and that it is on the disk. */
static inline int done_now(struct scene *sc, uint64_t id, const void *data, size_t len, uint64_t keep_ms)
{
	static const uint64_t other = 1; /* opened and never done: a bystander */

	store_done(sc->store, id, 99, data, len, keep_ms);
	return appended(sc, other, 1, "", 0);
}

struct pause {
	struct timer timer;
	struct scene *sc;
	bool over;
};

static inline void on_pause(struct timer *t, uint64_t now_ms)
{
	struct pause *p = container_of(t, struct pause, timer);

	(void)now_ms;
	p->over = true;
	loop_stop(p->sc->loop);
}

/* Lets the loop run until cond(sc, arg) holds, looking every few milliseconds; fails after ten seconds. */
typedef bool scene_cond_fn(struct scene *sc, void *arg);
static inline bool comes_true(struct scene *sc, scene_cond_fn *cond, void *arg)
{
	for (int i = 0; i < 2000 && !cond(sc, arg); i++) {
		struct pause p = { .sc = sc };

		timer_set(loop_timers(sc->loop), &p.timer, clock_now_ms() + 5, on_pause);
		run_until(sc, &p.over);
	}
	return cond(sc, arg);
}

static inline bool is_usable(struct scene *sc, void *arg)
{
	(void)arg;
	return store_is_usable(sc->store);
}

static inline bool has_segments(struct scene *sc, void *arg)
{
	struct store_status st;

	store_status(sc->store, &st);
	return st.segments <= *(const size_t *)arg;
}

/* ---- looking ---- */

struct seen {
	char text[1 << 16]; /* "id:kind[!]=data;" per record */
	size_t len, n;
	uint64_t last_id;
};

static inline void on_seen(void *arg, const struct store_replayed *r)
{
	struct seen *s = arg;

	s->n++;
	s->last_id = r->id;
	if (s->len < sizeof s->text - 128)
		s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%llu:%u%s=%.*s;",
					   (unsigned long long)r->id, r->kind, r->done ? "!" : "",
					   (int)(r->len < 32 ? r->len : 32), (const char *)r->data);
}

static inline const char *replayed(struct scene *sc)
{
	static struct seen s;

	memset(&s, 0, sizeof s);
	assert_int_equal(store_replay(sc->store, on_seen, &s), 0);
	return s.text;
}

static inline int on_record(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct seen *s = arg;

	s->n++;
	if (s->len < sizeof s->text - 128)
		s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%.*s=%.*s;", (int)key_len,
					   (const char *)key, (int)(len < 32 ? len : 32), (const char *)data);
	return 0;
}

static inline const char *table(struct scene *sc, enum store_table t)
{
	static struct seen s;

	memset(&s, 0, sizeof s);
	assert_int_equal(store_each(sc->store, t, on_record, &s), 0);
	return s.text;
}

struct looked {
	const char *type;
	bool there;
};

static inline void on_alarm(void *arg, const struct alarm *al)
{
	struct looked *l = arg;

	l->there = l->there || !strcmp(al->type, l->type);
}

static inline bool is_alarmed(struct scene *sc, const char *type)
{
	struct looked l = { type, false };

	alarms_each(sc->alarms, on_alarm, &l);
	return l.there;
}

/* ---- files ---- */

static inline size_t read_file(const char *path, uint8_t *buf, size_t size)
{
	const int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size);

	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static inline void write_file(const char *path, const void *data, size_t len)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

/* Of how many files in the journal the name ends so; the first of them by name in path. */
static inline unsigned find_files(const struct scene *sc, const char *suffix, char *path, size_t size)
{
	char dir[128], first[64] = "";
	unsigned n = 0;
	DIR *d;

	snprintf(dir, sizeof dir, "%s/journal", sc->dir);
	d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		const size_t len = strlen(e->d_name), want = strlen(suffix);

		if (len < want || strcmp(e->d_name + len - want, suffix) != 0)
			continue;
		n++;
		if (!*first || strcmp(e->d_name, first) < 0)
			snprintf(first, sizeof first, "%.63s", e->d_name);
	}
	if (d)
		closedir(d);
	if (path)
		snprintf(path, size, "%s/%s", dir, first);
	return n;
}

#endif
