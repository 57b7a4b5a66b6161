/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - the life of a host process: frames in, frames out, descriptors and timer of the plug-in */
#ifndef NIDDGW_HOST_PROCESS_H
#define NIDDGW_HOST_PROCESS_H

enum { PROCESS_SOCKET = 3 }; /* where the daemon's end of things is */

/* Confines itself, loads the library at path and serves the daemon until it says stop or is gone. Returns the exit status. */
int process_run(const char *path);
/* Confines itself, loads the library and writes to stdout what it is: FRAME_HELLO, FRAME_OPTIONs, FRAME_READY; or FRAME_REFUSED. */
int process_describe(const char *path);

#endif
