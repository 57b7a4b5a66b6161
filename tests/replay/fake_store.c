/* SPDX-License-Identifier: Apache-2.0 */
/* fake_store.c - a store in memory, whose disk does what a test says
 *
 * The journal and the table of states are written independently of each other, as in the real one: which of them is
 * behind at a power cut is the test's choice. A record that was waited for and could not be written is as if it had
 * never been; what nobody waits for is written when the disk is back, before anything newer.
 */
#include "fake_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum op_kind { OP_APPEND, OP_DONE, OP_PUT, OP_DELETE, OP_FLUSH };
struct op { /* handed over, or durable */
	struct op *next;
	enum op_kind kind;
	struct store_wait *w; /* NULL: nobody waits */
	uint64_t id, wall_ms, keep_ms;
	uint8_t record;
	bool together; /* with the others of its call, or not at all */
	enum store_table table;
	size_t key_len, len;
	uint8_t octets[]; /* key, data */
};
struct queue {
	struct op *first, **end;
};
struct store {
	struct queue journal, state; /* handed over */
	struct queue log;            /* durable, in order */
	struct op *rows;             /* durable, in order of table and key */
	struct store_wait *told, **told_end;
	enum fake_disk disk;
	uint64_t next_id, tick_ms; /* tick 0: no put waits */
	uint64_t life;
	bool flush, usable, dead, trusted;
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_add(struct queue *q, struct op *op)
{
	op->next = NULL;
	*q->end = op;
	q->end = &op->next;
}

static struct op *queue_take(struct queue *q)
{
	struct op *op = q->first;

	if (!op)
		return NULL;
	q->first = op->next;
	if (!q->first)
		q->end = &q->first;
	return op;
}

static void queue_clear(struct queue *q)
{
	struct op *op;

	while ((op = queue_take(q)))
		free(op);
}

static struct op *op_new(enum op_kind kind, const void *key, size_t key_len, const void *data, size_t len)
{
	struct op *op = calloc(1, sizeof *op + key_len + len);

	if (!op)
		abort();
	op->kind = kind;
	op->key_len = key_len;
	op->len = len;
	if (key_len)
		memcpy(op->octets, key, key_len);
	if (len)
		memcpy(op->octets + key_len, data, len);
	op->wall_ms = clock_wall_ms();
	return op;
}

struct store *fake_store_new(void)
{
	struct store *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	queue_init(&s->journal);
	queue_init(&s->state);
	queue_init(&s->log);
	s->told_end = &s->told;
	s->usable = s->trusted = true;
	s->next_id = s->life = 1;
	return s;
}

void fake_store_free(struct store *s)
{
	if (!s)
		return;
	queue_clear(&s->journal);
	queue_clear(&s->state);
	queue_clear(&s->log);
	while (s->rows) {
		struct op *op = s->rows;

		s->rows = op->next;
		free(op);
	}
	free(s);
}

/* ---- what sessions call ---- */

bool store_is_usable(const struct store *s)
{
	return s->usable;
}

static void hand_over_state(struct store *s, struct op *op)
{
	if (s->dead) {
		free(op);
		return;
	}
	queue_add(&s->state, op);
	if (!s->tick_ms)
		s->tick_ms = clock_now_ms() + STORE_TICK_MS;
}

void store_put(struct store *s, enum store_table t, const void *key, size_t key_len, const void *data, size_t len)
{
	struct op *op = op_new(OP_PUT, key, key_len, data, len);

	op->table = t;
	hand_over_state(s, op);
}

void store_delete(struct store *s, enum store_table t, const void *key, size_t key_len)
{
	struct op *op = op_new(OP_DELETE, key, key_len, NULL, 0);

	op->table = t;
	hand_over_state(s, op);
}

void store_flush(struct store *s, struct store_wait *w)
{
	struct op *op = op_new(OP_FLUSH, NULL, 0, NULL, 0);

	op->w = w;
	s->flush = true;
	hand_over_state(s, op);
}

static void forget_in(struct queue *q, const struct store_wait *w)
{
	for (struct op *op = q->first; op; op = op->next)
		if (op->w == w)
			op->w = NULL;
}

void store_put_all(struct store *s, enum store_table t, const struct store_record *v, size_t n, struct store_wait *w)
{
	for (size_t i = 0; i < n; i++) {
		struct op *op = op_new(v[i].data ? OP_PUT : OP_DELETE, v[i].key, v[i].key_len, v[i].data,
				       v[i].data ? v[i].len : 0);

		op->table = t;
		op->together = true;
		hand_over_state(s, op);
	}
	store_flush(s, w);
}

void store_forget(struct store *s, struct store_wait *w)
{
	struct store_wait **at = &s->told;

	forget_in(&s->journal, w);
	forget_in(&s->state, w);
	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	for (s->told_end = &s->told; *s->told_end;)
		s->told_end = &(*s->told_end)->next;
}

uint64_t store_life(const struct store *s)
{
	return s->life;
}

uint64_t store_entry_id(struct store *s)
{
	return s->next_id++;
}

static void hand_over_record(struct store *s, struct op *op, uint64_t id, uint8_t record)
{
	op->id = id;
	op->record = record;
	if (s->dead)
		free(op);
	else
		queue_add(&s->journal, op);
}

void store_append(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, struct store_wait *w)
{
	struct op *op = op_new(OP_APPEND, NULL, 0, data, len);

	op->w = w;
	hand_over_record(s, op, id, kind);
}

void store_done(struct store *s, uint64_t id, uint8_t kind, const void *data, size_t len, uint64_t keep_ms)
{
	struct op *op = op_new(OP_DONE, NULL, 0, data, len);

	op->keep_ms = keep_ms;
	hand_over_record(s, op, id, kind);
}

bool store_clock_is_trusted(const struct store *s)
{
	return s->trusted;
}

/* ---- what is durable ---- */

static int key_compare(const struct op *a, const struct op *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int diff = a->table != b->table ? (a->table < b->table ? -1 : 1) : memcmp(a->octets, b->octets, len);

	return diff ? diff : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static void write_row(struct store *s, struct op *op)
{
	struct op **at = &s->rows;

	while (*at && key_compare(*at, op) < 0)
		at = &(*at)->next;
	if (*at && key_compare(*at, op) == 0) {
		struct op *old = *at;

		*at = old->next;
		free(old);
	}
	if (op->kind == OP_DELETE) {
		free(op);
		return;
	}
	op->next = *at;
	*at = op;
}

int store_each(struct store *s, enum store_table t, store_each_fn *fn, void *arg)
{
	int err = 0;

	for (const struct op *op = s->rows; op && !err; op = op->next)
		if (op->table == t)
			err = fn(arg, op->octets, op->key_len, op->octets + op->key_len, op->len);
	return err;
}

size_t fake_store_keys(const struct store *s, enum store_table t)
{
	size_t n = 0;

	for (const struct op *op = s->rows; op; op = op->next)
		n += op->table == t;
	return n;
}

static const struct op *done_of(const struct store *s, uint64_t id)
{
	for (const struct op *op = s->log.first; op; op = op->next)
		if (op->id == id && op->kind == OP_DONE)
			return op;
	return NULL;
}

static bool counts(const struct store *s, const struct op *op)
{
	const struct op *done = done_of(s, op->id);

	return !done || !s->trusted || clock_wall_ms() - done->wall_ms < done->keep_ms;
}

/* data is a copy of its own size, so that whoever reads beyond it is found out */
int store_replay(struct store *s, store_replay_fn *fn, void *arg)
{
	for (const struct op *op = s->log.first; op; op = op->next) {
		struct store_replayed r = { .id = op->id,
					    .wall_ms = op->wall_ms,
					    .kind = op->record,
					    .done = op->kind == OP_DONE,
					    .len = op->len };
		uint8_t *exact = malloc(op->len + 1);

		if (!exact)
			abort();
		memcpy(exact + 1, op->octets, op->len);
		r.data = exact + 1;
		if (counts(s, op))
			fn(arg, &r);
		free(exact);
	}
	return 0;
}

size_t fake_store_open_entries(const struct store *s)
{
	size_t n = 0;

	for (const struct op *op = s->log.first; op; op = op->next) {
		bool first = op->kind == OP_APPEND && !done_of(s, op->id);

		for (const struct op *before = s->log.first; first && before != op; before = before->next)
			first = before->id != op->id;
		n += first;
	}
	return n;
}

/* ---- the disk ---- */

static void tell_later(struct store *s, struct store_wait *w, int err)
{
	if (!w)
		return;
	w->err = err;
	w->next = NULL;
	*s->told_end = w;
	s->told_end = &w->next;
}

/* Each wait is out of the list before it is called: it may be used again, or forgotten with others, from within. */
void fake_store_tell(struct store *s)
{
	struct store_wait *w;

	while ((w = s->told)) {
		s->told = w->next;
		if (!s->told)
			s->told_end = &s->told;
		w->fn(w, w->err);
	}
}

static void write_journal(struct store *s, size_t most)
{
	struct op *op;

	while (most-- && (op = queue_take(&s->journal))) {
		tell_later(s, op->w, 0);
		op->w = NULL;
		queue_add(&s->log, op);
	}
}

static void write_state(struct store *s)
{
	struct op *op;

	while ((op = queue_take(&s->state))) {
		tell_later(s, op->w, 0);
		op->w = NULL;
		if (op->kind == OP_FLUSH)
			free(op);
		else
			write_row(s, op);
	}
	s->tick_ms = 0;
	s->flush = false;
}

static void fail_all(struct store *s, struct queue *q)
{
	struct queue old = *q;
	struct op *op;

	if (!q->first)
		return;
	queue_init(q);
	while (old.first) {
		op = old.first;
		old.first = op->next;
		tell_later(s, op->w, -EIO);
		if (op->w || op->together)
			free(op);
		else
			queue_add(q, op);
	}
	s->usable = false;
}

void fake_store_write(struct store *s, bool journal, bool state)
{
	if (journal)
		write_journal(s, SIZE_MAX);
	if (state)
		write_state(s);
}

void fake_store_write_records(struct store *s, size_t n)
{
	write_journal(s, n);
}

static bool state_is_due(const struct store *s)
{
	return s->flush || (s->tick_ms && s->tick_ms <= clock_now_ms());
}

static bool has_work(const struct store *s)
{
	return s->told || s->journal.first || state_is_due(s);
}

void fake_store_step(struct store *s)
{
	unsigned rounds = 0;

	while (s->disk == DISK_QUICK && has_work(s) && rounds++ < 10000) {
		s->usable = true;
		write_journal(s, SIZE_MAX);
		if (state_is_due(s))
			write_state(s);
		fake_store_tell(s);
	}
	if (s->disk != DISK_BROKEN)
		return;
	fail_all(s, &s->journal);
	if (state_is_due(s)) {
		fail_all(s, &s->state);
		s->flush = false;
		s->tick_ms = s->state.first ? clock_now_ms() + 1000 : 0;
	}
	fake_store_tell(s);
}

uint64_t fake_store_next(const struct store *s)
{
	return s->disk != DISK_SLOW && s->tick_ms ? s->tick_ms : UINT64_MAX;
}

void fake_store_disk(struct store *s, enum fake_disk disk)
{
	s->disk = disk;
	s->usable = s->usable || disk == DISK_QUICK; /* a broken one is found out by its first write */
	fake_store_step(s);
}

void fake_store_cut(struct store *s)
{
	queue_clear(&s->journal);
	queue_clear(&s->state);
	s->told = NULL;
	s->told_end = &s->told;
	s->tick_ms = 0;
	s->flush = false;
	s->dead = true;
}

void fake_store_start(struct store *s, bool clock_is_trusted)
{
	s->dead = false;
	s->usable = true;
	s->life++;
	s->trusted = clock_is_trusted;
}
