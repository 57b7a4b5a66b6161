/* SPDX-License-Identifier: Apache-2.0 */
/* find.h - where the host program and the libraries of plug-ins are
 *
 * Beside the running program first (a build tree runs as it is), then where make install puts them.
 */
#ifndef NIDDGW_PLUGIN_FIND_H
#define NIDDGW_PLUGIN_FIND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { FIND_WHY_SIZE = 512 };

/* The directory of the running program; 0 or a negative errno. */
int find_program_dir(char dir[PATH_MAX]);
/* niddgw-plugin-host; bin_dir as in plugins_env. 0 or -ENOENT. */
int find_host(const char *bin_dir, char path[PATH_MAX]);
/**
 * The library of a plug-in: NAME.so in a plug-in directory, and nowhere else.
 * @param why  why it cannot be used
 * @return 0; -EINVAL a name that is none ("/", a leading dot); -ENOENT; -EACCES a file or directory that others can write
 */
int find_library(const char *bin_dir, const char *name, char path[PATH_MAX], char why[FIND_WHY_SIZE]);
/* Names of all libraries there are, sorted, each once: an array ended by NULL in one allocation, the caller's to free. NULL: no memory. */
char **find_all(const char *bin_dir);
bool find_is_ours(const char *name); /* one of this project's plug-ins, which may run in the daemon */

#endif
