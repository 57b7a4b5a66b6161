/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h - what the process of a plug-in gives up, before any code of the plug-in runs */
#ifndef NIDDGW_HOST_CONFINE_H
#define NIDDGW_HOST_CONFINE_H

#include <stdint.h>

/**
 * Take away for good: memory above 256 MiB of address space, core files, more than 256 descriptors, all capabilities, other
 * programs (exec, fork), other processes (ptrace, signals, limits), and new sockets but for IP when needs allows it. What is
 * forbidden fails with EPERM. When processors are short the daemon goes first. For this thread and those it makes, so it is
 * called before there are others.
 * @param needs  NIDDGW_NEEDS_
 * @return 0, or a negative errno: the process must not go on
 */
int confine(uint32_t needs);

#endif
