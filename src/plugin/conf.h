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
	struct conf_head head;
	const char *plugin;         /* name of the library; NULL: the instance's */
	int isolation;              /* enum plugin_isolation */
	struct conf_texts commands;
};
extern const struct conf_item plugin_items[];

static inline const char *plugin_library(const struct plugin_conf *c)
{
	return c->plugin ? c->plugin : c->head.name;
}

#endif
