/* SPDX-License-Identifier: Apache-2.0 */
/* fake_store.h - a store in memory that is durable when a test says so, in place of the real room
 *
 * A file that includes this must not need the real one.
 */
#ifndef NIDDGW_TEST_SESSION_FAKE_STORE_H
#define NIDDGW_TEST_SESSION_FAKE_STORE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store.h"

struct fake_row {
	struct fake_row *next;
	enum store_table table;
	size_t key_len, len;
	char *key, *data;
};

struct store {
	struct fake_row *rows;
	struct store_record *batch; /* handed over by store_put_all() and not durable yet */
	size_t batch_n;
	struct store_wait *waits;
	bool unusable;
	uint64_t next_id;
};

static inline struct fake_row **fake_row_at(struct store *s, enum store_table t, const void *key, size_t key_len)
{
	struct fake_row **at = &s->rows;

	while (*at && ((*at)->table != t || (*at)->key_len != key_len || memcmp((*at)->key, key, key_len) != 0))
		at = &(*at)->next;
	return at;
}

static inline const struct fake_row *fake_row(struct store *s, enum store_table t, const char *key)
{
	return *fake_row_at(s, t, key, strlen(key));
}

static inline size_t fake_rows(const struct store *s, enum store_table t)
{
	size_t n = 0;

	for (const struct fake_row *r = s->rows; r; r = r->next)
		n += r->table == t;
	return n;
}

void store_delete(struct store *s, enum store_table t, const void *key, size_t key_len)
{
	struct fake_row **at = fake_row_at(s, t, key, key_len), *r = *at;

	if (!r)
		return;
	*at = r->next;
	free(r->key);
	free(r->data);
	free(r);
}

void store_put(struct store *s, enum store_table t, const void *key, size_t key_len, const void *data, size_t len)
{
	struct fake_row *r = calloc(1, sizeof *r);

	store_delete(s, t, key, key_len);
	assert_non_null(r);
	*r = (struct fake_row){ s->rows, t, key_len, len, malloc(key_len + 1), malloc(len + 1) };
	assert_true(r->key && r->data);
	memcpy(r->key, key, key_len);
	memcpy(r->data, data, len);
	s->rows = r;
}

static inline void fake_store_wait(struct store *s, struct store_wait *w)
{
	struct store_wait **end = &s->waits;

	while (*end)
		end = &(*end)->next;
	w->next = NULL;
	*end = w;
}

void store_put_all(struct store *s, enum store_table t, const struct store_record *v, size_t n, struct store_wait *w)
{
	assert_int_equal(t, STORE_DEVICE);
	assert_null(s->batch);
	s->batch = calloc(n, sizeof *s->batch);
	assert_non_null(s->batch);
	for (size_t i = 0; i < n; i++) {
		s->batch[i] = (struct store_record){ malloc(v[i].key_len), malloc(v[i].len), v[i].key_len, v[i].len };
		memcpy((void *)(uintptr_t)s->batch[i].key, v[i].key, v[i].key_len);
		memcpy((void *)(uintptr_t)s->batch[i].data, v[i].data, v[i].len);
	}
	s->batch_n = n;
	fake_store_wait(s, w);
}

void store_flush(struct store *s, struct store_wait *w)
{
	fake_store_wait(s, w);
}

void store_forget(struct store *s, struct store_wait *w)
{
	struct store_wait **at = &s->waits;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

/* What was handed over is durable, or (err) is not and never will be. */
static inline void fake_store_commit(struct store *s, int err)
{
	struct store_wait *w;

	for (size_t i = 0; i < s->batch_n; i++) {
		if (!err)
			store_put(s, STORE_DEVICE, s->batch[i].key, s->batch[i].key_len, s->batch[i].data, s->batch[i].len);
		free((void *)(uintptr_t)s->batch[i].key);
		free((void *)(uintptr_t)s->batch[i].data);
	}
	free(s->batch);
	s->batch = NULL;
	s->batch_n = 0;
	while ((w = s->waits)) {
		s->waits = w->next;
		w->fn(w, err);
	}
}

int store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg)
{
	for (struct fake_row *r = s->rows, *next; r; r = next) {
		int err;

		next = r->next;
		if (r->table != t)
			continue;
		err = fn(arg, r->key, r->key_len, r->data, r->len);
		if (err)
			return err;
	}
	return 0;
}

bool store_is_usable(const struct store *s)
{
	return !s->unusable;
}

/* No journal: nothing of it is asked for here. */

uint64_t store_life(const struct store *s)
{
	(void)s;
	return 1;
}

uint64_t store_entry_id(struct store *s)
{
	return ++s->next_id;
}

void store_append(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, struct store_wait *w)
{
	(void)id;
	(void)kind;
	(void)data;
	(void)len;
	if (w)
		fake_store_wait(s, w);
}

void store_done(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, uint64_t keep_ms)
{
	(void)s;
	(void)id;
	(void)kind;
	(void)data;
	(void)len;
	(void)keep_ms;
}

int store_replay(struct store *s, store_replay_fn *fn, void *arg)
{
	(void)s;
	(void)fn;
	(void)arg;
	return 0;
}

bool store_clock_is_trusted(const struct store *s)
{
	(void)s;
	return true;
}

static inline void fake_store_free(struct store *s)
{
	fake_store_commit(s, -EIO);
	while (s->rows)
		store_delete(s, s->rows->table, s->rows->key, s->rows->key_len);
}

#endif
