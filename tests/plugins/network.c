/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - may open sockets: resolves names and connects, and still gets no other kind of socket */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "niddgw/plugin.h"

static const struct niddgw_option options[] = {
	{ "host", NIDDGW_OPTION_TEXT, true, NULL, NULL, 0, 0, "host to connect to" },
	{ "port", NIDDGW_OPTION_TEXT, true, NULL, NULL, 0, 0, "its port" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static void say(struct niddgw_host *host, const char *what, const char *result)
{
	char text[256];

	snprintf(text, sizeof text, "%s: %s", what, result);
	niddgw_log(host, NIDDGW_NOTICE, "network.did", text);
}

static void network_timer(void *state)
{
	struct niddgw_host *host = state;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int err = getaddrinfo(niddgw_option(host, "host"), niddgw_option(host, "port"), &hints, &found), fd;

	say(host, "getaddrinfo", err ? gai_strerror(err) : "done");
	for (const struct addrinfo *a = found; a; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype, 0);
		if (fd >= 0 && !connect(fd, a->ai_addr, a->ai_addrlen)) {
			say(host, "connect", write(fd, "hello", 5) == 5 ? "done" : strerror(errno));
			break;
		}
	}
	if (found)
		freeaddrinfo(found);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	say(host, "unix", fd < 0 ? strerror(errno) : "done");
}

static int network_open(struct niddgw_host *host, void **state)
{
	*state = host;
	niddgw_timer(host, 0);
	return 0;
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI,
	.size = sizeof(struct niddgw_plugin),
	.name = "network",
	.needs = NIDDGW_NEEDS_NETWORK,
	.options = options,
	.open = network_open,
	.timer = network_timer,
};
