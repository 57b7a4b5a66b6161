/* SPDX-License-Identifier: Apache-2.0 */
/* test_life.c - plug-ins that fall over, hang, reach for what is not theirs, or cannot be loaded (S41, S42, lwm2m 47)
 */
#include "scene.h"

#include "plugin/parts.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define BAD(what) "{ name = \"one\"; plugin = \"bad\"; what = \"" what "\"; }"

/* ---- down and up again ---- */

static bool has_ended(struct scene *s, const char *arg)
{
	return is_in(s, arg) && !look(s, "one").st.pid;
}

static void a_crash_raises_one_alarm_and_restarts_wait_twice_as_long_each_time(void **state)
{
	static const unsigned delays_ms[] = { 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct scene *s = *state;
	char text[4096];

	configure(s, BAD("crash"));
	for (size_t i = 0; i < sizeof delays_ms / sizeof *delays_ms; i++) {
		until(s, has_ended, "one down");
		assert_non_null(strstr(alarms_now(s, text), "[plugin.down:one x1 not running: ended by signal 11"));
		assert_int_equal(alarms_count(s->alarms), 1);
		assert_int_equal(look(s, "one").st.restarts, i);
		advance(s, delays_ms[i] - 1);
		assert_true(is_in(s, "one down"));
		advance(s, 1);
		assert_false(is_in(s, "one down"));
	}
	assert_true(metric(s, "plugin_restarts_total{plugin=\"one\"}") == 9);
}

static void the_alarm_is_cleared_once_when_it_has_been_up_for_a_while(void **state)
{
	struct scene *s = *state;
	pid_t pid;

	capture_log(s);
	configure(s, "{ name = \"one\"; plugin = \"good\"; file = \"out\"; }");
	until(s, is_in, "one running");
	pid = look(s, "one").st.pid;
	assert_int_equal(kill(pid, SIGKILL), 0);
	until(s, has_ended, "one down");
	assert_int_equal(alarms_count(s->alarms), 1);
	assert_true(plugins_want(s->plugins, PLUGINS_RECORD)); /* it will be back */
	post(s, "meter", 5);
	advance(s, 500);
	until(s, is_in, "one running");
	assert_int_not_equal(look(s, "one").st.pid, pid);
	until(s, is_written, "record 00000000000000000000000005"); /* nothing was lost meanwhile */
	assert_int_equal(alarms_count(s->alarms), 1);
	advance(s, 2000);
	assert_int_equal(alarms_count(s->alarms), 0);
	release_log();
	assert_true(is_logged(s, "ev=alarm.raised type=plugin.down source=one"));
	assert_true(is_logged(s, "ev=alarm.cleared type=plugin.down source=one"));
}

/* Its end is known before its socket was read to the end: nothing but it may be ended for that. */
static void one_that_is_reaped_before_its_last_words_are_read_ends_nobody_else(void **state)
{
	struct scene *s = *state;
	siginfo_t info;
	pid_t pid;

	configure(s, "{ name = \"one\"; plugin = \"good\"; file = \"out\"; }");
	until(s, is_in, "one running");
	pid = look(s, "one").st.pid;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	instance_reap(s->plugins->instances);
	assert_true(has_ended(s, "one down"));
	assert_true(strstr(look(s, "one").reason, "ended by signal 9"));
}

static void who_has_been_up_for_a_minute_begins_anew(void **state)
{
	struct scene *s = *state;

	configure(s, "{ name = \"one\"; plugin = \"good\"; file = \"out\"; }");
	for (int i = 0; i < 3; i++) {
		until(s, is_in, "one running");
		assert_int_equal(kill(look(s, "one").st.pid, SIGKILL), 0);
		until(s, has_ended, "one down");
		advance(s, 500u << i);
	}
	until(s, is_in, "one running");
	for (int i = 0; i < 31; i++) { /* it has to answer between the beats */
		const unsigned n = (unsigned)i + 100;
		char line[64];

		advance(s, 2000);
		post(s, "meter", n);
		snprintf(line, sizeof line, "record %026u", n);
		until(s, is_written, line);
		passes(s, 3);
	}
	assert_int_equal(kill(look(s, "one").st.pid, SIGKILL), 0);
	until(s, has_ended, "one down");
	advance(s, 499);
	assert_true(is_in(s, "one down"));
	advance(s, 1);
	until(s, is_in, "one running");
}

static bool beats_until_down(struct scene *s, const char *arg)
{
	passes(s, 20); /* a healthy one would answer */
	if (!has_ended(s, arg))
		advance(s, 2000);
	return has_ended(s, arg);
}

static void hangs(struct scene *s, const char *conf)
{
	char text[4096];

	configure(s, conf);
	until(s, is_in, "one running");
	until(s, beats_until_down, "one down");
	assert_non_null(strstr(alarms_now(s, text),
			       "[plugin.down:one x1 not running: does not answer: a call of it does not return]"));
}

static void s41_an_endless_loop_is_ended(void **state)
{
	hangs(*state, BAD("loop"));
}

static void s41_lwm2m_47_a_sleep_of_thirty_seconds_is_ended(void **state)
{
	hangs(*state, BAD("sleep"));
}

static bool reason_is(struct scene *s, const char *arg)
{
	return strstr(look(s, "one").reason, arg);
}

static void s41_octets_that_are_no_frames_end_it(void **state)
{
	struct scene *s = *state;

	configure(s, BAD("garbage"));
	until(s, has_ended, "one down");
	assert_true(reason_is(s, "said what no host says"));
	configure(s, BAD("beyond"));
	until(s, reason_is, "said what no host says (frame of kind 68)");
	until(s, has_ended, "one down");
}

static void its_last_words_and_its_status_are_kept(void **state)
{
	struct scene *s = *state;

	capture_log(s);
	configure(s, BAD("quit"));
	until(s, has_ended, "one down");
	release_log();
	assert_true(reason_is(s, "ended with status 3"));
	assert_true(is_logged(s, "ev=plugin.stderr plugin=one text=\"so \\x1b[31mlong\""));
}

/* ---- what it may not do ---- */

static void does(struct scene *s, const char *conf, const char *const *lines)
{
	capture_log(s);
	configure(s, conf);
	for (; *lines; lines++)
		until(s, is_logged, *lines);
	release_log();
	assert_true(is_in(s, "one running")); /* what was refused has not ended it */
}

static void s41_other_programs_are_refused(void **state)
{
	does(*state, BAD("programs"),
	     (const char *const[]){ "execve: Operation not permitted", "fork: Operation not permitted",
				    "system: Operation not permitted", NULL });
}

static void s41_other_processes_are_out_of_reach(void **state)
{
	does(
		*state, BAD("processes"), (const char *const[]) {
			"kill: Operation not permitted", "ptrace: Operation not permitted",
				"prlimit: Operation not permitted", "pdeathsig: Operation not permitted",
#if !defined(__SANITIZE_ADDRESS__)
				"mem: Permission denied",
#endif
				"io_uring: Operation not permitted", "setsid: Operation not permitted", NULL
		});
}

static void s41_sockets_are_refused_without_the_right(void **state)
{
	does(*state, BAD("sockets"),
	     (const char *const[]){ "inet: Operation not permitted", "unix: Operation not permitted",
				    "packet: Operation not permitted", NULL });
}

static void descriptors_end_at_their_limit(void **state)
{
	does(*state, BAD("leak"), (const char *const[]){ "open: Too many open files", NULL });
}

static void s41_memory_ends_at_its_limit(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)state;
	skip(); /* it has bounds of its own */
#else
	does(*state, BAD("bomb"), (const char *const[]){ "malloc: Cannot allocate memory", NULL });
#endif
}

static void with_the_right_names_and_connections_work(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof addr;
	char conf[256], got[8] = "";
	int peer;

	assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)&addr, len) && !listen(fd, 1));
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(conf, sizeof conf, "{ name = \"one\"; plugin = \"network\"; host = \"localhost\"; port = \"%u\"; }",
		 ntohs(addr.sin_port));
	does(*state, conf,
	     (const char *const[]){ "getaddrinfo: done", "connect: done", "unix: Operation not permitted", NULL });
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0 && read(peer, got, sizeof got - 1) == 5);
	assert_string_equal(got, "hello");
	close(peer);
	close(fd);
}

static bool is_flooding(struct scene *s, const char *arg)
{
	(void)arg;
	return s->commands >= PLUGINS_COMMANDS_MOST;
}

static void s41_a_flood_costs_a_bounded_amount(void **state)
{
	struct scene *s = *state;
	char *text;

	capture_log(s);
	configure(s, BAD("flood"));
	until(s, is_flooding, "flood");
	passes(s, 200); /* the second does not pass: it is not listened to any more */
	assert_int_equal(s->commands, PLUGINS_COMMANDS_MOST);
	for (int second = 0; second < 3; second++) {
		advance(s, 1000);
		passes(s, 200);
	}
	release_log();
	text = read_file(s, "log");
	assert_true(count_of(text, "plugin=one text=") > 50);
	assert_true(count_of(text, "plugin=one text=") <=
		    4 * 50); /* lines of a second that reach the log, four seconds */
	assert_true(count_of(text, "ev=plugin.lines_held") <= 4);
	free(text);
	assert_true(is_in(s, "one running"));
}

/* ---- refused ---- */

static void is_refused(struct scene *s, const char *conf, const char *why)
{
	struct conf *c = NULL;
	char text[4096], *faults = faults_of(s, conf);

	assert_non_null(strstr(faults, "plugins[0].plugin: the plug-in is refused: "));
	if (!strstr(faults, why))
		fail_msg("%s does not say %s", faults, why);
	free(faults);
	/* a daemon that runs goes on without it, as one that is not strict is started */
	describer_free(s->describer);
	assert_int_equal(describer_new(&s->describer, s->bin, false), 0);
	assert_int_equal(load(s, &c, conf, stderr), 0);
	assert_int_equal(plugins_configure(s->plugins, &((struct scene_root *)conf_root(c))->plugins), 0);
	conf_free(s->conf);
	s->conf = c;
	until(s, is_in, "one refused");
	until(s, has_ended, "one refused");
	assert_non_null(strstr(alarms_now(s, text), "[plugin.down:one x1 refused: "));
	assert_non_null(strstr(text, why));
	assert_false(plugins_want(s->plugins, PLUGINS_RECORD)); /* nothing is kept for it */
	advance(s, 59999);
	assert_int_equal(look(s, "one").st.restarts, 0);
	advance(s, 1);
	until(s, has_ended, "one refused");
	assert_int_equal(look(s, "one").st.restarts, 1); /* it may have been repaired */
}

#define ONE(library) "{ name = \"one\"; plugin = \"" library "\"; }"

static void s42_another_abi_is_refused_with_both_numbers(void **state)
{
	is_refused(*state, ONE("newer"), "it is built for plug-in ABI 2, this gateway has 1");
}

static void s42_a_library_without_the_symbol_is_refused(void **state)
{
	is_refused(*state, ONE("nosymbol"), "it has no symbol niddgw_plugin");
}

static void a_library_that_falls_over_while_it_is_loaded_is_refused(void **state)
{
	struct scene *s = *state;
	char *faults = faults_of(s, ONE("early"));

	assert_non_null(strstr(faults, "its process ended, or did not end in time, while it was loaded"));
	free(faults);
}

static void a_table_of_options_that_cannot_be_is_refused(void **state)
{
	char *faults = faults_of(*state, ONE("badtable"));

	assert_non_null(strstr(faults, "its option \"isolation\" cannot be a key, or there is one already"));
	free(faults);
}

static void s42_names_are_no_paths(void **state)
{
	static const char *const names[] = { "../good", "sub/good", ".hidden", "a..b", "" };
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char conf[128], *faults;

		snprintf(conf, sizeof conf, "{ name = \"one\"; plugin = \"%s\"; }", names[i]);
		if (!*names[i])
			continue;
		faults = faults_of(s, conf);
		assert_non_null(strstr(faults, "is not the name of a plug-in"));
		free(faults);
	}
	is_refused(s, ONE("absent"), "there is no absent.so in ");
}

/* plugins/ of the test's own, with a copy of one library in it. */
static void copy_library(const struct scene *s, const char *name, char path[PATH_MAX])
{
	char from[PATH_MAX], command[3 * PATH_MAX];

	snprintf(path, PATH_MAX, "%.100s/plugins", s->bin);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	built(from, "tests/plugins");
	snprintf(path, PATH_MAX, "%.100s/plugins/%s.so", s->bin, name);
	snprintf(command, sizeof command, "cp %s/%s.so %s", from, name, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static void s42_a_file_that_others_can_write_is_refused(void **state)
{
	struct scene *s = *state;
	char path[PATH_MAX];

	copy_library(s, "good", path);
	assert_int_equal(chmod(path, 0646), 0);
	is_refused(s, ONE("good"), "can be written by others (mode 0646)");
}

static void s42_a_file_of_somebody_else_is_refused(void **state)
{
	struct scene *s = *state;
	char path[PATH_MAX];

	if (geteuid() != 0)
		skip();
	copy_library(s, "good", path);
	assert_int_equal(chown(path, 65534, 65534), 0);
	is_refused(s, ONE("good"), "belongs to user 65534, neither to root nor to the user of the daemon");
}

static void s42_a_directory_that_others_can_write_is_refused(void **state)
{
	struct scene *s = *state;
	char path[PATH_MAX];

	copy_library(s, "good", path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(chmod(path, 0757), 0);
	is_refused(s, ONE("good"), "can be written by others (mode 0757)");
}

static void a_library_that_was_repaired_runs_without_a_restart_of_the_daemon(void **state)
{
	struct scene *s = *state;
	char path[PATH_MAX];

	copy_library(s, "older", path);
	assert_int_equal(chmod(path, 0646), 0);
	is_refused(s, ONE("older"), "can be written by others");
	assert_int_equal(chmod(path, 0644), 0);
	advance(s, 60000);
	until(s, is_in, "one running");
}

static void one_that_refuses_to_open_is_tried_again(void **state)
{
	struct scene *s = *state;

	configure(s, ONE("refusing"));
	until(s, has_ended, "one down");
	assert_true(reason_is(s, "its open() failed: No such device or address: not today"));
	advance(s, 500);
	until(s, has_ended, "one down");
	assert_int_equal(look(s, "one").st.restarts, 1);
}

static void an_older_plugin_goes_on_working(void **state)
{
	struct scene *s = *state;

	capture_log(s);
	configure(s, ONE("older"));
	until(s, is_logged, "ev=older.open");
	post(s, "meter", 1);
	until(s, is_logged, "ev=older.record plugin=one text=00000000000000000000000001");
	plugins_post_stats(s->plugins,
			   &(struct niddgw_stats){ 0, "{}" }); /* what stands behind its struct is no call */
	post(s, "meter", 2);
	until(s, is_logged, "text=00000000000000000000000002");
	release_log();
	assert_true(is_in(s, "one running"));
}

/* ---- configurations ---- */

static void keys_are_checked_by_the_table_of_the_library(void **state)
{
	static const struct {
		const char *keys, *fault;
	} cases[] = {
		{ "fil = \"x\";", "plugins[0].fil: unknown key; did you mean \"file\"?" },
		{ "", "plugins[0].file: required and missing" },
		{ "file = \"x\"; number = 6;", "plugins[0].number: 6 is above the greatest value 5" },
		{ "file = \"x\"; number = -6;", "plugins[0].number: -6 is below the least value -5" },
		{ "file = \"x\"; number = \"1\";",
		  "plugins[0].number: wrong type: an integer is expected, not a text" },
		{ "file = \"x\"; word = \"three\";", "plugins[0].word: \"three\" is not one of \"one\", \"two\"" },
		{ "file = \"x\"; flag = 1;", "plugins[0].flag: wrong type: true or false is expected" },
		{ "file = \"x\"; list = \"a\";", "plugins[0].list: wrong type: an array [ .. ] of texts is expected" },
		{ "file = \"x\"; url = \"http://x\";", "plugins[0].url: \"http://x\" is no tcp://HOST[:PORT]" },
		{ "file = \"x\"; url = \"tcp:x\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tcp://\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tcp://:1\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://a b:1\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://u@a:1\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://a:0\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://a:65536\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://a:1x\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://[::1\";", "plugins[0].url: " },
		{ "file = \"x\"; url = \"tls://[]:1\";", "plugins[0].url: " },
		{ "file = \"x\"; secret = \"hush\";", "plugins[0].secret: a secret is named by its file" },
		{ "file = \"x\"; secret = \"file:gone\";", "plugins[0].secret: " },
		{ "file = \"x\"; isolation = \"thread\";", "plugins[0].isolation: \"thread\" is not one of" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char conf[256], *faults;

		snprintf(conf, sizeof conf, "{ name = \"good\"; %s }", cases[i].keys);
		faults = faults_of(s, conf);
		if (!strstr(faults, cases[i].fault) || !strstr(faults, "/niddgw.conf:1: "))
			fail_msg("%s does not say %s", faults, cases[i].fault);
		free(faults);
	}
}

static void a_reload_touches_only_what_has_changed(void **state)
{
	struct scene *s = *state;
	pid_t one, two;
	char *text;

	configure(s,
		  "{ name = \"one\"; plugin = \"good\"; file = \"out\"; }, { name = \"two\"; plugin = \"good\"; file = "
		  "\"out2\"; }");
	until(s, is_in, "one running");
	until(s, is_in, "two running");
	one = look(s, "one").st.pid;
	two = look(s, "two").st.pid;
	post(s, "meter", 1);
	configure(
		s,
		"{ name = \"two\"; plugin = \"good\"; file = \"out2\"; }, { name = \"one\"; plugin = \"good\"; file = "
		"\"out\"; word = \"two\"; commands = [\"x\"]; }, { name = \"three\"; plugin = \"older\"; }");
	assert_int_equal(look(s, "two").st.pid, two);
	until(s, is_in, "three running");
	until(s, is_written, "open one gw7 two");
	until(s, is_in, "one running");
	assert_int_not_equal(look(s, "one").st.pid, one);
	text = read_file(s, "out"); /* it had what was posted before, and was closed in order */
	assert_true(strstr(text, "record ") < strstr(text, "close\n") &&
		    strstr(text, "close\n") < strstr(text, "open one gw7 two"));
	free(text);
	configure(s, "{ name = \"one\"; plugin = \"good\"; file = \"out\"; word = \"two\"; commands = [\"x\"]; }");
	assert_false(look(s, "two").there);
	for (int i = 0; i < 20000 && plugins_running(s->plugins) > 1; i++)
		passes(s, 1);
	assert_int_equal(plugins_running(s->plugins), 1);
	assert_true(metric(s, "plugin_up{plugin=\"two\"}") == -1);
	assert_int_equal(kill(two, 0), -1); /* reaped */
	assert_int_equal(alarms_count(s->alarms), 0);
	assert_int_equal(plugins_restart(s->plugins, "two"), -ENOENT);
	one = look(s, "one").st.pid;
	assert_int_equal(plugins_restart(s->plugins, "one"), 0);
	for (int i = 0; i < 20000 && (look(s, "one").st.pid == one || !is_in(s, "one running")); i++)
		passes(s, 1);
	assert_true(is_in(s, "one running"));
}

static void a_stop_lets_it_finish_what_waits(void **state)
{
	struct scene *s = *state;
	char *text;

	configure(s, "{ name = \"one\"; plugin = \"good\"; file = \"out\"; }");
	until(s, is_in, "one running");
	for (unsigned i = 0; i < 1000; i++)
		post(s, "meter", i);
	plugins_stop(s->plugins);
	until(s, is_in, "one stopped");
	assert_int_equal(plugins_running(s->plugins), 0);
	text = read_file(s, "out");
	assert_int_equal(count_of(text, "record "), 1000);
	assert_int_equal(count_of(text, "close\n"), 1);
	free(text);
}

static void one_that_does_not_stop_is_ended(void **state)
{
	struct scene *s = *state;

	configure(s, BAD("loop"));
	until(s, is_in, "one running");
	passes(s, 100);
	plugins_stop(s->plugins);
	passes(s, 20);
	advance(s, 3000);
	until(s, is_in, "one stopped");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		T(a_crash_raises_one_alarm_and_restarts_wait_twice_as_long_each_time),
		T(the_alarm_is_cleared_once_when_it_has_been_up_for_a_while),
		T(one_that_is_reaped_before_its_last_words_are_read_ends_nobody_else),
		T(who_has_been_up_for_a_minute_begins_anew),
		T(s41_an_endless_loop_is_ended),
		T(s41_lwm2m_47_a_sleep_of_thirty_seconds_is_ended),
		T(s41_octets_that_are_no_frames_end_it),
		T(its_last_words_and_its_status_are_kept),
		T(s41_other_programs_are_refused),
		T(s41_other_processes_are_out_of_reach),
		T(s41_sockets_are_refused_without_the_right),
		T(descriptors_end_at_their_limit),
		T(s41_memory_ends_at_its_limit),
		T(with_the_right_names_and_connections_work),
		T(s41_a_flood_costs_a_bounded_amount),
		T(s42_another_abi_is_refused_with_both_numbers),
		T(s42_a_library_without_the_symbol_is_refused),
		T(a_library_that_falls_over_while_it_is_loaded_is_refused),
		T(a_table_of_options_that_cannot_be_is_refused),
		T(s42_names_are_no_paths),
		T(s42_a_file_that_others_can_write_is_refused),
		T(s42_a_file_of_somebody_else_is_refused),
		T(s42_a_directory_that_others_can_write_is_refused),
		T(a_library_that_was_repaired_runs_without_a_restart_of_the_daemon),
		T(one_that_refuses_to_open_is_tried_again),
		T(an_older_plugin_goes_on_working),
		T(keys_are_checked_by_the_table_of_the_library),
		T(a_reload_touches_only_what_has_changed),
		T(a_stop_lets_it_finish_what_waits),
		T(one_that_does_not_stop_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
