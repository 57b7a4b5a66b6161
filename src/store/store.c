/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - opening and closing */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/octets.h"
#include "store/owner.h"

enum { CLOSE_MOST_MS = 8000 }; /* a stop as a whole may take ten seconds */

static void on_event(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	store_take_results(arg);
}

static void run_refused(struct store *s)
{
	const struct waits l = s->refused;

	s->refused = (struct waits){ 0 };
	if (l.first)
		store_run_waits(s, l, 0);
}

static void on_hook(void *arg)
{
	struct store *s = arg;

	run_refused(s);
	store_hand_over(s, false);
}

/* ---- opening, in parts ---- */

/* Where no file can be made, the directory itself is locked. */
static int take_lock(struct store *s)
{
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0 && errno == EROFS)
		s->lock_fd = openat(s->dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (s->lock_fd < 0 && (errno == EROFS || errno == ENOENT || errno == ENOSPC || errno == EDQUOT))
		s->lock_fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock_fd < 0)
		return -errno;
	if (!flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

static int open_dir(struct store *s, const char *dir)
{
	s->dir = strdup(dir);
	if (!s->dir)
		return -ENOMEM;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir_fd < 0 ? -errno : take_lock(s);
}

static void say(struct store *s, const struct store_note *n, int err)
{
	if (!n->count)
		return;
	*s->errors += n->count;
	s->damaged = !err;
	snprintf(s->detail, sizeof s->detail, "%s", n->text);
	log_ev(LOG_ERROR, "store", "store.damaged", LF_STR("what", n->text), LF_UINT("faults", n->count));
}

static int open_files(struct store *s)
{
	struct store_note note = { 0 };
	int err = db_open(&s->db, s->dir, &note);

	say(s, &note, err);
	if (err)
		return err;
	note.count = 0;
	err = journal_open(&s->journal, s->dir_fd, s->ops, &note);
	say(s, &note, err);
	return err;
}

/* The newest time that was stored, and whether the machine has been started since. */
static void read_clock(struct store *s)
{
	uint8_t data[24], boot[16];
	const long n = db_get(s->db, STORE_MARK, STORE_MARK_CLOCK, sizeof STORE_MARK_CLOCK - 1, data, sizeof data);

	s->newest_wall_ms = journal_newest_wall(s->journal);
	s->same_boot = journal_same_boot(s->journal);
	store_boot_id(boot);
	if (n == sizeof data) {
		struct reader r = reader_of(data + 16, 8);
		const uint64_t high = read_u32(&r), wall_ms = high << 32 | read_u32(&r);

		s->same_boot = s->same_boot || !memcmp(data, boot, sizeof boot);
		if (wall_ms > s->newest_wall_ms)
			s->newest_wall_ms = wall_ms;
	}
}

static int open_state(struct store *s)
{
	int err;

	read_clock(s);
	err = journal_settle(s->journal, store_clock_is_trusted(s));
	if (err)
		return err;
	journal_status(s->journal, &s->journal_status);
	if (s->journal_status.torn)
		log_ev(LOG_NOTICE, "store", "journal.cut_short", LF_UINT("octets", s->journal_status.torn));
	err = store_ids_open(s);
	if (err) { /* opened all the same: the disk may have room again in a minute */
		s->serr = err;
		++*s->errors;
		timer_set(loop_timers(s->loop), &s->retry, clock_now_ms() + STORE_RETRY_MS, store_on_retry);
	}
	store_alarms(s);
	return 0;
}

static int watch(struct store *s)
{
	s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->event_fd < 0)
		return -errno;
	return loop_watch(s->loop, &s->watch, s->event_fd, LOOP_READ, on_event, s);
}

/* Signals are the loop's. */
static int start_thread(struct store *s)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&s->thread, NULL, store_thread, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->running = !err;
	return -err;
}

static int init(struct store *s)
{
	pthread_condattr_t attr;
	int err = pthread_mutex_init(&s->lock, NULL);

	if (err)
		return -err;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	err = pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	return -err;
}

int store_open_with(struct store **out, const struct store_env *env, const struct store_ops *ops)
{
	struct store *s = calloc(1, sizeof *s);
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = env->loop;
	s->alarms = env->alarms;
	s->metrics = env->metrics;
	s->ops = ops;
	s->sh.conf = *env->conf;
	s->dir_fd = s->lock_fd = s->event_fd = -1;
	(void)map_hash("", 0); /* its key is drawn here, before there is a second thread */
	store_status_open(s);
	loop_hook_add(s->loop, &s->hook);
	s->hook.fn = on_hook;
	s->hook.arg = s;
	err = init(s);
	if (!err)
		err = open_dir(s, env->dir);
	if (!err)
		err = open_files(s);
	if (!err)
		err = open_state(s);
	if (!err)
		err = watch(s);
	if (!err)
		err = start_thread(s);
	if (!err) {
		*out = s;
		return 0;
	}
	log_ev(LOG_ERROR, "store", "store.failed", LF_STR("dir", env->dir),
	       LF_STR("reason",
		      err == -EBUSY                     ? "another process uses it"
			      : err == -EPROTONOSUPPORT ? "it was written by a newer version"
							: strerror(-err)));
	store_close(s);
	return err;
}

int store_open(struct store **out, const struct store_env *env)
{
	return store_open_with(out, env, &store_ops_system);
}

void store_set_conf(struct store *s, const struct store_conf *conf)
{
	pthread_mutex_lock(&s->lock);
	s->sh.conf = *conf;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

int store_replay(struct store *s, store_replay_fn *fn, void *arg)
{
	return s->started ? -EPROTO : journal_replay(s->journal, fn, arg);
}

/* ---- closing ---- */

static bool is_busy(const struct store *s)
{
	return s->out || s->sready || s->jsent.first || s->ssent.first || s->refused.first;
}

/* Until everything is written or has failed. False: the disk hangs. */
static bool drain(struct store *s)
{
	const uint64_t until_ms = store_boot_ms() + CLOSE_MOST_MS;
	struct pollfd p = { .fd = s->event_fd, .events = POLLIN };

	if (s->pending.puts.first)
		store_seal(s);
	store_hand_over(s, true);
	while (is_busy(s)) {
		const uint64_t now_ms = store_boot_ms();

		if (now_ms >= until_ms)
			return false;
		run_refused(s);
		if (s->jsent.first || s->ssent.first)
			poll(&p, 1, (int)(until_ms - now_ms));
		store_take_results(s);
		if (s->pending.puts.first && !s->serr && !s->sready)
			store_seal(s);
		store_hand_over(s, s->out != NULL);
	}
	return true;
}

static void stop_thread(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->sh.stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}

static void free_all(struct store *s)
{
	struct jbatch *b;

	store_status_close(s);
	while ((b = s->kept)) {
		s->kept = b->next_work;
		jbatch_free(b);
	}
	if (s->pending.puts.first) {
		struct sbatch *left = store_seal(s);

		if (left)
			s->sready = NULL;
		sbatch_free(left);
	}
	timer_cancel(loop_timers(s->loop), &s->kick);
	map_fini(&s->pending.map);
	journal_close(s->journal);
	db_close(s->db);
	if (s->event_fd >= 0)
		close(s->event_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
	free(s);
}

void store_close(struct store *s)
{
	bool drained = true;

	if (!s)
		return;
	if (s->running)
		drained = drain(s);
	loop_unwatch(s->watch);
	s->watch = NULL;
	loop_hook_remove(s->loop, &s->hook);
	timer_cancel(loop_timers(s->loop), &s->tick);
	timer_cancel(loop_timers(s->loop), &s->retry);
	timer_cancel(loop_timers(s->loop), &s->kick);
	if (s->kept || s->pending.puts.first || !drained)
		log_ev(LOG_ERROR, "store", "store.lost",
		       LF_STR("reason",
			      drained ? "the disk did not take the last records" : "the disk does not answer"));
	if (!drained) {
		store_status_close(s);
		return; /* the thread hangs in the kernel and holds everything: the end of the process frees it */
	}
	if (s->running)
		stop_thread(s);
	free_all(s);
}
