/* SPDX-License-Identifier: Apache-2.0 */
/* socket.h - the control socket: one JSON request per line, one JSON answer per line */
#ifndef NIDDGW_CONTROL_SOCKET_H
#define NIDDGW_CONTROL_SOCKET_H

#include "control/control.h"

struct ctl_socket;

/* Listens at run_dir/ctl. 0 or a negative errno, see listen_unix(). */
int ctl_socket_open(struct ctl_socket **out, struct control *c, const char *run_dir);
void ctl_socket_close(struct ctl_socket *s); /* drops every client and removes the socket; NULL is fine */

#endif
