/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c - a fixed array of frames with a limit on their octets */
#include "plugin/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct post *post_new(const void *frame, size_t len)
{
	struct post *p = malloc(sizeof *p + len);

	if (!p)
		return NULL;
	p->refs = 1;
	p->len = len;
	memcpy(p->data, frame, len);
	return p;
}

void post_put(struct post *p)
{
	if (p && --p->refs == 0)
		free(p);
}

uint8_t post_kind(const struct post *p)
{
	return p->data[4];
}

static struct post **at(struct ring *r, size_t i)
{
	return &r->v[(r->first + i) % RING_MOST];
}

static struct post *pop(struct ring *r)
{
	struct post *p = *at(r, 0);

	r->first = (r->first + 1) % RING_MOST;
	r->n--;
	r->bytes -= p->len;
	return p;
}

/* The oldest that is not partly out; it moves to the front when another one is. */
static void drop_oldest(struct ring *r, ring_dropped_fn *fn, void *arg)
{
	struct post *p;

	if (r->sent) {
		p = *at(r, 0);
		*at(r, 0) = *at(r, 1);
		*at(r, 1) = p;
	}
	p = pop(r);
	fn(arg, p);
	post_put(p);
}

void ring_add(struct ring *r, struct post *p, ring_dropped_fn *fn, void *arg)
{
	const size_t kept = r->sent ? 1 : 0;

	while (r->n > kept && (r->n == RING_MOST || r->bytes + p->len > RING_BYTES_MOST))
		drop_oldest(r, fn, arg);
	p->refs++;
	*at(r, r->n++) = p;
	r->bytes += p->len;
}

int ring_add_urgent(struct ring *r, struct post *p)
{
	if (r->urgent_n == RING_URGENT_MOST) {
		post_put(p);
		return -EAGAIN;
	}
	r->urgent[r->urgent_n++] = p;
	return 0;
}

static void piece(struct iovec *iov, struct post *p, size_t from)
{
	*iov = (struct iovec){ p->data + from, p->len - from };
}

size_t ring_fill(const struct ring *r, struct iovec *iov, size_t most)
{
	size_t n = 0, from = 0;

	if (r->sent && n < most) { /* what has begun goes on first */
		piece(&iov[n++], r->v[r->first], r->sent);
		from = 1;
	}
	for (size_t i = 0; i < r->urgent_n && n < most; i++)
		piece(&iov[n++], r->urgent[i], i ? 0 : r->sent_urgent);
	for (size_t i = from; i < r->n && n < most; i++)
		piece(&iov[n++], r->v[(r->first + i) % RING_MOST], 0);
	return n;
}

static void wrote_urgent(struct ring *r, size_t *len)
{
	struct post *p = r->urgent[0];
	const size_t left = p->len - r->sent_urgent;

	if (*len < left) {
		r->sent_urgent += *len;
		*len = 0;
		return;
	}
	*len -= left;
	r->sent_urgent = 0;
	memmove(r->urgent, r->urgent + 1, --r->urgent_n * sizeof *r->urgent);
	post_put(p);
}

static void wrote_first(struct ring *r, size_t *len)
{
	const size_t left = (*at(r, 0))->len - r->sent;

	if (*len < left) {
		r->sent += *len;
		*len = 0;
		return;
	}
	*len -= left;
	r->sent = 0;
	post_put(pop(r));
}

void ring_wrote(struct ring *r, size_t len)
{
	if (r->sent && len)
		wrote_first(r, &len);
	while (len && r->urgent_n)
		wrote_urgent(r, &len);
	while (len && r->n)
		wrote_first(r, &len);
}

struct post *ring_take(struct ring *r)
{
	return r->n ? pop(r) : NULL;
}

void ring_rewind(struct ring *r)
{
	if (r->sent)
		post_put(pop(r));
	r->sent = 0;
	r->sent_urgent = 0;
	while (r->urgent_n)
		post_put(r->urgent[--r->urgent_n]);
}

void ring_filter(struct ring *r, uint32_t kinds)
{
	for (size_t left = r->n; left; left--) {
		struct post *p = pop(r);

		if (!(kinds >> post_kind(p) & 1)) {
			post_put(p);
			continue;
		}
		*at(r, r->n++) = p;
		r->bytes += p->len;
	}
}

void ring_clear(struct ring *r)
{
	ring_rewind(r);
	while (r->n)
		post_put(pop(r));
}
