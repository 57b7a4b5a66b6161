/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - commands to the gateway and to devices, whoever asks: plug-ins and the control socket
 *
 * One table has them all. What a plug-in may ask beside what only reads, its configuration says; over the socket everything is
 * allowed. An answer is the response object of the monitoring reference: one that is final, perhaps after one that
 * says "accepted".
 */
#ifndef NIDDGW_CONTROL_COMMAND_H
#define NIDDGW_CONTROL_COMMAND_H

#include <jansson.h>

#include "plugin/plugins.h"

struct commands;
struct control;

bool command_is_known(const char *name); /* of the gateway or of devices */

int commands_open(struct commands **out, struct control *c); /* 0 or -ENOMEM */
void commands_close(struct commands *cs);                    /* nobody gets an answer any more; NULL is fine */

/* A command of a plug-in: it is answered there. */
void commands_from_plugin(struct commands *cs, plugin_ref from, const struct niddgw_command *c);

/* The same for others. answer is called once or twice, never from within; the object is borrowed for the call. Everything is borrowed. */
struct command_in {
	const char *device; /* NULL: the gateway */
	const char *name, *id;
	const json_t *args; /* an object; NULL: none */
	uint64_t timeout_ms; /* 0: 30 s */
};
struct command_job;
typedef void command_answer_fn(void *arg, json_t *response, bool final);
struct command_job *commands_run(struct commands *cs, const struct command_in *in, command_answer_fn *answer, void *arg);
void command_forget(struct command_job *job); /* its answer is not wanted any more; what it began goes on. NULL is fine */

#endif
