/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - configuration keys of the process itself: gateway, admin, log */
#ifndef NIDDGW_CONTROL_CONF_H
#define NIDDGW_CONTROL_CONF_H

#include "config/schema.h"

struct gateway_conf {
	const char *id;        /* NULL: the machine's host name; see gateway_id() */
	const char *state_dir; /* absolute after control_check() */
	const char *run_dir;   /* the same */
};
extern const struct conf_item gateway_items[];

struct admin_conf {
	const char *listen;    /* "HOST:PORT" on loopback, "unix:PATH" or "off" */
	const char *unix_path; /* PATH made absolute by control_check(); NULL for the others */
};
extern const struct conf_item admin_items[];

struct log_conf {
	int level;  /* enum log_level */
	int format; /* enum log_format */
};
extern const struct conf_item log_items[];

/* Octets of a gateway id with its NUL: it is a level of MQTT topics. */
#define GATEWAY_ID_MAX 129

/* The id in use: the configured one, else the host name. buf takes GATEWAY_ID_MAX octets; returns buf. */
const char *gateway_id(const struct gateway_conf *g, char *buf, size_t size);

/* Makes the paths absolute, and gives conf_fault()s for the groups: an id that no topic level can hold, a directory that is
 * none or that others can write, an admin.listen that is no address or that other hosts could reach. */
void control_check(struct conf_load *load, struct gateway_conf *gateway, struct admin_conf *admin);

#endif
