/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - one plug-in: loaded, checked, and called with what comes in frames
 *
 * The same core stands in the host process and, for plug-ins that run in the daemon, there. It knows nothing of where frames
 * come from: they are given to it, what the plug-in says goes out through env, and whoever holds it watches descriptors and
 * the clock. One thread; a call never comes while another one runs.
 */
#ifndef NIDDGW_HOST_HOST_H
#define NIDDGW_HOST_HOST_H

#include "niddgw/plugin.h"
#include "plugin/frame.h"

struct niddgw_host; /* what plug-ins know it by */

enum { HOST_WATCHES_MOST = 64, HOST_COMMANDS_MOST = 64, HOST_WHY_SIZE = 512 };

struct host_env {
	void (*out)(void *arg, const uint8_t *frame, size_t len); /* a whole frame towards the daemon, borrowed */
	int (*watch)(void *arg, int fd, unsigned events);         /* as niddgw_watch() */
	void (*timer)(void *arg, int64_t in_ms);                  /* as niddgw_timer() */
	void *arg;
};

/* May this file be loaded? A regular file, it and its directory of root or of the effective user, writable by nobody else.
 * 0, or -EACCES, -ENOENT with the reason in why. */
int host_check_file(const char *path, char why[HOST_WHY_SIZE]);
/**
 * Load a library and look at its niddgw_plugin; nothing of it is called.
 * @param env  borrowed
 * @param why  why it is refused: ABI, missing symbol, what the dynamic linker said
 * @return 0; -EINVAL refused; -ENOMEM
 */
int host_load(struct niddgw_host **out, const char *path, const struct host_env *env, char why[HOST_WHY_SIZE]);
const struct niddgw_plugin *host_plugin(const struct niddgw_host *h); /* members that the library does not have are zero */
void host_hello(struct niddgw_host *h, const char *build);   /* its FRAME_HELLO goes out */
void host_describe(struct niddgw_host *h);                   /* a FRAME_OPTION for each option goes out */
/**
 * Do what a frame says. FRAME_SETUP opens the plug-in and answers FRAME_READY or FRAME_REFUSED; documents reach it when it is
 * open. FRAME_PING and FRAME_STOP are the holder's.
 * @return 0, or -EBADMSG: the frame is malformed, nothing was called
 */
int host_take(struct niddgw_host *h, struct frame *f);
void host_ready(struct niddgw_host *h, int fd, unsigned events); /* a watched descriptor */
void host_timer(struct niddgw_host *h);                          /* the timer has run out */
void host_flush(struct niddgw_host *h); /* what has been counted goes out; to be called now and then */
bool host_owes(const struct niddgw_host *h); /* something has been counted since */
bool host_is_open(const struct niddgw_host *h);
void host_close(struct niddgw_host *h); /* closes the plug-in when it is open, unloads it; NULL is fine */

#endif
