/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - looks through the two places where plug-ins and their host may be */
#include "plugin/find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "host/host.h"

#define SUFFIX ".so"
enum { NAME_MOST = 64, LIBRARIES_MOST = 256 };

static const char *const ours[] = { "mqtt", "jsonl", "homeassistant", "sparkplug", NULL };

bool find_is_ours(const char *name)
{
	for (size_t i = 0; ours[i]; i++)
		if (!strcmp(ours[i], name))
			return true;
	return false;
}

int find_program_dir(char dir[PATH_MAX])
{
	const ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *end;

	if (n < 0)
		return -errno;
	dir[n] = '\0';
	end = strrchr(dir, '/');
	if (!end)
		return -ENOENT;
	end[end == dir] = '\0';
	return 0;
}

/* DIR/what, where DIR is bin_dir or the program's. */
static int beside(const char *bin_dir, const char *what, char path[PATH_MAX])
{
	char own[PATH_MAX];
	int err = bin_dir ? 0 : find_program_dir(own), n;

	if (err)
		return err;
	n = snprintf(path, PATH_MAX, "%s/%s", bin_dir ? bin_dir : own, what);
	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int find_host(const char *bin_dir, char path[PATH_MAX])
{
	if (!beside(bin_dir, "niddgw-plugin-host", path) && !access(path, X_OK))
		return 0;
	snprintf(path, PATH_MAX, "%s", NIDDGW_LIBEXEC_DIR "/niddgw-plugin-host");
	return access(path, X_OK) ? -ENOENT : 0;
}

/* The i-th plug-in directory; false: there are no more. */
static bool directory(const char *bin_dir, unsigned i, char path[PATH_MAX])
{
	if (i == 0)
		return !beside(bin_dir, "plugins", path);
	snprintf(path, PATH_MAX, "%s", NIDDGW_PLUGIN_DIR);
	return i == 1;
}

static bool is_name(const char *name)
{
	const size_t len = strlen(name);

	return len > 0 && len <= NAME_MOST && *name != '.' && !strchr(name, '/') && !strstr(name, "..") &&
		text_is_printable(name, len);
}

int find_library(const char *bin_dir, const char *name, char path[PATH_MAX], char why[FIND_WHY_SIZE])
{
	char dir[PATH_MAX];

	if (!is_name(name)) {
		snprintf(why, FIND_WHY_SIZE,
			 "\"%.100s\" is not the name of a plug-in: no path, and no dot at its start", name);
		return -EINVAL;
	}
	for (unsigned i = 0; directory(bin_dir, i, dir); i++) {
		if (snprintf(path, PATH_MAX, "%s/%s" SUFFIX, dir, name) >= PATH_MAX || access(path, F_OK))
			continue;
		return host_check_file(path, why) ? -EACCES : 0;
	}
	if (!directory(bin_dir, 0, dir))
		strcpy(dir, "plugins");
	snprintf(why, FIND_WHY_SIZE, "there is no %.100s" SUFFIX " in %.160s or %s", name, dir, NIDDGW_PLUGIN_DIR);
	return -ENOENT;
}

/* ---- all of them ---- */

struct names {
	char *name[LIBRARIES_MOST]; /* owned */
	size_t n, octets;
};

static bool is_listed(const struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->name[i], name))
			return true;
	return false;
}

static void list_file(struct names *l, const char *file)
{
	const size_t len = strlen(file), end = sizeof SUFFIX - 1;
	char name[NAME_MOST + 1];

	if (len <= end || len - end > NAME_MOST || strcmp(file + len - end, SUFFIX) != 0)
		return;
	snprintf(name, sizeof name, "%.*s", (int)(len - end), file);
	if (!is_name(name) || is_listed(l, name) || l->n == LIBRARIES_MOST)
		return;
	l->name[l->n] = strdup(name);
	if (l->name[l->n]) {
		l->n++;
		l->octets += strlen(name) + 1;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All in one allocation; what is in l goes. */
static char **pack(struct names *l)
{
	char **out = malloc((l->n + 1) * sizeof *out + l->octets);
	char *text = out ? (char *)(out + l->n + 1) : NULL;

	qsort(l->name, l->n, sizeof *l->name, by_name);
	for (size_t i = 0; i < l->n; i++) {
		if (out) {
			out[i] = strcpy(text, l->name[i]);
			text += strlen(text) + 1;
		}
		free(l->name[i]);
	}
	if (out)
		out[l->n] = NULL;
	return out;
}

char **find_all(const char *bin_dir)
{
	struct names l = { .n = 0 };
	char dir[PATH_MAX];

	for (unsigned i = 0; directory(bin_dir, i, dir); i++) {
		DIR *d = opendir(dir);

		for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
			list_file(&l, e->d_name);
		if (d)
			closedir(d);
	}
	return pack(&l);
}
