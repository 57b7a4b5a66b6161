/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h - what plug-ins say of themselves, asked of their libraries without running them in the daemon
 *
 * Each library is asked once (niddgw-plugin-host --describe, a process that may do nothing) and again when its file has changed.
 * Asking waits for that process, at most ten seconds, in a daemon that runs already three: it happens while a configuration is loaded,
 * and at a reload only for what is new. What was told once is kept for as long as the describer lives, since configurations point to it.
 */
#ifndef NIDDGW_PLUGIN_DESCRIBE_H
#define NIDDGW_PLUGIN_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_item;
struct describer;

struct description {
	const char *library;
	const char *refused;           /* why it cannot be used; NULL: it can */
	const char *version;           /* NULL: it says none */
	const struct conf_item *items; /* its options, offsets behind struct plugin_conf; NULL when refused */
	size_t size;                   /* of the struct with these */
};

/* bin_dir as in plugins_env, borrowed. strict: what is refused is a fault of the configuration (niddgwd -t). 0 or -ENOMEM. */
int describer_new(struct describer **out, const char *bin_dir, bool strict);
void describer_free(struct describer *d); /* NULL is fine */
bool describer_is_strict(const struct describer *d);
void describer_hurry(struct describer *d); /* from here on somebody waits */
const struct description *describer_get(struct describer *d, const char *library); /* NULL: no memory */
const struct description *describer_nth(struct describer *d, size_t i); /* of all that are installed, by name; NULL behind the last */

#endif
