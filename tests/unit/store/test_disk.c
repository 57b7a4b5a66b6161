/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk.c - disks that fail, fill up and come back: who is told what, and recovery without a restart */
#include "scene.h"

#include <pthread.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "store/owner.h"

/* Fails on demand; asked by the store thread, turned by the test. */
struct fault {
	pthread_mutex_t lock;
	int write_errno, sync_errno;
	unsigned times; /* how often yet; UINT32_MAX: until it is turned off */
};

static int failing(struct fault *f, const int *which)
{
	int err;

	pthread_mutex_lock(&f->lock);
	err = f->times ? *which : 0;
	if (err && f->times != UINT32_MAX)
		f->times--;
	pthread_mutex_unlock(&f->lock);
	return err;
}

static ssize_t on_write(void *arg, int fd, const void *data, size_t len, off_t at)
{
	struct fault *f = arg;

	errno = failing(f, &f->write_errno);
	return errno ? -1 : pwrite(fd, data, len, at);
}

static int on_sync(void *arg, int fd)
{
	struct fault *f = arg;

	errno = failing(f, &f->sync_errno);
	return errno ? -1 : fdatasync(fd);
}

static void turn(struct fault *f, int write_errno, int sync_errno, unsigned times)
{
	pthread_mutex_lock(&f->lock);
	f->write_errno = write_errno;
	f->sync_errno = sync_errno;
	f->times = times;
	pthread_mutex_unlock(&f->lock);
}

struct faulty {
	struct scene sc;
	struct fault fault;
	struct store_ops ops;
};

static struct faulty *faulty_new(void)
{
	static struct faulty f;

	f = (struct faulty){ .sc = scene_new(), .ops = { .write = on_write, .sync = on_sync } };
	pthread_mutex_init(&f.fault.lock, NULL);
	f.ops.arg = &f.fault;
	f.sc.ops = &f.ops;
	scene_open(&f.sc);
	assert_int_equal(appended(&f.sc, 10, 1, "before", 6), 0);
	return &f;
}

static void faulty_end(struct faulty *f)
{
	scene_end(&f->sc);
	pthread_mutex_destroy(&f->fault.lock);
}

static void r4_one_failed_sync_is_noticed_by_nobody_who_waits(void **state)
{
	struct faulty *f = faulty_new();

	(void)state;
	turn(&f->fault, 0, EIO, 1);
	assert_int_equal(appended(&f->sc, 11, 1, "x", 1), 0);
	assert_true(store_is_usable(f->sc.store));
	scene_again(&f->sc);
	assert_string_equal(replayed(&f->sc), "10:1=before;11:1=x;");
	faulty_end(f);
}

static void r4_while_nothing_can_be_written_waiters_are_told_and_work_is_refused(void **state)
{
	struct faulty *f = faulty_new();
	struct store_status st;

	(void)state;
	turn(&f->fault, 0, EIO, UINT32_MAX);
	store_append(f->sc.store, 11, 1, "nobody waits", 12, NULL);
	assert_int_equal(appended(&f->sc, 12, 1, "refused", 7), -EIO);
	assert_false(store_is_usable(f->sc.store));
	assert_true(is_alarmed(&f->sc, "store.unavailable"));
	store_status(f->sc.store, &st);
	assert_false(st.usable);
	assert_non_null(strstr(st.detail, "journal"));
	assert_int_equal(st.errors, 1);
	store_done(f->sc.store, 10, 9, "bye", 3, 3600000);
	store_append(f->sc.store, 11, 1, "nor here", 8, NULL);
	turn(&f->fault, 0, 0, 0);
	assert_true(comes_true(&f->sc, is_usable, NULL)); /* by itself */
	assert_false(is_alarmed(&f->sc, "store.unavailable"));
	assert_int_equal(appended(&f->sc, 13, 1, "after", 5), 0);
	scene_again(&f->sc);
	assert_string_equal(replayed(&f->sc), "10:1=before;11:1=nobody waits;10:9!=bye;11:1=nor here;13:1=after;");
	faulty_end(f);
}

static void an_idle_store_recovers_too(void **state)
{
	struct faulty *f = faulty_new();

	(void)state;
	turn(&f->fault, EROFS, 0, UINT32_MAX);
	assert_int_equal(appended(&f->sc, 12, 1, "refused", 7), -EROFS);
	assert_true(is_alarmed(&f->sc, "store.readonly"));
	assert_false(is_alarmed(&f->sc, "store.unavailable"));
	turn(&f->fault, 0, 0, 0);
	assert_true(comes_true(&f->sc, is_usable, NULL)); /* nothing was left to write, so it asks */
	assert_false(is_alarmed(&f->sc, "store.readonly"));
	scene_again(&f->sc);
	assert_string_equal(replayed(&f->sc), "10:1=before;");
	faulty_end(f);
}

static void the_alarm_follows_the_fault(void **state)
{
	struct faulty *f = faulty_new();

	(void)state;
	turn(&f->fault, EROFS, 0, UINT32_MAX);
	assert_int_equal(appended(&f->sc, 12, 1, "x", 1), -EROFS);
	turn(&f->fault, EIO, 0, UINT32_MAX);
	assert_int_equal(appended(&f->sc, 12, 1, "x", 1), -EIO);
	assert_true(is_alarmed(&f->sc, "store.unavailable"));
	assert_false(is_alarmed(&f->sc, "store.readonly"));
	turn(&f->fault, 0, 0, 0);
	assert_int_equal(appended(&f->sc, 12, 1, "x", 1), 0); /* who wants an answer need not wait for the second */
	assert_true(store_is_usable(f->sc.store));
	faulty_end(f);
}

static void what_is_handed_over_before_the_bad_news_keeps_its_place(void **state)
{
	struct faulty *f = faulty_new();
	struct told t[3];

	(void)state;
	turn(&f->fault, EIO, 0, UINT32_MAX);
	for (int i = 0; i < 3; i++) {
		char text[] = { (char)('a' + i), 0 };

		t[i] = told_of(&f->sc);
		t[i].stay = i < 2;
		store_append(f->sc.store, 11, 1, text, 1, NULL);
		store_append(f->sc.store, 12, 1, text, 1, &t[i].wait);
		store_hand_over(f->sc.store, false); /* three batches, no results taken between */
	}
	run_until(&f->sc, &t[2].done);
	turn(&f->fault, 0, 0, 0);
	assert_int_equal(t[0].err, -EIO);
	assert_int_equal(t[1].err, -EIO);
	assert_int_equal(t[2].err, -EIO);
	assert_true(comes_true(&f->sc, is_usable, NULL));
	scene_again(&f->sc);
	assert_string_equal(replayed(&f->sc), "10:1=before;11:1=a;11:1=b;11:1=c;");
	faulty_end(f);
}

static void closing_on_a_broken_disk_ends_and_tells(void **state)
{
	struct faulty *f = faulty_new();
	struct told t = told_of(&f->sc);

	(void)state;
	turn(&f->fault, EIO, 0, UINT32_MAX);
	store_append(f->sc.store, 12, 1, "x", 1, &t.wait);
	store_append(f->sc.store, 12, 1, "y", 1, NULL);
	scene_shut(&f->sc);
	assert_true(t.done);
	assert_int_equal(t.err, -EIO);
	faulty_end(f);
}

static void r4_a_removed_journal_directory_is_made_again(void **state)
{
	struct faulty *f = faulty_new();
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/journal", f->sc.dir);
	remove_tree(path);
	assert_int_equal(appended(&f->sc, 11, 1, "x", 1), 0);
	assert_true(is_alarmed(&f->sc, "store.unavailable")); /* what was there is gone: that has to be said */
	assert_int_equal(appended(&f->sc, 11, 1, "y", 1), 0);
	assert_false(is_alarmed(&f->sc, "store.unavailable"));
	scene_again(&f->sc);
	assert_string_equal(replayed(&f->sc), "11:1=x;11:1=y;");
	faulty_end(f);
}

/* ---- real file systems ---- */

/* A small file system at the scene's directory; false: this user may not. */
static bool mounted(struct scene *sc, const char *options, unsigned long flags)
{
	if (!mount("none", sc->dir, "tmpfs", flags, options))
		return true;
	print_message("skipped: this user cannot mount a tmpfs (%s)\n", strerror(errno));
	return false;
}

static void r4_a_full_disk_refuses_and_recovers(void **state)
{
	struct scene sc = scene_new();
	static uint8_t block[1 << 16];
	uint64_t id = 10, acked = 0;
	char filler[128];
	int fd, err = 0;

	(void)state;
	if (!mounted(&sc, "size=3m", 0)) {
		scene_end(&sc);
		skip();
	}
	scene_open(&sc);
	assert_int_equal(appended(&sc, id, 1, "", 0), 0);
	assert_true(is_alarmed(&sc, "disk.low"));
	snprintf(filler, sizeof filler, "%s/filler", sc.dir);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof block) > 0)
		;
	close(fd);
	for (acked = id; !err && id < 100; id++) {
		err = appended(&sc, id, 1, block, sizeof block);
		acked = err ? acked : id;
	}
	assert_int_equal(err, -ENOSPC);
	assert_false(store_is_usable(sc.store));
	assert_true(is_alarmed(&sc, "store.unavailable"));
	store_put(sc.store, STORE_SESSION, "m", 1, block, sizeof block);
	store_put(sc.store, STORE_SESSION, "m", 1, block, sizeof block);
	assert_int_equal(flushed(&sc), -ENOSPC);
	assert_int_equal(unlink(filler), 0);
	assert_true(comes_true(&sc, is_usable, NULL));
	assert_false(is_alarmed(&sc, "store.unavailable"));
	assert_int_equal(appended(&sc, 1000, 1, "after", 5), 0);
	assert_int_equal(flushed(&sc), 0); /* the put that failed was not forgotten */
	scene_again(&sc);
	{
		struct seen seen = { 0 };

		assert_int_equal(store_replay(sc.store, on_seen, &seen), 0);
		assert_int_equal(seen.last_id, 1000);
		assert_int_equal(seen.n, acked - 10 + 2); /* each that was confirmed, none that was refused */
		seen = (struct seen){ 0 };
		assert_int_equal(store_each(sc.store, STORE_SESSION, on_record, &seen), 0);
		assert_int_equal(seen.n, 1);
	}
	scene_shut(&sc);
	assert_int_equal(umount(sc.dir), 0);
	scene_end(&sc);
}

static void an_empty_read_only_file_system_is_said_at_the_start(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	if (!mounted(&sc, "size=3m", MS_RDONLY)) {
		scene_end(&sc);
		skip();
	}
	assert_int_equal(scene_try(&sc), -EROFS);
	assert_int_equal(umount(sc.dir), 0);
	scene_end(&sc);
}

/* ---- starts where nothing can be written ---- */

static void fill(const struct scene *sc)
{
	static uint8_t block[4096];
	char filler[128];
	int fd;

	snprintf(filler, sizeof filler, "%s/filler", sc->dir);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	for (size_t size = sizeof block; size; size /= 2)
		while (write(fd, block, size) > 0)
			;
	close(fd);
}

static void make_room(const struct scene *sc)
{
	char filler[128];

	snprintf(filler, sizeof filler, "%s/filler", sc->dir);
	assert_int_equal(unlink(filler), 0);
}

/* What a life before has left: closed as it should be, or killed. */
static void live_before(struct scene *sc, bool killed)
{
	const pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct scene own = *sc;

		scene_outside(&own); /* the loop of the parent is the parent's */
		scene_open(&own);
		store_put(own.store, STORE_SESSION, "m1", 2, "session", 7);
		store_put(own.store, STORE_LINK, "op", 2, "link", 4);
		if (appended(&own, 10, 1, "x", 1) || flushed(&own))
			_exit(1);
		if (!killed)
			scene_shut(&own);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void is_restored(struct scene *sc)
{
	assert_string_equal(replayed(sc), "10:1=x;");
	assert_string_equal(table(sc, STORE_SESSION), "m1=session;");
	assert_string_equal(table(sc, STORE_LINK), "op=link;");
}

/* R4: all that was stored is there, new work is refused, and it goes on by itself. */
static void start_on(const char *options, bool killed, bool full, bool readonly)
{
	struct scene sc = scene_new();

	if (!mounted(&sc, options, 0)) {
		scene_end(&sc);
		skip();
	}
	live_before(&sc, killed);
	if (full)
		fill(&sc);
	if (readonly)
		assert_int_equal(mount("none", sc.dir, "tmpfs", MS_REMOUNT | MS_RDONLY, options), 0);
	scene_open(&sc);
	assert_false(store_is_usable(sc.store));
	assert_true(is_alarmed(&sc, readonly ? "store.readonly" : "store.unavailable"));
	is_restored(&sc);
	assert_int_equal(store_entry_id(sc.store), 0);
	assert_int_equal(appended(&sc, 11, 1, "refused", 7), readonly ? -EROFS : -ENOSPC);
	store_put(sc.store, STORE_SESSION, "m2", 2, "kept", 4);
	assert_int_equal(flushed(&sc), readonly ? -EROFS : -ENOSPC);
	assert_true(is_alarmed(&sc, "disk.low"));
	if (readonly)
		assert_int_equal(mount("none", sc.dir, "tmpfs", MS_REMOUNT, options), 0);
	if (full)
		make_room(&sc);
	assert_true(comes_true(&sc, is_usable, NULL));
	assert_false(is_alarmed(&sc, readonly ? "store.readonly" : "store.unavailable"));
	assert_true(store_entry_id(sc.store) > 0);
	assert_int_equal(appended(&sc, 12, 1, "after", 5), 0);
	assert_int_equal(flushed(&sc), 0);
	assert_string_equal(table(&sc, STORE_SESSION), "m1=session;m2=kept;"); /* over a connection of its own again */
	scene_again(&sc);
	assert_string_equal(replayed(&sc), "10:1=x;12:1=after;");
	scene_shut(&sc);
	assert_int_equal(umount(sc.dir), 0);
	scene_end(&sc);
}

static void r4_a_start_on_a_full_disk_restores_and_recovers(void **state)
{
	(void)state;
	start_on("size=3m", false, true, false);
}

static void r4_a_start_on_a_full_disk_after_a_kill_restores_and_recovers(void **state)
{
	(void)state;
	start_on("size=3m", true, true, false);
}

static void r4_a_start_on_a_read_only_disk_restores_and_recovers(void **state)
{
	(void)state;
	start_on("size=3m", false, false, true);
}

static void r4_a_start_on_a_read_only_disk_after_a_kill_restores_and_recovers(void **state)
{
	(void)state;
	start_on("size=3m", true, false, true);
}

static void a_disk_that_is_full_before_the_first_start_is_no_damage(void **state)
{
	struct scene sc = scene_new();
	char path[128];

	(void)state;
	if (!mounted(&sc, "size=3m", 0)) {
		scene_end(&sc);
		skip();
	}
	snprintf(path, sizeof path, "%s/journal", sc.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	fill(&sc);
	scene_open(&sc);
	assert_false(store_is_usable(sc.store));
	assert_string_equal(table(&sc, STORE_SESSION), "");
	make_room(&sc);
	assert_true(comes_true(&sc, is_usable, NULL));
	snprintf(path, sizeof path, "%s/state.db.damaged", sc.dir);
	assert_int_equal(access(path, F_OK), -1);
	scene_shut(&sc);
	assert_int_equal(umount(sc.dir), 0);
	scene_end(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r4_one_failed_sync_is_noticed_by_nobody_who_waits),
		cmocka_unit_test(r4_while_nothing_can_be_written_waiters_are_told_and_work_is_refused),
		cmocka_unit_test(an_idle_store_recovers_too),
		cmocka_unit_test(the_alarm_follows_the_fault),
		cmocka_unit_test(what_is_handed_over_before_the_bad_news_keeps_its_place),
		cmocka_unit_test(closing_on_a_broken_disk_ends_and_tells),
		cmocka_unit_test(r4_a_removed_journal_directory_is_made_again),
		cmocka_unit_test(r4_a_full_disk_refuses_and_recovers),
		cmocka_unit_test(an_empty_read_only_file_system_is_said_at_the_start),
		cmocka_unit_test(r4_a_start_on_a_full_disk_restores_and_recovers),
		cmocka_unit_test(r4_a_start_on_a_full_disk_after_a_kill_restores_and_recovers),
		cmocka_unit_test(r4_a_start_on_a_read_only_disk_restores_and_recovers),
		cmocka_unit_test(r4_a_start_on_a_read_only_disk_after_a_kill_restores_and_recovers),
		cmocka_unit_test(a_disk_that_is_full_before_the_first_start_is_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
