/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.h - copies of what devices report, decoded for plug-ins
 *
 * Sessions show here what they have dealt with: each unit once, however often its sender repeats it. What comes out is a
 * report (report.h) with values, names, types, units and absolute times, or, where nothing can be decoded, what is visible of
 * the unit. Nothing here waits or fails: a copy that cannot be made is lost and counted, never the message.
 *
 * What sessions show as confirmed goes into the report: 1 the server has acknowledged it, 0 it has not (yet), -1 there is nothing
 * to acknowledge. The reading of the contract is this: a confirmable message of a device that leaves for its server at once is
 * shown when the server acknowledges it or answers it well, but no later than MIRROR_ACK_MS after it left, nor than
 * the next unit of its device; one that has to wait for its server is shown at once. What answers a request of a server, and
 * what is NON, has nothing to be acknowledged.
 */
#ifndef NIDDGW_MIRROR_MIRROR_H
#define NIDDGW_MIRROR_MIRROR_H

#include "base/metrics.h"
#include "base/timer.h"
#include "config/schema.h"
#include "lwm2m/objects.h"
#include "lwm2m/path.h"
#include "lwm2m/registration.h"
#include "mirror/report.h"

#define MIRROR_ACK_MS 200 /* the longest that a report stands back for the acknowledgement of its server */

struct mirror;
struct lwm2m_registry;

struct mirror_env {
	struct metrics *metrics;
	/* Takes one report; everything is borrowed for the call. It must not wait. */
	void (*report)(void *arg, const struct report *r);
	void *arg;
};
/* Nobody listens yet, and no registry. 0 or -ENOMEM. */
int mirror_new(struct mirror **out, const struct mirror_env *env);
void mirror_free(struct mirror *m); /* NULL is fine */
void mirror_listen(struct mirror *m, bool somebody);
/* Is there anybody to whom reports go? m may be NULL. Else sessions need not show anything but bodies in blocks of a Register. */
bool mirror_listens(const struct mirror *m);
void mirror_set_registry(struct mirror *m, const struct lwm2m_registry *r); /* borrowed until the next call; NULL: nothing has a name */
const struct lwm2m_registry *mirror_registry(const struct mirror *m);

/* Whose unit it is. Borrowed for the call. */
struct mirror_who {
	const void *dev; /* the same for one device as long as it lives: its last units are kept by it until mirror_forget() */
	const void *leg; /* the same for one device at one server: bodies in blocks are put together by it until mirror_forget_leg() */
	const char *device, *ep, *server;    /* ep, server: NULL when not known */
	const struct lwm2m_objects *objects; /* what the device registered there; NULL: not known */
	const struct conf_texts *units;      /* of its record: "/3303/0/5700=Cel"; NULL: none */
};

/* One unit: its message, its octets in all, when it came from the network (wall clock). */
struct mirror_unit {
	const struct coap_msg *msg;
	size_t len;
	uint64_t arrival_ms;
};

/* What an observation is of. */
struct mirror_target {
	struct lwm2m_path path;
	bool known;     /* false: its request could not be read (OSCORE) */
	bool composite; /* names in the payload tell all */
};
/* Of a request of a server, without the alternate path of objects (NULL: none). */
struct mirror_target mirror_target_of(const struct coap_msg *request, const struct lwm2m_objects *objects);

/* A Register or Send, as it came or as it goes north: its blocks in order, each once. Other operations are no reports. */
void mirror_request(struct mirror *m, const struct mirror_who *who, enum lwm2m_op op, const struct mirror_unit *u, int confirmed);
/* The whole body of the last request of that operation that came in blocks, all of which were shown: borrowed until the next call.
 * NULL: not at hand. */
const uint8_t *mirror_body(const struct mirror *m, const struct mirror_who *who, enum lwm2m_op op, size_t *len);
/* What a device answered to a request of a server, which is in request: its message as it went to the device. */
void mirror_answer(struct mirror *m, const struct mirror_who *who, const struct mirror_unit *answer, const struct mirror_unit *request);
void mirror_notify(struct mirror *m, const struct mirror_who *who, const struct mirror_target *t, const struct mirror_unit *u, int confirmed);
/* Metadata alone: a message protected by OSCORE; DTLS records that pass; octets that are no message. down: towards the device. */
void mirror_oscore(struct mirror *m, const struct mirror_who *who, bool down, const struct mirror_unit *u);
void mirror_dtls(struct mirror *m, const struct mirror_who *who, bool down, const uint8_t *data, size_t len, uint64_t arrival_ms);
void mirror_unknown(struct mirror *m, const struct mirror_who *who, const uint8_t *data, size_t len, uint64_t arrival_ms);

void mirror_forget(struct mirror *m, const void *dev);     /* the device goes */
void mirror_forget_leg(struct mirror *m, const void *leg); /* what is half put together: a new registration, or the association goes */

/**
 * The report of an answer that the gateway itself asked for, without showing it to anybody: values or object links for the asker.
 * @param take    called once, when there is something to tell; the report is borrowed for the call, and has no id
 * @param reason  set on failure: "truncated", "depth", "bad_utf8", "type" or "format"
 * @return 0; -EBADMSG it cannot be decoded; -EACCES it is of what never leaves; -ENOMEM
 */
typedef void mirror_take_fn(void *arg, const struct report *r);
int mirror_decode(struct mirror *m, const struct mirror_who *who, const struct mirror_target *t, unsigned format, const uint8_t *body, size_t len,
		  uint64_t arrival_ms, mirror_take_fn *take, void *arg, const char **reason);

#endif
