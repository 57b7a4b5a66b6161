/* SPDX-License-Identifier: Apache-2.0 */
/* test_db.c - state.db damaged, newer, older, missing; src/store/db*.c */
#include "scene.h"

#include <sqlite3.h>

#include "store/db.h"

static void db_path(const struct scene *sc, char *path, size_t size)
{
	snprintf(path, size, "%s/state.db", sc->dir);
}

static void sql(const struct scene *sc, const char *text)
{
	char path[128];
	sqlite3 *h;

	db_path(sc, path, sizeof path);
	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

enum { RECORDS = 2000 };

static void fill(struct scene *sc)
{
	char key[32], value[200];

	memset(value, 'v', sizeof value);
	scene_open(sc);
	for (unsigned i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof key, "meter-%05u", i);
		store_put(sc->store, STORE_SESSION, key, strlen(key), value, sizeof value);
	}
	assert_int_equal(flushed(sc), 0);
	store_put(sc->store, STORE_DEVICE, "one", 3, "record", 6);
	scene_shut(sc); /* all of it in the one file now */
}

static size_t count(struct scene *sc, enum store_table t)
{
	static struct seen seen;

	memset(&seen, 0, sizeof seen);
	assert_int_equal(store_each(sc->store, t, on_record, &seen), 0);
	return seen.n;
}

static void a_missing_one_is_made(void **state)
{
	struct scene sc = scene_new();
	char path[128];

	(void)state;
	fill(&sc);
	db_path(&sc, path, sizeof path);
	assert_int_equal(unlink(path), 0);
	scene_open(&sc);
	assert_int_equal(count(&sc, STORE_SESSION), 0);
	assert_false(is_alarmed(&sc, "store.unavailable"));
	scene_end(&sc);
}

static void r5_a_newer_one_is_refused_and_left_alone(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	fill(&sc);
	sql(&sc, "INSERT INTO schema_version VALUES(7); PRAGMA user_version=7");
	assert_int_equal(scene_try(&sc), -EPROTONOSUPPORT);
	sql(&sc, "DELETE FROM schema_version WHERE version=7; PRAGMA user_version=1");
	scene_open(&sc);
	assert_int_equal(count(&sc, STORE_SESSION), RECORDS);
	scene_end(&sc);
}

static void a_flipped_bit_in_the_version_is_no_newer_version(void **state)
{
	struct scene sc = scene_new();
	char path[128];

	(void)state;
	fill(&sc);
	sql(&sc, "UPDATE schema_version SET version=3");
	scene_open(&sc);
	assert_int_equal(count(&sc, STORE_SESSION), RECORDS); /* rescued from the one set aside */
	assert_true(is_alarmed(&sc, "store.unavailable"));
	assert_int_equal(flushed(&sc), 0);
	store_put(sc.store, STORE_LINK, "k", 1, "v", 1);
	assert_int_equal(flushed(&sc), 0);
	assert_false(is_alarmed(&sc, "store.unavailable")); /* the next good write clears it */
	snprintf(path, sizeof path, "%s/state.db.damaged", sc.dir);
	assert_int_equal(access(path, F_OK), 0);
	scene_end(&sc);
}

static void another_program_s_database_is_set_aside(void **state)
{
	struct scene sc = scene_new();

	(void)state;
	sql(&sc, "CREATE TABLE device(a, b)");
	scene_open(&sc);
	store_put(sc.store, STORE_DEVICE, "k", 1, "v", 1);
	assert_int_equal(flushed(&sc), 0);
	assert_string_equal(table(&sc, STORE_DEVICE), "k=v;");
	scene_end(&sc);
}

static void r5_any_octets_in_place_of_it_end_a_start_well(void **state)
{
	struct scene sc = scene_new();
	static uint8_t noise[20000];
	char path[128];

	(void)state;
	db_path(&sc, path, sizeof path);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(i * 131 >> 3);
	write_file(path, noise, sizeof noise);
	scene_open(&sc);
	assert_int_equal(count(&sc, STORE_SESSION), 0);
	assert_int_equal(flushed(&sc), 0);
	scene_shut(&sc);
	write_file(path, "", 0);
	scene_open(&sc);
	scene_shut(&sc);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(scene_try(&sc) < 0); /* nobody put a directory there by accident */
	scene_end(&sc);
}

/* Every page in turn is overwritten; whatever is shown then is what was put. */
static int on_checked(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	const uint8_t *v = data;

	assert_int_equal(key_len, 11);
	assert_memory_equal(key, "meter-", 6);
	assert_int_equal(len, 200);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(v[i], 'v');
	++*(size_t *)arg;
	return 0;
}

static void r5_a_damaged_page_costs_what_was_on_it(void **state)
{
	struct scene sc = scene_new();
	static uint8_t image[1 << 20];
	char path[128];
	size_t len, worst = RECORDS;

	(void)state;
	fill(&sc);
	db_path(&sc, path, sizeof path);
	len = read_file(path, image, sizeof image);
	assert_true(len > 100 * 4096 && len < sizeof image);
	for (size_t page = 1; page < len / 4096; page += 9) {
		uint8_t kept[4096];
		size_t n = 0;

		memcpy(kept, image + page * 4096, sizeof kept);
		memset(image + page * 4096, 0x5a, sizeof kept);
		write_file(path, image, len);
		scene_open(&sc);
		assert_int_equal(store_each(sc.store, STORE_SESSION, on_checked, &n), 0);
		worst = n < worst ? n : worst;
		store_put(sc.store, STORE_LINK, "k", 1, "v", 1);
		assert_int_equal(flushed(&sc), 0);
		scene_shut(&sc);
		memcpy(image + page * 4096, kept, sizeof kept);
	}
	assert_true(worst < RECORDS);
	scene_end(&sc);
}

static void r5_a_flipped_bit_in_a_value_costs_that_record(void **state)
{
	struct scene sc = scene_new();
	static uint8_t image[1 << 20];
	char path[128];
	size_t len, n = 0;
	uint8_t *at;

	(void)state;
	fill(&sc);
	db_path(&sc, path, sizeof path);
	len = read_file(path, image, sizeof image);
	at = memmem(image, len, "meter-00777", 11);
	assert_non_null(at);
	at[100] ^= 4;
	write_file(path, image, len);
	scene_open(&sc);
	assert_int_equal(store_each(sc.store, STORE_SESSION, on_checked, &n), 0);
	assert_int_equal(n, RECORDS - 1);
	assert_true(*metrics_counter(sc.metrics, "store_errors_total", NULL, "") > 0);
	scene_end(&sc);
}

static void one_that_is_removed_while_it_runs_is_made_again(void **state)
{
	struct scene sc = scene_new();
	char path[128];

	(void)state;
	fill(&sc);
	scene_open(&sc);
	db_path(&sc, path, sizeof path);
	assert_int_equal(unlink(path), 0);
	store_put(sc.store, STORE_DEVICE, "two", 3, "record", 6);
	assert_int_equal(flushed(&sc), 0);
	assert_int_equal(access(path, F_OK), 0);
	scene_again(&sc);
	assert_string_equal(table(&sc, STORE_DEVICE), "one=record;two=record;"); /* nothing was lost by it */
	assert_int_equal(count(&sc, STORE_SESSION), RECORDS);
	scene_end(&sc);
}

static void a_rescue_that_was_cut_off_is_finished(void **state)
{
	struct scene sc = scene_new();
	char path[128], other[128];

	(void)state;
	fill(&sc);
	db_path(&sc, path, sizeof path);
	snprintf(other, sizeof other, "%s/state.db.new", sc.dir);
	assert_int_equal(rename(path, other), 0); /* the damaged one has its other name already */
	scene_open(&sc);
	assert_int_equal(count(&sc, STORE_SESSION), RECORDS);
	scene_shut(&sc);
	write_file(other, "half", 4); /* half a copy: the original is still there */
	scene_open(&sc);
	assert_int_equal(count(&sc, STORE_SESSION), RECORDS);
	assert_int_equal(access(other, F_OK), -1);
	scene_end(&sc);
}

static void every_transaction_is_synced(void **state)
{
	struct scene sc = scene_new();
	struct store_note note = { 0 };
	struct db *d = NULL;

	(void)state;
	assert_int_equal(db_open(&d, sc.dir, &note), 0);
	assert_int_equal(db_begin(d), 0);
	assert_int_equal(db_put(d, STORE_MARK, "port", 4, "20000", 5), 0);
	assert_int_equal(db_end(d), 0);
	assert_int_equal(db_begin(d), 0);
	assert_int_equal(db_put(d, STORE_MARK, "port", 4, "30000", 5), 0);
	db_close(d); /* without an end it never was */
	assert_int_equal(db_open(&d, sc.dir, &note), 0);
	{
		char value[8];

		assert_int_equal(db_get(d, STORE_MARK, "port", 4, value, sizeof value), 5);
		assert_memory_equal(value, "20000", 5);
		assert_int_equal(db_get(d, STORE_MARK, "port", 4, value, 4), -EMSGSIZE);
		assert_int_equal(db_get(d, STORE_MARK, "none", 4, value, sizeof value), -ENOENT);
	}
	db_close(d);
	scene_end(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_one_is_made),
		cmocka_unit_test(r5_a_newer_one_is_refused_and_left_alone),
		cmocka_unit_test(a_flipped_bit_in_the_version_is_no_newer_version),
		cmocka_unit_test(another_program_s_database_is_set_aside),
		cmocka_unit_test(r5_any_octets_in_place_of_it_end_a_start_well),
		cmocka_unit_test(r5_a_damaged_page_costs_what_was_on_it),
		cmocka_unit_test(r5_a_flipped_bit_in_a_value_costs_that_record),
		cmocka_unit_test(one_that_is_removed_while_it_runs_is_made_again),
		cmocka_unit_test(a_rescue_that_was_cut_off_is_finished),
		cmocka_unit_test(every_transaction_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
