/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - files in etc to one checked configuration
 *
 * FILE, then conf.d and devices.d beside it (only *.conf, byte order) are each read on their own and merged: a later scalar in a group
 * wins, lists append, the same name twice in one list is a fault. Every fault of every file is found in one run.
 */
#ifndef NIDDGW_CONFIG_CONFIG_H
#define NIDDGW_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "config/schema.h"

struct conf; /* one loaded configuration; owns the arena */

/* Called after all files are read and every key is checked by itself: looks across keys with conf_fault(). root is the
 * filled root struct. It is called with faults too, so that all are found in one run: a value that was refused stands at its
 * default then, a required key may be NULL, and the "type" of an element whose word is unknown is -1. */
typedef void conf_check_fn(struct conf_load *load, void *root);

struct conf_schema {
	const struct conf_item *items; /* of the root */
	size_t size;                   /* of the root struct */
	conf_check_fn *check;          /* NULL: none */
	void *arg;                     /* for conf_arg() */
};

/**
 * Read, merge and check.
 * @param out     the configuration, freed with conf_free(); written only when there is no fault
 * @param faults  every fault goes here as one line `FILE:LINE: path: text` in order of files and lines; may be NULL
 * @return 0; -EINVAL with faults; -ENOENT when FILE cannot be opened (said in faults); -ENOMEM
 */
int conf_load(struct conf **out, const char *file, const struct conf_schema *schema, FILE *faults);
void *conf_root(struct conf *c);
const char *conf_dir(const struct conf *c); /* of the main file, absolute: where relative paths begin */
void conf_free(struct conf *c);

/* The same from memory, one text as FILE (no drop-ins); for the fuzz target and tests. */
int conf_load_text(struct conf **out, const char *name, const char *text, size_t len, const struct conf_schema *schema, FILE *faults);

void conf_print_defaults(const struct conf_schema *schema, FILE *to);      /* annotated file, sound as it is printed */
void conf_print(const struct conf *c, const struct conf_schema *schema, FILE *to); /* effective, secrets masked as "file:***" */

/* The one line of a secret file, without its line end, into buf (NUL-terminated). -EMSGSIZE, -ENOENT, -EACCES, -EBADMSG (empty, more than one line). */
long conf_read_secret(const char *path, char *buf, size_t size);

#endif
