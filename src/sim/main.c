/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - niddgw-sim: picks the subcommand */
#include <stdio.h>
#include <string.h>

#include "sim/sim.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "scef", sim_scef, "an SCEF: the T8 NIDD API, with a radio for devices on UDP and switches for faults" },
	{ "device", sim_device, "LwM2M clients with objects 1, 3 and 3303" },
	{ "server", sim_server, "a small LwM2M server that takes commands" },
	{ "load", sim_load, "an offered rate, with latencies and CPU per trip" },
};

static int print_help(FILE *to)
{
	fputs("usage: niddgw-sim SUBCOMMAND [OPTION ..]\n"
	      "       niddgw-sim --help | --version\n\n"
	      "The other ends of a NIDD gateway, for tests and demonstrations:\n\n",
	      to);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\nniddgw-sim SUBCOMMAND --help tells the options of each. Results are JSON lines on standard output.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
	      to);
	return to == stdout ? SIM_OK : SIM_USAGE;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
		return print_help(stdout);
	if (!strcmp(word, "--version")) {
		puts("niddgw-sim " NIDDGW_VERSION);
		return SIM_OK;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (!strcmp(word, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	if (*word)
		fprintf(stderr, "niddgw-sim: there is no subcommand \"%s\"\n", word);
	return print_help(stderr);
}
