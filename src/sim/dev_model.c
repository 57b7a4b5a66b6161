/* SPDX-License-Identifier: Apache-2.0 */
/* dev_model.c - the objects of a simulated device: 1 (server), 3 (device), 3303 (temperature)
 *
 * Values are computed from the device's number until somebody writes or sets one: ten thousand devices then cost no
 * memory for what nobody touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "sim/dev.h"

#define R DEV_READ
#define W DEV_WRITE
#define X DEV_EXECUTE
#define M DEV_MULTIPLE
const struct dev_resource dev_resources[] = {
	{ 1, 0, DEV_INT, R },
	{ 1, 1, DEV_INT, R | W },
	{ 1, 2, DEV_INT, R | W },
	{ 1, 3, DEV_INT, R | W },
	{ 1, 6, DEV_BOOL, R | W },
	{ 1, 7, DEV_STRING, R | W },
	{ 1, 8, DEV_STRING, X },
	{ 1, 22, DEV_STRING, R | W },
	{ 3, 0, DEV_STRING, R },
	{ 3, 1, DEV_STRING, R },
	{ 3, 2, DEV_STRING, R },
	{ 3, 3, DEV_STRING, R },
	{ 3, 4, DEV_STRING, X },
	{ 3, 5, DEV_STRING, X },
	{ 3, 6, DEV_INT, R | M },
	{ 3, 7, DEV_INT, R | M },
	{ 3, 9, DEV_INT, R },
	{ 3, 10, DEV_INT, R },
	{ 3, 11, DEV_INT, R | M },
	{ 3, 13, DEV_TIME, R | W },
	{ 3, 14, DEV_STRING, R | W },
	{ 3, 15, DEV_STRING, R | W },
	{ 3, 16, DEV_STRING, R },
	{ 3303, 5601, DEV_FLOAT, R },
	{ 3303, 5602, DEV_FLOAT, R },
	{ 3303, 5605, DEV_STRING, X },
	{ 3303, 5700, DEV_FLOAT, R },
	{ 3303, 5701, DEV_STRING, R },
	{ 3303, 5750, DEV_STRING, R | W },
	{ 0, 0, 0, 0 },
};
#undef R
#undef W
#undef X
#undef M

const struct dev_resource *dev_resource(int object, int resource)
{
	for (const struct dev_resource *r = dev_resources; r->object; r++) {
		if (r->object == object && r->resource == resource)
			return r;
	}
	return NULL;
}

int dev_path_parse(struct dev_path *p, const char *text)
{
	int *parts[] = { &p->object, &p->instance, &p->resource, &p->sub };

	for (size_t i = 0; i < 4; i++)
		*parts[i] = DEV_ANY;
	for (size_t i = 0; *text == '/' && text[1]; i++) {
		char *end = NULL;
		long n = strtol(text + 1, &end, 10);

		if (i == 4 || end == text + 1 || n < 0 || n > 65534)
			return -EBADMSG;
		*parts[i] = (int)n;
		text = end;
	}
	return *text && strcmp(text, "/") ? -EBADMSG : 0;
}

const char *dev_path_text(const struct dev_path *p, char buf[32])
{
	const int parts[] = { p->object, p->instance, p->resource, p->sub };
	size_t at = 0;

	for (size_t i = 0; i < 4 && parts[i] != DEV_ANY; i++)
		at += (size_t)snprintf(buf + at, 32 - at, "/%d", parts[i]);
	if (!at)
		strcpy(buf, "/");
	return buf;
}

static bool same(const struct dev_path *a, const struct dev_path *b)
{
	return a->object == b->object && a->instance == b->instance && a->resource == b->resource && a->sub == b->sub;
}

static struct dev_stored *find(struct dev *d, const struct dev_path *p)
{
	for (struct dev_stored *x = d->stored; x; x = x->next) {
		if (same(&x->path, p))
			return x;
	}
	return NULL;
}

bool dev_instance_exists(const struct dev *d, int object, int instance)
{
	if (object == 3303)
		return instance >= 0 && instance < 32 && d->instances >> instance & 1;
	return (object == 1 || object == 3) && instance == 0;
}

int dev_subs(const struct dev *d, int object, int resource)
{
	(void)d;
	return object == 3 && resource == 11 ? 1 : 2;
}

/* ---- computed values ---- */

static void text_value(struct dev_value *v, const char *text)
{
	v->p = text;
	v->len = strlen(text);
}

static bool of_server(struct dev *d, int resource, struct dev_value *v)
{
	switch (resource) {
	case 0:
		v->i = 101;
		return true;
	case 1:
		v->i = (int64_t)d->all->opts.lifetime_s;
		return true;
	case 2:
		v->i = 1;
		return true;
	case 3:
		v->i = 60;
		return true;
	case 6:
		v->i = 1;
		return true;
	case 7:
	case 22:
		text_value(v, d->all->opts.binding);
		return true;
	}
	return false;
}

static bool of_device(struct dev *d, const struct dev_path *p, struct dev_value *v, char *room)
{
	static const int64_t volts[] = { 3600, 0 }, sources[] = { 1, 5 };

	switch (p->resource) {
	case 0:
		text_value(v, "niddgw");
		return true;
	case 1:
		text_value(v, "simulated device");
		return true;
	case 2:
		snprintf(room, 64, "SN-%06u", d->index);
		text_value(v, room);
		return true;
	case 3:
		text_value(v, NIDDGW_VERSION);
		return true;
	case 6:
		v->i = sources[p->sub & 1];
		return p->sub >= 0 && p->sub < 2;
	case 7:
		v->i = volts[p->sub & 1];
		return p->sub >= 0 && p->sub < 2;
	case 9:
		v->i = 100 - d->index % 50;
		return true;
	case 10:
		v->i = 128;
		return true;
	case 11:
		v->i = 0;
		return p->sub == 0;
	case 13:
		v->i = (int64_t)(clock_wall_ms() / 1000);
		return true;
	case 14:
		text_value(v, "+00:00");
		return true;
	case 15:
		text_value(v, "UTC");
		return true;
	case 16:
		text_value(v, d->all->opts.binding);
		return true;
	}
	return false;
}

static bool of_sensor(struct dev *d, const struct dev_path *p, struct dev_value *v)
{
	switch (p->resource) {
	case 5601:
		v->f = d->celsius - 1 + p->instance;
		return true;
	case 5602:
		v->f = d->celsius + 1 + p->instance;
		return true;
	case 5700:
		v->f = d->celsius + p->instance;
		return true;
	case 5701:
		text_value(v, "Cel");
		return true;
	case 5750:
		text_value(v, "simulated");
		return true;
	}
	return false;
}

bool dev_get(struct dev *d, const struct dev_path *p, struct dev_value *v, char *room)
{
	const struct dev_resource *r = dev_resource(p->object, p->resource);
	const struct dev_stored *x;

	if (!r || !(r->ops & DEV_READ) || !dev_instance_exists(d, p->object, p->instance))
		return false;
	if (!(r->ops & DEV_MULTIPLE) != (p->sub == DEV_ANY))
		return false;
	x = find(d, p);
	if (x) {
		*v = x->v;
		return true;
	}
	*v = (struct dev_value){ .type = (enum dev_type)r->type };
	if (p->object == 1)
		return of_server(d, p->resource, v);
	return p->object == 3 ? of_device(d, p, v, room) : of_sensor(d, p, v);
}

int dev_set(struct dev *d, const struct dev_path *p, const struct dev_value *v)
{
	const struct dev_resource *r = dev_resource(p->object, p->resource);
	struct dev_stored *x;
	char *copy = NULL;

	if (!r || !dev_instance_exists(d, p->object, p->instance))
		return -ENOENT;
	if (v->type != (enum dev_type)r->type)
		return -EINVAL;
	if (v->type == DEV_STRING || v->type == DEV_OPAQUE) {
		copy = malloc(v->len + 1);
		if (!copy)
			return -ENOMEM;
		if (v->len)
			memcpy(copy, v->p, v->len);
		copy[v->len] = '\0';
	}
	x = find(d, p);
	if (!x) {
		x = calloc(1, sizeof *x);
		if (!x) {
			free(copy);
			return -ENOMEM;
		}
		x->path = *p;
		x->next = d->stored;
		d->stored = x;
	}
	free((char *)(uintptr_t)x->v.p);
	x->v = *v;
	x->v.p = copy;
	return 0;
}

void dev_stored_free(struct dev *d)
{
	while (d->stored) {
		struct dev_stored *x = d->stored;

		d->stored = x->next;
		free((char *)(uintptr_t)x->v.p);
		free(x);
	}
}

/* ---- walking ---- */

static bool visit_resource(struct dev *d, const struct dev_resource *r, int instance, int sub, dev_visit_fn *fn,
			   void *arg, bool *found)
{
	struct dev_path p = { r->object, instance, r->resource, sub };
	struct dev_value v;
	char room[64];

	if (!dev_get(d, &p, &v, room))
		return true;
	*found = true;
	return fn(arg, &p, &v);
}

static bool visit_instance(struct dev *d, const struct dev_path *at, int object, int instance, dev_visit_fn *fn,
			   void *arg, bool *found)
{
	for (const struct dev_resource *r = dev_resources; r->object; r++) {
		if (r->object != object || !(r->ops & DEV_READ) ||
		    (at->resource != DEV_ANY && at->resource != r->resource))
			continue;
		if (!(r->ops & DEV_MULTIPLE)) {
			if (at->sub == DEV_ANY && !visit_resource(d, r, instance, DEV_ANY, fn, arg, found))
				return false;
			continue;
		}
		for (int sub = 0; sub < dev_subs(d, object, r->resource); sub++) {
			if ((at->sub == DEV_ANY || at->sub == sub) &&
			    !visit_resource(d, r, instance, sub, fn, arg, found))
				return false;
		}
	}
	return true;
}

bool dev_visit(struct dev *d, const struct dev_path *at, dev_visit_fn *fn, void *arg)
{
	static const int objects[] = { 1, 3, 3303 };
	bool found = false;

	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
		if (at->object != DEV_ANY && at->object != objects[i])
			continue;
		for (int instance = 0; instance < 32; instance++) {
			if ((at->instance != DEV_ANY && at->instance != instance) ||
			    !dev_instance_exists(d, objects[i], instance))
				continue;
			if (!visit_instance(d, at, objects[i], instance, fn, arg, &found))
				return found;
		}
	}
	return found;
}

void dev_walk(struct dev *d)
{
	d->celsius += ((double)random_below(21) - 10) / 50;
	if (d->celsius > 45 || d->celsius < -20)
		d->celsius = 20;
}
