/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - inside of a host, for the files of this room */
#ifndef NIDDGW_HOST_PARTS_H
#define NIDDGW_HOST_PARTS_H

#include "host/host.h"

enum { HOST_COUNTERS_MOST = 32, HOST_COUNTER_SIZE = 96, HOST_TEXT_MOST = 2048, HOST_ARGS_MOST = 48 << 10 };

struct niddgw_record {
	struct report report;
};

struct host_setting { /* of one option, defaults included */
	const char *name;
	const char **texts; /* NULL-terminated */
	size_t n;
};

struct host_counter {
	char name[HOST_COUNTER_SIZE];
	bool gauge, changed;
	uint64_t value; /* of a counter: since the last flush */
};

struct niddgw_host {
	struct host_env env;
	void *library;
	struct niddgw_plugin plugin;
	void *state; /* the plug-in's, while open */
	bool open, opening;
	char said[160]; /* its last complaint while it opened; "" none */
	/* from the setup; texts point into it */
	uint8_t *setup; /* owned */
	const char *instance, *gateway_id, *boot_id, *state_dir;
	struct host_setting settings[FRAME_OPTIONS_MOST];
	size_t settings_n;
	unsigned commands; /* not yet answered for good */
	uint64_t lost;     /* records that were not kept, since the last flush */
	struct host_counter counters[HOST_COUNTERS_MOST];
	size_t counters_n;
	bool counted; /* something has to be flushed */
	struct niddgw_record record;
	struct niddgw_value values[REPORT_VALUES_MAX];
	struct report_link links[REPORT_VALUES_MAX];
	uint8_t out[FRAME_UP_MOST];
};

void host_send(struct niddgw_host *h, const struct writer *w); /* what w holds, which began in h->out; nothing when it has failed */
const struct host_setting *host_setting(const struct niddgw_host *h, const char *name); /* NULL: no such option */
/* Reads the setup into h. 0; -EBADMSG; -ENOMEM; -EINVAL with the reason in why: an option that is required is missing. */
int host_take_setup(struct niddgw_host *h, struct frame *f, char why[HOST_WHY_SIZE]);
void host_setup_fini(struct niddgw_host *h);

#endif
