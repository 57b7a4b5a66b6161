/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - bound, listening, non-blocking stream sockets */
#ifndef NIDDGW_CONTROL_LISTEN_H
#define NIDDGW_CONTROL_LISTEN_H

#include "base/addr.h"

enum { LISTEN_BACKLOG = 64 };

/* A unix socket at path, mode 0660 before anybody can connect. One that a dead process left is replaced. The descriptor (the
 * caller's, who also unlinks path), or -EADDRINUSE when somebody answers there, -EEXIST when path is no socket, or another errno. */
int listen_unix(const char *path);
/* A TCP socket; the descriptor, or a negative errno. */
int listen_tcp(const struct addr *addr);

#endif
