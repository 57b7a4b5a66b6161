/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - the last value of each resource, retained at the broker
 *
 * The gateway tells a value once, so what a broker that is away or has forgotten must get is kept here: the latest of
 * each resource, not one after the other.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt.h"

struct last_value {
	char *suffix; /* owned: dev/DEVICE/state/value/O/I/R */
	char *json;   /* owned; NULL: to be cleared, and then forgotten */
	bool due;
};

static int by_suffix(const void *a, const void *b)
{
	return strcmp(((const struct last_value *)a)->suffix, ((const struct last_value *)b)->suffix);
}

static void value_free(void *arg)
{
	struct last_value *v = arg;

	free(v->suffix);
	free(v->json);
	free(v);
}

static struct last_value *value_new(struct mqtt *p, const char *suffix)
{
	struct last_value *v, **more;

	if (p->values_n >= VALUES_MAX)
		return NULL;
	if (!(p->values_n & (p->values_n - 1))) { /* full at each power of two */
		more = realloc(p->values, (p->values_n ? 2 * p->values_n : 1) * sizeof *more);
		if (!more)
			return NULL;
		p->values = more;
	}
	v = calloc(1, sizeof *v);
	if (v)
		v->suffix = strdup(suffix);
	if (!v || !v->suffix || !tsearch(v, &p->values_tree, by_suffix)) {
		if (v)
			value_free(v);
		return NULL;
	}
	p->values[p->values_n++] = v;
	return v;
}

static void value_remove(struct mqtt *p, size_t i)
{
	struct last_value *v = p->values[i];

	tdelete(v, &p->values_tree, by_suffix);
	value_free(v);
	p->values[i] = p->values[--p->values_n];
}

void value_set(struct mqtt *p, const char *suffix, const char *json)
{
	struct last_value probe = { .suffix = (char *)(uintptr_t)suffix }, *v;
	void *at = tfind(&probe, &p->values_tree, by_suffix);
	char *copy = strdup(json);

	v = at ? *(struct last_value **)at : value_new(p, suffix);
	if (!v || !copy) {
		free(copy);
		lost(p, 1, "memory");
		return;
	}
	free(v->json);
	v->json = copy;
	if (!v->due && !publish_value_now(p, v->suffix, v->json))
		return;
	v->due = true;
	p->values_due = true;
	publish_later(p);
}

void values_clear(struct mqtt *p, const char *device)
{
	char level[TOPIC_LEVEL_SIZE], prefix[TOPIC_LEVEL_SIZE + 8];
	size_t len = (size_t)snprintf(prefix, sizeof prefix, "dev/%s/", topic_level(level, device));

	for (size_t i = 0; i < p->values_n; i++) {
		if (strncmp(p->values[i]->suffix, prefix, len))
			continue;
		free(p->values[i]->json);
		p->values[i]->json = NULL;
		p->values[i]->due = true;
		p->values_due = true;
	}
	publish_kept(p);
}

void values_again(struct mqtt *p)
{
	for (size_t i = 0; i < p->values_n; i++)
		p->values[i]->due = true;
	p->values_due = p->values_n != 0;
}

bool values_publish(struct mqtt *p)
{
	if (!p->values_due)
		return true;
	for (size_t i = p->values_n;
	     i-- > 0;) { /* from the end: what is removed is replaced by one that was looked at */
		struct last_value *v = p->values[i];

		if (!v->due)
			continue;
		if (publish_value_now(p, v->suffix, v->json ? v->json : ""))
			return false;
		v->due = false;
		if (!v->json)
			value_remove(p, i);
	}
	p->values_due = false;
	return true;
}

void values_free(struct mqtt *p)
{
	tdestroy(p->values_tree, value_free);
	free(p->values);
}
