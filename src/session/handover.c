/* SPDX-License-Identifier: Apache-2.0 */
/* handover.c - answers to devices that nobody repeats, until their link has given them away
 *
 * An ACK with its answer, or a NON, can wait for the budget of its device, for the network, for the answer to an HTTP
 * request. Its exchange stays known and its entry in the journal open for that long, with the answer in it, so that a
 * start after a kill sends it again. A link that gives away what it takes costs nothing here: no record, no event.
 */
#include "session/internal.h"

static struct exchange *find(const struct device *d, uint32_t id)
{
	struct exchange *x = id ? d->up : NULL;

	while (x && x->unit_id != id)
		x = x->next;
	return x;
}

uint64_t handover_key(const struct device *d, uint32_t id)
{
	const struct exchange *x = find(d, id);

	return x ? x->kept.id : 0;
}

bool handover_begin(struct exchange *x, const uint8_t *data, size_t len, bool on_disk)
{
	struct device *d = x->dev;

	x->unit_id = device_unit_id(d);
	x->sending = true;
	device_send_named(d, x->assoc->rds, x->unit_id, data, len);
	x->sending = false;
	if (!x->unit_id)
		return false;
	if (!on_disk)
		keep_answer(x, data, len);
	return true;
}

/* One that ended in an error goes on being remembered, so that a late answer is recognised. */
static void over(struct exchange *x)
{
	if (x->sending) {
		x->unit_id = 0; /* whoever sends it looks */
		return;
	}
	exchange_entry_over(x);
	if (!x->fail && x->over)
		exchange_end_soon(x);
}

void handover_told(struct device *d, uint32_t id)
{
	struct exchange *x = find(d, id);

	if (x)
		over(x);
}

void handover_end(struct device *d)
{
	for (struct exchange *x = d->up; x; x = x->next)
		if (x->unit_id)
			over(x);
}
