/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - what happens to devices, for whoever publishes it
 *
 * The functions are called from inside sessions, so they only take note: nothing of session.h that changes anything may be
 * called from them. All they are given is borrowed for the call.
 */
#ifndef NIDDGW_SESSION_WATCH_H
#define NIDDGW_SESSION_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct sessions;
struct lwm2m_objects;

enum session_event { SESSION_REGISTERED, SESSION_UPDATED, SESSION_DEREGISTERED, SESSION_EXPIRED, SESSION_REJECTED, SESSION_EVENT_COUNT };
extern const char *const session_event_names[SESSION_EVENT_COUNT];
struct session_news {
	enum session_event event;
	const char *server;  /* NULL: none was chosen */
	const char *reason;  /* of EXPIRED and REJECTED: a word */
	bool has_registration;
	uint64_t lifetime_s; /* these three of the registration */
	const char *binding; /* "" or NULL: not known */
	const char *lwm2m;   /* NULL: not known */
	bool objects;        /* the list of objects is another one */
};

/* Of a request of a server on its way to a device. */
enum down_state { DOWN_QUEUED, DOWN_SENT, DOWN_BUFFERED, DOWN_ACKED, DOWN_FAILED, DOWN_EXPIRED, DOWN_SUPERSEDED, DOWN_STATE_COUNT };
extern const char *const down_state_names[DOWN_STATE_COUNT];
struct down_news {
	enum down_state state;
	const char *id;      /* "q-991", the same in all states of one request, over a restart too */
	const char *server;
	unsigned attempt;    /* how often it was handed to the link */
	size_t bytes;        /* of its message */
	const char *cause;   /* why it waits, failed or was given up; NULL */
	uint64_t retry_wall_ms; /* when the network is to be asked again; 0: not known */
};

struct sessions_watch {
	void (*changed)(void *arg, const struct device *d); /* what device_status() shows is another */
	void (*event)(void *arg, const struct device *d, const struct session_news *n);
	void (*down)(void *arg, const struct device *d, const struct down_news *n);
	void (*gone)(void *arg, const struct device *d); /* its record is removed for good; it is freed behind this call */
};
/* One at a time; w NULL: nobody. Both are borrowed until the next call. */
void sessions_set_watch(struct sessions *s, const struct sessions_watch *w, void *arg);

/* What a device has registered, at the server where it did so last. NULL: nothing is known. *server: that one. */
const struct lwm2m_objects *device_objects(const struct device *d, const char **server);

#endif
