/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - configuration keys of the list plugins
 *
 * The keys that every plug-in has stand in a table here; those of its own come from the option table of the library, which the
 * host process reads (niddgw-plugin-host --describe) so that no foreign code runs in the daemon.
 */
#ifndef NIDDGW_PLUGIN_CONF_H
#define NIDDGW_PLUGIN_CONF_H

#include "config/schema.h"

enum plugin_isolation { PLUGIN_PROCESS, PLUGIN_INLINE };

struct plugin_conf {
	struct conf_more_head more; /* head and the keys of its own */
	const char *plugin;         /* name of the library; NULL: the instance's */
	int isolation;              /* enum plugin_isolation */
	struct conf_texts commands;
};
extern const struct conf_item plugin_items[];
extern const struct conf_more plugin_more; /* asks the struct describer that is the schema's arg (describe.h); knows nothing without one */

static inline const char *plugin_name(const struct plugin_conf *c)
{
	return c->more.head.name;
}

static inline const char *plugin_library(const struct plugin_conf *c)
{
	return c->plugin ? c->plugin : plugin_name(c);
}

/* conf_fault()s: names that cannot be a directory, isolation = "inline" for one that is not ours; with a describer that is strict also what is
 * wrong with the library. */
void plugins_check(struct conf_load *load, const struct conf_list *list);

/* The values of its own keys, one call for each that has one; texts are borrowed for the call. */
typedef void plugin_setting_fn(void *arg, const char *name, const char *const *texts, size_t n);
void plugin_settings(const struct plugin_conf *c, plugin_setting_fn *fn, void *arg);

#endif
