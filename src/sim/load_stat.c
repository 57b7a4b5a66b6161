/* SPDX-License-Identifier: Apache-2.0 */
/* load_stat.c - clocks, latencies, CPU of both sides
 *
 * Latencies go into buckets of equal relative width, so a run of any length takes the same memory and a percentile is
 * as good as the clock. CPU time is that of whole processes, read from their clocks at the ends of the measured part.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sim/load.h"

enum { MANTISSA_BITS = 6 };

uint64_t load_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_ns(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t process_cpu_ns(pid_t pid)
{
	clockid_t clock;

	return pid && !clock_getcpuclockid(pid, &clock) ? cpu_ns(clock) : 0;
}

void load_stat_begin(struct load_stat *s)
{
	s->measuring = true;
	s->dut_from_ns = process_cpu_ns(s->dut);
	s->ends_from_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	s->from_ns = load_now_ns();
}

void load_stat_end(struct load_stat *s)
{
	s->until_ns = load_now_ns();
	s->dut_cpu_ns = process_cpu_ns(s->dut) - s->dut_from_ns;
	s->ends_cpu_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - s->ends_from_ns;
	s->measuring = false;
}

/* Values below 2^6 have a bucket each; above, the six bits behind the leading one choose within its power of two. */
static unsigned bucket_of(uint64_t v)
{
	unsigned shift;

	if (v < 1u << MANTISSA_BITS)
		return (unsigned)v;
	shift = 63u - (unsigned)__builtin_clzll(v) - MANTISSA_BITS;
	return (shift + 1) * (1u << MANTISSA_BITS) + (unsigned)(v >> shift & ((1u << MANTISSA_BITS) - 1));
}

static double bucket_middle(unsigned b)
{
	unsigned shift = b >> MANTISSA_BITS, m = b & ((1u << MANTISSA_BITS) - 1);

	if (!shift)
		return b;
	return ((double)((1u << MANTISSA_BITS) + m) + 0.5) * (double)(1ull << (shift - 1));
}

void load_stat_trip(struct load_stat *s, uint64_t latency_ns)
{
	if (!s->measuring)
		return;
	s->trips++;
	s->buckets[bucket_of(latency_ns)]++;
}

double load_stat_quantile_us(const struct load_stat *s, double q)
{
	uint64_t rank = (uint64_t)((double)s->trips * q), seen = 0;

	for (unsigned b = 0; b < LOAD_BUCKETS; b++) {
		seen += s->buckets[b];
		if (seen > rank)
			return bucket_middle(b) / 1e3;
	}
	return 0;
}

void load_stat_print(const struct load_stat *s, const char *mode, const struct load_opts *o)
{
	double seconds = (double)(s->until_ns - s->from_ns) / 1e9, trips = s->trips ? (double)s->trips : 1;

	printf("{\"mode\":\"%s\",\"endpoints\":%llu,\"unanswered\":%llu,\"window\":%llu,\"rate\":%llu,\"seconds\":%.3f,"
	       "\"trips\":%llu,\"trips_per_s\":%.0f,\"lost\":%llu,\"late\":%llu,\"errors\":%llu,\"missed\":%llu,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"cpu_us_per_trip\":%.3f,\"ends_cpu_us_per_trip\":%."
	       "3f}\n",
	       mode, (unsigned long long)o->endpoints, (unsigned long long)o->unanswered, (unsigned long long)o->window,
	       (unsigned long long)o->rate, seconds, (unsigned long long)s->trips,
	       seconds > 0 ? (double)s->trips / seconds : 0, (unsigned long long)s->lost, (unsigned long long)s->late,
	       (unsigned long long)s->errors, (unsigned long long)s->missed, load_stat_quantile_us(s, 0.5),
	       load_stat_quantile_us(s, 0.99), load_stat_quantile_us(s, 0.999), (double)s->dut_cpu_ns / trips / 1e3,
	       (double)s->ends_cpu_ns / trips / 1e3);
	fflush(stdout);
}

int load_pin(const char *cpu)
{
	cpu_set_t set;
	char *end;
	unsigned long n;

	if (!cpu)
		return 0;
	n = strtoul(cpu, &end, 10);
	if (*end || n >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(n, &set);
	return sched_setaffinity(0, sizeof set, &set) ? -errno : 0;
}

void load_more_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

pid_t load_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* ---- pacing ---- */

void load_pace_start(struct load_pace *p, const struct load_opts *o, struct load_stat *s)
{
	*p = (struct load_pace){ .o = o, .stat = s, .start_ns = load_now_ns() };
}

long load_pace_due(struct load_pace *p, uint64_t now_ns, uint64_t in_flight)
{
	uint64_t run_ns = now_ns - p->start_ns, warm_ns = p->o->warmup_ms * 1000000u, due;

	if (!p->stat->measuring && run_ns >= warm_ns)
		load_stat_begin(p->stat);
	if (run_ns >= warm_ns + p->o->seconds * 1000000000u) {
		load_stat_end(p->stat);
		return -1;
	}
	if (!p->o->rate)
		return p->o->window > in_flight ? (long)(p->o->window - in_flight) : 0;
	due = (uint64_t)((double)run_ns * (double)p->o->rate / 1e9);
	return due > p->sent ? (long)(due - p->sent) : 0;
}

uint64_t load_pace_drain_until(uint64_t now_ns)
{
	return now_ns + 1000000000u;
}

int load_pace_wait_us(const struct load_pace *p, uint64_t now_ns)
{
	double at_ns;

	if (!p->o->rate)
		return 10000;
	at_ns = (double)(p->sent + 1) * 1e9 / (double)p->o->rate - (double)(now_ns - p->start_ns);
	return at_ns <= 0 ? 0 : at_ns > 1e7 ? 10000 : (int)(at_ns / 1e3);
}
