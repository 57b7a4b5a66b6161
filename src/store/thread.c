/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - the thread that owns everything on the disk
 *
 * Units come first: however long a transaction of state is, the journal is served between its records. What can wait
 * (deleting and moving segments) is done when nothing else is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/octets.h"
#include "store/owner.h"

enum { GROUP_MOST = 4 << 20, STATE_GROUP_MOST = 1 << 20, PUTS_PER_SLICE = 32, DISK_ASK_MS = 5000, IDLE_MS = 60000 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wake_loop(const struct store *s)
{
	const uint64_t one = 1;

	(void)!write(s->event_fd, &one, sizeof one); /* full: it is awake */
}

static void ask_disk(struct store *s, bool at_once)
{
	const uint64_t now_ms = store_boot_ms();
	struct statvfs v;

	if (!at_once && s->disk_asked_ms && now_ms - s->disk_asked_ms < DISK_ASK_MS)
		return;
	s->disk_asked_ms = now_ms;
	s->disk_known = !fstatvfs(s->dir_fd, &v);
	if (s->disk_known)
		s->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
}

struct served {
	unsigned journal, state;
	bool committed;
	enum store_op op;
	double seconds;
};

static void take_note(struct store_note *to, struct store_note *from)
{
	if (!from->count)
		return;
	memcpy(to->text, from->text, sizeof to->text);
	to->count += from->count;
	from->count = 0;
}

static void publish(struct store *s, const struct served *v)
{
	struct store_shared *sh = &s->sh;

	pthread_mutex_lock(&s->lock);
	sh->jserved += v->journal;
	sh->sserved += v->state;
	if (v->committed) {
		sh->commits++;
		sh->commit_wall_ms = store_wall_ms();
	}
	journal_status(s->journal, &sh->journal);
	take_note(&sh->note, journal_note(s->journal));
	take_note(&sh->note, &s->note);
	sh->disk_known = s->disk_known;
	sh->disk_free = s->disk_free;
	if (sh->samples_n < SAMPLES_MOST) {
		sh->samples[sh->samples_n].op = v->op;
		sh->samples[sh->samples_n++].seconds = v->seconds;
	}
	pthread_mutex_unlock(&s->lock);
	wake_loop(s);
}

/* ---- journal ---- */

static int gather_batch(struct store *s, const struct jbatch *b)
{
	int err = 0;

	for (size_t at = 0; !err && at < b->len;) {
		const struct entry_record *e = (const struct entry_record *)(const void *)(b->buf + at);
		struct record r = {
			.id = e->id,
			.wall_ms = e->wall_ms,
			.keep_ms = e->keep_ms,
			.until_ms = e->until_ms,
			.type = e->done ? RECORD_DONE : RECORD_APPEND,
			.kind = e->kind,
			.data = e->data,
			.len = e->len,
		};

		err = journal_add(s->journal, &r);
		at += (sizeof *e + e->len + 7) & ~(size_t)7;
	}
	if (!err && b->probe && !b->len)
		err = journal_add(s->journal, &(struct record){ .type = RECORD_NOP, .wall_ms = store_wall_ms() });
	return err;
}

static bool is_refused(uint64_t round, uint64_t failed)
{
	return round < failed;
}

/* The next batches as far as they make one commit. Returns behind the last. */
static struct jbatch *commit_group(struct store *s, struct jbatch *first)
{
	const double began = now_s();
	struct served v = { .op = STORE_OP_COMMIT };
	struct jbatch *b = first, *end;
	int err = 0;

	if (is_refused(b->round, s->jround_failed)) {
		b->err = s->jfail;
		end = b->next_work;
		v.journal = 1;
		publish(s, &v);
		return end;
	}
	for (; !err && b && journal_gathered(s->journal) < GROUP_MOST; b = b->next_work)
		err = gather_batch(s, b);
	end = b;
	if (err)
		journal_drop(s->journal);
	else
		err = journal_commit(s->journal, first->id_mark);
	for (b = first; b != end; b = b->next_work) {
		b->err = err;
		v.journal++;
		if (err)
			s->jround_failed = b->round + 1;
	}
	s->jfail = err;
	v.committed = !err;
	v.seconds = now_s() - began;
	s->last_commit_ms = store_boot_ms();
	ask_disk(s, err != 0);
	store_failpoint("journal.answer");
	publish(s, &v); /* from here on the loop may free them */
	return end;
}

/* One step of giving back room. True when there may be more to do. */
static bool clean_step(struct store *s)
{
	const double began = now_s();
	struct served v = { .op = STORE_OP_CLEAN };

	if (!journal_clean(s->journal, store_boot_ms()))
		return false;
	v.seconds = now_s() - began;
	publish(s, &v);
	return true;
}

static void serve_journal(struct store *s)
{
	struct jbatch *b;

	pthread_mutex_lock(&s->lock);
	b = s->sh.jfirst;
	s->sh.jfirst = s->sh.jlast = NULL;
	pthread_mutex_unlock(&s->lock);
	while (b) {
		b = commit_group(s, b);
		/* A commit makes one segment at most and a step gives one back: without this a thread that is never
		 * idle would only make them. */
		clean_step(s);
	}
}

/* When what is queued is to be committed. Called under the lock. */
static uint64_t commit_due(const struct store *s, uint64_t now_ms)
{
	if (!s->sh.jfirst)
		return UINT64_MAX;
	if (s->sh.conf.sync == STORE_FULL || s->sh.stop)
		return now_ms;
	return s->last_commit_ms + s->sh.conf.commit_ms;
}

/* ---- state ---- */

static void journal_between(struct store *s)
{
	const uint64_t now_ms = store_boot_ms();
	bool due;

	pthread_mutex_lock(&s->lock);
	due = commit_due(s, now_ms) <= now_ms;
	pthread_mutex_unlock(&s->lock);
	if (due)
		serve_journal(s);
}

static int put_clock(struct store *s)
{
	uint8_t data[24];
	struct writer w = writer_of(data, sizeof data);
	const uint64_t now = store_wall_ms();

	store_boot_id(data);
	write_span(&w, 16);
	write_u32(&w, (uint32_t)(now >> 32));
	write_u32(&w, (uint32_t)now);
	return db_put(s->db, STORE_MARK, STORE_MARK_CLOCK, sizeof STORE_MARK_CLOCK - 1, data, sizeof data);
}

/* The batches before end, in order, as one transaction. */
static int write_puts(struct store *s, const struct sbatch *first, const struct sbatch *end)
{
	unsigned n = 0;
	int err = db_begin(s->db);

	for (const struct sbatch *b = first; !err && b != end; b = b->next_work)
		for (const struct put *p = b->puts.first; !err && p; p = p->next) {
			const enum store_table t = (enum store_table)p->table;

			if (p->erase)
				err = db_delete(s->db, t, p->octets, p->key_len);
			else
				err = db_put(s->db, t, p->octets, p->key_len, p->octets + p->key_len, p->len);
			if (++n % PUTS_PER_SLICE == 0)
				journal_between(s);
		}
	if (!err)
		err = put_clock(s);
	store_failpoint("state.commit");
	if (!err)
		err = db_end(s->db);
	if (err)
		db_cancel(s->db);
	store_failpoint("state.committed");
	return err;
}

/* A damaged file is replaced and the transaction tried again, once. */
static int write_group(struct store *s, const struct sbatch *first, const struct sbatch *end)
{
	int err = write_puts(s, first, end);

	if (err != -EBADMSG)
		return err;
	err = db_rescue(s->db, &s->note);
	return err ? err : write_puts(s, first, end);
}

/* Behind the last of those that make one transaction: an import stands alone, and what is refused. */
static struct sbatch *group_end(const struct store *s, struct sbatch *first, bool *work)
{
	struct sbatch *b = first;
	size_t bytes = 0;

	*work = false;
	do {
		*work = *work || b->puts.first || b->probe;
		bytes += b->bytes;
		b = b->next_work;
	} while (b && !first->together && !b->together && bytes < STATE_GROUP_MOST &&
		 !is_refused(b->round, s->sround_failed));
	return b;
}

/* The next batches as far as they make one transaction. Returns behind the last. */
static struct sbatch *serve_group(struct store *s, struct sbatch *first)
{
	const double began = now_s();
	struct served v = { .op = first->together ? STORE_OP_IMPORT : STORE_OP_STATE };
	bool work, refused = is_refused(first->round, s->sround_failed);
	struct sbatch *end = refused ? first->next_work : group_end(s, first, &work);
	int err = refused ? s->sfail : work ? write_group(s, first, end) : 0;

	for (struct sbatch *b = first; b != end; b = b->next_work) {
		b->err = err;
		v.state++;
		if (err && !refused)
			s->sround_failed = b->round + 1;
	}
	if (!refused && work) {
		s->sfail = err;
		ask_disk(s, err != 0);
	}
	v.seconds = now_s() - began;
	publish(s, &v); /* from here on the loop may free them */
	return end;
}

static void serve_state(struct store *s)
{
	struct sbatch *b;

	pthread_mutex_lock(&s->lock);
	b = s->sh.sfirst;
	s->sh.sfirst = s->sh.slast = NULL;
	pthread_mutex_unlock(&s->lock);
	while (b) {
		b = serve_group(s, b);
		journal_between(s);
	}
}

/* ---- the rest ---- */

static void clean(struct store *s)
{
	bool more = true;

	while (more && clean_step(s)) {
		journal_between(s);
		pthread_mutex_lock(&s->lock);
		more = !s->sh.sfirst && !s->sh.stop;
		pthread_mutex_unlock(&s->lock);
	}
}

/* Until something is due. Called under the lock, which is given up meanwhile. */
static void wait_for_work(struct store *s)
{
	for (;;) {
		const uint64_t now_ms = store_boot_ms();
		uint64_t due = s->sh.sfirst || s->sh.stop ? now_ms : commit_due(s, now_ms);
		struct timespec until;

		if (s->sh.started && journal_clean_due(s->journal) < due)
			due = journal_clean_due(s->journal);
		if (due <= now_ms)
			return;
		if (due - now_ms > IDLE_MS)
			due = now_ms + IDLE_MS; /* only so that no sum below can overflow */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += (time_t)((due - now_ms) / 1000);
		until.tv_nsec += (long)((due - now_ms) % 1000) * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&s->wake, &s->lock, &until);
	}
}

void *store_thread(void *arg)
{
	struct store *s = arg;
	bool replayed = false;

	for (;;) {
		bool stop, has_state;

		pthread_mutex_lock(&s->lock);
		wait_for_work(s);
		stop = s->sh.stop && !s->sh.jfirst && !s->sh.sfirst;
		has_state = s->sh.sfirst != NULL;
		pthread_mutex_unlock(&s->lock);
		if (stop)
			return NULL;
		if (!replayed)
			journal_replayed(s->journal);
		replayed = true;
		journal_between(s);
		if (has_state)
			serve_state(s);
		clean(s);
	}
}
