/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - niddgw-plugin-host: one plug-in in a process of its own
 *
 * niddgwd starts it; nobody else needs to. What it says on stderr niddgwd puts into its log.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "control/version.h"
#include "host/process.h"

enum { MISUSED = 2 };

static const char usage_text[] =
	"usage: niddgw-plugin-host --describe FILE.so\n"
	"       niddgw-plugin-host --run FILE.so PARENT     (niddgwd does this)\n"
	"Runs one plug-in of niddgwd, with no more rights than it needs.\n"
	"\n"
	"  --describe  write what the plug-in is and its options, in frames as niddgwd reads them\n"
	"  --version\n"
	"  --help\n";

#if defined(__SANITIZE_ADDRESS__)
/* The leak check attaches to the process as a debugger does, which is one of the things that are forbidden here. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

/* The daemon may be gone already: then nobody will ever say stop. */
static int tie_to(const char *parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -1;
	return getppid() == (pid_t)strtol(parent, NULL, 10) ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "--help")) {
		fputs(usage_text, stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(what, "--version")) {
		printf("niddgw-plugin-host %s\n", niddgw_build);
		return EXIT_SUCCESS;
	}
	if (!strcmp(what, "--describe") && argc == 3)
		return process_describe(argv[2]);
	if (!strcmp(what, "--run") && argc == 4)
		return tie_to(argv[3]) ? EXIT_FAILURE : process_run(argv[2]);
	fputs(usage_text, stderr);
	return MISUSED;
}
