/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - objects-compile: object definitions in XML to the one table that the daemon reads
 *
 * Used when niddgw is built. It reads with the same code as the daemon does, so a definition that compiles is one that
 * a site could add. Nothing is written when there is a fault.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/registry.h"

static void print_fault(void *arg, const char *file, unsigned line, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s\n", file, line, text);
}

static int write_table(const struct lwm2m_registry *r, const char *file)
{
	uint8_t *table = NULL;
	size_t len;
	FILE *f;
	int err = lwm2m_registry_save(r, &table, &len);

	if (err)
		return err;
	f = fopen(file, "wb");
	if (!f || fwrite(table, 1, len, f) != len)
		err = errno ? -errno : -EIO;
	if (f && fclose(f) && !err)
		err = -errno;
	free(table);
	return err;
}

int main(int argc, char **argv)
{
	struct lwm2m_registry *r;
	int err, status = 0;

	if (argc < 3) {
		fputs("usage: objects-compile TABLE DIR ..\n", stderr);
		return 2;
	}
	err = lwm2m_registry_new(&r);
	if (err)
		return 1;
	for (int i = 2; i < argc; i++)
		if (lwm2m_registry_add_dir(r, argv[i], print_fault, NULL))
			status = 1;
	if (!status) {
		err = lwm2m_registry_objects(r) ? write_table(r, argv[1]) : -ENOENT;
		if (err)
			fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
	}
	lwm2m_registry_free(r);
	return status || err ? 1 : 0;
}
