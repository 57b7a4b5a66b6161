/* SPDX-License-Identifier: Apache-2.0 */
/* registry_define.h - what the elements of a definition mean, apart from how XML is read; inside lwm2m/ only
 *
 * The reader of XML tells what begins, what a field says and what ends, each with the line it is in. Faults are told at once;
 * what was sound is put into the registry at the end, when nothing was wrong.
 */
#ifndef NIDDGW_LWM2M_REGISTRY_DEFINE_H
#define NIDDGW_LWM2M_REGISTRY_DEFINE_H

#include "lwm2m/registry_inside.h"

#define DEFINE_OBJECTS_MOST 256 /* of one file */

enum define_field { FIELD_NONE, FIELD_NAME, FIELD_ID, FIELD_VERSION, FIELD_MULTIPLE, FIELD_TYPE, FIELD_UNITS };

struct define {
	struct lwm2m_registry *r;
	const char *file;
	lwm2m_registry_fault_fn *fault;
	void *arg;
	unsigned faults;
	bool stop, no_memory; /* stop: read no further */
	struct registry_object objects[DEFINE_OBJECTS_MOST]; /* finished */
	size_t objects_n;
	struct registry_object o; /* the one that is read */
	bool has_id;
	unsigned line;            /* where it begins */
	struct registry_resource res;
	unsigned res_line;
	struct registry_resource *v; /* owned: resources of o so far */
	size_t v_n, v_room;
};

void define_fault(struct define *d, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void define_stop(struct define *d, unsigned line, const char *text); /* a fault behind which nothing is read */
void define_out_of_memory(struct define *d);

void define_begin_object(struct define *d, unsigned line, const char *mirror); /* mirror: the attribute, or NULL */
void define_begin_item(struct define *d, unsigned line, const char *id, const char *mirror);
/* text is printable and at most REGISTRY_NAME_MAX octets; borrowed, and may be written to. */
void define_field_of_object(struct define *d, enum define_field field, unsigned line, char *text);
void define_field_of_item(struct define *d, enum define_field field, unsigned line, const char *text);
void define_end_item(struct define *d);
void define_end_object(struct define *d);
/* 0; -EINVAL there were faults; -ENOMEM */
int define_finish(struct define *d);

#endif
