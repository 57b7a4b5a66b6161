/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c - posix_spawn, which shares the memory of the daemon until the new program runs
 *
 * A daemon of a million devices must not have its page tables copied on the main loop. The host process ties itself to
 * the daemon's life and gives up its rights by itself, before it loads anything.
 */
#include "plugin/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_FD = 3, ENVIRONMENT_MOST = 16 }; /* the host's name for it: PROCESS_SOCKET */

/* Where the system finds its names and certificates; what a sanitizer is told. */
static const char *const passed[] = {
	"PATH",        "TZ",          "LANG",         "SSL_CERT_FILE", "SSL_CERT_DIR",
	"RES_OPTIONS", "LOCALDOMAIN", "ASAN_OPTIONS", "UBSAN_OPTIONS",
};

static void fill_environment(char *env[ENVIRONMENT_MOST])
{
	const size_t n = sizeof passed / sizeof *passed;
	size_t used = 0;

	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < n && used < ENVIRONMENT_MOST - 1; i++)
			if (!strncmp(*e, passed[i], strlen(passed[i])) && (*e)[strlen(passed[i])] == '=')
				env[used++] = *e;
	env[used] = NULL;
}

struct start {
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
};

static int start_init(struct start *s)
{
	sigset_t none, all;
	int err = posix_spawn_file_actions_init(&s->files);

	if (err)
		return -err;
	err = posix_spawnattr_init(&s->attr);
	if (err) {
		posix_spawn_file_actions_destroy(&s->files);
		return -err;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&s->attr, &none);
	posix_spawnattr_setsigdefault(&s->attr, &all);
	posix_spawnattr_setpgroup(&s->attr, 0);
	posix_spawnattr_setflags(&s->attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	return 0;
}

static void start_fini(struct start *s)
{
	posix_spawnattr_destroy(&s->attr);
	posix_spawn_file_actions_destroy(&s->files);
}

/* from becomes descriptor `to` there; lift() has seen to it that the two differ. */
static int give(struct start *s, int from, int to)
{
	return -posix_spawn_file_actions_adddup2(&s->files, from, to);
}

/* It keeps the descriptors below `kept`. */
static int start_process(struct start *s, pid_t *pid, const char *host, char *const argv[], int kept)
{
	char *env[ENVIRONMENT_MOST];
	int err = posix_spawn_file_actions_addopen(&s->files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&s->files, kept);
	fill_environment(env);
	return err ? -err : -posix_spawn(pid, host, &s->files, &s->attr, argv, env);
}

static void close_pair(const int fds[2])
{
	if (fds[0] >= 0)
		close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

/* Above the numbers that the new process uses, so that none of its moves hits another. */
static int lift(int *fd)
{
	const int up = fcntl(*fd, F_DUPFD_CLOEXEC, SOCKET_FD + 1);

	if (up < 0)
		return -errno;
	close(*fd);
	*fd = up;
	return 0;
}

static int make_pipe(int fds[2])
{
	int err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	err = lift(&fds[1]);
	if (!err && fcntl(fds[0], F_SETFL, O_NONBLOCK))
		err = -errno;
	return err;
}

static int make_socket(int fds[2])
{
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	err = lift(&fds[1]);
	if (!err && fcntl(fds[0], F_SETFL, O_NONBLOCK)) /* ours alone: the host may wait for the daemon */
		err = -errno;
	return err;
}

static int run(struct start *s, struct spawned *out, const char *host, const char *library, const int link[2],
	       const int err_pipe[2])
{
	char parent[16];
	char *const argv[] = { (char *)"niddgw-plugin-host", (char *)"--run", (char *)library, parent, NULL };
	int err = give(s, err_pipe[1], STDERR_FILENO);

	snprintf(parent, sizeof parent, "%d", (int)getpid());
	if (!err)
		err = give(s, link[1], SOCKET_FD);
	return err ? err : start_process(s, &out->pid, host, argv, SOCKET_FD + 1);
}

int spawn_run(struct spawned *out, const char *host, const char *library)
{
	int link[2] = { -1, -1 }, err_pipe[2] = { -1, -1 };
	struct start s;
	int err = make_socket(link);

	if (!err)
		err = make_pipe(err_pipe);
	if (!err)
		err = start_init(&s);
	if (err) {
		close_pair(link);
		close_pair(err_pipe);
		return err;
	}
	err = run(&s, out, host, library, link, err_pipe);
	start_fini(&s);
	if (err) {
		close_pair(link);
		close_pair(err_pipe);
		return err;
	}
	close(link[1]);
	close(err_pipe[1]);
	out->fd = link[0];
	out->err = err_pipe[0];
	return 0;
}

int spawn_describe(struct spawned *out, const char *host, const char *library)
{
	char *const argv[] = { (char *)"niddgw-plugin-host", (char *)"--describe", (char *)library, NULL };
	int out_pipe[2] = { -1, -1 };
	struct start s;
	int err = make_pipe(out_pipe);

	if (!err)
		err = start_init(&s);
	if (err) {
		close_pair(out_pipe);
		return err;
	}
	err = give(&s, out_pipe[1], STDOUT_FILENO);
	if (!err)
		err = start_process(&s, &out->pid, host, argv, STDERR_FILENO + 1);
	start_fini(&s);
	if (err) {
		close_pair(out_pipe);
		return err;
	}
	close(out_pipe[1]);
	out->fd = out_pipe[0];
	out->err = -1;
	return 0;
}
