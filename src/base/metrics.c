/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the registry of counters, gauges and histograms
 *
 * Families and their series stand in lists in the order in which they were asked for, as the page prints them; a hash
 * finds a series by name and labels. Cells are never moved, so a room may keep the pointer for good.
 */
#include "base/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };
static const char *const kind_names[] = { "counter", "gauge", "histogram" };

struct metrics_histogram {
	const double *bounds; /* in the same allocation, as counts */
	uint64_t *counts;     /* of each bound alone, then +Inf */
	size_t n;
	double sum;
};

struct series {
	struct map_node node;
	struct series *next;
	struct family *family;
	const char *labels; /* "" for none; in the same allocation */
	uint64_t value;
	metrics_gauge_fn *fn;
	void *arg;
	struct metrics_histogram *histogram; /* owned */
};

struct family {
	struct family *next;
	enum kind kind;
	const char *name, *help; /* in the same allocation */
	struct series *first, **end;
};

struct metrics {
	struct family *first, **end; /* owned */
	struct map series;
	uint64_t lost; /* the cell of whoever could not get one */
};

struct series_key {
	const char *name, *labels;
};

int metrics_new(struct metrics **out)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	m->end = &m->first;
	*out = m;
	return 0;
}

static void series_free(struct series *s)
{
	free(s->histogram);
	free(s);
}

void metrics_free(struct metrics *m)
{
	struct family *f;
	struct series *s;

	if (!m)
		return;
	while ((f = m->first)) {
		m->first = f->next;
		while ((s = f->first)) {
			f->first = s->next;
			series_free(s);
		}
		free(f);
	}
	map_fini(&m->series);
	free(m);
}

static bool series_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct series *s = (const struct series *)(const void *)n; /* node is the first member */
	const struct series_key *k = key;

	(void)len;
	return !strcmp(s->family->name, k->name) && !strcmp(s->labels, k->labels);
}

static uint64_t series_hash(const struct series_key *k)
{
	const uint64_t both[2] = { map_hash(k->name, strlen(k->name)), map_hash(k->labels, strlen(k->labels)) };

	return map_hash(both, sizeof both);
}

static struct family *family_of(struct metrics *m, const char *name, const char *help, enum kind kind)
{
	const size_t name_size = strlen(name) + 1, help_size = strlen(help) + 1;
	struct family *f;

	for (f = m->first; f; f = f->next)
		if (!strcmp(f->name, name))
			return f->kind == kind ? f : NULL;
	f = calloc(1, sizeof *f + name_size + help_size);
	if (!f)
		return NULL;
	f->name = memcpy(f + 1, name, name_size);
	f->help = memcpy((char *)(f + 1) + name_size, help, help_size);
	f->kind = kind;
	f->end = &f->first;
	*m->end = f;
	m->end = &f->next;
	return f;
}

static struct series *series_add(struct metrics *m, const struct series_key *k, const char *help, enum kind kind)
{
	const size_t size = strlen(k->labels) + 1;
	struct family *f = family_of(m, k->name, help ? help : "", kind);
	struct series *s = f ? calloc(1, sizeof *s + size) : NULL;

	if (!s)
		return NULL;
	s->family = f;
	s->labels = memcpy(s + 1, k->labels, size);
	if (map_add(&m->series, &s->node, series_hash(k))) {
		free(s);
		return NULL;
	}
	*f->end = s;
	f->end = &s->next;
	return s;
}

/* The series, made if it is not there; NULL when memory is short or the name is of another kind. */
static struct series *series_get(struct metrics *m, const char *name, const char *labels, const char *help,
				 enum kind kind)
{
	const struct series_key k = { name, labels ? labels : "" };
	struct map_node *n = map_find(&m->series, series_hash(&k), series_eq, &k, 0);
	struct series *s = (struct series *)(void *)n;

	if (!s)
		return series_add(m, &k, help, kind);
	return s->family->kind == kind ? s : NULL;
}

uint64_t *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help)
{
	struct series *s = series_get(m, name, labels, help, COUNTER);

	return s ? &s->value : &m->lost;
}

static void series_remove(struct metrics *m, struct series *s)
{
	struct family *f = s->family;
	struct series **at = &f->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (f->end == &s->next)
		f->end = at;
	map_remove(&m->series, &s->node);
	series_free(s);
}

void metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help, metrics_gauge_fn *fn,
		   void *arg)
{
	struct series *s = series_get(m, name, labels, help, GAUGE);

	if (!s)
		return;
	if (!fn && s->fn && arg && s->arg != arg)
		return; /* of a successor, which is opened before its predecessor is closed */
	s->fn = fn;
	s->arg = arg;
	if (!fn)
		series_remove(m, s);
}

struct metrics_histogram *metrics_histogram(struct metrics *m, const char *name, const char *labels, const char *help,
					    const double *bounds, size_t n)
{
	struct series *s = series_get(m, name, labels, help, HISTOGRAM);
	struct metrics_histogram *h = s ? s->histogram : NULL;
	double *copy;

	if (!s || h)
		return h;
	h = calloc(1, sizeof *h + n * sizeof *bounds + (n + 1) * sizeof *h->counts);
	if (!h)
		return NULL;
	copy = (double *)(void *)(h + 1);
	memcpy(copy, bounds, n * sizeof *bounds);
	h->bounds = copy;
	h->counts = (uint64_t *)(void *)(copy + n);
	h->n = n;
	s->histogram = h;
	return h;
}

void metrics_observe(struct metrics_histogram *h, double value)
{
	size_t i = 0;

	if (!h)
		return;
	while (i < h->n && value > h->bounds[i])
		i++;
	h->counts[i]++;
	h->sum += value;
}

const char *metrics_label(char *buf, size_t size, const char *value)
{
	size_t at = 0;

	for (; *value; value++) {
		const char c = *value == '\n' ? 'n' : *value;
		const bool escape = c == '\\' || c == '"' || c != *value;

		if (at + escape + 1 >= size)
			break;
		if (escape)
			buf[at++] = '\\';
		buf[at++] = c;
	}
	if (size)
		buf[at] = '\0';
	return buf;
}

struct printer {
	metrics_out_fn *out;
	void *arg;
	const char *prefix;
};

static void print(const struct printer *p, const char *text)
{
	p->out(p->arg, text, strlen(text));
}

static void number_text(char *buf, size_t size, double v)
{
	if (isnan(v))
		snprintf(buf, size, "NaN");
	else if (isinf(v))
		snprintf(buf, size, v > 0 ? "+Inf" : "-Inf");
	else
		snprintf(buf, size, "%.15g", v);
}

/* One sample: prefix, name, suffix, labels and one more label, value. */
static void sample(const struct printer *p, const struct series *s, const char *suffix, const char *more,
		   const char *value)
{
	const bool any = *s->labels || *more;
	const char *const parts[] = { p->prefix, s->family->name,
				      suffix,    any ? "{" : "",
				      s->labels, *s->labels && *more ? "," : "",
				      more,      any ? "} " : " ",
				      value,     "\n" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		print(p, parts[i]);
}

static void sample_count(const struct printer *p, const struct series *s, const char *suffix, const char *more,
			 uint64_t count)
{
	char value[24];

	snprintf(value, sizeof value, "%" PRIu64, count);
	sample(p, s, suffix, more, value);
}

static void print_histogram(const struct printer *p, const struct series *s)
{
	const struct metrics_histogram *h = s->histogram;
	char bound[32], label[48];
	uint64_t total = 0;

	if (!h)
		return;
	for (size_t i = 0; i <= h->n; i++) {
		number_text(bound, sizeof bound, i < h->n ? h->bounds[i] : INFINITY);
		snprintf(label, sizeof label, "le=\"%s\"", bound);
		total += h->counts[i];
		sample_count(p, s, "_bucket", label, total);
	}
	number_text(bound, sizeof bound, h->sum);
	sample(p, s, "_sum", "", bound);
	sample_count(p, s, "_count", "", total);
}

static void print_series(const struct printer *p, const struct series *s)
{
	char value[32];

	if (s->family->kind == HISTOGRAM) {
		print_histogram(p, s);
	} else if (s->family->kind == COUNTER) {
		sample_count(p, s, "", "", s->value);
	} else {
		number_text(value, sizeof value, s->fn(s->arg));
		sample(p, s, "", "", value);
	}
}

static void print_head(const struct printer *p, const struct family *f)
{
	const char *const parts[] = { "# HELP ", p->prefix,           f->name,   " ",
				      f->help,   "\n# TYPE ",         p->prefix, f->name,
				      " ",       kind_names[f->kind], "\n" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		print(p, parts[i]);
}

void metrics_print(const struct metrics *m, const char *prefix, metrics_out_fn *out, void *arg)
{
	const struct printer p = { out, arg, prefix };

	for (const struct family *f = m->first; f; f = f->next) {
		if (f->first)
			print_head(&p, f);
		for (const struct series *s = f->first; s; s = s->next)
			print_series(&p, s);
	}
}

void metrics_each(const struct metrics *m, metrics_each_fn *fn, void *arg)
{
	for (const struct family *f = m->first; f; f = f->next)
		for (const struct series *s = f->first; s && f->kind != HISTOGRAM; s = s->next)
			fn(arg, f->name, s->labels, f->kind == COUNTER ? (double)s->value : s->fn(s->arg));
}

/* ---- quantiles ---- */

static const struct family *histograms(const struct metrics *m, const char *name)
{
	const struct family *f = m->first;

	while (f && (f->kind != HISTOGRAM || strcmp(f->name, name) != 0))
		f = f->next;
	return f && f->first && f->first->histogram ? f : NULL;
}

/* Observations up to and with that bound, in all series: they have the same bounds. */
static uint64_t up_to(const struct family *f, size_t bound)
{
	uint64_t n = 0;

	for (const struct series *s = f->first; s; s = s->next)
		for (size_t i = 0; s->histogram && i <= bound && i <= s->histogram->n; i++)
			n += s->histogram->counts[i];
	return n;
}

double metrics_quantile(const struct metrics *m, const char *name, double q)
{
	const struct family *f = histograms(m, name);
	const struct metrics_histogram *h = f ? f->first->histogram : NULL;
	double rank, low = 0;
	uint64_t below = 0;

	if (!h || !h->n || !up_to(f, h->n))
		return NAN;
	rank = q * (double)up_to(f, h->n);
	for (size_t i = 0; i < h->n; i++) {
		uint64_t n = up_to(f, i);

		if ((double)n >= rank && n > below)
			return low + (h->bounds[i] - low) * (rank - (double)below) / (double)(n - below);
		below = n;
		low = h->bounds[i];
	}
	return h->bounds[h->n - 1];
}
