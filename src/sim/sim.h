/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the subcommands of niddgw-sim
 *
 * Each takes the arguments behind its own name (argv[0] is the subcommand) and returns the exit status of the program:
 * 0 done, 1 failed, 2 usage.
 */
#ifndef NIDDGW_SIM_SIM_H
#define NIDDGW_SIM_SIM_H

enum { SIM_OK, SIM_FAILED, SIM_USAGE };

int sim_scef(int argc, char **argv);
int sim_device(int argc, char **argv);
int sim_server(int argc, char **argv);
int sim_load(int argc, char **argv);

#endif
