/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - the daemon's end with real host processes, and a clock turned by hand
 *
 * Timers of the room run by that clock, so nothing happens by itself but what processes do; until() lets these act. The plug-ins are
 * those of tests/plugins, which write down what they are told.
 */
#ifndef TESTS_PLUGIN_SCENE_H
#define TESTS_PLUGIN_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/config.h"
#include "plugin/conf.h"
#include "plugin/describe.h"
#include "plugin/find.h"
#include "plugin/plugins.h"

enum { PATIENCE_S = 60, COMMANDS_SEEN = 256 };

struct scene_root {
	struct conf_list plugins;
};
static const struct conf_item scene_items[] = {
	CONF_LIST(struct scene_root, plugins, plugin_items, struct plugin_conf, .more = &plugin_more), CONF_END
};
static void scene_check(struct conf_load *load, void *root)
{
	plugins_check(load, &((struct scene_root *)root)->plugins);
}

struct scene {
	char dir[64]; /* of this test; bin/ has the host and plugins/ */
	struct loop *loop;
	struct loop_fd *tick;
	int tick_fd;
	struct metrics *metrics;
	struct alarms *alarms;
	struct describer *describer;
	struct conf *conf;
	struct plugins *plugins;
	struct plugins_env env;
	char bin[128];
	uint64_t now_ms;
	/* what was asked for */
	plugin_ref from[COMMANDS_SEEN];
	uint64_t cookie[COMMANDS_SEEN];
	char command[64];
	size_t commands, replays;
	plugin_ref replay_to;
};

static void on_tick(void *arg, int fd, unsigned what)
{
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof n) > 0)
		loop_stop(((struct scene *)arg)->loop);
}

static void on_command(void *arg, plugin_ref from, const struct niddgw_command *c)
{
	struct scene *s = arg;

	assert_true(s->commands < COMMANDS_SEEN);
	s->from[s->commands] = from;
	s->cookie[s->commands++] = c->cookie;
	snprintf(s->command, sizeof s->command, "%s %s %s", c->name, c->id ? c->id : "-", c->args ? c->args : "-");
}

static void on_replay(void *arg, plugin_ref to)
{
	struct scene *s = arg;

	s->replays++;
	s->replay_to = to;
}

static const struct plugins_events scene_events = { on_command, on_replay };

static inline void built(char path[PATH_MAX], const char *what) /* below the build directory, which is above unit/plugin/ */
{
	char dir[PATH_MAX];

	assert_int_equal(find_program_dir(dir), 0);
	assert_true(snprintf(path, PATH_MAX, "%.3000s/../../%.900s", dir, what) < PATH_MAX);
}

static inline void link_built(const struct scene *s, const char *what, const char *as)
{
	char from[PATH_MAX], to[PATH_MAX + 16];

	built(from, what);
	snprintf(to, sizeof to, "%s/%s", s->bin, as);
	assert_int_equal(access(from, R_OK), 0);
	assert_int_equal(symlink(from, to), 0);
}

static inline void scene_open_plugins(struct scene *s)
{
	s->env = (struct plugins_env){ s->loop, s->metrics, s->alarms, "gw7", s->dir, s->bin };
	assert_int_equal(plugins_open(&s->plugins, &s->env), 0);
	plugins_set_events(s->plugins, &scene_events, s);
}

static inline int scene_setup(void **state)
{
	const struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	struct scene *s = calloc(1, sizeof *s);

	assert_non_null(s);
	strcpy(s->dir, "/tmp/ngw-plugin-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->bin, sizeof s->bin, "%s/bin", s->dir);
	assert_int_equal(mkdir(s->bin, 0755), 0);
	link_built(s, "niddgw-plugin-host", "niddgw-plugin-host");
	link_built(s, "tests/plugins", "plugins");
	s->now_ms = CLOCK_BASE_MS + 1000000;
	clock_fake(s->now_ms, 1767323045678);
	assert_int_equal(loop_new(&s->loop), 0);
	assert_int_equal(metrics_new(&s->metrics), 0);
	assert_int_equal(alarms_new(&s->alarms, 100), 0);
	assert_int_equal(describer_new(&s->describer, s->bin, true), 0);
	s->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	assert_true(s->tick_fd >= 0 && !timerfd_settime(s->tick_fd, 0, &often, NULL));
	assert_int_equal(loop_watch(s->loop, &s->tick, s->tick_fd, LOOP_READ, on_tick, s), 0);
	scene_open_plugins(s);
	*state = s;
	return 0;
}

static inline int scene_teardown(void **state)
{
	struct scene *s = *state;
	char command[PATH_MAX];

	plugins_close(s->plugins);
	conf_free(s->conf);
	describer_free(s->describer);
	alarms_free(s->alarms);
	metrics_free(s->metrics);
	loop_unwatch(s->tick);
	close(s->tick_fd);
	loop_free(s->loop);
	snprintf(command, sizeof command, "rm -rf %s", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

/* ---- letting time pass ---- */

typedef bool test_fn(struct scene *s, const char *arg);

/* Lets processes act until test() likes what it sees. */
static inline void until(struct scene *s, test_fn *test, const char *arg)
{
	const time_t end = time(NULL) + PATIENCE_S;

	while (!test(s, arg)) {
		if (time(NULL) > end)
			fail_msg("it did not happen: %s", arg);
		assert_int_equal(loop_run(s->loop), 0);
	}
}

/* Some passes of the loop. */
static inline void passes(struct scene *s, int n)
{
	while (n--)
		assert_int_equal(loop_run(s->loop), 0);
}

static inline void advance(struct scene *s, uint64_t ms)
{
	s->now_ms += ms;
	clock_fake(s->now_ms, 1767323045678 + s->now_ms);
	passes(s, 2);
}

/* ---- configurations ---- */

static inline int load(struct scene *s, struct conf **out, const char *plugins, FILE *faults)
{
	const struct conf_schema schema = { scene_items, sizeof(struct scene_root), scene_check, s->describer };
	char text[4096], name[PATH_MAX];

	snprintf(name, sizeof name, "%s/niddgw.conf", s->dir);
	assert_true(snprintf(text, sizeof text, "plugins = ( %s );\n", plugins) < (int)sizeof text);
	return conf_load_text(out, name, text, strlen(text), &schema, faults);
}

static inline void configure(struct scene *s, const char *plugins)
{
	struct conf *c = NULL;

	assert_int_equal(load(s, &c, plugins, stderr), 0);
	assert_int_equal(plugins_configure(s->plugins, &((struct scene_root *)conf_root(c))->plugins), 0);
	conf_free(s->conf);
	s->conf = c;
}

/* What is wrong with a configuration. */
static inline char *faults_of(struct scene *s, const char *plugins)
{
	struct conf *c = NULL;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	assert_int_equal(load(s, &c, plugins, to), -EINVAL);
	fclose(to);
	return text;
}

/* ---- looking ---- */

struct found {
	const char *name;
	struct plugin_status st;
	char state[32], reason[600], version[64];
	bool there;
};

static inline void on_each(void *arg, const struct plugin_status *st)
{
	struct found *f = arg;

	if (strcmp(st->name, f->name) != 0)
		return;
	f->st = *st;
	f->there = true;
	snprintf(f->state, sizeof f->state, "%s", st->state);
	snprintf(f->reason, sizeof f->reason, "%s", st->reason ? st->reason : "");
	snprintf(f->version, sizeof f->version, "%s", st->version ? st->version : "");
}

static inline struct found look(struct scene *s, const char *name)
{
	struct found f = { .name = name };

	plugins_each(s->plugins, on_each, &f);
	return f;
}

/* "NAME STATE" */
static inline bool is_in(struct scene *s, const char *arg)
{
	char name[64];
	const size_t len = strcspn(arg, " ");
	struct found f;

	snprintf(name, sizeof name, "%.*s", (int)len, arg);
	f = look(s, name);
	return f.there && !strcmp(f.state, arg + len + 1);
}

static inline char *read_file(const struct scene *s, const char *name)
{
	char path[PATH_MAX];
	char *text = calloc(1, 1 << 24);
	FILE *f;

	assert_non_null(text);
	snprintf(path, sizeof path, "%s/%s", s->dir, name);
	f = fopen(path, "r");
	if (f) {
		(void)!fread(text, 1, (1 << 24) - 1, f);
		fclose(f);
	}
	return text;
}

/* The file "out" of the plug-in good holds this text. */
static inline bool is_written(struct scene *s, const char *arg)
{
	char *text = read_file(s, "out");
	const bool found = strstr(text, arg);

	free(text);
	return found;
}

static inline size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

struct sum {
	const char *series;
	double value;
	bool there;
};

static inline void on_series(void *arg, const char *name, const char *labels, double value)
{
	struct sum *sum = arg;
	char text[512];

	snprintf(text, sizeof text, "%s{%s}", name, labels);
	if (!strcmp(text, sum->series)) {
		sum->value = value;
		sum->there = true;
	}
}

static inline double metric(const struct scene *s, const char *series) /* -1: there is none */
{
	struct sum sum = { series, 0, false };

	metrics_each(s->metrics, on_series, &sum);
	return sum.there ? sum.value : -1;
}

static inline void on_alarm(void *arg, const struct alarm *a)
{
	char *to = arg;

	snprintf(to + strlen(to), 4096 - strlen(to), "[%s:%s x%llu %s]", a->type, a->source, (unsigned long long)a->count,
		 a->text);
}

static inline const char *alarms_now(const struct scene *s, char to[4096])
{
	*to = '\0';
	alarms_each(s->alarms, on_alarm, to);
	return to;
}

/* ---- the log ---- */

/* What the daemon has written to stderr since capture_log(). */
static int saved_stderr = -1;

static inline void capture_log(const struct scene *s)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/log", s->dir);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(fd >= 0 && saved_stderr >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
}

static inline void release_log(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

static inline bool is_logged(struct scene *s, const char *arg)
{
	char *text = read_file(s, "log");
	const bool found = strstr(text, arg);

	free(text);
	return found;
}

/* ---- posting ---- */

static inline struct report small_report(const char *device, unsigned n)
{
	static const struct niddgw_value value = { .path = { 3303, 0, 5700 }, .path_len = 3, .type = NIDDGW_FLOAT, .number = 21.5 };
	struct report r = { .kind = NIDDGW_RECORD_DATA,
			    .arrival_ms = 1767323045678,
			    .device = device,
			    .op = "notify",
			    .path = "/3303/0",
			    .values = &value,
			    .values_n = 1 };

	snprintf(r.id, sizeof r.id, "%026u", n);
	return r;
}

static inline void post(struct scene *s, const char *device, unsigned n)
{
	const struct report r = small_report(device, n);

	plugins_post_record(s->plugins, &r);
}

#endif
