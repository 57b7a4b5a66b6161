/* SPDX-License-Identifier: Apache-2.0 */
/* option.c - what each option number means to a gateway, and how options cross a hop
 *
 * One table and one pass to look. The options of a message are sorted by number, so a second instance stands right
 * behind the first.
 */
#include "coap/option.h"

#include <errno.h>

#define HOP_LIMIT_TOO_LONG 256u

#define FWD COAP_RULE_FORWARD
#define REW COAP_RULE_REWRITE
#define DROP COAP_RULE_DROP
#define REF COAP_RULE_REFUSE
#define PROXY COAP_RULE_PROXY
#define ROW(n, name, least, most, many, request, response) [n] = { n, name, least, most, many, request, response }

/* By number. An option that has no meaning in the kind of message it stands in counts as unrecognised (RFC 7252 5.4):
 * safe ones pass, critical unsafe ones are refused, elective unsafe ones are left out. */
static const struct coap_option_info registered[] = {
	/*                                            length, repeatable, in a request, in a response */
	ROW(COAP_IF_MATCH, "If-Match", 0, 8, true, FWD, FWD),
	ROW(COAP_URI_HOST, "Uri-Host", 1, 255, false, REW, REF),
	ROW(COAP_ETAG, "ETag", 1, 8, true, FWD, FWD),
	ROW(COAP_IF_NONE_MATCH, "If-None-Match", 0, 0, false, FWD, FWD),
	ROW(COAP_OBSERVE, "Observe", 0, 3, false, REW, REW), /* RFC 7641 */
	ROW(COAP_URI_PORT, "Uri-Port", 0, 2, false, REW, REF),
	ROW(COAP_LOCATION_PATH, "Location-Path", 0, 255, true, FWD, FWD),
	ROW(COAP_OSCORE, "OSCORE", 0, 255, false, FWD, FWD), /* RFC 8613 */
	ROW(COAP_URI_PATH, "Uri-Path", 0, 255, true, FWD, REF),
	ROW(COAP_CONTENT_FORMAT, "Content-Format", 0, 2, false, FWD, FWD),
	ROW(COAP_MAX_AGE, "Max-Age", 0, 4, false, DROP, REW),
	ROW(COAP_URI_QUERY, "Uri-Query", 0, 255, true, REW, REF),
	ROW(COAP_HOP_LIMIT, "Hop-Limit", 1, 1, false, REW, FWD), /* RFC 8768 */
	ROW(COAP_ACCEPT, "Accept", 0, 2, false, FWD, FWD),
	ROW(COAP_Q_BLOCK1, "Q-Block1", 0, 3, false, REF, REF), /* RFC 9177: the peer falls back to Block1 */
	ROW(COAP_LOCATION_QUERY, "Location-Query", 0, 255, true, FWD, FWD),
	ROW(COAP_EDHOC, "EDHOC", 0, 0, false, FWD, FWD),   /* RFC 9668 */
	ROW(COAP_BLOCK2, "Block2", 0, 3, false, FWD, FWD), /* RFC 7959; re-cutting is the block layer's */
	ROW(COAP_BLOCK1, "Block1", 0, 3, false, FWD, FWD),
	ROW(COAP_SIZE2, "Size2", 0, 4, false, FWD, FWD),
	ROW(COAP_Q_BLOCK2, "Q-Block2", 0, 3, true, REF, REF),
	ROW(COAP_PROXY_URI, "Proxy-Uri", 1, 1034, false, PROXY, REF),
	ROW(COAP_PROXY_SCHEME, "Proxy-Scheme", 1, 255, false, PROXY, REF),
	ROW(COAP_SIZE1, "Size1", 0, 4, false, FWD, FWD),
	ROW(COAP_PROXY_CRI, "Proxy-Cri", 1, 1023, false, PROXY, REF),
	ROW(COAP_PROXY_SCHEME_NUMBER, "Proxy-Scheme-Number", 0, 3, false, PROXY, REF),
	ROW(COAP_ECHO, "Echo", 1, 40, false, FWD, FWD),               /* RFC 9175 */
	ROW(COAP_NO_RESPONSE, "No-Response", 0, 1, false, FWD, DROP), /* RFC 7967 */
	ROW(COAP_REQUEST_TAG, "Request-Tag", 0, 8, true, FWD, FWD),   /* RFC 9175 */
};
#define REGISTERED (sizeof registered / sizeof registered[0])

/* Far numbers, so that the table above can be indexed. */
static const struct coap_option_info registered_far[] = {
	{ 2049, "OCF-Accept-Content-Format-Version", 0, 2, false, FWD, FWD },
	{ 2053, "OCF-Content-Format-Version", 0, 2, false, FWD, FWD },
};

const struct coap_option_info *coap_option_lookup(uint32_t number)
{
	if (number < REGISTERED)
		return registered[number].name ? &registered[number] : NULL;
	for (size_t i = 0; i < sizeof registered_far / sizeof registered_far[0]; i++)
		if (registered_far[i].number == number)
			return &registered_far[i];
	return NULL;
}

static inline bool is_hop_limit_request(const struct coap_option *o, bool request, bool second)
{
	return o->number == COAP_HOP_LIMIT && request && !second;
}

/* Hop-Limit has answers of its own in place of the rule for bad lengths (RFC 8768 3). */
static uint8_t view_hop_limit(struct coap_view *v, const struct coap_option *o)
{
	v->has_hop_limit = true;
	v->hop_limit = o->len > 1 ? HOP_LIMIT_TOO_LONG : coap_option_uint(o);
	if (!v->hop_limit || v->hop_limit > 255)
		return COAP_BAD_REQUEST;
	return v->hop_limit == 1 ? COAP_HOP_LIMIT_REACHED : 0;
}

/* The code that refuses this option, or 0. */
static inline uint8_t judge(const struct coap_option_info *info, const struct coap_option *o, bool request, bool faulty)
{
	uint8_t refuse = request ? COAP_BAD_OPTION : COAP_BAD_GATEWAY;

	if (!info)
		return coap_option_unsafe(o->number) ? refuse : 0;
	if (faulty)
		return coap_option_critical(o->number) ? refuse : 0;
	switch (request ? info->request : info->response) {
	case COAP_RULE_REFUSE:
		return refuse;
	case COAP_RULE_PROXY:
		return COAP_PROXYING_NOT_SUPPORTED;
	default:
		return 0;
	}
}

static void view_path(struct coap_view *v, const struct coap_option *o)
{
	if (v->paths < sizeof v->path / sizeof v->path[0])
		v->path[v->paths] = *o;
	if (v->paths < UINT8_MAX)
		v->paths++;
}

#define TAKE(v, name, o) ((v)->has_##name = true, (v)->name = coap_option_uint(o))

static inline void record(struct coap_view *v, const struct coap_option *o)
{
	switch (o->number) {
	case COAP_URI_HOST:
		v->uri_host = *o;
		break;
	case COAP_URI_PORT:
		TAKE(v, uri_port, o);
		break;
	case COAP_OBSERVE:
		TAKE(v, observe, o);
		break;
	case COAP_OSCORE:
		v->oscore = true;
		v->oscore_value = *o;
		break;
	case COAP_URI_PATH:
		view_path(v, o);
		break;
	case COAP_CONTENT_FORMAT:
		TAKE(v, content_format, o);
		break;
	case COAP_MAX_AGE:
		TAKE(v, max_age, o);
		break;
	case COAP_BLOCK2:
		TAKE(v, block2, o);
		break;
	case COAP_BLOCK1:
		TAKE(v, block1, o);
		break;
	case COAP_ECHO:
		v->has_echo = true;
		break;
	case COAP_NO_RESPONSE:
		v->has_no_response = true;
		v->no_response = (uint8_t)coap_option_uint(o);
		break;
	default:
		break;
	}
}

void coap_view(struct coap_view *v, const struct coap_msg *m, bool request)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	uint32_t last = UINT32_MAX;

	memset(v, 0, sizeof *v);
	for (; coap_option_next(&it, &o); last = o.number) {
		const struct coap_option_info *info = coap_option_lookup(o.number);
		bool second = o.number == last;
		bool faulty = info && coap_option_is_faulty(info, &o, second);
		uint8_t refuse;

		if (is_hop_limit_request(&o, request, second))
			refuse = view_hop_limit(v, &o);
		else
			refuse = judge(info, &o, request, faulty);
		if (refuse && !v->refuse) {
			v->refuse = refuse;
			v->refused_option = o.number;
		}
		if (info && !faulty)
			record(v, &o);
	}
}

/* ---- blocks and texts ---- */

int coap_block_fit(size_t room, size_t overhead)
{
	for (int szx = 6; szx >= 0; szx--)
		if (room >= overhead && room - overhead >= coap_block_size((unsigned)szx))
			return szx;
	return -EMSGSIZE;
}

const char *coap_code_text(char buf[5], uint8_t code)
{
	unsigned detail = code & 31;

	buf[0] = (char)('0' + coap_class(code));
	buf[1] = '.';
	buf[2] = (char)('0' + detail / 10);
	buf[3] = (char)('0' + detail % 10);
	buf[4] = '\0';
	return buf;
}

/* One octet of a segment as it stands in a URI: what would end the text or look like another segment is escaped. */
static void write_path_octet(struct writer *w, uint8_t c)
{
	static const char hex[] = "0123456789ABCDEF";
	const char escaped[3] = { '%', hex[c >> 4], hex[c & 15] };

	if (c <= ' ' || c == 0x7f || c == '/' || c == '%')
		write_bytes(w, escaped, sizeof escaped);
	else
		write_u8(w, c);
}

const char *coap_path_text(char *buf, size_t size, const struct coap_msg *m)
{
	static const char cut[] = "...";
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	struct writer w;

	if (size < sizeof cut) {
		if (size)
			buf[0] = '\0';
		return buf;
	}
	w = writer_of(buf, size - sizeof cut);
	while (coap_option_next(&it, &o) && o.number <= COAP_URI_PATH) {
		if (o.number != COAP_URI_PATH)
			continue;
		write_u8(&w, '/');
		for (unsigned i = 0; i < o.len; i++)
			write_path_octet(&w, o.value[i]);
	}
	if (!w.failed && w.p == w.start)
		write_u8(&w, '/');
	if (w.failed)
		memcpy(w.p, cut, sizeof cut);
	else
		*w.p = '\0';
	return buf;
}
