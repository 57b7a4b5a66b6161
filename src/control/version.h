/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - which program this is; the one object that is made again for a new commit */
#ifndef NIDDGW_CONTROL_VERSION_H
#define NIDDGW_CONTROL_VERSION_H

extern const char niddgw_version[]; /* "0.1.0" */
extern const char niddgw_commit[];  /* as git describes it; "unknown" outside a checkout */
extern const char niddgw_build[];   /* both, as programs print it */

#endif
