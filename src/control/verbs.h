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

/**
 * Answer one request.
 * @param line   borrowed, len octets without the line end
 * @param later  set when the answer comes from verbs_reloaded() after the reload that was asked for
 * @return the answer, a new reference; NULL with *later, or when memory is short
 */
json_t *verbs_answer(const struct control *c, const char *line, size_t len, bool *later);

/* The answer for all who asked for a reload: err is what it came to, report its lines (NULL: memory was short). */
json_t *verbs_reloaded(int err, const char *report);

/* {"status":"error","error":{..}}; code is one of the words of the command interface: bad_request, not_found, unsupported,
 * busy, internal. */
json_t *verbs_error(const char *code, const char *message);

#endif
