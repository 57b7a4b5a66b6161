/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - what the rooms above are promised: order, durability, the last value of a key, ids */
#include "scene.h"

#include "base/clock.h"
#include "store/owner.h"

static void what_was_appended_is_replayed_in_order(void **state)
{
	struct scene sc = scene_new();
	uint64_t a, b;
	char want[128];

	(void)state;
	scene_open(&sc);
	a = store_entry_id(sc.store);
	b = store_entry_id(sc.store);
	assert_true(a > 0);
	assert_int_equal(b, a + 1);
	store_append(sc.store, a, 1, "one", 3, NULL);
	store_append(sc.store, b, 1, "two", 3, NULL);
	assert_int_equal(appended(&sc, a, 2, "three", 5), 0);
	scene_again(&sc);
	snprintf(want, sizeof want, "%llu:1=one;%llu:1=two;%llu:2=three;", (unsigned long long)a, (unsigned long long)b,
		 (unsigned long long)a);
	assert_string_equal(replayed(&sc), want);
	assert_string_equal(replayed(&sc), want); /* as often as one likes */
	scene_end(&sc);
}

static void closing_writes_everything_and_tells_everybody(void **state)
{
	struct scene sc = scene_new();
	struct told append = told_of(&sc), flush = told_of(&sc);

	(void)state;
	scene_open(&sc);
	store_append(sc.store, 1, 1, "x", 1, &append.wait);
	store_put(sc.store, STORE_LINK, "k", 1, "v", 1);
	store_flush(sc.store, &flush.wait);
	store_put(sc.store, STORE_LINK, "late", 4, "w", 1);
	scene_shut(&sc); /* the loop never ran */
	assert_true(append.done && !append.err);
	assert_true(flush.done && !flush.err);
	scene_open(&sc);
	assert_string_equal(replayed(&sc), "1:1=x;");
	assert_string_equal(table(&sc, STORE_LINK), "k=v;late=w;");
	scene_end(&sc);
}

static void nobody_is_told_from_within_the_call(void **state)
{
	struct scene sc = scene_new();
	struct told t = told_of(&sc);
	static uint8_t big[RECORD_DATA_MOST + 1];

	(void)state;
	scene_open(&sc);
	store_append(sc.store, 1, 1, big, sizeof big, &t.wait); /* refused */
	assert_false(t.done);
	run_until(&sc, &t.done);
	assert_int_equal(t.err, -EMSGSIZE);
	assert_int_equal(appended(&sc, 1, 1, big, sizeof big - 1), 0);
	scene_end(&sc);
}

static void waiters_are_told_in_order(void **state)
{
	struct scene sc = scene_new();
	struct told t[200];
	unsigned turns = 0;

	(void)state;
	scene_open(&sc);
	for (unsigned i = 0; i < 200; i++) {
		t[i] = told_of(&sc);
		t[i].turns = &turns;
		t[i].stay = i + 1 < 200;
		store_append(sc.store, 1 + i % 7, 1, &i, sizeof i, &t[i].wait);
	}
	run_until(&sc, &t[199].done);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(t[i].turn, i + 1);
	scene_end(&sc);
}

static void one_pass_of_the_loop_is_one_commit(void **state)
{
	struct scene sc = scene_new();
	uint64_t *commits;

	(void)state;
	scene_open(&sc);
	commits = metrics_counter(sc.metrics, "store_commits_total", NULL, "");
	for (int i = 0; i < 1000; i++)
		store_append(sc.store, 1, 1, "record", 6, NULL);
	assert_int_equal(appended(&sc, 2, 1, "", 0), 0);
	assert_int_equal(*commits, 1);
	scene_end(&sc);
}

static void batch_mode_gathers_and_still_tells_after_the_sync(void **state)
{
	struct scene sc = scene_new();
	uint64_t *commits, from;

	(void)state;
	sc.conf = (struct store_conf){ .sync = STORE_BATCH, .commit_ms = 50 };
	scene_open(&sc);
	commits = metrics_counter(sc.metrics, "store_commits_total", NULL, "");
	assert_int_equal(appended(&sc, 1, 1, "a", 1), 0);
	from = store_boot_ms();
	assert_int_equal(appended(&sc, 1, 1, "b", 1), 0);
	assert_true(store_boot_ms() - from >= 40); /* never sooner; how much later is the machine's */
	assert_int_equal(*commits, 2);
	sc.conf.sync = STORE_FULL;
	store_set_conf(sc.store, &sc.conf);
	assert_int_equal(appended(&sc, 1, 1, "c", 1), 0);
	scene_again(&sc);
	assert_string_equal(replayed(&sc), "1:1=a;1:1=b;1:1=c;");
	scene_end(&sc);
}

static void a_forgotten_wait_is_not_called_and_its_record_is_written(void **state)
{
	struct scene sc = scene_new();
	struct told *append = malloc(sizeof *append), *flush = malloc(sizeof *flush), *big = malloc(sizeof *big);

	(void)state;
	scene_open(&sc);
	*append = *flush = *big = told_of(&sc);
	store_append(sc.store, 1, 1, "x", 1, &append->wait);
	store_flush(sc.store, &flush->wait);
	store_append(sc.store, 1, 1, "y", SIZE_MAX, &big->wait);
	store_forget(sc.store, &append->wait);
	store_forget(sc.store, &flush->wait);
	store_forget(sc.store, &big->wait);
	free(append);
	free(flush);
	free(big);
	assert_int_equal(flushed(&sc), 0);
	scene_again(&sc);
	assert_string_equal(replayed(&sc), "1:1=x;");
	scene_end(&sc);
}

struct forgetter {
	struct store_wait wait;
	struct scene *sc;
	struct told *other;
};

static void on_forget(struct store_wait *w, int err)
{
	struct forgetter *f = container_of(w, struct forgetter, wait);

	assert_int_equal(err, 0);
	store_forget(f->sc->store, &f->other->wait);
	loop_stop(f->sc->loop);
}

static void one_who_is_told_may_forget_the_next(void **state)
{
	struct scene sc = scene_new();
	struct told other = told_of(&sc);
	struct forgetter f = { { .fn = on_forget }, &sc, &other };

	(void)state;
	scene_open(&sc);
	store_append(sc.store, 1, 1, "x", 1, &f.wait);
	store_append(sc.store, 1, 1, "y", 1, &other.wait);
	assert_int_equal(loop_run(sc.loop), 0);
	assert_int_equal(flushed(&sc), 0);
	assert_false(other.done);
	scene_end(&sc);
}

static void a_done_entry_is_kept_for_its_time_and_then_forgotten(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	scene_open(&sc);
	store_append(sc.store, 2, 1, "a", 1, NULL);
	store_append(sc.store, 3, 1, "b", 1, NULL);
	store_done(sc.store, 2, 9, "bye", 3, 3600000);
	assert_int_equal(done_now(&sc, 3, "gone", 4, 0), 0);
	scene_again(&sc);
	assert_string_equal(replayed(&sc), "2:1=a;2:9!=bye;1:1=;");
	scene_end(&sc);
}

static void over_a_boot_wall_time_shortens_what_is_kept(void **state)
{
	(void)state;
	assert_true(store_clock_rule(true, false, 5, 10));
	assert_true(store_clock_rule(false, true, 5, 10));
	assert_true(store_clock_rule(false, false, 10, 10));
	assert_false(store_clock_rule(false, false, 9, 10)); /* a box without a clock that begins in 1970 */
}

static void ids_never_come_twice(void **state)
{
	struct scene sc = scene_new();
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		uint64_t id;

		scene_open(&sc);
		id = store_entry_id(sc.store);
		assert_true(id > last);
		last = id + 10;
		for (int k = 0; k < 10; k++)
			store_entry_id(sc.store);
		scene_shut(&sc);
	}
	scene_end(&sc);
}

static void each_start_is_a_life_of_its_own(void **state)
{
	struct scene sc = scene_new();
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		scene_open(&sc);
		assert_true(store_life(sc.store) > last);
		last = store_life(sc.store);
		scene_shut(&sc);
	}
	scene_end(&sc);
}

static void ids_are_reserved_ahead_and_never_run_out_while_the_disk_writes(void **state)
{
	struct scene sc = scene_new();
	uint64_t last = 0;

	(void)state;
	scene_open(&sc);
	for (int block = 0; block < 8; block++) {
		for (int i = 0; i < STORE_ID_BLOCK / 2; i++) {
			const uint64_t id = store_entry_id(sc.store);

			assert_true(id > last);
			last = id;
		}
		assert_int_equal(flushed(&sc), 0);
	}
	scene_again(&sc);
	assert_true(store_entry_id(sc.store) > last);
	scene_end(&sc);
}

static void ids_outlive_the_loss_of_the_database(void **state)
{
	struct scene sc = scene_new();
	char path[128];
	uint64_t id = 0;

	(void)state;
	scene_open(&sc);
	for (int i = 0; i < 1000; i++)
		id = store_entry_id(sc.store);
	assert_int_equal(appended(&sc, 1, 1, "x", 1), 0);
	scene_shut(&sc);
	snprintf(path, sizeof path, "%s/state.db", sc.dir);
	assert_int_equal(unlink(path), 0);
	scene_open(&sc);
	assert_true(store_entry_id(sc.store) > id);
	scene_end(&sc);
}

static void puts_of_one_key_are_one_write_and_the_last_counts(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	scene_open(&sc);
	for (int i = 0; i < 1000; i++)
		store_put(sc.store, STORE_SESSION, "m", 1, &(char){ (char)('0' + i % 10) }, 1);
	assert_int_equal(sc.store->pending.map.count, 1);
	store_put(sc.store, STORE_SESSION, "m", 1, "longer", 6);
	store_put(sc.store, STORE_SESSION, "n", 1, "x", 1);
	store_put(sc.store, STORE_DEVICE, "m", 1, "other table", 11);
	store_delete(sc.store, STORE_SESSION, "n", 1);
	assert_int_equal(sc.store->pending.map.count, 3);
	assert_string_equal(table(&sc, STORE_SESSION), "m=longer;"); /* before it is written */
	assert_int_equal(flushed(&sc), 0);
	assert_string_equal(table(&sc, STORE_SESSION), "m=longer;");
	assert_string_equal(table(&sc, STORE_DEVICE), "m=other table;");
	scene_again(&sc);
	assert_string_equal(table(&sc, STORE_SESSION), "m=longer;");
	assert_string_equal(table(&sc, STORE_LINK), "");
	assert_string_equal(table(&sc, STORE_MARK), ""); /* the store's own are not shown */
	scene_end(&sc);
}

static bool nothing_pends(struct scene *sc, void *arg)
{
	(void)arg;
	return !sc->store->pending.map.count && !sc->store->ssent.first;
}

static void a_tick_writes_without_being_asked(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	scene_open(&sc);
	store_put(sc.store, STORE_SESSION, "m", 1, "v", 1);
	assert_true(comes_true(&sc, nothing_pends, NULL));
	assert_string_equal(table(&sc, STORE_SESSION), "m=v;");
	scene_end(&sc);
}

static void empty_values_and_keys_with_zeros_are_fine(void **state)
{
	struct scene sc = scene_new();
	const char key[] = "op-a\0callback";

	(void)state;
	scene_open(&sc);
	store_put(sc.store, STORE_LINK, key, sizeof key - 1, NULL, 0);
	assert_int_equal(flushed(&sc), 0);
	scene_again(&sc);
	assert_string_equal(table(&sc, STORE_LINK), "op-a=;"); /* printed up to the zero */
	scene_end(&sc);
}

struct order {
	char keys[256];
	int stop_at;
};

static int on_order(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct order *o = arg;

	(void)data;
	(void)len;
	strncat(o->keys, key, key_len);
	return --o->stop_at ? 0 : 77;
}

static void records_come_in_order_of_keys_wherever_they_are(void **state)
{
	struct scene sc = scene_new();
	struct order o = { "", 0 };

	(void)state;
	scene_open(&sc);
	for (const char *k = "bdfa"; *k; k++)
		store_put(sc.store, STORE_DEVICE, k, 1, "1", 1);
	assert_int_equal(flushed(&sc), 0);
	store_put(sc.store, STORE_DEVICE, "c", 1, "2", 1);
	store_put(sc.store, STORE_DEVICE, "d", 1, "2", 1);
	store_put(sc.store, STORE_DEVICE, "h", 1, "2", 1);
	store_delete(sc.store, STORE_DEVICE, "f", 1);
	store_delete(sc.store, STORE_DEVICE, "e", 1);
	assert_int_equal(store_each(sc.store, STORE_DEVICE, on_order, &o), 0);
	assert_string_equal(o.keys, "abcdh");
	assert_string_equal(table(&sc, STORE_DEVICE), "a=1;b=1;c=2;d=2;h=2;");
	o = (struct order){ "", 2 };
	assert_int_equal(store_each(sc.store, STORE_DEVICE, on_order, &o), 77);
	assert_string_equal(o.keys, "ab");
	scene_end(&sc);
}

static int on_put_more(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct scene *sc = arg;

	(void)data;
	(void)len;
	store_put(sc->store, STORE_DEVICE, key, key_len, "another value", 13);
	return 0;
}

static void puts_from_within_a_walk_do_not_disturb_it(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	scene_open(&sc);
	store_put(sc.store, STORE_DEVICE, "a", 1, "1", 1);
	store_put(sc.store, STORE_DEVICE, "b", 1, "1", 1);
	assert_int_equal(store_each(sc.store, STORE_DEVICE, on_put_more, &sc), 0);
	assert_string_equal(table(&sc, STORE_DEVICE), "a=another value;b=another value;");
	assert_int_equal(flushed(&sc), 0);
	scene_again(&sc);
	assert_string_equal(table(&sc, STORE_DEVICE), "a=another value;b=another value;");
	scene_end(&sc);
}

static void an_import_is_one_write_behind_what_was_put_before(void **state)
{
	struct scene sc = scene_new();
	struct told t = told_of(&sc);
	const struct store_record v[] = {
		{ "a", "new", 1, 3 },
		{ "b", NULL, 1, 0 },
		{ "c", "new", 1, 3 },
	};

	(void)state;
	scene_open(&sc);
	store_put(sc.store, STORE_DEVICE, "a", 1, "old", 3);
	store_put(sc.store, STORE_DEVICE, "b", 1, "old", 3);
	store_put_all(sc.store, STORE_DEVICE, v, 3, &t.wait);
	assert_string_equal(table(&sc, STORE_DEVICE), "a=new;c=new;");
	run_until(&sc, &t.done);
	assert_int_equal(t.err, 0);
	scene_again(&sc);
	assert_string_equal(table(&sc, STORE_DEVICE), "a=new;c=new;");
	scene_end(&sc);
}

static void an_import_with_one_bad_record_writes_none(void **state)
{
	struct scene sc = scene_new();
	struct told t = told_of(&sc);
	const struct store_record v[] = { { "a", "new", 1, 3 }, { "", "x", 0, 1 } };

	(void)state;
	scene_open(&sc);
	store_put_all(sc.store, STORE_DEVICE, v, 2, &t.wait);
	run_until(&sc, &t.done);
	assert_int_equal(t.err, -EMSGSIZE);
	assert_string_equal(table(&sc, STORE_DEVICE), "");
	assert_true(store_is_usable(sc.store));
	scene_end(&sc);
}

static void a_second_daemon_is_turned_away(void **state)
{
	struct scene sc = scene_new(), other = scene_new();

	(void)state;
	scene_open(&sc);
	remove_tree(other.dir);
	memcpy(other.dir, sc.dir, sizeof other.dir);
	assert_int_equal(scene_try(&other), -EBUSY);
	scene_shut(&sc);
	scene_open(&other);
	scene_shut(&other);
	scene_end(&sc);
	scene_end(&other);
}

static void others_cannot_read_any_file(void **state)
{
	static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm", "lock", "journal" };
	struct scene sc = scene_new();
	const mode_t mask = umask(0);
	char path[256];
	struct stat st;

	(void)state;
	scene_open(&sc);
	store_put(sc.store, STORE_LINK, "k", 1, "v", 1);
	assert_int_equal(flushed(&sc), 0);
	assert_int_equal(appended(&sc, 1, 1, "x", 1), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", sc.dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0037, 0);
	}
	assert_int_equal(find_files(&sc, ".seg", path, sizeof path), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	umask(mask);
	scene_end(&sc);
}

static void too_much_for_the_disk_refuses_new_work(void **state)
{
	struct scene sc = scene_new();
	struct told t = told_of(&sc), first = told_of(&sc);
	static uint8_t big[RECORD_DATA_MOST];

	(void)state;
	scene_open(&sc);
	first.stay = true;
	store_append(sc.store, 1, 1, "x", 1, &first.wait);
	for (int i = 0; i < 64; i++)
		store_append(sc.store, 1, 1, big, sizeof big, NULL);
	assert_false(store_is_usable(sc.store));
	store_append(sc.store, 1, 1, "y", 1, &t.wait);
	run_until(&sc, &t.done);
	assert_int_equal(t.err, -ENOBUFS);
	assert_true(comes_true(&sc, is_usable, NULL));
	assert_int_equal(appended(&sc, 1, 1, "z", 1), 0);
	assert_true(first.done && !first.err);
	scene_end(&sc);
}

static void status_and_metrics_tell_what_there_is(void **state)
{
	struct scene sc = scene_new();
	struct store_status st;

	(void)state;
	scene_open(&sc);
	assert_int_equal(appended(&sc, 1, 1, "x", 1), 0);
	assert_int_equal(appended(&sc, 2, 1, "x", 1), 0);
	store_status(sc.store, &st);
	assert_true(st.usable);
	assert_int_equal(st.segments, 1);
	assert_int_equal(st.open_entries, 2);
	assert_int_equal(st.journal_bytes, SEGMENT_HEAD + 2 * (RECORD_HEAD + 1));
	assert_int_equal(st.errors, 0);
	assert_true(st.last_commit_wall_ms > 1700000000000);
	scene_end(&sc);
}

static void the_clock_is_trusted_within_one_boot(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	scene_open(&sc);
	assert_int_equal(appended(&sc, 1, 1, "x", 1), 0);
	scene_again(&sc);
	assert_true(sc.store->same_boot);
	assert_true(store_clock_is_trusted(sc.store));
	scene_end(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_appended_is_replayed_in_order),
		cmocka_unit_test(closing_writes_everything_and_tells_everybody),
		cmocka_unit_test(nobody_is_told_from_within_the_call),
		cmocka_unit_test(waiters_are_told_in_order),
		cmocka_unit_test(one_pass_of_the_loop_is_one_commit),
		cmocka_unit_test(batch_mode_gathers_and_still_tells_after_the_sync),
		cmocka_unit_test(a_forgotten_wait_is_not_called_and_its_record_is_written),
		cmocka_unit_test(one_who_is_told_may_forget_the_next),
		cmocka_unit_test(a_done_entry_is_kept_for_its_time_and_then_forgotten),
		cmocka_unit_test(over_a_boot_wall_time_shortens_what_is_kept),
		cmocka_unit_test(ids_never_come_twice),
		cmocka_unit_test(each_start_is_a_life_of_its_own),
		cmocka_unit_test(ids_are_reserved_ahead_and_never_run_out_while_the_disk_writes),
		cmocka_unit_test(ids_outlive_the_loss_of_the_database),
		cmocka_unit_test(puts_of_one_key_are_one_write_and_the_last_counts),
		cmocka_unit_test(a_tick_writes_without_being_asked),
		cmocka_unit_test(empty_values_and_keys_with_zeros_are_fine),
		cmocka_unit_test(records_come_in_order_of_keys_wherever_they_are),
		cmocka_unit_test(puts_from_within_a_walk_do_not_disturb_it),
		cmocka_unit_test(an_import_is_one_write_behind_what_was_put_before),
		cmocka_unit_test(an_import_with_one_bad_record_writes_none),
		cmocka_unit_test(a_second_daemon_is_turned_away),
		cmocka_unit_test(others_cannot_read_any_file),
		cmocka_unit_test(too_much_for_the_disk_refuses_new_work),
		cmocka_unit_test(status_and_metrics_tell_what_there_is),
		cmocka_unit_test(the_clock_is_trusted_within_one_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
