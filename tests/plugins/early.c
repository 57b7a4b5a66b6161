/* SPDX-License-Identifier: Apache-2.0 */
/* early.c - falls over before anybody has called it */
#include <stdlib.h>

#include "niddgw/plugin.h"

__attribute__((constructor)) static void early_start(void)
{
	abort();
}

static int early_open(struct niddgw_host *host, void **state)
{
	(void)host;
	(void)state;
	return 0;
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI, .size = sizeof(struct niddgw_plugin), .name = "early", .open = early_open
};
