/* SPDX-License-Identifier: Apache-2.0 */
/* tlv.c - application/vnd.oma.lwm2m+tlv
 *
 * Identifiers are relative to the path of the request, so the same octets mean other things under another path: which
 * kinds of entry may stand where is a table. Two habits of devices that the specification does not have are taken: an
 * instance in its wrapper although the instance was asked for, and resource instances without the wrapper of their
 * resource.
 */
#include "lwm2m/formats.h"

#include "base/octets.h"
#include "lwm2m/typed.h"

enum tlv_kind { TLV_INSTANCE, TLV_RESOURCE_INSTANCE, TLV_MULTIPLE, TLV_RESOURCE };

struct tlv {
	enum tlv_kind kind;
	uint16_t id;
	const uint8_t *p;
	size_t len;
};

static bool read_entry(struct gather *g, struct reader *r, struct tlv *t)
{
	const uint8_t type = read_u8(r);
	const unsigned length_octets = type >> 3 & 3;

	t->kind = (enum tlv_kind)(type >> 6);
	t->id = type & 0x20 ? read_u16(r) : read_u8(r);
	t->len = length_octets ? 0 : type & 7;
	for (unsigned i = 0; i < length_octets; i++)
		t->len = t->len << 8 | read_u8(r);
	t->p = read_span(r, t->len);
	return !r->failed || gather_fault(g, FAULT_TRUNCATED);
}

static bool add_value(struct gather *g, struct lwm2m_path path, const struct tlv *t)
{
	struct lwm2m_value v = { .path = path };

	return value_of_octets(g, &v, gather_type(g, &path), t->p, t->len) && gather_add(g, &v);
}

static bool read_entries(struct gather *g, const struct lwm2m_path *at, const uint8_t *p, size_t len);

/* One deeper; or the same when it is what was asked for. */
static bool go_down(struct gather *g, const struct lwm2m_path *at, unsigned level, uint16_t id, struct lwm2m_path *to)
{
	*to = *at;
	if (at->depth < level) {
		to->id[to->depth++] = id;
		return true;
	}
	return to->id[level - 1] == id || gather_fault(g, FAULT_FORMAT);
}

static bool take_instance(struct gather *g, const struct lwm2m_path *at, bool inside, const struct tlv *t)
{
	struct lwm2m_path to;

	if (inside)
		return gather_fault(g, FAULT_DEPTH); /* nothing holds an instance */
	if (at->depth < 1 || at->depth > 2)
		return gather_fault(g, FAULT_FORMAT);
	return go_down(g, at, 2, t->id, &to) && read_entries(g, &to, t->p, t->len);
}

static bool take_resource(struct gather *g, const struct lwm2m_path *at, const struct tlv *t)
{
	struct lwm2m_path to = *at;

	if (to.depth == 1) { /* a Create that leaves the instance to the device */
		to.id[1] = LWM2M_NO_ID;
		to.depth = 2;
	}
	if (to.depth == 4 && t->kind == TLV_RESOURCE) /* the resource instance itself, taken for a resource */
		return to.id[3] == t->id || to.id[2] == t->id ? add_value(g, to, t) : gather_fault(g, FAULT_FORMAT);
	if (to.depth < 2 || !go_down(g, &to, 3, t->id, &to))
		return gather_fault(g, FAULT_FORMAT);
	return t->kind == TLV_RESOURCE ? add_value(g, to, t) : read_entries(g, &to, t->p, t->len);
}

static bool take_resource_instance(struct gather *g, const struct lwm2m_path *at, const struct tlv *t)
{
	struct lwm2m_path to;

	if (at->depth < 3)
		return gather_fault(g, FAULT_FORMAT);
	return go_down(g, at, 4, t->id, &to) && add_value(g, to, t);
}

/* What stands side by side: in the payload, in an instance, or in a resource. at says in what; a request's path is met
 * first. */
static bool read_entries(struct gather *g, const struct lwm2m_path *at, const uint8_t *p, size_t len)
{
	const bool inside = p != g->in->payload;
	struct reader r = reader_of(p, len);
	struct tlv t;

	while (reader_left(&r)) {
		bool taken;

		if (!read_entry(g, &r, &t))
			return false;
		if (t.kind == TLV_INSTANCE)
			taken = take_instance(g, at, inside, &t);
		else if (t.kind == TLV_RESOURCE_INSTANCE)
			taken = take_resource_instance(g, at, &t);
		else if (inside && at->depth >= 3)
			taken = gather_fault(g, FAULT_DEPTH); /* nor a resource another one */
		else
			taken = take_resource(g, at, &t);
		if (!taken)
			return false;
	}
	return true;
}

bool decode_tlv(struct gather *g)
{
	if (!g->in->path || !g->in->path->depth)
		return gather_fault(g, FAULT_FORMAT); /* nothing says what it is about */
	return read_entries(g, g->in->path, g->in->payload, g->in->len);
}
