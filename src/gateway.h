/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h - the one object that everything hangs from, and the schema of its configuration */
#ifndef NIDDGW_GATEWAY_H
#define NIDDGW_GATEWAY_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

extern const struct conf_schema gateway_schema; /* a copy with a struct describer (plugin/describe.h) as arg knows the keys of plug-ins */

/* The object definitions of the site, objects.d beside the main file: prints each fault as FILE:LINE: text. 0 or a negative errno. */
int registry_check(const char *main_file, FILE *faults);

struct gateway;
/**
 * Open everything that a checked configuration names, and say that it is ready.
 * @param file  the main file, read again at a reload
 * @param schema  with what it was loaded by and will be again; borrowed
 * @param conf  taken, on failure too
 * @param verbose  log at debug whatever the configuration says
 * @return 0, or a negative errno (logged)
 */
int gateway_open(struct gateway **out, const char *file, const struct conf_schema *schema, struct conf *conf, bool verbose);
int gateway_run(struct gateway *g); /* until SIGTERM or SIGINT; 0, or a negative errno when the loop failed */
void gateway_close(struct gateway *g); /* takes a half-built one too; NULL is fine */

#endif
