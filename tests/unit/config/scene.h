/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - configuration files in a directory of their own */
#ifndef TESTS_UNIT_CONFIG_SCENE_H
#define TESTS_UNIT_CONFIG_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/config/schema_all.h"

struct scene {
	char dir[64];
	struct conf *conf;
	char *faults;
	size_t faults_len;
	int err;
};

static inline void scene_open(struct scene *s)
{
	*s = (struct scene){ .dir = "/tmp/niddgw-conf-XXXXXX" };
	assert_non_null(mkdtemp(s->dir));
}

static inline void scene_path(const struct scene *s, char *buf, size_t size, const char *name)
{
	assert_true((size_t)snprintf(buf, size, "%s/%s", s->dir, name) < size);
}

/* A file below the scene's directory; a directory in name is made. */
static inline void scene_file(const struct scene *s, const char *name, const char *text, mode_t mode)
{
	const char *slash = strchr(name, '/');
	char path[256], sub[256];
	FILE *f;

	if (slash) {
		snprintf(sub, sizeof sub, "%s/%.*s", s->dir, (int)(slash - name), name);
		mkdir(sub, 0755);
	}
	scene_path(s, path, sizeof path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static inline void scene_load(struct scene *s, const struct conf_schema *schema)
{
	char path[128];
	FILE *faults;

	conf_free(s->conf);
	free(s->faults);
	s->conf = NULL;
	faults = open_memstream(&s->faults, &s->faults_len);
	scene_path(s, path, sizeof path, "main.conf");
	s->err = conf_load(&s->conf, path, schema, faults);
	fclose(faults);
}

static inline void remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%.200s/%.200s", dir, e->d_name);
		if (e->d_type == DT_DIR)
			remove_all(path);
		else
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static inline void scene_close(struct scene *s)
{
	conf_free(s->conf);
	free(s->faults);
	remove_all(s->dir);
}

#endif
