/* SPDX-License-Identifier: Apache-2.0 */
/* newer.c - of an ABI that is not there yet */
#include "niddgw/plugin.h"

static int newer_open(struct niddgw_host *host, void **state)
{
	(void)host;
	(void)state;
	return 0;
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI + 1, .size = sizeof(struct niddgw_plugin), .name = "newer", .open = newer_open
};
