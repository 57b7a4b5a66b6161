/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - the one line of a secret file, read when it is needed and wiped after use */
#ifndef NIDDGW_BASE_SECRET_H
#define NIDDGW_BASE_SECRET_H

#include <stddef.h>

/**
 * Read a file that holds one line, without its line end (LF or CR LF, which may be missing). Owner and mode were checked when
 * the configuration was loaded.
 * @param buf   NUL-terminated on success, all zero on failure; the caller wipes it with secret_wipe() after use
 * @param size  octets in buf; the line may have size - 1
 * @return octets, at least 1; -ENOENT, -EACCES or what else open and read say; -EMSGSIZE longer than buf; -EBADMSG not a
 *         regular file, empty, white space only, a NUL in it, more than one line
 */
long secret_read(const char *path, char *buf, size_t size);
void secret_wipe(void *buf, size_t size); /* is not optimised away; NULL is fine */

#endif
