/* SPDX-License-Identifier: Apache-2.0 */
/* each.c - reading a table: what is in the database, overlaid with what is on its way there */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/owner.h"

struct walk {
	struct store *s;
	enum store_table t;
	store_each_fn *fn;
	void *arg;
	const struct put **over; /* owned; by key, the newest of each */
	size_t n, at;
	uint8_t last[STORE_KEY_MOST]; /* key that was shown last: a walk that is begun again goes on behind it */
	size_t last_len;
};

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
	const int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

static int by_key(const void *a, const void *b)
{
	const struct put *x = *(const struct put *const *)a, *y = *(const struct put *const *)b;
	const int c = compare(x->octets, x->key_len, y->octets, y->key_len);

	return c ? c : (x->turn > y->turn) - (x->turn < y->turn);
}

static size_t count(const struct puts *l, enum store_table t)
{
	size_t n = 0;

	for (const struct put *p = l->first; p; p = p->next)
		n += p->table == t;
	return n;
}

static void collect(struct walk *w, const struct puts *l)
{
	for (const struct put *p = l->first; p; p = p->next)
		if (p->table == w->t)
			w->over[w->n++] = p;
}

static int overlay(struct walk *w)
{
	size_t n = count(&w->s->pending.puts, w->t), kept = 0;

	for (const struct sbatch *b = w->s->ssent.first; b; b = b->next)
		n += count(&b->puts, w->t);
	for (const struct sbatch *b = w->s->sready; b; b = b->next_work)
		n += count(&b->puts, w->t);
	if (!n)
		return 0;
	w->over = malloc(n * sizeof(const struct put *));
	if (!w->over)
		return -ENOMEM;
	for (const struct sbatch *b = w->s->ssent.first; b; b = b->next)
		collect(w, &b->puts);
	for (const struct sbatch *b = w->s->sready; b; b = b->next_work)
		collect(w, &b->puts);
	collect(w, &w->s->pending.puts);
	qsort(w->over, w->n, sizeof(const struct put *), by_key);
	for (size_t i = 0; i < w->n; i++) {
		const struct put *p = w->over[i], *next = i + 1 < w->n ? w->over[i + 1] : NULL;

		if (!next || compare(p->octets, p->key_len, next->octets, next->key_len) != 0)
			w->over[kept++] = p;
	}
	w->n = kept;
	return 0;
}

static bool is_own(const struct walk *w, const void *key, size_t len)
{
	const size_t n = sizeof STORE_OWN_MARK - 1;

	return w->t == STORE_MARK && len >= n && !memcmp(key, STORE_OWN_MARK, n);
}

static int show(struct walk *w, const void *key, size_t key_len, const void *data, size_t len)
{
	if (is_own(w, key, key_len) || key_len > sizeof w->last)
		return 0;
	memcpy(w->last, key, key_len);
	w->last_len = key_len;
	return w->fn(w->arg, key, key_len, data, len);
}

static int show_over(struct walk *w)
{
	const struct put *p = w->over[w->at++];

	return p->erase ? 0 : show(w, p->octets, p->key_len, p->octets + p->key_len, p->len);
}

static int on_row(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct walk *w = arg;
	int stop = 0, c = -1;

	if (w->last_len && compare(key, key_len, w->last, w->last_len) <= 0)
		return 0;
	while (!stop && w->at < w->n) {
		c = compare(key, key_len, w->over[w->at]->octets, w->over[w->at]->key_len);
		if (c < 0)
			break;
		stop = show_over(w);
		if (!c)
			return stop;
	}
	return stop ? stop : show(w, key, key_len, data, len);
}

static int walk_table(struct walk *w)
{
	struct store_note note = { 0 };
	struct db *reader = NULL;
	int err;

	if (!w->s->started && db_is_empty(w->s->db))
		return 0;
	err = db_open_reader(&reader, w->s->dir, !w->s->started && db_is_spare(w->s->db));
	if (!err)
		err = db_each(reader, w->t, on_row, w, &note);
	db_close(reader);
	if (note.count) {
		*w->s->errors += note.count;
		log_ev(LOG_ERROR, "store", "state.damaged", LF_STR("what", note.text), LF_UINT("records", note.count));
	}
	return err;
}

/* Before the thread has begun to work the file is nobody's, so it can be put right at once. */
static int walk_again(struct walk *w)
{
	struct store_note note = { 0 };
	int err = db_rescue(w->s->db, &note);

	++*w->s->errors;
	log_ev(LOG_ERROR, "store", "state.damaged", LF_STR("what", err ? strerror(-err) : note.text));
	return err ? err : walk_table(w);
}

int store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg)
{
	struct walk w = { .s = s, .t = t, .fn = fn, .arg = arg };
	int err = overlay(&w);

	s->walking++;
	if (!err)
		err = walk_table(&w);
	if (err == -EBADMSG && !s->started)
		err = walk_again(&w);
	while (!err && w.at < w.n)
		err = show_over(&w);
	s->walking--;
	free(w.over);
	return err;
}
