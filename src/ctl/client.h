/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - requests over the control socket */
#ifndef NIDDGW_CTL_CLIENT_H
#define NIDDGW_CTL_CLIENT_H

#include <jansson.h>

struct client;

/* Connects. 0 or a negative errno (said on stderr). */
int client_open(struct client **out, const char *path);
/**
 * Asks and waits for the answer.
 * @param request  taken
 * @return what is under "data", a new reference; NULL when the daemon refused or went away (said on stderr)
 */
json_t *client_ask(struct client *cl, json_t *request);
void client_close(struct client *cl); /* NULL is fine */

/* Complaint on stderr: "niddgwctl: " and the text, with what no terminal should get escaped. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
