/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - what the kernel knows of this process, as gauges read when they are printed */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/metrics.h"
#include "control/inside.h"
#include "control/version.h"

static double gauge_one(void *arg)
{
	(void)arg;
	return 1;
}

static double gauge_started(void *arg)
{
	const struct control *c = arg;

	return (double)c->started_wall_ms / 1000;
}

static double gauge_rss(void *arg)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long resident = 0;

	(void)arg;
	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &resident) != 1)
		resident = 0;
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double gauge_fds(void *arg)
{
	DIR *d = opendir("/proc/self/fd");
	double n = 0;

	(void)arg;
	if (!d)
		return 0;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		if (e->d_name[0] != '.')
			n++;
	closedir(d);
	return n - 1; /* without the one that was counting */
}

static const char *build_labels(char *buf, size_t size)
{
	char version[64], commit[128];

	snprintf(buf, size, "version=\"%s\",commit=\"%s\"", metrics_label(version, sizeof version, niddgw_version),
		 metrics_label(commit, sizeof commit, niddgw_commit));
	return buf;
}

void process_os(char *buf, size_t size)
{
	static const char key[] = "PRETTY_NAME=";
	char line[256];
	FILE *f = fopen("/etc/os-release", "re");

	*buf = 0;
	while (f && fgets(line, sizeof line, f)) {
		char *value = line + sizeof key - 1;

		if (strncmp(line, key, sizeof key - 1) != 0)
			continue;
		value += *value == '"';
		snprintf(buf, size, "%.*s", (int)strcspn(value, "\"\n"), value);
	}
	if (f)
		fclose(f);
}

void process_metrics(struct control *c)
{
	static const char reloads_help[] = "Reloads of the configuration by their result.";
	struct metrics *m = c->env.metrics;
	char labels[256];

	metrics_gauge(m, "build_info", build_labels(labels, sizeof labels), "Which program this is.", gauge_one, c);
	metrics_gauge(m, "start_time_seconds", NULL, "When the process started, Unix time.", gauge_started, c);
	metrics_gauge(m, "rss_bytes", NULL, "Resident memory.", gauge_rss, c);
	metrics_gauge(m, "fds", NULL, "Open file descriptors.", gauge_fds, c);
	c->reloads[RELOAD_OK] = metrics_counter(m, "config_reloads_total", "result=\"ok\"", reloads_help);
	c->reloads[RELOAD_REFUSED] = metrics_counter(m, "config_reloads_total", "result=\"refused\"", reloads_help);
}

void process_metrics_end(struct control *c)
{
	struct metrics *m = c->env.metrics;
	char labels[256];

	metrics_gauge(m, "build_info", build_labels(labels, sizeof labels), NULL, NULL, NULL);
	metrics_gauge(m, "start_time_seconds", NULL, NULL, NULL, NULL);
	metrics_gauge(m, "rss_bytes", NULL, NULL, NULL, NULL);
	metrics_gauge(m, "fds", NULL, NULL, NULL, NULL);
}
