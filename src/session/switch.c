/* SPDX-License-Identifier: Apache-2.0 */
/* switch.c - devices that are told to go on over another bearer (LwM2M: the trigger of /1/x/8, Write of /1/x/22)
 *
 * A device that switches registers with its server directly, under the same name, and the server drops what it knew of
 * it here without a word. Nobody tells the gateway: it knows only that this is to be expected, and then says nothing
 * when the device is not heard any more. Whatever the device says about its registration here ends that.
 */
#include <string.h>

#include "session/internal.h"

#define NON_IP 'N' /* the binding letter of this side */

static bool segment_is(const struct coap_option *o, const char *word)
{
	return o->len == strlen(word) && memcmp(o->value, word, o->len) == 0;
}

static bool is_resource(const struct coap_view *v, const char *id)
{
	return v->paths == 3 && segment_is(&v->path[0], "1") && segment_is(&v->path[2], id);
}

/* The binding in "0=U" or "0='U'": the first argument of an Execute. 0: it has none. */
static char argument_of(const char *p, size_t len)
{
	if (len < 3 || memcmp(p, "0=", 2) != 0)
		return 0;
	p += 2;
	len -= 2;
	if (*p == '\'' || *p == '"') {
		p++;
		len--;
	}
	return len && *p >= 'A' && *p <= 'Z' ? *p : 0;
}

/* LwM2M 1.1 shows it in the query, the grammar of Execute would have it in the payload. */
static char trigger_of(const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	char letter = argument_of((const char *)m->payload, m->payload_len);

	while (!letter && coap_option_next(&it, &o))
		if (o.number == COAP_URI_QUERY)
			letter = argument_of((const char *)o.value, o.len);
	return letter;
}

/* One letter, which stands last in plain text as well as in TLV and CBOR. */
static char written_of(const struct coap_msg *m)
{
	return m->payload_len ? (char)m->payload[m->payload_len - 1] : 0;
}

bool switch_asked(const struct coap_msg *m, const struct coap_view *v)
{
	char letter = 0;

	if (v->oscore)
		return false;
	if (m->code == COAP_POST && is_resource(v, "8"))
		letter = trigger_of(m);
	else if (m->code == COAP_PUT && is_resource(v, "22"))
		letter = written_of(m);
	return letter && letter != NON_IP;
}

void switch_expect(struct assoc *a)
{
	if (a->switching)
		return;
	a->switching = true;
	device_touch(a->dev);
	tell_changed(a->dev);
	log_ev(LOG_INFO, ROOM, "switch.expected", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name));
}

void switch_forget(struct assoc *a, const char *why)
{
	if (!a->switching)
		return;
	a->switching = false;
	device_touch(a->dev);
	tell_changed(a->dev);
	log_ev(LOG_INFO, ROOM, "switch.over", LF_STR("dev", device_name(a->dev)),
	       LF_STR("server", a->srv->conf->head.name), LF_STR("reason", why));
}
