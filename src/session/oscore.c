/* SPDX-License-Identifier: Apache-2.0 */
/* oscore.c - what profile and record of a device say about OSCORE (INTERFACE 4, OSCORE identity)
 *
 * There is no key here: what is decided rests on what stands outside of a protected message, and the message itself
 * passes as it is or not at all. In a device's list kid and kid context are its own Sender ID and ID Context.
 */
#include <string.h>

#include "coap/oscore.h"
#include "session/internal.h"

/* ---- its list ---- */

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* text was checked to be hexadecimal. */
static bool hex_is(const char *text, const uint8_t *octets, size_t len)
{
	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1])) != octets[i])
			return false;
	return true;
}

/* A request may leave its context out once the server knows it: then the kid tells. */
static bool fits(const struct oscore_conf *own, const struct coap_oscore *o)
{
	return o->has_kid && hex_is(own->kid, o->kid, o->kid_len) &&
		(!own->kid_context || !o->has_kid_context ||
		 hex_is(own->kid_context, o->kid_context, o->kid_context_len));
}

/* One that names the context of the request knows better than one that takes any, wherever they stand in the list. */
uint64_t oscore_kids(const struct device *d, const struct coap_view *v)
{
	const struct conf_list *list = &d->conf->oscore;
	struct coap_oscore o;
	uint64_t kids = 0, named = 0;

	if (!v->oscore || !list->n || !coap_oscore_read(&o, v->oscore_value.value, v->oscore_value.len))
		return 0;
	for (size_t i = 0; i < list->n && i < OSCORE_MAX; i++) {
		const struct oscore_conf *own = list->v[i];
		const uint64_t fit = (uint64_t)fits(own, &o) << i;

		kids |= fit;
		named |= own->kid_context && o.has_kid_context ? fit : 0;
	}
	return named ? named : kids;
}

bool oscore_is_for(const struct oscore_conf *own, const struct server *srv)
{
	return own->server && strcmp(own->server, srv->conf->head.name) == 0;
}

static void log_kid(const struct device *d, const struct coap_oscore *o)
{
	log_ev(LOG_WARNING, ROOM, "device.identity_mismatch", LF_STR("dev", device_name(d)),
	       LF_HEX("kid", o->kid, o->kid_len), LF_HEX("kid_context", o->kid_context, o->kid_context_len));
}

uint8_t oscore_admit(struct device *d, const struct coap_view *v, const char **why)
{
	struct coap_oscore o;

	if (!v->oscore || !d->conf->oscore.n)
		return 0;
	if (oscore_kids(d, v)) {
		identity_confirmed(d);
		return 0;
	}
	(void)coap_oscore_read(&o, v->oscore_value.value, v->oscore_value.len); /* of another form: without kid */
	log_kid(d, &o);
	identity_mismatch(d, "it used an OSCORE kid that is not its own");
	*why = "kid of another device";
	return COAP_FORBIDDEN;
}

/* ---- its profile ---- */

static bool segment_is(const struct coap_option *o, const char *word)
{
	return o->len == strlen(word) && memcmp(o->value, word, o->len) == 0;
}

/* RFC 9528: what makes the keys cannot be protected by them. */
static bool is_edhoc(const struct coap_msg *m, const struct coap_view *v)
{
	return m->code == COAP_POST && v->paths == 2 && segment_is(&v->path[0], ".well-known") &&
		segment_is(&v->path[1], "edhoc");
}

uint8_t oscore_refuses(const struct device *d, const struct coap_msg *m, const struct coap_view *v)
{
	int mode = d->profile->conf->oscore;

	if (mode == OSCORE_OFF && v->oscore)
		return COAP_BAD_OPTION; /* as from one who does not know it */
	if (mode == OSCORE_REQUIRE && !v->oscore && !is_edhoc(m, v))
		return COAP_UNAUTHORIZED; /* RFC 8613 8.2: as from an endpoint that wants protection */
	return 0;
}

/* ---- the log ---- */

void oscore_log(const struct device *d, const char *dir, const struct coap_msg *m, const struct coap_view *v)
{
	struct coap_oscore o;
	bool sound;

	if (!v->oscore || !log_on(LOG_DEBUG))
		return;
	sound = coap_oscore_read(&o, v->oscore_value.value, v->oscore_value.len);
	log_ev(LOG_DEBUG, ROOM, "oscore", LF_STR("dev", device_name(d)), LF_STR("dir", dir), LF_UINT("mid", m->mid),
	       LF_BOOL("sound", sound), LF_HEX("piv", o.piv, o.piv_len), LF_HEX("kid", o.kid, o.kid_len),
	       LF_HEX("kid_context", o.kid_context, o.kid_context_len), LF_UINT("len", m->payload_len));
}
