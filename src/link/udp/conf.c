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

bool udp_is_any(const struct addr *a)
{
	return a->u.sa.sa_family == AF_INET ? a->u.in.sin_addr.s_addr == htonl(INADDR_ANY)
					    : IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

/* [::] takes IPv4 as well, 0.0.0.0 all of IPv4. */
bool udp_listens_overlap(const struct addr *a, const struct addr *b)
{
	if (addr_port(a) != addr_port(b))
		return false;
	if (a->u.sa.sa_family != b->u.sa.sa_family)
		return udp_is_any(a->u.sa.sa_family == AF_INET6 ? a : b);
	return udp_is_any(a) || udp_is_any(b) || addr_equal(a, b, true);
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
		    !addr_parse(&theirs, other->listen, true) && udp_listens_overlap(&mine, &theirs))
			conf_fault(load, conf, "listen", -1, "link \"%s\" listens on \"%s\" already",
				   other->link.head.name, other->listen);
	}
}
