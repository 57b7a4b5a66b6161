/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c - segments: what a start makes of every kind of file, and how old ones go; src/store/journal*.c */
#include "journal_scene.h"

#include "store/crc32c.h"

/* Puts n octets in place of the only segment. */
static void replace(struct js *s, const uint8_t *data, size_t n)
{
	char path[256];

	while (find_files(&s->sc, ".damaged", path, sizeof path))
		assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof path, "%s/journal/00000001.seg", s->sc.dir);
	write_file(path, data, n);
}

/* ---- one segment ---- */

enum { PLAIN = RECORD_HEAD + 2 };
static const char three[] = "5:1=aa;6:1=bb;5:1=cc;";

static size_t three_records(struct js *s, uint8_t *image, size_t size)
{
	char path[256];

	js_open(s);
	put(s, 5, "aa");
	put(s, 6, "bb");
	put(s, 5, "cc");
	js_close(s);
	assert_int_equal(find_files(&s->sc, ".seg", path, sizeof path), 1);
	return read_file(path, image, size);
}

static void r5_a_tail_torn_at_any_octet_leaves_the_whole_records(void **state)
{
	struct js s = js_new();
	uint8_t image[512];
	const size_t len = three_records(&s, image, sizeof image);

	(void)state;
	assert_int_equal(len, SEGMENT_HEAD + 3 * PLAIN);
	for (size_t n = SEGMENT_HEAD; n <= len; n++) {
		const size_t whole = (n - SEGMENT_HEAD) / PLAIN;
		char want[sizeof three];

		replace(&s, image, n);
		snprintf(want, sizeof want, "%.*s", (int)(whole * 7), three);
		js_open(&s);
		assert_string_equal(replay(&s), want);
		assert_int_equal(s.note.count, 0); /* a torn tail is nothing to alarm about */
		put(&s, 7, "dd");
		js_again(&s); /* what is appended after it counts, the tail never again */
		assert_int_equal(s.note.count, 0);
		assert_string_equal(replay(&s) + whole * 7, "7:1=dd;");
		js_close(&s);
		snprintf(s.note.text, sizeof s.note.text, "%s/journal/00000002.seg", s.sc.dir);
		assert_int_equal(unlink(s.note.text), 0);
	}
	js_end(&s);
}

static void r5_a_tail_of_zeros_or_noise_leaves_the_whole_records(void **state)
{
	struct js s = js_new();
	uint8_t image[1024];
	const size_t len = three_records(&s, image, sizeof image);

	(void)state;
	for (int what = 0; what < 256; what += 51) {
		memset(image + len, what, sizeof image - len);
		replace(&s, image, sizeof image);
		js_open(&s);
		assert_string_equal(replay(&s), three);
		assert_int_equal(s.note.count, 0);
		js_close(&s);
	}
	js_end(&s);
}

static void r5_a_flipped_bit_at_any_place_costs_only_what_stands_behind_it(void **state)
{
	struct js s = js_new();
	uint8_t image[512];
	const size_t len = three_records(&s, image, sizeof image);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		const size_t before = i < SEGMENT_HEAD ? 0 : (i - SEGMENT_HEAD) / PLAIN;
		char want[sizeof three], path[256];

		image[i] ^= (uint8_t)(1 << i % 8);
		replace(&s, image, len);
		snprintf(want, sizeof want, "%.*s", (int)(before * 7), three);
		js_open(&s);
		assert_string_equal(replay(&s), want);
		js_close(&s);
		/* A record of the sync after the one at fault proves that this one was confirmed; the last has none
		 * behind it. */
		assert_int_equal(s.note.count, i < SEGMENT_HEAD + 2 * PLAIN ? 1 : 0);
		assert_int_equal(find_files(&s.sc, ".damaged", path, sizeof path), s.note.count);
		image[i] ^= (uint8_t)(1 << i % 8);
	}
	js_end(&s);
}

static void r5_any_other_octets_end_a_start_well(void **state)
{
	struct js s = js_new();
	uint8_t image[512];
	const size_t len = three_records(&s, image, sizeof image);

	(void)state;
	for (size_t n = 0; n < SEGMENT_HEAD; n += 7) { /* no head: set aside */
		replace(&s, image, n);
		js_open(&s);
		assert_string_equal(replay(&s), "");
		assert_int_equal(s.note.count, 1);
		put(&s, 9, "xx");
		js_again(&s);
		assert_string_equal(replay(&s), "9:1=xx;");
		js_close(&s);
		snprintf(s.note.text, sizeof s.note.text, "%s/journal/00000002.seg", s.sc.dir);
		assert_int_equal(unlink(s.note.text), 0);
	}
	memset(image, 0, len);
	replace(&s, image, len);
	js_open(&s);
	assert_string_equal(replay(&s), "");
	js_end(&s);
}

static void r5_a_huge_file_is_read_to_a_bound(void **state)
{
	struct js s = js_new();
	uint8_t image[512];
	const size_t len = three_records(&s, image, sizeof image);
	char path[256];

	(void)state;
	(void)len;
	find_files(&s.sc, ".seg", path, sizeof path);
	assert_int_equal(truncate(path, 2147483648), 0); /* sparse */
	js_open(&s);
	assert_string_equal(replay(&s), three);
	js_end(&s);
}

static void r5_a_newer_version_is_refused_and_left_alone(void **state)
{
	struct js s = js_new();
	uint8_t image[512], same[512];
	const size_t len = three_records(&s, image, sizeof image);
	char path[256];

	(void)state;
	image[11]++; /* the version; then the checksum again */
	{
		const uint32_t crc = crc32c(crc32c(0, image, 16), image + 20, SEGMENT_HEAD - 20);
		const uint8_t be[] = { (uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc };

		memcpy(image + 16, be, 4);
	}
	replace(&s, image, len);
	assert_int_equal(js_try(&s, true), -EPROTONOSUPPORT);
	assert_non_null(strstr(s.note.text, "newer version"));
	assert_int_equal(find_files(&s.sc, ".seg", path, sizeof path), 1);
	assert_int_equal(read_file(path, same, sizeof same), len);
	assert_memory_equal(same, image, len);
	js_end(&s);
}

static void strange_names_in_the_directory_are_left_alone(void **state)
{
	struct js s = js_new();
	char path[256];

	(void)state;
	js_open(&s);
	put(&s, 5, "aa");
	js_close(&s);
	for (const char *const *n = (const char *const[]){ "0.seg", "1.seg", "000000001.seg", "x.seg",
							   "99999999999999999999999.seg", "notes", NULL };
	     *n; n++) {
		snprintf(path, sizeof path, "%s/journal/%s", s.sc.dir, *n);
		write_file(path, "x", 1);
	}
	snprintf(path, sizeof path, "%s/journal/00000007.seg", s.sc.dir);
	assert_int_equal(mkdir(path, 0700), 0); /* a directory in the place of a segment */
	snprintf(path, sizeof path, "%s/journal/00000008.seg", s.sc.dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	js_open(&s);
	assert_string_equal(replay(&s), "5:1=aa;");
	assert_int_equal(s.note.count, 2);
	js_end(&s);
}

/* ---- several segments ---- */

static void roll_at(struct js *s, size_t size)
{
	s->ops.segment_size = size;
}

static void a_damaged_middle_is_kept_up_to_the_fault_and_set_aside(void **state)
{
	struct js s = js_new();
	uint8_t image[512];
	char path[256];
	size_t len;

	(void)state;
	roll_at(&s, SEGMENT_HEAD + 2 * PLAIN);
	js_open(&s);
	for (int i = 0; i < 6; i++)
		put(&s, (uint64_t)(10 + i), (char[]){ (char)('a' + i), (char)('a' + i), 0 });
	assert_int_equal(segments(&s), 3);
	js_close(&s);
	snprintf(path, sizeof path, "%s/journal/00000002.seg", s.sc.dir);
	len = read_file(path, image, sizeof image);
	image[SEGMENT_HEAD + PLAIN + 30] ^= 1; /* the second record of the second */
	write_file(path, image, len);
	js_open(&s);
	assert_string_equal(replay(&s), "10:1=aa;11:1=bb;12:1=cc;14:1=ee;15:1=ff;");
	assert_int_equal(s.note.count, 1);
	assert_int_equal(find_files(&s.sc, "00000002.seg.damaged", NULL, 0), 1);
	js_again(&s); /* once more: the same, it is not made worse */
	assert_string_equal(replay(&s), "10:1=aa;11:1=bb;12:1=cc;14:1=ee;15:1=ff;");
	for (uint64_t id = 10; id < 16; id++)
		add_done(&s, id, 0, 0);
	commit(&s);
	clean(&s);
	assert_int_equal(find_files(&s.sc, ".seg", NULL, 0), 1);
	assert_int_equal(find_files(&s.sc, ".damaged", NULL, 0), 1); /* it outlives its use */
	js_end(&s);
}

static void a_middle_cut_at_the_end_of_a_record_is_noticed(void **state)
{
	struct js s = js_new();
	char path[256];

	(void)state;
	roll_at(&s, SEGMENT_HEAD + 2 * PLAIN);
	js_open(&s);
	for (int i = 0; i < 4; i++)
		put(&s, (uint64_t)(10 + i), "xx");
	js_close(&s);
	snprintf(path, sizeof path, "%s/journal/00000001.seg", s.sc.dir);
	assert_int_equal(truncate(path, SEGMENT_HEAD + PLAIN), 0);
	js_open(&s);
	assert_string_equal(replay(&s), "10:1=xx;12:1=xx;13:1=xx;");
	assert_int_equal(s.note.count, 1);
	assert_non_null(strstr(s.note.text, "lacks the last 1"));
	js_end(&s);
}

static void files_set_aside_are_not_kept_without_end(void **state)
{
	struct js s = js_new();

	(void)state;
	js_open(&s);
	js_close(&s);
	for (unsigned i = 1; i < 30; i++) {
		char path[256];

		snprintf(path, sizeof path, "%s/journal/%08u.seg", s.sc.dir, i);
		write_file(path, "noise", 5);
		js_open(&s);
		assert_int_equal(s.note.count, 1);
		js_close(&s);
	}
	assert_int_equal(find_files(&s.sc, ".damaged", NULL, 0), STORE_DAMAGED_MOST);
	js_end(&s);
}

static void segments_go_from_the_oldest_once_nothing_in_them_counts(void **state)
{
	struct js s = js_new();

	(void)state;
	roll_at(&s, SEGMENT_HEAD + 2 * PLAIN);
	s.ops.clean_size = 1 << 20; /* nothing is moved */
	js_open(&s);
	for (int i = 0; i < 10; i++)
		put(&s, (uint64_t)(10 + i), "xx");
	assert_int_equal(segments(&s), 5);
	for (uint64_t id = 12; id < 20; id++) { /* the first segment stays in use */
		add_done(&s, id, 0, 0);
		commit(&s);
	}
	clean(&s);
	assert_true(segments(&s) > 5);
	add_done(&s, 10, 0, 0);
	add_done(&s, 11, 0, 0);
	commit(&s);
	clean(&s);
	assert_int_equal(segments(&s), 1);
	assert_int_equal(find_files(&s.sc, ".seg", NULL, 0), 1);
	js_again(&s);
	assert_string_equal(replay(&s), "");
	js_end(&s);
}

static void a_done_entry_holds_its_segments_until_its_time(void **state)
{
	struct js s = js_new();
	const uint64_t now = store_boot_ms();

	(void)state;
	roll_at(&s, SEGMENT_HEAD + 1);
	js_open(&s);
	put(&s, 10, "xx");
	add_done(&s, 10, 100000, now + 100000);
	commit(&s);
	put(&s, 11, "yy");
	assert_false(journal_clean(s.j, now + 99999));
	assert_true(journal_clean_due(s.j) == now + 100000);
	js_again(&s);
	assert_string_equal(replay(&s), "10:1=xx;10:9!=;11:1=yy;");
	assert_true(journal_clean_due(s.j) <= now + 100000);
	while (journal_clean(s.j, now + 100001))
		;
	assert_int_equal(segments(&s), 1);
	js_again(&s);
	assert_string_equal(replay(&s), "11:1=yy;");
	js_end(&s);
}

static void what_is_kept_ends_by_wall_time_over_a_reboot(void **state)
{
	struct js s = js_new();
	uint8_t image[512];
	char path[256];
	size_t len;

	(void)state;
	js_open(&s);
	add(&s, 10, "xx");
	add_done(&s, 10, 60000, store_boot_ms() + 60000);
	commit(&s);
	js_close(&s);
	find_files(&s.sc, ".seg", path, sizeof path);
	len = read_file(path, image, sizeof image);
	for (int i = 0; i < 3; i++) {
		struct segment_head h;
		struct record r[2];
		uint8_t other[512];
		size_t at = SEGMENT_HEAD;

		assert_int_equal(segment_head_read(&h, image, len), 0);
		h.boot_id[0] ^= 1; /* of another boot */
		segment_head_write(other, &h);
		for (int k = 0; k < 2; k++) {
			const long n = record_read(&r[k], h.salt, image + at, len - at);

			assert_true(n > 0);
			/* stored just now; 61 s ago; in a future that an untrusted clock does not know yet */
			r[k].wall_ms = r[k].wall_ms + (i == 2 ? 900000 : 0) - (i == 1 ? 61000 : 0);
			record_write(other + at, &r[k]);
			record_seal(other + at, h.salt, r[k].commit);
			at += (size_t)n;
		}
		write_file(path, other, len);
		assert_int_equal(js_try(&s, i != 2), 0);
		assert_string_equal(replay(&s), i == 1 ? "" : "10:1=xx;10:9!=;");
		assert_false(journal_same_boot(s.j));
		js_close(&s);
	}
	js_end(&s);
}

static void open_entries_move_when_the_rest_is_dead(void **state)
{
	struct js s = js_new();
	char text[201];

	(void)state;
	roll_at(&s, 4096);
	s.ops.clean_size = 16384;
	memset(text, 'x', 200);
	text[200] = 0;
	js_open(&s);
	put(&s, 1, "first");
	put(&s, 2, "second");
	for (uint64_t id = 10; id < 400; id++) {
		add(&s, id, text);
		add_done(&s, id, 0, 0);
		commit(&s);
		if (id == 200)
			put(&s, 1, "third");
		clean(&s);
	}
	assert_true(segments(&s) < 8);
	assert_true(find_files(&s.sc, ".seg", NULL, 0) < 8);
	put(&s, 2, "fourth");
	js_again(&s);
	assert_string_equal(replay(&s), "1:1=first;2:1=second;1:1=third;2:1=fourth;");
	add_done(&s, 1, 0, 0);
	add_done(&s, 2, 0, 0);
	commit(&s);
	put(&s, 3, "x");
	js_again(&s);
	assert_string_equal(replay(&s), "3:1=x;");
	js_end(&s);
}

static void a_large_segment_moves_in_steps_and_the_rest_goes_on(void **state)
{
	static char text[100001];
	struct js s = js_new();
	char path[256], copy[256];
	unsigned steps = 0;

	(void)state;
	roll_at(&s, 3 << 20);
	s.ops.clean_size = 4 << 20;
	memset(text, 'x', sizeof text - 1);
	js_open(&s);
	for (uint64_t id = 1; id <= 30; id++)
		put(&s, id, text); /* the first segment */
	for (uint64_t id = 100; id < 180; id++) {
		add(&s, id, text);
		add_done(&s, id, 0, 0);
		commit(&s);
	}
	for (uint64_t id = 5; id <= 15; id++)
		add_done(&s, id, 0, 0);
	commit(&s);
	put(&s, 2, "more");
	snprintf(path, sizeof path, "%s/journal/00000001.seg", s.sc.dir);
	snprintf(copy, sizeof copy, "%s/journal/copy", s.sc.dir);
	assert_int_equal(link(path, copy), 0);
	while (access(path, F_OK) == 0 && journal_clean(s.j, store_boot_ms())) {
		add_done(&s, 20 + steps++, 0, 0); /* units go on meanwhile */
		put(&s, 3, "still");
		if (steps == 2) { /* killed here, nothing is there twice */
			js_again(&s);
			assert_int_equal(strncmp(replay(&s), "1:1=xxx", 7), 0);
			assert_int_equal(s.j->entries.count, 30 - 11 - 2);
		}
	}
	assert_true(steps >= 3);
	assert_int_equal(link(copy, path), 0); /* the original comes back from the dead: still nothing is there twice */
	js_again(&s);
	assert_int_equal(s.j->entries.count, 30 - 11 - steps);
	{
		struct found *f = s.j->found;
		size_t n = 0;

		for (size_t i = 0; i < s.j->found_n; i++)
			n += f[i].counts;
		assert_int_equal(n, 30 - 11 - steps + 1 + steps); /* and the later records of 2 and 3 */
	}
	js_end(&s);
}

static void live_entries_are_not_moved_to_no_end(void **state)
{
	struct js s = js_new();
	char text[201];

	(void)state;
	roll_at(&s, 4096);
	s.ops.clean_size = 8192;
	memset(text, 'x', 200);
	text[200] = 0;
	js_open(&s);
	for (uint64_t id = 1; id < 200; id++)
		put(&s, id, text);
	assert_false(journal_clean(s.j, store_boot_ms()));
	js_end(&s);
}

static void many_small_segments_of_restarts_are_gathered(void **state)
{
	struct js s = js_new();

	(void)state;
	js_open(&s);
	for (int i = 0; i < 150; i++) {
		put(&s, (uint64_t)i + 1, "x");
		js_again(&s);
		clean(&s);
	}
	assert_true(segments(&s) <= SEGMENTS_MANY + 1);
	assert_int_equal(s.j->entries.count, 150);
	js_end(&s);
}

/* Each life takes room for a whole segment ahead; a loop of crashes must not fill the disk with that. */
static void room_that_a_killed_life_took_ahead_is_given_back(void **state)
{
	struct js s = js_new();
	char path[256];
	struct stat st;
	int fd;

	(void)state;
	js_open(&s);
	put(&s, 5, "aa");
	js_close(&s);
	assert_int_equal(find_files(&s.sc, ".seg", path, sizeof path), 1);
	fd = open(path, O_WRONLY);
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SEGMENT_MOST))
		skip();
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks * 512 >= SEGMENT_MOST);
	js_open(&s);
	assert_string_equal(replay(&s), "5:1=aa;");
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks * 512 < SEGMENT_MOST / 16);
	close(fd);
	js_end(&s);
}

static void a_segment_that_cannot_be_read_any_more_is_given_up_loudly(void **state)
{
	struct js s = js_new();
	char path[256], text[201];

	(void)state;
	roll_at(&s, 4096);
	s.ops.clean_size = 8192;
	memset(text, 'x', 200);
	text[200] = 0;
	js_open(&s);
	put(&s, 1, "first");
	for (uint64_t id = 10; id < 100; id++) {
		add(&s, id, text);
		add_done(&s, id, 0, 0);
		commit(&s);
	}
	snprintf(path, sizeof path, "%s/journal/00000001.seg", s.sc.dir);
	assert_int_equal(truncate(path, SEGMENT_HEAD + 10), 0);
	clean(&s);
	assert_int_equal(journal_note(s.j)->count, 1);
	assert_int_equal(find_files(&s.sc, "1.seg.damaged", NULL, 0), 1);
	assert_true(segments(&s) <= 2);
	js_end(&s);
}

static void entries_are_counted_right_after_a_start(void **state)
{
	struct js s = js_new();
	size_t live;

	(void)state;
	roll_at(&s, SEGMENT_HEAD + PLAIN);
	js_open(&s);
	for (uint64_t i = 0; i < 6; i++)
		put(&s, 10 + i % 3, "xx");
	add_done(&s, 11, 0, 0);
	commit(&s);
	live = s.j->live;
	assert_int_equal(live, 4 * PLAIN);
	js_again(&s);
	assert_int_equal(s.j->live, live);
	assert_int_equal(s.j->entries.count, 2);
	js_end(&s);
}

/* ---- failing writes ---- */

struct fault {
	int sync_left; /* syncs that go well before one fails; -1: all do */
	int sync_errno, syncs_failing;
	int write_errno;
	long write_room; /* octets that are taken before write_errno */
};

static ssize_t faulty_write(void *arg, int fd, const void *data, size_t len, off_t at)
{
	struct fault *f = arg;

	if (f->write_errno && f->write_room <= 0) {
		errno = f->write_errno;
		return -1;
	}
	if (f->write_errno && (long)len > f->write_room)
		len = (size_t)f->write_room;
	if (f->write_errno)
		f->write_room -= (long)len;
	return pwrite(fd, data, len, at);
}

static int faulty_sync(void *arg, int fd)
{
	struct fault *f = arg;

	if (f->syncs_failing && f->sync_left-- <= 0) {
		f->syncs_failing--;
		errno = f->sync_errno;
		return -1;
	}
	return no_sync(arg, fd);
}

static struct js js_faulty(struct fault *f)
{
	struct js s = js_new();

	s.ops = (struct store_ops){ .write = faulty_write, .sync = faulty_sync, .arg = f };
	return s;
}

static void after_a_failed_sync_the_records_go_to_a_new_segment(void **state)
{
	struct fault f = { .sync_errno = EIO };
	struct js s = js_faulty(&f);

	(void)state;
	js_open(&s);
	put(&s, 1, "aa");
	f.syncs_failing = 1;
	f.sync_left = 0;
	put(&s, 2, "bb");
	put(&s, 3, "cc");
	assert_int_equal(segments(&s), 2);
	js_again(&s);
	assert_string_equal(replay(&s), "1:1=aa;2:1=bb;3:1=cc;");
	assert_int_equal(s.note.count, 0);
	js_end(&s);
}

static void what_failed_twice_never_comes_back(void **state)
{
	struct fault f = { .sync_errno = EIO };
	struct js s = js_faulty(&f);

	(void)state;
	js_open(&s);
	put(&s, 1, "aa");
	f.syncs_failing = 2;
	add(&s, 2, "bb");
	assert_int_equal(journal_commit(s.j, 0), -EIO);
	put(&s, 3, "cc");
	js_again(&s);
	assert_string_equal(replay(&s), "1:1=aa;3:1=cc;");
	assert_int_equal(s.note.count, 0);
	js_end(&s);
}

/* As above, but the disk keeps what it said it had not and did not let itself be cut. */
static void even_if_it_is_still_there_on_the_disk(void **state)
{
	struct fault f = { .sync_errno = EIO };
	struct js s = js_faulty(&f);
	uint8_t image[512];
	char path[256];
	size_t len;

	(void)state;
	js_open(&s);
	put(&s, 1, "aa");
	put(&s, 2, "bb");
	find_files(&s.sc, ".seg", path, sizeof path);
	len = read_file(path, image, sizeof image);
	js_close(&s);
	assert_int_equal(truncate(path, (off_t)(len - PLAIN)), 0); /* as if bb had failed */
	js_open(&s);
	put(&s, 3, "cc");
	js_close(&s);
	write_file(path, image, len);
	js_open(&s);
	assert_string_equal(replay(&s), "1:1=aa;3:1=cc;");
	js_end(&s);
}

static void a_full_disk_costs_only_what_did_not_fit(void **state)
{
	struct fault f = { 0 };
	struct js s = js_faulty(&f);

	(void)state;
	js_open(&s);
	put(&s, 1, "aa");
	for (long room = 0; room < PLAIN; room += 5) {
		f.write_errno = ENOSPC;
		f.write_room = room;
		add(&s, 2, "bb");
		assert_int_equal(journal_commit(s.j, 0), -ENOSPC);
	}
	f.write_errno = 0;
	put(&s, 3, "cc");
	assert_int_equal(segments(&s), 1);
	js_again(&s);
	assert_string_equal(replay(&s), "1:1=aa;3:1=cc;");
	js_end(&s);
}

static void a_directory_that_is_gone_is_made_again(void **state)
{
	struct js s = js_new();
	char path[256];

	(void)state;
	js_open(&s);
	put(&s, 1, "aa");
	snprintf(path, sizeof path, "%s/journal", s.sc.dir);
	remove_tree(path);
	put(&s, 2, "bb"); /* not to the file that nobody would find */
	assert_int_equal(journal_note(s.j)->count, 1);
	js_again(&s);
	assert_string_equal(replay(&s), "2:1=bb;");
	js_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r5_a_tail_torn_at_any_octet_leaves_the_whole_records),
		cmocka_unit_test(r5_a_tail_of_zeros_or_noise_leaves_the_whole_records),
		cmocka_unit_test(r5_a_flipped_bit_at_any_place_costs_only_what_stands_behind_it),
		cmocka_unit_test(r5_any_other_octets_end_a_start_well),
		cmocka_unit_test(r5_a_huge_file_is_read_to_a_bound),
		cmocka_unit_test(r5_a_newer_version_is_refused_and_left_alone),
		cmocka_unit_test(strange_names_in_the_directory_are_left_alone),
		cmocka_unit_test(a_damaged_middle_is_kept_up_to_the_fault_and_set_aside),
		cmocka_unit_test(a_middle_cut_at_the_end_of_a_record_is_noticed),
		cmocka_unit_test(files_set_aside_are_not_kept_without_end),
		cmocka_unit_test(segments_go_from_the_oldest_once_nothing_in_them_counts),
		cmocka_unit_test(a_done_entry_holds_its_segments_until_its_time),
		cmocka_unit_test(what_is_kept_ends_by_wall_time_over_a_reboot),
		cmocka_unit_test(open_entries_move_when_the_rest_is_dead),
		cmocka_unit_test(a_large_segment_moves_in_steps_and_the_rest_goes_on),
		cmocka_unit_test(live_entries_are_not_moved_to_no_end),
		cmocka_unit_test(many_small_segments_of_restarts_are_gathered),
		cmocka_unit_test(room_that_a_killed_life_took_ahead_is_given_back),
		cmocka_unit_test(a_segment_that_cannot_be_read_any_more_is_given_up_loudly),
		cmocka_unit_test(entries_are_counted_right_after_a_start),
		cmocka_unit_test(after_a_failed_sync_the_records_go_to_a_new_segment),
		cmocka_unit_test(what_failed_twice_never_comes_back),
		cmocka_unit_test(even_if_it_is_still_there_on_the_disk),
		cmocka_unit_test(a_full_disk_costs_only_what_did_not_fit),
		cmocka_unit_test(a_directory_that_is_gone_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
