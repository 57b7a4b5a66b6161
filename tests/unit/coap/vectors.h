/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h - valid messages as octets, and memory that ends where a page may not be touched
 *
 * The first rows are the CoAP vectors of the project's reference, each under its name there; the rest adds what they lack:
 * empty messages, long and far options, OSCORE, responses. Used by the unit tests of coap/ and lwm2m/.
 */
#ifndef NIDDGW_TESTS_VECTORS_H
#define NIDDGW_TESTS_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct vector {
	const char *name, *hex;
};

static const struct vector vectors[] = {
	{ "register CON POST /rd",
	  "42020001a1a2b272641128396c776d326d3d312e310b65703d6d657465722d313703623d4e0151086c743d3836343030"
	  "ff3c2f3e3b72743d226f6d612e6c776d326d223b63743d3131322c3c2f312f303e2c3c2f332f303e2c3c2f333330332f"
	  "303e" },
	{ "register ack 2.01 Location rd/5a3f",
	  "62410001a1a28272640435613366" },
	{ "update CON POST /rd/5a3f",
	  "42020002a1a2b272640435613366" },
	{ "read CON GET /3/0 Accept 112",
	  "4101100111b13301306170" },
	{ "observe CON GET /3303/0/5700",
	  "4101100212605433333033013004353730306170" },
	{ "execute CON POST /1/0/8",
	  "4102100313b13101300138" },
	{ "execute with transport arg, payload form 0='U'",
	  "4102100414b13101300138ff303d275527" },
	{ "execute with transport arg, query form ?0=U",
	  "4102100515b1310130013843303d55" },
	{ "send CON POST /dp CF112",
	  "41020003b1b264701170ff82a321682f333330332f302f00643537303002f94d60a2006435373031036343656c" },
	{ "notify NON 2.05 obs 7 SenML",
	  "514500041261076170ff81a2216c2f333330332f302f3537303002f94d60" },
	{ "composite read FETCH / CF112",
	  "4105100616c1705170ff82a100662f332f302f39a100662f342f302f32" },
	{ "register routed by Uri-Host srv-a",
	  "42020005a1a2357372762d618272641128396c776d326d3d312e310b65703d6d657465722d313703623d4e086c743d38"
	  "36343030ff3c2f312f303e2c3c2f332f303e" },
	{ "fw block1 64B blk 0 more",
	  "4103100717b13501300130112ad1020affababababababababababababababababababababababababababababababab"
	  "ababababababababababababababababababababababababababababababababab" },
	{ "ping CON empty",
	  "40007001" },
	{ "empty ACK",
	  "60007002" },
	{ "RST",
	  "70007003" },
	{ "de-register DELETE /rd/5a3f",
	  "41040010b9b272640435613366" },
	{ "bootstrap request POST /bs?ep",
	  "41020011bab262734a65703d6d657465722d37" },
	{ "bootstrap pack GET /bspack?ep",
	  "41010012bbb662737061636b4a65703d6d657465722d372170" },
	{ "update with lifetime and binding",
	  "41020013bcb272640435613366466c743d36303003623d55" },
	{ "token of 8 octets, no options",
	  "480100140102030405060708" },
	{ "observe cancel GET Observe 1",
	  "41011010b26101543333303301300435373030" },
	{ "separate 2.05 CON with Max-Age",
	  "41451011b342010280213cff32312e35" },
	{ "4.29 with Max-Age 30",
	  "619d1012b4d1011e" },
	{ "5.03 with text",
	  "51a31013b5d1013cff61736c656570" },
	{ "OSCORE request, kid meter",
	  "41022001c19709056d65746572ff808182838485868788898a8b8c8d8e8f9091929394" },
	{ "OSCORE response, empty option",
	  "61442001c190ff404142434445464748494a4b4c4d4e4f" },
	{ "OSCORE observe FETCH",
	  "41052002c2357372762d61303709066d65746572ff111111111111111111111111" },
	{ "OSCORE with EDHOC",
	  "41022003c39309006dc0ff2222222222222222222222222222222222222222" },
	{ "long option: Uri-Path of 255 octets",
	  "41033001d1bdf27070707070707070707070707070707070707070707070707070707070707070707070707070707070"
	  "707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070"
	  "707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070"
	  "707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070"
	  "707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070"
	  "70707070707070707070707070707070707070707070ff78" },
	{ "far option: 65000 of 300 octets",
	  "51023002d2b26470eefcd0001f7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a"
	  "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a"
	  "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a"
	  "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a"
	  "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a"
	  "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a"
	  "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7aff79" },
	{ "GET /.well-known/core",
	  "41013003d3bb2e77656c6c2d6b6e6f776e04636f7265" },
	{ "iPATCH with No-Response and Request-Tag",
	  "41073004d4c170d1e902d11507ff80" },
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

#define OCTETS_MAX 2048
struct octets {
	size_t len;
	uint8_t data[OCTETS_MAX];
};

static inline struct octets octets_of_hex(const char *hex)
{
	struct octets o = { .len = strlen(hex) / 2 };

	for (size_t i = 0; i < o.len; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		o.data[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return o;
}

static inline struct octets octets_of_vector(const char *name)
{
	for (size_t i = 0; i < VECTORS; i++)
		if (!strcmp(vectors[i].name, name))
			return octets_of_hex(vectors[i].hex);
	fprintf(stderr, "no vector is called \"%s\"\n", name);
	abort();
}

/* Some pages with one behind them that faults: a read or write one octet too far ends the test. */
struct guarded {
	uint8_t *base, *end;
	size_t mapped;
};

static inline struct guarded guarded_open(size_t at_least)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), use = (at_least + page - 1) / page * page;
	struct guarded g = { .mapped = use + page };

	g.base = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.base == MAP_FAILED || mprotect(g.base + use, page, PROT_NONE))
		abort();
	g.end = g.base + use;
	return g;
}

/* The octets so that they end at the guard. */
static inline const uint8_t *guarded_put(const struct guarded *g, const void *data, size_t len)
{
	if (len)
		memcpy(g->end - len, data, len);
	return g->end - len;
}

static inline void guarded_close(struct guarded *g)
{
	munmap(g->base, g->mapped);
}

#endif
