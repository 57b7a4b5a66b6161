/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_server.c - what a server that is reached by streams counts */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "north/tcp.h"

static const char *const result_names[TCP_RESULT_COUNT] = {
	[TCP_OK] = "ok",         [TCP_REFUSED] = "refused",   [TCP_TIMEOUT] = "timeout", [TCP_SECURITY] = "security",
	[TCP_NO_CSM] = "no_csm", [TCP_PROTOCOL] = "protocol", [TCP_ABORTED] = "aborted", [TCP_RELEASE] = "released",
	[TCP_CLOSED] = "closed", [TCP_SILENT] = "silent",     [TCP_LOCAL] = "local",
};
_Static_assert((int)TCP_RESULT_COUNT == (int)NORTH_STREAM_RESULTS, "a counter for each result");

const char *tcp_result_name(enum tcp_result r)
{
	return result_names[r];
}

static double connections_gauge(void *arg)
{
	return ((const struct north_server *)arg)->ups;
}

int tcp_server_open(struct north_server *s)
{
	struct metrics *m = s->north->env.metrics;
	char server[320], label[360];

	if (!s->north->item)
		s->north->item = malloc(sizeof *s->north->item);
	if (!s->north->item)
		return -ENOMEM;
	server_label(s, server, sizeof server);
	metrics_gauge(m, "north_connections", server, "Connections with both CSMs exchanged", connections_gauge, s);
	for (int i = 0; i < TCP_RESULT_COUNT; i++) {
		snprintf(label, sizeof label, "%s,result=\"%s\"", server, result_names[i]);
		s->connects[i] = metrics_counter(m, "north_connects_total", label,
						 "Attempts to connect by how they ended");
		if (i == TCP_OK)
			continue;
		s->disconnects[i] = metrics_counter(m, "north_disconnects_total", label,
						    "Connections by how they were lost");
	}
	return 0;
}

void tcp_server_close(struct north_server *s)
{
	char server[320];

	metrics_gauge(s->north->env.metrics, "north_connections", server_label(s, server, sizeof server), NULL, NULL,
		      s);
}

void tcp_count_attempt(struct north_server *s, enum tcp_result r)
{
	++*s->connects[r];
}

void tcp_count_end(struct north_server *s, enum tcp_result r)
{
	++*s->disconnects[r ? r : TCP_LOCAL];
}
