/* SPDX-License-Identifier: Apache-2.0 */
/* end_read.c - reading a message of libcoap's, and its parts as members of an event
 *
 * Written around coap_option_next(), which must not be called here (see end.h).
 */
#include "sim/end.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/console.h"

bool end_option_at(const coap_pdu_t *pdu, uint16_t number, unsigned index, const uint8_t **value, size_t *len)
{
	coap_opt_iterator_t it;
	coap_opt_t *opt = coap_check_option(pdu, number, &it);

	if (!opt)
		return false;
	*value = coap_opt_value(opt);
	*len = coap_opt_length(opt);
	while (index--) {
		coap_option_t o;
		size_t size = it.length ? coap_opt_parse(it.next_option, it.length, &o) : 0;

		if (!size || o.delta)
			return false;
		*value = o.value;
		*len = o.length;
		it.next_option += size;
		it.length -= size;
	}
	return true;
}

bool end_option_uint(const coap_pdu_t *pdu, uint16_t number, uint32_t *value)
{
	const uint8_t *p;
	size_t len;

	if (!end_option_at(pdu, number, 0, &p, &len) || len > 4)
		return false;
	*value = 0;
	while (len--)
		*value = *value << 8 | *p++;
	return true;
}

const char *end_path(const coap_pdu_t *pdu, uint16_t number, char *buf, size_t size)
{
	const uint8_t *p;
	size_t len, at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; end_option_at(pdu, number, i, &p, &len); i++) {
		if (at + len + 2 > size)
			break;
		buf[at++] = '/';
		if (len)
			memcpy(buf + at, p, len);
		at += len;
		buf[at] = '\0';
	}
	if (!at && size > 1)
		strcpy(buf, "/");
	return buf;
}

bool end_query(const coap_pdu_t *pdu, const char *name, char *buf, size_t size)
{
	size_t name_len = strlen(name), len;
	const uint8_t *p;

	for (unsigned i = 0; end_option_at(pdu, COAP_OPTION_URI_QUERY, i, &p, &len); i++) {
		if (len < name_len || memcmp(p, name, name_len) || (len > name_len && p[name_len] != '='))
			continue;
		len -= name_len;
		p += name_len;
		snprintf(buf, size, "%.*s", len ? (int)len - 1 : 0, len ? (const char *)p + 1 : "");
		return true;
	}
	return false;
}

const char *end_code_text(uint8_t code, char buf[5])
{
	buf[0] = (char)('0' + (code >> 5));
	buf[1] = '.';
	buf[2] = (char)('0' + (code & 31) / 10);
	buf[3] = (char)('0' + (code & 31) % 10);
	buf[4] = '\0';
	return buf;
}

int end_code_parse(const char *text)
{
	static const char *const methods[] = { "", "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "IPATCH" };
	unsigned class_, detail;
	char end;

	for (int i = 1; i < 8; i++) {
		if (!strcasecmp(text, methods[i]))
			return i;
	}
	if (sscanf(text, "%1u.%2u%c", &class_, &detail, &end) != 2 || class_ > 7 || detail > 31)
		return -EINVAL;
	return (int)(class_ << 5 | detail);
}

const char *end_type_text(uint8_t type)
{
	static const char *const names[] = { "CON", "NON", "ACK", "RST" };

	return names[type & 3];
}

void end_describe(json_t *ev, const coap_pdu_t *pdu)
{
	coap_bin_const_t token = coap_pdu_get_token(pdu);
	const uint8_t *data = NULL;
	char code[5];
	size_t len = 0;
	uint32_t n;

	json_object_set_new(ev, "code", json_string(end_code_text((uint8_t)coap_pdu_get_code(pdu), code)));
	json_object_set_new(ev, "type", json_string(end_type_text((uint8_t)coap_pdu_get_type(pdu))));
	json_object_set_new(ev, "mid", json_integer(coap_pdu_get_mid(pdu)));
	json_object_set_new(ev, "token", json_hex(token.s, token.length));
	if (end_option_uint(pdu, COAP_OPTION_CONTENT_FORMAT, &n))
		json_object_set_new(ev, "content_format", json_integer(n));
	if (end_option_uint(pdu, COAP_OPTION_OBSERVE, &n))
		json_object_set_new(ev, "observe", json_integer(n));
	if (end_option_uint(pdu, COAP_OPTION_MAXAGE, &n))
		json_object_set_new(ev, "max_age", json_integer(n));
	if (coap_get_data(pdu, &len, &data) && len) {
		json_object_set_new(ev, "payload", json_hex(data, len));
		json_object_set_new(ev, "text", json_text_of(data, len));
	}
}
