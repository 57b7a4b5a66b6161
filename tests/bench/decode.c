/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - what decoding a report of ten values costs on one core
 *
 * The reports are those of the design's prototype (cborb): one pack of SenML CBOR with base name and base time, and ten
 * resources in TLV. Types and the unit of each value are looked up as the mirror does. Prints one JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lwm2m/decode.h"
#include "lwm2m/registry.h"
#include "lwm2m/unit.h"

enum { VALUES = 10, ROUNDS = 100000, RUNS = 5 };

struct report {
	uint8_t data[512];
	size_t len;
};

static void put(struct report *r, const void *p, size_t n)
{
	memcpy(r->data + r->len, p, n);
	r->len += n;
}

static void put_u8(struct report *r, unsigned octet)
{
	r->data[r->len++] = (uint8_t)octet;
}

static void put_text(struct report *r, const char *text)
{
	put_u8(r, 0x60 + (unsigned)strlen(text));
	put(r, text, strlen(text));
}

static struct report senml_cbor(void)
{
	struct report r = { .len = 0 };
	char name[8];

	put_u8(&r, 0x80 + VALUES);
	for (unsigned i = 0; i < VALUES; i++) {
		put_u8(&r, i ? 0xa2 : 0xa4);
		if (!i) {
			put_u8(&r, 0x21);
			put_text(&r, "/3303/0/");
			put(&r, "\x22\x1a\x65\x53\xf1\x00", 6);
		}
		snprintf(name, sizeof name, "57%02u", i);
		put_u8(&r, 0);
		put_text(&r, name);
		if (i == 7) {
			put_u8(&r, 3);
			put_text(&r, "Cel");
		} else if (i & 1) {
			put(&r, "\x02\x19\x12", 3);
			put_u8(&r, i);
		} else {
			put(&r, "\x02\xfa\x41\xb8\x00\x00", 6);
		}
	}
	return r;
}

/* Resources that are floats in the registry too: a TLV does not say what it is. */
static struct report tlv(void)
{
	static const unsigned ids[] = { 5700, 5601, 5602, 5603, 5604 };
	struct report r = { .len = 0 };

	for (unsigned i = 0; i < VALUES; i++) {
		put_u8(&r, 0xe4);
		put_u8(&r, ids[i % 5] >> 8);
		put_u8(&r, ids[i % 5] & 255);
		put(&r, "\x41\xb8\x00\x00", 4);
	}
	return r;
}

struct sink {
	const struct lwm2m_registry *registry;
	size_t values, named;
};

static void on_values(void *arg, const struct lwm2m_value *v, size_t n)
{
	struct sink *s = arg;

	for (size_t i = 0; i < n; i++) {
		struct lwm2m_unit_sources sources = { .report = v, .n = n };
		struct lwm2m_resource_def res;

		if (lwm2m_registry_resource(s->registry, v[i].path.id[0], 0, v[i].path.id[2], &res))
			sources.registry = res.units;
		s->named += lwm2m_unit_of(&v[i], &sources).len;
	}
	s->values += n;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median of the runs, nanoseconds per report. */
static double cost(const struct lwm2m_registry *registry, unsigned format, const struct report *r)
{
	const struct lwm2m_path path = { .id = { 3303, 0 }, .depth = 2 };
	const struct lwm2m_decode_in in = { .format = format,
					    .payload = r->data,
					    .len = r->len,
					    .path = &path,
					    .arrival_us = 1767225600000000,
					    .registry = registry };
	double runs[RUNS];

	for (int k = 0; k < RUNS; k++) {
		struct sink s = { .registry = registry };
		const double from = now_s();

		for (int i = 0; i < ROUNDS; i++)
			if (lwm2m_decode(&in, on_values, &s, NULL))
				exit(1);
		runs[k] = (now_s() - from) / ROUNDS * 1e9;
		if (s.values != (size_t)ROUNDS * VALUES)
			exit(1);
	}
	qsort(runs, RUNS, sizeof runs[0], by_value);
	return runs[RUNS / 2];
}

int main(int argc, char **argv)
{
	const struct report cbor = senml_cbor(), octets = tlv();
	struct lwm2m_registry *registry;

	if (argc != 2 || lwm2m_registry_new(&registry) || lwm2m_registry_read(registry, argv[1])) {
		fputs("usage: decode OBJECTS.TBL\n", stderr);
		return 2;
	}
	printf("{\"senml_cbor_ns\": %.0f, \"tlv_ns\": %.0f}\n", cost(registry, LWM2M_CF_SENML_CBOR, &cbor),
	       cost(registry, LWM2M_CF_TLV, &octets));
	lwm2m_registry_free(registry);
	return 0;
}
