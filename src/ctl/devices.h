/* SPDX-License-Identifier: Apache-2.0 */
/* devices.h - the verbs that change device records or move many of them */
#ifndef NIDDGW_CTL_DEVICES_H
#define NIDDGW_CTL_DEVICES_H

#include <stdbool.h>

#include "ctl/client.h"

struct device_call {
	struct client *client;
	const char *const *args; /* behind the verb */
	int args_n;
	bool json, dry_run, jsonl, all;
	void (*print)(const json_t *document); /* for --json */
};
/* Each is true when all went well; complaints are on stderr. */
bool devices_add(const struct device_call *call);
bool devices_remove(const struct device_call *call);
bool devices_import(const struct device_call *call);
bool devices_export(const struct device_call *call);

#endif
