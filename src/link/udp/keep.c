/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c - where devices were last heard, over a restart
 *
 * A device that is known by its host alone is reached at the port it last sent from. After a restart a server may ask
 * before the device speaks again, so that port is stored when it changes. Records are read once, when the link opens,
 * and taken as their devices are attached.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/octets.h"
#include "link/udp/inside.h"
#include "store/store.h"

#define FORM 1
#define KEY_MAX 160 /* link name, 0, host */
#define DATA_LEN 7

struct udp_kept {
	struct map_node node;
	uint8_t host[16];
	uint16_t port;
	uint32_t scope;
};

static uint64_t hash_of(const uint8_t host[16])
{
	return map_hash(host, 16);
}

static bool has_host(const struct map_node *n, const void *key, size_t len)
{
	return !memcmp(container_of(n, struct udp_kept, node)->host, key, len);
}

/* The key of a record of this link; 0 when the name does not fit. */
static size_t make_key(uint8_t buf[KEY_MAX], const struct udp_link *l, const uint8_t host[16])
{
	struct writer w = writer_of(buf, KEY_MAX);

	write_bytes(&w, l->base.conf->head.name, strlen(l->base.conf->head.name) + 1);
	write_bytes(&w, host, 16);
	return w.failed ? 0 : writer_len(&w);
}

static int on_record(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct udp_link *l = arg;
	size_t name_len = strlen(l->base.conf->head.name) + 1;
	struct reader r = reader_of(data, len);
	struct udp_kept *k;

	if (key_len != name_len + 16 || memcmp(key, l->base.conf->head.name, name_len) != 0 || read_u8(&r) != FORM)
		return 0;
	k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	memcpy(k->host, (const uint8_t *)key + name_len, 16);
	k->port = read_u16(&r);
	k->scope = read_u32(&r);
	if (r.failed || map_add(&l->kept, &k->node, hash_of(k->host)))
		free(k);
	return 0;
}

int udp_keep_load(struct udp_link *l)
{
	return l->env.store ? store_each(l->env.store, STORE_LINK, on_record, l) : 0;
}

void udp_keep_take(struct udp_link *l, struct udp_dev *d)
{
	struct map_node *n = d->key.port ? NULL : map_find(&l->kept, hash_of(d->key.host), has_host, d->key.host, 16);
	struct udp_kept *k;

	if (!n)
		return;
	k = container_of(n, struct udp_kept, node);
	d->port = k->port;
	d->scope = k->scope;
	map_remove(&l->kept, n);
	free(k);
}

void udp_keep_port(const struct udp_link *l, const struct udp_dev *d)
{
	uint8_t key[KEY_MAX], data[DATA_LEN];
	struct writer w = writer_of(data, sizeof data);
	size_t len = l->env.store && !d->key.port ? make_key(key, l, d->key.host) : 0;

	if (!len)
		return;
	write_u8(&w, FORM);
	write_u16(&w, d->port);
	write_u32(&w, d->scope);
	store_put(l->env.store, STORE_LINK, key, len, data, writer_len(&w));
}

void udp_keep_forget(const struct udp_link *l, const struct udp_dev *d)
{
	uint8_t key[KEY_MAX];
	size_t len = l->env.store && !d->key.port ? make_key(key, l, d->key.host) : 0;

	if (len)
		store_delete(l->env.store, STORE_LINK, key, len);
}

void udp_keep_free(struct udp_link *l)
{
	struct map_node *n, *next;
	size_t i = 0;

	for (n = map_next(&l->kept, &i, NULL); n; n = next) {
		next = map_next(&l->kept, &i, n);
		free(container_of(n, struct udp_kept, node));
	}
	map_fini(&l->kept);
}
