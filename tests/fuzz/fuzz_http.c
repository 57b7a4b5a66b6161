/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http.c - the request parser: any octets, at several splits, always the same answer within the limits
 *
 * The first octet chooses the piece size, so that the fuzzer looks for splits too. What is held against each other is
 * the run in one piece and the run in small pieces: events, bodies and status must be equal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h1_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = { .header_bytes = 2048, .header_lines = 16, .body_bytes = 1024 };

struct trace {
	unsigned heads, dones;
	int status;
	uint64_t sum; /* over all that a handler could see */
};

static void add(struct trace *t, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		t->sum = (t->sum ^ b[i]) * 0x100000001b3u;
}

static void demand(int truth)
{
	if (!truth)
		abort();
}

static void on_head(struct trace *t, const struct h1 *p)
{
	t->heads++;
	demand(p->lines_n <= limits.header_lines && p->head_len <= limits.header_bytes);
	demand(p->content_length == SIZE_MAX || p->content_length <= limits.body_bytes);
	add(t, h1_target(p), strlen(h1_target(p)));
	for (unsigned i = 0; i < p->lines_n; i++) {
		const char *name = p->head + p->lines[i].name, *value = p->head + p->lines[i].value;

		demand(h1_header(p, name, NULL) != NULL);
		demand(!strpbrk(value, "\r\n"));
		add(t, name, strlen(name));
		add(t, value, strlen(value));
	}
}

static struct trace run(const uint8_t *data, size_t size, size_t piece)
{
	struct trace t = { 0 };
	struct h1 p;
	size_t at = 0, used = 0;

	demand(!h1_init(&p, &limits));
	for (;;) {
		size_t n = size - at < piece ? size - at : piece;
		enum h1_event ev = h1_feed(&p, data + at, n, &used);

		demand(used <= n);
		at += used;
		if (ev == H1_HEAD) {
			on_head(&t, &p);
		} else if (ev == H1_DONE) {
			t.dones++;
			demand(p.body_len <= limits.body_bytes);
			demand(p.content_length == SIZE_MAX || p.body_len == p.content_length);
			add(&t, p.body, p.body_len);
			h1_next(&p);
		} else if (ev == H1_ERROR) {
			t.status = p.status;
			demand(p.status >= 400 && p.status < 600 && p.why);
			break;
		} else {
			demand(used == n);
			if (at == size)
				break;
		}
	}
	h1_fini(&p);
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace one, many;

	if (!size)
		return 0;
	one = run(data + 1, size - 1, size);
	many = run(data + 1, size - 1, 1 + data[0] % 32);
	demand(one.heads == many.heads && one.dones == many.dones && one.status == many.status && one.sum == many.sum);
	return 0;
}
