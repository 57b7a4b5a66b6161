/* SPDX-License-Identifier: Apache-2.0 */
/* removal.c - a stored record and its device go: at once here and for the link, and in the store before it is said */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

struct removal {
	struct store_wait wait;
	struct timer timer; /* where nothing is stored */
	struct sessions *all;
	removal_fn *fn;
	void *arg;
};

static void removal_end(struct removal *r, int err)
{
	removal_fn *fn = r->fn;
	void *arg = r->arg;

	free(r);
	fn(arg, err);
}

static void on_removed(struct store_wait *w, int err)
{
	removal_end(container_of(w, struct removal, wait), err);
}

static void on_removed_without_store(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	removal_end(container_of(t, struct removal, timer), 0);
}

void removal_forget(struct removal *r)
{
	if (!r)
		return;
	if (r->all->env.store)
		store_forget(r->all->env.store, &r->wait);
	timer_cancel(r->all->env.timers, &r->timer);
	free(r);
}

/* The device at once, the record when the store comes to it. */
static void remove_now(struct sessions *s, const char *name, struct device *d)
{
	if (s->env.store)
		store_delete(s->env.store, STORE_DEVICE, name, strlen(name));
	overruled_drop(s, name);
	if (d && d->stored)
		device_remove(d, true);
	records_tell(s);
}

int sessions_remove_record(struct sessions *s, const char *name, struct removal **out, removal_fn *fn, void *arg)
{
	struct device *d = sessions_find(s, name);
	struct removal *r;

	if (!overruled_has(s, name) && (!d || !d->stored))
		return d ? -EPERM : -ENOENT;
	if (import_is_committed(s->import))
		return -EBUSY;
	r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	*r = (struct removal){ .wait.fn = on_removed, .all = s, .fn = fn, .arg = arg };
	remove_now(s, name, d);
	if (s->env.store)
		store_flush(s->env.store, &r->wait);
	else
		timer_set(s->env.timers, &r->timer, clock_now_ms(), on_removed_without_store);
	*out = r;
	return 0;
}
