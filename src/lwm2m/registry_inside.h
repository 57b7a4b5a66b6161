/* SPDX-License-Identifier: Apache-2.0 */
/* registry_inside.h - how the registry keeps its definitions; inside lwm2m/ only */
#ifndef NIDDGW_LWM2M_REGISTRY_INSIDE_H
#define NIDDGW_LWM2M_REGISTRY_INSIDE_H

#include "lwm2m/registry.h"

#define REGISTRY_OBJECTS_MAX 8192
#define REGISTRY_RESOURCES_MAX 4096 /* of one object */
#define REGISTRY_NAME_MAX 255       /* octets */
#define REGISTRY_UNITS_MAX 63

enum { REGISTRY_MULTIPLE = 1, REGISTRY_SECRET = 2, REGISTRY_SITE = 4 }; /* SITE: from an XML file at run time */

struct registry_resource {
	const char *name, *units; /* units NULL: none */
	uint16_t id;
	uint8_t type;  /* enum lwm2m_kind */
	uint8_t flags; /* REGISTRY_ */
};
struct registry_object {
	const char *name;
	const struct registry_resource *v; /* sorted by id */
	uint16_t n;
	uint16_t id, version;
	uint8_t flags;
};

struct registry_block;
struct lwm2m_registry {
	struct registry_object *v;     /* owned; sorted by id and version */
	size_t n, room;
	struct registry_block *blocks; /* owned: texts and resources */
	bool has_secrets;
};

/* Memory that lives as long as the registry; NULL: there is none. */
void *registry_alloc(struct lwm2m_registry *r, size_t size);
/* Puts a definition at its place; one of the same id and version is replaced. o->v is sorted and lives as long as r. 0; -ENOMEM; -EMSGSIZE. */
int registry_put(struct lwm2m_registry *r, const struct registry_object *o);
/* The definition of that version, else the newest; NULL: the object is unknown. r may be NULL. */
const struct registry_object *registry_find(const struct lwm2m_registry *r, uint16_t object, uint16_t version);
const struct registry_resource *registry_resource(const struct registry_object *o, uint16_t id); /* NULL: unknown; o may be NULL */
enum lwm2m_kind registry_type(const struct registry_object *o, uint16_t id);

#endif
