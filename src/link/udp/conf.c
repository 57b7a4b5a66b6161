/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - keys of a link of type udp, and what they must not be together */
#include "link/udp/conf.h"

#include <stddef.h>

#include "base/addr.h"

const struct conf_item link_udp_items[] = {
	CONF_TEXT(struct udp_conf, listen, NULL, .required = true, .reload = CONF_LIVE,
		  .help = "Address and port of the tunnel's end here; [::]:PORT takes IPv4 as well"),
	CONF_END
};

static const struct udp_conf *as_udp(const struct link_conf *conf)
{
	return link_ops_of(conf) == &link_udp_ops ? (const struct udp_conf *)conf : NULL;
}

void link_udp_check(struct conf_load *load, const struct link_conf *conf, const struct conf_list *all)
{
	const struct udp_conf *u = as_udp(conf);
	struct addr mine, theirs;

	if (!u || !u->listen)
		return;
	if (addr_parse(&mine, u->listen, true) || !addr_port(&mine)) {
		conf_fault(load, conf, "listen", -1, "\"%s\" is not a numeric HOST:PORT", u->listen);
		return;
	}
	/* of two that are alike the later one is at fault */
	for (size_t i = 0; i < all->n && all->v[i] != conf; i++) {
		const struct udp_conf *other = as_udp(all->v[i]);

		if (other && other->listen && other->link.enabled && u->link.enabled &&
		    !addr_parse(&theirs, other->listen, true) && addr_equal(&mine, &theirs, true))
			conf_fault(load, conf, "listen", -1, "link \"%s\" listens on \"%s\" already",
				   other->link.head.name, other->listen);
	}
}
