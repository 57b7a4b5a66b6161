/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - lines as they arrive on stderr */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static int saved_stderr, pipe_in;
static char line[8192];

static void catch_stderr(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	pipe_in = fds[0];
	fcntl(pipe_in, F_SETFL, O_NONBLOCK);
}

/* What one read gives: a line that needed two writes would come in two parts only by chance, so its end is looked at
 * too. */
static const char *caught(void)
{
	ssize_t n = read(pipe_in, line, sizeof line - 1);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void release_stderr(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_in);
	log_set(LOG_INFO, LOG_TEXT);
}

#define STAMP "2026-01-02T03:04:05.678Z "

static void a_line_has_level_room_device_event_and_fields(void **state)
{
	(void)state;
	catch_stderr();
	log_ev(LOG_INFO, "session", "registered", LF_UINT("lifetime_s", 86400), LF_STR("dev", "meter-17"),
	       LF_STR("none", NULL), LF_INT("delta", -3), LF_BOOL("q", true), LF_CODE("code", 0x45),
	       LF_HEX("token", "\x01\xff", 2));
	assert_string_equal(caught(),
			    STAMP "level=info room=session dev=meter-17 ev=registered lifetime_s=86400 delta=-3 q=true "
				  "code=2.05 token=01ff\n");
	log_ev(LOG_WARNING, "t8", "x");
	assert_string_equal(caught(), STAMP "level=warning room=t8 ev=x\n");
	release_stderr();
}

static void text_of_peers_is_quoted_and_escaped(void **state)
{
	(void)state;
	catch_stderr();
	log_ev(LOG_ERROR, "a", "b", LF_STR("k", "two words"), LF_STR("e", ""), LF_STR("q", "a\"b\\c"),
	       LF_STR("n", "x\ny\x7f"), LF_BYTES("u", "\xc3\xa4\xff\xc0\x80", 5), LF_STR("eq", "a=b"),
	       LF_STR("c1", "\xc2\x9b"));
	assert_string_equal(caught(),
			    STAMP "level=error room=a ev=b k=\"two words\" e=\"\" q=\"a\\\"b\\\\c\" n=\"x\\x0ay\\x7f\" "
				  "u=\"\xc3\xa4\\xff\\xc0\\x80\" eq=\"a=b\" c1=\"\\xc2\\x9b\"\n");
	release_stderr();
}

static void json_lines_are_objects(void **state)
{
	(void)state;
	catch_stderr();
	log_set(LOG_DEBUG, LOG_JSON);
	log_ev(LOG_DEBUG, "a", "b", LF_STR("dev", "d\"1"), LF_UINT("n", 7), LF_BYTES("u", "\xc3\xa4\xff\n", 4),
	       LF_BOOL("t", false), LF_CODE("c", 0x84), LF_HEX("h", "", 0));
	assert_string_equal(
		caught(),
		"{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"debug\",\"room\":\"a\",\"dev\":\"d\\\"1\","
		"\"ev\":\"b\",\"n\":7,\"u\":\"\xc3\xa4\\u00ff\\u000a\",\"t\":false,\"c\":\"4.04\",\"h\":\"\"}\n");
	release_stderr();
}

static void a_level_that_is_off_evaluates_nothing(void **state)
{
	int n = 0;

	(void)state;
	catch_stderr();
	log_set(LOG_NOTICE, LOG_TEXT);
	log_ev(LOG_INFO, "a", "b", LF_INT("n", ++n));
	assert_string_equal(caught(), "");
	assert_int_equal(n, 0);
	release_stderr();
}

static void long_values_and_lines_are_cut_between_characters_and_fields(void **state)
{
	char a[301], u[401];

	(void)state;
	memset(a, 'a', 300);
	a[300] = '\0';
	for (int i = 0; i < 400; i += 2)
		memcpy(u + i, "\xc3\xa4", 2);
	u[400] = '\0';
	catch_stderr();
	log_ev(LOG_INFO, "a", "b", LF_STR("v", a), LF_STR("u", u + 1));
	caught();
	assert_non_null(strstr(line, "aaa...\" u=\"\\xa4\xc3\xa4"));
	assert_non_null(strstr(line, "\xc3\xa4...\"\n"));
	memset(a, '\n', 300);
	log_ev(LOG_INFO, "a", "b", LF_STR("v", a), LF_STR("w", a), LF_STR("x", a), LF_UINT("n", 1));
	caught();
	assert_in_range(strlen(line), 1024, 2048);
	assert_non_null(strstr(line, "\" cut=true\n"));
	assert_null(strstr(line, " w="));
	log_set(LOG_INFO, LOG_JSON);
	log_ev(LOG_INFO, "a", "b", LF_STR("v", a), LF_STR("w", a));
	caught();
	assert_string_equal(line + strlen(line) - 14, "\",\"cut\":true}\n");
	release_stderr();
}

static void the_journal_prefix_stands_only_when_stderr_is_the_journal(void **state)
{
	char value[64];
	struct stat st;

	(void)state;
	catch_stderr();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(value, sizeof value, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", value, 1);
	log_open();
	log_ev(LOG_NOTICE, "main", "ready");
	assert_string_equal(caught(), "<5>level=notice room=main ev=ready\n");
	log_set(LOG_INFO, LOG_JSON);
	log_ev(LOG_ERROR, "main", "ready");
	assert_string_equal(
		caught(),
		"<3>{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"error\",\"room\":\"main\",\"ev\":\"ready\"}\n");
	log_set(LOG_INFO, LOG_TEXT);
	snprintf(value, sizeof value, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
	setenv("JOURNAL_STREAM", value, 1);
	log_open();
	log_ev(LOG_NOTICE, "main", "ready");
	assert_string_equal(caught(), STAMP "level=notice room=main ev=ready\n");
	unsetenv("JOURNAL_STREAM");
	release_stderr();
}

static void a_closed_stderr_harms_nothing_and_its_number_is_not_given_away(void **state)
{
	int fd;

	(void)state;
	catch_stderr();
	close(STDERR_FILENO);
	errno = EAGAIN;
	log_ev(LOG_ERROR, "a", "b");
	assert_int_equal(errno, EAGAIN);
	log_open();
	fd = dup(pipe_in);
	assert_true(fd > STDERR_FILENO);
	close(fd);
	release_stderr();
}

static void a_repeated_fault_is_held_and_counted(void **state)
{
	struct log_limit l = { 0 };
	uint64_t held = 99;

	(void)state;
	assert_true(log_limit(&l, 5, 1000, &held));
	assert_int_equal(held, 0);
	assert_false(log_limit(&l, 6, 1000, &held));
	assert_false(log_limit(&l, 1004, 1000, &held));
	assert_true(log_limit(&l, 1005, 1000, &held));
	assert_int_equal(held, 2);
	assert_true(log_limit(&l, 3000, 1000, &held));
	assert_int_equal(held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_level_room_device_event_and_fields),
		cmocka_unit_test(text_of_peers_is_quoted_and_escaped),
		cmocka_unit_test(json_lines_are_objects),
		cmocka_unit_test(a_level_that_is_off_evaluates_nothing),
		cmocka_unit_test(long_values_and_lines_are_cut_between_characters_and_fields),
		cmocka_unit_test(the_journal_prefix_stands_only_when_stderr_is_the_journal),
		cmocka_unit_test(a_closed_stderr_harms_nothing_and_its_number_is_not_given_away),
		cmocka_unit_test(a_repeated_fault_is_held_and_counted),
	};

	clock_fake(1000, 1767323045678);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
