/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the subcommands of niddgw-sim
 *
 * Each takes the arguments behind its own name (argv[0] is the subcommand) and returns the exit status of the program:
 * 0 done, 1 failed, 2 usage.
 */
#ifndef NIDDGW_SIM_SIM_H
#define NIDDGW_SIM_SIM_H

#include <stdint.h>

enum { SIM_OK, SIM_FAILED, SIM_USAGE };

int sim_scef(int argc, char **argv);
int sim_device(int argc, char **argv);
int sim_server(int argc, char **argv);
int sim_load(int argc, char **argv);

/* An end that runs until a signal; all of it is borrowed for the call. */
struct args_item;
struct loop;
struct sim_end {
	void *arg;          /* of start and finish */
	struct loop **loop; /* where the end has it; set before start */
	void *opts;         /* zeroed */
	const struct args_item *items;
	const char *usage;
	const uint64_t *seed;     /* an option; 0: none */
	int (*start)(void *arg);  /* 0; -EINVAL wrong usage, said on stderr; or another negative errno */
	void (*finish)(void *arg); /* after a start that failed too */
};
/* Options, loop and signals around start and finish. Returns the exit status. */
int sim_run(const struct sim_end *e, int argc, char **argv);

#endif
