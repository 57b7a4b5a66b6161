/* SPDX-License-Identifier: Apache-2.0 */
/* forward.c - how the options of a message cross from one leg to the other
 *
 * One pass. Whole runs of encoded options are copied as they are; only an option that changes, and the one behind it
 * (its delta changes), is encoded anew. Options are sorted by number, so OSCORE (9) is seen before those whose rule
 * depends on it (14, 15).
 */
#include "coap/option.h"

#define QUERY_MAX 255 /* octets a Uri-Query can have, RFC 7252 5.10 */

struct copy {
	struct coap_builder *b;
	const struct coap_msg *m;
	const struct coap_crossing *c;
	const uint8_t *run;  /* first octet of what passes and is not copied yet; NULL: no run is open */
	uint32_t run_number; /* of the last option in the run */
	unsigned paths;      /* Uri-Path options that were left out */
	bool oscore;
	bool queries_put, locations_put;
};

enum fate { PASS, LEAVE_OUT, SET_UINT };

/* Copies the open run, which ends at end. */
static inline void flush(struct copy *k, const uint8_t *end)
{
	if (!k->run)
		return;
	write_bytes(&k->b->w, k->run, (size_t)(end - k->run));
	k->b->number = k->run_number;
	k->run = NULL;
}

static inline bool edits_queries(const struct copy *k)
{
	return k->c->queries && k->c->request && !k->oscore;
}

static void put_queries(struct copy *k)
{
	k->queries_put = true;
	for (size_t i = 0; i < k->c->queries_n; i++) {
		if (k->c->queries[i].len > QUERY_MAX)
			k->b->w.failed = true; /* no option can hold it: the message does not fit */
		coap_build_option(k->b, COAP_URI_QUERY, k->c->queries[i].p, k->c->queries[i].len);
	}
}

static void put_locations(struct copy *k)
{
	k->locations_put = true;
	for (size_t i = 0; i < k->c->locations_n; i++)
		coap_build_option(k->b, COAP_LOCATION_PATH, k->c->locations[i].p, k->c->locations[i].len);
}

static enum fate fate_of_max_age(const struct copy *k, const struct coap_option *o, uint32_t *value)
{
	uint32_t age = coap_option_uint(o);

	if (k->oscore)
		return PASS; /* 0 on an OSCORE error: it belongs to the endpoints */
	if (k->c->request)
		return LEAVE_OUT;
	*value = age > k->c->held_s ? age - k->c->held_s : 0;
	return k->c->held_s ? SET_UINT : PASS;
}

/* They belong to a hop: a transfer that is cut anew says what they are on the next one. */
static enum fate fate_of_block(const struct copy *k, const struct coap_option *o, uint32_t *value)
{
	bool first = o->number == COAP_BLOCK1;

	*value = first ? k->c->block1 : k->c->block2;
	if (first ? k->c->drop_block1 : k->c->drop_block2)
		return LEAVE_OUT;
	return (first ? k->c->set_block1 : k->c->set_block2) ? SET_UINT : PASS;
}

/* What the table calls rewriting. Servers observe devices; what a device would observe at a server does not come
 * through, so the server is not asked for it, and the device sees that (RFC 7641 2). Under OSCORE only the ends may
 * take Observe out. */
static enum fate fate_of_rewritten(const struct copy *k, const struct coap_option *o, uint32_t *value)
{
	struct coap_option oscore;

	switch (o->number) {
	case COAP_OBSERVE:
		if (k->c->request && k->c->to_server && !coap_option_find(k->m, COAP_OSCORE, &oscore))
			return LEAVE_OUT;
		*value = k->c->observe;
		return k->c->set_observe ? SET_UINT : PASS;
	case COAP_HOP_LIMIT:
		*value = coap_option_uint(o) - 1; /* 0 and 1 were refused by the view */
		return SET_UINT;
	case COAP_URI_QUERY:
		return edits_queries(k) ? LEAVE_OUT : PASS;
	default: /* Uri-Host, Uri-Port */
		return k->c->to_server && !k->c->strip_uri_host ? PASS : LEAVE_OUT;
	}
}

static enum fate fate_of_path(struct copy *k)
{
	if (!k->c->request || k->paths >= k->c->skip_path)
		return PASS;
	k->paths++;
	return LEAVE_OUT;
}

static enum fate fate_of(struct copy *k, const struct coap_option *o, bool second, uint32_t *value)
{
	const struct coap_option_info *info = coap_option_lookup(o->number);

	if (!info || coap_option_is_faulty(info, o, second))
		return coap_option_unsafe(o->number) ? LEAVE_OUT : PASS;
	if (o->number == COAP_URI_PATH && k->c->request)
		return fate_of_path(k);
	if (o->number == COAP_MAX_AGE)
		return fate_of_max_age(k, o, value);
	if (o->number == COAP_BLOCK1 || o->number == COAP_BLOCK2)
		return fate_of_block(k, o, value);
	switch (k->c->request ? info->request : info->response) {
	case COAP_RULE_FORWARD:
		return PASS;
	case COAP_RULE_REWRITE:
		return fate_of_rewritten(k, o, value);
	default:
		return LEAVE_OUT;
	}
}

/* start: where the option begins in the message; before: the number of the option in front of it there. */
static inline void pass(struct copy *k, const struct coap_option *o, const uint8_t *start, uint32_t before)
{
	if (!k->run && k->b->number == before)
		k->run = start; /* its delta still holds */
	if (!k->run)
		coap_build_option(k->b, o->number, o->value, o->len);
	k->run_number = o->number;
}

static void change(struct copy *k, const struct coap_option *o, const uint8_t *start, enum fate fate, uint32_t value)
{
	flush(k, start);
	if (fate == SET_UINT)
		coap_build_uint(k->b, o->number, value);
}

void coap_forward_options(struct coap_builder *b, const struct coap_msg *m, const struct coap_crossing *c)
{
	struct copy k = { .b = b, .m = m, .c = c };
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	const uint8_t *start = it.r.p;
	uint32_t before = 0;
	bool first = true;

	for (; coap_option_next(&it, &o); start = it.r.p, before = o.number, first = false) {
		enum fate fate = PASS;
		uint32_t value = 0;

		k.oscore |= o.number == COAP_OSCORE;
		if (o.number >= COAP_URI_QUERY && !k.queries_put && edits_queries(&k)) {
			flush(&k, start);
			put_queries(&k);
		}
		if (o.number == COAP_LOCATION_PATH && k.c->locations_n && !k.c->request && !k.locations_put) {
			flush(&k, start);
			put_locations(&k);
		}
		if (coap_option_unsafe(o.number) || o.number == COAP_HOP_LIMIT)
			fate = fate_of(&k, &o, !first && o.number == before, &value);
		if (fate == PASS)
			pass(&k, &o, start, before);
		else
			change(&k, &o, start, fate, value);
	}
	flush(&k, it.r.p);
	if (!k.queries_put && edits_queries(&k))
		put_queries(&k);
}
