/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - devices by the address they send from
 *
 * One map holds both kinds of identity: HOST:PORT under its port and HOST under port 0. A source is looked up exactly
 * first, so a host with several devices behind it can have one of each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/udp/inside.h"

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void udp_key_of(struct udp_key *out, const struct sockaddr_in6 *from)
{
	const struct sockaddr_in *in = (const void *)from;

	if (from->sin6_family == AF_INET6) {
		memcpy(out->host, &from->sin6_addr, sizeof out->host);
		out->port = ntohs(from->sin6_port);
		return;
	}
	memcpy(out->host, v4_mapped, sizeof v4_mapped);
	memcpy(out->host + sizeof v4_mapped, &in->sin_addr, sizeof in->sin_addr);
	out->port = ntohs(in->sin_port);
}

int udp_key_parse(struct udp_key *out, const char *text)
{
	struct sockaddr_in6 in6 = { 0 };
	struct addr a;

	if (addr_parse(&a, text, false))
		return -EBADMSG;
	memcpy(&in6, &a.u, a.len);
	udp_key_of(out, &in6);
	return 0;
}

void udp_dev_address(const struct udp_dev *d, struct addr *out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(d->port), .sin6_scope_id = d->scope };

	memcpy(&in6.sin6_addr, d->key.host, sizeof in6.sin6_addr);
	addr_from(out, (const struct sockaddr *)&in6, sizeof in6);
}

static uint64_t hash_of(const struct udp_key *k)
{
	return map_hash(k, sizeof *k);
}

static bool has_key(const struct map_node *n, const void *key, size_t len)
{
	return !memcmp(&container_of(n, struct udp_dev, node)->key, key, len);
}

static struct udp_dev *find_key(const struct udp_link *l, const struct udp_key *k)
{
	struct map_node *n = map_find(&l->devices, hash_of(k), has_key, k, sizeof *k);

	return n ? container_of(n, struct udp_dev, node) : NULL;
}

struct udp_dev *udp_find(const struct udp_link *l, const struct udp_key *source)
{
	struct udp_key host = *source;
	struct udp_dev *d = l->exact ? find_key(l, source) : NULL;

	if (d || l->exact == l->devices.count)
		return d;
	host.port = 0;
	return find_key(l, &host);
}

void udp_set_mtu(struct link_dev *dev, uint32_t mtu)
{
	((struct udp_dev *)dev)->mtu = mtu < UDP_UNIT_MAX ? mtu : UDP_UNIT_MAX;
}

struct device *udp_find_device(const struct link *link, const struct link_identity *identity)
{
	const struct udp_dev *d;
	struct udp_key key;

	if (identity->kind != LINK_ID_ADDRESS || udp_key_parse(&key, identity->text))
		return NULL;
	d = find_key((const struct udp_link *)link, &key);
	return d ? d->base.dev : NULL;
}

int udp_attach(struct link *link, struct link_dev **out, const struct link_identity *identity, struct device *dev,
	       uint32_t mtu)
{
	struct udp_link *l = (struct udp_link *)link;
	struct udp_dev *d;
	struct udp_key key;
	uint64_t hash;
	int err = 0;

	if (identity->kind != LINK_ID_ADDRESS || udp_key_parse(&key, identity->text))
		return -EBADMSG;
	hash = hash_of(&key);
	map_expect(&l->devices, hash);
	d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->base = (struct link_dev_base){ link, dev };
	d->key = key;
	d->port = key.port;
	udp_set_mtu((struct link_dev *)d, mtu);
	if (map_find(&l->devices, hash, has_key, &key, sizeof key))
		err = -EEXIST;
	if (!err)
		err = map_add(&l->devices, &d->node, hash);
	if (err) {
		free(d);
		return err;
	}
	l->exact += key.port != 0;
	udp_keep_take(l, d);
	*out = (struct link_dev *)d;
	return 0;
}

void udp_detach(struct link_dev *dev, bool gone)
{
	struct udp_dev *d = (struct udp_dev *)dev;
	struct udp_link *l = (struct udp_link *)d->base.link;

	if (gone)
		udp_keep_forget(l, d);
	udp_drop_queued(d);
	map_remove(&l->devices, &d->node);
	l->exact -= d->key.port != 0;
	free(d);
}
