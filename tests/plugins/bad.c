/* SPDX-License-Identifier: Apache-2.0 */
/* bad.c - does one of the things that a plug-in must not do, soon after it was opened, and says what came of it */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "niddgw/plugin.h"

static const struct niddgw_option options[] = {
	{ "what", NIDDGW_OPTION_TEXT, true, NULL, NULL, 0, 0, "what to do" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static void say(struct niddgw_host *host, const char *what, long result)
{
	char text[128];

	snprintf(text, sizeof text, "%s: %s", what, result < 0 ? strerror(errno) : "done");
	niddgw_log(host, NIDDGW_NOTICE, "bad.did", text);
}

static void crash(struct niddgw_host *host)
{
	(void)host;
	signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it as a fault of ours */
	raise(SIGSEGV);
}

static void loop(struct niddgw_host *host)
{
	(void)host;
	for (volatile unsigned i = 0;; i++)
		;
}

static void sleep_long(struct niddgw_host *host)
{
	(void)host;
	sleep(30);
}

/* Until there is no more; then the gateway still has to be able to talk to it. */
static void bomb(struct niddgw_host *host)
{
	enum { MOST = 512 << 20 };
	size_t total = 0;
	char *p;

	while (total < MOST && (p = malloc(1 << 20))) {
		memset(p, 1, 1 << 20);
		total += 1 << 20;
	}
	errno = ENOMEM;
	say(host, "malloc", total < MOST ? -1 : 0);
}

static void leak(struct niddgw_host *host)
{
	int n = 0;

	while (n < 100000 && open("/dev/null", O_RDONLY) >= 0)
		n++;
	say(host, "open", n < 100000 ? -1 : 0);
}

static void programs(struct niddgw_host *host)
{
	char *const argv[] = { (char *)"true", NULL };
	pid_t child;

	say(host, "execve", execve("/bin/true", argv, NULL));
	child = fork();
	if (child == 0)
		_exit(0);
	say(host, "fork", child);
	say(host, "system", system("/bin/true") ? -1 : 0);
}

static void processes(struct niddgw_host *host)
{
	const struct rlimit r = { 8, 8 };
	char path[64];

	say(host, "kill", kill(getppid(), SIGKILL));
	say(host, "ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	say(host, "prlimit", prlimit(getppid(), RLIMIT_NOFILE, &r, NULL));
	say(host, "pdeathsig", prctl(PR_SET_PDEATHSIG, 0));
	snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
	say(host, "mem", open(path, O_RDWR));
	say(host, "io_uring", syscall(SYS_io_uring_setup, 1, NULL));
	say(host, "setsid", setsid());
}

static void sockets(struct niddgw_host *host)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	say(host, "inet", fd);
	say(host, "unix", socket(AF_UNIX, SOCK_STREAM, 0));
	say(host, "packet", socket(AF_PACKET, SOCK_RAW, 0));
}

/* Log lines and counters without end, in one call each time. */
static void flood(struct niddgw_host *host)
{
	struct niddgw_command c = { .size = sizeof c, .name = "ping", .cookie = 1 };

	for (int i = 0; i < 2000; i++) {
		niddgw_log(host, NIDDGW_NOTICE, "bad.flood", "again");
		(void)niddgw_command(host, &c);
		fprintf(stderr, "again and again\n");
	}
	niddgw_timer(host, 0);
}

static void garbage(struct niddgw_host *host)
{
	(void)host;
	if (write(3, "\xff\xff\xff\xff garbage that is no frame", 30) < 0)
		_exit(9);
}

static void beyond(struct niddgw_host *host)
{
	static const unsigned char short_log[] = {
		0, 0, 0, 9, 68, 0, 0, 0, 2, 0xff, 0, 0, 0
	}; /* a text longer than its frame */

	(void)host;
	if (write(3, short_log, sizeof short_log) < 0)
		_exit(9);
}

static void quit(struct niddgw_host *host)
{
	fprintf(stderr, "so \x1b[31mlong\n");
	(void)host;
	exit(3);
}

static const struct {
	const char *what;
	void (*act)(struct niddgw_host *host);
} deeds[] = {
	{ "crash", crash }, { "loop", loop },         { "sleep", sleep_long },    { "bomb", bomb },
	{ "leak", leak },   { "programs", programs }, { "processes", processes }, { "sockets", sockets },
	{ "flood", flood }, { "garbage", garbage },   { "beyond", beyond },       { "quit", quit },
};

static void bad_timer(void *state)
{
	struct niddgw_host *host = state;
	const char *what = niddgw_option(host, "what");

	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
		if (!strcmp(deeds[i].what, what))
			deeds[i].act(host);
}

static int bad_open(struct niddgw_host *host, void **state)
{
	*state = host;
	niddgw_timer(host, 100);
	return 0;
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI,
	.size = sizeof(struct niddgw_plugin),
	.name = "bad",
	.version = "0",
	.options = options,
	.open = bad_open,
	.timer = bad_timer,
};
