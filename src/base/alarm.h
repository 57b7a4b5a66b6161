/* SPDX-License-Identifier: Apache-2.0 */
/* alarm.h - the table of what is wrong now
 *
 * A room raises and clears; the control room lists, later plugins publish. An alarm is known by its type and its source
 * ("t8.unreachable" of "op-a"); raising it again counts and changes the text. Each raise, change and clear is one log line.
 */
#ifndef NIDDGW_BASE_ALARM_H
#define NIDDGW_BASE_ALARM_H

#include <stddef.h>
#include <stdint.h>

enum alarm_severity { ALARM_WARNING, ALARM_MINOR, ALARM_MAJOR, ALARM_CRITICAL, ALARM_SEVERITY_COUNT };
extern const char *const alarm_severity_names[ALARM_SEVERITY_COUNT];

struct alarms;
struct alarm {
	const char *type;   /* a word of the monitoring reference: "t8.unreachable" */
	const char *source; /* link, server or device name */
	const char *text;   /* what is wrong, escaped already */
	const char *action; /* what the operator can do; NULL for none */
	enum alarm_severity severity;
	uint64_t raised_wall_ms;
	uint64_t acked_wall_ms; /* when somebody said that it has been seen; 0: nobody has */
	uint64_t count;
};

int alarms_new(struct alarms **out, size_t most); /* above `most` entries a raise is only counted */
void alarms_free(struct alarms *a);
/* type, source, text and action are copied. */
void alarm_raise(struct alarms *a, enum alarm_severity severity, const char *type, const char *source, const char *text,
		 const char *action);
void alarm_clear(struct alarms *a, const char *type, const char *source); /* one that is not raised is fine */
typedef void alarm_each_fn(void *arg, const struct alarm *al);
void alarms_each(const struct alarms *a, alarm_each_fn *fn, void *arg);
size_t alarms_count(const struct alarms *a);
/* Somebody has seen it, until it is raised anew with another text or severity. 0; -ENOENT it is not raised. */
int alarm_ack(struct alarms *a, const char *type, const char *source);

enum alarm_change { ALARM_RAISED, ALARM_CHANGED, ALARM_CLEARED, ALARM_CHANGE_COUNT };
/* Called with each of them, also when an alarm is acknowledged; a raise that says nothing new is none. al is borrowed, and as it is now, or was
 * when it was cleared. One at a time; fn NULL: nobody. */
typedef void alarm_watch_fn(void *arg, const struct alarm *al, enum alarm_change what);
void alarms_watch(struct alarms *a, alarm_watch_fn *fn, void *arg);

#endif
