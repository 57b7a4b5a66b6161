/* SPDX-License-Identifier: Apache-2.0 */
/* fresh.c - the first units of a device that a rule has just made
 *
 * What is accepted from it may come back from the journal after a kill, and must find its device then. So its first
 * units wait, unread, until the record is on disk: some milliseconds, in which nobody has been told anything.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define HELD_MAX 8 /* units of one device */

struct held {
	struct held *next;
	struct link_up *up;
	size_t len;
	uint8_t data[];
};

struct fresh {
	struct fresh *next;
	struct device *dev;
	struct store_wait wait;
	struct held *first, **end;
	unsigned n;
};

static struct fresh **fresh_of(struct device *d)
{
	struct fresh **at = &d->all->fresh;

	while ((*at)->dev != d)
		at = &(*at)->next;
	return at;
}

static struct held *next_held(struct fresh *f)
{
	struct held *h = f->first;

	if (h)
		f->first = h->next;
	return h;
}

static void give_back(struct device *d, struct link_up *up)
{
	if (d->at) /* else it was withdrawn meanwhile */
		link_count(device_link(d), LINK_RES_DROPPED);
	link_verdict(up, LINK_OVERLOAD);
}

/* Nobody was told anything: they come again. */
static void give_all_back(struct fresh *f)
{
	struct held *h;

	while ((h = next_held(f))) {
		give_back(f->dev, h->up);
		free(h);
	}
}

static struct fresh *take_out(struct device *d)
{
	struct fresh **at = fresh_of(d), *f = *at;

	*at = f->next;
	d->fresh = false;
	return f;
}

static void on_durable(struct store_wait *w, int err)
{
	struct fresh *f = take_out(container_of(w, struct fresh, wait)->dev);
	struct device *d = f->dev;
	struct held *h;

	while (!err && d->at && (h = next_held(f))) {
		session_uplink(d->all, h->up, d, h->data, h->len);
		free(h);
	}
	give_all_back(f);
	free(f);
	if (!err)
		return;
	log_ev(LOG_ERROR, ROOM, "provision.failed", LF_STR("dev", device_name(d)), LF_STR("reason", strerror(-err)));
	device_remove(d, true);
}

void fresh_begin(struct device *d)
{
	struct fresh *f = calloc(1, sizeof *f);

	if (!f)
		return; /* it works all the same, as one whose link keeps no journal */
	*f = (struct fresh){ .next = d->all->fresh, .dev = d, .wait.fn = on_durable, .end = &f->first };
	d->all->fresh = f;
	d->fresh = true;
	store_flush(d->all->env.store, &f->wait);
}

void fresh_hold(struct device *d, struct link_up *up, const uint8_t *data, size_t len)
{
	struct fresh *f = *fresh_of(d);
	struct held *h = f->n < HELD_MAX ? malloc(sizeof *h + len) : NULL;

	if (!h) {
		give_back(d, up);
		return;
	}
	*h = (struct held){ .up = up, .len = len };
	memcpy(h->data, data, len);
	*f->end = h;
	f->end = &h->next;
	f->n++;
}

void fresh_end(struct device *d)
{
	struct fresh *f;

	if (!d->fresh)
		return;
	f = take_out(d);
	store_forget(d->all->env.store, &f->wait);
	give_all_back(f);
	free(f);
}
