/* SPDX-License-Identifier: Apache-2.0 */
/* test_jsonl.c - lines are written as a whole or not at all: a full disk, a slow reader of standard output, other
 * people's hands */
#include "scene.h"

#include <poll.h>
#include <sys/resource.h>

#include "host/host.h"

struct ends { /* of one plug-in, held as a process holds it */
	char dir[64], path[128];
	struct niddgw_host *host;
	bool ready, alarm;
	unsigned lost;
	int watched;
};

static void on_frame(void *arg, const uint8_t *data, size_t len)
{
	struct frame f = { data[4], reader_of(data + FRAME_HEAD, len - FRAME_HEAD) };
	struct ends *e = arg;
	struct frame_raise a;
	uint64_t n;

	if (f.kind == FRAME_READY)
		e->ready = true;
	if (f.kind == FRAME_RAISE && !frame_read_raise(&f, &a))
		e->alarm = a.text;
	if (f.kind == FRAME_LOST && !frame_read_lost(&f, &n))
		e->lost += (unsigned)n;
}

static int on_watching(void *arg, int fd, unsigned events)
{
	((struct ends *)arg)->watched = events ? fd : -1;
	return 0;
}

static void on_timing(void *arg, int64_t in_ms)
{
	(void)arg;
	(void)in_ms;
}

static void open_jsonl(struct ends *e, const char *file, const char *rotate_bytes)
{
	const struct host_env env = { on_frame, on_watching, on_timing, e };
	const struct frame_setup s = { "one", "gw", "boot", e->dir, file ? 2 : 1, { 0 } };
	char library[PATH_MAX], why[HOST_WHY_SIZE];
	uint8_t buf[4096];
	struct writer w = writer_of(buf, sizeof buf);
	struct frame f;

	built(library, "plugins/jsonl.so");
	assert_int_equal(host_load(&e->host, library, &env, why), 0);
	assert_true(frame_write_setup(&w, &s));
	assert_true(frame_write_setting(&w, "rotate_bytes", &rotate_bytes, 1));
	if (file)
		assert_true(frame_write_setting(&w, "file", &file, 1));
	frame_end(&w, 0);
	f = (struct frame){ FRAME_SETUP, reader_of(buf + FRAME_HEAD, writer_len(&w) - FRAME_HEAD) };
	assert_int_equal(host_take(e->host, &f), 0);
	assert_true(e->ready);
}

static void send(struct ends *e, const struct report *r)
{
	static uint8_t buf[16384];
	struct writer w = writer_of(buf, sizeof buf);
	struct frame f;

	assert_true(frame_write_record(&w, r));
	f = (struct frame){ FRAME_RECORD, reader_of(buf + FRAME_HEAD, writer_len(&w) - FRAME_HEAD) };
	assert_int_equal(host_take(e->host, &f), 0);
	host_flush(e->host);
}

static void report(struct ends *e, unsigned n)
{
	const struct report r = small_report("meter", n);

	send(e, &r);
}

/* A line above what a pipe takes as a whole. */
static void large_report(struct ends *e, unsigned n)
{
	static uint8_t octets[6000];
	const struct niddgw_value v = {
		.path = { 1 }, .path_len = 1, .type = NIDDGW_OPAQUE, .data = octets, .len = sizeof octets
	};
	struct report r = small_report("meter", n);

	r.values = &v;
	send(e, &r);
}

static char *content(const char *path)
{
	char *text = calloc(1, 1 << 22);
	FILE *f = fopen(path, "r");

	assert_non_null(text);
	if (f) {
		(void)!fread(text, 1, (1 << 22) - 1, f);
		fclose(f);
	}
	return text;
}

/* Nothing but whole lines, as many. */
static void assert_lines(const char *path, size_t n)
{
	char *text = content(path);

	assert_int_equal(count_of(text, "\n"), n);
	assert_int_equal(count_of(text, "{\"v\":1,"), n);
	assert_int_equal(count_of(text, "}]}\n"), n);
	free(text);
}

static int setup(void **state)
{
	struct ends *e = calloc(1, sizeof *e);

	assert_non_null(e);
	strcpy(e->dir, "/tmp/ngw-jsonl-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->path, sizeof e->path, "%s/lines", e->dir);
	e->watched = -1;
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct ends *e = *state;
	char command[128];

	host_close(e->host);
	snprintf(command, sizeof command, "rm -rf %s", e->dir);
	assert_int_equal(system(command), 0);
	free(e);
	return 0;
}

static void a_disk_that_is_full_in_the_middle_of_a_line_keeps_none_of_it(void **state)
{
	struct rlimit before, small;
	struct ends *e = *state;
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	open_jsonl(e, e->path, "0");
	report(e, 1);
	assert_int_equal(stat(e->path, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)st.st_size + 20; /* a file system with 20 octets left */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	report(e, 2);
	report(e, 3);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(e->lost, 2);
	assert_true(e->alarm);
	assert_lines(e->path, 1);
	report(e, 4);
	assert_false(e->alarm);
	assert_int_equal(e->lost, 2);
	assert_lines(e->path, 2);
}

static void a_file_that_cannot_be_opened_is_tried_with_each_line(void **state)
{
	struct ends *e = *state;

	assert_int_equal(mkdir(e->path, 0700), 0);
	open_jsonl(e, e->path, "0");
	report(e, 1);
	assert_int_equal(e->lost, 1);
	assert_true(e->alarm);
	assert_int_equal(rmdir(e->path), 0);
	report(e, 2);
	assert_lines(e->path, 1);
	assert_false(e->alarm);
}

static void rotated_files_hold_whole_lines_below_the_limit(void **state)
{
	struct ends *e = *state;
	char path[160];
	struct stat st;
	size_t n = 0;

	open_jsonl(e, e->path, "1000");
	for (unsigned i = 0; i < 50; i++)
		report(e, i);
	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof path, i ? "%s.%u" : "%s", e->path, i);
		if (stat(path, &st))
			break;
		assert_true(st.st_size <= 1000);
		n++;
	}
	assert_int_equal(n, 6); /* keep is 5 by default, and the one that grows */
	assert_int_equal(e->lost, 0);
}

static void a_reader_of_standard_output_that_is_slow_loses_whole_lines(void **state)
{
	const int out = dup(STDOUT_FILENO);
	static char text[1 << 22];
	struct ends *e = *state;
	size_t total = 0;
	unsigned posted = 0;
	ssize_t n;
	int fds[2];

	assert_true(out >= 0 && !pipe(fds) && dup2(fds[1], STDOUT_FILENO) >= 0);
	open_jsonl(e, NULL, "0");
	while (e->lost < 10)
		large_report(e, posted++);
	assert_true(e->alarm);
	assert_true(e->watched >= 0); /* a line is out in part */
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	while ((n = read(fds[0], text + total, sizeof text - 1 - total)) > 0) {
		total += (size_t)n;
		host_ready(e->host, e->watched, POLLOUT);
	}
	assert_int_equal(e->watched, -1);
	report(e, posted++);
	assert_false(e->alarm);
	n = read(fds[0], text + total, sizeof text - 1 - total);
	assert_true(n > 0);
	total += (size_t)n;
	text[total] = '\0';
	dup2(out, STDOUT_FILENO);
	close(out);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(count_of(text, "\n"), posted - e->lost);
	assert_int_equal(count_of(text, "}]}\n"), posted - e->lost);
	assert_int_equal(count_of(text, "{\"v\":1,"), posted - e->lost);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_disk_that_is_full_in_the_middle_of_a_line_keeps_none_of_it),
		T(a_file_that_cannot_be_opened_is_tried_with_each_line),
		T(rotated_files_hold_whole_lines_below_the_limit),
		T(a_reader_of_standard_output_that_is_slow_loses_whole_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
