/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - keys of a link of type udp */
#ifndef NIDDGW_LINK_UDP_CONF_H
#define NIDDGW_LINK_UDP_CONF_H

#include "link/link.h"

struct udp_conf {
	struct link_conf link;
	const char *listen; /* HOST:PORT, numeric */
};
extern const struct conf_item link_udp_items[];

struct addr;
bool udp_is_any(const struct addr *a);
bool udp_listens_overlap(const struct addr *a, const struct addr *b); /* both cannot be bound */
void link_udp_check(struct conf_load *load, const struct link_conf *conf, const struct conf_list *all);

#endif
