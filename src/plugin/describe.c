/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - asks a library through a host process, and remembers */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/describe_parts.h"
#include "plugin/find.h"
#include "plugin/spawn.h"

enum { PATIENCE_MS = 10000, HURRY_MS = 3000, READ_STEP = 16 << 10 };

struct describer {
	const char *bin_dir;
	bool strict;
	int patience_ms;
	struct told *told; /* owned, newest first; a library may stand there more than once */
	char **all;        /* owned; NULL until it was asked for */
};

int describer_new(struct describer **out, const char *bin_dir, bool strict)
{
	struct describer *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	d->bin_dir = bin_dir;
	d->strict = strict;
	d->patience_ms = PATIENCE_MS;
	*out = d;
	return 0;
}

static void told_free(struct told *t)
{
	for (size_t i = 0; i < FRAME_OPTIONS_MOST; i++)
		free(t->words[i]);
	free(t->items);
	free(t->raw);
	free(t);
}

void describer_free(struct describer *d)
{
	struct told *t;

	if (!d)
		return;
	while ((t = d->told)) {
		d->told = t->next;
		told_free(t);
	}
	free(d->all);
	free(d);
}

bool describer_is_strict(const struct describer *d)
{
	return d->strict;
}

void describer_hurry(struct describer *d)
{
	d->patience_ms = HURRY_MS;
}

/* ---- asking ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* the real one: this waits for a process */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Room for the next piece; NULL: it has said enough, or memory is short. */
static uint8_t *room(struct told *t)
{
	uint8_t *grown;

	if (t->raw_len + READ_STEP > DESCRIPTION_MOST)
		return NULL;
	grown = realloc(t->raw, t->raw_len + READ_STEP);
	if (grown)
		t->raw = grown;
	return grown ? grown + t->raw_len : NULL;
}

/* Until the end of what it says, or of patience. */
static void listen(struct told *t, int fd, int patience_ms)
{
	const int64_t end = now_ms() + patience_ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (int64_t now = now_ms(); now < end; now = now_ms()) {
		uint8_t *to = room(t);
		ssize_t n;

		if (!to || (poll(&p, 1, (int)(end - now)) < 0 && errno != EINTR))
			return;
		n = read(fd, to, READ_STEP);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
		t->raw_len += n > 0 ? (size_t)n : 0;
	}
}

static void ask(const struct describer *d, struct told *t, const char *path)
{
	char host[PATH_MAX];
	struct spawned s;
	int err = find_host(d->bin_dir, host);

	if (!err)
		err = spawn_describe(&s, host, path);
	if (err) {
		told_refuse(t, "niddgw-plugin-host cannot be started: %s", strerror(-err));
		return;
	}
	listen(t, s.fd, d->patience_ms);
	close(s.fd);
	kill(-s.pid, SIGKILL); /* it and what it has started: there is nothing more to hear */
	while (waitpid(s.pid, NULL, 0) < 0 && errno == EINTR)
		;
	told_read(t);
}

/* ---- remembering ---- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static const struct told *remembered(const struct describer *d, const char *library, const struct stat *file)
{
	for (const struct told *t = d->told; t; t = t->next)
		if (!strcmp(t->library, library) && t->file.st_ino && is_same_file(&t->file, file))
			return t;
	return NULL;
}

const struct description *describer_get(struct describer *d, const char *library)
{
	char path[PATH_MAX], why[FIND_WHY_SIZE] = "";
	const struct told *known;
	struct stat file = { 0 };
	struct told *t;
	int err = find_library(d->bin_dir, library, path, why);

	if (err || stat(path, &file))
		file = (struct stat){ 0 };
	known = remembered(d, library, &file);
	if (known)
		return &known->d;
	t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	snprintf(t->library, sizeof t->library, "%s", library);
	t->d.library = t->library;
	t->file = file;
	if (err)
		told_refuse(t, "%s", why);
	else
		ask(d, t, path);
	t->next = d->told;
	d->told = t;
	return &t->d;
}

const struct description *describer_nth(struct describer *d, size_t i)
{
	if (!d->all)
		d->all = find_all(d->bin_dir);
	for (size_t k = 0; d->all && k <= i; k++)
		if (!d->all[k])
			return NULL;
	return d->all ? describer_get(d, d->all[i]) : NULL;
}
