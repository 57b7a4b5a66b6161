/* SPDX-License-Identifier: Apache-2.0 */
/* oscore.c - what can be read of an OSCORE option without a key
 *
 * One flag octet, then what it announces in a fixed order; the kid is whatever is left. A value of another form tells
 * nothing: half of one could name a device that it is not from.
 */
#include "coap/oscore.h"

#include "base/octets.h"

#define VALUE_MAX 255
#define PIV_MAX 5
#define FLAG_PIV 0x07 /* length of the Partial IV */
#define FLAG_KID 0x08
#define FLAG_KID_CONTEXT 0x10
#define FLAG_GROUP 0x20
#define FLAGS_RESERVED 0xc0

static void read_parts(struct coap_oscore *o, struct reader *r)
{
	uint8_t flags = read_u8(r);

	if (flags & FLAGS_RESERVED || (flags & FLAG_PIV) > PIV_MAX)
		r->failed = true;
	o->group = flags & FLAG_GROUP;
	o->piv_len = flags & FLAG_PIV;
	o->piv = read_span(r, o->piv_len);
	o->has_kid_context = flags & FLAG_KID_CONTEXT;
	if (o->has_kid_context) {
		o->kid_context_len = read_u8(r);
		o->kid_context = read_span(r, o->kid_context_len);
	}
	o->has_kid = flags & FLAG_KID;
	if (o->has_kid) {
		o->kid_len = (uint8_t)reader_left(r);
		o->kid = read_span(r, o->kid_len);
	}
	if (reader_left(r))
		r->failed = true;
}

bool coap_oscore_read(struct coap_oscore *o, const uint8_t *value, size_t len)
{
	struct reader r;

	*o = (struct coap_oscore){ 0 };
	if (!len)
		return true; /* all flags are zero: most responses */
	r = reader_of(value, len);
	if (len > VALUE_MAX)
		r.failed = true;
	read_parts(o, &r);
	if (r.failed)
		*o = (struct coap_oscore){ 0 };
	return !r.failed;
}
