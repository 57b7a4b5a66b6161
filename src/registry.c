/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - where the definitions of objects are found
 *
 * The compiled table lies beside the program in a build tree, and under share/ of the same prefix when it is installed.
 * What a site adds stands in objects.d beside the main configuration file. Without its table the gateway still forwards
 * all there is to forward, and mirrors it without names: that is logged, and no reason not to start.
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway_parts.h"

static const char *const places[] = { "objects.tbl", "../share/niddgw/objects.tbl" };

static int read_beside(struct lwm2m_registry *r, const char *program_dir, const char *place)
{
	char *path;
	int err;

	if (asprintf(&path, "%s/%s", program_dir, place) < 0)
		return -ENOMEM;
	err = lwm2m_registry_read(r, path);
	if (err && err != -ENOENT && err != -ENOTDIR)
		log_ev(LOG_ERROR, ROOM, "registry.damaged", LF_STR("file", path), LF_STR("reason", strerror(-err)));
	free(path);
	return err;
}

static void read_table(struct lwm2m_registry *r)
{
	char program[4096];
	const ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
	const char *dir;

	program[len > 0 ? len : 0] = '\0';
	dir = dirname(program);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (read_beside(r, dir, places[i]) == 0)
			return;
	log_ev(LOG_ERROR, ROOM, "registry.missing", LF_STR("dir", dir),
	       LF_STR("reason", "no objects.tbl: values are mirrored without names"));
}

static void print_fault(void *arg, const char *file, unsigned line, const char *text)
{
	fprintf(arg, "%s:%u: %s\n", file, line, text);
}

static int add_site(struct lwm2m_registry *r, const char *main_file, FILE *faults)
{
	char *copy = strdup(main_file), *dir = NULL;
	int err = -ENOMEM;

	if (copy && asprintf(&dir, "%s/objects.d", dirname(copy)) >= 0) {
		err = lwm2m_registry_add_dir(r, dir, print_fault, faults);
		free(dir);
	}
	free(copy);
	return err;
}

int registry_open(struct lwm2m_registry **out, const char *main_file, FILE *faults)
{
	struct lwm2m_registry *r;
	int err = lwm2m_registry_new(&r);

	if (err)
		return err;
	read_table(r);
	err = add_site(r, main_file, faults);
	if (err)
		lwm2m_registry_free(r);
	else
		*out = r;
	return err;
}

int registry_check(const char *main_file, FILE *faults)
{
	struct lwm2m_registry *r;
	int err = lwm2m_registry_new(&r);

	if (err)
		return err;
	err = add_site(r, main_file, faults);
	lwm2m_registry_free(r);
	return err;
}
