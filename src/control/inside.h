/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the struct control, for the files of this room only */
#ifndef NIDDGW_CONTROL_INSIDE_H
#define NIDDGW_CONTROL_INSIDE_H

#include <stdint.h>

#include "base/timer.h"
#include "control/control.h"

struct admin;
struct commands;
struct ctl_socket;
struct health_log;
struct publish;

enum { RELOAD_OK, RELOAD_REFUSED, RELOAD_RESULTS };

struct control {
	struct control_env env;
	enum control_phase phase;
	uint64_t started_wall_ms, started_ms;

	struct link **links; /* owned array, borrowed links */
	size_t links_n;
	struct north_server **servers; /* the same */
	size_t servers_n;

	char config_digest[65];      /* hexadecimal */
	uint64_t loaded_wall_ms;     /* when the configuration in use was taken over */
	char *reload_error;          /* owned; first line of the last refused reload, NULL after a good one */
	uint64_t *reloads[RELOAD_RESULTS];

	struct ctl_socket *socket; /* owned */
	struct admin *admin;       /* owned; NULL when off */
	struct commands *commands; /* owned */
	struct publish *publish;   /* owned; NULL without plug-ins */
	struct health_log *health; /* owned */
	char config_sha256[65];    /* "" unknown */
	char os[96];               /* what the system calls itself */
};

/* Gauges that only the kernel knows: start_time_seconds, rss_bytes, fds; and build_info. */
void process_metrics(struct control *c);
void process_metrics_end(struct control *c); /* they are gone from /metrics after this */

void process_os(char *buf, size_t size); /* PRETTY_NAME of os-release, "" unknown */

/* Reload, with the report as text. *report is the caller's to free; NULL when memory was short. */
int reload_run(struct control *c, char **report);

#endif
