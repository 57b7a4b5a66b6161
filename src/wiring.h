/* SPDX-License-Identifier: Apache-2.0 */
/* wiring.h - what the files beside main.c share: the filled configuration */
#ifndef NIDDGW_WIRING_H
#define NIDDGW_WIRING_H

#include "control/conf.h"
#include "link/link.h"
#include "north/north.h"
#include "session/conf.h"
#include "store/store.h"

struct root_conf {
	struct gateway_conf gateway;
	struct admin_conf admin;
	struct log_conf log;
	struct north_conf north;
	struct store_conf store;
	struct conf_list links, servers, profiles, devices, rules, plugins;
};

/* The 32 octets of state_dir/key, made at the first start (0600). Secret paths and first ports are derived from it.
 * 0; -EPERM others can read it; -EBADMSG it is damaged; else the errno. Logged. */
int key_load(uint8_t key[32], const char *state_dir);

#endif
