/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_csv.c - files for device import: what is read stays in its bounds, comes in order, and means the same however it
 * is cut
 *
 * The first octet says how many octets are given at once, and whether the rest is CSV or lines.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/text.h"
#include "ctl/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
	const uint8_t *data;
	size_t len, at, step;
};

static long give(void *arg, char *buf, size_t size)
{
	struct source *s = arg;
	size_t n = s->len - s->at;

	if (n > s->step)
		n = s->step;
	if (n > size)
		abort();
	memcpy(buf, s->data + s->at, n);
	s->at += n;
	return (long)n;
}

static void check_text(const char *text)
{
	for (size_t left = strlen(text), n; left; left -= n, text += n) {
		n = text_utf8((const uint8_t *)text, left);
		if (!n)
			abort();
	}
}

static uint64_t mix(uint64_t h, const char *text)
{
	return (h ^ map_hash(text, strlen(text))) * 31;
}

/* A number that stands for all that was read. */
static uint64_t read_all(struct csv *c, const uint8_t *data, size_t len, size_t step, bool lines)
{
	struct source s = { data, len, 0, step };
	uint64_t h = 0;
	unsigned line = 0;
	int n;

	csv_init(c, give, &s);
	while ((n = lines ? csv_next_line(c) : csv_next(c))) {
		if (c->at_line <= line)
			abort();
		line = c->at_line;
		if (n < 0 && (n != -EBADMSG || !c->fault))
			abort();
		h = h * 31 + line;
		if (n < 0) {
			h = mix(h, c->fault);
			continue;
		}
		if (lines) {
			if (c->len > CSV_RECORD_MOST || strlen(c->text) != c->len)
				abort();
			check_text(c->text);
			h = mix(h, c->text);
		}
		for (size_t i = 0; !lines && i < c->fields; i++) {
			if (c->field[i] < c->text || c->field[i] > c->text + CSV_RECORD_MOST)
				abort();
			check_text(c->field[i]);
			h = mix(h, c->field[i]);
		}
	}
	if (s.at != len || c->failed)
		abort();
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct csv c;
	bool lines;

	if (!size)
		return 0;
	lines = data[0] & 0x80;
	if (read_all(&c, data + 1, size - 1, (data[0] & 0x7f) + 1, lines) !=
	    read_all(&c, data + 1, size - 1, 65536, lines))
		abort();
	return 0;
}
