/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - what the operator sees of the store: metrics, alarms, status */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/owner.h"

static const char source[] = "store";
static const double bounds[] = { 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5 };
static const char *const op_labels[STORE_OP_COUNT] = {
	[STORE_OP_COMMIT] = "op=\"commit\"",
	[STORE_OP_STATE] = "op=\"state\"",
	[STORE_OP_IMPORT] = "op=\"import\"",
	[STORE_OP_CLEAN] = "op=\"clean\"",
};

static double gauge_bytes(void *arg)
{
	return (double)((const struct store *)arg)->journal_status.bytes;
}

static double gauge_segments(void *arg)
{
	return (double)((const struct store *)arg)->journal_status.segments;
}

static double gauge_open(void *arg)
{
	return (double)((const struct store *)arg)->journal_status.open_entries;
}

static double gauge_queued(void *arg)
{
	const struct store *s = arg;

	return (double)(s->queued + s->importing);
}

static const struct {
	const char *name, *help;
	metrics_gauge_fn *fn;
} gauges[] = {
	{ "store_journal_bytes", "Octets in the journal's segments", gauge_bytes },
	{ "store_journal_segments", "Segments of the journal", gauge_segments },
	{ "store_open_entries", "Entries of the journal that are not done", gauge_open },
	{ "store_queued_bytes", "Octets that wait for the disk", gauge_queued },
};
enum { GAUGES = sizeof gauges / sizeof *gauges };

void store_status_open(struct store *s)
{
	s->errors = metrics_counter(s->metrics, "store_errors_total", NULL,
				    "Writes that failed and files found damaged");
	s->commits = metrics_counter(s->metrics, "store_commits_total", NULL, "Groups of units synced to the journal");
	for (int i = 0; i < STORE_OP_COUNT; i++)
		s->seconds[i] = metrics_histogram(s->metrics, "store_seconds", op_labels[i],
						  "Time that the disk took, by operation", bounds,
						  sizeof bounds / sizeof *bounds);
	for (int i = 0; i < GAUGES; i++)
		metrics_gauge(s->metrics, gauges[i].name, NULL, gauges[i].help, gauges[i].fn, s);
}

void store_status_close(struct store *s)
{
	for (int i = 0; i < GAUGES; i++)
		metrics_gauge(s->metrics, gauges[i].name, NULL, gauges[i].help, NULL, NULL);
}

static void note_fault(struct store *s, const struct store_note *n)
{
	*s->errors += n->count;
	snprintf(s->detail, sizeof s->detail, "%s", n->text);
	log_ev(LOG_ERROR, "store", "store.damaged", LF_STR("what", n->text), LF_UINT("faults", n->count));
	s->damaged = true;
}

static void disk_alarm(struct store *s, uint64_t free_octets)
{
	char text[80];

	if (!s->disk_low && free_octets < STORE_DISK_LOW) {
		snprintf(text, sizeof text, "%" PRIu64 " MiB are left for %s", free_octets >> 20, "state_dir");
		alarm_raise(s->alarms, ALARM_MAJOR, "disk.low", source, text, "make room on that file system");
		s->disk_low = true;
	} else if (s->disk_low && free_octets > STORE_DISK_LOW + STORE_DISK_LOW / 4) {
		alarm_clear(s->alarms, "disk.low", source);
		s->disk_low = false;
	}
}

void store_status_update(struct store *s, const struct store_shared *news)
{
	*s->commits += news->commits;
	if (news->commit_wall_ms)
		s->commit_wall_ms = news->commit_wall_ms;
	s->journal_status = news->journal;
	for (unsigned i = 0; i < news->samples_n; i++)
		metrics_observe(s->seconds[news->samples[i].op], news->samples[i].seconds);
	if (news->disk_known)
		disk_alarm(s, news->disk_free);
	if (news->note.count)
		note_fault(s, &news->note);
}

static void raise_alarm(struct store *s, const char *type, const char *text)
{
	if (s->alarm_up && strcmp(s->alarm_up, type) != 0)
		alarm_clear(s->alarms, s->alarm_up, source);
	s->alarm_up = type;
	alarm_raise(s->alarms, ALARM_CRITICAL, type, source, text,
		    "see to the file system of state_dir; nothing needs to be restarted");
}

/* After every write: what failed is up, and the first good write of both kinds takes it down. */
void store_alarms(struct store *s)
{
	const int err = s->jerr ? s->jerr : s->serr;
	char text[sizeof s->detail];

	if (err) {
		snprintf(text, sizeof text, "%s cannot be written: %s", s->jerr ? "the journal" : "state.db",
			 strerror(-err));
		snprintf(s->detail, sizeof s->detail, "%s", text);
		raise_alarm(s, err == -EROFS ? "store.readonly" : "store.unavailable", text);
	} else if (s->damaged) {
		raise_alarm(s, "store.unavailable", s->detail);
		s->damaged = false;
	} else if (s->alarm_up) {
		alarm_clear(s->alarms, s->alarm_up, source);
		s->alarm_up = NULL;
		s->detail[0] = '\0';
	}
}

bool store_is_usable(const struct store *s)
{
	return !s->jerr && !s->serr && s->queued < STORE_QUEUE_MOST && s->ids.next < s->ids.limit;
}

void store_status(const struct store *s, struct store_status *st)
{
	*st = (struct store_status){
		.usable = store_is_usable(s),
		.journal_bytes = s->journal_status.bytes,
		.segments = s->journal_status.segments,
		.open_entries = s->journal_status.open_entries,
		.last_commit_wall_ms = s->commit_wall_ms,
		.errors = *s->errors,
	};
	memcpy(st->detail, s->detail, sizeof st->detail);
	if (!st->usable && !*st->detail)
		snprintf(st->detail, sizeof st->detail, "%zu MiB wait for the disk", s->queued >> 20);
}
