/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - FILE, conf.d/ and devices.d/, each parsed by itself
 *
 * libconfig includes single files only and takes a key that an included file repeats as an error, so drop-in files are
 * found, ordered and read here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/parts.h"

static const char *const drop_ins[] = { "conf.d", "devices.d" };

static struct conf_file *file_add(struct conf_load *load, const char *name)
{
	struct conf_file *f = arena_alloc(&load->scratch, sizeof *f);

	if (f)
		f->name = arena_text(&load->conf->arena, name, strlen(name));
	if (!f || !f->name) {
		load->no_memory = true;
		return NULL;
	}
	f->index = load->file_count++;
	*load->files_end = f;
	load->files_end = &f->next;
	return f;
}

/* The strings of arrays and lists, in order of the text, get the line where they begin. */
static void set_lines(config_setting_t *s, const struct scan *scan, size_t *next)
{
	const bool anonymous = !config_setting_is_group(s);
	const int n = config_setting_length(s);

	for (int i = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		if (config_setting_is_aggregate(e))
			set_lines(e, scan, next);
		else if (anonymous && config_setting_type(e) == CONFIG_TYPE_STRING && *next < scan->line_count)
			config_setting_set_hook(e, (void *)(uintptr_t)scan->lines[(*next)++]);
	}
}

unsigned setting_line(const config_setting_t *s)
{
	const uintptr_t line = (uintptr_t)config_setting_get_hook(s);

	return line ? (unsigned)line : config_setting_source_line(s);
}

static void parse(struct conf_load *load, struct conf_file *f, const struct scan *scan)
{
	size_t next = 0;

	if (scan->fault_line) {
		fault_file(load, f, scan->fault_line, "%s", scan->fault);
		return;
	}
	config_init(&f->tree);
	if (!config_read_string(&f->tree, scan->text)) {
		fault_file(load, f, (unsigned)config_error_line(&f->tree), "%s", config_error_text(&f->tree));
		config_destroy(&f->tree);
		return;
	}
	f->sound = true;
	set_lines(config_root_setting(&f->tree), scan, &next);
}

static void parse_text(struct conf_load *load, struct conf_file *f, const char *text, size_t len)
{
	struct scan scan;

	if (scan_text(&scan, text, len)) {
		load->no_memory = true;
		return;
	}
	parse(load, f, &scan);
	scan_fini(&scan);
}

/* 0 or a negative errno; *text is owned by the caller. */
static int read_whole(int fd, size_t len, char **text, size_t *got)
{
	char *buf = malloc(len + 1);
	size_t n = 0;

	if (!buf)
		return -ENOMEM;
	while (n <= len) { /* one octet more than expected would show that the file grew */
		ssize_t r = read(fd, buf + n, len + 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			const int err = -errno;

			free(buf);
			return err;
		}
		if (!r)
			break;
		n += (size_t)r;
	}
	*text = buf;
	*got = n <= len ? n : len;
	return 0;
}

static int open_file(const char *name, size_t *len)
{
	const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us */
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (st.st_size > CONF_FILE_MOST)
		err = -EFBIG;
	if (err) {
		close(fd);
		return err;
	}
	*len = (size_t)st.st_size;
	return fd;
}

/* 0, or why it cannot be read, which has been said in faults then. */
static int read_file(struct conf_load *load, const char *name)
{
	struct conf_file *f = file_add(load, name);
	char *text = NULL;
	size_t len = 0;
	int fd, err;

	if (!f)
		return -ENOMEM;
	fd = open_file(name, &len);
	err = fd < 0 ? fd : read_whole(fd, len, &text, &len);
	if (fd >= 0)
		close(fd);
	if (err) {
		fault_file(load, f, 0, "the file cannot be read: %s",
			   err == -EINVAL ? "Not a regular file" : strerror(-err));
		return err;
	}
	parse_text(load, f, text, len);
	free(text);
	return 0;
}

static int is_drop_in(const struct dirent *d)
{
	const size_t len = strlen(d->d_name);

	return *d->d_name != '.' && len > 5 && !strcmp(d->d_name + len - 5, ".conf");
}

static int by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_directory(struct conf_load *load, const char *dir)
{
	struct dirent **entries = NULL;
	const int n = scandir(dir, &entries, is_drop_in, by_octets);
	char name[PATH_MAX];

	if (n < 0 && errno != ENOENT) {
		struct conf_file *f = file_add(load, dir);

		if (f)
			fault_file(load, f, 0, "the directory cannot be read: %s", strerror(errno));
	}
	for (int i = 0; i < n; i++) {
		if ((size_t)snprintf(name, sizeof name, "%s/%s", dir, entries[i]->d_name) < sizeof name)
			read_file(load, name);
		free(entries[i]);
	}
	free(entries);
}

/* The directory part of FILE with its slash; nothing when FILE has none. */
static size_t directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? (size_t)(slash - file) + 1 : 0;
}

static int set_directory(struct conf_load *load, const char *file)
{
	const size_t len = directory_of(file);
	char cwd[PATH_MAX] = "", dir[2 * PATH_MAX];
	int n;

	if (*file != '/' && !getcwd(cwd, sizeof cwd))
		return -errno;
	n = snprintf(dir, sizeof dir, "%s%s%.*s", cwd, *cwd && strcmp(cwd, "/") != 0 ? "/" : "", (int)len, file);
	if (n < 0 || (size_t)n >= sizeof dir)
		return -ENAMETOOLONG;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	load->conf->dir = load->dir = arena_text(&load->conf->arena, dir, (size_t)n);
	return load->dir ? 0 : -ENOMEM;
}

int files_read(struct conf_load *load, const char *file)
{
	const size_t len = directory_of(file);
	char dir[PATH_MAX];
	int err = set_directory(load, file);

	if (!err)
		err = read_file(load, file);
	for (size_t i = 0; i < sizeof drop_ins / sizeof *drop_ins && err != -ENAMETOOLONG; i++)
		if ((size_t)snprintf(dir, sizeof dir, "%.*s%s", (int)len, file, drop_ins[i]) < sizeof dir)
			read_directory(load, dir);
	return err;
}

int files_take(struct conf_load *load, const char *name, const char *text, size_t len)
{
	int err = set_directory(load, name);
	struct conf_file *f = err ? NULL : file_add(load, name);

	if (!f)
		return err ? err : -ENOMEM;
	if (len > CONF_FILE_MOST)
		fault_file(load, f, 0, "the file cannot be read: %s", strerror(EFBIG));
	else
		parse_text(load, f, text, len);
	return 0;
}

void files_close(struct conf_load *load)
{
	for (struct conf_file *f = load->files; f; f = f->next)
		if (f->sound)
			config_destroy(&f->tree);
}
