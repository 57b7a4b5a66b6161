/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_coap_datagram.c - parse, look, forward, parse again, compare
 *
 * Beyond memory safety it holds the codec to its promises: what was parsed is built again to the same octets; a
 * forwarded message parses, keeps its payload and all safe options in order and byte for byte (Hop-Limit, which counts
 * down, but for its value), and nothing is half-written when the room is too small.
 */
#include <errno.h>
#include <stdlib.h>

#include "coap/option.h"

#define ROOM 70000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void build_again(const struct coap_msg *m, const uint8_t *data, size_t size)
{
	static uint8_t out[ROOM];
	struct coap_options it = coap_options_of(m);
	struct coap_option o;
	struct coap_builder b;

	coap_build(&b, out, sizeof out, m->type, m->code, m->mid, m->token, m->token_len);
	while (coap_option_next(&it, &o))
		coap_build_option(&b, o.number, o.value, o.len);
	coap_build_payload(&b, m->payload, m->payload_len);
	must(coap_build_end(&b) == (long)size && !memcmp(out, data, size));
}

static bool next_safe(struct coap_options *it, struct coap_option *o)
{
	while (coap_option_next(it, o))
		if (!coap_option_unsafe(o->number))
			return true;
	return false;
}

static void compare(const struct coap_msg *a, const struct coap_msg *b)
{
	struct coap_options in = coap_options_of(a), out = coap_options_of(b);
	struct coap_option x, y;

	while (next_safe(&in, &x)) {
		must(next_safe(&out, &y) && x.number == y.number);
		must(x.number == COAP_HOP_LIMIT || (x.len == y.len && (!x.len || !memcmp(x.value, y.value, x.len))));
	}
	must(!next_safe(&out, &y));
	must(a->payload_len == b->payload_len && (!a->payload_len || !memcmp(a->payload, b->payload, a->payload_len)));
}

static long forward(uint8_t *out, size_t room, const struct coap_msg *m, const struct coap_crossing *c)
{
	struct coap_builder b;

	coap_build(&b, out, room, m->type, m->code, m->mid, m->token, m->token_len);
	coap_forward_options(&b, m, c);
	coap_build_payload(&b, m->payload, m->payload_len);
	return coap_build_end(&b);
}

static void cross(const struct coap_msg *m, bool request, unsigned bits)
{
	static const struct coap_text queries[] = { { "b=U", 3 }, { "ep=meter", 8 } };
	static uint8_t out[ROOM], small[ROOM];
	struct coap_crossing c = { .request = request,
				   .to_server = bits & 1,
				   .strip_uri_host = bits & 2,
				   .set_observe = bits & 4,
				   .observe = 70000,
				   .held_s = bits & 8 ? 30 : 0,
				   .queries = bits & 16 ? queries : NULL,
				   .queries_n = 2 };
	long len = forward(out, sizeof out, m, &c);
	struct coap_msg again;

	must(len > 0 && coap_parse(&again, out, (size_t)len) == 0);
	compare(m, &again);
	must(forward(small, (size_t)len - 1, m, &c) == -EMSGSIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct coap_view view;
	struct coap_msg m;
	char text[40];
	int err;

	if (size > UINT16_MAX)
		return 0;
	err = coap_parse(&m, data, size);
	must(err == 0 || err == -EBADMSG || err == -EPROTO || err == -ENOTSUP);
	must(m.token_len <= COAP_TOKEN_MAX);
	if (err)
		return 0;
	build_again(&m, data, size);
	if (m.code == COAP_EMPTY)
		return 0;
	coap_view(&view, &m, coap_is_request(m.code));
	coap_path_text(text, sizeof text, &m);
	for (unsigned bits = 0; !view.refuse && bits < 32; bits++)
		cross(&m, coap_is_request(m.code), bits);
	return 0;
}
