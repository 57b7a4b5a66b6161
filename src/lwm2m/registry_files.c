/* SPDX-License-Identifier: Apache-2.0 */
/* registry_files.c - definitions from the files of a site
 *
 * A directory is read as conf.d is: what ends in .xml, in byte order, hidden files left out. Files are read whole,
 * which their bound allows, so that a parser never waits for a disk.
 */
#include "lwm2m/registry_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (4u << 20)
#define FILES_MOST 1024

/* Up to FILE_MOST + 1 octets, so that a longer file is seen to be one. Owned. */
static int slurp(char **out, size_t *len, int fd)
{
	struct stat st;
	char *buf;
	size_t at = 0;
	ssize_t n = 1;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	buf = malloc(FILE_MOST + 1);
	if (!buf)
		return -ENOMEM;
	while (at <= FILE_MOST && n) {
		n = read(fd, buf + at, FILE_MOST + 1 - at);
		if (n < 0 && errno != EINTR) {
			n = -errno;
			free(buf);
			return (int)n;
		}
		at += n > 0 ? (size_t)n : 0;
	}
	*out = buf;
	*len = at;
	return 0;
}

int lwm2m_registry_add_xml(struct lwm2m_registry *r, const char *file, lwm2m_registry_fault_fn *fault, void *arg)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *xml = NULL;
	size_t len = 0;
	int err = fd < 0 ? -errno : slurp(&xml, &len, fd);

	if (fd >= 0)
		close(fd);
	if (err == -ENOMEM)
		return err;
	if (err) {
		fault(arg, file, 1, err == -EINVAL ? "not a regular file" : strerror(-err));
		return -EINVAL;
	}
	err = lwm2m_registry_add_xml_text(r, file, xml, len, fault, arg);
	free(xml);
	return err;
}

static int is_xml(const struct dirent *e)
{
	const size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 4 && !strcmp(e->d_name + len - 4, ".xml");
}

static int by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_file(struct lwm2m_registry *r, const char *dir, const char *name, lwm2m_registry_fault_fn *fault,
		    void *arg)
{
	char *path;
	int err;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	err = lwm2m_registry_add_xml(r, path, fault, arg);
	free(path);
	return err;
}

int lwm2m_registry_add_dir(struct lwm2m_registry *r, const char *dir, lwm2m_registry_fault_fn *fault, void *arg)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_xml, by_octets), err = 0;

	if (n < 0) {
		if (errno == ENOENT)
			return 0;
		fault(arg, dir, 1, strerror(errno));
		return -EINVAL;
	}
	if (n > FILES_MOST) {
		fault(arg, dir, 1, "more than 1024 files");
		err = -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		const int one = n > FILES_MOST || err == -ENOMEM ? err
								 : add_file(r, dir, entries[i]->d_name, fault, arg);

		if (one)
			err = one;
		free(entries[i]);
	}
	free(entries);
	return err;
}
