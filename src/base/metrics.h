/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - counters and gauges by name, printed for /metrics by the control room
 *
 * A room asks once for the cell of a series and then only adds to it. Cells live as long as the registry, so a counter
 * survives a reload. Names and labels are those of the monitoring reference, without the "niddgw_" prefix.
 */
#ifndef NIDDGW_BASE_METRICS_H
#define NIDDGW_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct metrics;
typedef double metrics_gauge_fn(void *arg);

int metrics_new(struct metrics **out);
void metrics_free(struct metrics *m);

/**
 * The cell of a counter, made when it is asked for the first time.
 * @param name    such as "uplink_total"
 * @param labels  label set as it is printed, such as `transport="udp",peer="sgi",result="answered"`; NULL for none. Values
 *                must be escaped by metrics_label() when they come from a configuration
 * @return never NULL: when memory is short a cell that is not printed
 */
uint64_t *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help);
/* A gauge read when it is printed; replaces one of the same name and labels. fn NULL removes it, unless another arg has replaced it since. */
void metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help, metrics_gauge_fn *fn, void *arg);

/* A histogram with fixed bounds in seconds (ascending, n of them, +Inf implied). */
struct metrics_histogram;
struct metrics_histogram *metrics_histogram(struct metrics *m, const char *name, const char *labels, const char *help,
					    const double *bounds, size_t n);
void metrics_observe(struct metrics_histogram *h, double value);

/* Escapes a label value into buf (backslash, quote, newline); returns buf. */
const char *metrics_label(char *buf, size_t size, const char *value);

/* Prometheus text exposition format 0.0.4 of everything, families together, names with prefix. Called by control. */
typedef void metrics_out_fn(void *arg, const char *text, size_t len);
void metrics_print(const struct metrics *m, const char *prefix, metrics_out_fn *out, void *arg);

/* Calls fn for each counter and gauge (for stats and status). */
typedef void metrics_each_fn(void *arg, const char *name, const char *labels, double value);
void metrics_each(const struct metrics *m, metrics_each_fn *fn, void *arg);
/* The value below which so much (0 to 1) of all that a histogram has observed lies, over all its label sets; what is above its last bound counts
 * as that bound. NaN: there is no such histogram, or it has observed nothing. */
double metrics_quantile(const struct metrics *m, const char *name, double q);

#endif
