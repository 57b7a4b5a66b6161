/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - what the fuzz targets of the decoders share
 *
 * The first octet of an input says what was asked for (which path, an alternate path, a registry or none, a fetch list); the rest
 * is the payload. Whatever it is, a report is sound or refused with one of the words that are published.
 */
#ifndef NIDDGW_FUZZ_DECODE_H
#define NIDDGW_FUZZ_DECODE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lwm2m/decode.h"
#include "lwm2m/registry.h"
#include "unit/lwm2m/reported.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_be_utf8(const struct lwm2m_text *t)
{
	for (size_t i = 0, n; i < t->len; i += n) {
		n = text_utf8((const uint8_t *)t->p + i, t->len - i);
		must(n);
	}
}

struct seen {
	const struct lwm2m_decode_in *in;
	bool called;
	size_t n;
	uint64_t sum; /* of every octet that was handed over, so that all of it is read */
};

static void take_text(struct seen *s, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->sum = s->sum * 31 + (uint8_t)p[i];
}

static void check_value(struct seen *s, const struct lwm2m_value *v)
{
	must(v->path.depth <= 4 && (v->path.depth >= 3 || s->in->fetch));
	must((unsigned)v->kind < LWM2M_VALUE_COUNT);
	must(!v->timed || (v->time_us >= 0 && v->time_us <= LWM2M_TIME_MOST_US));
	must(v->kind != LWM2M_VALUE_TIME || v->time.us < 1000000);
	must(v->kind != LWM2M_VALUE_UNSIGNED || v->natural > INT64_MAX || s->in->registry);
	must_be_utf8(&v->unit);
	take_text(s, v->prefix.p, v->prefix.len);
	if (v->kind == LWM2M_VALUE_STRING || v->kind == LWM2M_VALUE_CORELNK) {
		must_be_utf8(&v->text);
		take_text(s, v->text.p, v->text.len);
	} else if (v->kind == LWM2M_VALUE_OPAQUE) {
		take_text(s, (const char *)v->opaque.p, v->opaque.len);
	}
	for (unsigned i = 0; i < 4; i++)
		s->sum = s->sum * 31 + v->path.id[i];
}

static void on_seen(void *arg, const struct lwm2m_value *v, size_t n)
{
	struct seen *s = arg;

	must(!s->called && n <= LWM2M_DECODE_VALUES_MAX);
	s->called = true;
	s->n = n;
	for (size_t i = 0; i < n; i++)
		check_value(s, &v[i]);
}

static bool is_reason(const char *word)
{
	static const char *const words[] = { "truncated", "depth", "bad_utf8", "type", "format" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* One decoding; true when the report was taken. */
static bool decode_once(const struct lwm2m_decode_in *in, struct seen *s)
{
	const char *reason = NULL;
	int err;

	*s = (struct seen){ .in = in };
	err = lwm2m_decode(in, on_seen, s, &reason);
	must(err == 0 || err == -EBADMSG || err == -ENOMEM);
	must(s->called == !err && (err ? reason && is_reason(reason) : !reason));
	return !err;
}

static bool decode_fuzzed(unsigned format, const uint8_t *data, size_t size)
{
	static const char *const paths[] = { NULL, "/", "/3", "/3/0", "/3/0/9", "/3/0/6/1", "/33001/0", "/33001/0/5" };
	static struct lwm2m_registry *registry;
	struct lwm2m_decode_in in = { .format = format, .arrival_us = ARRIVAL_US, .prefixes = true };
	struct lwm2m_path path;
	struct seen once, again;
	bool taken;

	if (!registry)
		registry = test_registry();
	if (!size)
		return false;
	in.payload = data + 1;
	in.len = size - 1;
	if (paths[data[0] & 7]) {
		must(!lwm2m_path_parse(&path, NULL, paths[data[0] & 7], strlen(paths[data[0] & 7]), NULL));
		in.path = &path;
	}
	in.registry = data[0] & 8 ? NULL : registry;
	in.base = data[0] & 16 ? (struct lwm2m_text){ "/lwm2m", 6 } : (struct lwm2m_text){ 0 };
	in.fetch = data[0] & 32;
	taken = decode_once(&in, &once);
	must(decode_once(&in, &again) == taken && once.n == again.n && once.sum == again.sum);
	return taken;
}

#endif
