/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - starts niddgw-plugin-host with nothing of the daemon but what it needs */
#ifndef NIDDGW_PLUGIN_SPAWN_H
#define NIDDGW_PLUGIN_SPAWN_H

#include <sys/types.h>

struct spawned {
	pid_t pid; /* also the number of its process group */
	int fd;    /* run: our end of the socket; describe: what it writes to stdout. Non-blocking */
	int err;   /* run: what it writes to stderr, non-blocking; -1 */
};

/* 0 or a negative errno. Descriptors are the caller's. The process has an environment of a few harmless variables, stdin from
 * /dev/null, no other descriptor, and no signal is blocked or ignored. */
int spawn_run(struct spawned *out, const char *host, const char *library);
int spawn_describe(struct spawned *out, const char *host, const char *library);

#endif
