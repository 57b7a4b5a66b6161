/* SPDX-License-Identifier: Apache-2.0 */
/* badtable.c - an option that cannot be one */
#include <stddef.h>

#include "niddgw/plugin.h"

static const struct niddgw_option options[] = {
	{ "isolation", NIDDGW_OPTION_TEXT, false, NULL, NULL, 0, 0, "every plug-in has it already" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static int badtable_open(struct niddgw_host *host, void **state)
{
	(void)host;
	(void)state;
	return 0;
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = { .abi = NIDDGW_PLUGIN_ABI,
							   .size = sizeof(struct niddgw_plugin),
							   .name = "badtable",
							   .options = options,
							   .open = badtable_open };
