/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - the words the Makefile gives */
#include "control/version.h"

const char niddgw_version[] = NIDDGW_VERSION;
const char niddgw_commit[] = NIDDGW_COMMIT;
const char niddgw_build[] = NIDDGW_VERSION " (" NIDDGW_COMMIT ")";
