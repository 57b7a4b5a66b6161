/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - runs scenarios: `runner [-v] FILE ..`
 *
 * Each scenario runs in a process of its own: a crash ends only that one, every one begins with the same clock and the
 * same random numbers, and what is left in memory is found when it exits. Prints `ok NAME` or `not ok NAME: ..` for
 * each file.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "replay.h"

#define START_MS (CLOCK_BASE_MS + 1000000u)
#define WALL_MS 1767225600000u /* 2026-01-01 */

struct world world;

void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(world.report, "line %u: ", world.line);
	va_start(ap, fmt);
	vfprintf(world.report, fmt, ap);
	va_end(ap);
	fputc('\n', world.report);
	longjmp(world.failed, 1);
}

void output_add(const uint8_t *data, size_t len, const char *fmt, ...)
{
	struct output *grown, *o;
	va_list ap;
	int n;

	if (world.dead || (world.quiet && !data))
		return;
	grown = realloc(world.out, (world.out_n + 1) * sizeof *grown);
	if (!grown)
		abort();
	world.out = grown;
	o = &world.out[world.out_n++];
	*o = (struct output){ .at_ms = world.now_ms, .len = len };
	va_start(ap, fmt);
	n = vasprintf(&o->text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	if (!data)
		return;
	o->data = malloc(len + 1);
	if (!o->data)
		abort();
	memcpy(o->data, data, len);
}

void outputs_clear(void)
{
	for (size_t i = 0; i < world.out_n; i++) {
		free(world.out[i].text);
		free(world.out[i].data);
	}
	free(world.out);
	world.out = NULL;
	world.out_n = world.out_taken = 0;
}

void time_turn(uint64_t now_ms)
{
	world.now_ms = now_ms;
	clock_fake(now_ms, world.wall_base_ms + now_ms);
}

void world_run(void)
{
	if (metrics_new(&world.metrics) || alarms_new(&world.alarms, 100))
		abort();
}

void world_ended(void)
{
	metrics_free(world.metrics);
	alarms_free(world.alarms);
}

static void world_open(void)
{
	random_seed(1);
	world.wall_base_ms = WALL_MS - CLOCK_BASE_MS;
	time_turn(START_MS);
	log_set(LOG_DEBUG, LOG_TEXT);
	world_run();
}

static void world_close(void)
{
	world_ended();
	fake_store_free(world.store);
	for (size_t i = 0; i < world.vars_n; i++)
		free(world.vars[i].name);
}

static void run_lines(FILE *f)
{
	static char line[16384];
	static struct words w;

	while (fgets(line, sizeof line, f)) {
		world.line++;
		words_split(&w, line);
		if (w.n && !conf_line(&w) && !life_line(&w) && !mirror_line(&w) && !watch_line(&w) && !ask_line(&w))
			command_run(&w);
	}
	if (!world.sessions)
		fail(world.crashed ? "it was not started again" : "the scenario does nothing");
	outputs_must_be_taken();
	fake_link_end_check();
	conf_end();
	mirror_ended();
	mirror_end();
	if (world.out_n)
		outputs_must_be_taken();
}

/* In the process of the scenario. A failed one leaves its memory: its report is what matters. */
static void run_scenario(const char *file)
{
	FILE *f = fopen(file, "r");

	if (!f) {
		fprintf(world.report, "%s\n", strerror(errno));
		fflush(world.report);
		_exit(1);
	}
	world.file = file;
	world_open();
	if (setjmp(world.failed)) {
		fflush(world.report);
		_exit(1);
	}
	run_lines(f);
	fclose(f);
	world_close();
	fclose(world.report);
	exit(0); /* the leak check runs here */
}

static void copy_out(int fd)
{
	char buf[4096];
	off_t at = 0;
	ssize_t n;

	for (; (n = pread(fd, buf, sizeof buf, at)) > 0; at += n)
		fwrite(buf, 1, (size_t)n, stdout);
}

static const char *name_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

static bool run_file(const char *file, bool verbose)
{
	int report = memfd_create("report", MFD_CLOEXEC), log = memfd_create("log", MFD_CLOEXEC), status;
	const char *name = name_of(file);
	int len = (int)strcspn(name, ".");
	pid_t pid;
	bool ok;

	if (report < 0 || log < 0)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		world.report = fdopen(report, "w");
		world.log_fd = log;
		if (!world.report || dup2(log, STDERR_FILENO) < 0)
			_exit(2);
		run_scenario(file);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (ok)
		printf("ok %.*s\n", len, name);
	else
		printf("not ok %.*s: ", len, name);
	if (!ok && WIFEXITED(status) && WEXITSTATUS(status) == 1)
		copy_out(report);
	else if (!ok)
		printf("ended with status %d\n", status);
	if (verbose || (!ok && !(WIFEXITED(status) && WEXITSTATUS(status) == 1)))
		copy_out(log);
	close(report);
	close(log);
	return ok;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0, ok = true;

	if (argc < 2 + verbose) {
		fprintf(stderr, "usage: %s [-v] FILE ..\n", argv[0]);
		return 2;
	}
	for (int i = 1 + verbose; i < argc; i++)
		ok = run_file(argv[i], verbose) && ok;
	return ok ? 0 : 1;
}
