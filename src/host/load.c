/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - takes a library in, or says why not
 *
 * The struct is copied with the smaller of both sizes into a zeroed one: an older plug-in has no later members, a newer
 * one has members that nobody here calls.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/parts.h"

enum { PLUGIN_SIZE_MOST = 4096 };

__attribute__((format(printf, 2, 3))) static int refuse(char why[HOST_WHY_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, HOST_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- the file ---- */

/* Others than root and we cannot change it. A group of ours, or root's, is no stranger. */
static int check_owner(const struct stat *st, const char *what, char why[HOST_WHY_SIZE])
{
	const bool our_group = st->st_gid == 0 || st->st_gid == getegid();

	if (st->st_uid && st->st_uid != geteuid())
		refuse(why, "%s belongs to user %u, neither to root nor to the user of the daemon", what,
		       (unsigned)st->st_uid);
	else if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && !our_group))
		refuse(why, "%s can be written by others (mode %04o)", what, (unsigned)st->st_mode & 07777);
	else
		return 0;
	return -EACCES;
}

static int check_stat(const char *path, bool directory, char why[HOST_WHY_SIZE])
{
	struct stat st;
	char what[PATH_MAX + 16];

	snprintf(what, sizeof what, "%s %s", directory ? "the directory" : "the file", path);
	if (stat(path, &st)) {
		int err = -errno;

		refuse(why, "%.400s: %s", path, strerror(-err));
		return err;
	}
	if (directory ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
		refuse(why, "%.400s is not regular", what);
		return -EACCES;
	}
	return check_owner(&st, what, why);
}

int host_check_file(const char *path, char why[HOST_WHY_SIZE])
{
	char copy[PATH_MAX];
	int err;

	if (strlen(path) >= sizeof copy) {
		refuse(why, "the path is too long");
		return -EACCES;
	}
	strcpy(copy, path);
	err = check_stat(dirname(copy), true, why);
	return err ? err : check_stat(path, false, why);
}

/* ---- the library ---- */

static int check_options(const struct niddgw_plugin *p, char why[HOST_WHY_SIZE])
{
	size_t n = 0;

	for (const struct niddgw_option *o = p->options; o && o->name; o++)
		if (!*o->name || o->type > NIDDGW_OPTION_URL || ++n > FRAME_OPTIONS_MOST)
			return refuse(why, "its option table is not sound at \"%.64s\"", o->name);
	return 0;
}

static int take_plugin(struct niddgw_host *h, const struct niddgw_plugin *p, char why[HOST_WHY_SIZE])
{
	const size_t least = offsetof(struct niddgw_plugin, open) + sizeof p->open;

	if (p->abi != NIDDGW_PLUGIN_ABI)
		return refuse(why, "it is built for plug-in ABI %u, this gateway has %u", p->abi, NIDDGW_PLUGIN_ABI);
	if (p->size < least || p->size > PLUGIN_SIZE_MOST)
		return refuse(why, "its struct niddgw_plugin says a size of %u", p->size);
	memcpy(&h->plugin, p, p->size < sizeof h->plugin ? p->size : sizeof h->plugin);
	if (!h->plugin.name || !*h->plugin.name || !h->plugin.open)
		return refuse(why, "it has no name or no open()");
	return check_options(&h->plugin, why);
}

static int open_library(struct niddgw_host *h, const char *path, char why[HOST_WHY_SIZE])
{
	const struct niddgw_plugin *p;

	h->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!h->library)
		return refuse(why, "%s", dlerror());
	p = dlsym(h->library, "niddgw_plugin");
	if (!p)
		return refuse(why, "it has no symbol niddgw_plugin");
	return take_plugin(h, p, why);
}

int host_load(struct niddgw_host **out, const char *path, const struct host_env *env, char why[HOST_WHY_SIZE])
{
	struct niddgw_host *h;
	int err = host_check_file(path, why);

	if (err)
		return -EINVAL;
	h = calloc(1, sizeof *h);
	if (!h) {
		refuse(why, "out of memory");
		return -ENOMEM;
	}
	h->env = *env;
	err = open_library(h, path, why);
	if (err) {
		host_close(h);
		return err;
	}
	*out = h;
	return 0;
}

void host_close(struct niddgw_host *h)
{
	if (!h)
		return;
	if (h->open && h->plugin.close)
		h->plugin.close(h->state);
	h->open = false;
	host_flush(h);
	if (h->library)
		dlclose(h->library);
	host_setup_fini(h);
	free(h);
}

const struct niddgw_plugin *host_plugin(const struct niddgw_host *h)
{
	return &h->plugin;
}

bool host_is_open(const struct niddgw_host *h)
{
	return h->open;
}

/* ---- what it is, for the daemon ---- */

static uint32_t takes_of(const struct niddgw_plugin *p)
{
	return (p->record ? 1u << FRAME_RECORD : 0) | (p->session ? 1u << FRAME_SESSION : 0) |
		(p->down ? 1u << FRAME_DOWN : 0) | (p->alarm ? 1u << FRAME_ALARM : 0) |
		(p->stats ? 1u << FRAME_STATS : 0) | (p->gateway ? 1u << FRAME_GATEWAY : 0) | 1u << FRAME_ANSWER;
}

void host_hello(struct niddgw_host *h, const char *build)
{
	const struct frame_hello hello = { FRAME_VERSION,       NIDDGW_PLUGIN_ABI, build,
					   h->plugin.name,      h->plugin.version, h->plugin.needs,
					   takes_of(&h->plugin) };
	struct writer w = writer_of(h->out, sizeof h->out);

	frame_write_hello(&w, &hello);
	host_send(h, &w);
}

void host_describe(struct niddgw_host *h)
{
	for (const struct niddgw_option *o = h->plugin.options; o && o->name; o++) {
		struct writer w = writer_of(h->out, sizeof h->out);

		frame_write_option(&w, o);
		host_send(h, &w);
	}
}

void host_send(struct niddgw_host *h, const struct writer *w)
{
	if (!w->failed)
		h->env.out(h->env.arg, w->start, writer_len(w));
}
