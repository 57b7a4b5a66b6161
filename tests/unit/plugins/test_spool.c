/* SPDX-License-Identifier: Apache-2.0 */
/* test_spool.c - messages that wait on disk, plugins/mqtt/spool.c */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../plugins/mqtt/spool.h"

static char dir[] = "/tmp/niddgw-spool-XXXXXX";

static int make(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static void each_file(void (*fn)(const char *path))
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
			fn(path);
		}
	closedir(d);
}

static void drop(const char *path)
{
	unlink(path);
}

static int clear(void **state)
{
	(void)state;
	each_file(drop);
	return rmdir(dir);
}

static uint64_t put(struct spool *s, const char *topic, const char *payload)
{
	const struct spool_message m = { topic, payload, strlen(payload), false };
	uint64_t dropped;

	assert_int_equal(spool_put(s, &m, &dropped), 0);
	return dropped;
}

static void must_be(struct spool *s, const char *payload)
{
	struct spool_message m;

	assert_int_equal(spool_peek(s, &m), 0);
	assert_int_equal(m.len, strlen(payload));
	assert_memory_equal(m.payload, payload, m.len);
	spool_drop(s);
}

static void what_was_put_comes_back_in_order_and_once(void **state)
{
	struct spool_message m;
	struct spool *s;
	char text[20];

	(void)state;
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	assert_int_equal(spool_peek(s, &m), -ENOENT);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof text, "%d", i);
		assert_int_equal(put(s, "a/b", text), 0);
		if (i % 3 == 0) {
			snprintf(text, sizeof text, "%d", i / 3);
			must_be(s, text);
		}
	}
	for (int i = 1667; i < 5000; i++) {
		snprintf(text, sizeof text, "%d", i);
		must_be(s, text);
	}
	assert_int_equal(spool_peek(s, &m), -ENOENT);
	assert_int_equal(spool_bytes(s), 0);
	spool_close(s);
}

static void it_goes_on_in_the_next_life(void **state)
{
	struct spool *s;

	(void)state;
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	put(s, "t", "one");
	put(s, "t", "two");
	spool_close(s);
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	put(s, "t", "three");
	must_be(s, "one");
	must_be(s, "two");
	must_be(s, "three");
	spool_close(s);
}

static void the_oldest_go_and_are_counted(void **state)
{
	char payload[1025], got[16];
	struct spool_message m;
	uint64_t dropped = 0;
	struct spool *s;
	int first;

	(void)state;
	memset(payload, 'x', 1024);
	payload[1024] = 0;
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(got, sizeof got, "%06d", i);
		memcpy(payload, got, 6);
		dropped += put(s, "t", payload);
		assert_true(spool_bytes(s) <= 1 << 20);
	}
	assert_int_equal(spool_peek(s, &m), 0);
	memcpy(got, m.payload, 6);
	got[6] = 0;
	first = atoi(got);
	assert_int_equal(first, (int)dropped);
	for (int i = first; i < 3000; i++) {
		assert_int_equal(spool_peek(s, &m), 0);
		snprintf(got, sizeof got, "%06d", i);
		assert_memory_equal(m.payload, got, 6);
		spool_drop(s);
	}
	spool_close(s);
}

static void damage(const char *path)
{
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	fseek(f, 30, SEEK_SET);
	fputc('!', f);
	fclose(f);
}

/* Whatever a power cut leaves: what is behind the damage in that file is given up, nothing else, and it ends. */
static void a_damaged_file_ends_there(void **state)
{
	struct spool_message m;
	struct spool *s;

	(void)state;
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	put(s, "topic", "payload of the first");
	put(s, "topic", "second");
	spool_close(s);
	each_file(damage);
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	put(s, "topic", "of the next life");
	must_be(s, "of the next life");
	assert_int_equal(spool_peek(s, &m), -ENOENT);
	spool_close(s);
}

static void what_cannot_fit_is_refused(void **state)
{
	char topic[2000];
	const struct spool_message m = { topic, "x", 1, false };
	uint64_t dropped;
	struct spool *s;

	(void)state;
	memset(topic, 't', sizeof topic);
	topic[sizeof topic - 1] = 0;
	assert_int_equal(spool_open(&s, dir, 1 << 20), 0);
	assert_int_equal(spool_put(s, &m, &dropped), -EMSGSIZE);
	spool_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_put_comes_back_in_order_and_once, make, clear),
		cmocka_unit_test_setup_teardown(it_goes_on_in_the_next_life, make, clear),
		cmocka_unit_test_setup_teardown(the_oldest_go_and_are_counted, make, clear),
		cmocka_unit_test_setup_teardown(a_damaged_file_ends_there, make, clear),
		cmocka_unit_test_setup_teardown(what_cannot_fit_is_refused, make, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
