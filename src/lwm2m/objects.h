/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - the objects that a device registered: a Register's list in link format (RFC 6690), kept small
 *
 * One block of memory per device. Objects 0, 21 and 23 never belong into a list and are left out.
 */
#ifndef NIDDGW_LWM2M_OBJECTS_H
#define NIDDGW_LWM2M_OBJECTS_H

#include "base/octets.h"
#include "lwm2m/value.h"

#define LWM2M_OBJECTS_MAX 1024      /* entries of one list */
#define LWM2M_OBJECTS_LEN_MAX 32768 /* octets of one list */
#define LWM2M_BASE_MAX 63           /* octets of an alternate path */

#define LWM2M_VERSION(major, minor) ((uint16_t)((major) << 8 | (minor)))

struct lwm2m_object {
	uint16_t object, instance; /* instance LWM2M_NO_ID: the object alone is listed */
	uint16_t version;          /* LWM2M_VERSION(); 0: not said */
};

struct lwm2m_objects {
	struct lwm2m_text base; /* alternate path, "/lwm2m"; len 0: none */
	size_t n;
	struct lwm2m_object v[]; /* as the device listed them; an instance has the version that its object was listed with */
};

/**
 * Read a list.
 * @param out  owned by the caller: free with lwm2m_objects_free()
 * @return 0; -EBADMSG no link format; -EMSGSIZE beyond a limit; -ENOMEM
 */
int lwm2m_objects_new(struct lwm2m_objects **out, const char *text, size_t len);
void lwm2m_objects_free(struct lwm2m_objects *o); /* NULL is fine */
/* For what survives a restart: at most so many of its entries; o may be NULL. Reading gives what is freed as above, NULL: none was written. */
void lwm2m_objects_write(struct writer *w, const struct lwm2m_objects *o, size_t most);
struct lwm2m_objects *lwm2m_objects_read(struct reader *r);
/* The version that an object was registered with; 0: not said, or not listed. o may be NULL. */
uint16_t lwm2m_objects_version(const struct lwm2m_objects *o, uint16_t object);

#endif
