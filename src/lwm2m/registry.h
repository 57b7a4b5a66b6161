/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - what objects and resources are called, of which type and in which unit they are
 *
 * The definitions of the OMA registry are compiled into one table when the program is built; a site adds its own as XML files
 * of the same form, and those win: an object's version that such a file gives replaces the same version of the table, and
 * where a device names no version, or an unknown one, the newest that the site gives comes before the newest of all. A
 * resource (Item) or Object marked Mirror="never" there is secret (lwm2m_path_is_secret).
 */
#ifndef NIDDGW_LWM2M_REGISTRY_H
#define NIDDGW_LWM2M_REGISTRY_H

#include "lwm2m/value.h"

struct lwm2m_registry;

struct lwm2m_object_def { /* texts live as long as the registry */
	const char *name;
	uint16_t id, version; /* LWM2M_VERSION() */
	bool multiple;        /* it may have several instances */
	bool secret;
};
struct lwm2m_resource_def {
	const char *name;
	const char *units;    /* as the definition prints it; NULL: none */
	uint16_t id;
	enum lwm2m_kind type; /* NONE: the definition gives none (executable resources) */
	bool multiple;
	bool secret;
};

/* An empty one. 0 or -ENOMEM. */
int lwm2m_registry_new(struct lwm2m_registry **out);
void lwm2m_registry_free(struct lwm2m_registry *r); /* NULL is fine */
/**
 * Read the compiled table. Call it once, on an empty registry.
 * @return 0; -EBADMSG damaged or of another version; -EMSGSIZE; the errno of reading it. The registry is then as it was.
 */
int lwm2m_registry_read(struct lwm2m_registry *r, const char *file);
int lwm2m_registry_load(struct lwm2m_registry *r, const uint8_t *table, size_t len); /* the same from memory, copied */

/* One fault of a file; one of the file as a whole has line 1. text is safe to print; all borrowed for the call. */
typedef void lwm2m_registry_fault_fn(void *arg, const char *file, unsigned line, const char *text);
/* Adds what a file defines; with faults nothing of it. 0; -EINVAL and each fault was told; -ENOMEM. */
int lwm2m_registry_add_xml(struct lwm2m_registry *r, const char *file, lwm2m_registry_fault_fn *fault, void *arg);
int lwm2m_registry_add_xml_text(struct lwm2m_registry *r, const char *file, const char *xml, size_t len, lwm2m_registry_fault_fn *fault,
				void *arg); /* the same from memory; file is only its name */
/* All *.xml of a directory in byte order; one that is not there is empty. Faults of all files are told. */
int lwm2m_registry_add_dir(struct lwm2m_registry *r, const char *dir, lwm2m_registry_fault_fn *fault, void *arg);

/* Look-ups: no allocation, logarithmic. version 0, or one that is not known: the newest, as said above. false: unknown; r may be NULL. */
bool lwm2m_registry_object(const struct lwm2m_registry *r, uint16_t object, uint16_t version, struct lwm2m_object_def *out);
bool lwm2m_registry_resource(const struct lwm2m_registry *r, uint16_t object, uint16_t version, uint16_t resource,
			     struct lwm2m_resource_def *out);
/* Whether any version of the object marks it, or this resource of it, secret. */
bool lwm2m_registry_is_secret(const struct lwm2m_registry *r, uint16_t object, uint16_t resource);
/* Whether any of it is, in any version. */
bool lwm2m_registry_has_secrets(const struct lwm2m_registry *r, uint16_t object);
size_t lwm2m_registry_objects(const struct lwm2m_registry *r); /* definitions, each version counted */

/* The table that lwm2m_registry_load() takes, of all that r holds; *out is freed with free(). For the compiler at build time. */
int lwm2m_registry_save(const struct lwm2m_registry *r, uint8_t **out, size_t *len);

#endif
