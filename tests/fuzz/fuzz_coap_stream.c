/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_coap_stream.c - a stream that arrives octet by octet gives the same messages as one that arrives at once
 *
 * While a message is not whole the parser has to ask for more than it has, never for more than the message takes, and
 * what it reads has to be written again to the same octets. Each prefix is given in a block of its own size.
 */
#include <errno.h>
#include <stdlib.h>

#include "coap/option.h"

#define MOST 66000u
#define PREFIXES 24u /* of a message that are tried one by one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static long parse_alone(const uint8_t *data, size_t len, size_t *need)
{
	uint8_t *alone = malloc(len ? len : 1);
	struct coap_msg m;
	long r;

	if (!alone)
		abort();
	if (len)
		memcpy(alone, data, len);
	r = coap_parse_stream(&m, alone, len, MOST, need);
	free(alone);
	return r;
}

/* r: what the whole of it gave. */
static void arrive_slowly(const uint8_t *data, size_t len, long r)
{
	size_t need, whole = r > 0 ? (size_t)r : len;

	for (size_t there = 0; there < whole && there < PREFIXES; there++) {
		long now = parse_alone(data, there, &need);

		must(now == -EAGAIN || (now < 0 && now == r));
		must(now != -EAGAIN || (need > there && (r < 0 || need <= whole)));
	}
	if (whole > 0)
		must(r <= 0 || parse_alone(data, whole - 1, &need) == -EAGAIN);
	must(parse_alone(data, whole, &need) == r);
}

static void write_again(const struct coap_msg *m, const uint8_t *data, size_t len)
{
	static uint8_t out[MOST];

	must(coap_write_stream(out, len, m->code, m->token, m->token_len, m->options, m->options_len, m->payload,
			       m->payload_len) == (long)len);
	must(!memcmp(out, data, len));
	must(coap_write_stream(out, len - 1, m->code, m->token, m->token_len, m->options, m->options_len, m->payload,
			       m->payload_len) == -EMSGSIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0, need;
	struct coap_view view;
	struct coap_msg m;

	for (unsigned n = 0; at < size && n < 64; n++) {
		long r = coap_parse_stream(&m, data + at, size - at, MOST, &need);

		must(r > 0 || r == -EAGAIN || r == -EBADMSG || r == -EMSGSIZE);
		arrive_slowly(data + at, size - at, r);
		if (r <= 0)
			break;
		write_again(&m, data + at, (size_t)r);
		coap_view(&view, &m, coap_is_request(m.code));
		at += (size_t)r;
	}
	return 0;
}
