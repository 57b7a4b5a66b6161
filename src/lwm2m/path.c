/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - paths of LwM2M from names, from requests, and to text
 *
 * Names and requests are walked segment by segment by the same code, so that both are cut and refused alike. Where the
 * alternate path is not in front of a path it is taken as it is: devices are known that leave it away.
 */
#include "lwm2m/path.h"

#include <errno.h>
#include <string.h>

#include "coap/option.h"
#include "lwm2m/registry.h"

#define PREFIX_MOST 32

struct walk {
	struct lwm2m_path path;
	struct lwm2m_text prefix;
	struct lwm2m_text base; /* what of the alternate path has not been met yet */
	bool may_have_prefix, at_start;
};

static struct walk walk_of(const struct lwm2m_text *base, bool may_have_prefix)
{
	return (struct walk){ .base = base && base->p ? *base : (struct lwm2m_text){ 0 },
			      .may_have_prefix = may_have_prefix,
			      .at_start = true };
}

/* The next segment of a text that is cut at slashes; false at its end. One slash at either end is none. */
static bool next_segment(struct lwm2m_text *rest, struct lwm2m_text *segment)
{
	const char *slash;

	if (!rest->len)
		return false;
	slash = memchr(rest->p, '/', rest->len);
	*segment = (struct lwm2m_text){ rest->p, slash ? (size_t)(slash - rest->p) : rest->len };
	rest->p += segment->len + (slash != NULL);
	rest->len -= segment->len + (slash != NULL);
	return true;
}

static void skip_slash(struct lwm2m_text *t)
{
	if (t->len && *t->p == '/') {
		t->p++;
		t->len--;
	}
}

static bool is(const struct lwm2m_text *t, const char *word)
{
	return t->len == strlen(word) && !memcmp(t->p, word, t->len);
}

/* The alternate path goes on with this segment. One that stops in its middle is no path of this device. */
static bool is_of_base(struct walk *w, const struct lwm2m_text *segment)
{
	struct lwm2m_text rest = w->base, own;

	if (w->at_start)
		skip_slash(&rest);
	if (!next_segment(&rest, &own) || own.len != segment->len || memcmp(own.p, segment->p, own.len))
		return false;
	w->base = rest;
	return true;
}

static long id_of(const struct lwm2m_text *t)
{
	long id = 0;

	if (!t->len || t->len > 5 || (t->p[0] == '0' && t->len > 1))
		return -1;
	for (size_t i = 0; i < t->len; i++) {
		if (t->p[i] < '0' || t->p[i] > '9')
			return -1;
		id = id * 10 + (t->p[i] - '0');
	}
	return id <= UINT16_MAX ? id : -1;
}

/* A word of letters, digits, '-', '.', '_', '~' that is no resource of the registration interface. */
static bool is_prefix(const struct lwm2m_text *t)
{
	static const char *const interfaces[] = { "rd", "bs", "bspack", "dp" };

	for (size_t i = 0; i < sizeof interfaces / sizeof *interfaces; i++)
		if (is(t, interfaces[i]))
			return false;
	for (size_t i = 0; i < t->len; i++) {
		const char c = t->p[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !strchr("-._~", c))
			return false;
		if (!c)
			return false;
	}
	return t->len && t->len <= PREFIX_MOST;
}

static bool take(struct walk *w, const struct lwm2m_text *segment)
{
	const bool of_base = w->base.len && is_of_base(w, segment);
	long id;

	if (!w->at_start && !of_base && w->base.len)
		return false;
	w->at_start = false;
	if (of_base)
		return true;
	w->base.len = 0;
	id = id_of(segment);
	if (id >= 0) {
		if (w->path.depth == 4)
			return false;
		w->path.id[w->path.depth++] = (uint16_t)id;
		return true;
	}
	if (w->path.depth || w->prefix.p || !w->may_have_prefix || !is_prefix(segment))
		return false;
	w->prefix = *segment;
	return true;
}

static int finish(const struct walk *w, struct lwm2m_path *out, struct lwm2m_text *prefix)
{
	if (w->prefix.p && !w->path.depth)
		return -EBADMSG; /* a word alone is something else */
	*out = w->path;
	if (prefix)
		*prefix = w->prefix;
	return 0;
}

int lwm2m_path_parse(struct lwm2m_path *out, struct lwm2m_text *prefix, const char *text, size_t len,
		     const struct lwm2m_text *base)
{
	struct walk w = walk_of(base, prefix != NULL);
	struct lwm2m_text rest = { text, len }, segment;

	skip_slash(&rest);
	while (next_segment(&rest, &segment))
		if (!take(&w, &segment))
			return -EBADMSG;
	return finish(&w, out, prefix);
}

int lwm2m_path_of_request(struct lwm2m_path *out, struct lwm2m_text *prefix, const struct coap_msg *m,
			  const struct lwm2m_text *base)
{
	struct walk w = walk_of(base, prefix != NULL);
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	bool ended = false;

	while (coap_option_next(&it, &o) && o.number <= COAP_URI_PATH) {
		const struct lwm2m_text segment = { (const char *)o.value, o.len };

		if (o.number != COAP_URI_PATH)
			continue;
		if (ended)
			return -EBADMSG; /* an empty segment is a slash, and only the last may be one */
		ended = !o.len;
		if (!ended && !take(&w, &segment))
			return -EBADMSG;
	}
	return finish(&w, out, prefix);
}

static size_t print_id(char *buf, uint16_t id)
{
	char digits[5];
	size_t n = 0, at = 0;

	do
		digits[n++] = (char)('0' + id % 10);
	while ((id = (uint16_t)(id / 10)));
	while (n)
		buf[at++] = digits[--n];
	return at;
}

size_t lwm2m_path_print(char buf[LWM2M_PATH_TEXT], const struct lwm2m_path *p)
{
	size_t at = 0;

	for (unsigned i = 0; i < p->depth; i++) {
		buf[at++] = '/';
		at += print_id(buf + at, p->id[i]);
	}
	if (!at)
		buf[at++] = '/';
	buf[at] = '\0';
	return at;
}

/* ---- what stays inside ---- */

static bool is_fixed_secret(const struct lwm2m_path *p)
{
	static const struct {
		uint16_t object, resource;
	} resources[] = {
		{ 11, 5 }, /* APN connection profile: user name goes with */
		{ 11, 6 }, /* its secret */
		{ 16, 2 }, /* portfolio: authentication data */
		{ 24, 8 }, /* MQTT server: password */
	};

	if (p->id[0] == 0 || p->id[0] == 21 || p->id[0] == 23) /* Security, OSCORE, COSE */
		return true;
	for (size_t i = 0; p->depth >= 3 && i < sizeof resources / sizeof *resources; i++)
		if (p->id[0] == resources[i].object && p->id[2] == resources[i].resource)
			return true;
	return false;
}

bool lwm2m_path_is_secret(const struct lwm2m_path *p, const struct lwm2m_registry *r)
{
	if (!p->depth)
		return false;
	return is_fixed_secret(p) || lwm2m_registry_is_secret(r, p->id[0], p->depth >= 3 ? p->id[2] : LWM2M_NO_ID);
}
