/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - tells plug-ins what the gateway knows: presence, health, alarms, sessions, requests on their way, numbers
 *
 * Documents are those of render.h, made when they are due. What changes in a device is gathered for a moment and then told in
 * small portions, so that many devices at once hold up nobody.
 */
#ifndef NIDDGW_CONTROL_PUBLISH_H
#define NIDDGW_CONTROL_PUBLISH_H

#include "plugin/plugins.h"

struct control;
struct publish;

/* Watches sessions and alarms from now on. 0 or -ENOMEM. */
int publish_open(struct publish **out, struct control *c);
void publish_close(struct publish *p); /* NULL is fine */
void publish_gateway(struct publish *p); /* phase or configuration have changed: told now; p may be NULL */
void publish_stopped(struct publish *p); /* the last that is told */
void publish_replay(struct publish *p, plugin_ref to); /* all states again, to one instance */

#endif
