/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - look-ups in the definitions of objects
 *
 * All versions of all objects stand in one array sorted by id and version, each with its resources sorted by id: a
 * look-up is two binary searches. Texts and resources lie in blocks that are only freed together; what a site replaces
 * stays unused.
 */
#include "lwm2m/registry_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct registry_block {
	struct registry_block *next;
	size_t used, size;
	uint64_t data[]; /* for alignment */
};

#define BLOCK_LEAST 32768

int lwm2m_registry_new(struct lwm2m_registry **out)
{
	struct lwm2m_registry *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	*out = r;
	return 0;
}

void lwm2m_registry_free(struct lwm2m_registry *r)
{
	struct registry_block *b, *next;

	if (!r)
		return;
	for (b = r->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(r->v);
	free(r);
}

void *registry_alloc(struct lwm2m_registry *r, size_t size)
{
	struct registry_block *b = r->blocks;
	size_t room;

	size = (size + 7) & ~(size_t)7;
	if (!b || b->size - b->used < size) {
		room = size > BLOCK_LEAST ? size : BLOCK_LEAST;
		b = malloc(sizeof *b + room);
		if (!b)
			return NULL;
		*b = (struct registry_block){ .next = r->blocks, .size = room };
		r->blocks = b;
	}
	b->used += size;
	return (char *)b->data + b->used - size;
}

/* ---- adding ---- */

/* Index of the first definition that is not before (id, version). */
static size_t place_of(const struct lwm2m_registry *r, uint16_t id, uint32_t version)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;
		const struct registry_object *o = &r->v[mid];

		if (o->id < id || (o->id == id && o->version < version))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool has_secret(const struct registry_object *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].flags & REGISTRY_SECRET)
			return true;
	return o->flags & REGISTRY_SECRET;
}

static int make_room(struct lwm2m_registry *r)
{
	const size_t room = r->room ? r->room * 2 : 512;
	struct registry_object *v;

	if (r->n == REGISTRY_OBJECTS_MAX)
		return -EMSGSIZE;
	if (r->n < r->room)
		return 0;
	v = realloc(r->v, room * sizeof *v);
	if (!v)
		return -ENOMEM;
	r->v = v;
	r->room = room;
	return 0;
}

int registry_put(struct lwm2m_registry *r, const struct registry_object *o)
{
	const size_t at = place_of(r, o->id, o->version);
	int err;

	if (at == r->n || r->v[at].id != o->id || r->v[at].version != o->version) {
		err = make_room(r);
		if (err)
			return err;
		memmove(&r->v[at + 1], &r->v[at], (r->n++ - at) * sizeof *r->v);
	}
	r->v[at] = *o;
	r->has_secrets |= has_secret(o);
	return 0;
}

/* ---- looking up ---- */

/* The newest version that the site gives, else the newest of all. */
static const struct registry_object *newest(const struct lwm2m_registry *r, uint16_t object)
{
	const size_t end = place_of(r, object, UINT32_MAX);

	for (size_t i = end; i && r->v[i - 1].id == object; i--)
		if (r->v[i - 1].flags & REGISTRY_SITE)
			return &r->v[i - 1];
	return end && r->v[end - 1].id == object ? &r->v[end - 1] : NULL;
}

const struct registry_object *registry_find(const struct lwm2m_registry *r, uint16_t object, uint16_t version)
{
	size_t at;

	if (!r)
		return NULL;
	at = place_of(r, object, version);
	if (version && at < r->n && r->v[at].id == object && r->v[at].version == version)
		return &r->v[at];
	return newest(r, object);
}

const struct registry_resource *registry_resource(const struct registry_object *o, uint16_t id)
{
	size_t low = 0, high = o ? o->n : 0;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (o->v[mid].id == id)
			return &o->v[mid];
		if (o->v[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

enum lwm2m_kind registry_type(const struct registry_object *o, uint16_t id)
{
	const struct registry_resource *res = registry_resource(o, id);

	return res ? (enum lwm2m_kind)res->type : LWM2M_VALUE_NONE;
}

bool lwm2m_registry_object(const struct lwm2m_registry *r, uint16_t object, uint16_t version,
			   struct lwm2m_object_def *out)
{
	const struct registry_object *o = registry_find(r, object, version);

	if (!o)
		return false;
	*out = (struct lwm2m_object_def){ .name = o->name,
					  .id = o->id,
					  .version = o->version,
					  .multiple = o->flags & REGISTRY_MULTIPLE,
					  .secret = o->flags & REGISTRY_SECRET };
	return true;
}

bool lwm2m_registry_resource(const struct lwm2m_registry *r, uint16_t object, uint16_t version, uint16_t resource,
			     struct lwm2m_resource_def *out)
{
	const struct registry_resource *res = registry_resource(registry_find(r, object, version), resource);

	if (!res)
		return false;
	*out = (struct lwm2m_resource_def){ .name = res->name,
					    .units = res->units,
					    .id = res->id,
					    .type = (enum lwm2m_kind)res->type,
					    .multiple = res->flags & REGISTRY_MULTIPLE,
					    .secret = res->flags & REGISTRY_SECRET };
	return true;
}

bool lwm2m_registry_is_secret(const struct lwm2m_registry *r, uint16_t object, uint16_t resource)
{
	if (!r || !r->has_secrets)
		return false;
	for (size_t i = place_of(r, object, 0); i < r->n && r->v[i].id == object; i++) {
		const struct registry_resource *res = registry_resource(&r->v[i], resource);

		if ((r->v[i].flags & REGISTRY_SECRET) || (res && (res->flags & REGISTRY_SECRET)))
			return true;
	}
	return false;
}

bool lwm2m_registry_has_secrets(const struct lwm2m_registry *r, uint16_t object)
{
	if (!r || !r->has_secrets)
		return false;
	for (size_t i = place_of(r, object, 0); i < r->n && r->v[i].id == object; i++) {
		if (r->v[i].flags & REGISTRY_SECRET)
			return true;
		for (size_t k = 0; k < r->v[i].n; k++)
			if (r->v[i].v[k].flags & REGISTRY_SECRET)
				return true;
	}
	return false;
}

size_t lwm2m_registry_objects(const struct lwm2m_registry *r)
{
	return r->n;
}
