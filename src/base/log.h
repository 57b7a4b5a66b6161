/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one event, one line
 *
 * A line has a level, the room that speaks, a fixed event word to search and alarm on, and typed fields. Text that comes
 * from a peer is quoted and escaped by the writer (control octets and what is not UTF-8 become \xNN), so a caller passes it
 * as it is. Payloads and keys are never passed. The sink is the process's stderr; it is the one piece of state at file
 * scope, set once from main. Every line is written with one write(2).
 */
#ifndef NIDDGW_BASE_LOG_H
#define NIDDGW_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT, LOG_NOTE = LOG_LEVEL_COUNT };
enum log_format { LOG_TEXT, LOG_JSON };
extern const char *const log_level_names[LOG_LEVEL_COUNT + 1]; /* "error" .. "debug", NULL */

enum log_kind { LOG_K_END, LOG_K_STR, LOG_K_BYTES, LOG_K_HEX, LOG_K_UINT, LOG_K_INT, LOG_K_BOOL, LOG_K_CODE };
struct log_field {
	const char *key;
	enum log_kind kind;
	size_t len;
	union {
		const void *p;
		uint64_t u;
		int64_t i;
	} v;
};

#define LF_STR(k, s) ((struct log_field){ .key = (k), .kind = LOG_K_STR, .v.p = (s) }) /* NULL: field left out */
#define LF_BYTES(k, d, n) ((struct log_field){ .key = (k), .kind = LOG_K_BYTES, .len = (n), .v.p = (d) }) /* text of given length */
#define LF_HEX(k, d, n) ((struct log_field){ .key = (k), .kind = LOG_K_HEX, .len = (n), .v.p = (d) })
#define LF_UINT(k, x) ((struct log_field){ .key = (k), .kind = LOG_K_UINT, .v.u = (uint64_t)(x) })
#define LF_INT(k, x) ((struct log_field){ .key = (k), .kind = LOG_K_INT, .v.i = (int64_t)(x) })
#define LF_BOOL(k, x) ((struct log_field){ .key = (k), .kind = LOG_K_BOOL, .v.u = (x) ? 1u : 0u })
#define LF_CODE(k, c) ((struct log_field){ .key = (k), .kind = LOG_K_CODE, .v.u = (c) }) /* CoAP code, printed 2.05 */

/* log_ev(LOG_INFO, "t8", "config.active", LF_STR("dev", name), LF_UINT("mtu", mtu)); the fields are evaluated only when
 * the level is on. */
#define log_ev(level, room, ev, ...)                                                                                          \
	do {                                                                                                                  \
		if (log_on(level))                                                                                            \
			log_fields(level, room, ev, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } });           \
	} while (0)

/* What operators want to see among the latest events, and is too much for the log of a fleet: there it stands at level debug. */
#define log_note(room, ev, ...)                                                                                               \
	do {                                                                                                                  \
		if (log_notes())                                                                                              \
			log_fields(LOG_NOTE, room, ev, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } });        \
	} while (0)

bool log_on(enum log_level level);
bool log_notes(void);
void log_fields(enum log_level level, const char *room, const char *ev, const struct log_field *fields);
void log_set(enum log_level level, enum log_format format);
enum log_level log_level(void);             /* as it is set */
void log_set_level(enum log_level level);   /* the format stays */
/* Sees every event of level info and above and every note, whatever level is written; level LOG_DEBUG: a note. members: the fields as JSON
 * members without braces, those that do not fit into LOG_MEMBERS_MOST octets left out. From whichever call logs, so it must not log. One
 * per process; fn NULL: none any more. */
#define LOG_MEMBERS_MOST 1024
typedef void log_watch_fn(void *arg, enum log_level level, const char *room, const char *ev, const char *members, size_t len);
void log_watch(log_watch_fn *fn, void *arg);
/* True under $JOURNAL_STREAM that names stderr: lines then begin with <N>. Called once by main. */
void log_open(void);

/* Folds a repeated fault into one line: true when the caller should log now; *suppressed then tells how many were held
 * back since the last line. One line per interval_ms. The limiter is the caller's, zeroed. */
struct log_limit {
	uint64_t last_ms;
	uint64_t held;
	bool used;
};
bool log_limit(struct log_limit *l, uint64_t now_ms, uint64_t interval_ms, uint64_t *suppressed);

#endif
