/* SPDX-License-Identifier: Apache-2.0 */
/* signal.c - signalling messages of CoAP over TCP and TLS, RFC 8323 section 5
 *
 * Which option belongs to which code is a table; reading and writing walk it.
 */
#include "coap/signal.h"

#include <errno.h>
#include <string.h>

enum form { FORM_EMPTY, FORM_UINT, FORM_TEXT };
enum { OPTION_SPACE = 16 }; /* all options that are written together */

struct known {
	uint8_t code, number, form, longest;
	uint8_t flag, value; /* offsets in struct coap_signal: that it is there, and what it says */
};
#define AT(member) offsetof(struct coap_signal, member)
static const struct known table[] = {
	{ COAP_CSM, 2, FORM_UINT, 4, AT(has_max_message_size), AT(max_message_size) },
	{ COAP_CSM, 4, FORM_EMPTY, 0, AT(blockwise), 0 },
	{ COAP_PING, 2, FORM_EMPTY, 0, AT(custody), 0 },
	{ COAP_PONG, 2, FORM_EMPTY, 0, AT(custody), 0 },
	{ COAP_RELEASE, 2, FORM_TEXT, 255, AT(has_alternative), AT(alternative) },
	{ COAP_RELEASE, 4, FORM_UINT, 3, AT(has_hold_off), AT(hold_off_s) },
	{ COAP_ABORT, 2, FORM_UINT, 2, AT(has_bad_csm_option), AT(bad_csm_option) },
};

static const struct known *find(uint8_t code, uint32_t number)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].code == code && table[i].number == number)
			return &table[i];
	return NULL;
}

static bool is_critical(uint32_t number)
{
	return number & 1;
}

static void take(struct coap_signal *s, const struct known *k, const struct coap_option *o)
{
	bool *flag = (bool *)s + k->flag;
	void *value = (char *)s + k->value;

	if (k->form == FORM_UINT)
		*(uint32_t *)value = coap_option_uint(o);
	else if (k->form == FORM_TEXT && !*flag)
		*(struct coap_option *)value = *o;
	*flag = true;
}

void coap_signal_read(struct coap_signal *s, const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	uint32_t last = UINT32_MAX;

	*s = (struct coap_signal){ 0 };
	while (coap_option_next(&it, &o)) {
		const struct known *k = find(m->code, o.number);

		if (k && o.len <= k->longest && (k->form == FORM_TEXT || o.number != last))
			take(s, k, &o);
		else if (is_critical(o.number) && !s->unknown)
			s->unknown = o.number;
		last = o.number;
	}
}

long coap_signal_write(void *buf, size_t size, uint8_t code, const uint8_t *token, size_t token_len,
		       const struct coap_signal *s, const char *text)
{
	uint8_t options[OPTION_SPACE];
	struct coap_builder b = { writer_of(options, sizeof options), 0 };

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct known *k = &table[i];

		if (k->code != code || !*((const bool *)s + k->flag))
			continue;
		if (k->form == FORM_UINT)
			coap_build_uint(&b, k->number, *(const uint32_t *)(const void *)((const char *)s + k->value));
		else if (k->form == FORM_EMPTY)
			coap_build_option(&b, k->number, NULL, 0);
	}
	if (coap_build_end(&b) < 0)
		return -EMSGSIZE;
	return coap_write_stream(buf, size, code, token, token_len, options, writer_len(&b.w), (const uint8_t *)text,
				 text ? strlen(text) : 0);
}
