/* SPDX-License-Identifier: Apache-2.0 */
/* show.h - the daemon's objects for people */
#ifndef NIDDGW_CTL_SHOW_H
#define NIDDGW_CTL_SHOW_H

#include <jansson.h>

#include "ctl/table.h"

void show_object(const json_t *o); /* every member on a line of its own: "link.mtu  1358" */
void show_status(const json_t *status);

/* A list: the heads of its columns, and how one of its items becomes a row below them. add: 0 or -ENOMEM. */
struct show_list {
	const char *const *heads;
	size_t columns;
	int (*add)(struct table *t, const json_t *item);
};
extern const struct show_list show_devices, show_links, show_servers, show_queue, show_alarms, show_events, show_plugins;

#endif
