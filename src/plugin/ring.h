/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - frames that wait for one plug-in, the oldest of which is dropped when there is no room
 *
 * A frame is encoded once for all instances and counted by reference. One that is partly written is never dropped.
 */
#ifndef NIDDGW_PLUGIN_RING_H
#define NIDDGW_PLUGIN_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { RING_MOST = 1024, RING_BYTES_MOST = 4 << 20, RING_URGENT_MOST = 4 };

struct post {
	unsigned refs;
	size_t len;
	uint8_t data[]; /* a whole frame */
};
struct post *post_new(const void *frame, size_t len); /* with one reference; NULL: no memory */
void post_put(struct post *p);                        /* gives a reference back; NULL is fine */
uint8_t post_kind(const struct post *p);

struct ring {
	struct post *v[RING_MOST];
	size_t first, n, bytes;
	struct post *urgent[RING_URGENT_MOST]; /* before all others, never dropped, not counted as waiting */
	size_t urgent_n;
	size_t sent;        /* octets of the frame at hand that are out */
	size_t sent_urgent; /* the same of urgent[0]; one of both is 0 */
};

/* Takes a reference of its own. Drops the oldest until there is room: fn is told of each. */
typedef void ring_dropped_fn(void *arg, const struct post *p);
void ring_add(struct ring *r, struct post *p, ring_dropped_fn *fn, void *arg);
int ring_add_urgent(struct ring *r, struct post *p); /* takes p; -EAGAIN: there are too many (p is put back) */
size_t ring_fill(const struct ring *r, struct iovec *iov, size_t most); /* what to write next, in pieces; how many */
void ring_wrote(struct ring *r, size_t len);                            /* that many octets of it are out */
struct post *ring_take(struct ring *r); /* the oldest with its reference, for who needs no octets; NULL: empty */
void ring_rewind(struct ring *r);       /* whoever got the first part of a frame is gone: the frame is dropped, urgent ones too */
void ring_filter(struct ring *r, uint32_t kinds); /* only those of these kinds (bit k) stay; nothing of any is out yet */
void ring_clear(struct ring *r);

#endif
