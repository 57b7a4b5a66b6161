/* SPDX-License-Identifier: Apache-2.0 */
/* older.c - built when the struct ended with record(): what stands behind it must not be looked at */
#include <stddef.h>
#include <stdint.h>

#include "niddgw/plugin.h"

static int older_open(struct niddgw_host *host, void **state)
{
	*state = host;
	niddgw_log(host, NIDDGW_NOTICE, "older.open", NULL);
	return 0;
}

static int older_record(void *state, const struct niddgw_record *r)
{
	niddgw_log(state, NIDDGW_NOTICE, "older.record", niddgw_record_id(r));
	return 0;
}

/* As that header had it, with something else behind in memory. */
NIDDGW_EXPORT const struct {
	uint32_t abi, size;
	const char *name, *version;
	uint32_t needs;
	const struct niddgw_option *options;
	int (*open)(struct niddgw_host *, void **);
	void (*close)(void *);
	int (*record)(void *, const struct niddgw_record *);
	uintptr_t behind[8];
} older __asm__("niddgw_plugin") = {
	NIDDGW_PLUGIN_ABI,
	offsetof(struct niddgw_plugin, session),
	"older",
	"0.1",
	0,
	NULL,
	older_open,
	NULL,
	older_record,
	{ 1, 1, 1, 1, 1, 1, 1, 1 },
};
