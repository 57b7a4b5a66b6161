/* SPDX-License-Identifier: Apache-2.0 */
/* registration.c - reading and editing of the LwM2M registration interface
 *
 * Parameters are read where they stand in the message and nothing is copied but the location, which outlives it. Paths
 * are compared octet by octet, segment by segment: a device repeats its location exactly as it got it.
 */
#include "lwm2m/param.h"

#include <errno.h>

/* ---- parameters ---- */

static struct lwm2m_param param_of(const struct coap_option *o)
{
	const char *text = (const char *)o->value;
	const char *equals = o->len ? memchr(text, '=', o->len) : NULL;
	struct lwm2m_param p = { .whole = { text, o->len }, .key = { text, o->len } };

	if (!equals)
		return p;
	p.key.len = (size_t)(equals - text);
	p.value.p = equals + 1;
	p.value.len = o->len - p.key.len - 1;
	return p;
}

bool lwm2m_param_next(struct coap_options *it, struct lwm2m_param *p)
{
	struct coap_option o;

	while (coap_option_next(it, &o) && o.number <= COAP_URI_QUERY)
		if (o.number == COAP_URI_QUERY) {
			*p = param_of(&o);
			return true;
		}
	return false;
}

bool lwm2m_param_find(struct lwm2m_param *p, const struct coap_msg *m, const char *key)
{
	struct coap_options it = coap_options_of(m);

	while (lwm2m_param_next(&it, p))
		if (text_is(&p->key, key))
			return true;
	return false;
}

/* Decimal digits only; false: empty, another character, or above 2^64 - 1. */
static bool read_decimal(const struct coap_text *t, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < t->len; i++) {
		unsigned digit = (unsigned char)t->p[i] - (unsigned)'0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return t->len > 0;
}

/* "1.N": what stands behind the dot decides. */
static enum lwm2m_version version_of(const struct coap_text *t)
{
	struct coap_text minor;
	uint64_t n;

	if (t->len < 3 || memcmp(t->p, "1.", 2))
		return LWM2M_V_UNKNOWN;
	minor = (struct coap_text){ t->p + 2, t->len - 2 };
	if ((minor.p[0] == '0' && minor.len > 1) || !read_decimal(&minor, &n))
		return LWM2M_V_UNKNOWN;
	return n == 0 ? LWM2M_V_1_0 : n == 1 ? LWM2M_V_1_1 : LWM2M_V_1_2;
}

/* The first of a repeated parameter counts. A key without value is there, with an empty text. */
static void keep_first(struct coap_text *to, const struct lwm2m_param *p)
{
	if (!to->p)
		*to = p->value.p ? p->value : (struct coap_text){ p->whole.p + p->whole.len, 0 };
}

static void read_lifetime(struct lwm2m_params *p, const struct lwm2m_param *q)
{
	if (p->has_lifetime || p->bad_lifetime)
		return;
	p->has_lifetime = read_decimal(&q->value, &p->lifetime_s);
	p->bad_lifetime = !p->has_lifetime;
}

bool lwm2m_q_is_a_letter(enum lwm2m_version version)
{
	return version == LWM2M_V_1_0 || version == LWM2M_V_UNKNOWN;
}

void lwm2m_read_params(struct lwm2m_params *p, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct lwm2m_param q;

	*p = (struct lwm2m_params){ 0 };
	while (lwm2m_param_next(&it, &q)) {
		if (text_is(&q.key, "ep")) {
			p->eps++;
			keep_first(&p->ep, &q);
		} else if (text_is(&q.key, "lt")) {
			read_lifetime(p, &q);
		} else if (text_is(&q.key, "b")) {
			keep_first(&p->b, &q);
		} else if (text_is(&q.key, "lwm2m")) {
			keep_first(&p->lwm2m, &q);
		} else if (text_is(&q.key, "sms")) {
			keep_first(&p->sms, &q);
		} else if (text_is(&q.key, "Q")) {
			p->queue = true; /* a bare flag, but "Q=" is seen too */
		}
	}
	if (p->lwm2m.p)
		p->version = version_of(&p->lwm2m);
	if (lwm2m_q_is_a_letter(p->version) && text_has(&p->b, 'Q'))
		p->queue = true;
}

/* ---- operation and location ---- */

/* What the path of a request says, found in one pass. */
struct target {
	bool oscore;
	bool at_location; /* equal to the location, segment by segment */
	unsigned segments;
	struct coap_option last;
};

static struct target target_of(const struct coap_msg *m, const uint8_t *location, size_t location_len)
{
	struct coap_options it = coap_options_of(m);
	struct reader r = reader_of(location, location ? location_len : 0);
	struct target t = { .at_location = location && location_len };
	struct coap_option o;

	while (coap_option_next(&it, &o) && o.number <= COAP_URI_PATH) {
		size_t len;
		const uint8_t *segment;

		t.oscore |= o.number == COAP_OSCORE;
		if (o.number != COAP_URI_PATH)
			continue;
		t.segments++;
		t.last = o;
		len = read_u8(&r);
		segment = read_span(&r, len);
		if (!segment || len != o.len || memcmp(segment, o.value, len))
			t.at_location = false;
	}
	if (reader_left(&r))
		t.at_location = false;
	return t;
}

static bool ends_with(const struct target *t, const char *word)
{
	const struct coap_text last = { (const char *)t->last.value, t->last.len };

	return t->segments && text_is(&last, word);
}

static enum lwm2m_op post_to(const struct target *t)
{
	if (t->at_location)
		return LWM2M_UPDATE;
	if (ends_with(t, "rd"))
		return LWM2M_REGISTER;
	if (ends_with(t, "bs"))
		return LWM2M_BOOTSTRAP;
	return ends_with(t, "dp") ? LWM2M_SEND : LWM2M_NONE;
}

enum lwm2m_op lwm2m_operation(const struct coap_msg *m, const uint8_t *location, size_t location_len)
{
	struct target t;

	if (m->code != COAP_POST && m->code != COAP_DELETE && m->code != COAP_GET)
		return LWM2M_NONE;
	t = target_of(m, location, location_len);
	if (t.oscore)
		return LWM2M_NONE; /* the path outside is not the real one */
	if (m->code == COAP_POST)
		return post_to(&t);
	if (m->code == COAP_DELETE)
		return t.at_location ? LWM2M_DEREGISTER : LWM2M_NONE;
	return ends_with(&t, "bspack") ? LWM2M_BOOTSTRAP_PACK : LWM2M_NONE;
}

long lwm2m_location_of(uint8_t *buf, size_t size, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct writer w = writer_of(buf, size);
	struct coap_option o;
	bool found = false;

	while (coap_option_next(&it, &o) && o.number <= COAP_LOCATION_PATH) {
		if (o.number != COAP_LOCATION_PATH)
			continue;
		if (o.len > UINT8_MAX)
			return -EMSGSIZE;
		write_u8(&w, (uint8_t)o.len);
		write_bytes(&w, o.value, o.len);
		found = true;
	}
	if (w.failed)
		return -EMSGSIZE;
	return found ? (long)writer_len(&w) : -ENOENT;
}
