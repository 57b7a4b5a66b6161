/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - the state of the process for its supervisor (sd_notify protocol) */
#ifndef NIDDGW_CONTROL_NOTIFY_H
#define NIDDGW_CONTROL_NOTIFY_H

/* Sends state ("READY=1", "RELOADING=1", "STOPPING=1", several separated by newlines) to $NOTIFY_SOCKET: a path, or with a
 * leading @ an abstract name. 0 also when the variable is not set; else a negative errno. Never blocks. */
int notify_send(const char *state);

#endif
