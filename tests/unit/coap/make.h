/* SPDX-License-Identifier: Apache-2.0 */
/* make.h - messages for tests, written as lists of options */
#ifndef NIDDGW_TESTS_MAKE_H
#define NIDDGW_TESTS_MAKE_H

#include "coap/codec.h"

struct opt {
	uint32_t number;
	const char *value;
	size_t len;
};
#define TEXT(number, text)                    \
	{                                     \
		number, text, sizeof text - 1 \
	}
#define BARE(number)          \
	{                     \
		number, "", 0 \
	}
#define OPTIONS(...) \
	((const struct opt[]){ __VA_ARGS__ }), (sizeof(const struct opt[]){ __VA_ARGS__ } / sizeof(struct opt))

struct made {
	struct coap_msg m; /* points into data */
	long len;
	uint8_t data[6000];
};

/* A CON message with these options and a payload of one octet. */
static inline void make(struct made *out, uint8_t code, const struct opt *opts, size_t n)
{
	struct coap_builder b;

	coap_build(&b, out->data, sizeof out->data, COAP_CON, code, 1, NULL, 0);
	for (size_t i = 0; i < n; i++)
		coap_build_option(&b, opts[i].number, opts[i].value, opts[i].len);
	coap_build_payload(&b, "x", 1);
	out->len = coap_build_end(&b);
	assert_true(out->len > 0);
	assert_int_equal(coap_parse(&out->m, out->data, (size_t)out->len), 0);
}

#endif
