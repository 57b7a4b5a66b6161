/* SPDX-License-Identifier: Apache-2.0 */
/* command_inside.h - what the files of commands share
 *
 *   job    one command under way; whoever asked, and duplicates of it, get its answers
 *   verb   one line of the table
 */
#ifndef NIDDGW_CONTROL_COMMAND_INSIDE_H
#define NIDDGW_CONTROL_COMMAND_INSIDE_H

#include <stdbool.h>

#include "base/log.h"
#include "base/map.h"
#include "base/timer.h"
#include "control/command.h"
#include "control/inside.h"
#include "control/render.h"
#include "session/ask.h"

enum { ASKERS_MOST = 8, JOBS_MOST = 1024, NAME_MOST = 64, ID_MOST = 256, TIMEOUT_MOST_MS = 86400000 };

struct asker { /* of a plug-in */
	plugin_ref ref;
	uint64_t cookie;
};

struct command_job {
	struct command_job *next, **link;
	struct commands *all;
	struct timer timer;       /* its answer is to be given, or tried again */
	char *instance;           /* owned; NULL: the socket */
	char *device, *id;        /* owned; device NULL: the gateway */
	char name[NAME_MOST];
	const struct verb *verb;
	uint64_t started_ms, timeout_ms, until_ms; /* until: given up, of a job of the life before */
	struct asker askers[ASKERS_MOST];
	unsigned askers_n;
	bool restored;            /* of the life before: its instance is looked up by name */
	command_answer_fn *answer; /* of the socket */
	void *arg;
	struct ask *ask;          /* owned while it is under way */
	json_t *final;            /* owned: the answer, until it has been given */
	char *restart;            /* owned: the plug-in that is restarted behind it, as the asker may be the one; NULL: none */
};

struct verb {
	const char *name;
	bool device;   /* of a device */
	bool reads;    /* may always be asked */
	/* Answers by command_ok() or command_fail(), at once or later. */
	void (*run)(struct command_job *j, struct device *d, const json_t *args);
};
extern const struct verb command_gateway_verbs[], command_device_verbs[]; /* each ends with a NULL name */

struct bucket;
struct cached;
struct commands {
	struct control *control; /* borrowed */
	struct command_job *jobs; /* owned */
	size_t jobs_n;
	struct map cache, buckets;
	struct cached *oldest, *newest; /* owned */
	size_t cache_bytes;
	struct timer reload, level; /* a reload is due; the level of the log falls back */
	enum log_level level_before;
};

/* ---- command_answer.c ---- */
void command_ok(struct command_job *j, json_t *data, uint8_t code); /* takes data, NULL: none; code of the device, 0: none */
void command_fail(struct command_job *j, const char *error, const char *message, uint8_t code);
void command_accepted(struct command_job *j);
json_t *command_response(const struct command_job *j, const char *status, bool final, uint8_t code); /* how each answer begins */
void command_post(const struct command_job *j, const struct asker *to, const char *text, bool final);

/* ---- command.c ---- */
void command_free(struct command_job *j);
struct control *command_control(const struct command_job *j);
/* One of the life before; its answer goes to the instance of that name when that is there. NULL: no memory. */
struct command_job *command_restored(struct commands *cs, const struct command_in *in, const char *instance);
void command_audit(const struct command_job *j, const char *status);

/* ---- command_device.c ---- */
void commands_restore(struct commands *cs); /* what was asked in the life before */

/* ---- command_memory.c ---- */
const char *cache_find(struct commands *cs, const struct command_job *j); /* the final answer to the same command, lately; NULL: none */
void cache_keep(struct commands *cs, const struct command_job *j, const char *text);
bool bucket_take(struct commands *cs, const char *device); /* false: more than a device may be asked */
void memory_free(struct commands *cs);

/* ---- command_value.c ---- */
/**
 * A value of a Write as the device gets it.
 * @param type  word of the monitoring reference, NULL: by the registry, else by the kind of the JSON
 * @param out   the caller's
 * @return octets; -EINVAL it is none of that type; -EMSGSIZE
 */
long command_value(const json_t *value, const char *type, enum niddgw_type registered, uint8_t *out, size_t size, unsigned *format);

/* ---- command_links.c ---- */
json_t *command_links(const char *list, size_t len); /* RFC 6690 as [{"path":..,"attributes":{..}}]; NULL: it is none */

#endif
