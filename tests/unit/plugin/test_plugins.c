/* SPDX-License-Identifier: Apache-2.0 */
/* test_plugins.c - what plug-ins are told and what they say, through real processes */
#include "scene.h"

#define GOOD "{ name = \"one\"; plugin = \"good\"; file = \"out\"; }"

static void start(struct scene *s, const char *plugins)
{
	configure(s, plugins);
	until(s, is_in, "one running");
}

/* ---- documents ---- */

static void documents_of_every_kind_arrive_in_order(void **state)
{
	const struct niddgw_session session = { 0, "d", "registered", "main", "{\"a\":1}", NULL, "{}" };
	const struct niddgw_session gone = { 0, "d", NULL, NULL, NULL, NULL, NULL };
	const struct niddgw_down down = { 0, "d", "sent", "{}" };
	const struct niddgw_alarm_event alarm = { 0, "t", "s", "t:s", "raise", "{}", "{}" };
	const struct niddgw_stats stats = { 0, "{\"v\":1}" };
	const struct niddgw_gateway gw = { 0, NIDDGW_GATEWAY_PHASE, "online", "{}" };
	struct scene *s = *state;
	char *text;

	start(s, GOOD);
	post(s, "meter", 1);
	plugins_post_session(s->plugins, 0, &session);
	plugins_post_session(s->plugins, 0, &gone);
	plugins_post_down(s->plugins, &down);
	plugins_post_alarm(s->plugins, 0, &alarm);
	plugins_post_stats(s->plugins, &stats);
	plugins_post_gateway(s->plugins, 0, &gw);
	post(s, "meter", 2);
	until(s, is_written, "record 00000000000000000000000002");
	text = read_file(s, "out");
	assert_string_equal(
		text,
		"open one gw7 one 0 1 0 - - boot\n"
		"record 00000000000000000000000001 {\"v\":1,\"ts\":\"2026-01-02T03:04:05.678Z\",\"id\":"
		"\"00000000000000000000000001\",\"device\":\"meter\",\"op\":\"notify\",\"unit_bytes\":0,\"path\":"
		"\"/3303/0\",\"confirmed\":false,\"values\":[{\"path\":\"/3303/0/"
		"5700\",\"type\":\"float\",\"value\":21.5}"
		"]}\n"
		"session d registered {\"a\":1}\nsession d - -\ndown d sent\nalarm t:s raise\nstats {\"v\":1}\n"
		"gateway 0 online {}\n"
		"record 00000000000000000000000002 {\"v\":1,\"ts\":\"2026-01-02T03:04:05.678Z\",\"id\":"
		"\"00000000000000000000000002\",\"device\":\"meter\",\"op\":\"notify\",\"unit_bytes\":0,\"path\":"
		"\"/3303/0\",\"confirmed\":false,\"values\":[{\"path\":\"/3303/0/"
		"5700\",\"type\":\"float\",\"value\":21.5}"
		"]}\n");
	free(text);
	assert_true(metric(s, "plugin_dropped_total{plugin=\"one\"}") == 0);
	assert_true(metric(s, "plugin_up{plugin=\"one\"}") == 1);
}

static void every_instance_gets_its_own_options_and_all_of_the_documents(void **state)
{
	struct scene *s = *state;
	char path[PATH_MAX], *text;
	FILE *f;

	snprintf(path, sizeof path, "%s/secret", s->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("hush\n", f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	start(s,
	      GOOD ", { name = \"two\"; plugin = \"good\"; file = \"out2\"; word = \"two\"; number = -5; flag = false; "
		   "list = [\"a\", \"b c\"]; secret = \"file:secret\"; }");
	until(s, is_in, "two running");
	post(s, "meter", 7);
	until(s, is_written, "record 00000000000000000000000007");
	plugins_stop(s->plugins);
	until(s, is_in, "two stopped");
	text = read_file(s, "out2");
	assert_non_null(strstr(text, "open two gw7 two -5 0 2 b c hush boot\n"));
	assert_int_equal(count_of(text, "record "), 1);
	assert_non_null(strstr(text, "close\n"));
	free(text);
}

static void what_is_posted_before_a_plugin_is_open_waits_for_it(void **state)
{
	struct scene *s = *state;

	configure(s, GOOD);
	post(s, "meter", 1);
	assert_true(is_in(s, "one starting"));
	until(s, is_written, "record 00000000000000000000000001");
}

static void only_what_somebody_takes_is_wanted(void **state)
{
	struct scene *s = *state;

	assert_false(plugins_want(s->plugins, PLUGINS_RECORD));
	post(s, "meter", 1); /* nobody is there: nothing happens */
	configure(s, "{ name = \"one\"; plugin = \"older\"; }");
	assert_true(plugins_want(s->plugins, PLUGINS_STATS)); /* it may, for all that is known */
	until(s, is_in, "one running");
	assert_true(plugins_want(s->plugins, PLUGINS_RECORD));
	assert_false(plugins_want(s->plugins, PLUGINS_STATS));
}

/* ---- rings ---- */

/* The numbers of the records in the file of the plug-in. */
static size_t numbers_in(const struct scene *s, unsigned *to, size_t most)
{
	char *text = read_file(s, "out");
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, "record ")); p++) {
		assert_true(n < most);
		to[n++] = (unsigned)strtoul(p + 7, NULL, 10);
	}
	free(text);
	return n;
}

static bool is_stopped(struct scene *s, const char *arg)
{
	char path[64], text[256] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)look(s, arg).st.pid);
	f = fopen(path, "r");
	if (f) {
		(void)!fread(text, 1, sizeof text - 1, f);
		fclose(f);
	}
	return strstr(text, ") T ");
}

static void a_stopped_plugin_loses_the_oldest_and_each_is_counted(void **state)
{
	enum { POSTED = 5000 };
	static unsigned got[POSTED];
	struct scene *s = *state;
	size_t n, first = 0;
	double dropped;
	pid_t pid;

	start(s, GOOD);
	pid = look(s, "one").st.pid;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	until(s, is_stopped, "one");
	for (unsigned i = 0; i < POSTED; i++) {
		post(s, "meter", i);
		if (i % 100 == 99)
			passes(s, 1); /* the daemon goes on: nothing here waits */
	}
	assert_int_equal(look(s, "one").st.queued, PLUGINS_RING_DOCUMENTS);
	dropped = metric(s, "plugin_dropped_total{plugin=\"one\"}");
	assert_true(dropped > 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	until(s, is_written, "record 00000000000000000000004999");
	n = numbers_in(s, got, POSTED);
	assert_int_equal(n + (size_t)dropped, POSTED);
	assert_true(metric(s, "plugin_dropped_total{plugin=\"one\"}") == dropped);
	while (first < n && got[first] == first)
		first++; /* what its socket had taken before it was full */
	assert_int_equal(n - first, PLUGINS_RING_DOCUMENTS);
	for (size_t i = first; i < n; i++) /* then the latest, without a gap */
		assert_int_equal(got[i], POSTED - (n - i));
}

static void large_documents_are_bounded_by_their_octets(void **state)
{
	enum { POSTED = 100, LEN = 200000 };
	static uint8_t octets[LEN];
	static unsigned got[POSTED];
	struct niddgw_value v = {
		.path = { 1, 2, 3 }, .path_len = 3, .type = NIDDGW_OPAQUE, .data = octets, .len = LEN
	};
	struct scene *s = *state;
	struct report r = small_report("meter", 0);
	size_t n;
	pid_t pid;

	start(s, GOOD);
	pid = look(s, "one").st.pid;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	until(s, is_stopped, "one");
	r.values = &v;
	for (unsigned i = 0; i < POSTED; i++) {
		snprintf(r.id, sizeof r.id, "%026u", i);
		plugins_post_record(s->plugins, &r);
		passes(s, 1);
	}
	assert_true(look(s, "one").st.queued <= PLUGINS_RING_BYTES / LEN);
	assert_true(look(s, "one").st.queued >= PLUGINS_RING_BYTES / LEN - 1);
	assert_int_equal(kill(pid, SIGCONT), 0);
	until(s, is_written, "record 00000000000000000000000099");
	n = numbers_in(s, got, POSTED);
	assert_int_equal(n + look(s, "one").st.dropped, POSTED);
	v.len = 0;
	v.type = NIDDGW_STRING;
	v.data = calloc(1, 2 << 20);
	v.len = 2 << 20; /* above what a frame may be */
	plugins_post_record(s->plugins, &r);
	assert_int_equal(n + look(s, "one").st.dropped, POSTED + 1);
	free((void *)v.data);
}

static void state_that_was_dropped_is_asked_for_again_when_there_is_room(void **state)
{
	char json[1000]; /* a socket takes few of them */
	const struct niddgw_session session = { 0, "d", NULL, NULL, json, NULL, NULL };
	struct scene *s = *state;
	plugin_ref to;
	pid_t pid;

	memset(json, ' ', sizeof json);
	json[sizeof json - 1] = '\0';
	start(s, GOOD);
	passes(s, 2);
	assert_int_equal(s->replays, 1); /* it has just been opened */
	to = s->replay_to;
	assert_int_equal(plugins_room(s->plugins, to), PLUGINS_RING_DOCUMENTS / 2);
	pid = look(s, "one").st.pid;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	until(s, is_stopped, "one");
	plugins_post_session(s->plugins, 0, &session);
	for (unsigned i = 0; i < 5000; i++)
		plugins_post_session(s->plugins, 0, &session);
	passes(s, 3);
	assert_int_equal(plugins_room(s->plugins, to), 0);
	assert_int_equal(s->replays, 1); /* there is no room for one yet */
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (int i = 0; i < 10000 && s->replays == 1; i++)
		passes(s, 1);
	assert_int_equal(s->replays, 2);
	assert_int_equal(s->replay_to, to);
	assert_int_equal(plugins_room(s->plugins, to + 1), -ENOENT);
}

static void a_record_that_is_not_kept_is_counted(void **state)
{
	struct scene *s = *state;

	start(s, GOOD);
	post(s, "again", 1);
	post(s, "again", 2);
	post(s, "meter", 3);
	until(s, is_written, "record 00000000000000000000000003");
	for (int i = 0; i < 1000 && metric(s, "plugin_not_kept_total{plugin=\"one\"}") < 2; i++)
		passes(s, 1);
	assert_true(metric(s, "plugin_not_kept_total{plugin=\"one\"}") == 2);
	assert_true(metric(s, "plugin_dropped_total{plugin=\"one\"}") == 0);
}

/* ---- what it says ---- */

static bool has_metric(struct scene *s, const char *arg)
{
	return metric(s, arg) >= 0 || metric(s, arg) < -1;
}

static void counters_and_gauges_are_shown_under_its_name(void **state)
{
	struct scene *s = *state;

	start(s, GOOD);
	post(s, "count:seen_total", 1);
	post(s, "count:seen_total", 2);
	post(s, "count:kinds_total{kind=\"data\"}", 3);
	post(s, "count:dropped_total", 4); /* ours */
	post(s, "count:no name", 5);
	post(s, "count:odd{kind=\"a\\\"}", 6);
	post(s, "count:odd{kind=\"a\"", 7);
	post(s, "gauge:level", 8);
	post(s, "gauge:seen_total", 9); /* a counter is no gauge */
	until(s, has_metric, "plugin_level{plugin=\"one\"}");
	assert_true(metric(s, "plugin_level{plugin=\"one\"}") == -3);
	assert_true(metric(s, "plugin_seen_total{plugin=\"one\"}") == 6);
	assert_true(metric(s, "plugin_kinds_total{kind=\"data\",plugin=\"one\"}") == 3);
	assert_true(metric(s, "plugin_dropped_total{plugin=\"one\"}") == 0);
}

static bool has_alarm(struct scene *s, const char *arg)
{
	char text[4096];

	return strstr(alarms_now(s, text), arg);
}

static bool has_no_alarm(struct scene *s, const char *arg)
{
	(void)arg;
	return !alarms_count(s->alarms);
}

static void alarms_are_its_own(void **state)
{
	struct scene *s = *state;

	start(s, GOOD);
	post(s, "alarm:good.bad", 1);
	post(s, "alarm:good.bad", 2);
	post(s, "alarm:plugin.down", 3); /* not its to raise */
	post(s, "alarm:Not A Type", 4);
	until(s, has_alarm, "[good.bad:one x2 told to]");
	assert_int_equal(alarms_count(s->alarms), 1);
	post(s, "clear:good.bad", 5);
	until(s, has_no_alarm, "cleared");
	post(s, "alarm:good.bad", 6);
	until(s, has_alarm, "[good.bad:one x1 told to]");
	plugins_stop(s->plugins);
	until(s, is_in, "one stopped");
	assert_int_equal(alarms_count(s->alarms), 0); /* nobody is left to clear it */
}

static bool was_asked(struct scene *s, const char *arg)
{
	return s->commands >= (size_t)atoi(arg);
}

static void a_command_is_asked_and_answered_once_or_twice(void **state)
{
	struct niddgw_answer a = { .command = "ping", .id = "id-1", .json = "{\"x\":1}" };
	struct scene *s = *state;

	start(s, "{ name = \"one\"; plugin = \"good\"; file = \"out\"; commands = [\"read\", \"reload\"]; }");
	post(s, "ask:ping", 1);
	until(s, was_asked, "1");
	assert_string_equal(s->command, "ping id-1 {\"a\":1}");
	assert_string_equal(plugins_name(s->plugins, s->from[0]), "one");
	assert_true(plugins_allows(s->plugins, s->from[0], "reload"));
	assert_false(plugins_allows(s->plugins, s->from[0], "write"));
	assert_false(plugins_allows(s->plugins, s->from[0] + 1, "reload"));
	a.cookie = s->cookie[0];
	plugins_post_answer(s->plugins, s->from[0], &a);
	a.final = true;
	plugins_post_answer(s->plugins, s->from[0] + 1, &a); /* a life that is over, or never was */
	plugins_post_answer(s->plugins, s->from[0], &a);
	until(s, is_written, "answer ping id-1 77 1 {\"x\":1}");
	assert_true(is_written(s, "answer ping id-1 77 0 {\"x\":1}\nanswer ping id-1 77 1 {\"x\":1}\n"));
}

static void so_many_commands_may_be_under_way_and_no_more(void **state)
{
	struct niddgw_answer a = { .command = "ping", .final = true, .json = "{}", .cookie = 77 };
	struct scene *s = *state;
	char *text;

	start(s, GOOD);
	for (unsigned i = 0; i < PLUGINS_COMMANDS_MOST + 3; i++)
		post(s, "ask:ping", i);
	post(s, "meter", 999);
	until(s, is_written, "record 00000000000000000000000999");
	until(s, was_asked, "64");
	passes(s, 5);
	assert_int_equal(s->commands, PLUGINS_COMMANDS_MOST);
	text = read_file(s, "out");
	assert_int_equal(count_of(text, "ask Resource temporarily unavailable\n"), 3);
	free(text);
	plugins_post_answer(s->plugins, s->from[0], &a);
	until(s, is_written, "answer ping");
	post(s, "ask:ping", 1000);
	until(s, was_asked, "65");
}

static void a_command_that_nobody_serves_is_unsupported(void **state)
{
	struct scene *s = *state;

	plugins_set_events(s->plugins, NULL, NULL);
	start(s, GOOD);
	post(s, "ask:pi\"ng", 1);
	until(s, is_written,
	      "answer pi\"ng id-1 77 1 {\"v\":1,\"id\":\"id-1\",\"command\":\"pi\\\"ng\",\"final\":true,"
	      "\"status\":\"error\",\"error\":{\"code\":\"unsupported\"");
}

static void timers_and_replays_come_when_asked_for(void **state)
{
	struct scene *s = *state;

	start(s, GOOD);
	passes(s, 2);
	assert_int_equal(s->replays, 1);
	post(s, "timer:", 1);
	until(s, is_written, "timer\n");
	post(s, "replay:", 2);
	for (int i = 0; i < 10000 && s->replays == 1; i++)
		passes(s, 1);
	assert_int_equal(s->replays, 2);
}

static void s37_what_it_logs_and_prints_is_escaped_and_bounded(void **state)
{
	struct scene *s = *state;
	char *text;

	capture_log(s);
	start(s, GOOD);
	post(s, "log:a\nb\x1b[31m", 1);
	post(s, "stderr:c\x1b[0m", 2);
	until(s, is_logged, "ev=good.says plugin=one text=\"a\\x0ab\\x1b[31m\"");
	until(s, is_logged, "ev=plugin.stderr plugin=one text=\"c\\x1b[0m\"");
	for (unsigned i = 0; i < 500; i++)
		post(s, "log:again", i + 3);
	post(s, "meter", 9999);
	until(s, is_written, "record 00000000000000000000009999");
	passes(s, 20);
	advance(s, 1000);
	post(s, "log:later", 10000);
	until(s, is_logged, "text=later");
	release_log();
	text = read_file(s, "log");
	assert_true(count_of(text, "text=again") < 60);
	assert_int_equal(count_of(text, "ev=plugin.lines_held"), 1);
	free(text);
}

/* ---- in the daemon ---- */

static void a_plugin_of_ours_may_run_in_the_daemon(void **state)
{
	struct scene *s = *state;
	char path[PATH_MAX], *text, *faults;

	snprintf(path, sizeof path, "%s/plugins", s->bin);
	assert_int_equal(unlink(path), 0);
	link_built(s, "plugins", "plugins");
	start(s, "{ name = \"one\"; plugin = \"jsonl\"; isolation = \"inline\"; file = \"lines\"; }");
	assert_int_equal(look(s, "one").st.pid, 0);
	assert_true(look(s, "one").st.inline_);
	for (unsigned i = 0; i < 300; i++)
		post(s, "meter", i);
	plugins_stop(s->plugins); /* what waits goes out first */
	assert_true(is_in(s, "one stopped"));
	assert_int_equal(plugins_running(s->plugins), 0);
	text = read_file(s, "lines");
	assert_int_equal(count_of(text, "\"device\":\"meter\""), 300);
	assert_int_equal(count_of(text, "}\n"), 300);
	free(text);
	assert_true(metric(s, "jsonl_lines_total{plugin=\"one\"}") == 300); /* ours, under its own name */
	faults = faults_of(s, "{ name = \"good\"; isolation = \"inline\"; }");
	assert_non_null(strstr(faults, "plugins[0].isolation: only plug-ins of this project may run in the daemon"));
	free(faults);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		T(documents_of_every_kind_arrive_in_order),
		T(every_instance_gets_its_own_options_and_all_of_the_documents),
		T(what_is_posted_before_a_plugin_is_open_waits_for_it),
		T(only_what_somebody_takes_is_wanted),
		T(a_stopped_plugin_loses_the_oldest_and_each_is_counted),
		T(large_documents_are_bounded_by_their_octets),
		T(state_that_was_dropped_is_asked_for_again_when_there_is_room),
		T(a_record_that_is_not_kept_is_counted),
		T(counters_and_gauges_are_shown_under_its_name),
		T(alarms_are_its_own),
		T(a_command_is_asked_and_answered_once_or_twice),
		T(so_many_commands_may_be_under_way_and_no_more),
		T(a_command_that_nobody_serves_is_unsupported),
		T(timers_and_replays_come_when_asked_for),
		T(s37_what_it_logs_and_prints_is_escaped_and_bounded),
		T(a_plugin_of_ours_may_run_in_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
