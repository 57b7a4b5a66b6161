/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - configuration keys of the process itself: gateway, admin, log */
#ifndef NIDDGW_CONTROL_CONF_H
#define NIDDGW_CONTROL_CONF_H

#include "config/schema.h"

struct gateway_conf {
	const char *id;        /* NULL: the machine's host name; see gateway_id() */
	const char *state_dir; /* absolute */
	const char *run_dir;   /* absolute */
};
extern const struct conf_item gateway_items[];

struct admin_conf {
	const char *listen; /* "HOST:PORT" on loopback, "unix:PATH" or "off" */
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

/* conf_fault()s for the three groups: an id that no topic level can hold, directories that are not absolute or that others can
 * write, an admin.listen that is no address or that other hosts could reach. */
void control_check(struct conf_load *load, const struct gateway_conf *gateway, const struct admin_conf *admin);

#endif
