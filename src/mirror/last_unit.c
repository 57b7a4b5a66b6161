/* SPDX-License-Identifier: Apache-2.0 */
/* last_unit.c - the unit that each sensor of a device told last (resource 5701)
 *
 * Many devices report their unit once and then values alone. Only devices that ever told one take memory, and never
 * more than a few of their instances are remembered; where there is no room a value has no unit, and nothing else is
 * lost.
 */
#include <stdlib.h>
#include <string.h>

#include "mirror/inside.h"

struct told {
	uint16_t object, instance;
	uint8_t len;
	char text[LAST_UNIT_SIZE];
};

struct device_units {
	struct map_node node;
	const void *dev;
	unsigned n;
	struct told *v; /* owned: n of them */
};

static bool of_device(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return container_of(n, const struct device_units, node)->dev == key;
}

static uint64_t hash_of(const void *dev)
{
	return map_hash(&dev, sizeof dev);
}

static struct device_units *find(const struct last_units *l, const void *dev)
{
	struct map_node *n = l->n ? map_find(&l->map, hash_of(dev), of_device, dev, 0) : NULL;

	return n ? container_of(n, struct device_units, node) : NULL;
}

static struct told *find_told(const struct device_units *d, const struct lwm2m_path *p)
{
	for (unsigned i = 0; d && i < d->n; i++)
		if (d->v[i].object == p->id[0] && d->v[i].instance == p->id[1])
			return &d->v[i];
	return NULL;
}

struct lwm2m_text last_unit(const struct last_units *l, const void *dev, const struct lwm2m_path *p)
{
	const struct told *t = find_told(find(l, dev), p);

	return t ? (struct lwm2m_text){ t->text, t->len } : (struct lwm2m_text){ 0 };
}

static struct device_units *add_device(struct last_units *l, const void *dev)
{
	struct device_units *d = calloc(1, sizeof *d);

	if (d && map_add(&l->map, &d->node, hash_of(dev))) {
		free(d);
		d = NULL;
	}
	if (d)
		d->dev = dev;
	return d;
}

static struct told *add_told(struct last_units *l, struct device_units *d)
{
	struct told *grown;

	if (!d || d->n == LAST_UNITS_PER_DEVICE || l->n == LAST_UNITS_MOST)
		return NULL;
	grown = realloc(d->v, (d->n + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	d->v = grown;
	l->n++;
	return &d->v[d->n++];
}

void last_unit_keep(struct last_units *l, const void *dev, const struct lwm2m_path *p, const struct lwm2m_text *unit)
{
	struct device_units *d = find(l, dev);
	struct told *t = find_told(d, p);

	if (unit->len >= LAST_UNIT_SIZE)
		return;
	if (!d && l->n < LAST_UNITS_MOST)
		d = add_device(l, dev);
	if (!t)
		t = add_told(l, d);
	if (!t)
		return;
	t->object = p->id[0];
	t->instance = p->id[1];
	t->len = (uint8_t)unit->len;
	memcpy(t->text, unit->p, unit->len);
}

static void device_units_free(struct last_units *l, struct device_units *d)
{
	map_remove(&l->map, &d->node);
	l->n -= d->n;
	free(d->v);
	free(d);
}

void last_units_forget(struct last_units *l, const void *dev)
{
	struct device_units *d = find(l, dev);

	if (d)
		device_units_free(l, d);
}

void last_units_fini(struct last_units *l)
{
	struct map_node *n;
	size_t i = 0;

	for (n = map_next(&l->map, &i, NULL); n;) {
		struct map_node *next = map_next(&l->map, &i, n);

		device_units_free(l, container_of(n, struct device_units, node));
		n = next;
	}
	map_fini(&l->map);
	*l = (struct last_units){ 0 };
}
