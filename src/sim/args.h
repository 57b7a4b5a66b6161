/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - options of a subcommand as a table
 *
 * One table per subcommand gives parsing, ranges, defaults and the help text. The same table lets a running simulator
 * change an option by command ("set"), where the item is marked so.
 */
#ifndef NIDDGW_SIM_ARGS_H
#define NIDDGW_SIM_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum args_kind {
	ARGS_HEAD,  /* no option: a heading in the help text */
	ARGS_TEXT,  /* char *, owned; NULL when absent */
	ARGS_UINT,  /* uint64_t between least and most */
	ARGS_FLAG,  /* bool; on the command line without a value, in "set" on or off */
	ARGS_WORD,  /* unsigned: index into words */
	ARGS_LIST,  /* struct args_list: the option may stand several times */
};
struct args_list {
	char **texts; /* owned */
	size_t n;
};
struct args_item {
	enum args_kind kind;
	bool live;               /* may be changed by "set" */
	const char *name;        /* without the dashes */
	const char *meta;        /* how the value is called in the help */
	size_t offset;           /* in the options struct */
	const char *preset;      /* as text; NULL: zero, absent, off */
	uint64_t least, most;    /* of ARGS_UINT */
	const char *const *words; /* of ARGS_WORD, NULL at the end */
	const char *help;
};

/**
 * Fill the zeroed options struct from presets and arguments.
 * @param usage  what stands behind the subcommand in the first line, then what it is for
 * @return 0 go on; 1 help or version was printed; -EINVAL wrong usage, said on stderr
 */
int args_parse(void *opts, const struct args_item *items, const char *usage, int argc, char **argv);
/* Change one option by name while running. -ENOENT no such live option; -EINVAL value out of place. */
int args_set(void *opts, const struct args_item *items, const char *name, const char *value);
void args_free(void *opts, const struct args_item *items);

#endif
