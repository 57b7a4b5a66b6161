/* SPDX-License-Identifier: Apache-2.0 */
/* admin_paths.h - what stands behind each path of the admin listener */
#ifndef NIDDGW_CONTROL_ADMIN_PATHS_H
#define NIDDGW_CONTROL_ADMIN_PATHS_H

#include "control/control.h"

struct evbuffer;

struct admin_answer {
	int status;
	const char *content_type;
	struct evbuffer *body; /* the caller's, empty; what is answered is added to it */
};

/* Answers a GET of target (path and query as sent). */
void admin_get(const struct control *c, const char *target, struct admin_answer *answer);
/* {"error":{"code":..,"message":..}} with that status. */
void admin_error(struct admin_answer *answer, int status, const char *code, const char *message);
const char *admin_reason(int status); /* "Not Found" */

#endif
