/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - requests of the gateway itself to a device, as if one of its servers had made them
 *
 * The gateway is a server of its own to each device: its requests have the queue, the retransmission, the blocks and the
 * patience of any other, and what they bring is mirrored as of the server "gateway". Only devices whose traffic is visible
 * can be asked: the gateway has no keys.
 */
#ifndef NIDDGW_SESSION_ASK_H
#define NIDDGW_SESSION_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lwm2m/path.h"
#include "mirror/mirror.h"
#include "session/session.h"

#define ASK_SERVER "gateway" /* what the gateway is called as a server; no other may be */
enum { ASK_BODY_MOST = 16384, ASK_NOTE_MOST = 1024, ASK_OPEN_MOST = 256 };

/* The gateway's own server, made by north_local_open() with conf and recv of these; before sessions_restore(). */
extern const struct server_conf ask_server_conf;
void ask_server_recv(void *arg, const uint8_t *data, size_t len);
int sessions_set_own_server(struct sessions *s, struct north_server *own); /* borrowed until sessions_free(); 0 or -ENOMEM */

enum ask_verb { ASK_READ, ASK_WRITE, ASK_EXECUTE, ASK_DISCOVER, ASK_OBSERVE, ASK_CANCEL, ASK_PING, ASK_VERB_COUNT };
struct ask_request {
	enum ask_verb verb;
	struct lwm2m_path path;
	const uint8_t *body; /* of Write and Execute; borrowed for the call */
	size_t len;
	unsigned format;     /* of the body */
	int depth;           /* of Discover; -1: not said */
	uint64_t timeout_ms; /* at most a day */
	const void *note;    /* whose answer it is, for after a restart: copied; NULL: a restart ends it */
	size_t note_len;
	void (*accepted)(void *arg); /* it waits for a sleeper, and a restart does not end it: before fn, at most once, never from within; may be NULL */
};

struct ask_answer {
	const char *error;   /* NULL: the device has done it; else a word: asleep expired busy too_big timeout upstream internal not_found */
	const char *message; /* of an error, for people */
	uint8_t code;        /* of the device's answer; 0: there is none */
	const struct report *report; /* values, or object links of Discover; NULL: none */
	const char *links;   /* of Discover: the list as it came; NULL: none */
	size_t links_len;
};
struct ask; /* one that is under way */
typedef void ask_fn(void *arg, const struct ask_answer *a); /* the ask is over; everything is borrowed for the call */

/**
 * Ask a device.
 * @param out  until fn has been called; NULL is fine
 * @param fn   called once, never from within
 * @return NULL, or why it cannot be asked: "not_found" (never heard, or no observation to cancel), "opaque", "asleep" (Ping never wakes anybody),
 *         "busy", "too_big", "upstream" (no bearer), "internal"; then fn is not called
 */
const char *ask_open(struct ask **out, struct device *d, const struct ask_request *r, ask_fn *fn, void *arg);
struct ask *ask_leave(struct ask *a);  /* the process ends: fn is not called any more, and the next one goes on with it. NULL, for whoever kept it */
void ask_close(struct ask *a);         /* fn is not called any more, and what has not left is not delivered; NULL is fine */

/* What was asked in the life before and has no answer yet, after sessions_restore(): fn gets it. adopt NULL, or false: it is dropped. */
typedef bool ask_adopt_fn(void *arg, struct ask *a, const void *note, size_t len);
void asks_adopt(struct sessions *s, ask_adopt_fn *adopt, void *arg);
void ask_set(struct ask *a, ask_fn *fn, void *arg); /* by adopt() */

bool device_is_opaque(const struct device *d); /* OSCORE or DTLS hide what passes */
bool device_is_heard(const struct device *d);
/* Requests of servers that have not left yet are given up. Returns how many. */
size_t device_drop_queue(struct device *d);

#endif
