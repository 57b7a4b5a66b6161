/* SPDX-License-Identifier: Apache-2.0 */
/* import_commit.c - many records at once: stored as one, then made devices of in passes of the loop */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "session/import_parts.h"

enum { PASS = 500 /* devices made in one pass of the loop */, LARGE = 10000 };

static void free_texts(struct import *im)
{
	for (size_t i = 0; i < im->n; i++)
		free((void *)(uintptr_t)im->records[i].data);
	free(im->records);
	im->records = NULL;
}

static void import_free(struct import *im)
{
	struct sessions *s = im->s;

	if (s->import == im)
		s->import = NULL;
	timer_cancel(s->env.timers, &im->timer);
	if (im->records)
		free_texts(im);
	map_fini(&im->names);
	map_fini(&im->ids);
	map_fini(&im->eps);
	for (size_t i = 0; i < im->n; i++)
		if (!staged_at(im, i)->placed)
			free(staged_at(im, i)->conf);
	for (size_t i = 0; i < im->blocks_size; i++)
		free(im->blocks[i]);
	free(im->blocks);
	if (im->n > LARGE)
		malloc_trim(0); /* much was needed for a moment only */
	free(im);
}

static void finish(struct import *im)
{
	struct sessions *s = im->s;

	im->phase = OVER;
	s->import = NULL;
	if (!im->err) {
		records_tell(s);
		log_ev(LOG_NOTICE, ROOM, "imported", LF_UINT("added", im->result.added),
		       LF_UINT("replaced", im->result.replaced), LF_UINT("overruled", im->result.overruled));
	}
	if (!im->closed)
		im->done(im->arg, im->err);
	else
		import_free(im);
}

/* Those that are there already give back what they no longer have, so that others of this import can take it. */
static void renew(struct import *im, struct staged *st)
{
	struct device *d = sessions_find(im->s, st->conf->head.name);

	if (!d || !d->stored)
		return;
	st->conf->head.at.line = 0;
	st->placed = true;
	(void)device_renew(d, st->conf, true);
}

static void place(struct import *im, struct staged *st)
{
	struct device *d;

	map_remove(&im->names, &st->name);
	map_remove(&im->ids, &st->id);
	if (st->conf->ep)
		map_remove(&im->eps, &st->ep);
	if (!st->placed) {
		st->conf->head.at.line = 0;
		st->placed = true;
		(void)record_place(im->s, st->conf);
		return;
	}
	d = sessions_find(im->s, st->conf->head.name); /* a new configuration may have overruled it since */
	if (d && d->stored)
		(void)device_settle(d);
}

static void on_pass(struct timer *t, uint64_t now_ms)
{
	struct import *im = container_of(t, struct import, timer);

	for (unsigned i = 0; i < PASS && im->at < im->n; i++, im->at++) {
		struct staged *st = staged_at(im, im->at);

		if (im->phase == RENEWING)
			renew(im, st);
		else if (im->phase == PLACING)
			place(im, st);
	}
	if (im->at == im->n && im->phase == RENEWING) {
		im->phase = PLACING;
		im->at = 0;
	} else if (im->at == im->n || im->phase == OVER) {
		finish(im);
		return;
	}
	timer_set(im->s->env.timers, t, now_ms + 1, on_pass); /* others have their turn */
}

/* Durable, or not at all. */
static void on_stored(struct store_wait *w, int err)
{
	struct import *im = container_of(w, struct import, wait);

	if (err) {
		im->err = -EIO;
		log_ev(LOG_ERROR, ROOM, "import.failed", LF_STR("reason", strerror(-err)));
		finish(im);
		return;
	}
	im->phase = RENEWING;
	timer_set(im->s->env.timers, &im->timer, clock_now_ms(), on_pass);
}

static void on_no_store(struct timer *t, uint64_t now_ms)
{
	struct import *im = container_of(t, struct import, timer);

	(void)now_ms;
	on_stored(&im->wait, 0);
}

int import_commit(struct import *im, void (*done)(void *arg, int err), void *arg)
{
	struct store *store = im->s->env.store;

	if (im->phase != CHECKED || im->checked < im->n || im->faults)
		return -EINVAL;
	if (im->stale)
		return -ESTALE;
	im->phase = STORING;
	im->done = done;
	im->arg = arg;
	im->wait.fn = on_stored;
	if (store && im->n)
		store_put_all(store, STORE_DEVICE, im->records, im->n, &im->wait);
	else
		timer_set(im->s->env.timers, &im->timer, clock_now_ms(), on_no_store);
	return 0;
}

bool import_is_committed(const struct import *im)
{
	return im && (im->phase == STORING || im->phase == RENEWING || im->phase == PLACING);
}

void import_close(struct import *im)
{
	if (!im)
		return;
	if (import_is_committed(im))
		im->closed = true;
	else
		import_free(im);
}

void import_end(struct import *im)
{
	if (!im)
		return;
	if (im->phase == STORING && im->s->env.store)
		store_forget(im->s->env.store, &im->wait);
	import_free(im);
}
