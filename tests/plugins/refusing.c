/* SPDX-License-Identifier: Apache-2.0 */
/* refusing.c - cannot be opened */
#include <errno.h>
#include <stddef.h>

#include "niddgw/plugin.h"

static int refusing_open(struct niddgw_host *host, void **state)
{
	(void)state;
	niddgw_log(host, NIDDGW_WARNING, "refusing.open", "not today");
	return -ENXIO;
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI, .size = sizeof(struct niddgw_plugin), .name = "refusing", .open = refusing_open
};
