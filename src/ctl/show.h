/* SPDX-License-Identifier: Apache-2.0 */
/* show.h - the daemon's objects for people */
#ifndef NIDDGW_CTL_SHOW_H
#define NIDDGW_CTL_SHOW_H

#include <jansson.h>

#include "ctl/table.h"

void show_object(const json_t *o); /* every member on a line of its own: "link.mtu  1358" */
void show_status(const json_t *status);
void show_links(const json_t *document);
void show_servers(const json_t *document);
void show_alarms(const json_t *document);

extern const char *const device_heads[];
extern const size_t device_columns;
int show_add_device(struct table *t, const json_t *device); /* a row below device_heads. 0 or -ENOMEM */

#endif
