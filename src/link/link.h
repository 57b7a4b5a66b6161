/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - what every south attachment offers to sessions
 *
 * A link moves whole units and knows nothing of CoAP. It authenticates and bounds what arrives, finds the device it is from, and gives it upward;
 * the verdict comes back once, perhaps later. All of it runs on the main loop.
 */
#ifndef NIDDGW_LINK_LINK_H
#define NIDDGW_LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alarm.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/schema.h"

struct link;     /* one open link; its inside is its kind's */
struct store;    /* store/store.h */
struct link_dev; /* a device as its link knows it; made by attach */
struct device;   /* the session's; opaque to links */

/* ---- configuration that every kind has; a kind's struct begins with this one ---- */
struct link_conf {
	struct conf_head head; /* name */
	int type;              /* index into link_type_words */
	bool enabled, journal;
};

/* ---- identities ---- */
enum link_id_kind { LINK_ID_EXTERNAL, LINK_ID_MSISDN, LINK_ID_ADDRESS, LINK_ID_CID, LINK_ID_LINE };
struct link_identity {
	enum link_id_kind kind;
	const char *text; /* as configured: "m17@iot.example", "491701234567", "10.0.0.7" or "10.0.0.7:5683" */
	uint32_t cid;
};

/* ---- up ---- */
enum link_verdict {
	LINK_TAKEN,     /* the gateway answers for it from now on (T8: 204) */
	LINK_UNKNOWN,   /* no such device (404) */
	LINK_MALFORMED, /* not for us to repair: counted and dropped (204: the SCEF can do nothing about it) */
	LINK_OVERLOAD,  /* nothing was kept; try later (503 with Retry-After) */
};
/* One unit on its way up; lives in the link until its verdict. */
struct link_up {
	void (*verdict)(struct link_up *up, enum link_verdict v); /* set by the link, called once */
	uint64_t arrival_ms;   /* clock_now_ms() */
	int16_t port_ue, port_scef; /* RDS ports; -1: none */
	struct link_up *next;  /* the session's, until the verdict */
};
static inline void link_verdict(struct link_up *up, enum link_verdict v)
{
	up->verdict(up, v);
}

/* ---- down ---- */
enum link_class { LINK_ANSWER, LINK_REQUEST, LINK_BULK }; /* what goes first when a link has to choose */
struct link_down {
	uint32_t id;           /* the caller's, comes back in events; 0: no event is wanted */
	enum link_class klass;
	bool again;            /* the same octets were sent before: a retransmission */
	bool once;             /* all that matters is when it is handed over or lost: one event, and what the network keeps is not followed */
	bool answer_expected;  /* release assistance: the device will answer this */
	uint64_t deadline_ms;  /* not worth delivering after this; 0: none */
	int16_t port_ue, port_scef; /* RDS ports; -1: none */
	uint64_t key;          /* the caller's name for the unit that still means the same after a restart; 0: none. What the network keeps at
				* the end of the process is remembered by it, and asked about at the start after it */
	int64_t maximum_latency_s; /* how long the network may keep it for a sleeper: 0 not at all; -1 as the link is configured. Above 0 a time that
				    * the link is configured with comes first */
};
enum link_down_state {
	LINK_DOWN_SENT,      /* left; nothing more will be known */
	LINK_DOWN_BUFFERED,  /* the network keeps it for the device: do not send it again */
	LINK_DOWN_DELIVERED, /* handed over on the last hop */
	LINK_DOWN_ACKED,     /* confirmed by the device's side: no need to send it again */
	LINK_DOWN_UNSURE,    /* may be lost: sending it again is right */
	LINK_DOWN_FAILED,    /* cause and retry_at_ms tell */
};
enum link_cause {
	LINK_CAUSE_NONE,
	LINK_CAUSE_ASLEEP,    /* not reachable now: at retry_at_ms (0: not known), or when it is heard, whichever is first */
	LINK_CAUSE_TEMPORARY, /* try again after a back-off */
	LINK_CAUSE_REFUSED,   /* these octets will never be taken */
	LINK_CAUSE_TOO_LARGE, /* the same, for their size; an MTU event has come before */
	LINK_CAUSE_BARRED,    /* this device may not be reached at all until the operator acts */
	LINK_CAUSE_EXPIRED,   /* the deadline passed before it left */
	LINK_CAUSE_NO_BEARER, /* the link or its peer is down */
	LINK_CAUSE_COUNT
};
extern const char *const link_cause_names[LINK_CAUSE_COUNT];
struct link_down_event {
	uint32_t id;          /* 0: of a unit that was sent in a life of the process before this one; key says which */
	enum link_down_state state;
	enum link_cause cause;
	uint64_t retry_at_ms; /* clock_now_ms() scale; 0: not known */
	uint64_t key;
};

/* ---- what happens to a device beside units ---- */
enum link_dev_event_kind {
	LINK_DEV_REACHABLE, /* heard, or reported reachable by the network */
	LINK_DEV_ASLEEP,    /* reported not reachable; until_ms or 0 */
	LINK_DEV_MTU,       /* value: octets */
	LINK_DEV_BARRED,
	LINK_DEV_ALLOWED,   /* after BARRED */
};
struct link_dev_event {
	enum link_dev_event_kind kind;
	uint64_t until_ms;
	uint32_t value;
	const char *origin; /* of an MTU: "maximumPacketSize" */
};

struct link_events {
	/* A unit of an attached device. data is borrowed for the call; up is the link's until link_verdict(up, ..). len may be 0: an awake hint. */
	void (*uplink)(void *arg, struct link_up *up, struct device *dev, const uint8_t *data, size_t len);
	/* A unit from an identity that is not attached. NULL, or the device that was made for it and is now attached. */
	struct device *(*unknown)(void *arg, struct link *l, const struct link_identity *id);
	void (*down)(void *arg, struct device *dev, const struct link_down_event *ev);
	void (*device)(void *arg, struct device *dev, const struct link_dev_event *ev);
};

/* What a link gets from main; borrowed, outlives the link. */
struct link_env {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	const uint8_t *key;      /* 32 octets from the key file in state_dir: secret paths are derived from it */
	const char *gateway_id;
	const struct link_events *events;
	void *arg;
	struct t8_shared **t8;   /* slot of the process for what its t8 links share (listeners, whose device an identity is); main sets it to NULL
				  * once, the links fill and empty it. A NULL pointer: this link shares nothing */
	struct store *store;     /* what links remember over a restart; NULL: nothing */
};

/* How the fate of a unit is counted in niddgw_uplink_total{transport,peer,result} */
enum link_result {
	LINK_RES_ANSWERED, LINK_RES_FORWARDED, LINK_RES_DUPLICATE, LINK_RES_MALFORMED, LINK_RES_REFUSED, LINK_RES_UNKNOWN_DEVICE,
	LINK_RES_TOO_BIG, LINK_RES_QUOTA, LINK_RES_DROPPED, LINK_RES_FAILED, LINK_RES_COUNT
};
extern const char *const link_result_names[LINK_RES_COUNT];

/* What downlink_total counts: each unit that the link took, and what the network told of one later. */
enum link_down_result { LINK_DOWN_RES_SENT, LINK_DOWN_RES_BUFFERED, LINK_DOWN_RES_DELIVERED, LINK_DOWN_RES_FAILED, LINK_DOWN_RES_COUNT };

struct link_status { /* for control */
	const char *state;  /* "up", "starting", "down" */
	char detail[160];
	uint64_t since_wall_ms, last_ok_wall_ms;
};

struct link_ops {
	const char *name;                /* "t8", "udp" */
	const struct conf_item *items;   /* of the kind's configuration, common ones excluded */
	size_t conf_size;
	bool queues;                     /* what send() took may wait here for long; how->id is told what became of it, unless it is detached */
	/* Looks across the keys of one link's configuration; all is the list of every link. May be NULL. */
	void (*check)(struct conf_load *load, const struct link_conf *conf, const struct conf_list *all);
	/* Listeners are bound when this returns. 0 or a negative errno (logged). */
	int (*open)(struct link **out, const struct link_conf *conf, const struct link_env *env);
	/* For a reload, before anything is touched; both may be NULL. keeps: reconf() would take conf over; absent: yes. blocks: conf can be
	 * opened only when l is closed, because both want one address; absent: no. */
	bool (*keeps)(const struct link *l, const struct link_conf *conf);
	bool (*blocks)(const struct link *l, const struct link_conf *conf);
	/* conf is from now on the one to go by (reload): 0 taken over; -EBUSY it needs a close and a new open. */
	int (*reconf)(struct link *l, const struct link_conf *conf);
	/**
	 * A device is reached here from now on. identity is borrowed for the call.
	 * @return 0; -EEXIST the identity is taken on this link; -EBADMSG it is none of this kind's
	 */
	int (*attach)(struct link *l, struct link_dev **out, const struct link_identity *identity, struct device *dev, uint32_t mtu);
	/* Whose identity it is here, NULL: nobody's. identity is borrowed for the call. May be NULL: not known. */
	struct device *(*find)(const struct link *l, const struct link_identity *identity);
	/* No event for the device after this; what waits for it is dropped. gone: its record is removed for good (T8: the configuration is deleted). */
	void (*detach)(struct link_dev *d, bool gone);
	void (*set_mtu)(struct link_dev *d, uint32_t mtu); /* of the profile, after a reload; may be NULL: no use is made of it */
	/**
	 * Send one unit to a device.
	 * @param data  borrowed for the call: what has to wait is copied
	 * @return 0 accepted, events tell more when how->id is not 0; -EMSGSIZE above the MTU; -ENOTCONN no bearer; -EAGAIN queue full
	 */
	int (*send)(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len);
	void (*cancel)(struct link_dev *d, uint32_t id); /* no longer wanted: taken back where that is possible; no event after it */
	void (*cancel_key)(struct link_dev *d, uint64_t key); /* the same for a unit of a life before this one; may be NULL: nothing is remembered */
	void (*status)(const struct link *l, struct link_status *st);
	size_t (*describe)(const struct link_dev *d, char *buf, size_t size); /* what a person may want to know of the device here; JSON members without braces, may be 0 */
	void (*close)(struct link *l, bool stop); /* stop: the process ends, configurations at the peer stay; else what detach(gone) has begun is finished
						   * behind the scenes, for some seconds; env has to live on. NULL link is fine */
	void (*end)(const struct link_env *env);  /* the process ends, all links are closed: what is unfinished is dropped. May be NULL */
};

/* First member of every kind's struct link. */
struct link {
	const struct link_ops *ops;
	const struct link_conf *conf;  /* borrowed */
	const struct link_env *env;
	uint64_t *results[LINK_RES_COUNT]; /* metric cells */
	uint64_t *bytes_up; /* counted by whoever gets the units */
	uint64_t *down_results[LINK_DOWN_RES_COUNT]; /* the same, by whoever sends them */
	bool unknown_later;            /* set by events->unknown() when it gives NULL: a device would be made, but not now (503) */
};
struct link_dev_base {         /* first member of every kind's struct link_dev */
	struct link *link;
	struct device *dev;
};

extern const struct link_ops link_t8_ops, link_udp_ops;
void links_end(const struct link_env *env); /* end() of every kind; before the loop is freed */
extern const char *const link_type_words[];            /* "t8", "modem", "serial", "udp", NULL */
extern const struct conf_item link_items[];            /* common keys, with type */
extern const struct conf_variant link_variants[];
const struct link_ops *link_ops_of(const struct link_conf *conf);
void link_init(struct link *l, const struct link_ops *ops, const struct link_conf *conf, const struct link_env *env); /* fills the base, registers cells */
static inline void link_count(struct link *l, enum link_result r)
{
	++*l->results[r];
}
static inline void link_count_down(struct link *l, enum link_down_result r)
{
	++*l->down_results[r];
}

#endif
