/* SPDX-License-Identifier: Apache-2.0 */
/* objects_record.c - a device's objects as octets, for what survives a restart */
#include <stdlib.h>
#include <string.h>

#include "lwm2m/objects.h"

void lwm2m_objects_write(struct writer *w, const struct lwm2m_objects *o, size_t most)
{
	size_t n = !o ? 0 : o->n < most ? o->n : most;

	write_u16(w, (uint16_t)n);
	write_u8(w, o ? (uint8_t)o->base.len : 0);
	if (o)
		write_bytes(w, o->base.p, o->base.len);
	for (size_t i = 0; i < n; i++) {
		write_u16(w, o->v[i].object);
		write_u16(w, o->v[i].instance);
		write_u16(w, o->v[i].version);
	}
}

struct lwm2m_objects *lwm2m_objects_read(struct reader *r)
{
	size_t n = read_u16(r), len = read_u8(r);
	const uint8_t *base = read_span(r, len);
	struct lwm2m_objects *o;

	if (n > LWM2M_OBJECTS_MAX || len > LWM2M_BASE_MAX || n * 6 > reader_left(r))
		r->failed = true;
	o = r->failed || (!n && !len) ? NULL : malloc(sizeof *o + n * sizeof o->v[0] + len);
	if (!o) {
		(void)read_span(r, n * 6);
		return NULL;
	}
	o->n = n;
	o->base = (struct lwm2m_text){ (char *)&o->v[n], len };
	memcpy(&o->v[n], base, len);
	for (size_t i = 0; i < n; i++) {
		o->v[i].object = read_u16(r);
		o->v[i].instance = read_u16(r);
		o->v[i].version = read_u16(r);
	}
	return o;
}
