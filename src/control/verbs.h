/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - what can be asked over the control socket
 *
 * A request is one JSON object on one line: {"verb":"device show","name":"meter-17"}. The answer is one line too:
 * {"v":1,"ts":"..","status":"ok","data":{..}} or {..,"status":"error","error":{"code":"not_found","message":".."}}.
 */
#ifndef NIDDGW_CONTROL_VERBS_H
#define NIDDGW_CONTROL_VERBS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/control.h"
#include "control/records.h"

enum verbs_when {
	VERBS_NOW,
	VERBS_RELOADED, /* the answer comes from verbs_reloaded() after the reload that was asked for */
	VERBS_STORED,   /* it comes through records->answer, not from within this call */
};
/**
 * Answer one request.
 * @param r     what this client has under way
 * @param line  borrowed, len octets without the line end
 * @return the answer, a new reference; NULL when it comes later, or when memory is short
 */
json_t *verbs_answer(struct records *r, const char *line, size_t len, enum verbs_when *when);

/* The answer for all who asked for a reload: err is what it came to, report its lines (NULL: memory was short). */
json_t *verbs_reloaded(int err, const char *report);

json_t *verbs_ok(json_t *data); /* takes data; NULL gives NULL */
/* {"status":"error","error":{..}}; code is one of the words of the command interface: bad_request, not_found, unsupported,
 * busy, conflict, unavailable, too_large, internal. */
json_t *verbs_error(const char *code, const char *message);

#endif
